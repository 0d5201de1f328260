//! A node's decisions: one way in, one way out.
//!
//! [`State::handle`] takes what happened and returns what to do. Time and randomness arrive as
//! arguments; the same inputs give the same effects. The parts, each understood alone:
//!
//! - `own`: the log of this exchange: append, announce, and never sign below;
//! - `restoration`: what restored keys must see before they sign;
//! - `offer`: checkpoints that peers show;
//! - `fetch`: leaves on their way into a replica;
//! - `gaps`: entries that were not handed out at first;
//! - `sync`: comparing holdings with a peer, and answering it;
//! - `summary`: what is said of holdings, in short;
//! - `gossip`: messages from everybody;
//! - `witness`: cosignatures, given and gathered;
//! - `equivocation`: logs that exist in two versions.
//!
//! Not here: disk, network, threads ([`Effect`]s ask for them), and the meaning of listings and
//! contracts, which is derived from the logs afterwards.

mod equivocation;
mod fetch;
mod gaps;
mod gossip;
mod load;
mod offer;
mod own;
mod ranges;
mod replica;
mod restoration;
mod summary;
mod sync;
mod timers;
mod witness;

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::keys::SigningKey;

pub use self::load::Load;
use self::own::Own;
use self::replica::Replica;
use self::restoration::Restoration;
use self::summary::Summaries;
use self::sync::{Asked, PeerState};
use self::timers::{Timer, Timers};
use crate::audience::Viewer;
use crate::charter::{CharterChain, SignedCharter};
use crate::directory::{Directory, FactRef, Facts};
use crate::entry::Entry;
use crate::id::{ExchangeId, Origin};
use crate::io::{CheckTicket, Effect, Input, Notice, Peer, PeerFault, RequestId};
use crate::message::Request;
use crate::oracle::{Oracle, Plain};
use crate::persist::{Persist, StoredLog};
use crate::region::Scope;
use crate::serve::Owner;
use crate::time::{Instant, Now, Timestamp};

/// The keys with which a state signs checkpoints and cosignatures.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs the own log's checkpoints.
    pub log: SigningKey,
    /// Cosigns other logs' checkpoints.
    pub witness: SigningKey,
}

/// Which logs a node replicates in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// All.
    All,
    /// Those of these scopes, and of the council.
    Scopes(BTreeSet<Scope>),
}

/// How a state behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// The exchange that runs the node.
    pub me: ExchangeId,
    /// The node's own peer id.
    pub peer: Peer,
    /// Which logs are replicated.
    pub follow: Follow,
    /// Whether the keys were restored from a backup: then nothing is signed before so many council
    /// members have shown their copies that the rest could not be a witness quorum.
    pub restored: bool,
    /// Whether the operator of restored keys says that the own log is complete as it is here.
    pub own_log_complete: bool,
    /// The shortest time between two announcements of the own log, in milliseconds.
    pub announce_interval_ms: u64,
    /// The time between two comparisons with a peer, in milliseconds.
    pub anti_entropy_interval_ms: u64,
    /// How long to wait for a peer's copy of the own log before signing, in milliseconds.
    pub own_log_check_ms: u64,
}

/// Everything a node knows and decides.
#[derive(Debug)]
pub struct State {
    config: Config,
    keys: Keys,
    oracle: Arc<dyn Oracle>,
    /// Never goes back.
    now: Instant,
    /// What the clock shows that may be set, for what is signed.
    wall: Timestamp,
    charters: CharterChain,
    facts: Facts,
    directory: Arc<Directory>,
    directory_stale: bool,
    replicas: BTreeMap<ExchangeId, Replica>,
    own: Own,
    summaries: Summaries,
    /// What restored keys still wait for.
    restoration: Option<Restoration>,
    peers: BTreeMap<Peer, PeerState>,
    asked: BTreeMap<RequestId, (Peer, Asked)>,
    checks: BTreeMap<CheckTicket, Check>,
    timers: Timers,
    last_number: u64,
    /// The peer that was last chosen in rotation.
    rotation: Option<Peer>,
    /// Requests for ranges of leaves that are under way.
    fetches: usize,
    /// Logs that go on as soon as there are fewer of them.
    waiting: BTreeSet<ExchangeId>,
    effects: Vec<Effect>,
}

