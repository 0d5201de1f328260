//! Answers as bytes, and how many of these travel: nodes compress the longer ones.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hutong_protocol::message::Response;

/// Answers from this length on are compressed, as `node/src/net/codec.rs` has it.
const COMPRESS_BYTES_MIN: usize = 1_024;
/// At this level.
const COMPRESSION_LEVEL: i32 = 1;
/// Answers that are remembered.
const REMEMBERED_MAX: usize = 256;

/// The latest longer answers: everybody is given the same leaves at about the same time.
#[derive(Debug, Default)]
pub struct Answers(Mutex<VecDeque<Answer>>);

#[derive(Debug)]
struct Answer {
    response: Response,
    bytes: Bytes,
    sent_bytes: usize,
}

impl Answers {
    /// The answer's one byte string; the same bytes in one place, where it was asked for lately.
    pub fn encode(&self, response: Response) -> Bytes {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = latest.iter().find(|known| known.response == response) {
            return known.bytes.clone();
        }
        let bytes = response.encode();
        if bytes.len() >= COMPRESS_BYTES_MIN {
            latest.truncate(REMEMBERED_MAX - 1);
            latest.push_front(Answer {
                response,
                sent_bytes: compressed_bytes(&bytes),
                bytes: bytes.clone(),
            });
        }
        bytes
    }

    /// How many of the bytes travel.
    pub fn sent_bytes(&self, bytes: &Bytes) -> usize {
        if bytes.len() < COMPRESS_BYTES_MIN {
            return bytes.len();
        }
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = latest.iter().find(|known| known.bytes.as_ptr() == bytes.as_ptr());
        known.map_or_else(|| compressed_bytes(bytes), |known| known.sent_bytes)
    }
}

fn compressed_bytes(bytes: &[u8]) -> usize {
    let compressed = zstd::bulk::compress(bytes, COMPRESSION_LEVEL).ok();
    compressed.map_or(bytes.len(), |short| short.len().min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use hutong_crypto::digest::blake3;

    use super::*;

    #[test]
    fn long_answers_shrink_where_they_can() {
        let answers = Answers::default();
        assert_eq!(answers.sent_bytes(&vec![7; 1_023].into()), 1_023);
        assert!(answers.sent_bytes(&vec![7; 4_096].into()) < 100);
        let noise: Vec<u8> = (0..200_u8).flat_map(|at| *blake3(&[at]).as_bytes()).collect();
        assert_eq!(answers.sent_bytes(&noise.clone().into()), noise.len());
    }

    #[test]
    fn equal_long_answers_lie_in_one_place() {
        let answers = Answers::default();
        let answer = |of: char| Response::Checkpoint { note: of.to_string().repeat(1_100) };
        let (a, b) = (answers.encode(answer('a')), answers.encode(answer('b')));
        assert_eq!(answers.encode(answer('a')).as_ptr(), a.as_ptr());
        assert_eq!((&a, &b), (&answer('a').encode(), &answer('b').encode()));
        assert!(answers.sent_bytes(&a) < 100);
    }
}
