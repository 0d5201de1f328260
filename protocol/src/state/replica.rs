//! One log as a node holds it: its own, or a copy of another's.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::Frontier;
use hutong_crypto::note::{Note, NoteSignature};

use super::fetch::FetchGoal;
use super::gaps::Gaps;
use crate::check::Outcome;
use crate::entry::Leaf;
use crate::id::ExchangeId;
use crate::io::{CheckTicket, GossipId, Peer, RequestId};
use crate::limits::{
    LEAVES_PER_ANSWER_MAX, LEAVES_PER_ANSWER_MIN, RANGE_LATE_MS, RECENT_CHECKPOINTS_MAX,
    SETTLED_CHECKPOINTS_MAX,
};
use crate::message::Leaves;
use crate::oracle::SignedCheckpoint;
use crate::persist::StoredLog;
use crate::time::Instant;

/// A checkpoint whose log signature holds.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) checkpoint: Arc<Checkpoint>,
    /// The note's text and the log's own signature line.
    pub(super) note: Arc<Note>,
    /// Cosignatures that hold, by witness; shared among the places where the checkpoint is kept.
    pub(super) cosignatures: Arc<BTreeMap<ExchangeId, Arc<NoteSignature>>>,
}

impl From<SignedCheckpoint> for Signed {
    fn from(SignedCheckpoint { checkpoint, note }: SignedCheckpoint) -> Self {
        Self { checkpoint, note, cosignatures: Arc::default() }
    }
}

impl Signed {
    /// A checkpoint without cosignatures; `note` has the log's own line alone.
    pub(super) fn new(checkpoint: Checkpoint, note: Note) -> Self {
        Self::from(SignedCheckpoint { checkpoint: Arc::new(checkpoint), note: Arc::new(note) })
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Which key of the log signed it.
    pub(super) fn key_id(&self) -> Option<[u8; 4]> {
        self.note.signatures.first().map(|line| line.key_id)
    }

    /// The note with all cosignatures at hand.
    pub(super) fn encode(&self) -> String {
        self.note.encode_with(self.cosignatures.values().map(Arc::as_ref))
    }
}

/// Where a log is known to go, and who has shown to be there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) signed: Signed,
    /// The note as it was received, for its cosignatures.
    pub(super) offered: Arc<Note>,
    pub(super) sources: BTreeSet<Peer>,
}

/// An announcement whose leaves are not here yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unjudged {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) id: GossipId,
}

/// Leaves that belong to the tree and whose signatures are being checked.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) ticket: CheckTicket,
    pub(super) from: u64,
    pub(super) leaves: Vec<Leaf>,
    pub(super) frontier: Frontier,
    pub(super) outcomes: Option<Vec<Outcome>>,
    /// The checkpoint that the log reaches with this batch.
    pub(super) reaches: Option<(Signed, Arc<Note>)>,
}

/// A range of leaves that was asked for.
#[derive(Debug)]
pub(super) struct Range {
    /// The index after the last leaf.
    pub(super) to: u64,
    /// When it was asked for first.
    pub(super) since: Instant,
    /// Who was asked, by which request and when: one peer, and another where that was late.
    pub(super) requests: Vec<(Peer, RequestId, Instant)>,
}

impl Range {
    /// Whether `peer` was asked for it.
    pub(super) fn is_asked_of(&self, peer: &Peer) -> bool {
        self.requests.iter().any(|(asked, ..)| asked == peer)
    }

    /// When it was asked for by `request`, if it was.
    pub(super) fn asked_by(&self, request: RequestId) -> Option<Instant> {
        self.requests.iter().find(|(_, asked, _)| *asked == request).map(|(.., at)| *at)
    }
}

/// Leaves that came before those that they follow, and cannot be checked before them.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) peer: Peer,
    /// How many were asked for.
    pub(super) asked: u64,
    pub(super) goal: FetchGoal,
    pub(super) answer: Leaves,
}

/// A smaller checkpoint than the one held, which may or may not be part of it.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) signed: Signed,
    /// The note that showed it.
    pub(super) offered: Arc<Note>,
    /// What it is being compared with.
    pub(super) held: Signed,
}

