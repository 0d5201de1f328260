//! Why entries do not count, and why what a register records takes no effect.

use alloc::string::String;

use hutong_crypto::PublicKey;

use super::{Parent, decision::DecisionError};
use crate::{
    charter::ExtendError,
    date::Date,
    entry::Unverifiable,
    fields::FieldError,
    id::{ExchangeId, Tier},
    region::Region,
};

/// Why an entry of a member's log does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// The entry is of a version or suite that this version cannot verify.
    #[error(transparent)]
    Unverifiable(#[from] Unverifiable),
    /// The log's owner is no member.
    #[error("{log} is not a member of the federation")]
    NotAMember {
        /// Whose log.
        log: ExchangeId,
    },
    /// The entry is beyond what stands.
    #[error("entry {index} of {log} is void: its entries stand up to size {honoured}")]
    NotHonoured {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
        /// How many entries stand, or stood before an interruption.
        honoured: u64,
    },
    /// The key was no issuer key of the exchange at that place.
    #[error("key {key} was not an issuer key of {log} at entry {index}")]
    NotAnIssuer {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
        /// The actual key.
        key: PublicKey,
    },
    /// The key may sign statements of other types only.
    #[error("issuer key {key} of {log} may not sign statements of type {kind}")]
    TypeNotAllowed {
        /// Whose log.
        log: ExchangeId,
        /// The actual key.
        key: PublicKey,
        /// The actual type.
        kind: String,
    },
}

