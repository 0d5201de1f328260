//! Splits JSON text into values without building them, in one pass and bounded memory.
//!
//! Only brackets, strings and separators are understood here; whether a value is well-formed is for
//! the JSON parser that gets its bytes.

use super::ReadError;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// A value's bytes, or how long it is when it is over the bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    Bytes(Vec<u8>),
    TooLong { offset: u64, bytes: u64 },
}

/// Reads JSON tokens from `input`.
pub(super) struct Scanner<R> {
    input: R,
    offset: u64,
    path: PathBuf,
}

/// Where scanned bytes go: kept up to a bound, and counted.
struct Keep {
    bytes: Vec<u8>,
    count: u64,
    bytes_max: usize,
}

impl Keep {
    fn push(&mut self, byte: u8) {
        self.count += 1;
        if self.bytes.len() < self.bytes_max {
            self.bytes.push(byte);
        }
    }
}

impl<R: BufRead> Scanner<R> {
    pub(super) fn new(path: &Path, input: R) -> Result<Self, ReadError> {
        let mut scanner = Self { input, offset: 0, path: path.to_owned() };
        scanner.skip_mark()?;
        Ok(scanner)
    }

    /// Skips a UTF-8 byte order mark.
    fn skip_mark(&mut self) -> Result<(), ReadError> {
        if self.peek()? == Some(0xef) {
            for expected in [0xef, 0xbb, 0xbf] {
                if self.bump()? != Some(expected) {
                    return Err(self.fault("expected UTF-8 text"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn fault(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Json { offset: self.offset, reason: reason.into() }
    }

    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        let path = &self.path;
        let buffer =
            self.input.fill_buf().map_err(|source| ReadError::Io { path: path.clone(), source })?;
        Ok(buffer.first().copied())
    }

    fn bump(&mut self) -> Result<Option<u8>, ReadError> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.input.consume(1);
            self.offset += 1;
        }
        Ok(byte)
    }

    /// The next byte that is not white space, left in place.
    pub(super) fn peek_token(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.bump()?;
        }
        Ok(None)
    }

    /// Takes the next token, which must be `expected`.
    pub(super) fn take(&mut self, expected: u8) -> Result<(), ReadError> {
        match self.peek_token()? {
            Some(byte) if byte == expected => self.bump().map(|_| ()),
            Some(byte) => Err(self.fault(format!(
                "expected `{}`, met `{}`",
                char::from(expected),
                char::from(byte).escape_default()
            ))),
            None => Err(self.fault(format!(
                "expected `{}`, the file ends: is it complete?",
                char::from(expected)
            ))),
        }
    }

    /// Takes one value of at most `bytes_max` bytes; a longer one is passed over.
    pub(super) fn value(&mut self, bytes_max: usize) -> Result<Scanned, ReadError> {
        let first = self.peek_token()?;
        let start = self.offset;
        let mut keep = Keep { bytes: Vec::new(), count: 0, bytes_max };
        match first {
            Some(b'{' | b'[') => self.nested(&mut keep)?,
            Some(b'"') => self.string(&mut keep)?,
            Some(_) => self.scalar(&mut keep)?,
            None => return Err(self.fault("expected a value, the file ends: is it complete?")),
        }
        if keep.count > bytes_max as u64 {
            return Ok(Scanned::TooLong { offset: start, bytes: keep.count });
        }
        Ok(Scanned::Bytes(keep.bytes))
    }

    fn nested(&mut self, keep: &mut Keep) -> Result<(), ReadError> {
        let mut depth = 0_u64;
        while let Some(byte) = self.peek()? {
            if byte == b'"' {
                self.string(keep)?;
                continue;
            }
            self.bump()?;
            keep.push(byte);
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(self.fault("a bracket is not closed at the end of the file: is it complete?"))
    }

    fn string(&mut self, keep: &mut Keep) -> Result<(), ReadError> {
        let mut escaped = false;
        let mut opened = false;
        while let Some(byte) = self.bump()? {
            keep.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' if opened => return Ok(()),
                b'"' => opened = true,
                _ => {}
            }
        }
        Err(self.fault("a string is not closed at the end of the file: is it complete?"))
    }

    fn scalar(&mut self, keep: &mut Keep) -> Result<(), ReadError> {
        while let Some(byte) = self.peek()? {
            if matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace() {
                break;
            }
            self.bump()?;
            keep.push(byte);
        }
        if keep.count == 0 { Err(self.fault("expected a value")) } else { Ok(()) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn scanner(text: &str) -> Scanner<&[u8]> {
        Scanner::new(Path::new("test.json"), text.as_bytes()).unwrap()
    }

    fn first(text: &str) -> String {
        match scanner(text).value(64).unwrap() {
            Scanned::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Scanned::TooLong { offset, bytes } => format!("{offset}+{bytes}"),
        }
    }

    #[test]
    fn a_value_ends_where_its_brackets_close() {
        assert_eq!(first(r#" {"a":[1,{"b":"}]"}]} , 2"#), r#"{"a":[1,{"b":"}]"}]}"#);
        assert_eq!(first(r#""a\"b\\" x"#), r#""a\"b\\""#);
        assert_eq!(first("-1.5e3,2"), "-1.5e3");
        assert_eq!(first("\u{feff}true"), "true");
    }

    #[test]
    fn a_value_over_the_bound_is_passed_over() {
        let text = format!("  [{}] 7", "1,".repeat(40));
        let mut scanner = scanner(&text);
        assert_eq!(scanner.value(64).unwrap(), Scanned::TooLong { offset: 2, bytes: 82 });
        assert_eq!(scanner.value(64).unwrap(), Scanned::Bytes(b"7".to_vec()));
    }

    #[test]
    fn an_open_bracket_or_string_is_refused() {
        for text in ["[1", "{\"a\": \"b", "\"\\\"", "", ",", "\u{feff}"] {
            assert!(scanner(text).value(64).is_err(), "{text}");
        }
    }
}
