//! One message on its way through a topic.
//!
//! A copy is an event only where it may be the first at its receiver; the others are counted when
//! they are sent. That makes a message cost about two events a node instead of eight.

use super::mesh::{Topic, index, shuffle};
use super::params::{Params, wire};
use crate::rng::Rng;

/// What carries copies.
pub trait Links {
    /// Sends `bytes` from one node to another at `now`; returns when they arrive. Times in
    /// microseconds.
    fn send(&mut self, from: u32, to: u32, bytes: usize, now: u64) -> u64;
    /// When the node's heartbeats are: the first at or after `now`.
    fn heartbeat(&self, node: u32, now: u64) -> u64;
}

/// A copy, or the news of one, that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When.
    pub at: u64,
    /// At which place of the topic.
    pub to: u32,
    /// From which place.
    pub from: u32,
    /// What arrives.
    pub kind: Kind,
}

/// What arrives at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The message.
    Copy,
    /// Its id alone: it has to be asked for.
    Id,
    /// Nothing from anybody: a heartbeat of its own, and at how many it will tell of the message.
    Beat(u32),
}

/// A message in a topic. Places are places among the topic's subscribers.
#[derive(Debug)]
pub struct Flight {
    bytes: usize,
    idontwant: bool,
    author: u32,
    /// When the first copy arrives that is known of so far.
    first: Vec<u64>,
    /// From whom, and after how many hops.
    parent: Vec<u32>,
    hops: Vec<u8>,
    /// Who has it.
    seen: Vec<bool>,
    waiting: usize,
    /// Copies by receiver: from whom, and when they arrive.
    copies: Vec<Vec<(u32, u64)>>,
    /// `IDONTWANT` by receiver: from whom, and when it arrives.
    unwanted: Vec<Vec<(u32, u64)>>,
}

const NEVER: u64 = u64::MAX;

impl Flight {
    /// A message of `data` bytes by the subscriber at `author`.
    pub fn new(topic: &Topic, params: &Params, author: u32, data: usize) -> Self {
        let members = topic.members().len();
        let mut flight = Self {
            bytes: wire::publish(data, topic.name_bytes),
            idontwant: params.idontwant_bytes.is_some_and(|bytes| wire::message(data) > bytes),
            author,
            first: vec![NEVER; members],
            parent: vec![author; members],
            hops: vec![0; members],
            seen: vec![false; members],
            waiting: members - 1,
            copies: vec![Vec::new(); members],
            unwanted: Vec::new(),
        };
        if flight.idontwant {
            flight.unwanted = vec![Vec::new(); members];
        }
        flight.seen[author as usize] = true;
        flight
    }

    /// Bytes of one copy on the wire.
    pub fn copy_bytes(&self) -> usize {
        self.bytes
    }

    /// How many subscribers have not got it yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// After how many hops the first copy came.
    pub fn hops(&self, place: u32) -> u8 {
        self.hops[place as usize]
    }

    /// Copies that were sent to `place`.
    pub fn copies(&self, place: u32) -> usize {
        self.copies[place as usize].len()
    }

    /// The author publishes.
    pub fn publish(
        &mut self,
        topic: &Topic,
        params: &Params,
        now: u64,
        links: &mut impl Links,
        rng: &mut Rng,
        out: &mut Vec<Arrival>,
    ) {
        let mut to: Vec<u32> = if params.flood_publish {
            topic.peers(self.author).to_vec()
        } else {
            topic.mesh(self.author).to_vec()
        };
        shuffle(&mut to, rng);
        for peer in to {
            self.copy(topic, self.author, peer, now, links, out);
        }
    }

