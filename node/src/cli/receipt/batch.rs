//! `hutong receipt verify --batch`: every receipt of a folder, each with the verdict that it has alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use hutong_protocol::id::{FederationId, StatementId};
use hutong_protocol::receipt::{
    Check, Outcome, Policy, Report, TrustedAuthority, Verdict, Verifier,
};
use hutong_protocol::shown::visible_json;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::prepared::PreparedKeys;
use super::{is_whole, read_receipt};
use crate::cli::clock;
use crate::cli::console::{Console, shown};
use crate::cli::exit::{NotAccepted, Usage};
use crate::cli::lang::{Lang, Words, words};

/// Files of one folder at most: their names are held in memory.
const FILES_MAX: usize = 1_000_000;

/// Files that are verified before their lines are written.
const ROUND: usize = 1_024;

/// Receipts that a thread examines together, so that their signatures cost less.
const GROUP: usize = 16;

/// What lies beside receipts and is none: bundles, and QR codes.
const OTHERS: [&str; 2] = [".hutong-authority.json", ".svg"];

/// What every file is verified against.
pub(super) struct Terms<'a> {
    pub(super) expected: FederationId,
    pub(super) authority: Option<&'a TrustedAuthority>,
    /// Whether that is a bundle, which compact receipts need.
    pub(super) is_bundle: bool,
    pub(super) allowed: BTreeSet<Verdict>,
}

/// What came of one file, and the line that says so.
struct Row {
    name: String,
    finding: Finding,
    line: String,
}

enum Finding {
    Verified(Box<Verified>),
    /// Compact, and there is no authority bundle.
    NoBundle,
    Unread(String),
}

struct Verified {
    verdict: Verdict,
    accepted: bool,
    /// The contract's number or the listing's id.
    subject: Option<String>,
    /// Who said what about that subject: issuer, subject and statement.
    about: Option<(String, String, StatementId)>,
    reason: Option<Check>,
}

/// Verifies every file of `folder` but those of [`OTHERS`] and hidden ones, in the order of their names.
///
/// # Errors
///
/// The folder cannot be read or holds no such file; [`NotAccepted`] when a file is not accepted, and
/// [`Usage`] when all others are and a compact receipt lacks its bundle.
pub(super) fn verify(folder: &Path, terms: &Terms<'_>, console: Console) -> anyhow::Result<()> {
    let files = files(folder)?;
    let (begun, keys) = (Instant::now(), PreparedKeys::default());
    let policy = Policy { authority: terms.authority, now: Some(clock::now()) };
    // One for each thread, so that none waits for another.
    let verifiers: Vec<Mutex<Verifier<'_>>> = (0..rayon::current_num_threads())
        .map(|_| Mutex::new(Verifier::new(&terms.expected, &policy, &keys)))
        .collect();
    let examine = |files: &[PathBuf]| -> Vec<Row> {
        let own = rayon::current_thread_index().unwrap_or_default() % verifiers.len();
        let mut verifier = verifiers[own].lock().unwrap_or_else(PoisonError::into_inner);
        let findings = examine(files, terms, &mut verifier);
        let rows = files.iter().zip(findings);
        rows.map(|(file, finding)| Row::new(&name(file), finding, console)).collect()
    };
    let bar = console.progress(files.len() as u64, "核验凭证", "verifying receipts");
    let mut summary = Summary::default();
    if !console.json {
        console.line(&header(console.lang))?;
    }
    for round in files.chunks(ROUND) {
        let groups: Vec<Vec<Row>> = round.par_chunks(GROUP).map(examine).collect();
        let mut lines = String::new();
        for row in groups.iter().flatten() {
            summary.add(&row.name, &row.finding);
            lines.push_str(&row.line);
            lines.push('\n');
        }
        bar.suspend(|| console.line(lines.trim_end_matches('\n')))?;
        bar.inc(round.len() as u64);
    }
    bar.finish_and_clear();
    summary.tell(keys.checked(), begun.elapsed().as_secs_f64(), console)?;
    summary.end()
}

/// Regular files of the folder that may be receipts, sorted.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder).with_context(context)? {
        let item = item.with_context(context)?;
        let path = item.path();
        let name = name(&path);
        let is_other = name.starts_with('.') || OTHERS.iter().any(|end| name.ends_with(end));
        // The folder tells what is a file. Anything else is asked, and tried where it cannot be, so that it
        // has its line.
        let is_file = item.file_type().is_ok_and(|kind| kind.is_file())
            || !path.metadata().is_ok_and(|metadata| !metadata.is_file());
        if is_other || !is_file {
            continue;
        }
        anyhow::ensure!(
            files.len() < FILES_MAX,
            "{} holds over {FILES_MAX} files",
            folder.display()
        );
        files.push(path);
    }
    if files.is_empty() {
        return Err(Usage(format!("{} holds no receipt", folder.display())).into());
    }
    files.sort();
    Ok(files)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Each file as `receipt verify` has it.
