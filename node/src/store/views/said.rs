//! What the views take from a statement: a small part of what it says.

use std::collections::BTreeMap;

use hutong_protocol::audience::Audience;
use hutong_protocol::codes::ListingKind;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::listing::{Listing, ListingEvent, ListingStatus};
use hutong_protocol::region::Region;
use hutong_protocol::statement::{Statement, StatementType};
use serde_json::Value;

/// The part of a statement that the views are made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// The exchange that says it.
    pub(super) issuer: ExchangeId,
    pub(super) what: What,
}

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// Something about a listing.
    Listing { event: ListingEvent, audience: Audience },
    /// Something about a contract.
    Contract(ContractSaid),
    /// Something that the directory depends on.
    Membership,
    /// Nothing that the views show.
    Other,
}

/// What a contract event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContractSaid {
    pub(super) number: String,
    pub(super) event: String,
    pub(super) contract_type: Option<String>,
    pub(super) previous: Option<StatementId>,
}

impl Said {
    /// What a well-formed statement says.
    pub(super) fn of(statement: &Statement) -> Self {
        let Statement { kind, body, audience, issuer, .. } = statement;
        let listing = |event: Option<ListingEvent>| {
            event.map(|event| What::Listing { event, audience: audience.clone() })
        };
        let what = match kind {
            StatementType::Listing => {
                listing(revision(body).map(|it| ListingEvent::Revision(Box::new(it))))
            }
            StatementType::ListingStatus => listing(status(body).map(ListingEvent::Status)),
            StatementType::Contract => contract(body).map(What::Contract),
            kind if kind.is_membership() => Some(What::Membership),
            _ => None,
        };
        Self { issuer: issuer.clone(), what: what.unwrap_or(What::Other) }
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let texts = match &self.what {
            What::Listing { event: ListingEvent::Revision(listing), .. } => {
                let titles = listing.title.values().map(|title| 100 + title.len());
                size_of::<Listing>() + titles.sum::<usize>()
            }
            What::Listing { .. } | What::Contract(_) | What::Membership | What::Other => 0,
        };
        size_of::<(StatementId, Self)>() + SMALL_BYTES + texts
    }
}

/// A revision as far as rows keep it: what follows from what is decided by no more.
pub(super) fn revision_of(
    listing_id: String,
    revision: u64,
    kind: ListingKind,
    title: BTreeMap<String, String>,
    region: Region,
) -> Listing {
    Listing {
        listing_id,
        revision,
        kind,
        title,
        region,
        summary: BTreeMap::new(),
        fields: Vec::new(),
        ipc: Vec::new(),
        maturity: None,
        modes: Vec::new(),
        pricing: None,
        ip: Vec::new(),
        holder: None,
        valid_until: None,
        attachments: Vec::new(),
        public_welfare: false,
        source: None,
        keywords: Vec::new(),
    }
}

/// The members that rows keep. A statement is well formed, so that all are there.
fn revision(body: &Value) -> Option<Listing> {
    let title = body.get("title")?.as_object()?.iter();
    let title = title.map(|(tag, text)| Some((tag.clone(), text.as_str()?.to_owned())));
    Some(revision_of(
        text(body, "listing_id")?.to_owned(),
        body.get("revision")?.as_u64()?,
        text(body, "kind")?.parse().ok()?,
        title.collect::<Option<_>>()?,
        text(body, "region")?.parse().ok()?,
    ))
}

/// A change of where a listing stands; why decides nothing.
fn status(body: &Value) -> Option<ListingStatus> {
    Some(ListingStatus {
        listing_id: text(body, "listing_id")?.to_owned(),
        status: text(body, "status")?.parse().ok()?,
        reason: None,
        deal: None,
    })
}

fn contract(body: &Value) -> Option<ContractSaid> {
    Some(ContractSaid {
        number: text(body, "registration_no")?.to_owned(),
        event: text(body, "event")?.to_owned(),
        contract_type: text(body, "contract_type").map(str::to_owned),
        previous: match text(body, "previous") {
            Some(previous) => Some(previous.parse().ok()?),
            None => None,
        },
    })
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member).and_then(Value::as_str)
}

/// Ids, names and numbers: each is short by the protocol's rules.
const SMALL_BYTES: usize = 200;
