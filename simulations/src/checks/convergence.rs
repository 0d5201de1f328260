//! After healing everybody comes to hold the same.

use std::cmp::Reverse;

use hutong_protocol::directory::NoEffect;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::state::State;

use crate::disk::DiskLog;
use crate::node::Slot;
use crate::world::World;

/// Differences named at most.
const NAMED_MAX: usize = 40;

impl World {
    /// The honest nodes that are up and members, or will be: not who was suspended or expelled.
    pub(crate) fn settling(&self) -> Vec<Slot> {
        let stays = |slot: &Slot| !self.removed.contains(&self.nodes[*slot].exchange);
        self.honest().into_iter().filter(stays).collect()
    }

    /// What is missing for all honest nodes to hold the same logs, and to hold every entry that
    /// they may see. Nothing is missing where the list is empty.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let settling = self.settling();
        let logs = self.federation.logs();
        for log in logs.iter().filter(|log| self.is_settling(log)) {
            // The owner's own copy may have been lost; then others hold more.
            let copies = settling.iter().filter_map(|slot| self.nodes[*slot].disk.log(log));
            let most = |copy: &&DiskLog| (copy.tree.size(), Reverse(copy.withheld.len()));
            let Some(truth) = copies.max_by_key(most) else { continue };
            for slot in &settling {
                found.extend(self.difference(*slot, log, truth));
                if found.len() >= NAMED_MAX {
                    return found;
                }
            }
        }
        found
    }

    /// Whether the node that signs the log keeps the rules, and stays.
    fn is_settling(&self, log: &ExchangeId) -> bool {
        self.operator_stays(log) && self.owner_is_honest(log)
    }

    /// Whether nobody suspended or expelled the exchange that signs the log.
    fn operator_stays(&self, log: &ExchangeId) -> bool {
        let operator = self.federation.operator(log);
        operator.is_some_and(|place| !self.removed.contains(&place))
    }

    /// The nodes that have folded less of the register than others: they do not know yet that a quorum cosigned it.
    pub fn behind(&self) -> Vec<String> {
        let state = |slot: Slot| Some((slot, self.nodes[slot].state.as_ref()?));
        let size = |state: &State| state.directory().register().size;
        let settling: Vec<(Slot, &State)> = self.settling().into_iter().filter_map(state).collect();
        let most = settling.iter().map(|(_, state)| size(state)).max().unwrap_or(0);
        let behind = settling.iter().filter(|(_, state)| size(state) < most);
        let named = behind.map(|(slot, state)| {
            format!(
                "{} has folded {} of {most} entries of the register",
                self.id(*slot),
                size(state)
            )
        });
        named.take(NAMED_MAX).collect()
    }

    /// Decisions by honest members that the honest keeper has not recorded, and why.
    pub fn unrecorded(&self) -> Vec<String> {
        let keeper = self.federation.keeper();
        let state = self.nodes[keeper].state.as_ref().filter(|_| self.is_honest(keeper));
        let waiting = state.into_iter().flat_map(State::waiting_decisions);
        // What a key signed that was changed before the keeper saw it has to be decided again.
        let by_former_key = |log: &ExchangeId, why: Option<&NoEffect>| {
            let member = state.and_then(|state| state.directory().member(log));
            let rekeyed = member.is_some_and(|member| member.epochs().len() > 1);
            rekeyed && matches!(why, Some(NoEffect::NotAnIssuer { .. }))
        };
        let sound = waiting
            .filter(|(log, _, _, why)| self.is_settling(log) && !by_former_key(log, why.as_ref()));
        let named = sound.map(|(log, index, _, why)| {
            let why = why.map_or_else(|| "no reason".into(), |why| why.to_string());
            format!("the decision at {index} of {log} was not recorded: {why}")
        });
        named.take(NAMED_MAX).collect()
    }

    fn difference(&self, slot: Slot, log: &ExchangeId, truth: &DiskLog) -> Option<String> {
        if truth.tree.size() == 0 {
            return None;
        }
        let name = self.id(slot);
        let Some(copy) = self.nodes[slot].disk.log(log) else {
            return Some(format!("{name} holds nothing of {log}"));
        };
        if (copy.tree.size(), copy.root()) != (truth.tree.size(), truth.root()) {
            let (has, of) = (copy.tree.size(), truth.tree.size());
            return Some(format!("{name} holds {has} of {of} leaves of {log}"));
        }
        let lacks = copy.withheld.iter().filter(|index| {
            let leaf = usize::try_from(**index).ok().and_then(|index| truth.leaves.get(index));
            leaf.and_then(Leaf::entry).is_some_and(|entry| self.may_see(slot, entry))
        });
        let lacks = lacks.count();
        (lacks > 0).then(|| format!("{name} lacks {lacks} entries of {log} that it may see"))
    }

    /// Which logs of honest owners lack a witness quorum on all that they hold, and where.
    pub fn without_quorum(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in self.settling() {
            let Some(state) = &self.nodes[slot].state else { continue };
            for log in state.logs().filter(|log| log.cosigned < log.size) {
                if !self.is_settling(log.log) {
                    continue;
                }
                let (name, log, of, size) = (self.id(slot), log.log, log.cosigned, log.size);
                found.push(format!("{name} knows {of} of {size} leaves of {log} cosigned"));
                if found.len() >= NAMED_MAX {
                    return found;
                }
            }
        }
        found
    }

    /// The honest nodes that do not have `log` frozen, with evidence.
    pub fn not_frozen(&self, log: &ExchangeId) -> Vec<String> {
        let frozen = |slot: &Slot| {
            let node = &self.nodes[*slot];
            let state = node.state.as_ref();
            let frozen = state.is_some_and(|state| {
                state.logs().any(|status| status.log == log && status.frozen.is_some())
            });
            frozen && node.disk.log(log).is_some_and(|disk| !disk.evidence().is_empty())
        };
        let open = self.honest().into_iter().filter(|slot| !frozen(slot));
        open.map(|slot| format!("{} has not frozen {log}", self.id(slot))).collect()
    }

    fn is_settled(&self) -> bool {
        self.quiet()
            && self.differences().is_empty()
            && self.without_quorum().is_empty()
            && self.undetected().is_empty()
            && self.unrecorded().is_empty()
            && self.behind().is_empty()
    }

    /// Logs of those who break the rules that some honest nodes have frozen and others have not,
    /// or that they hold in two versions or unequal lengths without having frozen them.
    pub fn undetected(&self) -> Vec<String> {
        let honest = self.settling();
        let mut found = Vec::new();
        for log in &self.federation.logs() {
            if self.owner_is_honest(log) {
                continue;
            }
            let copies: Vec<&DiskLog> =
                honest.iter().filter_map(|slot| self.nodes[*slot].disk.log(log)).collect();
            let frozen = copies.iter().filter(|copy| copy.frozen().is_some()).count();
            let longest = copies.iter().max_by_key(|copy| copy.tree.size());
            let double =
                longest.is_some_and(|longest| copies.iter().any(|it| !it.is_part_of(longest)));
            if (frozen > 0 || double) && frozen < honest.len() {
                found.push(format!("{frozen} of {} nodes have frozen {log}", honest.len()));
            }
            // Of a frozen log all hold what stands; a dropped copy is fetched back so far.
            let by_register = self.stands_in_register(log).unwrap_or(u64::MAX);
            let stands = |copy: &&&DiskLog| {
                copy.frozen().is_none_or(|at| copy.tree.size() >= at.min(by_register))
            };
            let lacking = copies.len() - copies.iter().filter(stands).count();
            if lacking > 0 {
                found.push(format!("{lacking} nodes lack what stands of {log}"));
            }
            // What its owner has shown to some it has shown to all, once they have met. After a suspension
            // or an expulsion nobody fetches what does not stand.
            let size = longest.map_or(0, |longest| longest.tree.size());
            let behind = copies.iter().filter(|copy| copy.tree.size() < size).count();
            let spreads = frozen == 0 && self.operator_stays(log);
            if spreads && (behind > 0 || (size > 0 && copies.len() < honest.len())) {
                found.push(format!("{behind} nodes hold less than {size} leaves of {log}"));
            }
        }
        found
    }

    /// Up to which size the register lets the log stand; none where it does not say.
    fn stands_in_register(&self, log: &ExchangeId) -> Option<u64> {
        let states = self.settling().into_iter().filter_map(|slot| self.nodes[slot].state.as_ref());
        states.filter_map(|state| state.directory().member(log)?.stands_at()).min()
    }

    /// Runs until everybody holds everything with a quorum, at most up to `limit_ms`. Returns
    /// when that was.
    pub fn settle(&mut self, limit_ms: u64) -> Option<u64> {
        loop {
            if self.is_settled() {
                return Some(self.now_ms());
            }
            if self.now_ms() >= limit_ms || !self.violations.is_empty() {
                return None;
            }
            let next = (self.now_ms() + 250).min(limit_ms);
            self.run_until(next);
        }
    }
}
