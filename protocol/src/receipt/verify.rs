//! Verifying a receipt: every check that can be made, and the verdict.

use alloc::{
    borrow::Cow,
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::{Hash, commitment::opens};
use serde_json::Value;

use super::{
    authority::{Authority, ProvenChain, ProvenEntry, TrustedAuthority},
    compact::CompactReceipt,
    findings::{Findings, Grade},
    judge::{Judge, check_history},
    life::Placed,
    model::{Disclosure, Event, Place, Receipt},
    prover::{ProofProblem, Prover, Signer, Witnessed, signed_statement},
    report::{Later, Report, Summary},
    verifier::StrictRule,
};
use crate::{
    body::{Content, refuse_personal_data},
    directory::{Anchor, AnchorLeaf, AnchoredLeaf, OpenedMember, OpenedState, Prefix},
    entry::Entry,
    id::{ExchangeId, FederationId},
    json::{Document, canonicalize},
    statement::{Statement, StatementType},
    time::Timestamp,
    unlisted::{in_claims, in_content},
};

/// How far clocks of issuers, witnesses and verifiers may be apart unremarked, in seconds.
const CLOCK_SECONDS_MAX: u64 = 600;

/// Whether the receipt is of the federation `expected`.
pub(super) fn check_federation(
    receipt: &Receipt,
    expected: &FederationId,
    findings: &mut Findings,
) {
    if receipt.federation == *expected {
        findings.pass("federation", "属于预期的联盟", "it is of the federation expected");
    } else {
        let met = receipt.federation;
        findings.fail(
            Grade::Invalid,
            "federation",
            format!("预期联盟 {expected}，实为 {met}"),
            format!("expected federation {expected}, met {met}"),
        );
    }
}

/// What the checks of entries rest on: the charters, and what the verifier knows besides.
pub(super) struct Ground<'a> {
    chain: Cow<'a, ProvenChain>,
    trusted: Option<&'a TrustedAuthority>,
}

/// What whole and compact receipts have in common.
struct Subject<'r> {
    entry: &'r Entry,
    place: &'r Place,
    events: &'r [Event],
    disclosures: &'r BTreeMap<String, Disclosure>,
    /// Size up to which the events are complete; the tree's where nothing else is said.
    as_of: Option<u64>,
}

/// What an anchor says of the issuer, as far as it holds.
struct Standing<'r> {
    anchor: Option<(Anchor, Witnessed)>,
    leaf: &'r AnchorLeaf,
    member: Option<Cow<'r, OpenedMember>>,
}

/// The tree in which the entry is.
struct Tree {
    head: Prefix,
    /// The checkpoint of the log, where no anchor covers it.
    provisional: Option<Witnessed>,
}

impl<'a> Ground<'a> {
    /// Verifies the charters; `None`, with findings, where there is no ground.
    pub(super) fn lay(
        authority: Option<&Authority>,
        expected: &FederationId,
        trusted: Option<&'a TrustedAuthority>,
        prover: &mut Prover<'_>,
        findings: &mut Findings,
    ) -> Option<Self> {
        if trusted.is_some_and(|it| it.charters().federation_id() != *expected) {
            let (zh, en) = ("核验资料包属于另一联盟", "the bundle is another federation's");
            findings.fail(Grade::Invalid, "authority", zh, en);
            return None;
        }
        let Some(authority) = authority else {
            let Some(trusted) = trusted else {
                let zh = "凭证不含章程：请先载入核验资料包或章程文件";
                let en =
                    "the receipt carries no charters: load an authority bundle or a charter file";
                findings.fail(Grade::Unknown, "authority", zh, en);
                return None;
            };
            findings.pass("authority", "采用载入的章程", "the charters are the verifier's own");
            return Some(Self { chain: Cow::Borrowed(&trusted.chain), trusted: Some(trusted) });
        };
        let chain = match ProvenChain::verify(authority, expected, prover) {
            Ok(chain) => chain,
            Err(error) => {
                let grade =
                    if error.is_unknown_version() { Grade::Unknown } else { Grade::Invalid };
                let zh = format!("章程链不成立：{error}");
                findings.fail(grade, "charter", zh, error.to_string());
                return None;
            }
        };
        let version = chain.charters.version();
        findings.pass(
            "charter",
            format!("章程链成立，至第 {version} 版，理事会签名与历次更替均经证明"),
            format!(
                "the charters hold up to version {version}, each with its signatures and in effect"
            ),
        );
        let Some(trusted) = trusted else {
            return Some(Self { chain: Cow::Owned(chain), trusted: None });
        };
        let Some(chain) = chain.join(&trusted.chain) else {
            let zh = "凭证的章程与载入的章程矛盾";
            let en = "the receipt's charters contradict the verifier's own";
            findings.fail(Grade::Invalid, "charter", zh, en);
            return None;
        };
        findings.pass("bundle", "已并入核验资料包", "the bundle's knowledge is taken into account");
        Some(Self { chain: Cow::Owned(chain), trusted: Some(trusted) })
    }

