//! Connections, and the meshes that gossipsub forms over them.

use std::collections::BTreeMap;

use super::params::Params;
use crate::rng::Rng;

/// Who is connected to whom, by index. Each list is in order.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    peers: Vec<Vec<u32>>,
    dialed: Vec<Vec<u32>>,
}

impl Connections {
    /// `nodes` nodes without connections.
    pub fn new(nodes: usize) -> Self {
        Self { peers: vec![Vec::new(); nodes], dialed: vec![Vec::new(); nodes] }
    }

    /// A network in which each of `nodes` dials `dials` others at random.
    pub fn random(nodes: usize, dials: usize, rng: &mut Rng) -> Self {
        let mut connections = Self::new(nodes);
        for from in 0..nodes {
            let mut missing = dials.min(nodes - 1);
            let mut tries = 100 * dials;
            while missing > 0 && tries > 0 {
                tries -= 1;
                let to = rng.index(nodes);
                missing -= usize::from(to != from && connections.dial(from, to));
            }
        }
        connections
    }

    /// Connects two nodes; false where they are already.
    pub fn dial(&mut self, from: usize, to: usize) -> bool {
        let (a, b) = (index(from), index(to));
        let Err(at) = self.peers[from].binary_search(&b) else { return false };
        self.peers[from].insert(at, b);
        if let Err(at) = self.peers[to].binary_search(&a) {
            self.peers[to].insert(at, a);
        }
        self.dialed[from].push(b);
        true
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.peers.len()
    }

    /// The nodes connected to `node`.
    pub fn of(&self, node: usize) -> &[u32] {
        &self.peers[node]
    }

    /// The nodes that `node` dialed, in that order.
    pub fn dialed_by(&self, node: usize) -> &[u32] {
        &self.dialed[node]
    }
}

/// The subscribers of a topic, their connections among each other and their mesh, by place among
/// the subscribers.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The topic's name, in bytes.
    pub name_bytes: usize,
    members: Vec<u32>,
    places: BTreeMap<u32, u32>,
    peers: Vec<Vec<u32>>,
    mesh: Vec<Vec<u32>>,
}

impl Topic {
    /// Forms the mesh among `members` (in order of node), of which any two have been connected since the time
    /// that `came_up` says, those of the same time in random order: on meeting, those below `D_low` graft;
    /// then heartbeats fill up and cut back until all degrees are between `D_low` and `D_high`.
    pub fn form(
        members: Vec<u32>,
        connections: &Connections,
        params: &Params,
        name_bytes: usize,
        came_up: impl Fn(u32, u32) -> u64,
        rng: &mut Rng,
    ) -> Self {
        let places: BTreeMap<u32, u32> = members.iter().copied().zip(0..).collect();
        let local = |nodes: &[u32]| -> Vec<u32> {
            nodes.iter().filter_map(|node| places.get(node).copied()).collect()
        };
        let peers: Vec<Vec<u32>> =
            members.iter().map(|node| local(connections.of(*node as usize))).collect();
        let dialed: Vec<Vec<u32>> =
            members.iter().map(|node| local(connections.dialed_by(*node as usize))).collect();
        let mut topic =
            Self { name_bytes, mesh: vec![Vec::new(); members.len()], members, places, peers };
        topic.meet(&dialed, params, came_up, rng);
        for _ in 0..HEARTBEATS_MAX {
            if !topic.heartbeat(params, rng) {
                break;
            }
        }
        topic
    }

    /// The nodes that subscribe.
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// The place of a node.
    pub fn place(&self, node: u32) -> Option<u32> {
        self.places.get(&node).copied()
    }

    /// The connected subscribers of the one at `place`.
    pub fn peers(&self, place: u32) -> &[u32] {
        &self.peers[place as usize]
    }

    /// The mesh peers of the one at `place`.
    pub fn mesh(&self, place: u32) -> &[u32] {
        &self.mesh[place as usize]
    }

