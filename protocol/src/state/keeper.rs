//! Recording decisions and freezes in the register, as its keeper.
//!
//! The keeper records by itself, at once, what the fold allows. What it does not allow waits until its last
//! day; everybody can tell why from the same fold ([`Directory::would_enrol`](crate::directory::Directory::would_enrol)).

use alloc::collections::btree_map::Entry as Slot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::{Hash, blake3};
use hutong_crypto::keys::SigningKey;

use super::State;
use super::timers::Timer;
use crate::audience::Audience;
use crate::charter::SignedCharter;
use crate::date::Date;
use crate::directory::{
    Act, AnchoredLeaf, Decision, Enrolment, Extension, Head, Member, Prefix, Record, RecordAct,
};
use crate::entry::Entry;
use crate::evidence::Evidence;
use crate::id::ExchangeId;
use crate::io::Effect;
use crate::limits::{DECISIONS_PER_LOG_MAX, ENROL_AGAIN_MS};
use crate::prepare::Prepared;
use crate::statement::Draft;

/// What waits to be recorded.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// Decisions that were seen and not recorded, by log and index.
    decisions: BTreeMap<(ExchangeId, u64), Entry>,
    /// Whether anything changed since they were last looked at.
    moved: bool,
    /// Heads with what ties a size of a log to them, as far as that was read.
    ties: BTreeMap<(ExchangeId, u64), Head>,
    /// Heads to which sizes of logs are being tied: size of the head, and its note.
    reading: BTreeMap<(ExchangeId, u64), (u64, String)>,
    /// Logs of which a decision waits for a head with a quorum.
    headless: BTreeSet<ExchangeId>,
}

impl Keeper {
    /// Decisions that were stored; those that took effect since are dropped when they are next looked at.
    pub(super) fn new(decisions: impl IntoIterator<Item = ((ExchangeId, u64), Entry)>) -> Self {
        Self { decisions: decisions.into_iter().collect(), moved: true, ..Self::default() }
    }
}

impl State {
    /// Something changed on which it may depend what can be recorded.
    pub(super) fn keeper_moved(&mut self) {
        self.keeper.moved = true;
    }

    /// A log's checkpoint has a quorum: it can be anchored, and a decision may have waited for it.
    pub(super) fn head_for_keeper(&mut self, log: &ExchangeId) {
        if self.directory.charters().latest().keeper != self.config.me {
            return;
        }
        if self.keeper.headless.remove(log) {
            self.keeper_moved();
        } else {
            self.schedule_anchor();
        }
    }

    /// Takes in a decision about a member, whose signature holds. Where the log has too many that wait, the
    /// first ones count.
    pub(super) fn learn_decision(&mut self, log: &ExchangeId, index: u64, entry: &Entry) {
        let from = (log.clone(), 0);
        let waiting = self.keeper.decisions.range(from..=(log.clone(), u64::MAX)).count();
        if waiting < DECISIONS_PER_LOG_MAX {
            self.keeper.decisions.insert((log.clone(), index), entry.detached());
            self.keeper_moved();
        }
    }

    /// The decisions in own and others' logs that were seen and did not take effect, with the reason where the
    /// fold does not allow them now.
    pub fn waiting_decisions(
        &self,
    ) -> impl Iterator<Item = (&ExchangeId, u64, &Entry, Option<crate::directory::NoEffect>)> {
        let today = Date::of(self.wall);
        let waiting = self.keeper.decisions.iter();
        let waiting = waiting.filter(|(_, entry)| !self.directory.is_enrolled(&entry.id()));
        waiting.map(move |((log, index), entry)| {
            (log, *index, entry, self.directory.would_enrol(today, entry).err())
        })
    }

    /// How many decisions wait.
    pub(super) fn waiting_count(&self) -> usize {
        self.keeper.decisions.len()
    }

    /// Begins to sign the register where this node's exchange keeps it and has its key.
    pub(super) fn keep_register(&mut self) {
        let charter = self.directory.charters().latest();
        let key = self.keys.register.as_ref().map(SigningKey::public);
        if charter.keeper == self.config.me && key == Some(charter.register_key) {
            let register = self.directory.register().id.clone();
            self.own_log_begins(&register);
        }
    }

    /// The register that this node may sign now, if its check has seen all that is in it.
    pub(super) fn kept_register(&self) -> Option<ExchangeId> {
        let ahead = self.audited()?;
        let register = &ahead.register().id;
        let all = self.replicas.get(register)?.frontier.size() == ahead.register().size;
        (all && self.may_sign_log(register)).then(|| register.clone())
    }

