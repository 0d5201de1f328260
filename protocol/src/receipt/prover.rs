//! Checking that an entry is in its log, under a checkpoint that a witness quorum cosigned.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use hutong_crypto::{
    Hash, PublicKey, Signature,
    checkpoint::Checkpoint,
    cosignature::verify_cosignature_by,
    merkle::VerifyError,
    note::{Note, NoteSignature},
    proof::TlogProof,
};

use super::verifier::StrictRule;
use crate::{
    charter::{Charter, CharterChain},
    directory::{Directory, Member},
    entry::Entry,
    id::{ExchangeId, FederationId, Origin},
};

/// What the name of a witness's key ends with, after its log's origin.
const WITNESS_SUFFIX: &str = "/witness";

/// Checks proofs within one federation, each checkpoint once.
pub(super) struct Prover<'a> {
    federation: FederationId,
    charters: &'a CharterChain,
    directory: &'a Directory,
    rule: &'a dyn StrictRule,
    notes: Notes,
    roots: Roots,
}

/// What came of the signatures on checkpoints, by their notes. Depends on charters and directory alone.
pub(super) type Notes = BTreeMap<String, Result<Arc<Signed>, ProofProblem>>;

/// The roots met in one receipt, by log and size.
pub(super) type Roots = BTreeMap<(ExchangeId, u64), Hash>;

/// A checkpoint whose every signature holds.
#[derive(Debug)]
pub(super) struct Signed {
    log: ExchangeId,
    checkpoint: Checkpoint,
    cosigned: Vec<Cosigned>,
}

/// A checkpoint whose every signature holds, with its quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witnessed {
    pub(super) log: ExchangeId,
    pub(super) checkpoint: Checkpoint,
    /// Whose cosignatures hold.
    pub(super) witnesses: BTreeSet<ExchangeId>,
    /// When the quorum was complete, in seconds; `None` where the charter asks for none.
    pub(super) quorum_seconds: Option<u64>,
    /// The latest cosignature, in seconds.
    pub(super) last_seconds: Option<u64>,
    /// The version of the charter whose quorum it is.
    pub(super) charter_version: u64,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofProblem {
    /// There is an extra line, which nothing vouches for.
    #[error("the proof has an extra line, which a receipt's must not have")]
    Extra,
    /// The checkpoint is out of form, has extension lines, or is another federation's.
    #[error("the checkpoint is not of a log of this federation")]
    Origin,
    /// The log's owner is no member by what is known here.
    #[error("no key is known for the log of {log}: its admission is missing or void")]
    UnknownLog {
        /// Whose log.
        log: ExchangeId,
    },
    /// The log's signature is missing or does not hold.
    #[error("the log's signature on its checkpoint does not hold")]
    LogSignature,
    /// The checkpoint is signed by a key that the log no longer had at that size.
    #[error("the checkpoint of {log} is signed by a key that was replaced before size {size}")]
    ReplacedKey {
        /// Whose log.
        log: ExchangeId,
        /// The checkpoint's size.
        size: u64,
    },
    /// A signature line is by a key that is not known, or does not hold.
    #[error("the signature line of {name} is by no known witness or does not hold")]
    Line {
        /// The name in the line.
        name: String,
    },
    /// Two signature lines are by one name.
    #[error("{name} signed the checkpoint twice")]
    LineTwice {
        /// The name.
        name: String,
    },
    /// The cosignatures that hold are too few.
    #[error("{met} cosignatures hold, which is no quorum of any version of the charter")]
    NoQuorum {
        /// How many hold.
        met: usize,
    },
    /// The hashes do not lead from the entry to the root.
    #[error("the entry is not in the log at this index: {0}")]
    Inclusion(VerifyError),
    /// Two checkpoints of one size have different roots.
    #[error("two checkpoints of {log} at size {size} have different roots: the log equivocated")]
    SplitView {
        /// Whose log.
        log: ExchangeId,
        /// The size.
        size: u64,
    },
}

impl<'a> Prover<'a> {
    pub(super) fn new(
        charters: &'a CharterChain,
        directory: &'a Directory,
        rule: &'a dyn StrictRule,
    ) -> Self {
        let federation = charters.federation_id();
        let (notes, roots) = (Notes::new(), Roots::new());
        Self { federation, charters, directory, rule, notes, roots }
    }

