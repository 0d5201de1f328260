//! Rows from JSON: an array of objects, an object that holds one, or one object a line.

use super::scanner::{Scanned, Scanner};
use super::{Event, ReadError, Sink};
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};
use crate::import::row::{Original, Problem, SourceRow};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// From here on, a double does not hold every whole number: 2^53.
const EXACT_END: f64 = 9_007_199_254_740_992.0;

/// Reads a document whose rows are the elements of an array, at the member path `records` if given.
pub(super) fn read_document(
    path: &Path,
    file: File,
    records: Option<&str>,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut scanner = Scanner::new(path, BufReader::with_capacity(1 << 16, file))?;
    if let Some(records) = records {
        for name in records.split('.') {
            descend(&mut scanner, name)?;
        }
    } else if scanner.peek_token()? == Some(b'{') {
        return Err(scanner.fault(
            "expected an array of objects, met an object: set `records` under [source] to the member that holds the rows",
        ));
    }
    read_array(&mut scanner, sink)
}

/// Goes into the member `name` of the object that comes next.
fn descend<R: BufRead>(scanner: &mut Scanner<R>, name: &str) -> Result<(), ReadError> {
    scanner.take(b'{')?;
    let mut met = Vec::new();
    loop {
        if scanner.peek_token()? == Some(b'}') {
            return Err(scanner.fault(format!(
                "the document has no member `{name}` (it has {}): correct `records` under [source]",
                met.join(", ")
            )));
        }
        let key = match scanner.value(CELL_BYTES_MAX)? {
            Scanned::Bytes(bytes) => serde_json::from_slice::<String>(&bytes)
                .map_err(|error| scanner.fault(format!("expected a member name: {error}")))?,
            Scanned::TooLong { .. } => return Err(scanner.fault("a member name is too long")),
        };
        scanner.take(b':')?;
        if key == name {
            return Ok(());
        }
        met.push(format!("`{key}`"));
        scanner.value(0)?;
        if scanner.peek_token()? == Some(b',') {
            scanner.take(b',')?;
        }
    }
}

fn read_array<R: BufRead>(scanner: &mut Scanner<R>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    scanner.take(b'[')?;
    if scanner.peek_token()? == Some(b']') {
        return scanner.take(b']');
    }
    for number in 1.. {
        let row = match scanner.value(ROW_BYTES_MAX)? {
            Scanned::Bytes(bytes) => parse_row(number, bytes),
            Scanned::TooLong { offset, bytes } => too_long(number, offset, bytes),
        };
        if sink(Event::Row(row)).is_break() {
            return Ok(());
        }
        match scanner.peek_token()? {
            Some(b',') => scanner.take(b',')?,
            _ => return scanner.take(b']'),
        }
    }
    Ok(())
}

/// Reads one object a line; empty lines are passed over.
pub(super) fn read_lines(path: &Path, file: File, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut input = BufReader::with_capacity(1 << 16, file);
    let mut offset = 0_u64;
    for number in 1.. {
        let mut line = Vec::new();
        let mut bytes = input
            .by_ref()
            .take(ROW_BYTES_MAX as u64 + 2)
            .read_until(b'\n', &mut line)
            .map_err(io)? as u64;
        if bytes == 0 {
            break;
        }
        let whole = line.last() == Some(&b'\n') || line.len() < ROW_BYTES_MAX + 2;
        let row = if whole {
            let text = trim(&line, offset == 0);
            if text.is_empty() { None } else { Some(parse_row(number, text.to_vec())) }
        } else {
            bytes += skip_line(&mut input).map_err(io)?;
            Some(too_long(number, offset, bytes))
        };
        offset += bytes;
        if let Some(row) = row
            && sink(Event::Row(row)).is_break()
        {
            break;
        }
    }
    Ok(())
}

fn trim(line: &[u8], first: bool) -> &[u8] {
    let mark: &[u8] = "\u{feff}".as_bytes();
    let line = if first { line.strip_prefix(mark).unwrap_or(line) } else { line };
    line.trim_ascii()
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let used = end.unwrap_or(buffer.len());
        input.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

fn too_long(number: u64, offset: u64, bytes: u64) -> SourceRow {
    let reason = format!(
        "the row has {bytes} bytes at byte {offset} of the file, at most {ROW_BYTES_MAX} are read"
    );
    SourceRow {
        number,
        original: Original::TooLong { offset, bytes },
        values: Err(Problem::new(number, "", "", reason)),
        faults: Vec::new(),
    }
}

fn parse_row(number: u64, bytes: Vec<u8>) -> SourceRow {
    let values = serde_json::from_slice::<Value>(&bytes)
        .map_err(|error| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Problem::new(number, "", &text, format!("the row is not JSON: {error}"))
        })
        .and_then(|value| object(number, value));
    let faults = values.as_ref().map_or_else(|_| Vec::new(), |values| rounded(number, values));
    SourceRow { number, original: Original::Json(bytes), values, faults }
}

/// Members whose whole numbers have more digits than a double holds: the parser has rounded them.
fn rounded(number: u64, values: &Map<String, Value>) -> Vec<Problem> {
    let reason = "the number has too many digits to be read exactly: write it in quotes";
    values
        .iter()
        .filter(|(_, value)| has_rounded(value))
        .map(|(name, value)| Problem::new(number, name, &value.to_string(), reason))
        .collect()
}

fn has_rounded(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= EXACT_END)
        }
        Value::Array(items) => items.iter().any(has_rounded),
        Value::Object(members) => members.values().any(has_rounded),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn object(number: u64, value: Value) -> Result<Map<String, Value>, Problem> {
    let Value::Object(object) = value else {
        return Err(Problem::new(number, "", &value.to_string(), "expected a JSON object"));
    };
    if object.len() > COLUMNS_MAX {
        let reason =
            format!("the row has {} members, at most {COLUMNS_MAX} are read", object.len());
        return Err(Problem::new(number, "", "", reason));
    }
    for (name, value) in &object {
        check_cells(number, name, value)?;
    }
    Ok(object)
}

/// The parser bounds the nesting, so this recursion is bounded too.
fn check_cells(number: u64, column: &str, value: &Value) -> Result<(), Problem> {
    match value {
        Value::String(text) if text.len() > CELL_BYTES_MAX => Err(Problem::new(
            number,
            column,
            text,
            format!("the value has {} bytes, at most {CELL_BYTES_MAX} are read", text.len()),
        )),
        Value::Array(items) => items.iter().try_for_each(|item| check_cells(number, column, item)),
        Value::Object(members) => {
            members.values().try_for_each(|item| check_cells(number, column, item))
        }
        _ => Ok(()),
    }
}
