//! What the register's records do, and the neighbour of each that takes no effect.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{collections::BTreeMap, vec::Vec};

use serde_json::json;

use super::*;
use crate::{
    charter::SignedCharter,
    evidence::Evidence,
    fixture::{Exchange, Federation, signed_by},
    id::Tier,
    statement::StatementType::{self, MemberExpel, MemberSuspend},
};

fn id(text: &str) -> ExchangeId {
    text.parse().unwrap()
}

fn municipal(name: &str, region: &str) -> Exchange {
    Exchange::new(name, Tier::Municipal, region, 0)
}

fn county(name: &str, region: &str) -> Exchange {
    Exchange::new(name, Tier::County, region, 0)
}

/// Council of three; below it Zhejiang, Hangzhou and Xihu; beside it Jiangsu.
fn country() -> Federation {
    let mut country = Federation::of_provinces(3);
    country.admit_by_council(Exchange::new("cn-33-z", Tier::Provincial, "CN-33", 0));
    country.admit_by_council(Exchange::new("cn-32-j", Tier::Provincial, "CN-32", 0));
    country.admit("cn-33-z", municipal("cn-3301-hangzhou", "CN-3301"));
    country.admit("cn-3301-hangzhou", county("cn-330106-xihu", "CN-330106"));
    country
}

/// Appends so many statements of no known type.
fn say(country: &mut Federation, log: &str, times: u64) {
    for _ in 0..times {
        country.append(log, StatementType::Unknown("x".into()), json!({}));
    }
}

fn counts(country: &Federation, log: &str, index: u64) -> bool {
    let key = country.exchange(log).issuer_key.public();
    country.directory.authorizes(&id(log), index, &key, "x").is_ok()
}

#[test]
fn a_council_has_seats_and_members_have_parents() {
    let country = country();
    let parent = |name: &str| country.directory.member(&id(name)).unwrap().parent.clone();
    assert_eq!(parent("cn-11-p"), Parent::Council);
    assert_eq!(parent("cn-33-z"), Parent::Council);
    assert_eq!(parent("cn-330106-xihu"), Parent::Member(id("cn-3301-hangzhou")));
    let above: Vec<_> = country.directory.ancestors(&id("cn-330106-xihu")).collect();
    let expected = ["cn-3301-hangzhou", "cn-33-z", "council"].map(|name| name.parse().unwrap());
    assert_eq!(above, expected);
    assert!(country.directory.is_council_member(&id("cn-12-p")));
    assert!(!country.directory.is_council_member(&id("cn-33-z")));
    assert!(country.directory.ancestors(&id("cn-99-x")).next().is_none());
}

#[test]
fn an_id_that_another_parent_admitted_is_taken_for_ever() {
    let mut country = country();
    let before = country.directory.member(&id("cn-330106-xihu")).cloned();
    // The thief has keys of its own, and the parent above the victim's parent admits it.
    let thief = Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", 1);
    let taken = country.try_admit("cn-33-z", thief);
    // The parent's own number for that member is another one: the decision itself is in order.
    assert_eq!(taken, Err(NoEffect::IdTaken { id: id("cn-330106-xihu") }));
    country.restrain("cn-3301-hangzhou", MemberExpel, "cn-330106-xihu", 0).unwrap();
    let mut again = Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", 2);
    again.descriptor.website = Some("https://example.org".into());
    let taken = country.try_admit("cn-3301-hangzhou", again);
    assert_eq!(taken, Err(NoEffect::IdTaken { id: id("cn-330106-xihu") }));
    let after = country.directory.member(&id("cn-330106-xihu")).unwrap();
    assert_eq!(after.descriptor, before.unwrap().descriptor);
}

