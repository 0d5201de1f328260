//! `hutong fsck` and `hutong rebuild`: the data folder of a stopped node.

use hutong_protocol::directory::{Directory, Facts};
use hutong_protocol::id::ExchangeId;

use super::args::Global;
use super::console::Console;
use super::exit::Damaged;
use super::{settings, status};
use crate::charter_file;
use crate::store::{FsckReport, Severity, Store, StoreError, StoreOptions, fsck, rebuild};

/// `hutong fsck`: looks at every stored byte.
///
/// # Errors
///
/// [`Damaged`] with exit code 4 when something committed is lost or changed.
pub fn check(global: &Global, console: Console) -> anyhow::Result<()> {
    let bar = console.progress(0, "检查", "checking");
    let directory = directory(global);
    let key = |log: &ExchangeId| {
        let directory = directory.as_ref()?;
        directory.member(log).map(|member| member.descriptor.log_key)
    };
    let report = fsck(&global.data, &key, &mut |progress| {
        bar.set_length(progress.size);
        bar.set_position(progress.entries);
        bar.set_message(progress.log.to_string());
    });
    bar.finish_and_clear();
    let report = report?;
    console.show(&report, |report| show(report, console))?;
    if report.is_sound() {
        return Ok(());
    }
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error).count();
    Err(Damaged(format!("{errors} finding(s): follow the advice beside each")).into())
}

/// The directory, for the keys of logs. Without it signatures of checkpoints are not checked, and the report says so.
fn directory(global: &Global) -> Option<Directory> {
    let chain = charter_file::read(&global.data).ok()??;
    let mut facts = Facts::new();
    // Opening may fail on a damaged folder, which is what is being looked for; the charter's keys remain.
    if let Ok(store) = Store::open(&global.data, &StoreOptions::default())
        && let Ok(admin) = store.admin_facts()
    {
        for (log, index, entry) in admin {
            facts.insert((log, index), entry);
        }
    }
    Some(Directory::build(&chain, &facts))
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
            finding.file.as_ref().map(|file| file.display().to_string()),
            finding.index.map(|index| index.to_string()),
        ];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let mark = if finding.severity == Severity::Error { "!" } else { "-" };
        console.line(&format!(
            "{mark} {}: {}; {}",
            place.join(" "),
            finding.what,
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
            console.line(&format!("! {log}: {why}"))?;
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
/// [`StoreError`], also while a node works there.
pub fn open(global: &Global) -> Result<Store, StoreError> {
    Store::open(&global.data, &StoreOptions::default())
}

/// The size of what was written, for people.
pub fn written(bytes: u64) -> String {
    status::bytes(bytes)
}
