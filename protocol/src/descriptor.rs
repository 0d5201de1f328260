//! The descriptor: what an exchange says of itself, signed by its own log key.
//!
//! A descriptor proves only that whoever holds the log key wrote it. It counts once the charter
//! lists it or a parent admits it: see [`crate::directory`].

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use hutong_crypto::{PublicKey, Signature, SigningKey, dsse, verify_strict};
use serde_json::{Value, json};

use crate::{
    fields::{FieldError, Fields, base64},
    id::{ExchangeId, FederationId, Origin, Tier},
    json::canonicalize,
    region::{Region, Scope},
    transport,
};

/// DSSE payload type of a descriptor.
pub const DESCRIPTOR_PAYLOAD_TYPE: &str = "application/vnd.hutong.descriptor+json";

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
    /// The exchange.
    pub id: ExchangeId,
    /// Name per language tag, such as `zh` and `en`; at least one.
    pub names: BTreeMap<String, String>,
    /// Its tier.
    pub tier: Tier,
    /// The region that it serves.
    pub region: Region,
    /// Signs the checkpoints of its log, and this descriptor.
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
    /// The signature is not the log key's on these bytes.
    #[error("descriptor of {id}: the signature is not by its log key over this descriptor")]
    Signature {
        /// The exchange.
        id: ExchangeId,
    },
}

impl Descriptor {
    /// Reads the JSON form and checks every value in it. The signature is checked by
    /// [`SignedDescriptor::verify`].
    ///
    /// # Errors
    ///
    /// A [`DescriptorError`] that names the member; unknown members are refused.
    pub fn from_value(value: &Value) -> Result<Self, DescriptorError> {
        let fields = Fields::open(value, "descriptor")?;
        fields.only(&[
            "addresses",
            "id",
            "issuer_keys",
            "log_key",
            "names",
            "region",
            "tier",
            "transport",
            "website",
            "witness_key",
        ])?;
        let descriptor = Self {
            id: fields.parsed("id", "an exchange id such as `cn-33-zhejiang`")?,
            names: read_names(&fields)?,
            tier: fields.parsed("tier", "one of the six tiers")?,
            region: fields.parsed("region", "a region such as `CN-3301` or `KZ`")?,
            log_key: fields.parsed("log_key", "64 lower-case hex digits")?,
            witness_key: fields.parsed("witness_key", "64 lower-case hex digits")?,
            issuer_keys: read_issuer_keys(&fields)?,
            transport: fields.text("transport")?.to_string(),
            addresses: read_addresses(&fields)?,
            website: match fields.optional("website") {
                Some(_) => Some(fields.bounded_text("website", ADDRESS_BYTES_MAX)?.to_string()),
                None => None,
            },
        };
        descriptor.check_keys()?;
        Ok(descriptor)
    }

    /// The JSON form that is signed.
    pub fn to_value(&self) -> Value {
        let issuer_keys: Vec<Value> = self
            .issuer_keys
            .iter()
            .map(|issuer| json!({ "key": issuer.key.to_string(), "types": issuer.types }))
            .collect();
        let mut value = json!({
            "addresses": self.addresses,
            "id": self.id.as_str(),
            "issuer_keys": issuer_keys,
            "log_key": self.log_key.to_string(),
            "names": self.names,
            "region": self.region.as_str(),
            "tier": self.tier.as_str(),
            "transport": self.transport,
            "witness_key": self.witness_key.to_string(),
        });
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

    /// The name in `language`, or in Chinese, or whatever there is.
    pub fn name(&self, language: &str) -> &str {
        let name = self.names.get(language).or_else(|| self.names.get("zh"));
        name.or_else(|| self.names.values().next()).map_or("", String::as_str)
    }

    /// Every key of the descriptor: log, witness, issuers, and the one in the peer id.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> + '_ {
        let transport = transport::peer_key(&self.transport);
        let named = [self.log_key, self.witness_key];
        named.into_iter().chain(self.issuer_keys.iter().map(|issuer| issuer.key)).chain(transport)
    }

    fn check_keys(&self) -> Result<(), DescriptorError> {
        let weak = |member| DescriptorError::WeakKey { id: self.id.clone(), member };
        self.log_key.check().map_err(|_| weak("log_key"))?;
        self.witness_key.check().map_err(|_| weak("witness_key"))?;
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

/// A descriptor with its log key's signature, as charters and admissions carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDescriptor {
    descriptor: Descriptor,
    signature: Signature,
}

impl SignedDescriptor {
    /// Signs `descriptor` with its log key.
    ///
    /// # Errors
    ///
    /// [`DescriptorError::Signature`] when `log_key` is another key; others when the descriptor
    /// would be refused by whoever reads it.
    pub fn sign(descriptor: &Descriptor, log_key: &SigningKey) -> Result<Self, DescriptorError> {
        let value = descriptor.to_value();
        let descriptor = Descriptor::from_value(&value)?;
        let signature = log_key.sign(&signed_bytes(&value));
        Self { descriptor, signature }.checked(&value)
    }

