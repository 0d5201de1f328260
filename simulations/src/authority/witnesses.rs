//! The witnesses of one log with a hostile owner: which quorums can contradict each other, and what a restored witness may do.

use stateright::{Model, Property};

use super::quorum::{Council, EMPTY, Head};
use super::rules::{OldRule, Rules, property};

/// See the module.
#[derive(Debug)]
pub(super) struct WitnessModel {
    rules: Rules,
    council: Council,
    /// Whether the owner sits on the council.
    owner_sits: bool,
    /// How many witnesses cosign whatever they are shown.
    liars: u8,
    /// Whether one honest witness may lose its disk.
    restores: bool,
}

/// What the honest witnesses cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    cosigned: Vec<Head>,
    restored: Option<Restored>,
}

/// A witness that lost its disk and was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Restored {
    witness: usize,
    /// What it had cosigned, and the owner may still show.
    lost: Head,
    /// The largest checkpoint that another witness told it.
    told: Head,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Cosign(usize, Head),
    /// The disk is lost; everybody else says what they cosigned.
    Restore(usize),
}

const SIZE_MAX: u8 = 3;
/// Members, threshold, and whether the log's owner is one of them.
const COUNCILS: [(u8, u8, bool); 7] = [
    (3, 2, true),
    (3, 2, false),
    (4, 3, true),
    (4, 3, false),
    (5, 3, true),
    (5, 3, false),
    (5, 4, true),
];

impl WitnessModel {
    pub(super) fn all(rules: Rules) -> Vec<Self> {
        let model = |(members, threshold, owner_sits)| {
            let council = Council { members, threshold };
            Self {
                rules,
                council,
                owner_sits,
                liars: council.overlap(owner_sits) - 1,
                restores: true,
            }
        };
        COUNCILS.map(model).into()
    }

    pub(super) fn for_mutant(rules: Rules) -> Self {
        let (members, threshold, owner_sits) = if rules.has(OldRule::MinorityQuorum) {
            (2, 1, false)
        } else if rules.has(OldRule::RestoredCosigns) {
            (4, 3, true)
        } else {
            (3, 2, true)
        };
        let restores = rules.has(OldRule::RestoredCosigns);
        Self { rules, council: Council { members, threshold }, owner_sits, liars: 0, restores }
    }

    pub(super) fn name(&self) -> String {
        let Council { members, threshold } = self.council;
        let owner = if self.owner_sits { "a member's log" } else { "another log" };
        format!("witnesses: {threshold} of {members}, {owner}, {} lying", self.liars)
    }

    fn honest(&self) -> usize {
        usize::from(self.council.members - u8::from(self.owner_sits) - self.liars)
    }

    /// How many honest cosignatures make a quorum; liars add theirs to every checkpoint.
    fn needed(&self) -> usize {
        let needed = match (self.owner_sits, self.rules.has(OldRule::OwnerCounts)) {
            (true, true) => self.council.threshold - 1,
            (true, false) => self.council.others_threshold(),
            (false, _) => self.council.threshold,
        };
        usize::from(needed - self.liars)
    }

    fn has_quorum(&self, state: &State, head: Head) -> bool {
        let cosigned = |(witness, now): &(usize, &Head)| {
            let lost = state
                .restored
                .filter(|restored| restored.witness == *witness)
                .map(|restored| restored.lost);
            head.is_within(**now) || lost.is_some_and(|lost| head.is_within(lost))
        };
        state.cosigned.iter().enumerate().filter(cosigned).count() >= self.needed()
    }

    fn has_quorum_without(&self, state: &State, head: Head, witness: usize) -> bool {
        let others = state.cosigned.iter().enumerate().filter(|(other, _)| *other != witness);
        others.filter(|(_, now)| head.is_within(**now)).count() >= self.needed()
    }
}

impl Model for WitnessModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { cosigned: vec![EMPTY; self.honest()], restored: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (witness, now) in state.cosigned.iter().enumerate() {
            let restored = state.restored.filter(|restored| restored.witness == witness);
            let may = |head: &Head| {
                let knows = restored.is_none_or(|restored| restored.told.is_within(*head));
                // What it lost may come up again: its cosignature must never be the one that makes a quorum.
                let waits = restored.is_some() && !self.rules.has(OldRule::RestoredCosigns);
                head.size > now.size
                    && now.is_within(*head)
                    && knows
                    && (!waits || self.has_quorum_without(state, *head, witness))
            };
            actions
                .extend(Head::all(SIZE_MAX).filter(may).map(|head| Action::Cosign(witness, head)));
            if self.restores && state.restored.is_none() {
                actions.push(Action::Restore(witness));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Cosign(witness, head) => state.cosigned[witness] = head,
            Action::Restore(witness) => {
                let forgotten = std::mem::replace(&mut state.cosigned[witness], EMPTY);
                let told =
                    state.cosigned.iter().copied().max_by_key(|head| head.size).unwrap_or(EMPTY);
                state.restored = Some(Restored { witness, lost: forgotten, told });
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(property::QUORUMS, |model: &Self, state: &State| {
                let conflict = |head: Head| {
                    model.has_quorum(state, head)
                        && model.has_quorum(state, Head { fork: true, ..head })
                };
                !Head::all(SIZE_MAX).filter(|head| !head.fork).any(conflict)
            }),
            Property::sometimes("a checkpoint has a quorum", |model: &Self, state: &State| {
                model.has_quorum(state, Head { size: SIZE_MAX, fork: false })
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use stateright::{Checker, HasDiscoveries};

    use super::*;

    #[test]
    fn one_lie_more_than_the_overlap_bears_makes_two_quorums() {
        for (members, threshold, owner_sits) in COUNCILS {
            let council = Council { members, threshold };
            let liars = council.overlap(owner_sits);
            let model =
                WitnessModel { rules: Rules::new(), council, owner_sits, liars, restores: false };
            let name = model.name();
            let checker =
                model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
            assert!(checker.discovery(property::QUORUMS).is_some(), "{name} holds");
        }
    }
}
