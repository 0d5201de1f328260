//! What one version of the charter says.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::{Hash, PublicKey};
use serde_json::{Value, json};

use super::quotas::Quotas;
use crate::{
    date::Date,
    descriptor::{Descriptor, DescriptorError, Parent, SignedDescriptor},
    fields::{FieldError, Fields},
    id::ExchangeId,
    suite::{KeyTextError, SUITE_NAME_ED25519, SUITES_MAX, check_suite, key_text, parse_key},
    time::Timestamp,
};

/// Members of the council at most (PROTOCOL §10): each of 34 provinces with three seats, and some.
pub const COUNCIL_MAX: usize = 128;

/// The `type` member of a charter.
const CHARTER_TYPE: &str = "hutong/charter/v1";

/// Bytes of the federation's name at most.
const NAME_BYTES_MAX: usize = 240;

/// One version of the federation's rules. In form by construction, see [`Charter::from_value`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// Counted from 1.
    pub version: u64,
    /// The federation's name.
    pub federation: String,
    /// The council, in ascending order of exchange id; each id, key and peer id once.
    pub council: Vec<SignedDescriptor>,
    /// How many council members decide: 1 to the size of the council.
    pub threshold: u32,
    /// The council member whose node operates this version's register.
    pub keeper: ExchangeId,
    /// Signs the register's entries and checkpoints.
    pub register_key: PublicKey,
    /// How many cosignatures of the council make a checkpoint count: more than half of it; 0 for a
    /// council of one.
    pub witness_quorum: u32,
    /// Minutes between two anchors, while anything changes.
    pub anchor_minutes: u32,
    /// Seconds between two anchors at least, where a member asks for one.
    pub anchor_seconds_min: u32,
    /// Days after which what was anchored is final.
    pub finality_days: u32,
    /// How much each tier may publish in a day.
    pub daily_mib: Quotas,
    /// How this version follows the one before; `None` exactly for version 1.
    pub succession: Option<Succession>,
    /// When it was drawn up, by its authors' clock.
    pub issued_at: Timestamp,
}

/// How a version follows the one before. Sizes of logs say up to where the earlier rules hold, so
/// that nobody who later gets hold of an earlier key can reach back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// SHA-256 of the signed payload of the version before.
    pub previous: Hash,
    /// The last day on which the register of the version before may record this one.
    pub until: Date,
    /// For each council member of the version before whose log or issuer keys change, or who leaves and
    /// is suspended: size of its log up to which its entries under the version before stand.
    /// A council member that leaves and is not listed stays an active member under the council.
    pub logs_honoured: BTreeMap<ExchangeId, u64>,
}

/// Why a charter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// A member is missing, of the wrong kind, beyond its bound, or unknown.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The register's key is no key of a suite that this version knows.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// A council member's descriptor is refused.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The charter lets members use a suite that this version does not know. Whoever went on without
    /// it could not verify what those members say.
    #[error(
        "the charter allows suite {suite}, which is not known to this version; use newer software"
    )]
    UnknownSuite {
        /// The suite's name.
        suite: String,
    },
    /// The witness quorum is not more than half of the council.
    #[error("a council of {council} needs a witness quorum of {least} to {council}, got {quorum}")]
    Quorum {
        /// The quorum met.
        quorum: u32,
        /// The smallest that is allowed.
        least: u32,
        /// The size of the council.
        council: usize,
    },
    /// The council is of two, too large, or not in ascending order of exchange id.
    #[error(
        "expected 1 or 3 to {COUNCIL_MAX} council members in ascending order of exchange id: two cannot \
         witness for each other"
    )]
    Council,
    /// A number of minutes, seconds or days is out of bounds.
    #[error(
        "expected 1 to 1440 anchor_minutes, at most 3600 anchor_seconds_min, 1 to 3650 finality_days"
    )]
    Times,
    /// The register's key is weak, or a council member's.
    #[error("register_key must be a sound key that no council member uses otherwise")]
    RegisterKey,
    /// Two council members share a key or peer id.
    #[error("council member {id} uses a key of another council member")]
    SharedKey {
        /// The second one in order.
        id: ExchangeId,
    },
    /// A seat's descriptor names another parent than the council, or a federation in version 1, or
    /// none in a later one.
    #[error(
        "version {version}: expected the descriptor of {id} to name the council as its parent, and the federation in every version but 1"
    )]
    Seat {
        /// Whose descriptor it is.
        id: ExchangeId,
        /// The version met.
        version: u64,
    },
    /// The threshold is 0 or above the size of the council.
    #[error("expected a threshold of 1 to {council}, met {threshold}")]
    Threshold {
        /// The threshold met.
        threshold: u32,
        /// The size of the council.
        council: usize,
    },
    /// The keeper is no council member.
    #[error("keeper {id} is not a council member")]
    Keeper {
        /// The keeper met.
        id: ExchangeId,
    },
    /// Version 1 names a predecessor, or a later version names none, or the version is 0.
    #[error("version {version}: expected `previous` in every version but 1, and versions from 1")]
    Succession {
        /// The version met.
        version: u64,
    },
}

