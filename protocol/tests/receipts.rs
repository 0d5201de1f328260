//! Receipts against golden vectors that were made from the specification by other code.
//!
//! How to make them again: `tests/vectors/make_receipts.py`.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use hutong_protocol::receipt::{Bundle, Policy, Receipt, TrustedAuthority, verify, verify_compact};
use serde_json::Value;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn receipts_have_the_verdicts_of_the_vectors() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../tests/vectors/receipts.json")).unwrap();
    let federation = text(&vectors, "federation").parse().unwrap();
    let bundle = Bundle::parse(text(&vectors, "bundle").as_bytes()).unwrap();
    assert_eq!(bundle.encode(), text(&vectors, "bundle").as_bytes());
    let trusted = TrustedAuthority::verify(&bundle, &federation).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let (bytes, why) = (text(case, "receipt").as_bytes(), text(case, "why"));
        let authority = (case["bundle"] == true).then_some(&trusted);
        let report = verify(bytes, &federation, &Policy { authority, now: None });
        assert_eq!(report.verdict.as_str(), text(case, "verdict"), "{why}: {report:#?}");
        if let Ok(receipt) = Receipt::parse(bytes) {
            assert_eq!(receipt.encode(), bytes, "{why}");
        }
        if report.verdict.as_str() == "valid" {
            let summary = report.summary.unwrap();
            assert_eq!(summary.day.to_string(), text(&vectors, "day"));
            assert_eq!(Some(summary.register_size), vectors["register_size"].as_u64());
        }
    }
    let compact = vectors["compact"].as_array().unwrap();
    let first = Receipt::parse(text(&vectors["cases"][0], "receipt").as_bytes()).unwrap();
    assert_eq!(hex::encode(first.encode_compact().unwrap()), text(&compact[0], "receipt"));
    for case in compact {
        let bytes = hex::decode(text(case, "receipt")).unwrap();
        let report = verify_compact(&bytes, &trusted, None);
        assert_eq!(report.verdict.as_str(), text(case, "verdict"), "{report:#?}");
    }
}