    /// Checks a whole receipt, after its charters.
    pub(super) fn check(
        &self,
        receipt: &Receipt,
        now: Option<Timestamp>,
        prover: &mut Prover<'_>,
        mut findings: Findings,
    ) -> Report {
        let anchor = self.check_anchor(&receipt.register, prover, &mut findings);
        let member = check_leaf(&receipt.leaf, &receipt.state, anchor.as_ref(), &mut findings);
        let standing =
            Standing { anchor, leaf: &receipt.leaf.leaf, member: member.map(Cow::Owned) };
        let subject = Subject {
            entry: &receipt.entry,
            place: &receipt.place,
            events: &receipt.events,
            disclosures: &receipt.disclosures,
            as_of: Some(receipt.as_of),
        };
        self.check_subject(&subject, &standing, now, prover, findings)
    }

    /// Checks a compact receipt, whose anchor the bundle has.
    pub(super) fn check_compact(
        &self,
        receipt: &CompactReceipt,
        now: Option<Timestamp>,
        prover: &mut Prover<'_>,
        mut findings: Findings,
    ) -> Report {
        let statement = prover.statement(&receipt.entry);
        let standing = statement.ok().and_then(|statement| {
            let trusted = self.trusted?;
            let (anchor, witnessed) =
                trusted.anchor(receipt.version.into(), receipt.register_index)?;
            let (leaf, member) = trusted.standing(anchor, &statement.issuer)?;
            let (anchor, member) =
                (Some((*anchor, witnessed.clone())), Some(Cow::Borrowed(member)));
            Some(Standing { anchor, leaf, member })
        });
        let Some(standing) = standing else {
            let newest = self.trusted.and_then(TrustedAuthority::newest);
            let wanted = (u64::from(receipt.version), receipt.register_index);
            let older = newest.is_none_or(|newest| (newest.version, newest.index) < wanted);
            let (zh, en) = if older {
                (
                    "核验资料包早于凭证的锚定：请载入更新的核验资料包",
                    "the bundle is older than the receipt's anchor: load a newer one",
                )
            } else {
                (
                    "核验资料包不含凭证的锚定或其签发单位：请载入含有它的核验资料包",
                    "the bundle has no such anchor or no such issuer in it: load one that has",
                )
            };
            check_entry(&receipt.entry, prover.rule(), &mut findings);
            findings.fail(Grade::Unknown, "anchor", zh, en);
            return findings.report(None, false, None);
        };
        if let Some((anchor, witnessed)) = &standing.anchor {
            note_anchor(anchor, witnessed, &mut findings);
        }
        let subject = Subject {
            entry: &receipt.entry,
            place: &receipt.place,
            events: &receipt.events,
            disclosures: &receipt.disclosures,
            as_of: None,
        };
        self.check_subject(&subject, &standing, now, prover, findings)
    }