#[test]
fn nobody_squats_another_members_keys() {
    let mut country = country();
    let victim = country.exchange("cn-3301-hangzhou").clone();
    let mut thief = municipal("cn-3302-ningbo", "CN-3302");
    thief.descriptor.transport = victim.descriptor.transport.clone();
    thief.transport_key = victim.transport_key.clone();
    let taken = country.try_admit("cn-33-z", thief);
    let expected = NoEffect::KeyTaken { id: id("cn-3302-ningbo"), holder: id("cn-3301-hangzhou") };
    assert_eq!(taken, Err(expected));
    assert!(country.directory.by_peer(&Peer::new(&victim.descriptor.transport)).is_some());
    // Nor the register's key.
    let mut thief = municipal("cn-3302-ningbo", "CN-3302");
    thief.issuer_key = country.exchange("cn-11-p").register_key.clone();
    thief.descriptor.issuer_keys[0].key = thief.issuer_key.public();
    let taken = country.try_admit("cn-33-z", thief);
    assert!(matches!(taken, Err(NoEffect::KeyTaken { holder, .. }) if holder == id("register-1")));
    country.admit("cn-33-z", municipal("cn-3302-ningbo", "CN-3302"));
}

#[test]
fn nobody_is_admitted_by_a_parent_that_it_did_not_choose() {
    let mut country = country();
    let child = country.below("cn-32-j", municipal("cn-3302-ningbo", "CN-3302"));
    let body = json!({ "descriptor": child.signed().to_value() });
    let admit = StatementType::MemberAdmit;
    let decision = country.decide("cn-33-z", admit.clone(), "cn-3302-ningbo", body);
    let other = Err(NoEffect::OtherParent { id: id("cn-3302-ningbo") });
    assert_eq!(country.enrol(&decision), other);
    let elsewhere = Federation::of_provinces(4);
    let child = elsewhere.below("cn-33-z", municipal("cn-3302-ningbo", "CN-3302"));
    let body = json!({ "descriptor": child.signed().to_value() });
    let decision = country.decide("cn-33-z", admit, "cn-3302-ningbo", body);
    assert_eq!(country.enrol(&decision), other);
}

#[test]
fn nobody_admits_outside_tier_and_region() {
    let check = |parent: &str, child: Exchange| country().try_admit(parent, child);
    assert!(check("cn-33-z", county("cn-330106-new", "CN-330106")).is_ok());
    assert!(check("cn-3301-hangzhou", county("cn-330110-new", "CN-330110")).is_ok());
    for refused in [
        check("cn-33-z", county("cn-320102-new", "CN-320102")),
        check("cn-3301-hangzhou", county("cn-330206-new", "CN-330206")),
        check("cn-3301-hangzhou", municipal("cn-3301-new", "CN-3301")),
        check("cn-33-z", Exchange::new("cn-33-new", Tier::Provincial, "CN-33", 0)),
        check("cn-330106-xihu", county("cn-330106-new", "CN-330106")),
        check("council", municipal("cn-3303-wenzhou", "CN-3303")),
    ] {
        assert!(matches!(refused, Err(NoEffect::OutOfReach { .. })), "{refused:?}");
    }
}

#[test]
fn a_council_decision_needs_the_threshold() {
    let mut country = country();
    let newcomer = country.below("council", Exchange::new("cn-44-g", Tier::Provincial, "CN-44", 0));
    let body = json!({ "descriptor": newcomer.signed().to_value() });
    let mut decide = |approvals| {
        let admit = StatementType::MemberAdmit;
        let decision = country.decide_with("council", admit, "cn-44-g", body.clone(), approvals);
        country.enrol(&decision)
    };
    assert_eq!(decide(1), Err(NoEffect::TooFewApprovals { expected: 2, got: 1 }));
    assert!(decide(2).is_ok());
}

