//! What a mapping can fill: the members of a listing's or a contract's body, and their shapes.

use super::nearest;
use hutong_protocol::contract::claims::{NAME_CHARS_MAX, TERMS_CHARS_MAX};
use hutong_protocol::listing::{ITEMS_MAX, KEYWORD_CHARS_MAX, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX};
use serde::Deserialize;
use serde_json::{Map, Value};

// The protocol keeps these two of its bounds to itself; texts are trimmed to all of them.
const HOLDER_CHARS_MAX: usize = 300;
const REFERENCE_CHARS_MAX: usize = 1_000;

/// What the rows of an import become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `hutong/listing/v1` statements.
    Listing,
    /// `hutong/contract/v1` statements with their confidential values.
    Contract,
}

impl Kind {
    /// The statement type.
    pub fn statement_type(self) -> &'static str {
        match self {
            Self::Listing => "hutong/listing/v1",
            Self::Contract => "hutong/contract/v1",
        }
    }

    /// The body member that names the subject: what stays the same when it is revised or amended.
    pub fn subject_member(self) -> &'static str {
        match self {
            Self::Listing => "listing_id",
            Self::Contract => "registration_no",
        }
    }

    fn targets(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::Listing => LISTING,
            Self::Contract => CONTRACT,
        }
    }
}

/// The shape of a member, which decides how text becomes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text for people, with line breaks, of at most so many characters; longer text is trimmed with a warning.
    Text(usize),
    /// Text for people on one line, of at most so many characters; longer text is trimmed with a warning.
    Line(usize),
    /// A name from a code list or an identifier, kept as it is.
    Code,
    /// A list of codes without repetition.
    Codes,
    /// A list of texts without repetition, each of at most so many characters.
    Lines(usize),
    /// A whole number.
    Whole,
    /// An amount in the currency's minor unit.
    Money,
    /// A day, `2026-11-23`.
    Date,
    /// True or false.
    Flag,
    /// An absolute web address.
    Address,
    /// A region code; six-digit division codes of GB/T 2260 are brought into its form.
    Region,
    /// Who may see the statement: `public`, `domestic`, or a list of exchange ids.
    Audience,
}

impl Shape {
    /// Whether the member holds several values.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Codes | Self::Lines(..) | Self::Audience)
    }
}

const LISTING: &[(&str, Shape)] = &[
    ("audience", Shape::Audience),
    ("kind", Shape::Code),
    ("title.<language>", Shape::Line(TITLE_CHARS_MAX)),
    ("summary.<language>", Shape::Text(SUMMARY_CHARS_MAX)),
    ("fields", Shape::Codes),
    ("ipc", Shape::Codes),
    ("maturity.scheme", Shape::Code),
    ("maturity.level", Shape::Whole),
    ("modes", Shape::Codes),
    ("pricing.mode", Shape::Code),
    ("pricing.amount", Shape::Money),
    ("pricing.currency", Shape::Code),
    ("ip.<number>.type", Shape::Code),
    ("ip.<number>.number", Shape::Code),
    ("holder.name.<language>", Shape::Line(HOLDER_CHARS_MAX)),
    ("holder.uscc", Shape::Code),
    ("holder.foreign_id", Shape::Code),
    ("region", Shape::Region),
    ("valid_until", Shape::Date),
    ("keywords", Shape::Lines(KEYWORD_CHARS_MAX)),
    ("source.url", Shape::Address),
    ("source.reference", Shape::Line(REFERENCE_CHARS_MAX)),
    ("public_welfare", Shape::Flag),
];

const CONTRACT: &[(&str, Shape)] = &[
    ("audience", Shape::Audience),
    ("contract_type", Shape::Code),
    ("subtype", Shape::Code),
    ("field", Shape::Code),
    ("registering_division", Shape::Region),
    ("seller_division", Shape::Region),
    ("buyer_division", Shape::Region),
    ("sign_date", Shape::Date),
    ("valid_from", Shape::Date),
    ("valid_to", Shape::Date),
    ("listing.exchange", Shape::Code),
    ("listing.id", Shape::Code),
    ("plan_source", Shape::Code),
    ("payment_method", Shape::Code),
    ("ip", Shape::Codes),
    ("patents", Shape::Codes),
    ("claims.project_name", Shape::Line(NAME_CHARS_MAX)),
    ("claims.seller_name", Shape::Line(NAME_CHARS_MAX)),
    ("claims.buyer_name", Shape::Line(NAME_CHARS_MAX)),
    ("claims.seller_uscc", Shape::Code),
    ("claims.buyer_uscc", Shape::Code),
    ("claims.total_amount", Shape::Money),
    ("claims.technical_amount", Shape::Money),
    ("claims.expected_investment", Shape::Money),
    ("claims.expected_output", Shape::Money),
    ("claims.currency", Shape::Code),
    ("claims.terms", Shape::Text(TERMS_CHARS_MAX)),
];

/// A member of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pattern: &'static str,
    segments: Vec<Segment>,
    /// Its shape.
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Member(String),
    Item(usize),
}

impl Target {
    /// The member at `path` of a body of this kind. A text without a language gets `language`.
    ///
    /// # Errors
    ///
    /// The known path that resembles `path` most, if any does enough.
    pub fn find(kind: Kind, path: &str, language: Option<&str>) -> Result<Self, Option<String>> {
        let names: Vec<&str> = path.split('.').collect();
        for (pattern, shape) in kind.targets() {
            let parts: Vec<&str> = pattern.split('.').collect();
            if let Some(segments) = matched(&parts, &names, language) {
                return Ok(Self { pattern, segments, shape: *shape });
            }
        }
        Err(nearest(path, kind.targets().iter().map(|(pattern, _)| *pattern)))
    }

