//! The transport stack: TCP with Noise and Yamux, QUIC, DNS names, circuits through relays.

use std::time::Duration;

use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, dns, noise, quic, relay, tcp, yamux};

use super::bandwidth::Bandwidth;
use super::config::NetError;

/// What the swarm sits on.
pub(super) type Stack = Boxed<(PeerId, StreamMuxerBox)>;

/// A connection must be negotiated within this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(15);

/// Streams on one Yamux or QUIC connection.
const STREAMS_MAX: u16 = 512;

/// Builds the stack, with the half of the relay client that it needs.
pub(super) fn build(
    key: &Keypair,
    bandwidth: &Bandwidth,
) -> Result<(Stack, relay::client::Behaviour), NetError> {
    let noise = noise::Config::new(key)
        .map_err(|error| NetError::Part { part: "noise", reason: error.to_string() })?;
    let direct = || {
        let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise.clone())
            .multiplex(yamux())
            .timeout(HANDSHAKE_MAX)
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
        let quic = quic::tokio::Transport::new(quic_config(key))
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
        tcp.or_transport(quic).map(|either, _| either.into_inner())
    };
    let named = dns::tokio::Transport::system(direct()).unwrap_or_else(|error| {
        // A machine without resolver settings still reaches peers by IP address.
        tracing::warn!(%error, "no resolver settings; peers are reached by IP address only");
        let (config, options) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
        dns::tokio::Transport::custom(direct(), config, options)
    });
    let (circuits, client) = relay::client::new(key.public().to_peer_id());
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise.clone())
        .multiplex(yamux())
        .timeout(HANDSHAKE_MAX)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let both = OrTransport::new(circuits, named).map(|either, _| either.into_inner());
    Ok((counted(both, bandwidth), client))
}

/// Counts the bytes of every connection.
fn counted<T>(transport: T, bandwidth: &Bandwidth) -> Stack
where
    T: Transport<Output = (PeerId, StreamMuxerBox)> + Send + Unpin + 'static,
    T::Error: Send + Sync,
    T::ListenerUpgrade: Send,
    T::Dial: Send,
{
    let bandwidth = bandwidth.clone();
    transport
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(bandwidth.count(peer, muxer))))
        .boxed()
}

fn yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(usize::from(STREAMS_MAX));
    config
}

fn quic_config(key: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(key);
    config.handshake_timeout = HANDSHAKE_MAX;
    config.max_concurrent_stream_limit = u32::from(STREAMS_MAX);
    // NAT bindings for UDP may last 30 s only.
    config.keep_alive_interval = Duration::from_secs(15);
    config.max_idle_timeout = 45_000;
    config
}
