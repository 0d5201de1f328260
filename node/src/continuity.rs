//! What may be said next about a contract or listing: the protocol's own fold over what is recorded.
//!
//! A statement that does not follow would be recorded for ever and change nothing, so an operator is told
//! before it is signed. Requests about one subject go one after the other: see [`Reservations`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hutong_protocol::body::Content;
use hutong_protocol::contract::ContractState;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::listing::ListingState;
use hutong_protocol::prepare::Unsigned;
use hutong_protocol::statement::{Judged, Statement};
use thiserror::Error;

use crate::handle::NodeView;
use crate::receipts::counts;
use crate::store::{Store, StoreError};

/// Long enough for the views to take in what was published just before.
pub const SETTLE: Duration = Duration::from_secs(2);

/// Why a statement may not be said next, or it is not known whether it may.
#[derive(Debug, Error)]
pub enum ContinuityError {
    /// It would change nothing.
    #[error("this would change nothing about {subject}: {reason}")]
    NotNext {
        /// Its place in the group, from 0.
        place: usize,
        /// Which contract or listing.
        subject: String,
        /// Why.
        reason: String,
    },
    /// Another request about the same contract or listing is under way.
    #[error("another request about {subject} is under way")]
    UnderWay {
        /// Its place in the group, from 0.
        place: usize,
        /// Which contract or listing.
        subject: String,
    },
    /// What is recorded has not been read to its end, so nothing can be said of what follows it.
    #[error("what is recorded has not been read into the views to its end")]
    Behind,
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a statement is about; `None` where nothing later could follow it.
fn subject_of(content: &Content) -> Option<String> {
    match content {
        Content::Contract(contract) => Some(format!("contract {}", contract.registration_no)),
        Content::Listing(event) => Some(format!("listing {}", event.listing_id())),
        Content::Other => None,
    }
}

/// Where a contract or listing stands.
#[derive(Default)]
enum Standing {
    #[default]
    New,
    Contract(Box<ContractState>),
    Listing(Box<ListingState>),
}

impl Standing {
    /// Moves on by one statement, or says why it changes nothing.
    fn apply(&mut self, said: &Content, id: StatementId) -> Result<(), String> {
        let next = match said {
            Content::Contract(contract) => {
                let state = if let Self::Contract(state) = self { Some(&**state) } else { None };
                ContractState::apply(state, contract, id)
                    .map(|state| Self::Contract(Box::new(state)))
                    .map_err(|error| error.to_string())
            }
            Content::Listing(event) => {
                let state = if let Self::Listing(state) = self { Some(&**state) } else { None };
                ListingState::apply(state, event, id)
                    .map(|state| Self::Listing(Box::new(state)))
                    .map_err(|error| error.to_string())
            }
            Content::Other => return Ok(()),
        };
        *self = next?;
        Ok(())
    }
}

/// An event that changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Place in the log, from 0.
    pub index: u64,
    /// Its statement.
    pub id: StatementId,
}

/// Folds what is recorded about the subject of `statement` in `log`, once the views hold the whole log, and
/// returns the events that changed something; `None` for statements of other types, which have no later events.
///
/// # Errors
///
/// [`ContinuityError::Behind`] and [`ContinuityError::Store`].
pub fn history(
    view: &NodeView,
    store: &Store,
    log: &ExchangeId,
    statement: &Statement,
) -> Result<Option<Vec<Effective>>, ContinuityError> {
    if !store.settle_log(log, SETTLE) {
        return Err(ContinuityError::Behind);
    }
    Ok(effective(view, store, log, statement)?)
}

/// As [`history`], from what the views hold now.
///
/// # Errors
///
/// [`StoreError`].
pub fn effective(
    view: &NodeView,
    store: &Store,
    log: &ExchangeId,
    statement: &Statement,
) -> Result<Option<Vec<Effective>>, StoreError> {
    match Content::from_body(&statement.kind, &statement.body) {
        Ok(Content::Other) | Err(_) => Ok(None),
        Ok(said) => Ok(Some(fold(view, store, log, &said)?.1)),
    }
}

