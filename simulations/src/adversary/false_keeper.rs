//! Records anchors that are not so.

use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::directory::{AnchorLeaves, Record, RecordAct};
use hutong_protocol::entry::Leaf;
use hutong_protocol::message::AnchorChange;
use hutong_protocol::persist::Persist;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::state::State;
use hutong_protocol::statement::Draft;

use super::Adversary;
use crate::federation::register;
use crate::node::Slot;
use crate::world::World;

/// Writes an anchor with a false state or a false head into the register while its node is down, signs the tree,
/// and shows what the anchor changed to whoever asks.
#[derive(Debug, Default)]
pub(super) struct FalseKeeper {
    done: bool,
}

impl FalseKeeper {
    /// The false anchor, and what it changes.
    fn anchor(world: &mut World, me: Slot) -> Option<(Prepared, Vec<AnchorChange>)> {
        let mut leaves = AnchorLeaves::default();
        for changes in world.nodes[me].disk.anchors().values() {
            let changes = AnchorChange::decode_all(changes.clone()).ok()?;
            leaves.update(changes.into_iter().map(|change| change.leaf));
        }
        let chosen = world.rng.index(usize::try_from(leaves.len()).ok()?);
        let mut leaf = leaves.iter().nth(chosen)?.clone();
        if world.rng.chance(500) {
            leaf.state = world.any_hash();
        } else {
            (leaf.head.size, leaf.head.root) = (leaf.head.size + 1, world.any_hash());
        }
        leaves.update([leaf.clone()]);
        let act = RecordAct::Anchor { leaves: leaves.len(), root: leaves.root() };
        let record = Record { day: Date::of(world.timestamp(me)), act };
        let draft = Draft {
            audience: Audience::Public,
            issued_at: world.timestamp(me),
            issuer: register(),
            salt: world.rng.salt(),
            kind: record.kind(),
            body: record.to_body(),
        };
        let keys = world.federation.exchanges[world.nodes[me].exchange].keys();
        let prepared = Prepared::make(&draft, &keys.register?).ok()?;
        Some((prepared, vec![AnchorChange { leaf, note: String::new() }]))
    }
}

impl Adversary for FalseKeeper {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        // Where its own state has more under way than its disk shows, it would sign twice.
        let settled = world.nodes[me].is_settled() && world.nodes[me].pending.is_empty();
        let up = world.nodes[me].state.as_ref().is_some_and(State::may_sign);
        if self.done || !settled || !up {
            return (!self.done).then_some(100);
        }
        self.done = true;
        let (prepared, changes) = Self::anchor(world, me)?;
        world.crash(me);
        let disk = &mut world.nodes[me].disk;
        let size = disk.log(&register())?.tree.size();
        let changes = AnchorChange::encode_all(&changes);
        disk.apply(Persist::Anchored { version: 1, index: size, changes }).ok()?;
        let log = disk.log_mut(&register());
        log.append(size, vec![Leaf::Entry(prepared.entry().clone())]).ok()?;
        let root = log.root();
        let note = world.sign_register(me, size + 1, root)?;
        world.nodes[me].disk.log_mut(&register()).hold(&note);
        world.start(me, false);
        None
    }
}
