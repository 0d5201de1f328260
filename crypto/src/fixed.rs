//! Byte strings of a fixed length whose text form is lower-case hex: hashes, keys, signatures.

/// Why a text is not the hex form of a byte string of a fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// The text is too short or too long.
    #[error("expected {expected} hex digits, met {met} bytes")]
    Length {
        /// How many digits the value takes.
        expected: usize,
        /// How many bytes the text has.
        met: usize,
    },
    /// A byte of the text is not one of `0`–`9`, `a`–`f`.
    #[error("expected lower-case hex digits only")]
    Digit,
}

/// Reads lower-case hex of exactly `N` bytes; upper case is refused, so a value has one text.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    if text.len() != 2 * N {
        return Err(HexError::Length { expected: 2 * N, met: text.len() });
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(HexError::Digit);
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError::Digit)?;
    Ok(bytes)
}

/// Writes `bytes` as lower-case hex.
pub(crate) fn write_hex(bytes: &[u8], f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Gives a newtype over `[u8; N]` its constructor, view and hex text.
macro_rules! fixed_bytes {
    ($name:ident, $len:expr) => {
        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes as they are; any bytes are in form.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::fixed::write_hex(&self.0, f)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::fixed::HexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::fixed::parse_hex(text).map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = core::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                <[u8; $len]>::try_from(bytes).map(Self)
            }
        }
    };
}

pub(crate) use fixed_bytes;
