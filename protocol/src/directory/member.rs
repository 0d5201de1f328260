//! A member over the life of its log: which entries count, and under which keys.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use hutong_crypto::PublicKey;
use hutong_crypto::note::{
    NoteSignature, SIGNATURE_TYPE_COSIGNATURE, SIGNATURE_TYPE_ED25519, key_id,
};

use super::facts::FactRef;
use crate::{
    descriptor::Descriptor,
    id::{ExchangeId, Origin},
    io::Peer,
    region::{Region, Scope},
};

/// Who answers for a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parent {
    /// The council: by the charter itself or by an approved admission.
    Council,
    /// The member that admitted it.
    Member(ExchangeId),
}

/// Whether a member's new entries count. Sizes are sizes of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// They do.
    Active,
    /// They do not, until reinstatement.
    Suspended {
        /// How many entries stand.
        log_size_honoured: u64,
    },
    /// They never will again, and the id is never used again.
    Expelled {
        /// How many entries stand.
        log_size_honoured: u64,
    },
}

/// A member of the federation, present or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: ExchangeId,
    /// Its newest descriptor.
    pub descriptor: Descriptor,
    /// The name of its log.
    pub origin: Origin,
    /// Where its announcements go.
    pub scope: Scope,
    /// Who answers for it.
    pub parent: Parent,
    /// Whether its new entries count.
    pub status: Status,
    peer: Peer,
    witness: NoteKey,
    pub(super) epochs: Vec<Epoch>,
    pub(super) spans: Vec<Span>,
    pub(super) facts: BTreeSet<FactRef>,
}

/// From which index on which descriptor's keys hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Index of the first entry under these keys.
    pub from: u64,
    /// The descriptor with the keys.
    pub descriptor: Descriptor,
    log: NoteKey,
}

/// A key, and how lines of signed notes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    /// The key.
    pub key: PublicKey,
    /// Its name.
    pub name: Arc<str>,
    /// Its id under that name.
    pub id: [u8; 4],
}

impl NoteKey {
    fn new(key: PublicKey, name: &str, signature_type: u8) -> Self {
        Self { key, name: Arc::from(name), id: key_id(name, signature_type, &key) }
    }

    fn of_log(origin: &Origin, descriptor: &Descriptor) -> Self {
        Self::new(descriptor.log_key, origin.as_str(), SIGNATURE_TYPE_ED25519)
    }

    fn of_witness(origin: &Origin, descriptor: &Descriptor) -> Self {
        let name = origin.witness_name();
        Self::new(descriptor.witness_key, &name, SIGNATURE_TYPE_COSIGNATURE)
    }

    /// Whether `line` says that it is by this key.
    pub fn is_named_by(&self, line: &NoteSignature) -> bool {
        line.key_id == self.id && line.name == *self.name
    }
}

impl Epoch {
    fn new(from: u64, descriptor: Descriptor, origin: &Origin) -> Self {
        Self { from, log: NoteKey::of_log(origin, &descriptor), descriptor }
    }
}

/// A stretch of entries that count, `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the first.
    pub from: u64,
    /// Index after the last; `None` while new entries count.
    pub to: Option<u64>,
}

impl Span {
    fn contains(&self, index: u64) -> bool {
        self.from <= index && self.to.is_none_or(|to| index < to)
    }
}

impl Member {
    pub(super) fn new(descriptor: Descriptor, origin: Origin, parent: Parent) -> Self {
        Self {
            id: descriptor.id.clone(),
            scope: descriptor.scope(),
            peer: Peer::new(&descriptor.transport),
            witness: NoteKey::of_witness(&origin, &descriptor),
            epochs: Vec::from([Epoch::new(0, descriptor.clone(), &origin)]),
            origin,
            parent,
            status: Status::Active,
            spans: Vec::from([Span { from: 0, to: None }]),
            facts: BTreeSet::new(),
            descriptor,
        }
    }

    /// The region that it serves.
    pub fn region(&self) -> &Region {
        &self.descriptor.region
    }

    /// Its node.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether new entries of its log count.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Which descriptors held from which index on, in order.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Which stretches of its log count, in order.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The facts that made it what it is, in its parent's log; none for a founding council member.
    pub fn facts(&self) -> impl Iterator<Item = &FactRef> {
        self.facts.iter()
    }

    /// Whether the entry at `index` counts at all.
    pub fn is_honoured(&self, index: u64) -> bool {
        self.spans.iter().any(|span| span.contains(index))
    }

    /// Up to where entries stand without interruption that covers `index`: the end of the last
    /// stretch that begins at or before it.
    pub(super) fn honoured_before(&self, index: u64) -> u64 {
        let ends = self.spans.iter().filter(|span| span.from <= index);
        ends.filter_map(|span| span.to).next_back().unwrap_or(0)
    }

    /// The descriptor whose keys hold at `index`.
    pub fn descriptor_at(&self, index: u64) -> &Descriptor {
        self.epoch_at(index).map_or(&self.descriptor, |epoch| &epoch.descriptor)
    }

    /// The log key by which a checkpoint of `size` entries is signed: that of its last entry.
    pub fn log_key_at(&self, size: u64) -> PublicKey {
        self.descriptor_at(size.saturating_sub(1)).log_key
    }

    /// The same, as notes name it.
    pub fn log_note_key_at(&self, size: u64) -> Option<&NoteKey> {
        self.epoch_at(size.saturating_sub(1)).map(|epoch| &epoch.log)
    }

    /// The key with which its exchange cosigns, as notes name it.
    pub fn witness_note_key(&self) -> &NoteKey {
        &self.witness
    }

    fn epoch_at(&self, index: u64) -> Option<&Epoch> {
        self.epochs.iter().rev().find(|epoch| epoch.from <= index)
    }

    /// Entries at and beyond `size` no longer count.
    pub(super) fn clip(&mut self, size: u64) {
        self.spans.retain(|span| span.from < size);
        for span in &mut self.spans {
            span.to = Some(span.to.map_or(size, |to| to.min(size)));
        }
    }

    /// From `size` on the keys of `descriptor` hold.
    pub(super) fn rekey(&mut self, size: u64, descriptor: Descriptor) {
        self.epochs.retain(|epoch| epoch.from < size);
        self.descriptor.clone_from(&descriptor);
        self.scope = descriptor.scope();
        // A log that never was honoured under its first keys still has an epoch from 0 on.
        let from = if self.epochs.is_empty() { 0 } else { size };
        self.peer = Peer::new(&descriptor.transport);
        self.witness = NoteKey::of_witness(&self.origin, &descriptor);
        self.epochs.push(Epoch::new(from, descriptor, &self.origin));
    }

    /// Takes over what changed besides log and issuer keys: addresses, names, witness key.
    pub(super) fn refresh(&mut self, descriptor: &Descriptor) {
        if let Some(epoch) = self.epochs.last_mut() {
            *epoch = Epoch::new(epoch.from, descriptor.clone(), &self.origin);
        }
        self.peer = Peer::new(&descriptor.transport);
        self.witness = NoteKey::of_witness(&self.origin, descriptor);
        self.descriptor.clone_from(descriptor);
        self.scope = descriptor.scope();
    }
}
