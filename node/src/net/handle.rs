//! What the node asks of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libp2p::Multiaddr;
use tokio::sync::{mpsc, oneshot};

use super::config::{NetError, address};
use super::event::{Published, Verdict};
use super::metrics::NetMetrics;

/// Who belongs to the federation now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Peer id text (base58) → multiaddr texts. Peers not in here are strangers: they may connect
    /// in small numbers, ask at a low rate, and not publish.
    pub members: BTreeMap<String, Vec<String>>,
    /// Peers whose gossip is passed on; members without suspension.
    pub publishers: BTreeSet<String>,
    /// The council: every member shows it new checkpoints, so it is always dialed.
    pub council: BTreeSet<String>,
    /// Scopes of this node that not everybody follows.
    pub scopes: Vec<String>,
    /// Peer id text → places in `scopes` of those that a member is presumed to follow.
    pub presumed: BTreeMap<String, Vec<u16>>,
}

/// The network at one moment.
#[derive(Debug, Clone)]
pub struct NetSnapshot {
    /// This node's peer id text.
    pub local_peer: String,
    /// Addresses listened on.
    pub listening: Vec<String>,
    /// Addresses confirmed or configured to be reachable from outside.
    pub external: Vec<String>,
    /// Connected peers, in order of their ids.
    pub peers: Vec<PeerSnapshot>,
    /// Bytes received on streams since the start.
    pub bytes_received: u64,
    /// Bytes sent on streams since the start.
    pub bytes_sent: u64,
    /// Peers banned for now.
    pub banned: usize,
    /// Events for which the receiver had no place.
    pub events: usize,
    /// Own requests without an answer.
    pub requests: usize,
    /// Peers' requests without an answer.
    pub serving: usize,
    /// Gossip messages without a verdict.
    pub verdicts: usize,
}

/// A connected peer at one moment.
#[derive(Debug, Clone)]
pub struct PeerSnapshot {
    /// Peer id text.
    pub peer: String,
    /// Remote addresses of its connections.
    pub addresses: Vec<String>,
    /// Start of its first connection, in milliseconds since the Unix epoch.
    pub connected_since_ms: u64,
    /// Newest round-trip time.
    pub rtt: Option<Duration>,
    /// Bytes received from it on streams, since it connected.
    pub bytes_received: u64,
    /// Bytes sent to it on streams, since it connected.
    pub bytes_sent: u64,
    /// Name and version that it gives itself, at most 64 characters.
    pub agent: String,
    /// Whether it is a member.
    pub is_member: bool,
    /// Whether it was found to belong to this federation's network.
    pub is_confirmed: bool,
    /// Gossip score: 0 is neutral, below −160 it is disconnected.
    pub score: f64,
    /// Penalty points: at 100 it is banned.
    pub penalty: f64,
}

/// A command to the network task.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    Publish { scope: String, bytes: Bytes, reply: oneshot::Sender<Published> },
    Verdict { id: u64, verdict: Verdict },
    Request { request: u64, peer: String, bytes: Bytes },
    Respond { inbound: u64, bytes: Bytes },
    Dial(Multiaddr),
    Disconnect { peer: String, reason: String },
    Penalise { peer: String, points: u32 },
    SetMembers(Membership),
    Snapshot(oneshot::Sender<NetSnapshot>),
    Shutdown(oneshot::Sender<()>),
}

/// A cheap clone gives commands to the network. Commands queue in a bounded channel; the network
/// never waits for the receiver of events, so awaiting here cannot lock up.
///
/// Every method returns [`NetError::Closed`] once the network has been shut down.
#[derive(Debug, Clone)]
pub struct NetHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) metrics: Arc<NetMetrics>,
    pub(super) local_peer: Arc<str>,
}

impl NetHandle {
    /// This node's peer id text.
    pub fn local_peer(&self) -> &str {
        &self.local_peer
    }

    /// Commands that the network has not taken.
    pub fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// The counters.
    pub fn metrics(&self) -> &NetMetrics {
        &self.metrics
    }

    /// Asks for the gossip of these scopes, too.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`]. A scope that is none is logged and left out.
    pub async fn subscribe(&self, scopes: Vec<String>) -> Result<(), NetError> {
        self.send(Command::Subscribe(scopes)).await
    }

    /// No longer asks for the gossip of these scopes.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn unsubscribe(&self, scopes: Vec<String>) -> Result<(), NetError> {
        self.send(Command::Unsubscribe(scopes)).await
    }

    /// Publishes at most 63 KiB in a scope. That nobody listens is no error: see [`Published`].
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn publish(
        &self,
        scope: impl Into<String>,
        bytes: Bytes,
    ) -> Result<Published, NetError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Publish { scope: scope.into(), bytes, reply }).await?;
        answer.await.map_err(|_| NetError::Closed)
    }

    /// Says what is to be done with a gossip message. An unknown id has no effect.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn verdict(&self, id: u64, verdict: Verdict) -> Result<(), NetError> {
        self.send(Command::Verdict { id, verdict }).await
    }

    /// Sends 1 byte to 4 MiB to a connected peer. The outcome comes as
    /// [`NetEvent::Response`](super::NetEvent::Response) under the same `request`, which the
    /// caller must not use twice.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn send_request(
        &self,
        request: u64,
        peer: impl Into<String>,
        bytes: Bytes,
    ) -> Result<(), NetError> {
        self.send(Command::Request { request, peer: peer.into(), bytes }).await
    }

    /// Answers a request with at most 4 MiB; with none, refuses it. An unknown or outdated id has
    /// no effect.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn respond(&self, inbound: u64, bytes: Bytes) -> Result<(), NetError> {
        self.send(Command::Respond { inbound, bytes }).await
    }

    /// Keeps dialing this address as one of the bootstrap addresses.
    ///
    /// # Errors
    ///
    /// [`NetError::Address`], [`NetError::Closed`].
    pub async fn dial(&self, text: &str) -> Result<(), NetError> {
        self.send(Command::Dial(address("dial", text)?)).await
    }

    /// Disconnects a peer and does not dial it for the longest delay. It may come back: see
    /// [`Self::penalise`].
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn disconnect(
        &self,
        peer: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<(), NetError> {
        self.send(Command::Disconnect { peer: peer.into(), reason: reason.into() }).await
    }

    /// Holds `points` against a peer. At 100 it is disconnected and banned for a while; one point
    /// is forgiven a second.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn penalise(&self, peer: impl Into<String>, points: u32) -> Result<(), NetError> {
        self.send(Command::Penalise { peer: peer.into(), points }).await
    }

    /// Replaces what is known about the federation's members. Texts that are no peer id or no
    /// address are logged and left out.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn set_members(&self, membership: Membership) -> Result<(), NetError> {
        self.send(Command::SetMembers(membership)).await
    }

    /// The network now.
    ///
    /// # Errors
    ///
    /// [`NetError::Closed`].
    pub async fn snapshot(&self) -> Result<NetSnapshot, NetError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Snapshot(reply)).await?;
        answer.await.map_err(|_| NetError::Closed)
    }

    /// Closes all connections and listeners; returns when they are closed. No error if that had
    /// happened before.
    pub async fn shutdown(&self) {
        let (reply, answer) = oneshot::channel();
        if self.send(Command::Shutdown(reply)).await.is_ok() {
            // An error means that the task ended by itself, which is what was asked for.
            answer.await.unwrap_or_default();
        }
    }

    async fn send(&self, command: Command) -> Result<(), NetError> {
        self.commands.send(command).await.map_err(|_| NetError::Closed)
    }
}
