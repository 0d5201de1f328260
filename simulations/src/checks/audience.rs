//! No byte of a statement reaches anybody it is not for.

use aho_corasick::AhoCorasick;
use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Bytes of each piece that is looked for.
const PIECE_BYTES: usize = 16;

/// Looks into all bytes for pieces of restricted entries.
#[derive(Debug, Default)]
pub(super) struct Audience {
    pieces: Option<AhoCorasick>,
    /// Whose piece each is: the entry's id.
    of: Vec<Hash>,
    /// How many restricted entries the pieces are of.
    known: usize,
}

impl Audience {
    /// Takes in the entries that have come since.
    fn refresh(&mut self, world: &World) {
        if self.known == world.restricted.len() {
            return;
        }
        self.known = world.restricted.len();
        self.of.clear();
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (id, restricted) in &world.restricted {
            for piece in pieces_of(&restricted.entry, &restricted.secret) {
                pieces.push(piece);
                self.of.push(*id);
            }
        }
        self.pieces = AhoCorasick::new(pieces).ok();
    }
}

/// What nobody else's bytes can hold by chance: the signature, and the secret of the statement.
fn pieces_of(entry: &Entry, secret: &str) -> Vec<Vec<u8>> {
    let signature = entry.key_and_signature().map(|(_, signature)| signature.as_bytes().to_vec());
    let signature = signature.unwrap_or_default();
    let chunks = signature.chunks_exact(PIECE_BYTES);
    chunks.chain(secret.as_bytes().chunks_exact(PIECE_BYTES)).map(<[u8]>::to_vec).collect()
}

impl Checker for Audience {
    fn name(&self) -> &'static str {
        "audience"
    }

    fn heard(&mut self, world: &World, from: Slot, to: Slot, bytes: &Bytes, found: &mut Found) {
        if world.restricted.is_empty() || world.nodes[from].dishonest {
            return;
        }
        self.refresh(world);
        let Some(pieces) = &self.pieces else { return };
        for hit in pieces.find_iter(bytes.as_ref()) {
            let id = &self.of[hit.pattern().as_usize()];
            let Some(restricted) = world.restricted.get(id) else { continue };
            if !world.may_see(to, &restricted.entry) {
                let (from, to, log) = (world.id(from), world.id(to), &restricted.log);
                return found.push(format!("{from} sent {to} bytes of an entry of {log}"));
            }
        }
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        let (log, entries): (_, Vec<&Entry>) = match change {
            Persist::Leaves { log, leaves, .. } => {
                (log, leaves.iter().filter_map(Leaf::entry).collect())
            }
            Persist::Fill { log, entries, .. } => {
                (log, entries.iter().map(|(_, entry)| entry).collect())
            }
            _ => return,
        };
        if !world.nodes[slot].dishonest && entries.iter().any(|it| !world.may_see(slot, it)) {
            found.push(format!("{} keeps a restricted entry of {log}", world.id(slot)));
        }
    }
}
