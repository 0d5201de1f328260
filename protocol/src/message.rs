//! What nodes say to each other: gossip messages, sync requests and their answers.
//!
//! Each encodes to one byte string ([`crate::wire`]) and decoding refuses every other. All
//! counts and lengths are bounded by [`crate::limits`].
//!
//! Not here: what a node does about a message ([`crate::state`]).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::note::Note;

use crate::anchor_change;
pub use crate::anchor_change::AnchorChange;
use crate::directory::AnchoredLeaf;
use crate::entry::{Entry, Leaf};
use crate::id::ExchangeId;
use crate::limits::{
    CHARTER_BYTES_MAX, CHARTERS_PER_ANSWER_MAX, ENTRY_BYTES_MAX, EVIDENCE_BYTES_MAX,
    EVIDENCE_PER_ANSWER_MAX, HEADS_PER_PAGE_MAX, LEAVES_PER_ANSWER_MAX, NOTE_BYTES_MAX,
    RANGE_HASHES_MAX, SCOPES_MAX, TAIL_LEAVES_MAX,
};
use crate::packed_note;
use crate::region::Scope;
use crate::wire::{Reader, WireError, Writer};

/// The version of gossip and sync messages that this code speaks.
pub const PROTOCOL_VERSION: u64 = 1;

/// Longest exchange id or scope name on the wire, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Longest signature line of a note on the wire, in bytes.
const SIGNATURE_LINE_BYTES_MAX: usize = 1_024;

/// A leaf in the tail of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailLeaf {
    /// The whole entry: it is public and small.
    Entry(Entry),
    /// Only its hash: the entry is large, but public.
    Large(Hash),
    /// Only its hash: the entry is not for everybody.
    Restricted(Hash),
}

impl TailLeaf {
    /// The RFC 6962 leaf hash.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Entry(entry) => entry.leaf_hash(),
            Self::Large(hash) | Self::Restricted(hash) => *hash,
        }
    }
}

/// News of a log by the exchange that owns it: shown to witnesses first, then spread by gossip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The exchange whose log it is.
    pub log: ExchangeId,
    /// Its checkpoint, a C2SP signed note with the cosignatures that make a quorum, or with none.
    pub note: Arc<Note>,
    /// The size before `tail`: leaf `old_size + i` is `tail[i]`.
    pub old_size: u64,
    /// The newest leaves, up to the checkpoint's size, or none where they would be too many.
    pub tail: Vec<TailLeaf>,
}

/// A gossip message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gossip {
    /// News of a log.
    Announcement(Announcement),
    /// Two checkpoints of `log` that cannot both be true ([`crate::evidence`]).
    Evidence {
        /// The log that they are of.
        log: ExchangeId,
        /// The encoded evidence.
        bytes: Bytes,
    },
}

/// A sync request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What do you hold? Asked once a connection, and now and then.
    Hello(Arc<Hello>),
    /// The checkpoints of a scope's logs, in order of exchange id after `after`.
    Heads {
        /// The scope.
        scope: Scope,
        /// Where the page before ended.
        after: Option<ExchangeId>,
    },
    /// Leaves `[from, to)` of a log, with hashes that tie them to its root at `size`. An empty
    /// range with `left` asks how the tree at `from` is part of the tree at `size`.
    Leaves(LeavesRequest),
    /// The newest checkpoint of a log.
    Checkpoint {
        /// The log.
        log: ExchangeId,
    },
    /// The charter of a digest.
    Charter {
        /// SHA-256 of its signed payload.
        digest: Hash,
    },
    /// A cosignature on a checkpoint that you signed, with no answer expected but `Done`.
    Cosignature {
        /// The log: your own, or the register that you keep.
        log: ExchangeId,
        /// The size of the checkpoint.
        size: u64,
        /// The note line, `— name base64`, with its line feed.
        line: String,
    },
    /// Evidence against the logs after `after`, in order of exchange id.
    Evidence {
        /// Where the answer before ended.
        after: Option<ExchangeId>,
    },
    /// A checkpoint of the asker's own log for a witness to cosign, with no answer expected but `Done`.
    /// Here entries of any size may be in the tail.
    Announcement(Announcement),
    /// What the anchor at `index` of a register changed, in order of exchange id after `after`.
    AnchorChanges {
        /// The register.
        register: ExchangeId,
        /// The anchor's index.
        index: u64,
        /// Where the page before ended.
        after: Option<ExchangeId>,
    },
    /// A log's leaf in the anchor at `index` of a register.
    AnchorLeaf {
        /// The register.
        register: ExchangeId,
        /// The anchor's index.
        index: u64,
        /// The log.
        log: ExchangeId,
    },
    /// Anchor soon, with no answer expected but `Done`.
    AnchorSoon,
    /// The keeper is about to record an anchor: ask it what changes, keep that, and answer `Done`.
    AnchorNext {
        /// The register.
        register: ExchangeId,
        /// The index that the anchor will have.
        index: u64,
    },
}

