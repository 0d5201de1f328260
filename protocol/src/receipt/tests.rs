//! What makes a receipt valid, and the neighbour of each case that is not.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod attacks;
mod bundle;
mod flips;
mod history;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::commitment::{Salt, commit};
use serde_json::{Value, json};

use super::{findings::Findings, verify::warn_of_content, *};
use crate::{
    fixture::{Exchange, Federation, signed_by},
    id::{ExchangeId, FederationId, Tier},
    json::canonicalize,
    statement::{Statement, StatementType},
    time::Timestamp,
};

const NUMBER: &str = "2026330100000001";
const NAME: &str = "高性能膜材料技术开发";
const CITY: &str = "cn-3301-hangzhou";

fn id(text: &str) -> ExchangeId {
    text.parse().unwrap()
}

fn salt() -> Salt {
    Salt([9; 32])
}

fn contract(event: &str, previous: Option<String>) -> Value {
    let commitment = commit(&salt(), "project_name", &canonicalize(&json!(NAME)));
    let mut body = json!({
        "buyer_division": "KZ",
        "claims": { "project_name": commitment.to_string() },
        "contract_type": "license",
        "event": event,
        "field": "new_materials",
        "registering_division": "CN-3301",
        "registration_no": NUMBER,
        "seller_division": "CN-3301",
        "sign_date": "2026-03-01",
    });
    if let Some(previous) = previous {
        body["previous"] = json!(previous);
    }
    body
}

/// The names of what a report warns of.
fn warned(checks: &[Check]) -> Vec<&'static str> {
    let warnings = checks.iter().filter(|check| check.outcome == Outcome::Warn);
    warnings.map(|check| check.name).collect()
}

/// A country where a municipal exchange below an admitted province registered a contract, at index 1 of 3.
struct Case {
    country: Federation,
    issuer: &'static str,
    index: u64,
}

impl Case {
    fn new() -> Self {
        let mut country = Federation::of_provinces(3);
        country.admit_by_council(Exchange::new("cn-33-z", Tier::Provincial, "CN-33", 0));
        country.admit("cn-33-z", Exchange::new(CITY, Tier::Municipal, "CN-3301", 0));
        country.append(CITY, StatementType::Unknown("x".into()), json!({}));
        let index = country.append(CITY, StatementType::Contract, contract("registered", None));
        country.append(CITY, StatementType::Unknown("x".into()), json!({}));
        country.anchor();
        Self { country, issuer: CITY, index }
    }

    /// A contract registered by the one council member of the smallest federation there is.
    fn smallest() -> Self {
        let mut country = Federation::of_provinces(1);
        let kind = StatementType::Contract;
        let index = country.append("cn-11-p", kind, contract("registered", None));
        country.anchor();
        Self { country, issuer: "cn-11-p", index }
    }

    fn id(&self) -> FederationId {
        self.country.id()
    }

    /// The issuer says something about the contract after `previous`; anchored.
    fn then(&mut self, event: &str, previous: u64) -> u64 {
        let previous = self.country.entry_at(self.issuer, previous).id().to_string();
        let body = contract(event, Some(previous));
        let index = self.country.append(self.issuer, StatementType::Contract, body);
        self.country.anchor();
        index
    }

    fn inputs(&mut self, events: &[u64]) -> Inputs {
        self.country.receipt_inputs(self.issuer, self.index, events)
    }

    fn build_with(
        &mut self,
        events: &[u64],
        change: impl FnOnce(&mut Inputs),
    ) -> Result<Vec<u8>, BuildError> {
        let mut inputs = self.inputs(events);
        change(&mut inputs);
        build(inputs)
    }

    fn build(&mut self, events: &[u64]) -> Vec<u8> {
        self.build_with(events, |_| {}).unwrap()
    }