    /// A copy or an id arrives. Returns whether it is the first copy: then the receiver judges it.
    pub fn arrive(
        &mut self,
        topic: &Topic,
        arrival: Arrival,
        links: &mut impl Links,
        out: &mut Vec<Arrival>,
    ) -> bool {
        let Arrival { at, to, from, kind } = arrival;
        if self.seen[to as usize] {
            return false;
        }
        if kind == Kind::Id {
            let members = topic.members();
            let (me, peer) = (members[to as usize], members[from as usize]);
            let asked = links.send(me, peer, wire::iwant(), at);
            self.copy(topic, from, to, asked, links, out);
            return false;
        }
        if self.first[to as usize] != at || self.parent[to as usize] != from {
            return false;
        }
        self.seen[to as usize] = true;
        self.waiting -= 1;
        if self.idontwant {
            let members = topic.members();
            for peer in topic.mesh(to) {
                if *peer != from && *peer != self.author {
                    let (me, other) = (members[to as usize], members[*peer as usize]);
                    let told = links.send(me, other, wire::iwant(), at);
                    self.unwanted[*peer as usize].push((to, told));
                }
            }
        }
        true
    }

    /// The one at `place` has judged the message and passes it on.
    pub fn forward(
        &mut self,
        topic: &Topic,
        place: u32,
        now: u64,
        links: &mut impl Links,
        out: &mut Vec<Arrival>,
    ) {
        for &peer in topic.mesh(place) {
            let got_from =
                |list: &[(u32, u64)]| list.iter().any(|(from, at)| *from == peer && *at <= now);
            let has_it = got_from(&self.copies[place as usize]);
            let declined = self.idontwant && got_from(&self.unwanted[place as usize]);
            if peer != self.author && !has_it && !declined {
                self.copy(topic, place, peer, now, links, out);
            }
        }
    }

    /// The one at `place` tells peers outside of the mesh of the message's id at its heartbeat, if the
    /// message may still be news to somebody; and again at the next one, `beats` times in all.
    pub fn tell(
        &mut self,
        topic: &Topic,
        params: &Params,
        (place, now, beats): (u32, u64, u32),
        links: &mut impl Links,
        rng: &mut Rng,
        out: &mut Vec<Arrival>,
    ) {
        let outside = topic.peers(place).len() - topic.mesh(place).len();
        if self.waiting == 0 || beats == 0 || outside == 0 {
            return;
        }
        let told = params.lazy_peers(outside) as u64;
        let (members, mesh) = (topic.members(), topic.mesh(place));
        for peer in topic.peers(place) {
            // Who has it by then, or will have it from a copy that is on its way, gains nothing.
            let lacks = self.first[*peer as usize] > now && !mesh.contains(peer);
            if lacks && rng.below(outside as u64) < told {
                let (me, other) = (members[place as usize], members[*peer as usize]);
                let at = links.send(me, other, 0, now);
                out.push(Arrival { at, to: *peer, from: place, kind: Kind::Id });
            }
        }
        let beat = Kind::Beat(beats - 1);
        out.push(Arrival { at: now + params.heartbeat_us, to: place, from: place, kind: beat });
    }

    /// When the one at `place` tells for the first time of a message that it judged at `now`.
    pub fn begin_to_tell(
        &self,
        topic: &Topic,
        params: &Params,
        (place, now): (u32, u64),
        links: &impl Links,
        out: &mut Vec<Arrival>,
    ) {
        if self.waiting > 0 {
            let at = links.heartbeat(topic.members()[place as usize], now);
            let beat = Kind::Beat(params.history_gossip);
            out.push(Arrival { at, to: place, from: place, kind: beat });
        }
    }

    fn copy(
        &mut self,
        topic: &Topic,
        from: u32,
        to: u32,
        now: u64,
        links: &mut impl Links,
        out: &mut Vec<Arrival>,
    ) {
        let members = topic.members();
        let at = links.send(members[from as usize], members[to as usize], self.bytes, now);
        self.copies[to as usize].push((from, at));
        let sooner = at < self.first[to as usize];
        if !self.seen[to as usize] && sooner {
            self.first[to as usize] = at;
            self.parent[to as usize] = from;
            self.hops[to as usize] = self.hops[from as usize].saturating_add(1);
            out.push(Arrival { at, to, from, kind: Kind::Copy });
        }
    }
}

/// Places of a topic.
pub fn places(topic: &Topic) -> impl Iterator<Item = u32> {
    0..index(topic.members().len())
}
