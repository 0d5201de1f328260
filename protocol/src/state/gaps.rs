//! The entries of one log that are not held, and who is to be asked for them when.
//!
//! A gap is asked for in rounds. In a round a few peers are asked, one after the other, until one of them
//! hands the entry out or says that it withholds it. A peer that does not hold the entry settles nothing and
//! costs no pause: the next one is asked. What was asked for in vain moves up one level, and each level waits
//! twice as long as the one below it and goes on with the peers after those that were asked. So every peer is
//! asked for every gap in the end, and a gap that nobody fills delays no other one.
//!
//! Memory: the gaps as ranges, and one peer's turn for each level. Not here: requests and answers (`seek`).

use alloc::vec::Vec;

use super::ranges::Ranges;
use crate::io::{Peer, RequestId};
use crate::limits::{
    LEAVES_PER_ANSWER_MAX, SEEK_DELAY_MS_MAX, SEEK_DELAY_MS_MIN, SEEK_REQUESTS_PER_PEER_MAX,
    SEEK_TURN_MS_MAX,
};
use crate::time::Instant;

/// The highest level; its gaps stay in it.
const LEVEL_MAX: usize = 18;

/// The highest level for what nobody who was asked holds: whoever does may be back soon. 512 s.
const LEVEL_ABSENT_MAX: usize = 10;

/// Up to this level (16 s) many peers are asked in a round, beyond it few.
const LEVEL_QUICK_MAX: usize = 5;
const PEERS_QUICK_MAX: usize = 8;
const PEERS_SLOW_MAX: usize = 2;

/// From this level on a gap was withheld by so many that it may well not be for this node.
const LEVEL_SETTLED: usize = 4;

/// In which order peers are asked: the owner knows all its entries, and the council follows all logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The log's owner.
    Owner,
    /// Another council member.
    Council,
    /// Another member.
    Other,
}

/// A peer's turn in that order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) rank: Rank,
    pub(super) peer: Peer,
}

/// Gaps that were asked for in vain equally often.
#[derive(Debug, Default)]
struct Level {
    /// What the peer whose turn it is was not asked for.
    open: Ranges,
    /// What it withheld; of the highest level alone.
    withheld: Ranges,
    /// When the next round begins.
    due: Instant,
    /// After whom it begins; none for the first peer.
    after: Option<Turn>,
}

/// Gaps that are being asked for.
#[derive(Debug)]
struct Round {
    level: usize,
    /// Who was asked first.
    first: Turn,
    /// Whose turn it is.
    turn: Turn,
    /// Whether the order of peers began anew since.
    wrapped: bool,
    /// How many peers were asked.
    peers: usize,
    /// What the peer is still to be asked for.
    open: Ranges,
    /// What it does not hold.
    absent: Ranges,
    /// How many requests it was sent.
    requests: usize,
    /// The one that it has not answered.
    request: Option<RequestId>,
    /// When it was asked first.
    since: Instant,
}

/// The gaps of one log.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    levels: Vec<Level>,
    round: Option<Round>,
}

/// What comes next in a round.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The peer is to be asked for leaves `[from, to)`.
    Ask { peer: Peer, from: u64, to: u64 },
    /// The next peer has its turn: the first one after this, or the very first.
    Next { after: Option<Turn> },
    /// An answer is awaited, or nothing is due.
    Wait,
}

/// How long gaps of `level` wait, in milliseconds.
fn pause_ms(level: usize) -> u64 {
    let factor = u32::try_from(level).ok().and_then(|level| 1_u64.checked_shl(level));
    factor.map_or(SEEK_DELAY_MS_MAX, |factor| (SEEK_DELAY_MS_MIN * factor).min(SEEK_DELAY_MS_MAX))
}

impl Gaps {
    /// Whether nothing is missing.
    pub(super) fn is_empty(&self) -> bool {
        self.sets().all(Ranges::is_empty)
    }

