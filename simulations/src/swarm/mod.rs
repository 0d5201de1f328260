//! Scenarios drawn from a seed, as in swarm testing: which faults there are at all is drawn too.
//!
//! A run with every fault at once hides what one fault alone would show, and the other way round.
//! So each seed first draws which kinds of trouble its world knows, and then the trouble.
//!
//! Source: Groce et al., "Swarm Testing", ISSTA 2012.

mod draw;
mod shrink;

use anyhow::Result;
use hutong_crypto::digest::Hash;

pub use self::draw::{Features, draw};
pub use self::shrink::shrink;
use crate::checks::Violation;
use crate::scenario::Scenario;

/// Layouts of federations that seeds share, so that few are founded in a process.
pub const LAYOUTS: u64 = 4;

/// How the run of one seed ended.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Which kinds of trouble there were.
    pub features: Vec<&'static str>,
    /// Virtual time at the end, in milliseconds.
    pub virtual_ms: u64,
    /// How long after healing all had settled, in milliseconds of virtual time.
    pub settled_ms: Option<u64>,
    /// Statements whose append was acknowledged.
    pub acknowledged: usize,
    /// Bytes that all nodes sent.
    pub bytes_sent: u64,
    /// A digest of everything that happened.
    pub trace: String,
    /// What was violated, in words.
    pub failures: Vec<String>,
}

/// Runs the scenario of one seed.
///
/// # Errors
///
/// Where the federation cannot be founded.
pub fn run(seed: u64, nodes: usize) -> Result<SeedReport> {
    let (scenario, features) = draw(seed, nodes)?;
    let outcome = scenario.run()?;
    let world = &outcome.world;
    let trace: Hash = world.trace();
    let healed = world.healed_at_ms().unwrap_or(0);
    Ok(SeedReport {
        seed,
        features: features.names(),
        virtual_ms: world.now_ms(),
        settled_ms: outcome.converged_at_ms.map(|at| at.saturating_sub(healed)),
        acknowledged: world.acknowledged.len(),
        bytes_sent: world.nodes.iter().map(|node| node.bytes_sent).sum(),
        trace: trace.to_string(),
        failures: outcome.failures.iter().map(ToString::to_string).collect(),
    })
}

/// The first violation of a scenario's run.
///
/// # Errors
///
/// Where the federation cannot be founded.
pub fn first_violation(scenario: &Scenario) -> Result<Option<Violation>> {
    Ok(scenario.run()?.failures.into_iter().next())
}
