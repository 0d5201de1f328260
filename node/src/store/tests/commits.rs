//! What is committed comes back.

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{MemoryTree, NodeReader as _, inclusion_proof, verify_inclusion};
use hutong_protocol::entry::Leaf;
use hutong_protocol::persist::Persist;

use super::fixture::{
    checkpoint, entries, entry, exchange, leaves, note, open, tree, unsigned, zhejiang,
};
use crate::store::{CheckpointChoice, ExportAudience, StoreError};

#[test]
fn everything_comes_back_after_reopening() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let all = entries(0, 300);
    let store = open(place.path());
    store
        .commit(&[
            leaves(&log, 0, all[..255].to_vec()),
            leaves(&log, 255, all[255..].to_vec()),
            checkpoint(&log, &all),
            Persist::Cosigned {
                log: log.clone(),
                note: note(&log, 9, tree(&all[..9]).root()),
                size: 9,
            },
            Persist::WitnessMemory { log: log.clone(), size: 300, root: tree(&all).root() },
            Persist::Frozen { log: log.clone(), size: 200 },
            Persist::Evidence { log: log.clone(), bytes: b"proof".to_vec() },
            Persist::Charter { bytes: b"charter".to_vec() },
            Persist::Charter { bytes: b"charter".to_vec() },
            Persist::Charter { bytes: b"another of that version".to_vec() },
            anchored(2, 0, b"third"),
            anchored(1, 300, b"second"),
            anchored(1, 7, b"first"),
            anchored(1, 7, b"first"),
        ])
        .unwrap();
    let before = store.restore().unwrap();
    drop(store);
    let store = open(place.path());
    assert_eq!(store.restore().unwrap(), before);
    assert_eq!(before[0].frontier.root(), tree(&all).root());
    assert_eq!((before[0].frozen, before[0].witness), (Some(200), Some((300, tree(&all).root()))));
    assert_eq!(before[0].evidence, [b"proof".to_vec()]);
    assert_eq!(
        store.charters().unwrap(),
        [b"charter".to_vec(), b"another of that version".to_vec()]
    );
    let anchors = store.anchors().unwrap().into_iter();
    let anchors: Vec<_> = anchors.map(|it| (it.version, it.index, it.changes)).collect();
    assert_eq!(
        anchors,
        [(1, 7, "first".into()), (1, 300, "second".into()), (2, 0, "third".into())]
    );
    assert_eq!(store.leaves(&log, 0, 1_000, usize::MAX).unwrap(), all);
    assert_eq!(store.leaf(&log, 299).unwrap().as_ref(), all.last());
    assert_eq!(store.leaf(&log, 300).unwrap(), None);
    assert!(matches!(store.leaf(&exchange("nobody"), 0), Err(StoreError::UnknownLog(_))));
}

fn anchored(version: u64, index: u64, changes: &'static [u8]) -> Persist {
    Persist::Anchored { version, index, changes: changes.into() }
}

#[test]
fn registers_are_read_from_their_first_entry_to_the_first_that_is_not_held() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (exchange("register-1"), exchange("register-2"));
    let store = open(place.path());
    let mut hidden = entries(0, 3);
    hidden[1] = Leaf::Withheld(hidden[1].hash());
    store
        .commit(&[
            leaves(&zhejiang(), 0, entries(0, 9)),
            leaves(&exchange("register-01"), 0, entries(0, 2)),
            leaves(&one, 0, entries(0, 300)),
            leaves(&two, 0, hidden),
        ])
        .unwrap();
    let entries_of = |from, to| (from..to).map(entry).collect::<Vec<_>>();
    assert_eq!(store.registers().unwrap(), [(one, entries_of(0, 300)), (two, entries_of(0, 1))]);
}

#[test]
fn sizes_around_a_tile_read_alike_however_they_were_committed() {
    let all = unsigned(0, 770);
    for step in [1, 100, 255, 256, 257, 600] {
        let place = tempfile::tempdir().unwrap();
        let log = zhejiang();
        let store = open(place.path());
        let mut at = 0;
        while at < all.len() {
            let end = all.len().min(at + step);
            store.commit(&[leaves(&log, at as u64, all[at..end].to_vec())]).unwrap();
            assert_eq!(store.node_reader(&log).unwrap().root(), tree(&all[..end]).root());
            at = end;
        }
        assert_eq!(store.leaves(&log, 0, 770, usize::MAX).unwrap(), all, "step {step}");
    }
}