    fn check_anchor(
        &self,
        register: &ProvenEntry,
        prover: &mut Prover<'_>,
        findings: &mut Findings,
    ) -> Option<(Anchor, Witnessed)> {
        match self.chain.prove_anchor(register, self.trusted, prover) {
            Ok((anchor, witnessed)) => {
                note_anchor(&anchor, &witnessed, findings);
                Some((anchor, witnessed))
            }
            Err(problem) => {
                findings.problem(&problem, "anchor", "名册锚定", "the register's anchor");
                None
            }
        }
    }

    /// Checks the entry, its disclosures and its events, after the anchor.
    fn check_subject(
        &self,
        subject: &Subject<'_>,
        standing: &Standing<'_>,
        now: Option<Timestamp>,
        prover: &mut Prover<'_>,
        mut findings: Findings,
    ) -> Report {
        let statement = check_entry(subject.entry, prover.rule(), &mut findings);
        let tree = self.check_place(subject, standing, prover, &mut findings);
        let newer = self.newer(standing, &mut findings);
        let (Some(statement), Some(tree), Some(member), Some((anchor, witnessed))) =
            (statement, tree, &standing.member, &standing.anchor)
        else {
            return findings.report(None, false, None);
        };
        let judge = Judge { member, newer: newer.map(|(_, member)| member) };
        let counts =
            judge.check_issuer(subject.entry, subject.place.index(), &statement, &mut findings);
        let provisional = tree.provisional.is_some();
        let witnessed = tree.provisional.as_ref().unwrap_or(witnessed);
        check_times(&statement, witnessed, now, &mut findings);
        let disclosed = check_disclosures(subject.disclosures, &statement, &mut findings);
        warn_of_content(&statement, &disclosed, &mut findings);
        let own = Placed {
            id: subject.entry.id(),
            index: subject.place.index(),
            statement: &statement,
            counts,
        };
        let course = check_history(
            (subject.events, subject.as_of),
            own,
            &tree.head,
            &judge,
            prover,
            &mut findings,
        );
        let (subject_id, later) = match &course {
            Some(course) => (course.subject.clone(), course.later.clone()),
            None => (None, Vec::<Later>::new()),
        };
        let anchor = newer.map_or(anchor, |(anchor, _)| anchor);
        let summary = Summary {
            federation: self.chain.charters.federation_id(),
            statement: subject.entry.id(),
            kind: statement.kind.as_str().to_string(),
            issuer_names: judge.names(subject.place.index()),
            issued_at: statement.issued_at,
            index: subject.place.index(),
            as_of_size: tree.head.size,
            charter_version: anchor.version,
            register_size: anchor.index.saturating_add(1),
            day: anchor.day,
            witnessed_at: witnessed.quorum_seconds.map(Timestamp::from_seconds),
            witnesses: witnessed.witnesses.clone(),
            parent: newer.map_or(member.as_ref(), |(_, member)| member).parent.clone(),
            subject: subject_id,
            issuer: statement.issuer.clone(),
            body: statement.body.clone(),
            disclosed,
            later,
        };
        findings.report(course, provisional, Some(summary))
    }

    /// Checks where the entry is in its log: in the anchored tree, or under a checkpoint that extends it.
    fn check_place(
        &self,
        subject: &Subject<'_>,
        standing: &Standing<'_>,
        prover: &mut Prover<'_>,
        findings: &mut Findings,
    ) -> Option<Tree> {
        let (leaf, log) = (standing.leaf, &standing.leaf.id);
        let outcome = match subject.place {
            Place::Anchored(inclusion) => inclusion
                .verify(subject.entry, &leaf.head)
                .map(|()| Tree { head: leaf.head, provisional: None })
                .map_err(ProofProblem::Inclusion),
            Place::Provisional { proof, extension } => {
                let member = standing.member.as_ref()?;
                let charter = self.chain.charters.latest();
                // The key that signs a checkpoint is that of its last entry: the entry's epoch reaches so far.
                let epoch = member.epoch_at(proof.index).filter(|epoch| epoch.to.is_none());
                let key = epoch.map(|epoch| epoch.descriptor.log_key);
                key.ok_or(ProofProblem::LogSignature)
                    .and_then(|key| {
                        let signer = Signer { log, key, owner: log, charter };
                        prover.prove(subject.entry, proof, &signer)
                    })
                    .and_then(|witnessed| {
                        let ties = extension.ties(&leaf.head, &witnessed.head);
                        let head = witnessed.head;
                        let tree = Tree { head, provisional: Some(witnessed) };
                        ties.then_some(tree).ok_or(ProofProblem::NotTied)
                    })
            }
        };
        let index = subject.place.index();
        match outcome {
            Ok(tree) => {
                let size = tree.head.size;
                findings.pass(
                    "inclusion",
                    format!("条目位于 {log} 日志第 {index} 位，日志大小 {size}"),
                    format!("the entry is at index {index} of the log of {log} at size {size}"),
                );
                if tree.provisional.is_some() {
                    findings.warn(
                        "provisional",
                        "名册锚定尚未涵盖该条目：请稍后更新凭证",
                        "no anchor of the register covers the entry yet: refresh the receipt later",
                    );
                }
                Some(tree)
            }
            Err(problem) => {
                findings.problem(&problem, "inclusion", "条目", "the entry");
                None
            }
        }
    }

