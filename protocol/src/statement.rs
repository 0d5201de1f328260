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
use serde_json::Value;

use crate::audience::Audience;
use crate::body::{Content, refuse_fractions, refuse_personal_data};
use crate::entry::STATEMENT_AT;
use crate::id::ExchangeId;
use crate::json::{Document, JsonError, Members, Node, append_canonical, canonicalize};
use crate::limits::ENTRY_BYTES_MAX;
use crate::shown::Shown;
use crate::time::Timestamp;

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
    /// `hutong/enrolment/v1`, in registers.
    Enrolment,
    /// `hutong/freeze/v1`, in registers.
    Freeze,
    /// `hutong/anchors/v1`, in registers.
    Anchors,
    /// `hutong/succession/v1`, in registers.
    Succession,
    /// A type that this version does not know. It is kept and passed on.
    Unknown(String),
}

impl StatementType {
    /// The types that this version knows.
    pub const KNOWN: [Self; 13] = [
        Self::Listing,
        Self::ListingStatus,
        Self::Contract,
        Self::MemberAdmit,
        Self::MemberSuspend,
        Self::MemberReinstate,
        Self::MemberExpel,
        Self::MemberRekey,
        Self::Evidence,
        Self::Enrolment,
        Self::Freeze,
        Self::Anchors,
        Self::Succession,
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
            Self::Enrolment => "hutong/enrolment/v1",
            Self::Freeze => "hutong/freeze/v1",
            Self::Anchors => "hutong/anchors/v1",
            Self::Succession => "hutong/succession/v1",
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

/// A statement whose envelope is in form. What its body says is judged where its type acts: see
/// [`Content::from_body`].
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
    /// What it says: an object, in the form that its type prescribes or not.
    pub body: Value,
}

/// Why bytes are not a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// They are not canonical JSON.
    #[error("statement is not canonical")]
    Json(#[from] JsonError),
    /// It would not fit an entry.
    #[error("statement of {0} bytes is too long for an entry: at most 65433")]
    Long(usize),
    /// A member is missing, or is not what it should be.
    #[error("`{}`: {problem}", Shown::new(path))]
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
    /// [`StatementError`] where the statement is not fit to be published.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = self.to_canonical();
        Said::parse(&bytes)?;
        Ok(bytes)
    }

    /// As [`Draft::encode`], not looked at yet.
    fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.frame().append(&canonicalize(&self.body), &mut out);
        out
    }

    /// All of it but the body.
    pub(crate) fn frame(&self) -> Frame<'_> {
        let Self { audience, issued_at, issuer, salt, kind, body: _ } = self;
        Frame { audience, issued_at: *issued_at, issuer, salt: *salt, kind }
    }
}

/// All of a statement but its body.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Who may see it.
    pub audience: &'a Audience,
    /// When it is made; written with whole seconds.
    pub issued_at: Timestamp,
    /// The exchange that says it.
    pub issuer: &'a ExchangeId,
    /// 16 random bytes.
    pub salt: [u8; 16],
    /// Its type.
    pub kind: &'a StatementType,
}

impl Frame<'_> {
    /// Appends the statement's bytes where `body` is canonical JSON; nothing is looked at.
    pub(crate) fn append(&self, body: &[u8], out: &mut Vec<u8>) {
        out.reserve(FRAME_BYTES + body.len());
        out.extend_from_slice(b"{\"audience\":");
        append_canonical(&self.audience.to_value(), out);
        out.extend_from_slice(b",\"body\":");
        out.extend_from_slice(body);
        // None of the three has a character that is escaped.
        let salt = Base64UrlUnpadded::encode_string(&self.salt);
        let (issued_at, issuer) = (self.issued_at, self.issuer);
        let middle = format!(
            ",\"issued_at\":\"{issued_at}\",\"issuer\":\"{issuer}\",\"salt\":\"{salt}\",\"type\":"
        );
        out.extend_from_slice(middle.as_bytes());
        append_canonical(&self.kind.as_str().into(), out);
        out.push(b'}');
    }
}

/// Bytes of most frames at most.
const FRAME_BYTES: usize = 256;

impl Statement {
    /// Reads a statement: exactly what [`Envelope::parse`] reads, with the body.
    ///
    /// # Errors
    ///
    /// [`StatementError`] names the member that is wrong and says what was expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let document = document(bytes)?;
        let (Envelope { audience, issued_at, issuer, salt, kind }, body) =
            Envelope::read(&document)?;
        Ok(Self { audience, issued_at, issuer, salt, kind, body: body.to_value() })
    }
}

/// All of a statement but its body.
///
/// What an entry is worth as an entry rests on this and on the signature alone, so that nodes of
/// different versions never disagree on it, whatever types they know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
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
}

