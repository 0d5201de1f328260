//! The compact receipt: small enough for one QR code on paper, verified against an authority bundle.
//!
//! It holds entry, place, root, signatures and disclosures, and neither authority nor later events.
//! What the bundle or the entry already says is left out: the log is the issuer's, witnesses are
//! seats of a charter version. Reading it gives a [`Receipt`] without authority, and from there on
//! the checks are the same.
//!
//! ```text
//! "HTC1" ‖ federation id [8] ‖ entry: length u16, bytes ‖ index u64 ‖ size u64 ‖ root [32]
//! ‖ hashes: count u8, 32 bytes each ‖ log signature [64]
//! ‖ charter version u32 ‖ cosignatures: count u8, each seat u8 ‖ seconds u64 ‖ signature [64]
//! ‖ disclosures: count u8, each name: length u8, bytes ‖ salt [32] ‖ value: length u16, bytes
//! ```
//!
//! Integers are big-endian; seats and names ascend, each once.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use bytes::Bytes;
use hutong_crypto::{
    Hash, PublicKey,
    checkpoint::Checkpoint,
    commitment::Salt,
    note::{Note, NoteSignature, SIGNATURE_TYPE_COSIGNATURE, SIGNATURE_TYPE_ED25519, key_id},
    proof::TlogProof,
};

use super::{
    authority::TrustedAuthority,
    model::{DISCLOSURES_MAX, Disclosure, Receipt},
};
use crate::{
    charter::{Charter, CharterChain},
    directory::Directory,
    entry::{Entry, EntryError},
    id::{ExchangeId, FederationId, Origin},
    json::{canonicalize, parse_canonical},
    statement::Statement,
};

/// Bytes of a compact receipt at most: one QR code of version 40 at level L holds 2,953 bytes.
pub const COMPACT_BYTES_MAX: usize = 2_900;

const MAGIC: [u8; 4] = *b"HTC1";
const MAGIC_FAMILY: [u8; 3] = *b"HTC";

/// Why there is no compact receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// It does not fit one QR code.
    #[error(
        "expected at most {COMPACT_BYTES_MAX} bytes, met {met}; show less or use the whole receipt"
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
    /// It belongs to another federation than the bundle.
    #[error("the compact receipt is of another federation than the authority bundle")]
    OtherFederation,
    /// Its witnesses sit on a council that the bundle does not know.
    #[error("charter version {version} is not in the authority bundle; load a newer one")]
    UnknownCharter {
        /// The version.
        version: u64,
    },
    /// Its issuer is no member by the bundle.
    #[error("{issuer} is no member by the authority bundle; load a newer one")]
    UnknownIssuer {
        /// The issuer.
        issuer: ExchangeId,
    },
    /// A cosignature is not by a council member of the charter in force.
    #[error("a signature line is neither the log's nor a council member's")]
    Line,
}

