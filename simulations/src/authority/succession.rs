//! Succession: from charter version 1 to 2, while a hostile keeper shows each witness a register of its own, a log's hostile owner two
//! versions of its log, and a thief uses the retired keys.
//!
//! The keeper lies and is a witness of other logs, so it adds its cosignature to every head. All other witnesses are honest; each
//! entry that they take extends what they cosigned before, so the branch that a witness holds says all that it cosigned.

use stateright::{Model, Property};

use super::quorum::{Council, EMPTY, Head};
use super::rules::{OldRule, Rules, property};

/// See the module.
#[derive(Debug)]
pub(super) struct SuccessionModel {
    rules: Rules,
    council: Council,
    /// Whether the nodes have a pin: they were told by telephone which successor was begun.
    pinned: bool,
}

/// A charter of version 2; both councils signed all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Successor {
    First,
    Rival,
    /// One whose seat contradicts the directory: it has no effect.
    Void,
}

/// An entry of register 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Entry {
    Anchor,
    Succession(Successor),
    /// The last anchor, which names the successor, with the log's leaf.
    Closing(Successor, Head),
}

/// What an honest witness cosigned under version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Witness {
    /// Its branch of the register.
    branch: Vec<Entry>,
    /// Its head of the log.
    head: Head,
}

/// What everybody holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The honest witnesses of version 1, in ascending order: they are alike.
    witnesses: Vec<Witness>,
    /// The registers of version 2 that were begun, each with the leaf of the closing that it was begun on, and the head of the log that
    /// has its quorum.
    begun: Vec<(Successor, Head, Head)>,
    /// The successor in effect at each of two nodes.
    nodes: [Option<Successor>; 2],
    /// Whether a node went back from a successor.
    undone: bool,
    /// Whether a thief has the retired keys of version 1: those of the logs, and the witnesses' where these were not destroyed.
    stolen: bool,
    /// A head for which the thief made a quorum of retired keys.
    forged: Option<Head>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A witness takes an entry that the keeper showed to it.
    CosignRegister(usize, Entry),
    CosignLog(usize, Head),
    /// The new council begins its register on what proves the succession.
    Begin(Successor, Head),
    /// The new council's quorum cosigns a head of the log.
    CosignNew(Successor, Head),
    /// A node is shown what proves a succession.
    Learn(usize, Successor),
    StealRetired,
    ForgeOld(Head),
}

const REGISTER_MAX: usize = 3;

impl SuccessionModel {
    pub(super) fn all(rules: Rules) -> Vec<Self> {
        [(4, 3), (5, 4)]
            .map(|(members, threshold)| Self {
                rules,
                council: Council { members, threshold },
                pinned: false,
            })
            .into()
    }

    pub(super) fn for_mutant(rules: Rules) -> Self {
        let (members, threshold) = if rules.has(OldRule::BareMajority) { (3, 2) } else { (4, 3) };
        Self { rules, council: Council { members, threshold }, pinned: false }
    }

    pub(super) fn name(&self) -> String {
        format!(
            "succession: {} of {}, a lying keeper",
            self.council.threshold, self.council.members
        )
    }

    /// Whether a witness on `branch` with `head` of the log takes `entry`.
    fn takes(&self, branch: &[Entry], head: Head, entry: Entry) -> bool {
        if self.rules.has(OldRule::NoClosing) {
            return !matches!(entry, Entry::Closing(..));
        }
        if matches!(branch.last(), Some(Entry::Closing(..))) {
            return false;
        }
        match (effective(branch), entry) {
            (None, Entry::Anchor | Entry::Succession(_)) => true,
            (None, Entry::Closing(..)) | (Some(_), Entry::Anchor | Entry::Succession(_)) => false,
            (Some(successor), Entry::Closing(named, leaf)) => {
                named == successor
                    && (head.is_within(leaf) || self.rules.has(OldRule::UnheededHeads))
            }
        }
    }

