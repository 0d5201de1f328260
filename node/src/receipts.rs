//! Making receipts and authority bundles from what this node holds.
//!
//! What a receipt must contain and whether it convinces is decided by [`hutong_protocol::receipt`]; here the parts
//! are fetched from store and directory. An entry is proven in the tree that the newest anchor has of its log;
//! where that does not cover it yet, under a checkpoint with a quorum, as provisional.

mod bundle;

use std::collections::BTreeMap;
use std::path::Path;

use hutong_crypto::merkle::inclusion_proof;
use hutong_crypto::note::Note;
use hutong_crypto::proof::TlogProof;
use hutong_protocol::directory::{
    Anchor, AnchoredLeaf, Extension, OpenedState, register_id, register_version,
};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::receipt::{
    BuildError, CompactError, Disclosure, Event, Inclusion, Inputs, Place, ProvenEntry, Receipt,
    build,
};
use hutong_protocol::statement::Statement;
use serde_json::Value;
use thiserror::Error;

use crate::authority::Charters;
use crate::claims::{ClaimsError, ClaimsFolder, commitments};
use crate::continuity::{self, ContinuityError};
use crate::driver::LeafAnswer;
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
    /// A later event of the same subject is recorded, and witnesses have not cosigned it yet: a receipt
    /// without it would hide it.
    #[error("entry {index} of {log}, a later event of the same subject, is not witnessed yet")]
    LaterUnwitnessed {
        /// The log.
        log: ExchangeId,
        /// The later event.
        index: u64,
    },
    /// No anchor of the register has the log yet, or nobody at hand keeps the anchor's leaves.
    #[error(
        "no anchor of the register that has the log of {log} is at hand: the keeper records one soon"
    )]
    NoAnchor {
        /// The log.
        log: ExchangeId,
    },
    /// The newest anchor does not cover the entry and all events of its subject, and no provisional receipt
    /// is wanted.
    #[error(
        "the register's newest anchor covers {covered} entries of {log}, and {needed} are needed"
    )]
    NotAnchored {
        /// The log.
        log: ExchangeId,
        /// Entries that the anchor covers.
        covered: u64,
        /// Entries that it should.
        needed: u64,
    },
    /// The anchor's leaves are not kept here.
    #[error("this node does not keep the anchors' leaves: a council member's node does")]
    NoLeaves,
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

/// What a receipt shall be like.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names of the claims that it shows.
    pub disclose: Vec<String>,
    /// Its form.
    pub form: Form,
    /// Whether a provisional one will do where no anchor covers it yet.
    pub provisional: bool,
}

