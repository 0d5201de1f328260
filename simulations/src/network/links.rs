//! Who is connected to whom, and through whom.

use std::collections::BTreeMap;

use crate::node::Slot;

/// How a node can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// By everybody.
    #[default]
    Open,
    /// By those it reaches, and by others behind such a NAT, once a hole is punched.
    Cone,
    /// By those it reaches; by others behind a NAT through a relay only.
    Symmetric,
}

impl Nat {
    /// Whether nodes behind these two can have a direct connection.
    pub fn direct(self, other: Self) -> bool {
        self == Self::Open || other == Self::Open || (self == Self::Cone && other == Self::Cone)
    }
}

/// The connections of all nodes, each with the relay that it goes through, if any.
#[derive(Debug, Clone, Default)]
pub struct Links {
    adjacent: Vec<BTreeMap<Slot, Option<Slot>>>,
}

impl Links {
    /// Connects two nodes.
    pub fn insert(&mut self, a: Slot, b: Slot, relay: Option<Slot>) {
        let needed = a.max(b) + 1;
        if self.adjacent.len() < needed {
            self.adjacent.resize(needed, BTreeMap::new());
        }
        self.adjacent[a].insert(b, relay);
        self.adjacent[b].insert(a, relay);
    }

    /// Whether two nodes are connected.
    pub fn contains(&self, a: Slot, b: Slot) -> bool {
        self.adjacent.get(a).is_some_and(|others| others.contains_key(&b))
    }

    /// The relay between two connected nodes, if there is one.
    pub fn relay(&self, a: Slot, b: Slot) -> Option<Slot> {
        self.adjacent.get(a).and_then(|others| others.get(&b).copied().flatten())
    }

    /// Who is connected to a node, in order.
    pub fn of(&self, slot: Slot) -> impl Iterator<Item = Slot> {
        self.adjacent.get(slot).into_iter().flat_map(|others| others.keys().copied())
    }

    /// The connections here that are not in `other`, each once.
    pub fn without(&self, other: &Self) -> Vec<(Slot, Slot)> {
        let pairs =
            self.adjacent.iter().enumerate().flat_map(|(a, others)| {
                others.keys().filter(move |b| a < **b).map(move |b| (a, *b))
            });
        pairs.filter(|(a, b)| !other.contains(*a, *b)).collect()
    }
}