/// A log as this node holds it.
#[derive(Debug, Default)]
pub(super) struct Replica {
    /// The tree of what has been handed over to be made durable.
    pub(super) frontier: Frontier,
    /// What follows it and is being checked, in order.
    pub(super) staged: VecDeque<Batch>,
    /// The newest checkpoint that is held in full.
    pub(super) held: Option<Signed>,
    /// The newest checkpoint that a witness quorum cosigned.
    pub(super) cosigned: Option<Signed>,
    /// The newest checkpoint that all leaves here have been checked against, held or not.
    pub(super) basis: Option<Signed>,
    /// The newest checkpoints up to `held`, by size, for late cosignatures and comparisons.
    pub(super) recent: BTreeMap<u64, Signed>,
    /// A newer checkpoint that is not held yet.
    pub(super) target: Option<Target>,
    /// Announcements that are passed on when the log is held up to their size.
    pub(super) unjudged: VecDeque<Unjudged>,
    /// Peers that were asked where the log goes on, or for leaves in vain, since they last gave some.
    pub(super) tried: BTreeSet<Peer>,
    /// Ranges of leaves that were asked for, by their first index.
    pub(super) fetching: BTreeMap<u64, Range>,
    /// Answers that came before the leaves that they follow.
    pub(super) early: BTreeMap<u64, Early>,
    /// How long ranges take to come, in milliseconds: the latest ones, each for a quarter.
    pub(super) range_ms: Option<u64>,
    /// How many leaves an answer holds, as far as the latest ones have shown; none where all that was asked
    /// for came at once so far.
    pub(super) range_width: Option<u64>,
    /// Entries that are not held.
    pub(super) gaps: Gaps,
    /// What this node last cosigned.
    pub(super) witnessed: Option<(u64, Hash)>,
    /// What it has cosigned as others show it, where its own disk knows of less.
    pub(super) recollected: Option<(u64, Hash)>,
    /// When it last cosigned.
    pub(super) witnessed_at: Option<Instant>,
    /// The size at which the log is frozen for equivocation.
    pub(super) frozen: Option<u64>,
    /// Whether the log goes on under new keys from another tree than the one here.
    pub(super) diverged: bool,
    /// Encoded evidence against the log.
    pub(super) evidence: Vec<Vec<u8>>,
    /// Smaller checkpoints that are being compared with the one held then.
    pub(super) suspects: BTreeMap<u64, Suspect>,
}

impl Replica {
    /// The log as it was stored.
    pub(super) fn restored(stored: &StoredLog) -> Self {
        let cosigned = stored.cosigned.as_deref().and_then(trusted);
        let mut held = stored.checkpoint.as_deref().and_then(trusted);
        if let (Some(held), Some(cosigned)) = (&mut held, &cosigned)
            && held.size() == cosigned.size()
        {
            held.cosignatures.clone_from(&cosigned.cosignatures);
        }
        let mut gaps = Gaps::default();
        for (from, to) in &stored.withheld {
            gaps.insert(*from, *to, Instant::default());
        }
        Self {
            frontier: stored.frontier.clone(),
            recent: held.iter().map(|held| (held.size(), held.clone())).collect(),
            basis: held.clone(),
            held,
            cosigned,
            witnessed: stored.witness,
            frozen: stored.frozen,
            evidence: stored.evidence.clone(),
            gaps,
            ..Self::default()
        }
    }

    /// The tree after everything staged.
    pub(super) fn staged_frontier(&self) -> &Frontier {
        self.staged.back().map_or(&self.frontier, |batch| &batch.frontier)
    }

    /// The first range up to `size` that is neither here nor under way; none where there is none. An answer
    /// with fewer leaves than were asked for leaves a hole before those that were asked for after it.
    pub(super) fn next_range(&self, size: u64) -> Option<(u64, u64)> {
        let mut from = self.staged_frontier().size();
        let asked = self.fetching.iter().map(|(from, range)| (*from, range.to));
        let early =
            self.early.iter().map(|(from, it)| (*from, from + it.answer.leaves.len() as u64));
        let mut under_way: Vec<(u64, u64)> = asked.chain(early).collect();
        under_way.sort_unstable();
        let width = self.range_width.unwrap_or(LEAVES_PER_ANSWER_MAX as u64);
        let mut to = size;
        for (begin, end) in under_way {
            if from < begin {
                to = begin;
                break;
            }
            from = from.max(end);
        }
        let to = to.min(size).min(from.saturating_add(width));
        (from < to).then_some((from, to))
    }

    /// Ranges of leaves that were asked for, or came and are not handed over yet.
    pub(super) fn ranges(&self) -> usize {
        self.staged.len() + self.fetching.len() + self.early.len()
    }

