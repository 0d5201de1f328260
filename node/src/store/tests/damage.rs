//! Damaged files: found when read, found by fsck, with the file's name; never a wrong answer.

use std::fs;
use std::path::{Path, PathBuf};

use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::persist::Persist;

use super::fixture::{
    checkpoint, copy_folder, entries, exchange, files, leaves, log_key, note, open, tree, zhejiang,
};
use crate::store::{FsckReport, Severity, Store, StoreError, StoreOptions, fsck};

fn look(path: &Path) -> FsckReport {
    fsck(path, &|_| Some(log_key().public()), &mut |_| ()).unwrap()
}

/// A store of 600 entries, one of them withheld, with a checkpoint.
fn sample() -> (tempfile::TempDir, Vec<Leaf>) {
    let place = tempfile::tempdir().unwrap();
    let mut all = entries(0, 600);
    all[300] = Leaf::Withheld(all[300].hash());
    let store = open(place.path());
    store.commit(&[leaves(&zhejiang(), 0, all.clone()), checkpoint(&zhejiang(), &all)]).unwrap();
    store.settle(std::time::Duration::MAX);
    (place, all)
}

fn copy(place: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(place, copy.path());
    copy
}

fn read_everything(store: &Store) -> Result<Vec<Leaf>, StoreError> {
    store.leaves(&zhejiang(), 0, u64::MAX, usize::MAX)
}

#[test]
fn a_sound_folder_has_no_findings() {
    let (place, _) = sample();
    let mut seen = Vec::new();
    let report = fsck(place.path(), &|_| Some(log_key().public()), &mut |progress| {
        seen.push((progress.entries, progress.size));
    })
    .unwrap();
    assert_eq!(report.findings, []);
    assert!(report.is_sound());
    let log = &report.logs[0];
    assert_eq!((log.size, log.entries, log.withheld, log.signatures), (600, 599, 1, 599));
    assert!(log.checkpoint_signature);
    assert_eq!(seen, [(600, 600)]);
    assert!(serde_json::to_string(&report).unwrap().contains("cn-33-zhejiang"));
}

#[test]
fn a_flipped_bit_anywhere_is_found_by_fsck_and_never_read_as_true() {
    let (place, all) = sample();
    let logs = place.path().join("logs");
    for original in files(&logs) {
        let name = original.strip_prefix(&logs).unwrap().to_path_buf();
        let len = fs::metadata(&original).unwrap().len();
        for at in [0, 1, len / 3, len / 2, len - 1] {
            let copy = copy(place.path());
            let path = copy.path().join("logs").join(&name);
            let mut bytes = fs::read(&path).unwrap();
            bytes[usize::try_from(at).unwrap()] ^= 0x10;
            fs::write(&path, bytes).unwrap();

            let report = look(copy.path());
            assert!(!report.is_sound(), "{} at {at}", name.display());
            let named = report.findings.iter().any(|finding| {
                let file = finding.file.as_ref().unwrap();
                file == &path || path.starts_with(file)
            });
            assert!(named, "{} at {at}: {:?}", name.display(), report.findings);
            check_reading(copy.path(), &all, &name);
        }
    }
}

/// Opening or reading fails; or what is read is right, the damage being out of the way.
fn check_reading(path: &Path, all: &[Leaf], name: &Path) {
    let store = match Store::open(path, &StoreOptions::default()) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
            return;
        }
    };
    match read_everything(&store) {
        Err(StoreError::Corrupt { file, .. }) => {
            assert!(file.ends_with(name), "{} for {}", file.display(), name.display());
        }
        Err(error) => unreachable!("{error}"),
        Ok(leaves) => assert_eq!(leaves, all),
    }
    for (index, leaf) in all.iter().enumerate() {
        if let Ok(met) = store.leaf(&zhejiang(), index as u64) {
            assert_eq!(met.as_ref(), Some(leaf));
        }
    }
}

