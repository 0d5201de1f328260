//! What a node whose keys were restored must see before it signs.
//!
//! Its disk may be older than what its keys have signed. So it neither continues its own log nor
//! cosigns another one before so many council members have shown what they hold that the others
//! could not have made a witness quorum among themselves: whatever has counted is then among what
//! was seen, as long as those that showed it did not hide anything. An honest minority cannot stand
//! in for that, nor a peer that holds nothing; and a node in this state vouches for nobody else.
//!
//! Where several council members were restored at once, each would wait for the others. They show each
//! other what their disks still hold, and as many members that forgot nothing as a quorum has stand in for
//! their memory (decision 22).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use hutong_crypto::note::{Note, NoteSignature};

use super::State;
use super::replica::{Signed, witness_of};
use super::sync::PeerState;
use crate::id::ExchangeId;
use crate::io::{Notice, Peer};
use crate::region::Scope;

/// Who has shown what since the start.
#[derive(Debug, Default)]
pub(super) struct Restoration {
    /// Whether the operator says that the own log is complete as it is here.
    own_log_complete: bool,
    /// Members that showed a checkpoint of each log that this node signs.
    own_logs: BTreeMap<ExchangeId, BTreeSet<ExchangeId>>,
    /// Members that showed all that they hold of a scope.
    scopes: BTreeMap<Scope, BTreeSet<ExchangeId>>,
    /// Council members that were restored too and have shown what is left to them of a scope.
    told: BTreeMap<Scope, BTreeSet<ExchangeId>>,
    /// Scopes that changed, with the last request that was made before.
    changed: BTreeMap<Scope, u64>,
    /// Whether anything was shown or fetched since it was last looked at.
    moved: bool,
}

impl Restoration {
    pub(super) fn new(own_log_complete: bool) -> Self {
        Self { own_log_complete, moved: true, ..Self::default() }
    }

    /// The scope has other logs or keys than before: what was shown of it was not looked at as a
    /// whole. `last` is the last request that was made.
    pub(super) fn forget(&mut self, scope: &Scope, last: u64) {
        self.scopes.remove(scope);
        self.told.remove(scope);
        self.changed.insert(scope.clone(), last);
    }

    /// The council is another one: whoever has shown anything may not be of it.
    pub(super) fn forget_all(&mut self) {
        *self = Self::new(self.own_log_complete);
    }
}

impl State {
    /// A peer has shown a checkpoint of an own log.
    pub(super) fn own_log_shown_by(&mut self, log: &ExchangeId, peer: &Peer) {
        let Some(member) = self.active_member(peer) else { return };
        if self.peers.get(peer).is_some_and(PeerState::is_restoring) {
            return;
        }
        if let Some(restoration) = &mut self.restoration {
            restoration.own_logs.entry(log.clone()).or_default().insert(member);
            restoration.moved = true;
        }
    }

    /// A peer has shown all that it holds of `scope`, and that was looked at. It was asked for by
    /// request `begun`, or by none where it holds the same as this node.
    pub(super) fn scope_shown(&mut self, scope: &Scope, peer: &Peer, begun: Option<u64>) {
        let Some(member) = self.active_member(peer) else { return };
        match &mut self.restoration {
            Some(restoration) => {
                let changed = restoration.changed.get(scope);
                if begun.is_none_or(|begun| changed.is_none_or(|last| begun > *last)) {
                    restoration.scopes.entry(scope.clone()).or_default().insert(member);
                    restoration.moved = true;
                }
            }
            None => {
                for log in self.own_logs_of(scope) {
                    self.own_log_compared(&log, Some(peer));
                }
            }
        }
    }

    /// A restored peer has shown what is left to it of `scope`, asked by request `begun`: it may have forgotten
    /// more.
    pub(super) fn scope_told(&mut self, scope: &Scope, peer: &Peer, begun: u64) {
        let Some(member) = self.active_member(peer) else { return };
        if let Some(restoration) = &mut self.restoration
            && restoration.changed.get(scope).is_none_or(|last| begun > *last)
        {
            restoration.told.entry(scope.clone()).or_default().insert(member);
            restoration.moved = true;
        }
    }

    /// Asks a council member that was restored as well for what is left to it.
    pub(super) fn ask_what_is_left(&mut self, peer: &Peer) {
        let Some(restoration) = &self.restoration else { return };
        let restoring = self.peers.get(peer).is_some_and(PeerState::is_restoring);
        let Some(member) = self.active_member(peer).filter(|_| restoring) else { return };
        if !self.directory.council().contains(&member) {
            return;
        }
        let told =
            |scope: &Scope| restoration.told.get(scope).is_some_and(|it| it.contains(&member));
        let scopes: Vec<Scope> = self.scopes().into_iter().filter(|scope| !told(scope)).collect();
        for scope in scopes {
            self.ask_heads(peer, scope, None);
        }
    }

