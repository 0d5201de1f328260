//! Canonical JSON (RFC 8785), and refusing everything else.

mod document;
mod read;
mod refuse;
#[cfg(test)]
mod tests;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

pub(crate) use self::document::{Document, Items, Members, Node};

/// How deep arrays and objects may nest.
pub const NESTING_MAX: usize = 16;

/// The largest integer that every JSON reader keeps exactly: 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why bytes are not canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// They are not JSON at all.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// Arrays and objects nest too deep.
    #[error("nested deeper than {NESTING_MAX} levels")]
    Nesting,
    /// They are JSON, but not in RFC 8785's one form of it.
    #[error("not in canonical form (RFC 8785): first difference at byte {0}")]
    NotCanonical(usize),
    /// An integer that not every reader keeps exactly.
    #[error("integer {0} is beyond 9007199254740991")]
    Integer(String),
}

/// The one byte string of `value`, by RFC 8785.
///
/// Integers beyond ±(2^53 − 1) are written as the double that they round to, as it prescribes.
pub fn canonicalize(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    append_canonical(value, &mut out);
    out
}

/// As [`canonicalize`], at the end of `out`.
pub(crate) fn append_canonical(value: &Value, out: &mut Vec<u8>) {
    write::write(value, out);
}

/// Reads bytes that must be canonical JSON.
///
/// # Errors
///
/// [`JsonError`], also for duplicate members, which no canonical form has.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JsonError> {
    Ok(Document::parse(bytes)?.root().to_value())
}
