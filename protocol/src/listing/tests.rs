#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use alloc::string::ToString;
use alloc::sync::Arc;

use hutong_crypto::digest::sha256;
use serde_json::json;

use super::*;

fn minimal() -> Value {
    json!({
        "kind": "achievement",
        "listing_id": "li-1",
        "region": "CN-33",
        "revision": 1,
        "title": {"zh": "石墨烯散热膜"},
    })
}

fn full() -> Value {
    let digest = sha256(b"file").to_string();
    json!({
        "attachments": [{
            "blake3": digest, "media_type": "application/pdf", "name": "介绍.pdf", "sha256": digest,
            "size": 1024,
        }],
        "fields": ["new_materials", "electronic_information"],
        "holder": {"name": {"en": "Institute", "zh": "研究所"}, "uscc": "91350100M000100Y43"},
        "ip": [{"number": "ZL201710601862.3", "type": "patent.invention"}, {"type": "know_how"}],
        "ipc": ["G06F 16/00", "H05K"],
        "keywords": ["散热"],
        "kind": "achievement",
        "listing_id": "li-1",
        "maturity": {"level": 9, "scheme": "gbt22900"},
        "modes": ["license", "equity"],
        "pricing": {"amount": 0, "currency": "CNY", "mode": "listed"},
        "public_welfare": true,
        "region": "CN-3301",
        "revision": 3,
        "source": {"reference": "№ 1", "url": "https://example.org/1"},
        "summary": {"zh": "第一段\n第二段"},
        "title": {"en": "Film", "zh": "膜"},
        "unknown_member": [1],
        "valid_until": "2027-12-31",
    })
}

/// `full()` with another value at a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = full();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

fn refusal(body: &Value) -> String {
    Listing::from_body(body).unwrap_err().to_string()
}

#[test]
fn a_full_listing_is_read() {
    let listing = Listing::from_body(&full()).unwrap();
    assert_eq!(listing.revision, 3);
    assert_eq!(listing.title_in("en"), "Film");
    assert_eq!(listing.title_in("kk"), "膜");
    assert_eq!(listing.pricing.unwrap().amount.unwrap().to_string(), "0.00 CNY");
    assert_eq!(listing.ip[0].number.as_deref(), Some("ZL201710601862.3"));
    assert_eq!(listing.maturity.unwrap().level, 9);
    assert!(listing.public_welfare);
    assert_eq!(listing.attachments[0].size, 1024);
}

#[test]
fn a_listing_needs_its_required_members_only() {
    assert_eq!(Listing::from_body(&minimal()).unwrap().kind, ListingKind::Achievement);
    for name in ["kind", "listing_id", "region", "revision", "title"] {
        let mut body = minimal();
        body.as_object_mut().unwrap().remove(name);
        assert_eq!(refusal(&body), alloc::format!("`body.{name}`: missing"));
    }
}

