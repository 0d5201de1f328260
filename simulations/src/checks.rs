//! What must hold in the end, whatever happened.

use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::Notice;

use crate::node::Slot;
use crate::world::World;

impl World {
    /// The nodes that keep the rules and are up.
    pub fn honest(&self) -> Vec<Slot> {
        let sound = |slot: &Slot| {
            let node = &self.nodes[*slot];
            !node.dishonest && node.state.is_some()
        };
        (0..self.nodes.len()).filter(sound).collect()
    }

    /// What is missing for all honest nodes to hold the same logs, and to hold every entry that
    /// they may see. Nothing is missing where the list is empty.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for owner in self.honest() {
            let log = self.id(owner);
            let Some(truth) = self.nodes[owner].disk.log(log) else { continue };
            for slot in self.honest() {
                let name = self.id(slot);
                let Some(copy) = self.nodes[slot].disk.log(log) else {
                    found.push(format!("{name} holds nothing of {log}"));
                    continue;
                };
                if (copy.tree.size(), copy.tree.root()) != (truth.tree.size(), truth.tree.root()) {
                    let (has, of) = (copy.tree.size(), truth.tree.size());
                    found.push(format!("{name} holds {has} of {of} leaves of {log}"));
                    continue;
                }
                let lacks = copy.leaves.iter().zip(&truth.leaves).filter(|(copy, truth)| {
                    let Leaf::Entry(entry) = truth else { return false };
                    copy.entry().is_none() && self.may_see(slot, log, entry)
                });
                let lacks = lacks.count();
                if lacks > 0 {
                    found.push(format!("{name} lacks {lacks} entries of {log} that it may see"));
                }
            }
        }
        found
    }

    /// Which logs of honest owners lack a witness quorum on all that they hold, and where.
    pub fn without_quorum(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in self.honest() {
            let Some(state) = &self.nodes[slot].state else { continue };
            for log in state.logs() {
                let owner = self.federation.find(log.log);
                let honest = owner.is_some_and(|owner| {
                    self.nodes.iter().all(|node| node.exchange != owner || !node.dishonest)
                });
                if honest && log.cosigned < log.size {
                    let (name, log, of, size) = (self.id(slot), log.log, log.cosigned, log.size);
                    found.push(format!("{name} knows {of} of {size} leaves of {log} cosigned"));
                }
            }
        }
        found
    }

    /// Acknowledged statements of honest owners that their own disk lost or moved.
    pub fn lost(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in 0..self.nodes.len() {
            let log = self.id(slot);
            if self.nodes[slot].dishonest {
                continue;
            }
            for acknowledged in self.acknowledged.iter().filter(|one| one.log == *log) {
                let leaves = self.nodes[slot].disk.log(log).map(|disk| &disk.leaves);
                let at = usize::try_from(acknowledged.index).ok();
                let leaf = leaves.zip(at).and_then(|(leaves, at)| leaves.get(at));
                if leaf.map(Leaf::hash) != Some(acknowledged.id) {
                    found.push(format!("{log} lost its entry {}", acknowledged.index));
                }
            }
        }
        found
    }

    /// Entries on the disks of nodes that may not see them.
    pub fn leaks(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in 0..self.nodes.len() {
            for (log, disk) in self.nodes[slot].disk.logs() {
                for entry in disk.leaves.iter().filter_map(Leaf::entry) {
                    if !self.may_see(slot, log, entry) {
                        let (name, id) = (self.id(slot), entry.leaf_hash());
                        found.push(format!("{name} holds entry {id} of {log}"));
                    }
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
            let stored = node.disk.stored();
            frozen && stored.iter().any(|disk| disk.log == *log && !disk.evidence.is_empty())
        };
        let open = self.honest().into_iter().filter(|slot| !frozen(slot));
        open.map(|slot| format!("{} has not frozen {log}", self.id(slot))).collect()
    }

    /// Honest owners whose log was frozen, or honest peers that were blamed.
    pub fn wronged(&self) -> Vec<String> {
        let mut found = Vec::new();
        for slot in self.honest() {
            for notice in &self.nodes[slot].notices {
                match notice {
                    Notice::Equivocation { log, .. } if self.is_honest(log) => {
                        found.push(format!("{} froze the honest {log}", self.id(slot)));
                    }
                    Notice::PeerMisbehaved { peer, fault } => {
                        let blamed = self.federation.exchanges.iter().find(|one| one.peer == *peer);
                        if let Some(blamed) = blamed.filter(|one| self.is_honest(&one.id)) {
                            let (name, id) = (self.id(slot), &blamed.id);
                            found.push(format!("{name} blamed the honest {id}: {fault:?}"));
                        }
                    }
                    _ => {}
                }
            }
        }
        found
    }

    fn is_honest(&self, id: &ExchangeId) -> bool {
        let exchange = self.federation.find(id);
        self.nodes
            .iter()
            .all(|node| Some(node.exchange) != exchange || (!node.dishonest && !node.corrupt))
    }

    /// Everything that may never happen, in words.
    pub fn broken(&self) -> Vec<String> {
        let mut found = self.violations.clone();
        found.extend(self.lost());
        found.extend(self.leaks());
        found.extend(self.wronged());
        found
    }
}