    fn trusted(&mut self) -> TrustedAuthority {
        let bundle = self.country.bundle();
        let read = Bundle::parse(&bundle.encode()).unwrap();
        assert_eq!(read, bundle);
        TrustedAuthority::verify(&read, &self.id()).unwrap()
    }

    fn verdict(&self, bytes: &[u8]) -> Verdict {
        self.report(bytes).verdict
    }

    fn report(&self, bytes: &[u8]) -> Report {
        verify(bytes, &self.id(), &Policy::default())
    }

    fn report_with(&self, bytes: &[u8], trusted: &TrustedAuthority) -> Report {
        verify(bytes, &self.id(), &Policy { authority: Some(trusted), now: None })
    }
}

/// The receipt that `inputs` make, unchecked: what somebody else's program may hand out.
fn unchecked(inputs: Inputs) -> Vec<u8> {
    let versions = inputs.charters.versions().iter();
    let authority = Authority {
        charters: versions.map(|version| version.signed().clone()).collect(),
        successions: inputs.successions,
    };
    Receipt {
        federation: inputs.charters.federation_id(),
        entry: inputs.entry,
        place: inputs.place,
        leaf: inputs.leaf,
        register: inputs.register,
        state: inputs.state,
        authority: (!inputs.without_authority).then_some(authority),
        disclosures: inputs.disclosures,
        events: inputs.events,
        as_of: inputs.as_of,
    }
    .encode()
}

/// What `change` makes of a receipt, still in canonical form.
fn altered(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    canonicalize(&value)
}

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report.checks.iter().filter(|check| check.outcome == Outcome::Fail);
    failed.map(|check| check.name).collect()
}

#[test]
fn a_receipt_says_who_what_when_and_by_which_anchor() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    let summary = report.summary.as_ref().unwrap();
    assert_eq!(summary.issuer, id(CITY));
    assert_eq!(summary.parent.to_string(), "cn-33-z");
    assert_eq!((summary.index, summary.as_of_size), (1, 3));
    assert_eq!((summary.charter_version, summary.register_size), (1, 3), "two admissions before");
    assert_eq!(summary.day, case.country.day());
    assert_eq!(summary.subject.as_deref(), Some(NUMBER));
    assert_eq!(summary.witnesses.len(), 2, "as many as the quorum needs, without the keeper");
    assert!(summary.witnessed_at.unwrap() > summary.issued_at);
    assert_eq!(report.to_value()["verdict"], "valid");
    assert!(report.to_text(Language::Chinese).starts_with("有效"));
    assert!(report.to_text(Language::English).contains(CITY));
    assert!(bytes.len() < 16 << 10, "{}", bytes.len());
    assert_eq!(Receipt::parse(&bytes).unwrap().encode(), bytes);
}

#[test]
fn the_receipt_of_a_county_is_small() {
    let mut case = Case::new();
    let county = Exchange::new("cn-330106-xihu", Tier::County, "CN-330106", 0);
    case.country.admit(CITY, county);
    case.issuer = "cn-330106-xihu";
    let kind = StatementType::Contract;
    case.index = case.country.append(case.issuer, kind, contract("registered", None));
    case.country.anchor();
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
    assert!(bytes.len() < 10 << 10, "{}", bytes.len());
}

#[test]
fn the_sizes_stated_are_those_of_the_anchor() {
    let mut case = Case::new();
    let anchored = case.build(&[]);
    // A later checkpoint of the register proves the same anchor and says no more.
    case.country.pass_days(1);
    let later = Exchange::new("cn-34-h", Tier::Provincial, "CN-34", 0);
    case.country.admit_by_council(later);
    let bytes = case.build(&[]);
    assert_ne!(bytes, anchored);
    let (before, after) = (case.report(&anchored), case.report(&bytes));
    let (before, after) = (before.summary.unwrap(), after.summary.unwrap());
    assert_eq!((before.register_size, before.day), (after.register_size, after.day));
    assert_eq!(after.register_size, 3);
}

