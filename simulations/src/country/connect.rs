//! Who is connected to whom, as nodes dial each other.
//!
//! Each dials the council, then members that it knows, in a random order of its own, and then those
//! with whom it shares scopes that too few of its peers share ([`hutong_protocol::neighbours`]). The
//! numbers are those of `node/src/net/limits.rs` and the configurations in `configs/`.

use std::collections::{BTreeMap, BTreeSet};

use hutong_protocol::directory::Member;
use hutong_protocol::neighbours::{self, Interests};
use hutong_protocol::region::Scope;
use hutong_protocol::state::Follow;
use hutong_protocol::tier::Tier;

use super::founding::Founded;
use super::plan::{Plan, SEATS};
use crate::gossip::mesh::Connections;
use crate::rng::Rng;

/// Members that a node dials at random.
const PEERS_TARGET: usize = 50;
/// Members that a node dials for its scopes, at most.
const SHARERS_MAX: usize = PEERS_TARGET / 2;
/// Connections that a council member takes: one with every exchange, or witnesses could not reach
/// those whose logs they cosign.
const SEAT_CONNECTIONS_MAX: usize = 8_192;

/// Connections that a node of a tier takes.
const fn connections_max(tier: Tier) -> usize {
    match tier {
        Tier::National | Tier::Provincial => 2_048,
        Tier::Industry | Tier::International | Tier::Municipal => 512,
        Tier::County => 64,
    }
}

/// Connects the nodes; who is full refuses.
pub fn connect(plan: &Plan, founded: &Founded, seed: u64) -> Connections {
    let mut dialing = Dialing::new(plan, founded, seed);
    dialing.at_random();
    for node in 0..plan.roles.len() {
        dialing.for_scopes(node);
    }
    dialing.connections
}

/// Nodes that dial.
struct Dialing<'a> {
    plan: &'a Plan,
    founded: &'a Founded,
    connections: Connections,
    /// Whom each node knows and did not try yet, the next one last.
    wanted: Vec<Vec<usize>>,
}

impl<'a> Dialing<'a> {
    fn new(plan: &'a Plan, founded: &'a Founded, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x000c_0448);
        let exchanges = &founded.federation.exchanges;
        let places: BTreeMap<_, usize> = exchanges.iter().map(|one| &one.id).zip(0..).collect();
        let parent = |at: usize| {
            let parent = exchanges[at].parent.as_ref();
            parent.and_then(|parent| places.get(parent)).copied().unwrap_or(0)
        };
        let nodes = plan.roles.len();
        let parents: Vec<usize> = (0..nodes).map(parent).collect();
        let wanted = (0..).zip(&plan.roles).map(|(at, role)| {
            // A node knows the members whose admissions it holds: the log of whoever admits them.
            let known =
                |other: &usize| *other != at && founded.follows(&role.follow, parents[*other]);
            let mut order: Vec<usize> = (0..nodes).filter(known).collect();
            for place in (1..order.len()).rev() {
                order.swap(place, rng.index(place + 1));
            }
            // The last is dialed first: the council, since its members cosign.
            order.sort_by_key(|other| *other < SEATS);
            order
        });
        let wanted = wanted.collect();
        Self { plan, founded, connections: Connections::new(nodes), wanted }
    }

    fn is_full(&self, at: usize) -> bool {
        let tier = self.plan.roles[at].tier;
        let most = if at < SEATS { SEAT_CONNECTIONS_MAX } else { connections_max(tier) };
        self.connections.of(at).len() >= most
    }

    /// All dial in turn, until each has dialed `PEERS_TARGET`.
    fn at_random(&mut self) {
        for _ in 0..PEERS_TARGET {
            for at in 0..self.wanted.len() {
                while let Some(to) = self.wanted[at].pop() {
                    if self.is_full(at) || !self.is_full(to) && self.connections.dial(at, to) {
                        break;
                    }
                }
            }
        }
    }

    /// Dials those who share what too few do; where one is full, others are chosen.
    fn for_scopes(&mut self, at: usize) {
        let interests = self.interests(at);
        let mut others = std::mem::take(&mut self.wanted[at]);
        others.reverse();
        let (mut left, mut tried) = (SHARERS_MAX, BTreeSet::new());
        while left > 0 {
            let refused = tried.len();
            for to in self.chosen(at, &interests, &others, &tried).into_iter().take(left) {
                if self.is_full(at) {
                    return;
                }
                if !self.is_full(to) && self.connections.dial(at, to) {
                    left -= 1;
                } else {
                    tried.insert(to);
                }
            }
            if tried.len() == refused {
                return;
            }
        }
    }

    fn chosen(
        &self,
        at: usize,
        interests: &Interests,
        others: &[usize],
        tried: &BTreeSet<usize>,
    ) -> Vec<usize> {
        let connected: BTreeSet<usize> =
            self.connections.of(at).iter().map(|peer| *peer as usize).collect();
        let near: Vec<Vec<u16>> = connected
            .range(SEATS..)
            // Peers have told.
            .map(|peer| interests.places(|scope| follows(&self.plan.roles[*peer].follow, scope)))
            .collect();
        let others: Vec<(usize, Vec<u16>)> = others
            .iter()
            .filter(|other| {
                **other >= SEATS && !connected.contains(other) && !tried.contains(other)
            })
            .filter_map(|other| Some((*other, interests.presumed(self.member(*other)?))))
            .collect();
        let others = others.iter().map(|(other, shared)| (*other, shared.as_slice()));
        neighbours::choose(interests.scopes().len(), near.iter().map(Vec::as_slice), others)
    }

    fn interests(&self, at: usize) -> Interests {
        let follow = &self.plan.roles[at].follow;
        let scopes: BTreeSet<&Scope> =
            self.founded.scopes.iter().filter(|scope| follows(follow, scope)).collect();
        Interests::new(scopes.into_iter().cloned(), &self.founded.directory)
    }

    fn member(&self, at: usize) -> Option<&Member> {
        self.founded.directory.member(&self.founded.federation.exchanges[at].id)
    }
}

