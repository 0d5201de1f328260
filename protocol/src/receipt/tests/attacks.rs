//! Receipts that attackers made, each named after what was tried: none is `valid`.

use super::*;
use crate::directory::{AnchorLeaf, AnchorLeaves, RecordAct, register_id};

/// A council of three whose second and third seats have new keys in charter version 2, which took effect.
fn succeeded() -> (Case, Federation, Vec<u8>) {
    let mut case = Case::new();
    let before = case.build(&[]);
    let retired = case.country.clone();
    let seats: Vec<Exchange> = ["cn-11-p", "cn-12-p", "cn-13-p"]
        .map(|name| {
            let mut seat = case.country.exchange(name).clone();
            let next =
                Exchange::new(name, Tier::Provincial, &seat.descriptor.region.to_string(), 1);
            seat.witness_key = next.witness_key;
            seat.descriptor.witness_key = next.descriptor.witness_key;
            seat.register_key = next.register_key;
            case.country.below("council", seat)
        })
        .into();
    let next = case.country.next_charter(&seats, 2, BTreeMap::new());
    let next = signed_by(&next, &[&seats[0], &seats[1]]);
    case.country.succeed(&next).unwrap();
    for seat in seats {
        case.country.add(seat);
    }
    (case, retired, before)
}

#[test]
fn whoever_takes_a_name_gets_no_receipt_for_it() {
    let mut case = Case::new();
    case.country.admit_by_council(Exchange::new("cn-34-h", Tier::Provincial, "CN-34", 0));
    let thief = Exchange::new(CITY, Tier::Municipal, "CN-3301", 7);
    assert!(case.country.try_admit("cn-33-z", thief.clone()).is_err(), "the id is taken");
    case.country.anchor();
    let genuine = case.build(&[]);
    // The thief signs as the city and shows a leaf and a state of its own making.
    let mut own = case.country.clone();
    own.logs.remove(&id(CITY));
    own.add(own.below("cn-33-z", thief));
    let index = own.append(CITY, StatementType::Contract, other_contract("registered"));
    let mut inputs = case.inputs(&[]);
    inputs.entry = own.entry_at(CITY, index);
    inputs.place = Place::Anchored(Inclusion { index, path: own.path(CITY, index, 1) });
    inputs.as_of = 1;
    assert_eq!(failed(&case.report(&unchecked(inputs.clone()))), ["inclusion"]);
    inputs.leaf.leaf.head = own.prefix(CITY, 1);
    let report = case.report(&unchecked(inputs.clone()));
    assert_eq!((report.verdict, failed(&report)), (Verdict::Invalid, ["leaf", "issuer"].into()));
    let keys = own.exchange(CITY).descriptor.to_value();
    inputs.state.epochs[0].record["descriptor"] = keys;
    inputs.leaf.leaf.state = case.country.directory.member(&id(CITY)).unwrap().state();
    assert_eq!(case.verdict(&unchecked(inputs)), Verdict::Invalid);
    assert_eq!(case.verdict(&genuine), Verdict::Valid, "the real one stays");
}

#[test]
fn a_register_that_its_keeper_witnesses_itself_is_refused() {
    let mut case = Case::new();
    let register = case.country.register();
    let mut with = |witnesses: &[&str]| {
        let witnesses: Vec<ExchangeId> = witnesses.iter().map(|name| id(name)).collect();
        let note = case.country.checkpoint_by(register.as_str(), &witnesses);
        let mut inputs = case.inputs(&[]);
        let index = inputs.register.proof.index;
        inputs.register.proof = case.country.proof(register.as_str(), index, &note);
        let bytes = unchecked(inputs);
        case.verdict(&bytes)
    };
    assert_eq!(with(&["cn-12-p", "cn-13-p"]), Verdict::Valid);
    // cn-11-p keeps the register.
    for witnesses in [
        &["cn-11-p", "cn-12-p"][..],
        &["cn-11-p", "cn-12-p", "cn-13-p"],
        &["cn-12-p"],
        &["cn-12-p", "cn-12-p"],
        &["cn-12-p", "cn-33-z"],
        &["cn-12-p", CITY],
        &[],
    ] {
        assert_eq!(with(witnesses), Verdict::Invalid, "{witnesses:?}");
    }
}

