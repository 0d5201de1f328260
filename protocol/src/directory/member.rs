//! A member over the life of its log: which entries count, and under which keys.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};

use hutong_crypto::merkle::{MemoryTree, inclusion_proof, leaf_hash};
use hutong_crypto::note::{
    NoteSignature, SIGNATURE_TYPE_COSIGNATURE, SIGNATURE_TYPE_ED25519, key_id,
};
use hutong_crypto::{Hash, PublicKey};
use serde_json::{Value, json};

use super::proof::Prefix;
use crate::{
    descriptor::{Descriptor, Parent},
    id::{ExchangeId, Origin},
    io::Peer,
    json::canonicalize,
    region::{Region, Scope},
};

/// Whether a member's new entries count. Sizes are sizes of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// They do.
    Active,
    /// They do not, until reinstatement.
    Suspended {
        /// How many entries stand.
        log_size_honoured: u64,
        /// Who suspended it.
        by: Parent,
    },
    /// They do not, and it is no member any more; its id goes to nobody else.
    Expelled {
        /// How many entries stand.
        log_size_honoured: u64,
        /// Who expelled it.
        by: Parent,
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
    /// Size at which its log is frozen for equivocation, until it has new keys.
    pub frozen: Option<u64>,
    /// Whether the council voided what was final.
    pub extraordinary: bool,
    /// Where it became a member: version of the charter, and index in that version's register; none for
    /// a seat.
    pub admitted: (u64, Option<u64>),
    peer: Peer,
    witness: NoteKey,
    pub(super) epochs: Vec<Epoch>,
    pub(super) spans: Vec<Span>,
    /// What its log was cut to, and where in which register.
    pub(super) cuts: Vec<((u64, u64), Prefix)>,
    /// What stands of a suspended or expelled log.
    pub(super) stood: Prefix,
    /// Number of each authority's last effective decision about it.
    pub(super) numbers: BTreeMap<Parent, u64>,
    state: Hash,
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
    pub(super) fn new(key: PublicKey, name: &str, signature_type: u8) -> Self {
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
    pub(super) fn new(
        descriptor: Descriptor,
        origin: Origin,
        parent: Parent,
        admitted: (u64, Option<u64>),
    ) -> Self {
        let mut member = Self {
            id: descriptor.id.clone(),
            scope: descriptor.scope(),
            peer: Peer::new(&descriptor.transport),
            witness: NoteKey::of_witness(&origin, &descriptor),
            epochs: Vec::from([Epoch::new(0, descriptor.clone(), &origin)]),
            origin,
            parent,
            status: Status::Active,
            frozen: None,
            extraordinary: false,
            admitted,
            spans: Vec::from([Span { from: 0, to: None }]),
            cuts: Vec::new(),
            stood: Prefix::empty(),
            numbers: BTreeMap::new(),
            state: Hash([0; 32]),
            descriptor,
        };
        member.seal();
        member
    }

    /// Digest of what the directory says of the member: the root of an RFC 6962 tree whose first leaf is the
    /// status record and whose others are one record for each epoch.
    pub fn state(&self) -> Hash {
        self.state
    }

    /// The number that the next decision of `author` about this member bears.
    pub fn next_number(&self, author: &Parent) -> u64 {
        self.numbers.get(author).map_or(1, |number| number + 1)
    }

    /// Up to which size its log stands, where it is suspended, expelled or frozen.
    pub fn stands_at(&self) -> Option<u64> {
        let by_status = match &self.status {
            Status::Active => None,
            Status::Suspended { log_size_honoured, .. }
            | Status::Expelled { log_size_honoured, .. } => Some(*log_size_honoured),
        };
        by_status.into_iter().chain(self.frozen).min()
    }

    /// Whether a checkpoint of so many entries may count: not beyond what stands.
    pub fn stands_to(&self, size: u64) -> bool {
        self.stands_at().is_none_or(|stands| size <= stands)
    }

    /// The status record, as its leaf in the tree of [`Member::state`] has it.
    pub fn status_record(&self) -> Value {
        let (status, by) = match &self.status {
            Status::Active => ("active", None),
            Status::Suspended { by, .. } => ("suspended", Some(by)),
            Status::Expelled { by, .. } => ("expelled", Some(by)),
        };
        let spans: Vec<Value> = self.spans.iter().map(|span| json!([span.from, span.to])).collect();
        let numbers =
            self.numbers.iter().map(|(author, number)| (author.to_string(), json!(number)));
        json!({
            "by": by.map(Parent::to_string),
            "epochs": self.epochs.len(),
            "extraordinary": self.extraordinary,
            "frozen": self.frozen,
            "id": self.id.as_str(),
            "numbers": numbers.collect::<serde_json::Map<String, Value>>(),
            "parent": self.parent.to_string(),
            "spans": spans,
            "status": status,
        })
    }

    /// The record of epoch `number`, counted from 0.
    pub fn epoch_record(&self, number: usize) -> Option<Value> {
        let epoch = self.epochs.get(number)?;
        let to = self.epochs.get(number + 1).map(|next| next.from);
        Some(json!({ "descriptor": epoch.descriptor.to_value(), "from": epoch.from, "to": to }))
    }

    /// The number of the epoch in which the entry at `index` lies.
    pub fn epoch_number_at(&self, index: u64) -> Option<usize> {
        self.epochs.iter().rposition(|epoch| epoch.from <= index)
    }

    /// The path of a record in the tree of [`Member::state`]: 0 for the status, *n* + 1 for epoch *n*.
    pub fn record_path(&self, place: u64) -> Vec<Hash> {
        let tree = self.state_tree();
        inclusion_proof(place, tree.size(), &tree).unwrap_or_default()
    }

    fn state_tree(&self) -> MemoryTree {
        let mut tree = MemoryTree::default();
        tree.push(leaf_hash(&canonicalize(&self.status_record())));
        for record in (0..self.epochs.len()).filter_map(|number| self.epoch_record(number)) {
            tree.push(leaf_hash(&canonicalize(&record)));
        }
        tree
    }

    /// Computes the state's digest anew, after a change.
    pub(super) fn seal(&mut self) {
        self.state = self.state_tree().root();
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
