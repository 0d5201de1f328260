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
    authority::{AuthorityError, ProvenEntry, TrustedAuthority},
    life::{Life, Placed, follow},
    model::Receipt,
    prover::{ProofProblem, Prover, Witnessed},
    report::{Check, Outcome, Report, Summary, Verdict, Voucher},
    verifier::{Policy, StrictRule},
};
use crate::{
    charter::{CharterChain, Extend},
    directory::{Directory, FactVoid, Facts, Parent, Void},
    entry::{Entry, SUITE_ED25519},
    id::FederationId,
    json::canonicalize,
    statement::{Statement, StatementType},
    time::Timestamp,
};

/// How far clocks of issuers, witnesses and verifiers may be apart unremarked, in seconds.
const CLOCK_SECONDS_MAX: u64 = 600;

/// Which verdict a failed check leads to; the worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    Void,
    Unknown,
    Invalid,
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    checks: Vec<Check>,
    worst: Option<Grade>,
}

impl Findings {
    pub(super) fn pass(
        &mut self,
        name: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.add(Outcome::Pass, name, zh.into(), en.into());
    }

    fn warn(&mut self, name: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.add(Outcome::Warn, name, zh.into(), en.into());
    }

    fn info(&mut self, name: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.add(Outcome::Info, name, zh.into(), en.into());
    }

    pub(super) fn fail(
        &mut self,
        grade: Grade,
        name: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.worst = self.worst.max(Some(grade));
        self.add(Outcome::Fail, name, zh.into(), en.into());
    }

    fn add(&mut self, outcome: Outcome, name: &'static str, zh: String, en: String) {
        self.checks.push(Check { name, outcome, zh, en });
    }

    /// Takes in findings that were made before.
    pub(super) fn extend(&mut self, others: &Self) {
        self.worst = self.worst.max(others.worst);
        self.checks.extend_from_slice(&others.checks);
    }

    pub(super) fn report(self, life: Life, summary: Option<Summary>) -> Report {
        let verdict = match (self.worst, life) {
            (Some(Grade::Invalid), _) => Verdict::Invalid,
            (Some(Grade::Unknown), _) => Verdict::NotVerifiableHere,
            (Some(Grade::Void), _) | (None, Life::Revoked) => Verdict::Void,
            (None, Life::Cancelled) => Verdict::ValidThenCancelled,
            (None, Life::Superseded) => Verdict::ValidSuperseded,
            (None, Life::Current) => Verdict::Valid,
        };
        Report { verdict, checks: self.checks, summary }
    }
}

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

/// What the checks of entries rest on.
pub(super) struct Ground<'a> {
    pub(super) charters: Cow<'a, CharterChain>,
    pub(super) directory: Cow<'a, Directory>,
    /// Whether a fact of the receipt itself does not count.
    has_void_facts: bool,
}

