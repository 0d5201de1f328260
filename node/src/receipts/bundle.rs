//! Authority bundles: charters, anchors and states, for verifiers to load once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hutong_protocol::date::Date;
use hutong_protocol::directory::{Anchor, AnchorLeaf, AnchorLeaves, Directory, WholeState};
use hutong_protocol::message::AnchorChange;
use hutong_protocol::receipt::{Authority, Bundle, BundleAnchor};

use super::{IssueError, Issuer};
use crate::authority::Charters;
use crate::store::StoreError;

/// The newest anchors that a bundle has; of earlier days it has the last of each.
const NEWEST: usize = 100;

/// Anchors in a bundle at most: what a verifier takes.
const ANCHORS_MAX: usize = 4_096;

/// Version of a register and index of an anchor in it.
type Place = (u64, u64);

impl Issuer<'_> {
    /// Charters, anchors and what they say of every member, as far as this node keeps the anchors' leaves.
    ///
    /// Folds the registers from the first entry on.
    ///
    /// # Errors
    ///
    /// [`IssueError::NoLeaves`] at a node that keeps none; [`IssueError`] for what is missing.
    pub fn authority(&self) -> Result<Vec<u8>, IssueError> {
        let charters = &self.view.charters;
        let all = Charters::of(charters).map_err(|error| super::unproven(&self.view.me, &error))?;
        let wanted = self.wanted_anchors(&all)?;
        let mut changes: BTreeMap<Place, Bytes> = BTreeMap::new();
        changes.extend(
            self.store.anchors()?.into_iter().map(|it| ((it.version, it.index), it.changes)),
        );
        let mut gathered = Gathered { wanted, changes, ..Gathered::default() };
        let _end = all.fold_while(self.store, |directory| {
            gathered.look(directory);
            Ok(true)
        })?;
        if gathered.anchors.is_empty() {
            return Err(IssueError::NoLeaves);
        }
        let anchors = gathered.anchors.into_iter().map(|((version, index), leaves)| {
            Ok(BundleAnchor { register: self.recorded(version, index)?, leaves })
        });
        let bundle = Bundle {
            authority: Authority {
                charters: charters.versions().iter().map(|it| it.signed().clone()).collect(),
                successions: self.successions()?,
            },
            anchors: anchors.collect::<Result<_, IssueError>>()?,
            states: gathered.states.into_values().collect(),
        };
        Ok(bundle.encode())
    }

    /// The newest anchors, and the last one of each day before.
    fn wanted_anchors(&self, charters: &Charters) -> Result<BTreeSet<Place>, StoreError> {
        let mut all: BTreeMap<Place, Date> = BTreeMap::new();
        charters.fold_while(self.store, |directory| {
            if let Some(Anchor { version, index, day, .. }) = directory.register().anchor {
                all.insert((version, index), day);
            }
            Ok(true)
        })?;
        let newest = all.keys().rev().take(NEWEST).copied();
        let of_days: BTreeMap<Date, Place> =
            all.iter().map(|(place, day)| (*day, *place)).collect();
        let wanted: BTreeSet<Place> = newest.chain(of_days.into_values()).collect();
        Ok(wanted.into_iter().rev().take(ANCHORS_MAX).collect())
    }
}

/// What is gathered along the registers.
#[derive(Default)]
struct Gathered {
    wanted: BTreeSet<Place>,
    changes: BTreeMap<Place, Bytes>,
    /// The leaves after the last anchor.
    leaves: AnchorLeaves,
    /// The anchor that was looked at last.
    last: Option<Place>,
    /// Members whose leaves changed since the last anchor that is wanted.
    changed: BTreeMap<hutong_protocol::id::ExchangeId, AnchorLeaf>,
    anchors: BTreeMap<Place, Vec<AnchorLeaf>>,
    states: BTreeMap<hutong_crypto::Hash, WholeState>,
}

impl Gathered {
    /// Looks at the directory after each entry: one may have been an anchor.
    fn look(&mut self, directory: &Directory) {
        let Some(anchor) = directory.register().anchor else { return };
        let place = (anchor.version, anchor.index);
        if self.last == Some(place) {
            return;
        }
        self.last = Some(place);
        let Some(changes) = self.changes.remove(&place) else { return };
        for change in AnchorChange::decode_all(changes).unwrap_or_default() {
            self.changed.insert(change.leaf.id.clone(), change.leaf);
        }
        self.leaves.update(self.changed.values().cloned());
        // Where earlier leaves are not kept, the anchor cannot be shown.
        let whole = self.leaves.len() == anchor.leaves && self.leaves.root() == anchor.root;
        if !whole || !self.wanted.contains(&place) {
            return;
        }
        for leaf in self.changed.values() {
            if let Some(member) = directory.member(&leaf.id) {
                self.states.insert(leaf.state, member.whole_state());
            }
        }
        self.anchors.insert(place, std::mem::take(&mut self.changed).into_values().collect());
    }
}