impl Receipt {
    /// The compact form. `charters` name the witnesses by their seats.
    ///
    /// # Errors
    ///
    /// A [`CompactError`] when it does not fit, or is signed by others than log and council.
    pub fn encode_compact(&self, charters: &CharterChain) -> Result<Vec<u8>, CompactError> {
        let text = &self.proof.checkpoint.text;
        let damaged = |what| CompactError::Form { what };
        let checkpoint = Checkpoint::parse(text).map_err(|_| damaged("checkpoint"))?;
        let Seats { version, cosigned } =
            seats(charters, &checkpoint.origin, &self.proof.checkpoint)?;
        let log_line = self.proof.checkpoint.signatures.iter();
        let log_line = log_line
            .clone()
            .find(|line| line.name == checkpoint.origin)
            .ok_or(CompactError::Line)?;
        let mut bytes = Vec::from(MAGIC);
        bytes.extend_from_slice(&self.federation.hash().as_bytes()[..8]);
        put(&mut bytes, u16::try_from(self.entry.as_bytes().len()).ok(), self.entry.as_bytes())?;
        bytes.extend_from_slice(&self.proof.index.to_be_bytes());
        bytes.extend_from_slice(&checkpoint.size.to_be_bytes());
        bytes.extend_from_slice(checkpoint.root.as_bytes());
        bytes.push(u8::try_from(self.proof.hashes.len()).map_err(|_| damaged("hashes"))?);
        for hash in &self.proof.hashes {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes.extend_from_slice(&log_line.signature);
        bytes.extend_from_slice(
            &u32::try_from(version).map_err(|_| damaged("version"))?.to_be_bytes(),
        );
        bytes.push(u8::try_from(cosigned.len()).map_err(|_| damaged("cosignatures"))?);
        for (seat, line) in cosigned {
            bytes.push(seat);
            bytes.extend_from_slice(&line.signature);
        }
        bytes.push(u8::try_from(self.disclosures.len()).map_err(|_| damaged("disclosures"))?);
        for (name, shown) in &self.disclosures {
            bytes.push(u8::try_from(name.len()).map_err(|_| damaged("disclosures"))?);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&shown.salt.0);
            let value = canonicalize(&shown.value);
            put(&mut bytes, u16::try_from(value.len()).ok(), &value)?;
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
    /// A [`CompactError`] that says what is damaged or missing.
    pub fn parse_compact(bytes: &[u8], authority: &TrustedAuthority) -> Result<Self, CompactError> {
        if bytes.len() > COMPACT_BYTES_MAX {
            return Err(CompactError::TooLong { met: bytes.len() });
        }
        let receipt = Reader { rest: bytes }.receipt(authority)?;
        if receipt.encode_compact(authority.charters())? != bytes {
            return Err(CompactError::Form { what: "not its one encoding" });
        }
        Ok(receipt)
    }
}

impl CompactError {
    /// Whether a newer bundle or a later version of this software may well read it.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Version | Self::UnknownCharter { .. } | Self::UnknownIssuer { .. })
    }
}

/// Who cosigned, by their seats in a charter version, in ascending order.
struct Seats<'a> {
    version: u64,
    cosigned: Vec<(u8, &'a NoteSignature)>,
}

/// The oldest charter version on whose council all sit who cosigned: the one that stays the same as
/// the chain grows, so that a receipt on paper has one encoding for good.
fn seats<'a>(
    charters: &CharterChain,
    origin: &str,
    note: &'a Note,
) -> Result<Seats<'a>, CompactError> {
    let federation = charters.federation_id();
    'versions: for version in charters.versions() {
        let mut cosigned = Vec::new();
        for line in note.signatures.iter().filter(|line| line.name != origin) {
            let Some(seat) = seat_of(version.charter(), &federation, line) else {
                continue 'versions;
            };
            cosigned.push((seat, line));
        }
        cosigned.sort_by_key(|(seat, _)| *seat);
        return Ok(Seats { version: version.charter().version, cosigned });
    }
    Err(CompactError::Line)
}

fn seat_of(charter: &Charter, federation: &FederationId, line: &NoteSignature) -> Option<u8> {
    let seat = charter.council.iter().position(|seat| {
        let seat = seat.descriptor();
        let name = seat.witness_name(federation);
        line.name == name
            && line.key_id == key_id(&name, SIGNATURE_TYPE_COSIGNATURE, &seat.witness_key)
            && line.signature.len() == 72
    });
    u8::try_from(seat?).ok()
}

