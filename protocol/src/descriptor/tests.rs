//! What a descriptor must say and carry, and the neighbour of each case that is refused.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{string::ToString as _, vec::Vec};

use hutong_crypto::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::{fixture::Exchange, suite::SUITE_NAME_ED25519};

fn guangxi() -> Exchange {
    Exchange::new("cn-45-guangxi", Tier::Provincial, "CN-45", 0)
}

fn changed(member: &str, value: Value) -> Result<SignedDescriptor, DescriptorError> {
    let mut signed = guangxi().signed().to_value();
    signed["descriptor"][member] = value;
    SignedDescriptor::verify(&signed)
}

fn with_signatures(
    change: impl FnOnce(&mut Vec<Value>),
) -> Result<SignedDescriptor, DescriptorError> {
    let mut signed = guangxi().signed().to_value();
    change(signed["signatures"].as_array_mut().unwrap());
    SignedDescriptor::verify(&signed)
}

#[test]
fn a_descriptor_is_refused_when_anything_in_it_is_not_its_own() {
    let exchange = guangxi();
    assert!(SignedDescriptor::verify(&exchange.signed().to_value()).is_ok());
    let names = changed("names", json!({ "zh": "另一个" }));
    assert!(matches!(names, Err(DescriptorError::Signature { role: KeyRole::Log, .. })));
    let weak = changed(
        "witness_keys",
        json!(["ed25519:0100000000000000000000000000000000000000000000000000000000000000"]),
    );
    assert!(matches!(weak, Err(DescriptorError::WeakKey { member: "witness_keys", .. })));
    let shared = changed("witness_keys", json!([key_text(&exchange.log_key.public())]));
    assert!(matches!(shared, Err(DescriptorError::SharedKey { .. })));
    let peer = changed("transport", json!("12D3KooWnothing"));
    assert!(matches!(peer, Err(DescriptorError::WeakKey { member: "transport", .. })));
    for (member, value) in [
        ("names", json!({})),
        ("tier", json!("village")),
        ("addresses", json!(["example.org:4001"])),
        ("issuer_keys", json!([])),
        ("parent", json!("Council")),
        ("federation", json!("5f1c")),
        ("surplus", json!(1)),
    ] {
        assert!(matches!(changed(member, value), Err(DescriptorError::Field(_))), "{member}");
    }
}

#[test]
fn id_region_and_tier_agree() {
    for (member, value) in [
        ("id", json!("cn-44-guangxi")),
        ("id", json!("cn-4501-guangxi")),
        ("region", json!("CN-44")),
        ("tier", json!("municipal")),
    ] {
        assert!(matches!(changed(member, value), Err(DescriptorError::Place(_))), "{member}");
    }
}

#[test]
fn a_descriptor_names_its_federation_and_another_as_its_parent() {
    let mut exchange = guangxi();
    exchange.descriptor.parent = Parent::Member("cn-national".parse().unwrap());
    exchange.descriptor.federation = Some(FederationId::new(hutong_crypto::sha256(b"one")));
    let signed = exchange.signed();
    assert_eq!(SignedDescriptor::verify(&signed.to_value()).unwrap(), signed);
    assert_eq!(signed.to_value()["descriptor"]["parent"], "cn-national");
    exchange.descriptor.parent = Parent::Member(exchange.id().clone());
    let own = SignedDescriptor::sign(&exchange.descriptor, &exchange.keys());
    assert!(matches!(own, Err(DescriptorError::OwnParent { .. })));
    let mut orphan = guangxi().signed().to_value();
    orphan["descriptor"].as_object_mut().unwrap().remove("parent");
    assert!(matches!(SignedDescriptor::verify(&orphan), Err(DescriptorError::Field(_))));
}

