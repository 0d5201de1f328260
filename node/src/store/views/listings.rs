//! Listings: one row for each, folded from its revisions and status changes.
//!
//! A row is folded as if every event had authority, which is nearly always so; a query asks the
//! caller about each event of the rows that it would return, and folds anew without those that do
//! not count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hutong_crypto::digest::Hash;
use hutong_crypto::keys::PublicKey;
use hutong_protocol::audience::Audience;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::listing::{ListingEvent, ListingState};
use hutong_protocol::region::Region;
use hutong_protocol::statement::StatementType;
use lsm_tree::UserValue;
use serde::{Deserialize, Serialize};

use super::row::{
    Counts, EventPosition, PAGE_ROWS_MAX, PAGE_SCAN_MAX, Page, Recorded, decode, decode_name,
    encode, event_key, is_name, log_key, name_key,
};
use super::said::{What, revision_of};
use super::tables::{Batch, Table, Tables};
use crate::store::core::{Core, Held};
use crate::store::error::StoreError;

/// Which listings to look for; what is left out does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingQuery {
    /// Of this exchange.
    pub exchange: Option<ExchangeId>,
    /// Of this kind: `achievement`, `demand`, …
    pub kind: Option<String>,
    /// In this status: `listed`, `withdrawn`, …
    pub status: Option<String>,
    /// In this region or one inside it.
    pub region: Option<Region>,
    /// With this text in a title, or as the listing id; upper and lower case alike.
    pub text: Option<String>,
    /// Only those that anyone may see.
    pub public_only: bool,
    /// Rows wanted, 1 to 1,000.
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// A listing as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingRow {
    /// The exchange that lists it.
    pub log: ExchangeId,
    /// Its id, unique in the exchange.
    pub listing_id: String,
    /// The newest revision's number.
    pub revision: u64,
    /// `achievement`, `demand`, …
    pub kind: String,
    /// `listed` until a status says otherwise.
    pub status: String,
    /// Title for each language.
    pub titles: BTreeMap<String, String>,
    /// Its region.
    pub region: String,
    /// Who may see the newest revision.
    pub audience: Audience,
    /// Index of the newest revision, whose body says the rest.
    pub index: u64,
    /// Statement id of the newest revision.
    pub statement: StatementId,
    /// Its events, in order; all of them count, though some may change nothing.
    pub events: Vec<EventPosition>,
}

/// A row as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    /// The event that was taken in first. Most listings have no other.
    first: Event,
    /// Where the listing stands; `None` where its events amount to nothing, for want of a first revision.
    folded: Option<Folded>,
}

/// An event as it is stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Event {
    index: u64,
    signer: [u8; 32],
    /// The letter of its type.
    mark: u8,
}

/// Where a listing stands, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Folded {
    revision: u64,
    kind: String,
    status: String,
    titles: BTreeMap<String, String>,
    region: String,
    /// JSON of the audience; `None` for everybody.
    audience: Option<String>,
    index: u64,
    /// Index of the last event taken in.
    last: u64,
}

/// A listing while events are folded into it.
struct Standing {
    state: ListingState,
    /// Audience and index of the newest revision.
    audience: Option<String>,
    index: u64,
    /// Index of the last event taken in.
    last: u64,
}

/// A row while events are taken in.
struct Row {
    first: Event,
    standing: Option<Box<Standing>>,
}

impl Event {
    /// `None` where it is not about a listing.
    fn of(recorded: &Recorded) -> Option<Self> {
        let What::Listing { event, .. } = &recorded.what else { return None };
        let mark = match event {
            ListingEvent::Revision(_) => REVISION,
            ListingEvent::Status(_) => STATUS,
        };
        Some(Self { index: recorded.index, signer: *recorded.key.as_bytes(), mark })
    }

    fn position(&self, log: &ExchangeId) -> Option<EventPosition> {
        let kind = match self.mark {
            REVISION => StatementType::Listing,
            STATUS => StatementType::ListingStatus,
            _ => return None,
        };
        let key = PublicKey::from_bytes(self.signer);
        Some(EventPosition { log: log.clone(), index: self.index, key, kind })
    }
}

impl Standing {
    /// What `before` becomes by one more event. The protocol decides whether it changes anything.
    fn fold(mut before: Option<Box<Self>>, event: &Recorded) -> Option<Box<Self>> {
        if let Some(before) = &mut before {
            before.last = event.index;
        }
        let What::Listing { event: said, audience } = &event.what else { return before };
        let state = before.as_ref().map(|before| &before.state);
        match (ListingState::apply(state, said, event.id), before, said) {
            (Ok(state), Some(mut before), ListingEvent::Status(_)) => {
                before.state = state;
                Some(before)
            }
            (Ok(state), ..) => Some(Box::new(Self {
                state,
                audience: (*audience != Audience::Public).then(|| audience.to_value().to_string()),
                index: event.index,
                last: event.index,
            })),
            (Err(_), before, _) => before,
        }
    }