fn examine(files: &[PathBuf], terms: &Terms<'_>, verifier: &mut Verifier<'_>) -> Vec<Finding> {
    let read: Vec<anyhow::Result<Vec<u8>>> = files.iter().map(|file| read_receipt(file)).collect();
    verifier.together(|verifier| {
        let findings = read.iter().map(|read| match read {
            Ok(bytes) => examine_one(bytes, terms, verifier),
            Err(error) => Finding::Unread(format!("{error:#}")),
        });
        findings.collect()
    })
}

fn examine_one(bytes: &[u8], terms: &Terms<'_>, verifier: &mut Verifier<'_>) -> Finding {
    let report = match terms.authority {
        _ if is_whole(bytes) => verifier.verify(bytes),
        Some(_) if terms.is_bundle => verifier.verify_compact(bytes),
        Some(_) | None => return Finding::NoBundle,
    };
    Finding::Verified(Box::new(Verified::of(&report, &terms.allowed)))
}

impl Verified {
    fn of(report: &Report, allowed: &BTreeSet<Verdict>) -> Self {
        let (verdict, accepted) = (report.verdict, report.is_accepted(allowed));
        let summary = report.summary.as_ref().filter(|_| verdict != Verdict::Invalid);
        let subject = summary.and_then(|summary| summary.subject.clone());
        let about = summary
            .zip(subject.clone())
            .map(|(summary, subject)| (summary.issuer.to_string(), subject, summary.statement));
        let first = |outcome| report.checks.iter().find(|check| check.outcome == outcome).cloned();
        let reason = first(Outcome::Fail).or_else(|| first(Outcome::Warn));
        Self { verdict, accepted, subject, about, reason }
    }
}

/// The columns before the file's name: verdict, and number or id.
const COLUMNS: [usize; 2] = [20, 24];

fn header(lang: Lang) -> String {
    let heads = [words("结论", "verdict"), words("合同", "contract"), words("文件", "file")];
    let [verdict, contract, file] = heads.map(|head| head.of(lang));
    line(verdict, contract, file, lang.pick("原因", "reason"))
}

fn line(verdict: &str, subject: &str, file: &str, reason: &str) -> String {
    let mut line = String::new();
    for (text, columns) in [verdict, subject].into_iter().zip(COLUMNS) {
        let text = shown(text);
        line.push_str(&text);
        let width: usize = text.chars().map(columns_of).sum();
        line.extend(std::iter::repeat_n(' ', columns.saturating_sub(width).max(1)));
    }
    line.push_str(&shown(file));
    if !reason.is_empty() {
        line.push_str("  ");
        line.push_str(&shown(reason));
    }
    line
}

/// Columns that a character takes on a terminal: what this program says has none but these two kinds.
const fn columns_of(character: char) -> usize {
    if (character as u32) < 0x1100 { 1 } else { 2 }
}

impl Row {
    fn new(file: &str, finding: Finding, console: Console) -> Self {
        let line = if console.json {
            visible_json(&finding.to_value(file).to_string())
        } else {
            finding.line(file, console.lang)
        };
        Self { name: file.to_owned(), finding, line }
    }
}

impl Finding {
    fn line(&self, file: &str, lang: Lang) -> String {
        let reason = match self {
            Self::Verified(verified) => {
                let reason = verified.reason.as_ref();
                reason.map_or("", |check| lang.pick(check.zh.as_str(), check.en.as_str()))
            }
            Self::NoBundle => NO_BUNDLE.of(lang),
            Self::Unread(error) => error,
        };
        let subject = match self {
            Self::Verified(verified) => verified.subject.as_deref().unwrap_or("-"),
            _ => "-",
        };
        line(self.kind().1.of(lang), subject, file, reason)
    }

    fn to_value(&self, file: &str) -> Value {
        match self {
            Self::Verified(verified) => json!({
                "file": file,
                "verdict": self.kind().0,
                "accepted": verified.accepted,
                "contract": verified.subject,
                "reason": verified.reason.as_ref().map(|check| {
                    json!({ "name": check.name, "en": check.en, "zh": check.zh })
                }),
            }),
            Self::NoBundle => json!({ "file": file, "error": NO_BUNDLE.en }),
            Self::Unread(error) => json!({ "file": file, "error": error }),
        }
    }

    /// Its name in JSON, and for people.
    const fn kind(&self) -> (&'static str, Words) {
        match self {
            Self::Verified(verified) => (verified.verdict.as_str(), short(verified.verdict)),
            Self::NoBundle => ("no_bundle", words("缺核验资料包", "no bundle")),
            Self::Unread(_) => ("unreadable", words("无法读取", "unreadable")),
        }
    }
}

const NO_BUNDLE: Words = words(
    "精简凭证：请用 --authority 给出核验资料包",
    "a compact receipt: give the authority bundle with --authority",
);

