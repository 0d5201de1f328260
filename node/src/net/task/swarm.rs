//! Events of the swarm.

use std::time::Instant;

use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, kad, mdns, ping};

use super::super::behaviour::BehaviourEvent;
use super::super::event::NetEvent;
use super::super::limits::ADDRESSES_PER_PEER_MAX;
use super::super::peers::{Connection, Peer};
use super::Task;

/// So many pings without an answer end a connection.
const PINGS_FAILED_MAX: u32 = 2;

impl Task {
    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.opened(peer_id, connection_id, endpoint.get_remote_address().clone());
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, left = num_established, "connection closed");
                self.closed(peer_id, connection_id, num_established);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.dial_failed(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.metrics.inbound_failed.add();
                tracing::debug!(from = %send_back_addr, %error, "inbound connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                // The driver tells the operator.
                self.outbox.deliver(NetEvent::Listening { address: address.to_string() });
            }
            SwarmEvent::ListenerClosed { listener_id, reason, addresses } => {
                tracing::info!(?addresses, ?reason, "listener closed");
                self.metrics.listeners_closed.add();
                self.relays.closed(listener_id, Instant::now());
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener error"),
            SwarmEvent::ExternalAddrConfirmed { address } => {
                tracing::info!(%address, "reachable from outside");
            }
            other => tracing::trace!(event = ?other, "swarm"),
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.gossip_event(event),
            BehaviourEvent::Sync(event) => self.sync_event(event),
            BehaviourEvent::Identify(event) => self.identify_event(event),
            BehaviourEvent::Ping(event) => self.pinged(&event),
            BehaviourEvent::Kad(event) => self.kad_event(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.discovered(found),
            BehaviourEvent::Mdns(mdns::Event::Expired(_)) => {}
            BehaviourEvent::RelayServer(event) => tracing::debug!(?event, "relay server"),
            BehaviourEvent::RelayClient(event) => tracing::info!(?event, "relay client"),
            BehaviourEvent::Dcutr(event) => tracing::debug!(?event, "hole punching"),
            BehaviourEvent::AutonatClient(event) => tracing::debug!(?event, "reachability"),
            BehaviourEvent::AutonatServer(event) => {
                tracing::trace!(?event, "reachability of a peer");
            }
        }
    }

    fn opened(&mut self, peer: PeerId, id: ConnectionId, address: Multiaddr) {
        let now = Instant::now();
        self.metrics.connections_opened.add();
        let is_member = self.swarm.behaviour().gate.is_member(&peer);
        let limits = &self.limits;
        let state = self.peers.entry(peer).or_insert_with(|| Peer::new(is_member, limits, now));
        state.connections.insert(id, Connection { address, pings_failed: 0 });
        if let Some(place) = self.places.remove(&id) {
            self.dialer.reached(&place, peer, now);
        }
        self.dialer.connected(peer, now);
        self.relays.connected(&peer, now);
        self.plan(now);
    }

    fn closed(&mut self, peer: PeerId, id: ConnectionId, left: u32) {
        let now = Instant::now();
        self.metrics.connections_closed.add();
        if left > 0 {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.connections.remove(&id);
            }
            return;
        }
        self.bandwidth.forget(&peer);
        self.dialer.disconnected(peer, now);
        if self.peers.remove(&peer).is_some_and(|state| state.announced) {
            self.outbox.deliver(NetEvent::PeerDisconnected { peer: peer.to_base58() });
        }
        self.plan(now);
    }

    fn dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        let now = Instant::now();
        self.metrics.dials_failed.add();
        tracing::debug!(?peer, %error, "dial failed");
        if let DialError::LocalPeerId { address } = error {
            self.dialer.forget_address(address);
        }
        match (self.places.remove(&id), peer) {
            (Some(place), _) if matches!(error, DialError::LocalPeerId { .. }) => {
                self.dialer.forget_address(&place);
            }
            (Some(place), _) => self.dialer.failed_address(&place, now),
            (None, Some(peer)) if self.peers.contains_key(&peer) => {
                self.dialer.connected(peer, now);
            }
            (None, Some(peer)) => {
                self.dialer.failed(peer, now);
            }
            (None, None) => {}
        }
        self.plan(now);
    }

    fn identify_event(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received { peer_id, info, .. } => self.identified(peer_id, info),
            identify::Event::Error { peer_id, error, .. } => {
                tracing::debug!(peer = %peer_id, %error, "identify failed");
            }
            identify::Event::Sent { .. } | identify::Event::Pushed { .. } => {}
        }
    }

    /// A peer told who it is: one of this federation is announced, any other turned away.
    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        let now = Instant::now();
        if !info.protocols.contains(&self.names.sync) {
            let met = info.protocols.iter().find(|name| name.as_ref().ends_with("/sync/1"));
            let met = met.map_or("none", |name| name.as_ref());
            tracing::warn!(%peer, expected = %self.names.sync, met, "peer belongs to another federation");
            self.metrics.wrong_federation.add();
            self.dialer.postpone(peer, now);
            let gate = &mut self.swarm.behaviour_mut().gate;
            gate.reputation.ban(peer, false, now);
            self.hang_up(peer, "it belongs to another federation");
            self.plan(now);
            return;
        }
        let addresses: Vec<_> =
            info.listen_addrs.into_iter().take(ADDRESSES_PER_PEER_MAX).collect();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.agent = info.agent_version.chars().filter(|c| !c.is_control()).take(64).collect();
            state.kad.clear();
            if info.protocols.contains(&self.names.kad) {
                state.kad.clone_from(&addresses);
            }
        }
        self.dialer.learn(&peer, addresses);
        self.announce(peer);
    }

    fn pinged(&mut self, event: &ping::Event) {
        let Some(state) = self.peers.get_mut(&event.peer) else { return };
        let Some(connection) = state.connections.get_mut(&event.connection) else { return };
        match &event.result {
            Ok(rtt) => {
                connection.pings_failed = 0;
                state.rtt = Some(*rtt);
            }
            Err(ping::Failure::Timeout) => {
                connection.pings_failed += 1;
                if connection.pings_failed >= PINGS_FAILED_MAX {
                    tracing::info!(peer = %event.peer, "pings are not answered; closing the connection");
                    self.swarm.close_connection(event.connection);
                }
            }
            Err(failure) => tracing::debug!(peer = %event.peer, %failure, "ping failed"),
        }
    }

    fn kad_event(&mut self, event: kad::Event) {
        let (id, result, step) = match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => (id, result, step),
            kad::Event::InboundRequest { .. } => {
                // At the next housekeeping, so that many requests cost no more than one.
                self.searched = true;
                return;
            }
            _ => return,
        };
        if step.last {
            self.lookups.finished(id);
        }
        let kad::QueryResult::GetClosestPeers(Ok(found)) = result else { return };
        let now = Instant::now();
        for info in found.peers {
            if self.dialer.learn(&info.peer_id, info.addrs) {
                self.dialer.hurry(&info.peer_id, now);
            }
        }
        self.plan(now);
    }

    /// Peers on the local network: wanted ones get an address, others are tried once while this
    /// node has few peers, since it may not know the members yet.
    fn discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let now = Instant::now();
        for (peer, address) in found.into_iter().take(256) {
            if self.dialer.is_wanted(&peer) {
                if self.dialer.learn(&peer, [address]) {
                    self.dialer.hurry(&peer, now);
                }
            } else if self.peers.len() < self.limits.peers_target.min(self.limits.strangers_max) {
                let options =
                    libp2p::swarm::dial_opts::DialOpts::peer_id(peer).addresses(vec![address]);
                if let Err(error) = self.swarm.dial(options.allocate_new_port().build()) {
                    tracing::debug!(%peer, %error, "peer on the local network not dialed");
                }
            }
        }
        self.plan(now);
    }
}
