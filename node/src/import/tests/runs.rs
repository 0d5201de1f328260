//! Runs: idempotence, revisions, resuming, and what becomes of rows that fail.

use super::Place;
use super::memory::Node;
use crate::import::mapping::Mapping;
use crate::import::publisher::PublishError;
use crate::import::run::{ImportError, Options, run};
use crate::import::{Progress, Report};
use serde_json::json;
use std::path::Path;

const MAPPING: &str = "
name = 'sample'
kind = 'listing'
language = 'zh'
[id]
column = 'no'
[fields.kind]
constant = 'achievement'
[fields.title]
column = 'title'
required = true
[fields.maturity.level]
column = 'trl'
";

fn import(place: &Place, source: &Path, node: &mut Node) -> Result<Report, ImportError> {
    import_as(MAPPING, place, source, node, false)
}

fn import_as(
    mapping: &str,
    place: &Place,
    source: &Path,
    node: &mut Node,
    dry_run: bool,
) -> Result<Report, ImportError> {
    let mapping = Mapping::parse(mapping).unwrap();
    let check = |_: &_| Ok(());
    let options =
        Options { source, mapping: &mapping, folder: &place.imports(), dry_run, check: &check };
    run(&options, node, &mut |_| {})
}

fn rows(count: u64) -> String {
    let lines = (1..=count).map(|n| format!("nr-{n},标题 {n},{}\n", n % 9 + 1));
    format!("no,title,trl\n{}", lines.collect::<String>())
}

fn counts(report: &Report) -> (u64, u64, u64, u64, u64) {
    (report.new, report.revised, report.unchanged, report.kept, report.failed)
}

#[test]
fn a_second_run_publishes_nothing() {
    let place = Place::new();
    let source = place.file("a.csv", rows(3));
    let mut node = Node::default();
    assert_eq!(counts(&import(&place, &source, &mut node).unwrap()), (3, 0, 0, 0, 0));
    let expected = json!({"kind": "achievement", "listing_id": "nr-2", "maturity": {"level": 3}, "revision": 1, "title": {"zh": "标题 2"}});
    assert_eq!(node.body("nr-2"), expected);
    assert_eq!(counts(&import(&place, &source, &mut node).unwrap()), (0, 0, 3, 0, 0));
    assert_eq!(node.log.len(), 3);
}

#[test]
fn a_second_run_without_its_journal_publishes_nothing() {
    let place = Place::new();
    let source = place.file("a.csv", rows(3));
    let mut node = Node::default();
    import(&place, &source, &mut node).unwrap();
    std::fs::remove_dir_all(place.imports()).unwrap();
    assert_eq!(counts(&import(&place, &source, &mut node).unwrap()), (0, 0, 3, 0, 0));
}

#[test]
fn a_changed_row_becomes_the_next_revision() {
    let place = Place::new();
    let mut node = Node::default();
    import(&place, &place.file("a.csv", rows(3)), &mut node).unwrap();
    let changed = place.file("a.csv", rows(4).replace("标题 2", "新标题"));
    assert_eq!(counts(&import(&place, &changed, &mut node).unwrap()), (1, 1, 2, 0, 0));
    assert_eq!(node.subjects["nr-2"].revision, 2);
    assert_eq!(node.body("nr-2")["revision"], 2);
    let back = place.file("a.csv", rows(4));
    assert_eq!(counts(&import(&place, &back, &mut node).unwrap()), (0, 1, 3, 0, 0));
    assert_eq!(node.body("nr-2")["revision"], 3);
}

#[test]
fn a_change_of_audience_is_a_revision() {
    let place = Place::new();
    let source = place.file("a.csv", rows(1));
    let mut node = Node::default();
    import(&place, &source, &mut node).unwrap();
    let domestic = MAPPING.replace("[id]", "audience = 'domestic'\n[id]");
    let report = import_as(&domestic, &place, &source, &mut node, false).unwrap();
    assert_eq!(counts(&report), (0, 1, 0, 0, 0));
}

#[test]
fn what_the_node_changed_is_kept_until_the_source_changes() {
    let place = Place::new();
    let source = place.file("a.csv", rows(2));
    let mut node = Node::default();
    import(&place, &source, &mut node).unwrap();
    let edited = node.subjects.get_mut("nr-1").unwrap();
    edited.revision = 2;
    edited.body.insert("revision".into(), 2.into());
    edited.body.insert("region".into(), "CN-33".into());
    node.subjects.get_mut("nr-2").unwrap().ended = true;
    let report = import(&place, &source, &mut node).unwrap();
    assert_eq!(counts(&report), (0, 0, 0, 2, 0));
    assert!(report.warnings[0].reason.contains("revised at the node"));
    assert!(report.warnings[1].reason.contains("withdrawn"));
    let changed = place.file("a.csv", rows(2).replace("标题", "新标题"));
    let report = import(&place, &changed, &mut node).unwrap();
    assert_eq!(counts(&report), (0, 1, 0, 1, 0));
    assert_eq!(node.body("nr-1")["revision"], 3);
    assert!(report.warnings.iter().any(|warning| warning.reason.contains("replaces a revision")));
}

