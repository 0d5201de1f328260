//! Shows heads and never hands out entries.

use bytes::Bytes;
use hutong_protocol::message::{Refusal, Request, Response, ServedLeaf};

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// Says nothing, refuses, or gives hashes instead of entries.
#[derive(Debug, Default)]
pub(super) struct Withholder;

impl Adversary for Withholder {
    fn answer(
        &mut self,
        world: &mut World,
        _me: Slot,
        _asker: Slot,
        request: &Request,
        honest: &Bytes,
    ) -> Answer {
        let Request::Leaves(_) = request else { return Answer::Honest };
        let bytes = match (world.rng.below(3), Response::decode(honest.clone())) {
            (0, _) => return Answer::Silence,
            (1, Ok(Response::Leaves(mut leaves))) => {
                for leaf in &mut leaves.leaves {
                    if let ServedLeaf::Entry(entry) = leaf {
                        *leaf = ServedLeaf::Withheld(entry.leaf_hash());
                    }
                }
                Response::Leaves(leaves).encode()
            }
            _ => Response::Refused(Refusal::NotHeld).encode(),
        };
        Answer::Instead { bytes, after_ms: 0 }
    }
}
