//! The log of this exchange: append, announce, and never sign below.

use alloc::string::ToString;
use alloc::vec::Vec;

use hutong_crypto::checkpoint::Checkpoint;

use super::State;
use super::replica::Signed;
use super::sync::Asked;
use super::timers::Timer;
use crate::audience::Audience;
use crate::directory::{FactRef, FactVoid};
use crate::entry::Leaf;
use crate::io::{AppendError, Effect, Notice, Peer, Ticket};
use crate::limits::{ANNOUNCED_ENTRY_BYTES_MAX, LOG_ENTRIES_MAX, TAIL_BYTES_MAX, TAIL_LEAVES_MAX};
use crate::message::{Announcement, Gossip, Request, TailLeaf};
use crate::persist::Persist;
use crate::prepare::Prepared;
use crate::time::Instant;

/// Whether the own log may be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// It has not been compared with a peer's copy yet.
    Unchecked,
    /// Peers hold more of it; that is being fetched back.
    Recovering,
    /// It may.
    Open,
    /// It exists in two versions. It may never be continued.
    Conflict,
}

/// What there is to the own log beyond its replica.
#[derive(Debug)]
pub(super) struct Own {
    gate: Gate,
    /// The size last announced.
    announced: u64,
    announced_at: Option<Instant>,
    /// The leaves since then; `None` where they have become too many for a message.
    tail: Option<Vec<TailLeaf>>,
    tail_bytes: usize,
    /// Entries up to this size travel with announcements.
    entry_bytes_max: usize,
}

impl Own {
    pub(super) fn at(size: u64, frozen: bool) -> Self {
        Self {
            gate: if frozen { Gate::Conflict } else { Gate::Unchecked },
            announced: size,
            announced_at: None,
            tail: Some(Vec::new()),
            tail_bytes: 0,
            entry_bytes_max: ANNOUNCED_ENTRY_BYTES_MAX,
        }
    }

    pub(super) fn may_sign(&self) -> bool {
        self.gate == Gate::Open
    }

    fn push(&mut self, leaf: TailLeaf, bytes: usize) {
        self.tail_bytes += bytes;
        let Some(tail) = &mut self.tail else { return };
        if tail.len() >= TAIL_LEAVES_MAX || self.tail_bytes > TAIL_BYTES_MAX {
            self.tail = None;
        } else {
            tail.push(leaf);
        }
    }
}

impl State {
    /// Lets entries of up to `bytes` travel with announcements, instead of
    /// [`ANNOUNCED_ENTRY_BYTES_MAX`]: for measurements of that limit.
    #[must_use]
    pub fn announcing_entries_up_to(mut self, bytes: usize) -> Self {
        self.own.entry_bytes_max = bytes;
        self
    }

    /// Sets the time after which this node signs although no peer has answered.
    pub(super) fn start_own_log_check(&mut self) {
        if !self.config.restored {
            let at = self.now.plus_millis(self.config.own_log_check_ms);
            self.timers.set(Timer::OwnLogUnanswered, at);
        }
    }

    pub(super) fn own_log_unanswered(&mut self) {
        if self.own.gate == Gate::Unchecked {
            self.open_gate(None);
        }
    }

    /// Enough was seen of what others hold of the own log, last of all by the peer `by`.
    pub(super) fn own_log_compared(&mut self, by: Option<&Peer>) {
        if self.own.gate == Gate::Unchecked {
            self.open_gate(by.cloned());
        }
    }

    /// What was seen does not count any more: the council is another one.
    pub(super) fn own_log_compared_in_vain(&mut self) {
        if self.own.gate == Gate::Open {
            self.own.gate = Gate::Unchecked;
        }
    }

    /// The own log, frozen for what former keys signed, may be compared again.
    pub(super) fn own_log_thawed(&mut self) {
        self.own.gate = Gate::Unchecked;
    }

