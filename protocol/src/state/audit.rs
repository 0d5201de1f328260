//! What a council member checks of the register before it cosigns it, and what it keeps of the anchors.
//!
//! It folds the register ahead of the quorum. It cosigns only where every entry's day is near its own clock's,
//! and every anchor's leaves are what its own fold says and what a quorum saw. So a false anchor needs a quorum
//! of liars.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::note::Note;

use super::State;
use super::replica::Signed;
use super::sync::Asked;
use super::timers::Timer;
use crate::date::Date;
use crate::directory::{
    Anchor, AnchorError, AnchorLeaf, AnchorLeaves, AnchoredLeaf, Directory, Member, Prefix, Record,
    RecordAct, register_version,
};
use crate::entry::Entry;
use crate::id::ExchangeId;
use crate::io::{Effect, InboundId, Notice, Peer};
use crate::limits::{ANCHOR_CHANGES_PER_ANSWER_MAX, ANCHORS_KEPT_MAX, AUDIT_AGAIN_MS};
use crate::message::{AnchorChange, Refusal, Request, Response};
use crate::persist::{Persist, StoredAnchor};

/// Version of a register and index of an anchor in it.
type Place = (u64, u64);

/// The check of the register.
#[derive(Debug)]
pub(super) struct Audit {
    /// The fold of all that was checked.
    ahead: Arc<Directory>,
    /// The leaves of its last anchor that was checked.
    leaves: AnchorLeaves,
    /// Where that anchor stands: others that were skipped may follow.
    leaves_of: Option<Place>,
    /// What each anchor changed; of past days only the last anchor, with what the day changed.
    kept: BTreeMap<Place, Vec<AnchorChange>>,
    /// What is asked for of the next anchor.
    wanted: Wanted,
    /// The entry that this witness refuses, until it is started again.
    refused: Option<Place>,
}

/// What is asked for of the next anchor.
#[derive(Debug, Default)]
struct Wanted {
    /// Who is asked.
    of: Option<Peer>,
    /// What it has shown so far.
    gathered: Vec<AnchorChange>,
    /// Whether that is all.
    complete: bool,
    /// Who was asked in vain.
    tried: BTreeSet<Peer>,
    /// Whether a head that is not shown was told to the operator.
    told: bool,
    /// The keeper's request to keep what an anchor changes before it is recorded.
    before: Option<InboundId>,
}

impl State {
    /// Begins the check where this node sits on the council, with what was stored of anchors: at the fold of
    /// what counts, or at `founded` where the leaves of the last anchor cannot be had from the disk.
    pub(super) fn begin_audit(&mut self, stored: Vec<StoredAnchor>, founded: &Arc<Directory>) {
        if !self.directory.is_council_member(&self.config.me) {
            return;
        }
        let kept = stored.into_iter().map(|anchor| {
            let changes = AnchorChange::decode_all(anchor.changes).unwrap_or_default();
            ((anchor.version, anchor.index), changes)
        });
        let mut audit = Audit {
            ahead: Arc::clone(&self.directory),
            leaves: AnchorLeaves::default(),
            leaves_of: None,
            kept: kept.collect(),
            wanted: Wanted::default(),
            refused: None,
        };
        let last = self.directory.register().anchor;
        audit.begin_at(last);
        if last.is_some_and(|anchor| audit.leaves.root() != anchor.root) {
            audit.ahead = Arc::clone(founded);
            audit.begin_at(founded.register().anchor);
        }
        self.audit = Some(audit);
    }

    /// The fold of what was checked ahead of the quorum.
    pub(super) fn audited(&self) -> Option<&Arc<Directory>> {
        self.audit.as_ref().map(|audit| &audit.ahead)
    }

