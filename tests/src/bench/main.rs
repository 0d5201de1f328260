//! Whole-process figures beside the limits of the machine that they were measured on.
//!
//! Real nodes on loopback, each a process with disk, keys and configuration of its own. Every figure is
//! printed with its ratio to what this machine can do at all, measured in the same run: machines differ and
//! drift, ratios hold. See `docs/PERFORMANCE.md`.

mod machine;
mod report;
mod runs;
mod statements;

use clap::{Parser, ValueEnum};

use crate::machine::Machine;
use crate::report::Report;

/// Measures nodes of this build; build both with `cargo build --release --workspace` first.
#[derive(Parser)]
struct Arguments {
    /// Statements of about 1 KiB to publish and replicate.
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Statements a second while live latency is measured.
    #[arg(long, default_value_t = 1_000)]
    load: u64,
    /// For how many seconds.
    #[arg(long, default_value_t = 20)]
    load_seconds: u64,
    /// What to measure; everything unless given.
    #[arg(value_enum)]
    only: Vec<Subject>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Publishing, replicating, going on, restarting, checking.
    Bulk,
    /// One statement after the other.
    Single,
    /// Latency to a neighbour under load.
    Live,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let wanted = |subject| arguments.only.is_empty() || arguments.only.contains(&subject);
    let machine = Machine::measure()?;
    let mut report = Report::default();
    machine.describe(&mut report);
    if wanted(Subject::Single) {
        runs::single(&machine, &mut report)?;
    }
    if wanted(Subject::Bulk) {
        runs::bulk(&machine, arguments.entries, &mut report)?;
    }
    if wanted(Subject::Live) {
        runs::live(arguments.load, arguments.load_seconds, &mut report)?;
    }
    report.print(arguments.json)
}