#[test]
fn an_interrupted_run_goes_on_where_it_ended() {
    let place = Place::new();
    let source = place.file("a.csv", rows(1_250));
    let mut node = Node { groups_left: Some(1), ..Node::default() };
    let error = import(&place, &source, &mut node).unwrap_err();
    let ImportError::Interrupted { report, source: PublishError::Unavailable(_) } = &error else {
        unreachable!("{error}");
    };
    assert_eq!((report.new, report.pending), (500, 500));
    assert!(error.to_string().contains("after 500 of the rows"));
    node.groups_left = None;
    assert_eq!(counts(&import(&place, &source, &mut node).unwrap()), (750, 0, 500, 0, 0));
    assert_eq!(node.groups, [500, 500, 250]);
    assert_eq!(node.subjects.len(), 1_250);
}

#[test]
fn an_answer_that_is_lost_makes_no_second_statement() {
    let place = Place::new();
    let source = place.file("a.csv", rows(20));
    let mut node = Node { loses_answer: true, ..Node::default() };
    assert!(matches!(import(&place, &source, &mut node), Err(ImportError::Interrupted { .. })));
    assert_eq!(counts(&import(&place, &source, &mut node).unwrap()), (0, 0, 20, 0, 0));
    assert_eq!(node.log.len(), 20);
}

#[test]
fn a_node_that_lost_a_listing_gets_it_again() {
    let place = Place::new();
    let source = place.file("a.csv", rows(2));
    import(&place, &source, &mut Node::default()).unwrap();
    assert_eq!(counts(&import(&place, &source, &mut Node::default()).unwrap()), (2, 0, 0, 0, 0));
}

#[test]
fn failed_rows_go_to_a_file_that_can_be_corrected_and_imported() {
    let place = Place::new();
    let text =
        "no,title,trl,contact\nnr-1,甲,5,x\nnr-2,,5,\"a, \"\"b\"\"\"\nnr-3,丙,six,z\nnr-4,丁\n";
    let source = place.file("a.csv", text);
    let mut node = Node::default();
    let report = import(&place, &source, &mut node).unwrap();
    assert_eq!(counts(&report), (1, 0, 0, 0, 3));
    let path = report.error_file.unwrap();
    let errors = std::fs::read_to_string(&path).unwrap();
    let expected = [
        "\u{feff}no,title,trl,contact,hutong_row,hutong_column,hutong_value,hutong_reason,hutong_cells",
        "nr-2,,5,\"a, \"\"b\"\"\",3,title,,a value is required for title.zh,",
        "nr-3,丙,six,z,4,trl,six,expected a whole number,",
    ];
    assert_eq!(errors.lines().take(3).collect::<Vec<_>>(), expected);
    assert!(errors.lines().nth(3).unwrap().starts_with(",,,,5,,,\"the row has 2 cells"));
    assert!(errors.ends_with(",nr-4 | 丁\n"));
    let corrected = errors.replace("nr-2,,", "nr-2,乙,").replace("six,z", "6,z");
    std::fs::write(&path, corrected).unwrap();
    let report = import(&place, &path, &mut node).unwrap();
    assert_eq!(counts(&report), (2, 0, 0, 0, 1));
    let again = std::fs::read_to_string(report.error_file.unwrap()).unwrap();
    assert_eq!(again.lines().count(), 2);
    assert_eq!(again.lines().next().unwrap(), expected[0]);
}

#[test]
fn an_error_file_keeps_the_source_encoding_and_goes_when_all_is_well() {
    let place = Place::new();
    let mapping = MAPPING.replace("[id]", "[source]\nencoding='gb18030'\n[id]");
    let bad = encoding_rs::GB18030.encode("no,title,trl\nnr-1,示例,七\n").0.into_owned();
    let source = place.file("a.csv", &bad);
    let mut node = Node::default();
    let report = import_as(&mapping, &place, &source, &mut node, false).unwrap();
    let path = report.error_file.unwrap();
    let text = encoding_rs::GB18030
        .decode_without_bom_handling(&std::fs::read(&path).unwrap())
        .0
        .into_owned();
    assert!(text.contains("nr-1,示例,七,2,trl,七,"), "{text}");
    let good = encoding_rs::GB18030.encode("no,title,trl\nnr-1,示例,7\n").0.into_owned();
    let source = place.file("a.csv", &good);
    let report = import_as(&mapping, &place, &source, &mut node, false).unwrap();
    assert_eq!((report.new, report.error_file), (1, None));
    assert!(!path.exists());
}

#[test]
fn an_error_file_has_its_header_where_the_mapping_expects_it() {
    let place = Place::new();
    let mapping = MAPPING.replace("[id]", "[source]\nheader_row=3\n[id]");
    let source = place.file("a.csv", "list of 2026,,\n,,\nno,title,trl\nnr-1,,7\n");
    let mut node = Node::default();
    let report = import_as(&mapping, &place, &source, &mut node, false).unwrap();
    let path = report.error_file.unwrap();
    let errors = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, errors.replace("nr-1,,", "nr-1,甲,")).unwrap();
    let report = import_as(&mapping, &place, &path, &mut node, false).unwrap();
    assert_eq!(counts(&report), (1, 0, 0, 0, 0));
}