impl<'a> Ground<'a> {
    /// Verifies charters and facts and builds the directory; `None` where there is no ground.
    pub(super) fn lay(
        receipt: &Receipt,
        expected: &FederationId,
        policy: &Policy<'a>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let Some(authority) = &receipt.authority else {
            let Some(trusted) = policy.authority else {
                findings.fail(
                    Grade::Unknown,
                    "authority",
                    "凭据不含授权链：请先载入授权包",
                    "the receipt carries no authority: load an authority bundle first",
                );
                return None;
            };
            if trusted.charters.federation_id() != *expected {
                let zh = "授权包属于另一联盟";
                findings.fail(
                    Grade::Invalid,
                    "authority",
                    zh,
                    "the bundle is another federation's",
                );
                return None;
            }
            findings.pass("authority", "采用授权包", "the authority comes from the bundle");
            return Some(Self {
                charters: Cow::Borrowed(&trusted.charters),
                directory: Cow::Borrowed(&trusted.directory),
                has_void_facts: false,
            });
        };
        let charters = authority.chain().map_err(|error| refuse(&error, "charter", findings));
        let facts = authority.signed_facts().map_err(|error| refuse(&error, "facts", findings));
        let (Ok(mut charters), Ok(mut facts)) = (charters, facts) else { return None };
        if charters.federation_id() == *expected {
            let version = charters.version();
            findings.pass(
                "charter",
                format!("章程链成立，至第 {version} 版，理事会签名全部有效"),
                format!("the charter holds up to version {version}, with every council signature"),
            );
        } else {
            let zh = "章程属于另一联盟";
            findings.fail(Grade::Invalid, "charter", zh, "the charter is another federation's");
            return None;
        }
        let places: Vec<_> = facts.iter().map(|(place, _)| place.clone()).collect();
        if let Some(trusted) = policy.authority {
            merge(trusted, &mut charters, &mut facts, findings)?;
        }
        let directory = Directory::build(&charters, &facts);
        let void: Vec<&FactVoid> =
            places.iter().filter_map(|place| directory.void_facts().get(place)).collect();
        // A parent may be unknown because its own admission is void. If nothing else is void, its
        // admission is missing, and the receipt is not whole.
        let is_rootless =
            |void: &&FactVoid| matches!(void, FactVoid::Entry(Void::NotAMember { .. }));
        let has_void_facts = !void.iter().all(is_rootless);
        for void in void {
            let grade = if has_void_facts { Grade::Void } else { Grade::Invalid };
            let zh = format!("授权记录不生效：{void}");
            let en = format!("a statement about a member does not count: {void}");
            findings.fail(grade, "facts", zh, en);
        }
        let (charters, directory) = (Cow::Owned(charters), Cow::Owned(directory));
        Some(Self { charters, directory, has_void_facts })
    }

    /// Checks the entry, its disclosures and its later events, after all of the authority.
    pub(super) fn check(
        &self,
        receipt: &Receipt,
        policy: &Policy<'_>,
        prover: &mut Prover<'_>,
        mut findings: Findings,
    ) -> Report {
        let statement = check_entry(receipt, prover.rule(), &mut findings);
        let witnessed = match prover.prove(&receipt.entry, &receipt.proof) {
            Ok(witnessed) => {
                note_proof(receipt, &witnessed, &mut findings);
                Some(witnessed)
            }
            Err(problem) => {
                self.note_problem(&problem, "inclusion", "条目", "the entry", &mut findings);
                None
            }
        };
        let (Some(statement), Some(witnessed)) = (statement, witnessed) else {
            return findings.report(Life::Current, None);
        };
        self.check_issuer(receipt, &statement, &witnessed, &mut findings);
        check_times(&statement, &witnessed, policy.now, &mut findings);
        let disclosed = check_disclosures(receipt, &statement, &mut findings);
        let (life, later) =
            self.check_history(receipt, &statement, &witnessed, prover, &mut findings);
        let summary = Summary {
            federation: self.charters.federation_id(),
            statement: receipt.entry.id(),
            kind: statement.kind.as_str().to_string(),
            issuer_name: self
                .directory
                .member(&statement.issuer)
                .map_or_else(String::new, |member| member.descriptor.name("zh").to_string()),
            issued_at: statement.issued_at,
            index: receipt.proof.index,
            as_of_size: witnessed.checkpoint.size,
            witnessed_at: witnessed.quorum_seconds.map(Timestamp::from_seconds),
            witnesses: witnessed.witnesses,
            authority: self.vouchers(&statement),
            issuer: statement.issuer,
            body: statement.body,
            disclosed,
            later,
        };
        findings.report(life, Some(summary))
    }

    pub(super) fn check_fact_proofs(
        &self,
        receipt: &Receipt,
        prover: &mut Prover<'_>,
        findings: &mut Findings,
    ) {
        let Some(authority) = &receipt.authority else { return };
        let mut count = 0;
        for fact in &authority.facts {
            match prover.prove(&fact.entry, &fact.proof) {
                Ok(_) => count += 1,
                Err(problem) => {
                    let what = format!("{}", fact.entry.id());
                    let zh = format!("授权记录 {what}");
                    let en = format!("admission {what}");
                    self.note_problem(&problem, "facts", &zh, &en, findings);
                }
            }
        }
        if count == authority.facts.len() {
            findings.pass(
                "facts",
                format!("{count} 条授权记录均签名有效、在册并经见证"),
                format!("{count} statements about members are signed, logged and witnessed"),
            );
        }
    }

    fn note_problem(
        &self,
        problem: &ProofProblem,
        name: &'static str,
        zh: &str,
        en: &str,
        findings: &mut Findings,
    ) {
        let grade = match problem {
            ProofProblem::UnknownLog { .. } if self.has_void_facts => Grade::Void,
            ProofProblem::ReplacedKey { .. } => Grade::Void,
            _ => Grade::Invalid,
        };
        findings.fail(grade, name, format!("{zh}：{}", problem.zh()), format!("{en}: {problem}"));
    }

    fn check_issuer(
        &self,
        receipt: &Receipt,
        statement: &Statement,
        witnessed: &Witnessed,
        findings: &mut Findings,
    ) {
        if statement.issuer != witnessed.log {
            let (issuer, log) = (&statement.issuer, &witnessed.log);
            findings.fail(
                Grade::Void,
                "issuer",
                format!("签发者 {issuer} 的声明出现在 {log} 的日志中"),
                format!("a statement of {issuer} stands in the log of {log}"),
            );
        }
        let (key, kind) = (receipt.entry.issuer_key(), statement.kind.as_str());
        let index = receipt.proof.index;
        match self.directory.authorizes(&witnessed.log, index, &key, kind) {
            Ok(()) => findings.pass(
                "issuer",
                format!("{} 在位置 {index} 有权签发该类型", statement.issuer),
                format!("{} was entitled to sign this type at index {index}", statement.issuer),
            ),
            Err(void) => {
                let zh = format!("签发权限不成立：{void}");
                findings.fail(Grade::Void, "issuer", zh, void.to_string());
            }
        }
    }

    fn check_history(
        &self,
        receipt: &Receipt,
        statement: &Statement,
        witnessed: &Witnessed,
        prover: &mut Prover<'_>,
        findings: &mut Findings,
    ) -> (Life, Vec<super::report::Later>) {
        let size = witnessed.checkpoint.size;
        if receipt.as_of != size {
            findings.fail(
                Grade::Invalid,
                "history",
                format!("历史截至大小 {} 与检查点大小 {size} 不符", receipt.as_of),
                format!("the history is as of size {}, the checkpoint of {size}", receipt.as_of),
            );
        }
        let mut statements = Vec::new();
        for event in &receipt.events {
            match self.check_event(event, witnessed, prover) {
                Ok(statement) => {
                    statements.push((event.entry.id(), event.proof.index, statement));
                }
                Err((grade, zh, en)) => findings.fail(grade, "history", zh, en),
            }
        }
        let place = |id, index, statement| Placed { id, index, statement };
        let subject = place(receipt.entry.id(), receipt.proof.index, statement);
        let events: Vec<Placed<'_>> =
            statements.iter().map(|(id, index, statement)| place(*id, *index, statement)).collect();
        match follow(&subject, &events) {
            Ok((life, later)) => {
                note_life(life, later.len(), size, findings);
                (life, later)
            }
            Err(problem) => {
                findings.fail(Grade::Invalid, "history", problem.zh(), problem.to_string());
                (Life::Current, Vec::new())
            }
        }
    }

    /// A later event must be as well signed, proven and authorised as the entry itself.
    fn check_event(
        &self,
        event: &ProvenEntry,
        subject: &Witnessed,
        prover: &mut Prover<'_>,
    ) -> Result<Statement, (Grade, String, String)> {
        let (index, id) = (event.proof.index, event.entry.id());
        let refused = |grade, zh: &str, en: String| {
            (grade, format!("后续事件 {id}：{zh}"), format!("later event {id}: {en}"))
        };
        if event.entry.suite() != SUITE_ED25519 {
            let en = "its signature suite is unknown".to_string();
            return Err(refused(Grade::Unknown, "签名算法未知", en));
        }
        let statement = signed_statement(&event.entry, prover.rule())
            .map_err(|en| refused(Grade::Invalid, "签名或格式不成立", en))?;
        let witnessed = prover
            .prove(&event.entry, &event.proof)
            .map_err(|problem| refused(Grade::Invalid, &problem.zh(), problem.to_string()))?;
        if witnessed.log != subject.log || statement.issuer != subject.log {
            let en = "it is in another log".to_string();
            return Err(refused(Grade::Invalid, "位于另一日志", en));
        }
        let (key, kind) = (event.entry.issuer_key(), statement.kind.as_str());
        self.directory
            .authorizes(&witnessed.log, index, &key, kind)
            .map_err(|void| refused(Grade::Void, "签发权限不成立", void.to_string()))?;
        Ok(statement)
    }

    fn vouchers(&self, statement: &Statement) -> Vec<Voucher> {
        let mut vouchers = Vec::new();
        let mut next = self.directory.member(&statement.issuer);
        while let Some(member) = next {
            let by = match &member.parent {
                Parent::Council => None,
                Parent::Member(parent) => Some(parent.clone()),
            };
            next = by.as_ref().and_then(|parent| self.directory.member(parent));
            let name = member.descriptor.name("zh").to_string();
            vouchers.push(Voucher { exchange: member.id.clone(), name, by });
        }
        vouchers
    }
}

