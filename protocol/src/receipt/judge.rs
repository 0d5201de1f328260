//! Judging who was entitled to say what, and what became of it.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{
    findings::{Findings, Grade},
    life::{Course, Life, LifeProblem, LifeVoid, Placed, follow},
    model::Event,
    prover::{ProofProblem, Prover},
};
use crate::{
    directory::{OpenedMember, Prefix, StatusWord, Void},
    entry::Entry,
    statement::Statement,
};

/// Judges who was entitled to say what where, by the receipt's anchor and by a newer one that the verifier has.
pub(super) struct Judge<'r> {
    pub(super) member: &'r OpenedMember,
    pub(super) newer: Option<&'r OpenedMember>,
}

impl Judge<'_> {
    pub(super) fn authorizes(&self, entry: &Entry, index: u64, kind: &str) -> Result<(), Void> {
        let key = entry.issuer_key()?;
        self.member.authorizes(index, &key, kind)?;
        let Some(newer) = self.newer else { return Ok(()) };
        newer.authorizes(index, &key, kind)?;
        let log_key = |member: &OpenedMember| {
            member.epoch_at(index).map(|epoch| (epoch.descriptor.log_key, epoch.from))
        };
        match (log_key(self.member), log_key(newer)) {
            (Some((then, _)), Some((now, _))) if then == now => Ok(()),
            // The log was cut, and what is at that index now is another entry.
            (_, now) => {
                let honoured = now.map_or(0, |(_, from)| from);
                Err(Void::NotHonoured { log: newer.id.clone(), index, honoured })
            }
        }
    }

    pub(super) fn check_issuer(
        &self,
        entry: &Entry,
        index: u64,
        statement: &Statement,
        findings: &mut Findings,
    ) -> bool {
        let log = &self.member.id;
        let newest = self.newer.unwrap_or(self.member);
        if newest.extraordinary {
            findings.warn(
                "extraordinary",
                format!("理事会以特别决定撤销了 {log} 日志中已成定论的条目"),
                format!("the council voided final entries of {log} by an extraordinary decision"),
            );
        }
        let now = match newest.status {
            StatusWord::Active => None,
            StatusWord::Suspended => Some(("暂停", "suspended")),
            StatusWord::Expelled => Some(("除名", "expelled")),
        };
        if let Some((zh, en)) = now {
            findings.info("status", format!("{log} 现已{zh}"), format!("{log} is {en} now"));
        }
        if statement.issuer != *log {
            let issuer = &statement.issuer;
            findings.fail(
                Grade::Void,
                "issuer",
                format!("签发单位 {issuer} 的声明出现在 {log} 的日志中"),
                format!("a statement of {issuer} stands in the log of {log}"),
            );
            return false;
        }
        if self.member.epoch_at(index).is_none() {
            let en = format!("the keys of {log} at index {index} are not shown");
            findings.fail(
                Grade::Invalid,
                "issuer",
                format!("未出示 {log} 在位置 {index} 的密钥"),
                en,
            );
            return false;
        }
        match self.authorizes(entry, index, statement.kind.as_str()) {
            Ok(()) => {
                findings.pass(
                    "issuer",
                    format!("{log} 在位置 {index} 有权签发该类型"),
                    format!("{log} was entitled to sign this type at index {index}"),
                );
                true
            }
            Err(void) => {
                let zh = format!("签发权限不成立：{void}");
                findings.fail(Grade::Void, "issuer", zh, void.to_string());
                false
            }
        }
    }

    /// The issuer's names, by language.
    pub(super) fn names(&self, index: u64) -> BTreeMap<String, String> {
        let epoch = self.newer.unwrap_or(self.member).epoch_at(index);
        epoch.map_or_else(BTreeMap::new, |epoch| epoch.descriptor.names.clone())
    }
}

