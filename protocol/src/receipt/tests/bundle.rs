//! Receipts that rest on what the verifier has, and compact ones.

use super::*;

#[test]
fn a_bundle_supplies_the_charters() {
    let mut case = Case::new();
    let thin = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    let full = case.build(&[]);
    assert!(thin.len() < full.len());
    assert_eq!(case.verdict(&thin), Verdict::NotVerifiableHere);
    let trusted = case.trusted();
    let charters = TrustedAuthority::of_charters(case.country.charters().clone());
    for trusted in [&trusted, &charters] {
        for bytes in [&thin, &full] {
            assert_eq!(case.report_with(bytes, trusted).verdict, Verdict::Valid);
        }
    }
    let other = Case::smallest().trusted();
    assert_eq!(case.report_with(&thin, &other).verdict, Verdict::Invalid);
    assert_eq!(case.report_with(&full, &other).verdict, Verdict::Invalid);
}

#[test]
fn a_bundle_that_does_not_hold_is_refused() {
    let mut case = Case::new();
    case.then("amended", case.index);
    let bundle = case.country.bundle();
    assert_eq!(bundle.anchors.len(), 2);
    let refused = |change: &dyn Fn(&mut Bundle)| {
        let mut changed = bundle.clone();
        change(&mut changed);
        TrustedAuthority::verify(&changed, &case.id()).unwrap_err()
    };
    assert_eq!(refused(&|it| it.authority.charters.clear()), AuthorityError::NoCharter);
    let other = Case::smallest().country.charters().versions()[0].signed().clone();
    let error = refused(&|it| it.authority.charters = Vec::from([other.clone()]));
    assert!(matches!(error, AuthorityError::OtherFederation { .. }));
    let twice = bundle.authority.charters[0].clone();
    let error = refused(&|it| it.authority.charters.push(twice.clone()));
    assert_eq!(error, AuthorityError::CharterTwice { version: 1 });
    let error = refused(&|it| it.authority.successions.push(it.anchors[0].register.clone()));
    assert_eq!(error, AuthorityError::Successions { expected: 0, met: 1 });
    for change in [
        &|it: &mut Bundle| it.anchors.reverse(),
        &|it: &mut Bundle| it.anchors.push(it.anchors[1].clone()),
        &|it: &mut Bundle| it.anchors[0].leaves[0].head.size += 1,
        &|it: &mut Bundle| drop(it.anchors[0].leaves.pop()),
    ] as [&dyn Fn(&mut Bundle); 4]
    {
        assert!(matches!(refused(change), AuthorityError::Leaves { .. }));
    }
    let error = refused(&|it| drop(it.states.pop()));
    assert!(matches!(error, AuthorityError::NoState { .. }));
    let error = refused(&|it| it.states[0].status["status"] = json!("suspended"));
    assert!(matches!(error, AuthorityError::NoState { .. }));
    let error = refused(&|it| drop(it.anchors[0].register.proof.checkpoint.signatures.pop()));
    assert!(TrustedAuthority::verify(&bundle, &case.id()).is_ok(), "{error:?}");
    let value = altered(&bundle.encode(), |value| value["note"] = json!(1));
    assert!(matches!(Bundle::parse(&value), Err(AuthorityError::Field(_))));
    let value = altered(&bundle.encode(), |value| value["format"] = json!("hutong-authority/2"));
    assert!(matches!(Bundle::parse(&value), Err(AuthorityError::Field(_))));
}

#[test]
fn a_compact_receipt_fits_a_qr_code() {
    let mut case = Case::new();
    for _ in 0..64 {
        case.country.append(CITY, StatementType::Unknown("x".into()), json!({}));
    }
    case.country.anchor();
    let bytes = case
        .build_with(&[], |inputs| {
            let shown = Disclosure { salt: salt(), value: json!(NAME) };
            inputs.disclosures.insert("project_name".into(), shown);
        })
        .unwrap();
    let trusted = case.trusted();
    let compact = Receipt::parse(&bytes).unwrap().encode_compact().unwrap();
    assert!(compact.len() < 1_300, "{}", compact.len());
    let report = verify_compact(&compact, &trusted, None);
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    let summary = report.summary.unwrap();
    assert_eq!(summary.disclosed["project_name"], NAME);
    assert_eq!((summary.as_of_size, summary.register_size), (67, 4));
    assert_eq!(CompactReceipt::parse(&compact).unwrap().encode().unwrap(), compact);
    for length in 0..compact.len() {
        let verdict = verify_compact(&compact[..length], &trusted, None).verdict;
        assert_eq!(verdict, Verdict::Invalid, "cut to {length}");
    }
    let other = Case::smallest().trusted();
    assert_eq!(verify_compact(&compact, &other, None).verdict, Verdict::Invalid);
    let large = alloc::vec![0; COMPACT_BYTES_MAX + 1];
    assert_eq!(verify_compact(&large, &trusted, None).verdict, Verdict::Invalid);
    let mut later = compact;
    later[3] = b'2';
    assert_eq!(verify_compact(&later, &trusted, None).verdict, Verdict::NotVerifiableHere);
}

