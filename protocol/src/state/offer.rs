//! Checkpoints that peers show.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::note::Note;

use super::State;
use super::replica::{Replica, Signed, Suspect, Target};
use crate::directory::Directory;
use crate::id::ExchangeId;
use crate::io::{Effect, Peer};
use crate::limits::SUSPECTS_MAX;

/// What a checkpoint that was shown turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// The log is not a member's, or not one that is replicated here, or under a key that is not
    /// known here.
    Unknown,
    /// It is not a checkpoint, or not signed by the log's key.
    Unsigned,
    /// It is what is held, or part of it.
    Known,
    /// It is older than what is held, and may or may not be part of it; or nothing more is taken of the log.
    Old,
    /// It is newer than what is held.
    Newer,
    /// It contradicts another checkpoint of the log.
    Conflict,
}

impl State {
    /// Looks at a checkpoint that `source` shows.
    pub(super) fn offered(&mut self, log: &ExchangeId, note: Arc<Note>, source: &Peer) -> Offer {
        if !self.replicas.contains_key(log) || self.directory.operator(log).is_none() {
            return Offer::Unknown;
        }
        let signed = match self.signed_by_log(log, &note) {
            Ok(signed) => signed,
            Err(offer) => return offer,
        };
        self.recollect(log, &signed, &note);
        let Some(replica) = self.replicas.get_mut(log) else { return Offer::Unknown };
        if replica.diverged {
            return Offer::Old;
        }
        if replica.frozen.is_some() && !self.may_follow_frozen(log, &signed, &note) {
            return Offer::Old;
        }
        let Some(replica) = self.replicas.get_mut(log) else { return Offer::Unknown };
        if let Some(other) = contradicted(replica, &signed) {
            let frozen = replica.frozen.is_some();
            if frozen || self.is_present_key(log, &signed) && !self.is_present_key(log, &other) {
                self.diverged(log, signed.size());
            } else {
                self.convict_at_one_size(log, &other, &signed);
            }
            return Offer::Conflict;
        }
        // A frozen log may be held beyond all that it will ever show again.
        let here = if replica.frozen.is_some() { replica.frontier.size() } else { 0 };
        if signed.size() <= replica.held_size().max(here) {
            let known = replica.recent.contains_key(&signed.size());
            self.offered_old(log, signed, note);
            return if known { Offer::Known } else { Offer::Old };
        }
        let size = self.replicas.get(log).map_or(0, |replica| replica.staged_frontier().size());
        if self.stands_at(log).is_some_and(|at| signed.size() > at && size >= at) {
            return Offer::Old;
        }
        self.offered_new(log, signed, note, source);
        Offer::Newer
    }

    /// The checkpoint in `note`, if the key of the log signed it.
    ///
    /// A line under the log's name by a key that is not known blames nobody: the log may have
    /// been given a new key by an entry that has not come here yet.
    pub(super) fn signed_by_log(&self, log: &ExchangeId, note: &Note) -> Result<Signed, Offer> {
        self.signed_by_log_of(&self.directory, log, note)
    }

    /// As [`State::signed_by_log`], by the keys in `directory`.
    pub(super) fn signed_by_log_of(
        &self,
        directory: &Directory,
        log: &ExchangeId,
        note: &Note,
    ) -> Result<Signed, Offer> {
        let size = Checkpoint::size_in(&note.text).ok_or(Offer::Unsigned)?;
        let by = &directory.log_note_key_at(log, size).ok_or(Offer::Unknown)?;
        if let Some(signed) = self.oracle.checkpoint(note, by) {
            return Ok(Signed::from(signed));
        }
        let lines = || note.signatures.iter();
        let by_other_key =
            !lines().any(|line| by.is_named_by(line)) && lines().any(|line| line.name == *by.name);
        let in_form = Checkpoint::parse(&note.text).is_ok();
        Err(if by_other_key && in_form { Offer::Unknown } else { Offer::Unsigned })
    }

    pub(super) fn offered_old(&mut self, log: &ExchangeId, signed: Signed, note: Arc<Note>) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let old_size = signed.size();
        if replica.recent.contains_key(&old_size) {
            return self.gather_cosignatures(log, old_size, &note);
        }
        let frozen = replica.frozen.is_some();
        let compared = if frozen { Some(&signed) } else { replica.held.as_ref() };
        let Some(held) = compared.filter(|_| old_size > 0).cloned() else { return };
        let new_size = held.size();
        // One that is being compared already stays: the answer is about what it was compared with.
        if replica.suspects.len() < SUSPECTS_MAX && !replica.suspects.contains_key(&old_size) {
            replica.suspects.insert(old_size, Suspect { signed, offered: note, held });
            self.effect(Effect::ReadRange { log: log.clone(), old_size, new_size });
        }
    }

    fn offered_new(&mut self, log: &ExchangeId, signed: Signed, note: Arc<Note>, source: &Peer) {
        let size = signed.size();
        let me = self.is_own(log);
        let Some(replica) = self.replicas.get_mut(log) else { return };
        match &mut replica.target {
            // Where nobody is known to hold the target, less is better than nothing; but the own
            // log may not go on before all of it is back.
            Some(target) if target.signed.size() > size && (me || !target.sources.is_empty()) => {}
            Some(target) if target.signed.size() == size => {
                target.sources.insert(source.clone());
            }
            target => {
                let sources = BTreeSet::from([source.clone()]);
                *target = Some(Target { signed, offered: note, sources });
                if me {
                    self.own_log_behind(log, size);
                }
            }
        }
    }
}

/// The checkpoint of the same size and another root, if one is known.
fn contradicted(replica: &Replica, signed: &Signed) -> Option<Signed> {
    let target = replica.target.as_ref().map(|target| &target.signed);
    let suspect = replica.suspects.get(&signed.size()).map(|suspect| &suspect.signed);
    replica
        .recent
        .get(&signed.size())
        .into_iter()
        .chain(target)
        .chain(suspect)
        .chain(&replica.basis)
        .chain(&replica.cosigned)
        .find(|other| other.size() == signed.size())
        .filter(|other| other.checkpoint.root != signed.checkpoint.root)
        .cloned()
}
