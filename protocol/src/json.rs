//! Canonical JSON (RFC 8785), and refusing everything else.

mod document;
mod read;
mod refuse;
#[cfg(test)]
mod tests;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Number, Value};

pub(crate) use self::document::{Document, Items, Members, Node};

/// How deep arrays and objects may nest: `[]` and `{}` are one level.
pub const NESTING_MAX: usize = 16;

/// The largest integer that every JSON reader keeps exactly, 2^53 − 1: no number is beyond it, up or down.
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
    /// A number that not every reader keeps exactly, in whatever way it is written.
    #[error("number {0} is beyond 9007199254740991")]
    Number(String),
}

/// Whether `number` lies within ±[`INTEGER_MAX`]. Doubles beyond are whole too, so that this is one rule for
/// all that can be written.
fn is_exact(number: &Number) -> bool {
    match number.as_i64().map(i64::unsigned_abs).or(number.as_u64()) {
        Some(size) => size <= INTEGER_MAX,
        // 2^53, which a double holds exactly.
        None => number.as_f64().is_some_and(|double| double.abs() < 9_007_199_254_740_992.0),
    }
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