#[test]
fn a_federation_of_one_says_that_nobody_witnesses() {
    let mut case = Case::smallest();
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    let summary = report.summary.as_ref().unwrap();
    assert_eq!(summary.witnessed_at, None);
    assert_eq!(warned(&report.checks), ["witnesses", "time"]);
    assert!(report.to_text(Language::English).contains("Witnesses: none"));
    assert!(report.to_text(Language::Chinese).contains("见证单位：无"));
}

#[test]
fn a_code_on_no_list_is_warned_of_and_decides_nothing() {
    let mut case = Case::new();
    let mut body = contract("registered", None);
    body["buyer_division"] = json!("XX");
    case.index = case.country.append(CITY, StatementType::Contract, body);
    case.country.anchor();
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    assert_eq!(warned(&report.checks), ["lists"]);
}

#[test]
fn personal_data_that_another_program_let_through_is_warned_of() {
    let case = Case::new();
    let entry = case.country.entry_at(CITY, 1);
    let mut statement = Statement::parse(entry.statement_bytes()).unwrap();
    let found = |statement: &Statement| {
        let mut findings = Findings::default();
        warn_of_content(statement, &BTreeMap::new(), &mut findings);
        warned(&findings.report(None, false, None).checks)
    };
    assert_eq!(found(&statement), [""; 0]);
    statement.body["parties"] = json!([{ "contact": "x" }]);
    assert_eq!(found(&statement), ["personal"]);
}

#[test]
fn a_receipt_is_valid_in_its_own_federation_only() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let other = Federation::of_provinces(1).id();
    let report = verify(&bytes, &other, &Policy::default());
    assert_eq!(report.verdict, Verdict::Invalid);
    assert!(failed(&report).contains(&"federation"));
}

#[test]
fn disclosures_open_commitments_or_nothing() {
    let mut case = Case::new();
    let shown = |value: &str| Disclosure { salt: salt(), value: json!(value) };
    let with = |case: &mut Case, name: &str, value: &str| {
        case.build_with(&[], |inputs| {
            inputs.disclosures.insert(name.into(), shown(value));
        })
    };
    let bytes = with(&mut case, "project_name", NAME).unwrap();
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.summary.unwrap().disclosed["project_name"], NAME);
    assert!(matches!(with(&mut case, "project_name", "另一项目"), Err(BuildError::Refused(_))));
    assert!(matches!(with(&mut case, "total_amount", NAME), Err(BuildError::Refused(_))));
    let swapped = altered(&bytes, |value| value["disclosures"][0]["value"] = json!("x"));
    assert_eq!(failed(&case.report(&swapped)), ["disclosure"]);
}

#[test]
fn a_receipt_needs_an_anchor_that_covers_it_or_is_provisional() {
    let mut case = Case::new();
    let index = case.country.append(CITY, StatementType::Contract, other_contract("registered"));
    let note = case.country.checkpoint(CITY);
    let inputs = case.country.provisional_inputs(CITY, index, &[], &note);
    let bytes = build(inputs.clone()).unwrap();
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Provisional, "{report:#?}");
    assert_ne!(report.verdict.exit_code(&BTreeSet::new()), 0);
    assert_eq!(Receipt::parse(&bytes).unwrap().encode_compact(), Err(CompactError::Provisional));
    let summary = report.summary.unwrap();
    assert_eq!((summary.index, summary.as_of_size), (3, 4));
    assert!(summary.witnessed_at.unwrap() > summary.issued_at, "by the log's own checkpoint");
    assert_eq!(summary.witnesses.len(), 2, "no more than the quorum of the three");

    // Without a quorum, with the hashes of another size, or with the anchored size claimed, there is none.
    let lone = case.country.checkpoint_by(CITY, &[id("cn-11-p"), id(CITY)]);
    let mut few = inputs.clone();
    few.place = match few.place {
        Place::Provisional { extension, .. } => {
            let proof = case.country.proof(CITY, index, &lone);
            Place::Provisional { proof, extension }
        }
        anchored @ Place::Anchored(_) => anchored,
    };
    assert_eq!(failed(&case.report(&unchecked(few))), ["inclusion"]);
    let untied = altered(&bytes, |value| {
        value["checkpoint"]["right"] = json!([case.country.prefix(CITY, 1).root.to_string()]);
    });
    assert_eq!(failed(&case.report(&untied)), ["inclusion"]);
    let mut claimed = inputs;
    claimed.as_of = 3;
    assert_eq!(failed(&case.report(&unchecked(claimed))), ["history"]);

    // The next anchor makes it valid.
    case.country.anchor();
    case.index = index;
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
}

