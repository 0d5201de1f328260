//! Comparing holdings with a peer, and answering it.
//!
//! One of two connected nodes says hello with a digest for each scope. Equal digests end the
//! comparison at once; where they differ each side asks for the other's checkpoints and pursues
//! those that are newer. Gossip makes replication fast; this makes it complete.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::note::Note;

use super::State;
use super::fetch::FetchGoal;
use super::offer::Offer;
use super::replica::{Replica, Signed};
use super::seek::SeekGoal;
use super::summary::{Turn, in_common};
use super::timers::Timer;
use crate::directory::{Anchor, Directory};
use crate::evidence::Evidence;
use crate::id::ExchangeId;
use crate::io::{Effect, InboundId, Peer, PeerFault, RequestId, Ticket};
use crate::limits::{
    COMPARE_AGAIN_MS, EVIDENCE_PER_ANSWER_MAX, HEADS_BYTES_MAX, HEADS_PER_PAGE_MAX,
    LEAVES_PER_ANSWER_MAX,
};
use crate::message::{Hello, LeavesRequest, Refusal, Request, Response};
use crate::region::Scope;

/// What is known of a connected peer.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    /// The version of the charter that it says is in effect.
    pub(super) charter_version: u64,
    /// Whether holdings were compared since it connected.
    compared: bool,
    /// The scopes that it follows, in order; none before it told of any.
    scopes: Option<Arc<[Scope]>>,
    /// Ranges of leaves that it was asked for.
    pub(super) fetches: usize,
    /// Scopes of which it held something else when holdings were last compared: looked into where that is
    /// so again.
    differing: BTreeSet<Scope>,
    /// Whether holdings are to be compared again soon.
    again: bool,
}

impl PeerState {
    /// Whether the peer says nothing of what it holds, since its keys were restored.
    pub(super) fn is_restoring(&self) -> bool {
        self.compared && self.scopes.is_none()
    }

    /// Whether the peer follows `scope` for all that is known.
    pub(super) fn may_follow(&self, scope: &Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.binary_search(scope).is_ok())
    }
}

/// What an answer is awaited for.
#[derive(Debug)]
pub(super) enum Asked {
    Hello,
    /// `begun` is the number of the request for the first page.
    Heads {
        scope: Scope,
        after: Option<ExchangeId>,
        begun: u64,
    },
    Leaves {
        log: ExchangeId,
        from: u64,
        goal: FetchGoal,
    },
    Proof {
        log: ExchangeId,
        basis: Signed,
        goal: FetchGoal,
    },
    Gap {
        log: ExchangeId,
        goal: SeekGoal,
    },
    Checkpoint {
        log: ExchangeId,
    },
    Charters,
    Evidence,
    Acknowledgement {
        log: ExchangeId,
    },
    /// The answer to an announcement says nothing: what is waited for is a cosignature.
    Announcement,
    /// What an anchor changed, for its check.
    AnchorChanges {
        register: ExchangeId,
        index: u64,
    },
    /// A log's leaf in an anchor, for a receipt.
    AnchorLeaf {
        ticket: Ticket,
        anchor: Anchor,
    },
    /// That the keeper anchor soon.
    AnchorSoon,
    /// That a council member keep what the next anchor changes.
    AnchorNext {
        index: u64,
    },
}

impl Asked {
    /// Whether the two ask for the same, so that one answer serves both.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Heads { scope: a, .. }, Self::Heads { scope: b, .. }) => a == b,
            (Self::Charters, Self::Charters)
            | (Self::Evidence, Self::Evidence)
            | (Self::AnchorSoon, Self::AnchorSoon) => true,
            (Self::AnchorChanges { index: a, .. }, Self::AnchorChanges { index: b, .. })
            | (Self::AnchorNext { index: a }, Self::AnchorNext { index: b }) => a == b,
            _ => false,
        }
    }
}

impl State {
    pub(super) fn peer_connected(&mut self, peer: &Peer) {
        // One of the two begins; the other learns from the request.
        let begin = self.config.peer.as_str() < peer.as_str();
        self.peers.entry(peer.clone()).or_default();
        if begin {
            self.say_hello(peer);
        }
        self.greet_as_witness(peer);
        self.owner_connected(peer);
    }

    pub(super) fn peer_disconnected(&mut self, peer: &Peer) {
        self.peers.remove(peer);
        let lost: Vec<RequestId> = self
            .asked
            .iter()
            .filter(|(_, (asked, _))| asked == peer)
            .map(|(request, _)| *request)
            .collect();
        for request in lost {
            self.response(request, None);
        }
    }

