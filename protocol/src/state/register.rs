//! Following the registers, which make the directory.
//!
//! Every node follows the register in force in full and folds it as far as its newest checkpoint with a
//! quorum. A charter's next version is asked for only once the register names its digest.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::Hash;

use super::State;
use super::replica::Signed;
use super::sync::Asked;
use crate::charter::SignedCharter;
use crate::directory::{Anchor, AnchoredLeaf, Member, Register, register_id, register_version};
use crate::entry::{Entry, Leaf};
use crate::id::ExchangeId;
use crate::io::{Effect, Notice, Peer, PeerFault, Ticket};
use crate::message::{Hello, Request};
use crate::persist::Persist;

/// Charters at hand that are not in effect: one that an operator installed, and one that the register names.
const OFFERED_MAX: usize = 4;

/// Digests of other charters of the version in effect that were reported.
const CONFLICTS_MAX: usize = 16;

/// Council members that are asked for a leaf at once.
const LEAF_PEERS_MAX: usize = 3;

/// What is held of the registers beyond what was folded.
#[derive(Debug, Default)]
pub(super) struct Registers {
    /// Charters that are not in effect yet, by digest.
    offered: BTreeMap<Hash, SignedCharter>,
    /// The charter that the register names as the next and that is not here.
    pub(super) wanted: Option<Hash>,
    /// Entries that were not folded yet, by register and index.
    entries: BTreeMap<ExchangeId, BTreeMap<u64, Entry>>,
    /// Other charters of the version in effect that members showed.
    conflicts: BTreeSet<Hash>,
    /// Leaves that are looked for, and how many peers may still answer.
    leaves: BTreeMap<Ticket, (ExchangeId, usize)>,
}

impl Registers {
    pub(super) fn new(
        charters: impl IntoIterator<Item = SignedCharter>,
        registers: impl IntoIterator<Item = (ExchangeId, Vec<Entry>)>,
    ) -> Self {
        let offered = charters.into_iter().map(|charter| (charter.digest(), charter));
        let entries = registers.into_iter();
        let entries = entries.map(|(log, entries)| (log, (0..).zip(entries).collect()));
        Self { offered: offered.collect(), entries: entries.collect(), ..Self::default() }
    }

    /// The entry at `index` of the register, if it is held and may still be needed.
    pub(super) fn entry(&self, register: &ExchangeId, index: u64) -> Option<&Entry> {
        self.entries.get(register)?.get(&index)
    }

    /// The charter of that digest, if it is at hand.
    pub(super) fn charter(&self, digest: &Hash) -> Option<&SignedCharter> {
        self.offered.get(digest)
    }
}

impl State {
    /// Leaves of a log are held from `from` on: of a register, they are kept until they are folded.
    pub(super) fn register_grew(&mut self, log: &ExchangeId, from: u64, leaves: &[Leaf]) {
        if register_version(log).is_none() {
            return;
        }
        for (index, leaf) in (from..).zip(leaves) {
            if let Leaf::Entry(entry) = leaf {
                self.register_entry_held(log, index, entry);
            }
        }
    }

    pub(super) fn register_entry_held(&mut self, log: &ExchangeId, index: u64, entry: &Entry) {
        let Some(version) = register_version(log) else { return };
        let register = self.directory.register();
        if version < register.version || (version == register.version && index < register.size) {
            return;
        }
        let entries = self.registers.entries.entry(log.clone()).or_default();
        entries.insert(index, entry.detached());
    }

    /// A checkpoint of a log is held in full.
    pub(super) fn register_held(&mut self, log: &ExchangeId) {
        if register_version(log).is_some() {
            self.fold_registers();
            self.go_on_with_audit();
        }
    }

    /// A checkpoint of a log has a quorum.
    pub(super) fn register_cosigned(&mut self, log: &ExchangeId) {
        if register_version(log).is_some() {
            self.fold_registers();
        } else {
            self.head_for_keeper(log);
        }
    }

    /// How much of a register counts: what a quorum cosigned, or all where nobody witnesses.
    pub(super) fn counting_size(&self, register: &ExchangeId) -> u64 {
        let Some(replica) = self.replicas.get(register) else { return 0 };
        let version = register_version(register).unwrap_or(0);
        let charter = self.directory.charters().version_at(version);
        if charter.is_some_and(|it| it.charter().is_unwitnessed()) {
            return replica.held_size();
        }
        replica.cosigned.as_ref().map_or(0, Signed::size).min(replica.frontier.size())
    }

