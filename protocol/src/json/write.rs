//! Writing canonical JSON.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::INTEGER_MAX;

/// Where canonical bytes go.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes `value` in its one form.
pub(super) fn write(value: &Value, out: &mut impl Sink) {
    match value {
        Value::Null => out.put(b"null"),
        Value::Bool(true) => out.put(b"true"),
        Value::Bool(false) => out.put(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.put(b"[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.put(b",");
                }
                write(item, out);
            }
            out.put(b"]");
        }
        Value::Object(members) => write_object(members, out),
    }
}

fn write_object(members: &Map<String, Value>, out: &mut impl Sink) {
    out.put(b"{");
    // Maps are sorted by UTF-8 bytes, which is nearly always the order wanted.
    if members.keys().is_sorted_by(|a, b| utf16_order(a, b).is_lt()) {
        members.iter().enumerate().for_each(|(index, member)| write_member(index, member, out));
    } else {
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        let sorted = sorted.into_iter().enumerate();
        sorted.for_each(|(index, member)| write_member(index, member, out));
    }
    out.put(b"}");
}

fn write_member(index: usize, (name, value): (&String, &Value), out: &mut impl Sink) {
    if index > 0 {
        out.put(b",");
    }
    write_text(name, out);
    out.put(b":");
    write(value, out);
}

/// The order of RFC 8785 §3.2.3: by UTF-16 code units.
///
/// It is that of UTF-8 but for characters beyond U+FFFF, which come before U+E000 to U+FFFF.
pub(super) fn utf16_order(a: &str, b: &str) -> Ordering {
    let beyond = |byte: u8| byte >= 0xf0;
    match a.bytes().zip(b.bytes()).find(|(a, b)| a != b) {
        Some((a, b)) if beyond(a) != beyond(b) && a.min(b) >= 0xee => b.cmp(&a),
        Some((a, b)) => a.cmp(&b),
        None => a.len().cmp(&b.len()),
    }
}

fn write_number(number: &Number, out: &mut impl Sink) {
    out.put(number_text(number).as_bytes());
}

/// A number as ECMAScript writes it.
pub(super) fn number_text(number: &Number) -> String {
    let integer = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    match (integer, number.as_f64()) {
        (Some(size), _) if size <= INTEGER_MAX => number.to_string(),
        (_, Some(double)) => ryu_js::Buffer::new().format(double).to_string(),
        (_, None) => "null".to_string(),
    }
}

fn write_text(text: &str, out: &mut impl Sink) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.put(b"\"");
    if !needs_escapes(bytes) {
        out.put(bytes);
        out.put(b"\"");
        return;
    }
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            0x09 => b"\\t",
            0x0a => b"\\n",
            0x0c => b"\\f",
            0x0d => b"\\r",
            0x00..=0x1f => b"",
            _ => continue,
        };
        out.put(&bytes[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            out.put(b"\\u00");
            out.put(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.put(escape);
        }
    }
    out.put(&bytes[plain..]);
    out.put(b"\"");
}

/// Looks at every byte without a branch, so that many are looked at together.
fn needs_escapes(bytes: &[u8]) -> bool {
    let escaped =
        |byte: u8| u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\');
    bytes.iter().fold(0, |found, &byte| found | escaped(byte)) != 0
}
