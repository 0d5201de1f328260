//! Killing a writing process: what it was told is durable is there, whole, when it is gone.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hutong_protocol::entry::Leaf;
use hutong_protocol::persist::Persist;

use super::fixture::{checkpoint, exchange, leaves, open, tree, unsigned, zhejiang};
use crate::store::{Store, StoreOptions, fsck};

/// Names the folder to the child process.
const FOLDER: &str = "HUTONG_TEST_KILLED_WRITER";

/// Leaves of both logs that the child writes over and over.
const LEAVES: usize = 40_000;

/// In the child, the writer.
#[test]
#[ignore = "run by the test below in a process of its own"]
fn the_writer_that_is_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect(FOLDER));
    let all = unsigned(0, LEAVES as u64);
    // Rows of the views are written out and tidied all the time.
    let options = StoreOptions { views_memory_bytes: 32 << 10, ..StoreOptions::default() };
    let store = Store::open(&folder, &options).unwrap();
    let other = exchange("kz-national");
    for step in (1..150).cycle() {
        let from = store.head(&zhejiang()).unwrap().map_or(0, |head| head.size);
        let from = usize::try_from(from).unwrap();
        let to = LEAVES.min(from + step);
        if from == to {
            return;
        }
        store
            .commit(&[
                leaves(&zhejiang(), from as u64, all[from..to].to_vec()),
                checkpoint(&zhejiang(), &all[..to]),
                leaves(&other, from as u64, all[from..to].to_vec()),
                Persist::Frozen { log: other.clone(), size: to as u64 },
            ])
            .unwrap();
        println!("durable {to}");
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "store::tests::kills::the_writer_that_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets the child report `commits` commits, kills it, and returns the last size it was told.
fn kill_after(child: &mut Child, commits: usize) -> u64 {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut sizes = output.lines().map_while(Result::ok).filter_map(|line| {
        // The first report may stand behind the test runner's own words.
        line.rsplit_once("durable ").and_then(|(_, size)| size.parse().ok())
    });
    let told = sizes.nth(commits).expect("the writer reports its commits");
    child.kill().unwrap();
    child.wait().unwrap();
    sizes.last().unwrap_or(told)
}

fn check(store: &Store, all: &[Leaf], told: u64) {
    let logs = store.restore().unwrap();
    let size = logs[0].frontier.size();
    assert!(size >= told, "told {told}, held {size}");
    let expected = &all[..usize::try_from(size).unwrap()];
    for log in &logs {
        assert_eq!(log.frontier.root(), tree(expected).root());
        assert_eq!(store.leaves(&log.log, 0, u64::MAX, usize::MAX).unwrap(), expected);
    }
    assert_eq!(logs[1].frozen, Some(size), "a group is there in full or not at all");
    assert!(logs[0].checkpoint.as_ref().unwrap().contains(&format!("\n{size}\n")));
    assert!(store.settle(std::time::Duration::from_mins(1)));
    let last = expected.last().unwrap().hash();
    assert!(store.find(&last).unwrap().is_some_and(|(_, index)| index + 1 == size));
}

#[test]
fn a_killed_writer_loses_nothing_that_it_was_told_is_durable() {
    let place = tempfile::tempdir().unwrap();
    let all = unsigned(0, LEAVES as u64);
    for commits in [0, 1, 2, 3, 5, 8, 13, 4, 1, 7] {
        let mut child = start(place.path());
        let told = kill_after(&mut child, commits);
        let report = fsck(place.path(), &|_| None, &mut |_| ()).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        check(&open(place.path()), &all, told);
    }
}