fn other_contract(event: &str) -> Value {
    let mut body = contract(event, None);
    body["registration_no"] = json!("2026330100000002");
    body
}

#[test]
fn an_entry_beyond_what_stands_is_void() {
    let mut case = Case::new();
    let kind = StatementType::MemberSuspend;
    let mut later = Case::new();
    later.country.restrain("cn-33-z", kind.clone(), CITY, 2).unwrap();
    later.country.anchor();
    let bytes = later.build(&[]);
    assert_eq!(later.verdict(&bytes), Verdict::Valid, "entry 1 stands");
    case.country.restrain("cn-33-z", kind, CITY, 1).unwrap();
    case.country.anchor();
    assert_eq!(case.country.anchored(CITY).leaf.head.size, 1, "the anchored log is cut");
    // No anchored tree has entry 1 any more; the log's own checkpoint does.
    let note = case.country.checkpoint(CITY);
    let inputs = case.country.provisional_inputs(CITY, 1, &[], &note);
    let bytes = build(inputs).unwrap();
    let report = case.report(&bytes);
    assert_eq!((report.verdict, failed(&report)), (Verdict::Void, ["issuer"].into()));
    assert!(report.checks.iter().any(|check| check.name == "status"));
}

#[test]
fn the_charter_of_a_country_fits_a_receipt() {
    let mut country = Federation::of_provinces(34);
    let kind = StatementType::Contract;
    let index = country.append("cn-11-p", kind, contract("registered", None));
    country.anchor();
    let mut case = Case { country, issuer: "cn-11-p", index };
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
    assert!(bytes.len() > RECEIPT_BYTES_MAX / 2, "{}", bytes.len());
    let thin = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    assert!(thin.len() < 10 << 10, "{}", thin.len());
    let many = case.build_with(&[], |inputs| {
        let shown = Disclosure { salt: salt(), value: json!("x".repeat(2_000)) };
        for name in 0..DISCLOSURES_MAX {
            inputs.disclosures.insert(alloc::format!("claim_{name}"), shown.clone());
        }
    });
    assert!(matches!(many, Err(BuildError::TooLong { .. })));
}

