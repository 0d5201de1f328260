//! The views: folded, filtered, paged, withheld, void, rebuilt.

use std::time::Duration;

use hutong_protocol::audience::Audience;
use hutong_protocol::codes::ContractEventKind;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::persist::Persist;
use hutong_protocol::statement::{Draft, StatementType};
use serde_json::{Value, json};

use super::fixture::{exchange, key, leaves, open, zhejiang};
use crate::store::{
    ContractQuery, EventPosition, ListingQuery, Store, StoreOptions, drop_log, rebuild,
};

fn said(log: &ExchangeId, kind: StatementType, body: Value) -> Entry {
    let draft = Draft {
        audience: Audience::Public,
        issued_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        issuer: log.clone(),
        salt: [3; 16],
        kind,
        body,
    };
    Entry::sign(&key(), &draft.encode().unwrap()).unwrap()
}

fn listing(id: &str, revision: u64, title: &str, region: &str) -> Entry {
    let kind = if revision % 2 == 1 { "achievement" } else { "demand" };
    let body = json!({"listing_id": id, "revision": revision, "kind": kind,
        "title": {"zh": title}, "region": region});
    said(&zhejiang(), StatementType::Listing, body)
}

fn status(id: &str, status: &str) -> Entry {
    let body = json!({"listing_id": id, "status": status});
    said(&zhejiang(), StatementType::ListingStatus, body)
}

fn contract(number: &str, event: &str) -> Entry {
    let mut body = json!({"registration_no": number, "event": event, "field": "nuclear",
        "contract_type": "development", "registering_division": "CN-33", "sign_date": "2026-03-01",
        "seller_division": "CN-33", "buyer_division": "CN-31"});
    if event != "registered" {
        body["previous"] = json!("5".repeat(64));
    }
    said(&zhejiang(), StatementType::Contract, body)
}

fn contract_after(number: &str, event: &str, previous: StatementId) -> Entry {
    let body = json!({"registration_no": number, "event": event, "field": "nuclear",
        "contract_type": "development", "registering_division": "CN-33", "sign_date": "2026-03-01",
        "seller_division": "CN-33", "buyer_division": "CN-31", "previous": previous.to_string()});
    said(&zhejiang(), StatementType::Contract, body)
}

fn store_of(entries: &[Entry]) -> (tempfile::TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    add(&store, entries);
    (place, store)
}

fn add(store: &Store, entries: &[Entry]) {
    let from = store.head(&zhejiang()).unwrap().map_or(0, |head| head.size);
    let entries = entries.iter().cloned().map(Leaf::Entry).collect();
    store.commit(&[leaves(&zhejiang(), from, entries)]).unwrap();
    assert!(store.settle(Duration::from_secs(30)));
}

fn all(_: &EventPosition) -> bool {
    true
}

fn ids(store: &Store, query: &ListingQuery) -> Vec<String> {
    let page = store.listings(query, &all).unwrap();
    page.rows.into_iter().map(|row| row.listing_id).collect()
}

fn hundred() -> ListingQuery {
    ListingQuery { limit: 100, ..ListingQuery::default() }
}

#[test]
fn a_listing_shows_its_newest_revision_and_standing() {
    let (_place, store) = store_of(&[
        status("a", "withdrawn"),
        listing("a", 1, "电池", "CN-3301"),
        listing("a", 2, "新电池", "CN-3302"),
        listing("a", 2, "再电池", "CN-3303"),
        listing("a", 4, "旧电池", "CN-3304"),
    ]);
    let look = || {
        let row = store.listing(&zhejiang(), "a", &all).unwrap().unwrap();
        (row.revision, row.status, row.index, row.titles["zh"].clone(), row.region)
    };
    let row = |revision, status: &str, index, title: &str, region: &str| {
        (revision, status.to_owned(), index, title.to_owned(), region.to_owned())
    };
    assert_eq!(look(), row(2, "listed", 2, "新电池", "CN-3302"));
    add(&store, &[status("a", "withdrawn")]);
    add(&store, &[status("a", "audited")]);
    assert_eq!(look(), row(2, "withdrawn", 2, "新电池", "CN-3302"));
    add(&store, &[listing("a", 3, "三", "CN-3301")]);
    assert_eq!(look(), row(3, "listed", 7, "三", "CN-3301"));
    add(&store, &[status("a", "traded"), listing("a", 4, "四", "CN-3301")]);
    assert_eq!(look(), row(3, "traded", 7, "三", "CN-3301"));
    assert_eq!(store.listing(&zhejiang(), "a", &all).unwrap().unwrap().events.len(), 10);
    assert_eq!(store.listing(&zhejiang(), "b", &all).unwrap(), None);
    assert_eq!(store.listing(&exchange("nobody"), "a", &all).unwrap(), None);
}

