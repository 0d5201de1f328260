//! Anchors, finality and receipts: one log of a hostile owner, a hostile keeper, three honest witnesses of which two suffice.
//!
//! The keeper counts as a liar that cosigns everything, so a head of the log has a quorum of three of four once two honest witnesses
//! cosigned it. Two versions of the log differ from the first entry on. The entry at index 1 takes no effect in either.

use stateright::{Model, Property};

use super::quorum::{EMPTY, Head};
use super::rules::{OldRule, Rules, property};

/// See the module.
#[derive(Debug)]
pub(super) struct AnchorModel {
    rules: Rules,
}

/// Which indices count: all below the leaf's size but for the void ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    /// Whether the member is suspended: nothing beyond the leaf counts until it is lifted.
    suspended: bool,
    /// One bit for each index between a suspension's size and what was reinstated.
    void: u8,
}

/// An entry of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Anchor {
        day: u8,
        leaf: Head,
        record: Record,
    },
    /// A suspension at `size`, by the parent or extraordinarily by the council.
    Suspend {
        day: u8,
        size: u8,
        council: bool,
    },
    /// Entries from the tied head's size on count again.
    Reinstate {
        day: u8,
        from: Head,
    },
}

/// What a receipt's maker put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Receipt {
    /// The place of the anchor whose leaf holds the entry.
    anchor: u8,
    /// The place of the anchor whose state is opened.
    opened: u8,
    /// The size of the register checkpoint that proves the anchor.
    checkpoint: u8,
    index: u8,
}

/// What everybody did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    day: u8,
    /// The highest head of the log that each honest witness cosigned.
    cosigned: [Head; 3],
    /// What has a quorum of the register, in order; at most [`REGISTER_MAX`].
    register: Vec<Entry>,
    receipt: Option<Receipt>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Day,
    /// A witness cosigns a head of the log.
    Cosign(u8, Head),
    /// The keeper proposes an entry, true or not, and a quorum takes it.
    Record(Entry),
    MakeReceipt(Receipt),
}

const DAY_MAX: u8 = 2;
const FINALITY_DAYS: u8 = 1;
const REGISTER_MAX: usize = 4;
const SIZE_MAX: u8 = 2;
const WHOLE: Record = Record { suspended: false, void: 0 };

impl Entry {
    fn day(self) -> u8 {
        match self {
            Self::Anchor { day, .. } | Self::Suspend { day, .. } | Self::Reinstate { day, .. } => {
                day
            }
        }
    }
}

/// The fold of the register for the one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Folded {
    leaf: Head,
    record: Record,
}

impl Folded {
    fn counts(self, index: u8) -> bool {
        index < self.leaf.size && self.record.void & (1 << index) == 0
    }
}

fn fold(rules: Rules, register: &[Entry]) -> Folded {
    let mut folded = Folded { leaf: EMPTY, record: WHOLE };
    for (place, entry) in register.iter().enumerate() {
        folded = apply(rules, folded, &register[..place], *entry);
    }
    folded
}

fn apply(rules: Rules, before: Folded, earlier: &[Entry], entry: Entry) -> Folded {
    match entry {
        Entry::Anchor { leaf, .. } => Folded { leaf, ..before },
        Entry::Suspend { day, size, council } => {
            if before.record.suspended {
                return before;
            }
            let cut = before.leaf.cut(size);
            let last_final = final_head(rules, earlier, day);
            let keeps = council || rules.has(OldRule::NoFinality) || last_final.size <= cut.size;
            let leaf = if keeps { cut } else { last_final };
            Folded { leaf, record: Record { suspended: true, ..before.record } }
        }
        Entry::Reinstate { from, .. } => {
            if !before.record.suspended {
                return before;
            }
            let void = (before.leaf.size..from.size)
                .fold(before.record.void, |void, index| void | 1 << index);
            Folded { leaf: from, record: Record { suspended: false, void } }
        }
    }
}

