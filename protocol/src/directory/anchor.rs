//! Anchors: the register's log of every log's head and every member's state.
//!
//! An anchor is the root of an RFC 6962 tree over [`AnchorLeaf`]s, one for each member that ever was, in
//! order of exchange id. It says up to which size a witness quorum saw each log, and what the directory said of
//! each member, so that a receipt needs no more of the directory than one leaf.

use alloc::{collections::BTreeMap, string::ToString as _, vec::Vec};

use hutong_crypto::{
    Hash,
    merkle::{MemoryTree, inclusion_proof, leaf_hash},
};
use serde_json::{Value, json};

use super::{
    Directory,
    member::Member,
    proof::{AnchoredLeaf, Prefix},
};
use crate::{
    date::Date,
    fields::{FieldError, Fields},
    id::ExchangeId,
    json::canonicalize,
};

/// Where a log and its owner stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorLeaf {
    /// The member.
    pub id: ExchangeId,
    /// Size and root of its newest checkpoint with a quorum; 0 where it has none.
    pub head: Prefix,
    /// Digest of what the directory says of it: [`Member::state`].
    pub state: Hash,
}

/// What an anchor says, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Version of the charter whose register holds it.
    pub version: u64,
    /// Its index in that register.
    pub index: u64,
    /// Its day.
    pub day: Date,
    /// How many leaves its tree has.
    pub leaves: u64,
    /// The root of its tree.
    pub root: Hash,
}

/// Why an anchor is refused by a witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// It lacks a member, or has a leaf of somebody who is none.
    #[error("the anchor has {met} leaves; the directory has {expected} members")]
    Members {
        /// How many members there are.
        expected: u64,
        /// How many leaves it has.
        met: u64,
    },
    /// A leaf does not say what the directory says.
    #[error("the anchor's leaf of {id} is not what the directory says of it")]
    State {
        /// The member.
        id: ExchangeId,
    },
    /// A leaf's head has no quorum, or is not shown.
    #[error("the anchor's head of {id} at size {size} is not shown to have a quorum")]
    Head {
        /// The member.
        id: ExchangeId,
        /// The size met.
        size: u64,
    },
    /// A leaf's head is smaller than before.
    #[error("the anchor's head of {id} falls from size {before} to {size}")]
    Falls {
        /// The member.
        id: ExchangeId,
        /// The size before.
        before: u64,
        /// The size met.
        size: u64,
    },
    /// The leaves do not make the root.
    #[error("the anchor's leaves do not make its root")]
    Root,
}

/// The leaves of one anchor, by exchange id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnchorLeaves(BTreeMap<ExchangeId, AnchorLeaf>);

impl AnchorLeaf {
    /// The leaf hash: `SHA-256(0x00 ‖ canonical JSON)`.
    pub fn hash(&self) -> Hash {
        leaf_hash(&canonicalize(&self.to_value()))
    }

