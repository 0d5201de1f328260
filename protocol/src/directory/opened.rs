//! What receipts and bundles show of the directory: one member's status and epochs, under the state digest of an
//! anchor's leaf.

use alloc::{string::ToString as _, vec::Vec};

use hutong_crypto::{
    Hash, PublicKey,
    merkle::{MemoryTree, leaf_hash, verify_inclusion},
};
use serde_json::{Value, json};

use super::{
    Member, Parent, Span, Void,
    proof::{hashes_value, read_hashes},
};
use crate::{
    descriptor::{Descriptor, DescriptorError},
    fields::{FieldError, Fields},
    id::ExchangeId,
    json::canonicalize,
};

/// Epochs of one member at most, in a receipt and in a bundle.
const EPOCHS_MAX: usize = 1 << 12;

/// Stretches of one log at most.
const SPANS_MAX: usize = 1 << 16;

/// A status record and the epoch records that matter, each with its path to the state's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedState {
    /// The status record.
    pub status: Value,
    /// Its path.
    pub status_path: Vec<Hash>,
    /// Some of the epochs, by ascending number.
    pub epochs: Vec<OpenedRecord>,
}

/// An epoch record with its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRecord {
    /// The epoch's number, from 0.
    pub number: u64,
    /// The record.
    pub record: Value,
    /// The record's path.
    pub path: Vec<Hash>,
}

/// A status record and all epoch records, whose root is the state's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeState {
    /// The status record.
    pub status: Value,
    /// The epoch records, from the first on.
    pub epochs: Vec<Value>,
}

/// What an [`OpenedState`] or a [`WholeState`] says, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedMember {
    /// The member.
    pub id: ExchangeId,
    /// Who answers for it.
    pub parent: Parent,
    /// `active`, `suspended` or `expelled`.
    pub status: StatusWord,
    /// Size at which the log is frozen.
    pub frozen: Option<u64>,
    /// Whether the council voided what was final.
    pub extraordinary: bool,
    /// The stretches of the log that count.
    pub spans: Vec<Span>,
    /// The epochs shown, in order.
    pub epochs: Vec<OpenedEpoch>,
}

/// From which index to which one descriptor's keys hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedEpoch {
    /// The first index of the epoch.
    pub from: u64,
    /// The index behind its last, unless it is the present one.
    pub to: Option<u64>,
    /// The descriptor.
    pub descriptor: Descriptor,
}

/// A member's status in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWord {
    /// New entries count.
    Active,
    /// They do not, until further notice.
    Suspended,
    /// It is no member any more.
    Expelled,
}

/// Why an opened state is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A member is missing or out of form.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The descriptor is out of form.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The records do not lead to the state's digest.
    #[error("the records do not lead to the anchored state")]
    Digest,
}

impl Member {
    /// Opens the member's state for entries at `indices`: the status, and the epochs in which they lie.
    pub fn open(&self, indices: impl IntoIterator<Item = u64>) -> OpenedState {
        let numbers = indices.into_iter().filter_map(|index| self.epoch_number_at(index));
        let numbers: alloc::collections::BTreeSet<usize> = numbers.collect();
        let opened = |number: usize| {
            let (record, place) = (self.epoch_record(number)?, number as u64);
            Some(OpenedRecord { number: place, record, path: self.record_path(place + 1) })
        };
        OpenedState {
            status: self.status_record(),
            status_path: self.record_path(0),
            epochs: numbers.into_iter().filter_map(opened).collect(),
        }
    }

    /// All of the member's state.
    pub fn whole_state(&self) -> WholeState {
        let epochs = (0..self.epochs().len()).filter_map(|number| self.epoch_record(number));
        WholeState { status: self.status_record(), epochs: epochs.collect() }
    }
}

