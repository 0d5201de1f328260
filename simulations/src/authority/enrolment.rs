//! Enrolment and rank: decisions are signed, recorded in any order, replayed and shelved.
//!
//! The council and province `P` are honest; province `Q` signs whatever it likes; a thief may have the log key of `P` or of county `C`,
//! and signs with it, also after the key was replaced.

use stateright::{Model, Property};

use super::directory::{
    Act, Author, Decision, Directory, Entry, Holder, Id, Key, Status, apply, fold, outranks,
};
use super::rules::{Rules, property};

/// See the module.
#[derive(Debug)]
pub(super) struct EnrolmentModel {
    rules: Rules,
}

/// What has been signed and recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Whether the county was a member from the beginning.
    county: bool,
    day: u8,
    stolen: Option<Key>,
    /// In ascending order, at most [`SIGNED_MAX`].
    signed: Vec<Decision>,
    /// At most [`REGISTER_MAX`].
    register: Vec<Entry>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Decide(Decision),
    Enrol(Decision),
    Freeze(Id, Key),
    Day,
    StealSeed(Key),
}

const DAY_MAX: u8 = 2;
const SIGNED_MAX: usize = 3;
const REGISTER_MAX: usize = 4;

impl EnrolmentModel {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules }
    }

    fn directory(&self, state: &State) -> (Directory, u32) {
        fold(self.rules, Directory::founding(state.county), &state.register)
    }

    fn step_holds(&self, state: &State, check: fn(&Step<'_>) -> bool) -> bool {
        let Some((last, earlier)) = state.register.split_last() else { return true };
        let founding = Directory::founding(state.county);
        let (before, earlier_effects) = fold(self.rules, founding, earlier);
        let (after, effects) = fold(self.rules, founding, &state.register);
        check(&Step {
            rules: self.rules,
            state,
            earlier,
            last,
            before,
            earlier_effects,
            after,
            effects,
        })
    }
}

/// The last entry of the register, with the directories on both sides of it.
struct Step<'a> {
    rules: Rules,
    state: &'a State,
    earlier: &'a [Entry],
    last: &'a Entry,
    before: Directory,
    earlier_effects: u32,
    after: Directory,
    effects: u32,
}

impl Model for EnrolmentModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        [false, true]
            .map(|county| State {
                county,
                day: 0,
                stolen: None,
                signed: Vec::new(),
                register: Vec::new(),
            })
            .into()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (directory, _) = self.directory(state);
        if state.day < DAY_MAX {
            actions.push(Action::Day);
        }
        if state.stolen.is_none() {
            actions.extend([Key::P, Key::C].map(Action::StealSeed));
        }
        if state.signed.len() < SIGNED_MAX {
            let decisions = signable(state, &directory)
                .into_iter()
                .filter(|decision| !state.signed.contains(decision));
            actions.extend(decisions.map(Action::Decide));
        }
        if state.register.len() < REGISTER_MAX {
            actions.extend(state.signed.iter().map(|decision| Action::Enrol(*decision)));
            if let Some(key @ (Key::P | Key::C)) = state.stolen {
                // Who has a log's key can make it show two versions of itself.
                let member = if key == Key::P { Id::P } else { Id::C };
                actions.push(Action::Freeze(member, key));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Decide(decision) => {
                let at = state.signed.binary_search(&decision).err()?;
                state.signed.insert(at, decision);
            }
            Action::Enrol(decision) => {
                state.register.push(Entry::Enrolment { decision, day: state.day });
            }
            Action::Freeze(member, key) => {
                let entry = Entry::Freeze { member, key };
                let (directory, _) = self.directory(last);
                apply(self.rules, &directory, &entry)?;
                state.register.push(entry);
            }
            Action::Day => state.day += 1,
            Action::StealSeed(key) => state.stolen = Some(key),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(property::OWNERS, |model: &Self, state: &State| {
                model.step_holds(state, owners_stay)
            }),
            Property::always(property::DECIDED, |model: &Self, state: &State| {
                model.step_holds(state, was_decided)
            }),
            Property::always(property::RANK, |model: &Self, state: &State| {
                model.step_holds(state, rank_is_kept)
            }),
            Property::always(property::PREFIX, |model: &Self, state: &State| {
                model.step_holds(state, prefix_stays)
            }),
            Property::sometimes(
                "a county is admitted, suspended and reinstated",
                |model: &Self, state: &State| {
                    let (directory, effects) = model.directory(state);
                    !state.county
                        && effects == 0b111
                        && directory
                            .member(Id::C)
                            .is_some_and(|county| county.status == Status::Active)
                        && state.register.iter().any(|entry| is_about(entry, Act::Suspend))
                },
            ),
            Property::sometimes(
                "a frozen province gets new keys",
                |model: &Self, state: &State| {
                    let (directory, effects) = model.directory(state);
                    matches!(state.register[..], [Entry::Freeze { .. }, _])
                        && effects == 0b11
                        && directory.member(Id::P).is_some_and(|province| province.key == Key::P2)
                },
            ),
        ]
    }
}

