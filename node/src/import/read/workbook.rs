//! Rows from an Office Open XML workbook.
//!
//! A workbook is a compressed archive: its unpacked size is measured before it is opened for reading.

use super::{Event, ReadError, Sink, Source, check_columns, column_name};
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX, WORKBOOK_BYTES_MAX, WORKBOOK_PARTS_MAX};
use crate::import::row::{Original, Problem, SourceRow};
use calamine::{DataRef, ExcelDateTime, Reader, Sheet, SheetType, SheetVisible, Xlsx};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// From here on, a number has more than the 15 digits that a spreadsheet program keeps.
const DIGITS_END: f64 = 1e15;

const TOO_MANY_DIGITS: &str = "the number has more than 15 digits, of which a spreadsheet keeps 15: format the cell as \
    text and type the number again";

const NO_RESULT: &str =
    "the formula has no stored result: open the workbook in a spreadsheet program and save it";

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
    let sheet = sheet_name(workbook.sheets_metadata(), source.sheet.as_deref())?;
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(|error| fault(&error))?;
    let mut table = Table::new(u64::from(source.header_row.unwrap_or(1)));
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(|error| fault(&error))? {
        let (row, column) = cell.pos;
        let number = u64::from(row) + 1;
        if number != table.number && table.finish_row(sink)?.is_break() {
            return Ok(());
        }
        table.number = number;
        table.add(column as usize, &cell.value, cell.formula.is_some())?;
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

/// The sheet that is named, or else the first that is seen: a hidden one often holds lists of codes.
fn sheet_name(sheets: &[Sheet], wanted: Option<&str>) -> Result<String, ReadError> {
    let Some(wanted) = wanted else {
        let visible = |sheet: &&Sheet| {
            sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet
        };
        let first = sheets.iter().find(visible);
        let missing = || ReadError::Workbook("it has no visible sheet: set `sheet`".into());
        return first.map(|sheet| sheet.name.clone()).ok_or_else(missing);
    };
    let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    if names.contains(&wanted) {
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

    fn add(&mut self, column: usize, value: &DataRef<'_>, formula: bool) -> Result<(), ReadError> {
        let (value, mut problem) = cell_value(value);
        if value.is_null() && problem.is_none() {
            if !formula {
                return Ok(());
            }
            problem = Some(NO_RESULT.to_owned());
        }
        if column >= COLUMNS_MAX {
            let reason = format!("row {} has a cell beyond column {COLUMNS_MAX}", self.number);
            return Err(ReadError::Workbook(reason));
        }
        self.cells.push(Met { column, value, problem });
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
    let mut faults = Vec::new();
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
            faults.push(Problem::new(number, column, &text, reason.as_str()));
        }
        values.insert(column.clone(), cell.value.clone());
    }
    for column in columns {
        values.entry(column.clone()).or_insert(Value::Null);
    }
    let values = problem.map_or(Ok(values), Err);
    SourceRow { number, original: Original::Cells(original), values, faults }
}

/// The cell as JSON, and what is wrong with it.
fn cell_value(cell: &DataRef<'_>) -> (Value, Option<String>) {
    match cell {
        DataRef::Empty => (Value::Null, None),
        #[expect(clippy::cast_precision_loss, reason = "compared with the digits that are kept")]
        DataRef::Int(number) => number_value(*number as f64),
        DataRef::Float(number) => number_value(*number),
        DataRef::Bool(flag) => (Value::Bool(*flag), None),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text_value(text)
        }
        DataRef::SharedString(text) => text_value(text),
        DataRef::DateTime(time) => time_value(*time),
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

/// The number with the 15 digits that a spreadsheet program keeps and shows: what a double holds beyond is noise.
fn number_value(number: f64) -> (Value, Option<String>) {
    let shown = format!("{number:.14e}").parse::<f64>().unwrap_or(number);
    let problem = (shown.abs() >= DIGITS_END).then(|| TOO_MANY_DIGITS.to_owned());
    if shown.fract() == 0.0 && problem.is_none() {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
        return (Value::from(shown as i64), None);
    }
    // A number of too many digits is shown as it is stored, in full.
    let value = if problem.is_some() {
        Some(Value::String(format!("{number}")))
    } else {
        Number::from_f64(shown).map(Value::Number)
    };
    (value.unwrap_or(Value::Null), problem)
}

/// A date as `2026-11-23`, with its time as `2026-11-23T08:00:00`; a duration stays a number of days.
fn time_value(time: ExcelDateTime) -> (Value, Option<String>) {
    if time.is_duration() {
        return number_value(time.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) {
        return (Value::String(date), None);
    }
    (Value::String(format!("{date}T{hour:02}:{minute:02}:{second:02}")), None)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
