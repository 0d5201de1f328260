//! Statements: what an exchange says, in canonical JSON, signed as bytes.
//!
//! ```json
//! {"audience":"public","body":{…},"issued_at":"2026-11-23T08:00:00Z","issuer":"cn-33-zhejiang",
//!  "salt":"<16 random bytes, base64url>","type":"hutong/listing/v1"}
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};

use crate::audience::Audience;
use crate::id::ExchangeId;
use crate::json::{JsonError, canonicalize, parse_canonical};
use crate::limits::ENTRY_BYTES_MAX;
use crate::time::Timestamp;

/// Bytes of an entry that are not the statement.
const ENTRY_FRAME_BYTES: usize = 98;

/// A statement's type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatementType {
    /// `hutong/listing/v1`.
    Listing,
    /// `hutong/listing-status/v1`.
    ListingStatus,
    /// `hutong/contract/v1`.
    Contract,
    /// `hutong/member-admit/v1`.
    MemberAdmit,
    /// `hutong/member-suspend/v1`.
    MemberSuspend,
    /// `hutong/member-reinstate/v1`.
    MemberReinstate,
    /// `hutong/member-expel/v1`.
    MemberExpel,
    /// `hutong/member-rekey/v1`.
    MemberRekey,
    /// `hutong/evidence/v1`.
    Evidence,
    /// A type that this version does not know. It is kept and passed on.
    Unknown(String),
}

impl StatementType {
    /// The types that this version knows.
    pub const KNOWN: [Self; 9] = [
        Self::Listing,
        Self::ListingStatus,
        Self::Contract,
        Self::MemberAdmit,
        Self::MemberSuspend,
        Self::MemberReinstate,
        Self::MemberExpel,
        Self::MemberRekey,
        Self::Evidence,
    ];

    /// The type's name in a statement.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Listing => "hutong/listing/v1",
            Self::ListingStatus => "hutong/listing-status/v1",
            Self::Contract => "hutong/contract/v1",
            Self::MemberAdmit => "hutong/member-admit/v1",
            Self::MemberSuspend => "hutong/member-suspend/v1",
            Self::MemberReinstate => "hutong/member-reinstate/v1",
            Self::MemberExpel => "hutong/member-expel/v1",
            Self::MemberRekey => "hutong/member-rekey/v1",
            Self::Evidence => "hutong/evidence/v1",
            Self::Unknown(name) => name,
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .unwrap_or_else(|| Self::Unknown(name.to_string()))
    }

    /// Whether the directory depends on statements of this type.
    pub fn is_membership(&self) -> bool {
        matches!(
            self,
            Self::MemberAdmit
                | Self::MemberSuspend
                | Self::MemberReinstate
                | Self::MemberExpel
                | Self::MemberRekey
        )
    }
}

/// A statement that is well formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Who may see it.
    pub audience: Audience,
    /// When its issuer says that it was made.
    pub issued_at: Timestamp,
    /// The exchange that says it.
    pub issuer: ExchangeId,
    /// What makes its leaf hash unguessable.
    pub salt: [u8; 16],
    /// Its type.
    pub kind: StatementType,
    /// What it says: an object that fits the type.
    pub body: Value,
}

/// Why bytes are not a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// They are not canonical JSON.
    #[error("statement is not canonical")]
    Json(#[from] JsonError),
    /// It would not fit an entry.
    #[error("statement of {0} bytes is too long for an entry: at most 65437")]
    Long(usize),
    /// A member is missing, or is not what it should be.
    #[error("`{path}`: {problem}")]
    Member {
        /// Where, for instance `body.pricing.amount`.
        path: String,
        /// What was expected, and what was met.
        problem: String,
    },
}

impl StatementError {
    /// An error about the member at `path`.
    pub fn member(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Member { path: path.into(), problem: problem.into() }
    }
}

/// A statement that is about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Who may see it.
    pub audience: Audience,
    /// When it is made; written with whole seconds.
    pub issued_at: Timestamp,
    /// The exchange that says it.
    pub issuer: ExchangeId,
    /// 16 random bytes.
    pub salt: [u8; 16],
    /// Its type.
    pub kind: StatementType,
    /// What it says.
    pub body: Value,
}

impl Draft {
    /// The statement's bytes, which are then signed.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = self.clone().into_canonical();
        Statement::parse(&bytes)?;
        Ok(bytes)
    }

    /// As [`Draft::encode`], not looked at yet.
    pub(crate) fn into_canonical(self) -> Vec<u8> {
        let mut value = json!({
            "audience": self.audience.to_value(),
            "issued_at": self.issued_at.to_string(),
            "issuer": self.issuer.as_str(),
            "salt": Base64UrlUnpadded::encode_string(&self.salt),
            "type": self.kind.as_str(),
        });
        value["body"] = self.body;
        canonicalize(&value)
    }
}

impl Statement {
    /// Reads a statement.
    ///
    /// # Errors
    ///
    /// [`StatementError`] names the member that is wrong and says what was expected. Unknown
    /// types and unknown members of the body are not errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > ENTRY_BYTES_MAX - ENTRY_FRAME_BYTES {
            return Err(StatementError::Long(bytes.len()));
        }
        let Value::Object(mut members) = parse_canonical(bytes)? else {
            return Err(StatementError::member("", "expected an object"));
        };
        let audience = take(&mut members, "audience")?;
        let audience = Audience::from_value(&audience)
            .map_err(|error| StatementError::member("audience", error.to_string()))?;
        let issued_at = parsed(&take(&mut members, "issued_at")?, "issued_at")?;
        let issuer = parsed(&take(&mut members, "issuer")?, "issuer")?;
        let salt = salt(&take(&mut members, "salt")?)?;
        let kind = kind(&take(&mut members, "type")?)?;
        let body = take(&mut members, "body")?;
        if !body.is_object() {
            return Err(StatementError::member("body", "expected an object"));
        }
        if let Some(name) = members.keys().next() {
            return Err(StatementError::member(name.clone(), "no such member"));
        }
        crate::body::check(&kind, &body)?;
        Ok(Self { audience, issued_at, issuer, salt, kind, body })
    }
}

fn take(members: &mut Map<String, Value>, name: &str) -> Result<Value, StatementError> {
    members.remove(name).ok_or_else(|| StatementError::member(name, "missing"))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, StatementError> {
    value.as_str().ok_or_else(|| StatementError::member(name, "expected a text"))
}

fn parsed<T>(value: &Value, name: &str) -> Result<T, StatementError>
where
    T: core::str::FromStr,
    T::Err: core::fmt::Display,
{
    text(value, name)?
        .parse()
        .map_err(|error: T::Err| StatementError::member(name, error.to_string()))
}

fn salt(value: &Value) -> Result<[u8; 16], StatementError> {
    let error = || StatementError::member("salt", "expected 16 bytes in base64url without padding");
    let mut salt = [0; 16];
    let text = text(value, "salt")?;
    match Base64UrlUnpadded::decode(text, &mut salt) {
        Ok(decoded) if decoded.len() == 16 => Ok(salt),
        Ok(_) | Err(_) => Err(error()),
    }
}

fn kind(value: &Value) -> Result<StatementType, StatementError> {
    let name = text(value, "type")?;
    let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
    if name.is_empty() || name.len() > 64 || !visible {
        let problem =
            format!("expected 1 to 64 visible ASCII characters, met {} bytes", name.len());
        return Err(StatementError::member("type", problem));
    }
    Ok(StatementType::from_name(name))
}
