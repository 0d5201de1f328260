//! What a recorded decision does to a member, and when it does nothing: admission, restraint, new keys, freezes;
//! and what of a log is final.

use alloc::sync::Arc;

use bytes::Bytes;
use hutong_crypto::Signature;

use super::{
    Anchor, Directory, Member, NoEffect, Parent, Status,
    decision::{Act, Decision, Standing, consents},
    member::Span,
    proof::{AnchoredLeaf, Head, Prefix},
    reach,
    record::Enrolment,
};
use crate::{
    date::Date,
    descriptor::Descriptor,
    evidence::Evidence,
    id::{ExchangeId, Origin},
};

impl Directory {
    /// Ties the size that a decision names to a checkpoint with a quorum, and raises it to what is final.
    pub(super) fn final_prefix(
        &self,
        day: Date,
        author: &Parent,
        stands: &Prefix,
        enrolment: &Enrolment,
        id: &ExchangeId,
    ) -> Result<Prefix, NoEffect> {
        let member = self.member(id).ok_or_else(|| NoEffect::NotAMember { id: id.clone() })?;
        if *stands != Prefix::empty() {
            let Some(Head { note, extension }) = &enrolment.head else {
                return Err(NoEffect::NotTied { id: id.clone(), size: stands.size });
            };
            let head = self.quorum_head(member, note);
            if !head.is_some_and(|head| extension.ties(stands, &head)) {
                return Err(NoEffect::NotTied { id: id.clone(), size: stands.size });
            }
        }
        let last = self.final_leaf(day, member, enrolment.last_final.as_ref())?;
        match last {
            Some(last) if last.size > stands.size && *author != Parent::Council => Ok(last),
            Some(_) | None => Ok(*stands),
        }
    }

    /// The member's head in the last anchor that is final on `day`, as `shown` proves it.
    fn final_leaf(
        &self,
        day: Date,
        member: &Member,
        shown: Option<&AnchoredLeaf>,
    ) -> Result<Option<Prefix>, NoEffect> {
        let id = || member.id.clone();
        match (self.final_anchor_of(day, member), shown) {
            (None, None) => Ok(None),
            (Some(anchor), Some(shown)) if shown.leaf.id == member.id => {
                if !shown.is_under(anchor.leaves, &anchor.root) {
                    return Err(NoEffect::NotFinal { id: id() });
                }
                // What was cut since does not come back.
                let since =
                    member.cuts.iter().filter(|(at, _)| *at > (anchor.version, anchor.index));
                let cuts = since.map(|(_, cut)| *cut);
                Ok(cuts.chain([shown.leaf.head]).min_by_key(|prefix| prefix.size))
            }
            _ => Err(NoEffect::NotFinal { id: id() }),
        }
    }

    /// The last anchor that is final on `day`, if the member has a leaf in it.
    pub fn final_anchor_of(&self, day: Date, member: &Member) -> Option<&Anchor> {
        let last = day.minus_days(self.charters.latest().finality_days);
        let (_, anchor) = self.anchors.range(..=last).next_back()?;
        let (version, index) = member.admitted;
        let admitted = (version, index.map_or(0, |index| index + 1));
        (admitted <= (anchor.version, anchor.index)).then_some(anchor)
    }

    pub(super) fn admit(
        &mut self,
        author: &Parent,
        descriptor: &Descriptor,
    ) -> Result<(), NoEffect> {
        self.check_admission(author, descriptor)?;
        self.hold_keys(descriptor);
        let origin = Origin::new(&self.federation(), &descriptor.id);
        let place = (self.register.version, Some(self.register.size));
        let member = Member::new(descriptor.clone(), origin, author.clone(), place);
        self.members.insert(descriptor.id.clone(), Arc::new(member));
        Ok(())
    }

    pub(super) fn check_admission(
        &self,
        author: &Parent,
        descriptor: &Descriptor,
    ) -> Result<(), NoEffect> {
        let id = &descriptor.id;
        if descriptor.parent != *author || descriptor.federation != Some(self.federation()) {
            return Err(NoEffect::OtherParent { id: id.clone() });
        }
        if self.members.contains_key(id) {
            return Err(NoEffect::IdTaken { id: id.clone() });
        }
        reach::check(self, author, descriptor)?;
        self.check_keys(descriptor)
    }

