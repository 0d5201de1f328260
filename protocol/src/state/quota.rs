//! How much is taken of others' logs in a day.
//!
//! A log over its quota is fetched on the next day; until then nobody who keeps to the charter cosigns what it
//! goes on to say. The own logs, and the registers, have no quota here.

use alloc::collections::{BTreeMap, BTreeSet};

use super::State;
use super::timers::Timer;
use crate::date::Date;
use crate::descriptor::Parent;
use crate::directory::{Member, register_version};
use crate::entry::Leaf;
use crate::id::ExchangeId;
use crate::io::Notice;

/// Milliseconds until a log over its quota is looked at again: the day may have changed.
const LOOK_AGAIN_MS: u64 = 60_000;

/// What was taken today.
#[derive(Debug, Default)]
pub(super) struct Taken {
    day: Option<Date>,
    /// Bytes of entries, by log.
    logs: BTreeMap<ExchangeId, u64>,
    /// The same together, by the member that answers to the council.
    subtrees: BTreeMap<ExchangeId, u64>,
    /// Logs over their quota that were reported.
    over: BTreeSet<ExchangeId>,
}

impl State {
    /// Counts leaves that were taken of a log.
    pub(super) fn count_taken(&mut self, log: &ExchangeId, leaves: &[Leaf]) {
        if self.is_own(log) || register_version(log).is_some() {
            return;
        }
        self.begin_day();
        let bytes =
            leaves.iter().map(|leaf| leaf.entry().map_or(32, |it| it.as_bytes().len() as u64));
        let bytes: u64 = bytes.sum();
        *self.taken.logs.entry(log.clone()).or_default() += bytes;
        if let Some(top) = self.top_of(log).map(|top| top.id.clone()) {
            *self.taken.subtrees.entry(top).or_default() += bytes;
        }
    }

    /// Whether no more is taken of the log today. Reports it once.
    pub(super) fn is_over_quota(&mut self, log: &ExchangeId) -> bool {
        if self.is_own(log) || register_version(log).is_some() {
            return false;
        }
        self.begin_day();
        let over = self.reached_quota(log);
        if over {
            self.timers.set(Timer::GoOn(log.clone()), self.now.plus_millis(LOOK_AGAIN_MS));
            if self.taken.over.insert(log.clone()) {
                self.notice(Notice::OverQuota { log: log.clone() });
            }
        }
        over
    }

    /// Whether the log, or all below the member that answers to the council for it, is at its quota today.
    pub(super) fn reached_quota(&self, log: &ExchangeId) -> bool {
        let quotas = &self.directory.charters().latest().daily_mib;
        let quota = |member: &Member| {
            let own = self.config.quotas.get(&member.id).copied();
            own.unwrap_or_else(|| quotas.bytes(member.descriptor.tier))
        };
        let taken = |counted: &BTreeMap<ExchangeId, u64>, id: &ExchangeId| {
            counted.get(id).copied().unwrap_or(0)
        };
        let Some(member) = self.directory.member(log) else { return false };
        let together =
            self.top_of(log).is_some_and(|top| taken(&self.taken.subtrees, &top.id) >= quota(top));
        together || taken(&self.taken.logs, log) >= quota(member)
    }

    /// The member that answers to the council, above the owner of the log or itself.
    fn top_of(&self, log: &ExchangeId) -> Option<&Member> {
        let mut member = self.directory.member(log)?;
        while let Parent::Member(parent) = &member.parent {
            member = self.directory.member(parent)?;
        }
        Some(member)
    }

    fn begin_day(&mut self) {
        let today = Some(Date::of(self.wall));
        if self.taken.day != today {
            self.taken = Taken { day: today, ..Taken::default() };
        }
    }
}