impl OpenedState {
    /// The JSON form.
    pub fn to_value(&self) -> Value {
        let epochs = self.epochs.iter().map(|epoch| {
            json!({ "number": epoch.number, "path": hashes_value(&epoch.path), "record": epoch.record })
        });
        json!({
            "epochs": epochs.collect::<Vec<Value>>(),
            "status": self.status,
            "status_path": hashes_value(&self.status_path),
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// A `FieldError` that names what is wrong; unknown members are refused.
    pub fn from_value(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(value, "state")?;
        fields.only(&["epochs", "status", "status_path"])?;
        let epochs = fields.list("epochs", EPOCHS_MAX)?.iter().map(|epoch| {
            let fields = Fields::open(epoch, "epoch")?;
            fields.only(&["number", "path", "record"])?;
            Ok(OpenedRecord {
                number: fields.number("number")?,
                record: fields.value("record")?.clone(),
                path: read_hashes(&fields, "path")?,
            })
        });
        let epochs: Vec<OpenedRecord> = epochs.collect::<Result<_, FieldError>>()?;
        if !epochs.is_sorted_by(|a, b| a.number < b.number) {
            return Err(fields.error("epochs", "ascending order of number, each once"));
        }
        Ok(Self {
            status: fields.value("status")?.clone(),
            status_path: read_hashes(&fields, "status_path")?,
            epochs,
        })
    }

    /// Checks all records against the state's digest and reads them.
    ///
    /// # Errors
    ///
    /// An [`OpenError`] that names what is wrong.
    pub fn verify(&self, state: &Hash) -> Result<OpenedMember, OpenError> {
        let size = records(&self.status)?;
        let holds = |record: &Value, index: u64, path: &[Hash]| {
            verify_inclusion(&leaf_hash(&canonicalize(record)), index, size, state, path).is_ok()
        };
        let epoch_holds = |epoch: &OpenedRecord| {
            epoch
                .number
                .checked_add(1)
                .is_some_and(|index| holds(&epoch.record, index, &epoch.path))
        };
        if !holds(&self.status, 0, &self.status_path) || !self.epochs.iter().all(epoch_holds) {
            return Err(OpenError::Digest);
        }
        OpenedMember::read(&self.status, self.epochs.iter().map(|epoch| &epoch.record))
    }
}

impl WholeState {
    /// The JSON form.
    pub fn to_value(&self) -> Value {
        json!({ "epochs": self.epochs, "status": self.status })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// A `FieldError` that names what is wrong; unknown members are refused.
    pub fn from_value(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(value, "state")?;
        fields.only(&["epochs", "status"])?;
        let epochs = fields.list("epochs", EPOCHS_MAX)?.to_vec();
        Ok(Self { status: fields.value("status")?.clone(), epochs })
    }

    /// The digest, which leaves of anchors name.
    pub fn digest(&self) -> Hash {
        let mut tree = MemoryTree::default();
        for record in core::iter::once(&self.status).chain(&self.epochs) {
            tree.push(leaf_hash(&canonicalize(record)));
        }
        tree.root()
    }

    /// Reads the records.
    ///
    /// # Errors
    ///
    /// An [`OpenError`] that names what is wrong.
    pub fn read(&self) -> Result<OpenedMember, OpenError> {
        if records(&self.status)? != self.epochs.len() as u64 + 1 {
            return Err(OpenError::Digest);
        }
        OpenedMember::read(&self.status, self.epochs.iter())
    }
}

impl OpenedMember {
    fn read<'a>(
        status: &Value,
        epochs: impl Iterator<Item = &'a Value>,
    ) -> Result<Self, OpenError> {
        let fields = Fields::open(status, "status")?;
        let word = match fields.text("status")? {
            "active" => StatusWord::Active,
            "suspended" => StatusWord::Suspended,
            "expelled" => StatusWord::Expelled,
            _ => return Err(fields.error("status", "`active`, `suspended` or `expelled`").into()),
        };
        let extraordinary = fields.value("extraordinary")?.as_bool();
        Ok(Self {
            id: fields.parsed("id", "an exchange id")?,
            parent: fields.parsed("parent", "an exchange id or `council`")?,
            status: word,
            frozen: size_or_null(&fields, "frozen")?,
            extraordinary: extraordinary
                .ok_or_else(|| fields.error("extraordinary", "true or false"))?,
            spans: read_spans(&fields)?,
            epochs: epochs.map(OpenedEpoch::read).collect::<Result<_, _>>()?,
        })
    }

    /// The epoch in which the entry at `index` lies, if it is shown.
    pub fn epoch_at(&self, index: u64) -> Option<&OpenedEpoch> {
        self.epochs.iter().find(|epoch| epoch.from <= index && epoch.to.is_none_or(|to| index < to))
    }

    /// Whether an entry at `index`, signed by `key`, counts as a statement of type `kind`.
    ///
    /// # Errors
    ///
    /// A [`Void`]: why it does not count.
    pub fn authorizes(&self, index: u64, key: &PublicKey, kind: &str) -> Result<(), Void> {
        let log = || self.id.clone();
        let counts = |span: &Span| span.from <= index && span.to.is_none_or(|to| index < to);
        if !self.spans.iter().any(counts) {
            let before = self.spans.iter().filter(|span| span.from <= index);
            let honoured = before.filter_map(|span| span.to).next_back().unwrap_or(0);
            return Err(Void::NotHonoured { log: log(), index, honoured });
        }
        let descriptor = self.epoch_at(index).map(|epoch| &epoch.descriptor);
        if descriptor.is_some_and(|descriptor| descriptor.may_sign(key, kind)) {
            return Ok(());
        }
        let mut keys = descriptor.into_iter().flat_map(|descriptor| &descriptor.issuer_keys);
        if keys.any(|issuer| issuer.key == *key) {
            return Err(Void::TypeNotAllowed { log: log(), key: *key, kind: kind.to_string() });
        }
        Err(Void::NotAnIssuer { log: log(), index, key: *key })
    }
}

impl OpenedEpoch {
    fn read(record: &Value) -> Result<Self, OpenError> {
        let fields = Fields::open(record, "epoch")?;
        Ok(Self {
            from: fields.number("from")?,
            to: size_or_null(&fields, "to")?,
            descriptor: Descriptor::from_value(fields.value("descriptor")?)?,
        })
    }
}

/// How many records the state has: the status says how many epochs there are.
fn records(status: &Value) -> Result<u64, OpenError> {
    let epochs = Fields::open(status, "status")?.number("epochs")?;
    epochs.checked_add(1).ok_or(OpenError::Digest)
}

fn size_or_null(fields: &Fields<'_>, member: &str) -> Result<Option<u64>, FieldError> {
    if fields.value(member)?.is_null() { Ok(None) } else { fields.number(member).map(Some) }
}

fn read_spans(fields: &Fields<'_>) -> Result<Vec<Span>, FieldError> {
    let span = |value: &Value| {
        let [from, to] = value.as_array()?.as_slice() else { return None };
        let to = if to.is_null() { None } else { Some(to.as_u64()?) };
        Some(Span { from: from.as_u64()?, to })
    };
    let spans = fields.list("spans", SPANS_MAX)?.iter().map(span).collect::<Option<Vec<_>>>();
    spans.ok_or_else(|| fields.error("spans", "pairs of sizes, the last open"))
}
