//! Bounds on everything that comes from outside, each with its arithmetic.

/// An entry, in bytes: a C2SP entry bundle has 16 bits for its length.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// A checkpoint note, in bytes: origin, size and root take under 200, a log signature under 200,
/// and each of 128 cosignatures under 240.
pub const NOTE_BYTES_MAX: usize = 32 * 1024;

/// Cosignatures kept of a checkpoint: one for each council member at most.
pub const COSIGNATURES_MAX: usize = 128;

/// A gossip message, in bytes; what libp2p's gossipsub is configured to carry.
pub const GOSSIP_BYTES_MAX: usize = 64 * 1024;

/// Leaves in the tail of an announcement: as many hashes as fit [`TAIL_BYTES_MAX`].
pub const TAIL_LEAVES_MAX: usize = 992;

/// Bytes of leaves in the tail of an announcement: half a gossip message, since each node
/// receives each message about six times.
pub const TAIL_BYTES_MAX: usize = 32 * 1024;

/// An entry in the tail of an announcement, in bytes; larger ones are fetched once, from whoever passed
/// the announcement on (decision 10 has the curve).
pub const ANNOUNCED_ENTRY_BYTES_MAX: usize = 1024;

/// A sync request or answer, in bytes.
pub const SYNC_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of leaves in an answer. One leaf more may follow, so that an answer stays well below
/// [`SYNC_FRAME_BYTES_MAX`]; small enough that checking one answer and fetching the next overlap.
pub const LEAVES_BYTES_MAX: usize = 1024 * 1024;

/// Leaves in an answer: with 33 bytes for each hash, 16,384 make 0.5 MiB.
pub const LEAVES_PER_ANSWER_MAX: usize = 16_384;

/// Hashes that cover a range beside the leaves: at most 2 for each of 63 levels.
pub const RANGE_HASHES_MAX: usize = 126;

/// Checkpoints in an answer.
pub const HEADS_PER_PAGE_MAX: usize = 4_096;

/// Bytes of checkpoints in an answer.
pub const HEADS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Scopes of a node: 34 provincial ones, about 150 countries, and room to grow.
pub const SCOPES_MAX: usize = 512;

/// A charter, in bytes: 128 council members with 8 KiB of descriptor and signature each.
pub const CHARTER_BYTES_MAX: usize = 1024 * 1024;

/// Charters in an answer: the one asked for.
pub const CHARTERS_PER_ANSWER_MAX: usize = 1;

/// Changes of an anchor in an answer: with a note of 1 KiB each, a third of [`SYNC_FRAME_BYTES_MAX`].
pub const ANCHOR_CHANGES_PER_ANSWER_MAX: usize = 1_024;

/// Changes of one anchor: one for each member that ever was, in a federation of 100,000 exchanges.
pub const ANCHOR_CHANGES_MAX: usize = 1 << 20;

/// Anchors that a council member keeps one by one; of older ones it keeps the last of each day.
pub const ANCHORS_KEPT_MAX: usize = 100;

/// The time after which a council member asks again for what the check of the register lacks, in
/// milliseconds.
pub const AUDIT_AGAIN_MS: u64 = 1_000;

/// The time after which the keeper looks again at decisions that could not be recorded, in milliseconds: they
/// may depend on the day.
pub const ENROL_AGAIN_MS: u64 = 60_000;

/// Encoded evidence, in bytes: two notes and the hashes between them.
pub const EVIDENCE_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX + 2 * RANGE_HASHES_MAX * 32 + 32;

/// Evidence in an answer, so that it stays within [`SYNC_FRAME_BYTES_MAX`].
pub const EVIDENCE_PER_ANSWER_MAX: usize = 32;

/// Entries of a log: RFC 6962 proofs then have at most 63 hashes.
pub const LOG_ENTRIES_MAX: u64 = 1 << 62;

/// A statement about a member, in bytes: 128 approvals of 150 bytes and a descriptor of 8 KiB fit.
pub const MEMBERSHIP_ENTRY_BYTES_MAX: usize = 32 * 1024;