    fn folded(self) -> Folded {
        let listing = Arc::unwrap_or_clone(self.state.listing);
        Folded {
            revision: listing.revision,
            kind: listing.kind.as_str().to_owned(),
            status: self.state.standing.as_str().to_owned(),
            titles: listing.title,
            region: listing.region.as_str().to_owned(),
            audience: self.audience,
            index: self.index,
            last: self.last,
        }
    }
}

impl Folded {
    fn fits(&self, id: &str, query: &ListingQuery, text: Option<&str>) -> bool {
        let same = |wanted: &Option<String>, met: &str| wanted.as_ref().is_none_or(|w| w == met);
        same(&query.kind, &self.kind)
            && same(&query.status, &self.status)
            && (!query.public_only || self.audience.is_none())
            && query.region.as_ref().is_none_or(|wanted| {
                self.region.parse().is_ok_and(|region| wanted.contains(&region))
            })
            && text.is_none_or(|text| {
                id.to_lowercase() == text
                    || self.titles.values().any(|title| title.to_lowercase().contains(text))
            })
    }

    /// The state to go on from. What the row does not keep (the rest of the revision, why it stands so,
    /// which statements) decides nothing.
    fn standing(self, id: &str) -> Option<Box<Standing>> {
        let (kind, region) = (self.kind.parse().ok()?, self.region.parse().ok()?);
        let listing = revision_of(id.to_owned(), self.revision, kind, self.titles, region);
        let listing = Arc::new(listing);
        let (standing, none) = (self.status.parse().ok()?, Hash([0; Hash::LEN]));
        let state = ListingState { listing, standing, status: None, revised_by: none, last: none };
        let (audience, index, last) = (self.audience, self.index, self.last);
        Some(Box::new(Standing { state, audience, index, last }))
    }

    fn audience(&self) -> Option<Audience> {
        match &self.audience {
            None => Some(Audience::Public),
            Some(text) => Audience::from_value(&serde_json::from_str(text).ok()?).ok(),
        }
    }

    fn row(
        self,
        log: &ExchangeId,
        id: &str,
        statement: StatementId,
        events: Vec<EventPosition>,
    ) -> Option<ListingRow> {
        let audience = self.audience()?;
        Some(ListingRow {
            log: log.clone(),
            listing_id: id.to_owned(),
            revision: self.revision,
            kind: self.kind,
            status: self.status,
            titles: self.titles,
            region: self.region,
            audience,
            index: self.index,
            statement,
            events,
        })
    }
}

impl Core {
    /// Takes listings and their status changes in.
    pub(super) fn record_listings(
        &self,
        tables: &Tables,
        held: &Held,
        recorded: &[Recorded],
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        let mut others = Vec::new();
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        let mut late: BTreeSet<&str> = BTreeSet::new();
        for event in recorded {
            let (What::Listing { event: said, .. }, Some(stored)) = (&event.what, Event::of(event))
            else {
                continue;
            };
            let id = said.listing_id();
            if !is_name(id) {
                continue;
            }
            let before = match rows.remove(id) {
                Some(row) => Some(row),
                None => stored_row(tables, held, id)?,
            };
            let Some(Row { first, standing }) = before else {
                rows.insert(id, Row { first: stored, standing: Standing::fold(None, event) });
                continue;
            };
            if stored.index != first.index {
                let key = event_key(Table::ListingEvent, held.number, id, event.index);
                others.push((key, encode(&stored)));
            }
            let standing = match standing {
                Some(standing) if standing.last >= event.index => {
                    // An entry that became known later, or one that is taken in again.
                    late.insert(id);
                    Some(standing)
                }
                None => {
                    // Events behind a first revision that was withheld so far count from now on.
                    late.insert(id);
                    None
                }
                standing => Standing::fold(standing, event),
            };
            rows.insert(id, Row { first, standing });
        }
        if !late.is_empty() {
            // First, since late events are folded from what is written.
            let mut written = tables.batch();
            for (key, value) in others.drain(..) {
                written.insert(key, value);
            }
            written.commit()?;
        }
        for (key, value) in others {
            batch.insert(key, value);
        }
        for (id, Row { first, standing }) in rows {
            let standing = if late.contains(id) {
                let events = listing_events(tables, held, id, first)?;
                self.fold_listing(held, &events)?
            } else {
                standing
            };
            let stored = Stored { first, folded: standing.map(|standing| standing.folded()) };
            batch.insert(name_key(Table::Listing, held.number, id), encode(&stored));
        }
        Ok(())
    }

    /// Folds a listing from its entries.
    fn fold_listing(
        &self,
        held: &Held,
        events: &[EventPosition],
    ) -> Result<Option<Box<Standing>>, StoreError> {
        let mut row = None;
        for event in events {
            if let Some(Leaf::Entry(entry)) = self.leaf(held, event.index)?
                && let Some(recorded) = Recorded::parse(held, event.index, &entry)
            {
                row = Standing::fold(row, &recorded);
            }
        }
        Ok(row)
    }

