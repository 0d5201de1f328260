//! Why bytes are not canonical JSON: they are read as a tree, written again, and compared.

use alloc::string::ToString as _;

use serde_json::Value;

use super::write::{Sink, write};
use super::{JsonError, NESTING_MAX, is_exact};

/// Why `bytes`, which were not read, are not canonical JSON.
pub(super) fn reason(bytes: &[u8]) -> JsonError {
    by_tree(bytes).err().unwrap_or(JsonError::NotCanonical(bytes.len()))
}

/// Reads bytes that must be canonical JSON, the long way.
pub(super) fn by_tree(bytes: &[u8]) -> Result<Value, JsonError> {
    check_nesting(bytes)?;
    let text = core::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.to_string()))?;
    let value: Value =
        serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    check_numbers(&value)?;
    let mut expected = Expected { bytes, at: 0, same: true };
    write(&value, &mut expected);
    if expected.same && expected.at == bytes.len() {
        return Ok(value);
    }
    Err(JsonError::NotCanonical(expected.at))
}

/// Compares canonical bytes with what was met as they come, without a copy of them.
struct Expected<'a> {
    bytes: &'a [u8],
    at: usize,
    same: bool,
}

impl Sink for Expected<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if !self.same {
            return;
        }
        let rest = &self.bytes[self.at..];
        if rest.starts_with(bytes) {
            self.at += bytes.len();
        } else {
            self.same = false;
            self.at += rest.iter().zip(bytes).take_while(|(met, written)| met == written).count();
        }
    }
}

/// Counts brackets outside strings, before anything recurses.
fn check_nesting(bytes: &[u8]) -> Result<(), JsonError> {
    // Nearly always there are too few brackets to nest too deep, wherever they stand.
    let opens =
        |part: &[u8]| part.iter().map(|&byte| u8::from(byte == b'[' || byte == b'{')).sum::<u8>();
    if bytes.chunks(128).map(|part| usize::from(opens(part))).sum::<usize>() <= NESTING_MAX {
        return Ok(());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(JsonError::Nesting);
        }
    }
    Ok(())
}

fn check_numbers(value: &Value) -> Result<(), JsonError> {
    match value {
        Value::Number(number) if !is_exact(number) => Err(JsonError::Number(number.to_string())),
        Value::Array(items) => items.iter().try_for_each(check_numbers),
        Value::Object(members) => members.values().try_for_each(check_numbers),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}
