//! Canonical JSON (RFC 8785), and refusing everything else.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde_json::{Map, Number, Value};

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
    write(value, &mut out);
    out
}

/// Reads bytes that must be canonical JSON.
///
/// # Errors
///
/// [`JsonError`], also for duplicate members, which no canonical form has.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JsonError> {
    check_nesting(bytes)?;
    // One look at the whole for UTF-8 is faster than one at each text.
    let text = core::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.to_string()))?;
    let value: Value =
        serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    check_integers(&value)?;
    let mut expected = Expected { bytes, at: 0, same: true };
    write(&value, &mut expected);
    if expected.same && expected.at == bytes.len() {
        return Ok(value);
    }
    Err(JsonError::NotCanonical(expected.at))
}

/// Where canonical bytes go.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
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

fn check_integers(value: &Value) -> Result<(), JsonError> {
    match value {
        Value::Number(number) => match number.as_i64().map(i64::unsigned_abs).or(number.as_u64()) {
            Some(size) if size > INTEGER_MAX => Err(JsonError::Integer(number.to_string())),
            Some(_) | None => Ok(()),
        },
        Value::Array(items) => items.iter().try_for_each(check_integers),
        Value::Object(members) => members.values().try_for_each(check_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn write(value: &Value, out: &mut impl Sink) {
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

/// The order of RFC 8785 §3.2.3: by UTF-16 code units, which differs for surrogates.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn write_number(number: &Number, out: &mut impl Sink) {
    let integer = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    match (integer, number.as_f64()) {
        (Some(size), _) if size <= INTEGER_MAX => {
            out.put(number.to_string().as_bytes());
        }
        (_, Some(double)) => {
            let mut buffer = ryu_js::Buffer::new();
            out.put(buffer.format(double).as_bytes());
        }
        (_, None) => out.put(b"null"),
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::format;

    use serde_json::json;

    use super::*;

    /// RFC 8785 §3.2.2 and §3.2.3.
    #[test]
    fn the_examples_of_rfc_8785_come_out_as_printed() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,\
            0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), expected);
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5,
            "\u{80}": 6, "\u{f6}": 7});
        let expected =
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), expected);
    }

    /// RFC 8785 appendix B: IEEE 754 bits and their text.
    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        for (bits, text) in [
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let value = Value::from(f64::from_bits(bits));
            assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), text);
        }
        assert_eq!(canonicalize(&json!(-0.0)), b"0");
    }

    #[test]
    fn one_value_has_one_byte_string() {
        for text in [r#"{"a":1,"b":[true,"x"]}"#, "[]", "0", r#""é""#, "9007199254740991"] {
            assert!(parse_canonical(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e2}"#,
            r#"{"a":-0}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\/"}"#,
            "9007199254740992",
            "-9007199254740993",
            "[1]\n",
            "",
            "nul",
        ] {
            assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_before_anything_recurses() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_canonical(nested(NESTING_MAX).as_bytes()).is_ok());
        assert_eq!(parse_canonical(nested(NESTING_MAX + 1).as_bytes()), Err(JsonError::Nesting));
        assert_eq!(parse_canonical(nested(100_000).as_bytes()), Err(JsonError::Nesting));
    }
}
