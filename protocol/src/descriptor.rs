//! The descriptor: what an exchange says of itself, and under whom, signed by every key in it.
//!
//! A descriptor proves that whoever holds its keys wrote it, for this federation and this parent. It
//! counts once the charter lists it or that parent admits it: see [`crate::directory`].

mod read;
mod signed;
#[cfg(test)]
mod tests;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use core::{fmt, str::FromStr};

use hutong_crypto::PublicKey;
use serde_json::{Value, json};

pub(crate) use self::read::read_signature;
pub use self::signed::{DESCRIPTOR_PAYLOAD_TYPE, SignedDescriptor};
use crate::{
    fields::{FieldError, Fields},
    id::{ExchangeId, ExchangeIdError, FederationId, Origin, Tier},
    place::{PlaceError, check_place},
    region::{Region, Scope},
    suite::key_text,
    transport,
};

/// Issuer keys of one exchange at most: an office and a desk for each of some thirty districts.
pub const ISSUER_KEYS_MAX: usize = 64;

/// Statement types of one issuer key at most; version 1 has ten.
pub const ISSUER_TYPES_MAX: usize = 32;

/// Network addresses of one exchange at most: IPv4 and IPv6, QUIC and TCP, at four sites.
pub const ADDRESSES_MAX: usize = 16;

/// Bytes of one network address at most; a relayed address with two peer ids has some 200.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// Languages of the name at most (PROTOCOL §10).
pub const NAMES_MAX: usize = 16;

/// Bytes of one name at most: 80 Chinese characters.
pub const NAME_BYTES_MAX: usize = 240;

/// The type by which an issuer key may sign statements of every type.
pub const ANY_TYPE: &str = "*";

/// Who an exchange is, by which keys it speaks and where it is reached.
///
/// In form by construction: keys are canonical and free of torsion, and all different; the peer id
/// is that of an Ed25519 key; texts and lists are within the bounds of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The exchange. Begins with its region: see [`crate::place`].
    pub id: ExchangeId,
    /// For which federation it was made; `None` exactly where it was made for a founding council.
    pub federation: Option<FederationId>,
    /// Who answers for the exchange: nobody else may admit it by this descriptor.
    pub parent: Parent,
    /// Name per language tag, such as `zh` and `en`; at least one.
    pub names: BTreeMap<String, String>,
    /// Its tier.
    pub tier: Tier,
    /// The region that it serves.
    pub region: Region,
    /// Signs the checkpoints of its log.
    pub log_key: PublicKey,
    /// Cosigns the logs of others.
    pub witness_key: PublicKey,
    /// Sign statements, each those of its types.
    pub issuer_keys: Vec<IssuerKey>,
    /// libp2p peer id.
    pub transport: String,
    /// Multiaddresses, in order of preference; may be empty.
    pub addresses: Vec<String>,
    /// Where people read about it.
    pub website: Option<String>,
}

/// Who answers for a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parent {
    /// The council: by the charter itself or by an approved admission.
    Council,
    /// The member that admits it.
    Member(ExchangeId),
}

impl FromStr for Parent {
    type Err = ExchangeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No exchange is called so: an id begins with its region.
        if text == COUNCIL { Ok(Self::Council) } else { text.parse().map(Self::Member) }
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Council => f.write_str(COUNCIL),
            Self::Member(id) => id.fmt(f),
        }
    }
}

/// The council, as the parent of a member.
const COUNCIL: &str = "council";

/// For what a descriptor names a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// The log key.
    Log,
    /// The witness key.
    Witness,
    /// An issuer key, by its place in the list, counted from 0.
    Issuer(usize),
    /// The key in the peer id.
    Transport,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log key"),
            Self::Witness => f.write_str("witness key"),
            Self::Issuer(index) => write!(f, "issuer key {}", index + 1),
            Self::Transport => f.write_str("transport key"),
        }
    }
}

/// A key that signs statements, and of which types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    /// The key.
    pub key: PublicKey,
    /// Statement types such as `hutong/contract/v1`; [`ANY_TYPE`] stands for all.
    pub types: Vec<String>,
}

impl IssuerKey {
    /// Whether the key may sign statements of type `kind`.
    pub fn may_sign(&self, kind: &str) -> bool {
        self.types.iter().any(|listed| listed == ANY_TYPE || listed == kind)
    }
}

/// Why a descriptor is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// A member is missing, of the wrong kind, beyond its bound, or unknown.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Id, region and tier do not agree.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A key is of a suite that this version does not know.
    #[error(
        "`descriptor.{member}`: suite {suite} is not known to this version; use newer software"
    )]
    UnknownSuite {
        /// Which key.
        member: &'static str,
        /// The suite met.
        suite: String,
    },
    /// The exchange names itself as its parent.
    #[error("descriptor of {id}: an exchange is not its own parent")]
    OwnParent {
        /// The exchange.
        id: ExchangeId,
    },
    /// A key is one that anyone could sign for, or has two encodings.
    #[error("descriptor of {id}: `{member}` is not a sound Ed25519 key")]
    WeakKey {
        /// The exchange.
        id: ExchangeId,
        /// Which key.
        member: &'static str,
    },
    /// Two purposes share one key.
    #[error("descriptor of {id}: every key must be different")]
    SharedKey {
        /// The exchange.
        id: ExchangeId,
    },
    /// A key of the descriptor has no signature, or no secret to make it with.
    #[error("descriptor of {id}: the signature of its {role} is missing")]
    MissingSignature {
        /// The exchange.
        id: ExchangeId,
        /// Whose signature.
        role: KeyRole,
    },
    /// The signatures are not in the order of the keys, or one is by another key.
    #[error(
        "descriptor of {id}: expected the signature of its {role} here; signatures stand in the order log, witness, issuer and transport key"
    )]
    Signer {
        /// The exchange.
        id: ExchangeId,
        /// Whose signature belongs there.
        role: KeyRole,
    },
    /// There are more signatures than keys.
    #[error("descriptor of {id}: expected {expected} signatures, one of each key, got more")]
    SurplusSignature {
        /// The exchange.
        id: ExchangeId,
        /// How many keys there are.
        expected: usize,
    },
    /// A signature is not the key's on these bytes.
    #[error("descriptor of {id}: the signature of its {role} does not verify")]
    Signature {
        /// The exchange.
        id: ExchangeId,
        /// Whose signature.
        role: KeyRole,
    },
}

