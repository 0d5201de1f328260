//! Commands of the node.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use libp2p::{Multiaddr, PeerId};

use super::super::dial::Shared;
use super::super::handle::{Command, Membership, NetSnapshot, PeerSnapshot};
use super::super::limits::ADDRESSES_PER_PEER_MAX;
use super::super::peers::Peer;
use super::Task;

impl Task {
    pub(super) fn command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Subscribe(scopes) => self.subscribe(&scopes),
            Command::Unsubscribe(scopes) => self.unsubscribe(&scopes),
            Command::Publish { scope, bytes, reply } => {
                let published = self.publish(&scope, &bytes);
                // Whoever asked no longer waits: nothing to tell.
                reply.send(published).unwrap_or_default();
            }
            Command::Verdict { id, verdict } => self.verdict(id, verdict),
            Command::Request { request, peer, bytes } => self.send_request(request, &peer, bytes),
            Command::Respond { inbound, bytes } => self.respond(inbound, bytes),
            Command::Dial(address) => {
                if !self.dialer.add_bootstrap(address.clone(), now) {
                    tracing::warn!(%address, "too many bootstrap addresses; this one is not dialed");
                }
                self.plan(now);
            }
            Command::Disconnect { peer, reason } => self.disconnect(&peer, &reason, now),
            Command::Penalise { peer, points } => {
                if let Some(peer) = peer_id(&peer) {
                    self.penalise(peer, f64::from(points), "it misbehaves", now);
                }
            }
            Command::SetMembers(membership) => self.set_members(&membership, now),
            Command::Snapshot(reply) => {
                // Whoever asked no longer waits: nothing to tell.
                reply.send(self.snapshot(now)).unwrap_or_default();
            }
            // The loop takes this one itself; here the sender is dropped, which also answers.
            Command::Shutdown(_) => {}
        }
    }

    fn disconnect(&mut self, peer: &str, reason: &str, now: Instant) {
        if let Some(peer) = peer_id(peer) {
            self.dialer.postpone(peer, now);
            self.hang_up(peer, reason);
            self.plan(now);
        }
    }

    fn set_members(&mut self, membership: &Membership, now: Instant) {
        let members: BTreeMap<PeerId, Vec<Multiaddr>> = membership
            .members
            .iter()
            .filter_map(|(peer, texts)| Some((peer_id(peer)?, multiaddrs(texts))))
            .collect();
        let known: BTreeSet<PeerId> = members.keys().copied().collect();
        self.publishers = membership.publishers.iter().filter_map(|peer| peer_id(peer)).collect();
        for (peer, state) in &mut self.peers {
            state.set_member(known.contains(peer), &self.limits, now);
        }
        let behaviour = self.swarm.behaviour_mut();
        let changed = behaviour.relay_server.as_mut().map(|relay| relay.set_members(known.clone()));
        behaviour.gate.set_members(known);
        for peer in changed.unwrap_or_default() {
            self.hang_up(
                peer,
                "its membership has changed, and with it what this relay does for it",
            );
        }
        let council = membership.council.iter().filter_map(|peer| peer_id(peer)).collect();
        let presumed = membership.presumed.iter();
        let shared = Shared {
            scopes: membership.scopes.len(),
            by_peer: presumed
                .filter_map(|(peer, places)| Some((peer_id(peer)?, places.clone())))
                .collect(),
        };
        self.scopes = membership.scopes.iter().cloned().zip(0..).collect();
        self.dialer.set_members(&members, council, shared, now);
        for peer in self.peers.keys() {
            self.dialer.connected(*peer, now);
        }
        self.plan(now);
    }

    fn snapshot(&self, now: Instant) -> NetSnapshot {
        let texts =
            |addresses: Vec<&Multiaddr>| addresses.into_iter().map(ToString::to_string).collect();
        NetSnapshot {
            local_peer: self.swarm.local_peer_id().to_base58(),
            listening: texts(self.swarm.listeners().collect()),
            external: texts(self.swarm.external_addresses().collect()),
            peers: self
                .peers
                .iter()
                .map(|(peer, state)| self.peer_snapshot(peer, state, now))
                .collect(),
            bytes_received: self.bandwidth.total().received(),
            bytes_sent: self.bandwidth.total().sent(),
            banned: self.swarm.behaviour().gate.reputation.banned(now),
            events: self.outbox.len(),
            requests: self.requests.outgoing(),
            serving: self.requests.open(),
            verdicts: self.verdicts.len(),
        }
    }

    fn peer_snapshot(&self, peer: &PeerId, state: &Peer, now: Instant) -> PeerSnapshot {
        let bytes = self.bandwidth.peer(*peer);
        let behaviour = self.swarm.behaviour();
        PeerSnapshot {
            peer: peer.to_base58(),
            addresses: state.connections.values().map(|c| c.address.to_string()).collect(),
            connected_since_ms: state.since_ms,
            rtt: state.rtt,
            bytes_received: bytes.received(),
            bytes_sent: bytes.sent(),
            agent: state.agent.clone(),
            is_member: state.is_member,
            is_confirmed: state.announced,
            score: behaviour.gossip.peer_score(peer).unwrap_or_default(),
            penalty: behaviour.gate.reputation.points(peer, now),
        }
    }
}

fn peer_id(text: &str) -> Option<PeerId> {
    let peer = text.parse().ok();
    if peer.is_none() {
        tracing::warn!(text, "not a peer id; left out");
    }
    peer
}

fn multiaddrs(texts: &[String]) -> Vec<Multiaddr> {
    let parse = |text: &String| {
        let address = text.parse().ok();
        if address.is_none() {
            tracing::warn!(text, "not a multiaddr; left out");
        }
        address
    };
    texts.iter().filter_map(parse).take(ADDRESSES_PER_PEER_MAX).collect()
}