const fn short(verdict: Verdict) -> Words {
    match verdict {
        Verdict::Valid => words("有效", "valid"),
        Verdict::ValidSuperseded => words("有效，已被取代", "valid, superseded"),
        Verdict::ValidThenCancelled => words("有效，后已注销", "valid, cancelled"),
        Verdict::Provisional => words("暂予通过，待锚定", "provisional"),
        Verdict::Void => words("不生效", "void"),
        Verdict::Invalid => words("无效", "invalid"),
        Verdict::NotVerifiableHere => words("无法核验", "not verifiable here"),
    }
}

/// What came of all files.
#[derive(Default)]
struct Summary {
    files: u64,
    accepted: u64,
    without_bundle: u64,
    kinds: BTreeMap<&'static str, (u64, Words)>,
    /// Which files say what about a subject of an issuer.
    said: BTreeMap<(String, String), BTreeMap<StatementId, String>>,
}

impl Summary {
    fn add(&mut self, file: &str, finding: &Finding) {
        self.files += 1;
        match finding {
            Finding::Verified(verified) => {
                self.accepted += u64::from(verified.accepted);
                if let Some((issuer, subject, statement)) = &verified.about {
                    let said = self.said.entry((issuer.clone(), subject.clone())).or_default();
                    said.entry(*statement).or_insert_with(|| file.to_owned());
                }
            }
            Finding::NoBundle => self.without_bundle += 1,
            Finding::Unread(_) => {}
        }
        let (kind, words) = finding.kind();
        self.kinds.entry(kind).or_insert((0, words)).0 += 1;
    }

    /// Subjects about which the receipts say different things, with a file for each.
    fn different(&self) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
        let several = self.said.iter().filter(|(_, said)| said.len() > 1);
        several.map(|((issuer, subject), said)| {
            (issuer.as_str(), subject.as_str(), said.values().map(String::as_str).collect())
        })
    }

    fn tell(&self, signatures: u64, seconds: f64, console: Console) -> anyhow::Result<()> {
        if console.json {
            let counts: BTreeMap<_, _> =
                self.kinds.iter().map(|(kind, (count, _))| (kind, count)).collect();
            let different: Vec<Value> = self
                .different()
                .map(|(issuer, subject, files)| {
                    json!({ "issuer": issuer, "subject": subject, "files": files })
                })
                .collect();
            let summary = json!({
                "different": different,
                "files": self.files,
                "accepted": self.accepted,
                "verdicts": counts,
                "signatures": signatures,
                "seconds": seconds,
            });
            return console.line(&json!({ "summary": summary }).to_string());
        }
        for (issuer, subject, files) in self.different() {
            let files = shown(&files.join(console.lang.pick("、", ", ")));
            console.say(
                &format!("！{issuer} 的 {subject}：各凭证内容不同，以最新者为准：{files}"),
                &format!("! {subject} of {issuer}: these receipts say different things, of which the newest counts: {files}"),
            )?;
        }
        let (lang, files) = (console.lang, self.files);
        let counts: Vec<String> = self
            .kinds
            .values()
            .map(|(count, kind)| format!("{}{}{count}", kind.of(lang), lang.pick(" ", ": ")))
            .collect();
        let counts = counts.join(lang.pick("，", ", "));
        console.say(
            &format!(
                "\n共 {files} 个文件：{counts}（核验签名 {signatures} 个，用时 {seconds:.2} 秒）。"
            ),
            &format!(
                "\n{files} files. {counts} ({signatures} signatures checked in {seconds:.2} s)."
            ),
        )
    }

    fn end(&self) -> anyhow::Result<()> {
        match self.files - self.accepted {
            0 => Ok(()),
            refused if refused == self.without_bundle => Err(Usage(format!(
                "{refused} compact receipts need the authority bundle: give it with --authority"
            ))
            .into()),
            _ => Err(NotAccepted.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_in_both_languages() {
        let before = |line: &str| {
            let place = line.find("FILE").map_or(line, |place| &line[..place]);
            place.chars().map(columns_of).sum::<usize>()
        };
        for lang in [Lang::Zh, Lang::En] {
            for verdict in Verdict::ALL {
                let line = line(short(verdict).of(lang), "2026330100000001", "FILE", "one\ntwo");
                assert_eq!(before(&line), COLUMNS.iter().sum::<usize>(), "{line}");
                assert!(!line.contains('\n'), "a file has one line");
            }
        }
    }

    #[test]
    fn a_files_name_and_number_make_no_line_and_no_verdict() {
        for invisible in
            ["\n", "\r", "\u{85}", "\u{2028}", "\u{202e}", "\u{200f}", "\u{200b}", "\u{1b}[1A"]
        {
            let text = format!("a{invisible}valid                2026330100000001");
            for lang in [Lang::Zh, Lang::En] {
                let line = Finding::Unread(text.clone()).line(&text, lang);
                assert!(!line.contains(invisible), "{line:?}");
            }
            let line = Finding::NoBundle.to_value(&text).to_string();
            assert_eq!(visible_json(&line).lines().count(), 1);
        }
    }
}
