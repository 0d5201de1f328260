//! Hands events to the node without ever waiting for it.
//!
//! Gossip and requests are refused when the node is behind. Everything else waits in a queue whose
//! length is bounded by what causes it: two events per connected peer and one per own request.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::event::NetEvent;

/// The way to the receiver.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::Sender<NetEvent>,
    waiting: VecDeque<NetEvent>,
}

impl Outbox {
    pub(super) fn new(sender: mpsc::Sender<NetEvent>) -> Self {
        Self { sender, waiting: VecDeque::new() }
    }

    /// Delivers `event`, now or later, in order.
    pub(super) fn deliver(&mut self, event: NetEvent) {
        if self.waiting.is_empty() {
            match self.sender.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(event)) => self.waiting.push_back(event),
            }
        } else {
            self.waiting.push_back(event);
        }
    }

    /// Delivers `event` at once, or says that the node is behind.
    pub(super) fn offer(&mut self, event: NetEvent) -> bool {
        self.waiting.is_empty() && self.sender.try_send(event).is_ok()
    }

    /// Events that wait for free space.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A sender of its own for waiting on free space.
    pub(super) fn sender(&self) -> mpsc::Sender<NetEvent> {
        self.sender.clone()
    }

    /// Moves waiting events into free space.
    pub(super) fn drain(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = self.sender.try_send(event) {
                self.waiting.push_front(event);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u64) -> NetEvent {
        NetEvent::Listening { address: n.to_string() }
    }

    #[test]
    fn offers_are_refused_while_deliveries_wait_and_order_is_kept() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        assert!(outbox.offer(event(0)));
        assert!(!outbox.offer(event(99)));
        outbox.deliver(event(1));
        outbox.deliver(event(2));
        for n in 0..3 {
            assert_eq!(receiver.try_recv().ok(), Some(event(n)));
            assert!(!outbox.is_waiting() || !outbox.offer(event(98)));
            outbox.drain();
        }
        assert!(!outbox.is_waiting());
        assert!(outbox.offer(event(3)));
    }
}
