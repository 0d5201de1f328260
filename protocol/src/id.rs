//! Names of federations, exchanges, logs and statements.

use alloc::format;
use alloc::string::{String, ToString};
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use hutong_crypto::digest::Hash;
use smol_str::SmolStr;

use crate::shown::Shown;
pub use crate::tier::Tier;

/// A statement's id: the RFC 6962 leaf hash of its entry.
pub type StatementId = Hash;

/// Shortest and longest exchange id, in bytes.
const EXCHANGE_ID_BYTES: core::ops::RangeInclusive<usize> = 3..=63;

/// An exchange's id: `[a-z0-9][a-z0-9-]{2,62}`, unique in a federation and never reused.
///
/// Up to 23 bytes lie in place: ids are keys of most maps, and are compared all the time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(SmolStr);

/// A text is no exchange id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not an exchange id: expected 3 to 63 of a-z, 0-9 and -, not beginning with -",
    Shown::new(.0)
)]
pub struct ExchangeIdError(String);

impl ExchangeId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ExchangeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExchangeId {
    type Err = ExchangeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = EXCHANGE_ID_BYTES.contains(&text.len())
            && text.bytes().all(known)
            && !text.starts_with('-');
        if valid {
            Ok(Self(SmolStr::new(text)))
        } else {
            Err(ExchangeIdError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A federation's id: SHA-256 of the founding charter's signed payload bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederationId(Hash);

impl FederationId {
    /// The federation founded by the charter with this digest.
    pub const fn new(hash: Hash) -> Self {
        Self(hash)
    }

    /// The digest.
    pub const fn hash(&self) -> Hash {
        self.0
    }

    /// The short form: the first 8 bytes as 16 hexadecimal digits.
    pub fn short(&self) -> String {
        hex::encode(&self.0.as_bytes()[..8])
    }
}

impl fmt::Display for FederationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FederationId {
    type Err = <Hash as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A log's name: `<federation short id>.hutong/<exchange id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: String,
    exchange: ExchangeId,
}

/// A text is no log origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a log origin: expected <16 hexadecimal digits>.hutong/<exchange id>",
    Shown::new(.0)
)]
pub struct OriginError(String);

impl Origin {
    /// The name of an exchange's log in a federation.
    pub fn new(federation: &FederationId, exchange: &ExchangeId) -> Self {
        let text = format!("{}.hutong/{exchange}", federation.short());
        Self { text, exchange: exchange.clone() }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The exchange that the log is of.
    pub fn exchange(&self) -> &ExchangeId {
        &self.exchange
    }

    /// The name under which the exchange cosigns: the origin and `/witness`.
    pub fn witness_name(&self) -> String {
        format!("{}/witness", self.text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (short, exchange) = text.split_once(".hutong/")?;
            let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if short.len() != 16 || !short.bytes().all(lower) {
                return None;
            }
            let exchange = exchange.parse().ok()?;
            Some(Self { text: text.to_string(), exchange })
        };
        parse().ok_or_else(|| OriginError(text.chars().take(120).collect()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn exchange_ids_keep_to_their_alphabet_and_length() {
        for text in ["cn-33-zhejiang", "abc", "0-9", &"a".repeat(63)] {
            assert_eq!(text.parse::<ExchangeId>().unwrap().as_str(), text);
        }
        for text in ["", "ab", "-abc", "Abc", "a_b", "a b", "浙江省", &"a".repeat(64)] {
            assert!(text.parse::<ExchangeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_names_its_exchange() {
        let federation = FederationId::new(Hash::from_bytes([0x5f; 32]));
        let origin = Origin::new(&federation, &"cn-33-zhejiang".parse().unwrap());
        assert_eq!(origin.as_str(), "5f5f5f5f5f5f5f5f.hutong/cn-33-zhejiang");
        assert_eq!(origin.as_str().parse::<Origin>().unwrap(), origin);
        for text in ["5f5f.hutong/abc", "5F5f5f5f5f5f5f5f.hutong/abc", "5f5f5f5f5f5f5f5f.hutong/"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
