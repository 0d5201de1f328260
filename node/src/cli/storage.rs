//! `hutong fsck` and `hutong rebuild`: the data folder of a stopped node.

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::note::Note;
use hutong_protocol::directory::register_version;
use hutong_protocol::id::{ExchangeId, Origin};

use super::args::Global;
use super::console::{Console, shown, shown_path};
use super::exit::{Damaged, Unprepared};
use super::{settings, status};
use crate::authority::Charters;
use crate::charter_file;
use crate::private;
use crate::store::{Finding, FsckReport, Severity, Store, StoreError, StoreOptions, fsck, rebuild};

/// `hutong fsck`: looks at every stored byte.
///
/// # Errors
///
/// [`Damaged`] with exit code 4 when something committed is lost or changed.
pub fn check(global: &Global, console: Console) -> anyhow::Result<()> {
    need_store(global)?;
    let bar = console.progress(0, "检查", "checking");
    let charters = charter_file::read(&global.data).ok().flatten();
    // Opening the folder as a node does would repair what is being looked for, so only the charters' keys
    // are at hand now.
    let key = |log: &ExchangeId| {
        let charters = charters.as_ref()?;
        match register_version(log) {
            Some(version) => Some(charters.version_at(version)?.charter().register_key),
            None => charters.latest().council_member(log).map(|member| member.log_key),
        }
    };
    let report = fsck(&global.data, &key, &mut |progress| {
        bar.set_length(progress.size);
        bar.set_position(progress.entries);
        bar.set_message(progress.log.to_string());
    });
    bar.finish_and_clear();
    let mut report = report?;
    if report.is_sound()
        && let Some(charters) = &charters
    {
        check_signatures(&open(global)?, &Charters::of(charters)?, &mut report)?;
    }
    console.show(&report, |report| show(report, console))?;
    if report.is_sound() {
        return Ok(());
    }
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error).count();
    Err(Damaged(format!("{errors} finding(s): follow the advice beside each")).into())
}

/// Checks the log signatures of the checkpoints that the charter's keys alone could not check.
fn check_signatures(
    store: &Store,
    charters: &Charters,
    report: &mut FsckReport,
) -> Result<(), StoreError> {
    let directory = charters.fold(store)?;
    for log in report.logs.iter_mut().filter(|log| !log.checkpoint_signature) {
        let Ok(exchange) = log.log.parse::<ExchangeId>() else { continue };
        let head = store.head(&exchange)?;
        let Some((size, note)) = head.and_then(|head| head.checkpoint) else { continue };
        let Some(key) = directory.log_key_at(&exchange, size) else { continue };
        let origin = Origin::new(&directory.federation(), &exchange).to_string();
        let signed = Note::parse(&note)
            .is_ok_and(|note| Checkpoint::verify_log_signature(&note, &origin, &key).is_ok());
        log.checkpoint_signature = signed;
        if !signed {
            report.findings.push(Finding {
                severity: Severity::Error,
                log: Some(log.log.clone()),
                file: None,
                index: None,
                what: format!("the checkpoint of size {size} is not signed by the log's key"),
                advice: "drop the log so that it is fetched again",
            });
        }
    }
    Ok(())
}

fn show(report: &FsckReport, console: Console) -> anyhow::Result<()> {
    for log in &report.logs {
        console.line(&format!(
            "{}  {} {}, {} {}, {} {}",
            log.log,
            log.size,
            console.lang.pick("条", "leaves"),
            log.signatures,
            console.lang.pick("个签名成立", "signatures hold"),
            log.withheld,
            console.lang.pick("条仅有哈希", "held as hashes only"),
        ))?;
    }
    for finding in &report.findings {
        let place = [
            finding.log.clone(),
            finding.file.as_deref().map(shown_path),
            finding.index.map(|index| index.to_string()),
        ];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let mark = if finding.severity == Severity::Error { "!" } else { "-" };
        console.line(&format!(
            "{mark} {}: {}; {}",
            place.join(" "),
            shown(&finding.what),
            finding.advice
        ))?;
    }
    if report.is_sound() {
        console.say("全部数据完好。", "Everything stored is sound.")?;
    }
    Ok(())
}

/// `hutong rebuild`: makes everything that is derived anew.
///
/// # Errors
///
/// [`StoreError`]; [`Damaged`] when a log cannot be read to its end.
pub fn remake(global: &Global, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    need_store(global)?;
    let options = StoreOptions {
        index_cache_bytes: u64::from(config.storage.cache_mib) << 20,
        ..StoreOptions::default()
    };
    let bar = console.spinner("{pos} 条 {msg}", "{pos} entries {msg}");
    let report = rebuild(&global.data, &options, &mut |log, index| {
        bar.set_position(index);
        bar.set_message(log.to_string());
    });
    bar.finish_and_clear();
    let report = report?;
    console.show(&report, |report| {
        console.say(
            &format!("已由 {} 个日志的 {} 条重建。", report.logs, report.entries),
            &format!("Rebuilt from {} entries of {} logs.", report.entries, report.logs),
        )?;
        for (log, why) in &report.failed {
            console.line(&format!("! {}: {}", shown(log), shown(why)))?;
        }
        Ok(())
    })?;
    if report.failed.is_empty() {
        Ok(())
    } else {
        Err(Damaged("some logs could not be read to their end: run `hutong fsck`".to_owned())
            .into())
    }
}

/// Opens the data folder of a stopped node for reading.
///
/// # Errors
///
/// [`StoreError`], also while a node works there; [`Unprepared`] where none ever has.
pub fn open(global: &Global) -> anyhow::Result<Store> {
    need_store(global)?;
    private::keep_existing(&global.data)?;
    Ok(Store::open(&global.data, &StoreOptions::default())?)
}

/// Makes sure that a node has kept something in the data folder: looking at it must not make it.
pub(super) fn need_store(global: &Global) -> Result<(), Unprepared> {
    settings::need_folder(global)?;
    if global.data.join("format").exists() {
        return Ok(());
    }
    let data = global.data.display();
    Err(Unprepared::new(
        format!("{data} 上尚未运行过节点：请先启动 hutong run"),
        format!("no node has run on {data} yet: start one with `hutong run`"),
    ))
}

/// The size of what was written, for people.
pub fn written(bytes: u64) -> String {
    status::bytes(bytes)
}
