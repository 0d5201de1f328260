//! Whom to dial, and when. Pure: time comes in, dials come out.
//!
//! Wanted are all bootstrap addresses, the council, to which every member shows its new checkpoints,
//! and of the other members all if there are at most `peers_target`, otherwise as many, chosen by each
//! node in an order of its own, so that the connections of all nodes together form a random graph. A
//! member that cannot be reached is still tried, but another takes its place meanwhile. Besides, up to
//! half as many are wanted because they share scopes that too few peers share
//! ([`hutong_protocol::neighbours`]).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use hutong_protocol::neighbours;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::limits::{ADDRESSES_PER_PEER_MAX, NetLimits};

/// After so many failures in a row a member no longer counts towards the target.
const FAILURES_TOLERATED: u32 = 3;

/// A connection that lasted so long clears the failures before it.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// A bootstrap address without a peer id waits so much longer than the known addresses of the
/// peer that was last met there, so that one peer is not dialed twice at a time.
const PLACE_COURTESY: Duration = Duration::from_secs(2);

/// A dial to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dial {
    /// A known peer at these addresses.
    Peer(PeerId, Vec<Multiaddr>),
    /// Whoever answers at this address.
    Address(Multiaddr),
}

/// How a peer or address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not connected; may be dialed from this time on.
    Due(Instant),
    /// A dial is in flight.
    Dialing,
    /// Connected since.
    Connected(Instant),
}

#[derive(Debug, Clone)]
struct Wanted {
    bootstrap: Vec<Multiaddr>,
    member: Vec<Multiaddr>,
    learned: Vec<Multiaddr>,
    is_member: bool,
    failures: u32,
    standing: Standing,
}

impl Wanted {
    fn new(standing: Standing) -> Self {
        Self {
            bootstrap: Vec::new(),
            member: Vec::new(),
            learned: Vec::new(),
            is_member: false,
            failures: 0,
            standing,
        }
    }

    fn addresses(&self) -> Vec<Multiaddr> {
        let mut seen = BTreeSet::new();
        let all = self.member.iter().chain(&self.bootstrap).chain(&self.learned);
        all.filter(|address| seen.insert(address.to_vec())).cloned().collect()
    }

    fn is_idle(&self) -> bool {
        !self.is_member && self.bootstrap.is_empty()
    }

    /// Whether it can be expected to answer a dial.
    fn is_hopeful(&self) -> bool {
        self.failures < FAILURES_TOLERATED && !self.addresses().is_empty()
    }
}

/// An address whose peer is not known before the connection stands.
#[derive(Debug, Clone)]
struct Place {
    failures: u32,
    standing: Standing,
    peer: Option<PeerId>,
}

/// Which scopes members are presumed to share with this node, by their places in a list.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    /// How many scopes there are.
    pub(super) scopes: usize,
    /// Those of each member that shares any.
    pub(super) by_peer: BTreeMap<PeerId, Vec<u16>>,
}

/// Decides whom to dial.
#[derive(Debug)]
pub(super) struct Dialer {
    me: PeerId,
    peers: BTreeMap<PeerId, Wanted>,
    places: BTreeMap<Multiaddr, Place>,
    order: Vec<PeerId>,
    council: BTreeSet<PeerId>,
    shared: Shared,
    /// Those that are wanted for the scopes that they share.
    sharers: Vec<PeerId>,
    /// Those that were, and turned out to share none: as many as `target` at most.
    in_vain: BTreeSet<PeerId>,
    target: usize,
    dials_max: usize,
    bootstrap_max: usize,
    delay_min: Duration,
    delay_max: Duration,
}

impl Dialer {
    pub(super) fn new(me: PeerId, limits: &NetLimits) -> Self {
        Self {
            me,
            peers: BTreeMap::new(),
            places: BTreeMap::new(),
            order: Vec::new(),
            council: BTreeSet::new(),
            shared: Shared::default(),
            sharers: Vec::new(),
            in_vain: BTreeSet::new(),
            target: limits.peers_target,
            dials_max: limits.dials_max.max(1),
            bootstrap_max: limits.bootstrap_max,
            delay_min: limits.dial_delay_min,
            delay_max: limits.dial_delay_max,
        }
    }

