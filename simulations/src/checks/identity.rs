//! An id denotes one member for ever, and a key belongs to one member for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_crypto::PublicKey;
use hutong_protocol::descriptor::Descriptor;
use hutong_protocol::directory::Directory;
use hutong_protocol::id::ExchangeId;

use super::{Checker, Found};
use crate::world::World;

/// Remembers where each member was admitted, and whose each key is.
#[derive(Debug, Default)]
pub(super) struct Identity {
    admitted: BTreeMap<ExchangeId, (u64, Option<u64>)>,
    holders: BTreeMap<PublicKey, ExchangeId>,
    /// What was looked at last.
    seen: Vec<Arc<Directory>>,
}

/// Directories that were looked at and are remembered.
const SEEN_MAX: usize = 64;

impl Checker for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        for slot in world.honest() {
            let Some(state) = &world.nodes[slot].state else { continue };
            let directory = state.directory();
            if self.seen.iter().any(|seen| Arc::ptr_eq(seen, directory)) {
                continue;
            }
            if self.seen.len() >= SEEN_MAX {
                self.seen.clear();
            }
            self.seen.push(Arc::clone(directory));
            let name = world.id(slot);
            for member in directory.members() {
                let id = &member.id;
                let known = self.admitted.entry(id.clone()).or_insert(member.admitted);
                if *known != member.admitted {
                    found.push(format!("{name} has another member under the id of {id}"));
                }
                for key in member.epochs().iter().flat_map(|epoch| keys(&epoch.descriptor)) {
                    let holder = self.holders.entry(key).or_insert_with(|| id.clone());
                    if holder != id {
                        found.push(format!("{name} has a key of {holder} as one of {id}"));
                    }
                }
            }
        }
    }
}

/// The keys that sign.
fn keys(descriptor: &Descriptor) -> impl Iterator<Item = PublicKey> {
    let issuers = descriptor.issuer_keys.iter().map(|issuer| issuer.key);
    [descriptor.log_key, descriptor.witness_key].into_iter().chain(issuers)
}