    /// Folds the register in force as far as it counts; after a succession the next one.
    pub(super) fn fold_registers(&mut self) {
        let before = Arc::clone(&self.directory);
        while self.fold_some() {}
        if before.register() == self.directory.register() {
            return;
        }
        self.forget_folded();
        self.directory_before.get_or_insert(before);
    }

    /// Folds what was stored as far as it counts, and forgets nothing.
    pub(super) fn fold_what_is_stored(&mut self) {
        while self.fold_some() {}
    }

    /// Folds up to the next succession, or one. Returns whether anything was folded.
    fn fold_some(&mut self) -> bool {
        let register = self.directory.register();
        let (id, from) = (register.id.clone(), register.size);
        let to = self.counting_size(&id);
        let held = (from..to).map_while(|index| self.registers.entry(&id, index));
        let mut entries: Vec<Entry> = held.cloned().collect();
        let named = |entry: &Entry| self.directory.wanted_charter(entry);
        let mut charter = None;
        match entries.iter().position(|entry| named(entry).is_some()) {
            Some(0) => {
                entries.truncate(1);
                let digest = entries.first().and_then(named);
                charter = digest.and_then(|digest| self.registers.offered.get(&digest)).cloned();
                if charter.is_none() {
                    self.want_charter(digest);
                    return false;
                }
            }
            Some(place) => entries.truncate(place),
            None => {}
        }
        if entries.is_empty() {
            return false;
        }
        self.directory = self.oracle.fold(&self.directory, &entries, charter.as_ref());
        true
    }

    /// Forgets entries that neither the directory nor the audit needs any more.
    pub(super) fn forget_folded(&mut self) {
        let mut entries = core::mem::take(&mut self.registers.entries);
        let folded = self.directory.register();
        let audited = self.audited().map(|ahead| ahead.register());
        let done = |register: &ExchangeId, index: u64| {
            let version = register_version(register).unwrap_or(0);
            let past = |at: &Register| (version, index) < (at.version, at.size);
            past(folded) && audited.is_none_or(past)
        };
        for (register, entries) in &mut entries {
            entries.retain(|index, _| !done(register, *index));
        }
        entries.retain(|_, entries| !entries.is_empty());
        self.registers.entries = entries;
    }

    /// Asks for the charter of that digest, which the register names as the next.
    pub(super) fn want_charter(&mut self, digest: Option<Hash>) {
        if self.registers.wanted == digest {
            return;
        }
        self.registers.wanted = digest;
        let peers: Vec<Peer> = self.peers.keys().cloned().collect();
        for peer in peers {
            self.ask_for_wanted_charter(&peer);
        }
    }

    fn ask_for_wanted_charter(&mut self, peer: &Peer) {
        let Some(digest) = self.registers.wanted else { return };
        self.ask(peer, &Request::Charter { digest }, Asked::Charters);
    }

    /// A peer shows a charter: taken only if it is the one that the register names.
    pub(super) fn charter_shown(&mut self, peer: &Peer, bytes: &Bytes) {
        let signed = SignedCharter::parse(bytes).ok();
        let wanted = |signed: &SignedCharter| Some(signed.digest()) == self.registers.wanted;
        match signed.filter(wanted) {
            Some(signed) => {
                self.registers.wanted = None;
                self.take_charter(signed);
                self.fold_registers();
                self.go_on_with_audit();
            }
            // Another peer may have shown the wanted one in the meantime.
            None if self.registers.wanted.is_none() => {}
            None => self.penalise(peer, PeerFault::WrongAnswer),
        }
    }

    /// Keeps a charter, durably, until it takes effect.
    fn take_charter(&mut self, signed: SignedCharter) {
        self.effect(Effect::Persist(Persist::Charter { bytes: signed.encode() }));
        while self.registers.offered.len() >= OFFERED_MAX {
            self.registers.offered.pop_first();
        }
        self.registers.offered.insert(signed.digest(), signed);
    }

