use super::harness::{Node, QUIC, TCP, config, members, pair, peer};
use crate::net::{Net, NetError};

#[tokio::test]
async fn two_nets_connect_over_tcp() {
    let (a, b) = pair(&config(1, TCP), &config(2, TCP)).await;
    let snapshot = a.handle.snapshot().await.unwrap();
    assert_eq!(snapshot.local_peer, peer(1));
    assert_eq!(snapshot.peers.len(), 1);
    let other = &snapshot.peers[0];
    assert_eq!(other.peer, b.peer());
    assert!(other.is_member && other.is_confirmed);
    assert!(other.agent.starts_with("hutong/"), "{}", other.agent);
    assert!(other.bytes_received > 0 && other.bytes_sent > 0);
    assert!(snapshot.bytes_received >= other.bytes_received);
    a.reaches("a round-trip time", async |net| {
        net.snapshot().await.unwrap().peers[0].rtt.is_some()
    })
    .await;
}

#[tokio::test]
async fn two_nets_connect_over_quic() {
    let (a, _b) = pair(&config(1, QUIC), &config(2, QUIC)).await;
    let snapshot = a.handle.snapshot().await.unwrap();
    assert!(snapshot.peers[0].addresses[0].contains("/quic-v1"), "{snapshot:?}");
}

#[tokio::test]
async fn two_nets_connect_over_ip_version_6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    pair(&config(1, "/ip6/::1/tcp/0"), &config(2, "/ip6/::1/tcp/0")).await;
}

#[tokio::test]
async fn members_are_found_at_their_addresses_and_dialing_each_other_is_fine() {
    let mut a = Node::start(&config(1, TCP)).await;
    let mut b = Node::start(&config(2, TCP)).await;
    let mut all = members(&[1, 2]);
    all.members.insert(a.peer(), vec![a.address.clone()]);
    all.members.insert(b.peer(), vec![b.address.clone()]);
    let (one, two) = tokio::join!(a.handle.set_members(all.clone()), b.handle.set_members(all));
    one.unwrap();
    two.unwrap();
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
}

#[tokio::test]
async fn a_peer_that_restarts_on_the_same_port_is_met_again() {
    let (a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    let (peer, address) = (a.peer(), a.address.clone());
    a.handle.shutdown().await;
    b.disconnected(&peer).await;
    let mut again = Node::start(&config(1, &address)).await;
    assert_eq!(again.address, address);
    b.connected(&peer).await;
    again.connected(&b.peer()).await;
}

#[tokio::test]
async fn two_nodes_do_not_share_a_port() {
    let first = Node::start(&config(1, TCP)).await;
    let taken = Net::start(&config(2, &first.address));
    assert!(matches!(taken, Err(NetError::Listen { .. })));
}

#[tokio::test]
async fn a_peer_that_was_away_at_the_start_is_met_later() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let mut early = config(1, TCP);
    early.bootstrap = vec![address.clone()];
    let mut a = Node::start(&early).await;
    a.reaches("a failed dial", async |net| net.metrics().dials_failed.value() > 0).await;
    let b = Node::start(&config(2, &address)).await;
    a.connected(&b.peer()).await;
}

#[tokio::test]
async fn a_node_does_not_dial_itself_again() {
    let mut a = Node::start(&config(1, TCP)).await;
    a.handle.dial(&a.address.clone()).await.unwrap();
    a.reaches("a failed dial", async |net| net.metrics().dials_failed.value() == 1).await;
    // A fresh dial of another place happens after anything that was due before.
    let mut b = Node::start(&config(2, TCP)).await;
    a.handle.dial(&b.address).await.unwrap();
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
    assert_eq!(a.handle.metrics().dials_started.value(), 2);
}

#[tokio::test]
async fn after_a_shutdown_commands_are_refused() {
    let (a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    a.handle.shutdown().await;
    a.handle.shutdown().await;
    assert!(matches!(a.handle.snapshot().await, Err(NetError::Closed)));
    b.disconnected(&a.peer()).await;
}

#[tokio::test]
async fn wrong_configurations_are_refused() {
    let mut wrong = config(1, "127.0.0.1:4101");
    assert!(matches!(Net::start(&wrong), Err(NetError::Address { field: "listen", .. })));
    wrong = config(1, TCP);
    wrong.federation = "a/b".to_owned();
    assert!(matches!(Net::start(&wrong), Err(NetError::Name(_))));
    wrong = config(1, TCP);
    wrong.relays = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
    assert!(matches!(Net::start(&wrong), Err(NetError::RelayWithoutPeer(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    wrong = config(1, &format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port()));
    assert!(matches!(Net::start(&wrong), Err(NetError::Listen { .. })));
}

#[tokio::test]
async fn two_nets_with_every_optional_part_connect() {
    let all = |seed, listen| {
        let mut config = config(seed, listen);
        config.public = true;
        config.mdns = true;
        config.autonat = true;
        config.relay_server = true;
        config.limits.memory_bytes_max = Some(1 << 40);
        config
    };
    let (mut a, mut b) = pair(&all(1, TCP), &all(2, QUIC)).await;
    b.handle.send_request(1, a.peer(), bytes::Bytes::from_static(b"?")).await.unwrap();
    let (inbound, ..) = a.request().await;
    a.handle.respond(inbound, bytes::Bytes::from_static(b"!")).await.unwrap();
    assert!(b.response(1).await.is_ok());
}

#[tokio::test]
async fn no_connection_is_taken_while_memory_is_short() {
    let mut full = config(1, TCP);
    full.limits.memory_bytes_max = Some(1);
    let a = Node::start(&full).await;
    let mut visitor = config(2, TCP);
    visitor.bootstrap = vec![a.address.clone()];
    let _b = Node::start(&visitor).await;
    a.reaches("a refusal", async |net| net.metrics().inbound_failed.value() > 0).await;
    assert!(a.handle.snapshot().await.unwrap().peers.is_empty());
}