#[test]
fn wrong_members_are_refused_by_their_path() {
    let long = "长".repeat(TITLE_CHARS_MAX + 1);
    let bad = [
        ("/listing_id", json!("Li_1"), "body.listing_id"),
        ("/listing_id", json!("a".repeat(65)), "body.listing_id"),
        ("/revision", json!(0), "body.revision"),
        ("/revision", json!("1"), "body.revision"),
        ("/kind", json!("offer"), "body.kind"),
        ("/title", json!({}), "body.title"),
        ("/title", json!({"zh_CN": "膜"}), "body.title.zh_CN"),
        ("/title/zh", json!(long), "body.title.zh"),
        ("/title/zh", json!(" "), "body.title.zh"),
        ("/title/zh", json!("a\u{7}"), "body.title.zh"),
        ("/summary/zh", json!("长".repeat(SUMMARY_CHARS_MAX + 1)), "body.summary.zh"),
        ("/fields/0", json!("magic"), "body.fields[0]"),
        ("/fields/0", json!("electronic_information"), "body.fields[1]"),
        ("/ipc/0", json!("G6F"), "body.ipc[0]"),
        ("/ipc/0", json!("I06F"), "body.ipc[0]"),
        ("/ipc/0", json!("G06F 16"), "body.ipc[0]"),
        ("/maturity/level", json!(10), "body.maturity.level"),
        ("/maturity/level", json!(0), "body.maturity.level"),
        ("/maturity/scheme", json!("nasa"), "body.maturity.scheme"),
        ("/modes/0", json!("gift"), "body.modes[0]"),
        ("/pricing/mode", json!("free"), "body.pricing.mode"),
        ("/pricing/amount", json!(-1), "body.pricing.amount"),
        ("/pricing/amount", json!("1"), "body.pricing.amount"),
        ("/pricing/currency", json!("rmb"), "body.pricing.currency"),
        ("/ip/0/number", json!("ZL201710601862.4"), "body.ip[0].number"),
        ("/ip/0/type", json!("patent"), "body.ip[0].type"),
        ("/holder/uscc", json!("91350100M000100Y4A"), "body.holder.uscc"),
        ("/holder/name", json!("Institute"), "body.holder.name"),
        ("/region", json!("CN-3300"), "body.region"),
        ("/valid_until", json!("2027-02-29"), "body.valid_until"),
        ("/attachments/0/size", json!(-1), "body.attachments[0].size"),
        ("/attachments/0/name", json!("../x"), "body.attachments[0].name"),
        ("/attachments/0/media_type", json!("pdf"), "body.attachments[0].media_type"),
        ("/attachments/0/media_type", json!(".a/pdf"), "body.attachments[0].media_type"),
        ("/attachments/0/media_type", json!("text/"), "body.attachments[0].media_type"),
        ("/attachments/0/media_type", json!("a/b/c"), "body.attachments[0].media_type"),
        (
            "/attachments/0/media_type",
            json!("text/plain; charset=utf-8"),
            "body.attachments[0].media_type",
        ),
        (
            "/attachments/0/media_type",
            json!(alloc::format!("a/{}", "b".repeat(128))),
            "body.attachments[0].media_type",
        ),
        ("/attachments/0/sha256", json!("00"), "body.attachments[0].sha256"),
        ("/public_welfare", json!(1), "body.public_welfare"),
        ("/source/url", json!("ftp://example.org"), "body.source.url"),
        ("/source/url", json!("https://"), "body.source.url"),
        ("/keywords", json!("散热"), "body.keywords"),
    ];
    for (pointer, value, path) in bad {
        let refusal = refusal(&with(pointer, value));
        assert!(refusal.starts_with(&alloc::format!("`{path}`: ")), "{pointer}: {refusal}");
    }
}

#[test]
fn neighbours_within_the_bounds_are_read() {
    for (pointer, value) in [
        ("/listing_id", json!("a".repeat(64))),
        ("/title/zh", json!("长".repeat(TITLE_CHARS_MAX))),
        ("/summary/zh", json!("长".repeat(SUMMARY_CHARS_MAX))),
        ("/maturity", json!({"level": 13, "scheme": "qingdao13"})),
        ("/pricing", json!({"mode": "negotiated"})),
        ("/ipc/0", json!("G06F16/00")),
        ("/attachments/0/media_type", json!("application/vnd.ms-excel")),
        ("/attachments/0/media_type", json!(alloc::format!("a/{}", "b".repeat(127)))),
        ("/holder", json!({"foreign_id": "KZ 1", "name": {"kk": "А"}})),
    ] {
        Listing::from_body(&with(pointer, value)).unwrap();
    }
}

#[test]
fn amounts_and_currencies_stand_together() {
    let refusal = |pricing| refusal(&with("/pricing", pricing));
    assert!(refusal(json!({"amount": 1, "mode": "listed"})).contains("body.pricing.currency"));
    assert!(refusal(json!({"currency": "CNY", "mode": "listed"})).contains("body.pricing.amount"));
}