#[test]
fn a_repeated_commit_changes_nothing_and_a_different_one_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = entries(0, 10);
    for _ in 0..2 {
        store.commit(&[leaves(&log, 0, all.clone())]).unwrap();
    }
    store.commit(&[leaves(&log, 5, entries(5, 12))]).unwrap();
    assert_eq!(store.leaves(&log, 0, 99, usize::MAX).unwrap(), entries(0, 12));
    for (from, other) in [(9, entries(30, 31)), (13, entries(13, 14))] {
        let error = store.commit(&[leaves(&log, from, other)]).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error}");
    }
    store.commit(&[leaves(&log, 12, entries(12, 13))]).unwrap();
}

#[test]
fn a_refused_change_takes_its_whole_group_back() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let (one, two) = (zhejiang(), exchange("kz-national"));
    let group = [leaves(&one, 0, entries(0, 3)), leaves(&two, 7, entries(0, 3))];
    assert!(store.commit(&group).is_err());
    assert_eq!(store.logs(), []);
    store.commit(&group[..1]).unwrap();
    assert_eq!(store.logs(), [one]);
}

#[test]
fn withheld_leaves_are_filled_in() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = entries(0, 600);
    let hidden = [0, 3, 255, 256, 599];
    let mut shown = all.clone();
    for index in hidden {
        shown[index] = Leaf::Withheld(all[index].hash());
    }
    store.commit(&[leaves(&log, 0, shown.clone())]).unwrap();
    assert_eq!(store.leaves(&log, 0, 600, usize::MAX).unwrap(), shown);
    assert_eq!(store.restore().unwrap()[0].withheld, [(0, 1), (3, 4), (255, 257), (599, 600)]);

    let fill = |index: u64| Persist::Fill {
        log: log.clone(),
        entries: vec![(index, entry(index))],
        void: vec![],
    };
    let wrong = Persist::Fill { log: log.clone(), entries: vec![(3, entry(4))], void: vec![] };
    assert!(matches!(store.commit(&[wrong]), Err(StoreError::Misuse { .. })));
    assert!(matches!(store.commit(&[fill(600)]), Err(StoreError::Beyond { .. })));
    // In one group with an append to the same growing bundle, and twice.
    store.commit(&[fill(599), leaves(&log, 600, entries(600, 610)), fill(256), fill(256)]).unwrap();
    store.commit(&[fill(0), fill(3), fill(255), fill(0)]).unwrap();
    store.commit(&[leaves(&log, 610, entries(610, 900))]).unwrap();
    drop(store);
    let store = open(place.path());
    assert_eq!(store.leaves(&log, 0, 900, usize::MAX).unwrap(), entries(0, 900));
    assert_eq!(store.restore().unwrap()[0].withheld, []);
}

#[test]
fn void_entries_are_told_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    store
        .commit(&[Persist::Leaves {
            log: log.clone(),
            from: 0,
            leaves: entries(0, 9),
            void: vec![4],
        }])
        .unwrap();
    let beyond = Persist::Leaves { log: log.clone(), from: 9, leaves: vec![], void: vec![9] };
    assert!(matches!(store.commit(&[beyond]), Err(StoreError::Misuse { .. })));
    drop(store);
    let store = open(place.path());
    assert!(store.void(&log, 4) && !store.void(&log, 3) && !store.void(&exchange("nobody"), 4));
    assert_eq!(store.head(&log).unwrap().unwrap().void, 1);
}

#[test]
fn a_witness_never_forgets() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let memory =
        |size, byte| Persist::WitnessMemory { log: zhejiang(), size, root: Hash([byte; 32]) };
    store.commit(&[memory(5, 1), memory(6, 2), memory(6, 2)]).unwrap();
    for lower in [memory(5, 1), memory(6, 3)] {
        assert!(matches!(store.commit(&[lower]), Err(StoreError::Misuse { .. })));
    }
    assert!(store.commit(&[memory(9, 1), memory(8, 1)]).is_err());
    assert_eq!(store.head(&zhejiang()).unwrap().unwrap().witness, Some((6, Hash([2; 32]))));
}

