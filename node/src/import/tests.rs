//! Imports from end to end, against a node in memory.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod catalogue;
mod contracts;
mod manual;
mod memory;
mod readers;
mod rules;
mod runs;
mod targets;

use super::read::{self, Event, ReadError, Source};
use super::row::SourceRow;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a file holds: its columns and its rows.
#[derive(Debug, Default)]
struct Content {
    columns: Vec<String>,
    rows: Vec<SourceRow>,
}

impl Content {
    /// The rows' values as compact JSON, or `! reason` for a broken row.
    fn values(&self) -> Vec<String> {
        let text = |row: &SourceRow| match &row.values {
            Ok(values) => serde_json::to_string(values).unwrap(),
            Err(problem) => format!("! {problem}"),
        };
        self.rows.iter().map(text).collect()
    }
}

fn content(path: &Path, source: &str) -> Result<Content, ReadError> {
    let source: Source = toml::from_str(source).unwrap();
    let mut content = Content::default();
    read::read(path, &source, &mut |event| {
        match event {
            Event::Columns(columns) => content.columns = columns,
            Event::Row(row) => content.rows.push(row),
        }
        ControlFlow::Continue(())
    })?;
    Ok(content)
}

/// A folder that is removed after the test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn imports(&self) -> PathBuf {
        self.0.path().join("imports")
    }
}
