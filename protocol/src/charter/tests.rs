//! What makes a charter version valid, and the neighbour of each case that is refused.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{collections::BTreeMap, string::ToString as _, vec::Vec};

use serde_json::json;

use super::*;
use crate::{
    fixture::{Exchange, Federation, signed_by},
    id::{ExchangeId, Tier},
};

fn province(name: &str, code: u32) -> Exchange {
    Exchange::new(name, Tier::Provincial, &alloc::format!("CN-{code}"), 0)
}

fn founders() -> (Federation, Vec<Exchange>) {
    let federation = Federation::of_provinces(3);
    let seats = federation.exchanges.values().cloned().collect();
    (federation, seats)
}

fn founding(federation: &Federation) -> SignedCharter {
    federation.charters.versions()[0].signed().clone()
}

#[test]
fn the_founding_charter_needs_its_whole_council() {
    let (federation, seats) = founders();
    let charter = federation.charters.latest().clone();
    let all: Vec<&Exchange> = seats.iter().collect();
    let chain = CharterChain::found(signed_by(&charter, &all)).unwrap();
    assert_eq!(chain.federation_id(), federation.id());
    assert!(matches!(
        CharterChain::found(signed_by(&charter, &all[..2])),
        Err(ExtendError::TooFewSignatures { expected: 3, met: 2, .. })
    ));
    let stranger = province("cn-99-x", 65);
    assert!(matches!(
        CharterChain::found(signed_by(&charter, &[&seats[0], &seats[1], &seats[2], &stranger])),
        Err(ExtendError::Signature { .. })
    ));
}

#[test]
fn a_successor_needs_both_thresholds() {
    let (federation, mut seats) = founders();
    seats.push(province("cn-14-p", 14));
    seats.push(province("cn-15-p", 15));
    let next = federation.next_charter(&seats, 3, BTreeMap::new());
    let extend = |signers: &[&Exchange]| {
        let mut chain = federation.charters.clone();
        chain.extend(signed_by(&next, signers)).map(|_| chain.version())
    };
    assert_eq!(extend(&[&seats[0], &seats[1], &seats[3]]), Ok(2));
    assert!(matches!(
        extend(&[&seats[0], &seats[3], &seats[4]]),
        Err(ExtendError::TooFewSignatures { council: 1, expected: 2, met: 1, .. })
    ));
    assert!(matches!(
        extend(&[&seats[0], &seats[1]]),
        Err(ExtendError::TooFewSignatures { council: 2, expected: 3, met: 2, .. })
    ));
}

#[test]
fn a_successor_follows_the_newest_version() {
    let (federation, seats) = founders();
    let all: Vec<&Exchange> = seats.iter().collect();
    let next = federation.next_charter(&seats, 2, BTreeMap::new());
    let mut chain = federation.charters.clone();
    let mut astray = next.clone();
    astray.succession.as_mut().unwrap().previous = hutong_crypto::sha256(b"another");
    assert!(matches!(
        chain.extend(signed_by(&astray, &all)),
        Err(ExtendError::Predecessor { version: 2 })
    ));
    let mut far = next.clone();
    far.version = 3;
    assert!(matches!(
        chain.extend(signed_by(&far, &all)),
        Err(ExtendError::Gap { met: 3, needed: 2 })
    ));
    assert_eq!(chain.extend(signed_by(&next, &all)), Ok(Extend::Added));
    assert_eq!(chain.extend(signed_by(&next, &all[..2])), Ok(Extend::Known));
    assert_eq!(chain.extend(founding(&federation)), Ok(Extend::Known));
    let other = founding(&Federation::of_provinces(4));
    assert_eq!(chain.extend(other), Err(ExtendError::OtherFederation));
}

#[test]
fn two_successors_stop_the_chain_in_any_order() {
    let (federation, seats) = founders();
    let all: Vec<&Exchange> = seats.iter().collect();
    let one = federation.next_charter(&seats, 2, BTreeMap::new());
    let two = federation.next_charter(&seats, 3, BTreeMap::new());
    let (one, two) = (signed_by(&one, &all), signed_by(&two, &all));
    let stop = |first: &SignedCharter, second: &SignedCharter| {
        let mut chain = federation.charters.clone();
        assert_eq!(chain.extend(first.clone()), Ok(Extend::Added));
        assert!(matches!(chain.extend(second.clone()), Ok(Extend::Equivocation(_))));
        assert_eq!(chain.extend(first.clone()), Err(ExtendError::Stopped { version: 1 }));
        chain
    };
    let chain = stop(&one, &two);
    assert_eq!(chain, stop(&two, &one));
    assert_eq!(chain.version(), 1);
    assert_eq!(chain.equivocation().unwrap().common_version(), 1);

    // Half a successor is no evidence: whoever signed alone equivocated for nobody else.
    let mut chain = federation.charters.clone();
    chain.extend(one).unwrap();
    let weak = signed_by(two.charter(), &all[..1]);
    assert!(matches!(chain.extend(weak), Err(ExtendError::TooFewSignatures { .. })));
    assert_eq!(chain.version(), 2);
}

