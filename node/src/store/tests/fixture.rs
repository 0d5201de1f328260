//! Logs to store: signed entries, deterministic, small.

use std::fs;
use std::path::{Path, PathBuf};

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::keys::{Purpose, Seed, SigningKey};
use hutong_crypto::merkle::MemoryTree;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use crate::store::{Store, StoreOptions};

pub(super) fn exchange(name: &str) -> ExchangeId {
    name.parse().unwrap()
}

pub(super) fn zhejiang() -> ExchangeId {
    exchange("cn-33-zhejiang")
}

pub(super) fn key() -> SigningKey {
    Seed::from_bytes([7; 32]).derive(Purpose::Issuer)
}

pub(super) fn log_key() -> SigningKey {
    Seed::from_bytes([7; 32]).derive(Purpose::Log)
}

pub(super) fn open(path: &Path) -> Store {
    Store::open(path, &StoreOptions::default()).unwrap()
}

/// An entry that says only its number; enough for everything but the views.
pub(super) fn entry(number: u64) -> Entry {
    Entry::sign(&key(), format!("{{\"n\":{number}}}").as_bytes()).unwrap()
}

pub(super) fn entries(from: u64, to: u64) -> Vec<Leaf> {
    (from..to).map(|number| Leaf::Entry(entry(number))).collect()
}

/// Entries made fast: key and signature are points of small order, which ZIP 215 accepts.
pub(super) fn unsigned(from: u64, to: u64) -> Vec<Leaf> {
    (from..to)
        .map(|number| {
            let mut bytes = vec![1, 1, 0, 32];
            bytes.extend_from_slice(&[0; 32]);
            bytes.extend_from_slice(&[0, 64]);
            bytes.extend_from_slice(&[0; 64]);
            bytes.extend_from_slice(number.to_string().as_bytes());
            Leaf::Entry(Entry::parse(bytes.into()).unwrap())
        })
        .collect()
}

pub(super) fn leaves(log: &ExchangeId, from: u64, leaves: Vec<Leaf>) -> Persist {
    Persist::Leaves { log: log.clone(), from, leaves, void: Vec::new() }
}

pub(super) fn tree(leaves: &[Leaf]) -> MemoryTree {
    leaves.iter().map(Leaf::hash).collect()
}

/// The newest checkpoint of a log with these leaves.
pub(super) fn checkpoint(log: &ExchangeId, leaves: &[Leaf]) -> Persist {
    let (size, root) = (leaves.len() as u64, tree(leaves).root());
    Persist::Checkpoint { log: log.clone(), note: note(log, size, root), size }
}

pub(super) fn note(log: &ExchangeId, size: u64, root: Hash) -> String {
    Checkpoint::new(format!("0123456789abcdef.hutong/{log}"), size, root).sign(&log_key()).encode()
}

/// Every file below `folder`.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.path().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
