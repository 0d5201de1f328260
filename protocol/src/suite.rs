//! Signature suites: their names, their numbers, and keys that say which suite they are of.
//!
//! This version makes and verifies suite 1, Ed25519. A key of another suite is told apart from a
//! text that is no key at all, so that an operator learns that newer software is needed.

use alloc::{
    format,
    string::{String, ToString as _},
};

use hutong_crypto::PublicKey;

/// The number of Ed25519 in entries.
pub const SUITE_ED25519: u8 = 1;

/// The name of Ed25519 in JSON.
pub const SUITE_NAME_ED25519: &str = "ed25519";

/// Suites of one list at most: three are planned, and each may be followed by another.
pub const SUITES_MAX: usize = 8;

/// Bytes of a suite's name at most.
const NAME_BYTES_MAX: usize = 32;

/// Why a text is no key of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Not of the form `suite:key`.
    #[error("expected a key such as `ed25519:` and 64 lower-case hex digits")]
    Form,
    /// Of a suite that this version cannot verify.
    #[error("suite {suite} is not known to this version; use newer software")]
    UnknownSuite {
        /// Its name.
        suite: String,
    },
}

/// The text of `key` in JSON: `ed25519:` and 64 lower-case hex digits.
pub fn key_text(key: &PublicKey) -> String {
    format!("{SUITE_NAME_ED25519}:{key}")
}

/// Reads what [`key_text`] writes. Whether the key is sound is for the caller to check.
///
/// # Errors
///
/// [`KeyTextError`]; a name that is in form but not known is told from a text out of form.
pub fn parse_key(text: &str) -> Result<PublicKey, KeyTextError> {
    let (suite, key) = text.split_once(':').ok_or(KeyTextError::Form)?;
    check_suite(suite)?;
    key.parse().map_err(|_| KeyTextError::Form)
}

/// Whether this version knows the suite called `name`.
///
/// # Errors
///
/// [`KeyTextError::Form`] where `name` is not 1 to 32 of a-z, 0-9 and -.
pub(crate) fn check_suite(name: &str) -> Result<(), KeyTextError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        return Err(KeyTextError::Form);
    }
    if name == SUITE_NAME_ED25519 {
        return Ok(());
    }
    Err(KeyTextError::UnknownSuite { suite: name.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_suite() {
        let key = hutong_crypto::SigningKey::from_bytes(&[1; 32]).public();
        assert_eq!(parse_key(&key_text(&key)), Ok(key));
        let hex = key.to_string();
        for form in [
            hex.clone(),
            format!("ed25519:{}", hex.to_uppercase()),
            format!("ed25519:{}", &hex[1..]),
            format!("ed25519 :{hex}"),
            format!("Ed25519:{hex}"),
            format!(":{hex}"),
        ] {
            assert_eq!(parse_key(&form), Err(KeyTextError::Form), "{form}");
        }
    }

    #[test]
    fn a_suite_that_is_not_known_is_named() {
        let error = KeyTextError::UnknownSuite { suite: "sm2".into() };
        assert_eq!(error.to_string(), "suite sm2 is not known to this version; use newer software");
        assert_eq!(parse_key("sm2:02ab"), Err(error));
        assert_eq!(check_suite(&"x".repeat(33)), Err(KeyTextError::Form));
        assert_eq!(check_suite("ed25519"), Ok(()));
    }
}
