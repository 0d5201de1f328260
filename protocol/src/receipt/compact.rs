//! The compact receipt: small enough for one QR code on paper, verified against an authority bundle.
//!
//! It holds entry, place, events and disclosures, and names the anchor: what that says of the issuer is in the
//! bundle. From there on the checks are those of a whole receipt.
//!
//! ```text
//! "HTC1" ‖ federation id [8] ‖ charter version u32 ‖ index in its register u64
//! ‖ entry: length u16, bytes ‖ index u64 ‖ path: count u8, 32 bytes each
//! ‖ events: count u8, each as the entry, its index and its path
//! ‖ disclosures: count u8, each name: length u8, bytes ‖ salt [32] ‖ value: length u16, bytes
//! ```
//!
//! Integers are big-endian; names ascend, each once.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use bytes::Bytes;
use hutong_crypto::{Hash, commitment::Salt, limits::INCLUSION_HASHES_MAX};

use super::model::{
    CLAIM_NAME_BYTES_MAX, DISCLOSURES_MAX, Disclosure, EVENTS_MAX, Event, Inclusion, Place, Receipt,
};
use crate::{
    directory::register_version,
    entry::Entry,
    json::{canonicalize, parse_canonical},
    statement::Statement,
};

/// Bytes of a compact receipt at most: one QR code of version 40 at level L holds 2,953 bytes.
pub const COMPACT_BYTES_MAX: usize = 2_900;

const MAGIC: [u8; 4] = *b"HTC1";
const MAGIC_FAMILY: [u8; 3] = *b"HTC";

/// A compact receipt in form. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactReceipt {
    /// How the federation's id begins.
    pub federation: [u8; 8],
    /// Version of the charter whose register holds the anchor.
    pub version: u32,
    /// The anchor's index in that register.
    pub register_index: u64,
    /// What was said.
    pub entry: Entry,
    /// Where it is in the anchored tree of its issuer's log.
    pub(super) place: Place,
    /// The other events of the same contract or listing.
    pub events: Vec<Event>,
    /// Committed fields shown, by name.
    pub disclosures: BTreeMap<String, Disclosure>,
}

/// Why there is no compact receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// It does not fit one QR code.
    #[error(
        "expected at most {COMPACT_BYTES_MAX} bytes, got {met}; show less or use the whole receipt"
    )]
    TooLong {
        /// How many bytes.
        met: usize,
    },
    /// It is of a later version of the format.
    #[error("this version of compact receipts is not known")]
    Version,
    /// It ends early, or a value is out of form.
    #[error("the compact receipt is damaged: {what}")]
    Form {
        /// What is out of form.
        what: &'static str,
    },
    /// No anchor covers the entry.
    #[error("no anchor covers the entry yet; refresh the receipt first")]
    Provisional,
}

impl CompactError {
    /// Whether a later version of this software may well read it.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Version)
    }
}

impl Receipt {
    /// The compact form.
    ///
    /// # Errors
    ///
    /// A [`CompactError`] when it does not fit, or no anchor covers the entry.
    pub fn encode_compact(&self) -> Result<Vec<u8>, CompactError> {
        if matches!(self.place, Place::Provisional { .. }) {
            return Err(CompactError::Provisional);
        }
        let damaged = CompactError::Form { what: "register" };
        let register = Statement::parse(self.register.entry.statement_bytes());
        let version = register.ok().and_then(|register| register_version(&register.issuer));
        let version = version.and_then(|version| u32::try_from(version).ok());
        let mut federation = [0; 8];
        federation.copy_from_slice(&self.federation.hash().as_bytes()[..8]);
        CompactReceipt {
            federation,
            version: version.ok_or(damaged)?,
            register_index: self.register.proof.index,
            entry: self.entry.clone(),
            place: self.place.clone(),
            events: self.events.clone(),
            disclosures: self.disclosures.clone(),
        }
        .encode()
    }
}