    /// Takes from a checkpoint that was shown that this node has cosigned it, if it has forgotten that.
    pub(super) fn recollect(&mut self, log: &ExchangeId, signed: &Signed, note: &Note) {
        let me = &self.config.me;
        let known = self.replicas.get(log).is_none_or(|replica| {
            let cosigned = [replica.witnessed, replica.recollected];
            let cosigned = cosigned.into_iter().flatten().map(|(size, _)| size).max();
            signed.size() <= replica.held_size().max(cosigned.unwrap_or(0))
        });
        if self.restoration.is_none() || known || log == me {
            return;
        }
        let mine = |line: &&NoteSignature| witness_of(&line.name) == Some(me.as_str());
        let mut mine = note.signatures.iter().filter(mine);
        if !mine.any(|line| self.cosigned_by(&self.directory, log, signed, line).is_some()) {
            return;
        }
        if let Some(replica) = self.replicas.get_mut(log) {
            replica.recollected = Some((signed.size(), signed.checkpoint.root));
        }
    }

    /// A log was fetched up to what was shown of it.
    pub(super) fn restoration_moved(&mut self) {
        if let Some(restoration) = &mut self.restoration {
            restoration.moved = true;
        }
    }

    /// Signs, cosigns and ends the wait as far as what was seen allows it; after the directory has
    /// taken in what came.
    pub(super) fn go_on_restored(&mut self) {
        let moved = self.restoration.as_mut().map(|it| core::mem::take(&mut it.moved));
        if moved != Some(true) {
            return;
        }
        for log in self.own.keys().cloned().collect::<Vec<ExchangeId>>() {
            if self.own_log_is_known(&log) {
                self.own_log_compared(&log, None);
            }
        }
        let logs: Vec<ExchangeId> =
            self.replicas.keys().filter(|log| self.follows(log)).cloned().collect();
        let done = |log| self.may_cosign(log) && self.has_recollected(log);
        let complete = self.own.keys().all(|log| self.may_sign_log(log)) && logs.iter().all(done);
        if complete {
            self.restoration = None;
            self.notice(Notice::Restored);
        }
        for log in logs {
            self.cosign(&log);
        }
    }

    /// Whether enough of those that may have seen the own log have shown it.
    fn own_log_is_known(&self, log: &ExchangeId) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        let told = self.directory.scope_of(log).and_then(|scope| restoration.told.get(&scope));
        let shown = restoration.own_logs.get(log);
        restoration.own_log_complete || self.is_all_seen(log, shown, told)
    }

    /// The logs of a scope that this node signs.
    pub(super) fn own_logs_of(&self, scope: &Scope) -> Vec<ExchangeId> {
        let own = self.own.keys();
        own.filter(|log| self.directory.scope_of(log).as_ref() == Some(scope)).cloned().collect()
    }

    /// Whether nothing that this node may have cosigned of the log can be unseen.
    pub(super) fn may_cosign(&self, log: &ExchangeId) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        let Some(scope) = self.directory.scope_of(log) else { return true };
        let shown = restoration.scopes.get(&scope);
        let target = self.replicas.get(log).and_then(|replica| replica.target.as_ref());
        // What nobody hands out cannot have been cosigned by a node that cosigns what it holds.
        let caught_up = target.is_none_or(|target| target.sources.is_empty());
        caught_up && self.is_all_seen(log, shown, restoration.told.get(&scope))
    }

    /// Whether no checkpoint of `log` that counted can be unknown to all of those that have `shown` what they
    /// hold and those, restored as well, that have `told` what is left to them.
    fn is_all_seen(
        &self,
        log: &ExchangeId,
        shown: Option<&BTreeSet<ExchangeId>>,
        told: Option<&BTreeSet<ExchangeId>>,
    ) -> bool {
        let Some(shown) = shown.filter(|shown| !shown.is_empty()) else { return false };
        let council = self.directory.council();
        // Nobody cosigns its own log, and the keeper not the register.
        let Some(owner) = self.directory.operator(log) else { return true };
        let silent = council.iter().filter(|member| !shown.contains(*member) && *member != owner);
        let silent: BTreeSet<ExchangeId> = silent.cloned().collect();
        if self.cannot_have_agreed(log, &silent) {
            return true;
        }
        let has_told = |member: &ExchangeId| told.is_some_and(|told| told.contains(member));
        let all_answered =
            silent.iter().all(|member| *member == self.config.me || has_told(member));
        let in_memory = council.iter().any(|member| shown.contains(member));
        let others = shown.iter().filter(|member| *member != owner).count();
        // The log of a council member that forgot nothing has no checkpoint that it does not know.
        let by_owner = council.contains(owner) && shown.contains(owner);
        let quorum = self.directory.charters().latest().witness_quorum as usize;
        all_answered && in_memory && (by_owner || others >= quorum)
    }

    /// Whether the log is held as far as this node is known to have cosigned it, where anything more will
    /// ever be cosigned of it.
    fn has_recollected(&self, log: &ExchangeId) -> bool {
        let replica = self.replicas.get(log).filter(|it| it.frozen.is_none() && !it.diverged);
        replica.is_none_or(|replica| !replica.has_cosigned_more())
    }

    fn cannot_have_agreed(&self, log: &ExchangeId, silent: &BTreeSet<ExchangeId>) -> bool {
        self.directory.charters().latest().is_unwitnessed()
            || !self.directory.is_witnessed(log, |witness| silent.contains(witness))
    }

    /// The member whose node the peer is, if its word counts.
    fn active_member(&self, peer: &Peer) -> Option<ExchangeId> {
        let member = self.directory.by_peer(peer)?;
        member.is_active().then(|| member.id.clone())
    }
}