    /// What the verifier's own newest anchor says of the issuer, where it is newer than the receipt's.
    fn newer(
        &self,
        standing: &Standing<'_>,
        findings: &mut Findings,
    ) -> Option<(&'a Anchor, &'a OpenedMember)> {
        let (trusted, (anchor, _)) = (self.trusted?, standing.anchor.as_ref()?);
        let newest = trusted.newest()?;
        if (newest.version, newest.index) <= (anchor.version, anchor.index) {
            return None;
        }
        let newer = trusted.standing(newest, &standing.leaf.id);
        if newer.is_none() {
            let en = "the bundle's newer anchor has no such member";
            findings.fail(Grade::Invalid, "bundle", "核验资料包中更新的锚定没有该成员", en);
        }
        newer.map(|(_, member)| (newest, member))
    }
}

fn note_anchor(anchor: &Anchor, witnessed: &Witnessed, findings: &mut Findings) {
    let Anchor { version, index, day, .. } = anchor;
    let (size, count) = (index.saturating_add(1), witnessed.witnesses.len());
    findings.pass(
        "anchor",
        format!("第 {version} 版章程名册于 {day} 锚定，名册共 {size} 条"),
        format!("the register of charter version {version} anchored it on {day}, at size {size}"),
    );
    if witnessed.quorum_seconds.is_some() {
        findings.pass(
            "witnesses",
            format!("{count} 家见证单位签名正确，达到第 {version} 版章程的规定家数"),
            format!("{count} cosignatures hold and meet the quorum of charter version {version}"),
        );
    } else {
        findings.warn(
            "witnesses",
            "该联盟无见证单位：一切仅凭名册管理单位自述",
            "nobody witnesses this federation: all rests on the word of its register's keeper",
        );
    }
}

/// Checks the issuer's leaf under the anchor and its state under the leaf.
fn check_leaf(
    leaf: &AnchoredLeaf,
    state: &OpenedState,
    anchor: Option<&(Anchor, Witnessed)>,
    findings: &mut Findings,
) -> Option<OpenedMember> {
    let id: &ExchangeId = &leaf.leaf.id;
    if anchor.is_some_and(|(anchor, _)| !leaf.is_under(anchor.leaves, &anchor.root)) {
        let en = format!("the anchor has no such leaf of {id}");
        findings.fail(Grade::Invalid, "leaf", format!("锚定中没有 {id} 的该叶"), en);
    }
    match state.verify(&leaf.leaf.state) {
        Ok(member) if member.id == *id => {
            let zh = format!("{id} 的日志与状态见于锚定");
            findings.pass("leaf", zh, format!("the anchor has the log and the state of {id}"));
            Some(member)
        }
        Ok(member) => {
            let en = format!("the state is of {}, the leaf of {id}", member.id);
            let zh = format!("状态属于 {}，叶属于 {id}", member.id);
            findings.fail(Grade::Invalid, "leaf", zh, en);
            None
        }
        Err(error) => {
            let zh = format!("{id} 的状态不成立：{error}");
            findings.fail(Grade::Invalid, "leaf", zh, error.to_string());
            None
        }
    }
}

