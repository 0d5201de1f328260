//! What the rest of the process holds of a running node: a way to ask, a view, the store.
//!
//! The driver owns the node's state and takes [`Command`]s one after the other; whoever holds a
//! [`NodeHandle`] sends them and reads [`NodeView`]s, which the driver replaces as things change. Reading
//! never waits for the driver.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hutong_crypto::{Hash, SigningKey};
use hutong_protocol::charter::CharterChain;
use hutong_protocol::directory::Directory;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::time::Timestamp;
use hutong_protocol::unlisted::{self, Unlisted};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::continuity::{self, ContinuityError, Reservations, Reserved};
use crate::driver::LeafAnswer;
use crate::publish;
use crate::queues::Queues;
use crate::store::{Room, Space, Store};

/// Commands that wait for the driver at most; the next one is refused as busy.
pub const COMMANDS_MAX: usize = 256;
/// Notices that a view keeps at most.
pub const NOTICES_MAX: usize = 100;

/// Where statements were recorded, once the driver has answered.
type Answer = oneshot::Receiver<Result<Vec<Published>, PublishError>>;

/// A running node. Cheap to clone.
#[derive(Clone)]
pub struct NodeHandle {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Arc<NodeView>>,
    store: Store,
    reservations: Reservations,
    issuer: Arc<SigningKey>,
    stopping: Arc<AtomicBool>,
}

/// What the driver is asked to do. A dropped reply means that the node stops.
#[derive(Debug)]
pub enum Command {
    /// Append signed statements to the own log as one group: all or none.
    Publish {
        /// In order; at least one.
        statements: Vec<Prepared>,
        /// What they are about, until they are recorded or refused.
        reserved: Reserved,
        /// Where each was recorded, once durable.
        reply: oneshot::Sender<Result<Vec<Published>, PublishError>>,
    },
    /// Install a charter.
    InstallCharter {
        /// The signed charter's file.
        bytes: Vec<u8>,
        /// The version in force afterwards.
        reply: oneshot::Sender<Result<u64, CharterRefused>>,
    },
    /// Find a log's leaf in the newest anchor that counts.
    AnchorLeaf {
        /// The log.
        log: ExchangeId,
        /// The anchor and the leaf.
        reply: oneshot::Sender<LeafAnswer>,
    },
    /// Ask the register's keeper for an anchor soon.
    WantAnchor,
    /// Dial an address.
    Dial {
        /// Multiaddr.
        address: String,
        /// That dialling has begun.
        reply: oneshot::Sender<Result<(), DialRefused>>,
    },
    /// End the node in order.
    Shutdown,
}

/// A statement to be made; issuer, time, salt and signature are the node's.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishRequest {
    /// Such as `hutong/listing/v1`.
    pub kind: String,
    /// `"public"`, `"domestic"` or `{"members":[…]}`.
    pub audience: Value,
    /// JSON, as the statement type prescribes.
    pub body: String,
}

/// Where a statement was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// One's own log.
    pub log: ExchangeId,
    /// Place in it, from 0.
    pub index: u64,
    /// Statement id.
    pub id: StatementId,
    /// Codes in it that are on no list.
    pub unlisted: Vec<Unlisted>,
}

