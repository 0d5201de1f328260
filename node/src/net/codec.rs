//! Frames of the sync protocol: 4-byte big-endian length, then so many bytes.
//!
//! The length is checked before anything is allocated and the buffer grows only as bytes arrive.
//! An empty answer frame means "refused": real answers are never empty. Where the length's highest
//! bit is set, the bytes are one zstd frame around the answer: statements are JSON, which shrinks to
//! less than half. Requests are short and never compressed. What the bytes say is not known here.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

use super::limits::{FRAME_BYTES_MAX, FRAME_BYTES_START};

/// Frames up to this size leave in one write together with their length, and so in one packet.
const JOINED_WRITE_MAX: usize = 16 * 1024;

/// Marks the length of a compressed frame.
const COMPRESSED: u32 = 1 << 31;

/// Shorter answers are not worth compressing: hashes and signatures hardly shrink.
const COMPRESS_BYTES_MIN: usize = 1024;

/// zstd's fastest ordinary level: an answer of 1 MiB takes a few milliseconds.
const COMPRESSION_LEVEL: i32 = 1;

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
        let (length, frame) = read_frame(io).await?;
        if length & COMPRESSED == 0 { Ok(frame) } else { Err(invalid("a request is compressed")) }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let (length, frame) = read_frame(io).await?;
        if length & COMPRESSED == 0 { Ok(frame) } else { decompress(&frame) }
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
        write_frame(io, 0, &request).await
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
        match compress(&response)? {
            Some(compressed) => write_frame(io, COMPRESSED, &compressed).await,
            None => write_frame(io, 0, &response).await,
        }
    }
}

/// The compressed answer, where that is shorter.
fn compress(answer: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if !(COMPRESS_BYTES_MIN..=FRAME_BYTES_MAX).contains(&answer.len()) {
        return Ok(None);
    }
    let compressed = zstd::bulk::compress(answer, COMPRESSION_LEVEL)?;
    Ok((compressed.len() < answer.len()).then_some(compressed))
}

/// What one zstd frame holds. Its size is declared, and checked before anything is allocated.
fn decompress(frame: &[u8]) -> io::Result<Bytes> {
    let declared = zstd::zstd_safe::get_frame_content_size(frame);
    let Ok(Some(declared)) = declared else {
        return Err(invalid("a compressed frame does not declare its size"));
    };
    let size = usize::try_from(declared).unwrap_or(usize::MAX);
    if size > FRAME_BYTES_MAX {
        return Err(oversize(size));
    }
    if zstd::zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(invalid("a compressed frame is cut, or something follows it"));
    }
    let answer = zstd::bulk::decompress(frame, size)?;
    if answer.len() == size {
        Ok(Bytes::from(answer))
    } else {
        Err(invalid("a compressed frame holds less than it declares"))
    }
}

/// Reads one frame; returns its length field as well, for its marks.
async fn read_frame<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<(u32, Bytes)> {
    let mut field = [0_u8; 4];
    io.read_exact(&mut field).await?;
    let field = u32::from_be_bytes(field);
    let length = field & !COMPRESSED;
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
    Ok((field, Bytes::from(frame)))
}

/// Writes one frame, its length field with `marks`.
async fn write_frame<T>(io: &mut T, marks: u32, frame: &[u8]) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    if frame.len() > FRAME_BYTES_MAX {
        return Err(oversize(frame.len()));
    }
    let length = u32::try_from(frame.len()).map_err(|_| oversize(frame.len()))?;
    let length = (length | marks).to_be_bytes();
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

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
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
    use libp2p::request_response::Codec as _;

    use super::*;

    fn written(frame: &[u8]) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        block_on(write_frame(&mut out, 0, frame)).unwrap();
        out.into_inner()
    }

    #[test]
    fn frames_come_back_as_written() {
        for size in [0, 1, JOINED_WRITE_MAX, JOINED_WRITE_MAX + 1, FRAME_BYTES_MAX] {
            let frame = vec![7_u8; size];
            let bytes = written(&frame);
            assert_eq!(bytes.len(), 4 + size);
            let (_, read) = block_on(read_frame(&mut Cursor::new(bytes))).unwrap();
            assert_eq!(read, frame);
        }
    }

    #[test]
    fn a_frame_one_byte_too_long_is_refused_both_ways() {
        let frame = vec![0_u8; FRAME_BYTES_MAX + 1];
        let mut out = Cursor::new(Vec::new());
        assert!(block_on(write_frame(&mut out, 0, &frame)).is_err());
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

    fn sent(answer: &[u8]) -> Vec<u8> {
        let (mut out, answer) = (Cursor::new(Vec::new()), Bytes::copy_from_slice(answer));
        let protocol = StreamProtocol::new("/test");
        block_on(FrameCodec.write_response(&protocol, &mut out, answer)).unwrap();
        out.into_inner()
    }

    fn received(bytes: &[u8]) -> io::Result<Bytes> {
        block_on(FrameCodec.read_response(&StreamProtocol::new("/test"), &mut Cursor::new(bytes)))
    }

    #[test]
    fn answers_shrink_where_they_can_and_come_back_as_they_were() {
        let text = b"statements are canonical JSON ".repeat(4_000);
        let noise: Vec<u8> = (0_u32..4_000)
            .flat_map(|at| *hutong_crypto::sha256(&at.to_le_bytes()).as_bytes())
            .collect();
        let short = vec![7_u8; COMPRESS_BYTES_MIN - 1];
        for (answer, at_most) in
            [(&text, text.len() / 10), (&noise, noise.len() + 4), (&short, short.len() + 4)]
        {
            let bytes = sent(answer);
            assert!(bytes.len() <= at_most, "{} of {}", bytes.len(), answer.len());
            assert_eq!(received(&bytes).unwrap(), answer);
        }
    }

    #[test]
    fn what_is_not_one_whole_compressed_frame_is_refused() {
        let good = sent(&vec![7_u8; 100_000]);
        assert!(good.len() < 1_000 && good[0] & 0x80 != 0);
        let with_length = |body: &[u8]| {
            let length = u32::try_from(body.len()).unwrap() | COMPRESSED;
            [&length.to_be_bytes(), body].concat()
        };
        let body = &good[4..];
        for bad in [
            with_length(&body[..body.len() - 1]),
            with_length(&[body, b"x"].concat()),
            with_length(&[body, body].concat()),
            with_length(b"no zstd frame at all"),
            with_length(b""),
        ] {
            assert_eq!(received(&bad).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let mut request = Cursor::new(&good);
        let refused =
            block_on(FrameCodec.read_request(&StreamProtocol::new("/test"), &mut request));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_small_frame_that_would_grow_beyond_the_bound_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0_u8; FRAME_BYTES_MAX + 1], 1).unwrap();
        assert!(bomb.len() < 10_000);
        let length = u32::try_from(bomb.len()).unwrap() | COMPRESSED;
        let error = received(&[&length.to_be_bytes()[..], &bomb].concat()).unwrap_err();
        assert!(error.to_string().contains("exceeds"), "{error}");
    }
}
