//! Seats on the council, and how one version of the charter follows another in the register.

use alloc::sync::Arc;

use super::{Directory, Member, NoEffect, Parent, Register, Status, acts::change_keys};
use crate::{
    charter::{Charter, CharterChain, Extend, SignedCharter},
    date::Date,
    descriptor::{Descriptor, SignedDescriptor},
    id::Origin,
};

impl Directory {
    /// Closes the register: the next version of the charter takes effect.
    pub(super) fn succeed(&mut self, day: Date, signed: &SignedCharter) -> Result<(), NoEffect> {
        let mut charters = self.charters.clone();
        match charters.extend(signed.clone())? {
            Extend::Added => {}
            Extend::Known => return Err(NoEffect::CharterKnown),
        }
        let charter = signed.charter();
        if charter.succession.as_ref().is_none_or(|it| it.until < day) {
            return Err(NoEffect::CharterLate);
        }
        self.check_seats(charter)?;
        let before = self.charters.clone();
        self.charters = charters;
        self.seat_council(&before);
        let (size, anchor) = (self.register.size + 1, self.register.anchor);
        self.closed.push(size);
        let cuts = core::mem::take(&mut self.register.cuts);
        self.register = Register { anchor, cuts, ..Register::begin(&self.charters) };
        self.hold_register_key();
        Ok(())
    }

    /// A seat contradicts no id and no key at this place.
    fn check_seats(&self, charter: &Charter) -> Result<(), NoEffect> {
        let sizes = charter.succession.as_ref().map(|succession| &succession.logs_honoured);
        for seat in charter.council.iter().map(SignedDescriptor::descriptor) {
            self.check_keys(seat)?;
            let Some(member) = self.member(&seat.id) else { continue };
            let same = same_keys(&member.descriptor, seat);
            let listed = sizes.is_some_and(|sizes| sizes.contains_key(&seat.id));
            let replaced = member.descriptor.log_key != seat.log_key;
            let back = replaced && self.holders.contains_key(&seat.log_key);
            if (!same && !listed) || back || matches!(member.status, Status::Expelled { .. }) {
                return Err(NoEffect::SeatContradicts { id: seat.id.clone() });
            }
        }
        if self.holders.contains_key(&charter.register_key)
            && !self
                .charters
                .versions()
                .iter()
                .any(|it| it.charter().register_key == charter.register_key)
        {
            return Err(NoEffect::SeatContradicts { id: charter.keeper.clone() });
        }
        Ok(())
    }

    /// Gives the council of the charter in force its seats, and ends those of `before`.
    pub(super) fn seat_council(&mut self, before: &CharterChain) {
        let charters = self.charters.clone();
        let charter = charters.latest();
        let sizes =
            charter.succession.as_ref().map(|it| it.logs_honoured.clone()).unwrap_or_default();
        for seat in charter.council.iter().map(SignedDescriptor::descriptor) {
            self.hold_keys(seat);
            if !self.members.contains_key(&seat.id) {
                let origin = Origin::new(&self.federation(), &seat.id);
                let place = (charter.version, None);
                let member = Member::new(seat.clone(), origin, Parent::Council, place);
                self.members.insert(seat.id.clone(), Arc::new(member));
                continue;
            }
            let size = sizes.get(&seat.id).copied();
            self.change(&seat.id, |member| {
                member.parent = Parent::Council;
                match size {
                    Some(size) if !same_keys(&member.descriptor, seat) => {
                        change_keys(member, size, seat);
                    }
                    Some(_) | None => member.refresh(seat),
                }
            });
        }
        for former in &before.latest().council {
            let id = &former.descriptor().id;
            let Some(size) = sizes.get(id).filter(|_| !charter.is_council_member(id)) else {
                continue;
            };
            self.change(id, |member| {
                member.clip(*size);
                let by = Parent::Council;
                member.status = Status::Suspended { log_size_honoured: *size, by };
            });
        }
        self.council = charter.council.iter().map(|seat| seat.descriptor().id.clone()).collect();
        self.by_peer = super::by_peer(&self.members);
    }
}

/// Whether a log goes on under the same keys.
fn same_keys(one: &Descriptor, other: &Descriptor) -> bool {
    one.log_key == other.log_key && one.issuer_keys == other.issuer_keys
}
