//! Reading the members of a JSON object, with errors that name the path and what was met there.

mod texts;

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

pub(crate) use self::texts::check_words;
use crate::json::{Members, Node};
use crate::shown::Shown;
use crate::statement::StatementError;

/// Where a value stands in its document; written out only when something is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The document.
    Root(&'static str),
    /// A member of an object.
    Member(&'p Path<'p>, &'p str),
    /// An element of a list.
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(crate) fn member<'p>(&'p self, name: &'p str) -> Path<'p> {
        Path::Member(self, name)
    }

    pub(crate) fn element(&self, index: usize) -> Path<'_> {
        Path::Element(self, index)
    }

    /// The error that `met` is not what was expected here.
    pub(crate) fn error(&self, expected: impl fmt::Display, met: Node<'_>) -> StatementError {
        self.problem(expected, &describe(met))
    }

    fn problem(&self, expected: impl fmt::Display, met: &str) -> StatementError {
        StatementError::member(self.to_string(), format!("expected {expected}, met {met}"))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// An object that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object<'a, 'p> {
    members: Members<'a>,
    path: Path<'p>,
}

impl<'a, 'p> Object<'a, 'p> {
    /// Takes `value`, which stands at `path`, as an object.
    pub(crate) fn open(value: Node<'a>, path: Path<'p>) -> Result<Self, StatementError> {
        let members = value.members().ok_or_else(|| path.error("an object", value))?;
        Ok(Self { members, path })
    }

    pub(crate) fn path(&self) -> &Path<'p> {
        &self.path
    }

    pub(crate) fn members(&self) -> Members<'a> {
        self.members
    }

    pub(crate) fn get(&self, name: &str) -> Option<Node<'a>> {
        self.members.get(name)
    }

    /// The error that member `name` is not what was expected.
    pub(crate) fn error(&self, name: &str, expected: impl fmt::Display) -> StatementError {
        let path = self.path.member(name);
        match self.get(name) {
            Some(value) => path.error(expected, value),
            None => path.problem(expected, "nothing"),
        }
    }

    /// Reads member `name`, which must be there, with `read`.
    pub(crate) fn required<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(Node<'a>) -> Option<T>,
    ) -> Result<T, StatementError> {
        self.get(name).and_then(read).ok_or_else(|| self.error(name, expected))
    }

    /// A list of at most `len_max` elements, each read with `read`; empty where it is missing.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        len_max: usize,
        expected: impl fmt::Display,
        mut read: impl FnMut(Node<'a>, Path<'_>) -> Result<T, StatementError>,
    ) -> Result<Vec<T>, StatementError> {
        let Some(list) = self.get(name) else { return Ok(Vec::new()) };
        let elements = list.items().filter(|elements| elements.len() <= len_max);
        let elements = elements.ok_or_else(|| self.error(name, expected))?;
        let path = self.path.member(name);
        let elements = elements.enumerate();
        elements.map(|(index, element)| read(element, path.element(index))).collect()
    }
}

/// `value` in a few words, for an error.
pub(crate) fn describe(value: Node<'_>) -> String {
    if let Some(text) = value.as_text() {
        return describe_text(text);
    }
    if let Some(elements) = value.items() {
        return format!("a list of {}", elements.len());
    }
    if let Some(members) = value.members() {
        return format!("an object of {} members", members.len());
    }
    value.to_value().to_string()
}

fn describe_text(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return quoted(text);
    }
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{}… of {} characters", quoted(&start), text.chars().count())
}

/// `text` in quotes, as it would stand in a program.
fn quoted(text: &str) -> String {
    Shown::new(&format!("{text:?}")).to_string()
}

/// Characters of a met text that an error shows.
const SHOWN_CHARS_MAX: usize = 48;
