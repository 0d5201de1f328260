//! A tree held in memory, for tests and simulations.

use alloc::{vec, vec::Vec};
use core::convert::Infallible;

use super::{
    hash::node_hash,
    proof::{NodeReader, root_at},
};
use crate::digest::Hash;

/// Every complete node of a tree, level by level; about 64 bytes a leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryTree {
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The tree without leaves.
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Appends a leaf hash and returns its index, counted from 0.
    pub fn push(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut hash = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(vec![]);
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            if nodes.len() % 2 == 1 {
                break;
            }
            hash = node_hash(&nodes[nodes.len() - 2], &nodes[nodes.len() - 1]);
        }
        index
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        match root_at(self.size(), self) {
            Ok(root) => root,
            Err(never) => match never {},
        }
    }
}

impl FromIterator<Hash> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }
}

/// Panics on a node that is not complete within the tree's size: the caller knows the size.
impl NodeReader for MemoryTree {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let index = usize::try_from(index).expect("a node in memory has an index in memory");
        Ok(self.levels[usize::from(level)][index])
    }
}
