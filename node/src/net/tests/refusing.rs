use std::time::Duration;

use bytes::Bytes;

use super::harness::{FEDERATION, Node, TCP, config, members, pair, peer};
use crate::config::{Config, NetworkLimits};
use crate::driver::net_config;
use crate::net::{NetEvent, Published, RequestFailure, TransportSecret};

#[tokio::test]
async fn a_peer_of_another_federation_is_turned_away() {
    let mut a = Node::start(&config(1, TCP)).await;
    let mut foreign = config(2, TCP);
    foreign.federation = "ffffffffffffffff".to_owned();
    foreign.bootstrap = vec![a.address.clone()];
    let mut b = Node::start(&foreign).await;
    a.reaches("the peer is gone", async |net| {
        net.metrics().connections_closed.value() > 0
            && net.snapshot().await.unwrap().peers.is_empty()
    })
    .await;
    let told = |event: &NetEvent| matches!(event, NetEvent::PeerConnected { .. });
    assert!(!a.has_seen(told) && !b.has_seen(told));
    let refusals =
        a.handle.metrics().wrong_federation.value() + b.handle.metrics().wrong_federation.value();
    assert!(refusals >= 1);
}

#[tokio::test]
async fn gossip_of_a_peer_that_is_no_member_is_rejected() {
    let (mut a, b) = pair(&config(1, TCP), &config(2, TCP)).await;
    a.handle.set_members(members(&[1])).await.unwrap();
    a.handle.snapshot().await.unwrap();
    b.reaches("a subscriber", async |net| {
        net.publish("CN-33", Bytes::from_static(b"let me in")).await.unwrap() == Published::Sent
    })
    .await;
    a.reaches("a rejection", async |net| net.metrics().gossip_unauthorised.value() == 1).await;
    assert!(!a.has_seen(|event| matches!(event, NetEvent::Gossip { .. })));
    let snapshot = a.handle.snapshot().await.unwrap();
    assert!(!snapshot.peers[0].is_member);
    assert!(snapshot.peers[0].score < 0.0 && snapshot.peers[0].penalty > 20.0, "{snapshot:?}");
}

