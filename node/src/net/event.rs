//! What the network tells the node.

use bytes::Bytes;

/// An event. Peers are peer id texts (base58).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// The node now listens on this address, with its real port.
    Listening {
        /// A multiaddr without the peer id.
        address: String,
    },
    /// A peer of this federation is connected. Once per peer, however many connections.
    PeerConnected {
        /// The peer.
        peer: String,
        /// Its address on the first connection.
        address: String,
    },
    /// The last connection of a peer that had been reported is gone.
    PeerDisconnected {
        /// The peer.
        peer: String,
    },
    /// A gossip message of an allowed publisher, its signature checked. It waits for
    /// [`NetHandle::verdict`](super::NetHandle::verdict) for at most [`VERDICT_WITHIN`].
    Gossip {
        /// Names the message in the verdict.
        id: u64,
        /// The peer that passed it on.
        source: String,
        /// The peer that signed it.
        author: String,
        /// The scope of its topic.
        scope: String,
        /// At most 63 KiB.
        bytes: Bytes,
    },
    /// A request of a peer. It waits for [`NetHandle::respond`](super::NetHandle::respond).
    Request {
        /// Names the request in the answer.
        inbound: u64,
        /// Who asks.
        peer: String,
        /// At most 4 MiB.
        bytes: Bytes,
    },
    /// What became of an own request. Exactly one for each.
    Response {
        /// The id given to [`NetHandle::send_request`](super::NetHandle::send_request).
        request: u64,
        /// Who was asked.
        peer: String,
        /// The answer, at most 4 MiB and never empty, or why there is none.
        outcome: Result<Bytes, RequestFailure>,
    },
}

/// A verdict later than this has no effect: the message is then no longer passed on.
pub const VERDICT_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// The peer is not connected.
    #[error("peer is not connected")]
    NotConnected,
    /// Too many own requests wait already: wait for some of their answers.
    #[error("too many requests are waiting for answers")]
    Busy,
    /// The request exceeds 4 MiB and was not sent.
    #[error("request exceeds the largest frame")]
    TooLarge,
    /// The peer refused: it is busy, or this node asked too much.
    #[error("peer refused the request")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection closed first.
    #[error("connection closed before the answer")]
    Closed,
    /// The answer broke the frame rules, such as one of more than 4 MiB.
    #[error("answer is not a valid frame")]
    Malformed,
    /// The peer does not speak the sync protocol of this federation.
    #[error("peer does not speak the sync protocol of this federation")]
    Unsupported,
}

/// What the node thinks of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on.
    Accept,
    /// Drop it, and hold it against whoever passed it on.
    Reject,
    /// Drop it without blame.
    Ignore,
}

/// What became of a message to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It went to at least one peer.
    Sent,
    /// Nobody connected wants this scope; others will learn it by anti-entropy.
    NoPeers,
    /// The same bytes were published within the last two minutes.
    Duplicate,
    /// The queues of all peers are full.
    QueuesFull,
    /// It exceeds 63 KiB, or its scope is no scope.
    Refused,
}