/// What a batch of entries is checked for.
#[derive(Debug)]
enum Check {
    /// It is the next part of a log.
    Batch { log: ExchangeId },
    /// It fills gaps of a log.
    Fill { log: ExchangeId, entries: Vec<(u64, Entry)> },
}

impl State {
    /// A state that goes on from what was stored.
    ///
    /// `facts` are the membership entries among the stored ones, by log and index.
    pub fn new(
        config: Config,
        keys: Keys,
        charters: CharterChain,
        stored: &[StoredLog],
        facts: Facts,
    ) -> Self {
        Self::with_oracle(config, keys, charters, stored, facts, Arc::new(Plain))
    }

    /// As [`State::new`], with somebody else to ask for what depends on nothing but the question.
    pub fn with_oracle(
        config: Config,
        keys: Keys,
        charters: CharterChain,
        stored: &[StoredLog],
        facts: Facts,
        oracle: Arc<dyn Oracle>,
    ) -> Self {
        let mut replicas: BTreeMap<_, _> =
            stored.iter().map(|stored| (stored.log.clone(), Replica::restored(stored))).collect();
        let directory = oracle.directory(None, &charters, &counting(&facts, &replicas));
        let own_log = replicas.entry(config.me.clone()).or_default();
        let own = Own::at(own_log.frontier.size(), own_log.frozen.is_some());
        Self {
            own,
            summaries: Summaries::default(),
            restoration: config.restored.then(|| Restoration::new(config.own_log_complete)),
            config,
            keys,
            oracle,
            now: Instant::default(),
            wall: Timestamp::default(),
            charters,
            facts,
            directory,
            directory_stale: true,
            replicas,
            peers: BTreeMap::new(),
            asked: BTreeMap::new(),
            checks: BTreeMap::new(),
            timers: Timers::default(),
            last_number: 0,
            rotation: None,
            fetches: 0,
            waiting: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    /// Takes what happened at `now` and returns what to do, in order.
    ///
    /// What is signed bears the time of the wall clock as it is; nothing waits for that clock.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now.instant);
        self.wall = now.wall;
        match input {
            Input::Started => self.start(),
            Input::Tick => {}
            Input::Append { ticket, entries } => self.append(ticket, &entries),
            Input::PeerConnected { peer } => self.peer_connected(&peer),
            Input::PeerDisconnected { peer } => self.peer_disconnected(&peer),
            Input::Gossip { id, from, author, scope, bytes } => {
                self.gossip(id, &from, &author, &scope, bytes);
            }
            Input::Request { inbound, peer, bytes } => self.request(inbound, &peer, bytes),
            Input::Response { request, answer } => self.response(request, answer),
            Input::Checked { ticket, outcomes } => self.checked(ticket, outcomes),
            Input::RangeRead { log, old_size, new_size, left, right } => {
                self.range_read(&log, old_size, new_size, left, right);
            }
            Input::Charter { bytes } => self.charter_offered(&bytes),
        }
        for timer in self.timers.take_due(self.now) {
            self.expired(timer);
        }
        while core::mem::take(&mut self.directory_stale) {
            self.refresh_directory();
        }
        self.go_on_restored();
        core::mem::take(&mut self.effects)
    }

    /// When [`Input::Tick`] is wanted next.
    pub fn wake_at(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The directory as of the last input.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The charters known.
    pub fn charters(&self) -> &CharterChain {
        &self.charters
    }

    /// Whether the own log was compared with the peers' copies, so that it may be continued.
    pub fn may_sign(&self) -> bool {
        self.own.may_sign()
    }

    /// Whether restored keys still wait for members to show what they hold.
    pub fn is_restoring(&self) -> bool {
        self.restoration.is_some()
    }

    /// The logs here: what is held of each.
    pub fn logs(&self) -> impl Iterator<Item = LogStatus<'_>> {
        self.replicas.iter().map(|(log, replica)| LogStatus {
            log,
            size: replica.frontier.size(),
            held: replica.held_size(),
            cosigned: replica.cosigned.as_ref().map_or(0, replica::Signed::size),
            target: replica.target.as_ref().map(|target| target.signed.size()),
            withheld: replica.gaps.count() + replica.declined.count(),
            frozen: replica.frozen,
        })
    }

    fn start(&mut self) {
        self.timers
            .set(Timer::AntiEntropy, self.now.plus_millis(self.config.anti_entropy_interval_ms));
        self.start_own_log_check();
        self.seek_stored_gaps();
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Announce => self.announce(),
            Timer::QuorumLate => self.quorum_late(),
            Timer::AntiEntropy => self.anti_entropy(),
            Timer::CompareAgain => self.compare_again(),
            Timer::OwnLogUnanswered => self.own_log_unanswered(),
            Timer::FindSource(log) => self.find_source(&log),
            Timer::RangeLate(log) => self.range_late(&log),
            Timer::SeekWithheld(log) => self.seek_again(&log),
            Timer::Cosign(log) => self.cosign(&log),
            Timer::Deliver(log) => self.deliver_cosignature(&log),
        }
    }