#[tokio::test]
async fn a_member_that_may_not_publish_is_not_heard_but_served() {
    let (mut a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    let mut suspended = members(&[1, 2]);
    suspended.publishers.remove(&peer(2));
    a.handle.set_members(suspended).await.unwrap();
    a.handle.snapshot().await.unwrap();
    b.reaches("a subscriber", async |net| {
        net.publish("CN-33", Bytes::from_static(b"still here")).await.unwrap() == Published::Sent
    })
    .await;
    a.reaches("a rejection", async |net| net.metrics().gossip_unauthorised.value() == 1).await;
    b.handle.send_request(1, a.peer(), Bytes::from_static(b"?")).await.unwrap();
    let (inbound, ..) = a.request().await;
    a.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    assert!(b.response(1).await.is_ok());
}

#[tokio::test]
async fn a_flood_of_requests_is_refused_then_ends_in_a_ban() {
    let mut strict = config(1, TCP);
    strict.limits.member_requests_per_s = 1;
    strict.limits.ban_min = Duration::from_mins(10);
    strict.limits.member_ban_max = Duration::from_mins(10);
    let mut flooder = config(2, TCP);
    flooder.limits.requests_per_peer_max = 256;
    let (mut a, mut b) = pair(&strict, &flooder).await;
    for request in 0..200 {
        b.handle.send_request(request, a.peer(), Bytes::from_static(b"?")).await.unwrap();
    }
    a.disconnected(&b.peer()).await;
    b.disconnected(&a.peer()).await;
    let mut outcomes = Vec::new();
    for request in 0..200 {
        outcomes.push(b.response(request).await);
    }
    assert!(outcomes.contains(&Err(RequestFailure::Refused)));
    assert_eq!(a.handle.metrics().bans.value(), 1);
    assert_eq!(a.handle.snapshot().await.unwrap().banned, 1);
    // It knocks again and is not let in.
    let knocks = a.handle.metrics().inbound_failed.value();
    a.reaches("a refused connection", async |net| net.metrics().inbound_failed.value() > knocks)
        .await;
    assert!(!a.has_seen(|event| matches!(event, NetEvent::PeerConnected { .. })));
}

#[tokio::test]
async fn a_flood_of_gossip_ends_in_a_ban() {
    let mut strict = config(1, TCP);
    strict.limits.member_gossip_bytes_per_s = 1_000;
    let (mut a, b) = pair(&strict, &config(2, TCP)).await;
    b.reaches("a subscriber", async |net| {
        net.publish("CN-33", Bytes::from_static(b"first")).await.unwrap() == Published::Sent
    })
    .await;
    for n in 0..40_u8 {
        b.handle.publish("CN-33", Bytes::from(vec![n; 1_000])).await.unwrap();
    }
    a.disconnected(&b.peer()).await;
    assert!(a.handle.metrics().gossip_over_rate.value() >= 20);
    assert_eq!(a.handle.metrics().bans.value(), 1);
}

#[tokio::test]
async fn strangers_are_served_little_and_in_small_numbers() {
    let mut guarded = config(1, TCP);
    guarded.limits.strangers_max = 1;
    guarded.limits.stranger_requests_per_s = 1;
    let mut a = Node::start(&guarded).await;
    let mut visitor = config(2, TCP);
    visitor.bootstrap = vec![a.address.clone()];
    let mut b = Node::start(&visitor).await;
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
    for request in 0..3 {
        b.handle.send_request(request, a.peer(), Bytes::from_static(b"?")).await.unwrap();
    }
    for _ in 0..2 {
        let (inbound, ..) = a.request().await;
        a.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    }
    let mut refused = 0;
    for request in 0..3 {
        refused += u32::from(b.response(request).await == Err(RequestFailure::Refused));
    }
    assert_eq!(refused, 1);

    let mut second = config(3, TCP);
    second.bootstrap = vec![a.address.clone()];
    let c = Node::start(&second).await;
    a.reaches("a refused stranger", async |net| net.metrics().inbound_failed.value() > 0).await;
    assert!(!a.has_seen(|event| matches!(event, NetEvent::PeerConnected { .. })));
    // As a member it is let in.
    a.handle.set_members(members(&[1, 3])).await.unwrap();
    a.connected(&c.peer()).await;
}

#[tokio::test]
async fn configured_limits_are_the_ones_in_force() {
    let mut file = Config::default();
    file.network.listen = vec![TCP.to_owned()];
    file.network.limits = NetworkLimits {
        connections_max: 1,
        connections_per_peer_max: 1,
        strangers_max: 0,
        memory_mib: 0,
    };
    let secret = TransportSecret::from_bytes([1; 32]);
    let guarded = net_config(&file, secret, FEDERATION.to_owned());
    let mut a = Node::start(&guarded).await;
    let knock = async |seed: u8| {
        let mut visitor = config(seed, TCP);
        visitor.bootstrap = vec![a.address.clone()];
        Node::start(&visitor).await
    };
    let stranger = knock(2).await;
    a.reaches("a refused stranger", async |net| net.metrics().inbound_failed.value() > 0).await;
    drop(stranger);
    a.handle.set_members(members(&[1, 3, 4])).await.unwrap();
    a.handle.snapshot().await.unwrap();
    let member = knock(3).await;
    let (second, before) = {
        a.reaches("a member", async |net| net.snapshot().await.unwrap().peers.len() == 1).await;
        let before = a.handle.metrics().inbound_failed.value();
        (knock(4).await, before)
    };
    a.reaches("no room for a second", async |net| net.metrics().inbound_failed.value() > before)
        .await;
    assert!(a.has_seen(
        |event| matches!(event, NetEvent::PeerConnected { peer, .. } if *peer == member.peer())
    ));
    assert!(!a.has_seen(
        |event| matches!(event, NetEvent::PeerConnected { peer, .. } if *peer == second.peer())
    ));
}

#[tokio::test]
async fn penalties_of_the_node_end_in_a_ban() {
    let (mut a, b) = pair(&config(1, TCP), &config(2, TCP)).await;
    a.handle.penalise(b.peer(), 60).await.unwrap();
    assert!(a.handle.snapshot().await.unwrap().peers[0].penalty > 50.0);
    a.handle.penalise(b.peer(), 60).await.unwrap();
    a.disconnected(&b.peer()).await;
    assert_eq!(a.handle.snapshot().await.unwrap().banned, 1);
    a.handle.penalise("no peer id", 60).await.unwrap();
    a.handle.disconnect(b.peer(), "gone already").await.unwrap();
    a.handle.snapshot().await.unwrap();
}