    /// Whether nothing in a register keeps this node from cosigning all that it holds of it; true of other logs.
    pub(super) fn is_sound_register(&self, log: &ExchangeId) -> bool {
        let Some(version) = register_version(log) else { return true };
        let (Some(audit), Some(replica)) = (&self.audit, self.replicas.get(log)) else {
            return false;
        };
        let register = audit.ahead.register();
        let checked = if register.version == version {
            register.size
        } else {
            // Nothing behind a succession is cosigned.
            audit.ahead.closed_at(version).unwrap_or(0)
        };
        replica.held_size() <= checked
    }

    /// Checks what is held of the register and was not checked yet, and cosigns it.
    pub(super) fn go_on_with_audit(&mut self) {
        while self.audit_next() {}
        let register = self.audited().map(|ahead| ahead.register().id.clone());
        let before = self.directory.register().id.clone();
        for log in register.into_iter().chain([before]) {
            self.cosign(&log);
        }
    }

    /// Tries again what had to wait.
    pub(super) fn audit_again(&mut self) {
        self.go_on_with_audit();
    }

    pub(super) fn audit_later(&mut self) {
        self.timers.set(Timer::AuditAgain, self.now.plus_millis(AUDIT_AGAIN_MS));
    }

    /// Checks the next entry. Returns whether there may be another.
    fn audit_next(&mut self) -> bool {
        let Some(audit) = &self.audit else { return false };
        let register = audit.ahead.register();
        let (id, version, index) = (register.id.clone(), register.version, register.size);
        if audit.refused == Some((version, index)) {
            return false;
        }
        let held = self.replicas.get(&id).is_some_and(|replica| index < replica.frontier.size());
        let Some(entry) = self.registers.entry(&id, index).filter(|_| held).cloned() else {
            return false;
        };
        if !self.is_of_today(&entry, &id, index) {
            self.audit_later();
            return false;
        }
        let ahead = Arc::clone(&audit.ahead);
        if let Some(digest) = ahead.wanted_charter(&entry) {
            let Some(charter) = self.registers.charter(&digest).cloned() else {
                self.want_charter(Some(digest));
                return false;
            };
            let after = self.oracle.fold(&ahead, &[entry], Some(&charter));
            // A succession is cosigned only where it takes effect, so that it proves itself.
            if after.register().version == version && index >= self.counting_size(&id) {
                return self.refuse((version, index), "the succession takes no effect".to_string());
            }
            return self.audited_to(after);
        }
        if let Ok(Record { day, act: RecordAct::Anchor { leaves, root } }) =
            ahead.read_record(&entry)
        {
            let place = (version, index);
            let skipped = self.is_long_past(&id, day, index) && self.is_held_by_nobody();
            if !skipped && !self.audit_anchor(&id, place, (leaves, root)) {
                return false;
            }
        } else {
            // Whatever else it says takes effect or not, at every node alike.
            self.forget_changes((version, index));
        }
        let mut entries = alloc::vec![entry];
        entries.extend(self.plain_stretch(&ahead, &id, index + 1));
        let ahead = self.oracle.fold(&ahead, &entries, None);
        self.audited_to(ahead)
    }

    /// The entries from `from` on that count already and need no look each on its own: up to the next anchor or
    /// succession. Each fold copies the directory.
    fn plain_stretch(&self, ahead: &Directory, register: &ExchangeId, from: u64) -> Vec<Entry> {
        let counting = from..self.counting_size(register);
        let entries = counting.map_while(|index| self.registers.entry(register, index));
        let is_plain = |entry: &&Entry| match ahead.read_record(entry).map(|record| record.act) {
            Ok(RecordAct::Anchor { .. } | RecordAct::Succession { .. }) => false,
            Ok(RecordAct::Enrol(_) | RecordAct::Freeze { .. }) | Err(_) => true,
        };
        entries.take_while(is_plain).cloned().collect()
    }

    fn audited_to(&mut self, ahead: Arc<Directory>) -> bool {
        self.keep_no_more();
        if let Some(audit) = &mut self.audit {
            audit.ahead = ahead;
        }
        // The keeper records nothing before its check has caught up.
        self.keeper_moved();
        true
    }