    /// Goes on from what is known of checkpoints already, and from the roots of what this receipt shares
    /// with others.
    pub(super) fn resume(mut self, notes: Notes, roots: Roots) -> Self {
        (self.notes, self.roots) = (notes, roots);
        self
    }

    pub(super) fn into_parts(self) -> (Notes, Roots) {
        (self.notes, self.roots)
    }

    /// The rule by which signatures hold.
    pub(super) const fn rule(&self) -> &'a dyn StrictRule {
        self.rule
    }

    /// Checks that `entry` is where `proof` says.
    pub(super) fn prove(
        &mut self,
        entry: &Entry,
        proof: &TlogProof,
    ) -> Result<Witnessed, ProofProblem> {
        if proof.extra.is_some() {
            return Err(ProofProblem::Extra);
        }
        let witnessed = self.witnessed(&proof.checkpoint)?;
        proof.verify(&entry.leaf_hash(), &witnessed.checkpoint).map_err(ProofProblem::Inclusion)?;
        Ok(witnessed)
    }

    /// Checks a checkpoint with all its signatures.
    pub(super) fn witnessed(&mut self, note: &Note) -> Result<Witnessed, ProofProblem> {
        let signed = self.signed(note)?;
        let (log, size, root) = (&signed.log, signed.checkpoint.size, signed.checkpoint.root);
        if *self.roots.entry((log.clone(), size)).or_insert(root) != root {
            return Err(ProofProblem::SplitView { log: log.clone(), size });
        }
        self.check_quorum(&signed)
    }

    /// Checks every signature, once for each note.
    fn signed(&mut self, note: &Note) -> Result<Arc<Signed>, ProofProblem> {
        let text = note.encode();
        if let Some(known) = self.notes.get(&text) {
            return known.clone();
        }
        let outcome = self.check_signatures(note).map(Arc::new);
        self.notes.insert(text, outcome.clone());
        outcome
    }

    fn check_signatures(&self, note: &Note) -> Result<Signed, ProofProblem> {
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| ProofProblem::Origin)?;
        let log = self.log_of(&checkpoint)?;
        let (own, others): (Vec<_>, Vec<_>) =
            note.signatures.iter().partition(|line| line.name == checkpoint.origin);
        if own.len() > 1 {
            return Err(ProofProblem::LineTwice { name: checkpoint.origin });
        }
        self.check_log_signature(note, &log, &checkpoint)?;
        let mut names = BTreeSet::new();
        let mut cosigned = Vec::new();
        for line in others {
            if !names.insert(&line.name) {
                return Err(ProofProblem::LineTwice { name: line.name.clone() });
            }
            cosigned.push(self.check_line(&note.text, line)?);
        }
        Ok(Signed { log, checkpoint, cosigned })
    }

    fn log_of(&self, checkpoint: &Checkpoint) -> Result<ExchangeId, ProofProblem> {
        let origin: Origin = checkpoint.origin.parse().map_err(|_| ProofProblem::Origin)?;
        let log = origin.exchange().clone();
        let ours = origin == Origin::new(&self.federation, &log);
        if ours && checkpoint.extensions.is_empty() { Ok(log) } else { Err(ProofProblem::Origin) }
    }

    fn check_log_signature(
        &self,
        note: &Note,
        log: &ExchangeId,
        checkpoint: &Checkpoint,
    ) -> Result<(), ProofProblem> {
        let Some(member) = self.directory.member(log) else {
            return Err(ProofProblem::UnknownLog { log: log.clone() });
        };
        let holds = |key: &PublicKey, message: &[u8], signature: &Signature| {
            self.rule.holds(key, message, signature)
        };
        let signed_by = |key: &PublicKey| note.verify_by(holds, &checkpoint.origin, key).is_ok();
        if signed_by(&member.log_key_at(checkpoint.size)) {
            return Ok(());
        }
        if member.epochs().iter().any(|epoch| signed_by(&epoch.descriptor.log_key)) {
            let (log, size) = (log.clone(), checkpoint.size);
            return Err(ProofProblem::ReplacedKey { log, size });
        }
        Err(ProofProblem::LogSignature)
    }

    fn check_line(&self, text: &str, line: &NoteSignature) -> Result<Cosigned, ProofProblem> {
        let refused = || ProofProblem::Line { name: line.name.clone() };
        let origin = line.name.strip_suffix(WITNESS_SUFFIX).ok_or_else(refused)?;
        let origin: Origin = origin.parse().map_err(|_| refused())?;
        let witness = origin.exchange().clone();
        if origin != Origin::new(&self.federation, &witness) {
            return Err(refused());
        }
        let seats = self.charters.versions().iter().filter_map(|version| {
            version.charter().council_member(&witness).map(|seat| seat.witness_key)
        });
        let member = self.directory.member(&witness);
        let epochs = member.into_iter().flat_map(Member::epochs);
        let keys: BTreeSet<_> =
            seats.chain(epochs.map(|epoch| epoch.descriptor.witness_key)).collect();
        keys.into_iter()
            .find_map(|key| {
                let holds = |key: &PublicKey, message: &[u8], signature: &Signature| {
                    self.rule.holds(key, message, signature)
                };
                let cosignature =
                    verify_cosignature_by(holds, text, line, &line.name, &key).ok()?;
                let seconds = cosignature.timestamp;
                Some(Cosigned { witness: witness.clone(), key, seconds })
            })
            .ok_or_else(refused)
    }

    /// The newest version of the charter whose quorum is met counts. An earlier version's does too: a
    /// receipt from its days carries no later one.
    fn check_quorum(&self, signed: &Signed) -> Result<Witnessed, ProofProblem> {
        let cosigned = &signed.cosigned;
        for version in self.charters.versions().iter().rev() {
            let charter = version.charter();
            if let Some(quorum_seconds) = quorum_seconds(charter, cosigned) {
                return Ok(Witnessed {
                    log: signed.log.clone(),
                    checkpoint: signed.checkpoint.clone(),
                    witnesses: cosigned.iter().map(|line| line.witness.clone()).collect(),
                    quorum_seconds: quorum_seconds.complete,
                    last_seconds: cosigned.iter().map(|line| line.seconds).max(),
                    charter_version: charter.version,
                });
            }
        }
        Err(ProofProblem::NoQuorum { met: cosigned.len() })
    }
}

