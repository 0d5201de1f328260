//! What one version of the charter says.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::Hash;
use serde_json::{Value, json};

use crate::{
    descriptor::{Descriptor, DescriptorError, SignedDescriptor},
    fields::{FieldError, Fields},
    id::ExchangeId,
    quorum::{Quorum, QuorumError},
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
    /// The council member in whose log the council's decisions are entered.
    pub registrar: ExchangeId,
    /// Which cosignatures make a checkpoint count.
    pub witness_quorum: Quorum,
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
    /// Size of the former registrar's log up to which council decisions under the version before
    /// stand.
    pub decisions_honoured: u64,
    /// For each council member of the version before whose log or issuer keys change, or whose
    /// membership ends: size of its log up to which its entries under the version before stand.
    /// A council member that leaves and is not listed stays an ordinary member.
    pub logs_honoured: BTreeMap<ExchangeId, u64>,
}

/// Why a charter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// A member is missing, of the wrong kind, beyond its bound, or unknown.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A council member's descriptor is refused.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The witness quorum is not well formed.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The council is empty, too large or not in ascending order of exchange id.
    #[error("expected 1 to {COUNCIL_MAX} council members in ascending order of exchange id")]
    Council,
    /// Two council members share a key or peer id.
    #[error("council member {id} uses a key of another council member")]
    SharedKey {
        /// The second one in order.
        id: ExchangeId,
    },
    /// The threshold is 0 or above the size of the council.
    #[error("expected a threshold of 1 to {council}, met {threshold}")]
    Threshold {
        /// The threshold met.
        threshold: u32,
        /// The size of the council.
        council: usize,
    },
    /// The registrar is no council member.
    #[error("registrar {id} is not a council member")]
    Registrar {
        /// The registrar met.
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
            "council",
            "decisions_honoured",
            "federation",
            "issued_at",
            "logs_honoured",
            "previous",
            "registrar",
            "threshold",
            "type",
            "version",
            "witness_quorum",
        ])?;
        if fields.text("type")? != CHARTER_TYPE {
            return Err(fields.error("type", "`hutong/charter/v1`").into());
        }
        let council = read_council(&fields)?;
        let ids: BTreeSet<ExchangeId> =
            council.iter().map(|member| member.descriptor().id.clone()).collect();
        let charter = Self {
            version: fields.number("version")?,
            federation: fields.bounded_text("federation", NAME_BYTES_MAX)?.to_string(),
            threshold: fields.number_u32("threshold")?,
            registrar: fields.parsed("registrar", "an exchange id")?,
            witness_quorum: Quorum::from_value(fields.value("witness_quorum")?, &ids)?,
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
            "registrar": self.registrar.as_str(),
            "threshold": self.threshold,
            "type": CHARTER_TYPE,
            "version": self.version,
            "witness_quorum": self.witness_quorum.to_value(),
        });
        if let Some(succession) = &self.succession {
            let logs: serde_json::Map<String, Value> = succession
                .logs_honoured
                .iter()
                .map(|(id, size)| (id.to_string(), json!(size)))
                .collect();
            value["previous"] = json!(succession.previous.to_string());
            value["decisions_honoured"] = json!(succession.decisions_honoured);
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
        if !ids.contains(&self.registrar) {
            return Err(CharterError::Registrar { id: self.registrar.clone() });
        }
        if self.version == 0 || (self.version == 1) != self.succession.is_none() {
            return Err(CharterError::Succession { version: self.version });
        }
        Ok(())
    }
}

fn read_council(fields: &Fields<'_>) -> Result<Vec<SignedDescriptor>, CharterError> {
    let list = fields.list("council", COUNCIL_MAX)?;
    let council = list.iter().map(SignedDescriptor::verify).collect::<Result<Vec<_>, _>>()?;
    let ascending =
        council.windows(2).all(|pair| pair[0].descriptor().id < pair[1].descriptor().id);
    if council.is_empty() || !ascending {
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
    let members = ["previous", "decisions_honoured", "logs_honoured"];
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
        decisions_honoured: fields.number("decisions_honoured")?,
        logs_honoured,
    }))
}
