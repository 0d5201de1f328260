//! The views when things go wrong: damaged tables, an end in the middle.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use hutong_protocol::audience::Audience;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::statement::{Draft, StatementType};
use serde_json::json;

use super::fixture::{checkpoint, files, key, leaves, open, unsigned, zhejiang};
use crate::store::core::Core;
use crate::store::{ListingQuery, Store, StoreError, StoreOptions, fsck};

const PATIENCE: Duration = Duration::from_mins(1);

fn small() -> StoreOptions {
    StoreOptions { views_memory_bytes: 64 << 10, views_cache_bytes: 0, ..StoreOptions::default() }
}

fn listing(number: u64, revision: u64) -> Leaf {
    let draft = Draft {
        audience: Audience::Public,
        issued_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        issuer: zhejiang(),
        salt: [3; 16],
        kind: StatementType::Listing,
        body: json!({"listing_id": format!("id-{number:05}"), "revision": revision,
            "kind": "demand", "title": {"zh": format!("第{number}号")}, "region": "CN-33"}),
    };
    Leaf::Entry(Entry::sign(&key(), &draft.encode().unwrap()).unwrap())
}

/// A closed store with 1,500 listings in tables on the disk.
fn sample() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &small()).unwrap();
    let all: Vec<Leaf> = (0..1_500).map(|number| listing(number, 1)).collect();
    for (at, group) in all.chunks(100).enumerate() {
        store.commit(&[leaves(&zhejiang(), at as u64 * 100, group.to_vec())]).unwrap();
    }
    assert!(store.settle(PATIENCE));
    place
}

fn look(store: &Store) -> Result<Vec<String>, StoreError> {
    let query = ListingQuery { limit: 1_000, ..ListingQuery::default() };
    let first = store.listings(&query, &|_| true)?;
    let second = store.listings(&ListingQuery { after: first.next, ..query }, &|_| true)?;
    Ok(first.rows.into_iter().chain(second.rows).map(|row| row.listing_id).collect())
}

fn tables(place: &Path) -> Vec<PathBuf> {
    files(&place.join("views"))
        .into_iter()
        .filter(|file| file.parent().unwrap().ends_with("tables"))
        .collect()
}

