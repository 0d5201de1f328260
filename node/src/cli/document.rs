//! Files and words that a person writes for a statement: bodies in JSON or TOML, audiences.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::exit::Usage;

/// A group of [`crate::api::model::STATEMENTS_MAX`] statements of a usual size.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Reads one object, or a list of objects, from a JSON or TOML file, or from standard input for `-`.
///
/// # Errors
///
/// The file cannot be read, is too large, or holds something else.
pub fn read(path: &Path) -> anyhow::Result<Vec<Map<String, Value>>> {
    let text = read_text(path)?;
    let toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let value: Value = if toml {
        toml::from_str(&text).with_context(|| format!("{} is no TOML", path.display()))?
    } else {
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?
    };
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(members) => Ok(members),
            other => Err(Usage(format!(
                "{}: expected an object with the statement's fields, met {other}",
                path.display()
            ))
            .into()),
        })
        .collect()
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let context = || format!("cannot read {}", path.display());
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(context)?;
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    };
    let length = read.with_context(context)? as u64;
    anyhow::ensure!(
        length <= FILE_BYTES_MAX,
        "{} is larger than {FILE_BYTES_MAX} bytes: divide it, or use `import`",
        path.display()
    );
    // Windows editors begin a UTF-8 file with a byte-order mark, which is no JSON.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// Reads `public`, `domestic` or `members:ID,ID`.
///
/// # Errors
///
/// [`Usage`] for anything else.
pub fn audience(text: &str) -> anyhow::Result<Value> {
    match text.split_once(':') {
        None if matches!(text, "public" | "domestic") => Ok(json!(text)),
        Some(("members", list)) if !list.is_empty() => {
            let mut members: Vec<&str> = list.split(',').map(str::trim).collect();
            members.sort_unstable();
            members.dedup();
            Ok(json!({"members": members}))
        }
        _ => Err(Usage(format!(
            "--audience: expected public, domestic or members:ID,ID, met `{text}`"
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read_as(name: &str, text: &str) -> anyhow::Result<Vec<Map<String, Value>>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_once() {
        for (name, text) in [("a.json", "\u{feff}{\"a\":1}"), ("a.toml", "\u{feff}a = 1")] {
            assert_eq!(read_as(name, text).unwrap()[0]["a"], 1, "{name}");
        }
        assert!(read_as("a.json", "\u{feff}\u{feff}{}").is_err());
    }

    #[test]
    fn json_and_toml_give_the_same_fields() {
        let json = read_as("a.json", r#"{"revision": 1, "title": {"zh": "题"}}"#).unwrap();
        let toml = read_as("a.toml", "revision = 1\ntitle = { zh = \"题\" }\n").unwrap();
        assert_eq!(json, toml);
        assert_eq!(read_as("a.json", "[{}, {}]").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(read_as("a.json", "[1]").is_err());
        assert!(read_as("a.json", "{").is_err());
        assert!(read_as("a.toml", "{}").is_err());
    }

    #[test]
    fn an_audience_is_one_of_three() {
        assert_eq!(audience("domestic").unwrap(), json!("domestic"));
        assert_eq!(audience("members:b,a,b").unwrap(), json!({"members": ["a", "b"]}));
        for wrong in ["", "everyone", "members:", "member:a"] {
            assert!(audience(wrong).is_err(), "{wrong}");
        }
    }
}
