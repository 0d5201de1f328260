//! The directory as the fold of the register: who is a member, by which keys, under whom.
//!
//! Four ids stand for all: two provinces `P` and `Q` that the council admitted, a county `C` that belongs under `P`, and a stray county `U`.

use super::rules::{OldRule, Rules};

/// A key; its name says whose secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Council,
    P,
    P2,
    Q,
    C,
    C2,
    Thief,
}

/// Who holds the secret of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Council,
    P,
    Q,
    C,
    Thief,
}

impl Key {
    pub(super) fn holder(self) -> Holder {
        match self {
            Self::Council => Holder::Council,
            Self::P | Self::P2 => Holder::P,
            Self::Q => Holder::Q,
            Self::C | Self::C2 => Holder::C,
            Self::Thief => Holder::Thief,
        }
    }
}

/// An exchange's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Id {
    P,
    Q,
    C,
    U,
}

/// Who decides. The order is that of the tiers, and of ids within a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Author {
    Council,
    /// The province whose id comes first.
    Q,
    P,
}

impl Author {
    fn id(self) -> Option<Id> {
        match self {
            Self::Council => None,
            Self::P => Some(Id::P),
            Self::Q => Some(Id::Q),
        }
    }
}

/// What a decision does to its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Act {
    /// Admits under the descriptor's parent; `proven` says that every key in the descriptor signed it.
    Admit {
        key: Key,
        parent: Author,
        proven: bool,
    },
    Suspend,
    Reinstate,
    Expel,
    /// Changes the log key; with the old key's signature, or a second decision by the authority above.
    Rekey {
        key: Key,
        old_signed: bool,
        second: bool,
    },
}

/// A signed decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Decision {
    pub(super) author: Author,
    /// The key that signed it.
    pub(super) signer: Key,
    pub(super) member: Id,
    pub(super) act: Act,
    pub(super) number: u8,
    pub(super) until: u8,
}

/// An entry of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Enrolment {
        decision: Decision,
        day: u8,
    },
    /// Evidence against `member`'s log under `key`.
    Freeze {
        member: Id,
        key: Key,
    },
}

/// Whether a member may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Status {
    Active,
    Suspended(Author),
    Expelled(Author),
}

/// What the directory says of one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Member {
    pub(super) key: Key,
    pub(super) parent: Author,
    pub(super) status: Status,
    pub(super) frozen: bool,
    /// The last effective number by author.
    pub(super) numbers: [u8; 3],
}

/// Who is a member, and which id each key belongs to for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Directory {
    members: [Option<Member>; 4],
    owners: [Option<Id>; 7],
}

impl Directory {
    /// The council and two active provinces, and the county where it was admitted before.
    pub(super) fn founding(county: bool) -> Self {
        let member = |key, parent: Author| {
            let mut numbers = [0; 3];
            numbers[parent as usize] = 1;
            Some(Member { key, parent, status: Status::Active, frozen: false, numbers })
        };
        let mut owners = [None; 7];
        owners[Key::P as usize] = Some(Id::P);
        owners[Key::Q as usize] = Some(Id::Q);
        owners[Key::C as usize] = county.then_some(Id::C);
        let county = if county { member(Key::C, Author::P) } else { None };
        Self {
            members: [
                member(Key::P, Author::Council),
                member(Key::Q, Author::Council),
                county,
                None,
            ],
            owners,
        }
    }

    pub(super) fn member(&self, id: Id) -> Option<&Member> {
        self.members[id as usize].as_ref()
    }

    pub(super) fn owner(&self, key: Key) -> Option<Id> {
        self.owners[key as usize]
    }

    /// The number that `author`'s next decision about `id` bears.
    pub(super) fn next_number(&self, author: Author, id: Id) -> u8 {
        self.member(id).map_or(1, |member| member.numbers[author as usize] + 1)
    }

    /// The key that signs for `author`: the council's, or that of the province's present epoch.
    pub(super) fn signing_key(&self, author: Author) -> Option<Key> {
        author.id().map_or(Some(Key::Council), |id| self.member(id).map(|member| member.key))
    }

    /// Whether `author` may decide at all: itself active and not frozen, and so every ancestor.
    pub(super) fn may_decide(&self, author: Author) -> bool {
        author.id().is_none_or(|id| {
            self.member(id).is_some_and(|member| member.status == Status::Active && !member.frozen)
        })
    }

    /// Whether `author` is an ancestor of `id`.
    pub(super) fn is_ancestor(&self, author: Author, id: Id) -> bool {
        author == Author::Council || self.member(id).is_some_and(|member| member.parent == author)
    }

    fn update(mut self, decision: &Decision, change: impl FnOnce(&mut Member)) -> Option<Self> {
        let member = self.members[decision.member as usize].as_mut()?;
        member.numbers[decision.author as usize] = decision.number;
        change(member);
        Some(self)
    }
}

/// The directory after `entry`, or nothing where the entry takes no effect.
pub(super) fn apply(rules: Rules, before: &Directory, entry: &Entry) -> Option<Directory> {
    match entry {
        Entry::Freeze { member, key } => freeze(before, *member, *key),
        Entry::Enrolment { decision, day } => enrol(rules, before, decision, *day),
    }
}

