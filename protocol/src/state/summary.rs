//! What a node says that it holds: one digest a scope, kept until something in the scope changes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hutong_crypto::digest::{Hash, blake3};

use super::State;
use super::replica::Signed;
use crate::id::ExchangeId;
use crate::message::Hello;
use crate::region::Scope;
use crate::wire::Writer;

/// Digests that still hold.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    /// The logs that are replicated, by scope and in order; none before they were looked for.
    logs: Option<BTreeMap<Scope, Vec<ExchangeId>>>,
    of: BTreeMap<Scope, Hash>,
    frozen: Option<Hash>,
}

impl State {
    /// What is said of the log has changed.
    pub(super) fn summary_changed(&mut self, log: &ExchangeId) {
        if let Some(member) = self.directory.member(log) {
            self.summaries.of.remove(&member.scope);
        }
    }

    /// What is said of everything may have changed.
    pub(super) fn summaries_changed(&mut self) {
        self.summaries = Summaries::default();
    }

    /// The scopes of the logs that are replicated, in order, without looking for them again.
    pub(super) fn summed_scopes(&mut self) -> Vec<Scope> {
        let logs = self.summaries.logs.take().unwrap_or_else(|| self.logs_by_scope());
        let scopes = logs.keys().cloned().collect();
        self.summaries.logs = Some(logs);
        scopes
    }

    pub(super) fn hello(&mut self) -> Hello {
        self.summarise();
        let Summaries { logs, of, frozen } = &self.summaries;
        let scopes = logs.iter().flat_map(BTreeMap::keys);
        let said = scopes.filter_map(|scope| Some((scope.clone(), *of.get(scope)?)));
        Hello {
            federation: self.charters.federation_id().hash(),
            charter_version: self.charters.version(),
            frozen: frozen.unwrap_or_else(|| blake3(&[])),
            scopes: said.collect(),
        }
    }

    /// Computes what is missing.
    fn summarise(&mut self) {
        let mut summaries = core::mem::take(&mut self.summaries);
        let logs = summaries.logs.get_or_insert_with(|| self.logs_by_scope());
        for (scope, logs) in logs.iter() {
            if !summaries.of.contains_key(scope) {
                summaries.of.insert(scope.clone(), self.summary_of(logs));
            }
        }
        summaries.frozen.get_or_insert_with(|| {
            let mut frozen = Writer::new();
            for (log, _) in self.replicas.iter().filter(|(_, it)| it.frozen.is_some()) {
                frozen.text(log.as_str());
            }
            blake3(&frozen.finish())
        });
        self.summaries = summaries;
    }

    fn logs_by_scope(&self) -> BTreeMap<Scope, Vec<ExchangeId>> {
        let mut logs: BTreeMap<Scope, Vec<ExchangeId>> = BTreeMap::new();
        for member in self.directory.members().filter(|member| self.follows(&member.id)) {
            logs.entry(member.scope.clone()).or_default().push(member.id.clone());
        }
        for logs in logs.values_mut() {
            logs.sort();
        }
        logs
    }

    fn summary_of(&self, logs: &[ExchangeId]) -> Hash {
        let mut summary = Writer::new();
        for log in logs {
            let Some(replica) = self.replicas.get(log) else { continue };
            if let Some(held) = replica.shown() {
                let cosigned = replica.cosigned.as_ref().map_or(0, Signed::size);
                summary.text(log.as_str()).u64(held.size()).hash(&held.checkpoint.root);
                summary.u64(cosigned);
            }
        }
        blake3(&summary.finish())
    }
}
