//! A log exported as a static site, read by libraries that know nothing of Hutong.
//!
//! Notes are read by `signed_note`, tiles, roots and proofs by `tlog_tiles`; cosignatures are
//! checked from the text of C2SP tlog-cosignature with an Ed25519 library alone. Beside everything
//! that these accept stands the same with one bit changed, which they refuse.

use std::fs;
use std::path::{Path, PathBuf};

use hutong_crypto::PublicKey;
use hutong_crypto::note::{SIGNATURE_TYPE_ED25519, verifier_key};
use hutong_node::store::{CheckpointChoice, ExportAudience, Store, StoreOptions};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::fixture::Federation;
use hutong_protocol::id::Origin;
use hutong_protocol::persist::Persist;
use hutong_protocol::statement::StatementType;
use serde_json::json;
use signed_note::{Note, NoteError, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{Checkpoint, HashReader as _, TileHashReader, TileReader, tlog};

const LOG: &str = "cn-11-p";
/// Leaves at the first export: one full tile and a part of the next.
const EARLIER: u64 = 300;
/// Leaves at the second: two full tiles, a part of a third, and a part of one a level higher.
const LATER: u64 = 613;

/// A site of [`LATER`] leaves that extends an export of [`EARLIER`].
struct Site {
    folder: tempfile::TempDir,
    federation: Federation,
    earlier: Vec<u8>,
}

impl Site {
    fn export() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut federation = Federation::of_provinces(3);
        let store = Store::open(&folder.path().join("data"), &StoreOptions::default())
            .expect("a new store opens");
        grow(&mut federation, &store, EARLIER, &folder.path().join("site"));
        let earlier = fs::read(folder.path().join("site/checkpoint")).expect("a checkpoint");
        grow(&mut federation, &store, LATER, &folder.path().join("site"));
        Self { folder, federation, earlier }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    fn note(&self) -> Vec<u8> {
        fs::read(self.path().join("checkpoint")).expect("the site has a checkpoint")
    }

    /// Verifiers of the log's signature and of all witnesses' cosignatures.
    fn verifiers(&self) -> VerifierList {
        let federation = self.federation.id();
        let log = self.federation.exchange(LOG);
        let origin = Origin::new(&federation, log.id());
        let vkey = verifier_key(origin.as_str(), SIGNATURE_TYPE_ED25519, &log.log_key.public());
        let log = StandardVerifier::new(&vkey).expect("others read the log's verifier key");
        let mut verifiers: Vec<Box<dyn Verifier>> = vec![Box::new(log)];
        for witness in self.federation.exchanges.values() {
            let name = Origin::new(&federation, witness.id()).witness_name();
            verifiers.push(Box::new(Witness::new(&name, witness.witness_key.public())));
        }
        VerifierList::new(verifiers)
    }

    fn tiles(&self) -> Tiles {
        Tiles(self.path())
    }
}

/// Appends entries until `size`, makes them and a cosigned checkpoint durable, and exports them.
fn grow(federation: &mut Federation, store: &Store, size: u64, target: &Path) {
    let log = federation.exchange(LOG).id().clone();
    let from = federation.logs.get(&log).map_or(0, |log| log.tree.size());
    for index in from..size {
        let kind = StatementType::Unknown("example/v1".to_owned());
        federation.append(LOG, kind, json!({ "number": index }));
    }
    let note = federation.checkpoint(LOG).encode();
    let from_position = usize::try_from(from).expect("a small log");
    let leaves = federation.logs[&log].entries[from_position..].iter().cloned();
    let leaves = leaves.map(Leaf::Entry).collect();
    store
        .commit(&[
            Persist::Leaves { log: log.clone(), from, leaves, void: Vec::new() },
            Persist::Checkpoint { log: log.clone(), note, size },
        ])
        .expect("the leaves and their checkpoint are committed");
    let report = store
        .export(&log, CheckpointChoice::Newest, ExportAudience::Public, target)
        .expect("an export");
    assert_eq!(report.size, size);
}

/// The Ed25519 kind of cosignature, as c2sp.org/tlog-cosignature describes it.
struct Witness {
    name: String,
    key: [u8; 32],
}

impl Witness {
    fn new(name: &str, key: PublicKey) -> Self {
        Self { name: name.to_owned(), key: key.0 }
    }
}

impl Verifier for Witness {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        let mut typed = vec![4];
        typed.extend_from_slice(&self.key);
        signed_note::key_id(&self.name, &typed)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        let mut signed =
            format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time)).into_bytes();
        signed.extend_from_slice(message);
        ed25519_dalek::VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&signed, &signature).is_ok())
    }
}