/// A request for a range of leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavesRequest {
    /// The log.
    pub log: ExchangeId,
    /// The first index wanted.
    pub from: u64,
    /// The index after the last one wanted.
    pub to: u64,
    /// The size of the tree that the answer's hashes complete.
    pub size: u64,
    /// Whether the hashes to the left of `from` are wanted too.
    pub left: bool,
}

/// Who a node is and what it holds, as one digest for each scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The federation.
    pub federation: Hash,
    /// The version of the charter in effect.
    pub charter_version: u64,
    /// Its digest.
    pub charter: Hash,
    /// BLAKE3 over the sorted ids of the exchanges whose logs are frozen for equivocation.
    pub frozen: Hash,
    /// For each scope followed: BLAKE3 over its sorted (origin, size, root).
    pub scopes: Vec<(Scope, Hash)>,
}

/// A leaf in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServedLeaf {
    /// The entry.
    Entry(Entry),
    /// Its hash: the answerer holds the entry, and the asker may not see it.
    Withheld(Hash),
    /// Its hash: the answerer does not hold the entry itself.
    Absent(Hash),
}

impl ServedLeaf {
    /// The leaf as a replica keeps it.
    pub fn into_leaf(self) -> Leaf {
        match self {
            Self::Entry(entry) => Leaf::Entry(entry),
            Self::Withheld(hash) | Self::Absent(hash) => Leaf::Withheld(hash),
        }
    }
}

/// Leaves from `from` on; possibly fewer than were asked for, but at least one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves {
    /// The index of the first leaf.
    pub from: u64,
    /// The leaves.
    pub leaves: Vec<ServedLeaf>,
    /// Hashes that cover `[0, from)`, left to right, where asked for.
    pub left: Vec<Hash>,
    /// Hashes that cover `[from + leaves, size)`, left to right.
    pub right: Vec<Hash>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request could not be read.
    Malformed,
    /// The answerer does not hold what was asked for (yet).
    NotHeld,
    /// The asker may not ask this.
    NotAllowed,
    /// The answerer's own disk failed it.
    Fault,
    /// The log is frozen for equivocation.
    Frozen,
}

/// The answer to a sync request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To [`Request::Hello`].
    Hello(Arc<Hello>),
    /// To [`Request::Heads`]; `more` where a further page follows.
    Heads {
        /// Logs with their checkpoint notes, in order of exchange id.
        heads: Vec<(ExchangeId, String)>,
        /// Whether a further page follows.
        more: bool,
    },
    /// To [`Request::Leaves`].
    Leaves(Leaves),
    /// To [`Request::Checkpoint`].
    Checkpoint {
        /// The note.
        note: String,
    },
    /// To [`Request::Charter`]: the charter, or none.
    Charters(Vec<Bytes>),
    /// To [`Request::Cosignature`].
    Done,
    /// To [`Request::Evidence`]: logs with evidence against them.
    Evidence(Vec<(ExchangeId, Bytes)>),
    /// To [`Request::AnchorChanges`]; `more` where a further page follows.
    AnchorChanges {
        /// What changed, in order of exchange id.
        changes: Vec<AnchorChange>,
        /// Whether a further page follows.
        more: bool,
    },
    /// To [`Request::AnchorLeaf`].
    AnchorLeaf(AnchoredLeaf),
    /// To anything.
    Refused(Refusal),
}

fn write_entry(writer: &mut Writer, tag: u8, entry: &Entry) {
    writer.u8(tag).bytes(entry.as_bytes());
}

