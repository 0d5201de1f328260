//! Request streams: what comes in, what goes out.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{
    Event, InboundRequestId, Message, OutboundFailure, ResponseChannel,
};

use super::super::event::{NetEvent, RequestFailure};
use super::super::limits::FRAME_BYTES_MAX;
use super::super::requests::Outgoing;
use super::Task;

/// Points for each request beyond a peer's allowance: the hundredth bans.
const OVER_RATE_POINTS: f64 = 1.0;

/// The library reports a timeout by itself; this is the margin after which it is taken for lost.
const OVERDUE_MARGIN: Duration = Duration::from_secs(5);

impl Task {
    pub(super) fn sync_event(&mut self, event: Event<Bytes, Bytes>) {
        match event {
            Event::Message {
                peer,
                message: Message::Request { request_id, request, channel },
                ..
            } => {
                self.request(peer, request_id, request, channel);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                if let Some(outgoing) = self.requests.settle(request_id) {
                    self.response(outgoing, response);
                }
            }
            Event::OutboundFailure { request_id, error, .. } => {
                if let Some(outgoing) = self.requests.settle(request_id) {
                    tracing::debug!(peer = %outgoing.peer, %error, "request failed");
                    self.request_failed(outgoing, failure(&error));
                }
            }
            Event::InboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "answer not delivered");
                self.requests.closed(request_id);
            }
            Event::ResponseSent { request_id, .. } => self.requests.closed(request_id),
        }
    }

    /// Sends a request of the node.
    pub(super) fn send_request(&mut self, request: u64, peer: &str, bytes: Bytes) {
        let now = Instant::now();
        let known = peer.parse::<PeerId>().ok().filter(|peer| self.peers.contains_key(peer));
        let refusal = match known {
            None => Err(RequestFailure::NotConnected),
            Some(_) if bytes.len() > FRAME_BYTES_MAX => Err(RequestFailure::TooLarge),
            Some(known)
                if self.requests.outgoing() >= self.limits.requests_max
                    || self.requests.outgoing_to(&known) >= self.limits.requests_per_peer_max =>
            {
                Err(RequestFailure::Busy)
            }
            Some(known) => Ok(known),
        };
        match refusal {
            Ok(known) => {
                if let Some(state) = self.peers.get_mut(&known) {
                    state.active = now;
                }
                self.metrics.requests_sent.add();
                let id = self.swarm.behaviour_mut().sync.send_request(&known, bytes);
                let deadline = now + self.limits.request_timeout + OVERDUE_MARGIN;
                self.requests.sent(id, Outgoing { request, peer: known, deadline });
            }
            Err(failure) => {
                self.metrics.requests_failed.add();
                let outcome = Err(failure);
                self.outbox.deliver(NetEvent::Response { request, peer: peer.to_owned(), outcome });
            }
        }
    }

    /// Sends an answer of the node.
    pub(super) fn respond(&mut self, inbound: u64, bytes: Bytes) {
        let Some(channel) = self.requests.answer(inbound) else {
            tracing::debug!(inbound, "answer comes too late");
            return;
        };
        if bytes.len() > FRAME_BYTES_MAX {
            tracing::error!(inbound, bytes = bytes.len(), "answer exceeds the largest frame");
            self.refuse(channel);
            return;
        }
        if self.swarm.behaviour_mut().sync.send_response(channel, bytes).is_err() {
            tracing::debug!(inbound, "answer comes after the stream was closed");
        }
    }

    /// Hands a request to the node, or refuses it.
    fn request(
        &mut self,
        peer: PeerId,
        id: InboundRequestId,
        bytes: Bytes,
        channel: ResponseChannel<Bytes>,
    ) {
        let now = Instant::now();
        // Its stream bears the federation's name: the peer belongs here.
        self.announce(peer);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.active = now;
        if !state.requests.take(1, now) {
            self.metrics.requests_over_rate.add();
            self.refuse(channel);
            self.penalise(peer, OVER_RATE_POINTS, "it asks too often", now);
            return;
        }
        let per_peer = if state.is_member {
            self.limits.inbound_per_member_max
        } else {
            self.limits.inbound_per_stranger_max
        };
        let room = self.requests.open() < self.limits.inbound_max
            && self.requests.open_of(&peer) < per_peer;
        let inbound = self.requests.next_inbound();
        let event = NetEvent::Request { inbound, peer: peer.to_base58(), bytes };
        if room && self.outbox.offer(event) {
            self.metrics.requests_received.add();
            self.requests.received(id, peer, channel);
        } else {
            self.metrics.requests_refused.add();
            self.refuse(channel);
        }
    }

    /// Answers with the empty frame, which says so.
    fn refuse(&mut self, channel: ResponseChannel<Bytes>) {
        if self.swarm.behaviour_mut().sync.send_response(channel, Bytes::new()).is_err() {
            tracing::debug!("refusal comes after the stream was closed");
        }
    }

    fn response(&mut self, outgoing: Outgoing, bytes: Bytes) {
        if bytes.is_empty() {
            self.request_failed(outgoing, RequestFailure::Refused);
        } else {
            self.settled(outgoing, Ok(bytes));
        }
    }

    pub(super) fn request_failed(&mut self, outgoing: Outgoing, failure: RequestFailure) {
        self.metrics.requests_failed.add();
        self.settled(outgoing, Err(failure));
    }

    fn settled(&mut self, outgoing: Outgoing, outcome: Result<Bytes, RequestFailure>) {
        let peer = outgoing.peer.to_base58();
        self.outbox.deliver(NetEvent::Response { request: outgoing.request, peer, outcome });
    }
}

fn failure(error: &OutboundFailure) -> RequestFailure {
    match error {
        OutboundFailure::DialFailure => RequestFailure::NotConnected,
        OutboundFailure::Timeout => RequestFailure::Timeout,
        OutboundFailure::UnsupportedProtocols => RequestFailure::Unsupported,
        OutboundFailure::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            RequestFailure::Malformed
        }
        OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => RequestFailure::Closed,
    }
}
