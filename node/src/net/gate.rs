//! The door: a behaviour without a protocol that refuses connections of banned peers and of too
//! many strangers before any stream is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::limits::NetLimits;
use super::reputation::Reputation;

/// Why the door stayed shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The peer is banned for now.
    #[error("peer is banned for a while")]
    Banned,
    /// As many strangers are connected as may be.
    #[error("too many peers that are not members are connected")]
    Strangers,
    /// As many strangers from this address are connected as may be.
    #[error("too many peers that are not members are connected from this address")]
    StrangersPerIp,
}

/// Who is connected, who is a member, who is banned.
pub(super) struct Gate {
    pub(super) reputation: Reputation,
    members: BTreeSet<PeerId>,
    connections: BTreeMap<PeerId, BTreeMap<ConnectionId, Option<IpAddr>>>,
    strangers_max: usize,
    strangers_per_ip_max: usize,
}

impl Gate {
    pub(super) fn new(limits: &NetLimits) -> Self {
        Self {
            reputation: Reputation::new(limits),
            members: BTreeSet::new(),
            connections: BTreeMap::new(),
            strangers_max: limits.strangers_max,
            strangers_per_ip_max: limits.strangers_per_ip_max,
        }
    }

    pub(super) fn set_members(&mut self, members: BTreeSet<PeerId>) {
        self.members = members;
    }

    pub(super) fn is_member(&self, peer: &PeerId) -> bool {
        self.members.contains(peer)
    }

    fn check_inbound(&self, peer: &PeerId, from: Option<IpAddr>) -> Result<(), Refusal> {
        self.check_banned(peer)?;
        if self.is_member(peer) || self.connections.contains_key(peer) {
            return Ok(());
        }
        let strangers = self.connections.iter().filter(|(other, _)| !self.is_member(other));
        if strangers.clone().count() >= self.strangers_max {
            return Err(Refusal::Strangers);
        }
        let same_ip = |ips: &BTreeMap<_, Option<IpAddr>>| {
            from.is_some() && ips.values().any(|ip| *ip == from)
        };
        if strangers.filter(|(_, ips)| same_ip(ips)).count() >= self.strangers_per_ip_max {
            return Err(Refusal::StrangersPerIp);
        }
        Ok(())
    }

    fn check_banned(&self, peer: &PeerId) -> Result<(), Refusal> {
        if self.reputation.is_banned(peer, Instant::now()) { Err(Refusal::Banned) } else { Ok(()) }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_inbound(&peer, ip_of(remote)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if let Some(peer) = peer {
            self.check_banned(&peer).map_err(ConnectionDenied::new)?;
        }
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_banned(&peer).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let ip = ip_of(event.endpoint.get_remote_address());
                self.connections.entry(event.peer_id).or_default().insert(event.connection_id, ip);
            }
            FromSwarm::ConnectionClosed(event) => {
                if event.remaining_established == 0 {
                    self.connections.remove(&event.peer_id);
                } else if let Some(open) = self.connections.get_mut(&event.peer_id) {
                    open.remove(&event.connection_id);
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// The IP address at the start of a multiaddr.
fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(strangers_max: usize, per_ip: usize) -> Gate {
        Gate::new(&NetLimits {
            strangers_max,
            strangers_per_ip_max: per_ip,
            ..NetLimits::default()
        })
    }

    fn admit(gate: &mut Gate, peer: PeerId, ip: Option<IpAddr>) {
        let id = ConnectionId::new_unchecked(gate.connections.len());
        gate.connections.entry(peer).or_default().insert(id, ip);
    }

    #[test]
    fn strangers_are_counted_and_members_are_not() {
        let mut gate = gate(2, 8);
        let member = PeerId::random();
        gate.set_members(BTreeSet::from([member]));
        admit(&mut gate, member, None);
        for _ in 0..2 {
            let stranger = PeerId::random();
            assert_eq!(gate.check_inbound(&stranger, None), Ok(()));
            admit(&mut gate, stranger, None);
        }
        assert_eq!(gate.check_inbound(&PeerId::random(), None), Err(Refusal::Strangers));
        assert_eq!(gate.check_inbound(&member, None), Ok(()));
    }

    #[test]
    fn strangers_of_one_address_are_counted_apart() {
        let mut gate = gate(8, 1);
        let here = Some(IpAddr::from([10, 0, 0, 1]));
        admit(&mut gate, PeerId::random(), here);
        assert_eq!(gate.check_inbound(&PeerId::random(), here), Err(Refusal::StrangersPerIp));
        let there = Some(IpAddr::from([10, 0, 0, 2]));
        assert_eq!(gate.check_inbound(&PeerId::random(), there), Ok(()));
    }

    #[test]
    fn a_banned_member_stays_out() {
        let mut gate = gate(8, 8);
        let member = PeerId::random();
        gate.set_members(BTreeSet::from([member]));
        gate.reputation.ban(member, true, Instant::now());
        assert_eq!(gate.check_inbound(&member, None), Err(Refusal::Banned));
    }
}