/// A receipt that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its file.
    pub bytes: Vec<u8>,
    /// Whether no anchor covers it yet.
    pub provisional: bool,
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
    /// Makes the receipt of entry `index` of `log`; `leaf` is the log's leaf in the newest anchor.
    ///
    /// Reads the disk.
    ///
    /// # Errors
    ///
    /// [`IssueError`] says what is missing.
    pub fn issue(
        &self,
        (log, index): &(ExchangeId, u64),
        leaf: LeafAnswer,
        wanted: &Wanted,
    ) -> Result<Issued, IssueError> {
        let (anchor, leaf) = leaf.ok_or_else(|| IssueError::NoAnchor { log: log.clone() })?;
        let entry = self.entry(log, *index)?;
        let statement =
            Statement::parse(entry.statement_bytes()).map_err(|error| unproven(log, &error))?;
        let disclosures = self.disclosures(&statement, &wanted.disclose)?;
        let others = self.other_events(log, *index, &statement)?;
        let needed = others.iter().chain([index]).max().map_or(0, |last| last + 1);
        let covered = leaf.leaf.head.size;
        let provisional = covered < needed;
        if provisional && !wanted.provisional {
            return Err(IssueError::NotAnchored { log: log.clone(), covered, needed });
        }
        let (place, as_of) = if provisional {
            self.provisional(log, *index, needed, covered)?
        } else {
            (Place::Anchored(self.inclusion(log, *index, covered)?), covered)
        };
        let event = |index: &u64| {
            let inclusion = self.inclusion(log, *index, as_of)?;
            Ok(Event { entry: self.entry(log, *index)?, inclusion })
        };
        let inputs = Inputs {
            charters: (*self.view.charters).clone(),
            successions: self.successions()?,
            entry,
            place,
            register: self.recorded(anchor.version, anchor.index)?,
            state: self.state(log, &anchor, &leaf, others.iter().chain([index]).copied())?,
            leaf,
            disclosures,
            events: others.iter().map(event).collect::<Result<_, IssueError>>()?,
            as_of,
            without_authority: false,
        };
        let bytes = match build(inputs.clone()) {
            // The verifier has the charters, or asks for their file.
            Err(BuildError::TooLong { .. }) => build(Inputs { without_authority: true, ..inputs })?,
            made => made?,
        };
        let bytes = match wanted.form {
            Form::Whole => bytes,
            Form::Compact => {
                let receipt = Receipt::parse(&bytes).map_err(|error| unproven(log, &error))?;
                receipt.encode_compact()?
            }
        };
        Ok(Issued { bytes, provisional })
    }

    /// Under the newest checkpoint with a quorum, which extends the anchored tree of `covered` entries.
    fn provisional(
        &self,
        log: &ExchangeId,
        index: u64,
        needed: u64,
        covered: u64,
    ) -> Result<(Place, u64), IssueError> {
        let (size, checkpoint) = self.vouched(log)?;
        if index >= size {
            return Err(IssueError::Unwitnessed { log: log.clone(), index, size });
        }
        if needed > size {
            return Err(IssueError::LaterUnwitnessed { log: log.clone(), index: needed - 1 });
        }
        let Inclusion { index, path } = self.inclusion(log, index, size)?;
        let proof = TlogProof { index, hashes: path, checkpoint, extra: None };
        let left = self.store.range_hashes(log, 0, covered)?;
        let right = self.store.range_hashes(log, covered, size)?;
        Ok((Place::Provisional { proof, extension: Extension { left, right } }, size))
    }

    /// What the anchor says of the issuer, opened for entries at `indices`.
    fn state(
        &self,
        log: &ExchangeId,
        anchor: &Anchor,
        leaf: &AnchoredLeaf,
        indices: impl IntoIterator<Item = u64>,
    ) -> Result<OpenedState, IssueError> {
        let no_anchor = || IssueError::NoAnchor { log: log.clone() };
        let now = self.view.directory.member(log);
        if let Some(member) = now.filter(|member| member.state() == leaf.leaf.state) {
            return Ok(member.open(indices));
        }
        // The directory has moved on since, or the view lags behind.
        let charters = Charters::of(&self.view.charters).map_err(|error| unproven(log, &error))?;
        let then = charters.fold_to(self.store, (anchor.version, anchor.index))?;
        let member = then.member(log).filter(|member| member.state() == leaf.leaf.state);
        Ok(member.ok_or_else(no_anchor)?.open(indices))
    }

    /// For each charter but the last, the entry by which the next one took effect.
    fn successions(&self) -> Result<Vec<ProvenEntry>, IssueError> {
        let closed = (1..self.view.charters.version()).map_while(|version| {
            Some((version, self.view.directory.closed_at(version)?.checked_sub(1)?))
        });
        closed.map(|(version, last)| self.recorded(version, last)).collect()
    }

    /// Entry `index` of the register of charter `version`, under its newest checkpoint that counts. Of a
    /// closed register that is the closing one: nothing behind it is cosigned.
    fn recorded(&self, version: u64, index: u64) -> Result<ProvenEntry, IssueError> {
        let register = register_id(version);
        let (size, checkpoint) = self.vouched(&register)?;
        if index >= size {
            return Err(IssueError::Unwitnessed { log: register, index, size });
        }
        let Inclusion { index, path } = self.inclusion(&register, index, size)?;
        let proof = TlogProof { index, hashes: path, checkpoint, extra: None };
        Ok(ProvenEntry { entry: self.entry(&register, index)?, proof })
    }

    /// Where the statement is that a receipt is wanted for.
    ///
    /// # Errors
    ///
    /// [`IssueError::NotFound`] and [`IssueError::Ambiguous`].
    pub fn find(&self, subject: &Subject) -> Result<(ExchangeId, u64), IssueError> {
        self.place(subject)
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

    /// The indices of all other events that changed the same contract or listing, from the first on.
    fn other_events(
        &self,
        log: &ExchangeId,
        index: u64,
        statement: &Statement,
    ) -> Result<Vec<u64>, IssueError> {
        let history = continuity::history(self.view, self.store, log, statement)?;
        let Some(history) = history else { return Ok(Vec::new()) };
        if !history.iter().any(|event| event.index == index) {
            return Err(IssueError::Ineffective { log: log.clone(), index });
        }
        let others = history.into_iter().map(|event| event.index);
        Ok(others.filter(|event| *event != index).collect())
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

    fn entry(&self, log: &ExchangeId, index: u64) -> Result<Entry, IssueError> {
        match self.store.leaf(log, index)? {
            Some(Leaf::Entry(entry)) => Ok(entry),
            Some(Leaf::Withheld(_)) => Err(IssueError::Withheld { log: log.clone(), index }),
            None => Err(IssueError::NotFound(format!("entry {index} of {log}"))),
        }
    }

    /// Where the entry is in the tree of the log's first `size` entries.
    fn inclusion(&self, log: &ExchangeId, index: u64, size: u64) -> Result<Inclusion, IssueError> {
        let reader = self.store.node_reader(log)?;
        let path = inclusion_proof(index, size, &reader).map_err(|error| unproven(log, &error))?;
        Ok(Inclusion { index, path })
    }

    /// The newest checkpoint with a witness quorum, and its size; where nobody witnesses, the newest.
    fn vouched(&self, log: &ExchangeId) -> Result<(u64, Note), IssueError> {
        let head = self.store.head(log)?;
        let head = head.ok_or_else(|| IssueError::NotFound(format!("the log of {log}")))?;
        let charters = &self.view.charters;
        // A register is judged by its own charter.
        let own = register_version(log).and_then(|version| charters.version_at(version));
        let charter = own.map_or_else(|| charters.latest(), |version| version.charter());
        let newest = if charter.is_unwitnessed() { head.checkpoint } else { head.cosigned };
        let (size, text) = newest.ok_or_else(|| IssueError::Unwitnessed {
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
