//! What the network needs to start.

use std::fmt;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::identity::{Keypair, PublicKey, ed25519};
use libp2p::multiaddr;
use zeroize::Zeroizing;

use super::limits::NetLimits;
use super::names::NameError;

/// The 32 secret bytes of the transport key. Wiped on drop, never printed.
#[derive(Clone)]
pub struct TransportSecret(Zeroizing<[u8; 32]>);

impl TransportSecret {
    /// Takes the Ed25519 secret key (RFC 8032 §5.1.5) of the node's libp2p identity.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The peer id text (base58) that this key has.
    pub fn peer(&self) -> String {
        self.keypair().public().to_peer_id().to_base58()
    }

    /// The libp2p key pair.
    pub(super) fn keypair(&self) -> Keypair {
        let mut bytes = Zeroizing::new(*self.0);
        // Every 32-byte string is an Ed25519 secret key (RFC 8032 §5.1.5).
        Keypair::ed25519_from_bytes(&mut bytes[..])
            .unwrap_or_else(|_| unreachable!("32 bytes are an Ed25519 secret key"))
    }
}

impl fmt::Debug for TransportSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportSecret({})", self.peer())
    }
}

/// The peer id text (base58) of an Ed25519 public key, or `None` if it is no curve point.
pub fn peer_of_public_key(key: &[u8; 32]) -> Option<String> {
    let key = ed25519::PublicKey::try_from_bytes(key).ok()?;
    Some(PublicKey::from(key).to_peer_id().to_base58())
}

/// Configuration of the network. Addresses are multiaddr texts.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct NetConfig {
    /// The transport key.
    pub secret: TransportSecret,
    /// Short id of the federation, part of every protocol name.
    pub federation: String,
    /// Addresses to listen on, such as `/ip4/0.0.0.0/tcp/4101`, `/ip6/::/udp/4101/quic-v1`. Port 0
    /// takes a free port; the real ones are reported by [`NetEvent::Listening`](super::NetEvent).
    pub listen: Vec<String>,
    /// Addresses under which others reach this node, if they differ from the listening ones.
    pub external: Vec<String>,
    /// Where to find the network: with or without `/p2p/<peer id>` at the end.
    pub bootstrap: Vec<String>,
    /// Scopes whose gossip the node wants from the start.
    pub scopes: Vec<String>,
    /// Reachable from outside: answers Kademlia lookups.
    pub public: bool,
    /// Looks for peers on the local network by multicast DNS.
    pub mdns: bool,
    /// Passes on connections between members (a relay server). Needs `external` addresses, which it
    /// tells them.
    pub relay_server: bool,
    /// Relays through which others reach this node: addresses ending in `/p2p/<peer id>`. A
    /// reservation is kept at each.
    pub relays: Vec<String>,
    /// Asks peers whether this node's addresses can be reached, and answers the same (`AutoNAT` 2).
    pub autonat: bool,
    /// Time between two pings on one connection.
    pub ping_interval: Duration,
    /// Name and version shown to peers, at most 64 bytes.
    pub agent: String,
    /// Bounds.
    pub limits: NetLimits,
}

impl NetConfig {
    /// A configuration that listens nowhere and knows nobody.
    pub fn new(secret: TransportSecret, federation: impl Into<String>) -> Self {
        Self {
            secret,
            federation: federation.into(),
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            scopes: Vec::new(),
            public: false,
            mdns: false,
            relay_server: false,
            relays: Vec::new(),
            autonat: false,
            ping_interval: Duration::from_secs(20),
            agent: concat!("hutong/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: NetLimits::default(),
        }
    }
}

/// Why the network could not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// An address in the configuration is no multiaddr.
    #[error(
        "{field} address {text:?} is not a multiaddr; expected a form such as /ip4/10.0.0.1/tcp/4101"
    )]
    Address {
        /// The configuration field.
        field: &'static str,
        /// The text met.
        text: String,
        /// What the parser said.
        #[source]
        source: multiaddr::Error,
    },
    /// A relay address does not say who the relay is.
    #[error("relay address {0:?} does not end in /p2p/<peer id>")]
    RelayWithoutPeer(String),
    /// A name cannot be built.
    #[error("network names cannot be built")]
    Name(#[from] NameError),
    /// The node cannot listen there.
    #[error("cannot listen on {address}; is another process using the port?")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the transport said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part of the network stack did not start.
    #[error("network part {part} did not start: {reason}")]
    Part {
        /// Which part.
        part: &'static str,
        /// What it said.
        reason: String,
    },
    /// The network task has ended; nothing can be asked of it any more.
    #[error("the network has been shut down")]
    Closed,
}

/// Parses a list of addresses.
pub(super) fn addresses(field: &'static str, texts: &[String]) -> Result<Vec<Multiaddr>, NetError> {
    texts.iter().map(|text| address(field, text)).collect()
}

/// Parses one address.
pub(super) fn address(field: &'static str, text: &str) -> Result<Multiaddr, NetError> {
    text.parse().map_err(|source| NetError::Address { field, text: text.to_owned(), source })
}