impl Envelope {
    /// Reads a statement in canonical JSON with exactly its members, whose body is an object.
    ///
    /// # Errors
    ///
    /// [`StatementError`] names the member that is wrong and says what was expected. Nothing in the
    /// body is an error but what no statement may hold: fractions.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        Ok(Self::read(&document(bytes)?)?.0)
    }
}

/// A statement as a log records it: its envelope, and what this version makes of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// All but its body.
    pub envelope: Envelope,
    /// What its body says, or why it is not as its type prescribes: then it takes no effect.
    pub content: Result<Content, StatementError>,
}

impl Judged {
    /// Reads exactly what [`Envelope::parse`] reads, and the body without a copy of it.
    ///
    /// # Errors
    ///
    /// As [`Envelope::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let document = document(bytes)?;
        let (envelope, body) = Envelope::read(&document)?;
        let content = Content::read(&envelope.kind, body);
        Ok(Self { envelope, content })
    }
}

/// What a statement says that may be published: its body is as its type prescribes, and no member of
/// it is known to carry a natural person's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who may see it.
    pub audience: Audience,
    /// The exchange that says it.
    pub issuer: ExchangeId,
    /// Its type.
    pub kind: StatementType,
    /// What it says.
    pub content: Content,
}

impl Said {
    /// Reads a statement that is about to be signed.
    ///
    /// # Errors
    ///
    /// As [`Envelope::parse`], and where the body is not fit to be published.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let document = document(bytes)?;
        let (Envelope { audience, issuer, kind, .. }, body) = Envelope::read(&document)?;
        refuse_personal_data(body)?;
        let content = Content::read(&kind, body)?;
        Ok(Self { audience, issuer, kind, content })
    }
}

fn document(bytes: &[u8]) -> Result<Document<'_>, StatementError> {
    if bytes.len() > ENTRY_BYTES_MAX - STATEMENT_AT {
        return Err(StatementError::Long(bytes.len()));
    }
    Ok(Document::parse(bytes)?)
}

impl Envelope {
    /// The members of a statement, and its body, an object that nobody has looked into.
    fn read<'d>(document: &'d Document<'_>) -> Result<(Self, Node<'d>), StatementError> {
        let members = document.root().members();
        let members = members.ok_or_else(|| StatementError::member("", "expected an object"))?;
        let audience = Audience::read(member(members, "audience")?)
            .map_err(|error| StatementError::member("audience", error.to_string()))?;
        let issued_at = parsed(members, "issued_at")?;
        let issuer = parsed(members, "issuer")?;
        let salt = salt(members)?;
        let kind = kind(members)?;
        let body = member(members, "body")?;
        if body.members().is_none() {
            return Err(StatementError::member("body", "expected an object"));
        }
        if let Some((name, _)) = members.into_iter().find(|(name, _)| !MEMBERS.contains(name)) {
            return Err(StatementError::member(name, "no such member"));
        }
        // Whether a fraction is in canonical form is the one thing on which JSON libraries differ.
        if document.has_fractions() {
            refuse_fractions(body)?;
        }
        Ok((Self { audience, issued_at, issuer, salt, kind }, body))
    }
}

/// The members that a statement has.
const MEMBERS: [&str; 6] = ["audience", "body", "issued_at", "issuer", "salt", "type"];

fn member<'d>(members: Members<'d>, name: &str) -> Result<Node<'d>, StatementError> {
    members.get(name).ok_or_else(|| StatementError::member(name, "missing"))
}

fn text<'d>(members: Members<'d>, name: &str) -> Result<&'d str, StatementError> {
    let text = member(members, name)?.as_text();
    text.ok_or_else(|| StatementError::member(name, "expected a text"))
}

fn parsed<T>(members: Members<'_>, name: &str) -> Result<T, StatementError>
where
    T: core::str::FromStr,
    T::Err: core::fmt::Display,
{
    text(members, name)?
        .parse()
        .map_err(|error: T::Err| StatementError::member(name, error.to_string()))
}

fn salt(members: Members<'_>) -> Result<[u8; 16], StatementError> {
    let error = || StatementError::member("salt", "expected 16 bytes in base64url without padding");
    let mut salt = [0; 16];
    match Base64UrlUnpadded::decode(text(members, "salt")?, &mut salt) {
        Ok(decoded) if decoded.len() == 16 => Ok(salt),
        Ok(_) | Err(_) => Err(error()),
    }
}

/// Whether `name` may name a statement type: 1 to 64 visible ASCII characters, U+0021 to U+007E.
pub(crate) fn is_type_name(name: &str) -> bool {
    (1..=TYPE_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Bytes of a statement type's name at most.
const TYPE_BYTES_MAX: usize = 64;

fn kind(members: Members<'_>) -> Result<StatementType, StatementError> {
    let name = text(members, "type")?;
    if !is_type_name(name) {
        let problem =
            format!("expected 1 to 64 visible ASCII characters, met {} bytes", name.len());
        return Err(StatementError::member("type", problem));
    }
    Ok(StatementType::from_name(name))
}
