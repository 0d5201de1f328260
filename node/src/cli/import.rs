//! `hutong listing import` and `hutong contract import`: files into statements, through a running node.

use std::path::Path;

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::args::{Global, ImportArgs};
use super::console::{Console, shown, shown_path};
use super::exit::Usage;
use super::lang::words;
use super::publisher::{NodePublishError, NodePublisher, Outgoing};
use super::settings;
use crate::api::client::{Client, ClientError};
use crate::api::model::{ContractDetail, ListingDetail};
use crate::import::check::check_draft;
use crate::import::{
    Existing, Kind, Mapping, Options, Problem, PublishError, Published, Publisher, Report,
    Submission, run as run_import,
};

/// Problems and warnings that are shown without `--json`.
const PROBLEMS_SHOWN: usize = 20;

/// Some rows were not imported; they have been told of already.
#[derive(Debug, thiserror::Error)]
#[error("{0} row(s) were not imported: correct them in the error file and import that")]
struct RowsFailed(u64);

/// Imports a file and reports what became of its rows.
///
/// # Errors
///
/// The mapping or the file cannot be used, the node cannot be reached, or rows failed (exit code 1).
pub fn run(global: &Global, args: &ImportArgs, kind: Kind, console: Console) -> anyhow::Result<()> {
    let mapping = Mapping::load(&args.mapping)?;
    if mapping.kind != kind {
        let file = args.mapping.display();
        return Err(
            Usage(format!("{file} maps {:?} rows: use the other import", mapping.kind)).into()
        );
    }
    let client = settings::node(global)?;
    let me = client.status()?.exchange;
    let mut publisher = ImportPublisher { node: NodePublisher::new(client, &global.data), me };
    let folder = global.data.join("imports");
    let options = Options {
        source: &args.file,
        mapping: &mapping,
        folder: &folder,
        dry_run: args.dry_run,
        check: &check_draft,
    };
    let bar = spinner(console);
    let report = run_import(&options, &mut publisher, &mut |progress| {
        bar.set_position(progress.rows);
        bar.set_message(format!(
            "+{} ={} !{}",
            progress.published, progress.unchanged, progress.failed
        ));
    });
    bar.finish_and_clear();
    let report = report?;
    let errors = move_errors(&report, args.errors.as_deref())?;
    show(&report, errors.as_deref(), console)?;
    if report.failed > 0 { Err(RowsFailed(report.failed).into()) } else { Ok(()) }
}

struct ImportPublisher {
    node: NodePublisher,
    me: String,
}

impl Publisher for ImportPublisher {
    fn existing(
        &mut self,
        kind: Kind,
        subjects: &[String],
    ) -> Result<Vec<Option<Existing>>, PublishError> {
        subjects.iter().map(|subject| self.find(kind, subject)).collect()
    }

    fn publish(&mut self, group: &[Submission]) -> Result<Vec<Published>, PublishError> {
        let outgoing = group.iter().map(|submission| Outgoing {
            kind: submission.kind.to_owned(),
            audience: submission.audience.clone(),
            body: submission.body.clone(),
            confidential: submission.confidential.clone(),
        });
        let published = self.node.publish(outgoing.collect()).map_err(refused)?;
        let published =
            published.into_iter().map(|one| Published { statement: one.id, index: one.index });
        Ok(published.collect())
    }
}

impl ImportPublisher {
    fn find(&self, kind: Kind, subject: &str) -> Result<Option<Existing>, PublishError> {
        let client = self.node.client();
        match kind {
            Kind::Listing => {
                let found =
                    Client::found(client.listing(&self.me, subject)).map_err(unavailable)?;
                Ok(found.map(listing))
            }
            Kind::Contract => {
                let Some(found) = Client::found(client.contract(subject)).map_err(unavailable)?
                else {
                    return Ok(None);
                };
                let confidential = self.node.confidential(&found).map_err(unavailable)?;
                Ok(Some(contract(found, confidential)))
            }
        }
    }
}

fn listing(found: ListingDetail) -> Existing {
    let listing = found.listing;
    Existing {
        statement: listing.newest.statement,
        revision: listing.revision,
        audience: listing.newest.audience,
        body: object(listing.newest.body),
        confidential: None,
        ended: matches!(listing.status.as_str(), "withdrawn" | "traded"),
    }
}

