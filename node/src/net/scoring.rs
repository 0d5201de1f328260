//! Gossip parameters: mesh, message identity, peer scores.

use std::time::Duration;

use hutong_crypto::digest::sha256_parts;
use hutong_protocol::mesh;
use libp2p::gossipsub::{
    self, IdentTopic, MaxCountSubscriptionFilter, Message, MessageAuthenticity, MessageId,
    PeerScoreParams, PeerScoreThresholds, TopicScoreParams, ValidationMode,
};
use libp2p::identity::Keypair;

use super::limits::{GOSSIP_BYTES_MAX, TOPICS_MAX};

/// Which subscriptions of peers are kept: any topic, but a bounded number.
pub(super) type Filter = MaxCountSubscriptionFilter<gossipsub::AllowAllSubscriptionFilter>;

/// Gossip as this node speaks it.
pub(super) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, Filter>;

/// A peer whose score falls below this is disconnected. It is the graylist threshold, below which
/// gossip from the peer is not even read.
pub(super) const SCORE_MIN: f64 = -160.0;

/// Builds gossip with strict signatures, verdicts by the application and peer scores.
pub(super) fn gossip(key: &Keypair) -> Result<Gossip, String> {
    // The protocols are those of gossipsub: a name of our own could not be of a version with IDONTWANT.
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(GOSSIP_BYTES_MAX)
        .mesh_n_low(mesh::D_LOW)
        .mesh_n(mesh::D)
        .mesh_n_high(mesh::D_HIGH)
        .mesh_outbound_min(mesh::D_OUT)
        .gossip_lazy(mesh::D_LAZY)
        .gossip_factor(mesh::GOSSIP_FACTOR)
        .flood_publish(mesh::FLOOD_PUBLISH)
        .idontwant_message_size_threshold(mesh::IDONTWANT_BYTES)
        .heartbeat_initial_delay(Duration::from_millis(mesh::HEARTBEAT_MS))
        .heartbeat_interval(Duration::from_millis(mesh::HEARTBEAT_MS))
        // A verdict has ten heartbeats to come back: the node may be busy verifying a backlog.
        .history_length(10)
        .history_gossip(mesh::HISTORY_GOSSIP as usize)
        .duplicate_cache_time(Duration::from_mins(2))
        // Ids of 20 bytes in IHAVE lists: 64 KiB holds about 2,900 of them.
        .max_control_message_size(64 * 1024)
        // 512 waiting messages of at most 64 KiB: 32 MiB for one slow peer.
        .connection_handler_queue_len(512)
        .build()
        .map_err(|error| error.to_string())?;
    let filter = MaxCountSubscriptionFilter {
        filter: gossipsub::AllowAllSubscriptionFilter {},
        max_subscribed_topics: TOPICS_MAX,
        max_subscriptions_per_request: TOPICS_MAX,
    };
    let signed = MessageAuthenticity::Signed(key.clone());
    let mut gossip = Gossip::new_with_subscription_filter(signed, config, filter)?;
    gossip.with_peer_score(peer_params(), thresholds())?;
    Ok(gossip)
}

/// The first 20 bytes of `SHA-256(author ‖ topic length u32 ‖ topic ‖ data)`.
///
/// The author is part of it: otherwise anyone could sign a member's payload anew, have that copy
/// rejected, and so keep the member's own copy from passing as a duplicate. The sequence number
/// is not: the same announcement published twice travels once.
fn message_id(message: &Message) -> MessageId {
    let author = message.source.map(libp2p::PeerId::to_bytes).unwrap_or_default();
    let topic = message.topic.as_str().as_bytes();
    let length = u32::try_from(topic.len()).unwrap_or(u32::MAX).to_be_bytes();
    let hash = sha256_parts(&[&author, &length, topic, &message.data]);
    MessageId::new(&hash.as_bytes()[..20])
}

/// Scores across topics.
fn peer_params() -> PeerScoreParams {
    PeerScoreParams {
        // Good conduct earns little, so that it cannot be saved up and spent on an attack.
        topic_score_cap: 20.0,
        // The application's penalties count point for point.
        app_specific_weight: 1.0,
        // Exchanges of one province often share an address; strangers per address are limited
        // at the door instead.
        ip_colocation_factor_weight: 0.0,
        // Grafting too early and broken promises: six are free, since a restarted node may do so.
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: gossipsub::score_parameter_decay(Duration::from_mins(10)),
        retain_score: Duration::from_hours(1),
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -40.0,
        publish_threshold: -80.0,
        graylist_threshold: SCORE_MIN,
        accept_px_threshold: 1_000.0,
        opportunistic_graft_threshold: 1.0,
    }
}

/// Scores within one topic.
pub(super) fn topic_params() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        // Up to 1 point for an hour in the mesh.
        time_in_mesh_weight: 0.001,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 1_000.0,
        // Up to 10 points for being first with valid messages.
        first_message_deliveries_weight: 0.5,
        first_message_deliveries_decay: gossipsub::score_parameter_decay(Duration::from_mins(10)),
        first_message_deliveries_cap: 20.0,
        // Off: traffic stops at night, silence is no fault.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // −10 × count²: the second invalid message ends lazy gossip, the third our publishing to
        // the peer, the fourth all reading. Forgotten within ten minutes.
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: gossipsub::score_parameter_decay(Duration::from_mins(10)),
        ..TopicScoreParams::default()
    }
}

/// Subscribes and sets the topic's scores.
pub(super) fn subscribe(gossip: &mut Gossip, topic: &IdentTopic) -> Result<(), String> {
    gossip.set_topic_params(topic.clone(), topic_params())?;
    gossip.subscribe(topic).map_err(|error| error.to_string())?;
    Ok(())
}