impl CompactReceipt {
    /// The bytes, which [`CompactReceipt::parse`] reads back.
    ///
    /// # Errors
    ///
    /// A [`CompactError`] when it does not fit.
    pub fn encode(&self) -> Result<Vec<u8>, CompactError> {
        let Place::Anchored(inclusion) = &self.place else { return Err(CompactError::Provisional) };
        let mut bytes = Vec::from(MAGIC);
        bytes.extend_from_slice(&self.federation);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.register_index.to_be_bytes());
        put_entry(&mut bytes, &self.entry, inclusion)?;
        put_count(&mut bytes, self.events.len(), "events")?;
        for Event { entry, inclusion } in &self.events {
            put_entry(&mut bytes, entry, inclusion)?;
        }
        put_count(&mut bytes, self.disclosures.len(), "disclosures")?;
        for (name, shown) in &self.disclosures {
            put_count(&mut bytes, name.len(), "disclosures")?;
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&shown.salt.0);
            put(&mut bytes, &canonicalize(&shown.value))?;
        }
        if bytes.len() > COMPACT_BYTES_MAX {
            return Err(CompactError::TooLong { met: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads the compact form; what is read encodes to `bytes` again.
    ///
    /// # Errors
    ///
    /// A [`CompactError`] that says what is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, CompactError> {
        if bytes.len() > COMPACT_BYTES_MAX {
            return Err(CompactError::TooLong { met: bytes.len() });
        }
        let receipt = Reader { rest: bytes }.receipt()?;
        if receipt.encode()? != bytes {
            return Err(CompactError::Form { what: "not its one encoding" });
        }
        Ok(receipt)
    }
}

fn put(bytes: &mut Vec<u8>, value: &[u8]) -> Result<(), CompactError> {
    let length = u16::try_from(value.len());
    let length = length.map_err(|_| CompactError::TooLong { met: value.len() })?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    Ok(())
}

fn put_count(bytes: &mut Vec<u8>, count: usize, what: &'static str) -> Result<(), CompactError> {
    bytes.push(u8::try_from(count).map_err(|_| CompactError::Form { what })?);
    Ok(())
}

fn put_entry(bytes: &mut Vec<u8>, entry: &Entry, place: &Inclusion) -> Result<(), CompactError> {
    put(bytes, entry.as_bytes())?;
    bytes.extend_from_slice(&place.index.to_be_bytes());
    put_count(bytes, place.path.len(), "path")?;
    for hash in &place.path {
        bytes.extend_from_slice(hash.as_bytes());
    }
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn receipt(mut self) -> Result<CompactReceipt, CompactError> {
        let magic: [u8; 4] = self.array("magic")?;
        if magic != MAGIC {
            let known = magic[..3] == MAGIC_FAMILY && magic[3].is_ascii_digit();
            let damaged = CompactError::Form { what: "magic" };
            return Err(if known { CompactError::Version } else { damaged });
        }
        let federation = self.array("federation")?;
        let version = u32::from_be_bytes(self.array("version")?);
        let register_index = self.number("index")?;
        let Event { entry, inclusion } = self.event()?;
        let events = (0..self.count(EVENTS_MAX, "events")?).map(|_| self.event());
        let events = events.collect::<Result<_, _>>()?;
        let disclosures = self.disclosures()?;
        if !self.rest.is_empty() {
            return Err(CompactError::Form { what: "bytes after the end" });
        }
        let place = Place::Anchored(inclusion);
        Ok(CompactReceipt {
            federation,
            version,
            register_index,
            entry,
            place,
            events,
            disclosures,
        })
    }

    fn event(&mut self) -> Result<Event, CompactError> {
        let entry = self.sized("entry")?;
        let entry = Entry::parse(Bytes::copy_from_slice(entry))
            .map_err(|_| CompactError::Form { what: "entry" })?;
        let index = self.number("index")?;
        let path = (0..self.count(INCLUSION_HASHES_MAX, "path")?)
            .map(|_| self.array("path").map(Hash))
            .collect::<Result<_, _>>()?;
        Ok(Event { entry, inclusion: Inclusion { index, path } })
    }

    fn disclosures(&mut self) -> Result<BTreeMap<String, Disclosure>, CompactError> {
        let damaged = CompactError::Form { what: "disclosures" };
        let mut disclosures = BTreeMap::new();
        for _ in 0..self.count(DISCLOSURES_MAX, "disclosures")? {
            let length = self.count(CLAIM_NAME_BYTES_MAX, "disclosures")?;
            let name = core::str::from_utf8(self.take(length, "disclosures")?);
            let name = name.map_err(|_| damaged.clone())?.to_string();
            let salt = Salt(self.array("disclosures")?);
            let value = parse_canonical(self.sized("disclosures")?).map_err(|_| damaged.clone())?;
            disclosures.insert(name, Disclosure { salt, value });
        }
        Ok(disclosures)
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], CompactError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(CompactError::Form { what })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CompactError> {
        self.take(N, what)?.try_into().map_err(|_| CompactError::Form { what })
    }

    fn count(&mut self, max: usize, what: &'static str) -> Result<usize, CompactError> {
        let count = usize::from(self.array::<1>(what)?[0]);
        if count > max { Err(CompactError::Form { what }) } else { Ok(count) }
    }

    fn number(&mut self, what: &'static str) -> Result<u64, CompactError> {
        self.array(what).map(u64::from_be_bytes)
    }

    fn sized(&mut self, what: &'static str) -> Result<&'a [u8], CompactError> {
        let length = u16::from_be_bytes(self.array(what)?);
        self.take(usize::from(length), what)
    }
}
