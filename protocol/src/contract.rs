//! Registered technology contracts: what is public of them, and how their events follow each other.
//!
//! What is confidential is committed to in [`claims`] and shown by [`claims::Disclosure`].

pub mod claims;
mod state;
pub mod words;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hutong_crypto::digest::{DocumentDigest, Hash};
use serde_json::Value;

pub use self::claims::{ClaimError, ClaimName, Disclosure, commit_claims};
pub use self::state::{ContractState, ContractVoid};
use crate::codes::{
    ContractEventKind, ContractSubtype, ContractType, IpType, PaymentMethod, PlanSource, TechField,
};
use crate::date::Date;
use crate::id::{ExchangeId, StatementId};
use crate::json::{Document, Node};
use crate::listing::{digest, listing_id};
use crate::object::{Object, Path};
use crate::patent::PatentNumber;
use crate::region::Region;
use crate::statement::StatementError;

/// Items of any list in a contract at most.
pub const ITEMS_MAX: usize = 32;

/// Bytes of a registration number at most.
const REGISTRATION_BYTES_MAX: usize = 32;

/// The body of a `hutong/contract/v1` statement.
///
/// Members of the body that are not here are kept in the statement and mean nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// `registration_no`: 1 to 32 of 0-9, A-Z, a-z and `-`. It never changes.
    pub registration_no: String,
    /// `event`.
    pub event: ContractEventKind,
    /// `previous`: the statement before this one; none when registered.
    pub previous: Option<StatementId>,
    /// What is public of the contract; may be absent when cancelled or revoked.
    pub description: Option<Description>,
    /// `documents`: digests of the contract's files.
    pub documents: Vec<DocumentDigest>,
    /// `claims`: commitments by [`ClaimName`].
    pub claims: BTreeMap<String, Hash>,
}

/// What is public of a contract. These members stand in the body itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `contract_type`.
    pub contract_type: ContractType,
    /// `subtype`: one of the type's.
    pub subtype: Option<ContractSubtype>,
    /// `field`.
    pub field: TechField,
    /// `registering_division`: where the office is.
    pub registering: Region,
    /// `seller_division`: where the seller is.
    pub seller: Region,
    /// `buyer_division`: where the buyer is.
    pub buyer: Region,
    /// `sign_date`.
    pub sign_date: Date,
    /// `valid_from`.
    pub valid_from: Option<Date>,
    /// `valid_to`: the last day.
    pub valid_to: Option<Date>,
    /// `listing`: what was traded.
    pub listing: Option<ListingReference>,
    /// `plan_source`.
    pub plan_source: Option<PlanSource>,
    /// `payment_method`.
    pub payment_method: Option<PaymentMethod>,
    /// `ip`.
    pub ip: Vec<IpType>,
    /// `patents`: numbers of the patents and applications that it is about.
    pub patents: Vec<PatentNumber>,
}

/// A listing of some exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingReference {
    /// `exchange`.
    pub exchange: ExchangeId,
    /// `id`.
    pub listing_id: String,
}

/// Members of [`Description`] that must be there.
const DESCRIPTION_REQUIRED: [&str; 6] = [
    "buyer_division",
    "contract_type",
    "field",
    "registering_division",
    "seller_division",
    "sign_date",
];

/// Members of [`Description`] that may be there.
const DESCRIPTION_OPTIONAL: [&str; 8] = [
    "ip",
    "listing",
    "patents",
    "payment_method",
    "plan_source",
    "subtype",
    "valid_from",
    "valid_to",
];

impl Contract {
    /// Reads the body of a contract statement.
    ///
    /// # Errors
    ///
    /// [`StatementError::Member`] names the member that is wrong and what was expected: also
    /// confidential values that stand in clear.
    pub fn from_body(body: &Value) -> Result<Self, StatementError> {
        Self::read(Document::of(body).root())
    }

    pub(crate) fn read(body: Node<'_>) -> Result<Self, StatementError> {
        refuse_clear_claims(body, Path::Root("body"))?;
        let body = Object::open(body, Path::Root("body"))?;
        let event = body.read("event")?;
        Ok(Self {
            registration_no: registration_no(&body)?,
            event,
            previous: previous(&body, event)?,
            description: description(&body, event)?,
            documents: documents(&body)?,
            claims: claims(&body)?,
        })
    }
}

