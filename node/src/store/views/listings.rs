//! Listings: one row for each, folded from its revisions and status changes.
//!
//! A row is folded as if every event had authority, which is nearly always so; a query asks the
//! caller about each event of the rows that it would return, and folds anew without those that do
//! not count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hutong_crypto::keys::PublicKey;
use hutong_protocol::audience::Audience;
use hutong_protocol::body::Content;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::listing::{ListingEvent, ListingState};
use hutong_protocol::region::Region;
use hutong_protocol::statement::StatementType;
use lsm_tree::UserValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::row::{
    Counts, EventPosition, PAGE_ROWS_MAX, PAGE_SCAN_MAX, Page, Recorded, decode_index, decode_name,
    event_key, is_name, log_key, name_key,
};
use super::tables::{Batch, Table};
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

/// The stored part of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Folded {
    revision: u64,
    kind: String,
    status: String,
    titles: BTreeMap<String, String>,
    region: String,
    audience: Value,
    index: u64,
    /// Index of the last event taken in.
    last: u64,
}

/// A listing while events are folded into it.
struct Standing {
    state: ListingState,
    /// Audience and index of the newest revision.
    audience: Value,
    index: u64,
    /// Index of the last event taken in.
    last: u64,
}

/// What is known of a listing before an event is taken in.
enum Before {
    /// Nothing at all.
    Nothing,
    /// Events that amount to nothing, for want of a first revision.
    Events,
    /// Where it stands.
    Stands(Box<Standing>),
}

impl Standing {
    /// What `before` becomes by one more event. The protocol decides whether it changes anything.
    fn fold(before: Option<Self>, event: &Recorded) -> Option<Self> {
        let before = before.map(|before| Self { last: event.index, ..before });
        let Content::Listing(said) = &event.said.content else { return before };
        let state = before.as_ref().map(|before| &before.state);
        match (ListingState::apply(state, said, event.id), before, said) {
            (Ok(state), Some(before), ListingEvent::Status(_)) => Some(Self { state, ..before }),
            (Ok(state), ..) => Some(Self {
                state,
                audience: event.said.audience.to_value(),
                index: event.index,
                last: event.index,
            }),
            (Err(_), before, _) => before,
        }
    }