    fn charter_offered(&mut self, bytes: &[u8]) {
        use crate::charter::Extend;
        let signed = match SignedCharter::parse(bytes) {
            Ok(signed) => signed,
            Err(error) => {
                return self.notice(Notice::CharterRefused { reason: error.to_string() });
            }
        };
        match self.charters.extend(signed) {
            Ok(Extend::Known) => {}
            Ok(Extend::Added) => {
                let version = self.charters.version();
                self.effect(Effect::Persist(Persist::Charter { bytes: bytes.to_vec() }));
                self.notice(Notice::CharterInstalled { version });
                self.directory_stale = true;
                if let Some(restoration) = &mut self.restoration {
                    restoration.forget_all();
                    self.own_log_compared_in_vain();
                }
            }
            Ok(Extend::Equivocation(evidence)) => {
                let version = evidence.common_version();
                self.directory_stale = true;
                self.effect(Effect::Persist(Persist::Charter { bytes: bytes.to_vec() }));
                self.notice(Notice::CharterConflict { version });
            }
            Err(error) => {
                self.notice(Notice::CharterRefused { reason: error.to_string() });
            }
        }
    }

    /// Rebuilds the directory, since something it rests on has come, and acts on what changed.
    fn refresh_directory(&mut self) {
        let facts = counting(&self.facts, &self.replicas);
        let after = self.oracle.directory(Some(&self.directory), &self.charters, &facts);
        let before = core::mem::replace(&mut self.directory, after);
        self.summaries_changed();
        let directory = Arc::clone(&self.directory);
        let me = self.config.me.clone();
        for member in directory.members() {
            if self.follows(&member.id) {
                self.replicas.entry(member.id.clone()).or_default();
            }
            let known = before.member(&member.id);
            let same = known.is_some_and(|it| it.descriptor.log_key == member.descriptor.log_key);
            if let (false, Some(restoration)) = (same, &mut self.restoration) {
                restoration.forget(&member.scope, self.last_number);
            }
        }
        self.thaw();
        if before.member(&me).is_none() && directory.member(&me).is_some() {
            self.became_member();
        }
        let scopes = self.scopes();
        self.effect(Effect::Members { directory: Arc::clone(&directory), scopes });
        self.greet_new_members(&before);
    }

    /// Takes in a statement about a member, whose signature holds.
    fn learn_decision(&mut self, log: &ExchangeId, index: u64, entry: Entry) {
        let Some(fact) = self.oracle.fact(entry) else { return };
        let new = self.facts.insert_fact(FactRef { log: log.clone(), index }, fact);
        // Where nobody would listen, there is no need to build the directory anew.
        if new && self.may_decide(log) {
            self.directory_stale = true;
        }
    }

    /// Whether statements about members in the log may count.
    fn may_decide(&self, log: &ExchangeId) -> bool {
        let admits =
            self.directory.member(log).is_some_and(|member| member.descriptor.tier.admits());
        let mut versions = self.charters.versions().iter();
        admits || versions.any(|version| version.charter().registrar == *log)
    }

    /// Whether this node replicates the log.
    fn follows(&self, log: &ExchangeId) -> bool {
        let Some(member) = self.directory.member(log) else { return false };
        match &self.config.follow {
            Follow::All => true,
            Follow::Scopes(scopes) => {
                *log == self.config.me
                    || scopes.contains(&member.scope)
                    || self.charters.latest().is_council_member(log)
            }
        }
    }

