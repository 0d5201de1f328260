//! Long answers wait while much is being checked.
//!
//! A node that holds nothing asks for all logs at the same time, and its peers answer faster than it
//! checks. What it was given and did not look at yet would fill its memory; as long as it is not
//! looked at, the next part of its log is not asked for either. Honest answers are of about 1 MiB; what
//! waits is bounded by its bytes, since others may be of 4 MiB.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hutong_protocol::io::{Input, Peer, RequestId};
use hutong_protocol::limits::CHECKS_MAX;

/// Answers that wait, and what they wait for.
#[derive(Debug, Default)]
pub(super) struct Intake {
    checking: usize,
    waiting: VecDeque<(Peer, RequestId, Bytes)>,
    /// Bytes of each peer that wait.
    by_peer: BTreeMap<Peer, usize>,
}

impl Intake {
    /// A batch of entries is being checked from now on.
    pub(super) const fn begun(&mut self) {
        self.checking += 1;
    }

    /// A batch was checked.
    pub(super) const fn ended(&mut self) {
        self.checking = self.checking.saturating_sub(1);
    }

    /// The input of an answer, if it can be handled now. A long one waits while there is much to do; one
    /// for which there is no room is as good as none, so that another peer is asked.
    pub(super) fn admit(&mut self, peer: Peer, request: RequestId, answer: Bytes) -> Option<Input> {
        let is_long = answer.len() > LONG_BYTES;
        if !is_long || !self.is_busy() && self.waiting.is_empty() {
            return Some(Input::Response { request, answer: Some(answer) });
        }
        let all = self.waiting_bytes() + answer.len();
        let of_peer = self.by_peer.get(&peer).copied().unwrap_or(0) + answer.len();
        if all > BYTES_MAX || of_peer > BYTES_PER_PEER_MAX {
            tracing::debug!(%peer, bytes = answer.len(), "an answer finds no room");
            return Some(Input::Response { request, answer: None });
        }
        self.by_peer.insert(peer.clone(), of_peer);
        self.waiting.push_back((peer, request, answer));
        None
    }

    /// An answer that has waited long enough.
    pub(super) fn next(&mut self) -> Option<Input> {
        if self.is_busy() {
            return None;
        }
        let (peer, request, answer) = self.waiting.pop_front()?;
        if let Some(bytes) = self.by_peer.get_mut(&peer) {
            *bytes -= answer.len();
            if *bytes == 0 {
                self.by_peer.remove(&peer);
            }
        }
        Some(Input::Response { request, answer: Some(answer) })
    }

    /// Batches that are being checked.
    pub(super) const fn checking(&self) -> usize {
        self.checking
    }

    /// Answers that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Their bytes.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.by_peer.values().sum()
    }

    const fn is_busy(&self) -> bool {
        self.checking >= CHECKS_MAX
    }
}

/// Bytes from which an answer is long: those with but a few entries, and all others, never wait.
const LONG_BYTES: usize = 32 << 10;

/// Bytes of one peer that wait: three ranges of somewhat more than 1 MiB, and a page of checkpoints.
const BYTES_PER_PEER_MAX: usize = 8 << 20;

/// Bytes that wait in all: 32 such ranges, and as much again for what else is asked.
const BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    /// Lets an answer of peer `of` in. Returns whether it is handled now, and whether as one.
    fn admit(intake: &mut Intake, of: usize, number: u64, len: usize) -> Option<bool> {
        let answer = Bytes::from(vec![0; len]);
        let input = intake.admit(Peer::new(&format!("peer-{of}")), RequestId(number), answer)?;
        assert_eq!(response(&input).0, number);
        Some(response(&input).1)
    }

    fn next(intake: &mut Intake) -> Option<u64> {
        let input = intake.next()?;
        assert!(response(&input).1);
        Some(response(&input).0)
    }

    /// The request, and whether there is an answer to it.
    fn response(input: &Input) -> (u64, bool) {
        let response = match input {
            Input::Response { request, answer } => Some((request.0, answer.is_some())),
            _ => None,
        };
        response.unwrap()
    }

    fn busy() -> Intake {
        let mut intake = Intake::default();
        for _ in 0..CHECKS_MAX {
            intake.begun();
        }
        intake
    }

    #[test]
    fn long_answers_wait_in_order_and_short_ones_do_not() {
        let mut intake = Intake::default();
        assert_eq!(admit(&mut intake, 0, 0, LONG_BYTES + 1), Some(true));
        let mut intake = busy();
        assert_eq!(admit(&mut intake, 0, 1, LONG_BYTES + 1), None);
        assert_eq!(admit(&mut intake, 0, 2, LONG_BYTES), Some(true));
        assert_eq!(next(&mut intake), None);
        intake.ended();
        assert_eq!(admit(&mut intake, 0, 3, LONG_BYTES + 1), None, "behind the first");
        assert_eq!((intake.waiting(), intake.waiting_bytes()), (2, 2 * (LONG_BYTES + 1)));
        assert_eq!(next(&mut intake), Some(1));
        assert_eq!(next(&mut intake), Some(3));
        assert_eq!(next(&mut intake), None);
        assert_eq!((intake.waiting(), intake.waiting_bytes()), (0, 0));
    }

    #[test]
    fn one_peer_has_no_more_waiting_than_its_part() {
        let mut intake = busy();
        assert_eq!(admit(&mut intake, 0, 1, BYTES_PER_PEER_MAX), None);
        assert_eq!(admit(&mut intake, 0, 2, LONG_BYTES + 1), Some(false), "as good as none");
        assert_eq!(admit(&mut intake, 1, 3, LONG_BYTES + 1), None, "others have theirs");
        intake.ended();
        assert_eq!(next(&mut intake), Some(1));
        intake.begun();
        assert_eq!(admit(&mut intake, 0, 4, BYTES_PER_PEER_MAX), None, "there is room again");
    }

    #[test]
    fn all_peers_together_have_no_more_waiting_than_the_bound() {
        let mut intake = busy();
        let peers = BYTES_MAX / BYTES_PER_PEER_MAX;
        for peer in 0..peers {
            assert_eq!(admit(&mut intake, peer, 0, BYTES_PER_PEER_MAX), None);
        }
        assert_eq!(intake.waiting_bytes(), BYTES_MAX);
        assert_eq!(admit(&mut intake, peers, 1, LONG_BYTES + 1), Some(false));
        assert_eq!(admit(&mut intake, peers, 2, LONG_BYTES), Some(true), "short ones never wait");
        intake.ended();
        next(&mut intake).unwrap();
        assert_eq!(admit(&mut intake, peers, 3, LONG_BYTES + 1), None);
    }
}
