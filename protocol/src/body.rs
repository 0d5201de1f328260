//! What the body of each statement type must hold.

use serde_json::Value;

use crate::statement::{StatementError, StatementType};

/// Checks `body` against the rules of its type.
///
/// # Errors
///
/// [`StatementError::Member`] names what is wrong.
pub fn check(kind: &StatementType, body: &Value) -> Result<(), StatementError> {
    no_floats(body, "body")?;
    match kind {
        StatementType::Listing
        | StatementType::ListingStatus
        | StatementType::Contract
        | StatementType::MemberAdmit
        | StatementType::MemberSuspend
        | StatementType::MemberReinstate
        | StatementType::MemberExpel
        | StatementType::MemberRekey
        | StatementType::Evidence
        | StatementType::Unknown(_) => Ok(()),
    }
}

/// Statements hold no fractions: amounts are integers in minor units.
fn no_floats(value: &Value, path: &str) -> Result<(), StatementError> {
    match value {
        Value::Number(number) if number.is_f64() => {
            Err(StatementError::member(path, "expected an integer: amounts are in minor units"))
        }
        Value::Array(items) => items.iter().try_for_each(|item| no_floats(item, path)),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, value)| no_floats(value, &alloc::format!("{path}.{name}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
