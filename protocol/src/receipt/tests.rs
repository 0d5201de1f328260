//! What makes a receipt valid, and the neighbour of each case that is not.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::{
    commitment::{Salt, commit},
    note::Note,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    fixture::{Exchange, Federation, signed_by},
    id::{ExchangeId, FederationId, Tier},
    json::canonicalize,
    statement::StatementType,
    time::Timestamp,
};

const NUMBER: &str = "2026330100000001";
const NAME: &str = "高性能膜材料技术开发";

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

/// A country where a municipal exchange below an admitted province registered a contract.
struct Case {
    country: Federation,
    issuer: &'static str,
    index: u64,
}

impl Case {
    fn new() -> Self {
        let mut country = Federation::of_provinces(3);
        country.admit_by_council(Exchange::new("cn-33-z", Tier::Provincial, "CN-33", 0));
        country.admit("cn-33-z", Exchange::new("hangzhou", Tier::Municipal, "CN-3301", 0));
        let kind = StatementType::Contract;
        country.append("hangzhou", StatementType::Unknown("x".into()), json!({}));
        let index = country.append("hangzhou", kind, contract("registered", None));
        country.append("hangzhou", StatementType::Unknown("x".into()), json!({}));
        Self { country, issuer: "hangzhou", index }
    }

    /// A contract registered by the one council member of the smallest federation there is.
    fn smallest() -> Self {
        let council = [Exchange::new("cn-11-p", Tier::Provincial, "CN-11", 0)];
        let mut country = Federation::found(council.into(), 1);
        let kind = StatementType::Contract;
        let index = country.append("cn-11-p", kind, contract("registered", None));
        Self { country, issuer: "cn-11-p", index }
    }

    fn id(&self) -> FederationId {
        self.country.id()
    }

    fn then(&mut self, event: &str, previous: u64) -> u64 {
        let previous = self.entry(previous).id().to_string();
        let body = contract(event, Some(previous));
        self.country.append(self.issuer, StatementType::Contract, body)
    }

    fn entry(&self, index: u64) -> crate::entry::Entry {
        let log = &self.country.logs[&id(self.issuer)];
        log.entries[usize::try_from(index).unwrap()].clone()
    }

    fn proven(&self, log: &str, index: u64, note: &Note) -> ProvenEntry {
        let entries = &self.country.logs[&id(log)].entries;
        let entry = entries[usize::try_from(index).unwrap()].clone();
        ProvenEntry { entry, proof: self.country.proof(log, index, note) }
    }

    /// The facts that the issuer's authority rests on, each proven.
    fn facts(&mut self) -> Vec<ProvenEntry> {
        let chain = self.country.directory().chain_of(&id(self.issuer));
        let prove = |case: &mut Self, log: &ExchangeId, index| {
            let note = case.country.checkpoint(log.as_str());
            case.proven(log.as_str(), index, &note)
        };
        chain.iter().map(|place| prove(self, &place.log, place.index)).collect()
    }