#[test]
fn events_without_authority_are_as_if_they_were_not_there() {
    let (_place, store) = store_of(&[
        listing("a", 1, "one", "CN-33"),
        listing("a", 2, "two", "CN-33"),
        status("a", "withdrawn"),
        listing("b", 1, "other", "CN-33"),
    ]);
    let early = |event: &EventPosition| event.index < 1 && event.key == key().public();
    let row = store.listing(&zhejiang(), "a", &early).unwrap().unwrap();
    assert_eq!((row.revision, row.status.as_str(), row.events.len()), (1, "listed", 1));
    let page = store.listings(&hundred(), &early).unwrap();
    assert_eq!(page.rows, [row]);
    let demands = ListingQuery { kind: Some("demand".to_owned()), ..hundred() };
    assert_eq!(store.listings(&demands, &early).unwrap().rows, []);
    assert_eq!(ids(&store, &demands), ["a"]);
    assert_eq!(store.listings(&hundred(), &|_| false).unwrap().rows, []);
}

#[test]
fn queries_restrict_by_each_member() {
    let (_place, store) = store_of(&[
        listing("a", 1, "Lithium Battery", "CN-3301"),
        listing("b", 1, "Sodium", "CN-31"),
        listing("b", 2, "Sodium battery", "CN-33"),
        listing("c", 1, "锂电池", "CN-3205"),
        listing("d", 1, "no place", "KZ"),
        status("d", "withdrawn"),
    ]);
    let check = |query: ListingQuery, expected: &[&str]| {
        assert_eq!(ids(&store, &ListingQuery { limit: 100, ..query }), expected);
    };
    let text = |text: &str| ListingQuery { text: Some(text.to_owned()), ..hundred() };
    let region = |region: &str| ListingQuery { region: region.parse().ok(), ..hundred() };
    check(hundred(), &["a", "b", "c", "d"]);
    check(text("BATTERY"), &["a", "b"]);
    check(text("电池"), &["c"]);
    check(text("D"), &["b", "d"]);
    check(text("nothing"), &[]);
    check(region("CN-33"), &["a", "b"]);
    check(region("CN-3301"), &["a"]);
    check(region("CN"), &["a", "b", "c"]);
    check(ListingQuery { kind: Some("demand".to_owned()), ..hundred() }, &["b"]);
    check(ListingQuery { status: Some("withdrawn".to_owned()), ..hundred() }, &["d"]);
    check(ListingQuery { exchange: Some(zhejiang()), ..hundred() }, &["a", "b", "c", "d"]);
    check(ListingQuery { exchange: Some(exchange("nobody")), ..hundred() }, &[]);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let entries: Vec<Entry> = (0..25)
        .flat_map(|n| {
            let id = format!("id-{n:02}");
            [listing(&id, 1, "x", "CN"), contract(&id, "registered"), contract(&id, "amended")]
        })
        .collect();
    let (_place, store) = store_of(&entries);
    let expected: Vec<String> = (0..25).map(|n| format!("id-{n:02}")).collect();
    for limit in [1, 7, 24, 25, 26] {
        let (mut listings, mut contracts) = (Vec::new(), Vec::new());
        let mut query = ListingQuery { limit, ..ListingQuery::default() };
        loop {
            let page = store.listings(&query, &all).unwrap();
            listings.extend(page.rows.into_iter().map(|row| row.listing_id));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let mut query = ContractQuery { limit, ..ContractQuery::default() };
        loop {
            let page = store.contracts(&query, &all).unwrap();
            assert!(page.rows.iter().all(|row| row.events.len() == 2));
            contracts.extend(page.rows.into_iter().map(|row| row.registration_no));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!((&listings, &contracts), (&expected, &expected), "limit {limit}");
    }
}

#[test]
fn a_contract_brings_its_events_and_which_take_effect() {
    let number = "2026330100000001";
    let registered = contract(number, "registered");
    let unlinked = contract(number, "amended");
    let cancelled = contract_after(number, "cancelled", registered.id());
    let late = contract_after(number, "amended", cancelled.id());
    let (_place, store) = store_of(&[
        registered,
        contract("2026330100000002", "registered"),
        unlinked,
        cancelled.clone(),
        late,
    ]);
    let rows = store.contract(number, &all).unwrap();
    let events: Vec<(&str, u64, bool)> = rows[0]
        .events
        .iter()
        .map(|event| (event.event.as_str(), event.position.index, event.effective))
        .collect();
    let expected = [
        ("registered", 0, true),
        ("amended", 2, false),
        ("cancelled", 3, true),
        ("amended", 4, false),
    ];
    assert_eq!(events, expected);
    assert_eq!(rows[0].standing, Some(ContractEventKind::Cancelled));
    assert_eq!(store.find(&cancelled.id()).unwrap(), Some((zhejiang(), 3)));
    let early = |event: &EventPosition| event.index < 3;
    let row = &store.contract(number, &early).unwrap()[0];
    assert_eq!((row.events.len(), row.standing), (2, Some(ContractEventKind::Registered)));
    let headless = |event: &EventPosition| event.index > 0;
    assert_eq!(store.contract(number, &headless).unwrap()[0].standing, None);
    assert_eq!(store.contract("2026", &all).unwrap(), []);
    let query = |event: &str, prefix: &str| ContractQuery {
        event: Some(event.to_owned()),
        number_prefix: Some(prefix.to_owned()),
        contract_type: Some("development".to_owned()),
        limit: 9,
        ..ContractQuery::default()
    };
    let found = |query| store.contracts(&query, &all).unwrap().rows;
    assert_eq!(found(query("cancelled", "2026")), rows);
    assert_eq!(found(query("cancelled", "2027")), []);
    assert_eq!(found(query("revoked", "2026")), []);
}

#[test]
fn void_and_foreign_entries_do_not_appear() {
    let (_place, store) = store_of(&[]);
    let other = said(
        &exchange("kz-national"),
        StatementType::Listing,
        json!({"listing_id": "f", "revision": 1, "kind": "fund", "title": {"en": "f"},
            "region": "KZ"}),
    );
    let said = vec![Leaf::Entry(listing("a", 1, "x", "CN")), Leaf::Entry(other)];
    store
        .commit(&[Persist::Leaves { log: zhejiang(), from: 0, leaves: said, void: vec![0] }])
        .unwrap();
    assert!(store.settle(Duration::from_secs(30)));
    assert_eq!(ids(&store, &hundred()), Vec::<String>::new());
}

#[test]
fn a_revision_that_becomes_known_late_is_folded_in_its_place() {
    let said = [
        listing("a", 1, "one", "CN"),
        listing("a", 2, "two", "CN"),
        listing("a", 3, "three", "CN"),
        status("a", "traded"),
    ];
    for hidden in 0..3 {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let mut shown: Vec<Leaf> = said.iter().cloned().map(Leaf::Entry).collect();
        shown[hidden] = Leaf::Withheld(said[hidden].leaf_hash());
        store.commit(&[leaves(&zhejiang(), 0, shown[..2].to_vec())]).unwrap();
        store.commit(&[leaves(&zhejiang(), 2, shown[2..].to_vec())]).unwrap();
        assert!(store.settle(Duration::from_secs(30)));
        let row = store.listing(&zhejiang(), "a", &all).unwrap();
        assert_eq!(row.map_or(0, |row| row.revision), hidden as u64);
        let entries = vec![(hidden as u64, said[hidden].clone())];
        store.commit(&[Persist::Fill { log: zhejiang(), entries, void: vec![] }]).unwrap();
        assert!(store.settle(Duration::from_secs(30)));
        let row = store.listing(&zhejiang(), "a", &all).unwrap().unwrap();
        assert_eq!((row.revision, row.status.as_str(), row.index), (3, "traded", 2));
    }
}

#[test]
fn a_register_lists_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (register, store) = (exchange("register-1"), open(place.path()));
    let body = json!({"listing_id": "a", "revision": 1, "kind": "demand",
        "title": {"zh": "x"}, "region": "CN"});
    let stray = said(&register, StatementType::Listing, body);
    let id = stray.id();
    store.commit(&[leaves(&register, 0, vec![Leaf::Entry(stray)])]).unwrap();
    assert!(store.settle(Duration::from_secs(30)));
    assert_eq!(store.listing(&register, "a", &|_| true).unwrap(), None);
    assert_eq!(store.find(&id).unwrap(), Some((register, 0)), "it is found by its id");
}

#[test]
fn decisions_are_found_at_the_start() {
    let admit = said(&zhejiang(), StatementType::MemberAdmit, json!({"exchange": "cn-3301"}));
    let (place, store) = store_of(&[listing("a", 1, "x", "CN"), admit.clone()]);
    assert_eq!(store.decisions().unwrap(), [((zhejiang(), 1), admit.clone())]);
    drop(store);
    assert_eq!(open(place.path()).decisions().unwrap(), [((zhejiang(), 1), admit)]);
}

#[test]
fn rebuilt_views_equal_those_that_grew() {
    let entries: Vec<Entry> = (0..40)
        .flat_map(|n| {
            let id = format!("id-{}", n % 7);
            [listing(&id, n / 7 + 1, "x", "CN"), status(&id, "audited"), contract(&id, "amended")]
        })
        .collect();
    let (place, store) = store_of(&entries[..50]);
    add(&store, &entries[50..]);
    let contracts = ContractQuery { limit: 99, ..ContractQuery::default() };
    let look = |store: &Store| {
        let listings = store.listings(&hundred(), &all).unwrap();
        (listings, store.contracts(&contracts, &all).unwrap())
    };
    let before = look(&store);
    assert_eq!((before.0.rows.len(), before.1.rows.len()), (7, 7));
    drop(store);
    let report = rebuild(place.path(), &StoreOptions::default(), &mut |_, _| ()).unwrap();
    assert_eq!((report.logs, report.entries, report.failed.len()), (1, 120, 0));
    let store = open(place.path());
    assert_eq!(look(&store), before);
    assert_eq!(store.find(&entries[7].id()).unwrap(), Some((zhejiang(), 7)));
}

#[test]
fn a_dropped_log_is_taken_in_again() {
    let (place, store) = store_of(&[listing("a", 1, "x", "CN"), listing("b", 1, "x", "CN")]);
    let before = store.restore().unwrap();
    assert!(drop_log(place.path(), &zhejiang()).is_err(), "while the store is open");
    drop(store);
    assert!(drop_log(place.path(), &exchange("nobody")).is_err());
    drop_log(place.path(), &zhejiang()).unwrap();
    let store = open(place.path());
    assert_eq!(store.restore().unwrap()[0].frontier.size(), 0);
    assert_eq!(ids(&store, &hundred()), Vec::<String>::new());
    add(&store, &[listing("a", 1, "x", "CN"), listing("b", 1, "x", "CN")]);
    assert_eq!(store.restore().unwrap(), before);
    assert_eq!(ids(&store, &hundred()), ["a", "b"]);
}