#[test]
fn a_log_that_its_owner_witnesses_itself_is_refused() {
    let mut case = Case::new();
    case.issuer = "cn-12-p";
    case.country.append("cn-12-p", StatementType::Unknown("x".into()), json!({}));
    case.country.anchor();
    let kind = StatementType::Contract;
    let index = case.country.append("cn-12-p", kind, contract("registered", None));
    let mut with = |witnesses: &[&str]| {
        let witnesses: Vec<ExchangeId> = witnesses.iter().map(|name| id(name)).collect();
        let note = case.country.checkpoint_by("cn-12-p", &witnesses);
        let inputs = case.country.provisional_inputs("cn-12-p", index, &[], &note);
        case.verdict(&unchecked(inputs))
    };
    assert_eq!(with(&["cn-11-p", "cn-13-p"]), Verdict::Provisional);
    assert_eq!(with(&["cn-12-p", "cn-13-p"]), Verdict::Invalid);
    assert_eq!(with(&["cn-11-p", "cn-12-p", "cn-13-p"]), Verdict::Invalid);
}

#[test]
fn a_false_anchor_needs_a_quorum() {
    let mut case = Case::new();
    // The keeper anchors a log that nobody else saw; the witnesses cosigned only what was before.
    let mut forger = case.country.clone();
    let kind = StatementType::Contract;
    let index = forger.append(CITY, kind, other_contract("registered"));
    forger.anchor();
    let register = forger.register();
    let mut inputs = forger.receipt_inputs(CITY, index, &[]);
    let place = inputs.register.proof.index;
    let lone = forger.checkpoint_by(register.as_str(), &[]);
    inputs.register.proof = forger.proof(register.as_str(), place, &lone);
    assert_eq!(failed(&case.report(&unchecked(inputs.clone()))), ["anchor"]);
    // The honest checkpoint does not lead to it.
    let honest = case.country.checkpoint(register.as_str());
    inputs.register.proof.checkpoint = honest;
    assert_eq!(failed(&case.report(&unchecked(inputs))), ["anchor"]);
    // Another record of the register is no anchor, and what another key signs is no record of it.
    let mut inputs = case.inputs(&[]);
    inputs.register = case.country.proven_anchor(1, 0);
    assert_eq!(failed(&case.report(&unchecked(inputs))), ["anchor"]);
    let mut own = case.country.clone();
    let leaves = AnchorLeaves::new([AnchorLeaf { ..own.anchored(CITY).leaf }]);
    let act = RecordAct::Anchor { leaves: leaves.len(), root: leaves.root() };
    let record = crate::directory::Record { day: own.day(), act };
    let key = own.exchange("cn-12-p").register_key.clone();
    let entry = own.entry(register.as_str(), &key, record.kind(), record.to_body());
    let index = own.append_entry(register.as_str(), entry);
    let mut inputs = case.inputs(&[]);
    inputs.register = own.proven_anchor(1, index);
    inputs.leaf = leaves.prove(&id(CITY)).unwrap();
    assert_eq!(failed(&case.report(&unchecked(inputs))), ["anchor"]);
}

#[test]
fn a_receipt_from_before_a_suspension_is_void_for_who_knows_of_it() {
    let mut case = Case::new();
    let stale = case.build(&[]);
    let compact = Receipt::parse(&stale).unwrap().encode_compact().unwrap();
    let then = case.trusted();
    case.country.restrain("cn-33-z", StatementType::MemberSuspend, CITY, 1).unwrap();
    case.country.anchor();
    let now = case.trusted();
    assert_eq!(
        case.verdict(&stale),
        Verdict::Valid,
        "alone it knows no better, and says of which day"
    );
    for (report, expected) in [
        (case.report_with(&stale, &then), Verdict::Valid),
        (case.report_with(&stale, &now), Verdict::Void),
        (verify_compact(&compact, &then, None), Verdict::Valid),
        (verify_compact(&compact, &now, None), Verdict::Void),
    ] {
        assert_eq!(report.verdict, expected, "{report:#?}");
    }
    let summary = case.report_with(&stale, &now).summary.unwrap();
    let newest = now.newest().unwrap();
    assert_eq!((summary.register_size, summary.day), (newest.index + 1, newest.day));
}

