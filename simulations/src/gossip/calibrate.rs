//! The model beside libp2p's own code, on the same networks.

use anyhow::Result;

use super::params::Params;
use super::real;
use super::swarm::{Network, Spread};

/// How far the two may be apart, as a part of what libp2p does.
pub const TOLERANCE: f64 = 0.2;

/// Messages in one network; more of them take more networks, since what one random mesh makes of a small
/// network is far from what the next one makes of it.
const MESSAGES_PER_NETWORK: usize = 10;
/// Meshes that the model forms in each network.
const MESHES: u64 = 20;

/// Networks of one size, and what both make of them on average.
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

/// Runs networks of each of `sizes`, with `messages` messages for each size, at least 1.
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
        for idontwant in [true, false] {
            let what = format!("{nodes} swarms");
            done.push(compare(nodes, idontwant, messages, seed, |at| {
                progress(&what, at, messages);
            })?);
        }
    }
    Ok(done)
}

fn compare(
    nodes: usize,
    idontwant: bool,
    messages: usize,
    seed: u64,
    progress: impl Fn(usize),
) -> Result<Calibration> {
    let (mut models, mut reals) = (Vec::new(), Vec::new());
    let mut message_bytes = 0;
    for begin in (0..messages).step_by(MESSAGES_PER_NETWORK) {
        let mut network = Network::random(nodes, 10, seed.wrapping_add(begin as u64));
        network.messages = MESSAGES_PER_NETWORK.min(messages - begin);
        let idontwant_bytes = Params::HUTONG.idontwant_bytes.filter(|_| idontwant);
        network.params = Params { idontwant_bytes, ..Params::HUTONG };
        message_bytes = network.message_bytes;
        reals.push(real::run(&network, |done| progress(begin + done))?);
        models.push(network.model(MESHES));
    }
    let (model, real) = (Spread::mean(&models), Spread::mean(&reals));
    Ok(Calibration { nodes, idontwant, message_bytes, model, real })
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
