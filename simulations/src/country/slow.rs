//! The statements that took longest, and the nodes that they waited for.

use serde::Serialize;

use super::engine::Country;

/// Statements that are named, at most.
const SLOW_MAX: usize = 5;
/// Statements that took no longer are not worth a word, in microseconds.
const SLOW_US_MIN: u64 = 5_000_000;

/// A statement that was slow, and how the last node that came to hold it lies in the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slow {
    /// Milliseconds from its publication until the last node held it.
    pub ms: u64,
    /// Its log.
    pub log: String,
    /// Its index in the log.
    pub index: u64,
    /// The last node that came to hold it.
    pub last: String,
    /// Connections of that node.
    pub connections: usize,
    /// Subscribers of the topic.
    pub subscribers: usize,
    /// Those of them to whom the node is connected.
    pub connected: usize,
    /// Those of these with whom it shares a mesh.
    pub mesh: usize,
    /// Whether it is connected to the owner of the log.
    pub to_owner: bool,
}

/// The slowest statements of those that reached everybody.
pub fn slowest(country: &Country) -> Vec<Slow> {
    let mut slow: Vec<_> = country
        .ledger
        .places()
        .filter_map(|(log, index, statement)| {
            let (took, last) = statement.completed()?;
            (took >= SLOW_US_MIN).then_some((took, log, index, last))
        })
        .collect();
    slow.sort_by_key(|(took, log, index, _)| (std::cmp::Reverse(*took), *log, *index));
    slow.truncate(SLOW_MAX);
    slow.into_iter()
        .filter_map(|(took, log, index, last)| of(country, took, log, index, last))
        .collect()
}

fn of(country: &Country, took: u64, log: u32, index: u64, last: u32) -> Option<Slow> {
    let exchanges = &country.commons.federation.exchanges;
    let topic = country.topic_of(log)?;
    let place = topic.place(last)?;
    let connections = country.connections.of(last as usize);
    Some(Slow {
        ms: took / 1_000,
        log: exchanges[log as usize].id.to_string(),
        index,
        last: exchanges[last as usize].id.to_string(),
        connections: connections.len(),
        subscribers: topic.members().len(),
        connected: topic.peers(place).len(),
        mesh: topic.mesh(place).len(),
        to_owner: connections.contains(&log),
    })
}
