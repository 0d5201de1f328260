//! `hutong log`: show logs and entries, verify a log, export it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::Frontier;
use hutong_crypto::note::Note;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use serde::Serialize;
use serde_json::json;

use super::args::{Global, LogCommand};
use super::console::{Console, printable};
use super::exit::{Damaged, Usage};
use super::lang::words;
use super::{settings, storage};
use crate::api::model::Log;
use crate::keys::KeyFolder;
use crate::store::{CheckpointChoice, Store, drop_log};

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
                note.map_or(Ok(()), |note| console.line(&printable(note.trim_end())))
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
                    Some(statement) => {
                        console.line(&printable(&serde_json::to_string_pretty(statement)?))
                    }
                    None => console.say("本节点只有哈希值。", "Only the hash is held here."),
                }
            })
        }
        LogCommand::Verify { exchange } => verify(global, exchange.as_deref(), console),
        LogCommand::Export { exchange, output, dsse } => {
            export(global, exchange, output, *dsse, console)
        }
        LogCommand::Drop { exchange } => drop_one(global, &parse(exchange)?, console),
    }
}

fn table(logs: &[Log], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("交易所", "exchange"),
        words("条目", "size"),
        words("检查点", "checkpoint"),
        words("已见证", "witnessed"),
        words("见证方", "witnesses"),
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
                Some(problem) => problem.clone(),
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

fn export(
    global: &Global,
    exchange: &str,
    output: &Path,
    dsse: bool,
    console: Console,
) -> anyhow::Result<()> {
    let store = storage::open(global)?;
    let log = parse(exchange)?;
    if dsse {
        let (written, withheld) = export_envelopes(&store, &log, output, console)?;
        let value = json!({"file": output, "entries": written, "withheld": withheld});
        return console.show(&value, |_| {
            console.say(
                &format!("已写入 {written} 个信封；{withheld} 条仅有哈希，未写。"),
                &format!("{written} envelopes written; {withheld} leaves are held as hashes only and were left out."),
            )
        });
    }
    let report = store.export(&log, CheckpointChoice::Newest, output)?;
    console.show(&report, |report| {
        console.say(
            &format!("已导出 {} 条，{}。", report.size, storage::written(report.bytes_written)),
            &format!(
                "{} leaves exported, {}.",
                report.size,
                storage::written(report.bytes_written)
            ),
        )
    })
}

fn export_envelopes(
    store: &Store,
    log: &ExchangeId,
    output: &Path,
    console: Console,
) -> anyhow::Result<(u64, u64)> {
    let head = store.head(log)?.with_context(|| format!("no log of {log} is held here"))?;
    let context = || format!("cannot write {}", output.display());
    let mut file = BufWriter::new(File::create_new(output).with_context(context)?);
    let bar = console.progress(head.size, "导出", "exporting");
    let (mut next, mut withheld) = (0, 0);
    while next < head.size {
        let leaves = store.leaves(log, next, head.size, READ_BYTES_MAX)?;
        anyhow::ensure!(!leaves.is_empty(), "leaf {next} of {log} is missing: run `hutong fsck`");
        for leaf in &leaves {
            match leaf {
                Leaf::Entry(entry) => {
                    writeln!(file, "{}", entry.to_dsse_envelope()).with_context(context)?;
                }
                Leaf::Withheld(_) => withheld += 1,
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
    Ok((next - withheld, withheld))
}

/// Has a log fetched again. Without its own log a node may not know what it has signed: the keys then
/// count as restored, before anything is dropped.
fn drop_one(global: &Global, log: &ExchangeId, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    storage::need_store(global)?;
    if config.exchange.id == log.as_str() {
        KeyFolder::of(&global.data).mark_restored()?;
    }
    drop_log(&global.data, log)?;
    console
        .say("已丢弃；节点启动后将重新获取。", "Dropped: the node fetches it again when it runs.")
}

fn parse(exchange: &str) -> anyhow::Result<ExchangeId> {
    exchange.parse().map_err(|_| Usage(format!("expected an exchange id, met `{exchange}`")).into())
}