fn read_entry(reader: &mut Reader) -> Result<Entry, WireError> {
    let bytes = reader.bytes("entry", ENTRY_BYTES_MAX)?;
    Entry::parse(bytes).map_err(|error| WireError::Value {
        what: "entry",
        detail: alloc::string::ToString::to_string(&error),
    })
}

impl TailLeaf {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Entry(entry) => write_entry(writer, 0, entry),
            Self::Large(hash) => {
                writer.u8(1).hash(hash);
            }
            Self::Restricted(hash) => {
                writer.u8(2).hash(hash);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, WireError> {
        match reader.u8()? {
            0 => Ok(Self::Entry(read_entry(reader)?)),
            1 => Ok(Self::Large(reader.hash()?)),
            2 => Ok(Self::Restricted(reader.hash()?)),
            tag => Err(WireError::Tag { what: "tail leaf", tag }),
        }
    }
}

impl Announcement {
    fn write(&self, writer: &mut Writer) {
        writer.text(self.log.as_str());
        packed_note::write(writer, &self.note);
        writer.u64(self.old_size).u64(self.tail.len() as u64);
        for leaf in &self.tail {
            leaf.write(writer);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, WireError> {
        let log = read_log(reader)?;
        let note = Arc::new(packed_note::read(reader)?);
        let old_size = reader.u64()?;
        let count = reader.count("tail leaves", TAIL_LEAVES_MAX)?;
        let tail = (0..count).map(|_| TailLeaf::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { log, note, old_size, tail })
    }
}

impl ServedLeaf {
    /// Appends the leaf to an answer.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Entry(entry) => write_entry(writer, 0, entry),
            Self::Withheld(hash) => {
                writer.u8(1).hash(hash);
            }
            Self::Absent(hash) => {
                writer.u8(2).hash(hash);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, WireError> {
        match reader.u8()? {
            0 => Ok(Self::Entry(read_entry(reader)?)),
            1 => Ok(Self::Withheld(reader.hash()?)),
            2 => Ok(Self::Absent(reader.hash()?)),
            tag => Err(WireError::Tag { what: "served leaf", tag }),
        }
    }
}

impl Hello {
    fn write(&self, writer: &mut Writer) {
        writer.u64(PROTOCOL_VERSION).hash(&self.federation).u64(self.charter_version);
        writer.hash(&self.charter).hash(&self.frozen);
        writer.u64(self.scopes.len() as u64);
        for (scope, summary) in &self.scopes {
            writer.text(scope.as_str()).hash(summary);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, WireError> {
        let version = reader.u64()?;
        if version != PROTOCOL_VERSION {
            return Err(WireError::Bound {
                what: "protocol version",
                met: version,
                bound: PROTOCOL_VERSION,
            });
        }
        let federation = reader.hash()?;
        let charter_version = reader.u64()?;
        let charter = reader.hash()?;
        let frozen = reader.hash()?;
        let count = reader.count("scopes", SCOPES_MAX)?;
        let scopes = (0..count)
            .map(|_| Ok((reader.parsed("scope", NAME_BYTES_MAX)?, reader.hash()?)))
            .collect::<Result<Vec<(Scope, Hash)>, WireError>>()?;
        if !scopes.is_sorted_by(|(a, _), (b, _)| a < b) {
            let detail = "expected ascending order, each once".into();
            return Err(WireError::Value { what: "scopes", detail });
        }
        Ok(Self { federation, charter_version, charter, frozen, scopes })
    }
}

impl Gossip {
    /// The message's one byte string.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Announcement(announcement) => announcement.write(writer.u8(0)),
            Self::Evidence { log, bytes } => {
                writer.u8(1).text(log.as_str()).bytes(bytes);
            }
        }
        writer.finish()
    }

    /// The message in `bytes`.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything but the one encoding of a message.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            0 => Self::Announcement(Announcement::read(&mut reader)?),
            1 => Self::Evidence {
                log: read_log(&mut reader)?,
                bytes: reader.bytes("evidence", EVIDENCE_BYTES_MAX)?,
            },
            tag => return Err(WireError::Tag { what: "gossip", tag }),
        };
        reader.finish()?;
        Ok(message)
    }
}

fn read_log(reader: &mut Reader) -> Result<ExchangeId, WireError> {
    reader.parsed("exchange id", NAME_BYTES_MAX)
}

fn read_note(reader: &mut Reader) -> Result<String, WireError> {
    reader.text("checkpoint note", NOTE_BYTES_MAX)
}

impl Request {
    /// The request's one byte string.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Hello(hello) => hello.write(writer.u8(0)),
            Self::Heads { scope, after } => {
                writer.u8(1).text(scope.as_str());
                writer.text(after.as_ref().map_or("", ExchangeId::as_str));
            }
            Self::Leaves(request) => {
                writer.u8(2).text(request.log.as_str());
                writer.u64(request.from).u64(request.to).u64(request.size);
                writer.u8(u8::from(request.left));
            }
            Self::Checkpoint { log } => {
                writer.u8(3).text(log.as_str());
            }
            Self::Charter { digest } => {
                writer.u8(4).hash(digest);
            }
            Self::Cosignature { log, size, line } => {
                writer.u8(5).text(log.as_str()).u64(*size).text(line);
            }
            Self::Evidence { after } => {
                writer.u8(6).text(after.as_ref().map_or("", ExchangeId::as_str));
            }
            Self::Announcement(announcement) => announcement.write(writer.u8(7)),
            Self::AnchorChanges { register, index, after } => {
                writer.u8(8).text(register.as_str()).u64(*index);
                writer.text(after.as_ref().map_or("", ExchangeId::as_str));
            }
            Self::AnchorLeaf { register, index, log } => {
                writer.u8(9).text(register.as_str()).u64(*index).text(log.as_str());
            }
            Self::AnchorSoon => {
                writer.u8(10);
            }
            Self::AnchorNext { register, index } => {
                writer.u8(11).text(register.as_str()).u64(*index);
            }
        }
        writer.finish()
    }

