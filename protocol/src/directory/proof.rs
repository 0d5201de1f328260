//! Proofs about logs that statements of the register carry: beginnings of a tree, and what ties them to a
//! signed checkpoint.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::{
    Hash,
    checkpoint::Checkpoint,
    cosignature::verify_cosignature_strict,
    merkle::{Frontier, empty_root, verify_extension, verify_inclusion},
    note::{Note, NoteSignature},
};
use serde_json::{Map, Value, json};

use super::{Directory, anchor::AnchorLeaf, member::Member};
use crate::{
    fields::{FieldError, Fields},
    id::ExchangeId,
};

/// Hashes of one side of a proof at most: [`hutong_crypto::merkle::cover`] of any two sizes has no more.
const HASHES_MAX: usize = 126;

/// The beginning of a log: its first `size` entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How many entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Prefix {
    /// The beginning of every log.
    pub fn empty() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// Hashes that tie the tree of one size to the tree of a larger one.
///
/// Source: `cover(0, old)` and `cover(old, new)`, as evidence of equivocation has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extension {
    /// Hashes of `cover(0, old size)`.
    pub left: Vec<Hash>,
    /// Hashes of `cover(old size, new size)`.
    pub right: Vec<Hash>,
}

impl Extension {
    /// Reads members `left` and `right`: lists of hashes.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self { left: read_hashes(fields, "left")?, right: read_hashes(fields, "right")? })
    }

    /// Writes members `left` and `right`.
    pub fn write(&self, members: &mut Map<String, Value>) {
        members.insert("left".into(), hashes_value(&self.left));
        members.insert("right".into(), hashes_value(&self.right));
    }

    /// Whether the tree of `old` is the beginning of that of `new`.
    pub fn ties(&self, old: &Prefix, new: &Prefix) -> bool {
        let Ok(frontier) = Frontier::from_parts(old.size, self.left.clone()) else { return false };
        frontier.root() == old.root
            && verify_extension(&frontier, &[], &self.right, new.size, &new.root).is_ok()
    }
}

/// A checkpoint that a witness quorum cosigned, and what ties a smaller size to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The checkpoint with its cosignatures, as a signed note's text.
    pub note: String,
    /// Ties the size in question to the checkpoint.
    pub extension: Extension,
}

/// A member's leaf in an anchor, with its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchoredLeaf {
    /// The leaf.
    pub leaf: AnchorLeaf,
    /// Its place among the anchor's leaves, from 0.
    pub index: u64,
    /// The hashes from the leaf's sibling up.
    pub path: Vec<Hash>,
}

impl AnchoredLeaf {
    /// Whether it is a leaf of the tree of so many `leaves` with that root.
    pub fn is_under(&self, leaves: u64, root: &Hash) -> bool {
        verify_inclusion(&self.leaf.hash(), self.index, leaves, root, &self.path).is_ok()
    }

    /// The JSON form.
    pub fn to_value(&self) -> Value {
        json!({ "index": self.index, "leaf": self.leaf.to_value(), "path": hashes_value(&self.path) })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// A `FieldError` that names what is wrong.
    pub fn from_value(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(value, "anchored leaf")?;
        fields.only(&["index", "leaf", "path"])?;
        Ok(Self {
            leaf: AnchorLeaf::from_value(fields.value("leaf")?)?,
            index: fields.number("index")?,
            path: read_hashes(&fields, "path")?,
        })
    }
}

impl Directory {
    /// The checkpoint in `note`, where it is the member's own, signed by the log key for its size, by the
    /// strict rule.
    pub(super) fn signed_head(member: &Member, note: &str) -> Option<(Prefix, Note)> {
        let note = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let key = member.log_note_key_at(checkpoint.size)?;
        Checkpoint::verify_log_signature_strict(&note, &key.name, &key.key).ok()?;
        checkpoint
            .extensions
            .is_empty()
            .then_some((Prefix { size: checkpoint.size, root: checkpoint.root }, note))
    }

    /// The checkpoint in `note`, where it is as [`Directory::signed_head`] asks and the quorum of the charter
    /// in force cosigned it, by the strict rule.
    pub(super) fn quorum_head(&self, member: &Member, note: &str) -> Option<Prefix> {
        let (prefix, note) = Self::signed_head(member, note)?;
        self.is_cosigned_strictly(&member.id, &note).then_some(prefix)
    }

    /// Whether the quorum of the charter in force cosigned the note of a log that `owner` signs.
    fn is_cosigned_strictly(&self, owner: &ExchangeId, note: &Note) -> bool {
        let has_cosigned = |witness: &ExchangeId| {
            let Some(key) = self.member(witness).map(Member::witness_note_key) else {
                return false;
            };
            let mut lines =
                note.signatures.iter().filter(|line: &&NoteSignature| key.is_named_by(line));
            lines.any(|line| {
                verify_cosignature_strict(&note.text, line, &key.name, &key.key).is_ok()
            })
        };
        self.charters().latest().is_witnessed(owner, has_cosigned)
    }
}

pub(crate) fn read_hashes(fields: &Fields<'_>, member: &str) -> Result<Vec<Hash>, FieldError> {
    let texts = fields.texts(member, HASHES_MAX)?;
    let hashes = texts.into_iter().map(|text| text.parse().ok()).collect::<Option<Vec<Hash>>>();
    hashes.ok_or_else(|| fields.error(member, "hashes of 64 lower-case hex digits"))
}

pub(crate) fn hashes_value(hashes: &[Hash]) -> Value {
    Value::Array(hashes.iter().map(|hash| Value::String(hash.to_string())).collect())
}
