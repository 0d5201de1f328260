//! What one withholds, others hand out.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::settled;
use hutong_protocol::audience::Audience;
use hutong_simulations::adversary::Kind;
use hutong_simulations::node::Slot;
use hutong_simulations::world::World;

/// The council is at 0, 1 and 2; these two are in one city, and these abroad.
const HANGZHOU: Slot = 4;
const ALMATY: Slot = 8;
const SINGAPORE: Slot = 9;

fn withheld(world: &World, slot: Slot, of: Slot) -> u64 {
    world.nodes[slot].disk.log(world.id(of)).unwrap().withheld()
}

/// `away` misses long public entries of the log of `owner`, who withholds them from then on, as `others` do.
fn miss(seed: u64, owner: Slot, away: Slot, others: &[Slot]) -> World {
    let mut world = settled(seed);
    world.partition(&[vec![away]]);
    let entries = world.long_statements(owner, 5, &Audience::Public, 2_000).unwrap();
    world.append(owner, entries);
    world.run_until(world.now_ms() + 5_000);
    for slot in others.iter().chain([&owner]) {
        world.corrupt(*slot, Kind::Denier);
    }
    world.partition(&[]);
    world.run_until(world.now_ms() + 30_000);
    world
}

#[test]
fn public_entries_that_an_owner_abroad_and_the_council_withhold_come_from_others() {
    for (owner, away) in [(ALMATY, HANGZHOU), (SINGAPORE, ALMATY), (HANGZHOU, SINGAPORE)] {
        let mut world = miss(70, owner, away, &[0, 1]);
        assert_eq!(withheld(&world, away, owner), 0);
        assert_eq!(world.broken(), Vec::<String>::new());
    }
}

#[test]
fn what_all_withhold_stays_a_gap() {
    let all: Vec<Slot> = (0..10).filter(|slot| ![ALMATY, HANGZHOU].contains(slot)).collect();
    let world = miss(71, ALMATY, HANGZHOU, &all);
    assert_eq!(withheld(&world, HANGZHOU, ALMATY), 5);
}
