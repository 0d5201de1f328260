//! When to search for a member's address in Kademlia: only if it is lost, one search at a time,
//! and each member at most once a minute. So two nodes in touch exchange no Kademlia message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::QueryId;

/// Pause between two searches for one peer.
const PAUSE: Duration = Duration::from_mins(1);

/// The search under way and those before it.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    active: Option<QueryId>,
    last: BTreeMap<PeerId, Instant>,
}

impl Lookups {
    /// The first of `lost` that may be searched for now.
    pub(super) fn choose(
        &mut self,
        lost: impl Iterator<Item = PeerId>,
        now: Instant,
    ) -> Option<PeerId> {
        if self.active.is_some() {
            return None;
        }
        self.last.retain(|_, at| now.saturating_duration_since(*at) < PAUSE);
        let mut lost = lost;
        lost.find(|peer| !self.last.contains_key(peer))
    }

    pub(super) fn started(&mut self, peer: PeerId, query: QueryId, now: Instant) {
        self.active = Some(query);
        self.last.insert(peer, now);
    }

    pub(super) fn finished(&mut self, query: QueryId) {
        if self.active == Some(query) {
            self.active = None;
        }
    }
}
