//! `hutong log`: show logs and entries, verify a log, export it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::Frontier;
use hutong_crypto::note::Note;
use hutong_protocol::directory::register_version;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use serde::Serialize;
use serde_json::json;

use super::args::{AudienceArg, Global, LogCommand};
use super::console::{Console, pretty, shown, shown_path};
use super::exit::{Damaged, Usage};
use super::lang::words;
use super::{settings, storage};
use crate::api::model::Log;
use crate::charter_file;
use crate::keys::KeyFolder;
use crate::store::{CheckpointChoice, ExportAudience, Store, drop_log};

/// Bytes of leaves read at one time.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Runs one of the commands.
///
/// # Errors
///
/// The node or the data folder cannot be used; [`Damaged`] when a log does not verify.
pub fn run(global: &Global, command: &LogCommand, console: Console) -> anyhow::Result<()> {
    match command {
        LogCommand::Show { exchange: None, .. } => {
            let logs = settings::node(global)?.logs()?;
            console.show(&logs, |logs| table(logs, console))
        }
        LogCommand::Show { exchange: Some(exchange), index: None } => {
            let detail = settings::node(global)?.log(exchange)?;
            console.show(&detail, |detail| {
                table(std::slice::from_ref(&detail.log), console)?;
                let note = detail.cosigned.as_ref().or(detail.checkpoint.as_ref());
                note.map_or(Ok(()), |note| console.line(note.trim_end()))
            })
        }
        LogCommand::Show { exchange: Some(exchange), index: Some(index) } => {
            let entry = settings::node(global)?.entry(exchange, *index)?;
            console.show(&entry, |entry| {
                console.facts([
                    (words("声明", "statement"), entry.id.clone()),
                    (words("密钥", "key"), entry.key.clone().unwrap_or_default()),
                ])?;
                match &entry.statement {
                    Some(statement) => console.line(&pretty(statement)?),
                    None => console.say("本节点只有哈希值。", "Only the hash is held here."),
                }
            })
        }
        LogCommand::Verify { exchange } => verify(global, exchange.as_deref(), console),
        LogCommand::Export { exchange, output, dsse, audience, include_restricted } => {
            let audience = export_audience(*audience, *include_restricted)?;
            export(global, exchange, output, *dsse, audience, console)
        }
        LogCommand::Standing { from, output } => standing(global, *from, output, console),
        LogCommand::Drop { exchange } => drop_one(global, &parse(exchange)?, console),
    }
}

fn table(logs: &[Log], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("交易所", "exchange"),
        words("条目", "size"),
        words("检查点", "checkpoint"),
        words("已见证", "witnessed"),
        words("见证单位", "witnesses"),
        words("仅有哈希", "withheld"),
        words("冻结于", "frozen at"),
    ];
    let count = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let rows = logs.iter().map(|log| {
        vec![
            log.exchange.clone(),
            log.size.to_string(),
            count(log.checkpoint_size),
            count(log.cosigned_size),
            log.cosigners.len().to_string(),
            log.withheld.to_string(),
            count(log.frozen),
        ]
    });
    console.table(&headers, rows)
}

/// What `log verify` found of one log.
#[derive(Debug, Serialize)]
struct Verified {
    exchange: String,
    size: u64,
    root: String,
    checkpoint_size: Option<u64>,
    holds: bool,
    problem: Option<String>,
}

fn verify(global: &Global, exchange: Option<&str>, console: Console) -> anyhow::Result<()> {
    let store = storage::open(global)?;
    let logs = match exchange {
        Some(exchange) => vec![parse(exchange)?],
        None => store.logs(),
    };
    let mut verified = Vec::new();
    for log in logs {
        verified.push(verify_one(&store, &log, console)?);
    }
    console.show(&verified, |verified| {
        for log in verified {
            let state = match &log.problem {
                None => console.lang.pick("成立", "holds").to_owned(),
                Some(problem) => shown(problem),
            };
            console.line(&format!("{}  {}  {}  {state}", log.exchange, log.size, log.root))?;
        }
        Ok(())
    })?;
    let broken = verified.iter().filter(|log| !log.holds).count();
    if broken == 0 {
        return Ok(());
    }
    Err(Damaged(format!("{broken} log(s) do not verify: run `hutong fsck`")).into())
}

