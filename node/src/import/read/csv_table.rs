//! Rows from comma-separated values.
//!
//! The bytes are split first and each cell is decoded after, which is sound for both encodings: comma,
//! quote, tab, semicolon and line end never occur inside a multi-byte character of UTF-8 or GB 18030.
//! A badly encoded cell thus costs its row and not the file.

use super::{Encoding, Event, ReadError, Sink, Source, check_columns, column_name};
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};
use crate::import::row::{Original, Problem, SourceRow};
use csv::ByteRecord;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::rc::Rc;

/// Bytes that the CSV parser reads ahead of a record.
const AHEAD_BYTES: usize = 1 << 16;

/// Reads the table in `file`.
pub(super) fn read(
    path: &Path,
    file: File,
    source: &Source,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let delimiter = delimiter(path, source)?;
    let mut file = file;
    let head = head(&mut file).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        let reason = "the table is in UTF-16 (Unicode text): save it as CSV in UTF-8";
        return Err(ReadError::Csv { row: 0, reason: reason.to_owned() });
    }
    let read_bytes = Rc::new(Cell::new(0));
    let input = Gauge { input: file, read_bytes: Rc::clone(&read_bytes) };
    // The last line ends as the others do, so that lines can be counted: after `\r` the parser has ended a row already.
    let crlf = head.windows(2).any(|pair| pair == b"\r\n");
    let input = input.chain(if crlf { &b"\r"[..] } else { b"\n" });
    let mut table = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(AHEAD_BYTES)
        .from_reader(input);
    let header_row = u64::from(source.header_row.unwrap_or(1));
    let mut columns = Vec::new();
    let mut record = ByteRecord::new();
    let mut number = 0;
    loop {
        read_bytes.set(0);
        let line = table.position().line();
        let more = table
            .read_byte_record(&mut record)
            .map_err(|error| ReadError::Csv { row: number, reason: error.to_string() })?;
        if !more {
            break;
        }
        number += 1 + blank_lines(table.position().line() - line, &record);
        let flow = if number < header_row {
            continue;
        } else if columns.is_empty() && number == header_row {
            columns = header(number, &record, source.encoding)?;
            sink(Event::Columns(columns.clone()))
        } else if columns.is_empty() {
            let reason = "the row is empty: set header_row to the row that names the columns";
            return Err(ReadError::Header { row: header_row, reason: reason.to_owned() });
        } else if record.iter().all(<[u8]>::is_empty) {
            continue;
        } else {
            sink(Event::Row(row(number, &record, &columns, source.encoding)))
        };
        if flow.is_break() {
            return Ok(());
        }
    }
    if columns.is_empty() {
        let reason = "the file ends before it".to_owned();
        return Err(ReadError::Header { row: header_row, reason });
    }
    Ok(())
}

/// Blank lines before `record`, of the `lines` that the parser has passed since the record before. It passes over blank
/// lines; a spreadsheet program counts them. The other lines are the record's end and the breaks inside its cells.
fn blank_lines(lines: u64, record: &ByteRecord) -> u64 {
    let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
    lines.saturating_sub(breaks + 1)
}

/// The file's first bytes.
fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.by_ref().take(AHEAD_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

fn delimiter(path: &Path, source: &Source) -> Result<u8, ReadError> {
    let tabs = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let delimiter = source.delimiter.unwrap_or(if tabs { '\t' } else { ',' });
    if matches!(delimiter, ',' | ';' | '\t') {
        return Ok(delimiter as u8);
    }
    if delimiter == '|' && source.encoding == Encoding::Utf8 {
        return Ok(b'|');
    }
    // `|` is the second byte of some GB 18030 characters.
    Err(ReadError::Setting(format!(
        "delimiter must be a comma, semicolon or tab (or, in UTF-8 only, a bar), not {delimiter:?}"
    )))
}

fn header(number: u64, record: &ByteRecord, encoding: Encoding) -> Result<Vec<String>, ReadError> {
    let fault = |reason: String| ReadError::Header { row: number, reason };
    if record.len() > COLUMNS_MAX {
        return Err(fault(format!("{} columns, at most {COLUMNS_MAX} are read", record.len())));
    }
    let mut names = Vec::with_capacity(record.len());
    for cell in record {
        let name = encoding.decode(cell).ok_or_else(|| {
            fault(format!(
                "the text is not {}: set `encoding` under [source] to gb18030 or utf-8, as the file has it",
                encoding.name()
            ))
        })?;
        names.push(column_name(&name));
    }
    check_columns(number, names)
}

fn row(number: u64, record: &ByteRecord, columns: &[String], encoding: Encoding) -> SourceRow {
    let original = Original::Cells(record.iter().map(<[u8]>::to_vec).collect());
    SourceRow {
        number,
        original,
        values: values(number, record, columns, encoding),
        faults: Vec::new(),
    }
}

fn values(
    number: u64,
    record: &ByteRecord,
    columns: &[String],
    encoding: Encoding,
) -> Result<Map<String, Value>, Problem> {
    if record.len() != columns.len() {
        let reason = format!(
            "the row has {} cells, the header has {}: is a quote or line break misplaced?",
            record.len(),
            columns.len()
        );
        return Err(Problem::new(number, "", "", reason));
    }
    let mut values = Map::new();
    for (column, cell) in columns.iter().zip(record) {
        if cell.len() > CELL_BYTES_MAX {
            let reason =
                format!("the cell has {} bytes, at most {CELL_BYTES_MAX} are read", cell.len());
            return Err(Problem::new(number, column, "", reason));
        }
        let text = encoding.decode(cell).ok_or_else(|| {
            let reason = format!("the cell is not {} text", encoding.name());
            Problem::new(number, column, &String::from_utf8_lossy(cell), reason)
        })?;
        values.insert(column.clone(), Value::String(text));
    }
    Ok(values)
}

/// Refuses to read on when one record has taken more than a row may have.
struct Gauge<R> {
    input: R,
    read_bytes: Rc<Cell<usize>>,
}

impl<R: Read> Read for Gauge<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read_bytes.get() > ROW_BYTES_MAX + AHEAD_BYTES {
            let reason =
                format!("a row has more than {ROW_BYTES_MAX} bytes: is a quote left open?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let count = self.input.read(buffer)?;
        self.read_bytes.set(self.read_bytes.get() + count);
        Ok(count)
    }
}