#[derive(Debug)]
struct Cosigned {
    witness: ExchangeId,
    key: PublicKey,
    seconds: u64,
}

/// A quorum that is met, and when it was complete; at no time in particular where none is asked for.
struct QuorumTime {
    complete: Option<u64>,
}

/// When the quorum of `charter` was complete: the earliest time by which enough had cosigned.
fn quorum_seconds(charter: &Charter, cosigned: &[Cosigned]) -> Option<QuorumTime> {
    let mut counting: Vec<(u64, &ExchangeId)> = cosigned
        .iter()
        .filter(|line| {
            let seat = charter.council_member(&line.witness);
            seat.is_some_and(|seat| seat.witness_key == line.key)
        })
        .map(|line| (line.seconds, &line.witness))
        .collect();
    counting.sort();
    let mut witnesses = BTreeSet::new();
    if charter.witness_quorum.satisfied(&witnesses) {
        return Some(QuorumTime { complete: None });
    }
    for (seconds, witness) in counting {
        witnesses.insert(witness.clone());
        if charter.witness_quorum.satisfied(&witnesses) {
            return Some(QuorumTime { complete: Some(seconds) });
        }
    }
    None
}

impl ProofProblem {
    /// What is wrong, in Chinese.
    pub(super) fn zh(&self) -> String {
        use alloc::format;
        match self {
            Self::Extra => "证明含有附加行，凭据中不允许".into(),
            Self::Origin => "检查点不属于本联盟的日志".into(),
            Self::UnknownLog { log } => format!("{log} 的日志密钥未知：其准入记录缺失或不生效"),
            Self::LogSignature => "日志对检查点的签名不成立".into(),
            Self::ReplacedKey { log, size } => {
                format!("{log} 的检查点（大小 {size}）由已更换的密钥签署")
            }
            Self::Line { name } => format!("{name} 的签名行不属于已知见证方或不成立"),
            Self::LineTwice { name } => format!("{name} 在检查点上签名两次"),
            Self::NoQuorum { met } => format!("仅 {met} 个联署成立，未达任何版本章程的见证法定数"),
            Self::Inclusion(_) => "条目不在日志的该位置（默克尔证明不成立）".into(),
            Self::SplitView { log, size } => {
                format!("{log} 在大小 {size} 处有两个不同的根：日志自相矛盾")
            }
        }
    }
}