/// Hash tiles of an exported site.
struct Tiles(PathBuf);

impl Tiles {
    /// `tile/8/<level>/<number>` is how `tlog_tiles` names what C2SP calls `tile/<level>/<number>`.
    fn file(&self, tile: &tlog_tiles::Tile) -> PathBuf {
        let path = tile.path();
        let below = path.strip_prefix("tile/8/").expect("tiles of height 8 are asked for");
        self.0.join("tile").join(below)
    }
}

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let read = |tile| fs::read(self.file(tile)).expect("every tile asked for is on the site");
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn checkpoint(note: &[u8]) -> Checkpoint {
    let note = Note::from_bytes(note).expect("others read the note");
    Checkpoint::from_bytes(note.text()).expect("others read the checkpoint")
}

fn flipped(hash: tlog::Hash) -> tlog::Hash {
    let mut hash = hash;
    hash.0[31] ^= 1;
    hash
}

/// Entries of a site's bundles: each a big-endian u16 length and as many bytes.
fn entries(folder: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for number in 0..size.div_ceil(256) {
        let width = 256.min(size - number * 256);
        let suffix = if width < 256 { format!(".p/{width}") } else { String::new() };
        let path = folder.join(format!("tile/entries/{number:03}{suffix}"));
        let bundle = fs::read(path).expect("every bundle is on the site");
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            entries.push(entry.to_vec());
            rest = after;
        }
        assert!(rest.is_empty(), "bundle {number} ends with an entry");
    }
    entries
}

#[test]
fn the_log_and_every_witness_signed_the_checkpoint() {
    let site = Site::export();
    let text = site.note();
    let note = Note::from_bytes(&text).expect("others read the note");
    let (known, unknown) = note.verify(&site.verifiers()).expect("all signatures hold");
    assert_eq!((known.len(), unknown.len()), (4, 0), "the log and three witnesses");
    let read = checkpoint(&text);
    let federation = site.federation.id();
    let origin = Origin::new(&federation, site.federation.exchange(LOG).id());
    assert_eq!((read.origin(), read.size()), (origin.as_str(), LATER));
}

#[test]
fn a_changed_checkpoint_or_signature_is_refused() {
    let site = Site::export();
    let note = Note::from_bytes(&site.note()).expect("others read the note");
    let (signatures, _) = note.verify(&site.verifiers()).expect("all signatures hold");

    let text = String::from_utf8(note.text().to_vec()).expect("a checkpoint is text");
    let changed = text.replace("\n613\n", "\n612\n");
    assert_ne!(changed, text);
    let forged = Note::new(changed.as_bytes(), &signatures).expect("a note in form");
    let refusal = forged.verify(&site.verifiers()).err();
    assert!(matches!(refusal, Some(NoteError::InvalidSignature { .. })), "{refusal:?}");

    for place in 0..signatures.len() {
        let mut changed = signatures.clone();
        let mut bytes = changed[place].signature().to_vec();
        bytes[7] ^= 1;
        let (name, id) = (changed[place].name().to_owned(), changed[place].id());
        changed[place] = signed_note::Signature::new(name, id, bytes).expect("a line in form");
        let forged = Note::new(note.text(), &changed).expect("a note in form");
        let refusal = forged.verify(&site.verifiers()).err();
        assert!(matches!(refusal, Some(NoteError::InvalidSignature { .. })), "{refusal:?}");
    }
}

#[test]
fn the_tiles_hold_every_entry_under_the_signed_root() {
    let site = Site::export();
    let (read, tiles) = (checkpoint(&site.note()), site.tiles());
    let reader = TileHashReader::new(read.size(), *read.hash(), &tiles);
    assert_eq!(tlog::tree_hash(LATER, &reader).expect("the tiles fit the root"), *read.hash());

    let entries = entries(&site.path(), LATER);
    assert_eq!(entries.len() as u64, LATER);
    let indices: Vec<u64> = (0..LATER).map(|index| tlog::stored_hash_index(0, index)).collect();
    let leaves = reader.read_hashes(&indices).expect("leaf hashes under the root");
    for (entry, leaf) in entries.iter().zip(&leaves) {
        assert_eq!(tlog::record_hash(entry), *leaf);
        assert!(Entry::parse(entry.clone().into()).is_ok(), "what a bundle holds is an entry");
        let mut changed = entry.clone();
        changed[entry.len() / 2] ^= 1;
        assert_ne!(tlog::record_hash(&changed), *leaf);
    }
}