    /// Peers hold more of the own log than is here.
    pub(super) fn own_log_behind(&mut self, held_by_peer: u64) {
        let size = self.replicas.get(&self.config.me).map_or(0, |own| own.frontier.size());
        match self.own.gate {
            // Even where the gate was open: what was signed since contradicts what the peer shows,
            // or is extended by it. The fetch will tell, and meanwhile nothing is signed.
            Gate::Unchecked | Gate::Recovering | Gate::Open => self.own.gate = Gate::Recovering,
            Gate::Conflict => return,
        }
        self.notice(Notice::OwnLogBehind { size, held_by_peer });
    }

    /// The own log was brought up to what peers hold.
    pub(super) fn own_log_recovered(&mut self) {
        let size = self.replicas.get(&self.config.me).map_or(0, |own| own.frontier.size());
        self.own.announced = size;
        self.own.tail = Some(Vec::new());
        self.own.tail_bytes = 0;
        if self.own.gate != Gate::Recovering {
            return;
        }
        self.own.gate = Gate::Unchecked;
        self.ask_for_cosignatures();
        if !self.is_restoring() {
            self.open_gate(None);
        }
    }

    /// What witnesses delivered while the own log was not back was about checkpoints not known here. It
    /// stands beside their copies.
    fn ask_for_cosignatures(&mut self) {
        let council = self.directory.council().clone();
        let peers: Vec<Peer> = council.iter().filter_map(|member| self.peer_of(member)).collect();
        for peer in peers {
            let log = self.config.me.clone();
            let request = Request::Checkpoint { log: log.clone() };
            self.send(&peer, &request, Asked::Checkpoint { log });
        }
    }

    pub(super) fn own_log_conflict(&mut self) {
        self.own.gate = Gate::Conflict;
        self.notice(Notice::OwnLogConflict);
    }

    fn open_gate(&mut self, by: Option<Peer>) {
        self.own.gate = Gate::Open;
        self.timers.clear(&Timer::OwnLogUnanswered);
        let size = self.replicas.get(&self.config.me).map_or(0, |own| own.frontier.size());
        self.notice(Notice::OwnLogChecked { by, size });
        let unsigned = self
            .replicas
            .get(&self.config.me)
            .is_some_and(|own| own.frontier.size() > own.held_size());
        if unsigned {
            // A crash came between the leaves and their checkpoint.
            self.sign_own_log();
            self.schedule_announcement();
        }
    }

    /// Appends own statements as one group, all or none.
    pub(super) fn append(&mut self, ticket: Ticket, entries: &[Prepared]) {
        let outcome = match self.may_append(entries) {
            Ok(()) if entries.is_empty() => Ok(Vec::new()),
            Ok(()) => Ok(self.append_checked(entries)),
            Err(error) => Err(error),
        };
        if outcome.as_ref().is_ok_and(|places| !places.is_empty()) {
            self.schedule_announcement();
        }
        self.effect(Effect::Appended { ticket, outcome });
    }

    fn may_append(&self, entries: &[Prepared]) -> Result<(), AppendError> {
        match self.own.gate {
            Gate::Open => {}
            Gate::Unchecked | Gate::Recovering => return Err(AppendError::OwnLogUnchecked),
            Gate::Conflict => return Err(AppendError::OwnLogConflict),
        }
        let size = self.replicas.get(&self.config.me).map_or(0, |own| own.frontier.size());
        if LOG_ENTRIES_MAX - size < entries.len() as u64 {
            return Err(AppendError::Full);
        }
        for (index, prepared) in entries.iter().enumerate() {
            let key = prepared.entry().issuer_key();
            self.directory
                .authorizes(&self.config.me, size + index as u64, &key, prepared.kind())
                .map_err(|void| AppendError::NotAuthorised { index, reason: void.to_string() })?;
        }
        Ok(())
    }

