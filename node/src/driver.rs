//! The running node: one loop that feeds the protocol's state and has its effects carried out.
//!
//! ```text
//! network ─┐                    ┌─ check signatures (all cores) ─┐
//! operator ─┼─▶ State::handle ──┼─▶ executor: disk, then network ─┼─▶ back as inputs
//! clock ───┘                    └─ notices and views for people   ┘
//! ```
//!
//! Nothing is decided here. A disk that fails ends the node: it must not say what it cannot keep. One that is
//! full makes it wait.

mod executor;
mod intake;
mod notice;
mod publish;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hutong_crypto::keys::{Purpose, Seed};
use hutong_protocol::check;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{Effect, GossipId, InboundId, Input, Peer, RequestId, Ticket};
use hutong_protocol::message::{Refusal, Request, Response};
use hutong_protocol::persist::Stored;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::state::{Config as StateConfig, Follow, Keys, State};
use hutong_protocol::time::{Instant, Now, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) use self::executor::LeafAnswer;
use self::executor::{Executor, LeafReplies, QUEUE_MAX, Replies};
use self::intake::Intake;
use self::view::ViewKeeper;
use crate::authority::Charters;
use crate::config::Config;
use crate::handle::{
    CharterRefused, Command, DialRefused, NodeHandle, NodeView, NoticeLine, PublishError,
};
use crate::net::{
    Net, NetConfig, NetError, NetEvent, NetHandle, NetLimits, TransportSecret, Verdict,
};
use crate::queues::Queues;
use crate::store::{Store, StoreError};

/// How often operators' views are renewed while things change.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// What a node is started with.
pub struct Parts {
    /// Its configuration, checked.
    pub config: Config,
    /// Its store, opened.
    pub store: Store,
    /// Its charters.
    pub charters: Charters,
    /// Its seed.
    pub seed: Seed,
    /// Whether the seed was restored from a backup and what it signed is not known yet.
    pub restored: bool,
    /// Whether the operator says that the own log is complete as it is stored.
    pub own_log_complete: bool,
    /// What the operator should know of the start.
    pub notices: Vec<NoticeLine>,
}

