//! A decision about a member, as the body of a `hutong/member-…/v1` statement says it.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::{Hash, PublicKey, Signature, SigningKey, dsse, verify_strict};
use serde_json::Value;

use super::{
    approval::Approval,
    proof::{Extension, Prefix},
};
use crate::{
    charter::COUNCIL_MAX,
    date::Date,
    descriptor::{Descriptor, DescriptorError, SignedDescriptor, read_signature},
    fields::{FieldError, Fields},
    id::ExchangeId,
    json::canonicalize,
    statement::StatementType,
};

/// Bytes of a reason at most.
const REASON_BYTES_MAX: usize = 2_000;

/// Bytes of a checkpoint's note at most: between nodes none is longer.
const NOTE_BYTES_MAX: usize = 32 << 10;

/// DSSE payload type of an old log key's consent to the keys that follow it.
const REKEY_PAYLOAD_TYPE: &str = "application/vnd.hutong.rekey+json";

/// What a `hutong/member-…/v1` statement decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is decided.
    pub act: Act,
    /// Digest of the charter under which it was made.
    pub charter: Hash,
    /// One more than the number of this authority's last effective decision about the member.
    pub number: u64,
    /// The last day on which it may be recorded.
    pub until: Date,
    /// Names of the council, where the council decides.
    pub approvals: Option<Vec<Approval>>,
}

/// What is decided about whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A new member.
    Admit(SignedDescriptor),
    /// Entries from a size on do not count until further notice.
    Suspend {
        /// The member concerned.
        member: ExchangeId,
        /// What of its log stands.
        stands: Prefix,
    },
    /// Entries count again.
    Reinstate {
        /// The member concerned.
        member: ExchangeId,
        /// Shows where its log is, and that it extends what stood.
        from: Standing,
    },
    /// Entries from a size on do not count.
    Expel {
        /// The member concerned.
        member: ExchangeId,
        /// What of its log stands.
        stands: Prefix,
    },
    /// From a size on the log goes on under other keys.
    Rekey {
        /// The new descriptor.
        descriptor: SignedDescriptor,
        /// What of its log stands under the keys before.
        stands: Prefix,
        /// The old log key's signature on the new descriptor, if it could be had.
        consent: Option<Signature>,
    },
}

/// A log's own word of where it is: a checkpoint that it signed, tied to what stood at a suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The checkpoint, signed by the log.
    pub note: String,
    /// Ties the size that stood to the checkpoint.
    pub extension: Extension,
}

/// Why a statement's body is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// A member is missing, of the wrong kind or beyond its bound.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A descriptor is refused.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The statement is of another type.
    #[error("expected a statement that decides about a member")]
    OtherType,
}

impl Decision {
    /// Reads the body of a statement of type `kind`; members that are not known are left alone.
    ///
    /// # Errors
    ///
    /// A [`DecisionError`] that names what is wrong.
    pub fn from_body(kind: &StatementType, body: &Value) -> Result<Self, DecisionError> {
        let fields = Fields::open(body, "body")?;
        let act = read_act(kind, &fields)?;
        if fields.optional("reason").is_some() {
            fields.bounded_text("reason", REASON_BYTES_MAX)?;
        }
        Ok(Self {
            act,
            charter: fields.parsed("charter", "the charter's digest, 64 lower-case hex digits")?,
            number: fields.number("number")?,
            until: fields.parsed("until", "a day such as `2026-11-30`")?,
            approvals: read_approvals(&fields)?,
        })
    }

    /// Whether the council decides, and not a member for itself.
    pub fn is_of_council(&self) -> bool {
        self.approvals.is_some()
    }
}

impl Act {
    /// Whom it concerns.
    pub fn member(&self) -> &ExchangeId {
        match self {
            Self::Admit(descriptor) | Self::Rekey { descriptor, .. } => &descriptor.descriptor().id,
            Self::Suspend { member, .. }
            | Self::Reinstate { member, .. }
            | Self::Expel { member, .. } => member,
        }
    }

