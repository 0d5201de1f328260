//! The error file: rows that could not be published, in full, with what is wrong with each.
//!
//! A table's rows go to CSV in the source's own encoding and separator, with columns `hutong_…` added; JSON rows go to JSON
//! lines with a member `hutong_import`. Either can be corrected and imported in place of the source: the additions are ignored.

use super::read::{Encoding, Format, Source};
use super::row::{Original, Problem};
use hutong_protocol::shown::Shown;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const ADDED_PREFIX: &str = "hutong_";
const ADDED: [&str; 5] =
    ["hutong_row", "hutong_column", "hutong_value", "hutong_reason", "hutong_cells"];

/// A file that is created with the first row put into it.
#[derive(Debug)]
pub(super) struct ErrorFile {
    path: PathBuf,
    form: Form,
    output: Option<Output>,
}

#[derive(Debug)]
enum Form {
    Table { encoding: Encoding, delimiter: u8, columns: Vec<String>, header_row: u32 },
    Lines,
}

#[derive(Debug)]
enum Output {
    Table(Box<csv::Writer<BufWriter<File>>>),
    Lines(BufWriter<File>),
}

impl ErrorFile {
    /// An error file at `folder`/`name`.csv or .jsonl, as the source's format asks. One that an earlier run left is removed.
    pub(super) fn prepare(
        folder: &Path,
        name: &str,
        format: Format,
        source: &Source,
        input: &Path,
    ) -> io::Result<Self> {
        let extension = if format.has_header() { "csv" } else { "jsonl" };
        let mut path = folder.join(format!("{name}.errors.{extension}"));
        if same_file(&path, input) {
            // The operator imports the corrected error file itself.
            path = folder.join(format!("{name}.errors.again.{extension}"));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let delimiter = source.delimiter.and_then(|c| u8::try_from(c).ok()).unwrap_or(b',');
        let form = if format.has_header() {
            Form::Table {
                encoding: source.encoding,
                delimiter,
                columns: Vec::new(),
                header_row: source.header_row.unwrap_or(1),
            }
        } else {
            Form::Lines
        };
        Ok(Self { path, form, output: None })
    }

    /// Tells the columns of the source table.
    pub(super) fn set_columns(&mut self, names: &[String]) {
        if let Form::Table { columns, .. } = &mut self.form {
            columns.clear();
            columns.extend_from_slice(names);
        }
    }

    /// Where the file is, once it has a row.
    pub(super) fn written(&self) -> Option<&Path> {
        self.output.as_ref().map(|_| self.path.as_path())
    }

    /// Adds a row with its problems, of which there is at least one.
    pub(super) fn add(&mut self, original: &Original, problems: &[Problem]) -> io::Result<()> {
        if self.output.is_none() {
            self.output = Some(self.open()?);
        }
        match (&mut self.output, &self.form) {
            (Some(Output::Table(output)), Form::Table { encoding, columns, .. }) => {
                output.write_record(table_row(original, problems, columns, *encoding))?;
                Ok(())
            }
            (Some(Output::Lines(output)), _) => {
                serde_json::to_writer(&mut *output, &json_row(original, problems))?;
                output.write_all(b"\n")
            }
            _ => Ok(()),
        }
    }

    /// Brings what was added to the disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.output {
            Some(Output::Table(output)) => output.flush(),
            Some(Output::Lines(output)) => output.flush(),
            None => Ok(()),
        }
    }

    fn open(&self) -> io::Result<Output> {
        let mut file = BufWriter::new(File::create(&self.path)?);
        let Form::Table { encoding, delimiter, columns, header_row } = &self.form else {
            return Ok(Output::Lines(file));
        };
        if *encoding == Encoding::Utf8 {
            // Spreadsheet programs take the mark as a sign of UTF-8.
            file.write_all("\u{feff}".as_bytes())?;
        }
        let mut output =
            csv::WriterBuilder::new().delimiter(*delimiter).flexible(true).from_writer(file);
        // The header stands where the mapping expects it.
        for _ in 1..*header_row {
            output.write_record(["-"])?;
        }
        let own = columns.iter().map(String::as_str).filter(|name| !is_added(name));
        output.write_record(own.chain(ADDED).map(|name| encode(*encoding, name)))?;
        Ok(Output::Table(Box::new(output)))
    }
}

fn is_added(name: &str) -> bool {
    name.starts_with(ADDED_PREFIX)
}

fn same_file(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

fn encode(encoding: Encoding, text: &str) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Gb18030 => encoding_rs::GB18030.encode(text).0.into_owned(),
    }
}

fn table_row(
    original: &Original,
    problems: &[Problem],
    columns: &[String],
    encoding: Encoding,
) -> Vec<Vec<u8>> {
    let cells: &[Vec<u8>] = match original {
        Original::Cells(cells) => cells,
        Original::Json(_) | Original::TooLong { .. } => &[],
    };
    // A row of another width has no sure columns: its cells go beside them, so that it is not
    // imported half-read by mistake.
    let (placed, beside) =
        if cells.len() == columns.len() { (cells, &[][..]) } else { (&[][..], cells) };
    let mut row: Vec<Vec<u8>> = Vec::with_capacity(columns.len() + ADDED.len());
    for (index, column) in columns.iter().enumerate() {
        if !is_added(column) {
            row.push(placed.get(index).cloned().unwrap_or_default());
        }
    }
    // The row itself is as it was; what is said of it is for people.
    let joined = |part: fn(&Problem) -> &str| {
        let parts: Vec<String> = problems
            .iter()
            .map(|problem| Shown::new(part(problem)).to_string())
            .filter(|text| !text.is_empty())
            .collect();
        encode(encoding, &parts.join("; "))
    };
    let number = problems.first().map_or(0, |problem| problem.row);
    row.push(number.to_string().into_bytes());
    row.push(joined(|problem| &problem.column));
    row.push(joined(|problem| &problem.value));
    row.push(joined(|problem| &problem.reason));
    row.push(beside.join(&b" | "[..]));
    row
}

fn json_row(original: &Original, problems: &[Problem]) -> Value {
    let list: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({"column": problem.column, "value": problem.value, "reason": problem.reason})
        })
        .collect();
    let mut added = Map::new();
    added.insert("row".into(), problems.first().map_or(0, |problem| problem.row).into());
    added.insert("problems".into(), list.into());
    let mut row = Map::new();
    if let Original::Json(bytes) = original {
        match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
            (Ok(Value::Object(object)), _) => row = object,
            (_, Ok(text)) => drop(added.insert("original".into(), text.into())),
            (_, Err(_)) => drop(added.insert("original_hex".into(), hex::encode(bytes).into())),
        }
    }
    row.insert("hutong_import".into(), added.into());
    Value::Object(row)
}
