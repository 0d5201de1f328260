//! All protocols that a node speaks, as one behaviour.

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, autonat, connection_limits, dcutr, identify, kad, mdns, memory_connection_limits, ping,
    relay, request_response,
};

use super::codec::FrameCodec;
use super::config::{NetConfig, NetError};
use super::gate::Gate;
use super::late_ping::LatePing;
use super::limits::NetLimits;
use super::member_relay::MemberRelay;
use super::names::Names;
use super::scoring::{self, Gossip};

/// The door first, then the protocols. What is optional is off unless configured, so that the
/// list of protocols that `identify` sends stays short. The relay client is not optional: without it
/// a node reaches no member that stands behind a relay.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    limits: connection_limits::Behaviour,
    memory: Toggle<memory_connection_limits::Behaviour>,
    pub(super) identify: identify::Behaviour,
    ping: LatePing,
    pub(super) gossip: Gossip,
    pub(super) sync: request_response::Behaviour<FrameCodec>,
    pub(super) kad: kad::Behaviour<MemoryStore>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) relay_server: Toggle<MemberRelay>,
    relay_client: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    autonat_client: Toggle<autonat::v2::client::Behaviour>,
    autonat_server: Toggle<autonat::v2::server::Behaviour>,
}

/// A ping without an answer for so long has failed.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// Protocol family shown by `identify`; the federation is in the protocol names.
const PROTOCOL_VERSION: &str = "hutong/1";

impl Behaviour {
    /// Builds every part that `config` asks for.
    pub(super) fn new(
        key: &Keypair,
        config: &NetConfig,
        names: &Names,
        relay_client: relay::client::Behaviour,
    ) -> Result<Self, NetError> {
        let me = key.public().to_peer_id();
        let limits = &config.limits;
        let gossip =
            scoring::gossip(key).map_err(|reason| NetError::Part { part: "gossipsub", reason })?;
        Ok(Self {
            gate: Gate::new(limits),
            limits: connection_limits::Behaviour::new(connection_limits(limits)),
            memory: limits
                .memory_bytes_max
                .map(memory_connection_limits::Behaviour::with_max_bytes)
                .into(),
            identify: identify::Behaviour::new(identify_config(key, config)),
            ping: LatePing::new(
                ping::Config::new().with_interval(config.ping_interval).with_timeout(PING_TIMEOUT),
            ),
            gossip,
            sync: sync(names, limits),
            kad: kademlia(me, names, config.public),
            mdns: mdns(config, me)?.into(),
            relay_server: config.relay_server.then(|| MemberRelay::new(me)).into(),
            relay_client,
            dcutr: dcutr::Behaviour::new(me),
            autonat_client: config.autonat.then(autonat::v2::client::Behaviour::default).into(),
            autonat_server: (config.autonat && config.public)
                .then(autonat::v2::server::Behaviour::default)
                .into(),
        })
    }
}

fn connection_limits(limits: &NetLimits) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_inbound_max))
        .with_max_pending_outgoing(Some(limits.pending_outbound_max))
        .with_max_established(Some(limits.connections_max))
        .with_max_established_per_peer(Some(limits.connections_per_peer_max))
}

/// Short, and repeated rarely: a quarter of an hour.
fn identify_config(key: &Keypair, config: &NetConfig) -> identify::Config {
    let agent: String = config.agent.chars().take(64).collect();
    identify::Config::new(PROTOCOL_VERSION.to_owned(), key.public())
        .with_agent_version(agent)
        .with_interval(Duration::from_mins(15))
        .with_push_listen_addr_updates(false)
        // Whoever names external addresses wants to be reached there and not elsewhere.
        .with_hide_listen_addrs(!config.external.is_empty())
        .with_cache_size(0)
}

fn sync(names: &Names, limits: &NetLimits) -> request_response::Behaviour<FrameCodec> {
    let config = request_response::Config::default()
        .with_request_timeout(limits.request_timeout)
        .with_max_concurrent_streams(limits.streams_per_connection_max);
    let protocols = [(names.sync.clone(), request_response::ProtocolSupport::Full)];
    request_response::Behaviour::new(protocols, config)
}

/// Kademlia finds addresses of members that cannot be reached at their known ones, nothing else:
/// no records are kept, no periodic bootstrap runs, peers enter the table only for a lookup.
fn kademlia(me: PeerId, names: &Names, public: bool) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(names.kad.clone());
    config
        .set_periodic_bootstrap_interval(None)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_query_timeout(Duration::from_secs(20))
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None);
    if let Some(parallel) = NonZeroUsize::new(3) {
        config.set_parallelism(parallel);
    }
    let mut kad = kad::Behaviour::with_config(me, MemoryStore::new(me), config);
    kad.set_mode(Some(if public { kad::Mode::Server } else { kad::Mode::Client }));
    kad
}

fn mdns(config: &NetConfig, me: PeerId) -> Result<Option<mdns::tokio::Behaviour>, NetError> {
    if !config.mdns {
        return Ok(None);
    }
    mdns::tokio::Behaviour::new(mdns::Config::default(), me)
        .map(Some)
        .map_err(|error| NetError::Part { part: "mdns", reason: error.to_string() })
}
