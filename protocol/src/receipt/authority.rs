//! Authority as receipts and bundles carry it: charters, and proven statements about members.

use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;
use hutong_crypto::proof::{TlogProof, TlogProofError};
use serde_json::{Value, json};

use super::prover::{ProofProblem, Prover};
use super::verifier::OneByOne;
use crate::{
    charter::{CharterChain, ExtendError, SignedCharter, SignedCharterError},
    directory::{AdminFact, Directory, FactRef, FactVoid, Facts},
    entry::{Entry, EntryError, SUITE_ED25519},
    fields::{FieldError, Fields, base64},
    id::{ExchangeId, FederationId, Origin},
    json::{JsonError, canonicalize, parse_canonical},
    limits::ENTRY_BYTES_MAX,
};

/// The `format` member of an authority bundle.
const BUNDLE_FORMAT: &str = "hutong-authority/1";

/// Bytes of an authority bundle at most: 3,400 exchanges with an admission and one more decision
/// each, at 6 KiB with its proof, and the charters.
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;

/// Facts of a bundle at most: two for each of 3,400 exchanges, and as many again.
const BUNDLE_FACTS_MAX: usize = 16_384;

/// Versions of the charter at most in one file: one a year for two centuries.
const CHARTERS_MAX: usize = 256;

/// An entry with the proof that it is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The entry.
    pub entry: Entry,
    /// Its place and the checkpoint.
    pub proof: TlogProof,
}

/// What gives issuers authority. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Every version of the charter, from the founding one on.
    pub charters: Vec<SignedCharter>,
    /// Statements about members.
    pub facts: Vec<ProvenEntry>,
}

/// Authority that was verified: from a bundle that a verifier loads once.
#[derive(Debug, Clone)]
pub struct TrustedAuthority {
    pub(super) charters: CharterChain,
    pub(super) facts: Facts,
    pub(super) directory: Directory,
}

/// Why authority is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Too many bytes.
    #[error("expected an authority bundle of at most {BUNDLE_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// How many.
        met: usize,
    },
    /// Not canonical JSON.
    #[error("the file is not canonical JSON: {0}")]
    Json(JsonError),
    /// A member is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A charter is not in form.
    #[error(transparent)]
    SignedCharter(#[from] SignedCharterError),
    /// A charter does not follow.
    #[error(transparent)]
    Charter(#[from] ExtendError),
    /// A charter is there twice, or contradicts another.
    #[error("charter version {version} is there twice")]
    CharterTwice {
        /// The version.
        version: u64,
    },
    /// There is no charter.
    #[error("expected the founding charter, met no charter at all")]
    NoCharter,
    /// The founding charter is another federation's.
    #[error("expected the authority of federation {expected}, met {met}")]
    OtherFederation {
        /// Asked for.
        expected: FederationId,
        /// Met.
        met: FederationId,
    },
    /// An entry is not in form.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A proof is not in form.
    #[error(transparent)]
    ProofForm(#[from] TlogProofError),
    /// A proof's checkpoint names no log of a federation.
    #[error("a fact's checkpoint names no log of a federation")]
    Origin,
    /// A fact is signed in a suite that this version does not know.
    #[error("suite {met} of a fact is not known; expected {SUITE_ED25519}")]
    Suite {
        /// The suite met.
        met: u8,
    },
    /// A fact is no statement about a member.
    #[error("entry {index} of {log} is no statement about a member in form")]
    NotAFact {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
    },
    /// A fact's signature does not hold.
    #[error("the signature of entry {index} of {log} does not hold")]
    FactSignature {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
    },
    /// Two facts are for one place.
    #[error("entry {index} of {log} is there twice")]
    FactTwice {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
    },
    /// A proof does not hold.
    #[error("entry {index} of {log}: {problem}")]
    Proof {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
        /// Why not.
        problem: ProofProblem,
    },
}

impl AuthorityError {
    /// Whether a later version of this software may well read it.
    pub(super) fn is_unknown_version(&self) -> bool {
        matches!(self, Self::Suite { .. } | Self::Entry(EntryError::Version(_)))
    }
}

impl ProvenEntry {
    /// The log that the proof's checkpoint names, whichever the federation; `None` for another kind
    /// of name.
    pub fn log(&self) -> Option<ExchangeId> {
        let origin: Origin = self.proof.checkpoint.text.lines().next()?.parse().ok()?;
        Some(origin.exchange().clone())
    }

    pub(super) fn from_value(value: &Value) -> Result<Self, AuthorityError> {
        let fields = Fields::open(value, "proven entry")?;
        fields.only(&["entry", "proof"])?;
        Ok(Self { entry: read_entry(&fields)?, proof: read_proof(&fields)? })
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ "entry": entry_value(&self.entry), "proof": self.proof.encode() })
    }
}

impl Authority {
    pub(super) fn from_value(value: &Value, facts_max: usize) -> Result<Self, AuthorityError> {
        let fields = Fields::open(value, "authority")?;
        fields.only(&["charters", "facts"])?;
        Self::read(&fields, facts_max)
    }

