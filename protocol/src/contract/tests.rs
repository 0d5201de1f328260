#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hutong_crypto::digest::sha256;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn registered() -> Value {
    let digest = sha256(b"file").to_string();
    json!({
        "buyer_division": "KZ",
        "claims": {"total_amount": digest},
        "contract_type": "license",
        "documents": [{"blake3": digest, "sha256": digest}],
        "event": "registered",
        "field": "new_materials",
        "ip": ["patent.invention"],
        "listing": {"exchange": "cn-33-zhejiang", "id": "li-1"},
        "patents": ["ZL201710601862.3"],
        "payment_method": "royalty",
        "plan_source": "off_plan",
        "registering_division": "CN-330106",
        "registration_no": "2026330100000001",
        "seller_division": "CN-3301",
        "sign_date": "2026-03-01",
        "subtype": "license.patent",
        "valid_from": "2026-03-01",
        "valid_to": "2026-03-01",
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut body = registered();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

fn refusal(body: &Value) -> String {
    Contract::from_body(body).unwrap_err().to_string()
}

#[test]
fn a_registration_is_read() {
    let contract = Contract::from_body(&registered()).unwrap();
    let description = contract.description.unwrap();
    assert_eq!(description.buyer.as_str(), "KZ");
    assert_eq!(description.subtype, Some(ContractSubtype::PatentLicense));
    assert_eq!(description.listing.unwrap().listing_id, "li-1");
    assert_eq!(contract.claims["total_amount"], sha256(b"file"));
    assert_eq!(contract.documents.len(), 1);
}

#[test]
fn a_registration_needs_its_required_members() {
    for name in DESCRIPTION_REQUIRED.into_iter().chain(["event", "registration_no"]) {
        let mut body = registered();
        body.as_object_mut().unwrap().remove(name);
        assert_eq!(refusal(&body), format!("`body.{name}`: missing"));
    }
    for name in DESCRIPTION_OPTIONAL.into_iter().chain(["claims", "documents"]) {
        let mut body = registered();
        body.as_object_mut().unwrap().remove(name);
        assert!(Contract::from_body(&body).is_ok(), "{name}");
    }
}

#[test]
fn wrong_members_are_refused_by_their_path() {
    for (pointer, value, path) in [
        ("/registration_no", json!(""), "body.registration_no"),
        ("/registration_no", json!("1".repeat(33)), "body.registration_no"),
        ("/registration_no", json!("2026 1"), "body.registration_no"),
        ("/event", json!("signed"), "body.event"),
        ("/contract_type", json!("sale"), "body.contract_type"),
        ("/subtype", json!("transfer.patent"), "body.subtype"),
        ("/subtype", json!("license.software"), "body.subtype"),
        ("/field", json!("new materials"), "body.field"),
        ("/seller_division", json!("330100"), "body.seller_division"),
        ("/sign_date", json!("2026-3-1"), "body.sign_date"),
        ("/valid_to", json!("2026-02-28"), "body.valid_to"),
        ("/plan_source", json!("none"), "body.plan_source"),
        ("/payment_method", json!("cash"), "body.payment_method"),
        ("/ip/0", json!("patent"), "body.ip[0]"),
        ("/patents/0", json!("ZL201710601862.4"), "body.patents[0]"),
        ("/listing/id", json!("Li"), "body.listing.id"),
        ("/listing/exchange", json!("x"), "body.listing.exchange"),
        ("/documents/0/blake3", json!("00"), "body.documents[0].blake3"),
        ("/claims/total_amount", json!(120_000), "body.claims.total_amount"),
        ("/claims/total_amount", json!("120000"), "body.claims.total_amount"),
        ("/claims", json!({"price": sha256(b"").to_string()}), "body.claims.price"),
    ] {
        let refusal = refusal(&with(pointer, value));
        assert!(refusal.starts_with(&format!("`{path}`: ")), "{pointer}: {refusal}");
    }
}

#[test]
fn confidential_values_in_clear_are_refused() {
    for code in ClaimName::ALL {
        let mut body = registered();
        body[code.as_str()] = json!(1);
        assert!(refusal(&body).contains("confidential"), "{}", code.as_str());
        let mut body = registered();
        body["more"] = json!([{code.as_str(): "x"}]);
        assert!(refusal(&body).starts_with(&format!("`body.more[0].{}`", code.as_str())));
    }
}

#[test]
fn events_name_the_one_before_and_registrations_none() {
    let mut body = registered();
    body["previous"] = json!(sha256(b"").to_string());
    assert!(refusal(&body).starts_with("`body.previous`: expected none"));
    for event in ["amended", "cancelled", "revoked"] {
        body["event"] = json!(event);
        assert!(Contract::from_body(&body).is_ok(), "{event}");
        let without = with("/event", json!(event));
        assert!(refusal(&without).starts_with("`body.previous`: missing"), "{event}");
    }
}

fn ended(event: &str, previous: StatementId) -> Contract {
    let body = json!({
        "event": event, "previous": previous.to_string(), "registration_no": "2026330100000001",
    });
    Contract::from_body(&body).unwrap()
}

fn amended(previous: StatementId) -> Contract {
    let mut body = with("/event", json!("amended"));
    body["previous"] = json!(previous.to_string());
    body["buyer_division"] = json!("CN-11");
    Contract::from_body(&body).unwrap()
}

#[test]
fn an_ending_needs_no_description_and_an_amendment_does() {
    assert_eq!(ended("revoked", sha256(b"")).description, None);
    let bare = json!({
        "event": "amended", "previous": sha256(b"").to_string(), "registration_no": "1",
    });
    assert!(Contract::from_body(&bare).is_err());
    let partial = json!({
        "event": "cancelled", "field": "nuclear", "previous": sha256(b"").to_string(),
        "registration_no": "1",
    });
    assert!(Contract::from_body(&partial).is_err());
}

#[test]
fn events_follow_each_other_until_the_end() {
    let [a, b, c, d] = [b"a", b"b", b"c", b"d"].map(|name| sha256(name));
    let first = Contract::from_body(&registered()).unwrap();
    let state = ContractState::apply(None, &first, a).unwrap();
    assert!(matches!(
        ContractState::apply(Some(&state), &amended(b), c),
        Err(ContractVoid::Previous { expected, met: Some(met) }) if expected == a && met == b
    ));
    assert!(matches!(
        ContractState::apply(Some(&state), &first, b),
        Err(ContractVoid::Registered(_))
    ));
    let state = ContractState::apply(Some(&state), &amended(a), b).unwrap();
    assert_eq!((state.first, state.last, state.described_by, state.events), (a, b, b, 2));
    let fork = ContractState::apply(Some(&state), &ended("revoked", a), c);
    assert!(matches!(fork, Err(ContractVoid::Previous { .. })));
    for event in ["cancelled", "revoked"] {
        let end = ContractState::apply(Some(&state), &ended(event, b), c).unwrap();
        assert_eq!((end.event.as_str(), end.last, end.described_by), (event, c, b));
        assert_eq!(end.contract.description.as_ref().unwrap().buyer.as_str(), "CN-11");
        assert!(!end.is_in_force());
        let after = ContractState::apply(Some(&end), &amended(c), d);
        assert_eq!(after, Err(ContractVoid::Ended(end.event)));
    }
}

#[test]
fn nothing_precedes_a_registration() {
    let id = sha256(b"");
    assert!(matches!(
        ContractState::apply(None, &amended(id), id),
        Err(ContractVoid::Unregistered { .. })
    ));
    let first = Contract::from_body(&registered()).unwrap();
    let state = ContractState::apply(None, &first, id).unwrap();
    let other = Contract { registration_no: "2".into(), ..amended(id) };
    assert!(matches!(
        ContractState::apply(Some(&state), &other, id),
        Err(ContractVoid::OtherContract { .. })
    ));
}

fn values() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("buyer_name".into(), json!("某公司")),
        ("seller_uscc".into(), json!("91350100M000100Y43")),
        ("technical_amount".into(), json!(120_000)),
        ("total_amount".into(), json!(120_000)),
    ])
}

