//! Who breaks the rules is found out, and harms nobody else.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{TEN, settled};
use hutong_protocol::audience::Audience;
use hutong_protocol::io::{Input, Notice, PeerFault};
use hutong_simulations::disk::Disk;
use hutong_simulations::federation::{Federation, Pace};
use hutong_simulations::node::Slot;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::World;

fn append(world: &mut World, slot: Slot, count: u64) {
    let entries = world.statements(slot, count, &Audience::Public).unwrap();
    world.append(slot, entries);
}

/// Two copies of one exchange's node go on apart, appending so many statements each, and then the
/// parts of the network meet again.
fn run_twice(seed: u64, here: u64, there: u64) -> (World, Slot) {
    let mut world = settled(seed);
    let slot = 4;
    append(&mut world, slot, 3);
    let limit = world.now_ms() + 30_000;
    assert!(world.settle(limit).is_some());
    // What is anchored stands whatever comes.
    world.want_anchor(0);
    world.run_until(world.now_ms() + 3_000);
    let twin = world.twin(slot);
    world.partition(&[vec![2, 3, 5, 7, 9, twin]]);
    world.start(twin, false);
    world.run_until(world.now_ms() + 5_000);
    append(&mut world, slot, here);
    append(&mut world, twin, there);
    world.run_until(world.now_ms() + 5_000);
    world.partition(&[]);
    world.run_until(world.now_ms() + 30_000);
    (world, slot)
}

fn assert_frozen(world: &mut World, slot: Slot) {
    assert_eq!(world.not_frozen(world.id(slot)), Vec::<String>::new());
    assert_eq!(world.broken(), Vec::<String>::new());
}

#[test]
fn two_trees_of_one_size_freeze_the_log_everywhere() {
    for seed in 20..24 {
        let (mut world, slot) = run_twice(seed, 2, 2);
        assert_frozen(&mut world, slot);
        assert!(world.nodes[slot].notices.contains(&Notice::OwnLogConflict));
    }
}

#[test]
fn two_trees_of_different_sizes_freeze_the_log_everywhere() {
    for (seed, here, there) in [(24, 1, 4), (25, 4, 1), (26, 9, 2), (27, 2, 13)] {
        let (mut world, slot) = run_twice(seed, here, there);
        assert_frozen(&mut world, slot);
    }
}

#[test]
fn a_tree_that_goes_on_from_the_other_is_no_second_version() {
    let (mut world, slot) = run_twice(28, 3, 0);
    let log = world.id(slot).clone();
    assert_eq!(world.not_frozen(&log).len(), world.honest().len());
    assert_eq!(world.broken(), Vec::<String>::new());
    world.nodes[slot].dishonest = false;
    let limit = world.now_ms() + 30_000;
    assert!(world.settle(limit).is_some(), "{:?}", world.differences());
}

#[test]
fn others_go_on_while_a_log_is_frozen() {
    let (mut world, slot) = run_twice(29, 2, 2);
    append(&mut world, 1, 5);
    append(&mut world, 6, 5);
    let limit = world.now_ms() + 30_000;
    assert!(world.settle(limit).is_some(), "{:?}", world.differences());
    // A restart does not thaw it, at others or at its owner.
    for restarted in [0, slot] {
        world.crash(restarted);
        world.start(restarted, false);
    }
    let before = world.acknowledged.len();
    append(&mut world, slot, 1);
    world.run_until(world.now_ms() + 5_000);
    assert_frozen(&mut world, slot);
    assert_eq!(world.acknowledged.len(), before);
}

#[test]
fn of_a_frozen_log_all_come_to_hold_what_was_anchored() {
    let (mut world, slot) = run_twice(31, 2, 2);
    let log = world.id(slot).clone();
    let frozen = |world: &World, slot: Slot| world.nodes[slot].disk.log(&log)?.frozen();
    // Two witnesses of three met the first tree. Before it an admission and three statements were common.
    for one in [0, 1, 6, 8] {
        assert_eq!(frozen(&world, one), Some(6));
    }
    let others = [2, 3, 5, 7];
    for other in others {
        assert_eq!(frozen(&world, other), Some(4), "what both trees have in common");
        let told = Notice::OtherTreeCosigned { log: log.clone(), size: 6 };
        assert!(world.nodes[other].notices.contains(&told));
    }
    // Their operators drop it; another node loses its whole disk.
    for other in others {
        world.crash(other);
        world.nodes[other].disk.drop_log(&log);
        world.start(other, false);
    }
    world.crash(9);
    world.nodes[9].disk = Disk::default();
    world.start(9, true);
    world.run_until(world.now_ms() + 30_000);
    // The register lets stand what was anchored, and all hold that.
    let stood = world.nodes[0].disk.log(&log).unwrap().root_at(4);
    for one in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
        let directory = world.nodes[one].state.as_ref().unwrap().directory();
        assert_eq!(directory.member(&log).unwrap().frozen, Some(4), "{one}");
        let held = world.nodes[one].disk.log(&log).and_then(|disk| disk.root_at(4));
        assert_eq!(held, stood, "{one}");
    }
    assert_frozen(&mut world, slot);
}

#[test]
fn a_peer_that_hands_out_wrong_leaves_harms_itself_alone() {
    let mut world = settled(30);
    let liars = [2, 3, 5, 6];
    for liar in liars {
        world.nodes[liar].corrupt = true;
    }
    // One node misses something, so that it must fetch, and may well ask a liar.
    for round in 0..6 {
        world.partition(&[vec![8]]);
        world.run_until(world.now_ms() + 500);
        append(&mut world, 1, 7 + round);
        append(&mut world, 7, 7);
        world.run_until(world.now_ms() + 3_000);
        world.partition(&[]);
        let limit = world.now_ms() + 30_000;
        assert!(world.settle(limit).is_some(), "{:?}", world.differences());
    }
    assert_eq!(world.broken(), Vec::<String>::new());
    let blamed = liars.iter().any(|liar| {
        let peer = world.federation.exchanges[*liar].peer.clone();
        let notice = Notice::PeerMisbehaved { peer, fault: PeerFault::BadLeaves };
        world.nodes[8].notices.contains(&notice)
    });
    assert!(blamed);
}

#[test]
fn a_charter_of_another_federation_is_refused() {
    let mut world = settled(31);
    let specs = Scenario::parse(TEN).unwrap().exchanges;
    let other = Federation::found(&specs, 99, Pace::FAST).unwrap();
    let before = world.nodes[0].state.as_ref().unwrap().charters().clone();
    world.feed(0, Input::Charter { bytes: other.charter.encode() });
    let refused = |notice: &Notice| matches!(notice, Notice::CharterRefused { .. });
    assert!(world.nodes[0].notices.iter().any(refused));
    assert_eq!(world.nodes[0].state.as_ref().unwrap().charters().version(), before.version());
    let own = world.federation.charter.encode();
    world.nodes[0].notices.clear();
    world.feed(0, Input::Charter { bytes: own });
    assert!(!world.nodes[0].notices.iter().any(refused));
}
