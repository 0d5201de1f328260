//! What the directory says, and the neighbour of each case that it refuses.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{collections::BTreeMap, vec, vec::Vec};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    fixture::{Exchange, Federation, signed_by},
    statement::StatementType,
};

fn id(text: &str) -> ExchangeId {
    text.parse().unwrap()
}

fn municipal(text: &str, region: &str) -> Exchange {
    Exchange::new(text, Tier::Municipal, region, 0)
}

/// Council cn-11-p, cn-12-p, cn-13-p; cn-33-z admitted by it; hangzhou below that, a county below
/// hangzhou.
fn country() -> Federation {
    let mut country = Federation::of_provinces(3);
    country.admit_by_council(Exchange::new("cn-33-z", Tier::Provincial, "CN-33", 0));
    country.admit("cn-33-z", municipal("hangzhou", "CN-3301"));
    country.admit("hangzhou", Exchange::new("xihu", Tier::County, "CN-330106", 0));
    country
}

fn reason(country: &Federation, log: &str, index: u64) -> Option<FactVoid> {
    country.directory().void_facts().get(&FactRef { log: id(log), index }).cloned()
}

fn authorized(country: &Federation, log: &str, index: u64) -> bool {
    let key = country.exchange(log).descriptor.issuer_keys[0].key;
    country.directory().authorizes(&id(log), index, &key, "hutong/listing/v1").is_ok()
}

#[test]
fn admissions_reach_from_the_council_to_the_county() {
    let country = country();
    let directory = country.directory();
    assert_eq!(directory.members().count(), 6);
    assert!(directory.void_facts().is_empty(), "{:?}", directory.void_facts());
    assert_eq!(directory.parent(&id("cn-33-z")), Some(&Parent::Council));
    assert_eq!(directory.parent(&id("xihu")), Some(&Parent::Member(id("hangzhou"))));
    assert_eq!(directory.member(&id("xihu")).unwrap().scope.as_str(), "CN-33");
    let peer = Peer::new(&country.exchange("xihu").descriptor.transport);
    assert_eq!(directory.by_peer(&peer).unwrap().id, id("xihu"));
    assert!(authorized(&country, "xihu", 0));
    let chain: Vec<_> = directory.chain_of(&id("xihu")).into_iter().map(|fact| fact.log).collect();
    assert_eq!(chain, [id("cn-11-p"), id("cn-33-z"), id("hangzhou")]);
    assert!(directory.chain_of(&id("cn-12-p")).is_empty());
}

#[test]
fn authorizes_asks_for_key_type_and_member() {
    let mut country = country();
    let mut limited = municipal("ningbo", "CN-3302");
    limited.descriptor.issuer_keys[0].types = vec!["hutong/listing/v1".into()];
    let key = limited.issuer_key.public();
    country.admit("cn-33-z", limited);
    let directory = country.directory();
    let ask = |log: &str, key, kind| directory.authorizes(&id(log), 0, key, kind);
    assert_eq!(ask("ningbo", &key, "hutong/listing/v1"), Ok(()));
    assert!(matches!(ask("ningbo", &key, "hutong/contract/v1"), Err(Void::TypeNotAllowed { .. })));
    assert!(matches!(ask("hangzhou", &key, "hutong/listing/v1"), Err(Void::NotAnIssuer { .. })));
    let log_key = country.exchange("ningbo").log_key.public();
    assert!(matches!(ask("ningbo", &log_key, "hutong/listing/v1"), Err(Void::NotAnIssuer { .. })));
    assert!(matches!(ask("nobody", &key, "hutong/listing/v1"), Err(Void::NotAMember { .. })));
}

#[test]
fn nobody_admits_outside_tier_and_region() {
    let check = |parent: &str, child: Exchange| {
        let mut country = country();
        let index = country.admit(parent, child);
        reason(&country, parent, index)
    };
    let county = |region| Exchange::new("newcomer", Tier::County, region, 0);
    assert_eq!(check("cn-33-z", county("CN-330106")), None);
    assert_eq!(check("hangzhou", county("CN-330110")), None);
    let beyond = [
        check("cn-33-z", county("CN-3201")),
        check("hangzhou", county("CN-330206")),
        check("hangzhou", municipal("newcomer", "CN-3301")),
        check("cn-33-z", Exchange::new("newcomer", Tier::Provincial, "CN-33", 0)),
        check("xihu", county("CN-330106")),
    ];
    for reason in beyond {
        assert!(matches!(reason, Some(FactVoid::OutOfReach { .. })), "{reason:?}");
    }
}

