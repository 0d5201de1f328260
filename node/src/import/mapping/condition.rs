//! Conditions on a row: which rows are imported, and which are skipped.

use crate::import::cell;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A test of one column. Exactly one of `equals`, `one_of`, `contains` and `present` is set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Condition {
    /// The column, or a path with dots into a JSON row.
    pub column: String,
    /// The value (or, in a list, any item) is this.
    pub equals: Option<String>,
    /// The value, or any item, is one of these.
    pub one_of: Option<Vec<String>>,
    /// The value, or any item, contains this, whatever its case.
    pub contains: Option<String>,
    /// The value is there and not empty, or is not.
    pub present: Option<bool>,
    /// Turns the test round.
    #[serde(default)]
    pub not: bool,
}

/// A condition on which a row is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Drop {
    /// When the row is skipped.
    #[serde(flatten)]
    pub condition: Condition,
    /// Why, for the report.
    pub reason: String,
}

impl Condition {
    /// The condition that `column` is `value`.
    pub fn equals(column: &str, value: &str) -> Self {
        Self {
            column: column.to_owned(),
            equals: Some(value.to_owned()),
            one_of: None,
            contains: None,
            present: None,
            not: false,
        }
    }

    /// Whether `row` meets the condition.
    pub fn holds(&self, row: &Map<String, Value>) -> bool {
        let texts = cell::texts(row, &self.column);
        let met = if let Some(wanted) = &self.equals {
            texts.iter().any(|text| text == wanted)
        } else if let Some(wanted) = &self.one_of {
            texts.iter().any(|text| wanted.contains(text))
        } else if let Some(part) = &self.contains {
            let part = part.to_lowercase();
            texts.iter().any(|text| text.to_lowercase().contains(&part))
        } else {
            texts.is_empty() != self.present.unwrap_or(true)
        };
        met != self.not
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let tests = [
            self.equals.is_some(),
            self.one_of.is_some(),
            self.contains.is_some(),
            self.present.is_some(),
        ];
        if tests.into_iter().filter(|set| *set).count() == 1 {
            return Ok(());
        }
        Err(format!("`{}` needs exactly one of equals, one_of, contains and present", self.column))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn check(condition: &str, expected: bool) {
        let condition: Condition = toml::from_str(condition).unwrap();
        condition.check().unwrap();
        let row =
            serde_json::json!({"centre": "ARC", "licence": ["MIT", "Pending Release"], "none": ""});
        assert_eq!(condition.holds(row.as_object().unwrap()), expected, "{condition:?}");
    }

    #[test]
    fn conditions_hold_for_values_and_items() {
        check("column='centre'\nequals='ARC'", true);
        check("column='centre'\nequals='arc'", false);
        check("column='licence'\nequals='MIT'", true);
        check("column='licence'\ncontains='pending'", true);
        check("column='centre'\none_of=['JPL','GRC']", false);
        check("column='centre'\none_of=['JPL','GRC']\nnot=true", true);
        check("column='none'\npresent=true", false);
        check("column='absent'\npresent=false", true);
    }

    #[test]
    fn a_condition_without_or_with_two_tests_is_refused() {
        for text in ["column='a'", "column='a'\nequals='b'\ncontains='c'"] {
            let condition: Condition = toml::from_str(text).unwrap();
            assert!(condition.check().is_err(), "{text}");
        }
    }
}
