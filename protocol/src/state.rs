//! A node's decisions: one way in, one way out.
//!
//! [`State::handle`] takes what happened and returns what to do. Time and randomness arrive as
//! arguments; the same inputs give the same effects. The parts, each understood alone:
//!
//! - `own`: the log of this exchange: append, announce, and never sign below;
//! - `restoration`: what restored keys must see before they sign;
//! - `offer`: checkpoints that peers show;
//! - `fetch`: leaves on their way into a replica;
//! - `gaps`: which entries are not held, and who is to be asked for them when;
//! - `seek`: asking for them;
//! - `standing`: how far logs of suspended and expelled members stand;
//! - `sync`: comparing holdings with a peer, and answering it;
//! - `summary`: what is said of holdings, in short;
//! - `gossip`: messages from everybody;
//! - `witness`: cosignatures, given and gathered;
//! - `equivocation`: logs that exist in two versions;
//! - `register`: following the registers, which make the directory;
//! - `audit`: what a council member checks of the register before it cosigns it;
//! - `keeper`: recording decisions and freezes in the register.
//! - `anchoring`: recording anchors in it.
//!
//! Not here: disk, network, threads ([`Effect`]s ask for them), and the meaning of listings and
//! contracts, which is derived from the logs afterwards.

mod anchoring;
mod audit;
mod equivocation;
mod fetch;
mod gaps;
mod gossip;
mod keeper;
mod load;
mod offer;
mod own;
mod quota;
mod ranges;
mod register;
mod replica;
mod restoration;
mod seek;
mod standing;
mod summary;
mod sync;
mod timers;
mod witness;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use hutong_crypto::keys::SigningKey;

