//! What two nodes in sync spend on the wire when they meet again: handshakes, negotiation,
//! identify, subscriptions and one exchange of hellos, counted by a proxy between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::harness::{Node, PATIENCE, TCP, config, members};
use crate::net::Published;

/// Both directions in total: the bound that the whole of a reconnect in sync must stay under.
const RECONNECT_BYTES_MAX: u64 = 4 * 1024;

/// More than two heartbeats of gossip: what has not been said by then belongs to keeping the
/// connection, not to meeting again.
const QUIET: Duration = Duration::from_millis(2_500);

/// Passes on one connection and counts its bytes.
struct Proxy {
    address: String,
    bytes: Arc<AtomicU64>,
    moved: mpsc::Receiver<()>,
}

impl Proxy {
    async fn start(to: &str) -> Self {
        let port: u16 = to.rsplit('/').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port());
        let bytes = Arc::new(AtomicU64::new(0));
        // More than moves in one of these tests.
        let (told, moved) = mpsc::channel(65_536);
        let counted = Arc::clone(&bytes);
        tokio::spawn(async move {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(pass(near_read, far_write, Arc::clone(&counted), told.clone()));
            tokio::spawn(pass(far_read, near_write, counted, told));
        });
        Self { address, bytes, moved }
    }

    /// The bytes so far, once nothing has moved for [`QUIET`].
    async fn bytes_when_quiet(&mut self) -> u64 {
        let settle =
            async { while tokio::time::timeout(QUIET, self.moved.recv()).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, settle).await.unwrap();
        self.bytes.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes: Arc<AtomicU64>,
    told: mpsc::Sender<()>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        bytes.fetch_add(read as u64, Ordering::SeqCst);
        // The test may have ended: nobody counts any more.
        told.try_send(()).unwrap_or_default();
    }
}

/// Meets, says hello with 300 bytes each way, and falls quiet.
async fn reconnect_bytes(scopes: &[String]) -> u64 {
    let mut stays = config(1, TCP);
    stays.scopes = scopes.to_vec();
    let mut a = Node::start(&stays).await;
    a.handle.set_members(members(&[1, 2])).await.unwrap();
    let mut proxy = Proxy::start(&a.address).await;
    let mut returns = config(2, TCP);
    returns.scopes = scopes.to_vec();
    returns.bootstrap = vec![proxy.address.clone()];
    let mut b = Node::start(&returns).await;
    b.handle.set_members(members(&[1, 2])).await.unwrap();
    a.connected(&b.peer()).await;
    b.connected(&a.peer()).await;
    b.handle.send_request(1, a.peer(), Bytes::from(vec![1; 300])).await.unwrap();
    let (inbound, ..) = a.request().await;
    a.handle.respond(inbound, Bytes::from(vec![2; 300])).await.unwrap();
    b.response(1).await.unwrap();
    let bytes = proxy.bytes_when_quiet().await;
    // Not quiet because it was dead: gossip passes.
    let last = scopes.last().unwrap().clone();
    let published = b.handle.publish(last, Bytes::from_static(b"news")).await.unwrap();
    assert_eq!(published, Published::Sent);
    a.gossip().await;
    bytes
}

/// What one more scope may cost: a subscription and a graft of its topic each way, each in a frame of its own. The
/// topic has 5 bytes, its message 6 to 7 more, the frame 12, and encryption 18 wherever a frame is sent alone.
const SCOPE_BYTES_MAX: u64 = 120;

#[tokio::test]
async fn a_reconnect_in_sync_stays_under_four_kibibytes() {
    let bytes = reconnect_bytes(&["CN-33".to_owned(), "CN".to_owned()]).await;
    println!("reconnect with 2 scopes: {bytes} bytes");
    assert!(bytes < RECONNECT_BYTES_MAX, "{bytes}");
}

#[tokio::test]
async fn every_further_scope_costs_a_bounded_sum() {
    let scopes: Vec<String> = (11..51).map(|n| format!("CN-{n}")).collect();
    let bytes = reconnect_bytes(&scopes).await;
    println!("reconnect with {} scopes: {bytes} bytes", scopes.len());
    let more = u64::try_from(scopes.len() - 2).unwrap();
    assert!(bytes < RECONNECT_BYTES_MAX + more * SCOPE_BYTES_MAX, "{bytes}");
}
