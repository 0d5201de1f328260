//! Bytes, hashes, keys and trees for Hutong. This crate has not heard of members or exchanges.
//!
//! It is `no_std` with `alloc`: no socket, file, thread, clock or source of randomness can be
//! named here. The same input gives the same output on every machine, which is why the
//! coefficients of a signature batch come from a hash of the batch.
//!
//! | module | subject | source |
//! |---|---|---|
//! | [`digest`] | SHA-256, BLAKE3, document digests | FIPS 180-4, BLAKE3 |
//! | [`keys`] | seeds, purpose keys, public keys and signatures | RFC 8032 |
//! | [`mod@verify`] | one signature, by ZIP 215 or strictly | ZIP 215, RFC 8032 |
//! | [`batch`] | many signatures, with the verdicts of [`mod@verify`] | ZIP 215 |
//! | [`prepared`] | many strict checks by one key | RFC 8032 |
//! | [`commitment`] | salted commitments to confidential fields | RFC 2104 |
//! | [`dsse`] | the bytes that a DSSE signature is over | DSSE v1 |
//! | [`merkle`] | tree hashes, frontier, inclusion and consistency proofs, ranges | RFC 6962, RFC 9162 |
//! | [`note`] | signed notes and verifier keys | C2SP signed-note |
//! | [`checkpoint`] | a log's origin, size and root as a note | C2SP tlog-checkpoint |
//! | [`cosignature`] | a witness's dated signature on a checkpoint | C2SP tlog-cosignature |
//! | [`proof`] | index, inclusion proof and checkpoint in one text | C2SP tlog-proof |
//! | [`limits`] | every bound, with its arithmetic | |
//!
//! Every text and byte format here is canonical: a value has one encoding, and parsing refuses any
//! other, so that `parse(bytes)` encodes to `bytes` again. Bounds are checked before allocation.
//!
//! Deliberately absent: private-key storage, randomness, suites other than Ed25519, and any
//! signature check that is not one of the two in [`mod@verify`].

#![no_std]

extern crate alloc;

mod fixed;

pub mod batch;
pub mod checkpoint;
pub mod commitment;
pub mod cosignature;
pub mod digest;
pub mod dsse;
pub mod keys;
pub mod limits;
pub mod merkle;
pub mod note;
pub mod prepared;
pub mod proof;
pub mod verify;

pub use batch::{SignedMessage, verify_batch};
pub use digest::{Hash, blake3, sha256};
pub use fixed::HexError;
pub use keys::{PublicKey, Purpose, Seed, Signature, SigningKey};
pub use prepared::{KeyPreparer, PreparedKey, verify_strict_each};
pub use verify::{verify, verify_strict};
