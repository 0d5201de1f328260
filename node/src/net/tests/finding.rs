//! Ways to a peer other than its listed address.

use libp2p::multiaddr::Protocol;

use super::harness::{Node, TCP, config, members, peer};

/// A member without a listed address is found through Kademlia at a third.
#[tokio::test]
async fn a_member_without_an_address_is_found_through_another() {
    let all = members(&[1, 2, 3]);
    let mut public = config(1, TCP);
    public.public = true;
    let mut a = Node::start(&public).await;
    a.handle.set_members(all.clone()).await.unwrap();
    let mut hidden = config(2, TCP);
    hidden.public = true;
    hidden.bootstrap = vec![a.address.clone()];
    let mut b = Node::start(&hidden).await;
    b.handle.set_members(all.clone()).await.unwrap();
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
    let mut seeker = config(3, TCP);
    seeker.bootstrap = vec![a.address.clone()];
    let mut c = Node::start(&seeker).await;
    c.handle.set_members(all).await.unwrap();
    c.connected(&b.peer()).await;
    b.connected(&c.peer()).await;
}

/// A node that listens only at a relay is reached through it.
#[tokio::test]
async fn a_node_behind_a_relay_is_reached_through_it() {
    let all = members(&[1, 2, 3]);
    let mut server = config(1, TCP);
    server.relay_server = true;
    server.public = true;
    let mut relay = Node::start(&server).await;
    // A relay gives out the addresses that it is known to be reached at.
    let address = relay.address.clone();
    relay.handle.shutdown().await;
    server.listen = vec![address.clone()];
    server.external = vec![address.clone()];
    relay = Node::start(&server).await;
    relay.handle.set_members(all.clone()).await.unwrap();
    let at_relay = format!("{address}/p2p/{}", relay.peer());

    let mut inner = config(2, TCP);
    inner.listen.clear();
    inner.relays = vec![at_relay.clone()];
    let mut b = Node::start(&inner).await;
    b.handle.set_members(all.clone()).await.unwrap();
    b.connected(&relay.peer()).await;
    b.reaches("a reservation", async |net| {
        net.snapshot()
            .await
            .unwrap()
            .listening
            .iter()
            .any(|address| address.contains("p2p-circuit"))
    })
    .await;

    let mut outer = config(3, TCP);
    outer.listen.clear();
    // A client of the relay as well: that turns circuits on.
    outer.relays = vec![at_relay.clone()];
    outer.bootstrap = vec![format!("{at_relay}/{}/p2p/{}", Protocol::P2pCircuit.tag(), peer(2))];
    let mut c = Node::start(&outer).await;
    c.handle.set_members(all).await.unwrap();
    c.connected(&b.peer()).await;
    b.connected(&c.peer()).await;
}