fn contract(found: ContractDetail, confidential: Option<Map<String, Value>>) -> Existing {
    let contract = found.contract;
    Existing {
        ended: matches!(contract.status.as_str(), "cancelled" | "revoked"),
        statement: contract.last,
        revision: 1,
        audience: contract.newest.audience,
        body: object(contract.newest.body),
        confidential,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> PublishError {
    PublishError::Unavailable(Box::new(error))
}

/// A refusal that names one statement is that row's; anything else is the node's.
fn refused(error: NodePublishError) -> PublishError {
    let position = match &error {
        NodePublishError::Registration { place } => Some(*place),
        NodePublishError::Client(ClientError::Refused(problem)) => {
            problem.members.first().and_then(|pointer| {
                pointer.strip_prefix("/statements/")?.split('/').next()?.parse().ok()
            })
        }
        NodePublishError::Client(_) | NodePublishError::Claims(_) => None,
    };
    match position {
        Some(position) => PublishError::Refused { position, reason: error.to_string() },
        None => unavailable(error),
    }
}

/// Puts the error file where it was asked for, and returns where it is.
fn move_errors(
    report: &Report,
    wanted: Option<&Path>,
) -> anyhow::Result<Option<std::path::PathBuf>> {
    match (&report.error_file, wanted) {
        (Some(written), Some(wanted)) => {
            std::fs::copy(written, wanted)
                .with_context(|| format!("cannot write {}", wanted.display()))?;
            Ok(Some(wanted.to_owned()))
        }
        (written, _) => Ok(written.clone()),
    }
}

fn show(report: &Report, errors: Option<&Path>, console: Console) -> anyhow::Result<()> {
    if console.json {
        return console.json(&to_json(report, errors));
    }
    let counts = [
        (words("读取行数", "rows"), report.rows),
        (words("新发布", "new"), report.new),
        (words("修订", "revised"), report.revised),
        (words("未变", "unchanged"), report.unchanged),
        (words("保留节点版本", "kept"), report.kept),
        (words("过滤", "filtered"), report.filtered),
        (words("按映射舍弃", "dropped"), report.dropped),
        (words("失败", "failed"), report.failed),
    ];
    if report.dry_run {
        console.say("试运行：未发布任何内容。", "Dry run: nothing was published.")?;
    }
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    console.facts(counts.map(|(label, count)| (label, count.to_string())))?;
    for note in &report.notes {
        console.line(&shown(note))?;
    }
    for problem in report.problems.iter().chain(&report.warnings).take(PROBLEMS_SHOWN) {
        console.line(&format!(
            "  {} {}: {} `{}`: {}",
            console.lang.pick("行", "row"),
            problem.row,
            shown(&problem.column),
            shown(&problem.value),
            shown(&problem.reason)
        ))?;
    }
    match errors {
        None => Ok(()),
        Some(file) => console.say(
            &format!("未导入的行、未取用的值及原因：{}", shown_path(file)),
            &format!("rows and values that were not imported, with reasons: {}", shown_path(file)),
        ),
    }
}

fn to_json(report: &Report, errors: Option<&Path>) -> Value {
    let problems = |problems: &[Problem]| -> Vec<Value> {
        let one = |p: &Problem| json!({"row": p.row, "column": p.column, "value": p.value, "reason": p.reason});
        problems.iter().map(one).collect()
    };
    json!({
        "dry_run": report.dry_run,
        "rows": report.rows,
        "filtered": report.filtered,
        "dropped": report.dropped,
        "new": report.new,
        "revised": report.revised,
        "unchanged": report.unchanged,
        "kept": report.kept,
        "failed": report.failed,
        "pending": report.pending,
        "problems": problems(&report.problems),
        "warnings": problems(&report.warnings),
        "warning_count": report.warning_count,
        "notes": report.notes,
        "preview": report.preview,
        "error_file": errors,
    })
}

fn spinner(console: Console) -> ProgressBar {
    console.spinner("已读 {pos} 行，{per_sec} {msg}", "{pos} rows, {per_sec} {msg}")
}