    /// Mesh peers on average.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    pub fn mean_degree(&self) -> f64 {
        let links: usize = self.mesh.iter().map(Vec::len).sum();
        links as f64 / self.mesh.len().max(1) as f64
    }

    /// Connections come up in the order of `came_up`; a node that hears of a subscriber grafts it while its
    /// mesh is below `D_low`. Of those who graft it in the same round it hears only afterwards.
    fn meet(
        &mut self,
        dialed: &[Vec<u32>],
        params: &Params,
        came_up: impl Fn(u32, u32) -> u64,
        rng: &mut Rng,
    ) {
        let mut links: Vec<(u32, u32)> = (0..)
            .zip(dialed)
            .flat_map(|(from, list)| list.iter().map(move |to| (from, *to)))
            .collect();
        shuffle(&mut links, rng);
        let node = |place: u32| self.members[place as usize];
        links.sort_by_key(|(from, to)| came_up(node(*from), node(*to)));
        for round in links.chunks((self.members.len() * LINKS_PER_ROUND).max(1)) {
            let mut heard: Vec<Vec<u32>> = vec![Vec::new(); self.members.len()];
            for &(a, b) in round {
                heard[a as usize].push(b);
                heard[b as usize].push(a);
            }
            let mut grafts = Vec::new();
            for (place, mut others) in (0..).zip(heard) {
                shuffle(&mut others, rng);
                let wanted = params.d_low.saturating_sub(self.degree(place));
                grafts.extend(others.into_iter().take(wanted).map(|other| (place, other)));
            }
            shuffle(&mut grafts, rng);
            for (a, b) in grafts {
                self.graft(a, b, params);
            }
        }
    }

    fn degree(&self, place: u32) -> usize {
        self.mesh[place as usize].len()
    }

    /// `a` grafts `b`, who refuses where its mesh is full.
    fn graft(&mut self, a: u32, b: u32, params: &Params) -> bool {
        if self.degree(b) >= params.d_high || self.mesh[a as usize].contains(&b) {
            return false;
        }
        self.mesh[a as usize].push(b);
        self.mesh[b as usize].push(a);
        true
    }

    /// One heartbeat of all, in order. Returns whether it changed anything.
    fn heartbeat(&mut self, params: &Params, rng: &mut Rng) -> bool {
        let mut changed = false;
        for place in 0..index(self.members.len()) {
            if self.degree(place) < params.d_low {
                let mut candidates: Vec<u32> = self.peers(place).to_vec();
                candidates.retain(|peer| !self.mesh[place as usize].contains(peer));
                shuffle(&mut candidates, rng);
                for peer in candidates {
                    if self.degree(place) >= params.d {
                        break;
                    }
                    changed |= self.graft(place, peer, params);
                }
            } else if self.degree(place) > params.d_high {
                let mut kept = std::mem::take(&mut self.mesh[place as usize]);
                shuffle(&mut kept, rng);
                for peer in kept.split_off(params.d) {
                    self.mesh[peer as usize].retain(|other| *other != place);
                }
                self.mesh[place as usize] = kept;
                changed = true;
            }
        }
        changed
    }
}

/// Heartbeats after which a mesh is taken as it is: those that are still short have no peer left
/// that would take them.
const HEARTBEATS_MAX: usize = 20;

/// Connections of a node that come up while a `GRAFT` is on its way, when a network is started all at
/// once: as many as let the model's degrees be those of libp2p.
const LINKS_PER_ROUND: usize = 3;

pub(super) fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
    for at in (1..list.len()).rev() {
        list.swap(at, rng.index(at + 1));
    }
}

/// A place as it is kept.
pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_are_mutual_and_within_bounds() {
        let mut rng = Rng::new(3);
        let connections = Connections::random(200, 10, &mut rng);
        let params = Params::HUTONG;
        let all = (0..200).collect();
        let topic = Topic::form(all, &connections, &params, 31, |_, _| 0, &mut rng);
        for place in 0..200 {
            let mesh = topic.mesh(place);
            assert!((params.d_low..=params.d_high).contains(&mesh.len()), "{}", mesh.len());
            assert!(mesh.iter().all(|peer| topic.mesh(*peer).contains(&place)));
            assert!(mesh.iter().all(|peer| topic.peers(place).contains(peer)));
        }
    }
}