fn generation(place: &Path) -> std::ffi::OsString {
    let mut names = fs::read_dir(place.join("views")).unwrap();
    names.next().unwrap().unwrap().file_name()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

#[test]
fn damaged_tables_are_made_anew_without_anybody_asking() {
    let expected: Vec<String> = (0..1_500).map(|number| format!("id-{number:05}")).collect();
    let mut renewed = 0;
    for part in 0..8 {
        let place = sample();
        let before = generation(place.path());
        for file in tables(place.path()) {
            let len = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
            flip(&file, part * len / 8 + 7);
        }
        let report = fsck(place.path(), &|_| None, &mut |_| ()).unwrap();
        assert!(report.is_sound() && report.findings.len() <= 1, "{:?}", report.findings);
        let store = Store::open(place.path(), &small()).unwrap();
        // The first answers may fail; none may be wrong.
        let mut answers = (0..20).map(|_| {
            assert!(store.settle(PATIENCE));
            look(&store)
        });
        let answer = answers.find_map(Result::ok).unwrap();
        assert_eq!(answer, expected, "damaged in part {part}");
        assert_eq!(store.view_progress().failed, []);
        drop(answers);
        drop(store);
        renewed += u32::from(generation(place.path()) != before);
        assert_eq!(fsck(place.path(), &|_| None, &mut |_| ()).unwrap().findings, []);
    }
    assert!(renewed > 4, "{renewed} of 8");
}

#[test]
fn damage_that_is_met_while_taking_in_is_mended_too() {
    let place = sample();
    let before = generation(place.path());
    for file in tables(place.path()) {
        for at in
            (200..usize::try_from(fs::metadata(&file).unwrap().len()).unwrap() / 2).step_by(2_000)
        {
            flip(&file, at);
        }
    }
    let store = Store::open(place.path(), &small()).unwrap();
    let revised: Vec<Leaf> = (0..1_500).map(|number| listing(number, 2)).collect();
    store.commit(&[leaves(&zhejiang(), 1_500, revised)]).unwrap();
    assert!(store.settle(PATIENCE));
    assert_eq!(store.view_progress().failed, []);
    let row = store.listing(&zhejiang(), "id-00700", &|_| true).unwrap().unwrap();
    assert_eq!((row.revision, row.index, row.events.len()), (2, 2_200, 2));
    assert_ne!(generation(place.path()), before);
}

#[test]
fn a_disk_that_spoils_them_again_and_again_ends_it() {
    let place = sample();
    let store = open(place.path());
    assert!(store.settle(PATIENCE));
    for attempt in 1..=4 {
        let core = &store.core;
        let damaged = core.look_up(|tables| -> Result<(), StoreError> {
            Err(StoreError::views("read", tables.folder())(lsm_tree::Error::InvalidTrailer))
        });
        assert!(damaged.is_err());
        assert!(store.settle(PATIENCE));
        let failed = store.view_progress().failed;
        assert_eq!(failed.len(), usize::from(attempt == 4), "{failed:?}");
        assert_eq!(look(&store).unwrap().len(), 1_500, "what is there can be read");
    }
    assert!(store.decisions().is_err(), "a decision might be missing");
    store.commit(&[leaves(&zhejiang(), 1_500, vec![listing(1_500, 1)])]).unwrap();
    assert!(store.settle(PATIENCE), "nobody waits for a log that stands still");
    assert!(!store.settle_log(&zhejiang(), Duration::MAX), "nor takes its views for whole");
}

#[test]
fn a_full_disk_is_no_damage() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = StoreError::views("write", Path::new("views"))(lsm_tree::Error::Io(full));
    assert!(!error.is_damage_of_views());
    let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let error = StoreError::views("read", Path::new("views"))(lsm_tree::Error::Io(cut));
    assert!(error.is_damage_of_views());
    assert!(!StoreError::corrupt(Path::new("views"), None, "x").is_damage_of_views());
}

#[test]
fn readers_never_meet_what_is_not_shown_yet() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let all: Vec<Leaf> = (1..=150).map(|revision| listing(7, revision)).collect();
    store.commit(&[leaves(&zhejiang(), 0, all[..1].to_vec())]).unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for size in 2..=all.len() {
                let leaf = leaves(&zhejiang(), size as u64 - 1, vec![all[size - 1].clone()]);
                store.commit(&[leaf, checkpoint(&zhejiang(), &all[..size])]).unwrap();
            }
            ended.store(true, Ordering::Release);
        });
        while !ended.load(Ordering::Acquire) {
            if let Some(row) = store.listing(&zhejiang(), "id-00007", &|_| true).unwrap() {
                assert_eq!((row.index + 1, row.events.len() as u64), (row.revision, row.revision));
            }
            let head = store.head(&zhejiang()).unwrap().unwrap();
            assert!(head.checkpoint.is_none_or(|(size, _)| size <= head.size));
        }
    });
    assert!(store.settle(PATIENCE));
    let row = store.listing(&zhejiang(), "id-00007", &|_| true).unwrap().unwrap();
    assert_eq!(row.revision, 150);
}

#[test]
fn an_end_in_order_leaves_nothing_to_take_in_again() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &small()).unwrap();
    for at in 0..40 {
        store.commit(&[leaves(&zhejiang(), at * 500, unsigned(at * 500, at * 500 + 500))]).unwrap();
    }
    assert!(store.settle(PATIENCE));
    drop(store);
    let core = Core::open(place.path(), &small()).unwrap();
    let number = core.held(&zhejiang()).unwrap().number;
    assert_eq!(core.tables.now().cursor(number).unwrap(), 20_000);
}
