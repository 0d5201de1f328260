//! The fold of registers against golden vectors that were made from the specification by other code.
//!
//! How to make them again: `tests/vectors/make_register.py`.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use bytes::Bytes;
use hutong_protocol::charter::SignedCharter;
use hutong_protocol::directory::{AnchorLeaf, AnchorLeaves, Directory};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::json::{canonicalize, parse_canonical};
use serde_json::Value;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn charter(text: &str) -> SignedCharter {
    SignedCharter::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_register_folds_as_the_vectors_say() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../tests/vectors/register.json")).unwrap();
    let mut directory = Directory::found(charter(text(&vectors, "founding"))).unwrap();
    assert_eq!(directory.federation().to_string(), text(&vectors, "federation"));
    let charters = vectors["charters"].as_array().unwrap();
    let charters: Vec<_> = charters.iter().map(|it| charter(it.as_str().unwrap())).collect();
    let records = vectors["records"].as_array().unwrap();
    assert!(records.iter().filter(|record| record["effect"] == false).count() > 20);
    for record in records {
        let bytes = Bytes::from(hex::decode(text(record, "entry")).unwrap());
        let entry = Entry::parse(bytes).unwrap();
        let wanted = directory.wanted_charter(&entry);
        let next = charters.iter().find(|it| Some(it.digest()) == wanted);
        let outcome = directory.apply(&entry, next);
        let effect = record["effect"].as_bool().unwrap();
        assert_eq!(outcome.is_ok(), effect, "{}: {outcome:?}", text(record, "why"));
    }
    assert_eq!(directory.charters().version(), vectors["version"].as_u64().unwrap());
    assert_eq!(directory.closed_at(1), vectors["closed_at"].as_u64());
    let council: Vec<&str> = directory.council().iter().map(ExchangeId::as_str).collect();
    assert_eq!(
        council,
        vectors["council"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap())
            .collect::<Vec<_>>()
    );
    for (id, expected) in vectors["members"].as_object().unwrap() {
        let member = directory.member_named(id).unwrap();
        let status = String::from_utf8(canonicalize(&member.status_record())).unwrap();
        assert_eq!(status, text(expected, "status"));
        assert_eq!(member.state().to_string(), text(expected, "state"), "{id}");
    }
}

#[test]
fn anchors_have_the_vectors_roots() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../tests/vectors/register.json")).unwrap();
    let anchors = vectors["anchors"].as_array().unwrap();
    assert!(!anchors.is_empty());
    for anchor in anchors {
        let leaf = |it: &Value| {
            AnchorLeaf::from_value(&parse_canonical(it.as_str().unwrap().as_bytes()).unwrap())
                .unwrap()
        };
        let leaves = AnchorLeaves::new(anchor["leaves"].as_array().unwrap().iter().map(leaf));
        assert_eq!(leaves.root().to_string(), text(anchor, "root"));
    }
}
