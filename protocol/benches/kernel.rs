//! What statements, entries and messages cost on one core.
//!
//! `cargo bench -p hutong-protocol`; with a word after `--`, only what has it in its name.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::{SigningKey, sha256};
use hutong_protocol::{
    audience::Audience,
    check,
    entry::Entry,
    id::ExchangeId,
    json::{canonicalize, parse_canonical},
    message::{Announcement, Gossip, Leaves, Response, ServedLeaf, TailLeaf},
    statement::{Draft, Said, Statement, StatementType},
    time::Timestamp,
};
use serde_json::json;

/// As many as an answer of 1 MiB holds.
const ENTRIES: u64 = 1_000;
/// As `node/src/net/codec.rs` compresses answers.
const COMPRESSION_LEVEL: i32 = 1;

fn log() -> ExchangeId {
    "cn-33-zhejiang".parse().expect("the id is in form")
}

/// A listing of about 1 KiB.
fn draft(number: u64) -> Draft {
    let words = ["涂层", "process", "传感器", "membrane", "合金", "catalyst", "中试", "thermal"];
    let digest = sha256(&number.to_le_bytes()).0;
    // A text of words that compresses as texts do.
    let drawn = digest.iter().flat_map(|byte| [byte & 7, byte >> 3 & 7, byte >> 5]);
    let summary: String = drawn.map(|word| words[usize::from(word)]).collect();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    Draft {
        audience: Audience::Public,
        issued_at: Timestamp::from_seconds(1_795_420_800 + number),
        issuer: log(),
        salt,
        kind: StatementType::Listing,
        body: json!({
            "fields": ["new_materials"],
            "kind": "achievement",
            "listing_id": format!("bench-{number}"),
            "pricing": { "mode": "negotiated" },
            "region": "CN-33",
            "revision": 1,
            "summary": { "zh": summary },
            "title": { "en": format!("Measured listing {number}") },
        }),
    }
}

fn entries(count: u64) -> Vec<Entry> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let sign = |number| {
        let statement = draft(number).encode().expect("the draft is in form");
        Entry::sign(&key, &statement).expect("the statement fits an entry")
    };
    (0..count).map(sign).collect()
}

fn statements(c: &mut Criterion) {
    let draft = draft(1);
    let text = draft.encode().expect("the draft is in form");
    let value = parse_canonical(&text).expect("a statement is canonical");
    let entry = entries(1).remove(0);
    let mut group = c.benchmark_group("statement of 1 KiB");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("encode", |b| b.iter(|| draft.encode()));
    group.bench_function("parse", |b| b.iter(|| Statement::parse(black_box(&text))));
    group.bench_function("read in place", |b| b.iter(|| Said::parse(black_box(&text))));
    group.bench_function("canonical JSON, write", |b| b.iter(|| canonicalize(black_box(&value))));
    group.bench_function("canonical JSON, read", |b| b.iter(|| parse_canonical(black_box(&text))));
    group.bench_function("entry, parse", |b| {
        b.iter(|| Entry::parse(black_box(entry.as_bytes().clone())));
    });
}

fn messages(c: &mut Criterion) {
    let entries = entries(ENTRIES);
    let tail = entries.iter().take(100).cloned().map(TailLeaf::Entry).collect();
    let checkpoint = Checkpoint {
        origin: "hutong.example/cn-33-zhejiang".to_owned(),
        size: 100,
        root: sha256(b"tree"),
        extensions: Vec::new(),
    };
    let note = checkpoint.sign(&SigningKey::from_bytes(&[7; 32]));
    let news = Gossip::Announcement(Announcement {
        log: log(),
        note: std::sync::Arc::new(note),
        old_size: 0,
        tail,
    });
    let leaves = entries.iter().cloned().map(ServedLeaf::Entry).collect();
    let answer = Response::Leaves(Leaves { from: 0, leaves, left: Vec::new(), right: Vec::new() });
    let (said, answered) = (news.encode(), answer.encode());

    let mut group = c.benchmark_group("announcement of 100 entries");
    group.throughput(Throughput::Bytes(said.len() as u64));
    group.bench_function("encode", |b| b.iter(|| news.encode()));
    group.bench_function("decode", |b| b.iter(|| Gossip::decode(said.clone())));
    group.finish();

    let mut group = c.benchmark_group("answer of 1000 entries");
    group.throughput(Throughput::Bytes(answered.len() as u64));
    group.bench_function("encode", |b| b.iter(|| answer.encode()));
    group.bench_function("decode", |b| b.iter(|| Response::decode(answered.clone())));
    compression(&mut group, &answered);
    group.finish();

    let mut group = c.benchmark_group("entries of 1 KiB");
    group.sample_size(20).throughput(Throughput::Elements(ENTRIES));
    group.bench_function("check 1000", |b| b.iter(|| check::entries(&log(), &entries)));
}

fn compression(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    answer: &Bytes,
) {
    let compress = || zstd::bulk::compress(answer, COMPRESSION_LEVEL).expect("there is memory");
    let frame = compress();
    group.bench_function("compress", |b| b.iter(compress));
    group.bench_function("decompress", |b| {
        b.iter(|| zstd::bulk::decompress(black_box(&frame), answer.len()));
    });
}

criterion_group!(kernel, statements, messages);
criterion_main!(kernel);
