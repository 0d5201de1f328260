//! Properties of statements: what is written reads back, one value has one form, and nobody sees
//! what is not for them.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;

use hutong_protocol::audience::{Audience, Viewer};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::json::{canonicalize, parse_canonical};
use hutong_protocol::region::Region;
use hutong_protocol::statement::{Draft, Statement, StatementType};
use hutong_protocol::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Names that no list of personal data knows: they hold a digit only, or lie beyond the words.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9\u{e000}-\u{f8ff}\u{10000}-\u{10010}]{0,6}",
        "x[a-f]{0,3}",
        "[\u{0}-\u{1f}\"\\\\]{1,3}"
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn exchange() -> impl Strategy<Value = ExchangeId> {
    "[a-z0-9][a-z0-9-]{2,20}".prop_map(|text| text.parse().unwrap())
}

fn region() -> impl Strategy<Value = Region> {
    prop::sample::select(vec!["CN", "CN-33", "CN-3301", "CN-330106", "CN-65", "KZ", "KG"])
        .prop_map(|text| text.parse().unwrap())
}

fn audience() -> impl Strategy<Value = Audience> {
    prop_oneof![
        Just(Audience::Public),
        Just(Audience::Domestic),
        prop::collection::btree_set(exchange(), 1..6).prop_map(Audience::Members),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let body = prop::collection::btree_map(name(), value(), 0..6);
    (audience(), 0..253_000_000_000_u64, exchange(), any::<[u8; 16]>(), body).prop_map(
        |(audience, seconds, issuer, salt, body)| Draft {
            audience,
            issued_at: Timestamp::from_seconds(seconds),
            issuer,
            salt,
            kind: StatementType::Unknown("example/note/v1".into()),
            body: Value::Object(body.into_iter().collect::<Map<_, _>>()),
        },
    )
}

/// The order of members by UTF-16, worked out the slow way.
fn ordered(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_by_key(|name| name.encode_utf16().collect::<Vec<u16>>());
            let at = |name: &&String| {
                let quoted = serde_json::to_string(name).unwrap();
                text.find(&format!("{quoted}:"))
            };
            names.iter().map(at).is_sorted()
        }
        _ => true,
    }
}

proptest! {
    #[test]
    fn one_value_has_one_form_which_reads_back(value in value()) {
        let bytes = canonicalize(&value);
        let read = parse_canonical(&bytes).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(canonicalize(&read), bytes);
    }

    #[test]
    fn every_other_form_is_refused(value in value(), at in any::<prop::sample::Index>()) {
        let mut bytes = canonicalize(&value);
        let at = at.index(bytes.len() + 1);
        bytes.insert(at, b' ');
        // White space counts inside a text, and nowhere else.
        let same = parse_canonical(&bytes).is_ok_and(|read| read == value);
        prop_assert!(!same);
    }

    #[test]
    fn members_stand_in_the_order_of_utf_16(
        names in prop::collection::btree_set("[\u{e000}-\u{e00f}\u{10000}-\u{1000f}a-c]", 1..8),
    ) {
        let value: Value = names.into_iter().map(|name| (name, Value::Null)).collect::<Map<_, _>>().into();
        let text = String::from_utf8(canonicalize(&value)).unwrap();
        prop_assert!(ordered(&value, &text), "{}", text);
    }

    #[test]
    fn a_statement_reads_back_as_it_was_drafted(draft in draft()) {
        let bytes = draft.encode().unwrap();
        let read = Statement::parse(&bytes).unwrap();
        prop_assert_eq!(&read.audience, &draft.audience);
        prop_assert_eq!(read.issued_at, draft.issued_at);
        prop_assert_eq!(&read.issuer, &draft.issuer);
        prop_assert_eq!(read.salt, draft.salt);
        prop_assert_eq!(&read.kind, &draft.kind);
        prop_assert_eq!(&read.body, &draft.body);
        let again = Draft {
            audience: read.audience,
            issued_at: read.issued_at,
            issuer: read.issuer,
            salt: read.salt,
            kind: read.kind,
            body: read.body,
        };
        prop_assert_eq!(again.encode().unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_the_parser_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(value) = parse_canonical(&bytes) {
            prop_assert_eq!(canonicalize(&value), bytes.clone());
        }
        let _ = Statement::parse(&bytes).map(drop);
    }

    #[test]
    fn an_audience_admits_whom_it_names_and_the_issuer(
        audience in audience(),
        issuer in exchange(),
        issuer_region in region(),
        viewer in exchange(),
        viewer_region in region(),
    ) {
        let admits = |who: &Viewer| audience.admits(&issuer, &issuer_region, who);
        prop_assert!(admits(&Viewer::member(issuer.clone(), viewer_region.clone())));
        prop_assert_eq!(admits(&Viewer::stranger()), audience == Audience::Public);
        let expected = viewer == issuer || match &audience {
            Audience::Public => true,
            Audience::Domestic => viewer_region.as_str()[..2] == issuer_region.as_str()[..2],
            Audience::Members(named) => named.contains(&viewer),
        };
        prop_assert_eq!(admits(&Viewer::member(viewer, viewer_region)), expected);
    }

    #[test]
    fn an_audience_has_one_form(audience in audience()) {
        let value = audience.to_value();
        prop_assert_eq!(Audience::from_value(&value).unwrap(), audience.clone());
        if let Audience::Members(named) = &audience {
            let names: Vec<&str> = named.iter().rev().map(ExchangeId::as_str).collect();
            let turned = serde_json::json!({"members": names});
            prop_assert_eq!(Audience::from_value(&turned).is_ok(), named.len() == 1);
        }
    }
}

#[test]
fn an_empty_audience_is_refused() {
    let none = Audience::Members(BTreeSet::new());
    assert!(Audience::from_value(&none.to_value()).is_err());
}
