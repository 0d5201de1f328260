//! The one binary encoding of gossip and sync messages.
//!
//! Canonical: one value has one byte string, and the reader refuses every other. Integers are
//! unsigned LEB128 in their shortest form; byte strings carry their length; hashes are 32 raw
//! bytes. Every length is checked against a bound given by the caller before anything is
//! allocated.
//!
//! Not here: which messages exist ([`crate::message`]).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use hutong_crypto::digest::Hash;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends before a value does.
    #[error("message ends at byte {at}, {needed} more needed")]
    Truncated {
        /// Offset at which the reader stood.
        at: usize,
        /// Bytes missing.
        needed: usize,
    },
    /// Bytes follow the last value.
    #[error("{0} bytes follow the end of the message")]
    Trailing(usize),
    /// An integer is not in its shortest form, or exceeds 64 bits.
    #[error("integer at byte {0} is not in its shortest form")]
    Integer(usize),
    /// A length or count exceeds its bound.
    #[error("{what} of {met} exceeds the bound of {bound}")]
    Bound {
        /// What was counted.
        what: &'static str,
        /// The count met.
        met: u64,
        /// The count allowed.
        bound: u64,
    },
    /// A tag byte that this version does not know.
    #[error("unknown {what} tag {tag}")]
    Tag {
        /// What the tag chooses.
        what: &'static str,
        /// The tag met.
        tag: u8,
    },
    /// A value is well formed as bytes but not as what it stands for.
    #[error("{what} is malformed: {detail}")]
    Value {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

/// Writes values one after the other.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message that begins with `bytes`.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Appends an integer as shortest LEB128, 1 to 10 bytes.
    pub fn u64(&mut self, mut value: u64) -> &mut Self {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.bytes.push(low);
                return self;
            }
            self.bytes.push(low | 0x80);
        }
    }

    /// Appends a length and the bytes.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u64(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// Appends a text as a byte string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// Appends 32 raw bytes.
    pub fn hash(&mut self, value: &Hash) -> &mut Self {
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// Appends a count and the hashes.
    pub fn hashes(&mut self, values: &[Hash]) -> &mut Self {
        self.u64(values.len() as u64);
        for value in values {
            self.hash(value);
        }
        self
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished message, to write more into.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// The finished message.
    pub fn finish(self) -> Bytes {
        Bytes::from(self.bytes)
    }
}

/// Reads values one after the other; byte strings are slices of the message, not copies.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// Steps over `count` bytes; returns where they lie.
    fn step(&mut self, count: usize) -> Result<Range<usize>, WireError> {
        let left = self.bytes.len() - self.at;
        if left < count {
            return Err(WireError::Truncated { at: self.at, needed: count - left });
        }
        let from = self.at;
        self.at += count;
        Ok(from..self.at)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], WireError> {
        let range = self.step(count)?;
        Ok(&self.bytes[range])
    }

    /// One byte.
    ///
    /// # Errors
    ///
    /// [`WireError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    /// A shortest LEB128 integer.
    ///
    /// # Errors
    ///
    /// [`WireError::Integer`] where it is longer than it need be or exceeds 64 bits.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(WireError::Integer(start));
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                let padded = part == 0 && shift > 0;
                return if padded { Err(WireError::Integer(start)) } else { Ok(value) };
            }
        }
        Err(WireError::Integer(start))
    }

    /// A count of at most `bound`.
    ///
    /// # Errors
    ///
    /// [`WireError::Bound`] above it.
    pub fn count(&mut self, what: &'static str, bound: usize) -> Result<usize, WireError> {
        let met = self.u64()?;
        let bound = bound as u64;
        if met > bound {
            return Err(WireError::Bound { what, met, bound });
        }
        usize::try_from(met).map_err(|_| WireError::Bound { what, met, bound })
    }

    /// A byte string of at most `bound` bytes.
    ///
    /// # Errors
    ///
    /// [`WireError::Bound`] or [`WireError::Truncated`].
    pub fn bytes(&mut self, what: &'static str, bound: usize) -> Result<Bytes, WireError> {
        let count = self.count(what, bound)?;
        let range = self.step(count)?;
        Ok(self.bytes.slice(range))
    }

    fn str(&mut self, what: &'static str, bound: usize) -> Result<&str, WireError> {
        let count = self.count(what, bound)?;
        core::str::from_utf8(self.take(count)?)
            .map_err(|error| WireError::Value { what, detail: error.to_string() })
    }

    /// A text of at most `bound` bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`]; [`WireError::Value`] where it is not UTF-8.
    pub fn text(&mut self, what: &'static str, bound: usize) -> Result<String, WireError> {
        self.str(what, bound).map(ToString::to_string)
    }

    /// A text that is parsed into `T`.
    ///
    /// # Errors
    ///
    /// As [`Self::text`]; [`WireError::Value`] where `T` refuses it.
    pub fn parsed<T>(&mut self, what: &'static str, bound: usize) -> Result<T, WireError>
    where
        T: core::str::FromStr,
        T::Err: ToString,
    {
        self.str(what, bound)?
            .parse()
            .map_err(|error: T::Err| WireError::Value { what, detail: error.to_string() })
    }

    /// 32 raw bytes.
    ///
    /// # Errors
    ///
    /// [`WireError::Truncated`].
    pub fn hash(&mut self) -> Result<Hash, WireError> {
        let mut hash = [0; Hash::LEN];
        hash.copy_from_slice(self.take(Hash::LEN)?);
        Ok(Hash::from_bytes(hash))
    }

    /// At most `bound` hashes.
    ///
    /// # Errors
    ///
    /// [`WireError::Bound`] or [`WireError::Truncated`].
    pub fn hashes(&mut self, what: &'static str, bound: usize) -> Result<Vec<Hash>, WireError> {
        let count = self.count(what, bound)?;
        (0..count).map(|_| self.hash()).collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`WireError::Trailing`] where bytes are left.
    pub fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(WireError::Trailing(left)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip_in_their_shortest_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::new();
            writer.u64(value);
            let mut reader = Reader::new(writer.finish());
            assert_eq!(reader.u64(), Ok(value));
            reader.finish().unwrap();
        }
    }

    #[test]
    fn padded_and_oversized_integers_are_refused() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0x00], &[0xff; 10], &[0x80; 11]] {
            let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
            assert_eq!(reader.u64(), Err(WireError::Integer(0)), "{bytes:?}");
        }
    }

    #[test]
    fn a_length_above_its_bound_is_refused_before_the_bytes_are_looked_at() {
        let mut writer = Writer::new();
        writer.u64(1 << 40);
        let met = Reader::new(writer.finish()).bytes("entry", 65_535);
        assert_eq!(met, Err(WireError::Bound { what: "entry", met: 1 << 40, bound: 65_535 }));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut reader = Reader::new(Bytes::from_static(&[1, 2]));
        reader.u8().unwrap();
        assert_eq!(reader.finish(), Err(WireError::Trailing(1)));
    }
}
