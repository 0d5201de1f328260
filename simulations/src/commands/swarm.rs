//! `swarm`: scenarios drawn from seeds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use hutong_simulations::swarm::{self, SeedReport, first_violation, shrink};
use indicatif::{ProgressBar, ProgressStyle};

/// Run scenarios drawn from seeds; exit code 1 where one failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Swarm {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many nodes each federation has, 10 to 50.
    #[arg(long, default_value_t = 50)]
    nodes: usize,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// A report in JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Stop at the first seed that violates this property.
    #[arg(long)]
    until: Option<String>,
    /// Make a failing scenario small and write it to this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

impl Swarm {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let begun = Instant::now();
        let reports = self.all()?;
        let failing: Vec<&SeedReport> =
            reports.iter().filter(|report| !report.failures.is_empty()).collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&reports)?);
        } else {
            show_table(&reports);
            let (count, seconds) = (reports.len(), begun.elapsed().as_secs_f64());
            println!("{count} seeds of {} nodes in {seconds:.0} s", self.nodes);
        }
        for report in &failing {
            self.show_failure(report)?;
        }
        Ok(if failing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    /// Runs all seeds on several threads.
    fn all(&self) -> Result<Vec<SeedReport>> {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left {msg}")?;
        let bar = ProgressBar::new(self.seeds).with_style(style);
        let (next, end) = (AtomicU64::new(self.from), self.from + self.seeds);
        let (reporting, receive) = mpsc::sync_channel(64);
        let mut reports = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let reporting = reporting.clone();
                let next = &next;
                scope.spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || reporting.send(swarm::run(seed, self.nodes)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(reporting);
            for report in receive {
                let report: SeedReport = report?;
                if !report.failures.is_empty() {
                    bar.println(format!("seed {} FAILED: {}", report.seed, report.failures[0]));
                }
                bar.inc(1);
                let of_wanted = |failure: &String| {
                    self.until.as_ref().is_some_and(|wanted| failure.starts_with(wanted))
                };
                if report.failures.iter().any(of_wanted) {
                    next.store(end, Ordering::Relaxed);
                }
                reports.push(report);
            }
            anyhow::Ok(())
        })?;
        bar.finish_and_clear();
        reports.sort_by_key(|report| report.seed);
        Ok(reports)
    }

    /// Says how to run a failing seed again, and writes it down small.
    fn show_failure(&self, report: &SeedReport) -> Result<()> {
        let (seed, nodes) = (report.seed, self.nodes);
        eprintln!("\nseed {seed} at commit {}:", commit());
        for failure in report.failures.iter().take(5) {
            eprintln!("  {failure}");
        }
        eprintln!(
            "  again: cargo run --release -p hutong-simulations -- swarm --from {seed} --seeds 1 --nodes {nodes} --keep ."
        );
        let Some(folder) = &self.keep else { return Ok(()) };
        let (scenario, _) = swarm::draw(seed, nodes)?;
        let Some(violation) = first_violation(&scenario)? else { return Ok(()) };
        let (small, runs) = shrink(&scenario, violation.checker)?;
        let path = folder.join(format!("{}-{seed}.toml", violation.checker));
        std::fs::write(&path, small.encode()?)
            .with_context(|| format!("write {}", path.display()))?;
        eprintln!("  small after {runs} runs, in {}:\n{}", path.display(), small.encode()?);
        Ok(())
    }
}

/// The commit of the working folder, if it is one of a repository.
fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".into(), |text| text.trim().to_string())
}

/// How runs with each kind of trouble ended.
fn show_table(reports: &[SeedReport]) {
    let mut rows: BTreeMap<&str, Vec<&SeedReport>> = BTreeMap::new();
    for report in reports {
        rows.entry("all").or_default().push(report);
        for feature in &report.features {
            rows.entry(feature).or_default().push(report);
        }
    }
    println!(
        "{:<14} {:>6} {:>7} {:>15} {:>15} {:>11} {:>9}",
        "trouble", "seeds", "failed", "settled median", "settled longest", "statements", "MB sent"
    );
    for (name, reports) in rows {
        let failed = reports.iter().filter(|report| !report.failures.is_empty()).count();
        let mut settled: Vec<u64> = reports.iter().filter_map(|it| it.settled_ms).collect();
        settled.sort_unstable();
        let median = settled.get(settled.len() / 2).copied().unwrap_or(0);
        let longest = settled.last().copied().unwrap_or(0);
        let statements: usize = reports.iter().map(|it| it.acknowledged).sum();
        let sent: u64 = reports.iter().map(|it| it.bytes_sent).sum();
        println!(
            "{name:<14} {:>6} {failed:>7} {median:>12} ms {longest:>12} ms {statements:>11} {:>9}",
            reports.len(),
            sent / 1_000_000
        );
    }
}