    /// How many entries are missing.
    pub(super) fn count(&self) -> u64 {
        self.sets().map(Ranges::count).sum()
    }

    /// The entries `[from, to)` are missing.
    pub(super) fn insert(&mut self, from: u64, to: u64, now: Instant) {
        self.remove(from, to);
        self.add(0, &mut range(from, to), now, None);
    }

    /// The entries `[from, to)` are here, or not wanted.
    pub(super) fn remove(&mut self, from: u64, to: u64) {
        for level in &mut self.levels {
            level.open.remove(from, to);
            level.withheld.remove(from, to);
        }
        if let Some(round) = &mut self.round {
            round.open.remove(from, to);
            round.absent.remove(from, to);
        }
    }

    /// Asks for everything anew, soon and from the first peer on: what this node may see has changed, or
    /// somebody who holds it is back.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        let mut all = Ranges::default();
        for level in &mut self.levels {
            all.absorb(&mut level.open);
            all.absorb(&mut level.withheld);
        }
        if let Some(round) = &mut self.round {
            // It ends with the answer that is awaited.
            all.absorb(&mut round.open);
            all.absorb(&mut round.absent);
        }
        self.add(0, &mut all, now, None);
    }

    /// When the next round is due; none where nothing is missing or a round is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.levels.iter().filter(|level| !level.open.is_empty());
        waiting.map(|level| level.due).min().filter(|_| self.round.is_none())
    }

    /// Whether an answer to `request` is awaited.
    pub(super) fn awaits(&self, request: RequestId) -> bool {
        self.round.as_ref().is_some_and(|round| round.request == Some(request))
    }

    /// What to do now, where the log is held up to `size`.
    pub(super) fn step(&mut self, size: u64, now: Instant) -> Step {
        let Some(round) = &mut self.round else {
            let due = |level: &Level| !level.open.is_empty() && level.due <= now;
            let due = self.levels.iter().position(due);
            let Some(level) = due else { return Step::Wait };
            if self.levels[level].open.first().is_none_or(|(from, _)| from >= size) {
                // What was noted last is not under a checkpoint yet.
                self.levels[level].due = now.plus_millis(pause_ms(level));
                return self.step(size, now);
            }
            return Step::Next { after: self.levels[level].after.clone() };
        };
        if round.request.is_some() {
            return Step::Wait;
        }
        if now >= round.since.plus_millis(SEEK_TURN_MS_MAX) {
            // A slow peer may hand out one leaf at a time.
            round.absent.absorb(&mut round.open);
        }
        if round.requests < SEEK_REQUESTS_PER_PEER_MAX
            && let Some((from, to)) = round.open.first()
        {
            let to = to.min(from + LEAVES_PER_ANSWER_MAX as u64);
            return Step::Ask { peer: round.turn.peer.clone(), from, to };
        }
        // The rest is asked of the same peer in the next round.
        self.levels[round.level].open.absorb(&mut round.open);
        let quick = round.level <= LEVEL_QUICK_MAX;
        let peers_max = if quick { PEERS_QUICK_MAX } else { PEERS_SLOW_MAX };
        if round.absent.is_empty() || round.peers >= peers_max {
            self.end(now);
            return self.step(size, now);
        }
        Step::Next { after: Some(round.turn.clone()) }
    }

    /// The peer of `turn` has its turn, which is the next one; none where there is nobody to ask. `wrapped`:
    /// it does not come after the one that was named.
    pub(super) fn give(&mut self, turn: Option<Turn>, wrapped: bool, size: u64, now: Instant) {
        match (&mut self.round, turn) {
            (Some(round), Some(turn)) => {
                round.wrapped |= wrapped;
                if round.wrapped && turn >= round.first {
                    return self.end(now);
                }
                round.turn = turn;
                round.peers += 1;
                round.requests = 0;
                round.since = now;
                round.open = core::mem::take(&mut round.absent);
            }
            (Some(_), None) => self.end(now),
            (None, turn) => self.begin(turn, size, now),
        }
    }

    fn begin(&mut self, turn: Option<Turn>, size: u64, now: Instant) {
        let due = |level: &Level| !level.open.is_empty() && level.due <= now;
        let mut levels = self.levels.iter_mut().enumerate();
        let Some((at, level)) = levels.find(|(_, level)| due(level)) else { return };
        let Some(turn) = turn else {
            level.due = now.plus_millis(pause_ms(at).max(pause_ms(LEVEL_SETTLED)));
            return;
        };
        self.round = Some(Round {
            level: at,
            first: turn.clone(),
            turn,
            wrapped: false,
            peers: 1,
            open: level.open.take_below(size),
            absent: Ranges::default(),
            requests: 0,
            request: None,
            since: now,
        });
    }

    /// The peer was sent `request`.
    pub(super) fn asked(&mut self, request: RequestId) {
        if let Some(round) = &mut self.round {
            round.requests += 1;
            round.request = Some(request);
        }
    }

    /// The peer will not answer.
    pub(super) fn unanswered(&mut self) {
        if let Some(round) = &mut self.round {
            round.request = None;
            round.absent.absorb(&mut round.open);
        }
    }

    /// The peer has answered: of what it was asked for it withholds some, and does not hold some.
    pub(super) fn answered(&mut self, withheld: &mut Ranges, absent: &Ranges, now: Instant) {
        let Some(round) = &mut self.round else { return };
        round.request = None;
        if round.open.is_empty() {
            // All is asked for anew.
            return;
        }
        for (from, to) in absent.iter() {
            round.absent.insert(from, to);
        }
        for (from, to) in absent.iter().chain(withheld.iter()) {
            round.open.remove(from, to);
        }
        let (level, turn) = (round.level, round.turn.clone());
        if level == LEVEL_MAX {
            self.levels[level].withheld.absorb(withheld);
        } else {
            self.add(level + 1, withheld, now, Some(turn));
        }
    }

    fn end(&mut self, now: Instant) {
        let Some(mut round) = self.round.take() else { return };
        let level = &mut self.levels[round.level];
        level.open.absorb(&mut round.open);
        if level.open.is_empty() {
            // All were asked for of this peer: those of the highest level are asked of the next one.
            level.open.absorb(&mut level.withheld);
            level.after = Some(round.first).filter(|_| round.level == LEVEL_MAX);
        }
        level.due = now.plus_millis(pause_ms(round.level));
        let above = (round.level + 1).min(LEVEL_ABSENT_MAX);
        self.add(above, &mut round.absent, now, Some(round.turn));
    }

    fn add(&mut self, at: usize, gaps: &mut Ranges, now: Instant, after: Option<Turn>) {
        if gaps.is_empty() {
            return;
        }
        if self.levels.len() <= at {
            self.levels.resize_with(at + 1, Level::default);
        }
        let level = &mut self.levels[at];
        if level.open.is_empty() {
            level.due = now.plus_millis(pause_ms(at));
            level.after = after;
        }
        level.open.absorb(gaps);
    }

    fn sets(&self) -> impl Iterator<Item = &Ranges> {
        let levels = self.levels.iter().flat_map(|level| [&level.open, &level.withheld]);
        levels.chain(self.round.iter().flat_map(|round| [&round.open, &round.absent]))
    }
}