    /// Compares holdings with a peer: the next one of those who follow the scope that was not compared with
    /// anybody for longest. Of many peers, few may follow a small scope.
    pub(super) fn anti_entropy(&mut self) {
        let scopes = self.summed_scopes();
        let turns = &self.summaries.turns;
        let mut places: Vec<usize> = (0..scopes.len()).collect();
        places.sort_by_key(|place| turns[*place].at);
        let next = places.into_iter().find_map(|place| {
            let last = turns[place].last.as_ref();
            let peer = self.peer_after(last, |_, state| state.may_follow(&scopes[place]))?;
            Some((place, peer.clone()))
        });
        if let Some((place, peer)) = next {
            self.say_hello(&peer);
            // Even where the peer does not answer, it is the turn of the other scopes.
            self.summaries.turns[place] = Turn { at: self.now, last: Some(peer) };
        } else if let Some(peer) = self.next_peer(|_| true) {
            self.say_hello(&peer);
        }
        let at = self.now.plus_millis(self.config.anti_entropy_interval_ms);
        self.timers.set(Timer::AntiEntropy, at);
    }

    /// Compares once more with peers that held something else.
    pub(super) fn compare_again(&mut self) {
        let peers = self.peers.iter_mut();
        let again = peers.filter_map(|(peer, it)| core::mem::take(&mut it.again).then_some(peer));
        for peer in again.cloned().collect::<Vec<Peer>>() {
            self.say_hello(&peer);
        }
    }

    fn say_hello(&mut self, peer: &Peer) {
        let hello = Request::Hello(self.told_hello());
        self.send(peer, &hello, Asked::Hello);
    }

    /// Asks for the logs of members that were not known before.
    pub(super) fn greet_new_members(&mut self, before: &Directory) {
        let directory = self.directory.clone();
        let new = directory.members().filter(|member| before.member(&member.id).is_none());
        let mut scopes: Vec<Scope> = new
            .filter(|member| self.follows(&member.id))
            .map(|member| member.scope.clone())
            .collect();
        scopes.sort();
        scopes.dedup();
        let peers: Vec<Peer> = self.peers.keys().cloned().collect();
        for peer in &peers {
            for scope in &scopes {
                self.ask_heads(peer, scope.clone(), None);
            }
            let is_new = directory.by_peer(peer).is_some() && before.by_peer(peer).is_none();
            if is_new {
                self.greet_as_witness(peer);
                self.owner_connected(peer);
            }
        }
    }

    /// Asks for a page: the first, or the one after that log, of what request `begun` asked for.
    pub(super) fn ask_heads(
        &mut self,
        peer: &Peer,
        scope: Scope,
        after: Option<(ExchangeId, u64)>,
    ) {
        let (after, begun) = match after {
            Some((after, begun)) => (Some(after), begun),
            None => (None, self.last_number + 1),
        };
        let request = Request::Heads { scope: scope.clone(), after: after.clone() };
        self.ask(peer, &request, Asked::Heads { scope, after, begun });
    }

    /// Asks a peer for what it is not being asked for already: a peer that says hello again and
    /// again costs no more than one that says it once.
    pub(super) fn ask(&mut self, peer: &Peer, request: &Request, asked: Asked) {
        let under_way = self.asked.values().any(|(whom, what)| whom == peer && what.same(&asked));
        if !under_way {
            self.send(peer, request, asked);
        }
    }

    /// What others are told: nothing of what is held while this node may have forgotten something,
    /// so that two nodes that forgot do not vouch for each other.
    fn told_hello(&mut self) -> Arc<Hello> {
        let mut hello = self.hello();
        if self.is_restoring() {
            Arc::make_mut(&mut hello).scopes.clear();
        }
        hello
    }

