//! No message of an honest node is longer than the network carries.

use hutong_protocol::limits::{GOSSIP_BYTES_MAX, SYNC_FRAME_BYTES_MAX};

use super::{Checker, Found, Message, Said};
use crate::world::World;

/// Measures messages.
#[derive(Debug, Default)]
pub(super) struct Bounds;

impl Checker for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn said(&mut self, world: &World, said: &Said<'_>, found: &mut Found) {
        let bound = match said.message {
            Message::Gossip(_) => GOSSIP_BYTES_MAX,
            Message::Request(_) | Message::Response(_) => SYNC_FRAME_BYTES_MAX,
        };
        let readable = match said.message {
            Message::Gossip(it) => it.is_some(),
            Message::Request(it) => it.is_some(),
            Message::Response(it) => it.is_some(),
        };
        if !world.is_honest(said.from) {
            return;
        }
        let (name, length) = (world.id(said.from), said.bytes.len());
        if length > bound {
            found.push(format!("{name} sends {length} bytes where {bound} are carried"));
        }
        if !readable {
            found.push(format!("{name} sends {length} bytes that nobody can read"));
        }
    }
}