#[test]
fn the_council_admits_no_municipal_exchange() {
    let mut country = country();
    let index = country.admit_by_council(municipal("wenzhou", "CN-3303"));
    assert!(matches!(reason(&country, "cn-11-p", index), Some(FactVoid::OutOfReach { .. })));
    let index = country.admit_by_council(Exchange::new("kz-hub", Tier::International, "KZ", 0));
    assert_eq!(reason(&country, "cn-11-p", index), None);
    let index = country.admit("kz-hub", municipal("almaty", "KZ"));
    assert_eq!(reason(&country, "kz-hub", index), None);
    let index = country.admit("kz-hub", municipal("tashkent", "UZ"));
    assert!(matches!(reason(&country, "kz-hub", index), Some(FactVoid::OutOfReach { .. })));
}

#[test]
fn a_council_decision_needs_the_threshold() {
    let mut country = country();
    let newcomer = Exchange::new("cn-44-g", Tier::Provincial, "CN-44", 0);
    let body = json!({ "descriptor": newcomer.signed().to_value() });
    let index = country.decide_with(StatementType::MemberAdmit, body.clone(), 1);
    let expected = FactVoid::TooFewApprovals { expected: 2, met: 1 };
    assert_eq!(reason(&country, "cn-11-p", index), Some(expected));
    let index = country.decide_with(StatementType::MemberAdmit, body.clone(), 2);
    assert_eq!(reason(&country, "cn-11-p", index), None);
    let index = country.decide_with(StatementType::MemberAdmit, body, 2);
    assert_eq!(reason(&country, "cn-11-p", index), Some(FactVoid::Repeated));
}

#[test]
fn approvals_serve_one_decision_in_one_log_only() {
    let mut country = country();
    let newcomer = Exchange::new("cn-44-g", Tier::Provincial, "CN-44", 0);
    let body = json!({ "charter_version": 1, "descriptor": newcomer.signed().to_value() });
    let approvals = ["cn-11-p", "cn-12-p"].map(|name| {
        let key = &country.exchange(name).log_key;
        approve(&country.id(), "hutong/member-rekey/v1", &body, &id(name), key)
    });
    let forged = with_approvals(body.clone(), approvals.to_vec());
    let index = country.append("cn-11-p", StatementType::MemberAdmit, forged);
    assert!(matches!(reason(&country, "cn-11-p", index), Some(FactVoid::Approval { .. })));

    let approvals = ["cn-11-p", "cn-12-p"].map(|name| {
        let key = &country.exchange(name).log_key;
        approve(&country.id(), "hutong/member-admit/v1", &body, &id(name), key)
    });
    let sound = with_approvals(body, approvals.to_vec());
    let index = country.append("cn-12-p", StatementType::MemberAdmit, sound.clone());
    assert!(matches!(reason(&country, "cn-12-p", index), Some(FactVoid::NotTheRegistrar { .. })));
    let index = country.append("cn-11-p", StatementType::MemberAdmit, sound);
    assert_eq!(reason(&country, "cn-11-p", index), None);
}

#[test]
fn ids_and_keys_are_never_used_twice() {
    let mut country = country();
    let again = Exchange::new("hangzhou", Tier::Municipal, "CN-3301", 1);
    let body = json!({ "descriptor": again.signed().to_value() });
    let index = country.append("cn-33-z", StatementType::MemberAdmit, body);
    let expected = FactVoid::IdTaken { id: id("hangzhou") };
    assert_eq!(reason(&country, "cn-33-z", index), Some(expected));

    let mut thief = municipal("ningbo", "CN-3302");
    thief.descriptor.transport = country.exchange("hangzhou").descriptor.transport.clone();
    let index = country.admit("cn-33-z", thief);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::KeyTaken { .. })));
}

