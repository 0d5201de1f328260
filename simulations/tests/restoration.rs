//! A node that lost what it signed says nothing before enough others have shown it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hutong_protocol::audience::Audience;
use hutong_protocol::io::Notice;
use hutong_simulations::disk::Disk;
use hutong_simulations::node::Slot;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::World;

const TEN: &str = include_str!("../scenarios/ten.toml");
/// The council is at 0, 1 and 2, and two of it are a witness quorum.
const HANGZHOU: Slot = 4;

fn settled(seed: u64) -> World {
    let mut scenario = Scenario { seed, ..Scenario::parse(TEN).unwrap() };
    scenario.network.loss_per_mille = 0;
    let mut world = scenario.world().unwrap();
    for index in 3..10 {
        world.admit(index).unwrap();
    }
    assert!(world.settle(30_000).is_some(), "{:?}", world.differences());
    world
}

fn append(world: &mut World, slot: Slot, count: u64) {
    let entries = world.statements(slot, count, &Audience::Public).unwrap();
    world.append(slot, entries);
}

fn settle(world: &mut World) {
    let limit = world.now_ms() + 30_000;
    assert!(world.settle(limit).is_some(), "{:?} {:?}", world.differences(), world.broken());
    assert_eq!(world.broken(), Vec::<String>::new());
}

/// Starts the node anew on an empty disk, as after a restore, in a part of the network.
fn restore(world: &mut World, slot: Slot, with: &[Slot]) {
    world.crash(slot);
    world.nodes[slot].disk = Disk::default();
    world.nodes[slot].notices.clear();
    let part: Vec<Slot> = with.iter().copied().chain([slot]).collect();
    world.partition(&[part]);
    world.start(slot, true);
    world.run_until(world.now_ms() + 20_000);
}

fn may_sign(world: &World, slot: Slot) -> bool {
    world.nodes[slot].state.as_ref().unwrap().may_sign()
}

/// The logs that a node remembers to have cosigned.
fn cosigned(world: &World, slot: Slot) -> usize {
    world.nodes[slot].disk.stored().unwrap().iter().filter(|log| log.witness.is_some()).count()
}

#[test]
fn a_minority_of_the_council_and_others_do_not_open_a_restored_log() {
    for others in [&[3, 5, 8][..], &[0, 3, 5, 8]] {
        let mut world = settled(40);
        append(&mut world, HANGZHOU, 3);
        settle(&mut world);
        restore(&mut world, HANGZHOU, others);
        assert!(!may_sign(&world, HANGZHOU), "{others:?}");
        append(&mut world, HANGZHOU, 1);
        world.partition(&[]);
        settle(&mut world);
        assert!(may_sign(&world, HANGZHOU));
        assert!(world.nodes[HANGZHOU].notices.contains(&Notice::Restored));
    }
}

#[test]
fn enough_of_the_council_opens_a_restored_log() {
    let mut world = settled(41);
    append(&mut world, HANGZHOU, 3);
    settle(&mut world);
    restore(&mut world, HANGZHOU, &[0, 2]);
    assert!(may_sign(&world, HANGZHOU));
}

#[test]
fn a_council_that_holds_nothing_of_the_log_does_not_open_it() {
    let (mut world, ningbo) = (settled(42), 5);
    let log = world.id(ningbo).clone();
    assert!(world.nodes[0].disk.log(&log).is_none(), "it has published nothing");
    restore(&mut world, ningbo, &[0, 1, 2]);
    assert!(!may_sign(&world, ningbo));
    assert!(world.nodes[ningbo].state.as_ref().unwrap().is_restoring());
}

#[test]
fn a_restored_witness_cosigns_nothing_before_it_has_compared() {
    let mut world = settled(43);
    let witness = 1;
    append(&mut world, 3, 3);
    append(&mut world, HANGZHOU, 2);
    settle(&mut world);
    let before = cosigned(&world, witness);
    assert!(before >= 3);
    // With one other member of the council alone: its own lost word and the third's could be a quorum.
    restore(&mut world, witness, &[0, 3, HANGZHOU]);
    assert_eq!(cosigned(&world, witness), 0);
    world.partition(&[]);
    append(&mut world, 3, 1);
    settle(&mut world);
    world.run_until(world.now_ms() + 5_000);
    assert_eq!(cosigned(&world, witness), before);
}

#[test]
fn nodes_that_forgot_do_not_vouch_for_each_other() {
    let mut world = settled(44);
    append(&mut world, HANGZHOU, 2);
    settle(&mut world);
    for slot in [1, 2] {
        world.crash(slot);
        world.nodes[slot].disk = Disk::default();
    }
    for slot in [1, 2] {
        world.start(slot, true);
    }
    world.run_until(world.now_ms() + 20_000);
    // Each of the two could have made a quorum with the other, and neither knows what it cosigned.
    assert_eq!([1, 2].map(|slot| cosigned(&world, slot)), [0, 0]);
    // The first one's own log could be cosigned by the other two only together: one of them suffices.
    assert!(may_sign(&world, 1));
}