/// Adds what a bundle knows; `None` where it contradicts the receipt.
fn merge(
    trusted: &TrustedAuthority,
    charters: &mut CharterChain,
    facts: &mut Facts,
    findings: &mut Findings,
) -> Option<()> {
    for version in trusted.charters.versions() {
        if !matches!(charters.extend(version.signed().clone()), Ok(Extend::Added | Extend::Known)) {
            findings.fail(
                Grade::Invalid,
                "charter",
                "凭据的章程与授权包矛盾",
                "the receipt's charters contradict the bundle's",
            );
            return None;
        }
    }
    for (place, fact) in trusted.facts.iter() {
        if facts.fact(place).is_some_and(|known| known.entry().id() != fact.entry().id()) {
            findings.fail(
                Grade::Invalid,
                "facts",
                format!("{} 第 {} 条与授权包矛盾", place.log, place.index),
                format!("entry {} of {} contradicts the bundle", place.index, place.log),
            );
            return None;
        }
        facts.insert((place.log.clone(), place.index), fact.entry());
    }
    findings.pass("bundle", "已并入授权包", "the bundle's later knowledge is taken into account");
    Some(())
}

fn refuse(error: &AuthorityError, name: &'static str, findings: &mut Findings) {
    let grade = if error.is_unknown_version() { Grade::Unknown } else { Grade::Invalid };
    findings.fail(grade, name, format!("授权链不成立：{error}"), error.to_string());
}

