//! A decision about a member, as the body of a `hutong/member-…/v1` statement says it.

use alloc::vec::Vec;

use hutong_crypto::{Hash, sha256};
use serde_json::Value;

use super::approval::{Approval, approved_content};
use crate::{
    charter::COUNCIL_MAX,
    descriptor::{DescriptorError, SignedDescriptor, read_signature},
    fields::{FieldError, Fields},
    id::ExchangeId,
    statement::StatementType,
};

/// Bytes of a reason at most.
const REASON_BYTES_MAX: usize = 2_000;

/// What was decided, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub act: Act,
    /// Present where the council decides; otherwise the log's owner does.
    pub council: Option<CouncilDecision>,
}

/// What happens to a member. Sizes are sizes of the member's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// The exchange becomes a member.
    Admit(SignedDescriptor),
    /// Its entries at and beyond the size are void until reinstatement.
    Suspend {
        /// Whom.
        member: ExchangeId,
        /// How many entries stand.
        log_size_honoured: u64,
    },
    /// Its entries count again from the size on.
    Reinstate {
        /// Whom.
        member: ExchangeId,
        /// Index of the first entry that counts again.
        log_size_from: u64,
    },
    /// Its entries at and beyond the size are void for good.
    Expel {
        /// Whom.
        member: ExchangeId,
        /// How many entries stand.
        log_size_honoured: u64,
    },
    /// Its log continues under the keys of a new descriptor from the size on.
    Rekey {
        /// The new descriptor, for the same id, tier and region.
        descriptor: SignedDescriptor,
        /// How many entries stand under the keys before.
        log_size_honoured: u64,
    },
}

/// The council's part in a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouncilDecision {
    /// Under which version of the charter.
    pub charter_version: u64,
    /// In ascending order of exchange id, each once; not verified yet.
    pub approvals: Vec<Approval>,
    /// SHA-256 of what they approve, whatever the federation: two decisions with the same are one.
    pub content: Hash,
}

/// Why a body is not a decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// A member of the body is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The descriptor in it is refused.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The statement's type is not one of the five that decide about members.
    #[error("expected a statement that decides about a member")]
    OtherType,
}

impl Decision {
    /// Reads the body of a statement of type `kind`, and verifies the descriptor in it.
    ///
    /// Unknown members are allowed, so that later versions may say more.
    ///
    /// # Errors
    ///
    /// A [`DecisionError`] that names what is wrong.
    pub fn from_body(kind: &StatementType, body: &Value) -> Result<Self, DecisionError> {
        let fields = Fields::open(body, "body")?;
        let member = || fields.parsed("member", "an exchange id");
        let honoured = || fields.number("log_size_honoured");
        let act = match kind {
            StatementType::MemberAdmit => {
                Act::Admit(SignedDescriptor::verify(fields.value("descriptor")?)?)
            }
            StatementType::MemberSuspend => {
                Act::Suspend { member: member()?, log_size_honoured: honoured()? }
            }
            StatementType::MemberReinstate => {
                let log_size_from = fields.number("log_size_from")?;
                Act::Reinstate { member: member()?, log_size_from }
            }
            StatementType::MemberExpel => {
                Act::Expel { member: member()?, log_size_honoured: honoured()? }
            }
            StatementType::MemberRekey => Act::Rekey {
                descriptor: SignedDescriptor::verify(fields.value("descriptor")?)?,
                log_size_honoured: honoured()?,
            },
            _ => return Err(DecisionError::OtherType),
        };
        if fields.optional("reason").is_some() {
            fields.bounded_text("reason", REASON_BYTES_MAX)?;
        }
        let council = read_council(kind, body, &fields)?;
        Ok(Self { act, council })
    }
}

impl Act {
    /// The member concerned.
    pub fn member(&self) -> &ExchangeId {
        match self {
            Self::Admit(descriptor) | Self::Rekey { descriptor, .. } => &descriptor.descriptor().id,
            Self::Suspend { member, .. }
            | Self::Reinstate { member, .. }
            | Self::Expel { member, .. } => member,
        }
    }
}

fn read_council(
    kind: &StatementType,
    body: &Value,
    fields: &Fields<'_>,
) -> Result<Option<CouncilDecision>, FieldError> {
    if fields.optional("approvals").is_none() && fields.optional("charter_version").is_none() {
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
    Ok(Some(CouncilDecision {
        charter_version: fields.number("charter_version")?,
        approvals,
        content: sha256(&approved_content(kind.as_str(), body)),
    }))
}