/// The directory after `founding` and `entries`, with one bit for each that took effect.
pub(super) fn fold(rules: Rules, founding: Directory, entries: &[Entry]) -> (Directory, u32) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    if rules.has(OldRule::OrderOfTiers) {
        order.sort_by_key(|index| match &entries[*index] {
            Entry::Enrolment { decision, .. } => u8::from(decision.author != Author::Council),
            Entry::Freeze { .. } => 2,
        });
    }
    if rules.has(OldRule::DisplacingAdmission) {
        order.sort_by_key(|index| match &entries[*index] {
            Entry::Enrolment { decision, .. } => decision.author as u8,
            Entry::Freeze { .. } => 3,
        });
    }
    let mut directory = founding;
    let mut effects = 0;
    for index in order {
        if let Some(after) = apply(rules, &directory, &entries[index]) {
            directory = after;
            effects |= 1 << index;
        }
    }
    (directory, effects)
}

fn freeze(before: &Directory, id: Id, key: Key) -> Option<Directory> {
    let mut after = *before;
    let member = after.members[id as usize].as_mut()?;
    if member.key != key || member.frozen {
        return None;
    }
    member.frozen = true;
    Some(after)
}

fn enrol(rules: Rules, before: &Directory, decision: &Decision, day: u8) -> Option<Directory> {
    let timely = rules.has(OldRule::DecisionsNeverExpire) || day <= decision.until;
    let unused = rules.has(OldRule::ReplayedDecision)
        || decision.number == before.next_number(decision.author, decision.member);
    let signed = rules.has(OldRule::FormerKeyDecides)
        || before.signing_key(decision.author) == Some(decision.signer);
    if !(timely && unused && signed && before.may_decide(decision.author)) {
        return None;
    }
    if let Act::Admit { key, parent, proven } = decision.act {
        return admit(rules, before, decision, key, parent, proven);
    }
    let member = before.member(decision.member)?;
    if !before.is_ancestor(decision.author, decision.member) {
        return None;
    }
    match decision.act {
        Act::Admit { .. } => None,
        Act::Suspend => suspend(rules, before, decision, member.status),
        Act::Reinstate => {
            let author = match member.status {
                Status::Active => return None,
                Status::Suspended(author) | Status::Expelled(author) => author,
            };
            outranks(decision.author, author).then_some(())?;
            before.update(decision, |member| member.status = Status::Active)
        }
        Act::Expel => {
            let rank = match member.status {
                Status::Active | Status::Suspended(_) => true,
                Status::Expelled(author) => decision.author < author,
            };
            rank.then_some(())?;
            let author = match member.status {
                // Who expels does not weaken what somebody above suspended.
                Status::Suspended(author) => author.min(decision.author),
                Status::Active | Status::Expelled(_) => decision.author,
            };
            before.update(decision, |member| member.status = Status::Expelled(author))
        }
        Act::Rekey { key, old_signed, second } => {
            let above = decision.author == Author::Council || second;
            let backed = rules.has(OldRule::LoneRekey) || old_signed || above;
            if !backed
                || before.owner(key).is_some()
                || matches!(member.status, Status::Expelled(_))
            {
                return None;
            }
            let mut after = before.update(decision, |member| {
                member.key = key;
                member.frozen = false;
            })?;
            after.owners[key as usize] = Some(decision.member);
            Some(after)
        }
    }
}

fn admit(
    rules: Rules,
    before: &Directory,
    decision: &Decision,
    key: Key,
    parent: Author,
    proven: bool,
) -> Option<Directory> {
    let willing = rules.has(OldRule::UnprovenKeys) || proven;
    let chosen = rules.has(OldRule::UnchosenParent) || parent == decision.author;
    if !willing
        || !chosen
        || before.member(decision.member).is_some()
        || before.owner(key).is_some()
    {
        return None;
    }
    let mut numbers = [0; 3];
    numbers[decision.author as usize] = decision.number;
    let mut after = *before;
    after.members[decision.member as usize] = Some(Member {
        key,
        parent: decision.author,
        status: Status::Active,
        frozen: false,
        numbers,
    });
    after.owners[key as usize] = Some(decision.member);
    Some(after)
}

/// A suspension by somebody above takes over the one that stands, so that a parent cannot shield its child by its own.
fn suspend(
    rules: Rules,
    before: &Directory,
    decision: &Decision,
    status: Status,
) -> Option<Directory> {
    let takes = match status {
        Status::Active => true,
        Status::Suspended(author) => {
            !rules.has(OldRule::ShieldingSuspension) && decision.author < author
        }
        Status::Expelled(_) => false,
    };
    takes.then_some(())?;
    before.update(decision, |member| member.status = Status::Suspended(decision.author))
}

/// Whether `author` may lift what `suspender` did.
pub(super) fn outranks(author: Author, suspender: Author) -> bool {
    author == suspender || author == Author::Council
}
