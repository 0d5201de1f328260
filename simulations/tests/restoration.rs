//! A node that lost what it signed says nothing before enough others have shown it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::settled;
use hutong_protocol::audience::Audience;
use hutong_protocol::io::Notice;
use hutong_simulations::disk::Disk;
use hutong_simulations::node::Slot;
use hutong_simulations::world::World;

/// The council is at 0, 1 and 2, and two of it are a witness quorum.
const HANGZHOU: Slot = 4;

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

/// How many logs a node remembers to have cosigned.
fn cosigned(world: &World, slot: Slot) -> usize {
    world.nodes[slot].disk.logs().filter(|(_, log)| log.witness().is_some()).count()
}

/// The size at which a node remembers to have cosigned the log of the exchange at `of`.
fn cosigned_of(world: &World, slot: Slot, of: Slot) -> Option<u64> {
    let read = world.nodes[slot].disk.read().unwrap();
    let stored = read.logs();
    let log = stored.iter().find(|stored| stored.log == *world.id(of))?;
    log.witness.map(|(size, _)| size)
}

fn has_compared(world: &World, slot: Slot) -> bool {
    world.nodes[slot].notices.contains(&Notice::Restored)
}

/// Starts council members 1 and 2 anew at the same time, the second on this disk.
fn restore_two(world: &mut World, second: Disk) {
    for slot in [1, 2] {
        world.crash(slot);
        world.nodes[slot].notices.clear();
    }
    world.nodes[1].disk = Disk::default();
    world.nodes[2].disk = second;
    for slot in [1, 2] {
        world.start(slot, true);
    }
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
    assert_eq!([3, HANGZHOU].map(|of| cosigned_of(&world, witness, of)), [None, None]);
    world.partition(&[]);
    append(&mut world, 3, 1);
    settle(&mut world);
    world.run_until(world.now_ms() + 5_000);
    assert_eq!(cosigned(&world, witness), before);
}

#[test]
fn two_restored_members_free_each_other_where_enough_forgot_nothing() {
    let mut world = settled(44);
    append(&mut world, HANGZHOU, 2);
    for slot in [1, 2] {
        append(&mut world, slot, 1);
    }
    settle(&mut world);
    restore_two(&mut world, Disk::default());
    world.run_until(world.now_ms() + 20_000);
    assert!([1, 2].iter().all(|slot| may_sign(&world, *slot) && has_compared(&world, *slot)));
    append(&mut world, HANGZHOU, 1);
    append(&mut world, 1, 1);
    settle(&mut world);
    // An admission before the two, and one after them.
    assert_eq!([1, 2].map(|slot| cosigned_of(&world, slot, HANGZHOU)), [Some(4); 2]);
}

#[test]
fn nodes_that_forgot_do_not_vouch_for_each_other() {
    let mut world = settled(44);
    append(&mut world, HANGZHOU, 2);
    for slot in [1, 2] {
        append(&mut world, slot, 1);
    }
    settle(&mut world);
    // The third member alone is fewer than a quorum.
    world.partition(&[vec![0, 1, 2]]);
    restore_two(&mut world, Disk::default());
    world.run_until(world.now_ms() + 20_000);
    assert_eq!([1, 2].map(|slot| cosigned_of(&world, slot, HANGZHOU)), [None, None]);
    assert!([1, 2].iter().all(|slot| !has_compared(&world, *slot)));
    // What they cosign for each other only the third could have cosigned too.
    assert!(may_sign(&world, 1) && may_sign(&world, 2));
    // A third that was restored as well leaves nobody who forgot nothing.
    world.partition(&[]);
    world.crash(0);
    world.nodes[0].disk = Disk::default();
    world.start(0, true);
    for slot in [1, 2] {
        world.crash(slot);
        world.nodes[slot].disk = Disk::default();
        world.start(slot, true);
    }
    world.run_until(world.now_ms() + 20_000);
    assert_eq!([0, 1, 2].map(|slot| cosigned_of(&world, slot, HANGZHOU)), [None; 3]);
}

#[test]
fn what_only_another_restored_disk_knows_is_learnt_from_it() {
    let mut world = settled(46);
    for slot in [1, 2] {
        append(&mut world, slot, 1);
    }
    settle(&mut world);
    // A quorum that the others do not hear of.
    world.partition(&[vec![1, 2, HANGZHOU]]);
    append(&mut world, HANGZHOU, 3);
    world.run_until(world.now_ms() + 5_000);
    let size = cosigned_of(&world, 2, HANGZHOU).unwrap();
    assert_eq!(cosigned_of(&world, 1, HANGZHOU), Some(size));
    assert!(cosigned_of(&world, 0, HANGZHOU).is_none_or(|before| before < size));
    world.crash(HANGZHOU);
    let disk = world.nodes[2].disk.clone();
    restore_two(&mut world, disk);
    world.partition(&[]);
    world.run_until(world.now_ms() + 20_000);
    assert_eq!(cosigned_of(&world, 1, HANGZHOU), Some(size), "not below, and the same tree");
    assert!(has_compared(&world, 1));
}