#[test]
fn a_decision_counts_once_in_time_and_under_its_charter() {
    let mut country = country();
    let suspend = |country: &mut Federation, change: &[(&str, serde_json::Value)]| {
        let mut body = json!({
            "log_root_honoured": Prefix::empty().root.to_string(),
            "log_size_honoured": 0,
            "member": "cn-330106-xihu",
        });
        for (name, value) in change {
            body[*name] = value.clone();
        }
        country.decide("cn-3301-hangzhou", MemberSuspend, "cn-330106-xihu", body)
    };
    let day = country.day();
    let wrong = suspend(&mut country, &[("number", json!(1))]);
    assert_eq!(country.enrol(&wrong), Err(NoEffect::Number { expected: 2, got: 1 }));
    let wrong = suspend(&mut country, &[("number", json!(3))]);
    assert_eq!(country.enrol(&wrong), Err(NoEffect::Number { expected: 2, got: 3 }));
    for until in [day.minus_days(1), day.plus_days(31)] {
        let wrong = suspend(&mut country, &[("until", json!(alloc::format!("{until}")))]);
        assert_eq!(country.enrol(&wrong), Err(NoEffect::NotOnThisDay { until, day }));
    }
    let other = json!(hutong_crypto::sha256(b"another charter").to_string());
    let wrong = suspend(&mut country, &[("charter", other)]);
    assert_eq!(country.enrol(&wrong), Err(NoEffect::OtherCharter));

    let right = suspend(&mut country, &[("until", json!(alloc::format!("{day}")))]);
    assert!(country.enrol(&right).is_ok());
    assert!(country.directory.is_enrolled(&right.id()));
    assert!(matches!(country.enrol(&right), Err(NoEffect::Number { expected: 3, got: 2 })));
    say(&mut country, "cn-330106-xihu", 1);
    country.reinstate("cn-3301-hangzhou", "cn-330106-xihu", 0).unwrap();
    // A shelved one comes too late.
    let shelved = suspend(&mut country, &[]);
    country.pass_days(31);
    assert!(matches!(country.enrol(&shelved), Err(NoEffect::NotOnThisDay { .. })));
}

#[test]
fn days_never_fall() {
    let mut country = country();
    let day = country.day();
    let anchor = || RecordAct::Anchor { leaves: 0, root: Prefix::empty().root };
    assert!(country.record_on(day.plus_days(2), anchor(), None).is_ok());
    let fallen = day.plus_days(1);
    let refused = country.record_on(fallen, anchor(), None);
    assert_eq!(refused, Err(NoEffect::DayFalls { day: fallen }));
    assert!(country.record_on(day.plus_days(2), anchor(), None).is_ok());
}

#[test]
fn only_the_registers_key_records() {
    let mut country = country();
    let record = Record {
        day: country.day(),
        act: RecordAct::Anchor { leaves: 0, root: Prefix::empty().root },
    };
    let size = country.directory.register().size;
    for (issuer, key) in [
        ("register-1", country.exchange("cn-12-p").register_key.clone()),
        ("cn-11-p", country.exchange("cn-11-p").register_key.clone()),
    ] {
        let entry = country.entry(issuer, &key, record.kind(), record.to_body());
        assert_eq!(country.directory.apply(&entry, None), Err(NoEffect::NotTheRegister));
    }
    assert_eq!(country.directory.register().size, size + 2, "an entry keeps its place");
}

#[test]
fn a_suspension_is_anchored_to_log_positions() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 5);
    country.restrain("cn-3301-hangzhou", MemberSuspend, "cn-330106-xihu", 3).unwrap();
    let counted = |country: &Federation| -> Vec<u64> {
        (0..9).filter(|index| counts(country, "cn-330106-xihu", *index)).collect()
    };
    assert_eq!(counted(&country), [0, 1, 2]);
    let member = country.directory.member(&id("cn-330106-xihu")).unwrap();
    assert!(member.stands_to(3) && !member.stands_to(4));
    say(&mut country, "cn-330106-xihu", 1);
    country.reinstate("cn-3301-hangzhou", "cn-330106-xihu", 3).unwrap();
    assert_eq!(counted(&country), [0, 1, 2, 6, 7, 8]);
}

