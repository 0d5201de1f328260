//! A row as it was read: its values, its place and its original bytes.

use super::limits::QUOTE_CHARS_MAX;
use hutong_protocol::shown::Shown;
use serde_json::{Map, Value};

/// One row of the source, whole or broken.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// The row that a spreadsheet program shows, blank rows included (CSV, XLSX), the
    /// line (JSON lines) or the element counted from 1 (JSON).
    pub number: u64,
    /// The row as the file has it.
    pub original: Original,
    /// The row's values by column, or why it could not be read.
    pub values: Result<Map<String, Value>, Problem>,
    /// Cells that hold no sure value. The row fails where the mapping reads one of them.
    pub faults: Vec<Problem>,
}

/// A row's original content, kept so that an error file loses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// The cells of a table row, in the order of the columns, as bytes in the file's encoding.
    Cells(Vec<Vec<u8>>),
    /// The text of a JSON value, as bytes.
    Json(Vec<u8>),
    /// A row over the bound, left in the source file at this byte offset with this many bytes.
    TooLong {
        /// Bytes before the row in the file.
        offset: u64,
        /// Bytes of the row.
        bytes: u64,
    },
}

/// Why a row, or a value in it, cannot be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The row's number, as in [`SourceRow::number`].
    pub row: u64,
    /// The column, or the body member that it was to fill; empty when the whole row is meant.
    pub column: String,
    /// The value met, shortened to [`QUOTE_CHARS_MAX`] characters.
    pub value: String,
    /// What was expected, and what to do.
    pub reason: String,
}

impl Problem {
    /// A problem with one value of a row.
    pub fn new(row: u64, column: &str, value: &str, reason: impl Into<String>) -> Self {
        Self { row, column: column.to_owned(), value: shorten(value), reason: reason.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}", self.row)?;
        if !self.column.is_empty() {
            write!(f, ", {}", Shown::new(&self.column))?;
        }
        if !self.value.is_empty() {
            write!(f, " `{}`", Shown::new(&self.value))?;
        }
        write!(f, ": {}", Shown::new(&self.reason))
    }
}

/// The first [`QUOTE_CHARS_MAX`] characters of `text`, with `…` where it was cut.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let text = "示".repeat(QUOTE_CHARS_MAX + 1);
        assert_eq!(shorten(&text).chars().count(), QUOTE_CHARS_MAX + 1);
        assert!(shorten(&text).ends_with('…'));
        assert_eq!(shorten(&"示".repeat(QUOTE_CHARS_MAX)), "示".repeat(QUOTE_CHARS_MAX));
    }

    #[test]
    fn a_problem_names_row_column_and_value() {
        let problem = Problem::new(7, "TRL", "ten", "expected a whole number");
        assert_eq!(problem.to_string(), "row 7, TRL `ten`: expected a whole number");
        assert_eq!(Problem::new(7, "", "", "empty").to_string(), "row 7: empty");
        let problem = Problem::new(7, "a\u{202e}", "x\nrow 8", "no `\u{9b}1m`");
        assert_eq!(problem.to_string(), r"row 7, a\u{202e} `x\u{a}row 8`: no `\u{9b}1m`");
    }
}
