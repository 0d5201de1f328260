//! From a source row to what is to be published.

use super::contacts;
use super::mapping::{ID_CHARS_MAX, Kind, Mapping, Shape, Target};
use super::publisher::Submission;
use super::row::{Problem, SourceRow};
use hutong_protocol::money::Currency;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a registration number at most.
const REGISTRATION_CHARS_MAX: usize = 32;

/// Why an amount in an unlisted currency is not imported.
const NO_MINOR_UNIT: &str = "how many decimals this currency has is not known to this version, so the amount cannot be \
    written in its minor unit: correct the code, or publish the statement by hand";

/// Applies a mapping to the rows of one file, in their order.
#[derive(Debug)]
pub struct Mapper<'a> {
    mapping: &'a Mapping,
    occurrences: BTreeMap<[u8; 16], u32>,
    subjects: BTreeSet<[u8; 16]>,
    unmet: BTreeSet<String>,
    columns: BTreeSet<String>,
}

/// A row that can be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The row's number in the source.
    pub row: u64,
    /// The listing id or registration number.
    pub subject: String,
    /// The statement, without revision or event: those follow from what the node already has.
    pub submission: Submission,
    /// What was trimmed, or looks like contact data.
    pub warnings: Vec<Problem>,
    /// Values that the source has and the statement does not.
    pub left_out: Vec<Problem>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It can be published.
    Ready(Box<Mapped>),
    /// A `[[where]]` does not hold: the row is none of this import's.
    Filtered,
    /// A `[[drop]]` holds, with its reason.
    Dropped(String),
    /// It cannot be published; all its problems.
    Failed(Vec<Problem>),
}

impl<'a> Mapper<'a> {
    /// A mapper for the rows of one file.
    pub fn new(mapping: &'a Mapping) -> Self {
        Self {
            mapping,
            occurrences: BTreeMap::new(),
            subjects: BTreeSet::new(),
            unmet: mapping.columns(),
            columns: mapping.columns(),
        }
    }

    /// Columns that the mapping reads and no row has had so far.
    pub fn unmet_columns(&self) -> impl Iterator<Item = &str> {
        self.unmet.iter().map(String::as_str)
    }

    /// Maps the next row of the file.
    pub fn map(&mut self, source: &SourceRow) -> Outcome {
        let row = match &source.values {
            Ok(values) => values,
            Err(problem) => return Outcome::Failed(vec![problem.clone()]),
        };
        self.unmet.retain(|column| super::cell::value(row, column).is_none());
        // Counted before any condition, so that an id does not depend on which rows are imported.
        let identity = self.identity(row);
        let unsure: Vec<Problem> =
            source.faults.iter().filter(|fault| self.reads(&fault.column)).cloned().collect();
        // Before any condition: what a condition would read may be among them.
        if !unsure.is_empty() {
            return Outcome::Failed(unsure);
        }
        if !self.mapping.filter.iter().all(|condition| condition.holds(row)) {
            return Outcome::Filtered;
        }
        if let Some(drop) = self.mapping.drop.iter().find(|drop| drop.condition.holds(row)) {
            return Outcome::Dropped(drop.reason.clone());
        }
        let mut problems = Vec::new();
        let subject = self.subject(source.number, row, identity, &mut problems);
        let mut parts = Parts::new(self.mapping, source.number);
        if let (Some((_, occurrence @ 2..)), Some(subject)) = (identity, &subject) {
            let columns = self.mapping.id.key.join(", ");
            let reason = format!(
                "row {occurrence} with this key: its id ends with -{occurrence} and depends on the order of the rows; \
                 add a column to key"
            );
            parts.warnings.push(Problem::new(source.number, &columns, subject, reason));
        }
        for (target, rule) in &self.mapping.fields {
            let currency = match self.currency(target, row) {
                Ok(currency) => currency,
                Err(currency) => {
                    let (column, reason) = (place(target, &rule.source_columns()), NO_MINOR_UNIT);
                    problems.push(Problem::new(source.number, &column, currency.as_str(), reason));
                    continue;
                }
            };
            match rule.fill(target, row, currency) {
                Ok(filled) => parts.put(target, &rule.source_columns(), filled),
                Err(unfit) => {
                    let column = place(target, &rule.source_columns());
                    problems.push(Problem::new(source.number, &column, &unfit.value, unfit.reason));
                }
            }
        }
        match subject {
            Some(subject) if problems.is_empty() => Outcome::Ready(Box::new(parts.finish(subject))),
            _ => Outcome::Failed(problems),
        }
    }

