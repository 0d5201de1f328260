//! Making receipts and authority bundles from what this node holds.
//!
//! What a receipt must contain and whether it convinces is decided by [`hutong_protocol::receipt`]; here the parts
//! are fetched from store and directory. Everything is proven under checkpoints with a witness quorum, and
//! nothing beyond the size at which a log is frozen.

use std::collections::BTreeMap;
use std::path::Path;

use hutong_crypto::merkle::inclusion_proof;
use hutong_crypto::note::Note;
use hutong_crypto::proof::TlogProof;
use hutong_protocol::directory::FactRef;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::receipt::{
    Authority, BuildError, CompactError, Disclosure, Inputs, ProvenEntry, Receipt, build,
};
use hutong_protocol::statement::Statement;
use serde_json::Value;
use thiserror::Error;

use crate::claims::{ClaimsError, ClaimsFolder, commitments};
use crate::continuity::{self, ContinuityError};
use crate::handle::NodeView;
use crate::store::{ContractRow, EventPosition, Store, StoreError};

/// What a receipt is wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A statement, by its id.
    Statement(StatementId),
    /// A contract, by its registration number: the newest event that says what it contains.
    Contract(String),
}

/// Why there is no receipt.
#[derive(Debug, Error)]
pub enum IssueError {
    /// There is no such statement or contract here.
    #[error("{0} is not held here")]
    NotFound(String),
    /// Several exchanges use one registration number.
    #[error("contract {number} is registered by {}: name the statement instead", list(.exchanges))]
    Ambiguous {
        /// The number.
        number: String,
        /// By whom.
        exchanges: Vec<ExchangeId>,
    },
    /// Only the hash is held.
    #[error("entry {index} of {log} is held here as a hash only: ask a node that may see it")]
    Withheld {
        /// The log.
        log: ExchangeId,
        /// The entry.
        index: u64,
    },
    /// Witnesses have not cosigned that far yet.
    #[error(
        "entry {index} of {log} is not under a checkpoint with a witness quorum yet (which covers {size})"
    )]
    Unwitnessed {
        /// The log.
        log: ExchangeId,
        /// The entry.
        index: u64,
        /// Entries under such a checkpoint.
        size: u64,
    },
    /// The log was shown in two versions.
    #[error("the log of {log} is frozen at {size}: nothing beyond is vouched for")]
    Frozen {
        /// The log.
        log: ExchangeId,
        /// Up to where it stands.
        size: u64,
    },
    /// A stored proof or note is not in form.
    #[error("the tree of {log} gives no proof: {reason}")]
    Proof {
        /// The log.
        log: ExchangeId,
        /// Why.
        reason: String,
    },
    /// A claim cannot be shown.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The parts make no receipt.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It does not fit the compact form.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// It changed nothing: it does not follow what was recorded before it, or was not its issuer's to say.
    #[error("entry {index} of {log} took no effect, so there is nothing to vouch for")]
    Ineffective {
        /// The log.
        log: ExchangeId,
        /// The entry.
        index: u64,
    },
    /// It is not known yet which events took effect.
    #[error(transparent)]
    Continuity(#[from] ContinuityError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which form a receipt takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Self-contained.
    #[default]
    Whole,
    /// At most 2,900 bytes, verified against an authority bundle.
    Compact,
}

/// Makes receipts from one view of a node.
pub struct Issuer<'a> {
    /// The node's view.
    pub view: &'a NodeView,
    /// Its store.
    pub store: &'a Store,
    /// Its data folder, where claims are kept.
    pub data: &'a Path,
}

