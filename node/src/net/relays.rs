//! Reservations at relays: a listener per relay, renewed when it is lost.

use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::config::NetError;
use super::dial::peer_of;

/// Pause after a lost or refused reservation.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Relay {
    address: Multiaddr,
    peer: PeerId,
    listener: Option<ListenerId>,
    due: Instant,
}

/// The relays of the configuration.
#[derive(Debug, Default)]
pub(super) struct Relays(Vec<Relay>);

impl Relays {
    pub(super) fn new(addresses: Vec<Multiaddr>, now: Instant) -> Result<Self, NetError> {
        let relay = |address: Multiaddr| {
            let peer =
                peer_of(&address).ok_or_else(|| NetError::RelayWithoutPeer(address.to_string()))?;
            Ok(Relay { address, peer, listener: None, due: now })
        };
        addresses.into_iter().map(relay).collect::<Result<_, _>>().map(Self)
    }

    /// Circuit addresses to listen on now, of relays for which `connected` holds.
    pub(super) fn due(
        &mut self,
        now: Instant,
        connected: impl Fn(&PeerId) -> bool,
    ) -> Vec<Multiaddr> {
        let due = self
            .0
            .iter_mut()
            .filter(|relay| relay.listener.is_none() && relay.due <= now && connected(&relay.peer));
        due.map(|relay| {
            relay.due = now + PAUSE;
            relay.address.clone().with(Protocol::P2pCircuit)
        })
        .collect()
    }

    pub(super) fn listening(&mut self, circuit: &Multiaddr, listener: ListenerId) {
        for relay in &mut self.0 {
            if relay.address.clone().with(Protocol::P2pCircuit) == *circuit {
                relay.listener = Some(listener);
            }
        }
    }

    /// A new connection with a relay is a new chance: it may know this node as a member by now.
    pub(super) fn connected(&mut self, peer: &PeerId, now: Instant) {
        for relay in self.0.iter_mut().filter(|relay| relay.peer == *peer) {
            relay.due = now;
        }
    }

    pub(super) fn closed(&mut self, listener: ListenerId, now: Instant) {
        for relay in self.0.iter_mut().filter(|relay| relay.listener == Some(listener)) {
            relay.listener = None;
            relay.due = now + PAUSE;
        }
    }
}