    /// An operator installs a charter. At the keeper's node it is recorded; elsewhere it is kept for when the
    /// register names it. One that is refused changes nothing.
    pub(super) fn charter_installed(&mut self, bytes: &[u8]) {
        let refused = |reason| Notice::CharterRefused { reason };
        let signed = match SignedCharter::parse(bytes) {
            Ok(signed) => signed,
            Err(error) => return self.notice(refused(error.to_string())),
        };
        let mut charters = self.directory.charters().clone();
        match charters.extend(signed.clone()) {
            Ok(crate::charter::Extend::Known) => {}
            Ok(crate::charter::Extend::Added) => {
                // What has a quorum by now is anchored before the register closes.
                self.anchor_now();
                match self.succession_entry(&signed) {
                    Ok(recorded) => {
                        self.take_charter(signed);
                        self.fold_registers();
                        if let Some((register, prepared)) = recorded {
                            self.append_to(&register, &[prepared]);
                            self.go_on_with_audit();
                        }
                    }
                    Err(reason) => self.notice(refused(reason)),
                }
            }
            Err(error) => self.notice(refused(error.to_string())),
        }
    }

    /// A peer says which charter is in effect for it.
    pub(super) fn charter_told(&mut self, peer: &Peer, theirs: &Hello) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.charter_version = theirs.charter_version;
        }
        let charters = self.directory.charters();
        if theirs.charter_version > charters.version() {
            return self.ask_for_wanted_charter(peer);
        }
        let ours = charters.version_at(theirs.charter_version).map(|version| version.digest());
        let member = self.directory.by_peer(peer).is_some_and(Member::is_active);
        let conflict = ours.is_some_and(|ours| ours != theirs.charter) && member;
        let known = &mut self.registers.conflicts;
        if conflict && known.len() < CONFLICTS_MAX && known.insert(theirs.charter) {
            self.notice(Notice::CharterConflict { version: theirs.charter_version });
        }
    }

    /// Another version of the charter is in effect.
    pub(super) fn charter_in_effect(&mut self) {
        let version = self.directory.charters().version();
        self.registers.wanted = None;
        self.notice(Notice::CharterInstalled { version });
        self.keep_register();
        let register = self.directory.register().id.clone();
        self.start_own_log_check(&register);
        if self.audit.is_none() {
            let directory = Arc::clone(&self.directory);
            self.begin_audit(Vec::new(), &directory);
            self.go_on_with_audit();
        }
        if let Some(restoration) = &mut self.restoration {
            restoration.forget_all();
            self.own_logs_compared_in_vain();
        }
    }

    /// Looks for the leaf of `log` in the newest anchor that counts: here, or at council members.
    pub(super) fn find_anchor_leaf(&mut self, ticket: Ticket, log: &ExchangeId) {
        let Some(anchor) = self.directory.register().anchor else {
            return self.effect(Effect::AnchorLeaf { ticket, leaf: None });
        };
        let register = register_id(anchor.version);
        if let Some(leaf) = self.anchored_leaf(anchor.version, anchor.index, log) {
            return self.effect(Effect::AnchorLeaf { ticket, leaf: Some((anchor, leaf)) });
        }
        let mut peers = self.council_peers(&self.config.me);
        peers.truncate(LEAF_PEERS_MAX);
        if peers.is_empty() {
            return self.effect(Effect::AnchorLeaf { ticket, leaf: None });
        }
        self.registers.leaves.insert(ticket, (log.clone(), peers.len()));
        for peer in peers {
            let (register, log) = (register.clone(), log.clone());
            let request = Request::AnchorLeaf { register, index: anchor.index, log };
            self.send(&peer, &request, Asked::AnchorLeaf { ticket, anchor });
        }
    }

    /// A council member shows a leaf of an anchor.
    pub(super) fn anchor_leaf_shown(
        &mut self,
        peer: &Peer,
        ticket: Ticket,
        anchor: Anchor,
        leaf: AnchoredLeaf,
    ) {
        let Some((log, _)) = self.registers.leaves.get(&ticket) else { return };
        if leaf.leaf.id != *log || !leaf.is_under(anchor.leaves, &anchor.root) {
            self.penalise(peer, PeerFault::WrongAnswer);
            return self.anchor_leaf_refused(ticket);
        }
        self.registers.leaves.remove(&ticket);
        self.effect(Effect::AnchorLeaf { ticket, leaf: Some((anchor, leaf)) });
    }

    /// A council member does not show the leaf; others may.
    pub(super) fn anchor_leaf_refused(&mut self, ticket: Ticket) {
        let Some((_, open)) = self.registers.leaves.get_mut(&ticket) else { return };
        *open -= 1;
        if *open == 0 {
            self.registers.leaves.remove(&ticket);
            self.effect(Effect::AnchorLeaf { ticket, leaf: None });
        }
    }
}