    /// Whether so many honest witnesses hold `prefix` that it has a quorum of the register.
    fn is_cosigned(&self, state: &State, prefix: &[Entry]) -> bool {
        let holders =
            state.witnesses.iter().filter(|witness| witness.branch.starts_with(prefix)).count();
        holders >= usize::from(self.council.others_threshold())
    }

    fn head_has_quorum(&self, state: &State, head: Head) -> bool {
        let holders = state.witnesses.iter().filter(|witness| head.is_within(witness.head)).count();
        holders + 1 >= usize::from(self.council.threshold)
    }

    /// What can be proven to somebody who folds nothing: successors, each with the log's leaf.
    fn proven(&self, state: &State) -> Vec<(Successor, Head)> {
        let mut proven = Vec::new();
        for Witness { branch, .. } in &state.witnesses {
            for size in 1..=branch.len() {
                if let Some(proof) = self.proof(&branch[..size])
                    && self.is_cosigned(state, &branch[..size])
                    && !proven.contains(&proof)
                {
                    proven.push(proof);
                }
            }
        }
        proven
    }

    /// What the end of a cosigned register proves.
    fn proof(&self, prefix: &[Entry]) -> Option<(Successor, Head)> {
        match *prefix {
            [.., Entry::Closing(successor, leaf)] => Some((successor, leaf)),
            [.., Entry::Succession(successor)] if self.rules.has(OldRule::NoClosing) => {
                (effective(prefix) == Some(successor)).then_some((successor, EMPTY))
            }
            [.., Entry::Succession(successor), Entry::Anchor]
                if self.rules.has(OldRule::LastTwoLeaves) =>
            {
                Some((successor, EMPTY))
            }
            _ => None,
        }
    }

    /// The successors that a node takes from whoever shows them.
    fn shown(&self, state: &State) -> Vec<Successor> {
        let forges =
            self.rules.has(OldRule::RetiredKeysSign) || self.rules.has(OldRule::KeptWitnessKeys);
        if self.rules.has(OldRule::RivalCharters) || (forges && state.stolen) {
            return vec![Successor::First, Successor::Rival];
        }
        let mut shown: Vec<Successor> =
            self.proven(state).into_iter().map(|(successor, _)| successor).collect();
        shown.dedup();
        shown
    }

    /// Every head of the log that somebody takes for cosigned by a quorum.
    fn accepted(&self, state: &State) -> Vec<Head> {
        let mut accepted: Vec<Head> =
            Head::all(1).filter(|head| self.head_has_quorum(state, *head)).collect();
        accepted.extend(state.begun.iter().map(|(_, _, head)| *head));
        if self.rules.has(OldRule::OldSeatsVouch) {
            accepted.extend(state.forged);
        }
        accepted
    }
}

/// The first succession of the branch that has an effect.
fn effective(branch: &[Entry]) -> Option<Successor> {
    branch.iter().find_map(|entry| match entry {
        Entry::Succession(successor) => (*successor != Successor::Void).then_some(*successor),
        Entry::Anchor | Entry::Closing(..) => None,
    })
}