/// Why an entry of a register changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEffect {
    /// It is not signed in suite 1, not a statement in form, or not for everybody.
    #[error("not a signed public statement in form")]
    Form,
    /// It is of an entry version or suite that no charter of this version allows.
    #[error(transparent)]
    Unverifiable(#[from] Unverifiable),
    /// Its body is out of form.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The decision in it is out of form.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// It is not signed by the register's key in the register's name.
    #[error("not signed by the register's key in its name")]
    NotTheRegister,
    /// Its day is before that of the entry before it.
    #[error("day {day} is before the register's last day")]
    DayFalls {
        /// The actual day.
        day: Date,
    },
    /// The decision was made under another charter than the one in force.
    #[error("the decision was made under another charter; decide again under the one in force")]
    OtherCharter,
    /// The decision may not be recorded on that day.
    #[error(
        "the decision may be recorded up to {until}, and at most 30 days before; the day is {day}"
    )]
    NotOnThisDay {
        /// Its last day.
        until: Date,
        /// The actual day.
        day: Date,
    },
    /// The decision is not the next one of its author about that member.
    #[error("expected decision number {expected} of this authority about this member, got {got}")]
    Number {
        /// The next number.
        expected: u64,
        /// The actual number.
        got: u64,
    },
    /// The charter alone decides about council members.
    #[error("{id} is a council member: the charter decides about it")]
    Seat {
        /// The member concerned.
        id: ExchangeId,
    },
    /// Somebody concerned is no member.
    #[error("{id} is not a member")]
    NotAMember {
        /// Who.
        id: ExchangeId,
    },
    /// The key may not sign such a decision.
    #[error("key {key} is not an issuer key of {id} for this")]
    NotAnIssuer {
        /// Who decides.
        id: ExchangeId,
        /// The actual key.
        key: PublicKey,
    },
    /// The author, or somebody above it, is not active, or the author's log is frozen.
    #[error("{id} is suspended, expelled or frozen")]
    NotActive {
        /// Who is not.
        id: ExchangeId,
    },
    /// An approval does not hold, or is by no council member.
    #[error("approval by {exchange} does not hold")]
    Approval {
        /// Who is said to approve.
        exchange: ExchangeId,
    },
    /// Fewer approvals than the charter's threshold.
    #[error("expected {expected} approvals of the council, got {got}")]
    TooFewApprovals {
        /// The threshold.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// The author decided about as many members as it may in a day.
    #[error("{id} has used up its decisions of the day; they can be recorded tomorrow")]
    Allowance {
        /// The author.
        id: ExchangeId,
    },
    /// The author may not admit an exchange of this tier, or not in this region.
    #[error("{author} may not admit a {tier} exchange for region {region}")]
    OutOfReach {
        /// The author.
        author: Parent,
        /// The actual tier.
        tier: Tier,
        /// The actual region.
        region: Region,
    },
    /// The descriptor names another parent or another federation.
    #[error("the descriptor of {id} names another parent or another federation")]
    OtherParent {
        /// Whose descriptor it is.
        id: ExchangeId,
    },
    /// The id is taken, for ever.
    #[error("{id} is or was a member already")]
    IdTaken {
        /// The actual id.
        id: ExchangeId,
    },
    /// A key is taken, for ever.
    #[error("{id} uses a key of {holder}")]
    KeyTaken {
        /// Whose descriptor it is.
        id: ExchangeId,
        /// Who has or had the key.
        holder: ExchangeId,
    },
    /// The author does not stand above the member.
    #[error("the author does not stand above {id}")]
    NotAbove {
        /// The member concerned.
        id: ExchangeId,
    },
    /// Somebody above the author decided otherwise.
    #[error(
        "somebody above the author decided about {id}; only they or those above them can change it"
    )]
    Rank {
        /// The member concerned.
        id: ExchangeId,
    },
    /// The member's status does not allow it: reinstated while active, suspended after expulsion, frozen twice.
    #[error("the status of {id} does not allow this")]
    WrongStatus {
        /// The member concerned.
        id: ExchangeId,
    },
    /// The size that the decision names is not tied to a checkpoint with a quorum, or to what stood.
    #[error(
        "size {size} of {id} is not tied to a checkpoint that the council's witnesses cosigned"
    )]
    NotTied {
        /// The member concerned.
        id: ExchangeId,
        /// The size.
        size: u64,
    },
    /// What is final of the member's log is not shown, or wrongly.
    #[error("what is final of the log of {id} is not shown as the register's anchor has it")]
    NotFinal {
        /// The member concerned.
        id: ExchangeId,
    },
    /// New keys would hold from a size that is not the log's, or before its present keys.
    #[error("{id}: new keys cannot hold from size {size}; the present ones hold from {least}")]
    WrongSize {
        /// The member concerned.
        id: ExchangeId,
        /// The actual size.
        size: u64,
        /// Where the present epoch begins.
        least: u64,
    },
    /// A new descriptor is for another tier, region or parent.
    #[error("a rekey of {id} keeps tier, region and parent")]
    OtherPlace {
        /// The member concerned.
        id: ExchangeId,
    },
    /// New keys have neither the old log key's consent nor a second decision.
    #[error(
        "new keys of {id} need the old log key's consent, or a second decision of who stands above its parent"
    )]
    Alone {
        /// The member concerned.
        id: ExchangeId,
    },
    /// The evidence does not prove that the log was shown in two versions, or its place is not shown.
    #[error("the evidence against {id} does not hold, or its last anchored size is not shown")]
    NotProven {
        /// The log.
        id: ExchangeId,
    },
    /// The next charter is not at hand.
    #[error("the charter that the succession names is not here")]
    CharterMissing,
    /// The next charter is refused.
    #[error(transparent)]
    Charter(#[from] ExtendError),
    /// The next charter is in force already.
    #[error("that charter is in force already")]
    CharterKnown,
    /// The next charter was to be recorded earlier.
    #[error("the charter's last day is over; sign a new one")]
    CharterLate,
    /// A seat of the next charter contradicts an id or key.
    #[error("the seat of {id} contradicts an id or a key in the directory")]
    SeatContradicts {
        /// Whose seat.
        id: ExchangeId,
    },
}

impl NoEffect {
    /// Whether a decision that is refused so can never take effect, from `today` on.
    pub fn is_for_ever(&self, today: Date) -> bool {
        match self {
            Self::Form
            | Self::Unverifiable(_)
            | Self::Field(_)
            | Self::Decision(_)
            | Self::OtherCharter
            | Self::Approval { .. }
            | Self::TooFewApprovals { .. }
            | Self::OtherParent { .. }
            | Self::IdTaken { .. } => true,
            Self::NotOnThisDay { until, .. } => *until < today,
            Self::Number { expected, got } => got < expected,
            Self::NotTheRegister
            | Self::DayFalls { .. }
            | Self::Seat { .. }
            | Self::NotAMember { .. }
            | Self::NotAnIssuer { .. }
            | Self::NotActive { .. }
            | Self::Allowance { .. }
            | Self::OutOfReach { .. }
            | Self::KeyTaken { .. }
            | Self::NotAbove { .. }
            | Self::Rank { .. }
            | Self::WrongStatus { .. }
            | Self::NotTied { .. }
            | Self::NotFinal { .. }
            | Self::WrongSize { .. }
            | Self::OtherPlace { .. }
            | Self::Alone { .. }
            | Self::NotProven { .. }
            | Self::CharterMissing
            | Self::Charter(_)
            | Self::CharterKnown
            | Self::CharterLate
            | Self::SeatContradicts { .. } => false,
        }
    }
}