    fn inputs<'a>(
        &self,
        charters: &'a crate::charter::CharterChain,
        facts: Vec<ProvenEntry>,
        events: &[u64],
        note: &Note,
    ) -> Inputs<'a> {
        let subject = self.proven(self.issuer, self.index, note);
        Inputs {
            charters,
            entry: subject.entry,
            proof: subject.proof,
            disclosures: BTreeMap::new(),
            facts,
            events: events.iter().map(|index| self.proven(self.issuer, *index, note)).collect(),
            without_authority: false,
        }
    }

    fn build_with(
        &mut self,
        events: &[u64],
        change: impl FnOnce(&mut Inputs<'_>),
    ) -> Result<Vec<u8>, BuildError> {
        let facts = self.facts();
        let note = self.country.checkpoint(self.issuer);
        let charters = self.country.charters.clone();
        let mut inputs = self.inputs(&charters, facts, events, &note);
        change(&mut inputs);
        build(inputs)
    }

    fn build(&mut self, events: &[u64]) -> Vec<u8> {
        self.build_with(events, |_| {}).unwrap()
    }

    fn bundle(&mut self) -> TrustedAuthority {
        let mut facts = Vec::new();
        for (place, _) in self.country.facts().iter() {
            let note = self.country.checkpoint(place.log.as_str());
            facts.push(self.proven(place.log.as_str(), place.index, &note));
        }
        let charters = self.country.charters.versions().iter();
        let charters = charters.map(|version| version.signed().clone()).collect();
        let authority = Authority { charters, facts };
        let read = Authority::parse_bundle(&authority.encode_bundle()).unwrap();
        assert_eq!(read, authority);
        TrustedAuthority::verify(&read, &self.country.id()).unwrap()
    }

    fn verdict(&self, bytes: &[u8]) -> Verdict {
        self.report(bytes).verdict
    }

    fn report(&self, bytes: &[u8]) -> Report {
        verify(bytes, &self.id(), &Policy::default())
    }
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
fn a_receipt_says_who_what_when_and_under_whose_authority() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    let summary = report.summary.as_ref().unwrap();
    assert_eq!(summary.issuer, id("hangzhou"));
    assert_eq!((summary.index, summary.as_of_size), (1, 3));
    assert_eq!(summary.witnesses.len(), 2, "as many as the quorum needs");
    assert!(summary.witnessed_at.unwrap() > summary.issued_at);
    let chain: Vec<_> = summary.authority.iter().map(|voucher| &voucher.exchange).collect();
    assert_eq!(chain, [&id("hangzhou"), &id("cn-33-z")]);
    assert_eq!(report.to_value()["verdict"], "valid");
    assert!(report.to_text(Language::Chinese).starts_with("有效"));
    assert!(report.to_text(Language::English).contains("hangzhou"));
    assert!(bytes.len() < 16 << 10, "{}", bytes.len());
    assert_eq!(Receipt::parse(&bytes).unwrap().encode(), bytes);
}

#[test]
fn a_receipt_is_valid_in_its_own_federation_only() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let other = Federation::of_provinces(2).id();
    let report = verify(&bytes, &other, &Policy::default());
    assert_eq!(report.verdict, Verdict::Invalid);
    assert!(failed(&report).contains(&"federation"));
}

#[test]
fn disclosures_open_commitments_or_nothing() {
    let mut case = Case::new();
    let shown = |value: &str| Disclosure { salt: salt(), value: json!(value) };
    let bytes = case
        .build_with(&[], |inputs| {
            inputs.disclosures.insert("project_name".into(), shown(NAME));
        })
        .unwrap();
    let report = case.report(&bytes);
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.summary.unwrap().disclosed["project_name"], NAME);

    let refused = |case: &mut Case, name: &str, value: &str| {
        case.build_with(&[], |inputs| {
            inputs.disclosures.insert(name.into(), shown(value));
        })
    };
    assert!(matches!(refused(&mut case, "project_name", "另一项目"), Err(BuildError::Refused(_))));
    assert!(matches!(refused(&mut case, "total_amount", NAME), Err(BuildError::Refused(_))));
    let swapped = altered(&bytes, |value| value["disclosures"][0]["value"] = json!("x"));
    assert_eq!(failed(&case.report(&swapped)), ["disclosure"]);
}

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
    // Leaving the middle of the chain out shows.
    let gap = case.build_with(&[cancelled], |_| {});
    assert!(matches!(gap, Err(BuildError::Refused(_))));
    let allowed = BTreeSet::from([Verdict::ValidSuperseded]);
    assert_eq!(Verdict::ValidSuperseded.exit_code(&allowed), 0);
    assert_ne!(Verdict::ValidThenCancelled.exit_code(&allowed), 0);
    let everything = Verdict::ALL.into_iter().collect();
    assert_ne!(Verdict::Invalid.exit_code(&everything), 0);
    assert_ne!(Verdict::Void.exit_code(&everything), 0);
}

