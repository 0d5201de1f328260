//! What gives issuers authority: the charters, each with the proof that it took effect, and bundles, which add
//! what anchors say of every member.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use bytes::Bytes;
use hutong_crypto::{
    Hash,
    merkle::MemoryTree,
    proof::{TlogProof, TlogProofError},
};
use serde_json::{Value, json};

use super::{
    prover::{ProofProblem, Proven, Prover, Witnessed},
    verifier::OneByOne,
};
use crate::{
    charter::{Charter, CharterChain, Extend, ExtendError, SignedCharter, SignedCharterError},
    date::Date,
    directory::{Anchor, AnchorLeaf, OpenError, OpenedMember, Prefix, RecordAct, WholeState},
    entry::{Entry, EntryError},
    fields::{FieldError, Fields, base64},
    id::{ExchangeId, FederationId},
    json::{JsonError, canonicalize, parse_canonical},
    limits::ENTRY_BYTES_MAX,
    time::Timestamp,
};

/// The `format` member of an authority bundle.
const BUNDLE_FORMAT: &str = "hutong-authority/1";

/// Bytes of an authority bundle at most: 3,400 members at 2 KiB, and some thousand changes of each anchor.
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;

/// Charter versions at most: more than two a year for a century.
const CHARTERS_MAX: usize = 256;

/// Anchors of a bundle at most: one a day for ten years.
const ANCHORS_MAX: usize = 4_096;

/// Leaves of one anchor, and states of one bundle, at most.
const MEMBERS_MAX: usize = 1 << 18;

/// An entry of a register with its proof. Neither is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The entry.
    pub entry: Entry,
    /// Its index and the register's checkpoint.
    pub proof: TlogProof,
}

/// The charters, from the founding one on. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Every version.
    pub charters: Vec<SignedCharter>,
    /// For each version but the last, the entry of its register by which the next one took effect.
    pub successions: Vec<ProvenEntry>,
}

/// An authority bundle: what a verifier loads once. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The charters.
    pub authority: Authority,
    /// Anchors, from the earliest on.
    pub anchors: Vec<BundleAnchor>,
    /// The states that the anchors' leaves name, in any order.
    pub states: Vec<WholeState>,
}

/// An anchor in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleAnchor {
    /// The register's anchor.
    pub register: ProvenEntry,
    /// Its leaves that differ from those of the anchor before it in the bundle.
    pub leaves: Vec<AnchorLeaf>,
}

/// Authority that was verified: from a bundle that a verifier loads once, or charters that it holds.
#[derive(Debug, Clone)]
pub struct TrustedAuthority {
    pub(super) chain: ProvenChain,
    anchors: BTreeMap<(u64, u64), (Anchor, Witnessed)>,
    /// The leaves of each member, by the anchor that changed them.
    leaves: BTreeMap<ExchangeId, BTreeMap<(u64, u64), AnchorLeaf>>,
    states: BTreeMap<Hash, OpenedMember>,
}

/// Charters that took effect one after the other, and where the registers of all but the last closed.
#[derive(Debug, Clone)]
pub(super) struct ProvenChain {
    pub(super) charters: CharterChain,
    closings: BTreeMap<u64, Prefix>,
}