#[test]
fn unknown_formats_and_suites_are_not_verifiable_here() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let format = altered(&bytes, |value| value["format"] = json!("hutong-receipt/2"));
    assert_eq!(case.verdict(&format), Verdict::NotVerifiableHere);
    let other = altered(&bytes, |value| value["format"] = json!("something/2"));
    assert_eq!(case.verdict(&other), Verdict::Invalid);
    for number in ["01", "02", "+2", "0", "", "2 "] {
        let format = alloc::format!("hutong-receipt/{number}");
        let other = altered(&bytes, |value| value["format"] = json!(format));
        assert_eq!(case.verdict(&other), Verdict::Invalid, "{format}");
    }
    assert_eq!(case.verdict(b"hello"), Verdict::Invalid);
    assert_eq!(case.verdict(&alloc::vec![b'['; RECEIPT_BYTES_MAX + 1]), Verdict::Invalid);

    // The same statement signed in suite 3, or an entry of version 2, and truly in the log: as the entry, and as
    // an event.
    for (place, value) in [(1, 3), (0, 2)] {
        let mut case = Case::new();
        let mut raw = case.country.entry_at(CITY, 1).as_bytes().to_vec();
        raw[place] = value;
        let Ok(entry) = crate::entry::Entry::parse(raw.clone().into()) else {
            let raw = crate::fields::base64(&raw);
            let entry = altered(&bytes, |value| value["entry"] = json!(raw));
            assert_eq!(case.verdict(&entry), Verdict::NotVerifiableHere);
            let event = altered(&bytes, |value| {
                value["history"]["events"] = json!([{ "entry": raw, "index": 2, "path": [] }]);
            });
            assert_eq!(case.verdict(&event), Verdict::NotVerifiableHere);
            continue;
        };
        let index = case.country.append_entry(CITY, entry);
        case.country.anchor();
        let event = case.build_with(&[index], |_| {});
        case.index = index;
        let own = case.build_with(&[], |_| {});
        for refused in [event, own] {
            let Err(BuildError::Refused(report)) = refused else {
                unreachable!("a receipt that nobody can verify was handed out")
            };
            assert_eq!(report.verdict, Verdict::NotVerifiableHere);
        }
    }
}

#[test]
fn an_extra_line_or_member_or_space_is_refused() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let with_member = altered(&bytes, |value| value["note"] = json!("trust me"));
    assert_eq!(case.verdict(&with_member), Verdict::Invalid);
    let as_of = altered(&bytes, |value| value["history"]["as_of"] = json!(4));
    assert_eq!(failed(&case.report(&as_of)), ["history"]);
    let mut spaced = bytes.clone();
    spaced.push(b'\n');
    assert_eq!(case.verdict(&spaced), Verdict::Invalid);
    let line = |change: fn(&str) -> String| {
        altered(&bytes, |value| {
            let proof = value["register"]["proof"].as_str().unwrap();
            value["register"]["proof"] = json!(change(proof));
        })
    };
    let extra = line(|proof| proof.replacen("index", "extra YQ==\nindex", 1));
    assert_eq!(failed(&case.report(&extra)), ["anchor"]);
    let stranger = line(|proof| alloc::format!("{proof}— stranger AAAAAAAA\n"));
    assert_eq!(failed(&case.report(&stranger)), ["anchor"]);
    let twice = line(|proof| {
        let last = proof.lines().last().unwrap();
        alloc::format!("{proof}{last}\n")
    });
    assert_eq!(failed(&case.report(&twice)), ["anchor"]);
    let both = altered(&bytes, |value| {
        value["checkpoint"] =
            json!({ "left": [], "proof": value["register"]["proof"], "right": [] });
    });
    assert_eq!(case.verdict(&both), Verdict::Invalid);
}

#[test]
fn a_clock_far_behind_is_told_of_the_future() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let warned = |seconds| {
        let policy = Policy { authority: None, now: Some(Timestamp::from_seconds(seconds)) };
        let report = verify(&bytes, &case.id(), &policy);
        assert_eq!(report.verdict, Verdict::Valid);
        report.checks.iter().any(|check| check.name == "clock")
    };
    assert!(warned(crate::fixture::BEGIN_SECONDS - 10_000));
    assert!(!warned(crate::fixture::BEGIN_SECONDS + 10_000));
}

#[test]
fn parts_of_another_receipt_do_not_fit() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let index = case.country.append("cn-33-z", StatementType::Unknown("x".into()), json!({}));
    case.country.anchor();
    let other = build(case.country.receipt_inputs("cn-33-z", index, &[])).unwrap();
    let other: Value = serde_json::from_slice(&other).unwrap();
    for member in ["entry", "inclusion", "leaf", "register", "state"] {
        let mixed = altered(&bytes, |value| value[member] = other[member].clone());
        let verdict = case.verdict(&mixed);
        assert!(matches!(verdict, Verdict::Invalid | Verdict::Void), "{member}: {verdict:?}");
    }
}
