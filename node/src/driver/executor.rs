//! Carries effects out, in order, and nothing after a `Persist` before it is durable.
//!
//! Whatever is queued is taken in one go: all its `Persist`s become durable in one commit, then
//! everything else follows in order. What becomes durable earlier than it must does no harm, and
//! a group shares one fsync.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hutong_protocol::audience::Viewer;
use hutong_protocol::directory::{Anchor, AnchoredLeaf, Directory};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{Effect, InboundId, Input, PeerFault, RequestId, Ticket, Verdict};
use hutong_protocol::limits::LEAVES_BYTES_MAX;
use hutong_protocol::message::{LeavesRequest, Refusal, Request, Response};
use hutong_protocol::neighbours::Interests;
use hutong_protocol::persist::Persist;
use hutong_protocol::region::Scope;
use hutong_protocol::serve::{self, AnswerRange, Owner};
use tokio::sync::{mpsc, oneshot};

use super::publish::{published, refused};
use crate::continuity::Reserved;
use crate::handle::{PublishError, Published};
use crate::net::{Membership, NetHandle, Verdict as NetVerdict};
use crate::store::{Room, Store, StoreError};

/// Lists of effects that wait for the disk or the network at most. The driver then waits, and
/// with it everybody who feeds it.
pub(super) const QUEUE_MAX: usize = 1_024;

/// Pause before a commit is tried again for which disk or descriptors did not suffice.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);

/// Pause before others' entries are asked for again while the disk has no room for them.
const FETCH_AGAIN: Duration = Duration::from_secs(5);

type Reply = oneshot::Sender<Result<Vec<Published>, PublishError>>;

/// Operators who wait for their statements to be durable, and what those are about.
#[derive(Debug, Clone, Default)]
pub(super) struct Replies(Arc<Mutex<BTreeMap<Ticket, (Reply, Reserved)>>>);

impl Replies {
    pub(super) fn insert(&self, ticket: Ticket, reply: Reply, reserved: Reserved) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, (reply, reserved));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn answer(&self, ticket: Ticket, outcome: Result<Vec<Published>, PublishError>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
        let Some((reply, reserved)) = waiting else { return };
        // First, so that whoever is answered may go on about the same.
        drop(reserved);
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
    }
}

/// A log's leaf in the newest anchor that counts; none where nobody at hand keeps it.
pub(crate) type LeafAnswer = Option<(Anchor, AnchoredLeaf)>;

/// Receipts that wait for a leaf of an anchor.
#[derive(Debug, Clone, Default)]
pub(super) struct LeafReplies(Arc<Mutex<BTreeMap<Ticket, oneshot::Sender<LeafAnswer>>>>);

impl LeafReplies {
    pub(super) fn insert(&self, ticket: Ticket, reply: oneshot::Sender<LeafAnswer>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, reply);
    }

    fn answer(&self, ticket: Ticket, leaf: LeafAnswer) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
        if let Some(reply) = waiting {
            // Whoever asked may have gone.
            drop(reply.send(leaf));
        }
    }
}

/// Where effects end.
pub(super) struct Executor {
    pub(super) me: ExchangeId,
    pub(super) store: Store,
    pub(super) net: NetHandle,
    pub(super) replies: Replies,
    pub(super) leaves: LeafReplies,
    /// Answers that go back into the state.
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    /// Lists of effects that are queued or being carried out.
    pub(super) under_way: Arc<AtomicUsize>,
    /// Becomes true when the node is to end.
    pub(super) stopping: Arc<AtomicBool>,
}