#[test]
fn a_missing_or_short_file_is_found_and_named() {
    let (place, _) = sample();
    let logs = place.path().join("logs");
    for original in files(&logs) {
        let name = original.strip_prefix(&logs).unwrap();
        for cut in [None, Some(0), Some(40)] {
            let copy = copy(place.path());
            let path = copy.path().join("logs").join(name);
            match cut {
                None => fs::remove_file(&path).unwrap(),
                Some(len) => {
                    fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
                }
            }
            let report = look(copy.path());
            assert!(!report.is_sound(), "{}", name.display());
            assert!(report.findings.iter().any(|finding| finding.file.as_ref() == Some(&path)));
            let outcome = Store::open(copy.path(), &StoreOptions::default())
                .and_then(|store| read_everything(&store).map(|leaves| leaves.len()));
            match outcome {
                Err(StoreError::Corrupt { file, .. }) => assert_eq!(file, path),
                // Only the tile above complete ones is not needed for reading entries.
                other => unreachable!("{} {cut:?}: {other:?}", name.display()),
            }
        }
    }
}

#[test]
fn leftovers_are_notes_and_change_nothing() {
    let (place, all) = sample();
    let tile = place.path().join("logs/cn-33-zhejiang/tile");
    for name in ["0/007", "entries/002", "0/strange", "entries/003.partial"] {
        fs::write(tile.join(name), b"left over").unwrap();
    }
    fs::create_dir_all(place.path().join("logs/cn-99-nobody")).unwrap();
    let partial = tile.join("entries/002.partial");
    let mut bytes = fs::read(&partial).unwrap();
    bytes.extend_from_slice(b"torn");
    fs::write(&partial, bytes).unwrap();
    let report = look(place.path());
    assert!(report.is_sound());
    let found: Vec<&PathBuf> = report.findings.iter().filter_map(|f| f.file.as_ref()).collect();
    assert_eq!(found.len(), 5, "{:?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note));
    let store = open(place.path());
    assert_eq!(read_everything(&store).unwrap(), all);
    drop(store);
    assert_eq!(look(place.path()).findings.len(), 2, "a strange file and a strange log remain");
}

#[test]
fn a_checkpoint_that_is_not_of_this_tree_is_found() {
    let log = zhejiang();
    let all = entries(0, 9);
    let other = tree(&entries(1, 10)).root();
    let check = |persist: Persist, key: Option<_>, sound: bool| {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        store.commit(&[leaves(&log, 0, all.clone()), persist]).unwrap();
        drop(store);
        let report = fsck(place.path(), &|_| key, &mut |_| ()).unwrap();
        assert_eq!(report.is_sound(), sound, "{:?}", report.findings);
    };
    let noted = |note: String, size| Persist::Checkpoint { log: log.clone(), note, size };
    check(noted(note(&log, 5, tree(&all[..5]).root()), 5), None, true);
    check(noted(note(&log, 9, other), 9), None, false);
    check(noted(note(&log, 5, tree(&all[..5]).root()), 6), None, false);
    check(noted("no note".to_owned(), 5), None, false);
    let sound = note(&log, 9, tree(&all).root());
    check(noted(sound.clone(), 9), Some(log_key().public()), true);
    check(noted(sound, 9), Some(super::fixture::key().public()), false);
}

#[test]
fn a_bad_signature_is_found_unless_it_is_marked_void() {
    for (void, sound) in [(vec![], false), (vec![1], true)] {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let mut all = entries(0, 3);
        let mut bytes = all[1].entry().unwrap().as_bytes().to_vec();
        bytes[50] ^= 1;
        all[1] = Leaf::Entry(Entry::parse(bytes.into()).unwrap());
        store.commit(&[Persist::Leaves { log: zhejiang(), from: 0, leaves: all, void }]).unwrap();
        drop(store);
        let report = look(place.path());
        assert_eq!(report.is_sound(), sound);
        assert_eq!(
            report.findings.iter().filter(|f| f.index == Some(1)).count(),
            usize::from(!sound)
        );
    }
}

#[test]
fn fsck_refuses_a_folder_in_use_and_one_that_is_none() {
    let (place, _) = sample();
    let store = open(place.path());
    let look = |path: &Path| fsck(path, &|_| None, &mut |_| ());
    assert!(matches!(look(place.path()), Err(StoreError::Locked { .. })));
    assert_eq!(store.logs(), [zhejiang()]);
    let empty = tempfile::tempdir().unwrap();
    assert!(look(empty.path()).is_err());
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    assert_eq!(store.head(&exchange("nobody")).unwrap(), None);
}
