//! What an anchor changed: a member's new leaf, and the note that shows its head.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::directory::{AnchorLeaf, AnchoredLeaf, Prefix};
use crate::limits::{ANCHOR_CHANGES_MAX, ANCHOR_CHANGES_PER_ANSWER_MAX, NOTE_BYTES_MAX};
use crate::wire::{Reader, WireError, Writer};

/// Longest exchange id on the wire, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// Hashes of a leaf's path at most: of a tree of 2^63 leaves.
const PATH_MAX: usize = 63;

/// One leaf of an anchor that differs from the anchor before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorChange {
    /// The leaf.
    pub leaf: AnchorLeaf,
    /// The checkpoint that it names, with a quorum's cosignatures; empty where the head did not change.
    pub note: String,
}

impl AnchorChange {
    fn write(&self, writer: &mut Writer) {
        write_leaf(writer, &self.leaf);
        writer.text(&self.note);
    }

    fn read(reader: &mut Reader) -> Result<Self, WireError> {
        let leaf = read_leaf(reader)?;
        Ok(Self { leaf, note: reader.text("checkpoint note", NOTE_BYTES_MAX)? })
    }

    /// Writes a page of changes of one anchor.
    pub(crate) fn write_page(writer: &mut Writer, changes: &[Self]) {
        writer.u64(changes.len() as u64);
        for change in changes {
            change.write(writer);
        }
    }

    /// Reads a page of changes.
    pub(crate) fn read_page(reader: &mut Reader) -> Result<Vec<Self>, WireError> {
        Self::read_list(reader, ANCHOR_CHANGES_PER_ANSWER_MAX)
    }

    /// All changes of one anchor in one byte string, as a disk keeps them.
    pub fn encode_all(changes: &[Self]) -> Bytes {
        let mut writer = Writer::new();
        Self::write_page(&mut writer, changes);
        writer.finish()
    }

    /// Reads what [`AnchorChange::encode_all`] wrote.
    ///
    /// # Errors
    ///
    /// A [`WireError`] for anything else.
    pub fn decode_all(bytes: Bytes) -> Result<Vec<Self>, WireError> {
        let mut reader = Reader::new(bytes);
        let changes = Self::read_list(&mut reader, ANCHOR_CHANGES_MAX)?;
        reader.finish()?;
        Ok(changes)
    }

    fn read_list(reader: &mut Reader, most: usize) -> Result<Vec<Self>, WireError> {
        let count = reader.count("anchor changes", most)?;
        (0..count).map(|_| Self::read(reader)).collect()
    }
}

fn write_leaf(writer: &mut Writer, leaf: &AnchorLeaf) {
    writer.text(leaf.id.as_str()).u64(leaf.head.size).hash(&leaf.head.root).hash(&leaf.state);
}

fn read_leaf(reader: &mut Reader) -> Result<AnchorLeaf, WireError> {
    let id = reader.parsed("exchange id", NAME_BYTES_MAX)?;
    let head = Prefix { size: reader.u64()?, root: reader.hash()? };
    Ok(AnchorLeaf { id, head, state: reader.hash()? })
}

/// Writes a leaf with its path.
pub(crate) fn write_anchored(writer: &mut Writer, anchored: &AnchoredLeaf) {
    write_leaf(writer, &anchored.leaf);
    writer.u64(anchored.index).hashes(&anchored.path);
}

/// Reads a leaf with its path.
pub(crate) fn read_anchored(reader: &mut Reader) -> Result<AnchoredLeaf, WireError> {
    let leaf = read_leaf(reader)?;
    Ok(AnchoredLeaf { leaf, index: reader.u64()?, path: reader.hashes("path", PATH_MAX)? })
}