    /// The scopes of the logs that are replicated.
    fn scopes(&self) -> Vec<Scope> {
        let scopes: BTreeSet<_> = self
            .directory
            .members()
            .filter(|member| self.follows(&member.id))
            .map(|member| member.scope.clone())
            .collect();
        scopes.into_iter().collect()
    }

    fn origin(&self, log: &ExchangeId) -> Origin {
        Origin::new(&self.charters.federation_id(), log)
    }

    fn owner(&self, log: &ExchangeId) -> Option<Owner> {
        let member = self.directory.member(log)?;
        Some(Owner { exchange: log.clone(), region: member.region().clone() })
    }

    /// What a peer may see of a log. A suspended member sees what strangers see, and its own log.
    fn viewer(&self, peer: &Peer, log: &ExchangeId) -> Viewer {
        match self.directory.by_peer(peer) {
            Some(member) if member.is_active() || member.id == *log => {
                Viewer::member(member.id.clone(), member.region().clone())
            }
            Some(_) | None => Viewer::stranger(),
        }
    }

    /// The connected peer that is the exchange's node.
    fn peer_of(&self, exchange: &ExchangeId) -> Option<Peer> {
        let member = self.directory.member(exchange)?;
        self.peers.contains_key(member.peer()).then(|| member.peer().clone())
    }

    /// The connected peers that are nodes of council members, but for the owner of `log`.
    fn council_peers(&self, log: &ExchangeId) -> Vec<Peer> {
        let others = self.directory.council().iter().filter(|member| *member != log);
        others.filter_map(|member| self.peer_of(member)).collect()
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn notice(&mut self, notice: Notice) {
        self.effects.push(Effect::Notice(notice));
    }

    fn penalise(&mut self, peer: &Peer, fault: PeerFault) {
        self.effect(Effect::Penalise { peer: peer.clone(), fault });
        self.notice(Notice::PeerMisbehaved { peer: peer.clone(), fault });
    }

    fn send(&mut self, peer: &Peer, request: &Request, asked: Asked) -> RequestId {
        let id = RequestId(self.number());
        self.asked.insert(id, (peer.clone(), asked));
        self.effect(Effect::Send { request: id, peer: peer.clone(), bytes: request.encode() });
        id
    }

    /// The connected peer after the one chosen last, among those that `wanted` admits.
    fn next_peer(&mut self, wanted: impl Fn(&Peer) -> bool) -> Option<Peer> {
        let chosen = self.peer_after(self.rotation.as_ref(), |peer, _| wanted(peer))?.clone();
        self.rotation = Some(chosen.clone());
        Some(chosen)
    }

    /// The connected peer after `last`, among those that `wanted` admits; after the last one, the first.
    fn peer_after(
        &self,
        last: Option<&Peer>,
        wanted: impl Fn(&Peer, &PeerState) -> bool,
    ) -> Option<&Peer> {
        use core::ops::Bound::{Excluded, Unbounded};
        let after = last.map_or(Unbounded, Excluded);
        let mut in_order = self.peers.range::<Peer, _>((after, Unbounded)).chain(self.peers.iter());
        in_order.find(|(peer, state)| wanted(peer, state)).map(|(peer, _)| peer)
    }
}

/// The facts that count: of frozen logs only those below the size at which each is frozen.
fn counting<'a>(facts: &'a Facts, replicas: &BTreeMap<ExchangeId, Replica>) -> Cow<'a, Facts> {
    let frozen = replicas.iter().filter_map(|(log, it)| Some((log.clone(), it.frozen?)));
    let frozen: BTreeMap<ExchangeId, u64> = frozen.collect();
    if frozen.is_empty() { Cow::Borrowed(facts) } else { Cow::Owned(facts.up_to(&frozen)) }
}

/// What a node holds of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus<'a> {
    /// The log.
    pub log: &'a ExchangeId,
    /// How many leaves are here.
    pub size: u64,
    /// The size of the newest checkpoint held in full.
    pub held: u64,
    /// The size of the newest checkpoint with a witness quorum.
    pub cosigned: u64,
    /// The size of a newer checkpoint that is being fetched.
    pub target: Option<u64>,
    /// How many entries are not held.
    pub withheld: u64,
    /// The size at which the log is frozen.
    pub frozen: Option<u64>,
}
