//! The shipped mapping against a whole catalogue, where a copy of it is at hand.

use super::Place;
use super::memory::Node;
use crate::import::check::check_draft;
use crate::import::mapping::Mapping;
use crate::import::run::{Options, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn mapping() -> Mapping {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/mappings/nasa-open-source.toml");
    Mapping::load(&path).unwrap()
}

/// A copy of the catalogue beside the project, if there is one.
fn catalogue() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/nasa-open-source-catalog.json");
    if !path.exists() {
        println!("skipped: no catalogue at {}", path.display());
    }
    path.exists().then_some(path)
}

fn import(mapping: &Mapping, source: &Path, node: &mut Node) -> crate::import::Report {
    let place = Place::new();
    let folder = place.imports();
    let options = Options { source, mapping, folder: &folder, dry_run: false, check: &check_draft };
    run(&options, node, &mut |_| {}).unwrap()
}

#[test]
fn every_row_of_the_catalogue_becomes_a_listing_of_its_own() {
    let Some(source) = catalogue() else { return };
    let mut node = Node::default();
    let report = import(&mapping(), &source, &mut node);
    assert_eq!((report.rows, report.new, report.failed), (601, 601, 0), "{:?}", report.problems);
    assert_eq!(node.subjects.len(), 601);
    assert_eq!(report.notes, Vec::<String>::new());
    let text: String = node
        .log
        .iter()
        .map(|submission| Value::Object(submission.body.clone()).to_string())
        .collect();
    assert!(crate::import::contacts::find(&text).is_empty(), "no contact data is published");
    let again = import(&mapping(), &source, &mut node);
    assert_eq!((again.unchanged, again.new + again.revised), (601, 0));
}

#[test]
fn the_catalogue_divides_into_its_thirteen_centres() {
    let Some(source) = catalogue() else { return };
    let mut whole = Node::default();
    import(&mapping(), &source, &mut whole);
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(&source).unwrap()).unwrap();
    let centres: BTreeSet<&str> =
        rows.iter().map(|row| row["NASA Center"].as_str().unwrap()).collect();
    assert_eq!(centres.len(), 13);
    let mut parts = Node::default();
    for centre in centres {
        let mut mapping = mapping();
        mapping.only("NASA Center", centre);
        let report = import(&mapping, &source, &mut parts);
        assert_eq!(report.new + report.filtered, 601);
        assert!(report.new > 0);
    }
    assert!(parts.subjects.keys().eq(whole.subjects.keys()), "ids do not depend on the filter");
}

#[test]
fn a_row_like_the_catalogue_maps_without_its_contributors() {
    let place = Place::new();
    let row = r#"[{"Update_Date":"YYYY-MM-DD","Description":"Ask info@sample.example for help.","Public Code Repo":"github.com/sample/one","NASA Center":"ARC","Contributors":["person@sample.example"],"Labor_Hours":0,"Categories":["NASA","python"],"Languages":[],"Software":"One","License":["MIT","Apache-2.0"],"Categories_NLP":["nlp:Python","nlp:data"],"External Link":""}]"#;
    let source = place.file("a.json", row);
    let mut node = Node::default();
    let report = import(&mapping(), &source, &mut node);
    assert_eq!((report.new, report.warning_count), (1, 2), "{:?}", report.warnings);
    let body = Value::Object(node.log[0].body.clone());
    assert_eq!(body["summary"]["en"], "Ask […] for help.");
    assert_eq!(body["keywords"], serde_json::json!(["python", "data"]));
    assert_eq!(
        body["source"],
        serde_json::json!({"reference": "github.com/sample/one; MIT, Apache-2.0; updated YYYY-MM-DD"})
    );
    assert!(!body.to_string().contains("person@"));
}