fn salts(values: &BTreeMap<String, Value>) -> BTreeMap<String, [u8; 32]> {
    values.keys().map(|name| (name.clone(), sha256(name.as_bytes()).0)).collect()
}

#[test]
fn a_disclosure_opens_what_was_committed_and_nothing_else() {
    let (values, salts) = (values(), salts(&values()));
    let claims = commit_claims(&values, &salts).unwrap();
    let contract = Contract { claims, ..Contract::from_body(&registered()).unwrap() };
    for (name, value) in &values {
        let shown = Disclosure { name: name.clone(), salt: salts[name], value: value.clone() };
        assert!(shown.opens(&contract), "{name}");
        let read = Disclosure::from_value(&shown.to_value()).unwrap();
        assert!(read == shown);
        assert!(!Disclosure { value: json!(120_001), ..shown.clone() }.opens(&contract));
        assert!(!Disclosure { salt: [0; 32], ..shown.clone() }.opens(&contract));
        assert!(!Disclosure { name: "terms".into(), ..shown }.opens(&contract));
    }
    let same_salt = salts["total_amount"];
    let moved =
        Disclosure { name: "technical_amount".into(), salt: same_salt, value: json!(120_000) };
    assert!(!moved.opens(&contract));
}

#[test]
fn claims_keep_to_their_rules() {
    let commit = |name: &str, value: Value| {
        let mut values = values();
        values.insert(name.into(), value);
        commit_claims(&values, &salts(&values)).map(|_| ())
    };
    for (name, value) in [
        ("technical_amount", json!(0)),
        ("currency", json!("KZT")),
        ("expected_output", json!(0)),
        ("terms", json!("第一条\n…")),
    ] {
        assert_eq!(commit(name, value), Ok(()), "{name}");
    }
    for (name, value) in [
        ("technical_amount", json!(120_001)),
        ("technical_amount", json!(-1)),
        ("total_amount", json!(0)),
        ("total_amount", json!("1")),
        ("total_amount", json!(1.5)),
        ("seller_uscc", json!("91350100M000100Y4A")),
        ("buyer_name", json!("")),
        ("buyer_name", json!("名".repeat(claims::NAME_CHARS_MAX + 1))),
        ("currency", json!("rmb")),
        ("price", json!(1)),
    ] {
        assert!(matches!(commit(name, value), Err(ClaimError::Value { .. })), "{name}");
    }
}

