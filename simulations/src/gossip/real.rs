//! The same networks in libp2p's own code: real swarms in this process, on links of memory.
//!
//! Each swarm runs gossipsub as `hutong` configures it, over Noise and Yamux. Links are delayed:
//! what is written is read no sooner than the link's latency later. Time is real.

#![expect(
    clippy::disallowed_methods,
    reason = "a node has at most one order a message, and sees each message once"
)]

mod delay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageAuthenticity, MessageId};
use libp2p::identity::Keypair;
use libp2p::metrics::Registry;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, Transport as _, noise, yamux};
use tokio::sync::{mpsc, oneshot};

use self::delay::{Delayed, Delays};
use super::swarm::{Carried, Network, Spread};

/// Messages are published so far apart, in milliseconds: far enough for each to reach everybody.
const MESSAGE_EVERY_MS: u64 = 1_500;
/// A network that has not met its goal by then never will.
const PATIENCE: Duration = Duration::from_mins(1);
/// For how many heartbeats meshes settle before the first message.
const SETTLE: Duration = Duration::from_secs(4);

/// What a node saw.
#[derive(Debug)]
enum Seen {
    /// It is connected to one more peer.
    Connected,
    /// It has a message, passed on by a peer.
    Message { number: usize, node: u32, from: u32, at: Instant },
}

/// What a node is told to do.
#[derive(Debug)]
enum Order {
    Dial(Multiaddr, PeerId),
    Publish(usize, usize, oneshot::Sender<Instant>),
    Report(oneshot::Sender<(usize, u64)>),
}

/// The counter of copies, duplicates included.
const COPIES: &str = "topic_msg_recv_counts_unfiltered_total";

type Gossip = gossipsub::Behaviour;

/// Runs `network` in libp2p's code and measures what [`Network::model`] computes.
///
/// # Errors
///
/// Where a swarm cannot be built, or the network does not connect or deliver in time.
pub fn run(network: &Network, progress: impl Fn(usize)) -> Result<Spread> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(network, progress))
}

async fn measure(network: &Network, progress: impl Fn(usize)) -> Result<Spread> {
    let nodes = network.connections.nodes();
    let delays = Delays::new(network);
    let (report, mut seen) = mpsc::unbounded_channel();
    let keys: Vec<Keypair> = (0..nodes).map(|_| Keypair::generate_ed25519()).collect();
    let names: Arc<BTreeMap<PeerId, u32>> =
        Arc::new(keys.iter().map(|key| key.public().to_peer_id()).zip(0..).collect());
    let mut orders = Vec::new();
    let mut tasks = Vec::new();
    for (node, key) in (0..).zip(&keys) {
        let (order, inbox) = mpsc::unbounded_channel();
        let mut registry = Registry::default();
        let swarm = swarm(network, key, node, &delays, &mut registry)?;
        orders.push(order);
        let host =
            Host { node, swarm, registry, names: Arc::clone(&names), report: report.clone() };
        tasks.push(tokio::spawn(host.serve(inbox)));
    }
    let mut links = 0;
    for (from, order) in orders.iter().enumerate() {
        for to in network.connections.dialed_by(from) {
            let peer = keys[*to as usize].public().to_peer_id();
            order.send(Order::Dial(address(&delays, *to)?, peer)).context("a node is gone")?;
            links += 1;
        }
    }
    let mut connected = 0;
    while connected < 2 * links {
        match tokio::time::timeout(PATIENCE, seen.recv()).await?.context("all nodes are gone")? {
            Seen::Connected => connected += 1,
            Seen::Message { .. } => {}
        }
    }
    tokio::time::sleep(SETTLE).await;
    let (_, before) = totals(&orders).await?;
    let mut spreads = Vec::new();
    for number in 0..network.messages {
        let author = network.author(number);
        let (tell, told) = oneshot::channel();
        orders[author as usize]
            .send(Order::Publish(number, network.message_bytes, tell))
            .context("a node is gone")?;
        let begin = told.await?;
        spreads.push(follow(number, author, nodes, begin, &mut seen).await?.spread());
        tokio::time::sleep_until((begin + Duration::from_millis(MESSAGE_EVERY_MS)).into()).await;
        progress(number + 1);
    }
    let (degree, after) = totals(&orders).await?;
    drop(orders);
    for task in tasks {
        task.await?;
    }
    Ok(spread(&spreads, nodes, degree, after - before))
}

/// Degrees of all nodes, and copies that all received.
async fn totals(orders: &[mpsc::UnboundedSender<Order>]) -> Result<(usize, u64)> {
    let mut sum = (0, 0);
    for order in orders {
        let (tell, told) = oneshot::channel();
        order.send(Order::Report(tell)).context("a node is gone")?;
        let (degree, copies) = told.await?;
        sum = (sum.0 + degree, sum.1 + copies);
    }
    Ok(sum)
}

#[expect(clippy::cast_precision_loss, reason = "means for people")]
fn spread(spreads: &[Spread], nodes: usize, degree: usize, copies: u64) -> Spread {
    let first = ((nodes - 1) * spreads.len()) as f64;
    Spread {
        degree: degree as f64 / nodes as f64,
        duplicates: (copies as f64 - first) / first,
        bytes: 0.0,
        ..Spread::mean(spreads)
    }
}