/// Why authority is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Too many bytes.
    #[error("expected an authority bundle of at most {BUNDLE_BYTES_MAX} bytes, got {met}")]
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
    /// There is no charter.
    #[error("expected the founding charter, got no charter at all")]
    NoCharter,
    /// A charter is there twice.
    #[error("charter version {version} is there twice")]
    CharterTwice {
        /// The version.
        version: u64,
    },
    /// The founding charter is another federation's.
    #[error("expected the authority of federation {expected}, got {met}")]
    OtherFederation {
        /// Asked for.
        expected: FederationId,
        /// The actual one.
        met: FederationId,
    },
    /// Not one succession for each version but the last.
    #[error("expected {expected} successions, one for each charter but the last, got {met}")]
    Successions {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        met: usize,
    },
    /// A succession does not make the next version take effect.
    #[error("charter version {version} is not shown to be in effect: {problem}")]
    Succession {
        /// The version.
        version: u64,
        /// Why not.
        problem: ProofProblem,
    },
    /// An entry is not in form.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A proof is not in form.
    #[error(transparent)]
    ProofForm(#[from] TlogProofError),
    /// An anchor is not proven.
    #[error("anchor {index} does not hold: {problem}")]
    Anchor {
        /// Its index in its register.
        index: u64,
        /// Why not.
        problem: ProofProblem,
    },
    /// Anchors do not ascend, or leaves do not make an anchor's root.
    #[error("the leaves do not make the root of anchor {index}, or the anchors do not ascend")]
    Leaves {
        /// Its index in its register.
        index: u64,
    },
    /// A state is out of form.
    #[error(transparent)]
    State(#[from] OpenError),
    /// No state is given for a leaf, or another member's.
    #[error("the bundle has no state for the leaf of {id}")]
    NoState {
        /// The member.
        id: ExchangeId,
    },
}

impl AuthorityError {
    /// Whether a later version of this software may well read it.
    pub(super) fn is_unknown_version(&self) -> bool {
        match self {
            Self::Succession { problem, .. } | Self::Anchor { problem, .. } => problem.is_unknown(),
            _ => false,
        }
    }
}

impl ProvenEntry {
    pub(super) fn from_value(value: &Value) -> Result<Self, AuthorityError> {
        let fields = Fields::open(value, "proven entry")?;
        fields.only(&["entry", "proof"])?;
        Self::read(&fields)
    }

    fn read(fields: &Fields<'_>) -> Result<Self, AuthorityError> {
        Ok(Self { entry: read_entry(fields)?, proof: read_proof(fields)? })
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ "entry": entry_value(&self.entry), "proof": self.proof.encode() })
    }
}

impl Authority {
    pub(super) fn from_value(value: &Value) -> Result<Self, AuthorityError> {
        let fields = Fields::open(value, "authority")?;
        fields.only(&["charters", "successions"])?;
        Self::read(&fields)
    }

    fn read(fields: &Fields<'_>) -> Result<Self, AuthorityError> {
        let charters = fields.list("charters", CHARTERS_MAX)?;
        let successions = fields.list("successions", CHARTERS_MAX)?;
        Ok(Self {
            charters: charters.iter().map(SignedCharter::from_value).collect::<Result<_, _>>()?,
            successions: successions
                .iter()
                .map(ProvenEntry::from_value)
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let charters: Vec<Value> = self.charters.iter().map(SignedCharter::to_value).collect();
        let successions: Vec<Value> = self.successions.iter().map(ProvenEntry::to_value).collect();
        json!({ "charters": charters, "successions": successions })
    }
}

impl Bundle {
    /// The file form, `*.hutong-authority.json`.
    pub fn encode(&self) -> Vec<u8> {
        let anchors = self.anchors.iter().map(|anchor| {
            let mut value = anchor.register.to_value();
            value["leaves"] = anchor.leaves.iter().map(AnchorLeaf::to_value).collect();
            value
        });
        let mut value = self.authority.to_value();
        value["anchors"] = anchors.collect();
        value["format"] = json!(BUNDLE_FORMAT);
        value["states"] = self.states.iter().map(WholeState::to_value).collect();
        canonicalize(&value)
    }

    /// Reads the file form.
    ///
    /// # Errors
    ///
    /// An [`AuthorityError`] that names the part at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuthorityError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(AuthorityError::TooLong { met: bytes.len() });
        }
        let value = parse_canonical(bytes).map_err(AuthorityError::Json)?;
        let fields = Fields::open(&value, "authority bundle")?;
        if fields.text("format")? != BUNDLE_FORMAT {
            return Err(fields.error("format", "`hutong-authority/1`").into());
        }
        fields.only(&["anchors", "charters", "format", "states", "successions"])?;
        let anchors = fields.list("anchors", ANCHORS_MAX)?.iter().map(|anchor| {
            let fields = Fields::open(anchor, "anchor")?;
            fields.only(&["entry", "leaves", "proof"])?;
            let leaves = fields.list("leaves", MEMBERS_MAX)?.iter().map(AnchorLeaf::from_value);
            Ok(BundleAnchor {
                register: ProvenEntry::read(&fields)?,
                leaves: leaves.collect::<Result<_, _>>()?,
            })
        });
        let states = fields.list("states", MEMBERS_MAX)?.iter().map(WholeState::from_value);
        Ok(Self {
            authority: Authority::read(&fields)?,
            anchors: anchors.collect::<Result<_, AuthorityError>>()?,
            states: states.collect::<Result<_, _>>()?,
        })
    }
}