#[test]
fn suspension_is_anchored_to_log_positions() {
    let mut country = country();
    for _ in 0..5 {
        country.append("hangzhou", StatementType::Unknown("x".into()), json!({}));
    }
    let suspend = json!({ "member": "hangzhou", "log_size_honoured": 3 });
    country.append("cn-33-z", StatementType::MemberSuspend, suspend.clone());
    assert!(authorized(&country, "hangzhou", 2));
    assert!(!authorized(&country, "hangzhou", 3));
    let directory = country.directory();
    let hangzhou = directory.member(&id("hangzhou")).unwrap();
    assert_eq!(hangzhou.status, Status::Suspended { log_size_honoured: 3 });
    // xihu was admitted by entry 0 of hangzhou, which stands.
    assert!(authorized(&country, "xihu", 0));

    let index = country.append("cn-33-z", StatementType::MemberSuspend, suspend);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::WrongStatus { .. })));

    let too_low = json!({ "member": "hangzhou", "log_size_from": 2 });
    let index = country.append("cn-33-z", StatementType::MemberReinstate, too_low);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::WrongSize { .. })));
    let back = json!({ "member": "hangzhou", "log_size_from": 6 });
    let index = country.append("cn-33-z", StatementType::MemberReinstate, back.clone());
    assert_eq!(reason(&country, "cn-33-z", index), None);
    assert!(authorized(&country, "hangzhou", 2));
    assert!(!authorized(&country, "hangzhou", 3));
    assert!(!authorized(&country, "hangzhou", 5));
    assert!(authorized(&country, "hangzhou", 6));
    let index = country.append("cn-33-z", StatementType::MemberReinstate, back);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::WrongStatus { .. })));
}

#[test]
fn a_suspended_parent_voids_its_later_admissions_alone() {
    let mut country = country();
    let late = country.admit("hangzhou", Exchange::new("yuhang", Tier::County, "CN-330110", 0));
    assert_eq!(late, 1);
    assert!(country.directory().member(&id("yuhang")).is_some());
    let suspend = json!({ "member": "hangzhou", "log_size_honoured": 1 });
    country.append("cn-33-z", StatementType::MemberSuspend, suspend);
    let directory = country.directory();
    assert!(directory.member(&id("xihu")).is_some());
    assert!(directory.member(&id("yuhang")).is_none());
    assert!(matches!(
        reason(&country, "hangzhou", 1),
        Some(FactVoid::Entry(Void::NotHonoured { honoured: 1, .. }))
    ));
}

#[test]
fn expulsion_is_final() {
    let mut country = country();
    let expel = json!({ "member": "hangzhou", "log_size_honoured": 1 });
    country.append("cn-33-z", StatementType::MemberExpel, expel);
    assert!(authorized(&country, "hangzhou", 0));
    assert!(!authorized(&country, "hangzhou", 1));
    let back = json!({ "member": "hangzhou", "log_size_from": 1 });
    let index = country.append("cn-33-z", StatementType::MemberReinstate, back);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::WrongStatus { .. })));
    let peer = Peer::new(&country.exchange("hangzhou").descriptor.transport);
    assert!(country.directory().by_peer(&peer).is_none());
}

#[test]
fn only_the_parent_decides_about_a_child() {
    let mut country = country();
    let suspend = json!({ "member": "xihu", "log_size_honoured": 0 });
    let index = country.append("cn-33-z", StatementType::MemberSuspend, suspend.clone());
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::NotTheParent { .. })));
    let index = country.append("xihu", StatementType::MemberSuspend, suspend);
    assert!(matches!(reason(&country, "xihu", index), Some(FactVoid::NotTheParent { .. })));
    let council = json!({ "member": "cn-12-p", "log_size_honoured": 0 });
    let index = country.decide(StatementType::MemberSuspend, council);
    assert!(matches!(reason(&country, "cn-11-p", index), Some(FactVoid::NotTheParent { .. })));
    let admitted = json!({ "member": "cn-33-z", "log_size_honoured": 9 });
    let index = country.decide(StatementType::MemberSuspend, admitted);
    assert_eq!(reason(&country, "cn-11-p", index), None);
}