impl Issuer<'_> {
    /// Makes the receipt for `subject`, showing the claims `disclose`.
    ///
    /// Reads the disk.
    ///
    /// # Errors
    ///
    /// [`IssueError`] says what is missing.
    pub fn issue(
        &self,
        subject: &Subject,
        disclose: &[String],
        form: Form,
    ) -> Result<Vec<u8>, IssueError> {
        let (log, index) = self.place(subject)?;
        let proven = self.proven(&log, index)?;
        let as_of = self.vouched(&log)?.0;
        let statement = Statement::parse(proven.entry.statement_bytes())
            .map_err(|error| unproven(&log, &error))?;
        let disclosures = self.disclosures(&statement, disclose)?;
        let events = self
            .later(&log, index, &statement)?
            .into_iter()
            .filter(|event| *event < as_of)
            .map(|event| self.proven(&log, event))
            .collect::<Result<Vec<_>, _>>()?;
        let facts = self.view.directory.chain_of(&log);
        let facts = facts
            .iter()
            .map(|fact| self.proven(&fact.log, fact.index))
            .collect::<Result<_, _>>()?;
        let charters = &self.view.charters;
        let ProvenEntry { entry, proof } = proven;
        let inputs =
            Inputs { charters, entry, proof, disclosures, facts, events, without_authority: false };
        let bytes = build(inputs)?;
        match form {
            Form::Whole => Ok(bytes),
            Form::Compact => {
                let receipt = Receipt::parse(&bytes).map_err(|error| unproven(&log, &error))?;
                Ok(receipt.encode_compact(charters)?)
            }
        }
    }

    /// Charters and every statement about members, with proofs: for verifiers to load once.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unwitnessed`] while a decision is newer than its checkpoint's quorum.
    pub fn authority(&self) -> Result<Vec<u8>, IssueError> {
        let members = self.view.directory.members();
        let places: std::collections::BTreeSet<&FactRef> =
            members.flat_map(hutong_protocol::directory::Member::facts).collect();
        let facts = places
            .into_iter()
            .map(|fact| self.proven(&fact.log, fact.index))
            .collect::<Result<_, _>>()?;
        let charters = self.view.charters.versions();
        let charters = charters.iter().map(|version| version.signed().clone()).collect();
        Ok(Authority { charters, facts }.encode_bundle())
    }

    /// Where the statement is that a receipt is wanted for.
    fn place(&self, subject: &Subject) -> Result<(ExchangeId, u64), IssueError> {
        match subject {
            Subject::Statement(id) => {
                self.store.find(id)?.ok_or_else(|| IssueError::NotFound(format!("statement {id}")))
            }
            Subject::Contract(number) => {
                let row = self.contract(number)?;
                let says = |event: &str| matches!(event, "registered" | "amended");
                let mut effective = row.events.iter().rev().filter(|event| event.effective);
                effective
                    .find(|event| says(&event.event))
                    .map(|event| (row.log.clone(), event.position.index))
                    .ok_or_else(|| IssueError::NotFound(format!("contract {number}")))
            }
        }
    }

    /// The contract of that number: one's own, or that of the only other exchange that uses it.
    fn contract(&self, number: &str) -> Result<ContractRow, IssueError> {
        if !self.store.settle(continuity::SETTLE) {
            return Err(ContinuityError::Behind.into());
        }
        let mut rows = self.store.contract(number, &|event| self.counts(event))?;
        if let Some(own) = rows.iter().position(|row| row.log == self.view.me) {
            return Ok(rows.swap_remove(own));
        }
        if rows.len() > 1 {
            let exchanges = rows.into_iter().map(|row| row.log).collect();
            return Err(IssueError::Ambiguous { number: number.to_owned(), exchanges });
        }
        rows.pop().ok_or_else(|| IssueError::NotFound(format!("contract {number}")))
    }

    fn counts(&self, event: &EventPosition) -> bool {
        counts(self.view, event)
    }

    /// The indices of everything that changed the same contract or listing after `index`.
    fn later(
        &self,
        log: &ExchangeId,
        index: u64,
        statement: &Statement,
    ) -> Result<Vec<u64>, IssueError> {
        let history = continuity::history(self.view, self.store, log, statement)?;
        let Some(history) = history else { return Ok(Vec::new()) };
        let mut events = history.into_iter().map(|event| event.index);
        if !events.any(|event| event == index) {
            return Err(IssueError::Ineffective { log: log.clone(), index });
        }
        Ok(events.collect())
    }

    fn disclosures(
        &self,
        statement: &Statement,
        names: &[String],
    ) -> Result<BTreeMap<String, Disclosure>, IssueError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let number = statement.body.get("registration_no").and_then(Value::as_str);
        let opened = ClaimsFolder::of(self.data).open(
            number.unwrap_or_default(),
            &commitments(&statement.body),
            names,
        )?;
        let disclosure = |claim: crate::claims::OpenedClaim| {
            let salt = hutong_crypto::commitment::Salt(claim.salt);
            (claim.name, Disclosure { salt, value: claim.value })
        };
        Ok(opened.into_iter().map(disclosure).collect())
    }

    /// An entry with its proof under the log's newest checkpoint that is vouched for.
    fn proven(&self, log: &ExchangeId, index: u64) -> Result<ProvenEntry, IssueError> {
        let (size, checkpoint) = self.vouched(log)?;
        if index >= size {
            return Err(IssueError::Unwitnessed { log: log.clone(), index, size });
        }
        let entry = match self.store.leaf(log, index)? {
            Some(Leaf::Entry(entry)) => entry,
            Some(Leaf::Withheld(_)) => {
                return Err(IssueError::Withheld { log: log.clone(), index });
            }
            None => return Err(IssueError::NotFound(format!("entry {index} of {log}"))),
        };
        let reader = self.store.node_reader(log)?;
        let hashes =
            inclusion_proof(index, size, &reader).map_err(|error| unproven(log, &error))?;
        Ok(ProvenEntry { entry, proof: TlogProof { index, hashes, checkpoint, extra: None } })
    }

    /// The newest checkpoint with a witness quorum, and its size.
    fn vouched(&self, log: &ExchangeId) -> Result<(u64, Note), IssueError> {
        let head = self.store.head(log)?;
        let head = head.ok_or_else(|| IssueError::NotFound(format!("the log of {log}")))?;
        let (size, text) = head.cosigned.ok_or_else(|| IssueError::Unwitnessed {
            log: log.clone(),
            index: 0,
            size: 0,
        })?;
        if let Some(frozen) = head.frozen.filter(|frozen| size > *frozen) {
            return Err(IssueError::Frozen { log: log.clone(), size: frozen });
        }
        let note = Note::parse(&text).map_err(|error| unproven(log, &error))?;
        Ok((size, note))
    }
}

/// Whether an event of a view counts, by the directory at this moment.
pub fn counts(view: &NodeView, event: &EventPosition) -> bool {
    let kind = event.kind.as_str();
    view.directory.authorizes(&event.log, event.index, &event.key, kind).is_ok()
}

fn unproven(log: &ExchangeId, error: &dyn std::error::Error) -> IssueError {
    IssueError::Proof { log: log.clone(), reason: crate::driver::chain(error) }
}

fn list(exchanges: &[ExchangeId]) -> String {
    exchanges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
