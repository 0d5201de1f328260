//! The relay server, for members only.
//!
//! A connection with a peer that is no member has no relay protocol: the peer gets no reservation and opens no
//! circuit. The relay's own configuration knows limits by rate, but nobody by name. Who a peer is, is decided when
//! the connection opens; [`MemberRelay::set_members`] names the peers that must connect again.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId, relay};

/// Reservations at one time: the counties of the largest province, three times over.
const RESERVATIONS_MAX: usize = 512;

/// Circuits at one time, and of one member.
const CIRCUITS_MAX: usize = 256;
const CIRCUITS_PER_PEER_MAX: usize = 16;

/// A circuit lasts so long at most: members that cannot punch a hole open it again once an hour.
const CIRCUIT_MAX: Duration = Duration::from_hours(1);

/// Bytes of one circuit at most, in each direction: 64 of the largest frames.
const CIRCUIT_BYTES_MAX: u64 = 256 << 20;

/// A relay server that knows who the members are.
pub(super) struct MemberRelay {
    inner: relay::Behaviour,
    members: BTreeSet<PeerId>,
    /// Direct connections, and whether each has the relay protocol.
    connections: BTreeMap<PeerId, BTreeMap<ConnectionId, bool>>,
}

impl MemberRelay {
    pub(super) fn new(me: PeerId) -> Self {
        let config = relay::Config {
            max_reservations: RESERVATIONS_MAX,
            max_circuits: CIRCUITS_MAX,
            max_circuits_per_peer: CIRCUITS_PER_PEER_MAX,
            max_circuit_duration: CIRCUIT_MAX,
            max_circuit_bytes: CIRCUIT_BYTES_MAX,
            ..relay::Config::default()
        };
        Self {
            inner: relay::Behaviour::new(me, config),
            members: BTreeSet::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Replaces the members. Returns the connected peers that have become members, or are members no more: what
    /// they may do changes only with a new connection.
    pub(super) fn set_members(&mut self, members: BTreeSet<PeerId>) -> Vec<PeerId> {
        self.members = members;
        let changed = self.connections.iter().filter(|(peer, open)| {
            let is_member = self.members.contains(peer);
            open.values().any(|served| *served != is_member)
        });
        changed.map(|(peer, _)| *peer).collect()
    }

    /// Whether the next connection with `peer` may carry the relay protocol.
    fn serves(&self, peer: &PeerId, is_relayed: bool) -> bool {
        !is_relayed && self.members.contains(peer)
    }

    fn is_served(&self, peer: &PeerId, id: ConnectionId) -> bool {
        self.connections.get(peer).and_then(|open| open.get(&id)).copied().unwrap_or(false)
    }
}

fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

impl NetworkBehaviour for MemberRelay {
    type ConnectionHandler = THandler<relay::Behaviour>;
    type ToSwarm = relay::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.serves(&peer, is_relayed(local)) {
            self.inner.handle_established_inbound_connection(id, peer, local, remote)
        } else {
            Ok(Either::Right(dummy::ConnectionHandler))
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.serves(&peer, is_relayed(address)) {
            self.inner.handle_established_outbound_connection(id, peer, address, role, port)
        } else {
            Ok(Either::Right(dummy::ConnectionHandler))
        }
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(open) => {
                let relayed = open.endpoint.is_relayed();
                let served = self.serves(&open.peer_id, relayed);
                if !relayed {
                    let connections = self.connections.entry(open.peer_id).or_default();
                    connections.insert(open.connection_id, served);
                }
                // The relay must not know of connections that do not speak its protocol: it would send them its
                // handler's events.
                if served {
                    self.inner.on_swarm_event(event);
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                let served = self.is_served(&closed.peer_id, closed.connection_id);
                if let Some(open) = self.connections.get_mut(&closed.peer_id) {
                    open.remove(&closed.connection_id);
                    if open.is_empty() {
                        self.connections.remove(&closed.peer_id);
                    }
                }
                if served {
                    self.inner.on_swarm_event(event);
                }
            }
            _ => self.inner.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(context)
    }
}
