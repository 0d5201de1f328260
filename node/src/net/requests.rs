//! Books of requests under way, in both directions.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};

/// An own request without an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) request: u64,
    pub(super) peer: PeerId,
    pub(super) deadline: Instant,
}

/// Requests under way.
#[derive(Debug, Default)]
pub(super) struct Requests {
    outgoing: BTreeMap<OutboundRequestId, Outgoing>,
    /// From arrival until the answer has left or failed.
    open: BTreeMap<InboundRequestId, (PeerId, u64)>,
    /// Without an answer of the node.
    waiting: BTreeMap<u64, ResponseChannel<Bytes>>,
    next_inbound: u64,
}

impl Requests {
    pub(super) fn outgoing(&self) -> usize {
        self.outgoing.len()
    }

    pub(super) fn outgoing_to(&self, peer: &PeerId) -> usize {
        self.outgoing.values().filter(|out| out.peer == *peer).count()
    }

    pub(super) fn sent(&mut self, id: OutboundRequestId, outgoing: Outgoing) {
        self.outgoing.insert(id, outgoing);
    }

    pub(super) fn settle(&mut self, id: OutboundRequestId) -> Option<Outgoing> {
        self.outgoing.remove(&id)
    }

    /// Takes out own requests whose time is over.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Outgoing> {
        let (late, rest) = std::mem::take(&mut self.outgoing)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, out)| out.deadline <= now);
        self.outgoing = rest;
        late.into_values().collect()
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn open_of(&self, peer: &PeerId) -> usize {
        self.open.values().filter(|(other, _)| other == peer).count()
    }

    /// The id under which the next request is handed to the node.
    pub(super) fn next_inbound(&self) -> u64 {
        self.next_inbound
    }

    /// Keeps a request that the node has been handed as [`Self::next_inbound`].
    pub(super) fn received(
        &mut self,
        id: InboundRequestId,
        peer: PeerId,
        channel: ResponseChannel<Bytes>,
    ) {
        let inbound = self.next_inbound;
        self.next_inbound += 1;
        self.open.insert(id, (peer, inbound));
        self.waiting.insert(inbound, channel);
    }

    /// The way back of a request that the node answers.
    pub(super) fn answer(&mut self, inbound: u64) -> Option<ResponseChannel<Bytes>> {
        self.waiting.remove(&inbound)
    }

    /// The answer has left, or never will.
    pub(super) fn closed(&mut self, id: InboundRequestId) {
        if let Some((_, inbound)) = self.open.remove(&id) {
            self.waiting.remove(&inbound);
        }
    }
}