#[test]
fn rekey_continues_the_log_under_new_keys() {
    let mut country = country();
    let old = country.exchange("hangzhou").clone();
    let new = Exchange::new("hangzhou", Tier::Municipal, "CN-3301", 1);
    let body = json!({ "descriptor": new.signed().to_value(), "log_size_honoured": 4 });
    let index = country.append("cn-33-z", StatementType::MemberRekey, body);
    assert_eq!(reason(&country, "cn-33-z", index), None);
    let directory = country.directory();
    let ask = |index, exchange: &Exchange| {
        let key = exchange.issuer_key.public();
        directory.authorizes(&id("hangzhou"), index, &key, "hutong/listing/v1").is_ok()
    };
    assert_eq!(
        [ask(3, &old), ask(3, &new), ask(4, &old), ask(4, &new)],
        [true, false, false, true]
    );
    let log_key = |size| directory.log_key_at(&id("hangzhou"), size).unwrap();
    assert_eq!(log_key(0), old.log_key.public());
    assert_eq!(log_key(4), old.log_key.public());
    assert_eq!(log_key(5), new.log_key.public());
    assert!(directory.by_peer(&Peer::new(&new.descriptor.transport)).is_some());
    assert!(directory.by_peer(&Peer::new(&old.descriptor.transport)).is_none());

    let moved = Exchange::new("hangzhou", Tier::Municipal, "CN-3302", 2);
    let body = json!({ "descriptor": moved.signed().to_value(), "log_size_honoured": 9 });
    let index = country.append("cn-33-z", StatementType::MemberRekey, body);
    assert!(matches!(reason(&country, "cn-33-z", index), Some(FactVoid::OtherPlace { .. })));
}

#[test]
fn a_suspended_member_stays_suspended_through_a_rekey() {
    let mut country = country();
    let suspend = json!({ "member": "hangzhou", "log_size_honoured": 1 });
    country.append("cn-33-z", StatementType::MemberSuspend, suspend);
    let new = Exchange::new("hangzhou", Tier::Municipal, "CN-3301", 1);
    let body = json!({ "descriptor": new.signed().to_value(), "log_size_honoured": 1 });
    country.append("cn-33-z", StatementType::MemberRekey, body);
    let ask = |country: &Federation, index| {
        let key = new.issuer_key.public();
        country.directory().authorizes(&id("hangzhou"), index, &key, "x").is_ok()
    };
    assert!(!ask(&country, 1));
    let back = json!({ "member": "hangzhou", "log_size_from": 1 });
    country.append("cn-33-z", StatementType::MemberReinstate, back);
    assert!(ask(&country, 1));
}

#[test]
fn an_entry_in_a_foreign_log_counts_for_nobody() {
    let mut country = country();
    let key = country.exchange("cn-33-z").issuer_key.clone();
    let child = municipal("ningbo", "CN-3302");
    let body = json!({ "descriptor": child.signed().to_value() });
    country.add(child);
    let entry = country.entry("cn-33-z", &key, StatementType::MemberAdmit, body);
    let index = country.append_entry("cn-12-p", entry);
    assert!(matches!(reason(&country, "cn-12-p", index), Some(FactVoid::ForeignIssuer { .. })));
}

#[test]
fn a_new_charter_ends_the_decisions_of_the_old() {
    let mut country = Federation::of_provinces(3);
    let seats: Vec<Exchange> = country.exchanges.values().cloned().collect();
    country.append("cn-11-p", StatementType::Unknown("x".into()), json!({}));
    let next = country.next_charter(&seats, 2, BTreeMap::new());
    let signers: Vec<&Exchange> = seats.iter().collect();
    country.charters.extend(signed_by(&next, &signers)).unwrap();
    let newcomer = |name: &str| {
        let exchange = Exchange::new(name, Tier::Provincial, "CN-44", 0);
        json!({ "descriptor": exchange.signed().to_value() })
    };
    let mut late = newcomer("cn-44-a");
    late["charter_version"] = json!(1);
    let index = country.decide(StatementType::MemberAdmit, late);
    assert!(matches!(reason(&country, "cn-11-p", index), Some(FactVoid::NotTheRegistrar { .. })));
    let index = country.decide(StatementType::MemberAdmit, newcomer("cn-44-b"));
    assert_eq!(reason(&country, "cn-11-p", index), None);
}

