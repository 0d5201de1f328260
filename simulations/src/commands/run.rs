//! `run`: scenarios from files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use hutong_protocol::state::State;
use hutong_simulations::scenario::{Outcome, Scenario};

/// Run scenarios and say how they ended; exit code 1 where one failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// TOML files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// Another seed than the file's.
    #[arg(long)]
    seed: Option<u64>,
    /// One line for each scenario.
    #[arg(long)]
    brief: bool,
    /// Everything that this exchange's node told its operator.
    #[arg(long)]
    notices: Option<String>,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for path in &self.scenarios {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("scenario file {}", path.display()))?;
            let mut scenario =
                Scenario::parse(&text).with_context(|| path.display().to_string())?;
            scenario.seed = self.seed.unwrap_or(scenario.seed);
            let outcome = scenario.run()?;
            if !self.brief {
                show_nodes(&outcome);
            }
            if let Some(node) = &self.notices {
                show_notices(&outcome, node)?;
            }
            show(&scenario, &outcome);
            if !outcome.failures.is_empty() {
                code = ExitCode::from(1);
            }
        }
        Ok(code)
    }
}

fn show(scenario: &Scenario, outcome: &Outcome) {
    let world = &outcome.world;
    let (name, nodes, seed) = (&scenario.name, world.nodes.len(), scenario.seed);
    match outcome.converged_at_ms {
        Some(at) => {
            println!(
                "{name}: {nodes} nodes, seed {seed}: converged after {at} ms; trace {}",
                world.trace()
            );
        }
        None => println!(
            "{name}: {nodes} nodes, seed {seed}: not converged after {} ms",
            world.now_ms()
        ),
    }
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
}

fn show_notices(outcome: &Outcome, node: &str) -> Result<()> {
    let node = &outcome.world.nodes[outcome.world.slot(node)?];
    for refusal in &node.refusals {
        println!("refused to start: {refusal}");
    }
    for notice in &node.notices {
        println!("{notice:?}");
    }
    for log in node.state.iter().flat_map(State::logs) {
        println!("{log:?}");
    }
    println!("{:?}", node.state.as_ref().map(State::load));
    let (outbox, unsynced, waiting) = node.waits();
    println!("{outbox} effects, {unsynced} unsynced changes, {waiting} unanswered requests");
    Ok(())
}

fn show_nodes(outcome: &Outcome) {
    let world = &outcome.world;
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
}