/// The decisions that somebody would sign now: the honest ones, where they would change something, the hostile province's and the thief's.
fn signable(state: &State, directory: &Directory) -> Vec<Decision> {
    let mut decisions = Vec::new();
    let mut sign = |author, signer, member, act| {
        let number = directory.next_number(author, member);
        decisions.push(Decision { author, signer, member, act, number, until: state.day + 1 });
    };
    let genuine = Act::Admit { key: Key::C, parent: Author::P, proven: true };
    let county = directory.member(Id::C).map(|member| member.status);
    if let Some(key) = directory.signing_key(Author::P) {
        let acts: &[Act] = match county {
            None => &[genuine],
            Some(Status::Active) => {
                &[Act::Suspend, Act::Rekey { key: Key::C2, old_signed: true, second: false }]
            }
            Some(Status::Suspended(_) | Status::Expelled(_)) => &[Act::Reinstate],
        };
        for act in acts {
            sign(Author::P, key, Id::C, *act);
        }
    }
    let acts: &[Act] = match county {
        None => &[],
        Some(Status::Active) => &[Act::Suspend],
        Some(Status::Suspended(_)) => &[Act::Suspend, Act::Reinstate, Act::Expel],
        Some(Status::Expelled(_)) => &[Act::Reinstate],
    };
    for act in acts {
        sign(Author::Council, Key::Council, Id::C, *act);
    }
    let renewal = Act::Rekey { key: Key::P2, old_signed: false, second: false };
    let acts: &[Act] = match directory.member(Id::P).map(|member| member.status) {
        Some(Status::Active) => &[Act::Suspend, renewal],
        Some(Status::Suspended(_)) => &[Act::Reinstate, renewal],
        Some(Status::Expelled(_)) | None => &[],
    };
    for act in acts {
        sign(Author::Council, Key::Council, Id::P, *act);
    }
    // The hostile province: its own key under another's id; another's key under an id of its own; another's application.
    let takeover = Act::Admit { key: Key::Thief, parent: Author::Q, proven: true };
    let squat = Act::Admit { key: Key::C, parent: Author::Q, proven: false };
    sign(Author::Q, Key::Q, Id::U, squat);
    for act in [takeover, genuine, Act::Suspend] {
        sign(Author::Q, Key::Q, Id::C, act);
    }
    if state.stolen == Some(Key::P) {
        let theft = Act::Rekey { key: Key::Thief, old_signed: false, second: false };
        for act in [Act::Suspend, Act::Reinstate, theft] {
            sign(Author::P, Key::P, Id::C, act);
        }
    }
    decisions
}

/// I1, by the holders of secrets: an id keeps its holder, a key its id, and both are with who chose them.
fn owners_stay(step: &Step<'_>) -> bool {
    let ids = [Id::P, Id::Q, Id::C, Id::U].into_iter().all(|id| {
        match (step.before.member(id), step.after.member(id)) {
            (None, _) => true,
            (Some(before), Some(after)) => {
                before.key.holder() == after.key.holder() && before.parent == after.parent
            }
            (Some(_), None) => false,
        }
    });
    let keys = [Key::P, Key::P2, Key::Q, Key::C, Key::C2, Key::Thief].into_iter().all(|key| {
        let stays = step.before.owner(key).is_none_or(|id| step.after.owner(key) == Some(id));
        let rightful =
            step.after.owner(key).is_none_or(|id| key.holder() != Holder::C || id == Id::C);
        stays && rightful
    });
    let chosen = step
        .after
        .member(Id::C)
        .is_none_or(|county| county.key.holder() != Holder::C || county.parent == Author::P);
    ids && keys && chosen
}

/// I2, judged without the rules' own code.
fn was_decided(step: &Step<'_>) -> bool {
    let Entry::Enrolment { decision, day } = step.last else { return true };
    let index = step.earlier.len();
    if step.effects & (1 << index) == 0 || step.effects & ((1 << index) - 1) != step.earlier_effects
    {
        return true;
    }
    let unused = !step.earlier.iter().enumerate().any(|(earlier, entry)| {
        step.earlier_effects & (1 << earlier) != 0
            && matches!(entry, Entry::Enrolment { decision: other, .. } if other == decision)
    });
    let author_stands = step.before.may_decide(decision.author)
        && step.before.signing_key(decision.author) == Some(decision.signer);
    let ancestor = matches!(decision.act, Act::Admit { .. })
        || step.before.is_ancestor(decision.author, decision.member);
    *day <= decision.until && unused && author_stands && ancestor && *day <= step.state.day
}

/// Once the council's suspension of a member is recorded, the member is active again only by the council.
fn rank_is_kept(step: &Step<'_>) -> bool {
    let lifted = |id| {
        let was = step.before.member(id).is_some_and(|member| member.status != Status::Active);
        was && step.after.member(id).is_some_and(|member| member.status == Status::Active)
    };
    [Id::P, Id::C].into_iter().filter(|id| lifted(*id)).all(|id| {
        let Entry::Enrolment { decision: lift, .. } = step.last else { return false };
        let mut directory = Directory::founding(step.state.county);
        let mut highest: Option<Author> = None;
        for entry in step.earlier {
            if let Entry::Enrolment { decision, day } = entry
                && decision.member == id
                && decision.act == Act::Suspend
                && *day <= decision.until
                && decision.number == directory.next_number(decision.author, id)
                && directory.member(id).is_some()
                && directory.is_ancestor(decision.author, id)
                && directory.may_decide(decision.author)
                && directory.signing_key(decision.author) == Some(decision.signer)
            {
                highest =
                    Some(highest.map_or(decision.author, |author| author.min(decision.author)));
            }
            if let Some(after) = apply(step.rules, &directory, entry) {
                directory = after;
            }
            if directory.member(id).is_some_and(|member| member.status == Status::Active) {
                highest = None;
            }
        }
        highest.is_none_or(|author| outranks(lift.author, author))
    })
}

/// I6: what the earlier entries did is what they do.
fn prefix_stays(step: &Step<'_>) -> bool {
    step.effects & ((1 << step.earlier.len()) - 1) == step.earlier_effects
}

fn is_about(entry: &Entry, act: Act) -> bool {
    matches!(entry, Entry::Enrolment { decision, .. } if decision.act == act)
}
