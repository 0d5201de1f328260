//! What checks found, and the verdict that they come to.

use alloc::{format, string::String, vec::Vec};

use super::{
    life::{Course, Life},
    prover::ProofProblem,
    report::{Check, Outcome, Report, Summary, Verdict},
};

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

    pub(super) fn warn(
        &mut self,
        name: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        self.add(Outcome::Warn, name, zh.into(), en.into());
    }

    pub(super) fn info(
        &mut self,
        name: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
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

    pub(super) fn report(
        self,
        course: Option<Course>,
        provisional: bool,
        summary: Option<Summary>,
    ) -> Report {
        let life = course.map_or(Life::Current, |course| course.life);
        let verdict = match (self.worst, life) {
            (Some(Grade::Invalid), _) => Verdict::Invalid,
            (Some(Grade::Unknown), _) => Verdict::NotVerifiableHere,
            (Some(Grade::Void), _) | (None, Life::Revoked | Life::Idle) => Verdict::Void,
            (None, _) if provisional => Verdict::Provisional,
            (None, Life::Cancelled) => Verdict::ValidThenCancelled,
            (None, Life::Superseded) => Verdict::ValidSuperseded,
            (None, Life::Current) => Verdict::Valid,
        };
        Report { verdict, checks: self.checks, summary }
    }

    pub(super) fn problem(
        &mut self,
        problem: &ProofProblem,
        name: &'static str,
        zh: &str,
        en: &str,
    ) {
        let grade = if problem.is_unknown() { Grade::Unknown } else { Grade::Invalid };
        self.fail(grade, name, format!("{zh}：{}", problem.zh()), format!("{en}: {problem}"));
    }
}