    /// The JSON form.
    pub fn to_value(&self) -> Value {
        json!({
            "id": self.id.as_str(),
            "root": self.head.root.to_string(),
            "size": self.head.size,
            "state": self.state.to_string(),
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// A `FieldError` that names what is wrong.
    pub fn from_value(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(value, "anchor leaf")?;
        fields.only(&["id", "root", "size", "state"])?;
        let hash = "64 lower-case hex digits";
        let head = Prefix { size: fields.number("size")?, root: fields.parsed("root", hash)? };
        Ok(Self {
            id: fields.parsed("id", "an exchange id")?,
            head,
            state: fields.parsed("state", hash)?,
        })
    }
}

impl AnchorLeaves {
    /// The leaves in any order; of two of one member the later counts.
    pub fn new(leaves: impl IntoIterator<Item = AnchorLeaf>) -> Self {
        Self(leaves.into_iter().map(|leaf| (leaf.id.clone(), leaf)).collect())
    }

    /// The leaf of `id`.
    pub fn leaf(&self, id: &ExchangeId) -> Option<&AnchorLeaf> {
        self.0.get(id)
    }

    /// All leaves, by exchange id.
    pub fn iter(&self) -> impl Iterator<Item = &AnchorLeaf> {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes leaves in place of those of the same members.
    pub fn update(&mut self, changed: impl IntoIterator<Item = AnchorLeaf>) {
        self.0.extend(changed.into_iter().map(|leaf| (leaf.id.clone(), leaf)));
    }

    /// The root of the tree over the leaves.
    pub fn root(&self) -> Hash {
        self.tree().root()
    }

    /// The root of the tree after `changed` take the place of leaves of the same members.
    pub fn root_with(&self, changed: &[AnchorLeaf]) -> Hash {
        let mut after = self.clone();
        after.update(changed.iter().cloned());
        after.root()
    }

    /// The leaf of `id` with its path to [`AnchorLeaves::root`].
    pub fn prove(&self, id: &ExchangeId) -> Option<AnchoredLeaf> {
        let leaf = self.0.get(id)?.clone();
        let index = self.0.keys().position(|key| key == id)? as u64;
        let path = inclusion_proof(index, self.len(), &self.tree()).ok()?;
        Some(AnchoredLeaf { leaf, index, path })
    }

    /// The leaves after this anchor, by what `directory` says now and by `heads`, the newest checkpoints
    /// with a quorum: those that differ from the leaves here.
    pub fn changes(
        &self,
        directory: &Directory,
        head: impl Fn(&Member) -> Option<Prefix>,
    ) -> Vec<AnchorLeaf> {
        let leaf = |member: &Member| {
            let before = self.0.get(&member.id);
            let least = before.map_or_else(Prefix::empty, |leaf| leaf.head);
            let least = directory.anchored_head(&member.id, least);
            let grown =
                head(member).filter(|head| head.size > least.size && member.stands_to(head.size));
            let head = grown.unwrap_or(least);
            let leaf = AnchorLeaf { id: member.id.clone(), head, state: member.state() };
            (before != Some(&leaf)).then_some(leaf)
        };
        directory.members().filter_map(leaf).collect()
    }

    /// Checks the next anchor, which `changed` leads to, against `directory`, the fold of what stands before
    /// it; `is_shown` says whether a head of a member is known to have a quorum.
    ///
    /// # Errors
    ///
    /// An [`AnchorError`]: an honest witness does not cosign it.
    pub fn check(
        &self,
        changed: &[AnchorLeaf],
        anchor: (u64, Hash),
        directory: &Directory,
        is_shown: impl Fn(&Member, &Prefix) -> bool,
    ) -> Result<Self, AnchorError> {
        let mut after = self.clone();
        after.update(changed.iter().cloned());
        let (expected, met) = (directory.members().count() as u64, after.len());
        if expected != met || anchor.0 != met {
            return Err(AnchorError::Members { expected, met: anchor.0 });
        }
        for (leaf, member) in after.iter().zip(directory.members()) {
            let id = member.id.clone();
            if leaf.id != id || leaf.state != member.state() {
                return Err(AnchorError::State { id });
            }
            let size = leaf.head.size;
            let before = self.0.get(&id).map_or_else(Prefix::empty, |leaf| leaf.head);
            let least = directory.anchored_head(&id, before);
            if size < least.size {
                return Err(AnchorError::Falls { id, before: least.size, size });
            }
            if leaf.head != least && !(member.stands_to(size) && is_shown(member, &leaf.head)) {
                return Err(AnchorError::Head { id, size });
            }
        }
        if after.root() != anchor.1 {
            return Err(AnchorError::Root);
        }
        Ok(after)
    }

    fn tree(&self) -> MemoryTree {
        let mut tree = MemoryTree::default();
        for leaf in self.0.values() {
            tree.push(leaf.hash());
        }
        tree
    }
}
