//! Listings: what an exchange offers or looks for, and how a listing's statements follow each other.

mod parts;
mod state;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

pub(crate) use self::parts::digest;
pub use self::parts::{
    Attachment, Holder, HolderId, IntellectualProperty, Maturity, Pricing, Source,
};
pub use self::state::{ListingCourse, ListingEvent, ListingState, ListingVoid};
use crate::codes::{ListingKind, ListingStatusKind, TechField, TransferMode};
use crate::date::Date;
use crate::json::{Document, INTEGER_MAX, Node};
use crate::object::{Object, Path, check_words};
use crate::region::Region;
use crate::statement::StatementError;

/// Characters of a title in one language at most.
pub const TITLE_CHARS_MAX: usize = 300;

/// Characters of a summary in one language at most.
pub const SUMMARY_CHARS_MAX: usize = 5_000;

/// Items of any list in a listing at most.
pub const ITEMS_MAX: usize = 32;

/// Characters of a keyword at most.
pub const KEYWORD_CHARS_MAX: usize = 64;

/// Characters of a reason or a reference at most.
pub const REASON_CHARS_MAX: usize = 1_000;

/// Bytes of a listing id at most.
const LISTING_ID_BYTES_MAX: usize = 64;

/// The body of a `hutong/listing/v1` statement.
///
/// Members of the body that are not here are kept in the statement and mean nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// `listing_id`: 1 to 64 of a-z, 0-9 and `-`, unique at its exchange.
    pub listing_id: String,
    /// `revision`: 1, then one more each time.
    pub revision: u64,
    /// `kind`.
    pub kind: ListingKind,
    /// `title` per language tag; at least one.
    pub title: BTreeMap<String, String>,
    /// `summary` per language tag; may be empty.
    pub summary: BTreeMap<String, String>,
    /// `fields`.
    pub fields: Vec<TechField>,
    /// `ipc`: classes of the International Patent Classification.
    pub ipc: Vec<String>,
    /// `maturity`.
    pub maturity: Option<Maturity>,
    /// `modes`.
    pub modes: Vec<TransferMode>,
    /// `pricing`.
    pub pricing: Option<Pricing>,
    /// `ip`.
    pub ip: Vec<IntellectualProperty>,
    /// `holder`.
    pub holder: Option<Holder>,
    /// `region`.
    pub region: Region,
    /// `valid_until`: the last day.
    pub valid_until: Option<Date>,
    /// `attachments`.
    pub attachments: Vec<Attachment>,
    /// `public_welfare`: whether it is given away for the public good.
    pub public_welfare: bool,
    /// `source`.
    pub source: Option<Source>,
    /// `keywords`.
    pub keywords: Vec<String>,
}

impl Listing {
    /// Reads the body of a listing statement.
    ///
    /// # Errors
    ///
    /// [`StatementError::Member`] names the member that is wrong and what was expected.
    pub fn from_body(body: &Value) -> Result<Self, StatementError> {
        Self::read(Document::of(body).root())
    }

    pub(crate) fn read(body: Node<'_>) -> Result<Self, StatementError> {
        let body = Object::open(body, Path::Root("body"))?;
        Ok(Self {
            listing_id: listing_id(&body, "listing_id")?,
            revision: body.whole("revision", 1..=INTEGER_MAX)?,
            kind: body.read("kind")?,
            title: body.languages("title", TITLE_CHARS_MAX)?,
            summary: body
                .if_there("summary", |body, name| body.languages(name, SUMMARY_CHARS_MAX))?
                .unwrap_or_default(),
            fields: body.read_list("fields", ITEMS_MAX)?,
            ipc: body.texts("ipc", ITEMS_MAX, parts::read_ipc)?,
            maturity: body.if_there("maturity", Maturity::read)?,
            modes: body.read_list("modes", ITEMS_MAX)?,
            pricing: body.if_there("pricing", Pricing::read)?,
            ip: IntellectualProperty::read_list(&body, "ip")?,
            holder: body.if_there("holder", Holder::read)?,
            region: body.read("region")?,
            valid_until: body.if_there("valid_until", Object::read)?,
            attachments: Attachment::read_list(&body, "attachments")?,
            public_welfare: body.if_there("public_welfare", Object::flag)?.unwrap_or_default(),
            source: body.if_there("source", Source::read)?,
            keywords: body.texts("keywords", ITEMS_MAX, |text| {
                check_words(text, KEYWORD_CHARS_MAX).map(|()| text.to_string())
            })?,
        })
    }

    /// The title in `language`, or in Chinese, or in whatever there is.
    pub fn title_in(&self, language: &str) -> &str {
        let title = self.title.get(language).or_else(|| self.title.get("zh"));
        title.or_else(|| self.title.values().next()).map_or("", String::as_str)
    }
}

/// The body of a `hutong/listing-status/v1` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingStatus {
    /// `listing_id`: which listing of the same exchange.
    pub listing_id: String,
    /// `status`.
    pub status: ListingStatusKind,
    /// `reason`, for people.
    pub reason: Option<String>,
    /// `deal`: the contract or transaction that it was traded by.
    pub deal: Option<String>,
}

impl ListingStatus {
    /// Reads the body of a listing-status statement.
    ///
    /// # Errors
    ///
    /// [`StatementError::Member`] names the member that is wrong and what was expected.
    pub fn from_body(body: &Value) -> Result<Self, StatementError> {
        Self::read(Document::of(body).root())
    }

    pub(crate) fn read(body: Node<'_>) -> Result<Self, StatementError> {
        let body = Object::open(body, Path::Root("body"))?;
        let listing_id = listing_id(&body, "listing_id")?;
        let status = body.read("status")?;
        let reason = body.if_there("reason", |body, name| body.words(name, REASON_CHARS_MAX))?;
        let deal = body.if_there("deal", |body, name| body.words(name, REASON_CHARS_MAX))?;
        if deal.is_some() && status != ListingStatusKind::Traded {
            return Err(body.problem("deal", "expected with the status traded only"));
        }
        Ok(Self { listing_id, status, reason, deal })
    }
}

/// A listing id.
pub(crate) fn listing_id(members: &Object<'_, '_>, name: &str) -> Result<String, StatementError> {
    let text = members.text(name)?;
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=LISTING_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(known) {
        return Ok(text.to_string());
    }
    Err(members.problem(name, "expected 1 to 64 of a-z, 0-9 and -"))
}

#[cfg(test)]
mod tests;
