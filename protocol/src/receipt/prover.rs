//! Checking that an entry is in its log, under a checkpoint that a witness quorum cosigned.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use hutong_crypto::{
    PublicKey, Signature,
    checkpoint::Checkpoint,
    cosignature::verify_cosignature_by,
    merkle::VerifyError,
    note::{Note, NoteSignature},
    proof::TlogProof,
};

use super::{authority::ProvenEntry, verifier::StrictRule};
use crate::{
    audience::Audience,
    charter::Charter,
    date::Date,
    directory::{Prefix, Record, register_id},
    entry::{Entry, Unverifiable},
    id::{ExchangeId, FederationId, Origin},
    statement::{Statement, StatementError},
};

/// What the name of a witness's key ends with, after its log's origin.
const WITNESS_SUFFIX: &str = "/witness";

/// Checks proofs within one federation, each checkpoint once.
pub(super) struct Prover<'a> {
    federation: FederationId,
    rule: &'a dyn StrictRule,
    notes: Notes,
}

/// What came of checkpoints, by whose charter and log key they were judged, and their notes.
pub(super) type Notes = BTreeMap<(u64, PublicKey, String), Result<Witnessed, ProofProblem>>;

/// Whose a checkpoint is to be.
pub(super) struct Signer<'c> {
    pub(super) log: &'c ExchangeId,
    pub(super) key: PublicKey,
    /// The exchange whose node signs the log: its cosignature does not count.
    pub(super) owner: &'c ExchangeId,
    pub(super) charter: &'c Charter,
}

/// A checkpoint whose every signature holds, with its quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witnessed {
    pub(super) head: Prefix,
    /// Whose cosignatures hold.
    pub(super) witnesses: BTreeSet<ExchangeId>,
    /// When the quorum was complete, in seconds; `None` where the charter asks for none.
    pub(super) quorum_seconds: Option<u64>,
    /// The latest cosignature, in seconds.
    pub(super) last_seconds: Option<u64>,
}

/// A record of a register that is proven.
pub(super) struct Proven {
    pub(super) record: Record,
    pub(super) index: u64,
    pub(super) witnessed: Witnessed,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofProblem {
    /// There is an extra line, which nothing vouches for.
    #[error("the proof has an extra line, which a receipt's must not have")]
    Extra,
    /// The checkpoint is out of form, has extension lines, or is of another log.
    #[error("the checkpoint is not of the log in question")]
    Origin,
    /// The log's signature is missing, twice there, or does not hold.
    #[error("the log's signature on its checkpoint does not hold")]
    LogSignature,
    /// A signature line is by nobody whose cosignature counts there, or does not hold.
    #[error("the signature line of {name} is by no witness of this log or does not hold")]
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
    #[error("{met} cosignatures hold; the quorum of charter version {version} is {expected}")]
    NoQuorum {
        /// The version of the charter.
        version: u64,
        /// How many must hold.
        expected: u32,
        /// How many hold.
        met: usize,
    },
    /// The hashes do not lead from the entry to the root.
    #[error("the entry is not in the log at this index: {0}")]
    Inclusion(VerifyError),
    /// The entry's version or suite is not known.
    #[error(transparent)]
    Unverifiable(#[from] Unverifiable),
    /// The signature does not hold.
    #[error("the signature on the statement does not hold")]
    Signature,
    /// The statement is out of form.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The entry is no such record of that register, signed by its key.
    #[error("the entry is not the record in question of that charter's register")]
    OtherRecord,
    /// A succession is not the register's last leaf.
    #[error("the succession is not the last leaf of its register")]
    NotLast,
    /// The cosignatures claim a time before the record's day.
    #[error("the cosignatures are dated before the record's day, {day}")]
    Backdated {
        /// The record's day.
        day: Date,
    },
    /// The checkpoint is not tied to the anchored tree.
    #[error("the checkpoint is not shown to extend the anchored tree")]
    NotTied,
    /// The keys that held at the index are not shown.
    #[error("the issuer's keys at index {index} are not shown")]
    EpochMissing {
        /// The index.
        index: u64,
    },
    /// The verifier's bundle has another anchor at that place.
    #[error("it contradicts the bundle's anchor {index}: the register equivocated")]
    SplitView {
        /// Its index in its register.
        index: u64,
    },
    /// The anchor's charter is not known.
    #[error("charter version {version} is not known here; load a newer bundle or charter file")]
    UnknownCharter {
        /// The version.
        version: u64,
    },
    /// The anchor's charter is no more in force, and the anchor is not proven in the closed register.
    #[error(
        "charter version {version} is no more in force, and the closed register is not shown to hold this anchor; refresh the receipt"
    )]
    Retired {
        /// The version.
        version: u64,
    },
}