#[test]
fn every_claim_has_one_salt() {
    let values = values();
    let mut salts = salts(&values);
    salts.insert("terms".into(), [1; 32]);
    assert_eq!(commit_claims(&values, &salts), Err(ClaimError::Salt("terms".into())));
    salts.remove("terms");
    salts.remove("buyer_name");
    assert_eq!(commit_claims(&values, &salts), Err(ClaimError::Salt("buyer_name".into())));
}

#[test]
fn disclosures_are_read_strictly() {
    let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let read = |value| Disclosure::from_value(&value).map(|_| ());
    assert_eq!(read(json!({"name": "total_amount", "salt": salt, "value": 1})), Ok(()));
    for value in [
        json!({"name": "price", "salt": salt, "value": 1}),
        json!({"name": "total_amount", "salt": salt, "value": 0}),
        json!({"name": "total_amount", "salt": &salt[1..], "value": 1}),
        json!({"name": "total_amount", "salt": format!("{salt}="), "value": 1}),
        json!({"name": "total_amount", "salt": salt}),
        json!({"more": 1, "name": "total_amount", "salt": salt, "value": 1}),
    ] {
        assert!(read(value.clone()).is_err(), "{value}");
    }
}

proptest! {
    #[test]
    fn amounts_within_the_total_commit_and_others_do_not(
        total in 1..=claims_max(),
        technical in 0..=claims_max(),
        salt in any::<[u8; 32]>(),
    ) {
        let values: BTreeMap<String, Value> = BTreeMap::from([
            ("technical_amount".into(), json!(technical)),
            ("total_amount".into(), json!(total)),
        ]);
        let salts = values.keys().map(|name| (name.clone(), salt)).collect();
        prop_assert_eq!(commit_claims(&values, &salts).is_ok(), technical <= total);
    }
}

fn claims_max() -> u64 {
    crate::json::INTEGER_MAX
}
