//! The receipt's file form.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hutong_crypto::{commitment::Salt, proof::TlogProof};
use serde_json::{Value, json};

use super::authority::{
    Authority, AuthorityError, ProvenEntry, entry_value, read_entry, read_proof,
};
use crate::{
    entry::Entry,
    fields::{FieldError, Fields},
    id::FederationId,
    json::{JsonError, canonicalize, parse_canonical},
};

/// The `format` member of a receipt.
pub const RECEIPT_FORMAT: &str = "hutong-receipt/1";

/// What the `format` of every version begins with.
const FORMAT_FAMILY: &str = "hutong-receipt/";

/// Bytes of a receipt at most: a charter of 34 seats (32 KiB), four proven admissions of 4 KiB, and
/// an entry with its events. A larger authority goes into a bundle.
pub const RECEIPT_BYTES_MAX: usize = 64 << 10;

/// Disclosed claims at most: version 1 knows nine.
pub const DISCLOSURES_MAX: usize = 32;

/// Later events at most; beyond this a receipt does not fit its bytes.
pub const EVENTS_MAX: usize = 32;

/// Facts at most; beyond this a receipt does not fit its bytes.
pub const FACTS_MAX: usize = 64;

/// Bytes of a claim's name at most.
const CLAIM_NAME_BYTES_MAX: usize = 64;

/// A receipt in form. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The federation that it belongs to.
    pub federation: FederationId,
    /// What was said.
    pub entry: Entry,
    /// That it is in its log, and the checkpoint.
    pub proof: TlogProof,
    /// Committed fields shown, by name.
    pub disclosures: BTreeMap<String, Disclosure>,
    /// What gives the issuer authority; `None` where a bundle supplies it.
    pub authority: Option<Authority>,
    /// Later events of the same contract or listing, by index.
    pub events: Vec<ProvenEntry>,
    /// Size of the log up to which the events are complete, as the receipt's maker says.
    pub as_of: u64,
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
    #[error("expected a receipt of at most {RECEIPT_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// How many.
        met: usize,
    },
    /// Not canonical JSON.
    #[error("the file is not canonical JSON: {0}")]
    Json(JsonError),
    /// Of a later version of the format.
    #[error("expected format `{RECEIPT_FORMAT}`, met `{met}`")]
    Format {
        /// The format met.
        met: String,
    },
    /// A member is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The authority is wrong.
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
        let format = fields.text("format")?;
        if format != RECEIPT_FORMAT {
            let met: String = format.chars().take(64).collect();
            // A later version has the name of this one, and another number.
            let number = format.strip_prefix(FORMAT_FAMILY).map(str::parse::<u32>);
            return Err(match number {
                Some(Ok(_)) => ReceiptError::Format { met },
                _ => fields.error("format", "`hutong-receipt/1`").into(),
            });
        }
        let known =
            ["authority", "disclosures", "entry", "federation", "format", "history", "proof"];
        fields.only(&known)?;
        let history = Fields::open(fields.value("history")?, "history")?;
        history.only(&["as_of", "events"])?;
        let events = history.list("events", EVENTS_MAX)?;
        Ok(Self {
            federation: fields.parsed("federation", "64 lower-case hex digits")?,
            entry: read_entry(&fields)?,
            proof: read_proof(&fields)?,
            disclosures: read_disclosures(&fields)?,
            authority: match fields.optional("authority") {
                Some(value) => Some(Authority::from_value(value, FACTS_MAX)?),
                None => None,
            },
            events: events.iter().map(ProvenEntry::from_value).collect::<Result<_, _>>()?,
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
        let events: Vec<Value> = self.events.iter().map(ProvenEntry::to_value).collect();
        let mut value = json!({
            "disclosures": disclosures,
            "entry": entry_value(&self.entry),
            "federation": self.federation.to_string(),
            "format": RECEIPT_FORMAT,
            "history": { "as_of": self.as_of, "events": events },
            "proof": self.proof.encode(),
        });
        if let Some(authority) = &self.authority {
            value["authority"] = authority.to_value();
        }
        canonicalize(&value)
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