impl Charter {
    /// Reads the JSON form and checks everything that can be checked of one version alone.
    ///
    /// # Errors
    ///
    /// A [`CharterError`] that names what is wrong; unknown members are refused.
    pub fn from_value(value: &Value) -> Result<Self, CharterError> {
        let fields = Fields::open(value, "charter")?;
        fields.only(&[
            "anchor_minutes",
            "anchor_seconds_min",
            "council",
            "daily_mib",
            "federation",
            "finality_days",
            "issued_at",
            "keeper",
            "logs_honoured",
            "previous",
            "register_key",
            "suites",
            "threshold",
            "type",
            "until",
            "version",
            "witness_quorum",
        ])?;
        if fields.text("type")? != CHARTER_TYPE {
            return Err(fields.error("type", "`hutong/charter/v1`").into());
        }
        // Before the keys in it, so that whoever lacks a suite learns that.
        check_suites(&fields)?;
        let council = read_council(&fields)?;
        let ids: BTreeSet<ExchangeId> =
            council.iter().map(|member| member.descriptor().id.clone()).collect();
        let charter = Self {
            version: fields.number("version")?,
            federation: fields.bounded_text("federation", NAME_BYTES_MAX)?.to_string(),
            threshold: fields.number_u32("threshold")?,
            keeper: fields.parsed("keeper", "an exchange id")?,
            register_key: parse_key(fields.text("register_key")?)?,
            witness_quorum: fields.number_u32("witness_quorum")?,
            anchor_minutes: fields.number_u32("anchor_minutes")?,
            anchor_seconds_min: fields.number_u32("anchor_seconds_min")?,
            finality_days: fields.number_u32("finality_days")?,
            daily_mib: Quotas::from_value(fields.value("daily_mib")?)?,
            succession: read_succession(&fields)?,
            issued_at: fields.parsed("issued_at", "a time such as `2026-11-23T08:00:00Z`")?,
            council,
        };
        charter.check(&ids)?;
        Ok(charter)
    }

    /// The JSON form; its canonical bytes are the payload that the council signs.
    pub fn to_value(&self) -> Value {
        let council: Vec<Value> = self.council.iter().map(SignedDescriptor::to_value).collect();
        let mut value = json!({
            "council": council,
            "federation": self.federation,
            "issued_at": self.issued_at.to_string(),
            "anchor_minutes": self.anchor_minutes,
            "anchor_seconds_min": self.anchor_seconds_min,
            "daily_mib": self.daily_mib.to_value(),
            "finality_days": self.finality_days,
            "keeper": self.keeper.as_str(),
            "register_key": key_text(&self.register_key),
            "suites": [SUITE_NAME_ED25519],
            "threshold": self.threshold,
            "type": CHARTER_TYPE,
            "version": self.version,
            "witness_quorum": self.witness_quorum,
        });
        if let Some(succession) = &self.succession {
            let logs: serde_json::Map<String, Value> = succession
                .logs_honoured
                .iter()
                .map(|(id, size)| (id.to_string(), json!(size)))
                .collect();
            value["previous"] = json!(succession.previous.to_string());
            value["until"] = json!(succession.until.to_string());
            value["logs_honoured"] = Value::Object(logs);
        }
        value
    }

    /// The descriptor of council member `id`.
    pub fn council_member(&self, id: &ExchangeId) -> Option<&Descriptor> {
        self.council.iter().map(SignedDescriptor::descriptor).find(|member| member.id == *id)
    }

    /// Whether `id` is on this version's council.
    pub fn is_council_member(&self, id: &ExchangeId) -> bool {
        self.council_member(id).is_some()
    }

    fn check(&self, ids: &BTreeSet<ExchangeId>) -> Result<(), CharterError> {
        let council = self.council.len();
        if self.threshold == 0 || self.threshold as usize > council {
            return Err(CharterError::Threshold { threshold: self.threshold, council });
        }
        if !ids.contains(&self.keeper) {
            return Err(CharterError::Keeper { id: self.keeper.clone() });
        }
        self.check_quorum()?;
        let times = (1..=1440).contains(&self.anchor_minutes)
            && self.anchor_seconds_min <= 3600
            && (1..=3650).contains(&self.finality_days);
        if !times {
            return Err(CharterError::Times);
        }
        let used = self
            .council
            .iter()
            .any(|it| it.descriptor().keys().any(|key| key == self.register_key));
        if used || self.register_key.check().is_err() {
            return Err(CharterError::RegisterKey);
        }
        if self.version == 0 || (self.version == 1) != self.succession.is_none() {
            return Err(CharterError::Succession { version: self.version });
        }
        for seat in self.council.iter().map(SignedDescriptor::descriptor) {
            // The federation's id is the digest of version 1, which therefore cannot hold it.
            let founding = seat.federation.is_none();
            if seat.parent != Parent::Council || founding != (self.version == 1) {
                return Err(CharterError::Seat { id: seat.id.clone(), version: self.version });
            }
        }
        Ok(())
    }