    /// A peer has told what it holds, asked by this node or not.
    ///
    /// Two nodes between which something is under way hold different logs for a moment. Where they were
    /// compared before, what differs is looked into when it still does a little later.
    fn met(&mut self, peer: &Peer, theirs: &Hello, asked: bool) {
        let ours = self.hello();
        if theirs.federation != ours.federation {
            return self.penalise(peer, PeerFault::OtherFederation);
        }
        self.charter_told(peer, theirs);
        if theirs.frozen != ours.frozen {
            self.ask(peer, &Request::Evidence { after: None }, Asked::Evidence);
        }
        self.scopes_told(peer, theirs);
        let mut before = None;
        if let Some(state) = self.peers.get_mut(peer) {
            let differing = core::mem::take(&mut state.differing);
            let compared = core::mem::replace(&mut state.compared, true);
            before = (compared && self.may_sign()).then_some(differing);
        }
        let (mut same, mut differing) = (Vec::new(), BTreeSet::new());
        for (place, is_same) in in_common(&ours, theirs) {
            let (scope, _) = &ours.scopes[place];
            // Who says hello by itself does not take the turn of those who are asked.
            if asked {
                self.summaries.turns[place].at = self.now;
            }
            if is_same {
                same.push(scope);
            } else if before.as_mut().is_some_and(|before| !before.remove(scope)) {
                differing.insert(scope.clone());
            } else {
                self.ask_heads(peer, scope.clone(), None);
            }
        }
        self.same_shown(&same, peer);
        self.ask_what_is_left(peer);
        if let Some(state) = self.peers.get_mut(peer).filter(|_| !differing.is_empty()) {
            state.differing = differing;
            state.again |= asked;
            if asked {
                self.timers.set(Timer::CompareAgain, self.now.plus_millis(COMPARE_AGAIN_MS));
            }
        }
    }

    /// Keeps which scopes the peer follows, in one place with those of this node where they are the same.
    fn scopes_told(&mut self, peer: &Peer, theirs: &Hello) {
        let ours = self.summed_scopes();
        let told = || theirs.scopes.iter().map(|(scope, _)| scope);
        let Some(state) = self.peers.get_mut(peer) else { return };
        if state.scopes.as_ref().is_none_or(|known| !told().eq(known.iter())) {
            let told = if told().eq(ours.iter()) { ours } else { told().cloned().collect() };
            state.scopes = Some(told).filter(|scopes| !scopes.is_empty());
        }
    }

    /// The peer holds the same of these scopes as this node.
    fn same_shown(&mut self, scopes: &[&Scope], peer: &Peer) {
        for scope in scopes {
            for log in self.own_logs_of(scope) {
                if self.replicas.get(&log).is_some_and(|own| own.held.is_some()) {
                    self.own_log_shown_by(&log, peer);
                }
            }
            // Who restores waits for all scopes, others for those of their own logs.
            self.scope_shown(scope, peer, None);
        }
    }

    /// Answers a peer's request.
    pub(super) fn request(&mut self, inbound: InboundId, peer: &Peer, bytes: Bytes) {
        let answer = match Request::decode(bytes) {
            Err(_) => {
                self.penalise(peer, PeerFault::Malformed);
                Response::Refused(Refusal::Malformed)
            }
            Ok(Request::Hello(theirs)) => {
                let answer = Response::Hello(self.told_hello());
                self.respond(inbound, &answer);
                return self.met(peer, &theirs, false);
            }
            Ok(Request::Leaves(range)) => return self.serve(inbound, peer, range),
            Ok(Request::Heads { scope, after }) => self.heads(&scope, after.as_ref()),
            Ok(Request::Checkpoint { log }) => self.checkpoint(&log),
            Ok(Request::Charter { digest }) => self.charter_of(&digest),
            Ok(Request::Evidence { after }) => self.evidence_after(after.as_ref()),
            Ok(Request::Cosignature { log, size, line }) => {
                if self.cosignature_delivered(peer, &log, size, &line) {
                    Response::Done
                } else {
                    Response::Refused(Refusal::Malformed)
                }
            }
            Ok(Request::Announcement(news)) => self.shown_by_owner(peer, &news),
            Ok(Request::AnchorChanges { register, index, after }) => {
                self.anchor_changes(&register, index, after.as_ref())
            }
            Ok(Request::AnchorLeaf { register, index, log }) => {
                self.anchor_leaf(&register, index, &log)
            }
            Ok(Request::AnchorSoon) => self.anchor_wanted_by(peer),
            Ok(Request::AnchorNext { register, index }) => {
                return self.anchor_coming(inbound, peer, &register, index);
            }
        };
        self.respond(inbound, &answer);
    }

    pub(super) fn respond(&mut self, inbound: InboundId, answer: &Response) {
        self.effect(Effect::Respond { inbound, bytes: answer.encode() });
    }