#[test]
fn what_an_interruption_voided_stays_void() {
    let mut case = Case::new();
    case.country.restrain("cn-33-z", StatementType::MemberSuspend, CITY, 1).unwrap();
    case.country.reinstate("cn-33-z", CITY, 1).unwrap();
    let kind = StatementType::Contract;
    let after = case.country.append(CITY, kind, other_contract("registered"));
    case.country.anchor();
    // Entry 1 was said before the reinstatement at size 3, and lies beyond what the suspension let stand.
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!((report.verdict, failed(&report)), (Verdict::Void, ["issuer"].into()));
    case.index = after;
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
}

#[test]
fn what_a_rekey_cut_off_is_void_though_its_index_counts_again() {
    let mut case = Case::new();
    let cut_off = case.build(&[]);
    let old = case.country.exchange(CITY).clone();
    let mut new = Exchange::new(CITY, Tier::Municipal, "CN-3301", 1);
    // The issuer key stays: only the log is taken from whoever has its key.
    new.issuer_key = old.issuer_key.clone();
    new.descriptor.issuer_keys.clone_from(&old.descriptor.issuer_keys);
    let new = case.country.below("cn-33-z", new);
    let rekey = case.country.rekey_decision("cn-33-z", &new, 1, Some(&old.log_key));
    case.country.enrol(&rekey).unwrap();
    case.country.add(new);
    let log = case.country.logs.get_mut(&id(CITY)).unwrap();
    let kept = log.entries[0].clone();
    *log = crate::fixture::Log::default();
    case.country.append_entry(CITY, kept);
    let kind = StatementType::Contract;
    let other = case.country.append(CITY, kind, other_contract("registered"));
    assert_eq!(other, case.index, "another entry at the same index");
    case.country.anchor();
    let now = case.trusted();
    let report = case.report_with(&cut_off, &now);
    assert_eq!(report.verdict, Verdict::Void, "{report:#?}");
    let bytes = case.build(&[]);
    assert_eq!(case.report_with(&bytes, &now).verdict, Verdict::Valid);
}

#[test]
fn the_council_voids_what_is_final_and_every_verdict_says_so() {
    let mut case = Case::new();
    case.country.pass_days(100);
    case.country.restrain("council", StatementType::MemberSuspend, CITY, 1).unwrap();
    case.country.anchor();
    case.index = 0;
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "entry 0 stands");
    let told = |report: &Report| report.checks.iter().any(|check| check.name == "extraordinary");
    assert!(told(&report));
    assert!(!told(&Case::new().report(&Case::new().build(&[]))));
}

#[test]
fn a_charter_that_no_register_recorded_gives_no_authority() {
    let mut case = Case::new();
    let seats: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-13-p"].map(|name| case.country.exchange(name).clone()).into();
    let next = case.country.next_charter(&seats, 3, BTreeMap::new());
    let next = signed_by(&next, &[&seats[0], &seats[1], &seats[2]]);
    let bytes = case.build(&[]);
    let added = |successions: &[ProvenEntry]| {
        let mut receipt = Receipt::parse(&bytes).unwrap();
        let authority = receipt.authority.as_mut().unwrap();
        authority.charters.push(next.clone());
        authority.successions = successions.to_vec();
        receipt.encode()
    };
    assert_eq!(failed(&case.report(&added(&[]))), ["charter"]);
    // An anchor is no succession; a succession under no quorum, or with something behind it, proves nothing.
    let anchor = case.country.proven_anchor(1, 2);
    assert_eq!(failed(&case.report(&added(&[anchor]))), ["charter"]);
    let mut lone = case.country.clone();
    lone.succeed(&next).unwrap();
    let mut succession = lone.successions();
    let honest = succession.clone();
    let note = lone.checkpoint_by("register-1", &[id("cn-12-p")]);
    succession[0].proof = lone.proof("register-1", 3, &note);
    assert_eq!(failed(&case.report(&added(&succession))), ["charter"]);
    let entry = lone.entry_at("register-1", 2);
    lone.append_entry("register-1", entry);
    let note = lone.checkpoint("register-1");
    succession[0].proof = lone.proof("register-1", 3, &note);
    assert_eq!(failed(&case.report(&added(&succession))), ["charter"]);
    // Recorded, it is in effect; the anchor of the version before then needs the closing checkpoint.
    let report = case.report(&added(&honest));
    assert_eq!((report.verdict, failed(&report)), (Verdict::NotVerifiableHere, ["anchor"].into()));
}

