//! What a listing is made of.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hutong_crypto::digest::DocumentDigest;

use super::ITEMS_MAX;
use crate::codes::{IpType, MaturityScheme, PricingMode};
use crate::json::INTEGER_MAX;
use crate::money::{Amount, Currency};
use crate::object::{Object, Path};
use crate::patent::PatentNumber;
use crate::shown::Shown;
use crate::statement::StatementError;
use crate::uscc::Uscc;

/// Characters of a holder's name at most.
const NAME_CHARS_MAX: usize = 300;

/// Characters of a register's number at most.
const NUMBER_CHARS_MAX: usize = 64;

/// Bytes of a file's name at most, as of most file systems.
const FILE_NAME_BYTES_MAX: usize = 255;

/// Bytes of a web address at most.
const URL_BYTES_MAX: usize = 2_048;

/// Characters of a source's own reference at most.
const REFERENCE_CHARS_MAX: usize = 1_000;

/// How mature a technology is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maturity {
    /// `scheme`.
    pub scheme: MaturityScheme,
    /// `level`, from 1.
    pub level: u64,
}

impl Maturity {
    pub(super) fn read(body: &Object<'_, '_>, name: &str) -> Result<Self, StatementError> {
        let members = body.inner(name)?;
        let scheme: MaturityScheme = members.read("scheme")?;
        Ok(Self { scheme, level: members.whole("level", 1..=scheme.level_max().into())? })
    }
}

/// A listing's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pricing {
    /// `mode`.
    pub mode: PricingMode,
    /// `amount` and `currency`, which stand together.
    pub amount: Option<Amount>,
}

impl Pricing {
    pub(super) fn read(body: &Object<'_, '_>, name: &str) -> Result<Self, StatementError> {
        let members = body.inner(name)?;
        let mode = members.read("mode")?;
        let minor =
            members.if_there("amount", |members, name| members.whole(name, 0..=INTEGER_MAX))?;
        let currency: Option<Currency> = members.if_there("currency", Object::read)?;
        let amount = match (minor, currency) {
            (Some(minor), Some(currency)) => Amount::new(minor, currency),
            (None, None) => None,
            (Some(_), None) => {
                return Err(members.problem("currency", "missing: an amount needs its currency"));
            }
            (None, Some(_)) => {
                return Err(members.problem("amount", "missing: a currency needs an amount"));
            }
        };
        Ok(Self { mode, amount })
    }
}

/// A right that a listing rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntellectualProperty {
    /// `type`.
    pub kind: IpType,
    /// `number`; for patents a [`PatentNumber`].
    pub number: Option<String>,
}

impl IntellectualProperty {
    pub(super) fn read_list(
        body: &Object<'_, '_>,
        name: &str,
    ) -> Result<Vec<Self>, StatementError> {
        let read = |item, path: Path<'_>| {
            let members = Object::open(item, path)?;
            let kind: IpType = members.read("type")?;
            let number = if kind.is_patent() {
                let number: Option<PatentNumber> = members.if_there("number", Object::read)?;
                number.map(|number| number.to_string())
            } else {
                members.if_there("number", |members, name| members.words(name, NUMBER_CHARS_MAX))?
            };
            Ok(Self { kind, number })
        };
        body.list(name, ITEMS_MAX, "a list of at most 32 objects", read)
    }
}

/// The organisation that holds what is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `name` per language tag; at least one.
    pub name: BTreeMap<String, String>,
    /// `uscc` or `foreign_id`, not both.
    pub id: Option<HolderId>,
}

/// How an organisation is identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderId {
    /// By China's unified social credit code.
    Uscc(Uscc),
    /// By a register of another country.
    Foreign(String),
}

impl Holder {
    pub(super) fn read(body: &Object<'_, '_>, name: &str) -> Result<Self, StatementError> {
        let members = body.inner(name)?;
        let uscc: Option<Uscc> = members.if_there("uscc", Object::read)?;
        let foreign = members
            .if_there("foreign_id", |members, name| members.words(name, NUMBER_CHARS_MAX))?;
        let id = match (uscc, foreign) {
            (Some(_), Some(_)) => {
                return Err(members.problem("foreign_id", "expected either uscc or foreign_id"));
            }
            (Some(uscc), None) => Some(HolderId::Uscc(uscc)),
            (None, foreign) => foreign.map(HolderId::Foreign),
        };
        Ok(Self { name: members.languages("name", NAME_CHARS_MAX)?, id })
    }
}