    /// The request in `bytes`.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything but the one encoding of a request.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let request = match reader.u8()? {
            0 => Self::Hello(Arc::new(Hello::read(&mut reader)?)),
            1 => Self::Heads {
                scope: reader.parsed("scope", NAME_BYTES_MAX)?,
                after: read_after(&mut reader)?,
            },
            2 => Self::Leaves(LeavesRequest {
                log: read_log(&mut reader)?,
                from: reader.u64()?,
                to: reader.u64()?,
                size: reader.u64()?,
                left: read_flag(&mut reader)?,
            }),
            3 => Self::Checkpoint { log: read_log(&mut reader)? },
            4 => Self::Charter { digest: reader.hash()? },
            5 => Self::Cosignature {
                log: read_log(&mut reader)?,
                size: reader.u64()?,
                line: reader.text("cosignature", SIGNATURE_LINE_BYTES_MAX)?,
            },
            6 => Self::Evidence { after: read_after(&mut reader)? },
            7 => Self::Announcement(Announcement::read(&mut reader)?),
            8 => Self::AnchorChanges {
                register: read_log(&mut reader)?,
                index: reader.u64()?,
                after: read_after(&mut reader)?,
            },
            9 => Self::AnchorLeaf {
                register: read_log(&mut reader)?,
                index: reader.u64()?,
                log: read_log(&mut reader)?,
            },
            10 => Self::AnchorSoon,
            11 => Self::AnchorNext { register: read_log(&mut reader)?, index: reader.u64()? },
            tag => return Err(WireError::Tag { what: "request", tag }),
        };
        reader.finish()?;
        Ok(request)
    }
}

fn read_after(reader: &mut Reader) -> Result<Option<ExchangeId>, WireError> {
    let text = reader.text("exchange id", NAME_BYTES_MAX)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| WireError::Value {
        what: "exchange id",
        detail: alloc::string::ToString::to_string(&error),
    })
}

fn read_flag(reader: &mut Reader) -> Result<bool, WireError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        tag => Err(WireError::Tag { what: "flag", tag }),
    }
}

impl Refusal {
    fn tag(self) -> u8 {
        match self {
            Self::Malformed => 0,
            Self::NotHeld => 1,
            Self::NotAllowed => 2,
            Self::Fault => 3,
            Self::Frozen => 4,
        }
    }

