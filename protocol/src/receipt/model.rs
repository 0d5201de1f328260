//! The receipt's file form.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hutong_crypto::{Hash, commitment::Salt, merkle::VerifyError, proof::TlogProof};
use serde_json::{Value, json};

use super::authority::{
    Authority, AuthorityError, ProvenEntry, entry_value, read_entry, read_proof,
};
use crate::{
    directory::{AnchoredLeaf, Extension, OpenedState, Prefix, hashes_value, read_hashes},
    entry::Entry,
    fields::{FieldError, Fields},
    id::FederationId,
    json::{JsonError, canonicalize, parse_canonical},
};

/// The `format` member of a receipt.
pub const RECEIPT_FORMAT: &str = "hutong-receipt/1";

/// What the `format` of every version begins with.
const FORMAT_FAMILY: &str = "hutong-receipt/";

/// Bytes of a receipt at most: a charter of 34 seats (50 KiB), and an entry with its events. A larger
/// authority goes into a bundle.
pub const RECEIPT_BYTES_MAX: usize = 64 << 10;

/// Disclosed claims at most: version 1 knows nine.
pub const DISCLOSURES_MAX: usize = 32;

/// Other events of the same subject at most; beyond this a receipt does not fit its bytes.
pub const EVENTS_MAX: usize = 32;

/// Bytes of a claim's name at most.
pub(super) const CLAIM_NAME_BYTES_MAX: usize = 64;

/// A receipt in form. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The federation that it belongs to.
    pub federation: FederationId,
    /// What was said.
    pub entry: Entry,
    /// Where it is in its log, and by what that is proven.
    pub place: Place,
    /// The issuer's leaf in the anchor.
    pub leaf: AnchoredLeaf,
    /// The register's anchor.
    pub register: ProvenEntry,
    /// What the anchor says of the issuer: its status, and the epochs of entry and events.
    pub state: OpenedState,
    /// The charters; `None` where the verifier has them.
    pub authority: Option<Authority>,
    /// Committed fields shown, by name.
    pub disclosures: BTreeMap<String, Disclosure>,
    /// The other events of the same contract or listing, from the first on, by index.
    pub events: Vec<Event>,
    /// Size of the log up to which the events are complete, as the receipt's maker says.
    pub as_of: u64,
}

/// Where an entry is in its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the tree of the issuer's leaf in the anchor.
    Anchored(Inclusion),
    /// Under a checkpoint that extends that tree: no anchor covers it yet.
    Provisional {
        /// The entry's proof, with the log's checkpoint.
        proof: TlogProof,
        /// Ties the anchored tree to the checkpoint.
        extension: Extension,
    },
}

/// Where an entry is in the tree that a receipt speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Its index.
    pub index: u64,
    /// The hashes from the entry's sibling up.
    pub path: Vec<Hash>,
}

/// Another event of the same contract or listing, in the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What was said.
    pub entry: Entry,
    /// Where.
    pub inclusion: Inclusion,
}

/// A committed field, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Disclosure {
    /// Hid it until now.
    pub salt: Salt,
    /// What was committed to.
    pub value: Value,
}

/// Why bytes are not a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Too many bytes.
    #[error("expected a receipt of at most {RECEIPT_BYTES_MAX} bytes, got {met}")]
    TooLong {
        /// How many.
        met: usize,
    },
    /// Not canonical JSON.
    #[error("the file is not canonical JSON: {0}")]
    Json(JsonError),
    /// Of a later version of the format.
    #[error("expected format `{RECEIPT_FORMAT}`, got `{met}`")]
    Format {
        /// The actual format.
        met: String,
    },
    /// A member is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// An entry, a proof or a charter is wrong.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl ReceiptError {
    /// Whether a later version of this software may well read it.
    pub fn is_unknown_version(&self) -> bool {
        match self {
            Self::Format { .. } => true,
            Self::Authority(error) => error.is_unknown_version(),
            Self::TooLong { .. } | Self::Json(_) | Self::Field(_) => false,
        }
    }
}

impl Place {
    /// The entry's index.
    pub fn index(&self) -> u64 {
        match self {
            Self::Anchored(inclusion) => inclusion.index,
            Self::Provisional { proof, .. } => proof.index,
        }
    }
}

impl Inclusion {
    /// Checks that `entry` is where this says, in the tree of `tree`.
    pub(super) fn verify(&self, entry: &Entry, tree: &Prefix) -> Result<(), VerifyError> {
        let leaf = entry.leaf_hash();
        hutong_crypto::merkle::verify_inclusion(
            &leaf, self.index, tree.size, &tree.root, &self.path,
        )
    }

    fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self { index: fields.number("index")?, path: read_hashes(fields, "path")? })
    }
}

impl Event {
    fn from_value(value: &Value) -> Result<Self, ReceiptError> {
        let fields = Fields::open(value, "event")?;
        fields.only(&["entry", "index", "path"])?;
        Ok(Self { entry: read_entry(&fields)?, inclusion: Inclusion::read(&fields)? })
    }

    fn to_value(&self) -> Value {
        let Inclusion { index, path } = &self.inclusion;
        json!({ "entry": entry_value(&self.entry), "index": index, "path": hashes_value(path) })
    }
}