#[test]
fn a_compact_receipt_brings_its_events_where_they_fit() {
    let mut case = Case::new();
    let registered = case.index;
    let amended = case.then("amended", registered);
    case.index = amended;
    let whole = Receipt::parse(&case.build(&[registered])).unwrap();
    let compact = whole.encode_compact().unwrap();
    let trusted = case.trusted();
    assert_eq!(verify_compact(&compact, &trusted, None).verdict, Verdict::Valid);
    let mut without = whole.clone();
    without.events.clear();
    let compact = without.encode_compact().unwrap();
    assert_eq!(verify_compact(&compact, &trusted, None).verdict, Verdict::Void);
    let mut many = whole;
    let event = many.events[0].clone();
    many.events.extend([event.clone(), event.clone(), event]);
    assert!(matches!(many.encode_compact(), Err(CompactError::TooLong { .. })));
}

#[test]
fn a_bundle_older_than_the_anchor_says_so() {
    let mut case = Case::new();
    let old = case.trusted();
    let index = case.country.append(CITY, StatementType::Contract, other_contract("registered"));
    case.country.anchor();
    case.index = index;
    let compact = Receipt::parse(&case.build(&[])).unwrap().encode_compact().unwrap();
    let report = verify_compact(&compact, &old, None);
    assert_eq!(report.verdict, Verdict::NotVerifiableHere);
    let older = |report: &Report| {
        report.checks.iter().any(|check| check.en.contains("older than the receipt's anchor"))
    };
    assert!(older(&report));
    let now = case.trusted();
    assert_eq!(verify_compact(&compact, &now, None).verdict, Verdict::Valid);
    // A newer bundle that left this anchor out does not say that it is old.
    case.country.append(CITY, StatementType::Unknown("x".into()), json!({}));
    let last = case.country.anchor();
    case.country.anchors.retain(|(_, index), _| *index == last);
    let newer = case.trusted();
    let report = verify_compact(&compact, &newer, None);
    assert_eq!((report.verdict, older(&report)), (Verdict::NotVerifiableHere, false));
}

#[test]
fn what_a_verifier_remembers_changes_no_report() {
    let mut case = Case::new();
    let first = case.build(&[]);
    let thin = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    let compact = Receipt::parse(&thin).unwrap().encode_compact().unwrap();
    let amended = case.then("amended", case.index);
    let second = case.build(&[amended]);
    let mut other = Case::smallest();
    let mut files = Vec::from([first.clone(), second.clone(), thin, other.build(&[])]);
    for bytes in [&first, &second] {
        for place in (0..bytes.len()).step_by(97) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 7);
            files.extend([flipped, bytes.clone(), bytes[..place].to_vec()]);
        }
        // An authority that is known, and after it what no receipt has.
        let rest =
            bytes.windows(16).position(|part| part == b"},\"disclosures\":").map(|it| it + 1);
        let rest = rest.unwrap_or_else(|| {
            bytes.windows(15).position(|part| part == b",\"disclosures\":").unwrap()
        });
        files.push([&bytes[..rest], b",\"authority\":null", &bytes[rest..]].concat());
        files.push(altered(bytes, |value| value["disclosuret"] = json!([])));
        files.push(altered(bytes, |value| value["authoritz"] = json!([])));
        files.push(altered(bytes, |value| value["history"]["as_of"] = json!(1)));
    }
    let bundle = case.trusted();
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
                assert_eq!(alone, verifier.verify_compact(&compact));
            }
        }
    }
}
