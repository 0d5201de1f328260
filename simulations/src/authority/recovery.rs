//! Recovery: the keeper is hostile, and the other members go on without it.
//!
//! First they seal: each states the highest register checkpoint and the head of the log that it cosigned, and stops. Then they sign one
//! charter that carries the seals. [`Seals::recovered`] says at which checkpoint it goes on, or that this cannot be known.

use stateright::{Model, Property};

use super::quorum::{Council, EMPTY, Head};
use super::rules::{OldRule, Rules, property};

/// See the module.
#[derive(Debug)]
pub(super) struct RecoveryModel {
    rules: Rules,
    council: Council,
    /// How many members other than the keeper lie, and how many lies the rule allows for.
    liars: u8,
    /// How many honest members are away for ever.
    away: u8,
    /// Whether a log is looked at as well.
    heads: bool,
}

/// A checkpoint of the register; the keeper signed all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Checkpoint {
    Founding,
    X,
    /// Contradicts `X`.
    Y,
    /// Extends `X` by the closing for a successor.
    Closing,
    /// Extends `X` and contradicts `Closing`.
    Other,
}

/// A charter of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Successor {
    /// The one that the register's closing names.
    Closed,
    /// One that the remaining members choose.
    Chosen,
}

/// A charter that carries seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recovery {
    /// One bit for each honest member whose seal it carries.
    seals: u8,
    /// What a liar's seal in it reports.
    lie: Option<Checkpoint>,
    at: Checkpoint,
    successor: Successor,
}

/// What everybody cosigned, sealed and signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The highest register checkpoint of each honest member, and the one that it sealed.
    highest: Vec<Checkpoint>,
    sealed: Vec<Option<(Checkpoint, Head)>>,
    heads: Vec<Head>,
    signed: Vec<Vec<Recovery>>,
    /// The head of the log that the new council's quorum cosigned.
    head_new: Head,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    CosignRegister(usize, Checkpoint),
    CosignLog(usize, Head),
    Seal(usize),
    Sign(usize, Recovery),
    CosignNew(Head),
}

const CHECKPOINTS: [Checkpoint; 5] =
    [Checkpoint::Founding, Checkpoint::X, Checkpoint::Y, Checkpoint::Closing, Checkpoint::Other];

impl Checkpoint {
    fn is_within(self, other: Self) -> bool {
        match self {
            Self::Founding => true,
            Self::X => matches!(other, Self::X | Self::Closing | Self::Other),
            Self::Y | Self::Closing | Self::Other => self == other,
        }
    }
}

/// The seals of one recovery, and what follows from them.
#[derive(Debug)]
struct Seals {
    reports: Vec<Checkpoint>,
    /// How many members other than the keeper have no seal among these.
    unsealed: usize,
    /// How many seals may be lies.
    liars: usize,
    /// How many cosignatures make a quorum of the register.
    quorum: usize,
}

impl Seals {
    /// Whether `checkpoint` may have a quorum somewhere, or get one.
    fn allow(&self, checkpoint: Checkpoint) -> bool {
        let support = self.reports.iter().filter(|report| checkpoint.is_within(**report)).count();
        support + self.unsealed + self.liars >= self.quorum
    }

    /// The smallest checkpoint that contains everything which may have a quorum; nothing where two of these contradict each other, or
    /// there are too few seals.
    fn recovered(&self, rules: Rules) -> Option<Checkpoint> {
        if self.reports.len() < self.quorum {
            return None;
        }
        if rules.has(OldRule::RecoveryUndoes) {
            return self.reports.first().copied();
        }
        let looked_at = |checkpoint: &Checkpoint| {
            !rules.has(OldRule::ReportedOnly) || self.reports.contains(checkpoint)
        };
        let allowed: Vec<Checkpoint> = CHECKPOINTS
            .into_iter()
            .filter(|checkpoint| looked_at(checkpoint) && self.allow(*checkpoint))
            .collect();
        let contains_all =
            |at: &Checkpoint| allowed.iter().all(|checkpoint| checkpoint.is_within(*at));
        CHECKPOINTS.into_iter().find(contains_all)
    }
}

impl RecoveryModel {
    pub(super) fn all(rules: Rules) -> Vec<Self> {
        let model = |members, threshold, liars, away, heads| {
            let council = Council { members, threshold };
            Self { rules, council, liars, away, heads }
        };
        vec![
            model(3, 2, 0, 0, false),
            model(4, 3, 0, 0, true),
            model(4, 3, 0, 1, false),
            model(5, 4, 0, 1, false),
            model(5, 4, 1, 0, false),
        ]
    }

