//! Runs scenarios.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use hutong_protocol::state::State;
use hutong_simulations::scenario::{Outcome, Scenario};

#[derive(Debug, Parser)]
#[command(about = "A virtual federation of Hutong nodes on virtual time")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and say how they ended; exit code 1 where one failed.
    Run {
        /// TOML files.
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// Another seed than the file's.
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> Result<ExitCode> {
    let Command::Run { scenarios, seed } = Arguments::parse().command;
    let mut code = ExitCode::SUCCESS;
    for path in scenarios {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("scenario file {}", path.display()))?;
        let mut scenario = Scenario::parse(&text).with_context(|| path.display().to_string())?;
        scenario.seed = seed.unwrap_or(scenario.seed);
        let outcome = scenario.run()?;
        show(&scenario, &outcome);
        if !outcome.failures.is_empty() {
            code = ExitCode::from(1);
        }
    }
    Ok(code)
}

fn show(scenario: &Scenario, outcome: &Outcome) {
    let world = &outcome.world;
    println!("{}: {} nodes, seed {}", scenario.name, world.nodes.len(), scenario.seed);
    println!(
        "{:<24} {:>5} {:>8} {:>9} {:>9} {:>11}",
        "node", "logs", "leaves", "withheld", "cosigned", "bytes sent"
    );
    for (slot, node) in world.nodes.iter().enumerate() {
        let mut sums = (0, 0, 0, 0);
        for log in node.state.iter().flat_map(State::logs) {
            sums = (sums.0 + 1, sums.1 + log.size, sums.2 + log.withheld, sums.3 + log.cosigned);
        }
        let (logs, leaves, withheld, cosigned) = sums;
        let (name, sent) = (world.id(slot).as_str(), node.bytes_sent);
        println!("{name:<24} {logs:>5} {leaves:>8} {withheld:>9} {cosigned:>9} {sent:>11}");
    }
    match outcome.converged_at_ms {
        Some(at) => println!("converged after {at} ms; trace {}", world.trace()),
        None => println!("not converged after {} ms", scenario.limit_ms),
    }
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
}