    /// The currency of an amount, or in `Err` one whose decimals are not known. An amount without a currency counts as
    /// yuan; what is no currency is refused later.
    fn currency(
        &self,
        target: &Target,
        row: &Map<String, Value>,
    ) -> Result<Option<Currency>, Currency> {
        if target.shape != Shape::Money {
            return Ok(None);
        }
        let path = target.currency_path();
        let rule = self.mapping.fields.iter().find(|(target, _)| target.path() == path);
        let filled = rule.and_then(|(target, rule)| rule.fill(target, row, None).ok());
        let code = filled.and_then(|filled| filled.value);
        let currency = code.as_ref().and_then(Value::as_str).map(str::parse::<Currency>);
        let Some(Ok(currency)) = currency else { return Ok(Some(Currency::CNY)) };
        if currency.decimals().is_some() { Ok(Some(currency)) } else { Err(currency) }
    }

    /// Whether the mapping reads the column, or a path into it.
    fn reads(&self, column: &str) -> bool {
        let inside = |path: &String| {
            path.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.columns.iter().any(inside)
    }

    fn identity(&mut self, row: &Map<String, Value>) -> Option<([u8; 16], u32)> {
        let key = self.mapping.id.key_of(row)?;
        let occurrence = self.occurrences.entry(key).or_insert(0);
        *occurrence += 1;
        Some((key, *occurrence))
    }

    fn subject(
        &mut self,
        number: u64,
        row: &Map<String, Value>,
        identity: Option<([u8; 16], u32)>,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let rule = &self.mapping.id;
        let columns = rule.columns().cloned().collect::<Vec<_>>().join(", ");
        let mut fail = |value: &str, reason: &str| {
            problems.push(Problem::new(number, &columns, value, reason));
            None
        };
        let Some((key, occurrence)) = identity else {
            return fail("", "the columns that the id is made of are empty");
        };
        let made = match self.mapping.kind {
            Kind::Listing => rule.id_of(row, &key, occurrence),
            Kind::Contract => rule.own_of(row),
        };
        let Some(subject) = made else {
            return fail("", "no id can be made of the column: expected letters or digits");
        };
        let chars_max = match self.mapping.kind {
            Kind::Listing => ID_CHARS_MAX,
            Kind::Contract => REGISTRATION_CHARS_MAX,
        };
        if subject.len() > chars_max {
            return fail(&subject, "the id is too long: at most 64 characters, for contracts 32");
        }
        let repeated = rule.column.is_some() && occurrence > 1;
        let mut digest = [0; 16];
        digest.copy_from_slice(&hutong_crypto::blake3(subject.as_bytes()).as_bytes()[..16]);
        if repeated || !self.subjects.insert(digest) {
            return fail(&subject, "an earlier row of the file has the same id");
        }
        Some(subject)
    }
}

/// A statement under way.
struct Parts<'a> {
    mapping: &'a Mapping,
    row: u64,
    audience: Value,
    body: Map<String, Value>,
    confidential: Map<String, Value>,
    warnings: Vec<Problem>,
    left_out: Vec<Problem>,
}

impl<'a> Parts<'a> {
    fn new(mapping: &'a Mapping, row: u64) -> Self {
        Self {
            mapping,
            row,
            audience: mapping.audience.clone(),
            body: Map::new(),
            confidential: Map::new(),
            warnings: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn put(&mut self, target: &Target, columns: &[String], filled: super::mapping::Filled) {
        let column = place(target, columns);
        for (value, reason) in filled.warnings {
            self.warnings.push(Problem::new(self.row, &column, &value, reason));
        }
        for (value, reason) in filled.left_out {
            self.left_out.push(Problem::new(self.row, &column, &value, reason));
        }
        let Some(mut value) = filled.value else { return };
        if target.is_audience() {
            self.audience = value;
            return;
        }
        if matches!(target.shape, Shape::Text(_) | Shape::Line(_) | Shape::Lines(_)) {
            self.check_contacts(&column, &mut value);
        }
        if target.is_claim() {
            self.confidential.insert(target.last().to_owned(), value);
        } else {
            target.put(&mut self.body, value);
        }
    }

    fn check_contacts(&mut self, column: &str, value: &mut Value) {
        match value {
            Value::String(text) => {
                let found = contacts::find(text);
                if found.is_empty() {
                    return;
                }
                let reason = if self.mapping.redact_contacts {
                    *text = contacts::redact(text);
                    "contact data was taken out"
                } else {
                    "looks like contact data, which does not belong in a listing: correct the source or set redact_contacts"
                };
                self.warnings.push(Problem::new(self.row, column, &found.join(", "), reason));
            }
            Value::Array(items) => {
                for item in items {
                    self.check_contacts(column, item);
                }
            }
            _ => {}
        }
    }

    fn finish(mut self, subject: String) -> Mapped {
        super::mapping::close_gaps(&mut self.body);
        self.body.insert(self.mapping.kind.subject_member().to_owned(), subject.clone().into());
        let submission = Submission {
            kind: self.mapping.kind.statement_type(),
            audience: self.audience,
            body: self.body,
            confidential: self.confidential,
        };
        let (warnings, left_out) = (self.warnings, self.left_out);
        Mapped { row: self.row, subject, submission, warnings, left_out }
    }
}

fn place(target: &Target, columns: &[String]) -> String {
    if columns.is_empty() { target.path() } else { columns.join(", ") }
}
