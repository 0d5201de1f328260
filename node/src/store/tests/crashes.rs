//! Interrupted commits: whatever a crash leaves in the files, the committed state is read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use hutong_protocol::entry::Leaf;
use hutong_protocol::persist::Persist;

use super::fixture::{checkpoint, copy_folder, files, leaves, open, tree, unsigned, zhejiang};
use crate::store::{Store, StoreError, StoreOptions, drop_log, fsck};

/// A store of `before` leaves, and the log's files as a further commit up to `after` left them.
fn interrupted(before: usize, after: usize) -> (tempfile::TempDir, tempfile::TempDir, Vec<Leaf>) {
    let (committed, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all = unsigned(0, after as u64);
    let store = open(committed.path());
    store.commit(&[leaves(&zhejiang(), 0, all[..before].to_vec())]).unwrap();
    drop(store);
    copy_folder(committed.path(), later.path());
    let store = open(later.path());
    store.commit(&[leaves(&zhejiang(), before as u64, all[before..].to_vec())]).unwrap();
    drop(store);
    (committed, later, all)
}

/// The index of `committed` over the logs of `later`.
fn mixed(committed: &Path, later: &Path) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    copy_folder(committed, place.path());
    fs::remove_dir_all(place.path().join("logs")).unwrap();
    copy_folder(&later.join("logs"), &place.path().join("logs"));
    place
}

fn check_state(store: &Store, expected: &[Leaf]) {
    let log = zhejiang();
    assert_eq!(store.leaves(&log, 0, u64::MAX, usize::MAX).unwrap(), expected);
    assert_eq!(store.node_reader(&log).unwrap().root(), tree(expected).root());
}

/// The old state is there, and the interrupted commit can be made again.
fn check_recovery(place: &Path, before: usize, all: &[Leaf]) {
    let store = open(place);
    check_state(&store, &all[..before]);
    store.commit(&[leaves(&zhejiang(), before as u64, all[before..].to_vec())]).unwrap();
    check_state(&store, all);
    drop(store);
    check_state(&open(place), all);
}

#[test]
fn files_grown_by_a_commit_without_a_head_are_cut_back() {
    for (before, after) in
        [(1, 2), (10, 255), (10, 256), (10, 257), (255, 256), (256, 257), (300, 1_300)]
    {
        let (committed, later, all) = interrupted(before, after);
        let place = mixed(committed.path(), later.path());
        let store = open(place.path());
        check_state(&store, &all[..before]);
        drop(store);
        assert_eq!(
            files(&place.path().join("logs")).len(),
            files(&committed.path().join("logs")).len(),
            "leftovers from {before} to {after}"
        );
        check_recovery(place.path(), before, &all);
    }
}

#[test]
fn a_write_torn_at_any_byte_leaves_the_old_state() {
    let (before, after) = (250, 262);
    let (committed, later, all) = interrupted(before, after);
    let old = committed.path().join("logs/cn-33-zhejiang/tile");
    let new = later.path().join("logs/cn-33-zhejiang/tile");
    for name in ["entries/000", "0/000"] {
        let grown = fs::read(new.join(name)).unwrap();
        let start = fs::metadata(old.join(format!("{name}.partial"))).unwrap().len();
        let start = usize::try_from(start).unwrap();
        for cut in start..=grown.len() {
            // Cut short under the growing name, then with a tail of zeros and of other bytes.
            for filler in [None, Some(0), Some(0xA5)] {
                let path = old.join(format!("{name}.partial"));
                let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
                file.write_all(&grown[..cut]).unwrap();
                if let Some(byte) = filler {
                    file.write_all(&vec![byte; grown.len() - cut]).unwrap();
                }
                drop(file);
                if (cut - start) % 7 == 0 || cut == grown.len() {
                    check_state(&open(committed.path()), &all[..before]);
                }
                let files = crate::store::files::LogFiles::new(old.parent().unwrap().to_path_buf());
                files.trim(before as u64, &mut crate::store::folder::Folders::default()).unwrap();
                assert_eq!(fs::read(&path).unwrap(), grown[..start], "{name} cut at {cut}");
            }
        }
    }
    check_recovery(committed.path(), before, &all);
}

