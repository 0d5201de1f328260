//! Relays and reachability, with real swarms on loopback.

use bytes::Bytes;

use super::harness::{FEDERATION, Node, TCP, config, members, peer};
use crate::config::Config;
use crate::driver::net_config;
use crate::net::{Membership, NetConfig, NetEvent, TransportSecret};

/// A relay with the key `seed`, as an operator configures it.
async fn relay(seed: u8, members: Membership) -> Node {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let mut file = Config::default();
    file.network.listen = vec![address.clone()];
    file.exchange.addresses = vec![address];
    file.network.relay = true;
    let relay = Node::start(&configured(&file, seed)).await;
    relay.handle.set_members(members).await.unwrap();
    relay.handle.snapshot().await.unwrap();
    relay
}

fn configured(file: &Config, seed: u8) -> NetConfig {
    net_config(file, TransportSecret::from_bytes([seed; 32]), FEDERATION.to_owned())
}

/// A node that nobody can dial, with a reservation at `relay` as an operator configures it.
async fn hidden(seed: u8, relay: &Node) -> Node {
    let mut file = Config::default();
    file.network.listen = Vec::new();
    file.network.relays = vec![format!("{}/p2p/{}", relay.address, relay.peer())];
    let hidden = Node::start(&configured(&file, seed)).await;
    hidden.handle.set_members(members(&[1, 2, 3])).await.unwrap();
    hidden
}

fn circuit(event: &NetEvent) -> Option<String> {
    match event {
        NetEvent::Listening { address } if address.contains("p2p-circuit") => Some(address.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_member_behind_a_relay_is_reached() {
    let relay = relay(1, members(&[1, 2, 3])).await;
    let mut hidden = hidden(2, &relay).await;
    let through = hidden.until(circuit).await;
    // The visitor knows the member's address as its descriptor tells it, and has no relay of its own.
    let mut visitor = Node::start(&config(3, TCP)).await;
    let mut all = members(&[1, 2, 3]);
    all.members.insert(hidden.peer(), vec![through.clone()]);
    visitor.handle.set_members(all).await.unwrap();
    visitor.connected(&hidden.peer()).await;
    hidden.connected(&visitor.peer()).await;
    let snapshot = visitor.handle.snapshot().await.unwrap();
    let met = snapshot.peers.iter().find(|met| met.peer == hidden.peer()).unwrap();
    assert!(met.addresses[0].contains("p2p-circuit"), "{met:?}");
    visitor.handle.send_request(1, hidden.peer(), Bytes::from_static(b"?")).await.unwrap();
    let (inbound, from, _) = hidden.request().await;
    assert_eq!(from, visitor.peer());
    hidden.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    assert_eq!(visitor.response(1).await, Ok(Bytes::from_static(b"!")));
}

#[tokio::test]
async fn a_stranger_gets_no_reservation_until_it_is_a_member() {
    let relay = relay(1, members(&[1, 3])).await;
    let mut hidden = hidden(2, &relay).await;
    hidden.connected(&relay.peer()).await;
    hidden.reaches("a refusal", async |net| net.metrics().listeners_closed.value() > 0).await;
    assert!(!hidden.has_seen(|event| circuit(event).is_some()));
    // It is admitted: the relay has it connect again, and serves it.
    relay.handle.set_members(members(&[1, 2, 3])).await.unwrap();
    hidden.disconnected(&relay.peer()).await;
    hidden.until(circuit).await;
}

#[tokio::test]
async fn a_stranger_opens_no_circuit_to_a_member() {
    let relay = relay(1, members(&[1, 2])).await;
    let mut hidden = hidden(2, &relay).await;
    let through = hidden.until(circuit).await;
    let visitor = Node::start(&config(3, TCP)).await;
    let mut all = members(&[1, 2]);
    all.members.insert(hidden.peer(), vec![through]);
    visitor.handle.set_members(all).await.unwrap();
    visitor.reaches("a failed dial", async |net| net.metrics().dials_failed.value() > 0).await;
    let snapshot = visitor.handle.snapshot().await.unwrap();
    assert!(snapshot.peers.iter().all(|met| met.peer != hidden.peer()), "{snapshot:?}");
    assert!(!hidden.has_seen(
        |event| matches!(event, NetEvent::PeerConnected { peer: met, .. } if *met == peer(3))
    ));
}

#[tokio::test]
async fn a_member_that_is_expelled_loses_its_reservation() {
    let relay = relay(1, members(&[1, 2])).await;
    let mut hidden = hidden(2, &relay).await;
    hidden.until(circuit).await;
    relay.handle.set_members(members(&[1])).await.unwrap();
    hidden
        .reaches("a lost reservation", async |net| net.metrics().listeners_closed.value() > 0)
        .await;
}

#[tokio::test]
async fn a_node_learns_from_its_peers_that_it_can_be_reached() {
    let mut asked = config(1, TCP);
    asked.autonat = true;
    asked.public = true;
    let a = Node::start(&asked).await;
    let mut file = Config::default();
    file.network.listen = vec![TCP.to_owned()];
    file.network.bootstrap = vec![a.address.clone()];
    file.network.autonat = true;
    let b = Node::start(&configured(&file, 2)).await;
    b.reaches("its own address, confirmed", async |net| {
        net.snapshot().await.unwrap().external.iter().any(|own| b.address.starts_with(own.as_str()))
    })
    .await;
}
