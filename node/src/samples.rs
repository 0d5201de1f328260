//! Sample listings and contracts for demonstrations, all of them invented.
//!
//! Every organisation is marked as fictional in its name, and the division in its unified social credit code
//! (`999999`) does not exist. The data lies in `node/samples/` and is part of the program.

use crate::import::mapping::Kind;
use crate::import::publisher::Submission;
use serde::Deserialize;
use serde_json::{Map, Value};

const LISTINGS: &str = include_str!("../samples/listings.json");
const CONTRACTS: &str = include_str!("../samples/contracts.json");

/// A sample as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[serde(rename = "type")]
    kind: String,
    audience: Value,
    body: Map<String, Value>,
    #[serde(default)]
    confidential: Map<String, Value>,
}

/// The sample listings, each in revision 1, of every kind and from many regions.
///
/// # Errors
///
/// Only if the embedded file is damaged.
pub fn listings() -> Result<Vec<Submission>, serde_json::Error> {
    load(LISTINGS, Kind::Listing)
}

/// The sample contracts with their confidential values: two of each of the five types.
///
/// # Errors
///
/// Only if the embedded file is damaged.
pub fn contracts() -> Result<Vec<Submission>, serde_json::Error> {
    load(CONTRACTS, Kind::Contract)
}

/// The region that a sample is from: a listing's own, or the one that registers a contract.
pub fn region(sample: &Submission) -> Option<&str> {
    let member = ["region", "registering_division"];
    member.iter().find_map(|name| sample.body.get(*name)?.as_str())
}

fn load(text: &str, kind: Kind) -> Result<Vec<Submission>, serde_json::Error> {
    let samples: Vec<Sample> = serde_json::from_str(text)?;
    samples
        .into_iter()
        .map(|sample| {
            if sample.kind != kind.statement_type() {
                return Err(serde::de::Error::custom(format_args!(
                    "expected {}, met {}",
                    kind.statement_type(),
                    sample.kind
                )));
            }
            Ok(Submission {
                kind: kind.statement_type(),
                audience: sample.audience,
                body: sample.body,
                confidential: sample.confidential,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::import::check::check_draft;
    use crate::import::contacts;
    use std::collections::{BTreeMap, BTreeSet};

    fn text<'a>(sample: &'a Submission, pointer: &str) -> Option<&'a str> {
        let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let value = sample.body.get(first)?;
        if rest.is_empty() { value.as_str() } else { value.pointer(&format!("/{rest}"))?.as_str() }
    }

    #[test]
    fn there_are_sixty_listings_of_every_kind_in_two_languages() {
        let listings = listings().unwrap();
        assert_eq!(listings.len(), 60);
        let ids: BTreeSet<_> =
            listings.iter().map(|one| text(one, "listing_id").unwrap()).collect();
        assert_eq!(ids.len(), 60);
        let kinds: BTreeSet<_> = listings.iter().map(|one| text(one, "kind").unwrap()).collect();
        let all = ["achievement", "challenge", "demand", "fund", "policy", "service", "talent"];
        assert!(kinds.into_iter().eq(all));
        for listing in &listings {
            for pointer in ["title/zh", "title/en", "summary/zh", "summary/en"] {
                assert!(!text(listing, pointer).unwrap().is_empty());
            }
            assert!(text(listing, "holder/name/zh").unwrap().ends_with("\u{ff08}虚构\u{ff09}"));
            assert!(text(listing, "holder/name/en").unwrap().ends_with("(fictional)"));
        }
        let regions: BTreeSet<_> = listings.iter().map(|one| region(one).unwrap()).collect();
        assert!(regions.len() >= 30, "{regions:?}");
    }

    #[test]
    fn there_are_ten_contracts_two_of_each_type() {
        let contracts = contracts().unwrap();
        let mut types = BTreeMap::new();
        for contract in &contracts {
            *types.entry(text(contract, "contract_type").unwrap()).or_insert(0) += 1;
            let amount = |name: &str| contract.confidential[name].as_u64().unwrap();
            assert!(amount("technical_amount") <= amount("total_amount"));
        }
        assert_eq!(types.len(), 5);
        assert!(types.values().all(|count| *count == 2));
    }

    #[test]
    fn the_samples_are_statements_without_contact_data() {
        for sample in listings().unwrap().iter().chain(&contracts().unwrap()) {
            assert_eq!(check_draft(sample), Ok(()), "{:?}", sample.body);
            let text = format!("{:?}{:?}", sample.body, sample.confidential);
            let bare = text.replace("2026", "");
            assert!(contacts::find(&bare).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_sample_of_another_type_is_refused() {
        assert!(load(CONTRACTS, Kind::Listing).is_err());
        assert!(load("[{\"type\":\"hutong/listing/v1\"}]", Kind::Listing).is_err());
    }
}
