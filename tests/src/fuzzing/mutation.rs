//! Small changes to samples, the same in every run.

/// Makes inputs out of samples. The same seed gives the same inputs.
#[derive(Clone, Debug)]
pub struct Mutator(u64);

/// Bytes at which decoders decide.
const TELLING: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', b'0', b'"', b'{', b']', b'='];

/// Longest piece that is inserted or taken out.
const PIECE_BYTES_MAX: usize = 16;

impl Mutator {
    /// A mutator of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `samples` with one to four changes.
    pub fn next(&mut self, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.one_of(samples);
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, samples);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let to = (at + self.below(PIECE_BYTES_MAX)).min(bytes.len());
        match self.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = TELLING[self.below(TELLING.len())],
            2 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let piece: Vec<u8> =
                    (0..self.below(PIECE_BYTES_MAX)).map(|_| self.byte()).collect();
                bytes.splice(at..at, piece);
            }
            5 => {
                let piece = bytes[at..to].to_vec();
                let place = self.below(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            6 => {
                let other = self.one_of(samples);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            7 => bytes.truncate(at),
            _ => {}
        }
    }

    fn one_of(&mut self, samples: &[Vec<u8>]) -> Vec<u8> {
        if samples.is_empty() { Vec::new() } else { samples[self.below(samples.len())].clone() }
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % bound).unwrap_or_default()
    }

    /// `SplitMix64`, after Steele, Lea and Flood.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}
