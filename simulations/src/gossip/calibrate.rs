//! The model beside libp2p's own code, on the same networks.

use anyhow::Result;

use super::params::Params;
use super::real;
use super::swarm::{Network, Spread};

/// How far the two may be apart, as a part of what libp2p does. The model's meshes have a tenth to a sixth more
/// links than those of libp2p, which shows most in small networks: it errs towards more bytes.
pub const TOLERANCE: f64 = 0.3;

/// A network, and what both make of it.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Calibration {
    /// How many nodes.
    pub nodes: usize,
    /// Whether `IDONTWANT` was in use.
    pub idontwant: bool,
    /// Size of the messages.
    pub message_bytes: usize,
    /// The model.
    pub model: Spread,
    /// libp2p.
    pub real: Spread,
}

/// Runs networks of each of `sizes`, with `messages` messages each.
///
/// # Errors
///
/// As [`real::run`].
pub fn calibrate(
    sizes: &[usize],
    messages: usize,
    seed: u64,
    progress: impl Fn(&str, usize, usize),
) -> Result<Vec<Calibration>> {
    let mut done = Vec::new();
    for &nodes in sizes {
        for idontwant_bytes in [Params::HUTONG.idontwant_bytes, None] {
            let mut network = Network::random(nodes, 10, seed);
            network.messages = messages;
            network.params = Params { idontwant_bytes, ..Params::HUTONG };
            let what = format!("{nodes} swarms");
            let real = real::run(&network, |done| progress(&what, done, messages))?;
            done.push(Calibration {
                nodes,
                idontwant: idontwant_bytes.is_some(),
                message_bytes: network.message_bytes,
                model: network.model(),
                real,
            });
        }
    }
    Ok(done)
}

impl Calibration {
    /// What is compared: name, model, libp2p.
    pub fn compared(&self) -> [(&'static str, f64, f64); 6] {
        let (model, real) = (&self.model, &self.real);
        [
            ("mesh degree", model.degree, real.degree),
            ("hops", model.hops, real.hops),
            ("duplicates", model.duplicates, real.duplicates),
            ("ms to 50%", model.half_ms, real.half_ms),
            ("ms to 99%", model.most_ms, real.most_ms),
            ("ms to 100%", model.all_ms, real.all_ms),
        ]
    }

    /// What is compared, as rows of a table in Markdown.
    pub fn rows(&self) -> String {
        let kind = if self.idontwant { "as configured" } else { "no IDONTWANT" };
        let (nodes, bytes) = (self.nodes, self.message_bytes);
        let row = |(what, model, real): (&str, f64, f64)| {
            let off = 100.0 * (model - real) / real;
            format!(
                "| {nodes} | {bytes} B, {kind} | {what} | {model:.2} | {real:.2} | {off:+.0}% |\n"
            )
        };
        self.compared().into_iter().map(row).collect()
    }

    /// Whether all is within [`TOLERANCE`].
    pub fn agrees(&self) -> bool {
        self.compared().iter().all(|(_, model, real)| (model - real).abs() <= TOLERANCE * real)
    }
}