    /// No key of the descriptor is or was another member's, or the register's.
    pub(super) fn check_keys(&self, descriptor: &Descriptor) -> Result<(), NoEffect> {
        for key in descriptor.keys() {
            let holder = self.holders.get(&key).filter(|holder| **holder != descriptor.id);
            if let Some(holder) = holder {
                return Err(NoEffect::KeyTaken {
                    id: descriptor.id.clone(),
                    holder: holder.clone(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn hold_keys(&mut self, descriptor: &Descriptor) {
        for key in descriptor.keys() {
            self.holders.entry(key).or_insert_with(|| descriptor.id.clone());
        }
    }

    /// Suspends or expels.
    pub(super) fn restrain(
        &mut self,
        author: &Parent,
        id: &ExchangeId,
        stands: Option<Prefix>,
        status: impl Fn(u64, Parent) -> Status,
    ) -> Result<(), NoEffect> {
        let stood = self.check_restraint(author, id)?;
        let stands = stands.unwrap_or_else(Prefix::empty);
        let size = stood.map_or(stands.size, |stood| stood.min(stands.size));
        self.change(id, |member| {
            member.clip(size);
            member.status = status(size, author.clone());
            if size == stands.size {
                member.stood = stands;
            }
        });
        if size == stands.size {
            self.cut(id, stands);
        }
        Ok(())
    }

    /// Whether `author` may suspend or expel `id` now: as an ancestor, and one above whoever did so before.
    /// Returns the size that stands already.
    pub(super) fn check_restraint(
        &self,
        author: &Parent,
        id: &ExchangeId,
    ) -> Result<Option<u64>, NoEffect> {
        let member = self.child(author, id)?;
        match &member.status {
            Status::Active => Ok(None),
            Status::Suspended { log_size_honoured, by } => {
                let again = by == author || self.is_above(author, by, id);
                if again {
                    Ok(Some(*log_size_honoured))
                } else {
                    Err(NoEffect::Rank { id: id.clone() })
                }
            }
            Status::Expelled { .. } => Err(NoEffect::WrongStatus { id: id.clone() }),
        }
    }

    pub(super) fn reinstate(
        &mut self,
        author: &Parent,
        id: &ExchangeId,
        from: &Standing,
    ) -> Result<(), NoEffect> {
        let stood = self.check_lift(author, id)?;
        let member = self.child(author, id)?;
        let not_tied = || NoEffect::NotTied { id: id.clone(), size: stood };
        let (head, _) = Self::signed_head(member, &from.note).ok_or_else(not_tied)?;
        if head.size < stood || !from.extension.ties(&member.stood, &head) {
            return Err(not_tied());
        }
        self.change(id, |member| {
            member.spans.push(Span { from: head.size, to: None });
            member.status = Status::Active;
        });
        Ok(())
    }

    /// Whether `author` may lift what was decided about `id`. Returns the size that stands.
    pub(super) fn check_lift(&self, author: &Parent, id: &ExchangeId) -> Result<u64, NoEffect> {
        let member = self.child(author, id)?;
        match &member.status {
            Status::Active => Err(NoEffect::WrongStatus { id: id.clone() }),
            Status::Suspended { log_size_honoured, by }
            | Status::Expelled { log_size_honoured, by } => {
                let may = by == author || self.is_above(author, by, id);
                if may { Ok(*log_size_honoured) } else { Err(NoEffect::Rank { id: id.clone() }) }
            }
        }
    }

    /// Whether a rekey has the old log key's consent, or a second decision of the authority above the parent;
    /// that authority and the decision's number, where it took one.
    pub(super) fn check_agreement(
        &self,
        day: Date,
        author: &Parent,
        decision: &Decision,
        consent: Option<&Signature>,
        enrolment: &Enrolment,
    ) -> Result<Option<(Parent, u64)>, NoEffect> {
        let id = decision.act.member();
        let member = self.child(author, id)?;
        let Act::Rekey { descriptor, .. } = &decision.act else { return Ok(None) };
        let old = &member.descriptor.log_key;
        if consent.is_some_and(|consent| consents(descriptor.descriptor(), old, consent)) {
            return Ok(None);
        }
        let above = match &member.parent {
            // There is none above the council.
            Parent::Council => return Ok(None),
            Parent::Member(parent) => {
                self.member(parent).map_or(Parent::Council, |parent| parent.parent.clone())
            }
        };
        if *author == above || self.is_above(author, &above, id) {
            return Ok(None);
        }
        let second = enrolment.second.as_ref().ok_or_else(|| NoEffect::Alone { id: id.clone() })?;
        let second = self.judge_decision(day, second)?;
        let same = match &second.decision.act {
            Act::Rekey { descriptor: other, stands, .. } => {
                other == descriptor && Some(stands) == decision.act.stands()
            }
            Act::Admit(_) | Act::Suspend { .. } | Act::Reinstate { .. } | Act::Expel { .. } => {
                false
            }
        };
        if !same || second.author != above {
            return Err(NoEffect::Alone { id: id.clone() });
        }
        Ok(Some((above, second.decision.number)))
    }

    pub(super) fn rekey(
        &mut self,
        descriptor: &Descriptor,
        stands: Prefix,
    ) -> Result<(), NoEffect> {
        let id = descriptor.id.clone();
        let member = self.member(&id).ok_or_else(|| NoEffect::NotAMember { id: id.clone() })?;
        let same_place = member.descriptor.tier == descriptor.tier
            && member.descriptor.region == descriptor.region
            && member.descriptor.parent == descriptor.parent
            && descriptor.federation == Some(self.federation());
        if !same_place {
            return Err(NoEffect::OtherPlace { id });
        }
        if self.holders.contains_key(&descriptor.log_key) {
            // A replaced log key never returns.
            return Err(NoEffect::KeyTaken { id: id.clone(), holder: id });
        }
        self.check_keys(descriptor)?;
        let begin = member.epochs().last().map_or(0, |epoch| epoch.from);
        if stands.size < begin || !member.stands_to(stands.size) {
            return Err(NoEffect::WrongSize { id, size: stands.size, least: begin });
        }
        self.hold_keys(descriptor);
        self.change(&id, |member| change_keys(member, stands.size, descriptor));
        self.cut(&id, stands);
        Ok(())
    }

    pub(super) fn freeze(
        &mut self,
        log: &ExchangeId,
        evidence: &[u8],
        last: Option<&AnchoredLeaf>,
    ) -> Result<(), NoEffect> {
        let member = self.member(log).ok_or_else(|| NoEffect::NotAMember { id: log.clone() })?;
        if member.frozen.is_some() {
            return Err(NoEffect::WrongStatus { id: log.clone() });
        }
        let not_proven = || NoEffect::NotProven { id: log.clone() };
        let evidence =
            Evidence::decode(Bytes::copy_from_slice(evidence)).map_err(|_| not_proven())?;
        evidence
            .verify(member.origin.as_str(), &member.descriptor.log_key)
            .map_err(|_| not_proven())?;
        let (version, index) = member.admitted;
        let admitted = (version, index.map_or(0, |index| index + 1));
        let anchor = self.register.anchor.or_else(|| self.anchors.values().next_back().copied());
        let anchor = anchor.filter(|anchor| admitted <= (anchor.version, anchor.index));
        let stands = match (anchor, last) {
            (None, None) => Prefix::empty(),
            (Some(anchor), Some(last)) if last.leaf.id == *log => {
                let holds = last.is_under(anchor.leaves, &anchor.root);
                if holds {
                    self.anchored_head(log, last.leaf.head)
                } else {
                    return Err(not_proven());
                }
            }
            _ => return Err(not_proven()),
        };
        self.change(log, |member| {
            member.clip(stands.size);
            member.frozen = Some(stands.size);
        });
        self.cut(log, stands);
        Ok(())
    }

    /// Remembers that no more of a log stands than `stands`, for the next anchor and for what is final.
    fn cut(&mut self, id: &ExchangeId, stands: Prefix) {
        let place = (self.register.version, self.register.size);
        self.register.cuts.insert(id.clone(), stands);
        self.change(id, |member| member.cuts.push((place, stands)));
    }

    /// The member `id`, if `author` is above it.
    pub(super) fn child(&self, author: &Parent, id: &ExchangeId) -> Result<&Member, NoEffect> {
        let member = self.member(id).ok_or_else(|| NoEffect::NotAMember { id: id.clone() })?;
        if self.ancestors(id).any(|above| above == *author) {
            return Ok(member);
        }
        Err(NoEffect::NotAbove { id: id.clone() })
    }

    /// Whether authority `one` stands above `other`, both being above `id`.
    fn is_above(&self, one: &Parent, other: &Parent, id: &ExchangeId) -> bool {
        let place = |wanted: &Parent| self.ancestors(id).position(|above| above == *wanted);
        place(one).zip(place(other)).is_some_and(|(one, other)| one > other)
    }
}

/// From `size` on the member's log continues under the keys of `descriptor`. What was suspended stays
/// suspended; a freeze ends.
pub(super) fn change_keys(member: &mut Member, size: u64, descriptor: &Descriptor) {
    member.clip(size);
    member.rekey(size, descriptor.clone());
    member.frozen = None;
    match &mut member.status {
        Status::Active => member.spans.push(Span { from: size, to: None }),
        Status::Suspended { log_size_honoured, .. }
        | Status::Expelled { log_size_honoured, .. } => {
            *log_size_honoured = (*log_size_honoured).min(size);
        }
    }
}