#[test]
fn new_keys_on_the_council_say_what_stands() {
    let (federation, mut seats) = founders();
    let old = seats.clone();
    seats[1] = Exchange::new("cn-12-p", Tier::Provincial, "CN-12", 1);
    let extend = |sizes: BTreeMap<ExchangeId, u64>| {
        let next = federation.next_charter(&seats, 2, sizes);
        let mut chain = federation.charters.clone();
        chain.extend(signed_by(&next, &[&old[0], &old[2]]))
    };
    let named = |name: &str| BTreeMap::from([(name.parse().unwrap(), 4)]);
    assert_eq!(extend(named("cn-12-p")), Ok(Extend::Added));
    assert!(matches!(extend(BTreeMap::new()), Err(ExtendError::LogsHonoured { .. })));
    let mut stranger = named("cn-12-p");
    stranger.extend(named("nobody"));
    assert!(matches!(extend(stranger), Err(ExtendError::LogsHonoured { .. })));
}

#[test]
fn the_file_form_reads_back_and_has_one_byte_string() {
    let (federation, _) = founders();
    let signed = founding(&federation);
    let bytes = signed.encode();
    assert_eq!(SignedCharter::parse(&bytes).unwrap(), signed);
    let mut spaced = bytes.clone();
    spaced.insert(1, b' ');
    assert!(matches!(SignedCharter::parse(&spaced), Err(SignedCharterError::Json(_))));
    let mut value = signed.to_value();
    value["signatures"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(SignedCharter::from_value(&value), Err(SignedCharterError::Order));
    let mut value = signed.to_value();
    value["more"] = json!(1);
    assert!(matches!(SignedCharter::from_value(&value), Err(SignedCharterError::Field(_))));
}

#[test]
fn a_charter_is_refused_where_its_numbers_do_not_fit() {
    let (federation, _) = founders();
    let charter = federation.charters.latest().to_value();
    let check = |member: &str, value: serde_json::Value| {
        let mut changed = charter.clone();
        changed[member] = value;
        Charter::from_value(&changed)
    };
    assert!(check("threshold", json!(3)).is_ok());
    assert!(matches!(check("threshold", json!(0)), Err(CharterError::Threshold { .. })));
    assert!(matches!(check("threshold", json!(4)), Err(CharterError::Threshold { .. })));
    assert!(matches!(check("registrar", json!("nobody")), Err(CharterError::Registrar { .. })));
    assert!(matches!(check("version", json!(2)), Err(CharterError::Succession { .. })));
    assert!(matches!(check("version", json!(0)), Err(CharterError::Succession { .. })));
    assert!(matches!(check("type", json!("hutong/charter/v2")), Err(CharterError::Field(_))));
    assert!(matches!(check("surplus", json!(1)), Err(CharterError::Field(_))));
    let council = charter["council"].as_array().unwrap();
    let twice = json!([council[0], council[0]]);
    assert!(matches!(check("council", twice), Err(CharterError::Council)));
    assert!(matches!(check("council", json!([])), Err(CharterError::Council)));
}

#[test]
fn a_descriptor_is_refused_when_anything_in_it_is_not_its_own() {
    use crate::descriptor::{DescriptorError, SignedDescriptor};
    let exchange = province("cn-14-p", 14);
    let signed = exchange.signed().to_value();
    assert!(SignedDescriptor::verify(&signed).is_ok());
    let check = |member: &str, value: serde_json::Value| {
        let mut changed = signed.clone();
        changed["descriptor"][member] = value;
        SignedDescriptor::verify(&changed)
    };
    let names = check("names", json!({ "zh": "另一个" }));
    assert!(matches!(names, Err(DescriptorError::Signature { .. })));
    let weak = check(
        "witness_key",
        json!("0100000000000000000000000000000000000000000000000000000000000000"),
    );
    assert!(matches!(weak, Err(DescriptorError::WeakKey { member: "witness_key", .. })));
    let shared = check("witness_key", json!(exchange.log_key.public().to_string()));
    assert!(matches!(shared, Err(DescriptorError::SharedKey { .. })));
    let peer = check("transport", json!("12D3KooWnothing"));
    assert!(matches!(peer, Err(DescriptorError::WeakKey { member: "transport", .. })));
    for (member, value) in [
        ("names", json!({})),
        ("tier", json!("village")),
        ("addresses", json!(["example.org:4001"])),
        ("issuer_keys", json!([])),
        ("surplus", json!(1)),
    ] {
        assert!(matches!(check(member, value), Err(DescriptorError::Field(_))), "{member}");
    }
}
