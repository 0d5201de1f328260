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
            path.pop();
            let place = if path.is_empty() { "[fields]".to_owned() } else { place };
            return Err(MappingError::UnknownKey {
                place,
                key: key.clone(),
                suggestion: nearest(key, RULE.iter().copied()),
            });
        };
        let is_rule = inner.keys().any(|key| RULE.contains(&key.as_str()))
            || inner.values().any(|value| !value.is_table());
        if is_rule {
            known(&place, inner, RULE)?;
            if rules.insert(name.clone(), value.clone()).is_some() {
                let reason = "has two rules".to_owned();
                return Err(MappingError::Invalid { place, reason });
            }
        } else {
            flatten(inner, path, rules)?;
        }
        path.pop();
    }
    Ok(())
}
