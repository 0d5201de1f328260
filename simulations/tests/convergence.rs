//! Nodes come to hold the same, whatever happens on the way.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hutong_protocol::audience::Audience;
use hutong_simulations::network::Network;
use hutong_simulations::node::Slot;
use hutong_simulations::rng::Rng;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::World;

const TEN: &str = include_str!("../scenarios/ten.toml");

fn ten(seed: u64) -> Scenario {
    Scenario { seed, ..Scenario::parse(TEN).unwrap() }
}

/// Ten nodes, up, with everybody admitted and all of it settled.
fn settled(seed: u64, network: Network) -> World {
    let mut scenario = ten(seed);
    scenario.network = network;
    let mut world = scenario.world().unwrap();
    for index in 0..scenario.exchanges.len() {
        if !scenario.exchanges[index].council {
            world.admit(index).unwrap();
        }
    }
    assert!(world.settle(30_000).is_some(), "{:?}", world.differences());
    world
}

fn append(world: &mut World, slot: Slot, count: u64, audience: &Audience) {
    let entries = world.statements(slot, count, audience).unwrap();
    world.append(slot, entries);
}

fn assert_settles(world: &mut World, within_ms: u64) {
    let limit = world.now_ms() + within_ms;
    let settled = world.settle(limit).is_some();
    assert!(settled, "{:?} {:?}", world.differences(), world.without_quorum());
    assert_eq!(world.broken(), Vec::<String>::new());
}

#[test]
fn ten_nodes_come_to_hold_the_same_with_a_quorum() {
    let outcome = ten(1).run().unwrap();
    assert_eq!(outcome.failures, []);
    let world = &outcome.world;
    // 7 admissions and 53 statements, of which 5 are for domestic eyes.
    assert_eq!(world.acknowledged.len(), 60);
    for slot in 0..10 {
        let disk = &world.nodes[slot].disk;
        let withheld: u64 = disk.logs().map(|(_, log)| log.withheld()).sum();
        let foreign = ["KZ", "SG"].contains(&world.federation.exchanges[slot].region.as_str());
        assert_eq!(withheld, if foreign { 5 } else { 0 }, "{}", world.id(slot));
    }
}

#[test]
fn one_seed_is_one_run() {
    let trace = |seed| ten(seed).run().unwrap().world.trace();
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn a_scenario_that_cannot_converge_fails() {
    let mut scenario = ten(1);
    scenario.steps.retain(|step| step.at_ms < 10_000);
    let outcome = scenario.run().unwrap();
    assert_eq!(outcome.converged_at_ms, None);
    assert!(outcome.failures.iter().any(|line| line.text.contains("of cn-energy")));
}

#[test]
fn seeds_0_to_24_of_loss_splits_and_crashes_settle_after_healing() {
    run_seeds(0..25);
}

#[test]
fn seeds_25_to_49_of_loss_splits_and_crashes_settle_after_healing() {
    run_seeds(25..50);
}

fn run_seeds(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let network = Network {
            latency_min_ms: 1,
            latency_max_ms: 200,
            loss_per_mille: 100,
            ..Network::default()
        };
        let mut world = ten(seed).world().unwrap();
        world.network = network;
        let mut chance = Rng::new(seed ^ 0x5eed);
        for index in 3..10 {
            world.admit(index).unwrap();
        }
        for _ in 0..25 {
            world.run_until(world.now_ms() + chance.below(600));
            disturb(&mut world, &mut chance);
        }
        world.heal();
        let limit = world.now_ms() + 60_000;
        let settled = world.settle(limit).is_some();
        let (missing, unsigned) = (world.differences(), world.without_quorum());
        assert!(settled, "seed {seed}: {missing:?} {unsigned:?}");
        assert_eq!(world.broken(), Vec::<String>::new(), "seed {seed}");
    }
}

fn disturb(world: &mut World, chance: &mut Rng) {
    let slot = chance.index(10);
    match chance.below(8) {
        0 => world.crash_in_the_middle(slot),
        1 => world.crash(slot),
        2 => {
            let group = (0..10).filter(|_| chance.chance(400)).collect();
            world.partition(&[group]);
        }
        3 => world.partition(&[]),
        4 => (0..10).for_each(|slot| world.start(slot, false)),
        _ => {
            let audience = if chance.chance(400) { Audience::Domestic } else { Audience::Public };
            let count = chance.between(1, 12);
            append(world, slot, count, &audience);
        }
    }
}

#[test]
fn who_joins_late_gets_all_that_it_may_see() {
    let mut world = ten(3).world().unwrap();
    for index in [3, 4, 5, 7, 8] {
        world.admit(index).unwrap();
    }
    append(&mut world, 1, 20, &Audience::Domestic);
    append(&mut world, 3, 20, &Audience::Domestic);
    append(&mut world, 8, 20, &Audience::Public);
    world.run_until(15_000);
    // The county's node and the foreign one are there all along, as strangers.
    let (county, foreign) = (6, 9);
    let withheld = |world: &World, slot: Slot| -> u64 {
        world.nodes[slot].disk.logs().map(|(_, log)| log.withheld()).sum()
    };
    assert_eq!((withheld(&world, county), withheld(&world, foreign)), (40, 40));
    world.admit(county).unwrap();
    world.admit(foreign).unwrap();
    assert_settles(&mut world, 30_000);
    assert_eq!((withheld(&world, county), withheld(&world, foreign)), (0, 40));
}

#[test]
fn statements_for_named_members_reach_them_abroad_too() {
    let mut world = settled(5, Network::default());
    let named = Audience::Members([world.id(8).clone(), world.id(6).clone()].into());
    append(&mut world, 1, 3, &named);
    world.run_until(world.now_ms() + 2_000);
    append(&mut world, 1, 1, &Audience::Public);
    assert_settles(&mut world, 30_000);
    let log = world.id(1).clone();
    let withheld = |slot: Slot| world.nodes[slot].disk.log(&log).unwrap().withheld();
    assert_eq!([0, 6, 8, 9].map(withheld), [3, 0, 0, 3]);
}

#[test]
fn a_node_on_an_old_copy_takes_its_log_back_before_it_signs() {
    let mut world = settled(11, Network::default());
    let slot = 4;
    append(&mut world, slot, 4, &Audience::Public);
    assert_settles(&mut world, 30_000);
    let old = world.nodes[slot].disk.clone();
    append(&mut world, slot, 6, &Audience::Domestic);
    assert_settles(&mut world, 30_000);
    world.crash(slot);
    world.nodes[slot].disk = old;
    world.start(slot, true);
    assert!(!world.nodes[slot].state.as_ref().unwrap().may_sign());
    append(&mut world, slot, 1, &Audience::Public);
    assert_settles(&mut world, 30_000);
    // One admission, and 4 + 6 + 1 statements.
    let log = world.id(slot).clone();
    assert_eq!(world.nodes[slot].disk.log(&log).unwrap().tree.size(), 12);
}

#[test]
fn a_node_without_any_disk_takes_its_log_back_before_it_signs() {
    let mut world = settled(12, Network::default());
    let slot = 4;
    append(&mut world, slot, 4, &Audience::Domestic);
    assert_settles(&mut world, 30_000);
    world.crash(slot);
    world.nodes[slot].disk = hutong_simulations::disk::Disk::default();
    world.start(slot, true);
    append(&mut world, slot, 1, &Audience::Public);
    assert_settles(&mut world, 30_000);
    let log = world.id(slot).clone();
    assert_eq!(world.nodes[slot].disk.log(&log).unwrap().tree.size(), 6);
}