#[test]
fn retired_keys_anchor_nothing_more() {
    let (mut case, mut retired, before) = succeeded();
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(
        report.verdict,
        Verdict::Valid,
        "the old anchor, in the closed register: {report:#?}"
    );
    // Whoever has all keys of version 1 goes on in its register, as if there had been no succession.
    let index = retired.append(CITY, StatementType::Contract, other_contract("registered"));
    retired.anchor();
    let forged = build(retired.receipt_inputs(CITY, index, &[])).unwrap();
    assert_eq!(case.verdict(&forged), Verdict::Valid, "who knows of no succession cannot tell");
    let charters = TrustedAuthority::of_charters(case.country.charters().clone());
    case.country.anchor();
    let now = case.trusted();
    for trusted in [&charters, &now] {
        let report = case.report_with(&forged, trusted);
        assert_eq!(
            (report.verdict, failed(&report)),
            (Verdict::NotVerifiableHere, ["anchor"].into())
        );
    }
    // A receipt from before is refreshed, or its anchor is known.
    assert_eq!(case.report_with(&before, &charters).verdict, Verdict::NotVerifiableHere);
    assert_eq!(case.report_with(&before, &now).verdict, Verdict::Valid);
    let refreshed = case.build(&[]);
    assert_eq!(case.report_with(&refreshed, &charters).verdict, Verdict::Valid);
}

#[test]
fn cosignatures_are_not_older_than_what_they_cover() {
    let mut case = Case::new();
    case.country.pass_days(10);
    case.country.append(CITY, StatementType::Unknown("x".into()), json!({}));
    case.country.anchor();
    let register = case.country.register();
    let mut dated = |days: u64| {
        // Whoever has retired keys of witnesses can sign any time.
        case.country.seconds -= days * 86_400;
        let note = case.country.checkpoint_by(register.as_str(), &[id("cn-12-p"), id("cn-13-p")]);
        case.country.seconds += days * 86_400;
        let mut inputs = case.inputs(&[]);
        let index = inputs.register.proof.index;
        inputs.register.proof = case.country.proof(register.as_str(), index, &note);
        case.verdict(&unchecked(inputs))
    };
    assert_eq!(dated(1), Verdict::Valid, "clocks may be a day apart");
    assert_eq!(dated(2), Verdict::Invalid);
}

#[test]
fn a_rival_charter_contradicts_what_the_verifier_holds() {
    let (mut case, mut retired, _) = succeeded();
    let seats: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-13-p"].map(|name| retired.exchange(name).clone()).into();
    let rival = retired.next_charter(&seats, 3, BTreeMap::new());
    let rival = signed_by(&rival, &[&seats[0], &seats[1], &seats[2]]);
    retired.succeed(&rival).unwrap();
    retired.anchor();
    let forged = build(retired.receipt_inputs(CITY, 1, &[])).unwrap();
    let now = case.trusted();
    let report = case.report_with(&forged, &now);
    assert_eq!((report.verdict, failed(&report)), (Verdict::Invalid, ["charter"].into()));
}

#[test]
fn two_anchors_at_one_place_of_a_register_contradict_each_other() {
    let mut case = Case::new();
    let mut other = case.country.clone();
    case.country.append(CITY, StatementType::Unknown("x".into()), json!({}));
    other.append(CITY, StatementType::Contract, other_contract("registered"));
    case.country.anchor();
    other.anchor();
    let forked = build(other.receipt_inputs(CITY, 3, &[])).unwrap();
    assert_eq!(case.verdict(&forked), Verdict::Valid, "a quorum of liars");
    let now = case.trusted();
    let report = case.report_with(&forked, &now);
    assert_eq!((report.verdict, failed(&report)), (Verdict::Invalid, ["anchor"].into()));
    assert_eq!(register_id(1), case.country.register());
}
