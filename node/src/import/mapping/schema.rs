//! Which keys a mapping may have, and the flattening of its `[fields]`.

use super::{MappingError, nearest};
use std::collections::BTreeMap;

const TOP: &[&str] = &[
    "name",
    "kind",
    "description",
    "language",
    "audience",
    "amend",
    "redact_contacts",
    "source",
    "where",
    "drop",
    "id",
    "fields",
];
const SOURCE: &[&str] = &["format", "records", "encoding", "delimiter", "sheet", "header_row"];
const CONDITION: &[&str] = &["column", "equals", "one_of", "contains", "present", "not"];
const DROP: &[&str] = &["column", "equals", "one_of", "contains", "present", "not", "reason"];
const ID: &[&str] = &["prefix", "slug", "key", "column"];
const RULE: &[&str] = &[
    "column",
    "columns",
    "constant",
    "template",
    "default",
    "required",
    "map",
    "numbers",
    "unmapped",
    "separators",
    "strip_prefix",
    "exclude",
    "absent",
    "dates",
    "unit",
    "items_max",
    "invalid",
];

/// Checks every key but those of `[fields]`, whose targets are checked one by one.
pub(super) fn check_keys(table: &toml::Table) -> Result<(), MappingError> {
    known("the mapping", table, TOP)?;
    for (name, keys) in [("source", SOURCE), ("id", ID)] {
        if let Some(toml::Value::Table(inner)) = table.get(name) {
            known(&format!("[{name}]"), inner, keys)?;
        }
    }
    for (name, keys) in [("where", CONDITION), ("drop", DROP)] {
        let items = table.get(name).and_then(toml::Value::as_array);
        for inner in items.into_iter().flatten().filter_map(toml::Value::as_table) {
            known(&format!("[[{name}]]"), inner, keys)?;
        }
    }
    Ok(())
}

fn known(place: &str, table: &toml::Table, keys: &[&str]) -> Result<(), MappingError> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(MappingError::UnknownKey {
            place: place.to_owned(),
            key: key.clone(),
            suggestion: nearest(key, keys.iter().copied()),
        }),
    }
}

/// Collects the rules of `[fields]` by their target's path, so that `[fields.title.en]` and
/// `[fields."title.en"]` mean the same.
pub(super) fn flatten(
    table: &toml::Table,
    path: &mut Vec<String>,
    rules: &mut BTreeMap<String, toml::Value>,
) -> Result<(), MappingError> {
    for (key, value) in table {
        path.push(key.clone());
        let name = path.join(".");
        let place = format!("[fields.\"{name}\"]");
        let toml::Value::Table(inner) = value else {
            let place = if path.len() == 1 { "[fields]".to_owned() } else { place };
            return Err(MappingError::UnknownKey {
                place,
                key: key.clone(),
                suggestion: nearest(key, RULE.iter().copied()),
            });
        };
        // `[fields.title]` may have a rule of its own beside `[fields.title.en]`.
        let (deeper, own): (toml::Table, toml::Table) = inner
            .clone()
            .into_iter()
            .partition(|(key, value)| value.is_table() && !RULE.contains(&key.as_str()));
        known(&place, &own, RULE)?;
        let has_rule = !own.is_empty() || deeper.is_empty();
        if has_rule && rules.insert(name, toml::Value::Table(own)).is_some() {
            let reason = "has two rules".to_owned();
            return Err(MappingError::Invalid { place, reason });
        }
        flatten(&deeper, path, rules)?;
        path.pop();
    }
    Ok(())
}