impl<'a> Prover<'a> {
    pub(super) fn new(federation: FederationId, rule: &'a dyn StrictRule) -> Self {
        Self { federation, rule, notes: Notes::new() }
    }

    /// Goes on from what is known of checkpoints already.
    pub(super) fn resume(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }

    pub(super) fn into_notes(self) -> Notes {
        self.notes
    }

    /// The rule by which signatures hold.
    pub(super) const fn rule(&self) -> &'a dyn StrictRule {
        self.rule
    }

    /// The statement, if the entry's signature holds by the strict rule.
    pub(super) fn statement(&self, entry: &Entry) -> Result<Statement, ProofProblem> {
        signed_statement(entry, self.rule)
    }

    /// Checks a record of the register of `charter`: its signature, its place, and its checkpoint's quorum.
    pub(super) fn prove_record(
        &mut self,
        proven: &ProvenEntry,
        charter: &Charter,
    ) -> Result<Proven, ProofProblem> {
        let (statement, log) = (self.statement(&proven.entry)?, register_id(charter.version));
        let ours = statement.issuer == log
            && proven.entry.issuer_key() == Ok(charter.register_key)
            && statement.audience == Audience::Public;
        let record = Record::from_body(&statement.kind, &statement.body).ok().filter(|_| ours);
        let record = record.ok_or(ProofProblem::OtherRecord)?;
        let (key, owner) = (charter.register_key, &charter.keeper);
        let witnessed =
            self.prove(&proven.entry, &proven.proof, &Signer { log: &log, key, owner, charter })?;
        Ok(Proven { record, index: proven.proof.index, witnessed })
    }

    /// Checks that `entry` is where `proof` says, under a checkpoint of `signer` with a quorum.
    pub(super) fn prove(
        &mut self,
        entry: &Entry,
        proof: &TlogProof,
        signer: &Signer<'_>,
    ) -> Result<Witnessed, ProofProblem> {
        if proof.extra.is_some() {
            return Err(ProofProblem::Extra);
        }
        let witnessed = self.witnessed(&proof.checkpoint, signer)?;
        let Prefix { size, root } = witnessed.head;
        let leaf = entry.leaf_hash();
        hutong_crypto::merkle::verify_inclusion(&leaf, proof.index, size, &root, &proof.hashes)
            .map_err(ProofProblem::Inclusion)?;
        Ok(witnessed)
    }

    /// Checks a checkpoint with all its signatures, once for each note.
    fn witnessed(&mut self, note: &Note, signer: &Signer<'_>) -> Result<Witnessed, ProofProblem> {
        let judged = (signer.charter.version, signer.key, note.encode());
        if let Some(known) = self.notes.get(&judged) {
            return known.clone();
        }
        let outcome = self.check_note(note, signer);
        self.notes.insert(judged, outcome.clone());
        outcome
    }

    fn check_note(&self, note: &Note, signer: &Signer<'_>) -> Result<Witnessed, ProofProblem> {
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| ProofProblem::Origin)?;
        let origin = Origin::new(&self.federation, signer.log);
        if checkpoint.origin != origin.as_str() || !checkpoint.extensions.is_empty() {
            return Err(ProofProblem::Origin);
        }
        let (own, others): (Vec<_>, Vec<_>) =
            note.signatures.iter().partition(|line| line.name == checkpoint.origin);
        let holds = |key: &PublicKey, message: &[u8], signature: &Signature| {
            self.rule.holds(key, message, signature)
        };
        let by_log = note.verify_by(holds, &checkpoint.origin, &signer.key).is_ok();
        if own.len() != 1 || !by_log {
            return Err(ProofProblem::LogSignature);
        }
        let mut cosigned = BTreeMap::new();
        for line in others {
            let (witness, seconds) = self.check_line(&note.text, line, signer)?;
            if cosigned.insert(witness, seconds).is_some() {
                return Err(ProofProblem::LineTwice { name: line.name.clone() });
            }
        }
        let head = Prefix { size: checkpoint.size, root: checkpoint.root };
        Self::check_quorum(head, cosigned, signer)
    }

    /// Who cosigned by a line, and when: a council member of the charter, and not the log's owner.
    fn check_line(
        &self,
        text: &str,
        line: &NoteSignature,
        signer: &Signer<'_>,
    ) -> Result<(ExchangeId, u64), ProofProblem> {
        let refused = || ProofProblem::Line { name: line.name.clone() };
        let origin = line.name.strip_suffix(WITNESS_SUFFIX).ok_or_else(refused)?;
        let origin: Origin = origin.parse().map_err(|_| refused())?;
        let witness = origin.exchange();
        let seat = signer.charter.council_member(witness).filter(|_| witness != signer.owner);
        let seat = seat.ok_or_else(refused)?;
        let holds = |key: &PublicKey, message: &[u8], signature: &Signature| {
            self.rule.holds(key, message, signature)
        };
        let name = Origin::new(&self.federation, witness).witness_name();
        let cosignature = verify_cosignature_by(holds, text, line, &name, &seat.witness_key);
        let cosignature = cosignature.map_err(|_| refused())?;
        Ok((witness.clone(), cosignature.timestamp))
    }

    fn check_quorum(
        head: Prefix,
        cosigned: BTreeMap<ExchangeId, u64>,
        signer: &Signer<'_>,
    ) -> Result<Witnessed, ProofProblem> {
        let (charter, met) = (signer.charter, cosigned.len());
        if !charter.is_witnessed(signer.owner, |witness| cosigned.contains_key(witness)) {
            let (version, expected) = (charter.version, charter.quorum_without(signer.owner));
            return Err(ProofProblem::NoQuorum { version, expected, met });
        }
        let mut seconds: Vec<u64> = cosigned.values().copied().collect();
        seconds.sort_unstable();
        // The quorum was complete once as many had cosigned as it takes.
        let complete = (charter.quorum_without(signer.owner) as usize).checked_sub(1);
        Ok(Witnessed {
            head,
            witnesses: cosigned.into_keys().collect(),
            quorum_seconds: complete.and_then(|place| seconds.get(place).copied()),
            last_seconds: seconds.last().copied(),
        })
    }
}