#[test]
fn each_list_has_one_key_of_the_one_suite() {
    let key = key_text(&guangxi().log_key.public());
    let bare = key.strip_prefix(SUITE_NAME_ED25519).unwrap()[1..].to_string();
    for wrong in [json!([]), json!([key, key]), json!([bare]), json!(key), json!([1])] {
        for member in ["log_keys", "witness_keys"] {
            let refused = changed(member, wrong.clone());
            assert!(matches!(refused, Err(DescriptorError::Field(_))), "{member} {wrong}");
        }
    }
    let bare = json!([{ "key": bare, "types": ["*"] }]);
    assert!(matches!(changed("issuer_keys", bare), Err(DescriptorError::Field(_))));
    let error = changed("log_keys", json!([key, "sm2:02aa"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`descriptor.log_keys`: suite sm2 is not known to this version; use newer software"
    );
    let newer = json!([{ "key": "ml-dsa-44:00", "types": ["*"] }]);
    let error = changed("issuer_keys", newer);
    assert!(matches!(error, Err(DescriptorError::UnknownSuite { member: "issuer_keys", .. })));
}

#[test]
fn a_keys_types_are_visible_ascii() {
    let key = key_text(&guangxi().issuer_key.public());
    let types =
        |types: serde_json::Value| changed("issuer_keys", json!([{ "key": key, "types": types }]));
    for good in [json!(["*"]), json!(["a"]), json!(["x".repeat(64), "*"])] {
        assert!(!matches!(types(good), Err(DescriptorError::Field(_))));
    }
    for bad in [
        json!([]),
        json!([""]),
        json!(["x".repeat(65)]),
        json!(["a\u{7}"]),
        json!(["a b"]),
        json!(["a\u{202e}"]),
        json!(["合同"]),
        json!([1]),
    ] {
        assert!(matches!(types(bad.clone()), Err(DescriptorError::Field(_))), "{bad}");
    }
}

#[test]
fn every_key_signs_in_its_place() {
    let roles = [KeyRole::Log, KeyRole::Witness, KeyRole::Issuer(0), KeyRole::Transport];
    assert!(with_signatures(|_| ()).is_ok());
    for (place, role) in roles.into_iter().enumerate() {
        // Cut short, by another key, and over other bytes.
        let short = with_signatures(|all| all.truncate(place));
        assert_eq!(
            short,
            Err(DescriptorError::MissingSignature { id: guangxi().id().clone(), role })
        );
        let stranger = key_text(&SigningKey::from_bytes(&[9; 32]).public());
        let other = with_signatures(|all| all[place]["key"] = json!(stranger));
        assert_eq!(other, Err(DescriptorError::Signer { id: guangxi().id().clone(), role }));
        let next = (place + 1) % roles.len();
        let wrong = with_signatures(|all| all[place]["signature"] = all[next]["signature"].clone());
        assert_eq!(wrong, Err(DescriptorError::Signature { id: guangxi().id().clone(), role }));
    }
    let swapped = with_signatures(|all| all.swap(1, 2));
    assert!(matches!(swapped, Err(DescriptorError::Signer { role: KeyRole::Witness, .. })));
    let surplus = with_signatures(|all| all.push(all[0].clone()));
    assert!(matches!(surplus, Err(DescriptorError::SurplusSignature { expected: 4, .. })));
    let named = with_signatures(|all| all[0]["role"] = json!("log"));
    assert!(matches!(named, Err(DescriptorError::Field(_))));
    let error = with_signatures(|all| all.truncate(3)).unwrap_err().to_string();
    assert_eq!(error, "descriptor of cn-45-guangxi: the signature of its transport key is missing");
}

#[test]
fn a_key_that_cannot_sign_is_named() {
    let exchange = guangxi();
    for (place, role) in [KeyRole::Log, KeyRole::Witness, KeyRole::Issuer(0), KeyRole::Transport]
        .into_iter()
        .enumerate()
    {
        let mut keys = exchange.keys().to_vec();
        keys.remove(place);
        let unsigned = SignedDescriptor::sign(&exchange.descriptor, &keys);
        assert!(
            matches!(&unsigned, Err(DescriptorError::MissingSignature { role: met, .. }) if *met == role)
        );
    }
    let mut backwards = exchange.keys().to_vec();
    backwards.reverse();
    assert_eq!(SignedDescriptor::sign(&exchange.descriptor, &backwards), Ok(exchange.signed()));
}
