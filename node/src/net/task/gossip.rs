//! Gossip: what comes in, what goes out.

use std::time::Instant;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::gossipsub::{self, Message, MessageAcceptance, MessageId, PublishError};

use super::super::event::{NetEvent, Published, Verdict};
use super::super::limits::GOSSIP_PAYLOAD_BYTES_MAX;
use super::super::names;
use super::super::scoring;
use super::super::verdicts::Waiting;
use super::Task;

/// Points for each message beyond a peer's allowance: the twentieth bans.
const OVER_RATE_POINTS: f64 = 5.0;

/// Points for passing on, or writing, what an outsider signed: the fourth bans.
const UNAUTHORISED_POINTS: f64 = 25.0;

impl Task {
    /// Subscribes to the gossip of `scopes`.
    pub(in super::super) fn subscribe(&mut self, scopes: &[String]) {
        for scope in scopes {
            let outcome = names::topic(scope).map_err(|error| error.to_string());
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            if let Err(error) = outcome.and_then(|topic| scoring::subscribe(gossip, &topic)) {
                tracing::error!(scope, error, "cannot subscribe");
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, scopes: &[String]) {
        for scope in scopes {
            match names::topic(scope) {
                Ok(topic) => {
                    self.swarm.behaviour_mut().gossip.unsubscribe(&topic);
                }
                Err(error) => tracing::error!(scope, %error, "cannot unsubscribe"),
            }
        }
    }

    pub(super) fn publish(&mut self, scope: &str, bytes: &Bytes) -> Published {
        let topic = match names::topic(scope) {
            Ok(topic) if bytes.len() <= GOSSIP_PAYLOAD_BYTES_MAX => topic,
            Ok(_) => {
                tracing::error!(scope, bytes = bytes.len(), "gossip message is too large");
                return Published::Refused;
            }
            Err(error) => {
                tracing::error!(%error, "cannot publish");
                return Published::Refused;
            }
        };
        match self.swarm.behaviour_mut().gossip.publish(topic, bytes.to_vec()) {
            Ok(_) => {
                self.metrics.gossip_published.add();
                Published::Sent
            }
            Err(PublishError::NoPeersSubscribedToTopic) => {
                self.metrics.gossip_unheard.add();
                Published::NoPeers
            }
            Err(PublishError::Duplicate) => Published::Duplicate,
            Err(PublishError::AllQueuesFull(_)) => Published::QueuesFull,
            Err(error) => {
                tracing::error!(%error, scope, "cannot publish");
                Published::Refused
            }
        }
    }

    pub(super) fn verdict(&mut self, id: u64, verdict: Verdict) {
        if let Some(waiting) = self.verdicts.take(id) {
            if verdict == Verdict::Reject {
                self.metrics.gossip_rejected.add();
            }
            self.report(&waiting, verdict);
        }
    }

    /// Tells gossip what to do with a message.
    pub(super) fn report(&mut self, waiting: &Waiting, verdict: Verdict) {
        self.judge(&waiting.message, &waiting.source, verdict);
    }

    fn judge(&mut self, message: &MessageId, source: &PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Reject => MessageAcceptance::Reject,
            Verdict::Ignore => MessageAcceptance::Ignore,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if !gossip.report_message_validation_result(message, source, acceptance) {
            tracing::debug!(%message, "verdict came after the message was forgotten");
        }
    }

    pub(super) fn gossip_event(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.gossip_message(propagation_source, &message_id, message);
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "peer does not keep up with gossip");
            }
            gossipsub::Event::GossipsubNotSupported { .. }
            | gossipsub::Event::Subscribed { .. }
            | gossipsub::Event::Unsubscribed { .. } => {}
        }
    }

    fn gossip_message(&mut self, source: PeerId, id: &MessageId, message: Message) {
        let now = Instant::now();
        let size = u32::try_from(message.data.len()).unwrap_or(u32::MAX);
        if !self.peers.get_mut(&source).is_some_and(|peer| peer.gossip.take(size, now)) {
            self.metrics.gossip_over_rate.add();
            self.judge(id, &source, Verdict::Ignore);
            self.penalise(source, OVER_RATE_POINTS, "it sends too much gossip", now);
            return;
        }
        let Some(author) = message.source.filter(|author| self.publishers.contains(author)) else {
            self.unauthorised(source, id, message.source, now);
            return;
        };
        // Its stream bears the federation's name: the peer belongs here.
        self.announce(source);
        let scope = names::scope(&message.topic).map(str::to_owned);
        let event = scope.map(|scope| NetEvent::Gossip {
            id: self.verdicts.next_id(),
            source: source.to_base58(),
            author: author.to_base58(),
            scope,
            bytes: Bytes::from(message.data),
        });
        let room = self.verdicts.len() < self.limits.gossip_pending_max;
        if room && event.is_some_and(|event| self.outbox.offer(event)) {
            self.metrics.gossip_received.add();
            self.verdicts.wait(id.clone(), source, now);
        } else {
            self.metrics.gossip_dropped.add();
            self.judge(id, &source, Verdict::Ignore);
        }
    }

    /// A message of someone who may not publish, by this node's directory, which may be behind: the author may have
    /// just been admitted or rekeyed. So a member that only passed it on is not blamed. Whoever sends its own
    /// words is: that is no member, or a suspended one.
    fn unauthorised(
        &mut self,
        source: PeerId,
        id: &MessageId,
        author: Option<PeerId>,
        now: Instant,
    ) {
        self.metrics.gossip_unauthorised.add();
        tracing::debug!(%source, ?author, "gossip of a peer that may not publish");
        // Never "reject": gossipsub would hold that against everybody who passes the message on afterwards.
        self.judge(id, &source, Verdict::Ignore);
        let passed_on = author != Some(source) && self.swarm.behaviour().gate.is_member(&source);
        if !passed_on {
            self.penalise(
                source,
                UNAUTHORISED_POINTS,
                "it publishes without being allowed to",
                now,
            );
        }
    }
}
