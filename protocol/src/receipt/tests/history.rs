//! What the events of a contract or listing make of a receipt.

use super::*;

#[test]
fn later_events_decide_between_the_valid_verdicts() {
    let mut case = Case::new();
    let amended = case.then("amended", case.index);
    let bytes = case.build(&[amended]);
    assert_eq!(case.verdict(&bytes), Verdict::ValidSuperseded);
    let cancelled = case.then("cancelled", amended);
    let bytes = case.build(&[cancelled, amended]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::ValidThenCancelled);
    let events: Vec<_> =
        report.summary.unwrap().later.into_iter().map(|later| later.event).collect();
    assert_eq!(events, ["amended", "cancelled"]);
    let allowed = BTreeSet::from([Verdict::ValidSuperseded]);
    assert_eq!(Verdict::ValidSuperseded.exit_code(&allowed), 0);
    assert_ne!(Verdict::ValidThenCancelled.exit_code(&allowed), 0);
    let everything = Verdict::ALL.into_iter().collect();
    for verdict in [Verdict::Invalid, Verdict::Void, Verdict::NotVerifiableHere] {
        assert_ne!(verdict.exit_code(&everything), 0);
    }
}

#[test]
fn a_later_event_needs_those_before_it() {
    let mut case = Case::new();
    let registered = case.index;
    let amended = case.then("amended", registered);
    case.index = amended;
    let bytes = case.build(&[registered]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    assert_eq!(report.summary.unwrap().later, []);
    // Nothing shows that it took effect.
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
    let cancelled = case.then("cancelled", amended);
    case.index = cancelled;
    let bytes = case.build(&[registered]);
    assert_eq!(case.verdict(&bytes), Verdict::Void, "the amendment is missing");
    // An event that ends its subject has the verdict of what it ends in.
    let bytes = case.build(&[registered, amended]);
    assert_eq!(case.verdict(&bytes), Verdict::ValidThenCancelled);
}

#[test]
fn a_revoked_contract_is_void_and_its_end_is_final() {
    let mut case = Case::new();
    let registered = case.index;
    let revoked = case.then("revoked", registered);
    let bytes = case.build(&[revoked]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
    let after = case.then("amended", revoked);
    let bytes = case.build(&[revoked, after]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
    // Neither the revocation itself nor what came after it looks like a valid contract.
    for index in [revoked, after] {
        case.index = index;
        let others: Vec<u64> =
            [registered, revoked].into_iter().filter(|it| *it != index).collect();
        let bytes = case.build(&others);
        assert_eq!(case.verdict(&bytes), Verdict::Void);
    }
}

#[test]
fn an_entry_that_took_no_effect_is_void() {
    let mut case = Case::new();
    let registered = case.index;
    let again = case.country.append(CITY, StatementType::Contract, contract("registered", None));
    let fork = case.then("cancelled", 0);
    for index in [again, fork] {
        case.index = index;
        let bytes = case.build(&[registered]);
        let report = case.report(&bytes);
        assert_eq!(report.verdict, Verdict::Void);
        assert_eq!(failed(&report), ["history"]);
    }
    // As an event it changes nothing, and the verdict says so.
    case.index = registered;
    let bytes = case.build(&[again, fork]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid);
    let warned = report.checks.iter().filter(|check| check.name == "history");
    assert_eq!(warned.filter(|check| check.outcome == Outcome::Warn).count(), 2);
    assert_eq!(report.summary.unwrap().later, []);
}

#[test]
fn strangers_and_the_entry_itself_are_no_events() {
    let mut case = Case::new();
    let kind = StatementType::Contract;
    let other = case.country.append(CITY, kind, other_contract("registered"));
    case.country.anchor();
    for events in [&[other][..], &[0], &[case.index]] {
        let refused = case.build_with(events, |_| {});
        assert!(matches!(refused, Err(BuildError::Refused(_))), "{events:?}");
    }
    let amended = case.then("amended", case.index);
    let mut inputs = case.inputs(&[amended]);
    inputs.events[0].inclusion.index = 2;
    assert_eq!(failed(&case.report(&unchecked(inputs))), ["history"]);
    let mut inputs = case.inputs(&[amended]);
    inputs.events.push(inputs.events[0].clone());
    assert_eq!(failed(&case.report(&unchecked(inputs))), ["history"]);
}

#[test]
fn listings_are_superseded_by_revisions_and_ended_by_withdrawal() {
    let mut country = Federation::of_provinces(3);
    let mut say = |said: &str| {
        let (kind, body) = match said.parse::<u64>() {
            Ok(revision) => {
                let body = json!({"kind": "achievement", "listing_id": "li-1", "region": "CN-12",
                    "revision": revision, "title": {"zh": "石墨烯散热膜"}});
                (StatementType::Listing, body)
            }
            Err(_) => (StatementType::ListingStatus, json!({"listing_id": "li-1", "status": said})),
        };
        country.append("cn-12-p", kind, body)
    };
    let said = ["1", "audited", "2", "1", "objected", "3", "listed", "withdrawn", "listed", "4"];
    let all: Vec<u64> = said.into_iter().map(&mut say).collect();
    country.anchor();
    let mut case = Case { country, issuer: "cn-12-p", index: 0 };
    let mut check = |index: u64, to: u64| {
        case.index = index;
        let events: Vec<u64> =
            all.iter().copied().filter(|event| *event != index && *event < to).collect();
        let bytes = case.build(&events);
        case.verdict(&bytes)
    };
    for (index, to, expected) in [
        (0, 1, Verdict::Valid),
        (0, 2, Verdict::Valid),
        (0, 3, Verdict::ValidSuperseded),
        (1, 2, Verdict::Valid),
        (1, 3, Verdict::ValidSuperseded),
        (2, 4, Verdict::Valid),
        (3, 4, Verdict::Void),
        (4, 5, Verdict::Valid),
        // A revision does not settle an objection.
        (4, 6, Verdict::Valid),
        (4, 7, Verdict::ValidSuperseded),
        (5, 8, Verdict::ValidThenCancelled),
        (7, 8, Verdict::ValidThenCancelled),
        // A withdrawn listing comes back by a revision only.
        (8, 9, Verdict::Void),
        (7, 10, Verdict::ValidSuperseded),
        (9, 10, Verdict::Valid),
    ] {
        assert_eq!(
            check(index, to),
            expected,
            "{} up to {to}",
            said[usize::try_from(index).unwrap()]
        );
    }
}

#[test]
fn events_of_other_epochs_come_with_their_keys() {
    let mut case = Case::new();
    let registered = case.index;
    let old = case.country.exchange(CITY).clone();
    let new = case.country.below("cn-33-z", Exchange::new(CITY, Tier::Municipal, "CN-3301", 1));
    let rekey = case.country.rekey_decision("cn-33-z", &new, 3, Some(&old.log_key));
    case.country.enrol(&rekey).unwrap();
    case.country.add(new);
    let amended = case.then("amended", registered);
    let bytes = case.build(&[amended]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::ValidSuperseded, "{report:#?}");
    let one_epoch = case.build_with(&[amended], |inputs| {
        inputs.state.epochs.pop();
    });
    assert!(matches!(one_epoch, Err(BuildError::Refused(_))));
    case.index = amended;
    let bytes = case.build(&[registered]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
    // The old key says nothing any more.
    let stale = case.country.entry_at(CITY, registered).id().to_string();
    let body = contract("cancelled", Some(stale));
    let kind = StatementType::Contract;
    let late = case.country.append_signed(CITY, &old.issuer_key, kind, body);
    case.country.anchor();
    case.index = late;
    let bytes = case.build(&[registered]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Void);
    assert_eq!(failed(&report), ["issuer"]);
    // Nor does it as an event.
    case.index = registered;
    let bytes = case.build(&[late]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
}

#[test]
fn no_receipt_speaks_of_decisions_about_members() {
    let mut case = Case::new();
    case.country.admit(CITY, Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", 0));
    case.country.anchor();
    case.index = 3;
    assert_eq!(case.build_with(&[], |_| {}), Err(BuildError::Membership));
    let inputs = case.inputs(&[]);
    let report = case.report(&unchecked(inputs));
    assert_eq!(report.verdict, Verdict::NotVerifiableHere);
    assert_eq!(failed(&report), ["history"]);
    // What only a register says takes no effect in a member's log.
    let kind = StatementType::Anchors;
    case.index = case.country.append(CITY, kind, json!({ "day": "2026-11-23", "leaves": 1 }));
    case.country.anchor();
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
}
