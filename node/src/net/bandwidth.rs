//! Counts bytes per peer and in total, on the streams inside each connection.
//!
//! Counted are the bytes of streams, protocol negotiation included; the framing of Noise, Yamux
//! and QUIC (a few per cent) is not.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerEvent, SubstreamBox};

/// Bytes in each direction since the start.
#[derive(Debug, Default)]
pub(super) struct ByteCounter {
    received: AtomicU64,
    sent: AtomicU64,
}

impl ByteCounter {
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The counters of all peers with an open connection, and the total.
#[derive(Debug, Default, Clone)]
pub(super) struct Bandwidth {
    total: Arc<ByteCounter>,
    peers: Arc<Mutex<BTreeMap<PeerId, Arc<ByteCounter>>>>,
}

impl Bandwidth {
    pub(super) fn total(&self) -> &ByteCounter {
        &self.total
    }

    /// The counter of `peer`, new if there is none.
    pub(super) fn peer(&self, peer: PeerId) -> Arc<ByteCounter> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(peers.entry(peer).or_default())
    }

    /// Forgets a peer whose last connection closed, so that the map stays as small as the number
    /// of connections.
    pub(super) fn forget(&self, peer: &PeerId) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }

    /// Wraps a connection.
    pub(super) fn count(&self, peer: PeerId, muxer: StreamMuxerBox) -> CountingMuxer {
        CountingMuxer { inner: muxer, peer: self.peer(peer), total: Arc::clone(&self.total) }
    }
}

/// A connection whose streams are counted.
#[derive(Debug)]
pub(super) struct CountingMuxer {
    inner: StreamMuxerBox,
    peer: Arc<ByteCounter>,
    total: Arc<ByteCounter>,
}

impl CountingMuxer {
    fn wrap(&self, inner: SubstreamBox) -> CountingStream {
        CountingStream { inner, peer: Arc::clone(&self.peer), total: Arc::clone(&self.total) }
    }
}

impl StreamMuxer for CountingMuxer {
    type Substream = CountingStream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<CountingStream>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_inbound(cx))?;
        Poll::Ready(Ok(self.wrap(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<CountingStream>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        Poll::Ready(Ok(self.wrap(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// A stream that counts what passes.
pub(super) struct CountingStream {
    inner: SubstreamBox,
    peer: Arc<ByteCounter>,
    total: Arc<ByteCounter>,
}

impl AsyncRead for CountingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.peer.add_received(bytes);
        self.total.add_received(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncWrite for CountingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.peer.add_sent(bytes);
        self.total.add_sent(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.peer.add_sent(bytes);
        self.total.add_sent(bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
