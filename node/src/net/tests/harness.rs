//! A network with its events at hand.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::net::{
    Membership, Net, NetConfig, NetEvent, NetHandle, RequestFailure, TransportSecret,
};

/// No wait in these tests takes longer, on a machine however busy.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

pub(super) const FEDERATION: &str = "5f1c0011aa22bb33";
pub(super) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(super) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

pub(super) struct Node {
    pub(super) handle: NetHandle,
    pub(super) address: String,
    events: mpsc::Receiver<NetEvent>,
    seen: VecDeque<NetEvent>,
}

/// A configuration with the transport key `seed` that listens on `listen`.
pub(super) fn config(seed: u8, listen: &str) -> NetConfig {
    let mut config = NetConfig::new(TransportSecret::from_bytes([seed; 32]), FEDERATION);
    config.listen = vec![listen.to_owned()];
    config.scopes = vec!["CN-33".to_owned()];
    config
}

/// The peer id of [`config`].
pub(super) fn peer(seed: u8) -> String {
    TransportSecret::from_bytes([seed; 32]).peer()
}

/// Members and publishers with the keys `seeds`, without addresses.
pub(super) fn members(seeds: &[u8]) -> Membership {
    let peers: Vec<_> = seeds.iter().map(|seed| peer(*seed)).collect();
    Membership {
        members: peers.iter().map(|peer| (peer.clone(), Vec::new())).collect(),
        publishers: peers.into_iter().collect(),
        ..Membership::default()
    }
}

impl Node {
    pub(super) async fn start(config: &NetConfig) -> Self {
        let (handle, events) = Net::start(config).unwrap();
        let mut node = Self { handle, address: String::new(), events, seen: VecDeque::new() };
        if !config.listen.is_empty() {
            node.address = node
                .until(|event| match event {
                    NetEvent::Listening { address } => Some(address.clone()),
                    _ => None,
                })
                .await;
        }
        node
    }

    pub(super) fn peer(&self) -> String {
        self.handle.local_peer().to_owned()
    }

    /// Takes the first event, past or future, that `choose` chooses.
    pub(super) async fn until<T>(&mut self, choose: impl Fn(&NetEvent) -> Option<T>) -> T {
        if let Some((at, chosen)) =
            self.seen.iter().enumerate().find_map(|(at, event)| Some((at, choose(event)?)))
        {
            self.seen.remove(at);
            return chosen;
        }
        let search = async {
            loop {
                let event = self.events.recv().await.unwrap();
                match choose(&event) {
                    Some(chosen) => return chosen,
                    None => self.seen.push_back(event),
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("the event did not come; met instead: {:?}", self.seen))
    }

    /// Whether an event like this has come so far.
    pub(super) fn has_seen(&mut self, choose: impl Fn(&NetEvent) -> bool) -> bool {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push_back(event);
        }
        self.seen.iter().any(choose)
    }

    pub(super) async fn connected(&mut self, with: &str) {
        self.until(|event| match event {
            NetEvent::PeerConnected { peer, .. } if peer == with => Some(()),
            _ => None,
        })
        .await;
    }

    pub(super) async fn disconnected(&mut self, with: &str) {
        self.until(|event| match event {
            NetEvent::PeerDisconnected { peer } if peer == with => Some(()),
            _ => None,
        })
        .await;
    }

    /// The next request: its inbound id, who asks, what.
    pub(super) async fn request(&mut self) -> (u64, String, Bytes) {
        self.until(|event| match event {
            NetEvent::Request { inbound, peer, bytes } => {
                Some((*inbound, peer.clone(), bytes.clone()))
            }
            _ => None,
        })
        .await
    }

    pub(super) async fn response(&mut self, to: u64) -> Result<Bytes, RequestFailure> {
        self.until(|event| match event {
            NetEvent::Response { request, outcome, .. } if *request == to => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// The next gossip message: its id, who passed it on, who wrote it, what.
    pub(super) async fn gossip(&mut self) -> (u64, String, String, Bytes) {
        self.until(|event| match event {
            NetEvent::Gossip { id, source, author, bytes, .. } => {
                Some((*id, source.clone(), author.clone(), bytes.clone()))
            }
            _ => None,
        })
        .await
    }

    /// Asks again until the network is in the state looked for. Every turn is a round trip through
    /// the network task, which thereby gets on with its work.
    pub(super) async fn reaches(&self, what: &str, state: impl AsyncFn(&NetHandle) -> bool) {
        let poll = async {
            while !state(&self.handle).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, poll).await.is_ok();
        assert!(reached, "not reached: {what}; {:?}", self.handle.snapshot().await);
    }
}

/// Two connected members, the second having dialed the first.
pub(super) async fn pair(first: &NetConfig, second: &NetConfig) -> (Node, Node) {
    let mut a = Node::start(first).await;
    let mut second = second.clone();
    second.bootstrap = vec![a.address.clone()];
    let mut b = Node::start(&second).await;
    let all = members(&[1, 2]);
    a.handle.set_members(all.clone()).await.unwrap();
    b.handle.set_members(all).await.unwrap();
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
    (a, b)
}