    /// What was kept for an anchor at `place` is of no use: a crash came before the anchor was recorded.
    fn forget_changes(&mut self, place: Place) {
        let Some(audit) = &mut self.audit else { return };
        if audit.kept.remove(&place).is_some() {
            let (version, index) = place;
            let changes = AnchorChange::encode_all(&[]);
            self.effect(Effect::Persist(Persist::Anchored { version, index, changes }));
        }
    }

    /// Whether the entry's day is within one of this node's clock, or no more to be judged: a quorum did.
    fn is_of_today(&self, entry: &Entry, register: &ExchangeId, index: u64) -> bool {
        if index < self.counting_size(register) {
            return true;
        }
        let Some(ahead) = self.audited() else { return false };
        let Ok(record) = ahead.read_record(entry) else { return true };
        let today = Date::of(self.wall);
        (today.minus_days(1)..=today.plus_days(1)).contains(&record.day)
    }

    /// Whether an anchor of that day counts and may be kept no more: of past days the council keeps the last
    /// one, with what the day changed.
    fn is_long_past(&self, register: &ExchangeId, day: Date, index: u64) -> bool {
        let counting = self.counting_size(register);
        let many_follow = index.saturating_add(ANCHORS_KEPT_MAX as u64) < counting;
        index < counting && (day < Date::of(self.wall) || many_follow)
    }

    /// Checks an anchor against its leaves. Returns whether it may be folded.
    fn audit_anchor(
        &mut self,
        register: &ExchangeId,
        place: Place,
        anchor: (u64, hutong_crypto::digest::Hash),
    ) -> bool {
        let counts = place.1 < self.counting_size(register);
        let Some(audit) = &self.audit else { return false };
        let (changes, own) = match audit.kept.get(&place) {
            Some(changes) => (changes, true),
            None if audit.wanted.complete => (&audit.wanted.gathered, false),
            None => {
                self.ask_for_changes(register, place.1);
                return false;
            }
        };
        let leaves: Vec<AnchorLeaf> = changes.iter().map(|change| change.leaf.clone()).collect();
        if audit.leaves.root_with(&leaves) != anchor.1 {
            // What was shown does not make up the anchor, which says nothing about the anchor.
            if let Some(audit) = &mut self.audit {
                audit.kept.remove(&place);
                audit.wanted.asked_in_vain();
            }
            self.ask_for_changes(register, place.1);
            return false;
        }
        let notes: BTreeMap<&ExchangeId, &str> =
            changes.iter().map(|change| (&change.leaf.id, change.note.as_str())).collect();
        let ahead = Arc::clone(&audit.ahead);
        let is_shown = |member: &Member, head: &Prefix| {
            counts || self.has_shown_quorum(&ahead, member, head, notes.get(&member.id).copied())
        };
        match audit.leaves.check(&leaves, anchor, &ahead, is_shown) {
            Ok(after) => self.anchor_is_sound(place, after, own),
            Err(error) => {
                let (index, reason) = (place.1, error.to_string());
                let Some(audit) = &mut self.audit else { return false };
                // Its head may come to be known here, or another peer may show it.
                let may_come = matches!(error, AnchorError::Head { .. });
                if !may_come {
                    audit.refused = Some(place);
                }
                // Once may be chance: this node may be a little behind.
                let tell = !may_come || !audit.wanted.tried.is_empty();
                let told = core::mem::replace(&mut audit.wanted.told, tell);
                if may_come && !own {
                    audit.wanted.asked_in_vain();
                }
                if tell && !told {
                    self.notice(Notice::RegisterRefused { index, reason });
                }
                if may_come {
                    self.audit_later();
                }
                false
            }
        }
    }

    /// Goes no further than before `place` of the register.
    fn refuse(&mut self, place: Place, reason: String) -> bool {
        if let Some(audit) = &mut self.audit {
            audit.refused = Some(place);
        }
        self.notice(Notice::RegisterRefused { index: place.1, reason });
        false
    }

