//! What befalls nodes and the network, and how it ends.

use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::Input;

use super::{DiskSpeed, Event, World};
use crate::disk::{Disk, DiskError, Part};
use crate::federation::register;
use crate::network::{Links, Nat};
use crate::node::{Node, Slot};

/// How long an operator takes to repair a node that refuses to start, in milliseconds.
const REPAIR_MS: u64 = 1_000;

impl World {
    /// Starts a node from its disk. `restored` says that the disk may be an old copy.
    ///
    /// Where the disk is damaged the node stays down, until its operator drops the log with
    /// damaged entries, or everything where the index itself is damaged.
    pub fn start(&mut self, slot: Slot, restored: bool) {
        self.boot(slot, restored);
        self.connect();
    }

    /// Starts all nodes and connects them.
    pub fn start_all(&mut self) {
        for slot in 0..self.nodes.len() {
            self.boot(slot, false);
        }
        self.connect();
    }

    fn boot(&mut self, slot: Slot, restored: bool) {
        if self.nodes[slot].state.is_some() {
            return;
        }
        let federation = self.federation.clone();
        let memory = self.memory.clone();
        let node = &mut self.nodes[slot];
        let (exchange, restored) =
            (&federation.exchanges[node.exchange], restored || node.old_disk);
        if let Err(error) = node.boot(exchange, federation.founded(), restored, memory) {
            node.refusals.push(error.clone());
            self.record(slot, "refused", error.to_string().as_bytes());
            self.repair(slot, &error);
            return self.start_later(slot);
        }
        self.record(slot, "start", &[]);
        self.feed(slot, Input::Started);
    }

    /// Has the operator start a node after a while.
    pub(crate) fn start_later(&mut self, slot: Slot) {
        self.after(REPAIR_MS, Event::Start { to: slot });
    }

    /// What an operator does with a damaged disk.
    fn repair(&mut self, slot: Slot, error: &DiskError) {
        let (own, signed) = (self.id(slot).clone(), self.signed_logs(slot));
        let node = &mut self.nodes[slot];
        // Who never published anything has nothing to wait for.
        let published = node.disk.log(&own).is_some_and(|disk| disk.tree.size() > 0);
        match error {
            DiskError::Entry { log, .. } => {
                node.disk.drop_log(log);
                node.old_disk |= signed.contains(log) && published;
            }
            DiskError::Index { .. } => {
                node.disk = Disk::default();
                node.old_disk |= published;
            }
        }
    }

    /// Takes everything from a node but its disk; of what is being written, a part is.
    pub fn crash(&mut self, slot: Slot) {
        let under_way = std::mem::take(&mut self.nodes[slot].unsynced);
        let written = self.rng.index(under_way.len() + 1);
        for change in under_way.into_iter().take(written) {
            self.make_durable(slot, change);
        }
        for entries in self.nodes[slot].crash() {
            self.retry(slot, entries, 0);
        }
        self.record(slot, "crash", &[]);
        self.connect();
    }

    /// Lets a node crash in the middle of the next effects.
    pub fn crash_in_the_middle(&mut self, slot: Slot) {
        let node = &mut self.nodes[slot];
        node.crash_next = node.state.is_some();
    }

    /// Ends all trouble: nothing is lost any more, disks are whole, all nodes are up and reach
    /// each other, and who breaks the rules does so no more of itself.
    pub fn heal(&mut self) {
        self.network = self.network.calm();
        self.disks = DiskSpeed::default();
        self.calm = true;
        self.healed_at = Some(self.now);
        for slot in 0..self.nodes.len() {
            self.nodes[slot].crash_next = false;
            self.nodes[slot].sends_until_us = 0;
            while let Err(error) = self.nodes[slot].disk.examine() {
                self.crash(slot);
                self.nodes[slot].refusals.push(error.clone());
                self.repair(slot, &error);
            }
        }
        self.reach_all();
        self.start_all();
    }

    /// All nodes that are up reach each other again.
    pub fn reach_all(&mut self) {
        self.blocked.clear();
        for node in &mut self.nodes {
            node.eclipsed_by.clear();
        }
        self.partition(&[]);
    }

    /// Puts nodes into groups that cannot reach each other; the rest stays in group 0.
    pub fn partition(&mut self, groups: &[Vec<Slot>]) {
        for node in &mut self.nodes {
            node.group = 0;
        }
        for (number, group) in (1..).zip(groups) {
            for slot in group {
                self.nodes[*slot].group = number;
            }
        }
        self.connect();
    }

    /// Lets nothing through from one group of nodes to another; connections stay.
    pub fn block(&mut self, from: &[Slot], to: &[Slot]) {
        let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
        self.blocked.extend(pairs);
    }

    /// Connects a node to these others only.
    pub fn eclipse(&mut self, slot: Slot, by: &[Slot]) {
        self.nodes[slot].eclipsed_by = by.iter().copied().collect();
        self.connect();
    }

    /// Sets a node's clock forward or back.
    pub fn jump_clock(&mut self, slot: Slot, by_ms: i64) {
        self.nodes[slot].clock.offset_ms += by_ms;
    }

    /// Flips a bit on a node's disk.
    ///
    /// An entry of another's log may go unnoticed until it is read. Damage to the index ends the
    /// process, and costs its operator the disk; it is not done where that would lose what nobody
    /// else has.
    pub fn damage(&mut self, slot: Slot, part: Part) {
        let (choice, own) = (self.rng.bits(), self.signed_logs(slot));
        if part == Part::Entry {
            self.nodes[slot].disk.damage_entry(&own, choice);
        } else if self.nodes[slot].is_settled()
            && self.is_held_elsewhere(slot)
            && self.nodes[slot].disk.damage_index(part, choice)
        {
            self.crash(slot);
            self.start(slot, false);
        }
    }

