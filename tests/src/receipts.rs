//! Receipts as a municipal exchange gives them out, made without a node: as many as wanted, soon.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::note::Note;
use hutong_protocol::entry::Entry;
use hutong_protocol::fixture::{Exchange, Federation};
use hutong_protocol::id::{ExchangeId, FederationId, Tier};
use hutong_protocol::receipt::{Authority, ProvenEntry, Receipt};
use hutong_protocol::statement::{Statement, StatementType};
use serde_json::{Value, json};

const PROVINCE: &str = "cn-33-zhejiang";
const CITY: &str = "cn-3301-hangzhou";

/// Signatures that a receipt shares with none of another checkpoint: the entry's, the log's, two witnesses'.
pub const OWN_SIGNATURES: usize = 4;

/// A federation of three councillors, a province and a city, which registers contracts.
pub struct Registry {
    country: Federation,
    authority: Authority,
    witnesses: Vec<ExchangeId>,
}

impl Registry {
    /// Founds it. `seats` are councillors, and make it another federation.
    pub fn new(seats: u32) -> Self {
        let mut country = Federation::of_provinces(seats);
        country.admit_by_council(Exchange::new(PROVINCE, Tier::Provincial, "CN-33", 0));
        country.admit(PROVINCE, Exchange::new(CITY, Tier::Municipal, "CN-3301", 0));
        let council = country.charters.latest().council.clone();
        let witnesses: Vec<ExchangeId> = council
            .iter()
            .take(seats as usize / 2 + 1)
            .map(|member| member.descriptor().id.clone())
            .collect();
        let places: Vec<_> = country
            .facts()
            .iter()
            .map(|(place, fact)| (place.clone(), fact.entry().clone()))
            .collect();
        let facts = places
            .into_iter()
            .map(|(place, entry)| {
                let log = place.log.as_str();
                let note = country.checkpoint_by(log, &witnesses);
                ProvenEntry { entry, proof: country.proof(log, place.index, &note) }
            })
            .collect();
        let charters =
            country.charters.versions().iter().map(|version| version.signed().clone()).collect();
        Self { country, authority: Authority { charters, facts }, witnesses }
    }

    /// The federation's id.
    pub fn federation(&self) -> FederationId {
        self.country.id()
    }

    /// The authority bundle.
    pub fn bundle(&self) -> Vec<u8> {
        self.authority.encode_bundle()
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
    /// There is none at `index`.
    pub fn amend(&mut self, index: u64) -> anyhow::Result<u64> {
        let registered = self.entry(index)?;
        let said = Statement::parse(registered.statement_bytes())?;
        let number = said.body["registration_no"].as_str().context("it is no contract")?;
        let mut body = contract(number, "amended");
        body["previous"] = json!(registered.id().to_string());
        Ok(self.country.append(CITY, StatementType::Contract, body))
    }

    /// The newest checkpoint, cosigned by as many as the quorum needs.
    pub fn checkpoint(&mut self) -> Note {
        self.country.checkpoint_by(CITY, &self.witnesses)
    }

    /// The receipt of the entry at `index`, under `checkpoint`.
    ///
    /// # Errors
    ///
    /// There is no such entry.
    pub fn receipt(&self, index: u64, checkpoint: &Note) -> anyhow::Result<Receipt> {
        self.receipt_with(index, &[], checkpoint)
    }

    /// As [`Self::receipt`], with later events.
    ///
    /// # Errors
    ///
    /// There is no such entry.
    pub fn receipt_with(
        &self,
        index: u64,
        events: &[u64],
        checkpoint: &Note,
    ) -> anyhow::Result<Receipt> {
        let ProvenEntry { entry, proof } = self.proven(index, checkpoint)?;
        let events = events.iter().map(|event| self.proven(*event, checkpoint));
        Ok(Receipt {
            federation: self.federation(),
            entry,
            proof,
            disclosures: BTreeMap::new(),
            authority: Some(self.authority.clone()),
            events: events.collect::<anyhow::Result<_>>()?,
            as_of: Checkpoint::parse(&checkpoint.text)?.size,
        })
    }

    fn entry(&self, index: u64) -> anyhow::Result<&Entry> {
        let log =
            self.country.logs.get(&CITY.parse::<ExchangeId>()?).context("nothing is registered")?;
        log.entries.get(usize::try_from(index)?).context("no such entry")
    }

    fn proven(&self, index: u64, checkpoint: &Note) -> anyhow::Result<ProvenEntry> {
        let entry = self.entry(index)?.clone();
        Ok(ProvenEntry { entry, proof: self.country.proof(CITY, index, checkpoint) })
    }

    /// Signatures in the file of a receipt, each of which its verifier checks: its own, and those of the
    /// charter, of the councillors' descriptors, and of every admission.
    pub fn signatures_in_file(&self) -> usize {
        let charters = self.authority.charters.iter();
        let council =
            charters.map(|charter| charter.signatures().len() + charter.charter().council.len());
        // Entry and descriptor beside the lines of the checkpoint; a council's also has approvals.
        let admissions =
            self.authority.facts.iter().map(|fact| 2 + fact.proof.checkpoint.signatures.len());
        OWN_SIGNATURES + council.sum::<usize>() + admissions.sum::<usize>() + self.witnesses.len()
    }

    /// The compact form of a receipt.
    ///
    /// # Errors
    ///
    /// It does not fit.
    pub fn compact(&self, receipt: &Receipt) -> anyhow::Result<Vec<u8>> {
        Ok(receipt.encode_compact(&self.country.charters)?)
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
