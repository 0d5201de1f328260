//! A rule: where a member's value comes from, and how it is brought into shape.

use super::form;
use super::target::{Shape, Target};
use crate::import::amount::{self, Money};
use crate::import::cell;
use crate::import::convert;
use hutong_protocol::listing::ITEMS_MAX;
use hutong_protocol::money::Currency;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is done with a value that the value map does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmapped {
    /// The row fails.
    #[default]
    Fail,
    /// The value is left out.
    Drop,
    /// The value is taken as it is.
    Keep,
}

/// What is done with a value that cannot be brought into shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invalid {
    /// The row fails.
    #[default]
    Fail,
    /// The value is left out, with a warning.
    Drop,
}

/// The unit in which a source writes amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The currency's main unit, of a hundred minor ones: yuan, dollar, euro.
    #[default]
    Main,
    /// The minor unit: fen, cent; for currencies without one, the only unit.
    Minor,
    /// Ten thousand of the main unit (万元).
    TenThousand,
    /// A hundred million of the main unit (亿元).
    HundredMillion,
}

/// How one member is filled. Exactly one of `column`, `columns`, `constant` and `template` is set.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// The column, or a path with dots into a JSON row.
    pub column: Option<String>,
    /// Several columns: a list takes the values of all, a single member the first that is not empty (and, with
    /// `invalid = "drop"`, fits).
    pub columns: Option<Vec<String>>,
    /// The same value for every row.
    pub constant: Option<Value>,
    /// Text with `{column}` in it; `{{` and `}}` stand for braces.
    pub template: Option<String>,
    /// The value where the source has none.
    pub default: Option<Value>,
    /// Whether a row without the value fails.
    #[serde(default)]
    pub required: bool,
    /// From the source's value to ours.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// What any number becomes, in a column of amounts and words: `CNY`, `listed`.
    pub numbers: Option<String>,
    /// What happens to values that `map` does not have.
    #[serde(default)]
    pub unmapped: Unmapped,
    /// Texts that separate the items of a list in one cell.
    #[serde(default)]
    pub separators: Vec<String>,
    /// Taken off the beginning of every value.
    pub strip_prefix: Option<String>,
    /// Values of a list that are left out, whatever their case.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Values that mean "nothing", whatever their case: `N/A`, `无`.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Forms of dates (strftime), tried in order; the usual ones when empty.
    #[serde(default)]
    pub dates: Vec<String>,
    /// The unit of amounts. A cell that states another fails; without a unit here, the cell's own counts.
    pub unit: Option<Unit>,
    /// Takes at most so many items of a list.
    pub items_max: Option<usize>,
    /// What happens to a value that cannot be brought into shape.
    #[serde(default)]
    pub invalid: Invalid,
}

/// What a rule gave for a row.
#[derive(Debug, Default, PartialEq)]
pub(in crate::import) struct Filled {
    /// The member's value; none when the source has none.
    pub(in crate::import) value: Option<Value>,
    /// What was changed: value and reason.
    pub(in crate::import) warnings: Vec<(String, String)>,
    /// What was left out although the source has it: value and reason.
    pub(in crate::import) left_out: Vec<(String, String)>,
}

/// A value that the rule cannot take, and why.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::import) struct Unfit {
    pub(in crate::import) value: String,
    pub(in crate::import) reason: String,
}

impl FieldRule {
    pub(super) fn check(&self, target: &Target) -> Result<(), String> {
        let sources = [
            self.column.is_some(),
            self.columns.is_some(),
            self.constant.is_some(),
            self.template.is_some(),
        ];
        if sources.into_iter().filter(|set| *set).count() != 1 {
            return Err("set exactly one of column, columns, constant and template".to_owned());
        }
        let list = target.shape.is_list();
        let misplaced = [
            (!self.separators.is_empty() && !list, "separators are for lists"),
            (self.separators.iter().any(String::is_empty), "a separator is empty"),
            (!self.exclude.is_empty() && !list, "exclude is for lists: use absent"),
            (self.items_max.is_some() && !list, "items_max is for lists"),
            (!self.dates.is_empty() && target.shape != Shape::Date, "dates are for dates"),
            (self.numbers.is_some() && target.shape != Shape::Code, "numbers is for codes"),
            (self.unit.is_some() && target.shape != Shape::Money, "unit is for amounts"),
            (self.unmapped != Unmapped::Fail && self.map.is_empty(), "unmapped needs a map"),
            (self.required && self.default.is_some(), "required and default exclude each other"),
        ];
        if let Some((_, reason)) = misplaced.into_iter().find(|(wrong, _)| *wrong) {
            return Err(reason.to_owned());
        }
        if let Some(template) = &self.template {
            template_parts(template)?;
        }
        for value in self.constant.iter().chain(&self.default) {
            let money = Money { unit: self.unit, currency: None };
            self.shaped(target, &texts_of(value), money, &mut Filled::default())
                .map_err(|unfit| format!("`{}`: {}", unfit.value, unfit.reason))?;
        }
        Ok(())
    }

