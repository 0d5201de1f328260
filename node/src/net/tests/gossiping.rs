use bytes::Bytes;

use super::harness::{Node, TCP, config, members, pair};
use crate::net::limits::GOSSIP_PAYLOAD_BYTES_MAX;
use crate::net::{NetEvent, NetHandle, PeerSnapshot, Published, Verdict};

/// Five nets in a line, each connected with its neighbours only: what reaches the last was passed
/// on by all between.
async fn line() -> Vec<Node> {
    let seeds = [1, 2, 3, 4, 5];
    let mut nodes: Vec<Node> = Vec::new();
    for seed in seeds {
        let mut config = config(seed, TCP);
        config.bootstrap = nodes.last().map(|node| node.address.clone()).into_iter().collect();
        // Kept apart: members' addresses learned from each other are not dialed.
        config.limits.peers_target = 0;
        let mut node = Node::start(&config).await;
        node.handle.set_members(members(&seeds)).await.unwrap();
        if let Some(before) = nodes.last_mut() {
            before.connected(&node.peer()).await;
            node.connected(&before.peer()).await;
        }
        nodes.push(node);
    }
    nodes
}

/// Publishes as soon as somebody subscribed.
async fn publish(node: &Node, bytes: &'static [u8]) {
    node.reaches("a subscriber", async |net| {
        net.publish("CN-33", Bytes::from_static(bytes)).await.unwrap() == Published::Sent
    })
    .await;
}

#[tokio::test]
async fn accepted_gossip_reaches_everybody_and_names_its_author() {
    let mut nodes = line().await;
    publish(&nodes[0], b"announcement").await;
    let author = nodes[0].peer();
    for at in 1..nodes.len() {
        let before = nodes[at - 1].peer();
        let node = &mut nodes[at];
        let (id, source, signer, bytes) = node.gossip().await;
        assert_eq!((source, signer), (before, author.clone()));
        assert_eq!(&bytes[..], b"announcement");
        node.handle.verdict(id, Verdict::Accept).await.unwrap();
    }
}

#[tokio::test]
async fn rejected_and_ignored_gossip_goes_no_further() {
    let mut nodes = line().await;
    publish(&nodes[0], b"bad").await;
    publish(&nodes[0], b"odd").await;
    publish(&nodes[0], b"good").await;
    for _ in 0..3 {
        let (id, _, _, bytes) = nodes[1].gossip().await;
        let verdict = match &bytes[..] {
            b"bad" => Verdict::Reject,
            b"odd" => Verdict::Ignore,
            _ => Verdict::Accept,
        };
        nodes[1].handle.verdict(id, verdict).await.unwrap();
    }
    let (.., bytes) = nodes[2].gossip().await;
    assert_eq!(&bytes[..], b"good");
    assert!(!nodes[2].has_seen(|event| matches!(event, NetEvent::Gossip { .. })));
    assert_eq!(nodes[1].handle.metrics().gossip_rejected.value(), 1);
}

#[tokio::test]
async fn news_of_a_newcomer_is_held_against_the_newcomer_alone() {
    // The first node has not heard yet that the third was admitted; the second has.
    let mut behind = Node::start(&config(1, TCP)).await;
    behind.handle.set_members(members(&[1, 2])).await.unwrap();
    let mut forwards = config(2, TCP);
    forwards.bootstrap = vec![behind.address.clone()];
    let mut ahead = Node::start(&forwards).await;
    ahead.handle.set_members(members(&[1, 2, 3])).await.unwrap();
    behind.connected(&ahead.peer()).await;
    ahead.connected(&behind.peer()).await;
    let mut joins = config(3, TCP);
    joins.bootstrap = vec![ahead.address.clone()];
    let newcomer = Node::start(&joins).await;
    newcomer.handle.set_members(members(&[2, 3])).await.unwrap();
    ahead.connected(&newcomer.peer()).await;

    // Passed on by a member: not taken, and nobody is blamed.
    publish(&newcomer, b"first words").await;
    let (id, ..) = ahead.gossip().await;
    ahead.handle.verdict(id, Verdict::Accept).await.unwrap();
    behind.reaches("the newcomer's words", async |net| unauthorised(net) == 1).await;
    assert_eq!(penalties(&behind).await, [(ahead.peer(), true)]);

    // Said by the newcomer itself, and then passed on by the member as well.
    newcomer.handle.dial(&behind.address).await.unwrap();
    behind.connected(&newcomer.peer()).await;
    // Said before the two know each other's topics, a word is lost: another one every so often.
    let begun = std::time::Instant::now();
    behind
        .reaches("a word from the newcomer itself", async |net| {
            let turn = (begun.elapsed().as_millis() / 200).to_be_bytes();
            newcomer.handle.publish("CN-33", Bytes::copy_from_slice(&turn)).await.unwrap();
            let snapshot = net.snapshot().await.unwrap();
            snapshot.peers.iter().any(|peer| peer.peer == newcomer.peer() && peer.penalty > 0.0)
        })
        .await;
    loop {
        let (id, ..) = ahead.gossip().await;
        ahead.handle.verdict(id, Verdict::Accept).await.unwrap();
        if !ahead.has_seen(|event| matches!(event, NetEvent::Gossip { .. })) {
            break;
        }
    }
    // What the member says afterwards arrives after what it passed on.
    publish(&ahead, b"own words").await;
    assert_eq!(&behind.gossip().await.3[..], b"own words");
    let mut expected = [(ahead.peer(), true), (newcomer.peer(), false)];
    expected.sort();
    assert_eq!(penalties(&behind).await, expected);
    assert!(!behind.has_seen(|event| matches!(event, NetEvent::Gossip { .. })));
}