impl Receipt {
    /// Reads a receipt; what is read encodes to `bytes` again.
    ///
    /// # Errors
    ///
    /// A [`ReceiptError`] that names the member at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { met: bytes.len() });
        }
        let value = parse_canonical(bytes).map_err(ReceiptError::Json)?;
        Self::from_value(&value)
    }

    fn from_value(value: &Value) -> Result<Self, ReceiptError> {
        let fields = Fields::open(value, "receipt")?;
        check_format(&fields)?;
        fields.only(&[
            "authority",
            "checkpoint",
            "disclosures",
            "entry",
            "federation",
            "format",
            "history",
            "inclusion",
            "leaf",
            "register",
            "state",
        ])?;
        let history = Fields::open(fields.value("history")?, "history")?;
        history.only(&["as_of", "events"])?;
        let events = history.list("events", EVENTS_MAX)?;
        let authority = fields.optional("authority");
        Ok(Self {
            federation: fields.parsed("federation", "64 lower-case hex digits")?,
            entry: read_entry(&fields)?,
            place: read_place(&fields)?,
            leaf: AnchoredLeaf::from_value(fields.value("leaf")?)?,
            register: ProvenEntry::from_value(fields.value("register")?)?,
            state: OpenedState::from_value(fields.value("state")?)?,
            authority: authority.map(Authority::from_value).transpose()?,
            disclosures: read_disclosures(&fields)?,
            events: events.iter().map(Event::from_value).collect::<Result<_, _>>()?,
            as_of: history.number("as_of")?,
        })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let disclosures: Vec<Value> = self
            .disclosures
            .iter()
            .map(|(name, shown)| {
                let salt = Base64UrlUnpadded::encode_string(&shown.salt.0);
                json!({ "name": name, "salt": salt, "value": shown.value })
            })
            .collect();
        let events: Vec<Value> = self.events.iter().map(Event::to_value).collect();
        let mut value = json!({
            "disclosures": disclosures,
            "entry": entry_value(&self.entry),
            "federation": self.federation.to_string(),
            "format": RECEIPT_FORMAT,
            "history": { "as_of": self.as_of, "events": events },
            "leaf": self.leaf.to_value(),
            "register": self.register.to_value(),
            "state": self.state.to_value(),
        });
        match &self.place {
            Place::Anchored(Inclusion { index, path }) => {
                value["inclusion"] = json!({ "index": index, "path": hashes_value(path) });
            }
            Place::Provisional { proof, extension: Extension { left, right } } => {
                let (left, right) = (hashes_value(left), hashes_value(right));
                let proof = proof.encode();
                value["checkpoint"] = json!({ "left": left, "proof": proof, "right": right });
            }
        }
        if let Some(authority) = &self.authority {
            value["authority"] = authority.to_value();
        }
        canonicalize(&value)
    }
}

fn check_format(fields: &Fields<'_>) -> Result<(), ReceiptError> {
    let format = fields.text("format")?;
    if format == RECEIPT_FORMAT {
        return Ok(());
    }
    // A later version has the name of this one, and another number.
    let number = format.strip_prefix(FORMAT_FAMILY).filter(|number| !number.starts_with('0'));
    let digits = |number: &&str| number.bytes().all(|byte| byte.is_ascii_digit());
    match number.filter(digits).map(str::parse::<u32>) {
        Some(Ok(_)) => Err(ReceiptError::Format { met: format.chars().take(64).collect() }),
        Some(Err(_)) | None => Err(fields.error("format", "`hutong-receipt/1`").into()),
    }
}

fn read_place(fields: &Fields<'_>) -> Result<Place, ReceiptError> {
    match (fields.optional("inclusion"), fields.optional("checkpoint")) {
        (Some(inclusion), None) => {
            let fields = Fields::open(inclusion, "inclusion")?;
            fields.only(&["index", "path"])?;
            Ok(Place::Anchored(Inclusion::read(&fields)?))
        }
        (None, Some(checkpoint)) => {
            let fields = Fields::open(checkpoint, "checkpoint")?;
            fields.only(&["left", "proof", "right"])?;
            let proof = read_proof(&fields)?;
            Ok(Place::Provisional { proof, extension: Extension::read(&fields)? })
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(fields.error("inclusion", "either `inclusion` or `checkpoint`").into())
        }
    }
}

fn read_disclosures(fields: &Fields<'_>) -> Result<BTreeMap<String, Disclosure>, FieldError> {
    let list = fields.list("disclosures", DISCLOSURES_MAX)?;
    let mut disclosures = BTreeMap::new();
    let mut before = "";
    for value in list {
        let shown = Fields::open(value, "disclosure")?;
        shown.only(&["name", "salt", "value"])?;
        let name = shown.bounded_text("name", CLAIM_NAME_BYTES_MAX)?;
        if name <= before {
            return Err(fields.error("disclosures", "ascending order of name, each once"));
        }
        before = name;
        let mut salt = [0; 32];
        let decoded = Base64UrlUnpadded::decode(shown.text("salt")?, &mut salt);
        if !decoded.is_ok_and(|bytes| bytes.len() == 32) {
            return Err(shown.error("salt", "32 bytes in base64url without padding"));
        }
        let value = shown.value("value")?.clone();
        disclosures.insert(name.to_string(), Disclosure { salt: Salt(salt), value });
    }
    Ok(disclosures)
}
