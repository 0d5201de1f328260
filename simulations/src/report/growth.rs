//! How cost grows with the number of exchanges, and how well a logarithm describes it.

use anyhow::Result;
use serde::Serialize;

use crate::country::command::{CountryArguments, run};
use crate::country::figures::Figures;
use crate::gossip::calibrate::Calibration;
use crate::gossip::swarm::{Network, Spread};

/// Members that each node of the model dials.
const DIALS: usize = 25;

/// Everything that the report shows.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// Countries of real states, by size.
    pub countries: Vec<Figures>,
    /// The model of gossip in one scope, by size.
    pub model: Vec<(usize, Spread)>,
    /// The model beside libp2p.
    pub calibrations: Vec<Calibration>,
    /// Milliseconds to 99% of nodes as `a + b·log2(nodes)`, over the model's sizes.
    pub time_fit: Fit,
    /// Bytes that a county exchange receives for each statement of its scopes, over countries' sizes.
    pub bytes_fit: Fit,
}

/// A straight line over the logarithm of the size.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Fit {
    /// Where it begins.
    pub a: f64,
    /// What each doubling of the size adds.
    pub b: f64,
    /// What is left of each point, as a part of it.
    pub residuals: Vec<f64>,
}

impl Fit {
    /// By least squares, over sizes and values.
    #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
    pub fn of(points: &[(usize, f64)]) -> Self {
        let n = points.len().max(1) as f64;
        let logs: Vec<f64> = points.iter().map(|(size, _)| (*size as f64).log2()).collect();
        let mean_x = logs.iter().sum::<f64>() / n;
        let mean_y = points.iter().map(|(_, value)| value).sum::<f64>() / n;
        let (mut up, mut down) = (0.0, 0.0);
        for (x, (_, y)) in logs.iter().zip(points) {
            up += (x - mean_x) * (y - mean_y);
            down += (x - mean_x).powi(2);
        }
        let b = if down > 0.0 { up / down } else { 0.0 };
        let a = mean_y - b * mean_x;
        let residuals =
            logs.iter().zip(points).map(|(x, (_, y))| (y - (a + b * x)) / y.max(1e-9)).collect();
        Self { a, b, residuals }
    }

    /// The line at a size.
    #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
    pub fn at(&self, size: usize) -> f64 {
        self.a + self.b * (size as f64).log2()
    }
}

/// How messages spread, by number of nodes.
pub type Spreads = Vec<(usize, Spread)>;

/// Runs countries and the model.
///
/// # Errors
///
/// Where a country cannot be founded.
pub fn grow(
    countries: &[usize],
    model: &[usize],
    base: &CountryArguments,
    progress: impl Fn(&str),
) -> Result<(Vec<Figures>, Spreads)> {
    let mut figures = Vec::new();
    for nodes in countries {
        progress(&format!("{nodes} exchanges"));
        figures.push(run(&CountryArguments { nodes: *nodes, late: true, ..base.clone() })?);
    }
    let mut spreads = Vec::new();
    for nodes in model {
        progress(&format!("model of {nodes}"));
        let mut network = Network::random(*nodes, DIALS, base.seed);
        network.message_bytes = 520;
        network.latency_us = (8_000, 50_000);
        network.messages = (200_000 / nodes).clamp(2, 40);
        spreads.push((*nodes, network.model(1)));
    }
    Ok((figures, spreads))
}

/// Bytes that a county exchange receives for each statement that it comes to hold.
#[expect(clippy::cast_precision_loss, reason = "bytes are below 2^53")]
pub fn county_bytes(figures: &Figures) -> f64 {
    let held_by_node = figures.deliveries as f64 / figures.nodes as f64;
    let county = figures.tiers.iter().find(|tier| tier.tier == "county");
    county.map_or(0.0, |county| county.received as f64 / held_by_node.max(1.0))
}

impl Findings {
    /// Fits lines to what was found.
    pub fn new(
        countries: Vec<Figures>,
        model: Vec<(usize, Spread)>,
        calibrations: Vec<Calibration>,
    ) -> Self {
        let times: Vec<(usize, f64)> =
            model.iter().map(|(size, spread)| (*size, spread.most_ms)).collect();
        let bytes: Vec<(usize, f64)> =
            countries.iter().map(|one| (one.nodes, county_bytes(one))).collect();
        let (time_fit, bytes_fit) = (Fit::of(&times), Fit::of(&bytes));
        Self { countries, model, calibrations, time_fit, bytes_fit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithm_is_found_again() {
        let fit = Fit::of(&[(128, 70.0), (1_024, 100.0), (65_536, 160.0)]);
        assert!((fit.a - 0.0).abs() < 1e-9 && (fit.b - 10.0).abs() < 1e-9, "{fit:?}");
        assert!(fit.residuals.iter().all(|rest| rest.abs() < 1e-9));
        assert!((fit.at(2_048) - 110.0).abs() < 1e-9);
    }
}