    /// Records what can be recorded.
    pub(super) fn go_on_as_keeper(&mut self) {
        if !core::mem::take(&mut self.keeper.moved) {
            return;
        }
        self.forget_enrolled();
        if !self.keeper.decisions.is_empty() {
            self.timers.set(Timer::EnrolAgain, self.now.plus_millis(ENROL_AGAIN_MS));
        }
        if self.kept_register().is_none() {
            return;
        }
        self.freeze_the_convicted();
        // Each that takes effect may let others.
        while self.enrol_waiting() {}
        self.forget_those_that_never_can();
        self.schedule_anchor();
    }

    /// A while has passed since decisions that wait were looked at.
    pub(super) fn enrol_again(&mut self) {
        self.forget_those_that_never_can();
        self.keeper_moved();
    }

    /// Drops decisions that took effect.
    fn forget_enrolled(&mut self) {
        let ahead = self.audited().unwrap_or(&self.directory).clone();
        self.keeper.decisions.retain(|_, entry| !ahead.is_enrolled(&entry.id()));
    }

    /// Drops decisions that can no longer take effect. It checks signatures: not for every input.
    fn forget_those_that_never_can(&mut self) {
        let ahead = self.audited().unwrap_or(&self.directory).clone();
        let today = Date::of(self.wall);
        self.keeper.decisions.retain(|_, entry| {
            !ahead.would_enrol(today, entry).is_err_and(|refused| refused.is_for_ever(today))
        });
        if self.keeper.decisions.is_empty() {
            self.keeper.ties.clear();
        }
    }

    /// Records each waiting decision that can be recorded. Returns whether one took effect.
    fn enrol_waiting(&mut self) -> bool {
        let waiting: Vec<Entry> = self.keeper.decisions.values().cloned().collect();
        let mut any = false;
        for entry in waiting {
            any |= self.enrol(&entry);
        }
        any
    }

    /// Records a decision, if it can be recorded.
    fn enrol(&mut self, entry: &Entry) -> bool {
        let (Some(register), Some(ahead)) = (self.kept_register(), self.audited().cloned()) else {
            return false;
        };
        let day = self.register_day();
        if ahead.is_enrolled(&entry.id()) {
            return false;
        }
        let Ok(decision) = ahead.would_enrol(day, entry) else { return false };
        let Some(enrolment) = self.enrolment_of(day, &decision, entry) else { return false };
        let record = Record { day, act: RecordAct::Enrol(enrolment) };
        let Some(prepared) = self.record_entry(&register, &record) else { return false };
        // What lacks something that only the fold asks for would stand in the register for nothing.
        if ahead.as_ref().clone().apply(prepared.entry(), None).is_err() {
            return false;
        }
        self.append_to(&register, &[prepared]);
        self.go_on_with_audit();
        true
    }

    /// A decision with all that makes it safe to act on, where that is at hand.
    fn enrolment_of(&mut self, day: Date, decision: &Decision, entry: &Entry) -> Option<Enrolment> {
        let ahead = self.audited()?.clone();
        let member = ahead.member(decision.act.member());
        let (mut head, mut last_final) = (None, None);
        if let (Some(stands), Some(member)) = (decision.act.stands(), member) {
            if *stands != Prefix::empty() {
                head = Some(self.head_over(member, stands.size)?);
            }
            if let Some(anchor) = ahead.final_anchor_of(day, member) {
                last_final = Some(self.anchored_leaf(anchor.version, anchor.index, &member.id)?);
            }
        }
        let second = self.second_of(decision, entry);
        Some(Enrolment { decision: entry.clone(), second, head, last_final })
    }

    /// Another authority's decision for the same rekey, if it waits too.
    fn second_of(&self, decision: &Decision, first: &Entry) -> Option<Entry> {
        let Act::Rekey { descriptor, .. } = &decision.act else { return None };
        let today = Date::of(self.wall);
        let ahead = self.audited()?;
        let others = self.keeper.decisions.values().filter(|entry| entry.id() != first.id());
        let same = |entry: &&Entry| match ahead.would_enrol(today, entry).map(|it| it.act) {
            Ok(Act::Rekey { descriptor: other, .. }) => other == *descriptor,
            Ok(Act::Admit(_) | Act::Suspend { .. } | Act::Reinstate { .. } | Act::Expel { .. })
            | Err(_) => false,
        };
        others.into_iter().find(same).cloned()
    }

    /// A head with a quorum, and what ties `size` to it; none while that is being read. Any head will do: that
    /// of a busy log is another one each time.
    fn head_over(&mut self, member: &Member, size: u64) -> Option<Head> {
        let place = (member.id.clone(), size);
        if let Some(head) = self.keeper.ties.get(&place) {
            return Some(head.clone());
        }
        let replica = self.replicas.get(&member.id)?;
        let reaches = |new_size: u64| size <= new_size && new_size <= replica.frontier.size();
        let cosigned = replica.cosigned.as_ref().filter(|it| reaches(it.size()));
        let Some(cosigned) = cosigned else {
            self.keeper.headless.insert(member.id.clone());
            return None;
        };
        let (note, new_size) = (cosigned.encode(), cosigned.size());
        if let Slot::Vacant(reading) = self.keeper.reading.entry(place) {
            reading.insert((new_size, note));
            let log = member.id.clone();
            self.effect(Effect::ReadRange { log, old_size: size, new_size });
        }
        None
    }