/// Folds the events; none, with findings, where they do not belong to the entry.
pub(super) fn check_history(
    (events, as_of): (&[Event], Option<u64>),
    own: Placed<'_>,
    tree: &Prefix,
    judge: &Judge<'_>,
    prover: &Prover<'_>,
    findings: &mut Findings,
) -> Option<Course> {
    let size = tree.size;
    if let Some(as_of) = as_of.filter(|as_of| *as_of != size) {
        findings.fail(
            Grade::Invalid,
            "history",
            format!("历史截至大小 {as_of} 与日志大小 {size} 不符"),
            format!("the history is as of size {as_of}, the log's size is {size}"),
        );
    }
    let mut statements = Vec::new();
    for event in events {
        match check_event(event, tree, judge, prover) {
            Ok((statement, counts)) => statements.push((event, statement, counts)),
            Err(problem) => {
                let id = event.entry.id();
                let (zh, en) = (format!("事件 {id}"), format!("event {id}"));
                findings.problem(&problem, "history", &zh, &en);
            }
        }
    }
    let placed = statements.iter().map(|(event, statement, counts)| Placed {
        id: event.entry.id(),
        index: event.inclusion.index,
        statement,
        counts: *counts,
    });
    let placed: Vec<Placed<'_>> = placed.collect();
    match follow(&own, &placed) {
        Ok(course) => {
            note_course(&course, own.index, size, findings);
            Some(course)
        }
        Err(problem) => {
            let grade = match problem {
                LifeProblem::Membership => Grade::Unknown,
                LifeProblem::OfRegister => Grade::Void,
                LifeProblem::Order
                | LifeProblem::Stranger
                | LifeProblem::Form(_)
                | LifeProblem::NoLife => Grade::Invalid,
            };
            findings.fail(grade, "history", problem.zh(), problem.to_string());
            None
        }
    }
}

/// Checks an event as the entry itself; whether its issuer was entitled to it decides whether it takes effect.
fn check_event(
    event: &Event,
    tree: &Prefix,
    judge: &Judge<'_>,
    prover: &Prover<'_>,
) -> Result<(Statement, bool), ProofProblem> {
    let statement = prover.statement(&event.entry)?;
    event.inclusion.verify(&event.entry, tree).map_err(ProofProblem::Inclusion)?;
    let index = event.inclusion.index;
    if judge.member.epoch_at(index).is_none() {
        return Err(ProofProblem::EpochMissing { index });
    }
    let ours = statement.issuer == judge.member.id;
    let counts = judge.authorizes(&event.entry, index, statement.kind.as_str());
    Ok((statement, ours && counts.is_ok()))
}

fn note_course(course: &Course, own: u64, size: u64, findings: &mut Findings) {
    for (index, void) in course.idle.iter().filter(|(index, _)| *index != own) {
        findings.warn(
            "history",
            format!("第 {index} 条事件不生效：{void}"),
            format!("the event at index {index} took no effect: {void}"),
        );
    }
    let as_of_zh = format!("（据出具单位，截至日志前 {size} 条）");
    let as_of_en = format!("as of log size {size}, says whoever made the receipt");
    match course.life {
        Life::Current if course.later.is_empty() => findings.info(
            "history",
            format!("无更晚事件{as_of_zh}"),
            format!("there is no later event, {as_of_en}"),
        ),
        Life::Current => {
            let events = course.later.len();
            findings.info(
                "history",
                format!("{events} 个更晚事件，均不改变效力{as_of_zh}"),
                format!("{events} later events change nothing, {as_of_en}"),
            );
        }
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
        Life::Idle => {
            let void = course.idle.iter().find(|(index, _)| *index == own);
            let Some((_, void)) = void.filter(|(_, void)| *void != LifeVoid::NotEntitled) else {
                return; // The check of the issuer says it.
            };
            let why = void.to_string();
            findings.fail(
                Grade::Void,
                "history",
                format!("该条目未生效：{why}{as_of_zh}"),
                format!("the entry took no effect: {why}, {as_of_en}"),
            );
        }
    }
}
