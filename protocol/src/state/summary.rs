//! What a node says that it holds: one digest a scope, kept until something in the scope changes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::digest::{Hash, blake3};

use super::State;
use super::replica::Signed;
use crate::directory::register_id;
use crate::id::ExchangeId;
use crate::io::Peer;
use crate::message::Hello;
use crate::region::Scope;
use crate::time::Instant;
use crate::wire::Writer;

/// What is said of holdings, and what is kept of each scope in it.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    /// None before it was put together.
    hello: Option<Arc<Hello>>,
    /// Its scopes, in order.
    scopes: Arc<[Scope]>,
    /// The logs of each that are replicated, in order.
    logs: Vec<Vec<ExchangeId>>,
    /// Whose turn it is to be compared with, for each.
    pub(super) turns: Vec<Turn>,
    /// Scopes whose digests no longer hold.
    changed: BTreeSet<Scope>,
}

/// When a scope was last compared, and with whom in its rotation.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    pub(super) at: Instant,
    pub(super) last: Option<Peer>,
}

impl State {
    /// What is said of the log has changed.
    pub(super) fn summary_changed(&mut self, log: &ExchangeId) {
        if let Some(scope) = self.directory.scope_of(log) {
            self.summaries.changed.insert(scope);
        }
    }

    /// What is said of everything may have changed.
    pub(super) fn summaries_changed(&mut self) {
        self.summaries.hello = None;
    }

    /// The scopes of the logs that are replicated, in order, without looking for them again.
    pub(super) fn summed_scopes(&mut self) -> Arc<[Scope]> {
        self.hello();
        Arc::clone(&self.summaries.scopes)
    }

    /// What this node holds, in short.
    pub(super) fn hello(&mut self) -> Arc<Hello> {
        let mut summaries = core::mem::take(&mut self.summaries);
        let mut hello = match summaries.hello.take() {
            Some(hello) => hello,
            None => Arc::new(self.summarise(&mut summaries)),
        };
        for scope in core::mem::take(&mut summaries.changed) {
            if let Ok(place) = summaries.scopes.binary_search(&scope) {
                let digest = self.summary_of(&summaries.logs[place]);
                Arc::make_mut(&mut hello).scopes[place].1 = digest;
            }
        }
        summaries.hello = Some(Arc::clone(&hello));
        self.summaries = summaries;
        hello
    }

    /// Computes everything anew.
    fn summarise(&self, summaries: &mut Summaries) -> Hello {
        let turns = core::mem::take(&mut summaries.turns);
        let mut turns: BTreeMap<&Scope, Turn> = summaries.scopes.iter().zip(turns).collect();
        let (scopes, logs): (Vec<Scope>, Vec<_>) = self.logs_by_scope().into_iter().unzip();
        summaries.turns =
            scopes.iter().map(|scope| turns.remove(scope).unwrap_or_default()).collect();
        let digests = logs.iter().map(|logs| self.summary_of(logs));
        let said = scopes.iter().cloned().zip(digests).collect();
        summaries.scopes = scopes.into();
        summaries.logs = logs;
        summaries.changed.clear();
        let mut frozen = Writer::new();
        for (log, _) in self.replicas.iter().filter(|(_, it)| it.frozen.is_some()) {
            frozen.text(log.as_str());
        }
        Hello {
            federation: self.directory.federation().hash(),
            charter_version: self.directory.charters().version(),
            charter: self.directory.charters().latest_digest(),
            frozen: blake3(&frozen.finish()),
            scopes: said,
        }
    }

    fn logs_by_scope(&self) -> BTreeMap<Scope, Vec<ExchangeId>> {
        let mut logs: BTreeMap<Scope, Vec<ExchangeId>> = BTreeMap::new();
        for member in self.directory.members().filter(|member| self.follows(&member.id)) {
            logs.entry(member.scope.clone()).or_default().push(member.id.clone());
        }
        for logs in logs.values_mut() {
            logs.sort();
        }
        let versions = self.directory.charters().versions().iter();
        let registers = versions.map(|version| register_id(version.charter().version));
        logs.insert(Scope::register(), registers.collect());
        logs
    }

    fn summary_of(&self, logs: &[ExchangeId]) -> Hash {
        let mut summary = Writer::new();
        for log in logs {
            let Some(replica) = self.replicas.get(log) else { continue };
            let stands_at = self.stands_at(log).filter(|_| replica.frozen.is_none());
            if let Some(at) = stands_at {
                // What others hold beyond is nobody's concern.
                summary.text(log.as_str()).u64(replica.frontier.size().min(at));
                continue;
            }
            if let Some(held) = replica.shown() {
                let cosigned = replica.cosigned.as_ref().map_or(0, Signed::size);
                summary.text(log.as_str()).u64(held.size()).hash(&held.checkpoint.root);
                summary.u64(cosigned);
            }
        }
        blake3(&summary.finish())
    }
}

/// The scopes that two nodes both follow: the place of each among `ours`, and whether the two hold the same.
pub(super) fn in_common(ours: &Hello, theirs: &Hello) -> impl Iterator<Item = (usize, bool)> {
    let mut theirs = theirs.scopes.iter().peekable();
    ours.scopes.iter().enumerate().filter_map(move |(place, (scope, digest))| {
        while theirs.next_if(|(other, _)| other < scope).is_some() {}
        let (_, other) = theirs.next_if(|(other, _)| other == scope)?;
        Some((place, other == digest))
    })
}