    fn from_tag(tag: u8) -> Result<Self, WireError> {
        [Self::Malformed, Self::NotHeld, Self::NotAllowed, Self::Fault, Self::Frozen]
            .into_iter()
            .find(|refusal| refusal.tag() == tag)
            .ok_or(WireError::Tag { what: "refusal", tag })
    }
}

impl Response {
    /// The answer's one byte string.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Hello(hello) => hello.write(writer.u8(0)),
            Self::Heads { heads, more } => {
                writer.u8(1).u64(heads.len() as u64);
                for (log, note) in heads {
                    writer.text(log.as_str()).text(note);
                }
                writer.u8(u8::from(*more));
            }
            Self::Leaves(answer) => {
                writer.u8(2).u64(answer.from).u64(answer.leaves.len() as u64);
                for leaf in &answer.leaves {
                    leaf.write(&mut writer);
                }
                writer.hashes(&answer.left).hashes(&answer.right);
            }
            Self::Checkpoint { note } => {
                writer.u8(3).text(note);
            }
            Self::Charters(charters) => {
                writer.u8(4).u64(charters.len() as u64);
                for charter in charters {
                    writer.bytes(charter);
                }
            }
            Self::Done => {
                writer.u8(5);
            }
            Self::Evidence(evidence) => {
                writer.u8(6).u64(evidence.len() as u64);
                for (log, bytes) in evidence {
                    writer.text(log.as_str()).bytes(bytes);
                }
            }
            Self::AnchorChanges { changes, more } => {
                AnchorChange::write_page(writer.u8(7), changes);
                writer.u8(u8::from(*more));
            }
            Self::AnchorLeaf(leaf) => anchor_change::write_anchored(writer.u8(8), leaf),
            Self::Refused(refusal) => {
                writer.u8(255).u8(refusal.tag());
            }
        }
        writer.finish()
    }

    /// The answer in `bytes`.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything but the one encoding of an answer.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let response = match reader.u8()? {
            0 => Self::Hello(Arc::new(Hello::read(&mut reader)?)),
            1 => {
                let count = reader.count("heads", HEADS_PER_PAGE_MAX)?;
                let heads = (0..count)
                    .map(|_| Ok((read_log(&mut reader)?, read_note(&mut reader)?)))
                    .collect::<Result<_, WireError>>()?;
                Self::Heads { heads, more: read_flag(&mut reader)? }
            }
            2 => {
                let from = reader.u64()?;
                let count = reader.count("leaves", LEAVES_PER_ANSWER_MAX)?;
                let leaves =
                    (0..count).map(|_| ServedLeaf::read(&mut reader)).collect::<Result<_, _>>()?;
                let left = reader.hashes("left hashes", RANGE_HASHES_MAX)?;
                let right = reader.hashes("right hashes", RANGE_HASHES_MAX)?;
                Self::Leaves(Leaves { from, leaves, left, right })
            }
            3 => Self::Checkpoint { note: read_note(&mut reader)? },
            4 => {
                let count = reader.count("charters", CHARTERS_PER_ANSWER_MAX)?;
                let charters = (0..count)
                    .map(|_| reader.bytes("charter", CHARTER_BYTES_MAX))
                    .collect::<Result<_, _>>()?;
                Self::Charters(charters)
            }
            5 => Self::Done,
            6 => {
                let count = reader.count("evidence", EVIDENCE_PER_ANSWER_MAX)?;
                let evidence = (0..count)
                    .map(|_| {
                        let log = read_log(&mut reader)?;
                        Ok((log, reader.bytes("evidence", EVIDENCE_BYTES_MAX)?))
                    })
                    .collect::<Result<_, WireError>>()?;
                Self::Evidence(evidence)
            }
            7 => {
                let changes = AnchorChange::read_page(&mut reader)?;
                Self::AnchorChanges { changes, more: read_flag(&mut reader)? }
            }
            8 => Self::AnchorLeaf(anchor_change::read_anchored(&mut reader)?),
            255 => Self::Refused(Refusal::from_tag(reader.u8()?)?),
            tag => return Err(WireError::Tag { what: "response", tag }),
        };
        reader.finish()?;
        Ok(response)
    }
}
