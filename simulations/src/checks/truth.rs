//! The register as a quorum has cosigned it, folded entry by entry without the states' help.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_protocol::directory::{Anchor, AnchorLeaves, Directory};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::message::AnchorChange;

use crate::disk::Disk;
use crate::federation::register;
use crate::node::Slot;
use crate::world::World;

/// The directory after each entry of the register that counts.
#[derive(Debug, Default)]
pub(super) struct Truth {
    folded: Vec<Arc<Directory>>,
    anchors: BTreeMap<u64, Anchor>,
}

impl Truth {
    /// Folds what was cosigned since.
    pub(super) fn refresh(&mut self, world: &World) {
        if self.folded.is_empty() {
            self.folded.push(Arc::new(world.federation.founded().clone()));
        }
        while let Some(last) = self.folded.last() {
            let index = last.register().size;
            let Some(entry) = counting_entry(world, index) else { return };
            let mut next = Directory::clone(last);
            // What takes no effect takes none at every node alike.
            let _no_effect = next.apply(entry, None);
            if let Some(anchor) = next.register().anchor.filter(|anchor| anchor.index == index) {
                self.anchors.insert(index, anchor);
            }
            self.folded.push(Arc::new(next));
        }
    }

    /// The directory after so many entries.
    pub(super) fn directory(&self, size: u64) -> Option<&Arc<Directory>> {
        self.folded.get(usize::try_from(size).ok()?)
    }

    /// The directory after all that counts.
    pub(super) fn latest(&self) -> Option<&Arc<Directory>> {
        self.folded.last()
    }

    /// The anchors that count, by index.
    pub(super) fn anchors(&self) -> &BTreeMap<u64, Anchor> {
        &self.anchors
    }
}

/// The leaves of the anchor at `index`, as a council member's disk has them: none where it lacks an anchor up to
/// there that counts.
pub(super) fn leaves_on(disk: &Disk, truth: &Truth, index: u64) -> Option<AnchorLeaves> {
    let mut leaves = AnchorLeaves::default();
    for index in truth.anchors().range(..=index).map(|(index, _)| *index) {
        let changes = AnchorChange::decode_all(disk.anchors().get(&(1, index))?.clone()).ok()?;
        leaves.update(changes.into_iter().map(|change| change.leaf));
    }
    Some(leaves)
}

/// The entry of the register at `index`, where some honest node knows that a quorum cosigned it.
fn counting_entry(world: &World, index: u64) -> Option<&Entry> {
    let register = register();
    let honest = (0..world.nodes.len()).filter(|slot: &Slot| world.is_honest(*slot));
    let mut copies = honest.filter_map(|slot| world.nodes[slot].disk.log(&register));
    copies.find_map(|copy| {
        copy.witnessed().filter(|prefix| index < prefix.size)?;
        copy.leaf(&register, index).ok().and_then(Leaf::entry)
    })
}