#[test]
fn a_revoked_contract_is_void_and_its_end_is_final() {
    let mut case = Case::new();
    let revoked = case.then("revoked", case.index);
    let bytes = case.build(&[revoked]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
    let after = case.then("amended", revoked);
    let refused = case.build_with(&[revoked, after], |_| {});
    assert!(matches!(refused, Err(BuildError::Refused(_))));
    // A receipt for the revocation itself does not look like a valid contract.
    case.index = revoked;
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Void);
}

#[test]
fn listings_are_superseded_by_revisions_and_ended_by_withdrawal() {
    let mut country = Federation::of_provinces(3);
    let listing = |revision: u64| {
        json!({
            "kind": "achievement",
            "listing_id": "li-1",
            "region": "CN-12",
            "revision": revision,
            "title": { "zh": "石墨烯散热膜" },
        })
    };
    let index = country.append("cn-12-p", StatementType::Listing, listing(1));
    let revised = country.append("cn-12-p", StatementType::Listing, listing(2));
    let again = country.append("cn-12-p", StatementType::Listing, listing(1));
    let mark = |country: &mut Federation, status: &str| {
        let status = json!({ "listing_id": "li-1", "status": status });
        country.append("cn-12-p", StatementType::ListingStatus, status)
    };
    let withdrawn = mark(&mut country, "withdrawn");
    // Neither a withdrawn listing nor a gap between revisions is what a listing goes on from.
    let listed = mark(&mut country, "listed");
    let skipped = country.append("cn-12-p", StatementType::Listing, listing(4));
    let next = country.append("cn-12-p", StatementType::Listing, listing(3));
    let traded = mark(&mut country, "traded");
    let after = mark(&mut country, "withdrawn");
    let mut case = Case { country, issuer: "cn-12-p", index };
    let mut check =
        |events: &[u64]| case.build_with(events, |_| {}).map(|bytes| case.verdict(&bytes)).ok();
    assert_eq!(check(&[]), Some(Verdict::Valid));
    assert_eq!(check(&[revised]), Some(Verdict::ValidSuperseded));
    assert_eq!(check(&[revised, withdrawn]), Some(Verdict::ValidThenCancelled));
    assert_eq!(check(&[again]), None);
    assert_eq!(check(&[revised, withdrawn, listed]), None);
    assert_eq!(check(&[revised, skipped]), None);
    assert_eq!(check(&[revised, withdrawn, next]), Some(Verdict::ValidSuperseded));
    assert_eq!(check(&[revised, withdrawn, next, traded]), Some(Verdict::ValidSuperseded));
    assert_eq!(check(&[revised, withdrawn, next, traded, after]), None);
}

#[test]
fn an_event_that_takes_no_effect_is_no_later_event() {
    let mut case = Case::new();
    let again = contract("registered", None);
    let again = case.country.append("hangzhou", StatementType::Contract, again);
    let stray = case.then("amended", 1);
    let fork = case.then("cancelled", 1);
    for events in [&[again][..], &[stray, fork], &[again, stray]] {
        let refused = case.build_with(events, |_| {});
        assert!(matches!(refused, Err(BuildError::Refused(_))), "{events:?}");
    }
    let bytes = case.build(&[stray]);
    assert_eq!(case.verdict(&bytes), Verdict::ValidSuperseded);
}

#[test]
fn an_entry_beyond_what_stands_is_void() {
    let mut case = Case::new();
    let check = |case: &mut Case| {
        let bytes = case.build(&[]);
        case.report(&bytes)
    };
    let suspend = |size: u64| json!({ "member": "hangzhou", "log_size_honoured": size });
    let mut later = Case::new();
    later.country.append("cn-33-z", StatementType::MemberSuspend, suspend(2));
    assert_eq!(check(&mut later).verdict, Verdict::Valid, "entry 1 stands");
    case.country.append("cn-33-z", StatementType::MemberSuspend, suspend(1));
    let report = check(&mut case);
    assert_eq!(report.verdict, Verdict::Void);
    assert_eq!(failed(&report), ["issuer"]);
}