    /// An anchor is what it must be: what it changed is kept, durably.
    fn anchor_is_sound(&mut self, place: Place, after: AnchorLeaves, kept: bool) -> bool {
        let Some(audit) = &mut self.audit else { return false };
        (audit.leaves, audit.leaves_of) = (after, Some(place));
        if !kept {
            let changes = core::mem::take(&mut audit.wanted.gathered);
            self.keep_changes(place, changes);
        }
        if let Some(audit) = &mut self.audit {
            audit.thin();
        }
        true
    }

    /// Whether a member's head is known here to have a quorum, or `note` shows it, by what `ahead` says of keys.
    fn has_shown_quorum(
        &self,
        ahead: &Directory,
        member: &Member,
        head: &Prefix,
        note: Option<&str>,
    ) -> bool {
        let same =
            |signed: &Signed| signed.size() == head.size && signed.checkpoint.root == head.root;
        let unwitnessed = ahead.charters().latest().is_unwitnessed();
        let replica = self.replicas.get(&member.id);
        let known = replica
            .and_then(|it| if unwitnessed { it.held.as_ref() } else { it.cosigned.as_ref() });
        if known.is_some_and(same) {
            return true;
        }
        let Some(note) = note.and_then(|note| Note::parse(note).ok()) else { return false };
        let signed = self.signed_by_log_of(ahead, &member.id, &note).ok();
        signed.is_some_and(|signed| {
            same(&signed) && self.has_quorum_by(ahead, &member.id, &signed, &note)
        })
    }

    /// Whether all of the council that are there were asked in vain for what the next anchor changed.
    fn is_held_by_nobody(&self) -> bool {
        let Some(audit) = &self.audit else { return false };
        let peers = self.council_peers(&self.config.me);
        !peers.is_empty() && peers.iter().all(|peer| audit.wanted.tried.contains(peer))
    }

    /// Asks what the anchor at `index` changed: the keeper first, then the others of the council, and later all
    /// of them once more.
    fn ask_for_changes(&mut self, register: &ExchangeId, index: u64) {
        let keeper = self.directory.operator(register).and_then(|keeper| self.peer_of(keeper));
        let council = self.council_peers(&self.config.me);
        self.audit_later();
        let Some(audit) = &mut self.audit else { return };
        if audit.wanted.of.is_some() {
            return;
        }
        let mut peers = keeper.iter().chain(&council);
        let next = peers.find(|peer| !audit.wanted.tried.contains(*peer)).cloned();
        if next.is_none() {
            audit.wanted.tried.clear();
        }
        if let Some(peer) = next {
            self.ask_for_page(&peer, register, index, None);
        }
    }

    fn ask_for_page(
        &mut self,
        peer: &Peer,
        register: &ExchangeId,
        index: u64,
        after: Option<ExchangeId>,
    ) {
        let Some(audit) = &mut self.audit else { return };
        audit.wanted.of = Some(peer.clone());
        let request = Request::AnchorChanges { register: register.clone(), index, after };
        self.ask(peer, &request, Asked::AnchorChanges { register: register.clone(), index });
    }

    /// A page of what an anchor changed.
    pub(super) fn anchor_changes_shown(
        &mut self,
        peer: &Peer,
        register: &ExchangeId,
        index: u64,
        changes: Vec<AnchorChange>,
        more: bool,
    ) {
        let Some(version) = register_version(register) else { return };
        let Some(audit) = &mut self.audit else { return };
        let at = audit.ahead.register();
        let asked = audit.wanted.of.as_ref() == Some(peer) && !audit.wanted.complete;
        if (at.version, at.size) != (version, index) || !asked {
            return;
        }
        audit.wanted.gathered.extend(changes);
        let members = audit.ahead.members().count();
        let last = audit.wanted.gathered.last().map(|change| change.leaf.id.clone());
        if more && last.is_some() && audit.wanted.gathered.len() <= members {
            return self.ask_for_page(peer, register, index, last);
        }
        audit.wanted.complete = true;
        if let Some(inbound) = audit.wanted.before {
            let changes = core::mem::take(&mut audit.wanted).gathered;
            self.keep_changes((version, index), changes);
            self.respond(inbound, &Response::Done);
        }
        self.go_on_with_audit();
    }