    /// Adds a bootstrap address; false if there are too many already. One of our own is ignored.
    pub(super) fn add_bootstrap(&mut self, address: Multiaddr, now: Instant) -> bool {
        let known =
            self.places.len() + self.peers.values().map(|w| w.bootstrap.len()).sum::<usize>();
        if known >= self.bootstrap_max {
            return false;
        }
        match peer_of(&address) {
            Some(peer) if peer == self.me => {}
            Some(peer) => {
                let wanted = self.wanted(peer, now);
                if !wanted.bootstrap.contains(&address) {
                    wanted.bootstrap.push(address);
                }
                self.hurry(&peer, now);
            }
            None => {
                let place = Place { failures: 0, standing: Standing::Due(now), peer: None };
                self.places.entry(address).or_insert(place);
            }
        }
        true
    }

    /// Replaces the members and their addresses, and says which of them are the council and what they
    /// are presumed to share.
    pub(super) fn set_members(
        &mut self,
        members: &BTreeMap<PeerId, Vec<Multiaddr>>,
        council: BTreeSet<PeerId>,
        shared: Shared,
        now: Instant,
    ) {
        for wanted in self.peers.values_mut() {
            wanted.is_member = false;
            wanted.member.clear();
        }
        let me = self.me;
        for (peer, addresses) in members.iter().filter(|(peer, _)| **peer != me) {
            let wanted = self.wanted(*peer, now);
            wanted.is_member = true;
            wanted.member = addresses.iter().take(ADDRESSES_PER_PEER_MAX).cloned().collect();
        }
        self.peers.retain(|_, wanted| !wanted.is_idle() || wanted.standing_is_busy());
        self.order = members.keys().copied().filter(|peer| *peer != me).collect();
        self.order.sort_by_key(|peer| (!council.contains(peer), mix(&(me, peer))));
        self.council = council;
        self.shared = shared;
        self.sharers.retain(|peer| members.contains_key(peer));
        self.in_vain.clear();
    }

    /// Chooses anew who is wanted for scopes, now that connected members have `told` which they follow;
    /// one that has told of none yet counts as presumed. Those that could not be reached are tried again
    /// when it is time, after all others.
    pub(super) fn choose_sharers(&mut self, told: &BTreeMap<PeerId, Vec<u16>>, now: Instant) {
        let is_connected = |wanted: &Wanted| matches!(wanted.standing, Standing::Connected(_));
        let mut sharers = std::mem::take(&mut self.sharers);
        sharers.retain(|peer| self.peers.get(peer).is_some_and(is_connected));
        // Those who would draw connections by what they are presumed to share can draw so many.
        sharers.retain(|peer| {
            let in_vain =
                told.get(peer).is_some_and(Vec::is_empty) && self.in_vain.len() < self.target;
            !in_vain || !self.in_vain.insert(*peer)
        });
        let at_random: BTreeSet<PeerId> = self.candidates().into_iter().collect();
        let (mut near, mut others, mut rested) = (Vec::new(), Vec::new(), Vec::new());
        for peer in self.order.iter().filter(|peer| !self.council.contains(peer)) {
            let Some(wanted) = self.peers.get(peer) else { continue };
            let presumed = self.shared.by_peer.get(peer).map_or(&[][..], Vec::as_slice);
            let hopeful = wanted.is_hopeful();
            if is_connected(wanted) {
                near.push(told.get(peer).map_or(presumed, Vec::as_slice));
            } else if at_random.contains(peer) {
                near.extend(hopeful.then_some(presumed));
            } else if hopeful && !self.in_vain.contains(peer) {
                others.push(((*peer, presumed), presumed));
            } else if !self.in_vain.contains(peer)
                && is_due(wanted.standing, now)
                && !wanted.addresses().is_empty()
            {
                rested.push(((*peer, presumed), presumed));
            }
        }
        let scopes = self.shared.scopes;
        let mut chosen = neighbours::choose(scopes, near.iter().copied(), others);
        near.extend(chosen.iter().map(|(_, presumed)| *presumed));
        chosen.extend(neighbours::choose(scopes, near, rested));
        sharers.extend(chosen.into_iter().map(|(peer, _)| peer));
        sharers.truncate(self.target.div_ceil(2));
        self.sharers = sharers;
    }