/// Hashes every leaf anew and compares with head and checkpoint.
fn verify_one(store: &Store, log: &ExchangeId, console: Console) -> anyhow::Result<Verified> {
    let head = store.head(log)?.with_context(|| format!("no log of {log} is held here"))?;
    let checkpoint = head.checkpoint.as_ref();
    let bar = console.progress(head.size, "核验", "verifying");
    let mut frontier = Frontier::new();
    let mut at_checkpoint = None;
    let mut problem = None;
    while frontier.size() < head.size {
        let from = frontier.size();
        match store.leaves(log, from, head.size, READ_BYTES_MAX) {
            Ok(leaves) if leaves.is_empty() => {
                problem = Some(format!("leaf {from} is missing"));
            }
            Ok(leaves) => {
                for leaf in leaves {
                    frontier.append(leaf.hash());
                    if checkpoint.is_some_and(|(size, _)| *size == frontier.size()) {
                        at_checkpoint = Some(frontier.root());
                    }
                }
            }
            Err(error) => problem = Some(error.to_string()),
        }
        if problem.is_some() {
            break;
        }
        bar.set_position(frontier.size());
    }
    bar.finish_and_clear();
    if problem.is_none() && frontier.root() != head.root {
        problem = Some("the leaves do not hash to the root".to_owned());
    }
    if problem.is_none()
        && let Some((size, note)) = checkpoint
    {
        problem = checkpoint_problem(*size, note, at_checkpoint);
    }
    Ok(Verified {
        exchange: log.to_string(),
        size: head.size,
        root: head.root.to_string(),
        checkpoint_size: checkpoint.map(|(size, _)| *size),
        holds: problem.is_none(),
        problem,
    })
}

fn checkpoint_problem(size: u64, note: &str, root: Option<Hash>) -> Option<String> {
    use hutong_crypto::checkpoint::Checkpoint;
    let checkpoint = Note::parse(note).ok().and_then(|note| Checkpoint::parse(&note.text).ok());
    match checkpoint {
        None => Some("the checkpoint is unreadable".to_owned()),
        Some(checkpoint)
            if size > 0 && (checkpoint.size, Some(checkpoint.root)) != (size, root) =>
        {
            Some(format!("the leaves do not hash to the checkpoint of size {size}"))
        }
        Some(_) => None,
    }
}

/// Restricted entries leave the node only where the operator says so twice: that they may, and for whom.
fn export_audience(audience: AudienceArg, confirmed: bool) -> Result<ExportAudience, Usage> {
    match (audience, confirmed) {
        (AudienceArg::Public, false) => Ok(ExportAudience::Public),
        (AudienceArg::Domestic, true) => Ok(ExportAudience::Domestic),
        (AudienceArg::All, true) => Ok(ExportAudience::All),
        (AudienceArg::Domestic | AudienceArg::All, false) => Err(Usage(
            "this exports entries that are not for everybody: add --include-restricted to confirm"
                .to_owned(),
        )),
        (AudienceArg::Public, true) => Err(Usage(
            "--include-restricted needs an audience: add --audience domestic or --audience all"
                .to_owned(),
        )),
    }
}

fn export(
    global: &Global,
    exchange: &str,
    output: &Path,
    dsse: bool,
    audience: ExportAudience,
    console: Console,
) -> anyhow::Result<()> {
    let store = storage::open(global)?;
    let log = parse(exchange)?;
    if dsse {
        let envelopes = export_envelopes(&store, &log, audience, output, console)?;
        return console.show(&envelopes, |envelopes| {
            let Envelopes { entries, restricted, withheld, .. } = envelopes;
            console.say(
                &format!("已写入 {entries} 个信封；略去 {restricted} 条受限条目和 {withheld} 条仅有哈希的条目。"),
                &format!("{entries} envelopes written; left out: {restricted} entries for another audience, {withheld} leaves that are held as hashes only."),
            )
        });
    }
    let is_cosigned = store.head(&log)?.is_some_and(|head| head.cosigned.is_some());
    let choice = if is_cosigned { CheckpointChoice::Cosigned } else { CheckpointChoice::Newest };
    let report = store.export(&log, choice, audience, output)?;
    console.show(&report, |report| {
        let (size, cosignatures) = (report.size, report.cosignatures);
        let written = storage::written(report.bytes_written);
        console.say(
            &format!("已导出 {size} 条，检查点带 {cosignatures} 份见证签名，{written}。"),
            &format!(
                "{size} leaves exported, {cosignatures} cosignatures on the checkpoint, {written}."
            ),
        )
    })
}