/// The statement, if the entry's signature holds by `rule`.
pub(super) fn signed_statement(
    entry: &Entry,
    rule: &dyn StrictRule,
) -> Result<Statement, ProofProblem> {
    let (key, signature) = entry.key_and_signature()?;
    if !rule.holds(&key, &entry.signed_message(), &signature) {
        return Err(ProofProblem::Signature);
    }
    Ok(Statement::parse(entry.statement_bytes())?)
}

impl ProofProblem {
    /// Whether newer software or a newer bundle may well settle it.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unverifiable(_) | Self::UnknownCharter { .. } | Self::Retired { .. })
    }

    /// What is wrong, in Chinese.
    pub(super) fn zh(&self) -> String {
        match self {
            Self::Extra => "证明含有附加行，凭证中不允许".into(),
            Self::Origin => "检查点不属于该日志".into(),
            Self::LogSignature => "日志对检查点的签名不成立".into(),
            Self::Line { name } => format!("{name} 的签名行不属于该日志的见证单位或不成立"),
            Self::LineTwice { name } => format!("{name} 在检查点上签名两次"),
            Self::NoQuorum { version, expected, met } => {
                format!("仅 {met} 个见证签名正确，第 {version} 版章程的规定家数为 {expected}")
            }
            Self::Inclusion(_) => "条目不在日志的该位置（默克尔证明不成立）".into(),
            Self::Unverifiable(Unverifiable::Suite(suite)) => format!("签名算法 {suite} 未知"),
            Self::Unverifiable(Unverifiable::Version(version)) => {
                format!("条目版本 {version} 未知")
            }
            Self::Signature => "声明的签名不成立".into(),
            Self::Statement(error) => format!("声明格式不成立：{error}"),
            Self::OtherRecord => "该条目不是相应章程名册的所需记录".into(),
            Self::NotLast => "章程更替记录不是其名册的最后一条".into(),
            Self::Backdated { day } => format!("见证签名的时间早于记录日 {day}"),
            Self::NotTied => "未证明检查点承接已锚定的日志".into(),
            Self::EpochMissing { index } => format!("未出示签发单位在位置 {index} 的密钥"),
            Self::SplitView { index } => {
                format!("与核验资料包第 {index} 条锚定矛盾：名册有两个互相矛盾的版本")
            }
            Self::UnknownCharter { version } => {
                format!("本机未知第 {version} 版章程：请载入更新的核验资料包或章程文件")
            }
            Self::Retired { version } => {
                format!(
                    "第 {version} 版章程已不再施行，且未证明该锚定记录在其已关闭的名册内：请更新凭证"
                )
            }
        }
    }
}