#[test]
fn files_of_a_log_that_never_had_a_head_do_not_matter() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path()));
    let tile = place.path().join("logs/cn-33-zhejiang/tile");
    for folder in ["0", "1", "entries"] {
        fs::create_dir_all(tile.join(folder)).unwrap();
        for name in ["000", "000.partial", "001", "000.partial.tmp"] {
            fs::write(tile.join(folder).join(name), b"left over").unwrap();
        }
    }
    let all = unsigned(0, 10);
    let store = open(place.path());
    assert_eq!(store.logs(), []);
    store.commit(&[leaves(&zhejiang(), 0, all.clone())]).unwrap();
    check_state(&store, &all);
    assert_eq!(files(&tile).len(), 2);
}

#[test]
fn a_commit_that_cannot_write_is_taken_back_and_can_be_repeated() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let all = unsigned(0, 600);
    let store = open(place.path());
    store.commit(&[leaves(&log, 0, all[..200].to_vec())]).unwrap();
    // A folder where the second bundle should go: the first ones are written, this one fails.
    let obstacle = place.path().join("logs/cn-33-zhejiang/tile/entries/001");
    fs::create_dir(&obstacle).unwrap();
    let error = store.commit(&[leaves(&log, 200, all[200..].to_vec())]).unwrap_err().to_string();
    assert!(error.contains("tile/entries/001"), "{error}");
    check_state(&store, &all[..200]);
    fs::remove_dir(&obstacle).unwrap();
    store.commit(&[leaves(&log, 200, all[200..].to_vec())]).unwrap();
    check_state(&store, &all);
    drop(store);
    check_state(&open(place.path()), &all);
}

/// What a power failure leaves: files and index as they were when they were last synced, and the
/// journal as it is. Returns the folder, the size after each commit in the journal, and all leaves.
fn without_power() -> (tempfile::TempDir, Vec<usize>, Vec<Leaf>) {
    let (place, lost) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all = unsigned(0, 700);
    let sizes = vec![3, 3, 250, 256, 256, 300, 600];
    drop(open(place.path()));
    copy_folder(place.path(), lost.path());
    let store = open(place.path());
    let mut from = 0;
    for &size in &sizes {
        let mut changes = vec![checkpoint(&zhejiang(), &all[..size])];
        if size > from {
            changes.insert(0, leaves(&zhejiang(), from as u64, all[from..size].to_vec()));
        }
        changes.push(Persist::WitnessMemory {
            log: zhejiang(),
            size: size as u64,
            root: tree(&all[..size]).root(),
        });
        store.commit(&changes).unwrap();
        from = size;
    }
    fs::copy(place.path().join("journal"), lost.path().join("journal")).unwrap();
    drop(store);
    (lost, sizes, all)
}

#[test]
fn what_only_the_journal_holds_is_there_after_a_power_failure() {
    let (place, sizes, all) = without_power();
    let size = *sizes.last().unwrap();
    for _ in 0..2 {
        let store = open(place.path());
        check_state(&store, &all[..size]);
        let head = store.head(&zhejiang()).unwrap().unwrap();
        assert_eq!(head.witness, Some((size as u64, head.root)));
        assert_eq!(head.checkpoint.unwrap().0, size as u64);
        drop(store);
        assert!(fsck(place.path(), &|_| None, &mut |_| ()).unwrap().findings.is_empty());
    }
}

#[test]
fn a_journal_cut_anywhere_leaves_the_commits_before_the_cut() {
    let (place, sizes, all) = without_power();
    let whole = fs::read(place.path().join("journal")).unwrap();
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut met = std::collections::BTreeSet::new();
    for cut in (48..=end).step_by(997).chain([end]) {
        let lost = tempfile::tempdir().unwrap();
        copy_folder(place.path(), lost.path());
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        fs::write(lost.path().join("journal"), torn).unwrap();
        let store = open(lost.path());
        let size = store.head(&zhejiang()).unwrap().map_or(0, |head| head.size);
        let size = usize::try_from(size).unwrap();
        assert!(size == 0 || sizes.contains(&size), "cut at {cut}: {size}");
        if size > 0 {
            check_state(&store, &all[..size]);
        }
        met.insert(size);
    }
    assert!(met.len() > 4 && met.contains(&600), "{met:?}");
}