#[test]
fn a_missing_admission_or_one_too_many_signers_is_invalid() {
    let mut case = Case::new();
    for missing in 0..2 {
        let refused = case.build_with(&[], |inputs| {
            inputs.facts.remove(missing);
        });
        assert!(matches!(refused, Err(BuildError::Refused(_))), "{missing}");
    }
    let bytes = case.build(&[]);
    let extra = altered(&bytes, |value| {
        let proof = value["proof"].as_str().unwrap();
        value["proof"] = json!(alloc::format!("{proof}— stranger AAAAAAAA\n"));
    });
    assert_eq!(case.verdict(&extra), Verdict::Invalid);
}

#[test]
fn a_checkpoint_without_its_quorum_is_invalid() {
    let mut case = Case::new();
    let facts = case.facts();
    let charters = case.country.charters.clone();
    let mut check = |witnesses: &[ExchangeId]| {
        let note = case.country.checkpoint_by("hangzhou", witnesses);
        build(case.inputs(&charters, facts.clone(), &[], &note)).is_ok()
    };
    assert!(check(&[id("cn-11-p"), id("cn-13-p")]));
    assert!(!check(&[id("cn-11-p")]));
    assert!(!check(&[id("cn-11-p"), id("cn-33-z")]), "a member that is not on the council");
}

#[test]
fn a_newer_charter_may_change_keys_of_witnesses() {
    let mut case = Case::new();
    let old: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-13-p"].map(|name| case.country.exchange(name).clone()).into();
    let bytes_before = case.build(&[]);
    let mut seats = old.clone();
    seats[1].witness_key = old[1].issuer_key.clone();
    seats[1].descriptor.witness_key =
        Exchange::new("x-1", Tier::National, "CN", 0).witness_key.public();
    seats[1].witness_key = Exchange::new("x-1", Tier::National, "CN", 0).witness_key;
    let next = case.country.next_charter(&seats, 2, BTreeMap::new());
    case.country.charters.extend(signed_by(&next, &[&seats[0], &seats[1], &seats[2]])).unwrap();
    case.country.exchanges.insert(id("cn-12-p"), seats[1].clone());
    let bytes = case.build(&[]);
    assert_eq!(case.verdict(&bytes), Verdict::Valid);
    assert_eq!(
        case.verdict(&bytes_before),
        Verdict::Valid,
        "the old receipt carries the old chain"
    );
    // Without its charter, version 2's witness is unknown.
    let cut = altered(&bytes, |value| {
        value["authority"]["charters"].as_array_mut().unwrap().pop();
    });
    assert_eq!(case.verdict(&cut), Verdict::Invalid);
}

#[test]
fn a_bundle_supplies_authority_and_later_knowledge() {
    let mut case = Case::new();
    let thin = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    let full = case.build(&[]);
    assert!(thin.len() * 2 < full.len());
    assert_eq!(case.verdict(&thin), Verdict::NotVerifiableHere);
    let check = |case: &Case, trusted: &TrustedAuthority, bytes: &[u8]| {
        let policy = Policy { authority: Some(trusted), now: None };
        verify(bytes, &case.id(), &policy).verdict
    };
    let trusted = case.bundle();
    assert_eq!(check(&case, &trusted, &thin), Verdict::Valid);
    assert_eq!(check(&case, &trusted, &full), Verdict::Valid);

    let suspend = json!({ "member": "hangzhou", "log_size_honoured": 1 });
    case.country.append("cn-33-z", StatementType::MemberSuspend, suspend);
    let trusted = case.bundle();
    assert_eq!(case.verdict(&full), Verdict::Valid, "alone it knows no better");
    assert_eq!(check(&case, &trusted, &full), Verdict::Void);
    assert_eq!(check(&case, &trusted, &thin), Verdict::Void);

    let mut authority = Authority { charters: Vec::new(), facts: Vec::new() };
    assert_eq!(
        TrustedAuthority::verify(&authority, &case.id()).unwrap_err(),
        AuthorityError::NoCharter
    );
    authority.charters.push(Federation::of_provinces(2).charters.versions()[0].signed().clone());
    assert!(matches!(
        TrustedAuthority::verify(&authority, &case.id()),
        Err(AuthorityError::OtherFederation { .. })
    ));
}

