//! Messages from everybody.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;

use super::State;
use super::offer::Offer;
use super::replica::{Batch, Unjudged};
use crate::entry::Leaf;
use crate::evidence::Evidence;
use crate::id::ExchangeId;
use crate::io::{Effect, GossipId, Peer, PeerFault, Verdict};
use crate::limits::{RANGES_PER_LOG_MAX, UNJUDGED_PER_LOG_MAX};
use crate::message::{Announcement, Gossip, Refusal, Response, TailLeaf};
use crate::region::Scope;

impl State {
    /// Judges a gossip message and takes from it what is new.
    pub(super) fn gossip(
        &mut self,
        id: GossipId,
        from: &Peer,
        author: &Peer,
        scope: &Scope,
        bytes: Bytes,
    ) {
        let said = self.oracle.gossip(bytes);
        let verdict = match said.as_deref() {
            Err(_) => Verdict::Reject,
            Ok(Gossip::Announcement(news)) => match self.announced(from, author, scope, news) {
                Some(verdict) => verdict,
                None => return self.judge_when_held(id, news),
            },
            Ok(Gossip::Evidence { log, bytes }) => self.evidence_spread(log, bytes.clone()),
        };
        if verdict == Verdict::Reject {
            self.penalise(author, PeerFault::Malformed);
        }
        self.effect(Effect::Verdict { id, verdict });
    }

    /// The owner of a log shows its newest checkpoint for this node to cosign, before it announces it.
    pub(super) fn shown_by_owner(&mut self, peer: &Peer, news: &Announcement) -> Response {
        let Some((operator, scope)) = self.operator_of(&news.log) else {
            return Response::Refused(Refusal::NotHeld);
        };
        if operator != *peer {
            // The owner may have been given new keys by an entry that has not come here yet.
            return Response::Refused(Refusal::NotAllowed);
        }
        match self.announced(peer, peer, &scope, news) {
            Some(Verdict::Accept) | None => Response::Done,
            Some(Verdict::Ignore) => Response::Refused(Refusal::NotHeld),
            Some(Verdict::Reject) => {
                self.penalise(peer, PeerFault::BadSignature);
                Response::Refused(Refusal::Malformed)
            }
        }
    }

    /// The verdict on an announcement; none where it waits for the leaves.
    fn announced(
        &mut self,
        from: &Peer,
        author: &Peer,
        scope: &Scope,
        news: &Announcement,
    ) -> Option<Verdict> {
        let Some((operator, its_scope)) = self.operator_of(&news.log) else {
            return Some(Verdict::Ignore);
        };
        if operator != *author && self.directory.by_peer(author).is_none() {
            // The member may have been given new keys by an entry that has not come here yet.
            return Some(Verdict::Ignore);
        }
        if its_scope != *scope || operator != *author {
            return Some(Verdict::Reject);
        }
        if !self.follows(&news.log) {
            return Some(self.pass_on_unheld(news));
        }
        match self.offered(&news.log, Arc::clone(&news.note), author) {
            // Who passes on what it does not hold is asked for it, and blamed where it was invented.
            Offer::Unknown | Offer::Old | Offer::Conflict => Some(Verdict::Ignore),
            Offer::Unsigned => Some(Verdict::Reject),
            Offer::Known => Some(Verdict::Accept),
            Offer::Newer => {
                self.add_source(news, from);
                let taken = self.take_tail(news);
                self.pursue(&news.log);
                // Whoever is told asks the teller: an announcement without its leaves is passed on
                // once they are here.
                taken.then_some(Verdict::Accept)
            }
        }
    }

    /// The node that announces the log, and in which scope.
    fn operator_of(&self, log: &ExchangeId) -> Option<(Peer, Scope)> {
        let operator = self.directory.member(self.directory.operator(log)?)?;
        Some((operator.peer().clone(), self.directory.scope_of(log)?))
    }

    /// The verdict on news of a log that is not held here, though others of its scope are. Who hears of
    /// it from here cannot fetch the leaves from here: all of them must be in the message.
    fn pass_on_unheld(&self, news: &Announcement) -> Verdict {
        match self.signed_by_log(&news.log, &news.note) {
            Err(Offer::Unsigned) => Verdict::Reject,
            Ok(signed) => {
                let size = news.old_size.saturating_add(news.tail.len() as u64);
                let whole = news.tail.iter().all(|leaf| matches!(leaf, TailLeaf::Entry(_)));
                let complete = size == signed.size() && whole && !news.tail.is_empty();
                if complete { Verdict::Accept } else { Verdict::Ignore }
            }
            Err(_) => Verdict::Ignore,
        }
    }

    /// Passes an announcement on once the log is held as far as it says.
    fn judge_when_held(&mut self, id: GossipId, news: &Announcement) {
        let Ok(Checkpoint { size, root, .. }) = Checkpoint::parse(&news.note.text) else { return };
        let Some(replica) = self.replicas.get_mut(&news.log) else { return };
        // Leaves that a crash left behind, or others that waited, may have sufficed at once.
        let same = |known: &super::replica::Signed| known.checkpoint.root == root;
        if replica.held_size() >= size && replica.recent.get(&size).is_some_and(same) {
            return self.effect(Effect::Verdict { id, verdict: Verdict::Accept });
        }
        replica.unjudged.push_back(Unjudged { size, root, id });
        let too_many = replica.unjudged.len() > UNJUDGED_PER_LOG_MAX;
        let oldest = too_many.then(|| replica.unjudged.pop_front()).flatten();
        if let Some(Unjudged { id, .. }) = oldest {
            self.effect(Effect::Verdict { id, verdict: Verdict::Ignore });
        }
    }

