//! When to search for a member's address in Kademlia: only if it is lost, one search at a time,
//! and for each member ever more rarely. So two nodes in touch exchange no Kademlia message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::QueryId;

/// Pause after the first search for a peer; doubled after each. The first search makes the peers
/// that were asked fill their tables, so the second comes soon.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// Longest pause between two searches for one peer.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// The search under way and those before it.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    active: Option<QueryId>,
    /// For each peer still lost: when to search again, and the pause after that.
    next: BTreeMap<PeerId, (Instant, Duration)>,
}

impl Lookups {
    /// The first of `lost` that may be searched for now. Whoever is no longer lost starts anew.
    pub(super) fn choose(&mut self, lost: &[PeerId], now: Instant) -> Option<PeerId> {
        self.next.retain(|peer, _| lost.contains(peer));
        if self.active.is_some() {
            return None;
        }
        let due = |peer: &&PeerId| self.next.get(peer).is_none_or(|(at, _)| *at <= now);
        lost.iter().find(due).copied()
    }

    pub(super) fn started(&mut self, peer: PeerId, query: QueryId, now: Instant) {
        self.active = Some(query);
        let pause = self.next.get(&peer).map_or(PAUSE_MIN, |(_, pause)| *pause);
        self.next.insert(peer, (now + pause, (pause * 2).min(PAUSE_MAX)));
    }

    pub(super) fn finished(&mut self, query: QueryId) {
        if self.active == Some(query) {
            self.active = None;
        }
    }
}
