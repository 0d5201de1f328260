//! What a node hands out of a log, and to whom.
//!
//! Every leaf of a range travels, as an entry or as its hash: an asker can always check the
//! whole tree, and sees what its audience admits. The functions here are pure; the node reads
//! the leaves and runs them off its loop.

use alloc::vec::Vec;

use hutong_crypto::merkle::{NodeReader, cover};

use crate::audience::Viewer;
use crate::entry::{Entry, Leaf};
use crate::id::ExchangeId;
use crate::message::{Leaves, ServedLeaf};
use crate::region::Region;
use crate::statement::Statement;

/// The log that is asked about, as far as audiences depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The exchange whose log it is.
    pub exchange: ExchangeId,
    /// Its region.
    pub region: Region,
}

/// Whether `viewer` may see `entry` of the log of `owner`.
///
/// An entry whose statement cannot be read is for nobody but its owner: nobody can tell what it
/// would reveal, and it has no effect anyhow.
pub fn admits(owner: &Owner, entry: &Entry, viewer: &Viewer) -> bool {
    if viewer.exchange() == Some(&owner.exchange) {
        return true;
    }
    Statement::parse(entry.statement_bytes())
        .is_ok_and(|statement| statement.audience.admits(&owner.exchange, &owner.region, viewer))
}

/// The leaf as `viewer` may have it.
pub fn project(owner: &Owner, leaf: Leaf, viewer: &Viewer) -> ServedLeaf {
    match leaf {
        Leaf::Withheld(hash) => ServedLeaf::Absent(hash),
        Leaf::Entry(entry) if admits(owner, &entry, viewer) => ServedLeaf::Entry(entry),
        Leaf::Entry(entry) => ServedLeaf::Withheld(entry.leaf_hash()),
    }
}

/// An answer to [`crate::message::LeavesRequest`]: `leaves` from index `from` on, cut to
/// `bytes_max` (but never to nothing), with the hashes that tie them to the tree of `size`.
///
/// # Errors
///
/// What `tree` returns where a hash cannot be read.
pub fn answer<R: NodeReader>(
    owner: &Owner,
    viewer: &Viewer,
    from: u64,
    leaves: Vec<Leaf>,
    range: &AnswerRange,
    tree: &R,
) -> Result<Leaves, R::Error> {
    let mut bytes = 0;
    let mut served = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let leaf = project(owner, leaf, viewer);
        bytes += match &leaf {
            ServedLeaf::Entry(entry) => entry.as_bytes().len() + 4,
            ServedLeaf::Withheld(_) | ServedLeaf::Absent(_) => 33,
        };
        if bytes > range.bytes_max && !served.is_empty() {
            break;
        }
        served.push(leaf);
    }
    let to = from + served.len() as u64;
    let read = |from, to| cover(from, to).into_iter().map(|(level, at)| tree.node(level, at));
    let left = if range.left { read(0, from).collect::<Result<_, _>>()? } else { Vec::new() };
    let right = read(to, range.size).collect::<Result<_, _>>()?;
    Ok(Leaves { from, leaves: served, left, right })
}

/// How far an answer reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRange {
    /// The size of the tree that the hashes complete.
    pub size: u64,
    /// Whether the hashes left of the first leaf are wanted too.
    pub left: bool,
    /// Bytes of leaves at most.
    pub bytes_max: usize,
}