fn fold(
    view: &NodeView,
    store: &Store,
    log: &ExchangeId,
    said: &Content,
) -> Result<(Standing, Vec<Effective>), StoreError> {
    let (mut standing, mut effective) = (Standing::New, Vec::new());
    for index in places(view, store, log, said)? {
        let Some(Leaf::Entry(entry)) = store.leaf(log, index)? else { continue };
        let Ok(Judged { content: Ok(event), .. }) = Judged::parse(entry.statement_bytes()) else {
            continue;
        };
        if standing.apply(&event, entry.id()).is_ok() {
            effective.push(Effective { index, id: entry.id() });
        }
    }
    Ok((standing, effective))
}

/// Where everything about a subject is recorded, in order.
fn places(
    view: &NodeView,
    store: &Store,
    log: &ExchangeId,
    said: &Content,
) -> Result<Vec<u64>, StoreError> {
    let counts = |event: &crate::store::EventPosition| counts(view, event);
    match said {
        Content::Contract(contract) => {
            let rows = store.contract(&contract.registration_no, &counts)?;
            let row = rows.into_iter().find(|row| row.log == *log);
            let events = row.into_iter().flat_map(|row| row.events);
            Ok(events.map(|event| event.position.index).collect())
        }
        Content::Listing(event) => {
            let row = store.listing(log, event.listing_id(), &counts)?;
            let events = row.into_iter().flat_map(|row| row.events);
            Ok(events.map(|event| event.index).collect())
        }
        Content::Other => Ok(Vec::new()),
    }
}

/// Checks that each statement of a group follows what is recorded and what stands before it in the group.
///
/// Statements of other types follow nothing. Reads the disk, and waits up to `patience` for the views to hold
/// what is recorded in the log of `me`; `view` is taken only then, since which events count may be decided
/// meanwhile.
///
/// # Errors
///
/// [`ContinuityError`] names the statement and what was expected; [`ContinuityError::Behind`] if the views are
/// not there in time.
pub fn check(
    me: &ExchangeId,
    store: &Store,
    group: &[Unsigned],
    patience: Duration,
    view: impl FnOnce() -> Arc<NodeView>,
) -> Result<(), ContinuityError> {
    let said = group.iter().map(|statement| &statement.said().content);
    if said.clone().all(|content| *content == Content::Other) {
        return Ok(());
    }
    if !store.settle_log(me, patience) {
        return Err(ContinuityError::Behind);
    }
    let view = view();
    let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
    for (place, said) in said.enumerate() {
        let Some(subject) = subject_of(said) else { continue };
        let standing = match standings.entry(subject) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(fold(&view, store, me, said)?.0),
        };
        // The statement's id is not known before it is signed; nothing in the group can name it yet.
        let stand_in = hutong_crypto::sha256(&place.to_be_bytes());
        standing.apply(said, stand_in).map_err(|reason| {
            let subject = subject_of(said).unwrap_or_default();
            ContinuityError::NotNext { place, subject, reason }
        })?;
    }
    Ok(())
}

/// Subjects of requests under way. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reservations(Arc<Mutex<BTreeSet<String>>>);

/// Subjects held until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    all: Reservations,
    subjects: BTreeSet<String>,
}

impl Reservations {
    /// Holds the subjects of `group` for one request.
    ///
    /// # Errors
    ///
    /// [`ContinuityError::UnderWay`] if another request holds one of them.
    pub fn reserve(&self, group: &[Unsigned]) -> Result<Reserved, ContinuityError> {
        let mut subjects = BTreeSet::new();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, statement) in group.iter().enumerate() {
            let Some(subject) = subject_of(&statement.said().content) else { continue };
            if held.contains(&subject) {
                return Err(ContinuityError::UnderWay { place, subject });
            }
            subjects.insert(subject);
        }
        held.extend(subjects.iter().cloned());
        Ok(Reserved { all: self.clone(), subjects })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut held = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in &self.subjects {
            held.remove(subject);
        }
    }
}
