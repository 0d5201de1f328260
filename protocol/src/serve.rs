//! What a node hands out of a log, and to whom.
//!
//! Every leaf of a range travels, as an entry or as its hash: an asker can always check the
//! whole tree, and sees what its audience admits. The functions here are pure; the node reads
//! the leaves and runs them off its loop.

use alloc::vec::Vec;

use hutong_crypto::merkle::{NodeReader, cover};

use crate::audience::{Audience, Viewer};
use crate::entry::{Entry, Leaf};
use crate::id::ExchangeId;
use crate::message::{Leaves, ServedLeaf};
use crate::region::Region;
use crate::statement::Envelope;

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
/// An entry whose envelope cannot be read is for nobody but its owner: nobody can tell what it
/// would reveal, and it has no effect anyhow.
pub fn admits(owner: &Owner, entry: &Entry, viewer: &Viewer) -> bool {
    if viewer.exchange() == Some(&owner.exchange) {
        return true;
    }
    Envelope::parse(entry.statement_bytes())
        .is_ok_and(|envelope| envelope.audience.admits(&owner.exchange, &owner.region, viewer))
}

/// As [`admits`], of an entry that was checked and found sound: only its audience is read.
fn admits_sound(owner: &Owner, entry: &Entry, viewer: &Viewer) -> bool {
    viewer.exchange() == Some(&owner.exchange)
        || Audience::of_canonical(entry.statement_bytes())
            .is_some_and(|audience| audience.admits(&owner.exchange, &owner.region, viewer))
}

/// The leaf as `viewer` may have it. `void`: the entry was found to be void, so that even its
/// audience may be unreadable, as that of one that cannot be verified here.
pub fn project(owner: &Owner, leaf: Leaf, void: bool, viewer: &Viewer) -> ServedLeaf {
    let admits = |entry: &Entry| {
        let read = if void || !entry.is_verifiable() { admits } else { admits_sound };
        read(owner, entry, viewer)
    };
    match leaf {
        Leaf::Withheld(hash) => ServedLeaf::Absent(hash),
        Leaf::Entry(entry) if admits(&entry) => ServedLeaf::Entry(entry),
        Leaf::Entry(entry) => ServedLeaf::Withheld(entry.leaf_hash()),
    }
}

/// An answer to [`crate::message::LeavesRequest`]: `leaves` from index `from` on, cut to
/// `bytes_max` (but never to nothing), with the hashes that tie them to the tree of `size`. Of each
/// `is_void` tells whether it was found to be void.
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
    is_void: impl Fn(u64) -> bool,
    tree: &R,
) -> Result<Leaves, R::Error> {
    let mut bytes = 0;
    let mut served = Vec::with_capacity(leaves.len());
    for (index, leaf) in (from..).zip(leaves) {
        let leaf = project(owner, leaf, is_void(index), viewer);
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