fn put(bytes: &mut Vec<u8>, length: Option<u16>, value: &[u8]) -> Result<(), CompactError> {
    let length = length.ok_or(CompactError::TooLong { met: value.len() })?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn receipt(mut self, authority: &TrustedAuthority) -> Result<Receipt, CompactError> {
        let federation = authority.charters().federation_id();
        let magic: [u8; 4] = self.array("magic")?;
        if magic != MAGIC {
            let known = magic[..3] == MAGIC_FAMILY && magic[3].is_ascii_digit();
            let damaged = CompactError::Form { what: "magic" };
            return Err(if known { CompactError::Version } else { damaged });
        }
        if self.take(8, "federation")? != &federation.hash().as_bytes()[..8] {
            return Err(CompactError::OtherFederation);
        }
        let entry = self.sized("entry")?;
        let entry = Entry::parse(Bytes::copy_from_slice(entry)).map_err(|error| match error {
            EntryError::Version(_) => CompactError::Version,
            _ => CompactError::Form { what: "entry" },
        })?;
        let (index, size) = (self.number("index")?, self.number("size")?);
        let root = Hash(self.array("root")?);
        let count = self.byte("hashes")?;
        let hashes =
            (0..count).map(|_| self.array("hashes").map(Hash)).collect::<Result<Vec<_>, _>>()?;
        let issuer = Statement::parse(entry.statement_bytes())
            .map_err(|_| CompactError::Form { what: "statement" })?
            .issuer;
        let checkpoint = Checkpoint::new(Origin::new(&federation, &issuer).as_str(), size, root);
        let key = log_key(authority.directory(), &issuer, size)?;
        let mut signatures = Vec::from([NoteSignature {
            name: checkpoint.origin.clone(),
            key_id: key_id(&checkpoint.origin, SIGNATURE_TYPE_ED25519, &key),
            signature: self.take(64, "log signature")?.to_vec(),
        }]);
        signatures.extend(self.cosignatures(authority.charters())?);
        let disclosures = self.disclosures()?;
        if !self.rest.is_empty() {
            return Err(CompactError::Form { what: "bytes after the end" });
        }
        let checkpoint = Note { text: checkpoint.encode(), signatures };
        let proof = TlogProof { index, hashes, checkpoint, extra: None };
        let (authority, events) = (None, Vec::new());
        Ok(Receipt { federation, entry, proof, disclosures, authority, events, as_of: size })
    }

    fn cosignatures(
        &mut self,
        charters: &CharterChain,
    ) -> Result<Vec<NoteSignature>, CompactError> {
        let version = u64::from(u32::from_be_bytes(self.array("version")?));
        let charter =
            charters.version_at(version).ok_or(CompactError::UnknownCharter { version })?.charter();
        let federation = charters.federation_id();
        let count = self.byte("cosignatures")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let seat = charter.council.get(usize::from(self.byte("seat")?));
            let seat = seat.ok_or(CompactError::Form { what: "seat" })?.descriptor();
            let name = seat.witness_name(&federation);
            let key_id = key_id(&name, SIGNATURE_TYPE_COSIGNATURE, &seat.witness_key);
            let signature = self.take(72, "cosignature")?.to_vec();
            lines.push(NoteSignature { name, key_id, signature });
        }
        Ok(lines)
    }

    fn disclosures(&mut self) -> Result<BTreeMap<String, Disclosure>, CompactError> {
        let damaged = CompactError::Form { what: "disclosures" };
        let count = usize::from(self.byte("disclosures")?);
        if count > DISCLOSURES_MAX {
            return Err(damaged);
        }
        let mut disclosures = BTreeMap::new();
        for _ in 0..count {
            let length = usize::from(self.byte("disclosures")?);
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

    fn byte(&mut self, what: &'static str) -> Result<u8, CompactError> {
        self.array::<1>(what).map(|byte| byte[0])
    }

    fn number(&mut self, what: &'static str) -> Result<u64, CompactError> {
        self.array(what).map(u64::from_be_bytes)
    }

    fn sized(&mut self, what: &'static str) -> Result<&'a [u8], CompactError> {
        let length = u16::from_be_bytes(self.array(what)?);
        self.take(usize::from(length), what)
    }
}

fn log_key(
    directory: &Directory,
    issuer: &ExchangeId,
    size: u64,
) -> Result<PublicKey, CompactError> {
    directory
        .log_key_at(issuer, size)
        .ok_or_else(|| CompactError::UnknownIssuer { issuer: issuer.clone() })
}