    pub(super) fn for_mutant(rules: Rules) -> Self {
        let heads = rules.has(OldRule::SealsWithoutHeads);
        Self { rules, council: Council { members: 4, threshold: 3 }, liars: 0, away: 0, heads }
    }

    pub(super) fn name(&self) -> String {
        let Council { members, threshold } = self.council;
        format!("recovery: {threshold} of {members}, {} lying, {} away", self.liars, self.away)
    }

    /// Whether the rule is live here: not with a liar, nor with one away of four, where a keeper that equivocates can block it.
    fn is_live(&self) -> bool {
        let (quorum, away) = (usize::from(self.quorum()), usize::from(self.away));
        let others = usize::from(self.council.members - 1);
        let support = (quorum - away).saturating_sub(usize::from(self.liars));
        2 * support > others - away
    }

    fn quorum(&self) -> u8 {
        self.council.others_threshold()
    }

    fn honest(&self) -> usize {
        usize::from(self.council.members - 1 - self.liars)
    }

    fn up(&self) -> usize {
        self.honest() - usize::from(self.away)
    }

    fn is_cosigned(&self, state: &State, checkpoint: Checkpoint) -> bool {
        let honest = state.highest.iter().filter(|highest| checkpoint.is_within(**highest)).count();
        honest + usize::from(self.liars) >= usize::from(self.quorum())
    }

    fn head_has_quorum(&self, state: &State, head: Head) -> bool {
        let honest = state.heads.iter().filter(|held| head.is_within(**held)).count();
        honest + usize::from(self.liars) + 1 >= usize::from(self.council.threshold)
    }

    fn seals(
        &self,
        sealed: &[Option<(Checkpoint, Head)>],
        mask: u8,
        lie: Option<Checkpoint>,
    ) -> Seals {
        let honest = sealed.iter().enumerate().filter(|(member, _)| mask & (1 << member) != 0);
        let mut reports: Vec<Checkpoint> =
            honest.filter_map(|(_, seal)| seal.map(|(report, _)| report)).collect();
        reports.extend(lie);
        let unsealed = usize::from(self.council.members - 1) - reports.len();
        // A liar among the seals is allowed for, and so is one among the unsealed, which is counted already.
        Seals {
            reports,
            unsealed,
            liars: usize::from(self.liars),
            quorum: usize::from(self.quorum()),
        }
    }

    /// Every recovery that follows from some of the seals.
    fn recoveries(&self, sealed: &[Option<(Checkpoint, Head)>]) -> Vec<Recovery> {
        let there = sealed
            .iter()
            .enumerate()
            .fold(0, |mask, (member, seal)| mask | (u8::from(seal.is_some()) << member));
        let mut lies = vec![None];
        if self.liars > 0 {
            lies.extend(CHECKPOINTS.map(Some));
        }
        let mut recoveries = Vec::new();
        for mask in (0..=there).filter(|mask| mask & !there == 0) {
            for lie in &lies {
                let Some(at) = self.seals(sealed, mask, *lie).recovered(self.rules) else {
                    continue;
                };
                // What may be closed already is closed for the same successor.
                let closed = at == Checkpoint::Closing;
                let successor = if closed { Successor::Closed } else { Successor::Chosen };
                recoveries.push(Recovery { seals: mask, lie: *lie, at, successor });
            }
        }
        recoveries
    }

    /// The recoveries that enough members signed.
    fn complete(&self, state: &State) -> Vec<Recovery> {
        let mut complete: Vec<Recovery> = Vec::new();
        for recovery in state.signed.iter().flatten() {
            let honest = state.signed.iter().filter(|signed| signed.contains(recovery)).count();
            if honest + usize::from(self.liars) >= usize::from(self.quorum())
                && !complete.contains(recovery)
            {
                complete.push(*recovery);
            }
        }
        complete
    }

    /// Whether the seals of `recovery` let the new council cosign `head`.
    fn extends_seals(&self, state: &State, recovery: Recovery, head: Head) -> bool {
        let carried = state
            .sealed
            .iter()
            .enumerate()
            .filter(|(member, _)| recovery.seals & (1 << member) != 0);
        self.rules.has(OldRule::SealsWithoutHeads)
            || carried.filter_map(|(_, seal)| *seal).all(|(_, sealed)| sealed.is_within(head))
    }