use self::anchoring::Anchoring;
use self::audit::Audit;
use self::keeper::Keeper;
pub use self::load::Load;
use self::own::Own;
use self::quota::Taken;
use self::register::Registers;
use self::replica::Replica;
use self::restoration::Restoration;
use self::summary::Summaries;
use self::sync::{Asked, PeerState};
use self::timers::{Timer, Timers};
use crate::audience::Viewer;
use crate::charter::CharterChain;
use crate::directory::{Directory, register_version};
use crate::entry::Entry;
use crate::id::{ExchangeId, Origin};
use crate::io::{CheckTicket, Effect, Input, Notice, Peer, PeerFault, RequestId};
use crate::message::Request;
use crate::oracle::{Oracle, Plain};
use crate::persist::Stored;
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
    /// Signs the register, where this exchange is its keeper.
    pub register: Option<SigningKey>,
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
    /// Bytes that are taken of a member's log in a day, in place of the charter's quota for its tier.
    pub quotas: BTreeMap<ExchangeId, u64>,
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
    directory: Arc<Directory>,
    /// Whether the directory has changed since it was last acted upon.
    directory_before: Option<Arc<Directory>>,
    registers: Registers,
    /// The check of the register, at council members.
    audit: Option<Audit>,
    keeper: Keeper,
    anchoring: Anchoring,
    taken: Taken,
    replicas: BTreeMap<ExchangeId, Replica>,
    /// The logs that this node signs.
    own: BTreeMap<ExchangeId, Own>,
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
    /// Requests for entries that are not held, under way too.
    seeks: usize,
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
    pub fn new(config: Config, keys: Keys, stored: Stored<'_>) -> Self {
        Self::with_oracle(config, keys, stored, Arc::new(Plain))
    }

    /// As [`State::new`], with somebody else to ask for what depends on nothing but the question.
    pub fn with_oracle(
        config: Config,
        keys: Keys,
        stored: Stored<'_>,
        oracle: Arc<dyn Oracle>,
    ) -> Self {
        let logs = stored.logs.iter();
        let mut replicas: BTreeMap<_, _> =
            logs.map(|stored| (stored.log.clone(), Replica::restored(stored))).collect();
        replicas.entry(config.me.clone()).or_default();
        let directory = oracle.fold(&Arc::new(stored.founded.clone()), &[], None);
        seek_behind_gaps(&mut replicas, &stored.registers, &directory);
        let mut state = Self {
            own: BTreeMap::new(),
            summaries: Summaries::default(),
            restoration: config.restored.then(|| Restoration::new(config.own_log_complete)),
            registers: Registers::new(stored.charters, stored.registers),
            audit: None,
            keeper: Keeper::new(stored.decisions),
            anchoring: Anchoring::default(),
            taken: Taken::default(),
            config,
            keys,
            oracle,
            now: Instant::default(),
            wall: Timestamp::default(),
            directory_before: Some(Arc::clone(&directory)),
            directory,
            replicas,
            peers: BTreeMap::new(),
            asked: BTreeMap::new(),
            checks: BTreeMap::new(),
            timers: Timers::default(),
            last_number: 0,
            rotation: None,
            fetches: 0,
            seeks: 0,
            waiting: BTreeSet::new(),
            effects: Vec::new(),
        };
        let me = state.config.me.clone();
        let founded = Arc::clone(&state.directory);
        state.own_log_begins(&me);
        state.fold_what_is_stored();
        state.keep_register();
        state.begin_audit(stored.anchors, &founded);
        state.forget_folded();
        state
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
            Input::Charter { bytes } => self.charter_installed(&bytes),
            Input::AnchorLeaf { ticket, log } => self.find_anchor_leaf(ticket, &log),
            Input::AnchorWanted => self.want_anchor(),
        }
        for timer in self.timers.take_due(self.now) {
            self.expired(timer);
        }
        self.act_on_directory();
        self.go_on_restored();
        self.go_on_as_keeper();
        // Where nobody witnesses, what the keeper records counts at once.
        self.act_on_directory();
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
        self.directory.charters()
    }

    /// Whether the own log was compared with the peers' copies, so that it may be continued.
    pub fn may_sign(&self) -> bool {
        self.may_sign_log(&self.config.me)
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
            withheld: replica.gaps.count(),
            frozen: replica.frozen,
            over_quota: !self.is_own(log) && self.reached_quota(log),
        })
    }

    fn start(&mut self) {
        self.timers
            .set(Timer::AntiEntropy, self.now.plus_millis(self.config.anti_entropy_interval_ms));
        for log in self.own.keys().cloned().collect::<Vec<ExchangeId>>() {
            self.start_own_log_check(&log);
        }
        self.seek_stored_gaps();
        self.go_on_with_audit();
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Announce(log) => self.announce(&log),
            Timer::QuorumLate(log) => self.quorum_late(&log),
            Timer::AntiEntropy => self.anti_entropy(),
            Timer::CompareAgain => self.compare_again(),
            Timer::OwnLogUnanswered(log) => self.own_log_unanswered(&log),
            Timer::AnchorDue => self.anchor_due(),
            Timer::EnrolAgain => self.enrol_again(),
            Timer::AuditAgain => self.audit_again(),
            Timer::FindSource(log) => self.find_source(&log),
            Timer::GoOn(log) => self.pursue(&log),
            Timer::RangeLate(log) => self.range_late(&log),
            Timer::SeekWithheld(log) => self.seek(&log),
            Timer::Cosign(log) => self.cosign(&log),
            Timer::Deliver(log) => self.deliver_cosignature(&log),
        }
    }

    fn act_on_directory(&mut self) {
        while let Some(before) = self.directory_before.take() {
            self.directory_changed(&before);
        }
    }

    /// Acts on what is new in the directory.
    fn directory_changed(&mut self, before: &Directory) {
        self.summaries_changed();
        let directory = Arc::clone(&self.directory);
        let register = directory.register().id.clone();
        self.replicas.entry(register).or_default();
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
        if before.charters().version() != directory.charters().version() {
            self.charter_in_effect();
        }
        self.thaw();
        // Others know this node by its peer id, of which a change of keys makes another one.
        let peer = &self.config.peer;
        if before.by_peer(peer).is_none() && directory.by_peer(peer).is_some() {
            self.became_member();
        }
        let scopes = self.scopes();
        self.effect(Effect::Members { directory: Arc::clone(&directory), scopes });
        self.greet_new_members(before);
        self.keeper_moved();
    }

    /// Whether this node replicates the log.
    fn follows(&self, log: &ExchangeId) -> bool {
        if register_version(log).is_some() {
            return self.directory.operator(log).is_some();
        }
        let Some(member) = self.directory.member(log) else { return false };
        match &self.config.follow {
            Follow::All => true,
            // Its anchors need every log's head.
            Follow::Scopes(_) if self.directory.is_council_member(&self.config.me) => true,
            Follow::Scopes(scopes) => {
                *log == self.config.me
                    || scopes.contains(&member.scope)
                    || self.directory.is_council_member(log)
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
            .chain([Scope::register()])
            .collect();
        scopes.into_iter().collect()
    }

    fn origin(&self, log: &ExchangeId) -> Origin {
        Origin::new(&self.directory.federation(), log)
    }

    fn owner(&self, log: &ExchangeId) -> Option<Owner> {
        let region = self.directory.region_of(log)?.clone();
        Some(Owner { exchange: log.clone(), region })
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
        let owner = self.directory.operator(log);
        let others = self.directory.council().iter().filter(|member| Some(*member) != owner);
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

/// What a register has behind its first gap was not read from the disk: it is asked for with the gap.
fn seek_behind_gaps(
    replicas: &mut BTreeMap<ExchangeId, Replica>,
    read: &[(ExchangeId, Vec<Entry>)],
    directory: &Directory,
) {
    for (log, replica) in replicas {
        let Some(version) = register_version(log) else { continue };
        let folded = match version.cmp(&directory.register().version) {
            Ordering::Less => continue,
            Ordering::Equal => directory.register().size,
            Ordering::Greater => 0,
        };
        let read = read.iter().find(|(read, _)| read == log);
        let read = read.map_or(0, |(_, entries)| entries.len() as u64);
        replica.gaps.insert(read.max(folded), replica.frontier.size(), Instant::default());
    }
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
    /// Whether no more of it is fetched today.
    pub over_quota: bool,
}
