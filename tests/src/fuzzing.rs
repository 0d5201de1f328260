//! Every decoder of bytes from outside, as a function that a fuzzer calls: it must not panic, and what decodes must
//! encode back to the same bytes.
//!
//! `tests/fuzz` hands them to libFuzzer; `tests/tests/fuzzing.rs` hands them mutated [`samples`] with the stable
//! toolchain. Each function returns whether the bytes were accepted, so that a test can tell that samples are.

mod mutation;
pub mod samples;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::note::{Note, NoteSignature, VerifierKey};
use hutong_crypto::proof::TlogProof;
use hutong_node::config::{Config, check};
use hutong_node::import::Mapping;
use hutong_protocol::body::Content;
use hutong_protocol::charter::SignedCharter;
use hutong_protocol::descriptor::{Descriptor, SignedDescriptor};
use hutong_protocol::entry::Entry;
use hutong_protocol::evidence::Evidence;
use hutong_protocol::json::{INTEGER_MAX, NESTING_MAX, canonicalize, parse_canonical};
use hutong_protocol::message::{Gossip, Request, Response};
use hutong_protocol::receipt::{Bundle, CompactReceipt, Policy, Receipt, verify, verify_compact};
use hutong_protocol::statement::{Draft, Envelope, Judged, Said, Statement};
use serde_json::Value;

pub use self::mutation::Mutator;

/// Takes bytes and returns whether they were accepted. Panics where the decoder breaks its word.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its file in `tests/fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Target); 19] = [
    ("authority_bundle", authority_bundle),
    ("charter", charter),
    ("checkpoint", checkpoint),
    ("compact_receipt", compact_receipt),
    ("config", config),
    ("cosignature", cosignature),
    ("descriptor", descriptor),
    ("entry", entry),
    ("evidence", evidence),
    ("gossip", gossip),
    ("import_mapping", import_mapping),
    ("json", json),
    ("note", note),
    ("receipt", receipt),
    ("request", request),
    ("response", response),
    ("statement", statement),
    ("tlog_proof", tlog_proof),
    ("verifier_key", verifier_key),
];

