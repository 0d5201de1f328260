//! The event loop: owns the swarm and all books.

mod commands;
mod gossip;
mod swarm;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::gossipsub::TopicHash;
use libp2p::kad;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, Swarm};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};

use super::bandwidth::Bandwidth;
use super::behaviour::Behaviour;
use super::dial::{Dial, Dialer};
use super::event::NetEvent;
use super::handle::Command;
use super::limits::NetLimits;
use super::lookup::Lookups;
use super::metrics::NetMetrics;
use super::names::Names;
use super::outbox::Outbox;
use super::peers::Peer;
use super::relays::Relays;
use super::requests::Requests;
use super::scoring;
use super::verdicts::Verdicts;

/// Housekeeping happens at least so often.
const TICK: Duration = Duration::from_secs(1);

/// Peers are dialed for the scopes that they follow so long after the others, and chosen anew so often.
const CHOOSE_EVERY: Duration = Duration::from_secs(5);

/// A connected peer must have shown within this time that it belongs to the federation.
const CONFIRM_WITHIN: Duration = Duration::from_secs(20);

/// Goodbyes are given so long at shutdown.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// The network task.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    names: Names,
    limits: NetLimits,
    commands: mpsc::Receiver<Command>,
    outbox: Outbox,
    dialer: Dialer,
    /// Dials in flight of addresses without a known peer.
    places: BTreeMap<ConnectionId, Multiaddr>,
    peers: BTreeMap<PeerId, Peer>,
    publishers: BTreeSet<PeerId>,
    /// Scopes of this node that not everybody follows, with the places by which the dialer knows them.
    scopes: BTreeMap<String, u16>,
    requests: Requests,
    verdicts: Verdicts,
    lookups: Lookups,
    /// A peer has searched here since the last housekeeping.
    searched: bool,
    relays: Relays,
    bandwidth: Bandwidth,
    metrics: Arc<NetMetrics>,
    wake: Instant,
    tick: Instant,
    /// When to choose anew who is dialed for the scopes that it follows.
    choose: Instant,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        names: Names,
        limits: NetLimits,
        commands: mpsc::Receiver<Command>,
        outbox: Outbox,
        (dialer, relays, bandwidth, metrics): (Dialer, Relays, Bandwidth, Arc<NetMetrics>),
    ) -> Self {
        let now = Instant::now();
        Self {
            swarm,
            names,
            limits,
            commands,
            outbox,
            dialer,
            places: BTreeMap::new(),
            peers: BTreeMap::new(),
            publishers: BTreeSet::new(),
            scopes: BTreeMap::new(),
            requests: Requests::default(),
            verdicts: Verdicts::default(),
            lookups: Lookups::default(),
            searched: false,
            relays,
            bandwidth,
            metrics,
            wake: now,
            tick: now + TICK,
            choose: now + CHOOSE_EVERY,
        }
    }

    /// Runs until told to stop, until nobody can give commands, or until nobody reads events.
    pub(super) async fn run(mut self) {
        let space = self.outbox.sender();
        let stopped = loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(reply)) => break Some(reply),
                    Some(command) => self.command(command),
                    None => break None,
                },
                event = self.swarm.select_next_some() => self.swarm_event(event),
                permit = space.reserve(), if self.outbox.is_waiting() => {
                    drop(permit);
                    self.outbox.drain();
                }
                () = space.closed() => break None,
                () = tokio::time::sleep_until(self.wake.into()) => self.wake_up(),
            }
        };
        Box::pin(self.close(stopped)).await;
    }

    /// Says goodbye, lets go of every port, and only then answers.
    async fn close(mut self, reply: Option<oneshot::Sender<()>>) {
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            // An error means that the peer is gone already.
            self.swarm.disconnect_peer_id(peer).unwrap_or_default();
        }
        let goodbyes = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(CLOSE_WITHIN, goodbyes).await.is_err() {
            tracing::debug!("some peers did not close in time");
        }
        drop(self);
        if let Some(reply) = reply {
            // Nobody waits any more: nothing to tell.
            reply.send(()).unwrap_or_default();
        }
    }

    fn wake_up(&mut self) {
        let now = Instant::now();
        if now >= self.tick {
            self.tick = now + TICK;
            self.housekeep(now);
        }
        self.plan(now);
    }

    /// Starts the dials that are due and sets when to look again.
    fn plan(&mut self, now: Instant) {
        for dial in self.dialer.due(now) {
            self.metrics.dials_started.add();
            self.start_dial(dial, now);
        }
        let next = self.dialer.next().unwrap_or(self.tick);
        self.wake = next.clamp(now, self.tick.max(now));
    }

    fn start_dial(&mut self, dial: Dial, now: Instant) {
        // New ports: dialing from the listening port would meet a peer's dial in flight head-on.
        match dial {
            Dial::Peer(peer, addresses) => {
                let options =
                    DialOpts::peer_id(peer).addresses(addresses).allocate_new_port().build();
                if let Err(error) = self.swarm.dial(options) {
                    tracing::debug!(%peer, %error, "dial not started");
                    self.metrics.dials_failed.add();
                    if self.peers.contains_key(&peer) {
                        self.dialer.connected(peer, now);
                    } else {
                        self.dialer.failed(peer, now);
                    }
                }
            }
            Dial::Address(address) => {
                let options = DialOpts::unknown_peer_id()
                    .address(address.clone())
                    .allocate_new_port()
                    .build();
                self.places.insert(options.connection_id(), address.clone());
                if let Err(error) = self.swarm.dial(options) {
                    tracing::debug!(%address, %error, "dial not started");
                    self.metrics.dials_failed.add();
                    self.places.retain(|_, other| *other != address);
                    if matches!(error, DialError::NoAddresses) {
                        // The swarm strikes out what this node itself listens on.
                        self.dialer.forget_address(&address);
                    } else {
                        self.dialer.failed_address(&address, now);
                    }
                }
            }
        }
    }

    /// Once a second: whatever has a deadline.
    fn housekeep(&mut self, now: Instant) {
        for late in self.requests.overdue(now) {
            self.request_failed(late, super::event::RequestFailure::Timeout);
        }
        for late in self.verdicts.overdue(now) {
            self.report(&late, super::event::Verdict::Ignore);
        }
        self.check_peers(now);
        self.swarm.behaviour_mut().gate.reputation.sweep(now);
        if std::mem::take(&mut self.searched) {
            self.fill_table();
        }
        self.search_lost(now);
        self.reserve_circuits(now);
        if now >= self.choose {
            self.choose = now + CHOOSE_EVERY;
            let told = self.subscriptions();
            self.dialer.choose_sharers(&told, now);
        }
    }

    /// Which scopes of this node its peers listen to. Those who listen to nothing have not told yet.
    fn subscriptions(&self) -> BTreeMap<PeerId, Vec<u16>> {
        let peers = self.swarm.behaviour().gossip.all_peers();
        let told = peers.filter(|(_, topics)| !topics.is_empty());
        let place = |topic: &TopicHash| self.scopes.get(topic.as_str()).copied();
        told.map(|(peer, topics)| (*peer, topics.into_iter().filter_map(place).collect())).collect()
    }

    /// Lets go of peers that proved nothing, ask nothing, or behave badly in gossip.
    fn check_peers(&mut self, now: Instant) {
        let mut leave = Vec::new();
        let mut bad = Vec::new();
        for (peer, state) in &self.peers {
            let unproven =
                !state.announced && now.saturating_duration_since(state.since) >= CONFIRM_WITHIN;
            let idle = !state.is_member
                && !self.dialer.is_wanted(peer)
                && now.saturating_duration_since(state.active) >= self.limits.stranger_idle;
            if unproven || idle {
                leave.push((
                    *peer,
                    if unproven { "it did not identify itself" } else { "it is idle" },
                ));
            } else if self
                .swarm
                .behaviour()
                .gossip
                .peer_score(peer)
                .is_some_and(|s| s < scoring::SCORE_MIN)
            {
                bad.push(*peer);
            }
        }
        for (peer, reason) in leave {
            self.hang_up(peer, reason);
        }
        for peer in bad {
            self.ban(peer, "its gossip score is too low", now);
        }
    }

    /// Searches for one member that cannot be found, if any peer answers searches.
    fn search_lost(&mut self, now: Instant) {
        let lost: Vec<PeerId> = self.dialer.lost().collect();
        let Some(lost) = self.lookups.choose(&lost, now) else { return };
        if self.fill_table() {
            let query = self.swarm.behaviour_mut().kad.get_closest_peers(lost);
            tracing::debug!(peer = %lost, "searching for the address of a member");
            self.lookups.started(lost, query, now);
        }
    }

    /// Puts the connected peers that answer searches into the Kademlia table. Done only when a
    /// search is made or met: a new entry makes Kademlia ask around, which is not worth its bytes
    /// among nodes that know each other. False if there are none.
    fn fill_table(&mut self) -> bool {
        let kad: &mut kad::Behaviour<_> = &mut self.swarm.behaviour_mut().kad;
        let mut any = false;
        for (peer, state) in &self.peers {
            for address in &state.kad {
                kad.add_address(peer, address.clone());
                any = true;
            }
        }
        any
    }

    fn reserve_circuits(&mut self, now: Instant) {
        let peers = &self.peers;
        for circuit in self.relays.due(now, |peer| peers.get(peer).is_some_and(|p| p.announced)) {
            match self.swarm.listen_on(circuit.clone()) {
                Ok(listener) => self.relays.listening(&circuit, listener),
                Err(error) => tracing::warn!(%circuit, %error, "no reservation at this relay"),
            }
        }
    }

    /// Holds `points` against a peer and bans it at the limit.
    fn penalise(&mut self, peer: PeerId, points: f64, reason: &str, now: Instant) {
        let behaviour = self.swarm.behaviour_mut();
        let is_member = behaviour.gate.is_member(&peer);
        let ban = behaviour.gate.reputation.penalise(peer, points, is_member, now);
        let total = behaviour.gate.reputation.points(&peer, now);
        behaviour.gossip.set_application_score(&peer, -total);
        if let Some(length) = ban {
            self.banned(peer, reason, length);
        }
    }

    fn ban(&mut self, peer: PeerId, reason: &str, now: Instant) {
        let gate = &mut self.swarm.behaviour_mut().gate;
        let is_member = gate.is_member(&peer);
        let length = gate.reputation.ban(peer, is_member, now);
        self.banned(peer, reason, length);
    }

    fn banned(&mut self, peer: PeerId, reason: &str, length: Duration) {
        self.metrics.bans.add();
        tracing::warn!(%peer, seconds = length.as_secs(), reason, "peer is banned for a while");
        self.hang_up(peer, reason);
    }

    /// Closes all connections of a peer. Open requests fail as their connections close.
    fn hang_up(&mut self, peer: PeerId, reason: &str) {
        if self.swarm.disconnect_peer_id(peer).is_ok() {
            tracing::info!(%peer, reason, "disconnecting");
        }
    }

    /// Tells the node of a peer, once.
    fn announce(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.announced {
            return;
        }
        state.announced = true;
        let address =
            state.connections.values().next().map(|c| c.address.to_string()).unwrap_or_default();
        self.outbox.deliver(NetEvent::PeerConnected { peer: peer.to_base58(), address });
    }
}
