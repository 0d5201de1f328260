//! What `docs/IMPORT.md` shows works as it says.

use super::Place;
use super::memory::Node;
use crate::import::check::check_draft;
use crate::import::mapping::Mapping;
use crate::import::run::{Options, run};
use serde_json::{Value, json};

const MANUAL: &str = include_str!("../../../../docs/IMPORT.md");

/// The `n`-th fenced block of the language.
fn block(language: &str, n: usize) -> &'static str {
    let fence = format!("```{language}\n");
    let block = MANUAL.split(fence.as_str()).nth(n).unwrap();
    block.split("```").next().unwrap()
}

#[test]
fn the_manual_mapping_makes_valid_listings_of_the_manual_table() {
    let place = Place::new();
    let mapping = Mapping::parse(block("toml", 1)).unwrap();
    let table = encoding_rs::GB18030.encode(block("csv", 1)).0.into_owned();
    let source = place.file("a.csv", table);
    let mut node = Node::default();
    let folder = place.imports();
    let options = Options {
        source: &source,
        mapping: &mapping,
        folder: &folder,
        dry_run: false,
        check: &check_draft,
    };
    let report = run(&options, &mut node, &mut |_| {}).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.rows, report.new, report.filtered, report.dropped), (4, 2, 1, 1));
    assert!(report.warnings.iter().any(|warning| warning.reason.contains("never imported")));
    let errors = std::fs::read(report.error_file.unwrap()).unwrap();
    let errors = encoding_rs::GB18030.decode(&errors).0.into_owned();
    assert!(errors.contains("2026-002") && errors.contains("left out"), "{errors}");
    assert_eq!(report.warning_count, 2, "{:?}", report.warnings);
    let first = Value::Object(node.log[0].body.clone());
    assert!(first["listing_id"].as_str().unwrap().starts_with("zj-heat-film-"));
    assert_eq!(
        first["pricing"],
        json!({"mode": "listed", "amount": 60_000_000, "currency": "CNY"})
    );
    assert_eq!(first["keywords"], json!(["石墨烯", "散热"]));
    assert_eq!(first["valid_until"], "2028-12-31");
    let second = Value::Object(node.log[1].body.clone());
    assert_eq!(second["pricing"], json!({"mode": "negotiated"}));
    assert_eq!(second.get("valid_until"), None);
}