    fn serve(&mut self, inbound: InboundId, peer: &Peer, mut range: LeavesRequest) {
        let owner = self.owner(&range.log);
        let replica = self.replicas.get(&range.log);
        let (Some(owner), Some(replica)) = (owner, replica) else {
            return self.respond(inbound, &Response::Refused(Refusal::NotHeld));
        };
        if replica.frozen.is_some_and(|frozen| range.size > frozen) {
            return self.respond(inbound, &Response::Refused(Refusal::Frozen));
        }
        let in_order = range.from <= range.to && range.to <= range.size;
        let empty_without_left = range.from == range.to && !range.left;
        if !in_order || empty_without_left {
            self.penalise(peer, PeerFault::Malformed);
            return self.respond(inbound, &Response::Refused(Refusal::Malformed));
        }
        if range.size > replica.frontier.size() {
            return self.respond(inbound, &Response::Refused(Refusal::NotHeld));
        }
        range.to = range.to.min(range.from + LEAVES_PER_ANSWER_MAX as u64);
        let viewer = self.viewer(peer, &range.log);
        self.effect(Effect::Serve { inbound, range, owner, viewer });
    }

    fn heads(&self, scope: &Scope, after: Option<&ExchangeId>) -> Response {
        let mut heads: Vec<(ExchangeId, String)> = Vec::new();
        let mut bytes = 0;
        for (log, replica) in &self.replicas {
            let in_scope = self.directory.scope_of(log).as_ref() == Some(scope);
            let passed = after.is_some_and(|after| log <= after);
            let Some(held) = replica.shown() else { continue };
            if !in_scope || passed {
                continue;
            }
            let older = replica.cosigned.as_ref().filter(|it| it.size() < held.size());
            let notes: Vec<String> = older.into_iter().chain([held]).map(Signed::encode).collect();
            bytes += notes.iter().map(|note| note.len() + log.as_str().len() + 4).sum::<usize>();
            if heads.len() + notes.len() > HEADS_PER_PAGE_MAX || bytes > HEADS_BYTES_MAX {
                return Response::Heads { heads, more: true };
            }
            heads.extend(notes.into_iter().map(|note| (log.clone(), note)));
        }
        Response::Heads { heads, more: false }
    }

    fn checkpoint(&self, log: &ExchangeId) -> Response {
        match self.replicas.get(log).and_then(Replica::shown) {
            Some(held) => Response::Checkpoint { note: held.encode() },
            None => Response::Refused(Refusal::NotHeld),
        }
    }

    fn charter_of(&self, digest: &Hash) -> Response {
        let versions = self.directory.charters().versions().iter();
        let in_effect = versions.map(|version| (version.digest(), version.signed()));
        let mut charters = in_effect.filter(|(held, _)| held == digest).map(|(_, signed)| signed);
        let charter = charters.next().or_else(|| self.registers.charter(digest));
        let encoded = charter.map(|signed| Bytes::from(signed.encode()));
        Response::Charters(encoded.into_iter().collect())
    }

    fn evidence_after(&self, after: Option<&ExchangeId>) -> Response {
        let evidence = self
            .replicas
            .iter()
            .filter(|(log, _)| after.is_none_or(|after| *log > after))
            .filter(|(_, replica)| replica.frozen.is_some())
            .filter_map(|(log, replica)| Some((log, replica.evidence.first()?)))
            .take(EVIDENCE_PER_ANSWER_MAX)
            .map(|(log, evidence)| (log.clone(), Bytes::from(evidence.clone())))
            .collect();
        Response::Evidence(evidence)
    }

    /// The answer to a request of ours, or that there will be none.
    pub(super) fn response(&mut self, request: RequestId, answer: Option<Bytes>) {
        let Some((peer, asked)) = self.asked.remove(&request) else { return };
        let fetched = match &asked {
            Asked::Leaves { log, .. } => Some(log.clone()),
            _ => None,
        };
        self.take_answer(&peer, request, asked, answer);
        if let Some(log) = fetched {
            self.fetch_ended(&log, &peer);
        }
    }