#[test]
fn a_size_needs_a_checkpoint_with_a_quorum() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 5);
    let root = country.prefix("cn-330106-xihu", 3).root.to_string();
    let suspend = |country: &mut Federation, size: u64, root: &str| {
        let body = json!({
            "log_root_honoured": root, "log_size_honoured": size, "member": "cn-330106-xihu",
        });
        let decision = country.decide("cn-3301-hangzhou", MemberSuspend, "cn-330106-xihu", body);
        country.enrolment(&decision, None)
    };
    let refused = |country: &mut Federation, enrolment: Enrolment| {
        let refused = country.record(RecordAct::Enrol(enrolment));
        assert!(matches!(refused, Err(NoEffect::NotTied { .. })), "{refused:?}");
    };
    let sound = suspend(&mut country, 3, &root);
    refused(&mut country, Enrolment { head: None, ..sound.clone() });
    let alone = country.checkpoint_by("cn-330106-xihu", &[id("cn-11-p")]).encode();
    let head = sound.head.clone().unwrap();
    refused(
        &mut country,
        Enrolment { head: Some(Head { note: alone, ..head.clone() }), ..sound.clone() },
    );
    let mut extension = head.extension.clone();
    extension.right.pop();
    refused(&mut country, Enrolment { head: Some(Head { extension, ..head }), ..sound });
    let other = country.prefix("cn-330106-xihu", 2).root.to_string();
    let enrolment = suspend(&mut country, 3, &other);
    refused(&mut country, enrolment);
    let beyond = suspend(&mut country, 6, &root);
    refused(&mut country, beyond);
    let sound = suspend(&mut country, 3, &root);
    assert!(country.record(RecordAct::Enrol(sound)).is_ok());
}

#[test]
fn those_above_decide_and_rank_holds() {
    let mut country = country();
    let xihu = "cn-330106-xihu";
    let beside = country.restrain("cn-32-j", MemberSuspend, xihu, 0);
    assert_eq!(beside, Err(NoEffect::NotAbove { id: id(xihu) }));
    let itself = country.restrain(xihu, MemberSuspend, xihu, 0);
    assert_eq!(itself, Err(NoEffect::NotAbove { id: id(xihu) }));
    let seat = country.restrain("council", MemberSuspend, "cn-12-p", 0);
    assert_eq!(seat, Err(NoEffect::Seat { id: id("cn-12-p") }));

    say(&mut country, xihu, 1);
    country.restrain("cn-3301-hangzhou", MemberSuspend, xihu, 0).unwrap();
    // The province makes it its own; then the city cannot lift it, and the province can.
    country.restrain("cn-33-z", MemberSuspend, xihu, 0).unwrap();
    let lower = country.reinstate("cn-3301-hangzhou", xihu, 0);
    assert_eq!(lower, Err(NoEffect::Rank { id: id(xihu) }));
    country.reinstate("council", xihu, 0).unwrap();
    country.restrain("cn-33-z", MemberExpel, xihu, 0).unwrap();
    let again = country.restrain("cn-3301-hangzhou", MemberSuspend, xihu, 0);
    assert!(matches!(again, Err(NoEffect::WrongStatus { .. } | NoEffect::Rank { .. })));
    country.reinstate("cn-33-z", xihu, 0).unwrap();
}

#[test]
fn who_is_suspended_or_below_one_who_is_decides_nothing() {
    let mut country = country();
    country.restrain("council", MemberSuspend, "cn-33-z", 0).unwrap();
    let late = country.try_admit("cn-33-z", municipal("cn-3302-ningbo", "CN-3302"));
    assert_eq!(late, Err(NoEffect::NotActive { id: id("cn-33-z") }));
    let below = country.try_admit("cn-3301-hangzhou", county("cn-330110-yuhang", "CN-330110"));
    assert_eq!(below, Err(NoEffect::NotActive { id: id("cn-33-z") }));
    // What it decided before stands.
    assert!(country.directory.member(&id("cn-330106-xihu")).unwrap().is_active());
}

#[test]
fn what_is_final_stands_but_for_the_council() {
    let suspend_after = |days, author: &str| {
        let mut country = country();
        say(&mut country, "cn-330106-xihu", 4);
        country.anchor();
        say(&mut country, "cn-330106-xihu", 2);
        country.pass_days(days);
        country.restrain(author, MemberSuspend, "cn-330106-xihu", 1).unwrap();
        let counted = (0..9).filter(|index| counts(&country, "cn-330106-xihu", *index)).count();
        let member = country.directory.member(&id("cn-330106-xihu")).unwrap();
        (counted, member.extraordinary)
    };
    assert_eq!(suspend_after(89, "cn-33-z"), (1, false));
    assert_eq!(suspend_after(90, "cn-33-z"), (4, false));
    assert_eq!(suspend_after(90, "council"), (1, true));
}