    /// The member's path, with dots.
    pub fn path(&self) -> String {
        let names: Vec<String> = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Member(name) => name.clone(),
                Segment::Item(index) => index.to_string(),
            })
            .collect();
        names.join(".")
    }

    /// The path as the tables of targets have it: `title.<language>`.
    pub(super) fn pattern(&self) -> &'static str {
        self.pattern
    }

    /// The path of the member beside an amount that names its currency.
    pub(in crate::import) fn currency_path(&self) -> String {
        let path = self.path();
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        format!("{parent}.currency")
    }

    /// Whether the value is confidential: committed to in the body and kept beside it.
    pub fn is_claim(&self) -> bool {
        self.first() == "claims"
    }

    /// Whether the value is the statement's audience rather than a member of its body.
    pub fn is_audience(&self) -> bool {
        self.shape == Shape::Audience
    }

    /// The last name of the path.
    pub fn last(&self) -> &str {
        match self.segments.last() {
            Some(Segment::Member(name)) => name,
            Some(Segment::Item(_)) | None => "",
        }
    }

    fn first(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Member(name)) => name,
            Some(Segment::Item(_)) | None => "",
        }
    }

    /// Puts `value` in its place in `body`. Lists are filled with `null` up to the item; see [`close_gaps`].
    pub(in crate::import) fn put(&self, body: &mut Map<String, Value>, value: Value) {
        let mut place = body.entry(self.first().to_owned()).or_insert(Value::Null);
        for segment in self.segments.iter().skip(1) {
            place = match segment {
                Segment::Member(name) => {
                    if !place.is_object() {
                        *place = Value::Object(Map::new());
                    }
                    &mut place[name.as_str()]
                }
                Segment::Item(index) => item(place, *index),
            };
        }
        *place = value;
    }
}

fn item(place: &mut Value, index: usize) -> &mut Value {
    if !place.is_array() {
        *place = Value::Array(Vec::new());
    }
    if let Value::Array(items) = place
        && items.len() <= index
    {
        items.resize(index + 1, Value::Null);
    }
    &mut place[index]
}

/// Takes out the list items that no rule has filled.
pub(in crate::import) fn close_gaps(body: &mut Map<String, Value>) {
    for value in body.values_mut() {
        if let Value::Array(items) = value {
            items.retain(|item| !item.is_null());
        }
    }
}

fn matched(parts: &[&str], names: &[&str], language: Option<&str>) -> Option<Vec<Segment>> {
    let mut names = names.to_vec();
    if parts.last() == Some(&"<language>") && names.len() + 1 == parts.len() {
        names.push(language?);
    }
    if parts.len() != names.len() {
        return None;
    }
    let segments = parts.iter().zip(&names).map(|(part, name)| match *part {
        "<language>" if is_language(name) => Some(Segment::Member((*name).to_owned())),
        "<number>" => name.parse().ok().filter(|index| *index < ITEMS_MAX).map(Segment::Item),
        part if part == *name => Some(Segment::Member(part.to_owned())),
        _ => None,
    });
    segments.collect()
}

/// A language tag as titles bear it: `zh`, `en`, `zh-Hant`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

/// Checks that `audience` is `public`, `domestic` or `{"members": […]}`.
pub(super) fn check_audience(audience: &Value) -> Result<(), String> {
    let fault = || {
        Err("expected \"public\", \"domestic\" or { members = [\"exchange id\", …] }".to_owned())
    };
    match audience {
        Value::String(text) if text == "public" || text == "domestic" => Ok(()),
        Value::Object(object) if object.len() == 1 => match object.get("members") {
            Some(Value::Array(items))
                if !items.is_empty() && items.iter().all(Value::is_string) =>
            {
                Ok(())
            }
            _ => fault(),
        },
        _ => fault(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn path(path: &str) -> Result<String, Option<String>> {
        Target::find(Kind::Listing, path, Some("zh")).map(|target| target.path())
    }

    #[test]
    fn texts_get_the_language_of_the_mapping() {
        assert_eq!(path("title").unwrap(), "title.zh");
        assert_eq!(path("title.en").unwrap(), "title.en");
        assert_eq!(path("holder.name").unwrap(), "holder.name.zh");
        assert!(Target::find(Kind::Listing, "title", None).is_err());
        assert!(path("title.English").is_err());
    }

    #[test]
    fn an_unknown_target_brings_a_suggestion() {
        assert_eq!(path("keyword").unwrap_err().as_deref(), Some("keywords"));
        assert_eq!(path("holder.usc").unwrap_err().as_deref(), Some("holder.uscc"));
        assert_eq!(path("zzz").unwrap_err(), None);
    }

    #[test]
    fn values_are_put_in_nested_places_without_gaps() {
        let mut body = Map::new();
        for (path, value) in [("ip.1.type", "software"), ("title.en", "x"), ("title.zh", "y")] {
            Target::find(Kind::Listing, path, None).unwrap().put(&mut body, value.into());
        }
        close_gaps(&mut body);
        let expected =
            serde_json::json!({"ip": [{"type": "software"}], "title": {"en": "x", "zh": "y"}});
        assert_eq!(Value::Object(body), expected);
        assert!(path("ip.32.type").is_err());
    }
}