/// Suite, form and signature of the entry itself.
pub(super) fn check_entry(
    receipt: &Receipt,
    rule: &dyn StrictRule,
    findings: &mut Findings,
) -> Option<Statement> {
    let suite = receipt.entry.suite();
    if suite != SUITE_ED25519 {
        findings.fail(
            Grade::Unknown,
            "signature",
            format!("签名算法 {suite} 未知"),
            format!("signature suite {suite} is not known here"),
        );
        return None;
    }
    match signed_statement(&receipt.entry, rule) {
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
        Err(error) => {
            let zh = format!("声明的签名或格式不成立：{error}");
            findings.fail(Grade::Invalid, "signature", zh, error);
            None
        }
    }
}

/// The statement, if the entry's signature holds by the strict rule.
fn signed_statement(entry: &Entry, rule: &dyn StrictRule) -> Result<Statement, String> {
    if !rule.holds(&entry.issuer_key(), &entry.signed_message(), &entry.signature()) {
        return Err("the signature on the statement does not hold".to_string());
    }
    Statement::parse(entry.statement_bytes()).map_err(|error| error.to_string())
}

fn note_proof(receipt: &Receipt, witnessed: &Witnessed, findings: &mut Findings) {
    let (index, size) = (receipt.proof.index, witnessed.checkpoint.size);
    findings.pass(
        "inclusion",
        format!("条目位于 {} 日志第 {index} 位，检查点大小 {size}", witnessed.log),
        format!("the entry is at index {index} of the log of {} at size {size}", witnessed.log),
    );
    let (count, version) = (witnessed.witnesses.len(), witnessed.charter_version);
    findings.pass(
        "witnesses",
        format!("{count} 个见证方联署成立，满足第 {version} 版章程的法定数"),
        format!("{count} cosignatures hold and meet the quorum of charter version {version}"),
    );
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
            "签发者自述的时间晚于见证时间",
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
            "章程不要求见证，无法证明时间",
            "the charter asks for no witness, so nothing proves the time",
        ),
    }
    let future = now
        .zip(witnessed.last_seconds)
        .is_some_and(|(now, last)| last > now.seconds().saturating_add(CLOCK_SECONDS_MAX));
    if future {
        let en = "a cosignature is from the future by this machine's clock";
        findings.warn("clock", "按本机时钟，有联署来自未来", en);
    }
}

/// Every disclosure must open a commitment of the statement.
fn check_disclosures(
    receipt: &Receipt,
    statement: &Statement,
    findings: &mut Findings,
) -> BTreeMap<String, Value> {
    let mut disclosed = BTreeMap::new();
    let claims = statement.body.get("claims").and_then(Value::as_object);
    for (name, shown) in &receipt.disclosures {
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

fn note_life(life: Life, events: usize, size: u64, findings: &mut Findings) {
    let as_of_zh = format!("（据出具方，截至日志大小 {size}）");
    let as_of_en = format!("as of log size {size}, says whoever made the receipt");
    match life {
        Life::Current if events == 0 => findings.info(
            "history",
            format!("无更晚事件{as_of_zh}"),
            format!("there is no later event, {as_of_en}"),
        ),
        Life::Current => findings.info(
            "history",
            format!("{events} 个更晚事件，均不改变效力{as_of_zh}"),
            format!("{events} later events change nothing, {as_of_en}"),
        ),
        Life::Superseded => findings.warn(
            "history",
            format!("已被更晚的变更或修订取代{as_of_zh}"),
            format!("a later amendment or revision replaces it, {as_of_en}"),
        ),
        Life::Cancelled => findings.warn(
            "history",
            format!("已注销或撤回{as_of_zh}"),
            format!("it was cancelled or withdrawn, {as_of_en}"),
        ),
        Life::Revoked => findings.fail(
            Grade::Void,
            "history",
            format!("登记已被撤销{as_of_zh}"),
            format!("the registration was revoked, {as_of_en}"),
        ),
    }
}