    /// What of the member's log it lets stand, where it ends something.
    pub fn stands(&self) -> Option<&Prefix> {
        match self {
            Self::Admit(_) | Self::Reinstate { .. } => None,
            Self::Suspend { stands, .. }
            | Self::Expel { stands, .. }
            | Self::Rekey { stands, .. } => Some(stands),
        }
    }

    /// Whether it takes something away from a member: such acts have a reserve.
    pub fn is_restraint(&self) -> bool {
        match self {
            Self::Admit(_) | Self::Reinstate { .. } | Self::Rekey { .. } => false,
            Self::Suspend { .. } | Self::Expel { .. } => true,
        }
    }
}

/// The old log key's consent to `descriptor`.
pub fn consent(descriptor: &Descriptor, old_log_key: &SigningKey) -> Signature {
    old_log_key.sign(&consent_message(descriptor))
}

/// Whether `signature` is the consent of `old_log_key` to `descriptor`.
pub(super) fn consents(
    descriptor: &Descriptor,
    old_log_key: &PublicKey,
    signature: &Signature,
) -> bool {
    verify_strict(old_log_key, &consent_message(descriptor), signature)
}

/// DSSE PAE over the canonical JSON of the new descriptor.
fn consent_message(descriptor: &Descriptor) -> Vec<u8> {
    dsse::pae(REKEY_PAYLOAD_TYPE, &canonicalize(&descriptor.to_value()))
}

fn read_act(kind: &StatementType, fields: &Fields<'_>) -> Result<Act, DecisionError> {
    let member = || fields.parsed("member", "an exchange id");
    let descriptor =
        || SignedDescriptor::verify(fields.value("descriptor")?).map_err(DecisionError::from);
    match kind {
        StatementType::MemberAdmit => Ok(Act::Admit(descriptor()?)),
        StatementType::MemberSuspend => {
            Ok(Act::Suspend { member: member()?, stands: read_stands(fields)? })
        }
        StatementType::MemberReinstate => {
            let note = fields.text("checkpoint")?;
            if note.len() > NOTE_BYTES_MAX {
                return Err(fields.error("checkpoint", "a checkpoint of at most 32 KiB").into());
            }
            let from = Standing { note: note.to_string(), extension: Extension::read(fields)? };
            Ok(Act::Reinstate { member: member()?, from })
        }
        StatementType::MemberExpel => {
            Ok(Act::Expel { member: member()?, stands: read_stands(fields)? })
        }
        StatementType::MemberRekey => {
            let consent = fields.optional("consent").is_some();
            let consent = consent.then(|| read_signature(fields, "consent")).transpose()?;
            Ok(Act::Rekey { descriptor: descriptor()?, stands: read_stands(fields)?, consent })
        }
        StatementType::Listing
        | StatementType::ListingStatus
        | StatementType::Contract
        | StatementType::Evidence
        | StatementType::Enrolment
        | StatementType::Freeze
        | StatementType::Anchors
        | StatementType::Succession
        | StatementType::Unknown(_) => Err(DecisionError::OtherType),
    }
}

fn read_stands(fields: &Fields<'_>) -> Result<Prefix, FieldError> {
    Ok(Prefix {
        size: fields.number("log_size_honoured")?,
        root: fields.parsed("log_root_honoured", "a root of 64 lower-case hex digits")?,
    })
}

fn read_approvals(fields: &Fields<'_>) -> Result<Option<Vec<Approval>>, FieldError> {
    if fields.optional("approvals").is_none() {
        return Ok(None);
    }
    let mut approvals = Vec::new();
    for approval in fields.list("approvals", COUNCIL_MAX)? {
        let fields = Fields::open(approval, "approval")?;
        fields.only(&["exchange", "signature"])?;
        approvals.push(Approval {
            exchange: fields.parsed("exchange", "an exchange id")?,
            signature: read_signature(&fields, "signature")?,
        });
    }
    if !approvals.is_sorted_by(|a, b| a.exchange < b.exchange) {
        return Err(fields.error("approvals", "ascending order of exchange id, each once"));
    }
    Ok(Some(approvals))
}