fn revision(number: u64) -> ListingEvent {
    let mut body = minimal();
    body["revision"] = json!(number);
    ListingEvent::Revision(Arc::new(Listing::from_body(&body).unwrap()))
}

fn status(standing: ListingStatusKind) -> ListingEvent {
    let body = json!({"listing_id": "li-1", "status": standing.as_str()});
    ListingEvent::Status(ListingStatus::from_body(&body).unwrap())
}

fn fold(events: &[ListingEvent]) -> Result<ListingState, ListingVoid> {
    let mut state = None;
    for (index, event) in events.iter().enumerate() {
        let id = sha256(&index.to_be_bytes());
        state = Some(ListingState::apply(state.as_ref(), event, id)?);
    }
    Ok(state.unwrap())
}

#[test]
fn revisions_follow_one_by_one() {
    let state = fold(&[revision(1), status(ListingStatusKind::Audited), revision(2)]).unwrap();
    assert_eq!((state.listing.revision, state.standing), (2, ListingStatusKind::Listed));
    assert_eq!(state.last, sha256(&2_usize.to_be_bytes()));
    for (events, expected, met) in [
        (&[revision(2)][..], 1, 2),
        (&[revision(1), revision(1)], 2, 1),
        (&[revision(1), revision(3)], 2, 3),
    ] {
        assert_eq!(fold(events).unwrap_err(), ListingVoid::Revision { expected, met });
    }
}

#[test]
fn a_withdrawn_listing_returns_by_a_revision_only() {
    let withdrawn = [revision(1), status(ListingStatusKind::Withdrawn)];
    assert!(!fold(&withdrawn).unwrap().is_open());
    let again = [withdrawn.to_vec(), [revision(2)].to_vec()].concat();
    assert!(fold(&again).unwrap().is_open());
    for standing in ListingStatusKind::ALL {
        let changed = [withdrawn.to_vec(), [status(*standing)].to_vec()].concat();
        assert_eq!(fold(&changed).unwrap_err(), ListingVoid::Withdrawn);
    }
}

#[test]
fn traded_is_final() {
    let traded = [revision(1), status(ListingStatusKind::Traded)];
    for event in ListingStatusKind::ALL.iter().map(|kind| status(*kind)).chain([revision(2)]) {
        let after = [traded.to_vec(), [event].to_vec()].concat();
        assert_eq!(fold(&after).unwrap_err(), ListingVoid::Traded);
    }
}

#[test]
fn an_objection_is_settled_before_trade() {
    let objected = [revision(1), status(ListingStatusKind::Objected)];
    let after = |events: &[ListingEvent]| fold(&[&objected[..], events].concat());
    let trade = status(ListingStatusKind::Traded);
    let refusal = ListingVoid::Objected(ListingStatusKind::Traded);
    assert_eq!(after(core::slice::from_ref(&trade)).unwrap_err(), refusal);
    assert_eq!(after(&[revision(2), trade.clone()]).unwrap_err(), refusal);
    assert_eq!(
        after(&[status(ListingStatusKind::Listed), trade]).unwrap().standing,
        ListingStatusKind::Traded
    );
}

#[test]
fn a_status_needs_its_listing() {
    let refused = fold(&[status(ListingStatusKind::Audited)]).unwrap_err();
    assert_eq!(refused, ListingVoid::Unlisted("li-1".into()));
    let other = json!({"listing_id": "li-2", "status": "audited"});
    let other = ListingEvent::Status(ListingStatus::from_body(&other).unwrap());
    assert!(matches!(fold(&[revision(1), other]).unwrap_err(), ListingVoid::OtherListing { .. }));
}

#[test]
fn a_deal_goes_with_traded() {
    let body = |status: &str| json!({"deal": "2026-1", "listing_id": "a", "status": status});
    assert!(ListingStatus::from_body(&body("traded")).is_ok());
    assert!(ListingStatus::from_body(&body("listed")).is_err());
    assert!(ListingStatus::from_body(&body("sold")).is_err());
}