#[test]
fn what_was_cut_does_not_become_final_again() {
    let mut country = country();
    let xihu = "cn-330106-xihu";
    say(&mut country, xihu, 2);
    country.anchor();
    country.restrain("cn-33-z", MemberSuspend, xihu, 1).unwrap();
    country.reinstate("cn-33-z", xihu, 1).unwrap();
    country.pass_days(90);
    country.restrain("cn-33-z", MemberSuspend, xihu, 0).unwrap();
    assert!(counts(&country, xihu, 0), "what stood of the anchored size is final");
    assert!(!counts(&country, xihu, 1), "what was void stays void");
}

#[test]
fn the_final_leaf_must_be_shown_as_it_is() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 4);
    country.anchor();
    country.pass_days(90);
    let root = country.prefix("cn-330106-xihu", 1).root.to_string();
    let body = json!({
        "log_root_honoured": root, "log_size_honoured": 1, "member": "cn-330106-xihu",
    });
    let decision = country.decide("cn-33-z", MemberSuspend, "cn-330106-xihu", body);
    let sound = country.enrolment(&decision, None);
    let mut refused = |last_final: Option<AnchoredLeaf>| {
        let enrolment = Enrolment { last_final, ..sound.clone() };
        let refused = country.record(RecordAct::Enrol(enrolment));
        assert_eq!(refused, Err(NoEffect::NotFinal { id: id("cn-330106-xihu") }));
    };
    refused(None);
    let mut smaller = sound.last_final.clone().unwrap();
    smaller.leaf.head.size = 2;
    refused(Some(smaller));
    let other = country.anchored("cn-3301-hangzhou");
    let enrolment = Enrolment { last_final: Some(other), ..sound.clone() };
    assert!(country.record(RecordAct::Enrol(enrolment)).is_err());
    assert!(country.record(RecordAct::Enrol(sound)).is_ok());
}

#[test]
fn a_rekey_needs_the_old_key_or_a_second_decision() {
    let begin = || {
        let mut country = country();
        say(&mut country, "cn-330106-xihu", 4);
        let old = country.exchange("cn-330106-xihu").clone();
        let new = Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", 1);
        let new = country.below("cn-3301-hangzhou", new);
        (country, old, new)
    };
    let (mut country, old, new) = begin();
    let alone = country.rekey_decision("cn-3301-hangzhou", &new, 4, None);
    assert_eq!(country.enrol(&alone), Err(NoEffect::Alone { id: id("cn-330106-xihu") }));
    let consented = country.rekey_decision("cn-3301-hangzhou", &new, 4, Some(&old.log_key));
    country.enrol(&consented).unwrap();
    let ask = |country: &Federation, index, exchange: &Exchange| {
        let key = exchange.issuer_key.public();
        country.directory.authorizes(&id("cn-330106-xihu"), index, &key, "x").is_ok()
    };
    let asked = [
        ask(&country, 3, &old),
        ask(&country, 3, &new),
        ask(&country, 4, &old),
        ask(&country, 4, &new),
    ];
    assert_eq!(asked, [true, false, false, true]);
    let key = |size| country.directory.log_key_at(&id("cn-330106-xihu"), size).unwrap();
    assert_eq!(
        [key(0), key(4), key(5)],
        [old.log_key.public(), old.log_key.public(), new.log_key.public()]
    );
    // A replaced log key never returns.
    let back = country.below("cn-3301-hangzhou", old.clone());
    country.exchanges.insert(id("cn-330106-xihu"), new.clone());
    let back = country.rekey_decision("cn-3301-hangzhou", &back, 4, Some(&new.log_key));
    assert!(matches!(
        country.enrol(&back),
        Err(NoEffect::KeyTaken { .. } | NoEffect::NotTied { .. })
    ));

    let (mut country, _, new) = begin();
    let first = country.rekey_decision("cn-3301-hangzhou", &new, 4, None);
    let beside = country.rekey_decision("cn-32-j", &new, 4, None);
    let refused = country.enrol_with(&first, Some(&beside));
    assert_eq!(refused, Err(NoEffect::Alone { id: id("cn-330106-xihu") }));
    let second = country.rekey_decision("cn-33-z", &new, 4, None);
    country.enrol_with(&first, Some(&second)).unwrap();
    assert!(ask(&country, 4, &new));
}

