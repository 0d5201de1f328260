//! Says again what was said before, by itself or others.

use bytes::Bytes;
use hutong_protocol::message::{Request, Response};
use hutong_protocol::region::Scope;

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// Messages and answers kept at most.
const KEPT_MAX: usize = 60;

/// Keeps what it hears and what it answered.
#[derive(Debug, Default)]
pub(super) struct Replayer {
    heard: Vec<(Slot, Scope, Bytes)>,
    /// Old checkpoints, heads and greetings: nothing that is not for everybody.
    answers: Vec<(Request, Bytes)>,
}

impl Adversary for Replayer {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        if !self.heard.is_empty() {
            let (author, scope, bytes) = self.heard[world.rng.index(self.heard.len())].clone();
            let to = world.neighbours(me);
            // The author's signature is on it: who receives it takes it for the author's.
            world.publish_to(me, author, scope, bytes, &to);
        }
        Some(120)
    }

    fn answer(
        &mut self,
        world: &mut World,
        _me: Slot,
        _asker: Slot,
        request: &Request,
        honest: &Bytes,
    ) -> Answer {
        if matches!(request, Request::Leaves(_) | Request::Cosignature { .. }) {
            return Answer::Honest;
        }
        if self.answers.len() < KEPT_MAX && Response::decode(honest.clone()).is_ok() {
            self.answers.push((request.clone(), honest.clone()));
        }
        let same = |asked: &Request| {
            std::mem::discriminant(asked) == std::mem::discriminant(request)
                && !matches!(asked, Request::Hello(_) | Request::Evidence { .. })
        };
        let old = self.answers.iter().find(|(asked, _)| asked == request);
        let other = self.answers.iter().find(|(asked, _)| same(asked));
        match (world.rng.below(3), old, other) {
            (0, Some((_, bytes)), _) | (1, _, Some((_, bytes))) => {
                Answer::Instead { bytes: bytes.clone(), after_ms: 0 }
            }
            _ => Answer::Honest,
        }
    }

    fn overhear(&mut self, author: Slot, scope: &Scope, bytes: &Bytes) {
        if self.heard.len() < KEPT_MAX {
            self.heard.push((author, scope.clone(), bytes.clone()));
        }
    }
}
