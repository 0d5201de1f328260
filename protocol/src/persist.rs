//! What must be durable, and what a node knows of its logs when it starts again.
//!
//! [`Persist`] is the only way in which the protocol changes the disk. Every kind is idempotent: the
//! same change made twice leaves what one leaves. A node carries out nothing that follows a `Persist`
//! before it is durable.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::Frontier;

use crate::charter::SignedCharter;
use crate::directory::Directory;
use crate::entry::{Entry, Leaf};
use crate::id::ExchangeId;

/// A change that must be durable before anything that follows it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Persist {
    /// Leaves to append to a log.
    Leaves {
        /// The log.
        log: ExchangeId,
        /// Index of the first leaf; at most the size held.
        from: u64,
        /// The leaves, in order.
        leaves: Vec<Leaf>,
        /// Indices of entries whose signature or statement failed.
        void: Vec<u64>,
    },
    /// Entries of leaves that were withheld so far.
    Fill {
        /// The log.
        log: ExchangeId,
        /// Index and entry; the entry's hash is the leaf's.
        entries: Vec<(u64, Entry)>,
        /// Indices of entries whose signature or statement failed.
        void: Vec<u64>,
    },
    /// The newest checkpoint that is fully held, with the cosignatures known.
    Checkpoint {
        /// The log.
        log: ExchangeId,
        /// The signed note's text.
        note: String,
        /// Leaves that it covers.
        size: u64,
    },
    /// The newest checkpoint with a witness quorum.
    Cosigned {
        /// The log.
        log: ExchangeId,
        /// The signed note's text.
        note: String,
        /// Leaves that it covers.
        size: u64,
    },
    /// What this node, as a witness, is about to cosign.
    WitnessMemory {
        /// The log.
        log: ExchangeId,
        /// Leaves that the checkpoint covers.
        size: u64,
        /// Its root.
        root: Hash,
    },
    /// A signed charter, as its file holds it.
    Charter {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// What an anchor changed, at a council member.
    Anchored {
        /// Version of the charter whose register holds the anchor.
        version: u64,
        /// The anchor's index there.
        index: u64,
        /// [`AnchorChange::encode_all`](crate::message::AnchorChange::encode_all) of what it changed.
        changes: Bytes,
    },
    /// Evidence that a log's owner signed two histories.
    Evidence {
        /// The log.
        log: ExchangeId,
        /// The encoded evidence.
        bytes: Vec<u8>,
    },
    /// Nothing beyond this size of the log counts any more.
    Frozen {
        /// The log.
        log: ExchangeId,
        /// The size.
        size: u64,
    },
    /// The log is not frozen any more: the keys that the evidence convicts were given up.
    Thawed {
        /// The log.
        log: ExchangeId,
    },
}

/// What an anchor changed, as [`Persist::Anchored`] stored it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnchor {
    /// Version of the charter whose register holds the anchor.
    pub version: u64,
    /// The anchor's index there.
    pub index: u64,
    /// What it changed.
    pub changes: Bytes,
}

/// All that a node finds on its disk when it starts.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The federation as it was founded.
    pub founded: &'a Directory,
    /// The charters that were stored, in any order.
    pub charters: Vec<SignedCharter>,
    /// The logs.
    pub logs: &'a [StoredLog],
    /// The entries of the registers among them, each from index 0 on.
    pub registers: Vec<(ExchangeId, Vec<Entry>)>,
    /// Decisions about members in the logs, by log and index.
    pub decisions: Vec<((ExchangeId, u64), Entry)>,
    /// What anchors changed.
    pub anchors: Vec<StoredAnchor>,
}

/// One log as a node finds it on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLog {
    /// The log.
    pub log: ExchangeId,
    /// Right edge of its tree; its size is the number of leaves held.
    pub frontier: Frontier,
    /// Newest checkpoint that is fully held, as a signed note's text.
    pub checkpoint: Option<String>,
    /// Newest checkpoint with a witness quorum, likewise.
    pub cosigned: Option<String>,
    /// Size and root last cosigned by this node as a witness.
    pub witness: Option<(u64, Hash)>,
    /// Size at which the log is frozen.
    pub frozen: Option<u64>,
    /// Encoded evidence against the log's owner.
    pub evidence: Vec<Vec<u8>>,
    /// Half-open ranges of indices whose leaves are held and whose entries are not.
    pub withheld: Vec<(u64, u64)>,
}
