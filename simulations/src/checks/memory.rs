//! What a node keeps in memory is bounded.

use hutong_protocol::limits::{
    FETCHES_MAX, RANGES_PER_LOG_MAX, RECENT_CHECKPOINTS_MAX, SHOWN_PER_PEER_MAX, SUSPECTS_MAX,
};
use hutong_protocol::state::Load;

use super::{Checker, Found};
use crate::world::World;

/// Counts what waits in each state.
#[derive(Debug, Default)]
pub(super) struct Memory;

/// What there is at most of each kind, in a federation of `exchanges` in `scopes`.
fn bounds(load: &Load, exchanges: usize, scopes: usize) -> [(&'static str, usize, usize); 9] {
    // Of each peer: a greeting, the heads of each scope, charters, evidence; some of these twice,
    // when a comparison begins before another has ended. Of each log: a gap, a checkpoint, a cosignature
    // to deliver, and a proof from each of a few peers. And announcements that were shown, leaves, and what an
    // anchor changed.
    let of_peers = load.peers * (2 * (scopes + 4) + SHOWN_PER_PEER_MAX);
    let asked = of_peers + 7 * load.logs + FETCHES_MAX;
    [
        // And the register.
        ("logs", load.logs, exchanges + 1),
        ("requests", load.asked, asked),
        // A check of each staged batch and of filled gaps.
        ("checks", load.checks, load.logs * (RANGES_PER_LOG_MAX + 2)),
        ("timers", load.timers, 8 + 4 * load.logs),
        ("staged batches", load.staged, RANGES_PER_LOG_MAX + 1),
        ("early ranges", load.early, RANGES_PER_LOG_MAX),
        ("fetches", load.fetches, FETCHES_MAX),
        ("suspects", load.suspects, SUSPECTS_MAX),
        ("checkpoints", load.recent, RECENT_CHECKPOINTS_MAX),
    ]
}

impl Checker for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        let exchanges = &world.federation.exchanges;
        let scopes: std::collections::BTreeSet<_> =
            exchanges.iter().map(crate::federation::Exchange::scope).collect();
        for slot in world.honest() {
            let Some(state) = &world.nodes[slot].state else { continue };
            for (what, met, bound) in bounds(&state.load(), exchanges.len(), scopes.len()) {
                if met > bound {
                    found.push(format!("{} keeps {met} {what}, bound {bound}", world.id(slot)));
                }
            }
        }
    }
}
