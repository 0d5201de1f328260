//! The mapping file: which column becomes which member of a statement's body.
//!
//! A mapping is a small TOML file, written once for a catalogue. Whatever it does not map stays out:
//! nothing is published because it happened to be in the source.

mod condition;
mod field;
mod form;
mod ident;
mod schema;
mod target;

pub use condition::{Condition, Drop};
pub use field::{FieldRule, Invalid, Unit, Unmapped};
pub use ident::{ID_CHARS_MAX, IdRule, slug};
pub use target::{Kind, Shape, Target};

pub(super) use field::Filled;
pub(super) use target::close_gaps;

use super::limits::MAPPING_BYTES_MAX;
use super::read::Source;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A checked mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The import's name: its journal bears it. 1 to 64 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// What the rows become.
    pub kind: Kind,
    /// What the mapping is for, for people.
    pub description: String,
    /// How the file is read.
    pub source: Source,
    /// Who may see the statements, unless a row says otherwise.
    pub audience: Value,
    /// Contracts only: whether a changed row amends a registered contract.
    pub amend: bool,
    /// Whether e-mail addresses and telephone numbers are taken out of texts.
    pub redact_contacts: bool,
    /// Only rows that meet all of these are imported; the others are not counted as skipped.
    pub filter: Vec<Condition>,
    /// Rows that meet any of these are skipped, with its reason.
    pub drop: Vec<Drop>,
    /// How the listing id (or the contract's registration number) is made.
    pub id: IdRule,
    /// What fills the body, in the order of the targets' paths.
    pub fields: Vec<(Target, FieldRule)>,
}

/// Why a mapping file cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// The file cannot be read.
    #[error("cannot read the mapping {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is over [`MAPPING_BYTES_MAX`].
    #[error("the mapping has {0} bytes, at most {MAPPING_BYTES_MAX} are read")]
    TooLong(u64),
    /// The file is not TOML, or a value has the wrong type.
    #[error("the mapping is not valid: {0}")]
    Toml(String),
    /// A key that no mapping has.
    #[error("unknown key `{key}` in {place}{}", suggestion.as_ref().map_or_else(String::new, |name| format!(": did you mean `{name}`?")))]
    UnknownKey {
        /// The table that has the key.
        place: String,
        /// The key.
        key: String,
        /// The known key that it resembles most.
        suggestion: Option<String>,
    },
    /// A value that cannot be meant.
    #[error("{place}: {reason}")]
    Invalid {
        /// The table or key.
        place: String,
        /// What was expected.
        reason: String,
    },
}

/// The file as TOML has it, before its parts are checked against each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    name: String,
    kind: Kind,
    #[serde(default)]
    description: String,
    language: Option<String>,
    #[serde(default = "public")]
    audience: Value,
    #[serde(default)]
    amend: bool,
    #[serde(default)]
    redact_contacts: bool,
    #[serde(default)]
    source: Source,
    #[serde(default, rename = "where")]
    filter: Vec<Condition>,
    #[serde(default)]
    drop: Vec<Drop>,
    id: IdRule,
    fields: toml::Table,
}

fn public() -> Value {
    Value::String("public".to_owned())
}

impl Mapping {
    /// Reads and checks the mapping file at `path`.
    ///
    /// # Errors
    ///
    /// [`MappingError`]: unreadable, over the bound, or as in [`Mapping::parse`].
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let io = |source| MappingError::Io { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > MAPPING_BYTES_MAX {
            return Err(MappingError::TooLong(bytes));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?)
    }

    /// Checks a mapping written as TOML.
    ///
    /// # Errors
    ///
    /// [`MappingError`] for text that is not TOML, for unknown keys and targets (with a suggestion), and for
    /// rules that contradict themselves.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| toml_error(&error))?;
        schema::check_keys(&table)?;
        let file: MappingFile = toml::from_str(text).map_err(|error| toml_error(&error))?;
        file.check()
    }

    /// The columns that the mapping reads, for a check against a table's header.
    pub fn columns(&self) -> BTreeSet<String> {
        let rules = self.fields.iter().flat_map(|(_, rule)| rule.source_columns());
        let conditions = self.filter.iter().chain(self.drop.iter().map(|drop| &drop.condition));
        rules
            .chain(conditions.map(|condition| condition.column.clone()))
            .chain(self.id.columns().cloned())
            .collect()
    }

    /// Limits the import to rows whose `column` is `value`, as one more `[[where]]`.
    pub fn only(&mut self, column: &str, value: &str) {
        self.filter.push(Condition::equals(column, value));
    }
}

impl MappingFile {
    fn check(self) -> Result<Mapping, MappingError> {
        let invalid = |place: &str, reason: &str| MappingError::Invalid {
            place: place.to_owned(),
            reason: reason.to_owned(),
        };
        if !is_name(&self.name) {
            return Err(invalid("name", "expected 1 to 64 of a-z, 0-9 and `-`"));
        }
        if self.amend && self.kind != Kind::Contract {
            return Err(invalid(
                "amend",
                "is for contracts only: changed listings are always revised",
            ));
        }
        target::check_audience(&self.audience).map_err(|reason| invalid("audience", &reason))?;
        if self.kind == Kind::Contract && (self.id.column.is_none() || self.id.prefix.is_some()) {
            return Err(invalid(
                "[id]",
                "a contract's id is its registration number: set only column",
            ));
        }
        self.id.check().map_err(|reason| invalid("[id]", &reason))?;
        for condition in self.filter.iter().chain(self.drop.iter().map(|drop| &drop.condition)) {
            condition.check().map_err(|reason| invalid("[[where]] or [[drop]]", &reason))?;
        }
        let fields = fields(self.kind, self.language.as_deref(), &self.fields)?;
        Ok(Mapping {
            name: self.name,
            kind: self.kind,
            description: self.description,
            source: self.source,
            audience: self.audience,
            amend: self.amend,
            redact_contacts: self.redact_contacts,
            filter: self.filter,
            drop: self.drop,
            id: self.id,
            fields,
        })
    }
}

fn fields(
    kind: Kind,
    language: Option<&str>,
    table: &toml::Table,
) -> Result<Vec<(Target, FieldRule)>, MappingError> {
    let mut rules = BTreeMap::new();
    schema::flatten(table, &mut Vec::new(), &mut rules)?;
    let mut fields = BTreeMap::new();
    for (path, rule) in rules {
        let place = format!("[fields.\"{path}\"]");
        let target = Target::find(kind, &path, language).map_err(|suggestion| {
            MappingError::UnknownKey { place: "[fields]".to_owned(), key: path.clone(), suggestion }
        })?;
        let rule: FieldRule = rule.try_into().map_err(|error: toml::de::Error| {
            MappingError::Invalid { place: place.clone(), reason: error.message().to_owned() }
        })?;
        rule.check(&target)
            .map_err(|reason| MappingError::Invalid { place: place.clone(), reason })?;
        let name = target.path();
        if fields.insert(name.clone(), (target, rule)).is_some() {
            let reason = format!("`{name}` is filled twice");
            return Err(MappingError::Invalid { place, reason });
        }
    }
    Ok(fields.into_values().collect())
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn toml_error(error: &toml::de::Error) -> MappingError {
    MappingError::Toml(error.to_string().trim_end().to_owned())
}

/// Whichever of `known` resembles `name` most, if any does enough.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate.to_owned())
}