#[test]
fn a_commit_longer_than_the_journal_is_durable_by_itself() {
    let place = tempfile::tempdir().unwrap();
    let options = StoreOptions { journal_bytes_max: 256 << 10, ..StoreOptions::default() };
    let store = Store::open(place.path(), &options).unwrap();
    let all = unsigned(0, 9_000);
    store.commit(&[leaves(&zhejiang(), 0, all[..10].to_vec())]).unwrap();
    store.commit(&[leaves(&zhejiang(), 10, all[10..8_000].to_vec())]).unwrap();
    let lost = tempfile::tempdir().unwrap();
    copy_folder(place.path(), lost.path());
    fs::remove_dir_all(lost.path().join("views")).unwrap();
    check_state(&open(lost.path()), &all[..8_000]);
    store.commit(&[leaves(&zhejiang(), 8_000, all[8_000..].to_vec())]).unwrap();
    check_state(&store, &all);
    assert_eq!(fs::metadata(place.path().join("journal")).unwrap().len(), 256 << 10);
}

#[test]
fn a_dropped_log_is_not_in_the_journal_either() {
    let (place, ..) = without_power();
    // It has a head only once the journal was read; here it has none in the index.
    let dropped = drop_log(place.path(), &zhejiang());
    assert!(matches!(dropped, Err(StoreError::UnknownLog(_))));
    drop(open(place.path()));
    drop_log(place.path(), &zhejiang()).unwrap();
    let store = open(place.path());
    assert_eq!(store.head(&zhejiang()).unwrap().unwrap().size, 0);
}

/// Runs on a disk of 8 MiB. Needs the right to mount; says so where it is missing.
fn on_a_small_disk(test: impl FnOnce(&Path) + std::panic::UnwindSafe) {
    let place = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
        .arg(place.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| test(place.path()));
    let unmounted = std::process::Command::new("umount").arg("-l").arg(place.path()).status();
    assert!(unmounted.unwrap().success());
    outcome.unwrap();
}

/// Fills the disk up to `left` free bytes.
fn ballast(path: &Path, left: u64) -> std::path::PathBuf {
    let ballast = path.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    loop {
        let room = rustix::fs::statvfs(path).unwrap();
        if room.f_bavail * room.f_frsize <= left || file.write_all(&[0; 4096]).is_err() {
            return ballast;
        }
    }
}

#[test]
fn a_nearly_full_disk_is_named_and_the_store_goes_on_when_there_is_room() {
    on_a_small_disk(|path| {
        let data = path.join("data");
        let options = StoreOptions { free_bytes_min: 2 << 20, ..StoreOptions::default() };
        let store = Store::open(&data, &options).unwrap();
        let all = unsigned(0, 9_000);
        store.commit(&[leaves(&zhejiang(), 0, all[..300].to_vec())]).unwrap();
        let ballast = ballast(path, 2 << 20);
        let error = store.commit(&[leaves(&zhejiang(), 300, all[300..].to_vec())]).unwrap_err();
        assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
        check_state(&store, &all[..300]);
        fs::remove_file(ballast).unwrap();
        store.commit(&[leaves(&zhejiang(), 300, all[300..].to_vec())]).unwrap();
        check_state(&store, &all);
        drop(store);
        check_state(&Store::open(&data, &options).unwrap(), &all);
    });
}

#[test]
fn a_full_disk_costs_nothing_that_was_committed() {
    on_a_small_disk(|path| {
        let data = path.join("data");
        let options = StoreOptions { free_bytes_min: 0, ..StoreOptions::default() };
        let store = Store::open(&data, &options).unwrap();
        let all = unsigned(0, 9_000);
        store.commit(&[leaves(&zhejiang(), 0, all[..300].to_vec())]).unwrap();
        let ballast = ballast(path, 0);
        let error = store.commit(&[leaves(&zhejiang(), 300, all[300..].to_vec())]).unwrap_err();
        assert!(error.to_string().contains("free space"), "{error}");
        check_state(&store, &all[..300]);
        fs::remove_file(ballast).unwrap();
        drop(store);
        // The index may have met the full disk too; a new start finds everything.
        let store = Store::open(&data, &options).unwrap();
        check_state(&store, &all[..300]);
        store.commit(&[leaves(&zhejiang(), 300, all[300..].to_vec())]).unwrap();
        check_state(&store, &all);
    });
}