fn follows(follow: &Follow, scope: &Scope) -> bool {
    match follow {
        Follow::All => true,
        Follow::Scopes(scopes) => scopes.contains(scope),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::country::divisions::Divisions;

    /// Four hundred exchanges: whole provinces, and a like part of the others.
    fn country() -> (Plan, Founded) {
        let divisions = Divisions::load(Path::new("/nowhere")).unwrap();
        let plan = Plan::new(&divisions, 400, 5).unwrap();
        let founded = Founded::new(&plan, 5).unwrap();
        (plan, founded)
    }

    /// With how many peers a node shares the scope of which it shares least, the council aside.
    fn least_shared(dialing: &Dialing<'_>, at: usize) -> usize {
        let interests = dialing.interests(at);
        let peers = dialing.connections.of(at).iter().map(|peer| *peer as usize);
        let peers: Vec<usize> = peers.filter(|peer| *peer >= SEATS).collect();
        let shared = |scope: &Scope| {
            peers.iter().filter(|peer| follows(&dialing.plan.roles[**peer].follow, scope)).count()
        };
        interests.scopes().iter().map(shared).min().unwrap_or(usize::MAX)
    }

    #[test]
    fn who_follows_all_is_connected_to_those_who_follow_the_smallest_scope() {
        let (plan, founded) = country();
        let mut dialing = Dialing::new(&plan, &founded, 5);
        dialing.at_random();
        let all: Vec<usize> =
            (SEATS..plan.roles.len()).filter(|at| plan.roles[*at].follow == Follow::All).collect();
        let followers = all.len();
        assert!(followers > 1, "{followers}");
        // All others who follow all, and the owner: there are no more.
        let possible = followers.min(neighbours::SHARERS);
        assert!(all.iter().any(|at| least_shared(&dialing, *at) < possible), "none was short");
        let before: Vec<usize> =
            (0..plan.roles.len()).map(|at| dialing.connections.of(at).len()).collect();
        for at in 0..plan.roles.len() {
            dialing.for_scopes(at);
        }
        for at in all {
            assert!(least_shared(&dialing, at) >= possible, "{at}");
        }
        let added: usize = (0..plan.roles.len())
            .map(|at| dialing.connections.dialed_by(at).len().saturating_sub(PEERS_TARGET + SEATS))
            .max()
            .unwrap_or(0);
        assert!(added <= SHARERS_MAX, "{added}");
        let grown = (SEATS..before.len())
            .filter(|at| plan.roles[*at].tier == Tier::County)
            .filter(|at| dialing.connections.of(*at).len() > before[*at])
            .count();
        assert_eq!(grown, 0, "counties have enough");
    }
}
