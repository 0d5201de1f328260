//! Who breaks the rules, each kind in a file of its own.
//!
//! An adversary sits at a node whose state goes on as usual, and does something besides: of its
//! own accord, at times that it chooses, or to the answers that its node would give.

mod captured;
mod denier;
mod equivocator;
mod evidence_spammer;
mod false_keeper;
mod flooder;
mod forger;
mod liar;
mod replayer;
mod slow_drip;
mod sybil;
mod withholder;

use std::sync::Arc;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::note::Note;
use hutong_protocol::message::{Announcement, Gossip, Request, TailLeaf};
use hutong_protocol::region::Scope;

use crate::federation::register;
use crate::node::{Inbound, Slot};
use crate::world::{Event, World};

/// What kind of rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Signs two trees of one size, and shows each to half of the others.
    Equivocator,
    /// Admits puppets, decides what it may not, and speaks in others' names.
    CapturedProvince,
    /// Sends more than anybody wants.
    Flooder,
    /// Records entries of no effect.
    Forger,
    /// Hands out leaves that are not in the tree, and announces others than it signed.
    Liar,
    /// Shows heads and never hands out entries.
    Withholder,
    /// Says of everything public that it is not for the asker.
    Denier,
    /// Spreads evidence that proves nothing.
    EvidenceSpammer,
    /// Says again what was said before, by itself or others.
    Replayer,
    /// Answers just before nobody waits any more, one leaf at a time.
    SlowDrip,
    /// Behaves like a member and is none.
    Sybil,
    /// Records anchors that are not so: the keeper alone can.
    FalseKeeper,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Equivocator,
        Self::CapturedProvince,
        Self::Flooder,
        Self::Forger,
        Self::Liar,
        Self::Withholder,
        Self::EvidenceSpammer,
        Self::Replayer,
        Self::SlowDrip,
        Self::Sybil,
        Self::Denier,
        Self::FalseKeeper,
    ];

    fn adversary(self) -> Box<dyn Adversary> {
        match self {
            Self::Equivocator => Box::<equivocator::Equivocator>::default(),
            Self::CapturedProvince => Box::<captured::CapturedProvince>::default(),
            Self::Flooder => Box::<flooder::Flooder>::default(),
            Self::Forger => Box::<forger::Forger>::default(),
            Self::Liar => Box::<liar::Liar>::default(),
            Self::Withholder => Box::<withholder::Withholder>::default(),
            Self::Denier => Box::<denier::Denier>::default(),
            Self::EvidenceSpammer => Box::<evidence_spammer::EvidenceSpammer>::default(),
            Self::Replayer => Box::<replayer::Replayer>::default(),
            Self::SlowDrip => Box::<slow_drip::SlowDrip>::default(),
            Self::Sybil => Box::<sybil::Sybil>::default(),
            Self::FalseKeeper => Box::<false_keeper::FalseKeeper>::default(),
        }
    }
}

/// What becomes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is given as it is.
    Honest,
    /// It is never given.
    Silence,
    /// Another is given.
    Instead {
        /// The other answer.
        bytes: Bytes,
        /// How long it is held back, in milliseconds.
        after_ms: u64,
    },
}

/// Breaks one rule.
pub trait Adversary: std::fmt::Debug {
    /// Does something of its own accord. Returns after how many milliseconds it wants to act
    /// again, if it does.
    fn act(&mut self, _world: &mut World, _me: Slot) -> Option<u64> {
        None
    }

    /// Decides what becomes of its node's answer.
    fn answer(
        &mut self,
        _world: &mut World,
        _me: Slot,
        _asker: Slot,
        _request: &Request,
        _honest: &Bytes,
    ) -> Answer {
        Answer::Honest
    }

    /// Hears a message that is spread.
    fn overhear(&mut self, _author: Slot, _scope: &Scope, _bytes: &Bytes) {}
}

