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
    /// The scopes of the logs that are replicated, in order; none before they were looked for.
    scopes: Option<Vec<Scope>>,
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

    pub(super) fn hello(&mut self) -> Hello {
        self.summarise();
        let Summaries { scopes, of, frozen } = &self.summaries;
        let scopes = scopes.iter().flatten();
        let said = scopes.filter_map(|scope| Some((scope.clone(), *of.get(scope)?)));
        Hello {
            federation: self.charters.federation_id().hash(),
            charter_version: self.charters.version(),
            frozen: frozen.unwrap_or_else(|| blake3(&[])),
            scopes: said.collect(),
        }
    }

    /// Computes what is missing, in one pass over the logs.
    fn summarise(&mut self) {
        let scopes = match self.summaries.scopes.take() {
            Some(scopes) => scopes,
            None => self.scopes(),
        };
        let missing = scopes.iter().filter(|scope| !self.summaries.of.contains_key(*scope));
        let mut held: BTreeMap<&Scope, Writer> =
            missing.map(|scope| (scope, Writer::new())).collect();
        if !held.is_empty() || self.summaries.frozen.is_none() {
            let mut frozen = Writer::new();
            for (log, replica) in &self.replicas {
                if replica.frozen.is_some() {
                    frozen.text(log.as_str());
                }
                let scope = self.directory.member(log).and_then(|m| held.get_mut(&m.scope));
                if let (Some(scope), Some(held)) = (scope, replica.shown()) {
                    let cosigned = replica.cosigned.as_ref().map_or(0, Signed::size);
                    scope.text(log.as_str()).u64(held.size()).hash(&held.checkpoint.root);
                    scope.u64(cosigned);
                }
            }
            self.summaries.frozen = Some(blake3(&frozen.finish()));
            for (scope, held) in held {
                self.summaries.of.insert(scope.clone(), blake3(&held.finish()));
            }
        }
        self.summaries.scopes = Some(scopes);
    }
}
