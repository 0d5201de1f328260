//! Frames of the sync protocol: 4-byte big-endian length, then so many bytes.
//!
//! The length is checked before anything is allocated and the buffer grows only as bytes arrive.
//! An empty answer frame means "refused": real answers are never empty. What the bytes say is not
//! known here.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

use super::limits::{FRAME_BYTES_MAX, FRAME_BYTES_START};

/// Frames up to this size leave in one write together with their length, and so in one packet.
const JOINED_WRITE_MAX: usize = 16 * 1024;

/// Reads and writes frames of at most [`FRAME_BYTES_MAX`] bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct FrameCodec;

impl request_response::Codec for FrameCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &response).await
    }
}

/// Reads one frame.
async fn read_frame<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Bytes> {
    let mut length = [0_u8; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > FRAME_BYTES_MAX {
        return Err(oversize(size));
    }
    let mut frame = Vec::with_capacity(size.min(FRAME_BYTES_START));
    io.take(u64::from(length)).read_to_end(&mut frame).await?;
    if frame.len() != size {
        let met = frame.len();
        let text = format!("frame ended after {met} of {size} bytes");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    Ok(Bytes::from(frame))
}

/// Writes one frame.
async fn write_frame<T: AsyncWrite + Unpin + Send>(io: &mut T, frame: &[u8]) -> io::Result<()> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(oversize(frame.len()));
    }
    let length = u32::try_from(frame.len()).map_err(|_| oversize(frame.len()))?.to_be_bytes();
    if frame.len() <= JOINED_WRITE_MAX {
        let mut joined = Vec::with_capacity(4 + frame.len());
        joined.extend_from_slice(&length);
        joined.extend_from_slice(frame);
        io.write_all(&joined).await
    } else {
        io.write_all(&length).await?;
        io.write_all(frame).await
    }
}

fn oversize(size: usize) -> io::Error {
    let text = format!("frame of {size} bytes exceeds {FRAME_BYTES_MAX}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn written(frame: &[u8]) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        block_on(write_frame(&mut out, frame)).unwrap();
        out.into_inner()
    }

    #[test]
    fn frames_come_back_as_written() {
        for size in [0, 1, JOINED_WRITE_MAX, JOINED_WRITE_MAX + 1, FRAME_BYTES_MAX] {
            let frame = vec![7_u8; size];
            let bytes = written(&frame);
            assert_eq!(bytes.len(), 4 + size);
            assert_eq!(block_on(read_frame(&mut Cursor::new(bytes))).unwrap(), frame);
        }
    }

    #[test]
    fn a_frame_one_byte_too_long_is_refused_both_ways() {
        let frame = vec![0_u8; FRAME_BYTES_MAX + 1];
        let mut out = Cursor::new(Vec::new());
        assert!(block_on(write_frame(&mut out, &frame)).is_err());
        let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(&frame);
        let error = block_on(read_frame(&mut Cursor::new(bytes))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_cut_frame_is_refused() {
        let bytes = written(b"hello");
        for end in 0..bytes.len() {
            let error = block_on(read_frame(&mut Cursor::new(&bytes[..end]))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