    /// The columns that the rule reads.
    pub fn source_columns(&self) -> Vec<String> {
        let mut columns: Vec<String> =
            self.column.iter().chain(self.columns.iter().flatten()).cloned().collect();
        if let Some(Ok(parts)) = self.template.as_deref().map(template_parts) {
            columns.extend(parts.into_iter().filter_map(|part| match part {
                Part::Column(name) => Some(name),
                Part::Text(_) => None,
            }));
        }
        columns
    }

    /// Fills the member from `row`; amounts are in `currency`.
    pub(in crate::import) fn fill(
        &self,
        target: &Target,
        row: &Map<String, Value>,
        currency: Option<Currency>,
    ) -> Result<Filled, Unfit> {
        let mut filled = Filled::default();
        let money = Money { unit: self.unit, currency };
        if let Some(constant) = &self.constant {
            filled.value = self.shaped(target, &texts_of(constant), money, &mut filled)?;
            return Ok(filled);
        }
        for texts in self.gathered(target, row) {
            match self.taken(target, &texts, money, &mut filled) {
                Ok(value) => filled.value = value,
                Err(unfit) if self.invalid == Invalid::Drop => {
                    filled.left_out.push(left_out(unfit));
                }
                Err(unfit) => return Err(unfit),
            }
            if filled.value.is_some() {
                break;
            }
        }
        if filled.value.is_none()
            && let Some(default) = &self.default
        {
            filled.value = self.shaped(target, &texts_of(default), money, &mut filled)?;
        }
        if filled.value.is_none() && self.required {
            return Err(Unfit {
                value: String::new(),
                reason: format!("a value is required for {}", target.path()),
            });
        }
        Ok(filled)
    }

    /// Prepares one alternative of the source and brings it into shape.
    fn taken(
        &self,
        target: &Target,
        texts: &[String],
        money: Money,
        filled: &mut Filled,
    ) -> Result<Option<Value>, Unfit> {
        let prepared = self.prepared(target, texts, filled)?;
        if prepared.len() > 1 && !target.shape.is_list() {
            let reason =
                "expected one value, met a list: name one item (`column.0`) or use a template";
            return Err(Unfit { value: prepared.join(", "), reason: reason.to_owned() });
        }
        self.shaped(target, &prepared, money, filled)
    }

    /// The texts stripped, mapped and without the ones that mean nothing.
    fn prepared(
        &self,
        target: &Target,
        texts: &[String],
        filled: &mut Filled,
    ) -> Result<Vec<String>, Unfit> {
        let mut prepared = Vec::new();
        for text in texts {
            let text = text.trim();
            let text = match &self.strip_prefix {
                Some(prefix) => text.strip_prefix(prefix.as_str()).unwrap_or(text).trim_start(),
                None => text,
            };
            let means_nothing = |word: &String| word.to_lowercase() == text.to_lowercase();
            if text.is_empty() || self.absent.iter().chain(&self.exclude).any(means_nothing) {
                continue;
            }
            match self.mapped(text, filled) {
                // Of a list, only the item that does not fit is left out.
                Err(unfit) if self.invalid == Invalid::Drop && target.shape.is_list() => {
                    filled.left_out.push(left_out(unfit));
                }
                mapped => prepared.extend(mapped?),
            }
        }
        Ok(prepared)
    }

    fn mapped(&self, text: &str, filled: &mut Filled) -> Result<Option<String>, Unfit> {
        if let Some(word) = self.numbers.as_ref().filter(|_| amount::is_amount(text)) {
            return Ok(Some(word.clone()));
        }
        if self.map.is_empty() {
            return Ok(Some(text.to_owned()));
        }
        match (self.map.get(text), self.unmapped) {
            (Some(value), _) => Ok(Some(value.clone()).filter(|value| !value.is_empty())),
            (None, Unmapped::Keep) => Ok(Some(text.to_owned())),
            (None, Unmapped::Drop) => {
                let reason = "the mapping's map has no such value".to_owned();
                filled.left_out.push(left_out(Unfit { value: text.to_owned(), reason }));
                Ok(None)
            }
            (None, Unmapped::Fail) => {
                let known: Vec<&str> = self.map.keys().take(12).map(String::as_str).collect();
                let reason = format!(
                    "the mapping's map has no such value (it has {}): add it, or set unmapped to \"keep\" or \"drop\"",
                    known.join(", ")
                );
                Err(Unfit { value: text.to_owned(), reason })
            }
        }
    }