    /// The row with the events that count only.
    fn counted(
        &self,
        tables: &Tables,
        held: &Held,
        id: &str,
        stored: Stored,
        counts: &Counts<'_>,
    ) -> Result<Option<(Folded, Vec<EventPosition>)>, StoreError> {
        let Stored { first, folded: Some(folded) } = stored else { return Ok(None) };
        let mut events = listing_events(tables, held, id, first)?;
        // Some may have come since the row was read.
        events.retain(|event| event.index <= folded.last);
        let all = events.len();
        events.retain(counts);
        if events.len() == all {
            return Ok(Some((folded, events)));
        }
        Ok(self.fold_listing(held, &events)?.map(|row| (row.folded(), events)))
    }

    pub(in crate::store) fn listing(
        &self,
        tables: &Tables,
        log: &ExchangeId,
        id: &str,
        counts: &Counts<'_>,
    ) -> Result<Option<ListingRow>, StoreError> {
        let number = match self.held(log) {
            Ok(held) => held.number,
            Err(StoreError::UnknownLog(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !is_name(id) {
            return Ok(None);
        }
        let value = tables.get(&name_key(Table::Listing, number, id))?;
        let Some(stored) = value.and_then(|value| decode::<Stored>(&value)) else {
            return Ok(None);
        };
        // After the row, which may tell of entries that came a moment ago.
        let held = self.held(log)?;
        let counted = self.counted(tables, &held, id, stored, counts)?;
        let Some((folded, events)) = counted else { return Ok(None) };
        let statement = self.leaf_hash(&held, folded.index)?;
        Ok(folded.row(log, id, statement, events))
    }

    pub(in crate::store) fn listings(
        &self,
        tables: &Tables,
        query: &ListingQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ListingRow>, StoreError> {
        let mut page = Page { rows: Vec::new(), next: None, behind: self.view_progress().behind };
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let after = query.after.as_deref();
        let rows = self.rows(tables, Table::Listing, query.exchange.as_ref(), after)?;
        for (seen, row) in rows.enumerate() {
            let (key, value) = row?;
            let Some((log, id, _)) = decode_name(&key) else { continue };
            if let Some(stored) = decode::<Stored>(&value)
                && let Some(folded) = &stored.folded
                && folded.fits(id, query, text.as_deref())
                && let Some(held) = self.held_by_number(log)
                && let Some((folded, events)) = self.counted(tables, &held, id, stored, counts)?
                && folded.fits(id, query, text.as_deref())
            {
                let statement = self.leaf_hash(&held, folded.index)?;
                page.rows.extend(folded.row(&held.exchange, id, statement, events));
            }
            if page.rows.len() >= query.limit.clamp(1, PAGE_ROWS_MAX) || seen + 1 >= PAGE_SCAN_MAX {
                page.next = Some(hex::encode(&key));
                break;
            }
        }
        Ok(page)
    }

    /// The rows of a table, of one exchange or all, behind the one that `after` names.
    pub(super) fn rows(
        &self,
        tables: &Tables,
        table: Table,
        exchange: Option<&ExchangeId>,
        after: Option<&str>,
    ) -> Result<impl Iterator<Item = Result<(Vec<u8>, UserValue), StoreError>> + use<>, StoreError>
    {
        let prefix = match exchange.map(|exchange| self.held(exchange)) {
            None => Some(vec![table as u8]),
            Some(Ok(held)) => Some(log_key(table, held.number)),
            Some(Err(StoreError::UnknownLog(_))) => None,
            Some(Err(error)) => return Err(error),
        };
        // The smallest key behind the one that was last seen.
        let mut start = after.and_then(|after| hex::decode(after).ok()).unwrap_or_default();
        start.push(0);
        Ok(prefix.map(|prefix| tables.scan(prefix, start)).into_iter().flatten())
    }
}

/// What is stored of a listing.
fn stored_row(tables: &Tables, held: &Held, id: &str) -> Result<Option<Row>, StoreError> {
    let value = tables.get(&name_key(Table::Listing, held.number, id))?;
    let stored = value.and_then(|value| decode::<Stored>(&value));
    Ok(stored.map(|Stored { first, folded }| {
        let standing = folded.and_then(|folded| folded.standing(id));
        Row { first, standing }
    }))
}

/// Every event of a listing, of which `first` was taken in first, in order.
fn listing_events(
    tables: &Tables,
    held: &Held,
    id: &str,
    first: Event,
) -> Result<Vec<EventPosition>, StoreError> {
    let mut events = Vec::from_iter(first.position(&held.exchange));
    let prefix = name_key(Table::ListingEvent, held.number, id);
    for row in tables.prefixed(prefix) {
        let (_, value) = row?;
        let event = decode::<Event>(&value).filter(|event| event.index != first.index);
        events.extend(event.and_then(|event| event.position(&held.exchange)));
    }
    events.sort_by_key(|event| event.index);
    Ok(events)
}

/// Letters of the types of events.
const REVISION: u8 = b'l';
const STATUS: u8 = b's';