/// The leaf of the newest anchor that was `FINALITY_DAYS` old on `day`, as far as no later suspension cut it; or the empty log.
fn final_head(rules: Rules, earlier: &[Entry], day: u8) -> Head {
    let anchored = earlier.iter().enumerate().rev().find_map(|(place, entry)| match entry {
        Entry::Anchor { day: dated, leaf, .. } => {
            (dated + FINALITY_DAYS <= day).then_some((place, *leaf))
        }
        Entry::Suspend { .. } | Entry::Reinstate { .. } => None,
    });
    let Some((anchor, mut head)) = anchored else { return EMPTY };
    if rules.has(OldRule::FinalRestoresCut) {
        return head;
    }
    for (place, entry) in earlier.iter().enumerate().skip(anchor + 1) {
        if let Entry::Suspend { .. } = entry {
            let cut = fold(rules, &earlier[..=place]).leaf;
            head = if head.is_within(cut) { head } else { cut };
        }
    }
    head
}

impl AnchorModel {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// Whether honest witnesses take `entry` at the end of the register.
    fn is_taken(&self, state: &State, entry: Entry) -> bool {
        let before = fold(self.rules, &state.register);
        if state.register.last().is_some_and(|last| entry.day() < last.day()) {
            return false;
        }
        match entry {
            Entry::Anchor { leaf, record, .. } => {
                if self.rules.has(OldRule::UncheckedAnchors) {
                    return true;
                }
                let grows = before.leaf.is_within(leaf)
                    && (!before.record.suspended || leaf == before.leaf);
                grows && record == before.record && (has_quorum(state, leaf) || leaf == before.leaf)
            }
            // A cut is tied to a quorum checkpoint at or above it: the leaf is one.
            Entry::Suspend { size, .. } => !before.record.suspended && size <= before.leaf.size,
            // What the parent honours extends the suspension's tree; the next anchor needs a quorum beyond it.
            Entry::Reinstate { from, .. } => {
                before.record.suspended && before.leaf.is_within(from) && has_quorum(state, from)
            }
        }
    }

    /// The size of the register for which a receipt is valid, if it is.
    fn valid_at(&self, state: &State, receipt: Receipt) -> Option<u8> {
        let Entry::Anchor { leaf, .. } = state.register.get(usize::from(receipt.anchor))? else {
            return None;
        };
        let Entry::Anchor { record, .. } = state.register.get(usize::from(receipt.opened))? else {
            return None;
        };
        let same = receipt.opened == receipt.anchor || self.rules.has(OldRule::StaleState);
        let counts = Folded { leaf: *leaf, record: *record }.counts(receipt.index);
        let effect = takes_effect(receipt.index) || self.rules.has(OldRule::VoidIsValid);
        let stated = if self.rules.has(OldRule::CheckpointSizeStated) {
            receipt.checkpoint
        } else {
            receipt.anchor + 1
        };
        (same && counts && effect).then_some(stated)
    }
}

/// Whether two of three honest witnesses, and the lying keeper, cosigned `head` or what extends it.
fn has_quorum(state: &State, head: Head) -> bool {
    state.cosigned.iter().filter(|cosigned| head.is_within(**cosigned)).count() >= 2
}

fn takes_effect(index: u8) -> bool {
    index != 1
}

fn heads() -> impl Iterator<Item = Head> {
    Head::all(SIZE_MAX)
}

