//! What a register records: enrolments, freezes, anchors, and at last the succession.
//!
//! Each is the body of a statement whose issuer is the register itself ([`register_id`]), signed by the
//! register's key. Every body has a `day`, which never falls along the register.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use bytes::Bytes;
use hutong_crypto::Hash;
use serde_json::{Value, json};

use super::proof::{AnchoredLeaf, Extension, Head};
use crate::{
    date::Date,
    entry::Entry,
    fields::{FieldError, Fields, base64},
    id::ExchangeId,
    limits::{ENTRY_BYTES_MAX, MEMBERSHIP_ENTRY_BYTES_MAX},
    statement::StatementType,
};

/// What one entry of a register says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The day on which it was recorded.
    pub day: Date,
    /// What was recorded.
    pub act: RecordAct,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordAct {
    /// A decision about a member takes effect.
    Enrol(Enrolment),
    /// A log that was shown in two versions is frozen.
    Freeze {
        /// The log.
        log: ExchangeId,
        /// The evidence's one byte string.
        evidence: Vec<u8>,
        /// The log's leaf in the register's last anchor; none where that has none of it.
        last: Option<AnchoredLeaf>,
    },
    /// Heads of logs and states of members.
    Anchor {
        /// How many leaves.
        leaves: u64,
        /// The root over them.
        root: Hash,
    },
    /// The charter's next version takes effect; nothing of this register counts behind it.
    Succession {
        /// Digest of the next version.
        charter: Hash,
    },
}

/// A decision with what makes it safe to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The statement that decides, as its author's log holds it.
    pub decision: Entry,
    /// A second decision, of the authority above the parent, where a rekey needs one.
    pub second: Option<Entry>,
    /// Ties the size that the decision names to a checkpoint with a quorum.
    pub head: Option<Head>,
    /// The member's leaf in the last final anchor, where the decision lets no more than a part of its log
    /// stand.
    pub last_final: Option<AnchoredLeaf>,
}

/// The id under which the register of charter version `version` is a log: `register-1` for the first.
///
/// No exchange has such an id: `register` is no region.
///
/// # Panics
///
/// Never: the text is in form.
pub fn register_id(version: u64) -> ExchangeId {
    format!("register-{version}").parse().expect("`register-` and a number is in form")
}

/// The charter version whose register has this id.
pub fn register_version(id: &ExchangeId) -> Option<u64> {
    let version = id.as_str().strip_prefix("register-")?.parse().ok()?;
    (register_id(version) == *id).then_some(version)
}

impl Record {
    /// Reads the body of a register's statement.
    ///
    /// # Errors
    ///
    /// A `FieldError` that names what is wrong; unknown members are refused.
    pub fn from_body(kind: &StatementType, body: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(body, "body")?;
        let day = fields.parsed("day", "a day such as `2026-11-30`")?;
        let leaf = |member| fields.optional(member).map(AnchoredLeaf::from_value).transpose();
        let act = match kind {
            StatementType::Enrolment => {
                fields.only(&["day", "decision", "final", "head", "left", "right", "second"])?;
                RecordAct::Enrol(Enrolment {
                    decision: read_entry(&fields, "decision")?,
                    second: match fields.optional("second") {
                        Some(_) => Some(read_entry(&fields, "second")?),
                        None => None,
                    },
                    head: read_head(&fields)?,
                    last_final: leaf("final")?,
                })
            }
            StatementType::Freeze => {
                fields.only(&["anchored", "day", "evidence", "log"])?;
                RecordAct::Freeze {
                    log: fields.parsed("log", "an exchange id")?,
                    evidence: fields.base64("evidence", ENTRY_BYTES_MAX)?,
                    last: leaf("anchored")?,
                }
            }
            StatementType::Anchors => {
                fields.only(&["day", "leaves", "root"])?;
                let root = fields.parsed("root", "a root of 64 lower-case hex digits")?;
                RecordAct::Anchor { leaves: fields.number("leaves")?, root }
            }
            StatementType::Succession => {
                fields.only(&["charter", "day"])?;
                let charter = fields.parsed("charter", "a digest of 64 lower-case hex digits")?;
                RecordAct::Succession { charter }
            }
            StatementType::Listing
            | StatementType::ListingStatus
            | StatementType::Contract
            | StatementType::MemberAdmit
            | StatementType::MemberSuspend
            | StatementType::MemberReinstate
            | StatementType::MemberExpel
            | StatementType::MemberRekey
            | StatementType::Evidence
            | StatementType::Unknown(_) => {
                return Err(fields.error("", "a type that a register records"));
            }
        };
        Ok(Self { day, act })
    }

    /// The statement's type.
    pub fn kind(&self) -> StatementType {
        match self.act {
            RecordAct::Enrol(_) => StatementType::Enrolment,
            RecordAct::Freeze { .. } => StatementType::Freeze,
            RecordAct::Anchor { .. } => StatementType::Anchors,
            RecordAct::Succession { .. } => StatementType::Succession,
        }
    }

    /// The statement's body, which [`Record::from_body`] reads back.
    pub fn to_body(&self) -> Value {
        let mut body = match &self.act {
            RecordAct::Enrol(enrolment) => enrolment.to_body(),
            RecordAct::Freeze { log, evidence, last } => {
                let mut body = json!({ "evidence": base64(evidence), "log": log.as_str() });
                if let Some(last) = last {
                    body["anchored"] = last.to_value();
                }
                body
            }
            RecordAct::Anchor { leaves, root } => {
                json!({ "leaves": leaves, "root": root.to_string() })
            }
            RecordAct::Succession { charter } => json!({ "charter": charter.to_string() }),
        };
        body["day"] = json!(format!("{}", self.day));
        body
    }
}

impl Enrolment {
    fn to_body(&self) -> Value {
        let mut body = json!({ "decision": base64(self.decision.as_bytes()) });
        if let Some(second) = &self.second {
            body["second"] = json!(base64(second.as_bytes()));
        }
        if let (Some(head), Some(members)) = (&self.head, body.as_object_mut()) {
            members.insert("head".into(), Value::String(head.note.clone()));
            head.extension.write(members);
        }
        if let Some(last) = &self.last_final {
            body["final"] = last.to_value();
        }
        body
    }
}

fn read_entry(fields: &Fields<'_>, member: &str) -> Result<Entry, FieldError> {
    let bytes = fields.base64(member, MEMBERSHIP_ENTRY_BYTES_MAX)?;
    Entry::parse(Bytes::from(bytes)).map_err(|_| fields.error(member, "an entry in base64"))
}

fn read_head(fields: &Fields<'_>) -> Result<Option<Head>, FieldError> {
    if fields.optional("head").is_none() {
        return Ok(None);
    }
    let note = String::from(fields.text("head")?);
    Ok(Some(Head { note, extension: Extension::read(fields)? }))
}
