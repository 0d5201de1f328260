//! Three levels of tiles.

use hutong_crypto::merkle::{NodeReader as _, consistency_proof, verify_consistency};
use hutong_protocol::entry::Leaf;

use super::fixture::{checkpoint, leaves, open, tree, unsigned, zhejiang};
use crate::store::{CheckpointChoice, ExportAudience, fsck};

#[test]
fn a_log_of_three_levels_of_tiles_reads_proves_and_exports() {
    let place = tempfile::tempdir().unwrap();
    let log = zhejiang();
    let all = unsigned(0, 66_100);
    let store = open(place.path());
    for (at, group) in all.chunks(5_000).enumerate() {
        store.commit(&[leaves(&log, at as u64 * 5_000, group.to_vec())]).unwrap();
    }
    store.commit(&[checkpoint(&log, &all)]).unwrap();
    let memory = tree(&all);
    drop(store);
    let store = open(place.path());
    let reader = store.node_reader(&log).unwrap();
    assert_eq!(reader.root(), memory.root());
    for (level, index) in [(0, 65_535), (0, 66_099), (8, 255), (8, 257), (15, 1), (16, 0)] {
        assert_eq!(reader.node(level, index).unwrap(), memory.node(level, index).unwrap());
    }
    let old = tree(&all[..65_000]).root();
    let proof = consistency_proof(65_000, 66_100, &reader).unwrap();
    verify_consistency(65_000, &old, 66_100, &memory.root(), &proof).unwrap();
    assert_eq!(store.leaves(&log, 65_400, 66_100, usize::MAX).unwrap(), all[65_400..]);
    assert_eq!(store.find(&all[65_536].hash()).unwrap(), Some((log.clone(), 65_536)));

    let site = tempfile::tempdir().unwrap();
    store.export(&log, CheckpointChoice::Newest, ExportAudience::All, site.path()).unwrap();
    for name in ["tile/2/000.p/1", "tile/1/000", "tile/1/001.p/2", "tile/0/258.p/52"] {
        assert!(site.path().join(name).is_file(), "{name}");
    }
    store.settle(std::time::Duration::MAX);
    drop((store, reader));
    assert_eq!(fsck(place.path(), &|_| None, &mut |_| ()).unwrap().findings, []);

    damage(&place.path().join("logs/cn-33-zhejiang/tile/1/000"));
    let store = open(place.path());
    assert!(store.leaf(&log, 5).is_err());
    let last: Option<Leaf> = store.leaf(&log, 66_000).unwrap();
    assert_eq!(last.as_ref(), Some(&all[66_000]), "what does not hang from it is still read");
    drop(store);
    let report = fsck(place.path(), &|_| None, &mut |_| ()).unwrap();
    let found = report.findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].file.as_ref().is_some_and(|file| file.ends_with("tile/1/000")));
}

fn damage(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
