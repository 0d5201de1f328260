//! How many bytes of an answer travel: nodes compress the longer ones.

use std::collections::BTreeMap;

use hutong_crypto::digest::{Hash, blake3};

/// Answers from this length on are compressed, as `node/src/net/codec.rs` has it.
const COMPRESS_BYTES_MIN: usize = 1_024;
/// At this level.
const COMPRESSION_LEVEL: i32 = 1;
/// Lengths that are remembered; then all are forgotten.
const REMEMBERED_MAX: usize = 4_096;

/// Lengths of compressed answers: everybody is given the same leaves at about the same time.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<Hash, usize>);

impl Answers {
    /// How many of the answer's bytes travel.
    pub fn sent_bytes(&mut self, answer: &[u8]) -> usize {
        if answer.len() < COMPRESS_BYTES_MIN {
            return answer.len();
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        *self.0.entry(blake3(answer)).or_insert_with(|| {
            let compressed = zstd::bulk::compress(answer, COMPRESSION_LEVEL).ok();
            compressed.map_or(answer.len(), |bytes| bytes.len().min(answer.len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_shrink_where_they_can() {
        let mut answers = Answers::default();
        assert_eq!(answers.sent_bytes(&[7; 1_023]), 1_023);
        for _ in 0..2 {
            assert!(answers.sent_bytes(&[7; 4_096]) < 100);
        }
        let noise: Vec<u8> = (0..200_u8).flat_map(|at| *blake3(&[at]).as_bytes()).collect();
        assert_eq!(answers.sent_bytes(&noise), noise.len());
    }
}
