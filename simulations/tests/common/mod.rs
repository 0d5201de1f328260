//! The federation of ten with which most tests begin.

use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::World;

/// `scenarios/ten.toml`.
pub(crate) const TEN: &str = include_str!("../../scenarios/ten.toml");

/// Ten nodes on a network that loses nothing, everybody admitted and all of it settled.
pub(crate) fn settled(seed: u64) -> World {
    let mut scenario = Scenario { seed, ..Scenario::parse(TEN).unwrap() };
    scenario.network.loss_per_mille = 0;
    let mut world = scenario.world().unwrap();
    for index in 3..10 {
        world.admit(index).unwrap();
    }
    assert!(world.settle(30_000).is_some(), "{:?}", world.differences());
    world
}