/// The name in `language`, or in Chinese, or whatever there is: none where there is none.
pub fn name_in<'a>(names: &'a BTreeMap<String, String>, language: &str) -> &'a str {
    let name = names.get(language).or_else(|| names.get("zh"));
    name.or_else(|| names.values().next()).map_or("", String::as_str)
}

impl Descriptor {
    /// Reads the JSON form and checks every value in it. Signatures are checked by
    /// [`SignedDescriptor::verify`].
    ///
    /// # Errors
    ///
    /// A [`DescriptorError`] that names the member; unknown members are refused.
    pub fn from_value(value: &Value) -> Result<Self, DescriptorError> {
        let descriptor = read::descriptor(&Fields::open(value, "descriptor")?)?;
        check_place(&descriptor.id, descriptor.tier, &descriptor.region)?;
        if matches!(&descriptor.parent, Parent::Member(parent) if *parent == descriptor.id) {
            return Err(DescriptorError::OwnParent { id: descriptor.id });
        }
        descriptor.check_keys()?;
        Ok(descriptor)
    }

    /// The JSON form that is signed.
    pub fn to_value(&self) -> Value {
        let issuer_keys: Vec<Value> = self
            .issuer_keys
            .iter()
            .map(|issuer| json!({ "key": key_text(&issuer.key), "types": issuer.types }))
            .collect();
        let mut value = json!({
            "addresses": self.addresses,
            "id": self.id.as_str(),
            "issuer_keys": issuer_keys,
            "log_keys": [key_text(&self.log_key)],
            "names": self.names,
            "parent": self.parent.to_string(),
            "region": self.region.as_str(),
            "tier": self.tier.as_str(),
            "transport": self.transport,
            "witness_keys": [key_text(&self.witness_key)],
        });
        if let Some(federation) = &self.federation {
            value["federation"] = json!(federation.to_string());
        }
        if let Some(website) = &self.website {
            value["website"] = json!(website);
        }
        value
    }

    /// The name of its log inside `federation`.
    pub fn origin(&self, federation: &FederationId) -> Origin {
        Origin::new(federation, &self.id)
    }

    /// The name by which it cosigns inside `federation`.
    pub fn witness_name(&self, federation: &FederationId) -> String {
        self.origin(federation).witness_name()
    }

    /// Where its announcements go: the top-level region, and for national and industry exchanges
    /// the whole country.
    pub fn scope(&self) -> Scope {
        self.region.scope(self.tier)
    }

    /// Whether `key` is an issuer key that may sign statements of type `kind`.
    pub fn may_sign(&self, key: &PublicKey, kind: &str) -> bool {
        self.issuer_keys.iter().any(|issuer| issuer.key == *key && issuer.may_sign(kind))
    }

    /// As [`name_in`] says.
    pub fn name(&self, language: &str) -> &str {
        name_in(&self.names, language)
    }

    /// Every key of the descriptor: log, witness, issuers, and the one in the peer id.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> + '_ {
        self.keys_with_roles().map(|(_, key)| key)
    }

    /// Every key with what it is for, in the order in which their signatures stand.
    pub(crate) fn keys_with_roles(&self) -> impl Iterator<Item = (KeyRole, PublicKey)> + '_ {
        let named = [(KeyRole::Log, self.log_key), (KeyRole::Witness, self.witness_key)];
        let issuers = self.issuer_keys.iter().enumerate();
        let issuers = issuers.map(|(index, issuer)| (KeyRole::Issuer(index), issuer.key));
        let transport = transport::peer_key(&self.transport);
        let transport = transport.map(|key| (KeyRole::Transport, key));
        named.into_iter().chain(issuers).chain(transport)
    }

    fn check_keys(&self) -> Result<(), DescriptorError> {
        let weak = |member| DescriptorError::WeakKey { id: self.id.clone(), member };
        self.log_key.check().map_err(|_| weak("log_keys"))?;
        self.witness_key.check().map_err(|_| weak("witness_keys"))?;
        for issuer in &self.issuer_keys {
            issuer.key.check().map_err(|_| weak("issuer_keys"))?;
        }
        let peer = transport::peer_key(&self.transport).ok_or_else(|| weak("transport"))?;
        peer.check().map_err(|_| weak("transport"))?;
        let mut seen = BTreeSet::new();
        if self.keys().all(|key| seen.insert(key)) {
            Ok(())
        } else {
            Err(DescriptorError::SharedKey { id: self.id.clone() })
        }
    }
}
