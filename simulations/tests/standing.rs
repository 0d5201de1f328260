//! Of a suspended member's log nodes take what stands, and nothing beyond.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hutong_protocol::audience::Audience;
use hutong_simulations::node::Slot;
use hutong_simulations::scenario::{Act, Decision, Scenario};
use hutong_simulations::world::World;

const TEN: &str = include_str!("../scenarios/ten.toml");
const HANGZHOU: Slot = 4;

fn append(world: &mut World, count: u64) {
    let entries = world.statements(HANGZHOU, count, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
}

fn decide(world: &mut World, decision: Decision) {
    let node = world.id(HANGZHOU).to_string();
    world.act(&Act::Decide { node, decision }).unwrap();
    world.run_until(world.now_ms() + 10_000);
}

/// How many leaves of Hangzhou's log each of the others holds, each size once.
fn sizes(world: &World) -> Vec<u64> {
    let log = world.id(HANGZHOU);
    let others = (0..10).filter(|slot| *slot != HANGZHOU);
    let size = |slot: Slot| world.nodes[slot].disk.log(log).map_or(0, |disk| disk.tree.size());
    let mut sizes: Vec<u64> = others.map(size).collect();
    sizes.dedup();
    sizes
}

#[test]
fn nothing_beyond_where_a_suspended_log_stands_is_fetched_until_its_owner_is_back() {
    let mut scenario = Scenario { seed: 80, ..Scenario::parse(TEN).unwrap() };
    scenario.network.loss_per_mille = 0;
    let mut world = scenario.world().unwrap();
    for index in 3..10 {
        world.admit(index).unwrap();
    }
    world.run_until(5_000);
    append(&mut world, 2);
    assert!(world.settle(30_000).is_some(), "{:?}", world.differences());
    let stands = sizes(&world);
    assert_eq!(stands.len(), 1);
    // Its node does not hear that it was suspended, and goes on.
    world.partition(&[vec![HANGZHOU]]);
    append(&mut world, 3);
    decide(&mut world, Decision::Suspend);
    world.partition(&[]);
    world.run_until(world.now_ms() + 20_000);
    assert_eq!(sizes(&world), stands);
    decide(&mut world, Decision::Reinstate);
    world.run_until(world.now_ms() + 20_000);
    assert_eq!(sizes(&world), [stands[0] + 3]);
    assert_eq!(world.broken(), Vec::<String>::new());
}
