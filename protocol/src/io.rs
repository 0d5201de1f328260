//! What goes into a [`crate::state::State`] and what comes out of it.
//!
//! The driver carries effects out strictly in the order in which they were returned, and nothing
//! that follows an [`Effect::Persist`] until it is durable; it may make several queued `Persist`s
//! durable in one go. Whatever an effect asks for comes back as an [`Input`].

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use hutong_crypto::digest::Hash;

use crate::audience::Viewer;
use crate::check::Outcome;
use crate::directory::{Anchor, AnchoredLeaf, Directory};
use crate::entry::Entry;
use crate::id::{ExchangeId, StatementId};
use crate::message::LeavesRequest;
use crate::persist::Persist;
use crate::prepare::Prepared;
use crate::region::Scope;
use crate::serve::Owner;

/// A connected node, by the text of its libp2p peer id.
///
/// Peers are in the order of how their texts end: all begin alike, and what they end in lies in place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    end: [u8; 8],
    text: Arc<str>,
}

impl Peer {
    /// The peer of that id.
    pub fn new(id: &str) -> Self {
        Self { end: id.as_bytes().last_chunk().copied().unwrap_or_default(), text: Arc::from(id) }
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u64);
    };
}

number! {
    /// Names a group of own statements that waits to be appended; chosen by the driver.
    Ticket
}
number! {
    /// Names an outgoing request; chosen by the state.
    RequestId
}
number! {
    /// Names a peer's request that waits for its answer; chosen by the driver.
    InboundId
}
number! {
    /// Names a gossip message that waits for its verdict; chosen by the driver.
    GossipId
}
number! {
    /// Names a batch of entries that is being checked; chosen by the state.
    CheckTicket
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The first input of a run.
    Started,
    /// The time of [`crate::state::State::wake_at`] has come; early or late ones do no harm.
    Tick,
    /// Append own statements as one group.
    Append {
        /// Comes back in [`Effect::Appended`].
        ticket: Ticket,
        /// The signed statements.
        entries: Vec<Prepared>,
    },
    /// A peer of this federation is connected.
    PeerConnected {
        /// The peer.
        peer: Peer,
    },
    /// The last connection to a peer is gone.
    PeerDisconnected {
        /// The peer.
        peer: Peer,
    },
    /// A gossip message came; it is passed on only after an [`Effect::Verdict`].
    Gossip {
        /// Comes back in the verdict.
        id: GossipId,
        /// The peer that passed it on.
        from: Peer,
        /// The peer that signed it.
        author: Peer,
        /// The topic's scope.
        scope: Scope,
        /// The message.
        bytes: Bytes,
    },
    /// A peer asks something.
    Request {
        /// Comes back in the answer.
        inbound: InboundId,
        /// The peer.
        peer: Peer,
        /// The request.
        bytes: Bytes,
    },
    /// The answer to an [`Effect::Send`], or that there will be none.
    Response {
        /// The request.
        request: RequestId,
        /// The answer; `None` where the peer did not give one in time.
        answer: Option<Bytes>,
    },
    /// The answer to an [`Effect::Check`].
    Checked {
        /// The batch.
        ticket: CheckTicket,
        /// One outcome for each entry.
        outcomes: Vec<Outcome>,
    },
    /// The answer to an [`Effect::ReadRange`].
    RangeRead {
        /// The log.
        log: ExchangeId,
        /// The smaller size.
        old_size: u64,
        /// The larger size.
        new_size: u64,
        /// Hashes that cover `[0, old_size)` and `[old_size, new_size)`.
        left: Vec<Hash>,
        /// See `left`.
        right: Vec<Hash>,
    },
    /// A receipt needs a log's leaf in the newest anchor that counts.
    AnchorLeaf {
        /// Comes back in [`Effect::AnchorLeaf`].
        ticket: Ticket,
        /// The log.
        log: ExchangeId,
    },
    /// A receipt waits for the next anchor.
    AnchorWanted,
    /// An operator installs a charter.
    Charter {
        /// The signed charter, as its file holds it.
        bytes: Vec<u8>,
    },
}

