//! Spreads evidence that proves nothing.

use bytes::Bytes;
use hutong_protocol::evidence::Evidence;
use hutong_protocol::message::{Gossip, Request, Response};

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// Spreads true checkpoints that agree, untrue ones, and evidence that is cut or old.
#[derive(Debug, Default)]
pub(super) struct EvidenceSpammer;

impl EvidenceSpammer {
    fn evidence(world: &mut World, me: Slot) -> Option<(hutong_protocol::id::ExchangeId, Bytes)> {
        let logs = world.federation.logs();
        let log = logs[world.rng.index(logs.len())].clone();
        let disk = world.nodes[me].disk.log(&log)?;
        let first = disk.checkpoint()?.to_string();
        let size = disk.tree.size();
        let (left, right) = (disk.cover(0, size), disk.cover(size, size));
        let kept = disk.evidence().first().cloned();
        let own = world.own_log(me);
        let bytes = match world.rng.below(5) {
            // It agrees with itself.
            0 => Evidence { second: first.clone(), first, left, right }.encode(),
            // Signed by somebody else.
            1 => {
                let root = world.any_hash();
                let second = world.sign(me, own.0.max(1), root);
                Evidence { first, second, left: Vec::new(), right: Vec::new() }.encode()
            }
            // A root that nobody signed.
            2 => {
                let second = first.replacen('A', "B", 1);
                Evidence { first, second, left: Vec::new(), right: Vec::new() }.encode()
            }
            3 => kept.map(Bytes::from)?,
            _ => {
                let mut bytes =
                    Evidence { second: first.clone(), first, left, right }.encode().to_vec();
                bytes.truncate(world.rng.index(bytes.len()));
                Bytes::from(bytes)
            }
        };
        Some((log, bytes))
    }
}

impl Adversary for EvidenceSpammer {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        if let Some((log, bytes)) = Self::evidence(world, me) {
            let scope = world.federation.scope(&log)?;
            let to = world.neighbours(me);
            world.publish_to(me, me, scope, Gossip::Evidence { log, bytes }.encode(), &to);
        }
        Some(250)
    }

    fn answer(
        &mut self,
        world: &mut World,
        me: Slot,
        _asker: Slot,
        request: &Request,
        _honest: &Bytes,
    ) -> Answer {
        let Request::Evidence { .. } = request else { return Answer::Honest };
        let shown = Self::evidence(world, me).into_iter().collect();
        Answer::Instead { bytes: Response::Evidence(shown).encode(), after_ms: 0 }
    }
}
