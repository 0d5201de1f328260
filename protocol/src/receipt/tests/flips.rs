//! No changed bit leaves a receipt valid.

use super::*;

/// Flips bits of `bytes` and checks that none leaves the receipt valid in any way.
fn flip(
    bytes: &[u8],
    places: impl Iterator<Item = (usize, u8)>,
    verdict: impl Fn(&[u8]) -> Verdict,
) {
    let unchanged = verdict(bytes);
    assert!(matches!(unchanged, Verdict::Valid | Verdict::Provisional), "{unchanged:?}");
    let mut changed = bytes.to_vec();
    for (place, bit) in places {
        changed[place] ^= 1 << bit;
        let verdict = verdict(&changed);
        assert!(
            matches!(verdict, Verdict::Invalid | Verdict::NotVerifiableHere | Verdict::Void),
            "bit {bit} of byte {place}: {verdict:?}"
        );
        changed[place] ^= 1 << bit;
    }
}

fn every_bit(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit)))
}

fn a_bit_of_each(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    (0..bytes.len()).map(|place| (place, u8::try_from(place % 7).unwrap()))
}

fn showing(inputs: &mut Inputs) {
    let shown = Disclosure { salt: salt(), value: json!(NAME) };
    inputs.disclosures.insert("project_name".into(), shown);
}

#[test]
fn no_flipped_bit_of_a_small_receipt_is_valid() {
    let mut case = Case::smallest();
    let bytes = case.build_with(&[], showing).unwrap();
    flip(&bytes, every_bit(&bytes).step_by(5), |bytes| case.verdict(bytes));
}

#[test]
fn no_flipped_byte_of_a_whole_receipt_is_valid() {
    let mut case = Case::new();
    let amended = case.then("amended", case.index);
    let registered = case.index;
    case.index = amended;
    let bytes = case.build(&[registered]);
    flip(&bytes, a_bit_of_each(&bytes).step_by(3), |bytes| case.verdict(bytes));
}

#[test]
fn no_flipped_byte_of_a_provisional_receipt_is_better() {
    let mut case = Case::new();
    let index = case.country.append(CITY, StatementType::Contract, other_contract("registered"));
    let note = case.country.checkpoint(CITY);
    let inputs = case.country.provisional_inputs(CITY, index, &[], &note);
    let bytes = build(inputs).unwrap();
    flip(&bytes, a_bit_of_each(&bytes).step_by(5), |bytes| case.verdict(bytes));
}

#[test]
fn no_flipped_bit_of_a_receipt_without_charters_is_valid() {
    let mut case = Case::new();
    // Several epochs, so that the state's tree has paths that other sizes could share.
    for generation in 1..5 {
        let old = case.country.exchange(CITY).log_key.clone();
        let new = Exchange::new(CITY, Tier::Municipal, "CN-3301", generation);
        let new = case.country.below("cn-33-z", new);
        case.country.append(CITY, StatementType::Unknown("x".into()), json!({}));
        let rekey =
            case.country.rekey_decision("cn-33-z", &new, 3 + u64::from(generation), Some(&old));
        case.country.enrol(&rekey).unwrap();
        case.country.add(new);
    }
    case.country.anchor();
    let bytes = case.build_with(&[], |inputs| inputs.without_authority = true).unwrap();
    let trusted = TrustedAuthority::of_charters(case.country.charters().clone());
    flip(&bytes, a_bit_of_each(&bytes), |bytes| case.report_with(bytes, &trusted).verdict);
}

#[test]
fn no_flipped_bit_of_a_compact_receipt_is_valid() {
    let mut case = Case::new();
    let amended = case.then("amended", case.index);
    let registered = case.index;
    case.index = amended;
    let bytes = case.build_with(&[registered], showing).unwrap();
    let compact = Receipt::parse(&bytes).unwrap().encode_compact().unwrap();
    let trusted = case.trusted();
    flip(&compact, every_bit(&compact), |bytes| verify_compact(bytes, &trusted, None).verdict);
}
