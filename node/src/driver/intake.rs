//! Long answers wait while much is being checked.
//!
//! A node that holds nothing asks for all logs at the same time, and its peers answer faster than it
//! checks. What it was given and did not look at yet would fill its memory; as long as it is not
//! looked at, the next part of its log is not asked for either.

use std::collections::VecDeque;

use hutong_protocol::io::Input;

/// Answers that wait, and what they wait for.
#[derive(Debug, Default)]
pub(super) struct Intake {
    checking: usize,
    waiting: VecDeque<Input>,
}

impl Intake {
    /// A batch of entries is being checked from now on.
    pub(super) const fn begun(&mut self) {
        self.checking += 1;
    }

    /// The input, if it can be handled now; a long answer waits while there is much to do.
    pub(super) fn admit(&mut self, input: Input) -> Option<Input> {
        if matches!(input, Input::Checked { .. }) {
            self.checking = self.checking.saturating_sub(1);
        }
        let is_long = matches!(
            &input,
            Input::Response { answer: Some(bytes), .. } if bytes.len() > LONG_BYTES
        );
        if is_long && (self.is_busy() || !self.waiting.is_empty()) {
            self.waiting.push_back(input);
            return None;
        }
        Some(input)
    }

    /// An answer that has waited long enough.
    pub(super) fn next(&mut self) -> Option<Input> {
        if self.is_busy() { None } else { self.waiting.pop_front() }
    }

    const fn is_busy(&self) -> bool {
        self.checking >= CHECKS_MAX
    }
}

/// Batches that are being checked, each at most an answer: enough to keep every core at work.
const CHECKS_MAX: usize = 16;

/// Bytes from which an answer is long: those with but a few entries, and all others, never wait.
const LONG_BYTES: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hutong_protocol::io::{CheckTicket, RequestId};

    use super::*;

    fn answer(number: u64, len: usize) -> Input {
        Input::Response { request: RequestId(number), answer: Some(Bytes::from(vec![0; len])) }
    }

    fn number(input: Option<Input>) -> Option<u64> {
        let Input::Response { request, .. } = input? else { return None };
        Some(request.0)
    }

    #[test]
    fn long_answers_wait_in_order_and_short_ones_do_not() {
        let mut intake = Intake::default();
        assert_eq!(number(intake.admit(answer(0, LONG_BYTES + 1))), Some(0));
        for _ in 0..CHECKS_MAX {
            intake.begun();
        }
        assert_eq!(number(intake.admit(answer(1, LONG_BYTES + 1))), None);
        assert_eq!(number(intake.admit(answer(2, LONG_BYTES))), Some(2));
        assert_eq!(number(intake.next()), None);
        let checked = Input::Checked { ticket: CheckTicket(0), outcomes: Vec::new() };
        assert!(intake.admit(checked).is_some());
        assert_eq!(number(intake.admit(answer(3, LONG_BYTES + 1))), None, "behind the first");
        assert_eq!(number(intake.next()), Some(1));
        assert_eq!(number(intake.next()), Some(3));
        assert_eq!(number(intake.next()), None);
    }
}
