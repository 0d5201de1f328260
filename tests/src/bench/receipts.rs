//! Verifying folders of receipts with the program's own command.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use hutong_protocol::id::FederationId;
use hutong_protocol::receipt::{Policy, Verdict, verify};
use hutong_tests::process::run;
use hutong_tests::receipts::{OWN_SIGNATURES, Registry};
use rayon::prelude::*;
use serde_json::Value;

use crate::machine::{Machine, per_second};
use crate::report::Report;

/// Receipts that are verified each alone.
const ALONE: u64 = 1_000;

/// Verifies `count` receipts, each under an anchor of its own, and as many under one.
pub(crate) fn folders(machine: &Machine, count: u64, report: &mut Report) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let (apart, together) = (scratch.path().join("apart"), scratch.path().join("together"));
    let mut registry = Registry::new(3);
    write(&mut registry, &apart, &together, count)?;
    let all = registry.signatures_in_file()?;
    let federation = registry.federation().to_string();
    report.figure("receipts, each alone", alone(&apart, registry.federation(), count)?, "/s");
    for (folder, checkpoints, own) in
        [(apart, "own anchors", OWN_SIGNATURES), (together, "one anchor", 1)]
    {
        let rate = rate(&folder, &federation, count)?;
        let mut figure = |what: String, signatures: usize| {
            let ratio = rate * to_f64(signatures) / machine.verify;
            report.ratio(&what, rate, "/s", ratio, "verifying");
        };
        figure(format!("receipts, {checkpoints}, {own} new signatures each"), own);
        figure(format!("the same by all {all} signatures of a file"), all);
    }
    Ok(())
}

fn write(registry: &mut Registry, apart: &Path, together: &Path, count: u64) -> anyhow::Result<()> {
    fs::create_dir_all(apart)?;
    fs::create_dir_all(together)?;
    for number in 0..count {
        let index = registry.register(number);
        registry.anchor();
        fs::write(apart.join(name(number)), registry.receipt(index, &[])?.encode())?;
    }
    registry.anchor();
    for number in 0..count {
        fs::write(together.join(name(number)), registry.receipt(number, &[])?.encode())?;
    }
    Ok(())
}

/// Receipts verified a second on all cores where nothing is shared.
fn alone(folder: &Path, federation: FederationId, count: u64) -> anyhow::Result<f64> {
    let files = (0..count.min(ALONE)).map(|number| Ok(fs::read(folder.join(name(number)))?));
    let files = files.collect::<anyhow::Result<Vec<Vec<u8>>>>()?;
    let begun = Instant::now();
    let is_valid =
        |file: &Vec<u8>| verify(file, &federation, &Policy::default()).verdict == Verdict::Valid;
    ensure!(files.par_iter().all(is_valid), "a receipt is not valid");
    Ok(per_second(files.len(), begun.elapsed()))
}

fn name(number: u64) -> String {
    format!("{number:06}.hutong-receipt.json")
}

/// Receipts verified a second, from the start of the program to its end.
fn rate(folder: &Path, federation: &str, count: u64) -> anyhow::Result<f64> {
    let path = folder.to_str().context("the folder has a name in Unicode")?;
    let begun = Instant::now();
    let output =
        run(folder, &["receipt", "verify", "--batch", path, "--federation", federation, "--json"])?;
    let rate = per_second(usize::try_from(count)?, begun.elapsed());
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = output.stdout.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
    let summary: Value = serde_json::from_slice(last.context("there is a summary")?)?;
    ensure!(summary["summary"]["verdicts"]["valid"] == count, "{summary}");
    Ok(rate)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn to_f64(count: usize) -> f64 {
    count as f64
}