#[test]
fn unknown_formats_and_suites_are_not_verifiable_here() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let format = altered(&bytes, |value| value["format"] = json!("hutong-receipt/2"));
    assert_eq!(case.verdict(&format), Verdict::NotVerifiableHere);
    let other = altered(&bytes, |value| value["format"] = json!("something/2"));
    assert_eq!(case.verdict(&other), Verdict::Invalid);
    assert_eq!(case.verdict(b"hello"), Verdict::Invalid);
    assert_eq!(case.verdict(&alloc::vec![b'['; RECEIPT_BYTES_MAX + 1]), Verdict::Invalid);

    // The same statement signed in suite 3, and truly in the log.
    let mut raw = case.entry(case.index).as_bytes().to_vec();
    raw[1] = 3;
    let entry = crate::entry::Entry::parse(raw.into()).unwrap();
    case.index = case.country.append_entry("hangzhou", entry);
    match case.build_with(&[], |_| {}) {
        Err(BuildError::Refused(report)) => {
            assert_eq!(report.verdict, Verdict::NotVerifiableHere);
        }
        other => assert!(other.is_err(), "a receipt in an unknown suite was handed out"),
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
    let with_extra = altered(&bytes, |value| {
        let proof = value["proof"].as_str().unwrap().replacen("index", "extra YQ==\nindex", 1);
        value["proof"] = json!(proof);
    });
    assert_eq!(failed(&case.report(&with_extra)), ["inclusion"]);
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

/// Flips bits of `bytes` and checks that none leaves the receipt valid in any way.
fn flip(case: &Case, bytes: &[u8], places: impl Iterator<Item = (usize, u8)>) {
    let mut changed = bytes.to_vec();
    for (place, bit) in places {
        changed[place] ^= 1 << bit;
        let verdict = case.verdict(&changed);
        assert!(
            matches!(verdict, Verdict::Invalid | Verdict::NotVerifiableHere | Verdict::Void),
            "bit {bit} of byte {place}: {verdict:?}"
        );
        changed[place] ^= 1 << bit;
    }
    assert_eq!(case.verdict(&changed), Verdict::Valid);
}

#[test]
fn no_flipped_bit_of_a_small_receipt_is_valid() {
    let mut case = Case::smallest();
    let bytes = case
        .build_with(&[], |inputs| {
            let shown = Disclosure { salt: salt(), value: json!(NAME) };
            inputs.disclosures.insert("project_name".into(), shown);
        })
        .unwrap();
    let bits = (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit)));
    flip(&case, &bytes, bits);
}

#[test]
fn no_flipped_byte_of_a_whole_receipt_is_valid() {
    let mut case = Case::new();
    let bytes = case.build(&[]);
    let places = (0..bytes.len()).map(|place| (place, u8::try_from(place % 7).unwrap()));
    flip(&case, &bytes, places.step_by(5));
}

#[test]
fn what_a_verifier_remembers_changes_no_report() {
    let mut case = Case::new();
    let first = case.build(&[]);
    let amended = case.then("amended", case.index);
    let (second, thin) = (
        case.build(&[amended]),
        case.build_with(&[], |inputs| inputs.without_authority = true).unwrap(),
    );
    let compact = Receipt::parse(&thin).unwrap().encode_compact(&case.country.charters).unwrap();
    let mut other = Case::smallest();
    let mut files = Vec::from([first.clone(), second.clone(), thin, other.build(&[])]);
    for bytes in [&first, &second] {
        for place in (0..bytes.len()).step_by(97) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 7);
            files.extend([flipped, bytes.clone(), bytes[..place].to_vec()]);
        }
        // An authority that is known, and after it what no receipt has.
        let rest = bytes.windows(2).position(|two| two == b"},").unwrap();
        files.push([&bytes[..rest], b"},\"authority\":null", &bytes[rest + 1..]].concat());
        files.push(altered(bytes, |value| value["disclosuret"] = json!([])));
        files.push(altered(bytes, |value| value["authoritz"] = json!([])));
        files.push(altered(bytes, |value| value["history"]["as_of"] = json!(1)));
    }
    let bundle = case.bundle();
    for authority in [None, Some(&bundle)] {
        let policy = Policy { authority, now: None };
        let mut verifier = Verifier::new(&case.id(), &policy, &OneByOne);
        let alone: Vec<Report> =
            files.iter().map(|bytes| verify(bytes, &case.id(), &policy)).collect();
        // However the files are cut into groups, and whatever was met before.
        for size in [7, 40] {
            for (group, alone) in files.chunks(size).zip(alone.chunks(size)) {
                let examine = |verifier: &mut Verifier<'_>| -> Vec<Report> {
                    group.iter().map(|bytes| verifier.verify(bytes)).collect()
                };
                assert_eq!(alone, verifier.together(examine));
            }
        }
        for (bytes, alone) in files.iter().zip(&alone) {
            assert_eq!(*alone, verifier.verify(bytes));
            if let Some(authority) = authority {
                let alone = verify_compact(&compact, authority, None);
                assert_eq!(alone, verifier.verify_compact(&compact, authority));
            }
        }
    }
}