#[test]
fn failed_json_rows_keep_every_member() {
    let place = Place::new();
    let source =
        place.file("a.json", r#"[{"no":"a-1","title":"","extra":{"deep":[1]}},{broken}, 7]"#);
    let report = import(&place, &source, &mut Node::default()).unwrap();
    assert_eq!(report.failed, 3);
    let text = std::fs::read_to_string(report.error_file.unwrap()).unwrap();
    let rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["extra"], json!({"deep": [1]}));
    assert_eq!(rows[0]["hutong_import"]["row"], 1);
    assert_eq!(rows[1]["hutong_import"]["original"], "{broken}");
    assert_eq!(rows[2]["hutong_import"]["original"], "7");
}

#[test]
fn a_statement_that_the_node_refuses_costs_only_its_row() {
    let place = Place::new();
    let source = place.file("a.csv", rows(30).replace("标题 7", "坏").replace("标题 8", "坏"));
    let mut node = Node { refuses: Some("坏".into()), ..Node::default() };
    let report = import(&place, &source, &mut node).unwrap();
    assert_eq!(counts(&report), (28, 0, 0, 0, 2));
    assert!(report.problems[0].reason.contains("the node refuses it: not wanted"));
    assert_eq!(report.problems[0].row, 8);
}

#[test]
fn a_dry_run_counts_shows_and_changes_nothing() {
    let place = Place::new();
    let mut node = Node::default();
    import(&place, &place.file("a.csv", rows(5)), &mut node).unwrap();
    let source = place.file("a.csv", rows(9).replace("标题 2", "新").replace("标题 9", ""));
    let report = import_as(MAPPING, &place, &source, &mut node, true).unwrap();
    assert_eq!(counts(&report), (3, 1, 4, 0, 1));
    assert_eq!(report.preview.len(), 3);
    assert_eq!(report.preview[0]["body"]["revision"], 2);
    assert_eq!(node.log.len(), 5);
    let report = import(&place, &source, &mut node).unwrap();
    assert_eq!(counts(&report), (3, 1, 4, 0, 1));
}

#[test]
fn a_check_that_fails_costs_only_its_row() {
    let place = Place::new();
    let source = place.file("a.csv", rows(3));
    let mapping = Mapping::parse(MAPPING).unwrap();
    let check = |submission: &crate::import::Submission| {
        if submission.body["listing_id"] == "nr-2" {
            Err("body.title: too bland".into())
        } else {
            Ok(())
        }
    };
    let folder = place.imports();
    let options = Options {
        source: &source,
        mapping: &mapping,
        folder: &folder,
        dry_run: true,
        check: &check,
    };
    let report = run(&options, &mut Node::default(), &mut |_| {}).unwrap();
    assert_eq!(counts(&report), (2, 0, 0, 0, 1));
    assert_eq!(report.problems[0].reason, "body.title: too bland");
}

#[test]
fn columns_that_the_source_lacks_stop_a_table_before_its_first_row() {
    let place = Place::new();
    let source = place.file("a.csv", "no,titles,trl\nnr-1,a,1\n");
    let mut node = Node::default();
    let error = import(&place, &source, &mut node).unwrap_err().to_string();
    assert!(error.contains("`title` (did you mean `titles`?)"), "{error}");
    assert!(node.log.is_empty());
    let source = place.file("a.json", r#"[{"no":"a-1","title":"t"}]"#);
    let report = import(&place, &source, &mut node).unwrap();
    assert_eq!(report.notes, ["no row has `trl`, which the mapping reads"]);
}

#[test]
fn rows_before_a_broken_end_are_published() {
    let place = Place::new();
    let source = place.file("a.json", r#"[{"no":"a-1","title":"t"},{"no":"#);
    let mut node = Node::default();
    assert!(matches!(import(&place, &source, &mut node), Err(ImportError::Read(_))));
    assert_eq!(node.log.len(), 1);
}

#[test]
fn progress_is_told_for_every_group() {
    let place = Place::new();
    let source = place.file("a.csv", rows(1_100));
    let mapping = Mapping::parse(MAPPING).unwrap();
    let check = |_: &_| Ok(());
    let folder = place.imports();
    let options = Options {
        source: &source,
        mapping: &mapping,
        folder: &folder,
        dry_run: false,
        check: &check,
    };
    let mut told = Vec::new();
    run(&options, &mut Node::default(), &mut |progress| told.push(progress)).unwrap();
    let published: Vec<u64> = told.iter().map(|progress| progress.published).collect();
    assert_eq!(published, [500, 1_000, 1_100, 1_100]);
    assert_eq!(told[0], Progress { rows: 500, published: 500, unchanged: 0, failed: 0 });
}
