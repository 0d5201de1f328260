//! The network: connections with other nodes, gossip, and request streams.
//!
//! In scope: TCP and QUIC with Noise and Yamux, finding and keeping peers, limits, bans, byte
//! counts. Out of scope: what any message means. Nothing here knows a log or a statement; bytes
//! come in as [`NetEvent`]s and go out by [`NetHandle`].
//!
//! | file | subject |
//! |---|---|
//! | `config`, `limits`, `names` | what the network is told at its start |
//! | `handle`, `event`, `outbox` | the border to the node |
//! | `task` and `task/…` | the event loop |
//! | `behaviour`, `transport`, `codec`, `scoring`, `late_ping` | how libp2p is put together |
//! | `dial`, `lookup`, `relays` | whom to connect to |
//! | `member_relay` | whom to relay for |
//! | `gate`, `reputation`, `bucket` | whom to refuse |
//! | `peers`, `requests`, `verdicts`, `bandwidth`, `metrics` | books |
//!
//! **Invariant:** the network task never waits for the receiver of its events. Whoever awaits a
//! command can therefore be the one who receives the events.

mod bandwidth;
mod behaviour;
mod bucket;
mod codec;
mod config;
mod dial;
mod event;
mod gate;
mod handle;
mod late_ping;
pub mod limits;
mod lookup;
mod member_relay;
mod metrics;
mod names;
mod outbox;
mod peers;
mod relays;
mod reputation;
mod requests;
mod scoring;
mod start;
mod task;
mod transport;
mod verdicts;

#[cfg(test)]
mod tests;

pub use config::{NetConfig, NetError, TransportSecret, peer_of_public_key};
pub use event::{NetEvent, Published, RequestFailure, VERDICT_WITHIN, Verdict};
pub use handle::{Membership, NetHandle, NetSnapshot, PeerSnapshot};
pub use limits::NetLimits;
pub use metrics::{Counter, NetMetrics};
pub use names::NameError;
pub use start::Net;