    /// Addresses that a peer or a search told about; they come after the configured ones.
    pub(super) fn learn(
        &mut self,
        peer: &PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
    ) -> bool {
        let Some(wanted) = self.peers.get_mut(peer) else { return false };
        let learned: Vec<_> = addresses.into_iter().take(ADDRESSES_PER_PEER_MAX).collect();
        let news = learned.iter().any(|address| !wanted.learned.contains(address));
        if !learned.is_empty() {
            wanted.learned = learned;
        }
        news
    }

    /// Lets a peer be dialed at once unless it is connected or being dialed.
    pub(super) fn hurry(&mut self, peer: &PeerId, now: Instant) {
        if let Some(wanted) = self.peers.get_mut(peer)
            && matches!(wanted.standing, Standing::Due(_))
        {
            wanted.standing = Standing::Due(now);
        }
    }

    /// The dials to start now. Each counts as in flight until it connects or fails.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Dial> {
        let mut room = self.dials_max.saturating_sub(self.in_flight());
        let mut dials = Vec::new();
        for peer in self.candidates() {
            if room == 0 {
                return dials;
            }
            let Some(wanted) = self.peers.get_mut(&peer) else { continue };
            let addresses = wanted.addresses();
            if is_due(wanted.standing, now) && !addresses.is_empty() {
                wanted.standing = Standing::Dialing;
                dials.push(Dial::Peer(peer, addresses));
                room -= 1;
            }
        }
        for (address, place) in &mut self.places {
            if room > 0 && is_due(place.standing, now) {
                place.standing = Standing::Dialing;
                dials.push(Dial::Address(address.clone()));
                room -= 1;
            }
        }
        dials
    }

    /// When to ask again, if nothing else happens before.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.in_flight() >= self.dials_max {
            return None;
        }
        let at = |standing| if let Standing::Due(at) = standing { Some(at) } else { None };
        let peers = self.candidates().into_iter().filter_map(|peer| {
            let wanted = self.peers.get(&peer)?;
            if wanted.addresses().is_empty() { None } else { at(wanted.standing) }
        });
        peers.chain(self.places.values().filter_map(|place| at(place.standing))).min()
    }

    /// A connection with `peer` stands, whoever dialed.
    pub(super) fn connected(&mut self, peer: PeerId, now: Instant) {
        if let Some(wanted) = self.peers.get_mut(&peer)
            && !matches!(wanted.standing, Standing::Connected(_))
        {
            wanted.standing = Standing::Connected(now);
        }
        for place in self.places.values_mut().filter(|place| place.peer == Some(peer)) {
            if matches!(place.standing, Standing::Due(_)) {
                place.standing = Standing::Connected(now);
            }
        }
    }

    /// A dial of an address without a known peer reached `peer`.
    pub(super) fn reached(&mut self, address: &Multiaddr, peer: PeerId, now: Instant) {
        if let Some(place) = self.places.get_mut(address) {
            place.standing = Standing::Connected(now);
            place.peer = Some(peer);
        }
    }

    /// The last connection with `peer` is gone.
    pub(super) fn disconnected(&mut self, peer: PeerId, now: Instant) {
        let (me, min, max) = (self.me, self.delay_min, self.delay_max);
        let after = |standing, failures: &mut u32| {
            if let Standing::Connected(since) = standing {
                let stable = now.saturating_duration_since(since) >= STABLE_AFTER;
                *failures = if stable { 0 } else { failures.saturating_add(1) };
            }
            // Both ends notice at once: the one with the greater id lets the other go first.
            let courtesy = if me > peer { min } else { Duration::ZERO };
            Standing::Due(now + delay(&(me, peer), *failures, min, max) + courtesy)
        };
        for place in self.places.values_mut().filter(|place| place.peer == Some(peer)) {
            place.standing = after(place.standing, &mut place.failures);
            // Known addresses of the peer first; this one only if they lead nowhere.
            if let (Standing::Due(at), true) = (place.standing, self.peers.contains_key(&peer)) {
                place.standing = Standing::Due(at + PLACE_COURTESY);
            }
        }
        if let Some(wanted) = self.peers.get_mut(&peer) {
            wanted.standing = after(wanted.standing, &mut wanted.failures);
            if wanted.is_idle() {
                self.peers.remove(&peer);
            }
        }
    }

    /// A dial of `peer` failed. Returns the failures in a row.
    pub(super) fn failed(&mut self, peer: PeerId, now: Instant) -> u32 {
        let (me, min, max) = (self.me, self.delay_min, self.delay_max);
        let Some(wanted) = self.peers.get_mut(&peer) else { return 0 };
        if wanted.standing == Standing::Dialing {
            wanted.failures = wanted.failures.saturating_add(1);
            wanted.standing = Standing::Due(now + delay(&(me, peer), wanted.failures, min, max));
        }
        wanted.failures
    }

    /// A dial of an address without a known peer failed.
    pub(super) fn failed_address(&mut self, address: &Multiaddr, now: Instant) {
        let (me, min, max) = (self.me, self.delay_min, self.delay_max);
        if let Some(place) = self.places.get_mut(address) {
            place.failures = place.failures.saturating_add(1);
            place.standing = Standing::Due(now + delay(&(me, address), place.failures, min, max));
        }
    }

    /// The address is our own: never dial it again.
    pub(super) fn forget_address(&mut self, address: &Multiaddr) {
        self.places.remove(address);
        for wanted in self.peers.values_mut() {
            wanted.bootstrap.retain(|other| other != address);
            wanted.member.retain(|other| other != address);
            wanted.learned.retain(|other| other != address);
        }
    }

    /// The peer is of no use for now, such as one of another federation: wait the longest delay.
    pub(super) fn postpone(&mut self, peer: PeerId, now: Instant) {
        let max = self.delay_max;
        if let Some(wanted) = self.peers.get_mut(&peer) {
            wanted.failures = wanted.failures.max(16);
            wanted.standing = Standing::Due(now + max);
        }
        for place in self.places.values_mut().filter(|place| place.peer == Some(peer)) {
            place.failures = place.failures.max(16);
            place.standing = Standing::Due(now + max);
        }
    }

    /// Members that cannot be found: without an address, or failed at least twice in a row.
    pub(super) fn lost(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.candidates().into_iter().filter(|peer| {
            self.peers.get(peer).is_some_and(|wanted| {
                let away = matches!(wanted.standing, Standing::Due(_));
                away && (wanted.failures >= 2 || wanted.addresses().is_empty())
            })
        })
    }

    /// Whether `peer` is one that this node wants to be connected to.
    pub(super) fn is_wanted(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    fn in_flight(&self) -> usize {
        let peers = self.peers.values().filter(|w| w.standing == Standing::Dialing).count();
        peers + self.places.values().filter(|p| p.standing == Standing::Dialing).count()
    }

    /// Bootstrap peers, then the council, then members in this node's order until enough of these are
    /// in reach, then those who are wanted for their scopes.
    fn candidates(&self) -> Vec<PeerId> {
        let bootstrap = self.peers.iter().filter(|(_, w)| !w.bootstrap.is_empty());
        let mut candidates: Vec<_> = bootstrap.map(|(peer, _)| *peer).collect();
        let mut in_reach = 0;
        for peer in &self.order {
            let Some(wanted) = self.peers.get(peer) else { continue };
            if in_reach >= self.target {
                break;
            }
            if wanted.bootstrap.is_empty() {
                candidates.push(*peer);
            }
            if self.council.contains(peer) {
                continue;
            }
            if matches!(wanted.standing, Standing::Connected(_)) || wanted.is_hopeful() {
                in_reach += 1;
            }
        }
        candidates.extend(&self.sharers);
        candidates
    }

    fn wanted(&mut self, peer: PeerId, now: Instant) -> &mut Wanted {
        self.peers.entry(peer).or_insert_with(|| Wanted::new(Standing::Due(now)))
    }
}

impl Wanted {
    fn standing_is_busy(&self) -> bool {
        !matches!(self.standing, Standing::Due(_))
    }
}

/// The peer at the end of an address.
pub(super) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

fn is_due(standing: Standing, now: Instant) -> bool {
    matches!(standing, Standing::Due(at) if at <= now)
}

/// `min × 2^failures`, at most `max`, times a factor from one half to one that differs between
/// nodes, peers and attempts, so that a restarted region does not dial in step.
fn delay(who: &impl Hash, failures: u32, min: Duration, max: Duration) -> Duration {
    let full = min.saturating_mul(1 << failures.min(20)).min(max);
    let jitter = mix(&(who, failures)) % 512;
    full.mul_f64(0.5 + f64::from(u32::try_from(jitter).unwrap_or(0)) / 1024.0)
}

fn mix(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
