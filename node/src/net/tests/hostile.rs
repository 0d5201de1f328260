//! Peers that speak the right protocols and break their rules.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{StreamProtocol, SwarmBuilder, identify, noise, tcp, yamux};
use tokio::io::AsyncWriteExt as _;

use super::harness::{FEDERATION, Node, TCP, config};
use crate::net::limits::FRAME_BYTES_MAX;
use crate::net::{NetEvent, RequestFailure};

/// Writes whatever bytes it is given, without a frame.
#[derive(Clone, Default)]
struct RawCodec;

impl request_response::Codec for RawCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut byte = vec![0];
        io.read_exact(&mut byte).await?;
        Ok(byte)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut all = Vec::new();
        io.read_to_end(&mut all).await?;
        Ok(all)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        raw: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&raw).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        raw: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&raw).await
    }
}

#[derive(NetworkBehaviour)]
struct Hostile {
    identify: identify::Behaviour,
    sync: request_response::Behaviour<RawCodec>,
}

fn hostile() -> libp2p::Swarm<Hostile> {
    let sync = StreamProtocol::try_from_owned(format!("/hutong/{FEDERATION}/sync/1")).unwrap();
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Hostile {
            identify: identify::Behaviour::new(identify::Config::new("x".to_owned(), key.public())),
            sync: request_response::Behaviour::new(
                [(sync, ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
        })
        .unwrap()
        .build()
}

fn length(bytes: usize) -> Vec<u8> {
    u32::try_from(bytes).unwrap().to_be_bytes().to_vec()
}

#[tokio::test]
async fn broken_frames_are_refused_and_a_good_one_passes() {
    let mut a = Node::start(&config(1, TCP)).await;
    let mut swarm = hostile();
    let peer = a.peer().parse().unwrap();
    swarm.add_peer_address(peer, a.address.parse().unwrap());
    let short = [length(5), b"four".to_vec()].concat();
    let good = [length(4), b"good".to_vec()].concat();
    for raw in [length(FRAME_BYTES_MAX + 1), vec![255; 4], vec![0; 3], short, good] {
        swarm.behaviour_mut().sync.send_request(&peer, raw);
    }
    let driver = tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let (inbound, _, bytes) = a.request().await;
    assert_eq!(&bytes[..], b"good");
    a.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    assert!(!a.has_seen(|event| matches!(event, NetEvent::Request { .. })));
    driver.abort();
}

#[tokio::test]
async fn an_answer_with_too_long_a_frame_is_malformed() {
    let mut a = Node::start(&config(1, TCP)).await;
    let mut swarm = hostile();
    let peer = swarm.local_peer_id().to_base58();
    swarm.dial(a.address.parse::<libp2p::Multiaddr>().unwrap()).unwrap();
    let driver = tokio::spawn(async move {
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(HostileEvent::Sync(request_response::Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) = event
            {
                let raw = length(FRAME_BYTES_MAX + 1);
                swarm.behaviour_mut().sync.send_response(channel, raw).unwrap();
            }
        }
    });
    a.connected(&peer).await;
    a.handle.send_request(1, peer, Bytes::from_static(b"?")).await.unwrap();
    assert_eq!(a.response(1).await, Err(RequestFailure::Malformed));
    driver.abort();
}

#[tokio::test]
async fn noise_on_the_port_does_no_harm() {
    let a = Node::start(&config(1, TCP)).await;
    let port: u16 = a.address.rsplit('/').next().unwrap().parse().unwrap();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b""] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    a.reaches("three failures", async |net| net.metrics().inbound_failed.value() == 3).await;
    let mut visitor = config(2, TCP);
    visitor.bootstrap = vec![a.address.clone()];
    Node::start(&visitor).await.connected(&a.peer()).await;
}