/// Why nothing was published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// A statement is not as its type prescribes.
    #[error("statement {place} of the group: {detail}")]
    Invalid {
        /// Its place in the group, from 0.
        place: usize,
        /// JSON pointer of the member within the statement, such as `/body/title`; empty for the whole.
        member: String,
        /// What was expected and met.
        detail: String,
    },
    /// The exchange may not make such a statement.
    #[error("statement {place} of the group may not be issued: {reason}")]
    NotAuthorised {
        /// Its place in the group, from 0.
        place: usize,
        /// Why.
        reason: String,
    },
    /// A statement does not follow what is recorded, or it is not known yet whether it does.
    #[error(transparent)]
    Continuity(#[from] ContinuityError),
    /// The own log is still being compared with peers' copies.
    #[error("the own log is still being compared with its peers' copies")]
    OwnLogUnchecked,
    /// Peers hold a contradicting version of the own log.
    #[error("the own log exists in two versions and may not be continued")]
    OwnLogConflict,
    /// The disk.
    #[error("cannot write {}: {reason}", file.display())]
    Store {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The disk has no room for own statements.
    #[error("the disk of the data folder has {free} bytes free, too few for new statements")]
    NoRoom {
        /// Bytes free.
        free: u64,
    },
    /// The log can take no more entries.
    #[error("the log is full")]
    Full,
    /// Too much is waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// Why a charter was not installed.
#[derive(Debug, Error)]
pub enum CharterRefused {
    /// It does not hold, or does not follow the one in force.
    #[error("{0}")]
    Invalid(String),
    /// Too much is waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// Why an address was not dialled.
#[derive(Debug, Error)]
pub enum DialRefused {
    /// It is no multiaddr, or none that this node can dial.
    #[error("{0}")]
    Invalid(String),
    /// Too much is waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// What the node knows of itself at one moment.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// The exchange that it speaks for.
    pub me: ExchangeId,
    /// Its libp2p peer id.
    pub peer_id: String,
    /// When the process started.
    pub started: Timestamp,
    /// The charters in force.
    pub charters: Arc<CharterChain>,
    /// Who is a member.
    pub directory: Arc<Directory>,
    /// By exchange id.
    pub logs: Vec<LogInfo>,
    /// Connected peers.
    pub peers: Vec<PeerInfo>,
    /// Multiaddrs listened on.
    pub listen: Vec<String>,
    /// Newest first, at most [`NOTICES_MAX`].
    pub notices: VecDeque<NoticeLine>,
    /// Whether the own log was checked, so that statements can be published.
    pub ready: bool,
    /// Whether the seed was restored and the council's members have not shown enough yet.
    pub restoring: bool,
    /// Bytes received from peers since the start.
    pub bytes_in: u64,
    /// Bytes sent to peers since the start.
    pub bytes_out: u64,
    /// What waits.
    pub queues: Queues,
    /// Decisions about members that did not take effect yet, by log and index.
    pub waiting: Vec<WaitingDecision>,
    /// What the disk has room for; `None` where it does not tell.
    pub space: Option<Space>,
}

/// A decision about a member that the register does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingDecision {
    /// In whose log it is.
    pub log: ExchangeId,
    /// Its place there.
    pub index: u64,
    /// The statement's type.
    pub kind: String,
    /// Whom it concerns.
    pub member: ExchangeId,
    /// When its author says that it was made.
    pub issued_at: Timestamp,
    /// Why it would take no effect now; `None` where the keeper only has to record it.
    pub reason: Option<String>,
}

impl WaitingDecision {
    /// Whether it waits for the keeper alone, and for more than a day.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let waited = now.millis().saturating_sub(self.issued_at.millis());
        self.reason.is_none() && waited > DAY_MS
    }
}

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// One log as it is held here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// Whose log.
    pub exchange: ExchangeId,
    /// Its name.
    pub origin: String,
    /// Leaves held.
    pub size: u64,
    /// Root at `size`.
    pub root: Hash,
    /// Size of the newest checkpoint held in full.
    pub checkpoint_size: Option<u64>,
    /// Size of the newest checkpoint with a witness quorum.
    pub cosigned_size: Option<u64>,
    /// Who cosigned that checkpoint.
    pub cosigners: Vec<ExchangeId>,
    /// Leaves of which only the hash is held.
    pub withheld: u64,
    /// Size at which the log is frozen after equivocation.
    pub frozen: Option<u64>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// libp2p peer id.
    pub peer_id: String,
    /// The member that it is, if it is one.
    pub exchange: Option<ExchangeId>,
    /// Its address.
    pub address: String,
    /// Since when it is connected.
    pub since: Timestamp,
    /// Bytes received from it.
    pub bytes_in: u64,
    /// Bytes sent to it.
    pub bytes_out: u64,
}

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// For the record.
    Info,
    /// To be looked at.
    Warning,
    /// To be acted upon now.
    Alarm,
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeLine {
    /// When.
    pub time: Timestamp,
    /// How urgent.
    pub level: NoticeLevel,
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl NodeView {
    /// Adds a notice and drops the oldest beyond [`NOTICES_MAX`].
    pub fn add_notice(&mut self, notice: NoticeLine) {
        self.notices.push_front(notice);
        self.notices.truncate(NOTICES_MAX);
    }

    /// The own log, once it has an entry.
    pub fn own_log(&self) -> Option<&LogInfo> {
        self.logs.iter().find(|log| log.exchange == self.me)
    }
}

impl NodeHandle {
    /// A handle, which signs by `issuer`, and the ends that the driver keeps.
    pub fn new(
        first: NodeView,
        store: Store,
        issuer: SigningKey,
    ) -> (Self, mpsc::Receiver<Command>, watch::Sender<Arc<NodeView>>) {
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (sender, view) = watch::channel(Arc::new(first));
        let reservations = Reservations::default();
        let issuer = Arc::new(issuer);
        let stopping = Arc::default();
        (Self { commands, view, store, reservations, issuer, stopping }, received, sender)
    }

    /// The newest view.
    pub fn view(&self) -> Arc<NodeView> {
        Arc::clone(&self.view.borrow())
    }

    /// A receiver of views, to wait for a change.
    pub fn watch(&self) -> watch::Receiver<Arc<NodeView>> {
        self.view.clone()
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Publishes statements as one group and returns once they are durable.
    ///
    /// The only way to publish: statements that would change nothing are refused here, before they are signed,
    /// and requests about one contract or listing do not overlap, even if a caller goes away.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing was published then.
    pub async fn publish(
        &self,
        statements: Vec<PublishRequest>,
    ) -> Result<Vec<Published>, PublishError> {
        let node = self.clone();
        let publishing = tokio::task::spawn_blocking(move || node.prepare(&statements));
        let (answer, unlisted) = publishing.await.unwrap_or_else(ended)?;
        let mut published = answer.await.unwrap_or(Err(PublishError::Stopping))?;
        for (published, unlisted) in published.iter_mut().zip(unlisted) {
            published.unlisted = unlisted;
        }
        Ok(published)
    }

    /// Makes, looks at and signs statements, and hands them to the driver. May wait for the disk.
    fn prepare(
        &self,
        statements: &[PublishRequest],
    ) -> Result<(Answer, Vec<Vec<Unlisted>>), PublishError> {
        let space = self.store.space().map_err(ContinuityError::from)?;
        if space.room == Room::Nothing {
            // Before anything is signed: it could not be kept.
            return Err(PublishError::NoRoom { free: space.free });
        }
        let me = self.view().me.clone();
        let statements = publish::make(&me, crate::driver::now(), statements)?;
        let reserved = self.reservations.reserve(&statements)?;
        let patience = continuity::SETTLE;
        continuity::check(&me, &self.store, &statements, patience, || self.view())?;
        let unlisted =
            statements.iter().map(|one| unlisted::in_content(&one.said().content)).collect();
        let statements = publish::sign(&self.issuer, statements);
        let (reply, answer) = oneshot::channel();
        let command = Command::Publish { statements, reserved, reply };
        self.send(command).map_err(|refused| match refused {
            Refused::Busy => PublishError::Busy,
            Refused::Stopping => PublishError::Stopping,
        })?;
        Ok((answer, unlisted))
    }

    /// Installs a charter and returns the version in force afterwards.
    ///
    /// # Errors
    ///
    /// [`CharterRefused`].
    pub async fn install_charter(&self, bytes: Vec<u8>) -> Result<u64, CharterRefused> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::InstallCharter { bytes, reply }).map_err(|refused| match refused {
            Refused::Busy => CharterRefused::Busy,
            Refused::Stopping => CharterRefused::Stopping,
        })?;
        answer.await.unwrap_or(Err(CharterRefused::Stopping))
    }

    /// Finds the leaf of `log` in the newest anchor that counts: here, or at the council's nodes. `None` where
    /// there is no anchor, where nobody at hand keeps it, and while the node is too busy or stops.
    pub async fn anchor_leaf(&self, log: ExchangeId) -> LeafAnswer {
        let (reply, answer) = oneshot::channel();
        self.send(Command::AnchorLeaf { log, reply }).ok()?;
        answer.await.ok().flatten()
    }

    /// Asks the register's keeper for an anchor soon. Whether it makes one shows in the views.
    pub fn want_anchor(&self) {
        // Whoever waits asks again.
        let _ = self.send(Command::WantAnchor);
    }

    /// Begins to dial an address.
    ///
    /// # Errors
    ///
    /// [`DialRefused`].
    pub async fn dial(&self, address: String) -> Result<(), DialRefused> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Dial { address, reply }).map_err(|refused| match refused {
            Refused::Busy => DialRefused::Busy,
            Refused::Stopping => DialRefused::Stopping,
        })?;
        answer.await.unwrap_or(Err(DialRefused::Stopping))
    }

    /// Becomes true when the node is to end. What waits for the disk looks at it.
    pub(crate) fn stopping(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopping)
    }

    /// Asks the node to end in order.
    pub async fn shutdown(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Waits for a place: a busy node must be stoppable. A closed channel means that it has stopped.
        let _ = self.commands.send(Command::Shutdown).await;
    }

    /// Never waits: what does not fit is refused, so that callers can come again.
    fn send(&self, command: Command) -> Result<(), Refused> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopping,
        })
    }
}

/// A task that did not end by itself fell, which is passed on, or the runtime ends.
fn ended<T>(error: tokio::task::JoinError) -> Result<T, PublishError> {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(PublishError::Stopping),
    }
}

enum Refused {
    Busy,
    Stopping,
}
