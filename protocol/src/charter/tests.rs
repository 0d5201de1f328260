//! What makes a charter version valid, and the neighbour of each case that is refused.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{collections::BTreeMap, vec::Vec};

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
    federation.charters().versions()[0].signed().clone()
}

#[test]
fn the_founding_charter_needs_its_whole_council() {
    let (federation, seats) = founders();
    let charter = federation.charters().latest().clone();
    let all: Vec<&Exchange> = seats.iter().collect();
    let chain = CharterChain::found(signed_by(&charter, &all)).unwrap();
    assert_eq!(chain.federation_id(), federation.id());
    assert!(matches!(
        CharterChain::found(signed_by(&charter, &all[..2])),
        Err(ExtendError::TooFewSignatures { expected: 3, met: 2, .. })
    ));
    let stranger = province("cn-65-x", 65);
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
        let mut chain = federation.charters().clone();
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
    let mut chain = federation.charters().clone();
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
fn a_version_in_effect_stays_and_its_rival_is_told_from_nonsense() {
    let (federation, seats) = founders();
    let all: Vec<&Exchange> = seats.iter().collect();
    let one = federation.next_charter(&seats, 2, BTreeMap::new());
    let two = federation.next_charter(&seats, 3, BTreeMap::new());
    let mut chain = federation.charters().clone();
    chain.extend(signed_by(&one, &all)).unwrap();
    let before = chain.clone();
    assert_eq!(chain.extend(signed_by(&two, &all)), Err(ExtendError::Rival { version: 2 }));
    // Half a successor proves nothing against anybody.
    let weak = chain.extend(signed_by(&two, &all[..1]));
    assert!(matches!(weak, Err(ExtendError::TooFewSignatures { .. })));
    assert_eq!(chain, before);
}

#[test]
fn any_two_quorums_share_a_witness_and_an_owner_never_counts() {
    let (federation, seats) = founders();
    let charter = federation.charters().latest().clone();
    let check = |change: &dyn Fn(&mut Charter)| {
        let mut changed = charter.clone();
        change(&mut changed);
        Charter::from_value(&changed.to_value())
    };
    assert!(check(&|it| it.witness_quorum = 3).is_ok());
    for quorum in [0, 1, 4] {
        let refused = check(&|it| it.witness_quorum = quorum);
        assert!(matches!(refused, Err(CharterError::Quorum { least: 2, council: 3, .. })));
    }
    assert!(matches!(
        check(&|it| {
            it.council.pop();
        }),
        Err(CharterError::Council)
    ));
    assert!(matches!(check(&|it| it.anchor_minutes = 0), Err(CharterError::Times)));
    assert!(matches!(check(&|it| it.finality_days = 0), Err(CharterError::Times)));
    let key = seats[1].log_key.public();
    assert!(matches!(check(&|it| it.register_key = key), Err(CharterError::RegisterKey)));

    let witnessed = |size: u32, owner: &str, by: &[&str]| {
        let country = Federation::of_provinces(size);
        let has_cosigned = |id: &ExchangeId| by.contains(&id.as_str());
        country.charters().latest().is_witnessed(&owner.parse().unwrap(), has_cosigned)
    };
    // Of three, both others; a log of somebody else, any two.
    assert!(witnessed(3, "cn-11-p", &["cn-12-p", "cn-13-p"]));
    assert!(!witnessed(3, "cn-11-p", &["cn-11-p", "cn-12-p"]));
    assert!(witnessed(3, "cn-3301-x", &["cn-11-p", "cn-12-p"]));
    assert!(!witnessed(3, "cn-3301-x", &["cn-11-p", "cn-3301-x", "cn-14-p"]));
    // Of four with a quorum of three, two of the three others.
    assert!(witnessed(4, "cn-11-p", &["cn-12-p", "cn-14-p"]));
    assert!(!witnessed(4, "cn-11-p", &["cn-11-p", "cn-14-p"]));
    assert!(!witnessed(4, "cn-3301-x", &["cn-12-p", "cn-14-p"]));
    // Of five with a quorum of three, three of the four others: two and two would share none.
    assert!(!witnessed(5, "cn-11-p", &["cn-12-p", "cn-14-p"]));
    assert!(witnessed(1, "cn-11-p", &[]));
}

#[test]
fn new_keys_on_the_council_say_what_stands() {
    let (federation, mut seats) = founders();
    let old = seats.clone();
    seats[1] = Exchange::new("cn-12-p", Tier::Provincial, "CN-12", 1);
    let extend = |sizes: BTreeMap<ExchangeId, u64>| {
        let next = federation.next_charter(&seats, 2, sizes);
        let mut chain = federation.charters().clone();
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
    let charter = federation.charters().latest().to_value();
    let check = |member: &str, value: serde_json::Value| {
        let mut changed = charter.clone();
        changed[member] = value;
        Charter::from_value(&changed)
    };
    assert!(check("threshold", json!(3)).is_ok());
    assert!(matches!(check("threshold", json!(0)), Err(CharterError::Threshold { .. })));
    assert!(matches!(check("threshold", json!(4)), Err(CharterError::Threshold { .. })));
    assert!(matches!(check("keeper", json!("nobody")), Err(CharterError::Keeper { .. })));
    assert!(matches!(check("version", json!(2)), Err(CharterError::Succession { .. })));
    assert!(matches!(check("version", json!(0)), Err(CharterError::Succession { .. })));
    assert!(matches!(check("type", json!("hutong/charter/v2")), Err(CharterError::Field(_))));
    assert!(matches!(check("surplus", json!(1)), Err(CharterError::Field(_))));
    assert!(check("suites", json!(["ed25519"])).is_ok());
    for suites in [json!([]), json!(["ed25519", "ed25519"]), json!("ed25519"), json!(["Ed25519"])] {
        assert!(matches!(check("suites", suites), Err(CharterError::Field(_))));
    }
    let council = charter["council"].as_array().unwrap();
    let twice = json!([council[0], council[0]]);
    assert!(matches!(check("council", twice), Err(CharterError::Council)));
    assert!(matches!(check("council", json!([])), Err(CharterError::Council)));
}

#[test]
fn seats_are_the_councils_and_of_this_federation() {
    let (federation, seats) = founders();
    let founding = federation.charters().latest().clone();
    let check = |change: &dyn Fn(Exchange) -> Exchange| {
        let mut charter = founding.clone();
        charter.council[1] = change(seats[1].clone()).signed();
        SignedCharter::unsigned(&charter)
    };
    assert!(check(&|seat| seat).is_ok());
    let named = check(&|seat| federation.below("council", seat));
    assert!(matches!(named, Err(CharterError::Seat { version: 1, .. })));
    let child = check(&|mut seat| {
        seat.descriptor.parent = "cn-11-p".parse().unwrap();
        seat
    });
    assert!(matches!(child, Err(CharterError::Seat { .. })));

    let all: Vec<&Exchange> = seats.iter().collect();
    let next = federation.next_charter(&seats, 2, BTreeMap::new());
    let extend = |seat: Exchange| {
        let mut charter = next.clone();
        charter.council[1] = seat.signed();
        let mut chain = federation.charters().clone();
        SignedCharter::unsigned(&charter)?;
        Ok::<_, CharterError>(chain.extend(signed_by(&charter, &all)))
    };
    let seat = || seats[1].clone();
    assert_eq!(extend(federation.below("council", seat())), Ok(Ok(Extend::Added)));
    assert!(matches!(extend(seat()), Err(CharterError::Seat { version: 2, .. })));
    let below = extend(federation.below("cn-11-p", seat()));
    assert!(matches!(below, Err(CharterError::Seat { .. })));
    let other = extend(Federation::of_provinces(4).below("council", seat()));
    assert!(matches!(other, Ok(Err(ExtendError::SeatOfOtherFederation { .. }))));
}

#[test]
fn a_charter_with_an_unknown_suite_asks_for_newer_software() {
    let (federation, _) = founders();
    let mut charter = federation.charters().latest().to_value();
    charter["suites"] = json!(["ed25519", "sm2"]);
    // Its members' keys would be strange as well; the suite is what is told.
    charter["council"][0]["descriptor"]["log_keys"] = json!(["ed25519:00", "sm2:00"]);
    let error = Charter::from_value(&charter).unwrap_err();
    assert_eq!(
        alloc::string::ToString::to_string(&error),
        "the charter allows suite sm2, which is not known to this version; use newer software"
    );
}