impl ProvenChain {
    /// Verifies the charters as one chain, each with every signature, and that each took effect.
    pub(super) fn verify(
        authority: &Authority,
        expected: &FederationId,
        prover: &mut Prover<'_>,
    ) -> Result<Self, AuthorityError> {
        let mut signed = authority.charters.iter().cloned();
        let mut charters = CharterChain::found(signed.next().ok_or(AuthorityError::NoCharter)?)?;
        let met = charters.federation_id();
        if met != *expected {
            return Err(AuthorityError::OtherFederation { expected: *expected, met });
        }
        for charter in signed {
            let version = charter.charter().version;
            match charters.extend(charter)? {
                Extend::Added => {}
                Extend::Known => return Err(AuthorityError::CharterTwice { version }),
            }
        }
        let (expected, met) = (charters.versions().len() - 1, authority.successions.len());
        if expected != met {
            return Err(AuthorityError::Successions { expected, met });
        }
        let mut closings = BTreeMap::new();
        for (pair, proven) in charters.versions().windows(2).zip(&authority.successions) {
            let [before, after] = pair else { continue };
            let (version, charter) = (after.charter().version, after.charter());
            let closing = prover
                .prove_record(proven, before.charter())
                .and_then(|proven| closing(&proven, charter, after.digest()))
                .map_err(|problem| AuthorityError::Succession { version, problem })?;
            closings.insert(before.charter().version, closing);
        }
        Ok(Self { charters, closings })
    }

    /// Adds what `other` has beyond this chain; `None` where the two contradict each other.
    pub(super) fn join(mut self, other: &Self) -> Option<Self> {
        for version in other.charters.versions() {
            self.charters.extend(version.signed().clone()).ok()?;
        }
        for (version, closing) in &other.closings {
            if self.closings.insert(*version, *closing).is_some_and(|known| known != *closing) {
                return None;
            }
        }
        Some(self)
    }

    /// The charter of that version.
    pub(super) fn charter(&self, version: u64) -> Option<&Charter> {
        self.charters.version_at(version).map(|version| version.charter())
    }

    /// Checks an anchor. One of a version that is no more in force counts only where the register's closing
    /// checkpoint proves it, or the verifier's bundle has it: retired keys may be in any hands.
    pub(super) fn prove_anchor(
        &self,
        register: &ProvenEntry,
        trusted: Option<&TrustedAuthority>,
        prover: &mut Prover<'_>,
    ) -> Result<(Anchor, Witnessed), ProofProblem> {
        let version = register_of(&register.entry)?;
        let charter = self.charter(version).ok_or(ProofProblem::UnknownCharter { version })?;
        let Proven { record, index, witnessed } = prover.prove_record(register, charter)?;
        let RecordAct::Anchor { leaves, root } = record.act else {
            return Err(ProofProblem::OtherRecord);
        };
        let day = record.day;
        let time = witnessed.quorum_seconds.map(Timestamp::from_seconds);
        if time.is_some_and(|time| Date::of(time) < day.minus_days(1)) {
            return Err(ProofProblem::Backdated { day });
        }
        let anchor = Anchor { version, index, day, leaves, root };
        let known = trusted.and_then(|trusted| trusted.anchor(version, index));
        match known {
            Some((known, _)) if *known != anchor => return Err(ProofProblem::SplitView { index }),
            Some(_) => {}
            None => {
                let closed = version < self.charters.version();
                if closed && self.closings.get(&version) != Some(&witnessed.head) {
                    return Err(ProofProblem::Retired { version });
                }
            }
        }
        Ok((anchor, witnessed))
    }
}

/// The version of the register that an entry claims to be of.
fn register_of(entry: &Entry) -> Result<u64, ProofProblem> {
    let statement = crate::statement::Statement::parse(entry.statement_bytes());
    let issuer = statement.map_err(|_| ProofProblem::OtherRecord)?.issuer;
    crate::directory::register_version(&issuer).ok_or(ProofProblem::OtherRecord)
}

