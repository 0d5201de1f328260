//! What operators see of a running node.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hutong_protocol::directory::{Decision, NoEffect};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::io::{Notice, Peer};
use hutong_protocol::state::State;
use hutong_protocol::statement::Statement;
use hutong_protocol::time::Timestamp;
use tokio::sync::watch;

use super::notice;
use crate::driver;
use crate::handle::{LogInfo, NodeView, NoticeLevel, NoticeLine, PeerInfo, WaitingDecision};
use crate::net::{NetHandle, NetSnapshot};
use crate::queues::Queues;
use crate::store::{LogHead, Room, Store};

/// The view before anything has happened.
pub(super) fn first(me: &ExchangeId, peer: &str, started: Timestamp, state: &State) -> NodeView {
    NodeView {
        me: me.clone(),
        peer_id: peer.to_owned(),
        started,
        charters: Arc::new(state.charters().clone()),
        directory: Arc::clone(state.directory()),
        logs: Vec::new(),
        peers: Vec::new(),
        listen: Vec::new(),
        notices: VecDeque::new(),
        ready: false,
        restoring: state.is_restoring(),
        bytes_in: 0,
        bytes_out: 0,
        queues: Queues::default(),
        waiting: Vec::new(),
        space: None,
    }
}

/// Keeps the newest view.
pub(super) struct ViewKeeper {
    views: watch::Sender<Arc<NodeView>>,
    /// When the decisions that wait were last judged, which checks their signatures.
    judged: Option<Instant>,
}

/// How often the decisions that wait are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// Decisions that wait and are shown at most.
const WAITING_MAX: usize = 200;

impl ViewKeeper {
    pub(super) fn new(views: watch::Sender<Arc<NodeView>>) -> Self {
        Self { views, judged: None }
    }

    /// Shows a notice, and writes it to the process's log.
    pub(super) fn notice(&self, time: Timestamp, notice: &Notice) {
        let line = notice::line(time, notice);
        log(&line);
        if notice::is_listed(notice) {
            self.views.send_modify(|view| Arc::make_mut(view).add_notice(line));
        }
    }

    /// Whether the disk has room for others' entries, as it was at the last view.
    pub(super) fn has_room(&self) -> bool {
        self.views.borrow().space.is_none_or(|space| space.room == Room::All)
    }

    /// Looks at the disk, and tells where what it has room for has changed.
    fn look_at_disk(&self, store: &Store) {
        let now = match store.space() {
            Ok(space) => space,
            Err(error) => {
                tracing::debug!(%error, "the free space is not known");
                return;
            }
        };
        let before = self.views.borrow().space;
        let room = before.map_or(Room::All, |before| before.room);
        let line = (now.room != room).then(|| notice::of_disk(driver::now(), &now));
        if let Some(line) = &line {
            log(line);
        }
        self.views.send_modify(|view| {
            let view = Arc::make_mut(view);
            view.space = Some(now);
            if let Some(line) = line {
                view.add_notice(line);
            }
        });
    }

    /// Takes a new picture of state, store and network; `queues` has what waits in the driver.
    pub(super) async fn renew(
        &mut self,
        state: &State,
        store: &Store,
        net: &NetHandle,
        queues: Queues,
    ) {
        self.look_at_disk(store);
        let outgoing = net.waiting();
        let Ok(snapshot) = net.snapshot().await else { return };
        let federation = state.charters().federation_id();
        let logs: Vec<LogInfo> = state
            .logs()
            .filter_map(|status| store.head(status.log).ok().flatten())
            .map(|head| log_info(state, head, |log| Origin::new(&federation, log).to_string()))
            .collect();
        let peers = peers(state, &snapshot);
        let queues = Queues {
            events: queues.events + snapshot.events,
            views_behind: store.view_progress().behind,
            outgoing,
            requests: snapshot.requests,
            serving: snapshot.serving,
            verdicts: snapshot.verdicts,
            ..queues
        };
        let waiting = self.waiting(state);
        self.views.send_modify(|view| {
            let view = Arc::make_mut(view);
            if view.charters.version() != state.charters().version() {
                view.charters = Arc::new(state.charters().clone());
            }
            view.directory = Arc::clone(state.directory());
            view.logs = logs;
            view.peers = peers;
            view.listen = snapshot.listening;
            view.ready = state.may_sign();
            view.restoring = state.is_restoring();
            view.bytes_in = snapshot.bytes_received;
            view.bytes_out = snapshot.bytes_sent;
            view.queues = queues;
            if let Some(waiting) = waiting {
                view.waiting = waiting;
            }
        });
    }
}

impl ViewKeeper {
    /// The decisions that wait; `None` where they were judged just before.
    fn waiting(&mut self, state: &State) -> Option<Vec<WaitingDecision>> {
        if self.judged.is_some_and(|judged| judged.elapsed() < JUDGE_EVERY) {
            return None;
        }
        self.judged = Some(Instant::now());
        Some(state.waiting_decisions().take(WAITING_MAX).filter_map(waiting_decision).collect())
    }
}

/// `None` for what is no decision in form: nobody waits for it.
fn waiting_decision(
    (log, index, entry, reason): (&ExchangeId, u64, &Entry, Option<NoEffect>),
) -> Option<WaitingDecision> {
    let statement = Statement::parse(entry.statement_bytes()).ok()?;
    let decision = Decision::from_body(&statement.kind, &statement.body).ok()?;
    Some(WaitingDecision {
        log: log.clone(),
        index,
        kind: statement.kind.as_str().to_owned(),
        member: decision.act.member().clone(),
        issued_at: statement.issued_at,
        reason: reason.map(|reason| reason.to_string()),
    })
}

fn log(line: &NoticeLine) {
    match line.level {
        NoticeLevel::Info => tracing::info!("{}", line.en),
        NoticeLevel::Warning => tracing::warn!("{}", line.en),
        NoticeLevel::Alarm => tracing::error!("{}", line.en),
    }
}

fn log_info(state: &State, head: LogHead, origin: impl Fn(&ExchangeId) -> String) -> LogInfo {
    let cosigners = head.cosigned.as_ref().map_or_else(Vec::new, |(_, note)| cosigners(note));
    LogInfo {
        origin: origin(&head.log),
        size: head.size,
        root: head.root,
        checkpoint_size: head.checkpoint.map(|(size, _)| size),
        cosigned_size: head.cosigned.map(|(size, _)| size),
        cosigners: cosigners
            .into_iter()
            .filter(|witness| state.directory().member(witness).is_some())
            .collect(),
        withheld: head.withheld,
        frozen: head.frozen,
        exchange: head.log,
    }
}

/// The exchanges whose cosignatures a note from the own disk carries.
fn cosigners(note: &str) -> Vec<ExchangeId> {
    let Ok(note) = hutong_crypto::note::Note::parse(note) else { return Vec::new() };
    let names = note.signatures.iter().filter_map(|line| line.name.strip_suffix("/witness"));
    names.filter_map(|origin| origin.rsplit('/').next()?.parse().ok()).collect()
}

fn peers(state: &State, snapshot: &NetSnapshot) -> Vec<PeerInfo> {
    let exchange =
        |peer: &str| state.directory().by_peer(&Peer::new(peer)).map(|member| member.id.clone());
    snapshot
        .peers
        .iter()
        .map(|peer| PeerInfo {
            peer_id: peer.peer.clone(),
            exchange: exchange(&peer.peer),
            address: peer.addresses.first().cloned().unwrap_or_default(),
            since: Timestamp::from_millis(peer.connected_since_ms),
            bytes_in: peer.bytes_received,
            bytes_out: peer.bytes_sent,
        })
        .collect()
}