impl Model for SuccessionModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let honest = usize::from(self.council.members - 1);
        vec![State {
            witnesses: vec![Witness::default(); honest],
            begun: Vec::new(),
            nodes: [None; 2],
            undone: false,
            stolen: false,
            forged: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let successors = [Successor::First, Successor::Rival, Successor::Void];
        let mut entries = vec![Entry::Anchor];
        entries.extend(successors.map(Entry::Succession));
        for successor in [Successor::First, Successor::Rival] {
            entries.extend(Head::all(1).chain([EMPTY]).map(|leaf| Entry::Closing(successor, leaf)));
        }
        for (witness, Witness { branch, head }) in state.witnesses.iter().enumerate() {
            if branch.len() < REGISTER_MAX {
                let taken = entries.iter().filter(|entry| self.takes(branch, *head, **entry));
                actions.extend(taken.map(|entry| Action::CosignRegister(witness, *entry)));
            }
            let goes_on = effective(branch).is_none() || self.rules.has(OldRule::NoClosing);
            if goes_on && *head == EMPTY {
                actions.extend(Head::all(1).map(|head| Action::CosignLog(witness, head)));
            }
        }
        for (successor, leaf) in self.proven(state) {
            if !state.begun.iter().any(|(begun, _, _)| *begun == successor) {
                actions.push(Action::Begin(successor, leaf));
            }
        }
        for (successor, leaf, head) in &state.begun {
            if *head == EMPTY {
                let extending = Head::all(1).filter(|head| leaf.is_within(*head));
                actions.extend(extending.map(|head| Action::CosignNew(*successor, head)));
            }
        }
        let shown = self.shown(state);
        for node in 0..state.nodes.len() {
            let pin = state.begun.first().map(|(begun, _, _)| *begun);
            let taken = shown.iter().filter(|successor| !self.pinned || pin == Some(**successor));
            actions.extend(taken.map(|successor| Action::Learn(node, *successor)));
        }
        if !state.stolen && !state.begun.is_empty() {
            actions.push(Action::StealRetired);
        }
        if state.stolen && state.forged.is_none() {
            actions.extend(Head::all(1).map(Action::ForgeOld));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::CosignRegister(witness, entry) => {
                state.witnesses[witness].branch.push(entry);
                state.witnesses.sort_unstable();
            }
            Action::CosignLog(witness, head) => {
                state.witnesses[witness].head = head;
                state.witnesses.sort_unstable();
            }
            Action::Begin(successor, leaf) => state.begun.push((successor, leaf, EMPTY)),
            Action::CosignNew(successor, head) => {
                let begun = state.begun.iter_mut().find(|(begun, _, _)| *begun == successor)?;
                begun.2 = head;
            }
            Action::Learn(node, successor) => match state.nodes[node] {
                None => state.nodes[node] = Some(successor),
                Some(held) if held == successor => return None,
                Some(_) if self.rules.has(OldRule::RetiredKeysSign) => {
                    // The second successor counts as the council's equivocation: the chain ends before both.
                    state.nodes[node] = None;
                    state.undone = true;
                }
                // Whoever holds a successor keeps it; the rival is evidence.
                Some(_) => return None,
            },
            Action::StealRetired => state.stolen = true,
            Action::ForgeOld(head) => state.forged = Some(head),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(property::SUCCESSOR, |_: &Self, state: &State| {
                let agree = match state.nodes {
                    [Some(first), Some(second)] => first == second,
                    [None, _] | [_, None] => true,
                };
                let void = state.nodes.contains(&Some(Successor::Void));
                agree && !void && !state.undone && state.begun.len() <= 1
            }),
            Property::always(property::QUORUMS, |model: &Self, state: &State| {
                let accepted = model.accepted(state);
                !(accepted.contains(&Head { size: 1, fork: false })
                    && accepted.contains(&Head { size: 1, fork: true }))
            }),
            Property::sometimes(
                "a succession is in effect at all nodes",
                |_: &Self, state: &State| state.nodes == [Some(Successor::First); 2],
            ),
            Property::sometimes("the new council cosigns the log", |_: &Self, state: &State| {
                state.begun.iter().any(|(_, leaf, head)| *leaf == EMPTY && *head != EMPTY)
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use stateright::{Checker, HasDiscoveries};

    use super::*;

    fn breaks(pinned: bool) -> bool {
        let rules = Rules::with(OldRule::KeptWitnessKeys);
        let model = SuccessionModel { pinned, ..SuccessionModel::for_mutant(rules) };
        let checker = model
            .checker()
            .target_state_count(1_500_000)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        checker.discovery(property::SUCCESSOR).is_some()
    }

    #[test]
    fn a_pin_keeps_a_node_from_the_rival() {
        assert!(breaks(false), "without a pin the stolen witness keys fool a node");
        assert!(!breaks(true), "with a pin they do not");
    }
}