    /// Whether those who are up can bring a successor into effect, if they go on as the rule says.
    fn can_recover(&self, state: &State) -> bool {
        let quorum = usize::from(self.quorum());
        if self.is_cosigned(state, Checkpoint::Closing) || !self.complete(state).is_empty() {
            return true;
        }
        let up = &state.signed[..self.up()];
        if let Some(begun) = state.signed.iter().flatten().next() {
            let split = state.signed.iter().flatten().any(|other| other != begun);
            return split
                || up.iter().filter(|signed| signed.is_empty() || signed.contains(begun)).count()
                    >= quorum;
        }
        let mut sealed = state.sealed.clone();
        for (member, seal) in sealed.iter_mut().enumerate().take(self.up()) {
            *seal = seal.or(Some((state.highest[member], state.heads[member])));
        }
        // A liar does not help.
        up.len() >= quorum && self.recoveries(&sealed).iter().any(|recovery| recovery.lie.is_none())
    }
}

impl Model for RecoveryModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let honest = self.honest();
        vec![State {
            highest: vec![Checkpoint::Founding; honest],
            sealed: vec![None; honest],
            heads: vec![EMPTY; honest],
            signed: vec![Vec::new(); honest],
            head_new: EMPTY,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let recoveries = self.recoveries(&state.sealed);
        for member in 0..self.honest() {
            let sealed = state.sealed[member].is_some();
            let highest = state.highest[member];
            if !sealed || self.rules.has(OldRule::SealedCosigns) {
                let larger = CHECKPOINTS
                    .into_iter()
                    .filter(|next| *next != highest && highest.is_within(*next));
                actions.extend(larger.map(|next| Action::CosignRegister(member, next)));
            }
            if !sealed && self.heads && state.heads[member] == EMPTY {
                actions.extend(Head::all(1).map(|head| Action::CosignLog(member, head)));
            }
            if member >= self.up() {
                continue;
            }
            if !sealed {
                actions.push(Action::Seal(member));
            }
            let room = if self.rules.has(OldRule::SignsTwice) { 2 } else { 1 };
            if state.signed[member].len() < room {
                actions.extend(recoveries.iter().map(|recovery| Action::Sign(member, *recovery)));
            }
        }
        if self.heads && state.head_new == EMPTY {
            for recovery in self.complete(state) {
                let extending =
                    Head::all(1).filter(|head| self.extends_seals(state, recovery, *head));
                actions.extend(extending.map(Action::CosignNew));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::CosignRegister(member, checkpoint) => state.highest[member] = checkpoint,
            Action::CosignLog(member, head) => state.heads[member] = head,
            Action::Seal(member) => {
                state.sealed[member] = Some((state.highest[member], state.heads[member]));
            }
            Action::Sign(member, recovery) => {
                if state.signed[member].contains(&recovery) {
                    return None;
                }
                state.signed[member].push(recovery);
            }
            Action::CosignNew(head) => state.head_new = head,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(property::SUCCESSOR, |model: &Self, state: &State| {
                let complete = model.complete(state);
                let closed = model.is_cosigned(state, Checkpoint::Closing);
                let stands = model.rules.has(OldRule::SealedSuccession)
                    && model
                        .recoveries(&state.sealed)
                        .iter()
                        .any(|recovery| recovery.at == Checkpoint::Closing);
                let chosen =
                    complete.iter().any(|recovery| recovery.successor == Successor::Chosen);
                complete.len() <= 1 && !(chosen && (closed || stands))
            }),
            Property::always(property::CONTAINS, |model: &Self, state: &State| {
                let cosigned = || {
                    CHECKPOINTS
                        .into_iter()
                        .filter(|checkpoint| model.is_cosigned(state, *checkpoint))
                };
                model
                    .complete(state)
                    .iter()
                    .all(|recovery| cosigned().all(|checkpoint| checkpoint.is_within(recovery.at)))
            }),
            Property::always(property::QUORUMS, |model: &Self, state: &State| {
                let register = model.is_cosigned(state, Checkpoint::X)
                    && model.is_cosigned(state, Checkpoint::Y);
                let accepted = |head| model.head_has_quorum(state, head) || state.head_new == head;
                let log = model.heads && Head::all(1).all(accepted);
                !register && !log
            }),
            Property::sometimes(
                "a chosen successor is in effect",
                |model: &Self, state: &State| {
                    model
                        .complete(state)
                        .iter()
                        .any(|recovery| recovery.successor == Successor::Chosen)
                },
            ),
        ];
        if self.is_live() {
            properties.push(Property::always(property::LIVE, |model: &Self, state: &State| {
                model.can_recover(state)
            }));
        } else {
            properties.push(Property::sometimes(
                "a keeper that equivocates blocks the recovery",
                |model: &Self, state: &State| !model.can_recover(state),
            ));
        }
        properties
    }
}
