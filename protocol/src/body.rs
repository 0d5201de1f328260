//! What the body of each statement type must hold, and what it says.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;

use serde_json::{Number, Value};

use crate::contract::Contract;
use crate::json::{Document, Node};
use crate::listing::{Listing, ListingEvent, ListingStatus};
use crate::object::Path;
use crate::personal::names_a_person;
use crate::statement::{StatementError, StatementType};

/// What a body says, as far as this version has types for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Something about a listing.
    Listing(ListingEvent),
    /// Something about a contract.
    Contract(Box<Contract>),
    /// What is read where it acts, or not at all: membership, evidence, unknown types.
    Other,
}

impl Content {
    /// Reads `body`, which must keep to the rules of its type.
    ///
    /// This is asked where a type acts, in views and receipts, and never decides what an entry is
    /// worth as an entry. Bodies about membership are read where they act, in [`crate::directory`].
    ///
    /// # Errors
    ///
    /// [`StatementError::Member`] names what is wrong.
    pub fn from_body(kind: &StatementType, body: &Value) -> Result<Self, StatementError> {
        Self::read(kind, Document::of(body).root())
    }

    pub(crate) fn read(kind: &StatementType, body: Node<'_>) -> Result<Self, StatementError> {
        Ok(match kind {
            StatementType::Listing => {
                Self::Listing(ListingEvent::Revision(Arc::new(Listing::read(body)?)))
            }
            StatementType::ListingStatus => {
                Self::Listing(ListingEvent::Status(ListingStatus::read(body)?))
            }
            StatementType::Contract => Self::Contract(Box::new(Contract::read(body)?)),
            StatementType::MemberAdmit
            | StatementType::MemberSuspend
            | StatementType::MemberReinstate
            | StatementType::MemberExpel
            | StatementType::MemberRekey
            | StatementType::Evidence
            | StatementType::Enrolment
            | StatementType::Freeze
            | StatementType::Anchors
            | StatementType::Succession
            | StatementType::Unknown(_) => Self::Other,
        })
    }
}

/// No fractions, since amounts are integers in minor units.
pub(crate) fn refuse_fractions(body: Node<'_>) -> Result<(), StatementError> {
    walk(body, Path::Root("body"), &|path, value| {
        if value.as_number().is_some_and(Number::is_f64) {
            return Err(path.error("an integer, amounts being in minor units", value));
        }
        Ok(())
    })
}

/// No member that is known to carry a natural person's data, at any depth.
///
/// Asked of what is about to be signed, and never of what others recorded: the words known here grow.
pub(crate) fn refuse_personal_data(body: Node<'_>) -> Result<(), StatementError> {
    walk(body, Path::Root("body"), &|path, _| match path {
        Path::Member(_, name) if names_a_person(name) => Err(StatementError::member(
            path.to_string(),
            "a natural person's data never enters a statement; keep it at the office",
        )),
        Path::Member(..) | Path::Root(_) | Path::Element(..) => Ok(()),
    })
}

/// Asks `check` about every value, a member's or element's path with each. Documents are at most 16
/// levels deep.
fn walk(
    value: Node<'_>,
    path: Path<'_>,
    check: &impl Fn(&Path<'_>, Node<'_>) -> Result<(), StatementError>,
) -> Result<(), StatementError> {
    check(&path, value)?;
    for (index, item) in value.items().into_iter().flatten().enumerate() {
        walk(item, path.element(index), check)?;
    }
    for (name, member) in value.members().into_iter().flatten() {
        walk(member, path.member(name), check)?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::audience::Audience;
    use crate::json::INTEGER_MAX;
    use crate::money::Currency;
    use crate::statement::{Draft, Statement};

    fn draft(kind: StatementType, body: Value) -> Draft {
        Draft {
            audience: Audience::Public,
            issued_at: "2026-11-23T08:00:00Z".parse().unwrap(),
            issuer: "cn-33-zhejiang".parse().unwrap(),
            salt: [7; 16],
            kind,
            body,
        }
    }

    #[test]
    fn a_body_of_another_type_is_refused_in_drafts() {
        let listing = json!({"kind": "fund", "listing_id": "a", "region": "CN", "revision": 1,
            "title": {"en": "a"}});
        let status = json!({"listing_id": "a", "status": "audited"});
        let contract = json!({"event": "cancelled", "registration_no": "1",
            "previous": "0".repeat(64)});
        let kinds = [StatementType::Listing, StatementType::ListingStatus, StatementType::Contract];
        for (own, kind) in kinds.into_iter().enumerate() {
            for (other, body) in [&listing, &status, &contract].into_iter().enumerate() {
                let encoded = draft(kind.clone(), body.clone()).encode();
                assert_eq!(encoded.is_ok(), own == other, "{kind:?} {body}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_listing_that_is_drafted_is_read_back(
            id in "[a-z0-9-]{1,64}",
            revision in 1..=INTEGER_MAX,
            title in "[^\\p{C}\\p{Z}]{1,300}",
            minor in 0..=INTEGER_MAX,
            more in "[^\\p{C}]{0,80}",
        ) {
            let body = json!({
                "kind": "demand", "listing_id": id, "region": "KZ", "revision": revision,
                "title": {"zh": title}, "more": {"text": more},
                "pricing": {"amount": minor, "currency": "CNY", "mode": "auction"},
            });
            let bytes = draft(StatementType::Listing, body.clone()).encode().unwrap();
            let statement = Statement::parse(&bytes).unwrap();
            prop_assert_eq!(&statement.body, &body);
            let listing = Listing::from_body(&statement.body).unwrap();
            let amount = listing.pricing.and_then(|pricing| pricing.amount).unwrap();
            prop_assert_eq!((listing.listing_id, listing.revision), (id, revision));
            prop_assert_eq!((amount.minor(), amount.currency()), (minor, Currency::CNY));
            prop_assert_eq!(&listing.title["zh"], &title);
        }

        #[test]
        fn a_contract_that_is_drafted_is_read_back(
            number in "[0-9A-Za-z-]{1,32}",
            previous in any::<[u8; 32]>(),
            commitment in any::<[u8; 32]>(),
        ) {
            let body = json!({
                "claims": {"terms": hex::encode(commitment)},
                "event": "revoked", "previous": hex::encode(previous), "registration_no": number,
            });
            let bytes = draft(StatementType::Contract, body.clone()).encode().unwrap();
            let statement = Statement::parse(&bytes).unwrap();
            prop_assert_eq!(&statement.body, &body);
            let contract = Contract::from_body(&statement.body).unwrap();
            prop_assert_eq!(contract.registration_no, number);
            prop_assert_eq!(contract.previous.map(|previous| previous.0), Some(previous));
            prop_assert_eq!(contract.claims["terms"].as_bytes(), &commitment);
        }
    }

    fn refused(body: &Value) -> alloc::string::String {
        let drafted = draft(StatementType::Unknown("example/other/v1".into()), body.clone());
        let encoded = drafted.encode();
        encoded.map_or_else(|error| error.to_string(), |_| "accepted".to_string())
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
        // What others recorded is read all the same.
        let body = json!({"listing_id": "a", "phone": "1", "status": "audited"});
        assert!(Content::from_body(&StatementType::ListingStatus, &body).is_ok());
    }
}