#[test]
fn a_charter_rekeys_and_expels_council_members_by_log_size() {
    let mut country = Federation::of_provinces(3);
    let old: Vec<Exchange> = country.exchanges.values().cloned().collect();
    let renewed = Exchange::new("cn-12-p", Tier::Provincial, "CN-12", 1);
    let seats = [old[0].clone(), renewed.clone()];
    let sizes = BTreeMap::from([(id("cn-12-p"), 7), (id("cn-13-p"), 2)]);
    let next = country.next_charter(&seats, 2, sizes);
    let mut signed = signed_by(&next, &[&old[0], &old[1], &renewed]);
    signed.sign(&id("cn-12-p"), &renewed.log_key);
    country.charters.extend(signed).unwrap();
    let directory = country.directory();
    let ask = |name: &str, index, exchange: &Exchange| {
        let key = exchange.issuer_key.public();
        directory.authorizes(&id(name), index, &key, "x").is_ok()
    };
    assert!(ask("cn-12-p", 6, &old[1]) && !ask("cn-12-p", 7, &old[1]));
    assert!(ask("cn-12-p", 7, &renewed) && !ask("cn-12-p", 6, &renewed));
    assert!(ask("cn-13-p", 1, &old[2]) && !ask("cn-13-p", 2, &old[2]));
    assert!(directory.is_council_member(&id("cn-12-p")));
    assert!(!directory.is_council_member(&id("cn-13-p")));
}

#[test]
fn witnesses_are_parent_child_and_council() {
    let directory = country().directory();
    let ask = |witness: &str, log: &str| directory.is_witness_of(&id(witness), &id(log));
    assert!(ask("cn-11-p", "xihu") && ask("hangzhou", "xihu") && ask("xihu", "hangzhou"));
    assert!(!ask("cn-33-z", "xihu") && !ask("xihu", "xihu") && !ask("cn-11-p", "cn-11-p"));
    assert!(!ask("nobody", "xihu"));
}

#[test]
fn the_chain_of_facts_alone_gives_the_same_answers() {
    let mut country = country();
    let suspend = json!({ "member": "hangzhou", "log_size_honoured": 1 });
    country.append("cn-33-z", StatementType::MemberSuspend, suspend);
    country.admit("cn-33-z", municipal("ningbo", "CN-3302"));
    let (all, directory) = (country.facts(), country.directory());
    let mut chain = Facts::new();
    for place in directory.chain_of(&id("xihu")) {
        let entry = all.fact(&place).unwrap().entry().clone();
        chain.insert((place.log, place.index), &entry);
    }
    assert_eq!(chain.len(), 4);
    let smaller = Directory::build(&country.charters, &chain);
    for name in ["xihu", "hangzhou", "cn-33-z"] {
        assert_eq!(smaller.member(&id(name)), directory.member(&id(name)));
    }
    assert!(smaller.member(&id("ningbo")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Arrival in any order, also in parts with directories in between, ends in one directory.
    #[test]
    fn the_order_of_arrival_does_not_matter(order in Just(()).prop_perturb(|(), mut rng| {
        let mut keys: Vec<u32> = (0..8).map(|_| rng.random()).collect();
        keys.push(rng.random());
        keys
    })) {
        let mut country = country();
        let suspend = json!({ "member": "hangzhou", "log_size_honoured": 2 });
        country.append("cn-33-z", StatementType::MemberSuspend, suspend);
        country.admit("hangzhou", Exchange::new("yuhang", Tier::County, "CN-330110", 0));
        country.admit("cn-33-z", municipal("ningbo", "CN-3302"));
        country.admit("cn-33-z", municipal("stranger", "CN-3201"));
        country.admit("ningbo", Exchange::new("xihu", Tier::County, "CN-330206", 1));
        let expected = country.directory();
        let mut arrivals: Vec<_> = country
            .entries()
            .map(|(log, index, entry)| ((log.clone(), index), entry.clone()))
            .collect();
        prop_assert_eq!(arrivals.len(), 8);
        arrivals.sort_by_key(|((_, index), entry)| {
            order[usize::try_from(*index).unwrap() % order.len()]
                ^ u32::from(entry.id().as_bytes()[0])
        });
        let mut facts = Facts::new();
        let mut growing = Directory::build(&country.charters, &facts);
        for (place, entry) in arrivals {
            facts.insert(place, &entry);
            growing = growing.rebuild(&country.charters, &facts);
            prop_assert_eq!(&growing, &Directory::build(&country.charters, &facts));
        }
        prop_assert_eq!(Directory::build(&country.charters, &facts), expected);
    }
}
