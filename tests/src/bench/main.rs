//! Whole-process figures beside the limits of the machine that they were measured on.
//!
//! Real nodes on loopback, each a process with disk, keys and configuration of its own. Every figure is
//! printed with its ratio to what this machine can do at all, measured in the same run: machines differ and
//! drift, ratios hold. See `docs/PERFORMANCE.md`.

mod hostile;
mod load;
mod logs;
mod machine;
mod receipts;
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
    /// Receipts to verify, below a million.
    #[arg(long, default_value_t = 10_000)]
    receipts: u64,
    /// For `load`: statements a second, over all nodes.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// For `load` and `hostile`: for how many seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// For `load`: nodes, three or more.
    #[arg(long, default_value_t = 10)]
    nodes: usize,
    /// For `logs`: how many logs hold the `entries`.
    #[arg(long, default_value_t = 400)]
    logs: usize,
    /// What to measure; everything but `load`, `logs` and `hostile` unless given.
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
    /// Verifying a folder of receipts, offline.
    Receipts,
    /// Every node publishes at an even rate for a long time; then all logs must be equal.
    Load,
    /// A node that holds all entries in many logs, and a second one that fetches them.
    Logs,
    /// One statement after the other, while 50 strangers and 10 hostile members attack the node.
    Hostile,
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
    if wanted(Subject::Receipts) {
        receipts::folders(&machine, arguments.receipts, &mut report)?;
    }
    if arguments.only.contains(&Subject::Load) {
        let load =
            load::Load { rate: arguments.rate, seconds: arguments.seconds, nodes: arguments.nodes };
        load.run(&mut report)?;
    }
    if arguments.only.contains(&Subject::Logs) {
        let logs = logs::Logs { logs: arguments.logs, entries: arguments.entries };
        logs.run(&machine, &mut report)?;
    }
    if arguments.only.contains(&Subject::Hostile) {
        hostile::hostile(arguments.seconds, &mut report)?;
    }
    report.print(arguments.json)
}