impl Model for AnchorModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { day: 0, cosigned: [EMPTY; 3], register: Vec::new(), receipt: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.receipt.is_some() {
            // A verdict follows from the receipt and the register below its checkpoint: what comes after changes nothing.
            return;
        }
        if state.day < DAY_MAX {
            actions.push(Action::Day);
        }
        for (witness, cosigned) in (0..).zip(&state.cosigned) {
            let larger =
                heads().filter(|head| head.size > cosigned.size && cosigned.is_within(*head));
            actions.extend(larger.map(|head| Action::Cosign(witness, head)));
        }
        if state.register.len() < REGISTER_MAX {
            actions.extend(self.proposals(state).into_iter().map(Action::Record));
        }
        actions.extend(receipts(state).map(Action::MakeReceipt));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Day => state.day += 1,
            Action::Cosign(witness, head) => {
                state.cosigned[usize::from(witness)] = head;
                // The witnesses are alike: states that differ by their order are one.
                state.cosigned.sort_unstable();
            }
            Action::Record(entry) => state.register.push(entry),
            Action::MakeReceipt(receipt) => state.receipt = Some(receipt),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(property::FINAL, |model: &Self, state: &State| {
                model.final_stays(state)
            }),
            Property::always(property::QUORUMS, |_: &Self, state: &State| {
                !heads().any(|head| {
                    !head.fork
                        && has_quorum(state, head)
                        && has_quorum(state, Head { fork: true, ..head })
                })
            }),
            Property::always(property::ANCHORS, |model: &Self, state: &State| {
                model.anchors_are_true(state)
            }),
            Property::always(property::VALID, |model: &Self, state: &State| {
                let Some(receipt) = state.receipt else { return true };
                let Some(size) = model.valid_at(state, receipt) else { return true };
                let folded = fold(model.rules, &state.register[..usize::from(size)]);
                folded.counts(receipt.index) && takes_effect(receipt.index)
            }),
            Property::sometimes("a receipt is valid", |model: &Self, state: &State| {
                state.receipt.is_some_and(|receipt| model.valid_at(state, receipt).is_some())
            }),
            Property::sometimes(
                "finality lifts a suspension's size",
                |model: &Self, state: &State| {
                    matches!(
                        state.register.last(),
                        Some(Entry::Suspend { size: 0, council: false, .. })
                    ) && fold(model.rules, &state.register).leaf.size > 0
                },
            ),
        ]
    }
}

impl AnchorModel {
    /// What the keeper may propose, lies among it, and a quorum takes.
    fn proposals(&self, state: &State) -> Vec<Entry> {
        let day = state.day;
        let before = fold(self.rules, &state.register);
        let records = [before.record, WHOLE, Record { suspended: true, ..before.record }];
        let leaves = heads().chain([EMPTY]);
        let mut entries: Vec<Entry> = leaves
            .flat_map(|leaf| records.map(|record| Entry::Anchor { day, leaf, record }))
            .collect();
        for size in 0..=SIZE_MAX {
            entries.extend([false, true].map(|council| Entry::Suspend { day, size, council }));
        }
        entries.extend(heads().map(|from| Entry::Reinstate { day, from }));
        let mut taken: Vec<Entry> = Vec::new();
        for entry in entries {
            if self.is_taken(state, entry) && !taken.contains(&entry) {
                taken.push(entry);
            }
        }
        taken
    }

    /// I3, for the last entry: nothing final is cut but by the council, and no suspension brings back what was void.
    fn final_stays(&self, state: &State) -> bool {
        let Some((last @ Entry::Suspend { day, council, .. }, earlier)) =
            state.register.split_last()
        else {
            return true;
        };
        let before = fold(self.rules, earlier);
        let after = apply(self.rules, before, earlier, *last);
        let in_old_anchor = |index| {
            let old = earlier.iter().rev().find(|entry| matches!(entry, Entry::Anchor { day: dated, .. } if dated + FINALITY_DAYS <= *day));
            matches!(old, Some(Entry::Anchor { leaf, .. }) if index < leaf.size && leaf.cut(index + 1).is_within(before.leaf))
        };
        let keeps = *council
            || (0..SIZE_MAX).all(|index| {
                !(in_old_anchor(index) && before.counts(index)) || after.counts(index)
            });
        keeps && after.leaf.is_within(before.leaf)
    }

    /// I7, for every anchor.
    fn anchors_are_true(&self, state: &State) -> bool {
        state.register.iter().enumerate().all(|(place, entry)| match entry {
            Entry::Suspend { .. } | Entry::Reinstate { .. } => true,
            Entry::Anchor { leaf, record, .. } => {
                let before = fold(self.rules, &state.register[..place]);
                let grows = before.leaf.is_within(*leaf)
                    && (!before.record.suspended || *leaf == before.leaf);
                grows && *record == before.record && (leaf.size == 0 || has_quorum(state, *leaf))
            }
        })
    }
}

/// Every receipt that could be made: any anchor, any opened state, any index.
fn receipts(state: &State) -> impl Iterator<Item = Receipt> + use<> {
    let size = u8::try_from(state.register.len()).unwrap_or(u8::MAX);
    (0..size).flat_map(move |anchor| {
        (0..size).flat_map(move |opened| {
            (0..SIZE_MAX).map(move |index| Receipt { anchor, opened, checkpoint: size, index })
        })
    })
}