    /// The first of own `entries` that decides about a member without effect, with its place in the
    /// group and the reason. It would stand in the log for ever and change nothing.
    pub fn decision_without_effect(&self, entries: &[Prepared]) -> Option<(usize, FactVoid)> {
        if !entries.iter().any(Prepared::is_membership) {
            return None;
        }
        let me = &self.config.me;
        let from = self.replicas.get(me).map_or(0, |own| own.frontier.size());
        let mut facts = super::counting(&self.facts, &self.replicas).into_owned();
        for (index, prepared) in (from..).zip(entries).filter(|(_, it)| it.is_membership()) {
            facts.insert((me.clone(), index), prepared.entry());
        }
        let after = self.directory.rebuild(&self.charters, &facts);
        (0..entries.len()).find_map(|place| {
            let fact = FactRef { log: me.clone(), index: from + place as u64 };
            Some((place, after.void_facts().get(&fact)?.clone()))
        })
    }

    fn append_checked(&mut self, entries: &[Prepared]) -> Vec<(u64, crate::id::StatementId)> {
        let me = self.config.me.clone();
        let Some(replica) = self.replicas.get_mut(&me) else { return Vec::new() };
        let from = replica.frontier.size();
        let mut decisions = Vec::new();
        let mut positions = Vec::with_capacity(entries.len());
        let mut leaves = Vec::with_capacity(entries.len());
        for prepared in entries {
            let entry = prepared.entry();
            let (index, id) = (replica.frontier.size(), entry.leaf_hash());
            replica.frontier.append(id);
            positions.push((index, id));
            leaves.push(Leaf::Entry(entry.clone()));
            if prepared.is_membership() {
                decisions.push((index, entry.clone()));
            }
            let bytes = entry.as_bytes().len();
            let public = prepared.statement().audience == Audience::Public;
            self.own.push(
                match (public, bytes <= self.own.entry_bytes_max) {
                    (true, true) => TailLeaf::Entry(entry.clone()),
                    (true, false) => TailLeaf::Large(id),
                    (false, _) => TailLeaf::Restricted(id),
                },
                if public && bytes <= self.own.entry_bytes_max { bytes + 4 } else { 33 },
            );
        }
        let void = Vec::new();
        for (index, entry) in decisions {
            self.learn_decision(&me, index, entry);
        }
        self.effect(Effect::Persist(Persist::Leaves { log: me, from, leaves, void }));
        self.sign_own_log();
        positions
    }

    /// Signs a checkpoint of all that the own log holds.
    fn sign_own_log(&mut self) {
        let log = self.config.me.clone();
        let origin = self.origin(&log);
        let Some(replica) = self.replicas.get_mut(&log) else { return };
        let checkpoint = Checkpoint {
            origin: origin.to_string(),
            size: replica.frontier.size(),
            root: replica.frontier.root(),
            extensions: Vec::new(),
        };
        let note = checkpoint.sign(&self.keys.log);
        let signed = Signed { checkpoint, note, cosignatures: alloc::collections::BTreeMap::new() };
        let (size, note) = (signed.size(), signed.encode());
        replica.hold(signed);
        self.summary_changed(&log);
        self.effect(Effect::Persist(Persist::Checkpoint { log, note, size }));
    }

    /// Announces at once where the last announcement is long enough ago, and else as soon as
    /// it is.
    pub(super) fn schedule_announcement(&mut self) {
        let interval = self.config.announce_interval_ms;
        let at = self.own.announced_at.map_or(self.now, |last| last.plus_millis(interval));
        self.timers.set(Timer::Announce, at.max(self.now));
    }

    pub(super) fn announce(&mut self) {
        let me = &self.config.me;
        let Some(held) = self.replicas.get(me).and_then(|own| own.held.as_ref()) else { return };
        let Some(scope) = self.directory.member(me).map(|member| member.scope.clone()) else {
            return;
        };
        let (size, note) = (held.size(), self.note_to_announce(held));
        let tail = self.own.tail.take();
        let announcement = Announcement {
            log: me.clone(),
            note,
            old_size: if tail.is_some() { self.own.announced } else { size },
            tail: tail.unwrap_or_default(),
        };
        self.own.announced = size;
        self.own.announced_at = Some(self.now);
        self.own.tail = Some(Vec::new());
        self.own.tail_bytes = 0;
        let bytes = Gossip::Announcement(announcement).encode();
        self.effect(Effect::Publish { scope, bytes });
    }
}