#[test]
fn a_rekey_keeps_its_place_and_reaches_no_further_back_than_the_last() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 4);
    let old = country.exchange("cn-330106-xihu").clone();
    let mut next = |generation, size, before: &Exchange| {
        let new = Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", generation);
        let new = country.below("cn-3301-hangzhou", new);
        let decision =
            country.rekey_decision("cn-3301-hangzhou", &new, size, Some(&before.log_key));
        let outcome = country.enrol(&decision);
        if outcome.is_ok() {
            country.exchanges.insert(id("cn-330106-xihu"), new.clone());
        }
        (outcome, new)
    };
    let (first, new) = next(1, 3, &old);
    first.unwrap();
    let (refused, _) = next(2, 2, &new);
    assert!(matches!(
        refused,
        Err(NoEffect::WrongSize { least: 3, .. } | NoEffect::NotTied { .. })
    ));
}

#[test]
fn a_freeze_stands_at_the_last_anchor_and_silences_its_owner() {
    let mut country = country();
    say(&mut country, "cn-3301-hangzhou", 2);
    country.anchor();
    let first = country.checkpoint_by("cn-3301-hangzhou", &[]).encode();
    let mut other = country.clone();
    other.append("cn-3301-hangzhou", StatementType::Unknown("a".into()), json!({ "a": 1 }));
    say(&mut country, "cn-3301-hangzhou", 1);
    let one = country.checkpoint_by("cn-3301-hangzhou", &[]).encode();
    let two = other.checkpoint_by("cn-3301-hangzhou", &[]).encode();
    let evidence = |first: &str, second: &str| Evidence {
        first: first.into(),
        second: second.into(),
        left: Vec::new(),
        right: Vec::new(),
    };
    let log = id("cn-3301-hangzhou");
    let last = Some(country.anchored("cn-3301-hangzhou"));
    let freeze = |country: &mut Federation, evidence: Evidence, last| {
        let evidence = evidence.encode().to_vec();
        country.record(RecordAct::Freeze { log: log.clone(), evidence, last })
    };
    let not_proven = Err(NoEffect::NotProven { id: log.clone() });
    assert_eq!(freeze(&mut country, evidence(&first, &first), last.clone()), not_proven);
    assert_eq!(freeze(&mut country, evidence(&one, &two), None), not_proven);
    freeze(&mut country, evidence(&one, &two), last.clone()).unwrap();
    let size = last.as_ref().unwrap().leaf.head.size;
    assert!(
        counts(&country, "cn-3301-hangzhou", size - 1)
            && !counts(&country, "cn-3301-hangzhou", size)
    );
    let late = country.try_admit("cn-3301-hangzhou", county("cn-330110-yuhang", "CN-330110"));
    assert_eq!(late, Err(NoEffect::NotActive { id: log.clone() }));
    let twice = freeze(&mut country, evidence(&one, &two), last);
    assert_eq!(twice, Err(NoEffect::WrongStatus { id: log }));
}

#[test]
fn an_author_has_so_many_acts_a_day_and_a_reserve_to_restrain() {
    let mut country = country();
    let key = (id("cn-3301-hangzhou"), false);
    country.directory.register.acts.insert(key, ACTS_PER_DAY_MAX);
    let full = country.try_admit("cn-3301-hangzhou", county("cn-330110-yuhang", "CN-330110"));
    assert_eq!(full, Err(NoEffect::Allowance { id: id("cn-3301-hangzhou") }));
    country.restrain("cn-3301-hangzhou", MemberSuspend, "cn-330106-xihu", 0).unwrap();
    country.pass_days(1);
    country.try_admit("cn-3301-hangzhou", county("cn-330110-yuhang", "CN-330110")).unwrap();
}

