//! What is in form and on no list of this version: currencies and countries that it does not know.
//!
//! The world makes new ones while programs stay as they are. So such a value decides nothing: whoever publishes it
//! is warned, since it may be a slip (`RMB` for `CNY`, `UK` for `GB`), and whoever verifies it is told.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::body::Content;
use crate::listing::ListingEvent;
use crate::money::Currency;
use crate::region::Region;

/// A value that is on no list of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// Where it stands, for instance `body.pricing.currency`.
    pub path: &'static str,
    /// Which list does not have it.
    pub list: List,
    /// The value: capital letters only.
    pub value: String,
}

/// A list of things in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Currencies in use, by ISO 4217.
    Currencies,
    /// Countries, by ISO 3166-1.
    Countries,
}

impl Unlisted {
    /// The warning, in Chinese.
    pub fn zh(&self) -> String {
        let Self { path, list, value } = self;
        let list = match list {
            List::Currencies => "币种",
            List::Countries => "国家和地区",
        };
        format!("{path}：本版本的{list}代码表没有 {value}，请核对")
    }

    /// The warning, in English.
    pub fn en(&self) -> String {
        let Self { path, list, value } = self;
        let list = match list {
            List::Currencies => "currencies",
            List::Countries => "countries",
        };
        format!("{path}: {value} is not in this version's list of {list}; check it")
    }
}

/// What of a statement's body is on no list.
pub fn in_content(content: &Content) -> Vec<Unlisted> {
    let mut found = Vec::new();
    match content {
        Content::Listing(ListingEvent::Revision(listing)) => {
            country("body.region", &listing.region, &mut found);
            if let Some(amount) = listing.pricing.and_then(|pricing| pricing.amount) {
                currency("body.pricing.currency", amount.currency(), &mut found);
            }
        }
        Content::Contract(contract) => {
            if let Some(description) = &contract.description {
                country("body.registering_division", &description.registering, &mut found);
                country("body.seller_division", &description.seller, &mut found);
                country("body.buyer_division", &description.buyer, &mut found);
            }
        }
        Content::Listing(ListingEvent::Status(_)) | Content::Other => {}
    }
    found
}

/// What of confidential values, by claim name, is on no list.
pub fn in_claims(values: &BTreeMap<String, Value>) -> Vec<Unlisted> {
    let mut found = Vec::new();
    let named = values.get("currency").and_then(Value::as_str).map(str::parse);
    if let Some(Ok(named)) = named {
        currency("claims.currency", named, &mut found);
    }
    found
}

fn country(path: &'static str, region: &Region, found: &mut Vec<Unlisted>) {
    if !region.is_listed() {
        found.push(Unlisted { path, list: List::Countries, value: region.country().into() });
    }
}

fn currency(path: &'static str, currency: Currency, found: &mut Vec<Unlisted>) {
    if !currency.is_listed() {
        found.push(Unlisted { path, list: List::Currencies, value: currency.as_str().into() });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::statement::StatementType;

    fn paths(kind: &StatementType, body: &Value) -> Vec<&'static str> {
        let content = Content::from_body(kind, body).unwrap();
        in_content(&content).into_iter().map(|unlisted| unlisted.path).collect()
    }

    #[test]
    fn an_unlisted_code_in_form_is_read_and_found() {
        let listing = |region: &str, currency: &str| {
            let body = json!({"kind": "fund", "listing_id": "a", "region": region, "revision": 1,
                "title": {"en": "a"},
                "pricing": {"amount": 1, "currency": currency, "mode": "listed"}});
            paths(&StatementType::Listing, &body)
        };
        assert_eq!(listing("CN-33", "CNY"), [""; 0]);
        assert_eq!(listing("XX", "RMB"), ["body.region", "body.pricing.currency"]);
        let contract = |buyer: &str| {
            let body = json!({"event": "registered", "registration_no": "1",
                "contract_type": "development", "field": "nuclear", "sign_date": "2026-11-20",
                "registering_division": "CN-33", "seller_division": "CN-33",
                "buyer_division": buyer});
            paths(&StatementType::Contract, &body)
        };
        assert_eq!(contract("KZ"), [""; 0]);
        assert_eq!(contract("UK"), ["body.buyer_division"]);
        let claim = |currency: &str| in_claims(&[("currency".into(), json!(currency))].into());
        assert_eq!(claim("CNY"), []);
        let found = claim("RMB");
        assert_eq!(
            found[0].en(),
            "claims.currency: RMB is not in this version's list of currencies; check it"
        );
        assert_eq!(found[0].zh(), "claims.currency：本版本的币种代码表没有 RMB，请核对");
    }
}
