//! Counters of the network room.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the start. Each only grows.
        #[derive(Debug, Default)]
        pub struct NetMetrics { $($(#[$doc])* pub $name: Counter,)* }

        impl NetMetrics {
            /// All counters with their names, in order of declaration.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.value()),)*]
            }
        }
    };
}

counters! {
    /// Connections opened, by either side.
    connections_opened,
    /// Connections closed.
    connections_closed,
    /// Inbound connections that failed or were refused at the door.
    inbound_failed,
    /// Listeners that closed, such as a reservation at a relay that was refused or lost.
    listeners_closed,
    /// Own dials that failed.
    dials_failed,
    /// Own dials started.
    dials_started,
    /// Peers turned away because they belong to another federation.
    wrong_federation,
    /// Gossip messages handed to the node.
    gossip_received,
    /// Own gossip messages sent.
    gossip_published,
    /// Own gossip messages that nobody was there for.
    gossip_unheard,
    /// Gossip rejected because its author may not publish.
    gossip_unauthorised,
    /// Gossip rejected by the node's verdict.
    gossip_rejected,
    /// Gossip dropped because the node is behind.
    gossip_dropped,
    /// Gossip dropped because its source sent too much.
    gossip_over_rate,
    /// Requests handed to the node.
    requests_received,
    /// Requests refused because the node is behind or the peer has too many open.
    requests_refused,
    /// Requests refused because the peer asks too often.
    requests_over_rate,
    /// Own requests sent.
    requests_sent,
    /// Own requests that failed.
    requests_failed,
    /// Peers banned.
    bans,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