/// What the driver shall do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Check entries with [`crate::check::entries`]; may run in parallel and off the loop.
    Check {
        /// Comes back in [`Input::Checked`].
        ticket: CheckTicket,
        /// The log that holds them.
        log: ExchangeId,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Make durable.
    Persist(Persist),
    /// Answer the operator who asked for [`Input::Append`].
    Appended {
        /// The group.
        ticket: Ticket,
        /// Index and id of each statement, in order.
        outcome: Result<Vec<(u64, StatementId)>, AppendError>,
    },
    /// Answer who asked for [`Input::AnchorLeaf`].
    AnchorLeaf {
        /// Who asked.
        ticket: Ticket,
        /// The anchor and the leaf; none where there is no anchor, or nobody who keeps it is connected.
        leaf: Option<(Anchor, AnchoredLeaf)>,
    },
    /// Spread by gossip.
    Publish {
        /// The topic's scope.
        scope: Scope,
        /// The message.
        bytes: Bytes,
    },
    /// What to do with a gossip message.
    Verdict {
        /// The message.
        id: GossipId,
        /// Pass it on, drop it, or blame the sender.
        verdict: Verdict,
    },
    /// Ask a peer.
    Send {
        /// Comes back in [`Input::Response`].
        request: RequestId,
        /// The peer.
        peer: Peer,
        /// The request.
        bytes: Bytes,
    },
    /// Answer a peer.
    Respond {
        /// The peer's request.
        inbound: InboundId,
        /// The answer.
        bytes: Bytes,
    },
    /// Read a range of leaves and answer a peer with [`crate::serve::answer`]; may run off the
    /// loop, after all `Persist`s before it.
    Serve {
        /// The peer's request.
        inbound: InboundId,
        /// The range, within what is held.
        range: LeavesRequest,
        /// The log's owner.
        owner: Owner,
        /// Who asks.
        viewer: Viewer,
    },
    /// Read the hashes that show how the tree of one size is part of another.
    ReadRange {
        /// The log.
        log: ExchangeId,
        /// The smaller size.
        old_size: u64,
        /// The larger size, held.
        new_size: u64,
    },
    /// The directory changed: who is a member, where they are, and which scopes to listen to.
    Members {
        /// The new directory.
        directory: Arc<Directory>,
        /// The scopes whose gossip is wanted.
        scopes: Vec<Scope>,
    },
    /// Count a fault against a peer.
    Penalise {
        /// The peer.
        peer: Peer,
        /// What it did.
        fault: PeerFault,
    },
    /// Tell the operator.
    Notice(Notice),
}

/// What to do with a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on.
    Accept,
    /// Drop it and blame the sender.
    Reject,
    /// Drop it.
    Ignore,
}

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerFault {
    /// It is of another federation.
    OtherFederation,
    /// It sent what cannot be read.
    Malformed,
    /// It sent a checkpoint or cosignature that is not signed by whom it names.
    BadSignature,
    /// It sent leaves that do not belong to the tree.
    BadLeaves,
    /// It answered something else than it was asked.
    WrongAnswer,
}

/// Why own statements were not appended. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The own log has not been compared with the peers' copies yet.
    #[error("this exchange's own log is still being compared with its peers' copies")]
    OwnLogUnchecked,
    /// Peers hold a continuation of the own log that contradicts the one here.
    #[error("this exchange's log exists in two versions; it may not be continued")]
    OwnLogConflict,
    /// The exchange is not a member, or the key may not sign statements of that type.
    #[error("statement {index} of the group may not be issued: {reason}")]
    NotAuthorised {
        /// Its place in the group, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// The log can take no more.
    #[error("the log is full")]
    Full,
}

/// What an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// This node signs again: its log was compared with a peer's copy, or none answered in time.
    OwnLogChecked {
        /// The peer that answered, if any.
        by: Option<Peer>,
        /// The size of the own log.
        size: u64,
    },
    /// Peers hold more of the own log than this node; it is fetching that back.
    OwnLogBehind {
        /// Size here.
        size: u64,
        /// Size held by a peer.
        held_by_peer: u64,
    },
    /// Restored keys have seen enough of what others hold to sign and cosign everything again.
    Restored,
    /// The own log exists in two versions. Signing has stopped.
    OwnLogConflict,
    /// A log was shown in two versions. It is frozen.
    Equivocation {
        /// The log.
        log: ExchangeId,
        /// The size up to which it stands.
        frozen_at: u64,
    },
    /// A log that was frozen for what its former keys signed goes on under new ones.
    Thawed {
        /// The log.
        log: ExchangeId,
    },
    /// A log goes on under new keys from another tree than the one held here up to `size`. That
    /// proves nobody's lie; until the node is started again, it takes nothing more of the log.
    Diverged {
        /// The log.
        log: ExchangeId,
        /// How much of it is held.
        size: u64,
    },
    /// A quorum cosigned another tree of a frozen log than the one that is held here. Until the node is
    /// started again, it takes nothing more of the log.
    OtherTreeCosigned {
        /// The log.
        log: ExchangeId,
        /// The size of a checkpoint of the other tree.
        size: u64,
    },
    /// A log is shown in another version than this node cosigned, and lost since. Until the node is
    /// started again, it takes nothing more of the log.
    OtherThanCosigned {
        /// The log.
        log: ExchangeId,
        /// The size that was cosigned.
        size: u64,
    },
    /// A charter was installed.
    CharterInstalled {
        /// Its version.
        version: u64,
    },
    /// A charter was refused.
    CharterRefused {
        /// Why.
        reason: String,
    },
    /// A member has another charter of a version than this node.
    CharterConflict {
        /// The version of which there are two.
        version: u64,
    },
    /// A log, or the logs below one member together, said as much as they may in a day. More of it is fetched
    /// tomorrow.
    OverQuota {
        /// The log.
        log: ExchangeId,
    },
    /// As a witness this node refuses to cosign what the register holds at `index`.
    RegisterRefused {
        /// The index.
        index: u64,
        /// Why.
        reason: String,
    },
    /// A peer misbehaved.
    PeerMisbehaved {
        /// The peer.
        peer: Peer,
        /// What it did.
        fault: PeerFault,
    },
    /// A log was brought up to its newest known checkpoint.
    CaughtUp {
        /// The log.
        log: ExchangeId,
        /// Its size.
        size: u64,
    },
    /// The newest checkpoint of a log has a witness quorum.
    Cosigned {
        /// The log.
        log: ExchangeId,
        /// The size of the checkpoint.
        size: u64,
        /// How many witnesses signed.
        witnesses: usize,
    },
}
