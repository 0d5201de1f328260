//! Every bound of this crate, with its arithmetic.

/// Most entries of a log: 2⁶³ - 1, so that every size also fits the signed 64-bit integers of other
/// implementations, and `size + 1` never overflows here.
pub const LOG_SIZE_MAX: u64 = (1 << 63) - 1;

/// Most hashes of an inclusion proof: one for each level below the root of a tree of
/// [`LOG_SIZE_MAX`] leaves, ⌈log₂(2⁶³ - 1)⌉.
pub const INCLUSION_HASHES_MAX: usize = 63;

/// Most hashes of a consistency proof: one for each level, and the first that both trees share.
pub const CONSISTENCY_HASHES_MAX: usize = INCLUSION_HASHES_MAX + 1;

/// Most subtrees of a [`crate::merkle::cover`]: 63 levels rising and 63 falling.
pub const COVER_SUBTREES_MAX: usize = 2 * 63;

/// Most bytes of a signed note: the C2SP page asks for a bound and names none; 128 signatures of the
/// longest kind known (ML-DSA-44, 2,432 bytes, 3,244 in base64) with names take 450 KiB, which
/// leaves as much for text.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// Most signatures of a note: 1 of the log and 127 witnesses; the council has at most 128 members,
/// and the C2SP page wants 16 or more.
pub const NOTE_SIGNATURES_MAX: usize = 128;

/// Most bytes of a key name: the `opaque cosigner_name<1..2^8-1>` of C2SP tlog-cosignature.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// Most bytes of one note signature after the key id: "up to nearly 5 kB" (C2SP signed-note),
/// rounded up to a power of two.
pub const NOTE_SIGNATURE_BYTES_MAX: usize = 8 << 10;

/// Most bytes of a checkpoint's origin: as [`KEY_NAME_BYTES_MAX`], since the origin is a key name.
pub const ORIGIN_BYTES_MAX: usize = KEY_NAME_BYTES_MAX;

/// Most extension lines of a checkpoint. Hutong writes none; others' may have a few.
pub const CHECKPOINT_EXTENSIONS_MAX: usize = 16;

/// Most bytes of a checkpoint's text: origin, 19 digits, 44 base64 characters, and 16 extension
/// lines of 256 bytes make 4,416 with newlines; rounded up.
pub const CHECKPOINT_TEXT_BYTES_MAX: usize = 8 << 10;

/// Latest time of a cosignature in seconds since the Unix epoch, by C2SP tlog-cosignature.
pub const COSIGNATURE_TIMESTAMP_MAX: u64 = (1 << 63) - 1;

/// Most bytes of the opaque extra data of a proof text: one entry's worth.
pub const PROOF_EXTRA_BYTES_MAX: usize = 65_535;

/// Most bytes of a proof text: header 23, `extra ` and 87,380 of base64, index line 26, 63 hash
/// lines of 45, an empty line and a note: below 90,300 beside the note; rounded up to 96 KiB.
pub const PROOF_TEXT_BYTES_MAX: usize = NOTE_BYTES_MAX + (96 << 10);

/// Most signatures in one batch equation. The gain per signature flattens beyond some hundred
/// terms; 1,024 keep the points of one equation (160 bytes each, tables beside) near the cache.
pub const BATCH_EQUATION_ITEMS_MAX: usize = 1_024;

/// Below this many signatures a failed batch is checked one by one: two halves of so small an
/// equation cost as much as its members.
pub const BATCH_SINGLE_ITEMS_MAX: usize = 4;

/// Most terms that the equations of one batch may take, as a multiple of its signatures. Finding one
/// culprit by halving takes n + n + n/2 + n/4 + … < 3n; with many more culprits than that, checking
/// one by one is cheaper than halving on.
pub const BATCH_EQUATION_FACTOR_MAX: usize = 3;
