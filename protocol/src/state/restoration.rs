//! What a node whose keys were restored must see before it signs.
//!
//! Its disk may be older than what its keys have signed. So it neither continues its own log nor
//! cosigns another one before so many council members have shown what they hold that the others
//! could not have made a witness quorum among themselves: whatever has counted is then among what
//! was seen, as long as those that showed it did not hide anything. An honest minority cannot stand
//! in for that, nor a peer that holds nothing; and a node in this state vouches for nobody else.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::State;
use crate::id::ExchangeId;
use crate::io::{Notice, Peer};
use crate::region::Scope;

/// Who has shown what since the start.
#[derive(Debug, Default)]
pub(super) struct Restoration {
    /// Whether the operator says that the own log is complete as it is here.
    own_log_complete: bool,
    /// Members that showed a checkpoint of the own log.
    own_log: BTreeSet<ExchangeId>,
    /// Members that showed all that they hold of a scope.
    scopes: BTreeMap<Scope, BTreeSet<ExchangeId>>,
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
        self.changed.insert(scope.clone(), last);
    }

    /// The council is another one: whoever has shown anything may not be of it.
    pub(super) fn forget_all(&mut self) {
        *self = Self::new(self.own_log_complete);
    }
}

impl State {
    /// A peer has shown a checkpoint of the own log.
    pub(super) fn own_log_shown_by(&mut self, peer: &Peer) {
        let Some(member) = self.active_member(peer) else { return };
        if let Some(restoration) = &mut self.restoration {
            restoration.own_log.insert(member);
            restoration.moved = true;
        }
    }

    /// A peer has shown all that it holds of `scope`, and that was looked at. It was asked for by
    /// request `begun`, or by none where it holds the same as this node.
    pub(super) fn scope_shown(&mut self, scope: &Scope, peer: &Peer, begun: Option<u64>) {
        let Some(member) = self.active_member(peer) else { return };
        let own = self.directory.member(&self.config.me).is_some_and(|me| me.scope == *scope);
        match &mut self.restoration {
            Some(restoration) => {
                let changed = restoration.changed.get(scope);
                if begun.is_none_or(|begun| changed.is_none_or(|last| begun > *last)) {
                    restoration.scopes.entry(scope.clone()).or_default().insert(member);
                    restoration.moved = true;
                }
            }
            None if own => self.own_log_compared(Some(peer)),
            None => {}
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
        if moved != Some(true) || self.is_behind_on_charters() {
            return;
        }
        if self.own_log_is_known() {
            self.own_log_compared(None);
        }
        let logs: Vec<ExchangeId> =
            self.replicas.keys().filter(|log| self.follows(log)).cloned().collect();
        // An admission that is not here yet may bring a log that was cosigned once.
        let complete = self.may_sign()
            && logs.iter().all(|log| self.may_cosign(log) && !self.lacks_decisions(log));
        if complete {
            self.restoration = None;
            self.notice(Notice::Restored);
        }
        for log in logs {
            self.cosign(&log);
        }
    }

    /// Whether enough of those that may have seen the own log have shown it.
    fn own_log_is_known(&self) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        // Nobody cosigns the own log: this node's own word is not missing.
        let mut silent = self.silent(&restoration.own_log);
        silent.remove(&self.config.me);
        let shown = !restoration.own_log.is_empty() && self.cannot_have_agreed(&silent);
        shown || restoration.own_log_complete
    }

    /// Whether nothing that this node may have cosigned of the log can be unseen.
    pub(super) fn may_cosign(&self, log: &ExchangeId) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        let Some(member) = self.directory.member(log) else { return true };
        let shown = restoration.scopes.get(&member.scope);
        let target = self.replicas.get(log).and_then(|replica| replica.target.as_ref());
        // What nobody hands out cannot have been cosigned by a node that cosigns what it holds.
        let caught_up = target.is_none_or(|target| target.sources.is_empty());
        caught_up && shown.is_some_and(|shown| self.cannot_have_agreed(&self.silent(shown)))
    }

    fn lacks_decisions(&self, log: &ExchangeId) -> bool {
        let lacks = self.replicas.get(log).is_some_and(|replica| !replica.gaps.is_empty());
        lacks && self.may_decide(log)
    }

    /// Whether a connected member knows a newer charter, by which the council may be another one.
    fn is_behind_on_charters(&self) -> bool {
        let version = self.charters.version();
        self.peers.iter().any(|(peer, state)| {
            state.charter_version > version && self.active_member(peer).is_some()
        })
    }

    /// The council members that have not shown anything.
    fn silent(&self, shown: &BTreeSet<ExchangeId>) -> BTreeSet<ExchangeId> {
        self.directory.council().difference(shown).cloned().collect()
    }

    fn cannot_have_agreed(&self, silent: &BTreeSet<ExchangeId>) -> bool {
        let quorum = &self.charters.latest().witness_quorum;
        quorum.is_none() || !quorum.satisfied(silent)
    }

    /// The member whose node the peer is, if its word counts.
    fn active_member(&self, peer: &Peer) -> Option<ExchangeId> {
        let member = self.directory.by_peer(peer)?;
        member.is_active().then(|| member.id.clone())
    }
}