    /// The keeper is about to record an anchor at `index`: asks what it changes, to keep that.
    pub(super) fn anchor_coming(
        &mut self,
        inbound: InboundId,
        peer: &Peer,
        register: &ExchangeId,
        index: u64,
    ) {
        let keeper = self.directory.operator(register).and_then(|keeper| self.peer_of(keeper));
        let is_next = self.audit.as_ref().is_some_and(|audit| {
            let at = audit.ahead.register();
            at.id == *register && at.size == index && audit.wanted.of.is_none()
        });
        if keeper.as_ref() != Some(peer) {
            self.respond(inbound, &Response::Refused(Refusal::NotAllowed));
        } else if !is_next || self.registers.entry(register, index).is_some() {
            self.respond(inbound, &Response::Refused(Refusal::NotHeld));
        } else {
            if let Some(audit) = &mut self.audit {
                audit.wanted = Wanted { before: Some(inbound), ..Wanted::default() };
            }
            self.ask_for_page(peer, register, index, None);
        }
    }

    /// Asks no more for what an anchor changes, and refuses the keeper what it asked to keep, if it did.
    fn keep_no_more(&mut self) {
        let Some(audit) = &mut self.audit else { return };
        if let Some(inbound) = core::mem::take(&mut audit.wanted).before {
            self.respond(inbound, &Response::Refused(Refusal::NotHeld));
        }
    }

    /// A council member does not show what an anchor changed.
    pub(super) fn anchor_changes_refused(&mut self, peer: &Peer) {
        let Some(audit) = &mut self.audit else { return };
        if audit.wanted.of.as_ref() == Some(peer) {
            if audit.wanted.before.is_some() {
                self.keep_no_more();
            } else {
                audit.wanted.asked_in_vain();
            }
            self.go_on_with_audit();
        }
    }

    /// Keeps what an anchor changes, durably.
    pub(super) fn keep_changes(&mut self, place: Place, changes: Vec<AnchorChange>) {
        let bytes = AnchorChange::encode_all(&changes);
        let (version, index) = place;
        self.effect(Effect::Persist(Persist::Anchored { version, index, changes: bytes }));
        if let Some(audit) = &mut self.audit {
            audit.kept.insert(place, changes);
        }
    }

    /// The leaves that the next anchor has beside those of the last, with notes that show their heads.
    pub(super) fn changes_to_anchor(&self) -> Vec<AnchorChange> {
        let Some(audit) = &self.audit else { return Vec::new() };
        let unwitnessed = self.directory.charters().latest().is_unwitnessed();
        let newest = |member: &Member| {
            let replica = self.replicas.get(&member.id)?;
            let signed = if unwitnessed { &replica.held } else { &replica.cosigned };
            let signed = signed.as_ref()?;
            let key = member.log_note_key_at(signed.size())?;
            (signed.key_id() == Some(key.id)).then_some(signed)
        };
        let head = |member: &Member| {
            let signed = newest(member)?;
            Some(Prefix { size: signed.size(), root: signed.checkpoint.root })
        };
        let changes = audit.leaves.changes(&audit.ahead, head);
        let with_note = |leaf: AnchorLeaf| {
            let signed = audit.ahead.member(&leaf.id).and_then(newest);
            let shown = signed.filter(|signed| signed.size() == leaf.head.size);
            AnchorChange { note: shown.map_or_else(String::new, Signed::encode), leaf }
        };
        changes.into_iter().map(with_note).collect()
    }