    /// The source's texts: for a list all at once, otherwise the columns that are not empty as alternatives.
    fn gathered(&self, target: &Target, row: &Map<String, Value>) -> Vec<Vec<String>> {
        if let Some(template) = &self.template {
            return rendered(template, row).map(|text| vec![text]).into_iter().collect();
        }
        let columns = self.column.iter().chain(self.columns.iter().flatten());
        let found =
            columns.map(|column| cell::texts(row, column)).filter(|texts| !texts.is_empty());
        if !target.shape.is_list() {
            return found.collect();
        }
        let texts: Vec<String> = found.flatten().collect();
        vec![self.separators.iter().fold(texts, |texts, separator| {
            texts
                .iter()
                .flat_map(|text| text.split(separator.as_str()))
                .map(str::to_owned)
                .collect()
        })]
    }

    fn shaped(
        &self,
        target: &Target,
        texts: &[String],
        money: Money,
        filled: &mut Filled,
    ) -> Result<Option<Value>, Unfit> {
        if target.shape.is_list() {
            return self.listed(target, texts, filled);
        }
        let Some(text) = texts.first() else { return Ok(None) };
        self.check_form(target, text)?;
        convert::single(target.shape, text, &self.dates, money, &mut filled.warnings)
            .map(Some)
            .map_err(|reason| Unfit { value: text.clone(), reason })
    }

    /// Checks a code that may be left out; one that may not is checked with its statement.
    fn check_form(&self, target: &Target, text: &str) -> Result<(), Unfit> {
        if self.invalid == Invalid::Fail {
            return Ok(());
        }
        form::check(target, text).map_err(|reason| Unfit { value: text.to_owned(), reason })
    }

    fn listed(
        &self,
        target: &Target,
        texts: &[String],
        filled: &mut Filled,
    ) -> Result<Option<Value>, Unfit> {
        let mut seen = BTreeSet::new();
        let mut items = Vec::new();
        for text in texts {
            let mut item = convert::item(target.shape, text, &mut filled.warnings);
            if target.pattern() == "ipc" {
                item = form::class(&item);
            }
            if let Err(unfit) = self.check_form(target, &item) {
                filled.left_out.push(left_out(unfit));
                continue;
            }
            if !item.is_empty() && seen.insert(item.to_lowercase()) {
                items.push(item);
            }
        }
        if items.is_empty() {
            return Ok(None);
        }
        if target.is_audience() {
            return convert::audience(&items)
                .map(Some)
                .map_err(|reason| Unfit { value: items.join(", "), reason });
        }
        // The mapping's own limit is a wish and passes in silence; the format's is reported.
        items.truncate(self.items_max.unwrap_or(usize::MAX));
        if items.len() > ITEMS_MAX {
            let value = items.split_off(ITEMS_MAX).join(", ");
            let reason = format!("a list has at most {ITEMS_MAX} items");
            filled.left_out.push(left_out(Unfit { value, reason }));
        }
        Ok(Some(Value::from(items)))
    }
}

fn left_out(unfit: Unfit) -> (String, String) {
    (unfit.value, format!("left out: {}", unfit.reason))
}

fn texts_of(value: &Value) -> Vec<String> {
    let row = Map::from_iter([("value".to_owned(), value.clone())]);
    cell::texts(&row, "value")
}

enum Part {
    Text(String),
    Column(String),
}

fn template_parts(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '{' | '}' if rest.peek() == Some(&next) => {
                rest.next();
                text.push(next);
            }
            '{' => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                if name.is_empty() || !template.contains(&format!("{{{name}}}")) {
                    return Err("the template has a `{` without its column and `}`".to_owned());
                }
                parts.push(Part::Column(name));
            }
            '}' => return Err("the template has a `}` without its `{`: write `}}`".to_owned()),
            other => text.push(other),
        }
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

/// The template's text; none when all its columns are empty.
fn rendered(template: &str, row: &Map<String, Value>) -> Option<String> {
    let mut text = String::new();
    let mut any = false;
    for part in template_parts(template).ok()? {
        match part {
            Part::Text(own) => text.push_str(&own),
            Part::Column(name) => {
                let found = cell::texts(row, &name).join(", ");
                any |= !found.is_empty();
                text.push_str(&found);
            }
        }
    }
    any.then_some(text)
}
