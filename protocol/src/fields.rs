//! Reading the members of a JSON object: present, of the right kind, within bounds, none unknown.
//!
//! For the objects of authority (descriptors, charters, receipts). Every error names the member and
//! what was expected of it.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::str::FromStr;

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value};

use crate::shown::Shown;

/// Why an object's member cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}.{}`: expected {expected}", Shown::new(object), Shown::new(member))]
pub struct FieldError {
    /// Which object was read.
    pub object: String,
    /// Which of its members; empty where the object itself is wrong.
    pub member: String,
    /// What was expected there.
    pub expected: &'static str,
}

/// An object that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    name: &'a str,
    members: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Takes `value`, called `name` in errors, as an object.
    pub(crate) fn open(value: &'a Value, name: &'a str) -> Result<Self, FieldError> {
        let members = value.as_object().ok_or_else(|| FieldError {
            object: name.to_string(),
            member: String::new(),
            expected: "an object",
        })?;
        Ok(Self { name, members })
    }

    /// Refuses members that are not among `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), FieldError> {
        match self.members.keys().find(|member| !known.contains(&member.as_str())) {
            Some(member) => Err(self.error(member, "no such member")),
            None => Ok(()),
        }
    }

    /// The error that `member` is not what was expected.
    pub(crate) fn error(&self, member: &str, expected: &'static str) -> FieldError {
        FieldError { object: self.name.to_string(), member: member.to_string(), expected }
    }

    pub(crate) fn optional(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member)
    }

    pub(crate) fn value(&self, member: &str) -> Result<&'a Value, FieldError> {
        self.optional(member).ok_or_else(|| self.error(member, "a value"))
    }

    pub(crate) fn text(&self, member: &str) -> Result<&'a str, FieldError> {
        self.optional(member).and_then(Value::as_str).ok_or_else(|| self.error(member, "a text"))
    }

    /// A text of 1 to `bytes_max` bytes without control characters.
    pub(crate) fn bounded_text(
        &self,
        member: &str,
        bytes_max: usize,
    ) -> Result<&'a str, FieldError> {
        let text = self.text(member)?;
        if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
            return Err(self.error(member, "a short text without control characters"));
        }
        Ok(text)
    }

    /// A text that parses as a `T`.
    pub(crate) fn parsed<T: FromStr>(
        &self,
        member: &str,
        expected: &'static str,
    ) -> Result<T, FieldError> {
        self.text(member)?.parse().map_err(|_| self.error(member, expected))
    }

    pub(crate) fn number(&self, member: &str) -> Result<u64, FieldError> {
        self.optional(member)
            .and_then(Value::as_u64)
            .ok_or_else(|| self.error(member, "a number from 0 to 2^53-1"))
    }

    pub(crate) fn number_u32(&self, member: &str) -> Result<u32, FieldError> {
        u32::try_from(self.number(member)?).map_err(|_| self.error(member, "a number below 2^32"))
    }

    pub(crate) fn list(&self, member: &str, len_max: usize) -> Result<&'a [Value], FieldError> {
        let list = self.optional(member).and_then(Value::as_array);
        let list = list.ok_or_else(|| self.error(member, "a list"))?;
        if list.len() > len_max {
            return Err(self.error(member, "a shorter list"));
        }
        Ok(list)
    }

    pub(crate) fn texts(&self, member: &str, len_max: usize) -> Result<Vec<&'a str>, FieldError> {
        let list = self.list(member, len_max)?;
        let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
        texts.ok_or_else(|| self.error(member, "a list of texts"))
    }

    pub(crate) fn map(
        &self,
        member: &str,
        len_max: usize,
    ) -> Result<&'a Map<String, Value>, FieldError> {
        let map = self.optional(member).and_then(Value::as_object);
        let map = map.ok_or_else(|| self.error(member, "an object"))?;
        if map.len() > len_max {
            return Err(self.error(member, "fewer members"));
        }
        Ok(map)
    }

    /// Bytes in standard base64 with padding, in its one encoding.
    pub(crate) fn base64(&self, member: &str, bytes_max: usize) -> Result<Vec<u8>, FieldError> {
        let text = self.text(member)?;
        if text.len() > bytes_max.div_ceil(3) * 4 {
            return Err(self.error(member, "fewer bytes"));
        }
        Base64::decode_vec(text).map_err(|_| self.error(member, "standard base64 with padding"))
    }
}

/// The text form that [`Fields::base64`] reads.
pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
