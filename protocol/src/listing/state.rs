//! How a listing's statements follow each other.

use alloc::string::String;
use alloc::sync::Arc;

use crate::id::StatementId;

use super::{Listing, ListingStatus};
use crate::codes::ListingStatusKind;

/// A statement about a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListingEvent {
    /// A revision of it.
    Revision(Arc<Listing>),
    /// A change of where it stands.
    Status(ListingStatus),
}

impl ListingEvent {
    /// The listing that it is about.
    pub fn listing_id(&self) -> &str {
        match self {
            Self::Revision(listing) => &listing.listing_id,
            Self::Status(status) => &status.listing_id,
        }
    }
}

/// What the statements about one listing of one exchange amount to, in the order of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingState {
    /// The newest revision.
    pub listing: Arc<Listing>,
    /// Where it stands.
    pub standing: ListingStatusKind,
    /// The newest change of where it stands, if there was one since it was listed.
    pub status: Option<ListingStatus>,
    /// The newest revision's statement.
    pub revised_by: StatementId,
    /// The newest statement about it.
    pub last: StatementId,
}

/// Why a statement about a listing changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingVoid {
    /// It is about another listing.
    #[error("statement is about listing `{met}`, not `{expected}`")]
    OtherListing {
        /// The listing whose state was given.
        expected: String,
        /// The listing of the statement.
        met: String,
    },
    /// It changes where a listing stands that was never made.
    #[error("listing `{0}` has no revision yet: publish revision 1 first")]
    Unlisted(String),
    /// Its revision does not follow.
    #[error("revision {met} does not follow: expected {expected}")]
    Revision {
        /// The next revision.
        expected: u64,
        /// The statement's.
        met: u64,
    },
    /// The listing was traded, which is final.
    #[error("listing was traded, which is final: publish a new listing")]
    Traded,
    /// A withdrawn listing comes back by a new revision only.
    #[error("listing was withdrawn: publish a new revision to list it again")]
    Withdrawn,
    /// An objection must be settled first.
    #[error("listing has an objection, so it cannot become {0}: list or withdraw it first")]
    Objected(ListingStatusKind),
}

impl ListingState {
    /// The state after `event`, the statement `id`, where `state` came before it.
    ///
    /// # Errors
    ///
    /// [`ListingVoid`] says why the statement changes nothing; the state is then as before.
    pub fn apply(
        state: Option<&Self>,
        event: &ListingEvent,
        id: StatementId,
    ) -> Result<Self, ListingVoid> {
        if let Some(state) = state
            && state.listing.listing_id != event.listing_id()
        {
            return Err(ListingVoid::OtherListing {
                expected: state.listing.listing_id.clone(),
                met: event.listing_id().into(),
            });
        }
        match event {
            ListingEvent::Revision(listing) => Self::revise(state, listing, id),
            ListingEvent::Status(status) => match state {
                Some(state) => state.change(status, id),
                None => Err(ListingVoid::Unlisted(status.listing_id.clone())),
            },
        }
    }

    /// The state just after the revision `listing`, the statement `id`, for a reader who holds nothing earlier
    /// and takes it that the revision took effect. An objection made before is not known to it.
    pub fn from_revision(listing: &Arc<Listing>, id: StatementId) -> Self {
        Self {
            listing: Arc::clone(listing),
            standing: ListingStatusKind::Listed,
            status: None,
            revised_by: id,
            last: id,
        }
    }

    /// Whether it can still be bought or answered.
    pub fn is_open(&self) -> bool {
        match self.standing {
            ListingStatusKind::Audited
            | ListingStatusKind::Listed
            | ListingStatusKind::Disclosed
            | ListingStatusKind::Objected => true,
            ListingStatusKind::Withdrawn | ListingStatusKind::Traded => false,
        }
    }

    fn revise(
        state: Option<&Self>,
        listing: &Arc<Listing>,
        id: StatementId,
    ) -> Result<Self, ListingVoid> {
        if state.is_some_and(|state| state.standing == ListingStatusKind::Traded) {
            return Err(ListingVoid::Traded);
        }
        let expected = state.map_or(0, |state| state.listing.revision) + 1;
        if listing.revision != expected {
            return Err(ListingVoid::Revision { expected, met: listing.revision });
        }
        let mut next = Self::from_revision(listing, id);
        // A revision does not settle an objection.
        if let Some(state) = state.filter(|state| state.standing == ListingStatusKind::Objected) {
            next.standing = state.standing;
            next.status.clone_from(&state.status);
        }
        Ok(next)
    }

    fn change(&self, status: &ListingStatus, id: StatementId) -> Result<Self, ListingVoid> {
        let settles = match status.status {
            ListingStatusKind::Listed
            | ListingStatusKind::Withdrawn
            | ListingStatusKind::Objected => true,
            ListingStatusKind::Audited
            | ListingStatusKind::Traded
            | ListingStatusKind::Disclosed => false,
        };
        match self.standing {
            ListingStatusKind::Traded => Err(ListingVoid::Traded),
            ListingStatusKind::Withdrawn => Err(ListingVoid::Withdrawn),
            ListingStatusKind::Objected if !settles => Err(ListingVoid::Objected(status.status)),
            ListingStatusKind::Objected
            | ListingStatusKind::Audited
            | ListingStatusKind::Listed
            | ListingStatusKind::Disclosed => Ok(Self {
                standing: status.status,
                status: Some(status.clone()),
                last: id,
                ..self.clone()
            }),
        }
    }
}