#[test]
fn a_compact_receipt_fits_a_qr_code_and_no_flipped_bit_of_it_is_valid() {
    let mut case = Case::new();
    for _ in 0..64 {
        case.country.append("hangzhou", StatementType::Unknown("x".into()), json!({}));
    }
    let bytes = case
        .build_with(&[], |inputs| {
            let shown = Disclosure { salt: salt(), value: json!(NAME) };
            inputs.disclosures.insert("project_name".into(), shown);
            inputs.without_authority = true;
        })
        .unwrap();
    let trusted = case.bundle();
    let compact = Receipt::parse(&bytes).unwrap().encode_compact(trusted.charters()).unwrap();
    assert!(compact.len() < 1_500, "{}", compact.len());
    let check = |bytes: &[u8]| verify_compact(bytes, &trusted, None);
    let report = check(&compact);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    assert_eq!(report.summary.unwrap().disclosed["project_name"], NAME);
    let mut changed = compact.clone();
    for (place, bit) in (0..compact.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        changed[place] ^= 1 << bit;
        let verdict = check(&changed).verdict;
        let refused =
            matches!(verdict, Verdict::Invalid | Verdict::NotVerifiableHere | Verdict::Void);
        assert!(refused, "bit {bit} of byte {place}: {verdict:?}");
        changed[place] ^= 1 << bit;
    }
    for length in 0..compact.len() {
        assert_eq!(check(&compact[..length]).verdict, Verdict::Invalid, "cut to {length}");
    }
    let other = Case::smallest().bundle();
    assert_eq!(verify_compact(&compact, &other, None).verdict, Verdict::Invalid);
    let large = alloc::vec![0; COMPACT_BYTES_MAX + 1];
    assert_eq!(check(&large).verdict, Verdict::Invalid);
}

#[test]
fn a_compact_receipt_outlives_later_charters() {
    let mut case = Case::new();
    let thin = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    let compact = Receipt::parse(&thin).unwrap().encode_compact(&case.country.charters).unwrap();
    let seats: Vec<Exchange> =
        ["cn-11-p", "cn-12-p", "cn-13-p"].map(|name| case.country.exchange(name).clone()).into();
    let next = case.country.next_charter(&seats, 2, BTreeMap::new());
    case.country.charters.extend(signed_by(&next, &[&seats[0], &seats[1]])).unwrap();
    let trusted = case.bundle();
    assert_eq!(trusted.charters().version(), 2);
    assert_eq!(verify_compact(&compact, &trusted, None).verdict, Verdict::Valid);

    // The same seats under the other version would be a second encoding of the same receipt.
    let place = compact.windows(5).rposition(|part| part == [0, 0, 0, 1, 2]).unwrap();
    let mut other = compact.clone();
    other[place + 3] = 2;
    assert_eq!(verify_compact(&other, &trusted, None).verdict, Verdict::Invalid);
    other[place + 3] = 3;
    assert_eq!(verify_compact(&other, &trusted, None).verdict, Verdict::NotVerifiableHere);
}
