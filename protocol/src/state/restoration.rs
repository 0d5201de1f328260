//! What a node whose keys were restored must see before it signs.
//!
//! Its disk may be older than what its keys have signed. So it neither continues its own log nor
//! cosigns another one before so many council members have shown what they hold that the others
//! could not have made a witness quorum among themselves: whatever has counted is then among what
//! was seen. An honest minority cannot stand in for that, nor a peer that holds nothing.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::State;
use crate::id::ExchangeId;
use crate::io::{Notice, Peer};
use crate::region::Scope;

/// Who has shown what since the start.
#[derive(Debug, Default)]
pub(super) struct Restoration {
    /// Members that showed a checkpoint of the own log.
    own_log: BTreeSet<ExchangeId>,
    /// Members that showed all that they hold of a scope.
    scopes: BTreeMap<Scope, BTreeSet<ExchangeId>>,
}

impl Restoration {
    /// The scope has a member more: what was shown of it before was not looked at as a whole.
    pub(super) fn forget(&mut self, scope: &Scope) {
        self.scopes.remove(scope);
    }
}

impl State {
    /// A peer has shown a checkpoint of the own log.
    pub(super) fn own_log_shown_by(&mut self, peer: &Peer) {
        let Some(member) = self.active_member(peer) else { return };
        if let Some(restoration) = &mut self.restoration {
            restoration.own_log.insert(member);
        }
    }

    /// A peer has shown all that it holds of `scope`, and that was looked at.
    pub(super) fn scope_shown(&mut self, scope: &Scope, peer: &Peer) {
        let Some(member) = self.active_member(peer) else { return };
        let mine = self.directory.member(&self.config.me).map(|me| &me.scope);
        let own = mine == Some(scope);
        match &mut self.restoration {
            Some(restoration) => {
                restoration.scopes.entry(scope.clone()).or_default().insert(member);
                self.go_on_restored();
            }
            None if own => self.own_log_compared(peer),
            None => {}
        }
    }

    /// Signs, cosigns and ends the wait as far as what was seen allows it.
    pub(super) fn go_on_restored(&mut self) {
        if self.restoration.is_none() {
            return;
        }
        if self.own_log_is_known() {
            self.own_log_known();
        }
        let logs: Vec<ExchangeId> = self.replicas.keys().cloned().collect();
        let complete = self.may_sign() && logs.iter().all(|log| self.may_cosign(log));
        if complete {
            self.restoration = None;
            self.notice(Notice::Restored);
        }
        for log in logs {
            self.cosign(&log);
        }
    }

    /// Whether enough of those that may have seen the own log have shown it.
    pub(super) fn own_log_is_known(&self) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        // Nobody cosigns the own log: this node's own word is not missing.
        let mut silent = self.silent(&restoration.own_log);
        silent.remove(&self.config.me);
        !restoration.own_log.is_empty() && self.cannot_have_agreed(&silent)
    }

    /// Whether nothing that this node may have cosigned of the log can be unseen.
    pub(super) fn may_cosign(&self, log: &ExchangeId) -> bool {
        let Some(restoration) = &self.restoration else { return true };
        let Some(member) = self.directory.member(log) else { return true };
        let shown = restoration.scopes.get(&member.scope);
        let caught_up = self.replicas.get(log).is_none_or(|replica| replica.target.is_none());
        caught_up && shown.is_some_and(|shown| self.cannot_have_agreed(&self.silent(shown)))
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
        let member = self.directory.by_transport(peer.as_str())?;
        member.is_active().then(|| member.id.clone())
    }
}