    /// Keeps a copy of a node's disk.
    pub fn back_up(&mut self, slot: Slot) {
        self.nodes[slot].backup = Some(self.nodes[slot].disk.clone());
    }

    /// Starts a node from its old copy, or from an empty disk if there is none.
    ///
    /// Not done where most honest nodes do not hold the node's own log: what nobody else has
    /// would be lost, and no protocol could help.
    pub fn restore(&mut self, slot: Slot) -> bool {
        if !self.nodes[slot].is_settled() || !self.is_held_elsewhere(slot) {
            return false;
        }
        self.crash(slot);
        let node = &mut self.nodes[slot];
        node.disk = node.backup.clone().unwrap_or_default();
        node.old_disk = true;
        self.start(slot, true);
        true
    }

    /// The logs that the node at `slot` signs: its own, and as keeper the register.
    fn signed_logs(&self, slot: Slot) -> Vec<ExchangeId> {
        let register = (self.nodes[slot].exchange == self.federation.keeper()).then(register);
        [self.id(slot).clone()].into_iter().chain(register).collect()
    }

    /// Whether the node has published, and two thirds of all nodes are honest, up, and hold all of it.
    fn is_held_elsewhere(&self, slot: Slot) -> bool {
        let size = |slot: Slot, log: &ExchangeId| {
            self.nodes[slot].disk.log(log).map_or(0, |disk| disk.tree.size())
        };
        let honest = self.honest();
        let is_held = |log: &ExchangeId| {
            let holders = honest.iter().filter(|other| size(**other, log) >= size(slot, log));
            3 * holders.count() >= 2 * self.nodes.len()
        };
        size(slot, self.id(slot)) > 0 && self.signed_logs(slot).iter().all(is_held)
    }

    /// Adds a second node of the exchange at `slot`, with a copy of its disk: what happens when a
    /// backup is started beside the original. Both count as dishonest from now on.
    pub fn twin(&mut self, slot: Slot) -> Slot {
        let mut twin = Node::new(self.nodes[slot].exchange, self.nodes[slot].disk.clone());
        twin.dishonest = true;
        self.nodes[slot].dishonest = true;
        self.nodes.push(twin);
        self.nodes.len() - 1
    }

    /// As [`World::twin`]; each of the two meets a part of the others, as when an exchange shows
    /// different logs to different peers.
    pub fn split_view(&mut self, slot: Slot) -> Slot {
        self.split_views = true;
        let twin = self.twin(slot);
        self.nodes[twin].group = self.nodes[slot].group;
        self.start(twin, false);
        twin
    }

    /// Connects what can reach each other, and disconnects what cannot.
    pub(crate) fn connect(&mut self) {
        let wanted = self.wanted_links();
        let before = std::mem::replace(&mut self.links, wanted);
        let (ends, begins) = (before.without(&self.links), self.links.without(&before));
        // A node may crash on hearing of a change, and that changes the links again.
        for (a, b) in ends {
            for (slot, other) in [(a, b), (b, a)] {
                if !self.linked(a, b) {
                    let peer = self.peer(other);
                    self.feed(slot, Input::PeerDisconnected { peer });
                }
            }
        }
        for (a, b) in begins {
            for (slot, other) in [(a, b), (b, a)] {
                if self.linked(a, b) {
                    let peer = self.peer(other);
                    self.feed(slot, Input::PeerConnected { peer });
                }
            }
        }
    }

    fn wanted_links(&self) -> Links {
        let up: Vec<Slot> =
            (0..self.nodes.len()).filter(|slot| self.nodes[*slot].state.is_some()).collect();
        let mut links = Links::default();
        for (at, a) in up.iter().enumerate() {
            for b in &up[at + 1..] {
                if !self.can_meet(&up, *a, *b) {
                    continue;
                }
                if self.nodes[*a].nat.direct(self.nodes[*b].nat) {
                    links.insert(*a, *b, None);
                } else if let Some(relay) = self.relay(&up, *a, *b) {
                    links.insert(*a, *b, Some(relay));
                }
            }
        }
        links
    }

    fn can_meet(&self, up: &[Slot], a: Slot, b: Slot) -> bool {
        let (one, other) = (&self.nodes[a], &self.nodes[b]);
        let admits =
            |node: &Node, by: Slot| node.eclipsed_by.is_empty() || node.eclipsed_by.contains(&by);
        one.group == other.group
            && one.exchange != other.exchange
            && admits(one, b)
            && admits(other, a)
            && self.chooses(up, a, b)
            && self.chooses(up, b, a)
    }

    /// Whether `slot`, of the nodes that claim the peer id of `other`, meets `other`.
    fn chooses(&self, up: &[Slot], slot: Slot, other: Slot) -> bool {
        if self.nodes.len() == self.federation.exchanges.len() {
            return true;
        }
        let node = &self.nodes[other];
        let same = up.iter().filter(|slot| {
            let claims = &self.nodes[**slot];
            claims.exchange == node.exchange && claims.group == node.group
        });
        let same: Vec<&Slot> = same.collect();
        let chosen = if self.split_views { slot % same.len().max(1) } else { 0 };
        same.get(chosen) == Some(&&other)
    }

    /// A node through which two others can be connected: an open one of the council.
    fn relay(&self, up: &[Slot], a: Slot, b: Slot) -> Option<Slot> {
        let serves = |slot: &&Slot| {
            let node = &self.nodes[**slot];
            let council = self.federation.exchanges[node.exchange].council;
            council && node.nat == Nat::Open && node.group == self.nodes[a].group
        };
        up.iter().filter(serves).find(|slot| **slot != a && **slot != b).copied()
    }
}