fn unauthorised(net: &NetHandle) -> u64 {
    net.metrics().gossip_unauthorised.value()
}

/// Each peer of a node, and whether nothing is held against it.
async fn penalties(node: &Node) -> Vec<(String, bool)> {
    let peers = node.handle.snapshot().await.unwrap().peers;
    let blameless = |peer: &PeerSnapshot| peer.penalty == 0.0 && peer.score >= 0.0;
    let mut all: Vec<_> = peers.iter().map(|peer| (peer.peer.clone(), blameless(peer))).collect();
    all.sort();
    all
}

#[tokio::test]
async fn publishing_to_nobody_or_twice_or_too_much_is_told_without_error() {
    let (a, _b) = pair(&config(1, TCP), &config(2, TCP)).await;
    let message = Bytes::from_static(b"x");
    assert_eq!(a.handle.publish("KZ", message.clone()).await.unwrap(), Published::NoPeers);
    publish(&a, b"x").await;
    assert_eq!(a.handle.publish("CN-33", message).await.unwrap(), Published::Duplicate);
    let largest = Bytes::from(vec![1; GOSSIP_PAYLOAD_BYTES_MAX]);
    assert_eq!(a.handle.publish("CN-33", largest).await.unwrap(), Published::Sent);
    let larger = Bytes::from(vec![1; GOSSIP_PAYLOAD_BYTES_MAX + 1]);
    assert_eq!(a.handle.publish("CN-33", larger).await.unwrap(), Published::Refused);
    let nowhere = a.handle.publish("no scope", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(nowhere, Published::Refused);
}

#[tokio::test]
async fn the_largest_message_arrives() {
    let (a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    publish(&a, b"first").await;
    let largest = Bytes::from(vec![1; GOSSIP_PAYLOAD_BYTES_MAX]);
    assert_eq!(a.handle.publish("CN-33", largest.clone()).await.unwrap(), Published::Sent);
    let first = b.gossip().await.3;
    let second = b.gossip().await.3;
    assert_eq!([&first[..], &second[..]], [&b"first"[..], &largest[..]]);
}

#[tokio::test]
async fn gossip_is_dropped_without_blame_while_the_reader_is_behind() {
    let mut slow = config(1, TCP);
    slow.limits.events_max = 1;
    let (mut a, b) = pair(&slow, &config(2, TCP)).await;
    publish(&b, b"one").await;
    publish(&b, b"two").await;
    a.reaches("a dropped message", async |net| net.metrics().gossip_dropped.value() == 1).await;
    assert_eq!(&a.gossip().await.3[..], b"one");
    publish(&b, b"three").await;
    assert_eq!(&a.gossip().await.3[..], b"three");
    assert!(a.handle.snapshot().await.unwrap().peers[0].score >= 0.0);
}

#[tokio::test]
async fn unsubscribed_scopes_bring_nothing() {
    let (a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    b.handle.subscribe(vec!["KZ".to_owned(), "not a scope".to_owned()]).await.unwrap();
    a.reaches("a subscriber", async |net| {
        net.publish("KZ", Bytes::from_static(b"in")).await.unwrap() == Published::Sent
    })
    .await;
    assert_eq!(&b.gossip().await.3[..], b"in");
    b.handle.unsubscribe(vec!["KZ".to_owned()]).await.unwrap();
    let mut turn = 0_u32;
    let turn = &mut turn;
    loop {
        *turn += 1;
        let published =
            a.handle.publish("KZ", Bytes::from(turn.to_be_bytes().to_vec())).await.unwrap();
        if published == Published::NoPeers {
            break;
        }
        assert!(*turn < 1_000_000, "the peer is still subscribed");
    }
}