    fn folded(self) -> Folded {
        let listing = Arc::unwrap_or_clone(self.state.listing);
        Folded {
            revision: listing.revision,
            kind: listing.kind.to_string(),
            status: self.state.standing.to_string(),
            titles: listing.title,
            region: listing.region.to_string(),
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
            && (!query.public_only || self.audience == "public")
            && query.region.as_ref().is_none_or(|wanted| {
                self.region.parse().is_ok_and(|region| wanted.contains(&region))
            })
            && text.is_none_or(|text| {
                id.to_lowercase() == text
                    || self.titles.values().any(|title| title.to_lowercase().contains(text))
            })
    }

    fn row(
        self,
        log: &ExchangeId,
        id: &str,
        statement: StatementId,
        events: Vec<EventPosition>,
    ) -> Option<ListingRow> {
        Some(ListingRow {
            log: log.clone(),
            listing_id: id.to_owned(),
            revision: self.revision,
            kind: self.kind,
            status: self.status,
            titles: self.titles,
            region: self.region,
            audience: Audience::from_value(&self.audience).ok()?,
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
        held: &Held,
        recorded: &[Recorded],
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        let mut events = self.tables.batch();
        let mut standing: BTreeMap<&str, Before> = BTreeMap::new();
        let mut late: BTreeSet<&str> = BTreeSet::new();
        for event in recorded {
            let (Some(id), Some(mark)) = (event.subject(), mark(&event.said.kind)) else {
                continue;
            };
            let mut value = event.key.as_bytes().to_vec();
            value.push(mark);
            events.insert(event_key(Table::ListingEvent, held.number, id, event.index), value);
            let before = match standing.remove(id) {
                Some(before) => before,
                None => self.standing(held, id)?,
            };
            let after = match before {
                Before::Stands(row) if row.last >= event.index => {
                    // An entry that became known later, or one that is taken in again.
                    late.insert(id);
                    Some(row)
                }
                Before::Stands(row) => Standing::fold(Some(*row), event).map(Box::new),
                Before::Nothing => Standing::fold(None, event).map(Box::new),
                Before::Events => {
                    // Events behind a first revision that was withheld so far count from now on.
                    late.insert(id);
                    Standing::fold(None, event).map(Box::new)
                }
            };
            standing.insert(id, after.map_or(Before::Events, Before::Stands));
        }
        // First, since late events are folded from what is written.
        events.commit()?;
        for (id, row) in standing {
            let row = match row {
                _ if late.contains(id) => {
                    self.fold_listing(held, &self.listing_events(held, id)?)?
                }
                Before::Stands(row) => Some(*row),
                Before::Nothing | Before::Events => None,
            };
            // An empty row says that there are events.
            let row = row.and_then(|row| serde_json::to_vec(&row.folded()).ok());
            batch.insert(name_key(Table::Listing, held.number, id), row.unwrap_or_default());
        }
        Ok(())
    }

    /// What the row says of a listing, with its newest revision read from the log.
    fn standing(&self, held: &Held, id: &str) -> Result<Before, StoreError> {
        let Some(row) = self.tables.get(&name_key(Table::Listing, held.number, id))? else {
            return Ok(Before::Nothing);
        };
        let Ok(folded) = serde_json::from_slice::<Folded>(&row) else { return Ok(Before::Events) };
        let Some(Leaf::Entry(entry)) = self.leaf(held, folded.index)? else {
            return Ok(Before::Events);
        };
        let revision = Recorded::parse(held, folded.index, &entry);
        let read = revision.and_then(|revision| {
            let Content::Listing(ListingEvent::Revision(listing)) = revision.said.content else {
                return None;
            };
            Some((listing, folded.status.parse().ok()?, revision.id))
        });
        let Some((listing, standing, revised_by)) = read else { return Ok(Before::Events) };
        // What the row does not keep (why it stands so, the last statement) decides nothing.
        let state = ListingState { listing, standing, status: None, revised_by, last: revised_by };
        let (audience, index, last) = (folded.audience, folded.index, folded.last);
        Ok(Before::Stands(Box::new(Standing { state, audience, index, last })))
    }

    fn folded(&self, log: u32, id: &str) -> Result<Option<Folded>, StoreError> {
        let value = self.tables.get(&name_key(Table::Listing, log, id))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    fn listing_events(&self, held: &Held, id: &str) -> Result<Vec<EventPosition>, StoreError> {
        let mut events = Vec::new();
        let prefix = name_key(Table::ListingEvent, held.number, id);
        for row in self.tables.prefixed(prefix.clone()) {
            let (key, value) = row?;
            let index = decode_index(&key[prefix.len()..]);
            let signed = value.split_last().and_then(|(mark, signer)| {
                Some((kind_of(*mark)?, PublicKey::try_from(signer).ok()?))
            });
            if let (Some(index), Some((kind, key))) = (index, signed) {
                events.push(EventPosition { log: held.exchange.clone(), index, key, kind });
            }
        }
        Ok(events)
    }

    /// Folds a listing from its entries.
    fn fold_listing(
        &self,
        held: &Held,
        events: &[EventPosition],
    ) -> Result<Option<Standing>, StoreError> {
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
        held: &Held,
        id: &str,
        folded: Folded,
        counts: &Counts<'_>,
    ) -> Result<Option<(Folded, Vec<EventPosition>)>, StoreError> {
        let mut events = self.listing_events(held, id)?;
        let all = events.len();
        events.retain(counts);
        if events.len() == all {
            return Ok(Some((folded, events)));
        }
        Ok(self.fold_listing(held, &events)?.map(|row| (row.folded(), events)))
    }

    pub(in crate::store) fn listing(
        &self,
        log: &ExchangeId,
        id: &str,
        counts: &Counts<'_>,
    ) -> Result<Option<ListingRow>, StoreError> {
        let held = match self.held(log) {
            Ok(held) => held,
            Err(StoreError::UnknownLog(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !is_name(id) {
            return Ok(None);
        }
        let Some(folded) = self.folded(held.number, id)? else { return Ok(None) };
        let counted = self.counted(&held, id, folded, counts)?;
        let Some((folded, events)) = counted else { return Ok(None) };
        let statement = self.leaf_hash(&held, folded.index)?;
        Ok(folded.row(log, id, statement, events))
    }

    pub(in crate::store) fn listings(
        &self,
        query: &ListingQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ListingRow>, StoreError> {
        let mut page = Page { rows: Vec::new(), next: None, behind: self.view_progress().behind };
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let rows = self.rows(Table::Listing, query.exchange.as_ref(), query.after.as_deref())?;
        for (seen, row) in rows.enumerate() {
            let (key, value) = row?;
            let Some((log, id, _)) = decode_name(&key) else { continue };
            if let Ok(folded) = serde_json::from_slice::<Folded>(&value)
                && folded.fits(id, query, text.as_deref())
                && let Some(held) = self.held_by_number(log)
                && let Some((folded, events)) = self.counted(&held, id, folded, counts)?
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
        Ok(prefix.map(|prefix| self.tables.scan(prefix, start)).into_iter().flatten())
    }
}

/// The letter of a type in the events' table; `None` for types that are not about listings.
fn mark(kind: &StatementType) -> Option<u8> {
    match kind {
        StatementType::Listing => Some(b'l'),
        StatementType::ListingStatus => Some(b's'),
        _ => None,
    }
}

fn kind_of(mark: u8) -> Option<StatementType> {
    [StatementType::Listing, StatementType::ListingStatus]
        .into_iter()
        .find(|kind| self::mark(kind) == Some(mark))
}