impl World {
    /// Lets an adversary act at a node from now on. The node counts as dishonest.
    pub fn corrupt(&mut self, slot: Slot, kind: Kind) {
        self.nodes[slot].dishonest = true;
        let adversaries = self.adversaries.entry(slot).or_default();
        adversaries.push(kind.adversary());
        let number = adversaries.len() - 1;
        self.after(1, Event::Adversary { to: slot, number });
    }

    pub(crate) fn adversary_acts(&mut self, slot: Slot, number: usize) {
        if self.calm {
            return;
        }
        let mut adversaries = self.adversaries.remove(&slot).unwrap_or_default();
        let next = adversaries.get_mut(number).and_then(|adversary| adversary.act(self, slot));
        self.adversaries.insert(slot, adversaries);
        if let Some(delay) = next {
            self.after(delay, Event::Adversary { to: slot, number });
        }
    }

    pub(crate) fn distort(&mut self, slot: Slot, inbound: &Inbound, honest: &Bytes) -> Answer {
        if !self.adversaries.contains_key(&slot) {
            return Answer::Honest;
        }
        let Ok(request) = Request::decode(inbound.bytes.clone()) else { return Answer::Honest };
        let mut adversaries = self.adversaries.remove(&slot).unwrap_or_default();
        let mut answer = Answer::Honest;
        for adversary in &mut adversaries {
            if answer == Answer::Honest {
                answer = adversary.answer(self, slot, inbound.from, &request, honest);
            }
        }
        self.adversaries.insert(slot, adversaries);
        answer
    }

    pub(crate) fn overhear(&mut self, slot: Slot, author: Slot, scope: &Scope, bytes: &Bytes) {
        for adversary in self.adversaries.get_mut(&slot).into_iter().flatten() {
            adversary.overhear(author, scope, bytes);
        }
    }

    /// A checkpoint of the log of the exchange at `slot`, signed by its key.
    fn sign(&self, slot: Slot, size: u64, root: Hash) -> String {
        let exchange = &self.federation.exchanges[self.nodes[slot].exchange];
        let origin = self.federation.origin(&exchange.id);
        Checkpoint::new(origin.as_str(), size, root).sign(&exchange.keys().log).encode()
    }

    /// A checkpoint of the register, signed by the key of the exchange at `slot`, if it has one.
    fn sign_register(&self, slot: Slot, size: u64, root: Hash) -> Option<String> {
        let key = self.federation.exchanges[self.nodes[slot].exchange].keys().register?;
        let origin = self.federation.origin(&register());
        Some(Checkpoint::new(origin.as_str(), size, root).sign(&key).encode())
    }

    /// Where the exchange at `slot` announces.
    fn scope(&self, slot: Slot) -> Scope {
        self.federation.exchanges[self.nodes[slot].exchange].scope()
    }

    /// Gives an announcement of its own log to some neighbours of a node.
    fn announce_to(
        &mut self,
        slot: Slot,
        note: &str,
        old_size: u64,
        tail: Vec<TailLeaf>,
        to: &[Slot],
    ) {
        let log = self.id(slot).clone();
        let Ok(note) = Note::parse(note) else { return };
        let bytes =
            Gossip::Announcement(Announcement { log, note: Arc::new(note), old_size, tail })
                .encode();
        let scope = self.scope(slot);
        self.publish_to(slot, slot, scope, bytes, to);
    }

    /// Size and root of the own log of the exchange at `slot`, as its disk has it.
    fn own_log(&self, slot: Slot) -> (u64, Hash) {
        let log = self.nodes[slot].disk.log(self.id(slot));
        log.map_or((0, hutong_crypto::merkle::empty_root()), |disk| (disk.tree.size(), disk.root()))
    }

    /// A hash out of nothing.
    fn any_hash(&mut self) -> Hash {
        let bits: Vec<u8> = (0..4).flat_map(|_| self.rng.bits().to_le_bytes()).collect();
        hutong_crypto::digest::sha256(&bits)
    }
}
