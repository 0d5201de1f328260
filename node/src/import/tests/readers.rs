//! Each reader, and what it refuses.

use super::{Place, content};
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX, FILE_BYTES_MAX, ROW_BYTES_MAX};
use crate::import::read::ReadError;
use rust_xlsxwriter::{Format, Formula, Workbook};
use std::io::{Read, Write};

fn check(name: &str, bytes: impl AsRef<[u8]>, source: &str, expected: &[&str]) {
    let place = Place::new();
    let path = place.file(name, bytes);
    assert_eq!(content(&path, source).unwrap().values(), expected, "{name} with {source}");
}

fn refused(name: &str, bytes: impl AsRef<[u8]>, source: &str, reason: &str) {
    let place = Place::new();
    let path = place.file(name, bytes);
    let error = content(&path, source).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn json_rows_come_from_an_array_or_a_member() {
    let expected = [r#"{"a":1}"#, r#"{"a":"}]"}"#];
    check("a.json", r#"[{"a":1}, {"a":"}]"}]"#, "", &expected);
    check("a.json", "\u{feff}[{\"a\":1},{\"a\":\"}]\"}]", "", &expected);
    check(
        "a.json",
        r#"{"n":[0,{"x":"]"}],"d":{"rows":[{"a":1},{"a":"}]"}]}}"#,
        "records='d.rows'",
        &expected,
    );
    check("a.json", "[]", "", &[]);
    check("a.data", r#"[{"a":1}]"#, "format='json'", &[r#"{"a":1}"#]);
}

#[test]
fn json_of_another_shape_is_refused() {
    refused("a.json", r#"{"rows":[]}"#, "", "set `records`");
    refused("a.json", r#"{"rows":[]}"#, "records='row'", "no member `row` (it has `rows`)");
    refused("a.json", r#"[{"a":1}"#, "", "is it complete?");
    refused("a.json", r#"[{"a":1} {"a":2}]"#, "", "expected `]`, met `{`");
    refused("a.json", "7", "", "expected `[`");
    refused("a.data", "[]", "", "not known by its name");
    refused("a.xls", "", "", "save a spreadsheet as .xlsx or .csv");
    refused("a.json", "[]", "format='json'\nsheet='x'", "sheet is for XLSX only");
}

#[test]
fn a_broken_json_row_costs_only_itself() {
    let place = Place::new();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(CELL_BYTES_MAX + 1));
    let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(ROW_BYTES_MAX));
    let text = format!(r#"[{{"a":1}}, {{a:2}}, 3, {long}, {huge}, {{"a":6}}]"#);
    let values = content(&place.file("a.json", text), "").unwrap().values();
    assert_eq!(values.len(), 6);
    assert_eq!((values[0].as_str(), values[5].as_str()), (r#"{"a":1}"#, r#"{"a":6}"#));
    for (index, reason) in
        [(1, "not JSON"), (2, "JSON object"), (3, "at most 65536"), (4, "at most 1048576")]
    {
        assert!(
            values[index].starts_with("! ") && values[index].contains(reason),
            "{}",
            values[index]
        );
    }
}

#[test]
fn a_cell_and_a_row_at_the_bound_are_read() {
    let place = Place::new();
    let cell = "x".repeat(CELL_BYTES_MAX);
    let path = place.file("a.jsonl", format!("{{\"a\":\"{cell}\"}}\n"));
    assert!(content(&path, "").unwrap().rows[0].values.is_ok());
    let path = place.file("a.csv", format!("a,b\n{cell},1\n{cell}y,2\n"));
    let content = content(&path, "").unwrap();
    assert!(content.rows[0].values.is_ok());
    assert!(content.rows[1].values.is_err());
}

#[test]
fn json_lines_are_numbered_by_line() {
    let place = Place::new();
    let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(2 * ROW_BYTES_MAX));
    let path = place.file("a.jsonl", format!("{{\"a\":1}}\r\n\nnonsense\n{huge}\n{{\"a\":5}}"));
    let content = content(&path, "").unwrap();
    let numbers: Vec<u64> = content.rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [1, 3, 4, 5]);
    let good: Vec<bool> = content.rows.iter().map(|row| row.values.is_ok()).collect();
    assert_eq!(good, [true, false, false, true]);
}

#[test]
fn csv_is_read_with_and_without_a_mark() {
    let expected = [r#"{"名称":"a, \"b\"","地区":"x\ny"}"#, r#"{"名称":"","地区":"z"}"#];
    let text = "名称,地区\r\n\"a, \"\"b\"\"\",\"x\ny\"\r\n\r\n,z\r\n";
    check("a.csv", text, "", &expected);
    check("a.csv", format!("\u{feff}{text}"), "", &expected);
    check("a.csv", "a;b\n\"1;\";2,3\n", "delimiter=';'", &[r#"{"a":"1;","b":"2,3"}"#]);
    check("a.tsv", "a\tb\n1\t2\n", "", &[r#"{"a":"1","b":"2"}"#]);
    check("a.csv", "title row,\na,b\n1,2\n", "header_row=2", &[r#"{"a":"1","b":"2"}"#]);
}

#[test]
fn gb18030_is_read_only_when_it_is_declared() {
    // 镕 is beyond GB 2312, 㐂 needs four bytes, and 乗's second byte is that of a backslash.
    let text = "名称,地区\n镕基㐂乗,浙江\n";
    let bytes = encoding_rs::GB18030.encode(text).0.into_owned();
    check("a.csv", &bytes, "encoding='gb18030'", &[r#"{"名称":"镕基㐂乗","地区":"浙江"}"#]);
    refused("a.csv", &bytes, "", "set `encoding`");
    refused("a.csv", "a|b\n", "encoding='gb18030'\ndelimiter='|'", "delimiter must be");
    refused("a.json", "[]", "format='json'\nencoding='gb18030'", "encoding is for CSV only");
}

#[test]
fn a_badly_encoded_cell_costs_only_its_row() {
    let place = Place::new();
    let path = place.file("a.csv", b"a,b\n1,2\n3,\xff\xfe\n5,6\n");
    let values = content(&path, "").unwrap().values();
    assert!(values[1].contains("row 3, b") && values[1].contains("not utf-8"), "{}", values[1]);
    assert_eq!(values[2], r#"{"a":"5","b":"6"}"#);
    let path = place.file("b.csv", b"a,b\n1,\x81\n3,4\n");
    let values = content(&path, "encoding='gb18030'").unwrap().values();
    assert!(values[0].contains("not gb18030"), "{}", values[0]);
    assert_eq!(values[1], r#"{"a":"3","b":"4"}"#);
}

#[test]
fn csv_with_a_bad_shape_is_refused() {
    let place = Place::new();
    let path = place.file("a.csv", "a,b\n1\n1,2,3\n4,5\n");
    let values = content(&path, "").unwrap().values();
    assert!(values[0].contains("1 cells, the header has 2"), "{}", values[0]);
    assert!(values[1].contains("3 cells, the header has 2"), "{}", values[1]);
    assert_eq!(values[2], r#"{"a":"4","b":"5"}"#);
    refused("a.csv", "a,a,a#1\n1,2,3\n", "", "two columns are called `a#1`");
    refused("a.csv", ",\n1,2\n", "", "no column has a name");
    refused("a.csv", "", "", "ends before it");
    refused("a.csv", "a\n", "header_row=2", "ends before it");
    refused("a.csv", "a\n", "header_row=0", "counts from 1");
    refused("a.csv", "x,".repeat(COLUMNS_MAX + 1), "", "at most 1024");
    let open = format!("a,b\n1,\"{}", "x\n".repeat(ROW_BYTES_MAX));
    refused("a.csv", open, "", "is a quote left open?");
}

fn numbers(text: &str) -> Vec<u64> {
    let place = Place::new();
    let path = place.file("a.csv", text);
    content(&path, "").unwrap().rows.iter().map(|row| row.number).collect()
}

#[test]
fn csv_rows_are_numbered_as_a_spreadsheet_shows_them() {
    let text = "a,b\n\n1,2\n\n\n\"x\ny\",4\n,\n5,6";
    for text in [text.to_owned(), text.replace('\n', "\r\n")] {
        assert_eq!(numbers(&text), [3, 6, 8], "{text:?}");
    }
    assert_eq!(numbers("a,b\n1,2\n\n3,4"), [2, 4]);
    assert_eq!(numbers("a,b\r1,2\r3,4\r"), [2, 3]);
    check("a.csv", "\n\na,b\n1,2\n", "header_row=3", &[r#"{"a":"1","b":"2"}"#]);
    refused("a.csv", "\n\na,b\n1,2\n", "", "the row is empty");
}

#[test]
fn a_table_in_utf_16_is_named() {
    let bytes = |mark: [u8; 2]| mark.into_iter().chain("a,b".bytes()).collect::<Vec<u8>>();
    refused("a.csv", bytes([0xff, 0xfe]), "", "UTF-16");
    refused("a.csv", bytes([0xfe, 0xff]), "", "UTF-16");
}

#[test]
fn gb18030_has_the_names_of_its_parts() {
    let bytes = encoding_rs::GB18030.encode("名称\n甲\n").0.into_owned();
    for name in ["gb18030", "gbk", "gb2312"] {
        check("a.csv", &bytes, &format!("encoding='{name}'"), &[r#"{"名称":"甲"}"#]);
    }
}

#[test]
fn columns_of_one_name_are_told_apart() {
    check("a.csv", "a,b,b\n1,2,3\n", "", &[r#"{"a":"1","b#2":"2","b#3":"3"}"#]);
}

#[test]
fn whole_numbers_that_json_rounds_are_faults() {
    let place = Place::new();
    let text = r#"[{"a":20263301000000012345,"b":18446744073709551615,"c":[{"d":1e17}],"e":1.5}]"#;
    let rows = content(&place.file("a.json", text), "").unwrap().rows;
    let columns: Vec<&str> = rows[0].faults.iter().map(|fault| fault.column.as_str()).collect();
    assert_eq!(columns, ["a", "c"]);
    assert!(rows[0].faults[0].reason.contains("too many digits"));
}

#[test]
fn a_file_over_the_bound_is_refused_by_its_size() {
    let place = Place::new();
    let path = place.file("a.csv", "a\n");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(content(&path, ""), Err(ReadError::FileTooLong { .. })));
    assert!(matches!(content(&place.0.path().join("none.csv"), ""), Err(ReadError::Io { .. })));
}

fn workbook() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let notes = workbook.add_worksheet();
    notes.set_name("Notes").unwrap();
    notes.write(0, 0, "名称").unwrap();
    notes.write(1, 0, "first sheet").unwrap();
    let sheet = workbook.add_worksheet();
    sheet.set_name("成果").unwrap();
    sheet.write(0, 0, "a heading over the table").unwrap();
    for (column, name) in ["名称", " 成熟度\nTRL ", "日期", "金额", "公益"].iter().enumerate()
    {
        sheet.write(2, u16::try_from(column).unwrap(), *name).unwrap();
    }
    let date = Format::new().set_num_format("yyyy-mm-dd");
    sheet.write(3, 0, "示例一").unwrap();
    sheet.write(3, 1, 7).unwrap();
    sheet.write_with_format(3, 2, 46_349.0, &date).unwrap();
    sheet.write(3, 3, 1200.5).unwrap();
    sheet.write(3, 4, true).unwrap();
    sheet.write(5, 0, "示例二").unwrap();
    sheet.write(6, 0, "示例三").unwrap();
    sheet.write(6, 3, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    sheet.write(7, 9, "stray").unwrap();
    workbook.save_to_buffer().unwrap()
}

#[test]
fn a_workbook_is_read_from_its_first_or_named_sheet() {
    let place = Place::new();
    let path = place.file("a.xlsx", workbook());
    assert_eq!(content(&path, "").unwrap().values(), [r#"{"名称":"first sheet"}"#]);
    let content = content(&path, "sheet='成果'\nheader_row=3").unwrap();
    assert_eq!(content.columns, ["名称", "成熟度 TRL", "日期", "金额", "公益"]);
    let values = content.values();
    assert_eq!(
        values[0],
        r#"{"公益":true,"名称":"示例一","成熟度 TRL":7,"日期":"2026-11-23","金额":1200.5}"#
    );
    assert_eq!(
        values[1],
        r#"{"公益":null,"名称":"示例二","成熟度 TRL":null,"日期":null,"金额":null}"#
    );
    assert!(values[3].contains("column 10 has no header"), "{}", values[3]);
    let numbers: Vec<u64> = content.rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [4, 6, 7, 8]);
}

fn faults(cell: impl Fn(&mut rust_xlsxwriter::Worksheet)) -> Vec<String> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "a").unwrap();
    cell(sheet);
    let place = Place::new();
    let path = place.file("a.xlsx", workbook.save_to_buffer().unwrap());
    let rows = content(&path, "").unwrap().rows;
    rows[0].faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_formula_without_a_result_is_a_fault() {
    let formula = |result: &'static str| {
        faults(move |sheet| {
            sheet.write(1, 0, Formula::new("=1+1").set_result(result)).unwrap();
            sheet.write(1, 1, "x").unwrap();
            sheet.write(0, 1, "b").unwrap();
        })
    };
    assert!(formula("2").is_empty());
    assert!(formula("#DIV/0!")[0].contains("the cell's formula has failed"));
    // The same cell without its stored result.
    let place = Place::new();
    let path = place.file("a.xlsx", without_result());
    let rows = content(&path, "").unwrap().rows;
    assert!(rows[0].faults[0].to_string().contains("row 2, a: the formula has no stored result"));
}

/// A workbook whose cell A2 is a formula, without its result.
fn without_result() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "a").unwrap();
    sheet.write(1, 0, Formula::new("=1+1").set_result("2")).unwrap();
    let bytes = workbook.save_to_buffer().unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut output = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        output.start_file(part.name().unwrap(), zip::write::SimpleFileOptions::default()).unwrap();
        output.write_all(text.replace("</f><v>2</v>", "</f>").as_bytes()).unwrap();
    }
    output.finish().unwrap().into_inner()
}

#[test]
fn numbers_of_a_workbook_have_fifteen_digits() {
    let number = |number: f64| {
        faults(move |sheet| {
            sheet.write(1, 0, number).unwrap();
        })
    };
    assert!(number(202_633_010_000_001.0).is_empty());
    assert!(number(2_026_330_100_000_010.0)[0].contains("`2026330100000010`: the number has more"));
    let place = Place::new();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "a").unwrap();
    sheet.write(1, 0, 0.1 + 0.2).unwrap();
    sheet.write_blank(1, 16_000, &Format::new().set_bold()).unwrap();
    let path = place.file("a.xlsx", workbook.save_to_buffer().unwrap());
    assert_eq!(content(&path, "").unwrap().values(), [r#"{"a":0.3}"#]);
}

#[test]
fn the_first_visible_sheet_is_read() {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().set_name("codes").unwrap().set_hidden(true).write(0, 0, "x").unwrap();
    let sheet = workbook.add_worksheet().set_active(true);
    sheet.write(0, 0, "a").unwrap().write(1, 0, "1").unwrap();
    check("a.xlsx", workbook.save_to_buffer().unwrap(), "", &[r#"{"a":"1"}"#]);
}

#[test]
fn a_workbook_that_is_none_is_refused() {
    refused("a.xlsx", "PK no archive", "", "not an XLSX file");
    refused("a.xlsx", workbook(), "sheet='x'", "it has Notes, 成果");
    refused("a.xlsx", workbook(), "sheet='成果'\nheader_row=2", "the row is empty");
    refused("a.xlsx", workbook(), "sheet='成果'\nheader_row=20", "ends before it");
    let mut empty = Workbook::new();
    empty.add_worksheet();
    refused("a.xlsx", empty.save_to_buffer().unwrap(), "", "ends before it");
}
