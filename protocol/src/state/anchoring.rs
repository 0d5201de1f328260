//! Recording anchors, as the keeper of the register.
//!
//! What an anchor changes lies on disks of the council before the keeper records the anchor. So a keeper that
//! loses its disk leaves no anchor behind that nobody can check.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use hutong_crypto::digest::Hash;

use super::State;
use super::sync::Asked;
use super::timers::Timer;
use crate::directory::{Member, Record, RecordAct, register_version};
use crate::id::ExchangeId;
use crate::io::Peer;
use crate::limits::AUDIT_AGAIN_MS;
use crate::message::{AnchorChange, Refusal, Request, Response};
use crate::time::Instant;

/// Milliseconds in a minute.
const MINUTE_MS: u64 = 60_000;

/// When the keeper anchors, and what.
#[derive(Debug, Default)]
pub(super) struct Anchoring {
    /// When the last anchor was recorded.
    last: Option<Instant>,
    /// The anchor that is recorded once enough of the council keep what it changes.
    next: Option<NextAnchor>,
}

#[derive(Debug)]
struct NextAnchor {
    /// Version of the register, and the index that the anchor will have.
    place: (u64, u64),
    leaves: u64,
    root: Hash,
    /// Council members that keep what it changes.
    kept_by: BTreeSet<Peer>,
}

impl State {
    /// Sets the time of the next anchor.
    pub(super) fn schedule_anchor(&mut self) {
        let minutes = u64::from(self.directory.charters().latest().anchor_minutes);
        self.anchor_at(minutes * MINUTE_MS);
    }

    /// Sets the time of the next anchor: so long after the last one.
    fn anchor_at(&mut self, after_ms: u64) {
        let at = self.anchoring.last.map_or(self.now, |last| last.plus_millis(after_ms));
        self.timers.set(Timer::AnchorDue, at.max(self.now));
    }

    /// Records an anchor, if anything changed since the last and enough of the council keep what; else shows it
    /// to them.
    pub(super) fn anchor_due(&mut self) {
        let Some(register) = self.kept_register() else { return };
        let Some(place) = self.next_place(&register) else { return };
        if self.anchoring.next.as_ref().is_none_or(|next| next.place != place) {
            let changes = self.changes_to_anchor();
            // Where nothing changed, the next anchor is due when something does.
            if !self.prepare_anchor(place, changes) {
                return;
            }
        }
        let kept_by = |next: &NextAnchor| next.kept_by.len();
        if self.anchoring.next.as_ref().map_or(0, kept_by) >= self.copies_needed() {
            return self.record_anchor(&register);
        }
        for peer in self.council_peers(&register) {
            let request = Request::AnchorNext { register: register.clone(), index: place.1 };
            self.ask(&peer, &request, Asked::AnchorNext { index: place.1 });
        }
        self.timers.set(Timer::AnchorDue, self.now.plus_millis(AUDIT_AGAIN_MS));
    }

    /// Records an anchor at once, if anything changed since the last: before the register closes.
    pub(super) fn anchor_now(&mut self) {
        let Some(register) = self.kept_register() else { return };
        let Some(place) = self.next_place(&register) else { return };
        let changes = self.changes_to_anchor();
        if self.prepare_anchor(place, changes) {
            self.record_anchor(&register);
        }
    }

    /// A council member keeps what the anchor at `index` will change.
    pub(super) fn anchor_kept(&mut self, peer: &Peer, index: u64) {
        if let Some(next) = self.anchoring.next.as_mut().filter(|next| next.place.1 == index) {
            next.kept_by.insert(peer.clone());
            self.anchor_due();
        }
    }

    fn next_place(&self, register: &ExchangeId) -> Option<(u64, u64)> {
        Some((register_version(register)?, self.replicas.get(register)?.frontier.size()))
    }

    /// How many others of the council must keep what an anchor changes: as many as may be missing at a quorum.
    fn copies_needed(&self) -> usize {
        let charter = self.directory.charters().latest();
        if charter.is_unwitnessed() {
            return 0;
        }
        charter.council.len().saturating_sub(charter.witness_quorum as usize).max(1)
    }

    /// Keeps what the next anchor changes. Returns whether it changes anything.
    fn prepare_anchor(&mut self, place: (u64, u64), changes: Vec<AnchorChange>) -> bool {
        self.anchoring.next = None;
        let anchor = self.anchor_after(&changes).filter(|_| !changes.is_empty());
        let Some((leaves, root)) = anchor else { return false };
        self.keep_changes(place, changes);
        let kept_by = BTreeSet::new();
        self.anchoring.next = Some(NextAnchor { place, leaves, root, kept_by });
        true
    }

    fn record_anchor(&mut self, register: &ExchangeId) {
        let Some(NextAnchor { leaves, root, .. }) = self.anchoring.next.take() else { return };
        let record = Record { day: self.register_day(), act: RecordAct::Anchor { leaves, root } };
        let Some(prepared) = self.record_entry(register, &record) else { return };
        self.anchoring.last = Some(self.now);
        self.append_to(register, &[prepared]);
        self.go_on_with_audit();
        self.timers.clear(&Timer::AnchorDue);
        self.schedule_anchor();
    }

    /// An exchange wants an anchor soon: this node's own, or a member's.
    pub(super) fn want_anchor(&mut self) {
        let charter = self.directory.charters().latest();
        let (keeper, seconds) = (charter.keeper.clone(), u64::from(charter.anchor_seconds_min));
        if keeper == self.config.me {
            self.anchor_at(seconds * 1_000);
        } else if let Some(peer) = self.peer_of(&keeper) {
            self.ask(&peer, &Request::AnchorSoon, Asked::AnchorSoon);
        }
    }

    /// A member asks for an anchor soon.
    pub(super) fn anchor_wanted_by(&mut self, peer: &Peer) -> Response {
        if self.directory.by_peer(peer).is_none_or(|member: &Member| !member.is_active()) {
            return Response::Refused(Refusal::NotAllowed);
        }
        self.want_anchor();
        Response::Done
    }
}
