//! Planning a commit: what each log will be and which bytes each of its files gains.
//!
//! Planning reads but writes nothing, so a commit that contradicts what is stored is refused while
//! everything is as before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use hutong_crypto::digest::Hash;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;

use super::bundle;
use super::core::{Core, Held};
use super::error::StoreError;
use super::files::Growth;
use super::heads::HeadChanges;
use super::marks::Marks;
use super::path::{TILE_WIDTH, TileId};
use super::record::{Kind, marks_key};

/// One log as it will be after the commit.
#[derive(Debug)]
pub(super) struct Staged {
    /// As committed before; the reference for what is on disk already.
    pub(super) before: Arc<Held>,
    /// As it will be.
    pub(super) held: Held,
    /// Whether the log is not in the index yet.
    pub(super) fresh: bool,
    /// What each file gains.
    pub(super) growth: BTreeMap<TileId, Growth>,
    /// Entries that become known, by index.
    pub(super) fills: BTreeMap<u64, Entry>,
    changed: BTreeSet<(MarkKind, u64)>,
}

/// The two kinds of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MarkKind {
    Withheld,
    Void,
}

impl Staged {
    pub(super) fn new(before: Arc<Held>, fresh: bool) -> Self {
        Self {
            held: Held { root: OnceLock::new(), ..Held::clone(&before) },
            before,
            fresh,
            growth: BTreeMap::new(),
            fills: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Plans leaves to append. Those that are held already must be the same; they are passed over.
    pub(super) fn append(
        &mut self,
        core: &Core,
        from: u64,
        leaves: &[Leaf],
        void: &[u64],
    ) -> Result<(), StoreError> {
        let size = self.held.size();
        if from > size {
            let what = format!("expected leaves from index {size}, met leaves from {from}");
            return Err(self.misuse(what));
        }
        for (index, leaf) in (from..).zip(leaves) {
            let hash = leaf.hash();
            if index < self.held.size() {
                self.compare(core, index, &hash)?;
            } else {
                self.push(leaf, hash)?;
            }
        }
        self.mark_void(void)
    }

    fn push(&mut self, leaf: &Leaf, hash: Hash) -> Result<(), StoreError> {
        let index = self.held.size();
        let entry = match leaf {
            Leaf::Entry(entry) => Some(entry.as_bytes().as_ref()),
            Leaf::Withheld(_) => None,
        };
        let tile = TileId::entries(index / TILE_WIDTH);
        let offset = if index.is_multiple_of(TILE_WIDTH) { 0 } else { self.held.bundle_bytes };
        let growth = grow(&mut self.growth, tile, index % TILE_WIDTH, offset);
        if !bundle::push(&mut growth.bytes, entry) {
            return Err(
                self.misuse(format!("the entry at index {index} is longer than 65,535 bytes"))
            );
        }
        growth.count += 1;
        self.held.bundle_bytes = growth.offset + growth.bytes.len() as u64;
        if entry.is_none() {
            Arc::make_mut(&mut self.held.withheld).insert(index);
            self.changed.insert((MarkKind::Withheld, index / TILE_WIDTH));
        }
        let growths = &mut self.growth;
        self.held.edge.append(hash, |tile, place, hash| {
            let growth = grow(growths, tile, place, place * Hash::LEN as u64);
            growth.bytes.extend_from_slice(hash.as_bytes());
            growth.count += 1;
        });
        Ok(())
    }

    /// Plans entries whose leaves were withheld so far.
    pub(super) fn fill(
        &mut self,
        core: &Core,
        entries: &[(u64, Entry)],
        void: &[u64],
    ) -> Result<(), StoreError> {
        for (index, entry) in entries {
            if *index >= self.held.size() {
                return Err(StoreError::Beyond {
                    log: self.held.exchange.clone(),
                    index: *index,
                    size: self.held.size(),
                });
            }
            self.compare(core, *index, &entry.leaf_hash())?;
            if self.held.withheld.contains(*index) {
                Arc::make_mut(&mut self.held.withheld).remove(*index);
                self.changed.insert((MarkKind::Withheld, index / TILE_WIDTH));
                self.fills.insert(*index, entry.clone());
            }
        }
        self.mark_void(void)
    }

    fn mark_void(&mut self, void: &[u64]) -> Result<(), StoreError> {
        for &index in void {
            if index >= self.held.size() {
                return Err(self.misuse(format!(
                    "index {index} is named void, but the log has {} entries",
                    self.held.size()
                )));
            }
            if !self.held.void.contains(index) {
                Arc::make_mut(&mut self.held.void).insert(index);
                self.changed.insert((MarkKind::Void, index / TILE_WIDTH));
            }
        }
        Ok(())
    }

    /// The leaf at `index`, committed or planned, must have this hash.
    fn compare(&self, core: &Core, index: u64, met: &Hash) -> Result<(), StoreError> {
        let expected = if index < self.before.size() {
            core.leaf_hash(&self.before, index)?
        } else {
            self.planned(index)
                .ok_or_else(|| self.misuse(format!("index {index} is not planned")))?
        };
        if expected == *met {
            return Ok(());
        }
        Err(self.misuse(format!("index {index} has leaf hash {expected}, met {met}")))
    }

    /// Hash of a leaf that this commit appends.
    fn planned(&self, index: u64) -> Option<Hash> {
        let growth = self.growth.get(&TileId::hashes(0, index / TILE_WIDTH))?;
        let place = usize::try_from((index % TILE_WIDTH).checked_sub(growth.start)?).ok()?;
        growth.bytes.chunks_exact(Hash::LEN).nth(place).and_then(|hash| Hash::try_from(hash).ok())
    }

    /// Bundles that must be replaced, each with the entries that it gains.
    pub(super) fn filled_bundles(&self) -> BTreeMap<u64, BTreeMap<u64, &Entry>> {
        let mut bundles: BTreeMap<u64, BTreeMap<u64, &Entry>> = BTreeMap::new();
        for (index, entry) in &self.fills {
            bundles.entry(index / TILE_WIDTH).or_default().insert(index % TILE_WIDTH, entry);
        }
        bundles
    }

    /// Puts the changed marks into the batch.
    pub(super) fn encode_marks(&self, batch: &mut HeadChanges) {
        for &(kind, bundle) in &self.changed {
            let (kind, marks): (Kind, &Marks) = match kind {
                MarkKind::Withheld => (Kind::Withheld, &self.held.withheld),
                MarkKind::Void => (Kind::Void, &self.held.void),
            };
            let key = marks_key(kind, self.held.number, bundle);
            match marks.bundle(bundle) {
                Some(bitmap) => batch.insert(key, bitmap.as_slice()),
                None => batch.remove(key),
            }
        }
    }

    /// Notes which entries became known, so that the views take them in.
    pub(super) fn encode_refilled(&self, batch: &mut HeadChanges) {
        for index in self.fills.keys() {
            batch.insert(marks_key(Kind::Refilled, self.held.number, *index), []);
        }
    }

    fn misuse(&self, what: impl Into<String>) -> StoreError {
        StoreError::misuse(&self.held.exchange, what)
    }
}

/// All logs that a commit touches.
pub(super) type Stage = BTreeMap<ExchangeId, Staged>;

fn grow(
    growths: &mut BTreeMap<TileId, Growth>,
    tile: TileId,
    start: u64,
    offset: u64,
) -> &mut Growth {
    growths.entry(tile).or_insert_with(|| Growth {
        tile,
        start,
        offset,
        count: 0,
        bytes: Vec::new(),
    })
}