    /// Hashes that were read for the keeper. Returns them where they were for somebody else.
    pub(super) fn tie_read(
        &mut self,
        log: &ExchangeId,
        sizes: (u64, u64),
        extension: Extension,
    ) -> Option<Extension> {
        let place = (log.clone(), sizes.0);
        if self.keeper.reading.get(&place).is_none_or(|(new_size, _)| *new_size != sizes.1) {
            return Some(extension);
        }
        if let Some((_, note)) = self.keeper.reading.remove(&place) {
            self.keeper.ties.insert(place, Head { note, extension });
            self.keeper_moved();
        }
        None
    }

    /// Records a freeze for each log against which there is evidence by its present key.
    fn freeze_the_convicted(&mut self) {
        let (Some(register), Some(ahead)) = (self.kept_register(), self.audited().cloned()) else {
            return;
        };
        let convicted = self.replicas.iter().filter(|(_, replica)| replica.frozen.is_some());
        let proven = convicted.filter_map(|(log, replica)| {
            let member = ahead.member(log).filter(|member| member.frozen.is_none())?;
            let by_present_key = |bytes: &&Vec<u8>| {
                Evidence::decode(Bytes::copy_from_slice(bytes))
                    .is_ok_and(|evidence| self.is_by_present_key(log, &evidence))
            };
            let evidence = replica.evidence.iter().find(by_present_key)?.clone();
            Some((member.id.clone(), evidence))
        });
        for (log, evidence) in proven.collect::<Vec<_>>() {
            let last = self.last_anchored(&log);
            let act = RecordAct::Freeze { log, evidence, last };
            let record = Record { day: self.register_day(), act };
            let Some(prepared) = self.record_entry(&register, &record) else { continue };
            if ahead.as_ref().clone().apply(prepared.entry(), None).is_ok() {
                self.append_to(&register, &[prepared]);
                self.go_on_with_audit();
            }
        }
    }

    /// The leaf of `log` in the last anchor, if there is one.
    fn last_anchored(&self, log: &ExchangeId) -> Option<AnchoredLeaf> {
        let anchor = self.audited()?.register().anchor?;
        self.anchored_leaf(anchor.version, anchor.index, log)
    }

    /// The entry by which the charter's next version takes effect, where this node keeps the register.
    ///
    /// # Errors
    ///
    /// Why it cannot be recorded now.
    pub(super) fn succession_entry(
        &self,
        next: &SignedCharter,
    ) -> Result<Option<(ExchangeId, Prepared)>, String> {
        if self.directory.charters().latest().keeper != self.config.me {
            return Ok(None);
        }
        let not_now = || "this node cannot continue the register now; try again".to_string();
        let (register, ahead) = self.kept_register().zip(self.audited()).ok_or_else(not_now)?;
        let act = RecordAct::Succession { charter: next.digest() };
        let record = Record { day: self.register_day(), act };
        let prepared = self.record_entry(&register, &record).ok_or_else(not_now)?;
        let applied = ahead.as_ref().clone().apply(prepared.entry(), Some(next));
        applied.map_err(|refused| refused.to_string())?;
        Ok(Some((register, prepared)))
    }

    /// Today, or the register's last day where this node's clock is behind it.
    pub(super) fn register_day(&self) -> Date {
        let today = Date::of(self.wall);
        let last = self.audited().and_then(|ahead| ahead.register().day);
        last.map_or(today, |last| today.max(last))
    }

    /// The register's signed entry for `record`.
    pub(super) fn record_entry(&self, register: &ExchangeId, record: &Record) -> Option<Prepared> {
        let key = self.keys.register.as_ref()?;
        let body = record.to_body();
        let index = self.replicas.get(register).map_or(0, |replica| replica.frontier.size());
        // The register is public: its salt hides nothing, and the same record gives the same entry.
        let text = alloc::format!("{register} {index} {body}");
        let mut salt = [0; 16];
        let Hash(digest) = blake3(text.as_bytes());
        salt.copy_from_slice(&digest[..16]);
        let draft = Draft {
            audience: Audience::Public,
            issued_at: self.wall,
            issuer: register.clone(),
            salt,
            kind: record.kind(),
            body,
        };
        Prepared::make(&draft, key).ok()
    }
}