/// Why a node could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeFault {
    /// The configuration names no valid exchange or scope.
    #[error("the configuration is incomplete: {0}; run `hutong config check`")]
    Config(String),
    /// The disk.
    #[error("the node stops, since it could not keep what it would say")]
    Store(#[from] StoreError),
    /// The network.
    #[error("the network did not start")]
    Net(#[from] NetError),
}

/// A node that runs.
pub struct Running {
    /// How the rest of the process talks to it.
    pub handle: NodeHandle,
    /// Ends when the node does.
    pub ended: JoinHandle<Result<(), NodeFault>>,
}

/// Starts a node.
///
/// # Errors
///
/// [`NodeFault`]: what is wrong with configuration, disk or network.
pub fn start(parts: Parts) -> Result<Running, NodeFault> {
    let Parts { config, store, charters, seed, restored, own_log_complete, notices } = parts;
    let me: ExchangeId =
        config.exchange.id.parse().map_err(|error| NodeFault::Config(format!("{error}")))?;
    let secret = TransportSecret::from_bytes(seed.derive_bytes(Purpose::Transport));
    let peer = Peer::new(&secret.peer());
    let state_config =
        StateConfig { own_log_complete, ..state_config(&config, &me, peer, restored)? };
    let keys = Keys {
        log: seed.derive(Purpose::Log),
        witness: seed.derive(Purpose::Witness),
        // The state uses it only where the charter in force names this exchange and this key.
        register: Some(seed.derive(Purpose::Register)),
    };
    let Charters { founded, later } = charters;
    let net_config = net_config(&config, secret, founded.federation().short());
    let (net, events) = Net::start(&net_config)?;
    let state = State::new(
        state_config,
        keys,
        Stored {
            founded: &founded,
            charters: later,
            logs: &store.restore()?,
            registers: store.registers()?,
            decisions: store.decisions()?,
            anchors: store.anchors()?,
        },
    );
    let started = now();
    let mut first = view::first(&me, net.local_peer(), started, &state);
    for notice in notices {
        first.add_notice(notice);
    }
    let issuer = seed.derive(Purpose::Issuer);
    let (handle, commands, views) = NodeHandle::new(first, store.clone(), issuer);
    let driver = Driver::new(me, state, store, net, views, handle.stopping());
    let ended = tokio::spawn(driver.run(events, commands));
    Ok(Running { handle, ended })
}

fn state_config(
    config: &Config,
    me: &ExchangeId,
    peer: Peer,
    restored: bool,
) -> Result<StateConfig, NodeFault> {
    let follow = if config.follow.all() {
        Follow::All
    } else {
        let scopes = config.follow.scopes.iter().map(|scope| scope.parse());
        Follow::Scopes(scopes.collect::<Result<_, _>>().map_err(|error| {
            let error: hutong_protocol::region::ScopeError = error;
            NodeFault::Config(error.to_string())
        })?)
    };
    let quota =
        |(id, mib): (&String, &u32)| id.parse().map(|id: ExchangeId| (id, u64::from(*mib) << 20));
    let quotas = config.follow.daily_mib.iter().map(quota).collect::<Result<_, _>>();
    Ok(StateConfig {
        me: me.clone(),
        peer,
        follow,
        restored,
        own_log_complete: false,
        quotas: quotas.map_err(|error| NodeFault::Config(error.to_string()))?,
        announce_interval_ms: config.log.batch_ms_max,
        anti_entropy_interval_ms: config.sync.anti_entropy_s.saturating_mul(1_000),
        own_log_check_ms: config.log.own_log_check_ms,
    })
}

/// What the network starts with.
pub(crate) fn net_config(
    config: &Config,
    secret: TransportSecret,
    federation: String,
) -> NetConfig {
    let mut net = NetConfig::new(secret, federation);
    net.listen.clone_from(&config.network.listen);
    net.external.clone_from(&config.exchange.addresses);
    net.bootstrap.clone_from(&config.network.bootstrap);
    net.mdns = config.network.mdns;
    net.relay_server = config.network.relay;
    net.relays.clone_from(&config.network.relays);
    net.autonat = config.network.autonat;
    net.public = !config.exchange.addresses.is_empty();
    net.limits = NetLimits::from(&config.network.limits);
    net
}

/// Whether a peer shows a checkpoint of its log, with the entries up to it.
fn is_news(request: &Bytes) -> bool {
    matches!(Request::decode(request.clone()), Ok(Request::Announcement(_)))
}

/// The time of this machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An error with everything that led to it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Where results of work beside the loop come back. The loop must never wait for a place in its own queue.
#[expect(
    clippy::disallowed_methods,
    reason = "bounded by what was asked for: four batches of a log are checked at one time"
)]
fn results<T>() -> (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>) {
    mpsc::unbounded_channel()
}

struct Driver {
    state: State,
    store: Store,
    net: NetHandle,
    views: ViewKeeper,
    replies: Replies,
    leaves: LeafReplies,
    last_ticket: u64,
    inputs: mpsc::UnboundedSender<Input>,
    inner: mpsc::UnboundedReceiver<Input>,
    intake: Intake,
    effects: mpsc::Sender<Vec<Effect>>,
    /// Lists of effects that are not carried out yet.
    under_way: Arc<AtomicUsize>,
    /// The beginning of the time by which the state waits.
    started: std::time::Instant,
    executor: JoinHandle<Result<(), StoreError>>,
    /// Becomes true when the node is to end.
    stopping: Arc<AtomicBool>,
}

