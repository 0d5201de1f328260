//! Reading canonical JSON in one pass: what is not in the one form of its value is not read.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Number, Value};

use super::document::Token;
use super::write::{number_text, utf16_order};
use super::{NESTING_MAX, is_exact};

/// Any integer of so many digits is below [`INTEGER_MAX`](super::INTEGER_MAX), which has one more.
const SMALL_DIGITS_MAX: usize = 15;

/// Bytes of text for one token, as statements have them: a guess that saves growing.
const TOKEN_BYTES: usize = 24;

/// Tokens for which there is room at first: what allocators hand out fast is at most a kibibyte.
const TOKENS_FIRST: usize = 40;

/// The tokens of a text that is canonical JSON of at most [`NESTING_MAX`] levels, with no number
/// beyond [`INTEGER_MAX`](super::INTEGER_MAX); `None` of any other.
pub(super) fn canonical(text: &str) -> Option<Vec<Token<'_>>> {
    let tokens = Vec::with_capacity((text.len() / TOKEN_BYTES + 1).min(TOKENS_FIRST));
    let mut reader = Reader { text, at: 0, tokens };
    reader.value(0)?;
    (reader.at == text.len()).then_some(reader.tokens)
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte to be read.
    at: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over `byte`, if it is the next one.
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// Reads a value that stands inside `depth` others.
    fn value(&mut self, depth: usize) -> Option<()> {
        let token = match self.peek()? {
            b'"' => Token::Text(self.text()?),
            b'{' => return self.object(depth + 1),
            b'[' => return self.array(depth + 1),
            b't' => self.literal("true", Token::Bool(true))?,
            b'f' => self.literal("false", Token::Bool(false))?,
            b'n' => self.literal("null", Token::Null)?,
            _ => Token::Number(self.number()?),
        };
        self.tokens.push(token);
        Some(())
    }

    fn literal(&mut self, literal: &str, token: Token<'a>) -> Option<Token<'a>> {
        self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()).then(|| {
            self.at += literal.len();
            token
        })
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let (opened, mut count) = (self.open(depth)?, 0);
        if !self.take(b']') {
            loop {
                self.value(depth)?;
                count += 1;
                if !self.take(b',') {
                    break;
                }
            }
            self.take(b']').then_some(())?;
        }
        self.tokens[opened] = Token::Array { count, span: self.span(opened)? };
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let (opened, mut count) = (self.open(depth)?, 0);
        let mut before = None;
        if !self.take(b'}') {
            loop {
                self.name(&mut before)?;
                self.value(depth)?;
                count += 1;
                if !self.take(b',') {
                    break;
                }
            }
            self.take(b'}').then_some(())?;
        }
        self.tokens[opened] = Token::Object { count, span: self.span(opened)? };
        Some(())
    }

    /// Passes over a bracket; what it opens gets its token when it is closed.
    fn open(&mut self, depth: usize) -> Option<usize> {
        self.at += 1;
        self.tokens.push(Token::Null);
        (depth <= NESTING_MAX).then_some(self.tokens.len() - 1)
    }

    fn span(&self, opened: usize) -> Option<u32> {
        u32::try_from(self.tokens.len() - opened).ok()
    }

    /// Reads a member's name, which must come after the one whose token is `before`.
    fn name(&mut self, before: &mut Option<usize>) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        let name = self.text()?;
        if let Some(before) = before
            && let Token::Text(before) = &self.tokens[*before]
            && utf16_order(before, &name).is_ge()
        {
            return None;
        }
        *before = Some(self.tokens.len());
        self.tokens.push(Token::Text(name));
        self.take(b':').then_some(())
    }

    /// Reads a text, whose first quotation mark is the next byte.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let end = start + plain(&bytes[start..]);
        match bytes.get(end)? {
            b'"' => {
                self.at = end + 1;
                self.text.get(start..end).map(Cow::Borrowed)
            }
            b'\\' => self.escaped(start, end).map(Cow::Owned),
            _ => None,
        }
    }

    /// Reads a text whose first escape stands at `end`.
    fn escaped(&mut self, mut start: usize, mut end: usize) -> Option<String> {
        let bytes = self.text.as_bytes();
        let mut text = String::new();
        loop {
            text.push_str(self.text.get(start..end)?);
            match bytes.get(end)? {
                b'"' => {
                    self.at = end + 1;
                    return Some(text);
                }
                b'\\' => {
                    let (char, length) = escape(&bytes[end..])?;
                    text.push(char);
                    start = end + length;
                    end = start + plain(&bytes[start..]);
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Number> {
        let bytes = &self.text.as_bytes()[self.at..];
        let of_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = bytes.iter().take_while(of_number).count();
        let bytes = &bytes[..length];
        let number = small_integer(bytes).or_else(|| other_number(bytes))?;
        self.at += length;
        Some(number)
    }
}

/// An integer that is nowhere near any bound, as nearly all are.
fn small_integer(bytes: &[u8]) -> Option<Number> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let in_form = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => {
            digits.len() <= SMALL_DIGITS_MAX && rest.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    if !in_form {
        return None;
    }
    let value = digits.iter().fold(0, |value: i64, digit| value * 10 + i64::from(digit - b'0'));
    // Positive ones are unsigned to serde_json, which tells the two apart.
    Some(if negative { Number::from(-value) } else { Number::from(value.unsigned_abs()) })
}

/// A number that is written as RFC 8785 writes its value.
fn other_number(bytes: &[u8]) -> Option<Number> {
    let Ok(Value::Number(number)) = serde_json::from_slice(bytes) else { return None };
    (is_exact(&number) && number_text(&number).as_bytes() == bytes).then_some(number)
}

/// The character of an escape at the beginning of `bytes`, and its length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    Some(match bytes {
        [_, b'"', ..] => ('"', 2),
        [_, b'\\', ..] => ('\\', 2),
        [_, b'b', ..] => ('\u{8}', 2),
        [_, b't', ..] => ('\t', 2),
        [_, b'n', ..] => ('\n', 2),
        [_, b'f', ..] => ('\u{c}', 2),
        [_, b'r', ..] => ('\r', 2),
        [_, b'u', b'0', b'0', high @ b'0'..=b'1', low @ (b'0'..=b'9' | b'a'..=b'f'), ..] => {
            let char = char::from(
                16 * (high - b'0') + if *low < b'a' { low - b'0' } else { low - b'a' + 10 },
            );
            // Those have a short escape.
            if matches!(char, '\u{8}' | '\t' | '\n' | '\u{c}' | '\r') {
                return None;
            }
            (char, 6)
        }
        _ => return None,
    })
}

