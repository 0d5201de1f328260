//! What the body of each statement type must hold.

use serde_json::Value;

use crate::contract::Contract;
use crate::listing::{Listing, ListingStatus};
use crate::object::Path;
use crate::personal::names_a_person;
use crate::statement::{StatementError, StatementType};

/// Checks `body` against the rules of every body and of its type.
///
/// Bodies about membership are read where they act, in [`crate::directory`].
///
/// # Errors
///
/// [`StatementError::Member`] names what is wrong.
pub fn check(kind: &StatementType, body: &Value) -> Result<(), StatementError> {
    check_members(body, Path::Root("body"))?;
    match kind {
        StatementType::Listing => Listing::from_body(body).map(|_| ()),
        StatementType::ListingStatus => ListingStatus::from_body(body).map(|_| ()),
        StatementType::Contract => Contract::from_body(body).map(|_| ()),
        StatementType::MemberAdmit
        | StatementType::MemberSuspend
        | StatementType::MemberReinstate
        | StatementType::MemberExpel
        | StatementType::MemberRekey
        | StatementType::Evidence
        | StatementType::Unknown(_) => Ok(()),
    }
}

/// No fractions, since amounts are integers in minor units, and no member that is known to carry a
/// natural person's data, at any depth.
fn check_members(value: &Value, path: Path<'_>) -> Result<(), StatementError> {
    match value {
        Value::Number(number) if number.is_f64() => {
            Err(path.error("an integer, amounts being in minor units", value))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_members(item, path.element(index))),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            if names_a_person(name) {
                return Err(StatementError::member(
                    alloc::format!("{}", path.member(name)),
                    "a natural person's data never enters a statement; keep it at the office",
                ));
            }
            check_members(value, path.member(name))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> alloc::string::String {
        let kind = StatementType::Unknown("example/other/v1".into());
        check(&kind, body).map_or_else(|error| error.to_string(), |()| "accepted".to_string())
    }

    #[test]
    fn a_fraction_is_refused_where_it_stands() {
        assert_eq!(
            refused(&json!({"pricing": {"tiers": [1, 2.5]}})),
            "`body.pricing.tiers[1]`: expected an integer, amounts being in minor units, met 2.5"
        );
        assert_eq!(refused(&json!({"pricing": {"tiers": [1, 2]}})), "accepted");
    }

    #[test]
    fn a_persons_data_is_refused_at_any_depth() {
        let told = refused(&json!({"parties": [{"name": "x"}, {"buyer_contact": "y"}]}));
        assert_eq!(
            told,
            "`body.parties[1].buyer_contact`: a natural person's data never enters a statement; \
             keep it at the office"
        );
        assert_eq!(refused(&json!({"parties": [{"name": "x"}]})), "accepted");
    }
}
