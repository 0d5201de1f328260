//! A peer with a member's transport key that says whatever a test wants: bare libp2p, without the node's rules.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, identify, noise, tcp, yamux};
use tokio::sync::mpsc;

/// Requests and messages that wait to be sent at most; the sender waits then.
const QUEUE_MAX: usize = 65_536;

/// Frames hold a length of four bytes, big-endian, and so many bytes.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], bytes].concat()
}

/// What it is told to do.
#[derive(Debug)]
pub enum Act {
    /// Open a sync stream and write these bytes on it.
    Request(Vec<u8>),
    /// Publish these bytes under this scope's topic.
    Gossip(String, Vec<u8>),
    /// Dial the node again.
    Dial,
}

/// What it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// The node let it in.
    Connected,
    /// The node is gone, or hung up.
    Gone,
    /// The node did not let it in.
    TurnedAway,
    /// The node subscribed to a topic: gossip will reach it.
    Subscribed,
    /// The bytes that came back on a sync stream.
    Answer(Vec<u8>),
    /// A sync stream ended without an answer.
    NoAnswer,
}

/// The peer, in a thread of its own. It goes with its owner.
pub struct Intruder {
    acts: mpsc::Sender<Act>,
    met: Receiver<Met>,
}

impl Intruder {
    /// Connects to the node at `address` in the federation with this short id.
    ///
    /// # Errors
    ///
    /// The address is none, or the thread cannot be started.
    pub fn start(secret: [u8; 32], short: &str, address: &str) -> anyhow::Result<Self> {
        let address: Multiaddr = address.parse()?;
        let (acts, todo) = mpsc::channel(QUEUE_MAX);
        let (told, met) = sync_channel(QUEUE_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let short = short.to_owned();
        thread::Builder::new().name("intruder".to_owned()).spawn(move || {
            runtime.block_on(async {
                match swarm(secret, &short) {
                    Ok(swarm) => work(swarm, &address, todo, &told).await,
                    Err(error) => eprintln!("the intruder has no swarm: {error:#}"),
                }
            });
        })?;
        Ok(Self { acts, met })
    }

    /// Has it do something.
    ///
    /// # Errors
    ///
    /// It has ended, or too much waits.
    pub fn act(&self, act: Act) -> anyhow::Result<()> {
        self.acts.try_send(act).context("the intruder does not keep up, or has ended")
    }

    /// Waits until it meets `what`; everything met before is passed over.
    ///
    /// # Errors
    ///
    /// It does not within `patience`.
    pub fn until(&self, what: &Met, patience: Duration) -> anyhow::Result<()> {
        self.until_some(patience, |met| (met == what).then_some(()))
            .with_context(|| format!("waited for {what:?}"))
    }

    /// Waits for the first event that `choose` chooses.
    ///
    /// # Errors
    ///
    /// None comes within `patience`.
    pub fn until_some<T>(
        &self,
        patience: Duration,
        choose: impl Fn(&Met) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = std::time::Instant::now() + patience;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            match self.met.recv_timeout(left) {
                Ok(met) => match choose(&met) {
                    Some(chosen) => return Ok(chosen),
                    None if passed.len() < 32 => passed.push(met),
                    None => {}
                },
                Err(error) => bail!("{error}; met {passed:?}"),
            }
        }
    }
}

/// Writes and reads bytes as they are, without looking for frames.
#[derive(Clone, Default)]
struct RawCodec;

impl request_response::Codec for RawCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    // More than any frame of the protocol.
    io.take(8 * 1024 * 1024).read_to_end(&mut all).await?;
    Ok(all)
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
    sync: request_response::Behaviour<RawCodec>,
}

fn swarm(mut secret: [u8; 32], short: &str) -> anyhow::Result<libp2p::Swarm<Behaviour>> {
    let key = Keypair::ed25519_from_bytes(&mut secret)?;
    let sync = StreamProtocol::try_from_owned(format!("/hutong/{short}/sync/1"))?;
    let gossip = gossipsub::ConfigBuilder::default().flood_publish(true).build()?;
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            Ok(Behaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    "hutong/1".to_owned(),
                    key.public(),
                )),
                gossip: gossipsub::Behaviour::new(
                    MessageAuthenticity::Signed(key.clone()),
                    gossip,
                )?,
                sync: request_response::Behaviour::new(
                    [(sync, ProtocolSupport::Full)],
                    request_response::Config::default(),
                ),
            })
        })
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    // Connections without an open stream are kept, too.
    Ok(swarm.with_swarm_config(|config| config.with_idle_connection_timeout(KEEP)).build())
}

/// Longer than any test.
const KEEP: Duration = Duration::from_mins(10);

async fn work(
    mut swarm: libp2p::Swarm<Behaviour>,
    address: &Multiaddr,
    mut todo: mpsc::Receiver<Act>,
    told: &SyncSender<Met>,
) {
    let mut node: Option<PeerId> = None;
    let mut dial = swarm.dial(address.clone()).err();
    loop {
        if let Some(error) = dial.take() {
            eprintln!("the intruder cannot dial: {error}");
        }
        let met = tokio::select! {
            act = todo.recv() => match (act, node) {
                (None, _) => return,
                (Some(Act::Dial), _) => {
                    dial = swarm.dial(address.clone()).err();
                    continue;
                }
                (Some(Act::Request(bytes)), Some(node)) => {
                    swarm.behaviour_mut().sync.send_request(&node, bytes);
                    continue;
                }
                (Some(Act::Request(_)), None) => Some(Met::NoAnswer),
                (Some(Act::Gossip(scope, bytes)), _) => {
                    let topic = IdentTopic::new(scope);
                    // Nobody may be there to hear it any more.
                    drop(swarm.behaviour_mut().gossip.publish(topic, bytes));
                    continue;
                }
            },
            event = swarm.select_next_some() => noted(event, &mut node),
        };
        // Full, or nobody looks: a test that has seen enough.
        if let Some(met) = met {
            drop(told.try_send(met));
        }
    }
}

fn noted(event: SwarmEvent<BehaviourEvent>, node: &mut Option<PeerId>) -> Option<Met> {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. } => {
            *node = Some(peer_id);
            Some(Met::Connected)
        }
        SwarmEvent::ConnectionClosed { num_established: 0, .. } => Some(Met::Gone),
        SwarmEvent::OutgoingConnectionError { .. } => Some(Met::TurnedAway),
        SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. })) => {
            Some(Met::Subscribed)
        }
        SwarmEvent::Behaviour(BehaviourEvent::Sync(event)) => match event {
            request_response::Event::Message {
                message: Message::Response { response, .. },
                ..
            } => Some(Met::Answer(response)),
            request_response::Event::OutboundFailure { .. } => Some(Met::NoAnswer),
            _ => None,
        },
        _ => None,
    }
}