#[test]
fn proofs_from_the_store_verify() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = unsigned(0, 700);
    store.commit(&[leaves(&log, 0, all.clone())]).unwrap();
    let reader = store.node_reader(&log).unwrap();
    let memory: MemoryTree = tree(&all);
    for size in [1_u64, 256, 257, 512, 700] {
        let root = tree(&all[..usize::try_from(size).unwrap()]).root();
        for index in [0, size / 2, size - 1] {
            let proof = inclusion_proof(index, size, &reader).unwrap();
            let leaf = all[usize::try_from(index).unwrap()].hash();
            verify_inclusion(&leaf, index, size, &root, &proof).unwrap();
        }
    }
    assert_eq!(reader.node(8, 1).unwrap(), memory.node(8, 1).unwrap());
    assert_eq!(reader.node(9, 0).unwrap(), memory.node(9, 0).unwrap());
    for (level, index) in [(0, 700), (8, 2), (9, 1), (64, 0), (0, u64::MAX)] {
        assert!(matches!(reader.node(level, index), Err(StoreError::Beyond { .. })));
    }
    assert_eq!(store.range_hashes(&log, 0, 700).unwrap().len(), 6);
    assert!(store.range_hashes(&log, 0, 701).is_err());
}

#[test]
fn a_range_stops_at_its_byte_budget_but_brings_one_leaf() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = unsigned(0, 300);
    store.commit(&[leaves(&log, 0, all.clone())]).unwrap();
    assert_eq!(store.leaves(&log, 250, 300, 1).unwrap(), all[250..251]);
    assert_eq!(store.leaves(&log, 250, 300, 1_050).unwrap().len(), 10);
    assert_eq!(store.leaves(&log, 300, 400, 1).unwrap(), []);
    assert_eq!(store.leaves(&log, 40, 30, 1).unwrap(), []);
}

#[test]
fn statements_are_found_by_id() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (zhejiang(), exchange("kz-national"));
    let store = open(place.path());
    store.commit(&[leaves(&one, 0, entries(0, 600)), leaves(&two, 0, entries(600, 700))]).unwrap();
    assert_eq!(store.find(&entry(599).id()).unwrap(), Some((one, 599)));
    assert_eq!(store.find(&entry(650).id()).unwrap(), Some((two, 50)));
    assert_eq!(store.find(&entry(700).id()).unwrap(), None);
}

