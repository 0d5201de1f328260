//! Gossip messages that wait for the node's verdict.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::MessageId;

use super::event::VERDICT_WITHIN;

/// A message without a verdict.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) message: MessageId,
    pub(super) source: PeerId,
    deadline: Instant,
}

/// Messages without a verdict, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

impl Verdicts {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The id that the next message gets.
    pub(super) fn next_id(&self) -> u64 {
        self.next
    }

    /// Keeps a message that the node has been handed as [`Self::next_id`].
    pub(super) fn wait(&mut self, message: MessageId, source: PeerId, now: Instant) {
        let waiting = Waiting { message, source, deadline: now + VERDICT_WITHIN };
        self.waiting.insert(self.next, waiting);
        self.next += 1;
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.waiting.remove(&id)
    }

    /// Takes out messages whose verdict is overdue.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Waiting> {
        // Ids rise with time, so the late ones come first.
        let late = self.waiting.iter().take_while(|(_, waiting)| waiting.deadline <= now);
        let ids: Vec<u64> = late.map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.waiting.remove(&id)).collect()
    }
}