fn range(from: u64, to: u64) -> Ranges {
    let mut range = Ranges::default();
    range.insert(from, to);
    range
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// What a peer says of every leaf that it is asked for.
    #[derive(Clone, Copy)]
    enum Says {
        Entry,
        Withheld,
        Absent,
        Nothing,
    }

    fn peer(place: usize) -> Peer {
        Peer::new(&format!("peer-{place}"))
    }

    fn turns(count: usize) -> Vec<Turn> {
        let rank = |place| match place {
            0 => Rank::Owner,
            1 | 2 => Rank::Council,
            _ => Rank::Other,
        };
        (0..count).map(|place| Turn { rank: rank(place), peer: peer(place) }).collect()
    }

    /// Does all that is due at `ms` in a log of 100 leaves; returns who was asked for what.
    fn drive(gaps: &mut Gaps, ms: u64, says: &[Says]) -> Vec<(usize, u64, u64)> {
        let (now, turns, mut asked) = (Instant::from_millis(ms), turns(says.len()), Vec::new());
        loop {
            match gaps.step(100, now) {
                Step::Wait => return asked,
                Step::Next { after } => {
                    let next = turns.iter().find(|turn| after.as_ref().is_none_or(|it| *turn > it));
                    let turn = next.or(turns.first()).cloned();
                    gaps.give(turn, next.is_none(), 100, now);
                }
                Step::Ask { peer, from, to } => {
                    let place = turns.iter().position(|turn| turn.peer == peer);
                    let place = place.unwrap_or(usize::MAX);
                    asked.push((place, from, to));
                    gaps.asked(RequestId(asked.len() as u64));
                    assert_eq!(gaps.step(100, now), Step::Wait, "one request at a time");
                    let (mut withheld, mut absent) = (Ranges::default(), Ranges::default());
                    match says[place] {
                        Says::Entry => gaps.remove(from, to),
                        Says::Withheld => withheld.insert(from, to),
                        Says::Absent => absent.insert(from, to),
                        Says::Nothing => {
                            gaps.unanswered();
                            continue;
                        }
                    }
                    gaps.answered(&mut withheld, &absent, now);
                }
            }
        }
    }

    /// Who was asked when, up to `until` milliseconds.
    fn run(gaps: &mut Gaps, until: u64, says: &[Says]) -> Vec<(u64, usize)> {
        let mut asked = Vec::new();
        while let Some(due) = gaps.due().filter(|due| due.millis() <= until) {
            let at = due.millis();
            asked.extend(drive(gaps, at, says).into_iter().map(|(place, ..)| (at, place)));
        }
        asked
    }

    fn one_gap() -> Gaps {
        let mut gaps = Gaps::default();
        gaps.insert(5, 7, Instant::default());
        gaps
    }

    #[test]
    fn what_one_peer_withholds_is_asked_of_the_next_after_twice_the_pause() {
        let mut gaps = one_gap();
        let asked = run(&mut gaps, 20_000, &[Says::Withheld; 4]);
        assert_eq!(asked, [(500, 0), (1_500, 1), (3_500, 2), (7_500, 3), (15_500, 0)]);
        assert_eq!(gaps.count(), 2);
        let asked = run(&mut gaps, 40_000, &[Says::Withheld, Says::Entry]);
        assert_eq!(asked, [(31_500, 1)]);
        assert!(gaps.is_empty());
    }

    #[test]
    fn a_peer_that_does_not_hold_an_entry_or_does_not_answer_costs_no_pause() {
        let says = [Says::Absent, Says::Nothing, Says::Absent, Says::Entry];
        let mut gaps = one_gap();
        assert_eq!(run(&mut gaps, 500, &says), [(500, 0), (500, 1), (500, 2), (500, 3)]);
        assert!(gaps.is_empty());
    }

    #[test]
    fn a_round_asks_a_bounded_number_of_peers_and_the_next_goes_on_with_others() {
        let mut gaps = one_gap();
        let asked = run(&mut gaps, 1_500, &[Says::Absent; 12]);
        let first: Vec<_> = (0..PEERS_QUICK_MAX).map(|place| (500, place)).collect();
        assert_eq!(asked[..PEERS_QUICK_MAX], first);
        assert_eq!(asked[PEERS_QUICK_MAX], (1_500, PEERS_QUICK_MAX));
    }

    #[test]
    fn a_gap_that_nobody_fills_delays_no_other_one() {
        let mut gaps = one_gap();
        run(&mut gaps, 100_000, &[Says::Withheld; 3]);
        gaps.insert(9, 10, Instant::from_millis(100_000));
        assert_eq!(gaps.due(), Some(Instant::from_millis(100_500)));
        assert_eq!(drive(&mut gaps, 100_500, &[Says::Entry; 3]), [(0, 9, 10)]);
        assert_eq!(gaps.count(), 2);
    }

    #[test]
    fn all_peers_are_asked_again_and_again_at_most_once_a_day() {
        let mut gaps = one_gap();
        let day = SEEK_DELAY_MS_MAX;
        run(&mut gaps, 4 * day, &[Says::Withheld; 3]);
        let asked = run(&mut gaps, 10 * day, &[Says::Withheld; 3]);
        assert_eq!(asked.len(), 6);
        for pair in asked.windows(2) {
            assert_eq!((pair[1].0 - pair[0].0, pair[1].1), (day, (pair[0].1 + 1) % 3));
        }
    }

    #[test]
    fn many_gaps_of_the_highest_level_are_all_asked_of_each_peer() {
        let mut gaps = Gaps::default();
        for at in 0..50 {
            gaps.insert(2 * at, 2 * at + 1, Instant::default());
        }
        run(&mut gaps, 4 * SEEK_DELAY_MS_MAX, &[Says::Withheld; 3]);
        assert_eq!(gaps.levels[LEVEL_MAX].open.count(), 50);
        let asked = run(&mut gaps, 5 * SEEK_DELAY_MS_MAX, &[Says::Withheld; 3]);
        assert_eq!(asked.len(), 50);
    }

    #[test]
    fn a_slow_peer_has_its_turn_for_a_bounded_time() {
        let mut gaps = one_gap();
        assert_eq!(gaps.step(100, Instant::from_millis(500)), Step::Next { after: None });
        gaps.give(turns(2).into_iter().next(), false, 100, Instant::from_millis(500));
        let ask = |place| Step::Ask { peer: peer(place), from: 5, to: 7 };
        assert_eq!(gaps.step(100, Instant::from_millis(500)), ask(0));
        assert_eq!(gaps.step(100, Instant::from_millis(499 + SEEK_TURN_MS_MAX)), ask(0));
        let late = Instant::from_millis(500 + SEEK_TURN_MS_MAX);
        let after = Some(turns(1).remove(0));
        assert_eq!(gaps.step(100, late), Step::Next { after });
        gaps.give(turns(2).into_iter().nth(1), false, 100, late);
        assert_eq!(gaps.step(100, late), ask(1));
    }

    #[test]
    fn what_is_asked_for_anew_begins_with_the_first_peer_and_old_answers_count_no_more() {
        let mut gaps = one_gap();
        run(&mut gaps, 2_000, &[Says::Withheld; 3]);
        let now = Instant::from_millis(3_500);
        assert_eq!(gaps.step(100, now), Step::Next { after: Some(turns(2).remove(1)) });
        gaps.give(turns(3).into_iter().nth(2), false, 100, now);
        assert!(matches!(gaps.step(100, now), Step::Ask { .. }));
        gaps.asked(RequestId(9));
        gaps.begin_anew(now);
        let mut withheld = range(5, 7);
        gaps.answered(&mut withheld, &Ranges::default(), now);
        assert_eq!(gaps.count(), 2);
        assert_eq!(drive(&mut gaps, 3_500, &[Says::Entry; 3]), [], "the round is over");
        assert_eq!(run(&mut gaps, 4_000, &[Says::Entry; 3]), [(4_000, 0)]);
    }

    #[test]
    fn what_is_not_under_a_checkpoint_yet_waits() {
        let mut gaps = Gaps::default();
        gaps.insert(100, 101, Instant::default());
        assert_eq!(drive(&mut gaps, 500, &[Says::Entry]), []);
        assert_eq!(gaps.due(), Some(Instant::from_millis(1_000)));
    }
}