/// Suite, form and signature of the entry itself.
pub(super) fn check_entry(
    entry: &Entry,
    rule: &dyn StrictRule,
    findings: &mut Findings,
) -> Option<Statement> {
    match signed_statement(entry, rule) {
        Ok(statement) => {
            let zh = "声明格式正确，签名成立";
            findings.pass("signature", zh, "the statement is in form and its signature holds");
            if let StatementType::Unknown(kind) = &statement.kind {
                findings.warn(
                    "type",
                    format!("声明类型 {kind} 的含义本软件未知"),
                    format!("what a statement of type {kind} means is not known here"),
                );
            }
            Some(statement)
        }
        Err(problem) => {
            findings.problem(&problem, "signature", "声明", "the statement");
            None
        }
    }
}

fn check_times(
    statement: &Statement,
    witnessed: &Witnessed,
    now: Option<Timestamp>,
    findings: &mut Findings,
) {
    let issued = statement.issued_at.seconds();
    match witnessed.quorum_seconds {
        Some(quorum) if issued > quorum.saturating_add(CLOCK_SECONDS_MAX) => findings.warn(
            "time",
            "签发单位自述的时间晚于见证时间",
            "the issuer's own time is later than the witnesses'",
        ),
        Some(quorum) => {
            let time = Timestamp::from_seconds(quorum);
            findings.info(
                "time",
                format!("最迟于 {time} 已存在"),
                format!("it existed at {time} at the latest"),
            );
        }
        None => findings.warn(
            "time",
            "该联盟无见证单位，无法证明时间",
            "nobody witnesses this federation, so nothing proves the time",
        ),
    }
    let future = now
        .zip(witnessed.last_seconds)
        .is_some_and(|(now, last)| last > now.seconds().saturating_add(CLOCK_SECONDS_MAX));
    if future {
        let en = "a cosignature is from the future by this machine's clock";
        findings.warn("clock", "有见证签名的时间晚于本机时钟", en);
    }
}

/// What whoever relies on the content should look at; the verdict rests on none of it.
pub(super) fn warn_of_content(
    statement: &Statement,
    disclosed: &BTreeMap<String, Value>,
    findings: &mut Findings,
) {
    let content = Content::from_body(&statement.kind, &statement.body);
    let unlisted = content.map_or_else(|_| Vec::new(), |content| in_content(&content));
    for code in unlisted.into_iter().chain(in_claims(disclosed)) {
        findings.warn("lists", code.zh(), code.en());
    }
    if refuse_personal_data(Document::of(&statement.body).root()).is_err() {
        findings.warn(
            "personal",
            "声明含有个人信息字段，请勿转发",
            "the statement has fields for a natural person's data; do not pass it on",
        );
    }
}

/// Every disclosure must open a commitment of the statement.
fn check_disclosures(
    disclosures: &BTreeMap<String, Disclosure>,
    statement: &Statement,
    findings: &mut Findings,
) -> BTreeMap<String, Value> {
    let mut disclosed = BTreeMap::new();
    let claims = statement.body.get("claims").and_then(Value::as_object);
    for (name, shown) in disclosures {
        let commitment = claims.and_then(|claims| claims.get(name)).and_then(Value::as_str);
        let commitment = commitment.and_then(|text| text.parse::<Hash>().ok());
        let value = canonicalize(&shown.value);
        if commitment.is_some_and(|hash| opens(&hash, &shown.salt, name, &value)) {
            disclosed.insert(name.clone(), shown.value.clone());
            findings.pass(
                "disclosure",
                format!("披露项 {name} 与承诺相符"),
                format!("disclosed {name} opens its commitment"),
            );
        } else {
            findings.fail(
                Grade::Invalid,
                "disclosure",
                format!("披露项 {name} 与承诺不符"),
                format!("disclosed {name} does not open a commitment of the statement"),
            );
        }
    }
    disclosed
}