/// A file that belongs to a listing; the file itself stays outside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// `name`: of the file, without folders.
    pub name: String,
    /// `media_type`, such as `application/pdf`.
    pub media_type: String,
    /// `size` in bytes.
    pub size: u64,
    /// `blake3` and `sha256` of its bytes.
    pub digest: DocumentDigest,
}

impl Attachment {
    pub(super) fn read_list(
        body: &Object<'_, '_>,
        name: &str,
    ) -> Result<Vec<Self>, StatementError> {
        let read = |item, path: Path<'_>| {
            let members = Object::open(item, path)?;
            Ok(Self {
                name: file_name(&members)?,
                media_type: media_type(&members)?,
                size: members.whole("size", 0..=INTEGER_MAX)?,
                digest: digest(&members)?,
            })
        };
        body.list(name, ITEMS_MAX, "a list of at most 32 objects", read)
    }
}

/// Where a listing was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `url`.
    pub url: Option<String>,
    /// `reference`: what the source calls it.
    pub reference: Option<String>,
}

impl Source {
    pub(super) fn read(body: &Object<'_, '_>, name: &str) -> Result<Self, StatementError> {
        let members = body.inner(name)?;
        Ok(Self {
            url: members.if_there("url", url)?,
            reference: members
                .if_there("reference", |members, name| members.words(name, REFERENCE_CHARS_MAX))?,
        })
    }
}

/// The two digests of a document.
pub(crate) fn digest(members: &Object<'_, '_>) -> Result<DocumentDigest, StatementError> {
    Ok(DocumentDigest { blake3: members.read("blake3")?, sha256: members.read("sha256")? })
}

fn url(members: &Object<'_, '_>, name: &str) -> Result<String, StatementError> {
    let text = members.text(name)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |char: char| !char.is_whitespace() && !char.is_control();
    if text.len() <= URL_BYTES_MAX
        && rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
    {
        return Ok(text.to_string());
    }
    let problem = format!("expected an http or https address of at most {URL_BYTES_MAX} bytes");
    Err(members.problem(name, problem))
}

fn file_name(members: &Object<'_, '_>) -> Result<String, StatementError> {
    let text = members.text("name")?;
    let plain = |char: char| !char.is_control() && char != '/' && char != '\\';
    let sized = (1..=FILE_NAME_BYTES_MAX).contains(&text.len());
    if sized && text.chars().all(plain) && text != "." && text != ".." {
        return Ok(text.to_string());
    }
    Err(members.problem("name", "expected a file's name of 1 to 255 bytes, without folders"))
}

fn media_type(members: &Object<'_, '_>) -> Result<String, StatementError> {
    let text = members.text("media_type")?;
    // RFC 6838 §4.2: names of at most 127 restricted characters, of which the first is a letter or digit. No
    // parameters.
    let restricted = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let name = |text: &str| {
        text.len() <= 127
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && text.bytes().all(restricted)
    };
    if text.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype)) {
        return Ok(text.to_string());
    }
    Err(members.problem("media_type", "expected a media type such as application/pdf"))
}

/// A class of the International Patent Classification: `G06F` or `G06F 16/00`.
pub(super) fn read_ipc(text: &str) -> Result<String, String> {
    let digits = |text: &str, bounds: core::ops::RangeInclusive<usize>| {
        bounds.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let shape = || {
        let (subclass, group) = text.split_at_checked(4)?;
        let bytes = subclass.as_bytes();
        let subclass = (b'A'..=b'H').contains(&bytes[0])
            && digits(subclass.get(1..3)?, 2..=2)
            && bytes[3].is_ascii_uppercase();
        let group = group.strip_prefix(' ').unwrap_or(group);
        let group_fits = group.is_empty()
            || group
                .split_once('/')
                .is_some_and(|(main, sub)| digits(main, 1..=4) && digits(sub, 2..=6));
        Some(subclass && group_fits && !text.ends_with(' '))
    };
    if shape() == Some(true) {
        return Ok(text.to_string());
    }
    let met = Shown::within(text, 20);
    Err(format!("expected a class such as G06F or G06F 16/00, met `{met}`"))
}