    /// More than half of the council, so that any two quorums share a witness; none of a council of one.
    fn check_quorum(&self) -> Result<(), CharterError> {
        let council = self.council.len();
        let all = u32::try_from(council).unwrap_or(u32::MAX);
        let least = if council == 1 { 0 } else { all / 2 + 1 };
        let most = if council == 1 { 0 } else { all };
        if (least..=most).contains(&self.witness_quorum) {
            return Ok(());
        }
        Err(CharterError::Quorum { quorum: self.witness_quorum, least, council })
    }

    /// Whether nobody witnesses: a council of one.
    pub fn is_unwitnessed(&self) -> bool {
        self.witness_quorum == 0
    }

    /// How many cosignatures of council members other than `owner` make a checkpoint of a log count;
    /// `owner` is the exchange whose node signs the log, the keeper for the register.
    ///
    /// An owner's cosignature of its own log never counts. Where one vote less still leaves any two quorums
    /// of the others a common witness, it is not asked for.
    pub fn quorum_without(&self, owner: &ExchangeId) -> u32 {
        let others = u32::try_from(self.council.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let fewer = self.witness_quorum.saturating_sub(1);
        if self.is_council_member(owner) && 2 * fewer > others {
            fewer
        } else {
            self.witness_quorum
        }
    }

    /// Whether enough council members other than `owner` cosigned; `has_cosigned` says of each whether
    /// its cosignature holds.
    pub fn is_witnessed(
        &self,
        owner: &ExchangeId,
        has_cosigned: impl Fn(&ExchangeId) -> bool,
    ) -> bool {
        let ids = self.council.iter().map(|it| &it.descriptor().id);
        let count = ids.filter(|id| *id != owner && has_cosigned(id)).count();
        count >= self.quorum_without(owner) as usize
    }
}

/// Which signature suites members may use: in strictly ascending order of name, and `ed25519` among
/// them. This version knows no other.
fn check_suites(fields: &Fields<'_>) -> Result<(), CharterError> {
    let suites = fields.texts("suites", SUITES_MAX)?;
    for suite in &suites {
        check_suite(suite).map_err(|error| match error {
            KeyTextError::Form => fields.error("suites", "names such as `ed25519`").into(),
            KeyTextError::UnknownSuite { suite } => CharterError::UnknownSuite { suite },
        })?;
    }
    if suites != [SUITE_NAME_ED25519] {
        return Err(fields.error("suites", "`[\"ed25519\"]`").into());
    }
    Ok(())
}

fn read_council(fields: &Fields<'_>) -> Result<Vec<SignedDescriptor>, CharterError> {
    let list = fields.list("council", COUNCIL_MAX)?;
    let council = list.iter().map(SignedDescriptor::verify).collect::<Result<Vec<_>, _>>()?;
    let ascending =
        council.windows(2).all(|pair| pair[0].descriptor().id < pair[1].descriptor().id);
    if council.is_empty() || council.len() == 2 || !ascending {
        return Err(CharterError::Council);
    }
    let mut keys = BTreeSet::new();
    for member in council.iter().map(SignedDescriptor::descriptor) {
        if !member.keys().all(|key| keys.insert(key)) {
            return Err(CharterError::SharedKey { id: member.id.clone() });
        }
    }
    Ok(council)
}

fn read_succession(fields: &Fields<'_>) -> Result<Option<Succession>, FieldError> {
    let members = ["previous", "until", "logs_honoured"];
    if members.iter().all(|member| fields.optional(member).is_none()) {
        return Ok(None);
    }
    let mut logs_honoured = BTreeMap::new();
    for (id, size) in fields.map("logs_honoured", COUNCIL_MAX)? {
        let expected = "exchange ids with sizes of logs";
        let id = id.parse().map_err(|_| fields.error("logs_honoured", expected))?;
        let size = size.as_u64().ok_or_else(|| fields.error("logs_honoured", expected))?;
        logs_honoured.insert(id, size);
    }
    Ok(Some(Succession {
        previous: fields.parsed("previous", "64 lower-case hex digits")?,
        until: fields.parsed("until", "a day such as `2026-11-30`")?,
        logs_honoured,
    }))
}