impl Driver {
    fn new(
        me: ExchangeId,
        state: State,
        store: Store,
        net: NetHandle,
        views: watch::Sender<Arc<NodeView>>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let (inputs, inner) = results();
        let (effects, queue) = mpsc::channel(QUEUE_MAX);
        let replies = Replies::default();
        let leaves = LeafReplies::default();
        let under_way = Arc::new(AtomicUsize::new(0));
        let executor = Executor {
            me,
            store: store.clone(),
            net: net.clone(),
            replies: replies.clone(),
            leaves: leaves.clone(),
            inputs: inputs.clone(),
            under_way: Arc::clone(&under_way),
            stopping: Arc::clone(&stopping),
        };
        let executor = tokio::spawn(executor.run(queue));
        let views = ViewKeeper::new(views);
        Self {
            state,
            store,
            net,
            views,
            replies,
            leaves,
            last_ticket: 0,
            inputs,
            inner,
            intake: Intake::default(),
            effects,
            under_way,
            started: std::time::Instant::now(),
            executor,
            stopping,
        }
    }

    /// Runs until it is told to stop, or must.
    async fn run(
        mut self,
        mut events: mpsc::Receiver<NetEvent>,
        mut commands: mpsc::Receiver<Command>,
    ) -> Result<(), NodeFault> {
        self.handle(Input::Started).await;
        let mut renew = tokio::time::interval(VIEW_INTERVAL);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while let Some(answer) = self.intake.next() {
                self.handle(answer).await;
            }
            let wake = self.until_wake();
            tokio::select! {
                ended = &mut self.executor => {
                    self.net.shutdown().await;
                    let ended = ended.unwrap_or_else(|panic| {
                        std::panic::resume_unwind(panic.into_panic())
                    });
                    return ended.map_err(NodeFault::Store);
                }
                Some(input) = self.inner.recv() => {
                    if matches!(input, Input::Checked { .. }) {
                        self.intake.ended();
                    }
                    self.handle(input).await;
                }
                event = events.recv() => match event {
                    Some(event) => self.net_event(event).await,
                    None => break,
                },
                command = commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.command(command).await,
                },
                () = tokio::time::sleep(wake) => self.handle(Input::Tick).await,
                _ = renew.tick() => {
                    let queues = self.queues(&events, &commands);
                    self.views.renew(&self.state, &self.store, &self.net, queues).await;
                }
            }
        }
        self.stop().await
    }

    /// What waits for the driver, and behind it.
    fn queues(
        &self,
        events: &mpsc::Receiver<NetEvent>,
        commands: &mpsc::Receiver<Command>,
    ) -> Queues {
        Queues {
            commands: commands.len(),
            publishing: self.replies.len(),
            events: events.len(),
            results: self.inner.len(),
            checking: self.intake.checking(),
            answers: self.intake.waiting(),
            answer_bytes: self.intake.waiting_bytes(),
            effects: self.under_way.load(Ordering::Relaxed),
            ..Queues::default()
        }
    }

    /// Ends in order: what was decided is carried out first.
    async fn stop(self) -> Result<(), NodeFault> {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.effects);
        let ended = self.executor.await;
        self.net.shutdown().await;
        let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        ended.map_err(NodeFault::Store)
    }

    fn until_wake(&self) -> Duration {
        let Some(at) = self.state.wake_at() else { return Duration::from_secs(1) };
        Duration::from_millis(at.millis()).saturating_sub(self.started.elapsed())
    }

    /// What the clocks show.
    fn now(&self) -> Now {
        let since = self.started.elapsed().as_millis();
        let instant = Instant::from_millis(u64::try_from(since).unwrap_or(u64::MAX));
        Now { instant, wall: now() }
    }

    async fn net_event(&mut self, event: NetEvent) {
        let input = match event {
            NetEvent::Listening { address } => {
                tracing::info!(%address, "listening");
                return;
            }
            NetEvent::PeerConnected { peer, .. } => Input::PeerConnected { peer: Peer::new(&peer) },
            NetEvent::PeerDisconnected { peer } => {
                Input::PeerDisconnected { peer: Peer::new(&peer) }
            }
            NetEvent::Gossip { id, .. } if !self.views.has_room() => {
                // It may carry entries. What it tells of is asked for once there is room.
                let _ = self.net.verdict(id, Verdict::Ignore).await;
                return;
            }
            NetEvent::Gossip { id, source, author, scope, bytes } => {
                let Ok(scope) = scope.parse() else { return };
                let (from, author) = (Peer::new(&source), Peer::new(&author));
                Input::Gossip { id: GossipId(id), from, author, scope, bytes }
            }
            NetEvent::Request { inbound, bytes, .. }
                if !self.views.has_room() && is_news(&bytes) =>
            {
                let refused = Response::Refused(Refusal::Fault).encode();
                let _ = self.net.respond(inbound, refused).await;
                return;
            }
            NetEvent::Request { inbound, peer, bytes } => {
                Input::Request { inbound: InboundId(inbound), peer: Peer::new(&peer), bytes }
            }
            NetEvent::Response { request, peer, outcome } => {
                let request = RequestId(request);
                let admitted = match outcome {
                    Ok(answer) => self.intake.admit(Peer::new(&peer), request, answer),
                    Err(_) => Some(Input::Response { request, answer: None }),
                };
                let Some(input) = admitted else { return };
                input
            }
        };
        self.handle(input).await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Publish { statements, reserved, reply } => {
                let ticket = self.ticket();
                self.replies.insert(ticket, reply, reserved);
                self.append(ticket, statements).await;
            }
            Command::InstallCharter { bytes, reply } => {
                let refusal = self.handle_charter(bytes).await;
                let version = self.state.charters().version();
                // Whoever asked may have gone.
                let _ = reply.send(refusal.map_or(Ok(version), Err));
            }
            Command::AnchorLeaf { log, reply } => {
                let ticket = self.ticket();
                self.leaves.insert(ticket, reply);
                self.handle(Input::AnchorLeaf { ticket, log }).await;
            }
            Command::WantAnchor => self.handle(Input::AnchorWanted).await,
            Command::Dial { address, reply } => {
                let dialled = self.net.dial(&address).await;
                let _ = reply.send(dialled.map_err(|error| DialRefused::Invalid(chain(&error))));
            }
            Command::Shutdown => {}
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// Appends signed statements, unless one decides about a member without effect: nobody would notice
    /// that nothing has changed.
    async fn append(&mut self, ticket: Ticket, entries: Vec<Prepared>) {
        match self.state.decision_without_effect(&entries) {
            Some((place, reason)) => {
                let reason = format!("it would change nothing: {reason}");
                self.replies.answer(ticket, Err(PublishError::NotAuthorised { place, reason }));
            }
            None => self.handle(Input::Append { ticket, entries }).await,
        }
    }

    /// Offers a charter to the state. Returns why it was refused, if it was.
    async fn handle_charter(&mut self, bytes: Vec<u8>) -> Option<CharterRefused> {
        use hutong_protocol::io::Notice;
        let effects = self.state.handle(self.now(), Input::Charter { bytes });
        let refused = effects.iter().find_map(|effect| match effect {
            Effect::Notice(Notice::CharterRefused { reason }) => Some(reason.clone()),
            _ => None,
        });
        self.dispatch(effects).await;
        refused.map(CharterRefused::Invalid)
    }

    async fn handle(&mut self, input: Input) {
        let effects = self.state.handle(self.now(), input);
        self.dispatch(effects).await;
    }

    /// Starts checks at once, shows notices, and queues the rest in order.
    async fn dispatch(&mut self, effects: Vec<Effect>) {
        let mut queue = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Check { ticket, log, entries } => {
                    self.intake.begun();
                    let inputs = self.inputs.clone();
                    rayon::spawn(move || {
                        let outcomes = check::entries(&log, &entries);
                        let _ = inputs.send(Input::Checked { ticket, outcomes });
                    });
                }
                Effect::Notice(notice) => self.views.notice(now(), &notice),
                other => queue.push(other),
            }
        }
        if !queue.is_empty() {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            // A closed queue means that the executor has ended: the loop sees that next.
            let _ = self.effects.send(queue).await;
        }
    }
}
