//! Rows from an Office Open XML workbook.
//!
//! A workbook is a compressed archive: its unpacked size is measured before it is opened for reading.

use super::{Event, ReadError, Sink, Source, check_columns, column_name};
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX, WORKBOOK_BYTES_MAX, WORKBOOK_PARTS_MAX};
use crate::import::row::{Original, Problem, SourceRow};
use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// The largest whole number that a workbook's cell (a double) holds exactly: 2^53 − 1.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// Reads the sheet that `source` names, or the first.
pub(super) fn read(
    path: &Path,
    mut file: File,
    source: &Source,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    check_unpacked(&mut file)?;
    file.rewind().map_err(io)?;
    let mut workbook = Xlsx::new(BufReader::new(file)).map_err(|error| fault(&error))?;
    let sheet = sheet_name(&workbook.sheet_names(), source.sheet.as_deref())?;
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(|error| fault(&error))?;
    let mut table = Table::new(u64::from(source.header_row.unwrap_or(1)));
    while let Some(cell) = cells.next_cell().map_err(|error| fault(&error))? {
        let (row, column) = cell.get_position();
        let number = u64::from(row) + 1;
        if number != table.number && table.finish_row(sink)?.is_break() {
            return Ok(());
        }
        table.number = number;
        table.add(column as usize, cell.get_value())?;
    }
    if table.finish_row(sink)?.is_continue() && table.columns.is_empty() {
        let reason = "the sheet ends before it".to_owned();
        return Err(ReadError::Header { row: table.header_row, reason });
    }
    Ok(())
}

fn fault(error: &calamine::XlsxError) -> ReadError {
    ReadError::Workbook(error.to_string())
}

fn sheet_name(names: &[String], wanted: Option<&str>) -> Result<String, ReadError> {
    let Some(wanted) = wanted else {
        return names.first().cloned().ok_or_else(|| ReadError::Workbook("it has no sheet".into()));
    };
    if names.iter().any(|name| name == wanted) {
        return Ok(wanted.to_owned());
    }
    let reason = format!("no sheet is called `{wanted}`: it has {}", names.join(", "));
    Err(ReadError::Workbook(reason))
}

/// Unpacks the archive into nothing, and refuses it when it is over the bound.
fn check_unpacked(file: &mut File) -> Result<(), ReadError> {
    let broken = |error: &dyn std::fmt::Display| {
        ReadError::Workbook(format!("not an XLSX file ({error}): save it as .xlsx or as CSV"))
    };
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    if archive.len() > WORKBOOK_PARTS_MAX {
        let reason = format!("{} parts, at most {WORKBOOK_PARTS_MAX} are read", archive.len());
        return Err(ReadError::Workbook(reason));
    }
    let mut left = WORKBOOK_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| broken(&error))?;
        let bytes =
            io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(|error| broken(&error))?;
        left = left.checked_sub(bytes).ok_or_else(|| {
            ReadError::Workbook(format!(
                "it unpacks to more than {WORKBOOK_BYTES_MAX} bytes: save the sheet as CSV"
            ))
        })?;
    }
    Ok(())
}

/// A cell that was read.
struct Met {
    column: usize,
    value: Value,
    problem: Option<String>,
}

/// The rows under way.
struct Table {
    header_row: u64,
    columns: Vec<String>,
    number: u64,
    cells: Vec<Met>,
}

impl Table {
    fn new(header_row: u64) -> Self {
        Self { header_row, columns: Vec::new(), number: 0, cells: Vec::new() }
    }

    fn add(&mut self, column: usize, value: &DataRef<'_>) -> Result<(), ReadError> {
        if column >= COLUMNS_MAX {
            let reason = format!("row {} has a cell beyond column {COLUMNS_MAX}", self.number);
            return Err(ReadError::Workbook(reason));
        }
        let (value, problem) = cell_value(value);
        if !value.is_null() || problem.is_some() {
            self.cells.push(Met { column, value, problem });
        }
        Ok(())
    }

    fn finish_row(&mut self, sink: &mut Sink<'_>) -> Result<std::ops::ControlFlow<()>, ReadError> {
        let cells = std::mem::take(&mut self.cells);
        if cells.is_empty() || self.number < self.header_row {
            return Ok(std::ops::ControlFlow::Continue(()));
        }
        if self.number == self.header_row {
            self.columns = header(self.number, &cells)?;
            return Ok(sink(Event::Columns(self.columns.clone())));
        }
        if self.columns.is_empty() {
            let reason = "the row is empty: set header_row to the row that names the columns";
            return Err(ReadError::Header { row: self.header_row, reason: reason.to_owned() });
        }
        Ok(sink(Event::Row(row(self.number, &cells, &self.columns))))
    }
}

fn header(number: u64, cells: &[Met]) -> Result<Vec<String>, ReadError> {
    let width = cells.iter().map(|cell| cell.column + 1).max().unwrap_or(0);
    let mut names = vec![String::new(); width];
    for cell in cells {
        names[cell.column] = column_name(&text_of(&cell.value));
    }
    check_columns(number, names)
}

fn row(number: u64, cells: &[Met], columns: &[String]) -> SourceRow {
    let width = cells.iter().map(|cell| cell.column + 1).max().unwrap_or(0).max(columns.len());
    let mut original = vec![Vec::new(); width];
    let mut values = Map::new();
    let mut problem = None;
    for cell in cells {
        let text = text_of(&cell.value);
        original[cell.column] = text.clone().into_bytes();
        let Some(column) = columns.get(cell.column) else {
            problem.get_or_insert_with(|| {
                let reason = format!("a cell in column {} has no header", cell.column + 1);
                Problem::new(number, "", &text, reason)
            });
            continue;
        };
        if let Some(reason) = &cell.problem {
            problem.get_or_insert_with(|| Problem::new(number, column, &text, reason.as_str()));
        }
        values.insert(column.clone(), cell.value.clone());
    }
    for column in columns {
        values.entry(column.clone()).or_insert(Value::Null);
    }
    let values = problem.map_or(Ok(values), Err);
    SourceRow { number, original: Original::Cells(original), values }
}

/// The cell as JSON, and what is wrong with it.
fn cell_value(cell: &DataRef<'_>) -> (Value, Option<String>) {
    match cell {
        DataRef::Empty => (Value::Null, None),
        DataRef::Int(number) => (Value::from(*number), None),
        DataRef::Float(number) => (number_value(*number), None),
        DataRef::Bool(flag) => (Value::Bool(*flag), None),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text_value(text)
        }
        DataRef::SharedString(text) => text_value(text),
        DataRef::DateTime(time) => (time_value(*time), None),
        DataRef::Error(error) => (
            Value::String(error.to_string()),
            Some("the cell's formula has failed: correct it in the workbook".to_owned()),
        ),
    }
}

fn text_value(text: &str) -> (Value, Option<String>) {
    if text.is_empty() {
        return (Value::Null, None);
    }
    let problem = (text.len() > CELL_BYTES_MAX)
        .then(|| format!("the cell has {} bytes, at most {CELL_BYTES_MAX} are read", text.len()));
    (Value::String(text.to_owned()), problem)
}

fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53 - 1")]
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// A date as `2026-11-23`, with its time as `2026-11-23T08:00:00`; a duration stays a number of days.
fn time_value(time: ExcelDateTime) -> Value {
    if time.is_duration() {
        return number_value(time.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) {
        return Value::String(date);
    }
    Value::String(format!("{date}T{hour:02}:{minute:02}:{second:02}"))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