    /// Reads `{"descriptor":{…},"signature":base64}` and verifies the signature strictly.
    ///
    /// # Errors
    ///
    /// A [`DescriptorError`] that names what is wrong.
    pub fn verify(value: &Value) -> Result<Self, DescriptorError> {
        let fields = Fields::open(value, "signed descriptor")?;
        fields.only(&["descriptor", "signature"])?;
        let signed = fields.value("descriptor")?;
        let descriptor = Descriptor::from_value(signed)?;
        let signature = read_signature(&fields, "signature")?;
        Self { descriptor, signature }.checked(signed)
    }

    /// The JSON form that [`SignedDescriptor::verify`] reads.
    pub fn to_value(&self) -> Value {
        json!({
            "descriptor": self.descriptor.to_value(),
            "signature": base64(self.signature.as_bytes()),
        })
    }

    /// The verified descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn checked(self, signed: &Value) -> Result<Self, DescriptorError> {
        // Descriptors are verified one by one, never in a batch, so the strict rule has the same
        // outcome on every node, and a receipt never refuses what a node let in.
        if verify_strict(&self.descriptor.log_key, &signed_bytes(signed), &self.signature) {
            Ok(self)
        } else {
            Err(DescriptorError::Signature { id: self.descriptor.id })
        }
    }
}

/// DSSE PAE over the canonical JSON of the descriptor.
fn signed_bytes(value: &Value) -> Vec<u8> {
    dsse::pae(DESCRIPTOR_PAYLOAD_TYPE, &canonicalize(value))
}

/// A signature in standard base64.
pub(crate) fn read_signature(fields: &Fields<'_>, member: &str) -> Result<Signature, FieldError> {
    let bytes = fields.base64(member, Signature::LEN)?;
    Signature::try_from(bytes.as_slice())
        .map_err(|_| fields.error(member, "a signature of 64 bytes in base64"))
}

fn read_names(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, FieldError> {
    let map = fields.map("names", NAMES_MAX)?;
    let mut names = BTreeMap::new();
    let inner = Fields::open(fields.value("names")?, "names")?;
    for language in map.keys() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if language.is_empty() || language.len() > 35 || !language.bytes().all(plain) {
            return Err(fields.error("names", "language tags such as `zh` as names of members"));
        }
        let name = inner.bounded_text(language, NAME_BYTES_MAX)?;
        names.insert(language.clone(), name.to_string());
    }
    if names.is_empty() {
        return Err(fields.error("names", "a name in at least one language"));
    }
    Ok(names)
}

fn read_issuer_keys(fields: &Fields<'_>) -> Result<Vec<IssuerKey>, FieldError> {
    let list = fields.list("issuer_keys", ISSUER_KEYS_MAX)?;
    if list.is_empty() {
        return Err(fields.error("issuer_keys", "at least one issuer key"));
    }
    list.iter().map(read_issuer_key).collect()
}

fn read_issuer_key(value: &Value) -> Result<IssuerKey, FieldError> {
    let fields = Fields::open(value, "issuer key")?;
    fields.only(&["key", "types"])?;
    let key = fields.parsed("key", "64 lower-case hex digits")?;
    let types = fields.texts("types", ISSUER_TYPES_MAX)?;
    if types.is_empty() || types.iter().any(|kind| kind.is_empty() || kind.len() > 64) {
        return Err(fields.error("types", "statement types such as `hutong/listing/v1`, or `*`"));
    }
    Ok(IssuerKey { key, types: types.into_iter().map(ToString::to_string).collect() })
}

fn read_addresses(fields: &Fields<'_>) -> Result<Vec<String>, FieldError> {
    let addresses = fields.texts("addresses", ADDRESSES_MAX)?;
    let sound = |address: &&str| {
        address.starts_with('/')
            && address.len() <= ADDRESS_BYTES_MAX
            && address.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !addresses.iter().all(sound) {
        return Err(fields.error("addresses", "multiaddresses such as `/ip4/192.0.2.1/tcp/4001`"));
    }
    Ok(addresses.into_iter().map(ToString::to_string).collect())
}