#[test]
fn readers_see_whole_commits_while_one_writes() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = unsigned(0, 3_000);
    store.commit(&[leaves(&log, 0, all[..30].to_vec())]).unwrap();
    std::thread::scope(|scope| {
        let (reading, known) = (store.clone(), &all);
        let reader = scope.spawn(move || {
            let mut seen = 0;
            while seen < 3_000 {
                let met = reading.leaves(&zhejiang(), 0, u64::MAX, usize::MAX).unwrap();
                assert!(met.len() % 30 == 0 && met.len() >= seen, "met {}", met.len());
                assert_eq!(met, known[..met.len()]);
                seen = met.len();
            }
        });
        for at in (30..3_000).step_by(30) {
            store.commit(&[leaves(&log, at as u64, all[at..at + 30].to_vec())]).unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn an_exported_site_holds_what_the_checkpoint_covers() {
    let place = tempfile::tempdir().unwrap();
    let site = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let all = entries(0, 600);
    let export = || store.export(&log, CheckpointChoice::Newest, ExportAudience::All, site.path());
    store.commit(&[leaves(&log, 0, all[..500].to_vec())]).unwrap();
    assert!(matches!(export(), Err(StoreError::Misuse { .. })));
    store.commit(&[checkpoint(&log, &all[..400])]).unwrap();
    assert_eq!(export().unwrap().size, 400);
    store.commit(&[leaves(&log, 500, all[500..].to_vec()), checkpoint(&log, &all)]).unwrap();
    assert_eq!(export().unwrap().files_kept, 2);
    for name in [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ] {
        assert!(site.path().join(name).is_file(), "{name}");
    }
    let hashes = std::fs::read(site.path().join("tile/0/002.p/88")).unwrap();
    assert_eq!(hashes[..32], all[512].hash().0);
}

#[test]
fn an_export_names_the_entries_that_are_not_held() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let store = open(place.path());
    let mut all = entries(0, 20);
    all[7] = Leaf::Withheld(all[7].hash());
    store.commit(&[leaves(&log, 0, all.clone()), checkpoint(&log, &all)]).unwrap();
    let site = tempfile::tempdir().unwrap();
    let error =
        store.export(&log, CheckpointChoice::Newest, ExportAudience::All, site.path()).unwrap_err();
    assert!(error.to_string().contains("first 7"), "{error}");
    assert!(!site.path().join("checkpoint").exists());
}

fn said(audience: &str, number: u64) -> Leaf {
    let text = format!("{{\"audience\":{audience},\"n\":{number}}}");
    Leaf::Entry(
        hutong_protocol::entry::Entry::sign(&super::fixture::key(), text.as_bytes()).unwrap(),
    )
}

#[test]
fn an_export_holds_nothing_for_another_audience_than_the_one_named() {
    use ExportAudience::{All, Domestic, Public};
    let (public, domestic) = (said("\"public\"", 0), said("\"domestic\"", 1));
    let members = said("{\"members\":[\"cn-33-a\"]}", 2);
    let (unknown, none) = (said("\"friends\"", 3), entries(4, 5).remove(0));
    for (restricted, allowed) in [
        (None, &[Public, Domestic, All][..]),
        (Some(domestic), &[Domestic, All]),
        (Some(members), &[All]),
        (Some(unknown), &[All]),
        (Some(none), &[All]),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (log, store) = (zhejiang(), open(place.path()));
        let mut all = vec![public.clone(); 300];
        all.extend(restricted);
        store.commit(&[leaves(&log, 0, all.clone()), checkpoint(&log, &all)]).unwrap();
        for audience in [Public, Domestic, All] {
            let site = tempfile::tempdir().unwrap();
            let met = store.export(&log, CheckpointChoice::Newest, audience, site.path());
            if allowed.contains(&audience) {
                assert_eq!(met.unwrap().size, all.len() as u64);
                continue;
            }
            let error = met.unwrap_err();
            assert!(matches!(error, StoreError::Restricted { restricted: 1, size: 301, .. }));
            assert!(error.to_string().contains("--include-restricted"), "{error}");
            assert_eq!(std::fs::read_dir(site.path()).unwrap().count(), 0, "something was written");
        }
    }
}

#[test]
fn a_public_export_can_be_served_and_any_other_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let (log, store) = (zhejiang(), open(place.path()));
    let all = vec![said("\"public\"", 0); 300];
    store.commit(&[leaves(&log, 0, all.clone()), checkpoint(&log, &all)]).unwrap();
    crate::process::keep_files_private();
    for (audience, folder, file) in
        [(ExportAudience::Public, 0o755, 0o644), (ExportAudience::All, 0o700, 0o600)]
    {
        let site = place.path().join(format!("{audience:?}"));
        store.export(&log, CheckpointChoice::Newest, audience, &site).unwrap();
        let mode = |name| std::fs::metadata(site.join(name)).unwrap().permissions().mode() & 0o777;
        for name in ["", "tile", "tile/0", "tile/entries"] {
            assert_eq!(mode(name), folder, "{audience:?}: {name}");
        }
        for name in ["checkpoint", "tile/0/000", "tile/entries/001.p/44"] {
            assert_eq!(mode(name), file, "{audience:?}: {name}");
        }
    }
}

#[test]
fn the_checkpoint_of_an_export_carries_its_cosignatures() {
    let place = tempfile::tempdir().unwrap();
    let site = tempfile::tempdir().unwrap();
    let (log, store) = (zhejiang(), open(place.path()));
    let all = entries(0, 20);
    let Persist::Checkpoint { note, size, .. } = checkpoint(&log, &all) else {
        unreachable!("it is a checkpoint")
    };
    let signature = note.lines().last().unwrap();
    let name = signature.split(' ').nth(1).unwrap();
    let cosigned = format!("{note}{}\n", signature.replace(name, &format!("{name}/witness")));
    store
        .commit(&[
            leaves(&log, 0, all.clone()),
            checkpoint(&log, &all),
            Persist::Cosigned { log: log.clone(), note: cosigned.clone(), size },
        ])
        .unwrap();
    let export =
        || store.export(&log, CheckpointChoice::Newest, ExportAudience::All, site.path()).unwrap();
    assert_eq!(export().cosignatures, 1);
    let written = std::fs::read_to_string(site.path().join("checkpoint")).unwrap();
    assert_eq!(written, cosigned);
    // A newer one without cosignatures is a choice of its own.
    let more = entries(0, 21);
    store.commit(&[leaves(&log, 20, more[20..].to_vec()), checkpoint(&log, &more)]).unwrap();
    assert_eq!(export().cosignatures, 0);
    let choice = CheckpointChoice::Cosigned;
    let report = store.export(&log, choice, ExportAudience::All, site.path()).unwrap();
    assert_eq!((report.size, report.cosignatures), (20, 1));
}
