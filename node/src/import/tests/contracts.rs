//! Contracts: public part, confidential values, amendments.

use super::Place;
use super::memory::Node;
use crate::import::Report;
use crate::import::mapping::Mapping;
use crate::import::run::{Options, run};
use serde_json::{Value, json};

const MAPPING: &str = "
name = 'contracts'
kind = 'contract'
[id]
column = '登记编号'
[fields.contract_type]
column = '类别'
map = { '技术开发' = 'development', '技术服务' = 'service' }
[fields.sign_date]
column = '签订日期'
[fields.seller_division]
column = '卖方区划'
[fields.claims.project_name]
column = '项目名称'
[fields.claims.total_amount]
column = '成交额(万元)'
unit = 'ten-thousand'
";
const ROWS: &str = "登记编号,类别,签订日期,卖方区划,项目名称,成交额(万元)
2026330100000001,技术开发,2026/3/1,330100,示例项目一,12.5
2026330100000002,技术服务,2026/3/2,330000,示例项目二,3
";

fn import(mapping: &str, rows: &str, place: &Place, node: &mut Node) -> Report {
    let mapping = Mapping::parse(mapping).unwrap();
    let source = place.file("a.csv", rows);
    let check = |_: &_| Ok(());
    let folder = place.imports();
    let options = Options {
        source: &source,
        mapping: &mapping,
        folder: &folder,
        dry_run: false,
        check: &check,
    };
    run(&options, node, &mut |_| {}).unwrap()
}

#[test]
fn confidential_values_stay_out_of_the_body() {
    let mut node = Node::default();
    assert_eq!(import(MAPPING, ROWS, &Place::new(), &mut node).new, 2);
    let body = json!({"event": "registered", "registration_no": "2026330100000001", "seller_division": "CN-3301", "sign_date": "2026-03-01", "contract_type": "development"});
    assert_eq!(Value::Object(node.log[0].body.clone()), body);
    let confidential = json!({"project_name": "示例项目一", "total_amount": 12_500_000});
    assert_eq!(Value::Object(node.log[0].confidential.clone()), confidential);
}

#[test]
fn a_changed_contract_is_amended_only_when_the_mapping_says_so() {
    let place = Place::new();
    let mut node = Node::default();
    import(MAPPING, ROWS, &place, &mut node);
    let changed = ROWS.replace(",3\n", ",4\n");
    let report = import(MAPPING, &changed, &place, &mut node);
    assert_eq!((report.unchanged, report.failed), (1, 1));
    assert!(report.problems[0].reason.contains("set amend = true"));
    let amending = MAPPING.replace("[id]", "amend = true\n[id]");
    let report = import(&amending, &changed, &place, &mut node);
    assert_eq!((report.unchanged, report.revised), (1, 1));
    let amended = &node.log[2].body;
    assert_eq!(
        (&amended["event"], &amended["previous"]),
        (&json!("amended"), &json!(format!("{:064x}", 1)))
    );
    node.subjects.get_mut("2026330100000002").unwrap().ended = true;
    let report = import(&amending, ROWS, &place, &mut node);
    assert_eq!((report.unchanged, report.failed), (1, 1));
    assert!(report.problems[0].reason.contains("final"));
}

#[test]
fn confidential_values_that_the_node_hides_are_compared_by_the_journal() {
    let place = Place::new();
    let mut node = Node { discreet: true, ..Node::default() };
    import(MAPPING, ROWS, &place, &mut node);
    let report = import(MAPPING, ROWS, &place, &mut node);
    assert_eq!((report.unchanged, report.warning_count), (2, 0));
    let report = import(MAPPING, ROWS, &Place::new(), &mut node);
    assert_eq!((report.unchanged, report.warning_count), (2, 2));
    assert!(report.warnings[0].reason.contains("could not be compared"));
}
