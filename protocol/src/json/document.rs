//! A JSON document as one list of what it is made of, borrowed from where it stands.
//!
//! Reading a document takes one allocation, however many members it has; a member is found by
//! walking over those before it. For documents that are read once, with bounded objects.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde_json::{Number, Value};

use super::{JsonError, read, refuse};

/// A value, or the name of a member. Lists and objects are followed by what they hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// `count` values follow; they and this one are `span` tokens.
    Array {
        count: u32,
        span: u32,
    },
    /// `count` names follow, each before its value; they and this one are `span` tokens.
    Object {
        count: u32,
        span: u32,
    },
}

/// A JSON document that is being read.
#[derive(Debug)]
pub(crate) struct Document<'a>(Vec<Token<'a>>);

/// A value in a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'d> {
    /// Its own token, what it holds, and what stands behind it.
    tokens: &'d [Token<'d>],
}

impl<'a> Document<'a> {
    /// Reads bytes that must be canonical JSON.
    ///
    /// # Errors
    ///
    /// [`JsonError`] as [`super::parse_canonical`].
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        // One look at the whole for UTF-8 is faster than one at each text.
        let text = simdutf8::basic::from_utf8(bytes).ok();
        text.and_then(read::canonical).map(Self).ok_or_else(|| refuse::reason(bytes))
    }

    /// A value in memory, to be read as a document.
    pub(crate) fn of(value: &'a Value) -> Self {
        let mut tokens = Vec::new();
        push(value, &mut tokens);
        Self(tokens)
    }

    /// Whether a number in it is no integer.
    pub(crate) fn has_fractions(&self) -> bool {
        let is_fraction = |token: &Token<'_>| matches!(token, Token::Number(it) if it.is_f64());
        self.0.iter().any(is_fraction)
    }

    /// The value that the document is.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { tokens: &self.0 }
    }
}

fn push<'a>(value: &'a Value, tokens: &mut Vec<Token<'a>>) {
    let at = tokens.len();
    match value {
        Value::Null => tokens.push(Token::Null),
        Value::Bool(flag) => tokens.push(Token::Bool(*flag)),
        Value::Number(number) => tokens.push(Token::Number(number.clone())),
        Value::String(text) => tokens.push(Token::Text(Cow::Borrowed(text))),
        Value::Array(items) => {
            tokens.push(Token::Null);
            for item in items {
                push(item, tokens);
            }
            tokens[at] = Token::Array { count: short(items.len()), span: short(tokens.len() - at) };
        }
        Value::Object(members) => {
            tokens.push(Token::Null);
            for (name, member) in members {
                tokens.push(Token::Text(Cow::Borrowed(name)));
                push(member, tokens);
            }
            let (count, span) = (short(members.len()), short(tokens.len() - at));
            tokens[at] = Token::Object { count, span };
        }
    }
}

/// A value of 2³² tokens would take a hundred gigabytes.
fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<'d> Node<'d> {
    fn token(self) -> &'d Token<'d> {
        &self.tokens[0]
    }

    /// What stands behind it.
    fn rest(self) -> &'d [Token<'d>] {
        let span = match self.token() {
            Token::Array { span, .. } | Token::Object { span, .. } => *span as usize,
            Token::Null | Token::Bool(_) | Token::Number(_) | Token::Text(_) => 1,
        };
        &self.tokens[span..]
    }

    pub(crate) fn as_text(self) -> Option<&'d str> {
        if let Token::Text(text) = self.token() { Some(text) } else { None }
    }

    pub(crate) fn as_bool(self) -> Option<bool> {
        if let Token::Bool(flag) = self.token() { Some(*flag) } else { None }
    }

    pub(crate) fn as_number(self) -> Option<&'d Number> {
        if let Token::Number(number) = self.token() { Some(number) } else { None }
    }

    pub(crate) fn as_u64(self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// What a list holds.
    pub(crate) fn items(self) -> Option<Items<'d>> {
        match self.token() {
            Token::Array { count, .. } => {
                Some(Items { left: *count as usize, tokens: &self.tokens[1..] })
            }
            _ => None,
        }
    }

    /// What an object holds: names with their values.
    pub(crate) fn members(self) -> Option<Members<'d>> {
        match self.token() {
            Token::Object { count, .. } => {
                Some(Members { count: *count as usize, tokens: &self.tokens[1..] })
            }
            _ => None,
        }
    }

    /// The value in memory of its own.
    pub(crate) fn to_value(self) -> Value {
        match self.token() {
            Token::Null => Value::Null,
            Token::Bool(flag) => Value::Bool(*flag),
            Token::Number(number) => Value::Number(number.clone()),
            Token::Text(text) => Value::String(text.clone().into_owned()),
            Token::Array { .. } => self.items().into_iter().flatten().map(Node::to_value).collect(),
            Token::Object { .. } => {
                let members = self.members().into_iter().flatten();
                members.map(|(name, value)| (name, value.to_value())).collect()
            }
        }
    }
}

/// Values one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Items<'d> {
    left: usize,
    tokens: &'d [Token<'d>],
}

impl<'d> Iterator for Items<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let node = Node { tokens: self.tokens };
        self.tokens = node.rest();
        Some(node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// What an object holds: names with their values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'d> {
    count: usize,
    tokens: &'d [Token<'d>],
}

impl<'d> Members<'d> {
    pub(crate) fn len(self) -> usize {
        self.count
    }

    /// The value of that name.
    pub(crate) fn get(self, name: &str) -> Option<Node<'d>> {
        self.into_iter().find_map(|(met, value)| (met == name).then_some(value))
    }
}

impl<'d> IntoIterator for Members<'d> {
    type Item = (&'d str, Node<'d>);
    type IntoIter = NamedItems<'d>;

    fn into_iter(self) -> Self::IntoIter {
        NamedItems(Items { left: self.count, tokens: self.tokens })
    }
}

/// Names with their values, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct NamedItems<'d>(Items<'d>);

impl<'d> Iterator for NamedItems<'d> {
    type Item = (&'d str, Node<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let [Token::Text(name), tokens @ ..] = self.0.tokens else { return None };
        self.0.tokens = tokens;
        self.0.next().map(|value| (&**name, value))
    }
}
