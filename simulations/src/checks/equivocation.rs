//! A log that honest nodes hold in two versions is found out by all of them.

use std::collections::BTreeSet;

use hutong_protocol::id::ExchangeId;

use super::{Checker, Found};
use crate::disk::DiskLog;
use crate::world::World;

/// How long after healing all must have found out, in milliseconds of virtual time.
pub(super) const FOUND_WITHIN_MS: u64 = 20_000;

/// Remembers which logs were seen in two versions.
#[derive(Debug, Default)]
pub(super) struct Equivocations {
    double: BTreeSet<ExchangeId>,
}

impl Equivocations {
    /// Compares, for each log, every honest copy with the longest.
    fn refresh(&mut self, world: &World) {
        let honest = world.settling();
        for exchange in &world.federation.exchanges {
            let log = &exchange.id;
            if self.double.contains(log) || world.owner_is_honest(log) {
                continue;
            }
            let copies = || honest.iter().filter_map(|slot| world.nodes[*slot].disk.log(log));
            let longest = copies().max_by_key(|copy| copy.tree.size());
            if longest.is_some_and(|longest| copies().any(|copy| !copy.is_part_of(longest))) {
                self.double.insert(log.clone());
            }
        }
    }
}

impl Checker for Equivocations {
    fn name(&self) -> &'static str {
        "equivocation"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        self.refresh(world);
        let late = world.healed_at_ms().is_some_and(|at| world.now_ms() >= at + FOUND_WITHIN_MS);
        if !late {
            return;
        }
        for log in &self.double {
            for slot in world.settling() {
                if world.nodes[slot].disk.log(log).and_then(DiskLog::frozen).is_none() {
                    found.push(format!("{} has not found out {log}", world.id(slot)));
                }
            }
        }
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        // One evidence convicts everywhere.
        let honest = world.settling();
        for exchange in &world.federation.exchanges {
            let frozen = |slot: &usize| {
                let disk = world.nodes[*slot].disk.log(&exchange.id);
                disk.is_some_and(|disk| disk.frozen().is_some() && !disk.evidence().is_empty())
            };
            let count = honest.iter().filter(|slot| frozen(slot)).count();
            if count > 0 && count < honest.len() {
                let (all, log) = (honest.len(), &exchange.id);
                found.push(format!("{count} of {all} nodes have found out {log}"));
            }
        }
    }
}
