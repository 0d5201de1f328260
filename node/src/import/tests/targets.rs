//! Every target of a mapping is a member that the protocol reads, and texts are trimmed to its bounds.

use crate::import::check::check_draft;
use crate::import::mapper::{Mapped, Mapper, Outcome};
use crate::import::mapping::Mapping;
use crate::import::row::{Original, SourceRow};
use hutong_protocol::contract::Contract;
use hutong_protocol::listing::Listing;
use serde_json::{Map, Value, json};

fn mapped(mapping: &str, values: &[(&str, Value)], column: &str) -> Mapped {
    let fields: Vec<String> =
        values.iter().map(|(path, _)| format!("[fields.\"{path}\"]\ncolumn='{path}'")).collect();
    let fields = fields.join("\n");
    let mapping = Mapping::parse(&format!("{mapping}[id]\ncolumn='{column}'\n{fields}")).unwrap();
    let mut row: Map<String, Value> =
        values.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect();
    row.insert(column.to_owned(), "330000-1".into());
    let source = SourceRow {
        number: 1,
        original: Original::Json(Vec::new()),
        values: Ok(row),
        faults: Vec::new(),
    };
    match Mapper::new(&mapping).map(&source) {
        Outcome::Ready(mapped) => *mapped,
        other => unreachable!("{other:?}"),
    }
}

fn long(chars: usize) -> Value {
    "示".repeat(chars).into()
}

#[test]
fn every_target_of_a_listing_is_read_by_the_protocol() {
    let many: Vec<Value> =
        (0..40).map(|n| Value::from(format!("{n}{}", "词".repeat(99)))).collect();
    let values = [
        ("audience", json!("domestic")),
        ("kind", json!("achievement")),
        ("title.zh", long(9_000)),
        ("summary.en", long(9_000)),
        ("fields", json!(["agriculture", "nuclear"])),
        ("ipc", json!(["H01M 10/05"])),
        ("maturity.scheme", json!("gbt22900")),
        ("maturity.level", json!(7)),
        ("modes", json!(["license"])),
        ("pricing.mode", json!("listed")),
        ("pricing.amount", json!("12.50")),
        ("pricing.currency", json!("CNY")),
        ("ip.0.type", json!("software")),
        ("ip.0.number", json!("2026SR000000")),
        ("holder.name.zh", long(9_000)),
        ("holder.uscc", json!("12999999DEMA00013C")),
        ("region", json!("330100")),
        ("valid_until", json!("2028/12/31")),
        ("keywords", many.into()),
        ("source.url", json!("https://example.org")),
        ("source.reference", long(9_000)),
        ("public_welfare", json!("是")),
    ];
    let mut submission = mapped("name='t'\nkind='listing'\n", &values, "no").submission;
    submission.body.insert("revision".into(), 1.into());
    assert_eq!(check_draft(&submission), Ok(()));
    let listing = Listing::from_body(&Value::Object(submission.body)).unwrap();
    assert!(!listing.title.is_empty() && !listing.summary.is_empty());
    assert_eq!((listing.fields.len(), listing.ipc.len(), listing.modes.len()), (2, 1, 1));
    assert_eq!((listing.ip.len(), listing.keywords.len()), (1, 32));
    assert!(listing.maturity.is_some() && listing.valid_until.is_some());
    assert!(listing.pricing.unwrap().amount.is_some());
    assert!(listing.holder.unwrap().id.is_some());
    let source = listing.source.unwrap();
    assert!(source.url.is_some() && source.reference.is_some());
    assert!(listing.public_welfare);
}

#[test]
fn every_target_of_a_contract_is_read_by_the_protocol() {
    let values = [
        ("audience", json!("public")),
        ("contract_type", json!("license")),
        ("subtype", json!("license.patent")),
        ("field", json!("agriculture")),
        ("registering_division", json!("330100")),
        ("seller_division", json!("330000")),
        ("buyer_division", json!("KZ")),
        ("sign_date", json!("2026-03-01")),
        ("valid_from", json!("2026-03-01")),
        ("valid_to", json!("2027-03-01")),
        ("listing.exchange", json!("cn-33-zhejiang")),
        ("listing.id", json!("one")),
        ("plan_source", json!("off_plan")),
        ("payment_method", json!("lump_sum")),
        ("ip", json!(["patent.invention"])),
        ("patents", json!(["201710601862.3"])),
        ("claims.project_name", long(9_000)),
        ("claims.seller_name", json!("甲")),
        ("claims.buyer_name", json!("乙")),
        ("claims.seller_uscc", json!("12999999DEMA00013C")),
        ("claims.buyer_uscc", json!("91999999DEMA00224N")),
        ("claims.total_amount", json!("100")),
        ("claims.technical_amount", json!("90")),
        ("claims.expected_investment", json!("10")),
        ("claims.expected_output", json!("10")),
        ("claims.currency", json!("CNY")),
        ("claims.terms", long(15_000)),
    ];
    let mut submission = mapped("name='t'\nkind='contract'\n", &values, "no").submission;
    submission.body.insert("event".into(), "registered".into());
    assert_eq!(submission.confidential.len(), 11);
    assert_eq!(check_draft(&submission), Ok(()));
    let contract = Contract::from_body(&Value::Object(submission.body)).unwrap();
    let description = contract.description.unwrap();
    assert!(description.subtype.is_some() && description.listing.is_some());
    assert!(description.valid_from.is_some() && description.valid_to.is_some());
    assert!(description.plan_source.is_some() && description.payment_method.is_some());
    assert_eq!((description.ip.len(), description.patents.len()), (1, 1));
}
