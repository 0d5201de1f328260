//! Records entries of no effect.

use bytes::Bytes;
use hutong_protocol::audience::Audience;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::state::State;

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Writes entries with false signatures, in others' names and out of form into its own log while
/// its node is down, and signs the tree.
#[derive(Debug, Default)]
pub(super) struct Forger {
    rounds: usize,
}

impl Forger {
    fn entries(world: &mut World, me: Slot) -> Option<Vec<Entry>> {
        let sound = world.statements(me, 3, &Audience::Public).ok()?;
        let changed = |at: usize, entry: &Entry| {
            let mut bytes = entry.as_bytes().to_vec();
            bytes[at] ^= 1;
            Entry::parse(Bytes::from(bytes)).ok()
        };
        // A byte of the signature's scalar, and the suite.
        let (false_signature, other_suite) =
            (changed(70, sound[0].entry())?, changed(1, sound[1].entry())?);
        let other = (me + 1) % world.nodes.len();
        let in_anothers_name = world.statements(other, 1, &Audience::Public).ok()?;
        Some(vec![
            sound[2].entry().clone(),
            false_signature,
            in_anothers_name[0].entry().clone(),
            other_suite,
        ])
    }
}

impl Adversary for Forger {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        // Where its own state has more under way than its disk shows, it would sign twice.
        let settled = world.nodes[me].is_settled() && world.nodes[me].pending.is_empty();
        let up = world.nodes[me].state.as_ref().is_some_and(State::may_sign);
        if self.rounds >= 2 || !settled || !up {
            return (self.rounds < 2).then_some(100);
        }
        self.rounds += 1;
        let entries = Self::entries(world, me)?;
        world.crash(me);
        let log = world.id(me).clone();
        let disk = world.nodes[me].disk.log_mut(&log);
        let size = disk.tree.size();
        disk.append(size, entries.into_iter().map(Leaf::Entry).collect()).ok()?;
        let (size, root) = world.own_log(me);
        let note = world.sign(me, size, root);
        world.nodes[me].disk.log_mut(&log).hold(&note);
        world.start(me, false);
        Some(2_500)
    }
}
