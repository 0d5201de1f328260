//! What came of verifying: a verdict, every finding, and what the receipt says.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use serde_json::{Value, json};

use crate::{
    date::Date,
    descriptor::Parent,
    id::{ExchangeId, FederationId, StatementId},
    time::Timestamp,
};

/// The outcome of verifying a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything holds, and nothing later is known.
    Valid,
    /// Everything holds; a later amendment or revision replaces what it says.
    ValidSuperseded,
    /// Everything holds; the contract was cancelled, or the listing withdrawn, later.
    ValidThenCancelled,
    /// All holds so far, but no anchor of the register covers it yet.
    Provisional,
    /// The proofs hold, but whoever signed had no authority there, it took no effect, or the contract was
    /// revoked.
    Void,
    /// A signature, a proof or the form does not hold.
    Invalid,
    /// It uses a format or signature suite that this software does not know, or rests on what the verifier
    /// does not have.
    NotVerifiableHere,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 7] = [
        Self::Valid,
        Self::ValidSuperseded,
        Self::ValidThenCancelled,
        Self::Provisional,
        Self::Void,
        Self::Invalid,
        Self::NotVerifiableHere,
    ];

    /// Its name in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ValidSuperseded => "valid_superseded",
            Self::ValidThenCancelled => "valid_then_cancelled",
            Self::Provisional => "provisional",
            Self::Void => "void",
            Self::Invalid => "invalid",
            Self::NotVerifiableHere => "not_verifiable_here",
        }
    }

    /// The exit code of a command: 0 for `valid`, and for `valid_…` and `provisional` where the caller allowed
    /// them; otherwise 1 invalid, 2 not verifiable here, 3 void, 4 superseded, 5 cancelled, 7 provisional (6 is
    /// a node that cannot do it now).
    pub fn exit_code(self, allowed: &BTreeSet<Self>) -> u8 {
        match self {
            Self::Valid => 0,
            Self::ValidSuperseded | Self::ValidThenCancelled | Self::Provisional
                if allowed.contains(&self) =>
            {
                0
            }
            Self::Invalid => 1,
            Self::NotVerifiableHere => 2,
            Self::Void => 3,
            Self::ValidSuperseded => 4,
            Self::ValidThenCancelled => 5,
            Self::Provisional => 7,
        }
    }
}

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold; the verdict says so.
    Fail,
    /// It holds, with something to consider.
    Warn,
    /// Something to know.
    Info,
}

impl Outcome {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// A language in which reports are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    Chinese,
    /// English.
    English,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which check: a short name that stays the same over versions.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, in Chinese.
    pub zh: String,
    /// What was found, in English.
    pub en: String,
}

/// A verdict with all findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Every check that could be made, in order.
    pub checks: Vec<Check>,
    /// What the receipt says, as far as it could be read. Rests on nothing unless the verdict is
    /// one of the `valid` ones.
    pub summary: Option<Summary>,
}

/// Who said what, when at the latest, under whose authority, as of which sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The federation.
    pub federation: FederationId,
    /// Leaf hash of the entry.
    pub statement: StatementId,
    /// Type of the statement.
    pub kind: String,
    /// The exchange that said it.
    pub issuer: ExchangeId,
    /// Its names, by language.
    pub issuer_names: BTreeMap<String, String>,
    /// Who answers for it.
    pub parent: Parent,
    /// When, by the issuer's own clock.
    pub issued_at: Timestamp,
    /// Index in the issuer's log.
    pub index: u64,
    /// Size of the log of which the receipt speaks: later events are known up to here.
    pub as_of_size: u64,
    /// Version of the charter whose register says who the issuer is.
    pub charter_version: u64,
    /// Size of that register, up to and with the anchor.
    pub register_size: u64,
    /// The anchor's day.
    pub day: Date,
    /// When a quorum of witnesses had cosigned: the statement existed by then. `None` where nobody witnesses.
    pub witnessed_at: Option<Timestamp>,
    /// The witnesses whose cosignatures hold.
    pub witnesses: BTreeSet<ExchangeId>,
    /// Registration number or listing id: receipts of one issuer with one of these are about the same thing.
    pub subject: Option<String>,
    /// What the statement says, without what is committed only.
    pub body: Value,
    /// Committed fields that the receipt shows.
    pub disclosed: BTreeMap<String, Value>,
    /// What was said later about the same contract or listing.
    pub later: Vec<Later>,
}

/// A later event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Leaf hash of its entry.
    pub statement: StatementId,
    /// Index in the log.
    pub index: u64,
    /// What happened: `amended`, `cancelled`, `revoked`, `revised`, or a listing's status.
    pub event: String,
    /// When, by the issuer's own clock.
    pub issued_at: Timestamp,
}

impl Report {
    /// Whether the verdict is `valid` or one of the `valid_…` ones that the caller allowed.
    pub fn is_accepted(&self, allowed: &BTreeSet<Verdict>) -> bool {
        self.verdict.exit_code(allowed) == 0
    }

    /// The report as JSON, for machines.
    pub fn to_value(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| {
                let detail = json!({ "en": check.en, "zh": check.zh });
                json!({ "detail": detail, "name": check.name, "outcome": check.outcome.as_str() })
            })
            .collect();
        json!({
            "checks": checks,
            "summary": self.summary.as_ref().map(Summary::to_value),
            "verdict": self.verdict.as_str(),
        })
    }
}

impl Summary {
    fn to_value(&self) -> Value {
        let later: Vec<Value> = self
            .later
            .iter()
            .map(|later| {
                json!({
                    "event": later.event,
                    "index": later.index,
                    "issued_at": later.issued_at.to_string(),
                    "statement": later.statement.to_string(),
                })
            })
            .collect();
        let witnesses: Vec<&str> = self.witnesses.iter().map(ExchangeId::as_str).collect();
        json!({
            "as_of_size": self.as_of_size,
            "body": self.body,
            "charter_version": self.charter_version,
            "day": self.day.to_string(),
            "disclosed": self.disclosed,
            "federation": self.federation.to_string(),
            "index": self.index,
            "issued_at": self.issued_at.to_string(),
            "issuer": self.issuer.as_str(),
            "issuer_names": self.issuer_names,
            "later": later,
            "parent": self.parent.to_string(),
            "register_size": self.register_size,
            "statement": self.statement.to_string(),
            "subject": self.subject,
            "type": self.kind,
            "witnessed_at": self.witnessed_at.map(|time| time.to_string()),
            "witnesses": witnesses,
        })
    }
}