/// What was written as DSSE envelopes.
#[derive(Debug, Serialize)]
struct Envelopes {
    file: PathBuf,
    entries: u64,
    /// Entries for another audience, which were left out.
    restricted: u64,
    /// Leaves of which only the hash is held.
    withheld: u64,
}

fn export_envelopes(
    store: &Store,
    log: &ExchangeId,
    audience: ExportAudience,
    output: &Path,
    console: Console,
) -> anyhow::Result<Envelopes> {
    let head = store.head(log)?.with_context(|| format!("no log of {log} is held here"))?;
    let context = || format!("cannot write {}", output.display());
    let mut file = BufWriter::new(File::create_new(output).with_context(context)?);
    let bar = console.progress(head.size, "导出", "exporting");
    let mut envelopes =
        Envelopes { file: output.to_owned(), entries: 0, restricted: 0, withheld: 0 };
    let mut next = 0;
    while next < head.size {
        let leaves = store.leaves(log, next, head.size, READ_BYTES_MAX)?;
        anyhow::ensure!(!leaves.is_empty(), "leaf {next} of {log} is missing: run `hutong fsck`");
        for leaf in &leaves {
            match leaf {
                Leaf::Entry(entry) if audience.admits(entry) => match entry.to_dsse_envelope() {
                    Ok(envelope) => {
                        writeln!(file, "{envelope}").with_context(context)?;
                        envelopes.entries += 1;
                    }
                    // No reader of that format could verify it.
                    Err(_) => envelopes.withheld += 1,
                },
                Leaf::Entry(_) => envelopes.restricted += 1,
                Leaf::Withheld(_) => envelopes.withheld += 1,
            }
        }
        next += leaves.len() as u64;
        bar.set_position(next);
    }
    bar.finish_and_clear();
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .with_context(context)?;
    Ok(envelopes)
}

/// Writes where the own log is, tied to the size that stands by the suspension.
fn standing(
    global: &Global,
    from: Option<u64>,
    output: &Path,
    console: Console,
) -> anyhow::Result<()> {
    let client = settings::node(global)?;
    let me = settings::read(global, &[])?.exchange.id;
    let member = client.members()?.into_iter().find(|member| member.exchange == me);
    let member = member.with_context(|| format!("{me} is no member"))?;
    let from = from.or(member.stands).with_context(|| {
        format!(
            "{me} is active: nothing has to be reinstated; give --from SIZE where you know better"
        )
    })?;
    let standing = client.standing(&me, from)?;
    let text = serde_json::to_string_pretty(&standing)? + "\n";
    std::fs::write(output, text).with_context(|| format!("cannot write {}", output.display()))?;
    if console.json {
        return console.json(&json!({"file": output, "from": from}));
    }
    let file = shown_path(output);
    console.say(
        &format!("已写入 {file}。请交上级交易所：hutong member reinstate {me} --checkpoint {file}"),
        &format!(
            "{file} is written. The parent runs `hutong member reinstate {me} --checkpoint {file}`."
        ),
    )
}

/// Has a log fetched again. Without its own log a node may not know what it has signed: the keys then
/// count as restored, before anything is dropped.
fn drop_one(global: &Global, log: &ExchangeId, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    storage::need_store(global)?;
    let keeps = || {
        let version = register_version(log)?;
        let charters = charter_file::read(&global.data).ok()??;
        let keeper = charters.version_at(version)?.charter().keeper.clone();
        (keeper.as_str() == config.exchange.id).then_some(())
    };
    if config.exchange.id == log.as_str() || keeps().is_some() {
        KeyFolder::of(&global.data).mark_restored()?;
    }
    drop_log(&global.data, log)?;
    console
        .say("已丢弃；节点启动后将重新获取。", "Dropped: the node fetches it again when it runs.")
}

fn parse(exchange: &str) -> anyhow::Result<ExchangeId> {
    exchange.parse().map_err(|_| Usage(format!("expected an exchange id, met `{exchange}`")).into())
}
