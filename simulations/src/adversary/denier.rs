//! Says of everything public that it is not for the asker.

use bytes::Bytes;
use hutong_protocol::message::{Request, Response, ServedLeaf};

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// Answers every request in form and in time, and withholds every entry: of its own log as of others'. An
/// asker cannot tell that from entries that are not for it.
#[derive(Debug, Default)]
pub(super) struct Denier;

impl Adversary for Denier {
    fn answer(
        &mut self,
        _world: &mut World,
        _me: Slot,
        _asker: Slot,
        request: &Request,
        honest: &Bytes,
    ) -> Answer {
        let (Request::Leaves(_), Ok(Response::Leaves(mut leaves))) =
            (request, Response::decode(honest.clone()))
        else {
            return Answer::Honest;
        };
        for leaf in &mut leaves.leaves {
            if let ServedLeaf::Entry(entry) = leaf {
                *leaf = ServedLeaf::Withheld(entry.leaf_hash());
            }
        }
        Answer::Instead { bytes: Response::Leaves(leaves).encode(), after_ms: 0 }
    }
}