fn successor(country: &Federation, seats: &[Exchange]) -> SignedCharter {
    let next = country.next_charter(seats, 2, BTreeMap::new());
    let signers: Vec<&Exchange> = seats.iter().collect();
    signed_by(&next, &signers)
}

#[test]
fn a_succession_closes_the_register_and_begins_the_next() {
    let mut country = country();
    let seats: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-33-z"].map(|name| country.exchange(name).clone()).into();
    let next = successor(&country, &seats);
    let size = country.directory.register().size;
    country.succeed(&next).unwrap();
    let directory = &country.directory;
    assert_eq!(directory.charters().version(), 2);
    assert_eq!(directory.closed_at(1), Some(size + 1));
    assert_eq!((directory.register().id.as_str(), directory.register().size), ("register-2", 0));
    assert!(directory.is_council_member(&id("cn-33-z")));
    assert!(!directory.is_council_member(&id("cn-13-p")));
    assert!(directory.member(&id("cn-13-p")).unwrap().is_active(), "it stays a member");
    // Decisions go on in the next register; those under the former charter do not count.
    country.admit("cn-33-z", municipal("cn-3302-ningbo", "CN-3302"));
    assert_eq!(country.directory.register().size, 1);
}

#[test]
fn retired_keys_and_late_or_contradicting_charters_take_no_effect() {
    let mut country = country();
    let old: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-13-p"].map(|name| country.exchange(name).clone()).into();
    let rival = successor(&country, &old);
    let seats: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-33-z"].map(|name| country.exchange(name).clone()).into();
    let next = successor(&country, &seats);
    country.succeed(&next).unwrap();
    let before = country.directory.clone();
    // The former council signs another version 2: the register in force is not its own.
    let refused = country.succeed(&rival);
    let expected = NoEffect::Charter(ExtendError::Rival { version: 2 });
    assert_eq!(refused, Err(expected));
    assert_eq!(country.directory.charters(), before.charters());

    let mut country = self::country();
    let next = successor(&country, &old);
    country.pass_days(31);
    assert_eq!(country.succeed(&next), Err(NoEffect::CharterLate));
    // A seat with another exchange's key.
    let mut thief = Exchange::new("cn-44-g", Tier::Provincial, "CN-44", 0);
    thief.issuer_key = country.exchange("cn-3301-hangzhou").issuer_key.clone();
    thief.descriptor.issuer_keys[0].key = thief.issuer_key.public();
    let next = successor(&country, &[old[0].clone(), old[1].clone(), thief]);
    assert!(matches!(country.succeed(&next), Err(NoEffect::KeyTaken { .. })));
    assert_eq!(country.directory.charters().version(), 1);
}

#[test]
fn equal_registers_give_equal_directories() {
    let country = country();
    let founding = country.charters().versions()[0].signed().clone();
    let mut directory = Directory::found(founding).unwrap();
    for entry in &country.logs[&country.register()].entries {
        directory.apply(entry, None).unwrap();
    }
    assert_eq!(directory, country.directory);
}

#[test]
fn a_state_opens_one_epoch_under_an_anchored_leaf() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 4);
    country.anchor();
    let anchored = country.anchored("cn-330106-xihu");
    let opened = country.directory.member(&id("cn-330106-xihu")).unwrap().open([2]);
    let member = opened.verify(&anchored.leaf.state).unwrap();
    let key = country.exchange("cn-330106-xihu").issuer_key.public();
    assert_eq!(member.authorizes(2, &key, "hutong/listing/v1"), Ok(()));
    assert_eq!(member.status, StatusWord::Active);
    let whole = country.directory.member(&id("cn-330106-xihu")).unwrap().whole_state();
    assert_eq!(whole.digest(), anchored.leaf.state);
    assert_eq!(whole.read().unwrap(), member);
    assert_eq!(WholeState::from_value(&whole.to_value()).unwrap(), whole);
    let mut fewer = whole;
    fewer.epochs.clear();
    assert_eq!(fewer.read(), Err(OpenError::Digest));
    assert_eq!(OpenedState::from_value(&opened.to_value()).unwrap(), opened);
    let mut forged = opened.clone();
    forged.status["status"] = json!("expelled");
    assert_eq!(forged.verify(&anchored.leaf.state), Err(OpenError::Digest));
    let mut forged = opened;
    forged.epochs[0].record["from"] = json!(1);
    assert_eq!(forged.verify(&anchored.leaf.state), Err(OpenError::Digest));
}