#[test]
fn a_changed_tile_is_refused() {
    let site = Site::export();
    let (read, tiles) = (checkpoint(&site.note()), site.tiles());
    // `tlog_tiles` 0.2 compares complete tiles with their parents only where the right edge of the
    // tree lies in as many tiles as it has hashes; here they are compared one by one.
    let parents = fs::read(site.path().join("tile/1/000.p/2")).expect("the tile is on the site");
    for (number, parent) in parents.chunks(32).enumerate() {
        let path = site.path().join(format!("tile/0/{number:03}"));
        let mut tile = fs::read(path).expect("the tile is on the site");
        assert_eq!(tlog_tiles::Tile::subtree_hash(&tile).0, parent, "tile {number}");
        tile[40] ^= 1;
        assert_ne!(tlog_tiles::Tile::subtree_hash(&tile).0, parent, "tile {number}, changed");
    }
    for (tile, index) in [("tile/0/002.p/101", 600), ("tile/1/000.p/2", 0)] {
        let path = site.path().join(tile);
        let original = fs::read(&path).expect("the tile is on the site");
        let mut changed = original.clone();
        changed[40] ^= 1;
        let asked = [tlog::stored_hash_index(0, index)];
        let read_anew = || TileHashReader::new(LATER, *read.hash(), &tiles).read_hashes(&asked);
        assert!(read_anew().is_ok(), "{tile}");
        fs::write(&path, changed).expect("the tile is written");
        assert!(read_anew().is_err(), "{tile} with one bit changed");
        fs::write(&path, original).expect("the tile is written");
    }
}

#[test]
fn inclusion_is_proved_from_the_tiles() {
    let site = Site::export();
    let (read, tiles) = (checkpoint(&site.note()), site.tiles());
    let (leaves, root) = (read.size(), *read.hash());
    let reader = TileHashReader::new(leaves, root, &tiles);
    let entries = entries(&site.path(), leaves);
    for (index, entry) in (0..).zip(&entries).step_by(51) {
        let mut proof = tlog::prove_record(leaves, index, &reader).expect("a proof from the tiles");
        let leaf = tlog::record_hash(entry);
        assert!(tlog::check_record(&proof, leaves, root, index, leaf).is_ok(), "{index}");
        assert!(tlog::check_record(&proof, leaves, root, index, flipped(leaf)).is_err());
        assert!(tlog::check_record(&proof, leaves, flipped(root), index, leaf).is_err());
        assert!(tlog::check_record(&proof, leaves, root, index ^ 1, leaf).is_err());
        proof[0] = flipped(proof[0]);
        assert!(tlog::check_record(&proof, leaves, root, index, leaf).is_err());
    }
}

#[test]
fn the_later_checkpoint_extends_the_earlier_one() {
    let site = Site::export();
    let (before, after) = (checkpoint(&site.earlier), checkpoint(&site.note()));
    assert_eq!((before.size(), after.size()), (EARLIER, LATER));
    let tiles = site.tiles();
    let reader = TileHashReader::new(LATER, *after.hash(), &tiles);
    let mut proof = tlog::prove_tree(LATER, EARLIER, &reader).expect("a proof from the tiles");
    let (new, old) = (*after.hash(), *before.hash());
    assert!(tlog::check_tree(&proof, LATER, new, EARLIER, old).is_ok());
    assert!(tlog::check_tree(&proof, LATER, new, EARLIER, flipped(old)).is_err());
    assert!(tlog::check_tree(&proof, LATER, flipped(new), EARLIER, old).is_err());
    assert!(tlog::check_tree(&proof, LATER, new, EARLIER - 1, old).is_err());
    proof[0] = flipped(proof[0]);
    assert!(tlog::check_tree(&proof, LATER, new, EARLIER, old).is_err());
}