/// How many bytes there are before the first that a text cannot hold as it is.
fn plain(bytes: &[u8]) -> usize {
    // Most texts are short: they end within the first words.
    let (words, _) = bytes.as_chunks::<8>();
    for (word, at) in words.iter().take(SHORT_WORDS).zip((0..).step_by(8)) {
        if let Some(special) = first_special(*word) {
            return at + special;
        }
    }
    let mut at = 8 * words.len().min(SHORT_WORDS);
    // In long ones, many bytes are looked at together, without a branch for each.
    let (chunks, _) = bytes[at..].as_chunks::<32>();
    let is_special =
        |byte: u8| u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let is_plain =
        |chunk: &&[u8; 32]| chunk.iter().fold(0, |found, byte| found | is_special(*byte)) == 0;
    at += 32 * chunks.iter().take_while(is_plain).count();
    let (words, rest) = bytes[at..].as_chunks::<8>();
    for word in words {
        match first_special(*word) {
            Some(special) => return at + special,
            None => at += 8,
        }
    }
    at + rest.iter().take_while(|byte| is_special(**byte) == 0).count()
}

/// Words in which most texts end.
const SHORT_WORDS: usize = 2;

/// The place of the first byte in `word` that a text cannot hold as it is.
fn first_special(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = 0x80 * ONES;
    let word = u64::from_le_bytes(word);
    // The high bit of each byte below `limit`; those above the lowest such byte may be wrong.
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word & HIGHS;
    let equal = |byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
    let found = below(word, b' '.into()) | equal(b'"') | equal(b'\\');
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}