    /// The log is held up to `size`: what waited for that is passed on if it is part of what is held. One
    /// that was overtaken and is not known to be is not: who passes it on is asked for its leaves.
    pub(super) fn judge_held(&mut self, log: &ExchangeId, size: u64) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        if replica.unjudged.is_empty() {
            return;
        }
        let (held, waiting): (VecDeque<Unjudged>, VecDeque<Unjudged>) =
            replica.unjudged.drain(..).partition(|waits| waits.size <= size);
        replica.unjudged = waiting;
        for Unjudged { size, root, id } in held {
            let known = self.replicas.get(log).and_then(|replica| replica.recent.get(&size));
            let part = known.is_some_and(|known| known.checkpoint.root == root);
            let verdict = if part { Verdict::Accept } else { Verdict::Ignore };
            self.effect(Effect::Verdict { id, verdict });
        }
    }

    /// Nothing more is taken of the log: what waits is not passed on.
    pub(super) fn judge_none(&mut self, log: &ExchangeId) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        for Unjudged { id, .. } in core::mem::take(&mut replica.unjudged) {
            self.effect(Effect::Verdict { id, verdict: Verdict::Ignore });
        }
    }

    /// Whoever passes an announcement on holds what it says, and nothing beyond.
    fn add_source(&mut self, news: &Announcement, peer: &Peer) {
        let target = self.replicas.get_mut(&news.log).and_then(|replica| replica.target.as_mut());
        if let Some(target) = target.filter(|target| target.offered.text == news.note.text) {
            target.sources.insert(peer.clone());
        }
    }

    /// Stages the announced leaves where they continue what is here and lead to the root. Returns
    /// whether they do.
    fn take_tail(&mut self, news: &Announcement) -> bool {
        let stands_at = self.stands_at(&news.log);
        let beyond = |size| stands_at.is_some_and(|at| size > at);
        let restricted_may_concern_me = self.may_be_shown_restricted(&news.log);
        let worth_asking = |leaf: &TailLeaf| match leaf {
            TailLeaf::Entry(_) => false,
            TailLeaf::Large(_) => true,
            TailLeaf::Restricted(_) => restricted_may_concern_me,
        };
        if self.is_over_quota(&news.log) {
            return false;
        }
        let Some(replica) = self.replicas.get_mut(&news.log) else { return false };
        let Some(target) = &replica.target else { return false };
        if beyond(target.signed.size()) {
            return false;
        }
        let size = replica.staged_frontier().size();
        let Some(skip) = size.checked_sub(news.old_size) else { return false };
        let Some(leaves) = usize::try_from(skip).ok().and_then(|skip| news.tail.get(skip..)) else {
            return false;
        };
        let complete = size + leaves.len() as u64 == target.signed.size();
        let no_room = replica.staged.len() >= RANGES_PER_LOG_MAX;
        if no_room || !complete || leaves.is_empty() || leaves.iter().any(worth_asking) {
            return false;
        }
        let mut frontier = replica.staged_frontier().clone();
        for leaf in leaves {
            frontier.append(leaf.hash());
        }
        if frontier.root() != target.signed.checkpoint.root {
            return false;
        }
        let Some(target) = replica.target.take() else { return false };
        let restricted =
            (size..).zip(leaves).filter(|(_, leaf)| matches!(leaf, TailLeaf::Restricted(_)));
        let gaps: Vec<u64> = restricted.map(|(index, _)| index).collect();
        let leaves = leaves.iter().cloned().map(into_leaf).collect();
        self.add_gaps(&news.log, size, frontier.size(), gaps.into_iter());
        let reaches = Some((target.signed, target.offered));
        let ticket = self.check_ticket();
        let batch = Batch { ticket, from: size, leaves, frontier, outcomes: None, reaches };
        self.stage(&news.log, batch);
        true
    }

    /// Whether entries of the log that are not for everybody might be for this node.
    pub(super) fn may_be_shown_restricted(&self, log: &ExchangeId) -> bool {
        let me = self.directory.member(&self.config.me);
        let owner = self.directory.member(log);
        me.zip(owner).is_some_and(|(me, owner)| me.region().country() == owner.region().country())
    }

    fn evidence_spread(&mut self, log: &ExchangeId, bytes: Bytes) -> Verdict {
        if self.directory.operator(log).is_none() {
            return Verdict::Ignore;
        }
        if self.replicas.get(log).is_some_and(|replica| replica.frozen.is_some()) {
            return Verdict::Ignore;
        }
        match Evidence::decode(bytes) {
            Ok(evidence) if !self.is_by_present_key(log, &evidence) => Verdict::Ignore,
            Ok(evidence) if self.convict_if_proven(log, &evidence) => Verdict::Accept,
            Ok(_) | Err(_) => Verdict::Reject,
        }
    }
}

fn into_leaf(leaf: TailLeaf) -> Leaf {
    match leaf {
        TailLeaf::Entry(entry) => Leaf::Entry(entry),
        TailLeaf::Large(hash) | TailLeaf::Restricted(hash) => Leaf::Withheld(hash),
    }
}