impl Description {
    fn read(body: &Object<'_, '_>) -> Result<Self, StatementError> {
        let contract_type: ContractType = body.read("contract_type")?;
        let subtype = body.if_there("subtype", Object::read::<ContractSubtype>)?;
        if let Some(subtype) = subtype
            && subtype.contract_type() != contract_type
        {
            let problem = format!("expected a subtype of {contract_type}, met {subtype}");
            return Err(body.problem("subtype", problem));
        }
        let valid_from = body.if_there("valid_from", Object::read::<Date>)?;
        let valid_to = body.if_there("valid_to", Object::read::<Date>)?;
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && to < from
        {
            let problem = format!("expected no day before valid_from, {from}, met {to}");
            return Err(body.problem("valid_to", problem));
        }
        Ok(Self {
            contract_type,
            subtype,
            field: body.read("field")?,
            registering: body.read("registering_division")?,
            seller: body.read("seller_division")?,
            buyer: body.read("buyer_division")?,
            sign_date: body.read("sign_date")?,
            valid_from,
            valid_to,
            listing: body.if_there("listing", listing_reference)?,
            plan_source: body.if_there("plan_source", Object::read)?,
            payment_method: body.if_there("payment_method", Object::read)?,
            ip: body.read_list("ip", ITEMS_MAX)?,
            patents: body.read_list("patents", ITEMS_MAX)?,
        })
    }
}

fn registration_no(body: &Object<'_, '_>) -> Result<String, StatementError> {
    let text = body.text("registration_no")?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=REGISTRATION_BYTES_MAX).contains(&text.len()) && text.bytes().all(known) {
        return Ok(text.to_string());
    }
    Err(body.problem("registration_no", "expected 1 to 32 of 0-9, A-Z, a-z and -"))
}

fn previous(
    body: &Object<'_, '_>,
    event: ContractEventKind,
) -> Result<Option<StatementId>, StatementError> {
    let previous = body.if_there("previous", Object::read::<StatementId>)?;
    match (event, previous) {
        (ContractEventKind::Registered, Some(_)) => {
            Err(body.problem("previous", "expected none: a registration is the first event"))
        }
        (ContractEventKind::Registered, None) => Ok(None),
        (_, Some(previous)) => Ok(Some(previous)),
        (_, None) => {
            let problem = format!("missing: {} names the statement before it", event.as_str());
            Err(body.problem("previous", problem))
        }
    }
}

fn description(
    body: &Object<'_, '_>,
    event: ContractEventKind,
) -> Result<Option<Description>, StatementError> {
    let mut names = DESCRIPTION_REQUIRED.iter().chain(&DESCRIPTION_OPTIONAL);
    if event.is_final() && !names.any(|name| body.get(name).is_some()) {
        return Ok(None);
    }
    Description::read(body).map(Some)
}

fn listing_reference(
    body: &Object<'_, '_>,
    name: &str,
) -> Result<ListingReference, StatementError> {
    let members = body.inner(name)?;
    Ok(ListingReference {
        exchange: members.read("exchange")?,
        listing_id: listing_id(&members, "id")?,
    })
}

fn documents(body: &Object<'_, '_>) -> Result<Vec<DocumentDigest>, StatementError> {
    body.list("documents", ITEMS_MAX, "a list of at most 32 digests", |item, path| {
        digest(&Object::open(item, path)?)
    })
}

fn claims(body: &Object<'_, '_>) -> Result<BTreeMap<String, Hash>, StatementError> {
    if body.get("claims").is_none() {
        return Ok(BTreeMap::new());
    }
    let members = body.inner("claims")?;
    let commitment = |name: &str| {
        let known: Result<ClaimName, _> = name.parse();
        known.map_err(|error| members.problem(name, error.to_string()))?;
        Ok((name.to_string(), members.read(name)?))
    };
    members.members().into_iter().map(|(name, _)| commitment(name)).collect()
}

/// Refuses confidential values in clear: members of claims' names anywhere but in `claims`.
fn refuse_clear_claims(value: Node<'_>, path: Path<'_>) -> Result<(), StatementError> {
    for (index, item) in value.items().into_iter().flatten().enumerate() {
        refuse_clear_claims(item, path.element(index))?;
    }
    for (name, value) in value.members().into_iter().flatten() {
        // The commitments themselves, each of which must be a digest.
        if matches!(path, Path::Root(_)) && name == "claims" {
            continue;
        }
        let path = path.member(name);
        if ClaimName::CODES.contains(&name) {
            let problem = "expected a commitment in `body.claims`: this value is confidential";
            return Err(StatementError::member(path.to_string(), problem));
        }
        refuse_clear_claims(value, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
