//! What signatures, hashes, proofs and notes cost on one core.
//!
//! `cargo bench -p hutong-crypto`; with a word after `--`, only what has it in its name.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hutong_crypto::{
    Hash, KeyPreparer, Signature, SignedMessage, SigningKey,
    checkpoint::Checkpoint,
    cosignature::cosign,
    merkle::{MemoryTree, inclusion_proof, leaf_hash, node_hash, verify_inclusion},
    note::Note,
    sha256, verify, verify_batch, verify_strict,
};

/// A usual statement.
const MESSAGE_BYTES: usize = 1_024;
/// As many as one equation takes.
const BATCH: usize = 1_024;
/// A country's year.
const LEAVES: u64 = 1 << 20;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn messages() -> Vec<Vec<u8>> {
    (0..BATCH).map(|number| number.to_le_bytes().repeat(MESSAGE_BYTES / 8)).collect()
}

fn signatures(c: &mut Criterion) {
    let (key, messages) = (key(), messages());
    let public = key.public();
    let signed: Vec<Signature> = messages.iter().map(|message| key.sign(message)).collect();
    let (message, signature) = (&messages[0], &signed[0]);
    let tables = KeyPreparer::default();
    let prepared = tables.prepare(&public).expect("an honest key can be prepared");
    let mut group = c.benchmark_group("signature");
    group.throughput(Throughput::Elements(1));
    group.bench_function("sign", |b| b.iter(|| key.sign(black_box(message))));
    group.bench_function("verify", |b| b.iter(|| verify(&public, black_box(message), signature)));
    group.bench_function("verify strictly", |b| {
        b.iter(|| verify_strict(&public, black_box(message), signature));
    });
    group.bench_function("verify strictly by a prepared key", |b| {
        b.iter(|| prepared.verify_strict(black_box(message), signature));
    });
    group.bench_function("prepare a key", |b| b.iter(|| tables.prepare(black_box(&public))));
    let batch: Vec<SignedMessage<'_>> = messages
        .iter()
        .zip(&signed)
        .map(|(message, signature)| SignedMessage {
            key: public,
            head: &[],
            message,
            signature: *signature,
        })
        .collect();
    for size in [16, 128, BATCH] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("verify {size} in a batch"), |b| {
            b.iter(|| verify_batch(black_box(&batch[..size])));
        });
    }
}

fn hashes(c: &mut Criterion) {
    let entry = vec![7; MESSAGE_BYTES];
    let (left, right) = (sha256(b"left"), sha256(b"right"));
    let mut group = c.benchmark_group("hash");
    group.throughput(Throughput::Bytes(MESSAGE_BYTES as u64));
    group.bench_function("leaf of 1 KiB", |b| b.iter(|| leaf_hash(black_box(&entry))));
    group.throughput(Throughput::Bytes(64));
    group.bench_function("node", |b| b.iter(|| node_hash(black_box(&left), black_box(&right))));
}

fn proofs(c: &mut Criterion) {
    let mut tree = MemoryTree::default();
    for number in 0..LEAVES {
        tree.push(leaf_hash(&number.to_le_bytes()));
    }
    let (index, root) = (LEAVES / 3, tree.root());
    let leaf = leaf_hash(&index.to_le_bytes());
    let make = || inclusion_proof(index, LEAVES, &tree).expect("the leaf is in the tree");
    let proof: Vec<Hash> = make();
    let mut group = c.benchmark_group("inclusion in 2^20");
    group.bench_function("make a proof", |b| b.iter(make));
    group.bench_function("check a proof", |b| {
        b.iter(|| verify_inclusion(black_box(&leaf), index, LEAVES, &root, &proof));
    });
}

fn notes(c: &mut Criterion) {
    let origin = "hutong.example/cn-33-zhejiang";
    let mut note = Checkpoint::new(origin, LEAVES, sha256(b"root")).sign(&key());
    for number in 0..5 {
        let name = format!("hutong.example/cn-{number}/witness");
        note.signatures.push(cosign(&note.text, &name, &key(), 1_795_420_800));
    }
    let text = note.encode();
    let mut group = c.benchmark_group("checkpoint with 5 cosignatures");
    group.bench_function("parse", |b| {
        b.iter(|| {
            let note = Note::parse(black_box(&text)).expect("the note is in form");
            Checkpoint::parse(&note.text)
        });
    });
    group.bench_function("encode", |b| b.iter(|| note.encode()));
}

criterion_group!(kernel, signatures, hashes, proofs, notes);
criterion_main!(kernel);