#[test]
fn a_witness_refuses_an_anchor_that_is_not_its_folds() {
    let mut country = country();
    say(&mut country, "cn-330106-xihu", 4);
    country.anchor();
    let before = country.anchors.values().next_back().unwrap().clone();
    say(&mut country, "cn-330106-xihu", 2);
    let head = country.prefix("cn-330106-xihu", 6);
    let newest = |member: &Member| (member.id == id("cn-330106-xihu")).then_some(head);
    let changes = before.changes(&country.directory, newest);
    assert_eq!(changes.len(), 1);
    let after = |changes: &[AnchorLeaf]| {
        let mut after = before.clone();
        after.update(changes.iter().cloned());
        (after.len(), after.root())
    };
    let check = |changes: &[AnchorLeaf], anchor: (u64, Hash), shown: bool| {
        before.check(changes, anchor, &country.directory, |_, _| shown).map(|_| ())
    };
    assert_eq!(check(&changes, after(&changes), true), Ok(()));
    let xihu = || id("cn-330106-xihu");
    assert_eq!(
        check(&changes, after(&changes), false),
        Err(AnchorError::Head { id: xihu(), size: 6 })
    );
    assert_eq!(check(&changes, after(&[]), true), Err(AnchorError::Root));
    let mut state = changes.clone();
    state[0].state = head.root;
    assert_eq!(check(&state, after(&state), true), Err(AnchorError::State { id: xihu() }));
    let mut less = changes.clone();
    less[0].head = country.prefix("cn-330106-xihu", 3);
    let falls = AnchorError::Falls { id: xihu(), before: 4, size: 3 };
    assert_eq!(check(&less, after(&less), true), Err(falls));
    let (leaves, root) = after(&changes);
    assert!(matches!(check(&changes, (leaves + 1, root), true), Err(AnchorError::Members { .. })));

    // After a cut the leaf is what stands.
    country.restrain("cn-33-z", MemberSuspend, "cn-330106-xihu", 3).unwrap();
    let changes = before.changes(&country.directory, newest);
    let cut = changes.iter().find(|leaf| leaf.id == xihu()).unwrap();
    assert_eq!(cut.head, country.prefix("cn-330106-xihu", 3));
    let refused = before.check(&changes, after(&changes), &country.directory, |_, _| false);
    assert!(refused.is_ok());
}

#[test]
fn witnesses_are_parent_child_and_council_and_of_registers_the_council_without_the_keeper() {
    let directory = country().directory;
    let ask = |witness: &str, log: &str| directory.is_witness_of(&id(witness), &id(log));
    assert!(ask("cn-11-p", "cn-330106-xihu") && ask("cn-3301-hangzhou", "cn-330106-xihu"));
    assert!(ask("cn-330106-xihu", "cn-3301-hangzhou"));
    assert!(!ask("cn-33-z", "cn-330106-xihu") && !ask("cn-11-p", "cn-11-p"));
    assert!(ask("cn-12-p", "register-1") && !ask("cn-11-p", "register-1"));
    assert!(!ask("cn-33-z", "register-1") && !ask("cn-12-p", "register-2"));
}

#[test]
fn a_register_is_named_in_one_way() {
    assert_eq!(register_version(&register_id(7)), Some(7));
    for other in ["register-", "register-01", "register-x", "cn-33-z"] {
        assert_eq!(other.parse().ok().and_then(|id| register_version(&id)), None, "{other}");
    }
}
