//! Reading a source file row by row: JSON, JSON lines, CSV and XLSX.
//!
//! Rows are pushed to a sink as they are read, so that memory holds one row and not the file. A row
//! that cannot be read is handed on as broken and the next one is read; only what makes the rest of
//! the file meaningless ends the reading.

mod csv_table;
mod json_rows;
mod scanner;
mod workbook;

use super::limits::{FILE_BYTES_MAX, ROWS_MAX};
use super::row::SourceRow;
use serde::Deserialize;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The form of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON document: an array of objects, or an object that holds one.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values, RFC 4180, with a header.
    Csv,
    /// An Office Open XML workbook.
    Xlsx,
}

impl Format {
    /// The format that a file's extension names, if it names one.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            _ => None,
        }
    }

    /// Whether rows have a header that names all columns beforehand.
    pub fn has_header(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx)
    }
}

/// The text encoding of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB 18030, which includes GBK and GB 2312.
    #[serde(rename = "gb18030", alias = "gbk", alias = "gb2312")]
    Gb18030,
}

impl Encoding {
    /// Decodes one cell, or says that it is not text in this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Gb18030 => encoding_rs::GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(std::borrow::Cow::into_owned),
        }
    }

    /// The name as a mapping writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
        }
    }
}

/// How a source file is to be read: the `[source]` table of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The format; by the file's extension when absent.
    pub format: Option<Format>,
    /// JSON only: the member that holds the array, as a path with dots; the document itself when absent.
    pub records: Option<String>,
    /// CSV only.
    #[serde(default)]
    pub encoding: Encoding,
    /// CSV only: one ASCII character; a comma when absent (a tab for `.tsv`).
    pub delimiter: Option<char>,
    /// XLSX only: the sheet's name; the first sheet when absent.
    pub sheet: Option<String>,
    /// CSV and XLSX: the row that names the columns, counted from 1; the first when absent.
    pub header_row: Option<u32>,
}

/// What a reader hands on.
#[derive(Debug)]
pub enum Event {
    /// The columns of a table, before its first row.
    Columns(Vec<String>),
    /// A row.
    Row(SourceRow),
}

/// Takes events; `Break` ends the reading without an error.
pub type Sink<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// Why a source file cannot be read any further.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is over [`FILE_BYTES_MAX`].
    #[error("{} has {bytes} bytes, at most {FILE_BYTES_MAX} are read: split it", path.display())]
    FileTooLong {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The extension names no format.
    #[error("the format of {} is not known by its name: save a spreadsheet as .xlsx or .csv, or set `format` under [source] to json, json-lines, csv or xlsx", path.display())]
    FormatUnknown {
        /// The file.
        path: PathBuf,
    },
    /// More rows than [`ROWS_MAX`].
    #[error("the file has more than {ROWS_MAX} rows: split it")]
    TooManyRows,
    /// The JSON text breaks off or is not of the expected shape.
    #[error("at byte {offset}: {reason}")]
    Json {
        /// Bytes before the fault.
        offset: u64,
        /// What was expected and met.
        reason: String,
    },
    /// The table's header cannot be used.
    #[error("header in row {row}: {reason}")]
    Header {
        /// The header's row.
        row: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The CSV text cannot be split into rows any further.
    #[error("after row {row}: {reason}")]
    Csv {
        /// The last row that was read.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// The workbook cannot be read.
    #[error("workbook: {0}")]
    Workbook(String),
    /// The `[source]` table contradicts the format.
    #[error("[source] {0}")]
    Setting(String),
}

/// Reads `path` as `source` says and hands its rows to `sink`.
///
/// # Errors
///
/// [`ReadError`] when the file, or the rest of it, cannot be read. Rows that were handed on before stay valid.
pub fn read(path: &Path, source: &Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let format = format_of(path, source)?;
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(ReadError::FileTooLong { path: path.to_owned(), bytes });
    }
    let mut rows = 0;
    let mut counted = |event: Event| {
        rows += u64::from(matches!(event, Event::Row(_)));
        if rows > ROWS_MAX { ControlFlow::Break(()) } else { sink(event) }
    };
    match format {
        Format::Json => {
            json_rows::read_document(path, file, source.records.as_deref(), &mut counted)
        }
        Format::JsonLines => json_rows::read_lines(path, file, &mut counted),
        Format::Csv => csv_table::read(path, file, source, &mut counted),
        Format::Xlsx => workbook::read(path, file, source, &mut counted),
    }?;
    if rows > ROWS_MAX { Err(ReadError::TooManyRows) } else { Ok(()) }
}

/// The format of `path`, from the mapping or else the extension.
///
/// # Errors
///
/// [`ReadError::FormatUnknown`], or [`ReadError::Setting`] where a setting does not belong to the format.
pub fn format_of(path: &Path, source: &Source) -> Result<Format, ReadError> {
    let format = source
        .format
        .or_else(|| Format::of_path(path))
        .ok_or_else(|| ReadError::FormatUnknown { path: path.to_owned() })?;
    if source.header_row == Some(0) {
        return Err(ReadError::Setting("header_row counts from 1".to_owned()));
    }
    let misplaced = [
        (source.records.is_some() && format != Format::Json, "records is for JSON only"),
        (source.sheet.is_some() && format != Format::Xlsx, "sheet is for XLSX only"),
        (source.delimiter.is_some() && format != Format::Csv, "delimiter is for CSV only"),
        (
            source.header_row.is_some() && !format.has_header(),
            "header_row is for CSV and XLSX only",
        ),
        (
            source.encoding != Encoding::Utf8 && format != Format::Csv,
            "encoding is for CSV only: JSON and XLSX are always UTF-8",
        ),
    ];
    // A mapping that leaves the format open may serve several: what is not for this one is ignored.
    match misplaced.into_iter().find(|(wrong, _)| *wrong && source.format.is_some()) {
        Some((_, reason)) => Err(ReadError::Setting(reason.to_owned())),
        None => Ok(format),
    }
}

/// Checks a header's names: at least one. Unnamed columns are called `#3`, and columns of one name `备注#3`, `备注#4`, so
/// that no mapping can read one of them by mistake.
fn check_columns(row: u64, names: Vec<String>) -> Result<Vec<String>, ReadError> {
    let header = |reason: String| ReadError::Header { row, reason };
    if names.iter().all(String::is_empty) {
        return Err(header(
            "no column has a name: set header_row to the row that names them".into(),
        ));
    }
    let mut counts = std::collections::BTreeMap::new();
    for name in &names {
        *counts.entry(name.clone()).or_insert(0_usize) += 1;
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut columns = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let repeated = name.is_empty() || counts.get(&name).is_some_and(|count| *count > 1);
        let name = if repeated { format!("{name}#{}", index + 1) } else { name };
        if !seen.insert(name.clone()) {
            return Err(header(format!("two columns are called `{name}`: rename one")));
        }
        columns.push(name);
    }
    Ok(columns)
}

/// A column's name with runs of white space, and line breaks, made one space.
fn column_name(text: &str) -> String {
    text.trim_start_matches('\u{feff}').split_whitespace().collect::<Vec<_>>().join(" ")
}
