//! A node's configuration: what it may hold, where it is read from, and what it must satisfy.
//!
//! Four layers, each over the one before: the defaults below, the file (`hutong.toml`), environment
//! variables (`HUTONG_API__LISTEN` is `api.listen`), and command-line flags. A key that does not exist is an
//! error with the nearest key that does, and every finding is reported at once.
//!
//! Out of scope: the seed (see [`crate::keys`]) and the charter, which is a signed file of its own.

mod check;
mod load;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use check::check;
pub use load::{ConfigError, Finding, Origin, Sources, known_keys, load};

/// Everything that an operator can set. Every key has a default, so an empty file is valid for a node that
/// only reads; `exchange.id`, `exchange.tier`, `exchange.region` and one name are needed to be a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The exchange that this node speaks for.
    pub exchange: Exchange,
    /// The federation that it belongs to.
    pub federation: Federation,
    /// Peers and how they are reached.
    pub network: Network,
    /// The HTTP interface for the operator's own software and command line.
    pub api: Api,
    /// The data folder's caches.
    pub storage: Storage,
    /// The exchange's own log.
    pub log: Log,
    /// Which logs are held in full.
    pub follow: Follow,
    /// Reconciliation with peers.
    pub sync: Sync,
    /// What is written to standard error.
    pub logging: Logging,
    /// Counters for monitoring.
    pub metrics: Metrics,
}

/// `[exchange]`: what becomes the exchange's signed descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// `[a-z0-9][a-z0-9-]{2,62}`, unique in the federation, never reused. Empty until `hutong init`.
    pub id: String,
    /// `national`, `provincial`, `municipal`, `county`, `industry` or `international`.
    pub tier: String,
    /// Region code such as `CN-33` or `KZ`.
    pub region: String,
    /// Public web address, `https://…`, or empty.
    pub website: String,
    /// Multiaddrs under which peers reach this node from outside; empty to be reached by none but those that
    /// the node dials itself.
    pub addresses: Vec<String>,
    /// The exchange's name by language tag (`zh`, `en`, …), at most 16.
    pub names: BTreeMap<String, String>,
}

/// `[federation]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// The federation id as 64 hexadecimal digits; a charter of any other federation is then refused. Empty
    /// to accept the charter that is in the data folder.
    pub id: String,
}

/// `[network]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Multiaddrs to listen on.
    pub listen: Vec<String>,
    /// Multiaddrs that are dialled at the start, whatever else is known.
    pub bootstrap: Vec<String>,
    /// Find peers on the local network by multicast.
    pub mdns: bool,
    /// Relay connections for members behind address translation; for well-connected nodes. Needs
    /// `exchange.addresses`.
    pub relay: bool,
    /// Relays through which others reach this node, if it stands behind address translation: multiaddrs that end
    /// in `/p2p/<peer id>`, at most 8. A reservation is kept at each.
    pub relays: Vec<String>,
    /// Ask peers whether this node's addresses can be reached (`AutoNAT` 2); with `exchange.addresses`, answer
    /// theirs too.
    pub autonat: bool,
    /// Bounds.
    pub limits: NetworkLimits,
}

/// `[network.limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkLimits {
    /// Connections in all, 8 to 65,536.
    pub connections_max: u32,
    /// Connections to one peer, 1 to 16.
    pub connections_per_peer_max: u32,
    /// Connections to nodes that are no members, 0 to `connections_max`.
    pub strangers_max: u32,
    /// Memory of the process in MiB above which no new connection is taken, 0 or 64 to 16,777,216; 0 is half of the
    /// machine's, or of the container's.
    pub memory_mib: u32,
}

/// `[api]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Address and port; port 0 lets the system choose (the choice is written to `api.addr`).
    pub listen: SocketAddr,
    /// Allow an address that is not loopback. The interface has no encryption of its own: put a proxy before it.
    pub allow_remote: bool,
    /// Largest request body in bytes, 64 KiB to 64 MiB.
    pub body_bytes_max: u64,
    /// Longest time one request may take, in milliseconds, 100 to 600,000.
    pub request_timeout_ms: u64,
    /// Requests answered at one time, 1 to 4,096.
    pub concurrency_max: u32,
    /// Connections at one time, 4 to 65,536. Where all are taken, a new one takes the place of the one that has
    /// been without a request for the longest time.
    pub connections_max: u32,
    /// Longest time that a connection may be without a whole request header, in milliseconds, 100 to 600,000.
    pub idle_timeout_ms: u64,
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Memory for the index's cache in MiB, 8 to 65,536.
    pub cache_mib: u32,
    /// Room on the disk in MiB that is kept for the own log, 0 to 1,048,576: with less, other exchanges' logs are
    /// not fetched. 88 MiB are kept free besides.
    pub reserve_mib: u32,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Longest time that a statement waits for others to share its checkpoint, in milliseconds, 1 to 10,000.
    pub batch_ms_max: u64,
    /// How long a node asks its peers for its own log before it signs anything, in milliseconds, 0 to
    /// 600,000.
    pub own_log_check_ms: u64,
}

/// `[follow]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Follow {
    /// `["all"]`, or the top-level regions whose logs are held in full (`CN-33`, `CN`, `KZ`, …); of the others
    /// only checkpoints are kept.
    pub scopes: Vec<String>,
    /// MiB that are taken of an exchange's log in a day, 0 to 1,048,576, in place of the charter's quota for its
    /// tier; 0 takes nothing more.
    pub daily_mib: BTreeMap<String, u32>,
}

/// `[sync]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sync {
    /// Seconds between two comparisons with a peer, 1 to 3,600.
    pub anti_entropy_s: u64,
}

/// `[logging]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// `human` or `json`.
    pub format: LogFormat,
    /// A level (`info`) or directives (`info,hutong_node::net=debug`).
    pub filter: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for a person.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Serve `GET /metrics`.
    pub enabled: bool,
    /// Serve it without the token, for a scraper on the same machine.
    pub public: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            listen: vec![
                "/ip4/0.0.0.0/tcp/7411".into(),
                "/ip6/::/tcp/7411".into(),
                "/ip4/0.0.0.0/udp/7411/quic-v1".into(),
                "/ip6/::/udp/7411/quic-v1".into(),
            ],
            bootstrap: Vec::new(),
            mdns: false,
            relay: false,
            relays: Vec::new(),
            autonat: false,
            limits: NetworkLimits::default(),
        }
    }
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self { connections_max: 512, connections_per_peer_max: 4, strangers_max: 64, memory_mib: 0 }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7410)),
            allow_remote: false,
            body_bytes_max: 8 * 1024 * 1024,
            request_timeout_ms: 30_000,
            concurrency_max: 64,
            connections_max: 128,
            idle_timeout_ms: 30_000,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache_mib: 64, reserve_mib: 256 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { batch_ms_max: 100, own_log_check_ms: 10_000 }
    }
}

impl Default for Follow {
    fn default() -> Self {
        Self { scopes: vec!["all".into()], daily_mib: BTreeMap::new() }
    }
}

impl Default for Sync {
    fn default() -> Self {
        Self { anti_entropy_s: 30 }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".into() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, public: false }
    }
}

impl Follow {
    /// Whether every log is held in full.
    pub fn all(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "all")
    }
}
