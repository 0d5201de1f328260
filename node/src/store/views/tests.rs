//! Rows under pressure: held back, written out, never halved.

use std::sync::atomic::{AtomicUsize, Ordering};

use lsm_tree::AbstractTree as _;

use super::generations::Generations;
use super::row::{log_key, place_key};
use super::tables::{Table, TableOptions, Tables};

const OPTIONS: TableOptions =
    TableOptions { cache_bytes: 1 << 20, memory_bytes: 32 << 10, open_max: 64 };

/// Writes a batch of 100 rows and the cursor behind them.
fn write(tables: &Tables, from: u64) {
    let mut batch = tables.batch();
    for index in from..from + 100 {
        batch.insert(place_key(Table::Admin, 1, index), index.to_be_bytes());
    }
    batch.insert(log_key(Table::Cursor, 1), (from + 100).to_be_bytes());
    batch.commit().unwrap();
}

fn rows(tables: &Tables) -> u64 {
    tables.prefixed(vec![Table::Admin as u8]).collect::<Result<Vec<_>, _>>().unwrap().len() as u64
}

#[test]
fn the_writer_is_held_back_while_nothing_is_written_out() {
    let place = tempfile::tempdir().unwrap();
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    let (tree, tidier) = tables.parts();
    let blocked = tree.tree().get_flush_lock();
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..200 {
                write(&tables, batch * 100);
                written.fetch_add(1, Ordering::Release);
            }
        });
        while !tidier.holds_back() {
            std::thread::yield_now();
        }
        let so_far = written.load(Ordering::Acquire);
        assert!((1..199).contains(&so_far), "{so_far}");
        assert_eq!(tree.waiting().0, 2, "parts of memory that wait");
        assert!(tree.tree().version_memtable_size_sum() < 4 * OPTIONS.memory_bytes);
        drop(blocked);
    });
    assert_eq!((rows(&tables), tables.cursor(1).unwrap()), (20_000, 20_000));
    tables.sync().unwrap();
    drop(tables);
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    assert_eq!((rows(&tables), tables.cursor(1).unwrap()), (20_000, 20_000));
}

#[test]
fn tables_that_nobody_tidies_hold_the_writer_back_too() {
    let place = tempfile::tempdir().unwrap();
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    let (tree, tidier) = tables.parts();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for batch in 0..1_000 {
                write(&tables, batch * 100);
                assert!(tree.waiting().1 <= 12 + 2, "{:?}", tree.waiting());
            }
        });
        writer.join().unwrap();
    });
    assert!(!tidier.holds_back());
    assert_eq!(rows(&tables), 100_000);
}

#[test]
fn what_was_not_written_out_takes_its_cursor_with_it() {
    let place = tempfile::tempdir().unwrap();
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    for batch in 0..300 {
        write(&tables, batch * 100);
    }
    // As after a crash: what is in memory goes.
    tables.stop();
    drop(tables);
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    let cursor = tables.cursor(1).unwrap();
    assert!((1..30_000).contains(&cursor) && cursor.is_multiple_of(100), "{cursor}");
    assert_eq!(rows(&tables), cursor, "a batch is there in full or not at all");
}

#[test]
fn readers_never_see_half_a_batch() {
    let place = tempfile::tempdir().unwrap();
    let tables = Tables::open(place.path(), OPTIONS).unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..500 {
                write(&tables, batch * 100);
            }
            ended.store(true, Ordering::Release);
        });
        while !ended.load(Ordering::Acquire) {
            assert!(rows(&tables).is_multiple_of(100));
        }
    });
}

#[test]
fn a_new_generation_is_empty_and_the_only_one_that_stays() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("views");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("manifest"), "of an earlier build").unwrap();
    let generations = Generations::open(&folder, OPTIONS).unwrap();
    write(&generations.now(), 0);
    let old = generations.now();
    let reading = old.prefixed(vec![Table::Admin as u8]);
    generations.renew().unwrap();
    assert_eq!(rows(&generations.now()), 0);
    assert_eq!(reading.flatten().count(), 100, "a reader goes on in the old one");
    write(&generations.now(), 0);
    generations.now().sync().unwrap();
    drop((old, generations));
    let names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["rows2-2"]);
    assert_eq!(rows(&Generations::open(&folder, OPTIONS).unwrap().now()), 100);
}
