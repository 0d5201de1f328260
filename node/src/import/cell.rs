//! Looking into a row: the texts of a column.

use serde_json::{Map, Value};

/// The value at `path`: a column of that name, or else a path with dots into a JSON row, whose numbers
/// index lists from 0.
pub(super) fn value<'a>(row: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = row.get(path) {
        return Some(value);
    }
    let mut segments = path.split('.');
    let mut value = row.get(segments.next()?)?;
    for segment in segments {
        value = match value {
            Value::Object(members) => members.get(segment)?,
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// The texts of a column, trimmed, without the empty ones: one of a plain value, each of a list.
pub(super) fn texts(row: &Map<String, Value>, path: &str) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(value) = value(row, path) {
        collect(value, &mut texts);
    }
    texts
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    let text = match value {
        Value::Null | Value::Object(_) => return,
        Value::Array(items) => return items.iter().for_each(|item| collect(item, texts)),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    if !text.is_empty() {
        texts.push(text);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_into_objects_and_lists() {
        let row = serde_json::json!({
            "a.b": "own name first", "a": {"b": "x"}, "c": {"d": [1, {"e": " y "}]}, "n": null, "o": {"p": 1}
        });
        let row = row.as_object().unwrap();
        assert_eq!(texts(row, "a.b"), ["own name first"]);
        assert_eq!(texts(row, "c.d.1.e"), ["y"]);
        assert_eq!(texts(row, "c.d"), ["1"]);
        for absent in ["c.d.9", "c.x", "n", "o", "z", "a.b.c"] {
            assert!(texts(row, absent).is_empty(), "{absent}");
        }
    }
}
