//! What is known of a connected peer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;

use super::bucket::TokenBucket;
use super::limits::NetLimits;

/// A peer with at least one connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) since: Instant,
    pub(super) since_ms: u64,
    /// The node has been told of it.
    pub(super) announced: bool,
    pub(super) is_member: bool,
    pub(super) agent: String,
    pub(super) rtt: Option<Duration>,
    /// Where it says it listens, if it answers Kademlia lookups.
    pub(super) kad: Vec<Multiaddr>,
    /// The last request of either side.
    pub(super) active: Instant,
    pub(super) requests: TokenBucket,
    pub(super) gossip: TokenBucket,
}

/// One of a peer's connections.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) address: Multiaddr,
    pub(super) pings_failed: u32,
}

impl Peer {
    pub(super) fn new(is_member: bool, limits: &NetLimits, now: Instant) -> Self {
        let since_ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        let (requests, gossip) = buckets(is_member, limits, now);
        Self {
            connections: BTreeMap::new(),
            since: now,
            since_ms,
            announced: false,
            is_member,
            agent: String::new(),
            rtt: None,
            kad: Vec::new(),
            active: now,
            requests,
            gossip,
        }
    }

    /// Gives the peer the allowance of a member or of a stranger.
    pub(super) fn set_member(&mut self, is_member: bool, limits: &NetLimits, now: Instant) {
        if self.is_member != is_member {
            self.is_member = is_member;
            (self.requests, self.gossip) = buckets(is_member, limits, now);
        }
    }
}

/// Bursts: two seconds of requests, four of gossip, since announcements come in waves.
fn buckets(is_member: bool, limits: &NetLimits, now: Instant) -> (TokenBucket, TokenBucket) {
    let (requests, gossip) = if is_member {
        (limits.member_requests_per_s, limits.member_gossip_bytes_per_s)
    } else {
        (limits.stranger_requests_per_s, limits.stranger_gossip_bytes_per_s)
    };
    (TokenBucket::new(requests, 2, now), TokenBucket::new(gossip, 4, now))
}