/// The tree of a register that `proven`, the record that `next` takes effect, closes: it is the last leaf, since
/// witnesses cosign nothing behind it.
fn closing(proven: &Proven, next: &Charter, digest: Hash) -> Result<Prefix, ProofProblem> {
    let named = matches!(proven.record.act, RecordAct::Succession { charter } if charter == digest);
    let in_time = next.succession.as_ref().is_some_and(|it| proven.record.day <= it.until);
    if !named || !in_time {
        return Err(ProofProblem::OtherRecord);
    }
    if proven.index + 1 != proven.witnessed.head.size {
        return Err(ProofProblem::NotLast);
    }
    Ok(proven.witnessed.head)
}

impl TrustedAuthority {
    /// Verifies everything in `bundle` for the federation `expected`.
    ///
    /// # Errors
    ///
    /// An [`AuthorityError`]: the first part that does not hold.
    pub fn verify(bundle: &Bundle, expected: &FederationId) -> Result<Self, AuthorityError> {
        let mut prover = Prover::new(*expected, &OneByOne);
        let chain = ProvenChain::verify(&bundle.authority, expected, &mut prover)?;
        let mut trusted = Self::of_chain(chain);
        for state in &bundle.states {
            trusted.states.insert(state.digest(), state.read()?);
        }
        let mut hashes: BTreeMap<&ExchangeId, Hash> = BTreeMap::new();
        for BundleAnchor { register, leaves: changed } in &bundle.anchors {
            let index = register.proof.index;
            let (anchor, witnessed) = trusted
                .chain
                .prove_anchor(register, None, &mut prover)
                .map_err(|problem| AuthorityError::Anchor { index, problem })?;
            hashes.extend(changed.iter().map(|leaf| (&leaf.id, leaf.hash())));
            let mut tree = MemoryTree::default();
            for hash in hashes.values() {
                tree.push(*hash);
            }
            let place = (anchor.version, index);
            let ascends = trusted.anchors.last_key_value().is_none_or(|(last, _)| *last < place);
            if !ascends || tree.size() != anchor.leaves || tree.root() != anchor.root {
                return Err(AuthorityError::Leaves { index });
            }
            trusted.anchors.insert(place, (anchor, witnessed));
            for leaf in changed {
                let state = trusted.states.get(&leaf.state);
                if state.is_none_or(|state| state.id != leaf.id) {
                    return Err(AuthorityError::NoState { id: leaf.id.clone() });
                }
                trusted.leaves.entry(leaf.id.clone()).or_default().insert(place, leaf.clone());
            }
        }
        Ok(trusted)
    }

    /// Charters that the verifier holds and vouches for itself, such as its own charter file.
    pub fn of_charters(charters: CharterChain) -> Self {
        Self::of_chain(ProvenChain { charters, closings: BTreeMap::new() })
    }

    fn of_chain(chain: ProvenChain) -> Self {
        let (anchors, leaves, states) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { chain, anchors, leaves, states }
    }

    /// The federation's charters.
    pub fn charters(&self) -> &CharterChain {
        &self.chain.charters
    }

    /// The newest anchor, if there is one.
    pub fn newest(&self) -> Option<&Anchor> {
        self.anchors.last_key_value().map(|(_, (anchor, _))| anchor)
    }

    /// The members that the newest anchor has.
    pub fn members(&self) -> BTreeSet<&ExchangeId> {
        self.leaves.keys().collect()
    }

    /// The anchor at that index of the register of charter `version`.
    pub(super) fn anchor(&self, version: u64, index: u64) -> Option<&(Anchor, Witnessed)> {
        self.anchors.get(&(version, index))
    }

    /// What an anchor of the bundle says of `id`.
    pub(super) fn standing(
        &self,
        anchor: &Anchor,
        id: &ExchangeId,
    ) -> Option<(&AnchorLeaf, &OpenedMember)> {
        let leaves = self.leaves.get(id)?.range(..=(anchor.version, anchor.index));
        let (_, leaf) = leaves.last()?;
        Some((leaf, self.states.get(&leaf.state)?))
    }
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