/// An entry and, if it holds one, its statement.
pub fn entry(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::parse(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(entry.as_bytes(), bytes);
    assert_eq!(entry.id(), entry.leaf_hash(), "a statement's id is its leaf hash");
    let envelope = entry.to_dsse_envelope();
    assert_eq!(envelope.is_ok(), entry.is_verifiable());
    assert!(envelope.is_ok_and(|it| it["payloadType"].is_string()) || !entry.is_verifiable());
    statement(entry.statement_bytes());
    true
}

/// A statement.
pub fn statement(bytes: &[u8]) -> bool {
    let (judged, statement) = (Judged::parse(bytes), Statement::parse(bytes));
    assert_eq!(judged.as_ref().err(), statement.as_ref().err());
    assert_eq!(judged.clone().map(|judged| judged.envelope), Envelope::parse(bytes));
    let said = Said::parse(bytes);
    let (Ok(judged), Ok(statement)) = (judged, statement) else {
        assert!(said.is_err());
        return false;
    };
    let content = Content::from_body(&statement.kind, &statement.body);
    assert_eq!(judged.content, content);
    let Statement { audience, issued_at, issuer, salt, kind, body } = statement;
    let draft = Draft { audience, issued_at, issuer, salt, kind, body };
    match said {
        Ok(said) => {
            assert_eq!(Ok(said.content), content);
            assert_eq!(draft.encode().as_deref(), Ok(bytes));
        }
        // What is not fit to be published is read all the same where others recorded it.
        Err(error) => assert_eq!(draft.encode(), Err(error)),
    }
    true
}

/// Canonical JSON: read exactly where a tree of it is written as the same bytes.
pub fn json(bytes: &[u8]) -> bool {
    let tree = serde_json::from_slice::<Value>(bytes).ok();
    let tree = tree.filter(|tree| within_bounds(tree, 0) && canonicalize(tree) == bytes);
    let read = parse_canonical(bytes).ok();
    assert_eq!(read, tree);
    read.is_some()
}

/// Whether nesting and integers keep to what canonical JSON has here, inside `depth` others.
fn within_bounds(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => {
            depth < NESTING_MAX && items.iter().all(|item| within_bounds(item, depth + 1))
        }
        Value::Object(members) => {
            depth < NESTING_MAX && members.values().all(|member| within_bounds(member, depth + 1))
        }
        Value::Number(number) => {
            let integer = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            integer.is_none_or(|size| size <= INTEGER_MAX)
        }
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// A signed note and, if it is one, the checkpoint in it.
pub fn note(bytes: &[u8]) -> bool {
    let Some(note) = text(bytes).and_then(|text| Note::parse(text).ok()) else { return false };
    assert_eq!(note.encode().as_bytes(), bytes);
    checkpoint(note.text.as_bytes());
    true
}

/// A note's text that is a checkpoint.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let read = text(bytes).and_then(|text| Checkpoint::parse(text).ok());
    let Some(checkpoint) = read else { return false };
    assert_eq!(checkpoint.encode().as_bytes(), bytes);
    true
}

/// One signature line.
pub fn cosignature(bytes: &[u8]) -> bool {
    let read = text(bytes).and_then(|text| NoteSignature::parse_line(text).ok());
    let Some(signature) = read else { return false };
    assert_eq!(signature.encode().as_bytes(), bytes);
    true
}

/// A verifier key.
pub fn verifier_key(bytes: &[u8]) -> bool {
    let Some(key) = text(bytes).and_then(|text| VerifierKey::parse(text).ok()) else {
        return false;
    };
    assert_eq!(key.encode().as_bytes(), bytes);
    true
}

/// An inclusion proof as text.
pub fn tlog_proof(bytes: &[u8]) -> bool {
    let Some(proof) = text(bytes).and_then(|text| TlogProof::parse(text).ok()) else {
        return false;
    };
    assert_eq!(proof.encode().as_bytes(), bytes);
    true
}

/// A gossip message.
pub fn gossip(bytes: &[u8]) -> bool {
    let Ok(message) = Gossip::decode(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(message.encode(), bytes);
    true
}

/// A sync request.
pub fn request(bytes: &[u8]) -> bool {
    let Ok(request) = Request::decode(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(request.encode(), bytes);
    true
}

/// A sync answer.
pub fn response(bytes: &[u8]) -> bool {
    let Ok(response) = Response::decode(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(response.encode(), bytes);
    true
}

/// Evidence of equivocation.
pub fn evidence(bytes: &[u8]) -> bool {
    let Ok(evidence) = Evidence::decode(Bytes::copy_from_slice(bytes)) else { return false };
    assert_eq!(evidence.encode(), bytes);
    let (origin, key) = samples::log();
    // Whether it convicts is for the vectors to say; here it must only not panic.
    drop(evidence.verify(origin, key));
    true
}

/// A signed charter.
pub fn charter(bytes: &[u8]) -> bool {
    let Ok(charter) = SignedCharter::parse(bytes) else { return false };
    assert_eq!(charter.encode(), bytes);
    true
}

/// A descriptor, with or without a signature that holds.
pub fn descriptor(bytes: &[u8]) -> bool {
    let Ok(value) = parse_canonical(bytes) else { return false };
    if let Ok(signed) = SignedDescriptor::verify(&value) {
        assert_eq!(canonicalize(&signed.to_value()), bytes);
    }
    let Some(inner) = value.get("descriptor") else { return false };
    let Ok(read) = Descriptor::from_value(inner) else { return false };
    assert_eq!(read.to_value(), *inner);
    true
}

/// A receipt, which is also verified.
pub fn receipt(bytes: &[u8]) -> bool {
    let Ok(receipt) = Receipt::parse(bytes) else { return false };
    assert_eq!(receipt.encode(), bytes);
    let report = verify(bytes, &samples::receipts().federation, &Policy::default());
    assert!(!report.checks.is_empty());
    true
}

/// A compact receipt, which is also verified.
pub fn compact_receipt(bytes: &[u8]) -> bool {
    let trusted = &samples::receipts().trusted;
    let Ok(receipt) = CompactReceipt::parse(bytes) else { return false };
    assert_eq!(receipt.encode().as_deref(), Ok(bytes));
    let report = verify_compact(bytes, trusted, None);
    assert!(!report.checks.is_empty());
    true
}

/// An authority bundle.
pub fn authority_bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = Bundle::parse(bytes) else { return false };
    assert_eq!(bundle.encode(), bytes);
    true
}

/// An import's mapping file. It is read only, so that reading it twice must give the same.
pub fn import_mapping(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(mapping) = Mapping::parse(text) else { return false };
    let again = Mapping::parse(text).map(|again| format!("{again:?}")).ok();
    assert_eq!(again, Some(format!("{mapping:?}")));
    true
}

/// A configuration file. People write it, so not its bytes but what it says must come back.
pub fn config(bytes: &[u8]) -> bool {
    let read = text(bytes).and_then(|text| toml::from_str::<Config>(text).ok());
    let Some(config) = read else { return false };
    let written = toml::to_string(&config);
    let again = written.ok().and_then(|text| toml::from_str(&text).ok());
    assert_eq!(again.as_ref(), Some(&config));
    assert_eq!(check(&config).len(), check(&config).len());
    true
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
