//! Links that take their time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::swarm::Network;

/// How long each link takes.
#[derive(Debug, Clone)]
pub(super) struct Delays {
    network: Arc<Network>,
    first_port: u64,
}

impl Delays {
    /// Ports are a process's: each network takes others.
    pub(super) fn new(network: &Network) -> Self {
        let first_port = NEXT_PORT.fetch_add(network.connections.nodes() as u64, Ordering::Relaxed);
        Self { network: Arc::new(network.clone()), first_port }
    }

    /// Where a node listens.
    pub(super) fn port(&self, node: u32) -> u64 {
        self.first_port + u64::from(node)
    }

    /// The delay of the link that `node` dials; none on the side that is dialed, which does not
    /// know by whom: the dialing side delays both directions.
    fn of(&self, node: u32, point: &ConnectedPoint) -> Option<Duration> {
        let ConnectedPoint::Dialer { address, .. } = point else { return None };
        let Some(Protocol::Memory(port)) = address.iter().next() else { return None };
        let other = u32::try_from(port.checked_sub(self.first_port)?).ok()?;
        Some(Duration::from_micros(self.network.latency(node, other)))
    }
}

/// A stream whose bytes arrive late, in both directions, or one that is as it is.
pub(super) enum Delayed<S> {
    Plain(S),
    Late {
        write: Option<mpsc::UnboundedSender<Chunk>>,
        read: mpsc::UnboundedReceiver<Chunk>,
        left: Vec<u8>,
    },
}

static NEXT_PORT: AtomicU64 = AtomicU64::new(1);

/// Bytes, and when they may arrive.
type Chunk = (Instant, Vec<u8>);

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Delayed<S> {
    pub(super) fn new(stream: S, node: u32, point: &ConnectedPoint, delays: &Delays) -> Self {
        let Some(delay) = delays.of(node, point) else { return Self::Plain(stream) };
        let (mut reader, mut writer) = stream.split();
        let (write, mut outgoing) = mpsc::unbounded_channel::<Chunk>();
        let (arrived, mut waiting) = mpsc::unbounded_channel::<Chunk>();
        let (ripe, read) = mpsc::unbounded_channel::<Chunk>();
        tokio::spawn(async move {
            while let Some((at, bytes)) = outgoing.recv().await {
                tokio::time::sleep_until(at + delay).await;
                if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                    return;
                }
            }
            let _ = writer.close().await;
        });
        tokio::spawn(async move {
            let mut buffer = vec![0; CHUNK_BYTES];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                if arrived.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            while let Some((at, bytes)) = waiting.recv().await {
                tokio::time::sleep_until(at).await;
                if ripe.send((at, bytes)).is_err() {
                    return;
                }
            }
        });
        Self::Late { write: Some(write), read, left: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Delayed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Late { read, left, .. } => {
                if left.is_empty() {
                    match ready!(read.poll_recv(context)) {
                        Some((_, bytes)) => *left = bytes,
                        None => return Poll::Ready(Ok(0)),
                    }
                }
                let count = left.len().min(buffer.len());
                buffer[..count].copy_from_slice(&left[..count]);
                left.drain(..count);
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Delayed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Late { write, .. } => {
                let sent = write.as_ref().map(|write| write.send((Instant::now(), bytes.to_vec())));
                match sent {
                    Some(Ok(())) => Poll::Ready(Ok(bytes.len())),
                    Some(Err(_)) | None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Late { .. } => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_close(context),
            Self::Late { write, .. } => {
                *write = None;
                Poll::Ready(Ok(()))
            }
        }
    }
}