    /// Learns from an answer that had so many leaves of those that were asked for. One that was cut short shows
    /// how many fit; after one that was not, a few more are asked for.
    pub(super) fn learn_width(&mut self, leaves: u64, asked: u64) {
        let width = match self.range_width {
            _ if leaves < asked => leaves,
            Some(width) if leaves >= width => width + width / 8 + 1,
            Some(_) | None => return,
        };
        let (least, most) = (LEAVES_PER_ANSWER_MIN as u64, LEAVES_PER_ANSWER_MAX as u64);
        self.range_width = Some(width.clamp(least, most));
    }

    /// From how many milliseconds on a range that was asked for is late.
    pub(super) fn late_ms(&self) -> u64 {
        self.range_ms.map_or(RANGE_LATE_MS, |usual| RANGE_LATE_MS.max(4 * usual))
    }

    /// Learns from a range that came so many milliseconds after it was asked for.
    pub(super) fn learn_time(&mut self, ms: u64) {
        self.range_ms = Some(self.range_ms.map_or(ms, |usual| (3 * usual + ms) / 4));
    }

    /// Lets go of what was asked for: nothing more is taken of the log.
    pub(super) fn forget_ranges(&mut self) {
        self.fetching.clear();
        self.early.clear();
    }

    /// The size that this node cosigned, where `batch` leads past it by another tree: the leaves of the
    /// one that it cosigned were lost.
    pub(super) fn cosigned_otherwise(&self, batch: &Batch) -> Option<u64> {
        let before = self.staged_frontier();
        let is_other = |(size, root): &(u64, Hash)| {
            // A frozen log is not cosigned again.
            if self.frozen.is_some() || *size <= before.size() || *size > batch.frontier.size() {
                return false;
            }
            let missing = usize::try_from(*size - before.size()).unwrap_or(usize::MAX);
            let mut tree = before.clone();
            for leaf in batch.leaves.iter().take(missing) {
                tree.append(leaf.hash());
            }
            tree.root() != *root
        };
        let cosigned = [self.witnessed, self.recollected];
        cosigned.into_iter().flatten().find(is_other).map(|(size, _)| size)
    }

    /// Whether this node is known to have cosigned more than is held.
    pub(super) fn has_cosigned_more(&self) -> bool {
        self.recollected.is_some_and(|(size, _)| size > self.held_size())
    }

    /// The size of the newest checkpoint held in full.
    pub(super) fn held_size(&self) -> u64 {
        self.held.as_ref().map_or(0, Signed::size)
    }

    /// The newest checkpoint that others are shown: the newest held, or of a frozen log the newest that a
    /// quorum cosigned.
    pub(super) fn shown(&self) -> Option<&Signed> {
        if self.frozen.is_some() { self.cosigned.as_ref() } else { self.held.as_ref() }
    }

    /// Makes `signed` the newest checkpoint held.
    pub(super) fn hold(&mut self, signed: Signed) {
        self.remember(signed.clone());
        self.basis = Some(signed.clone());
        self.held = Some(signed);
    }

    /// Keeps a checkpoint that is part of what is held, for its cosignatures.
    pub(super) fn remember(&mut self, signed: Signed) {
        self.recent.insert(signed.size(), signed);
        self.forget_settled();
        while self.recent.len() > RECENT_CHECKPOINTS_MAX {
            self.recent.pop_first();
        }
    }

    /// Forgets checkpoints that a cosigned one has overtaken, but for the newest of them: nobody
    /// waits for their cosignatures, and they would be most of what a node holds in memory.
    pub(super) fn forget_settled(&mut self) {
        let settled = self.cosigned.as_ref().map_or(0, Signed::size);
        while self.recent.range(..settled).count() > SETTLED_CHECKPOINTS_MAX {
            self.recent.pop_first();
        }
    }
}

/// A note from our own disk: its signatures were checked before it was stored.
fn trusted(note: &str) -> Option<Signed> {
    let mut note = Note::parse(note).ok()?;
    let checkpoint = Checkpoint::parse(&note.text).ok()?;
    let cosignatures = note.signatures.split_off(1.min(note.signatures.len()));
    let by_witness =
        |line: NoteSignature| Some((witness_of(&line.name)?.parse().ok()?, Arc::new(line)));
    let cosignatures: BTreeMap<_, _> = cosignatures.into_iter().filter_map(by_witness).collect();
    Some(Signed { cosignatures: Arc::new(cosignatures), ..Signed::new(checkpoint, note) })
}

/// The id of the exchange that cosigns under `name`.
pub(super) fn witness_of(name: &str) -> Option<&str> {
    name.strip_suffix("/witness")?.rsplit('/').next()
}
