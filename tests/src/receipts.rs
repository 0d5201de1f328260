//! Receipts as a municipal exchange gives them out, made without a node: as many as wanted, soon.

use anyhow::{Context as _, ensure};
use hutong_protocol::fixture::{Exchange, Federation};
use hutong_protocol::id::{FederationId, Tier};
use hutong_protocol::receipt::{Receipt, build};
use hutong_protocol::statement::{Statement, StatementType};
use serde_json::{Value, json};

const PROVINCE: &str = "cn-33-zhejiang";
const CITY: &str = "cn-3301-hangzhou";

/// Signatures that a receipt shares with none of another anchor: the entry's, the anchor's, the register's, two
/// witnesses'.
pub const OWN_SIGNATURES: usize = 5;

/// A federation of councillors, a province and a city, which registers contracts.
pub struct Registry {
    country: Federation,
}

impl Registry {
    /// Founds it. `seats` are councillors, and make it another federation.
    pub fn new(seats: u32) -> Self {
        let mut country = Federation::of_provinces(seats);
        country.admit_by_council(Exchange::new(PROVINCE, Tier::Provincial, "CN-33", 0));
        country.admit(PROVINCE, Exchange::new(CITY, Tier::Municipal, "CN-3301", 0));
        Self { country }
    }

    /// The federation's id.
    pub fn federation(&self) -> FederationId {
        self.country.id()
    }

    /// The authority bundle.
    pub fn bundle(&mut self) -> Vec<u8> {
        self.country.bundle().encode()
    }

    /// Registers contract `number`; returns its index. `number` is below 10^6.
    pub fn register(&mut self, number: u64) -> u64 {
        let number = format!("2026330100{number:06}");
        self.country.append(CITY, StatementType::Contract, contract(&number, "registered"))
    }

    /// Amends the contract that is registered at `index`; returns the index of that.
    ///
    /// # Errors
    ///
    /// It is no contract.
    pub fn amend(&mut self, index: u64) -> anyhow::Result<u64> {
        let registered = self.country.entry_at(CITY, index);
        let said = Statement::parse(registered.statement_bytes())?;
        let number = said.body["registration_no"].as_str().context("it is no contract")?;
        let mut body = contract(number, "amended");
        body["previous"] = json!(registered.id().to_string());
        Ok(self.country.append(CITY, StatementType::Contract, body))
    }

    /// Records an anchor, which covers everything so far.
    pub fn anchor(&mut self) {
        self.country.anchor();
    }

    /// The receipt of the entry at `index`, under the last anchor, with other events of its contract.
    ///
    /// # Errors
    ///
    /// It would not verify.
    pub fn receipt(&mut self, index: u64, events: &[u64]) -> anyhow::Result<Receipt> {
        let inputs = self.country.receipt_inputs(CITY, index, events);
        Ok(Receipt::parse(&build(inputs)?)?)
    }

    /// Signatures in the file of a receipt, each of which its verifier checks: its own, and those of the
    /// charter and of the councillors' descriptors, each by all of its keys.
    ///
    /// # Errors
    ///
    /// There is no charter.
    pub fn signatures_in_file(&self) -> anyhow::Result<usize> {
        let versions = self.country.charters().versions();
        ensure!(!versions.is_empty(), "there is no charter");
        let charters = versions.iter().map(|version| {
            let council = version.charter().council.iter();
            // Log, witness and transport keys, and the issuer keys.
            let keys: usize = council.map(|seat| 3 + seat.descriptor().issuer_keys.len()).sum();
            version.signed().signatures().len() + keys
        });
        Ok(OWN_SIGNATURES + charters.sum::<usize>())
    }
}

fn contract(number: &str, event: &str) -> Value {
    json!({
        "buyer_division": "KZ",
        "contract_type": "license",
        "event": event,
        "field": "new_materials",
        "registering_division": "CN-3301",
        "registration_no": number,
        "seller_division": "CN-3301",
        "sign_date": "2026-03-01",
    })
}