    fn read(fields: &Fields<'_>, facts_max: usize) -> Result<Self, AuthorityError> {
        let charters = fields.list("charters", CHARTERS_MAX)?;
        let facts = fields.list("facts", facts_max)?;
        Ok(Self {
            charters: charters.iter().map(SignedCharter::from_value).collect::<Result<_, _>>()?,
            facts: facts.iter().map(ProvenEntry::from_value).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let charters: Vec<Value> = self.charters.iter().map(SignedCharter::to_value).collect();
        let facts: Vec<Value> = self.facts.iter().map(ProvenEntry::to_value).collect();
        json!({ "charters": charters, "facts": facts })
    }

    /// The file form of an authority bundle, `*.hutong-authority.json`.
    pub fn encode_bundle(&self) -> Vec<u8> {
        let mut value = self.to_value();
        value["format"] = json!(BUNDLE_FORMAT);
        canonicalize(&value)
    }

    /// Reads the file form of an authority bundle.
    ///
    /// # Errors
    ///
    /// An [`AuthorityError`] that names the part at fault.
    pub fn parse_bundle(bytes: &[u8]) -> Result<Self, AuthorityError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(AuthorityError::TooLong { met: bytes.len() });
        }
        let value = parse_canonical(bytes).map_err(AuthorityError::Json)?;
        let fields = Fields::open(&value, "authority bundle")?;
        fields.only(&["charters", "facts", "format"])?;
        if fields.text("format")? != BUNDLE_FORMAT {
            return Err(fields.error("format", "`hutong-authority/1`").into());
        }
        Self::read(&fields, BUNDLE_FACTS_MAX)
    }

    /// Verifies the charters, each with every signature, as one chain.
    pub(super) fn chain(&self) -> Result<CharterChain, AuthorityError> {
        let mut charters = self.charters.iter().cloned();
        let mut chain = CharterChain::found(charters.next().ok_or(AuthorityError::NoCharter)?)?;
        for charter in charters {
            let version = charter.charter().version;
            match chain.extend(charter)? {
                crate::charter::Extend::Added => {}
                _ => return Err(AuthorityError::CharterTwice { version }),
            }
        }
        Ok(chain)
    }

    /// Checks the signature of every fact by the strict rule.
    pub(super) fn signed_facts(&self) -> Result<Facts, AuthorityError> {
        let mut facts = Facts::new();
        for proven in &self.facts {
            let (place, fact) = signed_fact(proven)?;
            let (log, index) = (place.log.clone(), place.index);
            if !facts.insert_fact(place, Arc::new(fact)) {
                return Err(AuthorityError::FactTwice { log, index });
            }
        }
        Ok(facts)
    }
}

impl TrustedAuthority {
    /// Verifies everything in `authority` for the federation `expected`.
    ///
    /// Statements about members that do not count are kept: [`TrustedAuthority::void_facts`].
    ///
    /// # Errors
    ///
    /// An [`AuthorityError`]: the first part that does not hold.
    pub fn verify(authority: &Authority, expected: &FederationId) -> Result<Self, AuthorityError> {
        let charters = authority.chain()?;
        let met = charters.federation_id();
        if met != *expected {
            return Err(AuthorityError::OtherFederation { expected: *expected, met });
        }
        let facts = authority.signed_facts()?;
        let directory = Directory::build(&charters, &facts);
        let mut prover = Prover::new(&charters, &directory, &OneByOne);
        for proven in &authority.facts {
            let (place, _) = signed_fact(proven)?;
            if let Err(problem) = prover.prove(&proven.entry, &proven.proof) {
                let FactRef { log, index } = place;
                return Err(AuthorityError::Proof { log, index, problem });
            }
        }
        Ok(Self { charters, facts, directory })
    }

    /// The federation's charters.
    pub fn charters(&self) -> &CharterChain {
        &self.charters
    }

    /// The federation's members.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Statements about members that do not count, and why.
    pub fn void_facts(&self) -> impl Iterator<Item = (&FactRef, &FactVoid)> {
        self.directory.void_facts().iter()
    }
}

/// Where a fact stands by its proof, and what it says, if its signature holds strictly.
fn signed_fact(proven: &ProvenEntry) -> Result<(FactRef, AdminFact), AuthorityError> {
    let index = proven.proof.index;
    if proven.entry.suite() != SUITE_ED25519 {
        return Err(AuthorityError::Suite { met: proven.entry.suite() });
    }
    let log = proven.log().ok_or(AuthorityError::Origin)?;
    let Some(fact) = AdminFact::read(&proven.entry) else {
        return Err(AuthorityError::NotAFact { log, index });
    };
    if !fact.is_strictly_signed() {
        return Err(AuthorityError::FactSignature { log, index });
    }
    Ok((FactRef { log, index }, fact))
}

pub(super) fn read_entry(fields: &Fields<'_>) -> Result<Entry, AuthorityError> {
    let bytes = fields.base64("entry", ENTRY_BYTES_MAX)?;
    Ok(Entry::parse(Bytes::from(bytes))?)
}

pub(super) fn read_proof(fields: &Fields<'_>) -> Result<TlogProof, AuthorityError> {
    Ok(TlogProof::parse(fields.text("proof")?)?)
}

/// The text form that [`read_entry`] reads.
pub(super) fn entry_value(entry: &Entry) -> Value {
    json!(base64(entry.as_bytes()))
}
