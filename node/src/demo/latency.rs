//! How long a new listing takes to be visible everywhere.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::federation::{Node, publish};

/// Listings that are timed.
pub(super) const ROUNDS: usize = 40;

/// How long one listing may take before the measurement is given up.
const VISIBLE_WITHIN: Duration = Duration::from_secs(20);

/// Times from `publish` returning to the listing being visible on the slowest other node.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Publishes one listing after the other, each from another node, and waits for all others.
    pub(super) fn measure(nodes: &[Node]) -> anyhow::Result<Self> {
        let mut times = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            times.push(one(nodes, round % nodes.len(), round)?);
        }
        times.sort();
        Ok(Self(times))
    }

    /// The time that so many per cent of the listings did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

fn one(nodes: &[Node], from: usize, round: usize) -> anyhow::Result<Duration> {
    let publisher = &nodes[from];
    let id = format!("live-{round}");
    let body = json!({
        "listing_id": id,
        "revision": 1,
        "kind": "service",
        "title": { "zh": format!("时延测量 {round}（虚构）"), "en": format!("Latency probe {round} (fictional)") },
        "region": publisher.part.region,
    });
    publish(&publisher.client, "hutong/listing/v1", json!("public"), body)?;
    let since = Instant::now();
    let waiting = nodes.iter().enumerate().filter(|(index, _)| *index != from);
    let mut waiting: Vec<&Node> = waiting.map(|(_, node)| node).collect();
    while !waiting.is_empty() {
        waiting.retain(|node| node.client.listing(&publisher.part.id, &id).is_err());
        if since.elapsed() > VISIBLE_WITHIN {
            let slow: Vec<_> = waiting.iter().map(|node| node.part.id.as_str()).collect();
            None::<()>.with_context(|| format!("listing {id} is not visible on {slow:?}"))?;
        }
    }
    Ok(since.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_did_not_exceed() {
        let times = Latencies((1..=40).map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(20));
        assert_eq!(times.percentile(99), Duration::from_millis(40));
        assert_eq!(times.percentile(0), Duration::from_millis(1));
    }
}
