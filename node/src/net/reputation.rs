//! Penalties and bans. Bounded, and forgiving with time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::limits::NetLimits;

/// What is remembered of one offender.
#[derive(Debug, Clone)]
struct Record {
    points: f64,
    updated: Instant,
    strikes: u32,
    banned_until: Option<Instant>,
}

/// Penalty points and bans of peers, connected or not.
#[derive(Debug)]
pub(super) struct Reputation {
    records: BTreeMap<PeerId, Record>,
    points_max: f64,
    ban_min: Duration,
    member_ban_max: Duration,
    stranger_ban_max: Duration,
    records_max: usize,
}

impl Reputation {
    pub(super) fn new(limits: &NetLimits) -> Self {
        Self {
            records: BTreeMap::new(),
            points_max: limits.penalty_max,
            ban_min: limits.ban_min,
            member_ban_max: limits.member_ban_max,
            stranger_ban_max: limits.stranger_ban_max,
            records_max: limits.offenders_max,
        }
    }

    /// Adds `points`; returns the ban if they now reach the maximum.
    pub(super) fn penalise(
        &mut self,
        peer: PeerId,
        points: f64,
        member: bool,
        now: Instant,
    ) -> Option<Duration> {
        let points_max = self.points_max;
        let record = self.record(peer, now);
        record.points = decayed(record, now) + points.max(0.0);
        record.updated = now;
        if record.points < points_max {
            return None;
        }
        Some(self.ban(peer, member, now))
    }

    /// Bans `peer` and returns for how long.
    pub(super) fn ban(&mut self, peer: PeerId, member: bool, now: Instant) -> Duration {
        let longest = if member { self.member_ban_max } else { self.stranger_ban_max };
        let shortest = self.ban_min;
        let record = self.record(peer, now);
        let length = shortest.saturating_mul(1 << record.strikes.min(16)).min(longest);
        record.strikes = record.strikes.saturating_add(1);
        record.points = 0.0;
        record.updated = now;
        record.banned_until = Some(now + length);
        length
    }

    /// Whether `peer` may not connect now.
    pub(super) fn is_banned(&self, peer: &PeerId, now: Instant) -> bool {
        self.records
            .get(peer)
            .and_then(|record| record.banned_until)
            .is_some_and(|until| until > now)
    }

    /// Penalty points of `peer` now.
    pub(super) fn points(&self, peer: &PeerId, now: Instant) -> f64 {
        self.records.get(peer).map_or(0.0, |record| decayed(record, now))
    }

    /// How many peers are banned now.
    pub(super) fn banned(&self, now: Instant) -> usize {
        self.records.values().filter(|r| r.banned_until.is_some_and(|until| until > now)).count()
    }

    /// Forgets those who have been quiet for ten times the longest delay that still matters.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.records.retain(|_, record| {
            let since =
                record.banned_until.map_or(record.updated, |until| until.max(record.updated));
            now.saturating_duration_since(since) < FORGET_AFTER
        });
    }

    fn record(&mut self, peer: PeerId, now: Instant) -> &mut Record {
        if !self.records.contains_key(&peer) && self.records.len() >= self.records_max {
            self.evict();
        }
        let fresh = Record { points: 0.0, updated: now, strikes: 0, banned_until: None };
        self.records.entry(peer).or_insert(fresh)
    }

    /// Drops the record that matters least: the one that is over first.
    fn evict(&mut self) {
        let least = self
            .records
            .iter()
            .min_by_key(|(_, record)| (record.banned_until, record.updated))
            .map(|(peer, _)| *peer);
        if let Some(peer) = least {
            self.records.remove(&peer);
        }
    }
}

/// One point is forgiven a second.
fn decayed(record: &Record, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(record.updated).as_secs_f64();
    (record.points - passed).max(0.0)
}

/// Strikes are remembered so long after the last offence.
const FORGET_AFTER: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn reputation(records_max: usize) -> Reputation {
        Reputation::new(&NetLimits { offenders_max: records_max, ..NetLimits::default() })
    }

    #[test]
    fn points_add_up_to_a_ban_and_bans_grow_to_their_maximum() {
        let now = Instant::now();
        let peer = PeerId::random();
        let mut reputation = reputation(8);
        assert_eq!(reputation.penalise(peer, 99.0, true, now), None);
        assert!(!reputation.is_banned(&peer, now));
        assert_eq!(reputation.penalise(peer, 1.0, true, now), Some(Duration::from_secs(30)));
        assert!(reputation.is_banned(&peer, now));
        assert!(!reputation.is_banned(&peer, now + Duration::from_secs(31)));
        assert_eq!(reputation.ban(peer, true, now), Duration::from_mins(1));
        assert_eq!(reputation.ban(peer, true, now), Duration::from_mins(1));
        assert_eq!(reputation.ban(peer, false, now), Duration::from_mins(4));
    }

    #[test]
    fn points_are_forgiven_with_time() {
        let now = Instant::now();
        let peer = PeerId::random();
        let mut reputation = reputation(8);
        reputation.penalise(peer, 60.0, true, now);
        let later = now + Duration::from_secs(30);
        assert_eq!(reputation.penalise(peer, 60.0, true, later), None);
        assert_eq!(reputation.penalise(peer, 10.0, true, later), Some(Duration::from_secs(30)));
    }

    #[test]
    fn the_list_stays_bounded_and_keeps_the_longest_bans() {
        let now = Instant::now();
        let mut reputation = reputation(4);
        let worst = PeerId::random();
        reputation.ban(worst, false, now);
        for _ in 0..20 {
            reputation.penalise(PeerId::random(), 1.0, false, now);
        }
        assert_eq!(reputation.records.len(), 4);
        assert!(reputation.is_banned(&worst, now));
        reputation.sweep(now + Duration::from_hours(2));
        assert!(reputation.records.is_empty());
    }
}
