//! What the views take from a statement: a small part of what it says.

use std::collections::BTreeMap;

use hutong_protocol::audience::Audience;
use hutong_protocol::body::Content;
use hutong_protocol::codes::ListingKind;
use hutong_protocol::contract::Contract;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::listing::{Listing, ListingEvent};
use hutong_protocol::region::Region;
use hutong_protocol::statement::{Envelope, Judged};

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
    /// What the bytes of a statement say; `None` where its envelope is not in form. A body that is not
    /// as its type prescribes takes no effect, and shows nowhere.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let Judged { envelope, content } = Judged::parse(bytes).ok()?;
        let Envelope { audience, issuer, kind, .. } = envelope;
        let what = match content {
            Ok(Content::Listing(event)) => What::Listing { event, audience },
            Ok(Content::Contract(contract)) => What::Contract(ContractSaid::of(*contract)),
            // The directory reads their bodies itself.
            Ok(Content::Other) | Err(_) if kind.is_membership() => What::Membership,
            Ok(Content::Other) | Err(_) => What::Other,
        };
        Some(Self { issuer, what })
    }
}

impl ContractSaid {
    fn of(contract: Contract) -> Self {
        let description = contract.description.as_ref();
        Self {
            number: contract.registration_no,
            event: contract.event.to_string(),
            contract_type: description.map(|said| said.contract_type.to_string()),
            previous: contract.previous,
        }
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