    fn take_answer(
        &mut self,
        peer: &Peer,
        request: RequestId,
        asked: Asked,
        answer: Option<Bytes>,
    ) {
        if let (None, Asked::Acknowledgement { log }) = (&answer, &asked) {
            return self.deliver_again(log);
        }
        let answer = match answer.map(|answer| self.oracle.response(answer)) {
            None | Some(Ok(Response::Refused(_))) => return self.unanswered(peer, request, asked),
            Some(Ok(answer)) => answer,
            Some(Err(_)) => {
                self.penalise(peer, PeerFault::Malformed);
                return self.unanswered(peer, request, asked);
            }
        };
        match (asked, answer) {
            (Asked::Hello, Response::Hello(theirs)) => self.met(peer, &theirs, true),
            (Asked::Heads { scope, after, begun }, Response::Heads { heads, more }) => {
                // A page that does not go on from the one before would be asked for for ever.
                let goes_on = heads.last().map(|(last, _)| last) > after.as_ref();
                self.heads_shown(peer, scope, &heads, (more && goes_on, begun));
            }
            (Asked::Leaves { log, from, goal }, Response::Leaves(leaves)) => {
                self.leaves_fetched(peer, &log, (from, request), goal, leaves);
            }
            (Asked::Proof { log, basis, goal }, Response::Leaves(leaves)) => {
                self.proof_fetched(peer, &log, &basis, &goal, leaves);
            }
            (Asked::Gap { log, goal }, Response::Leaves(leaves)) => {
                self.gap_fetched(peer, &log, (request, &goal), leaves);
            }
            (Asked::Checkpoint { log }, Response::Checkpoint { note }) => {
                self.head_shown(peer, &log, &note);
            }
            (Asked::Charters, Response::Charters(charters)) => {
                for charter in &charters {
                    self.charter_shown(peer, charter);
                }
            }
            (
                Asked::AnchorChanges { register, index },
                Response::AnchorChanges { changes, more },
            ) => {
                self.anchor_changes_shown(peer, &register, index, changes, more);
            }
            (Asked::AnchorLeaf { ticket, anchor }, Response::AnchorLeaf(leaf)) => {
                self.anchor_leaf_shown(peer, ticket, anchor, leaf);
            }
            (Asked::AnchorNext { index }, Response::Done) => self.anchor_kept(peer, index),
            (Asked::Evidence, Response::Evidence(evidence)) => self.evidence_shown(evidence),
            (
                Asked::Acknowledgement { .. } | Asked::Announcement | Asked::AnchorSoon,
                Response::Done,
            ) => {}
            (asked, _) => {
                self.penalise(peer, PeerFault::WrongAnswer);
                self.unanswered(peer, request, asked);
            }
        }
    }

    /// A peer did not answer, or answered that it will not.
    fn unanswered(&mut self, peer: &Peer, request: RequestId, asked: Asked) {
        match asked {
            Asked::Leaves { log, from, .. } => self.range_failed(peer, &log, from, request),
            Asked::Gap { log, .. } => self.seek_failed(&log, request),
            Asked::AnchorLeaf { ticket, .. } => self.anchor_leaf_refused(ticket),
            Asked::AnchorChanges { .. } => self.anchor_changes_refused(peer),
            Asked::Charters
            | Asked::Hello
            | Asked::Heads { .. }
            | Asked::Proof { .. }
            | Asked::Checkpoint { .. }
            | Asked::Evidence
            | Asked::Acknowledgement { .. }
            | Asked::AnchorSoon
            | Asked::AnchorNext { .. }
            | Asked::Announcement => {}
        }
    }

    fn heads_shown(
        &mut self,
        peer: &Peer,
        scope: Scope,
        heads: &[(ExchangeId, String)],
        (more, begun): (bool, u64),
    ) {
        for (log, note) in heads {
            self.head_shown(peer, log, note);
        }
        match heads.last() {
            Some((last, _)) if more => self.ask_heads(peer, scope, Some((last.clone(), begun))),
            Some(_) | None if self.is_known_restoring(peer) => self.scope_told(&scope, peer, begun),
            Some(_) | None => self.scope_shown(&scope, peer, Some(begun)),
        }
    }

    fn is_known_restoring(&self, peer: &Peer) -> bool {
        self.peers.get(peer).is_some_and(PeerState::is_restoring)
    }

    fn head_shown(&mut self, peer: &Peer, log: &ExchangeId, note: &str) {
        let offer = match Note::parse(note) {
            Ok(note) => self.offered(log, Arc::new(note), peer),
            Err(_) => Offer::Unsigned,
        };
        if self.is_own(log) && matches!(offer, Offer::Known | Offer::Old | Offer::Newer) {
            self.own_log_shown_by(log, peer);
        }
        match offer {
            Offer::Unsigned => self.penalise(peer, PeerFault::BadSignature),
            Offer::Newer => self.pursue(log),
            Offer::Unknown | Offer::Known | Offer::Old | Offer::Conflict => {}
        }
    }

    fn evidence_shown(&mut self, evidence: Vec<(ExchangeId, Bytes)>) {
        for (log, bytes) in evidence {
            let frozen = self.replicas.get(&log).is_some_and(|replica| replica.frozen.is_some());
            if let (false, Ok(evidence)) = (frozen, Evidence::decode(bytes)) {
                self.convict_if_proven(&log, &evidence);
            }
        }
    }
}