/// Decisions of one log that wait to be recorded, the first ones: a province has some 150 exchanges below
/// it; at 32 KiB each, 3,400 hostile logs could make a node keep no more than their own quota.
pub const DECISIONS_PER_LOG_MAX: usize = 256;

/// Checkpoints remembered of each log, for late cosignatures: a few seconds' worth under load.
pub const RECENT_CHECKPOINTS_MAX: usize = 64;

/// Those of them that are kept of each log although a larger one is cosigned, to compare with what
/// peers show: at 2 KiB each, 3,400 logs with four of them are 27 MiB, with 64 half a gigabyte.
pub const SETTLED_CHECKPOINTS_MAX: usize = 4;

/// Older checkpoints of one log that are being compared with the one held, at once.
pub const SUSPECTS_MAX: usize = 16;

/// Announcements of one log that wait for its leaves before they are passed on: one a second for as
/// long as gossipsub remembers them.
pub const UNJUDGED_PER_LOG_MAX: usize = 10;

/// Ranges of one log that were asked for, or came and are being checked: 4 MiB of leaves.
pub const RANGES_PER_LOG_MAX: usize = 4;

/// Ranges of one log that are asked for at a time, each of another peer where there are so many.
pub const FETCHES_PER_LOG_MAX: usize = 3;

/// Ranges of all logs that are asked for at a time: 32 MiB of leaves.
pub const FETCHES_MAX: usize = 32;

/// Ranges of all logs that one peer is asked for at a time: a slow one keeps no more places taken, and even as a
/// stranger to it this node may ask something else besides.
pub const FETCHES_PER_PEER_MAX: usize = 3;

/// After how long a range for which others wait is asked of another peer too, at least, in milliseconds: four
/// round trips across the world and 1 MiB on a slow line.
pub const RANGE_LATE_MS: u64 = 2_000;

/// Batches of entries that are checked at once, each at most an answer, enough to keep every core at work:
/// long answers wait meanwhile.
pub const CHECKS_MAX: usize = 16;

/// Leaves that an honest answer has at least, where so many were asked for.
pub const LEAVES_PER_ANSWER_MIN: usize = LEAVES_BYTES_MAX / ENTRY_BYTES_MAX;

/// The time between two cosignatures of one log by one witness, in milliseconds.
pub const COSIGN_INTERVAL_MS: u64 = 100;

/// How long an owner waits for a quorum before it announces without one, in milliseconds: two round trips
/// across the world and a busy disk. In a simulated country 99 of 100 statements have their quorum in half
/// of that (decision 12).
pub const QUORUM_WAIT_MS: u64 = 500;

/// How long to wait before a cosignature that was not acknowledged is delivered once more.
pub const DELIVER_DELAY_MS: u64 = 1_000;

/// The time after which holdings that differ are compared once more, in milliseconds: longer than a statement
/// takes to all nodes.
pub const COMPARE_AGAIN_MS: u64 = 3_000;

/// Announcements that one peer is shown and has not answered; with more it hears of the log by gossip.
pub const SHOWN_PER_PEER_MAX: usize = 8;

/// The time after which another peer is asked where a log goes on, in milliseconds.
pub const FIND_SOURCE_DELAY_MS: u64 = 500;

/// The first and shortest delay before withheld entries are asked for again, in milliseconds.
pub const SEEK_DELAY_MS_MIN: u64 = 500;

/// The longest delay before withheld entries are asked for again, in milliseconds: a day. Most of them are
/// for others, and no peer knows which.
pub const SEEK_DELAY_MS_MAX: u64 = 86_400_000;

/// Requests for withheld entries of one log that one peer is sent in a round.
pub const SEEK_REQUESTS_PER_PEER_MAX: usize = 64;

/// How long one peer may take over them before the next one is asked for the rest, in milliseconds.
pub const SEEK_TURN_MS_MAX: u64 = 4_000;

/// Requests for withheld entries of all logs that are under way at a time; of one log there is one.
pub const SEEKS_MAX: usize = 32;
