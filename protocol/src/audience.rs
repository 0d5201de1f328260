//! Who may see a statement.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::id::ExchangeId;
use crate::json::{Document, Items, Node};
use crate::region::Region;

/// Members that one statement may name as its audience.
pub const AUDIENCE_MEMBERS_MAX: usize = 256;

/// Who may see a statement. Its issuer always may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// Members whose region shares the issuer's country.
    Domestic,
    /// These members.
    Members(BTreeSet<ExchangeId>),
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer {
    member: Option<(ExchangeId, Region)>,
}

/// A value is no audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected \"public\", \"domestic\" or {{\"members\":[…]}} with 1 to 256 exchange ids in order"
)]
pub struct AudienceError;

impl Viewer {
    /// A member.
    pub const fn member(exchange: ExchangeId, region: Region) -> Self {
        Self { member: Some((exchange, region)) }
    }

    /// Somebody who is no member.
    pub const fn stranger() -> Self {
        Self { member: None }
    }

    /// The member's exchange id, if it is one.
    pub fn exchange(&self) -> Option<&ExchangeId> {
        self.member.as_ref().map(|(exchange, _)| exchange)
    }
}

impl Audience {
    /// Whether `viewer` may see a statement that `issuer` of `issuer_region` made.
    pub fn admits(&self, issuer: &ExchangeId, issuer_region: &Region, viewer: &Viewer) -> bool {
        let Some((exchange, region)) = &viewer.member else { return *self == Self::Public };
        exchange == issuer
            || match self {
                Self::Public => true,
                Self::Domestic => region.country() == issuer_region.country(),
                Self::Members(members) => members.contains(exchange),
            }
    }

    /// Reads the `audience` member of a statement.
    ///
    /// # Errors
    ///
    /// [`AudienceError`] for anything but the three forms.
    pub fn from_value(value: &Value) -> Result<Self, AudienceError> {
        Self::read(Document::of(value).root())
    }

    pub(crate) fn read(value: Node<'_>) -> Result<Self, AudienceError> {
        match (value.as_text(), value.members()) {
            (Some("public"), _) => Ok(Self::Public),
            (Some("domestic"), _) => Ok(Self::Domestic),
            (None, Some(members)) if members.len() == 1 => {
                let list = members.get("members").and_then(Node::items).ok_or(AudienceError)?;
                Self::from_members(list)
            }
            _ => Err(AudienceError),
        }
    }

    /// The audience of a statement that is known to be well formed; `None` where it cannot be so.
    /// In canonical form it is the first member, and nothing behind it is looked at.
    pub(crate) fn of_canonical(statement: &[u8]) -> Option<Self> {
        let rest = statement.strip_prefix(b"{\"audience\":")?;
        if rest.starts_with(b"\"public\",") {
            return Some(Self::Public);
        }
        let value = serde_json::Deserializer::from_slice(rest).into_iter().next()?.ok()?;
        Self::from_value(&value).ok()
    }

    fn from_members(list: Items<'_>) -> Result<Self, AudienceError> {
        if !(1..=AUDIENCE_MEMBERS_MAX).contains(&list.len()) {
            return Err(AudienceError);
        }
        let ids: Vec<ExchangeId> = list
            .map(|id| id.as_text().and_then(|id| id.parse().ok()).ok_or(AudienceError))
            .collect::<Result<_, _>>()?;
        if ids.is_sorted_by(|a, b| a < b) {
            Ok(Self::Members(ids.into_iter().collect()))
        } else {
            Err(AudienceError)
        }
    }

    /// The value that stands for the audience in a statement.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Public => json!("public"),
            Self::Domestic => json!("domestic"),
            Self::Members(members) => {
                let ids: Vec<&str> = members.iter().map(ExchangeId::as_str).collect();
                json!({ "members": ids })
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn viewer(id: &str, region: &str) -> Viewer {
        Viewer::member(id.parse().unwrap(), region.parse().unwrap())
    }

    #[test]
    fn each_audience_admits_its_own() {
        let (issuer, region) = ("cn-33".parse().unwrap(), "CN-33".parse().unwrap());
        let (home, abroad) = (viewer("cn-44", "CN-44"), viewer("kz-national", "KZ"));
        let admits =
            |audience: &Audience, viewer: &Viewer| audience.admits(&issuer, &region, viewer);
        let members = Audience::from_value(&json!({"members": ["kz-national"]})).unwrap();
        assert!(admits(&Audience::Public, &Viewer::stranger()));
        assert!(admits(&Audience::Domestic, &home));
        assert!(!admits(&Audience::Domestic, &abroad));
        assert!(!admits(&Audience::Domestic, &Viewer::stranger()));
        assert!(admits(&members, &abroad));
        assert!(!admits(&members, &home));
        assert!(admits(&members, &viewer("cn-33", "CN-33")), "the issuer sees its own");
    }

    #[test]
    fn the_audience_of_a_statement_is_read_without_the_rest() {
        for audience in [json!("public"), json!("domestic"), json!({"members": ["cn-33"]})] {
            let statement = alloc::format!("{{\"audience\":{audience},\"body\":{{}}, and so on");
            let met = Audience::of_canonical(statement.as_bytes());
            assert_eq!(met, Audience::from_value(&audience).ok());
        }
        for statement in ["{\"body\":1}", "{\"audience\":\"publican\",", "{\"audience\":", ""] {
            assert_eq!(Audience::of_canonical(statement.as_bytes()), None, "{statement}");
        }
    }

    #[test]
    fn other_forms_of_an_audience_are_refused() {
        for value in [
            json!("everybody"),
            json!(null),
            json!({"members": []}),
            json!({"members": ["bbb", "aaa"]}),
            json!({"members": ["aaa", "aaa"]}),
            json!({"members": ["A"]}),
            json!({"members": ["aaa"], "also": 1}),
        ] {
            assert_eq!(Audience::from_value(&value), Err(AudienceError), "{value}");
        }
    }
}