    /// The root and count of the leaves after `changes`.
    pub(super) fn anchor_after(
        &self,
        changes: &[AnchorChange],
    ) -> Option<(u64, hutong_crypto::digest::Hash)> {
        let mut leaves = self.audit.as_ref()?.leaves.clone();
        leaves.update(changes.iter().map(|change| change.leaf.clone()));
        Some((leaves.len(), leaves.root()))
    }

    /// The leaf of `log` in an anchor, where this node keeps it.
    pub(super) fn anchored_leaf(
        &self,
        version: u64,
        index: u64,
        log: &ExchangeId,
    ) -> Option<AnchoredLeaf> {
        self.audit.as_ref()?.leaves_at((version, index))?.prove(log)
    }

    /// Answers what an anchor changed.
    pub(super) fn anchor_changes(
        &self,
        register: &ExchangeId,
        index: u64,
        after: Option<&ExchangeId>,
    ) -> Response {
        let version = register_version(register);
        let kept = version.and_then(|version| self.audit.as_ref()?.kept.get(&(version, index)));
        let Some(kept) = kept else { return Response::Refused(Refusal::NotHeld) };
        let rest = kept.iter().filter(|it| after.is_none_or(|after| it.leaf.id > *after));
        let changes: Vec<AnchorChange> =
            rest.clone().take(ANCHOR_CHANGES_PER_ANSWER_MAX).cloned().collect();
        let more = rest.count() > changes.len();
        Response::AnchorChanges { changes, more }
    }

    /// Answers where a log stands in an anchor.
    pub(super) fn anchor_leaf(
        &self,
        register: &ExchangeId,
        index: u64,
        log: &ExchangeId,
    ) -> Response {
        let version = register_version(register);
        let leaf = version.and_then(|version| self.anchored_leaf(version, index, log));
        leaf.map_or(Response::Refused(Refusal::NotHeld), Response::AnchorLeaf)
    }
}

impl Wanted {
    /// Who is asked has not shown what makes up the anchor.
    fn asked_in_vain(&mut self) {
        self.tried.extend(self.of.take());
        self.gathered.clear();
        self.complete = false;
    }
}

impl Audit {
    /// Begins with the leaves of that anchor; with none of none.
    fn begin_at(&mut self, anchor: Option<Anchor>) {
        let place = anchor.map(|anchor| (anchor.version, anchor.index));
        self.leaves = place.and_then(|place| self.leaves_at(place)).unwrap_or_default();
        self.leaves_of = place;
    }

    /// The leaves of the anchor at `place`, if it is kept.
    fn leaves_at(&self, place: Place) -> Option<AnchorLeaves> {
        if self.leaves_of == Some(place) {
            return Some(self.leaves.clone());
        }
        if !self.kept.contains_key(&place) {
            return None;
        }
        let mut leaves = AnchorLeaves::default();
        for changes in self.kept.range(..=place).map(|(_, changes)| changes) {
            leaves.update(changes.iter().map(|change| change.leaf.clone()));
        }
        Some(leaves)
    }

    /// Merges anchors of past days into the last of each day, but for the newest ones.
    fn thin(&mut self) {
        let newest = self.kept.keys().rev().nth(ANCHORS_KEPT_MAX).copied();
        let Some(newest) = newest else { return };
        let last_of_days: BTreeSet<Place> =
            self.ahead.anchors().map(|anchor| (anchor.version, anchor.index)).collect();
        let old: Vec<Place> = self.kept.range(..newest).map(|(place, _)| *place).collect();
        for pair in old.windows(2) {
            let [earlier, later] = pair else { continue };
            if last_of_days.contains(earlier) {
                continue;
            }
            let Some(changes) = self.kept.remove(earlier) else { continue };
            if let Some(later) = self.kept.get_mut(later) {
                let mut merged: BTreeMap<ExchangeId, AnchorChange> =
                    changes.into_iter().map(|change| (change.leaf.id.clone(), change)).collect();
                let newer = core::mem::take(later).into_iter();
                merged.extend(newer.map(|change| (change.leaf.id.clone(), change)));
                *later = merged.into_values().collect();
            }
        }
    }
}