/// Waits until everybody has the message.
async fn follow(
    number: usize,
    author: u32,
    nodes: usize,
    begin: Instant,
    seen: &mut mpsc::UnboundedReceiver<Seen>,
) -> Result<Carried> {
    let mut parents = BTreeMap::new();
    let mut times = Vec::new();
    while times.len() + 1 < nodes {
        let next = tokio::time::timeout(PATIENCE, seen.recv()).await;
        let next = next.with_context(|| format!("message {number} does not reach everybody"))?;
        if let Seen::Message { number: of, node, from, at } = next.context("all nodes are gone")?
            && of == number
        {
            parents.insert(node, from);
            times.push(u64::try_from(at.duration_since(begin).as_micros())?);
        }
    }
    times.sort_unstable();
    let hops = parents.keys().map(|node| hops(*node, author, &parents)).sum();
    Ok(Carried { times_us: times, hops, copies: 0, bytes: 0, nodes: nodes as u64 })
}

fn hops(mut node: u32, author: u32, parents: &BTreeMap<u32, u32>) -> u64 {
    let mut count = 0;
    while node != author && count < 64 {
        count += 1;
        node = parents.get(&node).copied().unwrap_or(author);
    }
    count
}

fn address(delays: &Delays, node: u32) -> Result<Multiaddr> {
    Ok(format!("/memory/{}", delays.port(node)).parse()?)
}

fn topic() -> IdentTopic {
    IdentTopic::new("CN-33")
}

fn swarm(
    network: &Network,
    key: &Keypair,
    node: u32,
    delays: &Delays,
    registry: &mut Registry,
) -> Result<Swarm<Gossip>> {
    let listen = address(delays, node)?;
    let delays = delays.clone();
    let memory = libp2p::core::transport::MemoryTransport::default();
    let transport = memory
        .map(move |stream, point| Delayed::new(stream, node, &point, &delays))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .boxed();
    let mut behaviour =
        behaviour(network, key)?.with_metrics(registry, gossipsub::MetricsConfig::default());
    behaviour.subscribe(&topic())?;
    let config =
        Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_mins(10));
    let mut swarm = Swarm::new(transport, behaviour, key.public().to_peer_id(), config);
    swarm.listen_on(listen)?;
    Ok(swarm)
}

fn behaviour(network: &Network, key: &Keypair) -> Result<Gossip> {
    let params = &network.params;
    let mut config = gossipsub::ConfigBuilder::default();
    config
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(|message| {
            let hash = hutong_crypto::sha256(&message.data);
            MessageId::new(&hash.as_bytes()[..20])
        })
        .mesh_n(params.d)
        .mesh_n_low(params.d_low)
        .mesh_n_high(params.d_high)
        .mesh_outbound_min(params.d_out)
        .gossip_lazy(params.d_lazy)
        .gossip_factor(params.gossip_factor)
        .flood_publish(params.flood_publish)
        .heartbeat_interval(Duration::from_micros(params.heartbeat_us))
        .heartbeat_initial_delay(Duration::from_micros(params.heartbeat_us))
        .history_length(10)
        .history_gossip(params.history_gossip as usize);
    match params.idontwant_bytes {
        // A protocol name of one's own has no version with `IDONTWANT`.
        None => config.protocol_id("/hutong/gossip/1", gossipsub::Version::V1_1),
        Some(bytes) => config.idontwant_message_size_threshold(bytes),
    };
    let signed = MessageAuthenticity::Signed(key.clone());
    let config = config.build().map_err(|error| anyhow::anyhow!("{error}"))?;
    let behaviour: Result<Gossip, _> = Gossip::new(signed, config);
    behaviour.map_err(|error| anyhow::anyhow!("{error}"))
}

/// A swarm and those it talks to.
struct Host {
    node: u32,
    swarm: Swarm<Gossip>,
    registry: Registry,
    names: Arc<BTreeMap<PeerId, u32>>,
    report: mpsc::UnboundedSender<Seen>,
}

impl Host {
    async fn serve(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    None => return,
                    Some(order) => self.obey(order),
                },
                event = self.swarm.select_next_some() => self.heard(event),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Dial(address, peer) => {
                let options = DialOpts::peer_id(peer).addresses(vec![address]).build();
                // A dial that fails shows as a network that does not connect.
                let _ = self.swarm.dial(options);
            }
            Order::Publish(number, bytes, begun) => {
                let mut data = vec![0; bytes.max(8)];
                data[..8].copy_from_slice(&(number as u64).to_be_bytes());
                let at = Instant::now();
                if self.swarm.behaviour_mut().publish(topic(), data).is_ok() {
                    let _ = begun.send(at);
                }
            }
            Order::Report(report) => {
                let degree = self.swarm.behaviour().mesh_peers(&topic().hash()).count();
                let _ = report.send((degree, self.copies()));
            }
        }
    }

    fn heard(&mut self, event: SwarmEvent<gossipsub::Event>) {
        match event {
            SwarmEvent::ConnectionEstablished { .. } => {
                let _ = self.report.send(Seen::Connected);
            }
            SwarmEvent::Behaviour(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => {
                let number = message.data.first_chunk().map_or(0, |n| u64::from_be_bytes(*n));
                let from = self.names.get(&propagation_source).copied().unwrap_or(u32::MAX);
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                let at = Instant::now();
                let _ = self.report.send(Seen::Message { number, node: self.node, from, at });
                let accept = MessageAcceptance::Accept;
                let gossip = self.swarm.behaviour_mut();
                gossip.report_message_validation_result(&message_id, &propagation_source, accept);
            }
            _ => {}
        }
    }

    /// Copies received so far, duplicates included.
    fn copies(&self) -> u64 {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            return 0;
        }
        let counts = text.lines().filter(|line| line.starts_with(COPIES));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}
