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

/// Where a listing stands, for whoever does not hold what it says: all that later statements are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingCourse {
    /// The listing.
    pub listing_id: String,
    /// Number of the newest revision; `None` where it is not known.
    pub revision: Option<u64>,
    /// Where it stands.
    pub standing: ListingStatusKind,
}

impl ListingCourse {
    /// The course just after `status`, for a reader who holds nothing earlier and takes it that the status took
    /// effect. So the listing has a revision, whose number is not known.
    pub fn from_status(status: &ListingStatus) -> Self {
        Self { listing_id: status.listing_id.clone(), revision: None, standing: status.status }
    }

    /// The course after `event`.
    ///
    /// # Errors
    ///
    /// [`ListingVoid`] says why the statement changes nothing; the course is then as before.
    pub fn apply(&self, event: &ListingEvent) -> Result<Self, ListingVoid> {
        if self.listing_id != event.listing_id() {
            return Err(ListingVoid::OtherListing {
                expected: self.listing_id.clone(),
                met: event.listing_id().into(),
            });
        }
        match event {
            ListingEvent::Revision(listing) => self.revise(listing.revision),
            ListingEvent::Status(status) => self.change(status.status),
        }
    }

    fn revise(&self, met: u64) -> Result<Self, ListingVoid> {
        if self.standing == ListingStatusKind::Traded {
            return Err(ListingVoid::Traded);
        }
        // Where no number is known there was one at least.
        let expected = self.revision.map_or_else(|| met.max(2), |revision| revision + 1);
        if met != expected {
            return Err(ListingVoid::Revision { expected, met });
        }
        // A revision does not settle an objection.
        let standing = match self.standing {
            ListingStatusKind::Objected => ListingStatusKind::Objected,
            ListingStatusKind::Audited
            | ListingStatusKind::Listed
            | ListingStatusKind::Withdrawn
            | ListingStatusKind::Traded
            | ListingStatusKind::Disclosed => ListingStatusKind::Listed,
        };
        Ok(Self { revision: Some(met), standing, ..self.clone() })
    }

    fn change(&self, standing: ListingStatusKind) -> Result<Self, ListingVoid> {
        let settles = match standing {
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
            ListingStatusKind::Objected if !settles => Err(ListingVoid::Objected(standing)),
            ListingStatusKind::Objected
            | ListingStatusKind::Audited
            | ListingStatusKind::Listed
            | ListingStatusKind::Disclosed => Ok(Self { standing, ..self.clone() }),
        }
    }
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
        let Some(state) = state else { return Self::begin(event, id) };
        let course = state.course().apply(event)?;
        Ok(match event {
            ListingEvent::Revision(listing) => Self {
                standing: course.standing,
                // A revision does not settle an objection.
                status: state
                    .status
                    .clone()
                    .filter(|_| course.standing == ListingStatusKind::Objected),
                ..Self::from_revision(listing, id)
            },
            ListingEvent::Status(status) => Self {
                standing: course.standing,
                status: Some(status.clone()),
                last: id,
                ..state.clone()
            },
        })
    }

    /// The course that it has taken.
    pub fn course(&self) -> ListingCourse {
        ListingCourse {
            listing_id: self.listing.listing_id.clone(),
            revision: Some(self.listing.revision),
            standing: self.standing,
        }
    }

    /// The state after the first statement about a listing.
    fn begin(event: &ListingEvent, id: StatementId) -> Result<Self, ListingVoid> {
        match event {
            ListingEvent::Revision(listing) if listing.revision == 1 => {
                Ok(Self::from_revision(listing, id))
            }
            ListingEvent::Revision(listing) => {
                Err(ListingVoid::Revision { expected: 1, met: listing.revision })
            }
            ListingEvent::Status(status) => Err(ListingVoid::Unlisted(status.listing_id.clone())),
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
}
