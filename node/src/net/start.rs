//! Starts the network.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::Swarm;
use libp2p::{Multiaddr, swarm};
use tokio::sync::mpsc;

use super::bandwidth::Bandwidth;
use super::behaviour::Behaviour;
use super::config::{NetConfig, NetError, addresses};
use super::dial::Dialer;
use super::event::NetEvent;
use super::handle::NetHandle;
use super::metrics::NetMetrics;
use super::names::Names;
use super::outbox::Outbox;
use super::relays::Relays;
use super::task::Task;
use super::transport;

/// The network. Has no value: see [`Net::start`].
#[derive(Debug)]
pub enum Net {}

/// Connections without a stream stay open: members are to be at hand at any time. Strangers are
/// disconnected earlier by [`NetLimits::stranger_idle`](super::NetLimits::stranger_idle).
const IDLE_MAX: Duration = Duration::from_hours(720);

/// Addresses of one peer that are tried at a time.
const DIALS_PARALLEL: u8 = 4;

impl Net {
    /// Starts listening and dialing in a task of the current tokio runtime.
    ///
    /// The task ends at [`NetHandle::shutdown`] or when the receiver or all handles are dropped.
    ///
    /// # Errors
    ///
    /// [`NetError`] if the configuration is wrong or a port cannot be taken.
    pub fn start(config: &NetConfig) -> Result<(NetHandle, mpsc::Receiver<NetEvent>), NetError> {
        let now = Instant::now();
        let limits = config.limits.clone();
        let names = Names::new(&config.federation)?;
        let listen = addresses("listen", &config.listen)?;
        let external = addresses("external", &config.external)?;
        let bootstrap = addresses("bootstrap", &config.bootstrap)?;
        let relays = addresses("relay", &config.relays)?;
        let key = config.secret.keypair();
        let bandwidth = Bandwidth::default();
        let mut swarm = swarm(&key, config, &names, &bandwidth)?;
        enter(&mut swarm, listen, external)?;
        let me = *swarm.local_peer_id();
        let mut dialer = Dialer::new(me, &limits);
        for address in bootstrap.into_iter().chain(relays.iter().cloned()) {
            if !dialer.add_bootstrap(address.clone(), now) {
                tracing::warn!(%address, "too many bootstrap addresses; this one is left out");
            }
        }
        let (commands, receiver) = mpsc::channel(limits.commands_max.max(1));
        let (sender, events) = mpsc::channel(limits.events_max.max(1));
        let metrics = Arc::new(NetMetrics::default());
        let relays = Relays::new(relays, now)?;
        let outbox = Outbox::new(sender);
        let books = (dialer, relays, bandwidth, Arc::clone(&metrics));
        let mut task = Task::new(swarm, names, limits, receiver, outbox, books);
        task.subscribe(&config.scopes);
        tokio::spawn(task.run());
        Ok((NetHandle { commands, metrics, local_peer: me.to_base58().into() }, events))
    }
}

fn swarm(
    key: &Keypair,
    config: &NetConfig,
    names: &Names,
    bandwidth: &Bandwidth,
) -> Result<Swarm<Behaviour>, NetError> {
    let (stack, relay_client) = transport::build(key, bandwidth)?;
    let behaviour = Behaviour::new(key, config, names, relay_client)?;
    let mut settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_MAX)
        .with_max_negotiating_inbound_streams(64)
        // Saves a round trip for each stream: there is but one version of each protocol to offer.
        .with_substream_upgrade_protocol_override(libp2p::core::upgrade::Version::V1Lazy);
    if let Some(parallel) = std::num::NonZeroU8::new(DIALS_PARALLEL) {
        settings = settings.with_dial_concurrency_factor(parallel);
    }
    Ok(Swarm::new(stack, behaviour, key.public().to_peer_id(), settings))
}

/// Refuses a TCP port that is in use. The transport would share it with another node of the same user, and peers
/// would reach either of the two.
fn check_port_is_free(address: &Multiaddr) -> Result<(), NetError> {
    let mut parts = address.iter();
    let (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) = (parts.next(), parts.next()) else {
        return Ok(());
    };
    match TcpListener::bind((ip, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Err(NetError::Listen { address: address.to_string(), source: Box::new(error) })
        }
        // Whatever else is wrong the transport says.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Takes the ports and makes the external addresses known.
fn enter(
    swarm: &mut Swarm<Behaviour>,
    listen: Vec<Multiaddr>,
    external: Vec<Multiaddr>,
) -> Result<(), NetError> {
    for address in &listen {
        check_port_is_free(address)?;
    }
    for address in listen {
        swarm.listen_on(address.clone()).map_err(|error| NetError::Listen {
            address: address.to_string(),
            source: Box::new(error),
        })?;
    }
    for address in external {
        swarm.add_external_address(address);
    }
    Ok(())
}