impl Executor {
    /// Carries out until the driver hangs up, or a disk fault ends the node.
    pub(super) async fn run(
        self,
        mut queue: mpsc::Receiver<Vec<Effect>>,
    ) -> Result<(), StoreError> {
        let mut lists = Vec::new();
        while queue.recv_many(&mut lists, QUEUE_MAX).await > 0 {
            let taken = lists.len();
            let mut changes = Vec::new();
            let mut rest = Vec::new();
            for effect in lists.drain(..).flatten() {
                match effect {
                    Effect::Persist(change) => changes.push(change),
                    other => rest.push(other),
                }
            }
            self.persist(changes).await?;
            for effect in rest {
                self.carry_out(effect).await;
            }
            self.under_way.fetch_sub(taken, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes changes durable. Where disk or descriptors do not suffice, nothing was changed and nothing is said:
    /// it waits until they do, or until the node is to end.
    async fn persist(&self, changes: Vec<Persist>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let changes = Arc::new(changes);
        let mut is_told = false;
        loop {
            let (store, group) = (self.store.clone(), Arc::clone(&changes));
            let committed = tokio::task::spawn_blocking(move || store.commit(&group)).await;
            let committed =
                committed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            match committed {
                Err(error) if error.is_passing() && !self.stopping.load(Ordering::Relaxed) => {
                    if !is_told {
                        tracing::error!(%error, "waiting: a commit could not be made durable; it is tried again every second");
                        is_told = true;
                    }
                    tokio::time::sleep(COMMIT_AGAIN).await;
                }
                outcome => {
                    if is_told && outcome.is_ok() {
                        tracing::info!("the commit that waited is durable");
                    }
                    return outcome;
                }
            }
        }
    }

    async fn carry_out(&self, effect: Effect) {
        let sent = match effect {
            Effect::Appended { ticket, outcome } => {
                let outcome = match outcome {
                    Ok(positions) => Ok(published(&self.me, &positions)),
                    Err(error) => Err(refused(error)),
                };
                self.replies.answer(ticket, outcome);
                Ok(())
            }
            Effect::AnchorLeaf { ticket, leaf } => {
                self.leaves.answer(ticket, leaf);
                Ok(())
            }
            Effect::Publish { scope, bytes } => {
                self.net.publish(scope.as_str(), bytes).await.map(|_| ())
            }
            Effect::Verdict { id, verdict } => self.net.verdict(id.0, net_verdict(verdict)).await,
            Effect::Send { request, bytes, .. } if self.must_wait(&bytes) => {
                self.answer_later(request);
                Ok(())
            }
            Effect::Send { request, peer, bytes } => {
                self.net.send_request(request.0, peer.as_str(), bytes).await
            }
            Effect::Respond { inbound, bytes } => self.net.respond(inbound.0, bytes).await,
            Effect::Serve { inbound, range, owner, viewer } => {
                self.serve(inbound, range, owner, viewer);
                Ok(())
            }
            Effect::ReadRange { log, old_size, new_size } => {
                self.read_range(log, old_size, new_size);
                Ok(())
            }
            Effect::Members { directory, scopes } => {
                let names = scopes.iter().map(ToString::to_string).collect();
                match self.net.set_members(membership(&directory, scopes)).await {
                    Ok(()) => self.net.subscribe(names).await,
                    Err(error) => Err(error),
                }
            }
            Effect::Penalise { peer, fault } => {
                self.net.penalise(peer.as_str(), penalty(fault)).await
            }
            // The driver takes these out of the list before it gets here.
            Effect::Check { .. } | Effect::Notice(_) | Effect::Persist(_) => Ok(()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the network is closed");
        }
    }

    /// Whether a request asks for other exchanges' entries, for which the disk has no room.
    fn must_wait(&self, request: &Bytes) -> bool {
        let has_room = || self.store.space().map_or(true, |space| space.room == Room::All);
        match Request::decode(request.clone()) {
            Ok(Request::Leaves(range)) => range.log != self.me && !has_room(),
            Ok(_) | Err(_) => false,
        }
    }

    /// Tells the state after a pause that a request has no answer, so that it asks again when there may be room.
    fn answer_later(&self, request: RequestId) {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            tokio::time::sleep(FETCH_AGAIN).await;
            let _ = inputs.send(Input::Response { request, answer: None });
        });
    }

    /// Reads and answers beside the queue: what was persisted before is there already.
    fn serve(&self, inbound: InboundId, range: LeavesRequest, owner: Owner, viewer: Viewer) {
        let (store, net) = (self.store.clone(), self.net.clone());
        tokio::spawn(async move {
            let answer =
                tokio::task::spawn_blocking(move || read_leaves(&store, &range, &owner, &viewer));
            let bytes = match answer.await {
                Ok(Ok(leaves)) => Response::Leaves(leaves).encode(),
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot serve leaves");
                    Response::Refused(Refusal::Fault).encode()
                }
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            let _ = net.respond(inbound.0, bytes).await;
        });
    }

    fn read_range(&self, log: ExchangeId, old_size: u64, new_size: u64) {
        let (store, inputs) = (self.store.clone(), self.inputs.clone());
        tokio::task::spawn_blocking(move || {
            let left = store.range_hashes(&log, 0, old_size);
            let right = store.range_hashes(&log, old_size, new_size);
            let (left, right) = left.and_then(|left| Ok((left, right?))).unwrap_or_else(|error| {
                tracing::error!(%error, "cannot compare checkpoints of {log}");
                // No hashes prove nothing, but the state must not wait for an answer for ever.
                Default::default()
            });
            let _ = inputs.send(Input::RangeRead { log, old_size, new_size, left, right });
        });
    }
}

fn read_leaves(
    store: &Store,
    range: &LeavesRequest,
    owner: &Owner,
    viewer: &Viewer,
) -> Result<hutong_protocol::message::Leaves, StoreError> {
    let leaves = store.leaves(&range.log, range.from, range.to, LEAVES_BYTES_MAX)?;
    let tree = store.node_reader(&range.log)?;
    let reach = AnswerRange { size: range.size, left: range.left, bytes_max: LEAVES_BYTES_MAX };
    let is_void = |index| tree.is_void(index);
    serve::answer(owner, viewer, range.from, leaves, &reach, is_void, &tree)
}

fn membership(directory: &Directory, scopes: Vec<Scope>) -> Membership {
    let members = directory
        .members()
        .map(|member| (member.peer().as_str().to_owned(), member.descriptor.addresses.clone()))
        .collect();
    let publishers = directory
        .members()
        .filter(|member| member.is_active())
        .map(|member| member.peer().as_str().to_owned())
        .collect();
    let council = directory.council().iter().filter_map(|member| directory.member(member));
    let council = council.map(|member| member.peer().as_str().to_owned()).collect();
    let interests = Interests::new(scopes, directory);
    let presumed = directory
        .members()
        .map(|member| (member.peer().as_str().to_owned(), interests.presumed(member)))
        .filter(|(_, places)| !places.is_empty())
        .collect();
    let scopes = interests.scopes().iter().map(ToString::to_string).collect();
    Membership { members, publishers, council, scopes, presumed }
}

fn net_verdict(verdict: Verdict) -> NetVerdict {
    match verdict {
        Verdict::Accept => NetVerdict::Accept,
        Verdict::Reject => NetVerdict::Reject,
        Verdict::Ignore => NetVerdict::Ignore,
    }
}

/// Points held against a peer, of the 100 at which it is banned for a while.
fn penalty(fault: PeerFault) -> u32 {
    match fault {
        PeerFault::OtherFederation => 100,
        PeerFault::BadLeaves => 50,
        PeerFault::Malformed | PeerFault::BadSignature | PeerFault::WrongAnswer => 25,
    }
}
