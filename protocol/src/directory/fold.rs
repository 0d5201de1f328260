//! Applying a register's entries, one after the other.
//!
//! What breaks a rule at its place takes no effect, at every node alike. All signatures are checked by the
//! strict rule, one by one, so that a receipt never refuses what a node let count.

use alloc::sync::Arc;

use hutong_crypto::verify_strict;

use super::{
    Anchor, Directory, Member, NoEffect, Parent, Status,
    approval::{Approval, approval_message},
    decision::{Act, Decision},
    proof::Prefix,
    record::{Enrolment, Record, RecordAct},
};
use crate::{
    audience::Audience, charter::SignedCharter, date::Date, entry::Entry, id::ExchangeId, io::Peer,
    statement::Statement,
};

/// Days at most between recording a decision and the last day on which it may be recorded.
const UNTIL_DAYS_MAX: u32 = 30;

/// Admissions, reinstatements and rekeys that one member may decide in a day, and as many suspensions and
/// expulsions. A province has some 150 exchanges below it.
pub const ACTS_PER_DAY_MAX: u32 = 200;

/// A signed decision that was read, and who decides.
pub(super) struct Read {
    pub(super) decision: Decision,
    pub(super) author: Parent,
}

impl Directory {
    /// Applies the next entry of the register in force. `charter` is the charter that a succession names:
    /// see [`Directory::wanted_charter`].
    ///
    /// The register's size grows by one in any case; after a succession the next register is in force, at
    /// size 0.
    ///
    /// # Errors
    ///
    /// A [`NoEffect`]: why the entry changes nothing.
    pub fn apply(
        &mut self,
        entry: &Entry,
        charter: Option<&SignedCharter>,
    ) -> Result<(), NoEffect> {
        let version = self.register.version;
        self.digest = Self::digest_after(&self.digest, entry, charter);
        let outcome = self.apply_next(entry, charter);
        if self.register.version == version {
            self.register.size += 1;
        }
        outcome
    }

    fn apply_next(
        &mut self,
        entry: &Entry,
        charter: Option<&SignedCharter>,
    ) -> Result<(), NoEffect> {
        let record = self.read_record(entry)?;
        if self.register.day.is_some_and(|day| record.day < day) {
            return Err(NoEffect::DayFalls { day: record.day });
        }
        if self.register.day != Some(record.day) {
            self.register.acts.clear();
        }
        self.register.day = Some(record.day);
        match &record.act {
            RecordAct::Enrol(enrolment) => self.enrol(record.day, enrolment),
            RecordAct::Freeze { log, evidence, last } => self.freeze(log, evidence, last.as_ref()),
            RecordAct::Anchor { leaves, root } => {
                let (version, index) = (self.register.version, self.register.size);
                let anchor =
                    Anchor { version, index, day: record.day, leaves: *leaves, root: *root };
                self.register.anchor = Some(anchor);
                self.anchors.insert(record.day, anchor);
                self.register.cuts.clear();
                Ok(())
            }
            RecordAct::Succession { .. } => {
                let charter = charter.ok_or(NoEffect::CharterMissing)?;
                self.succeed(record.day, charter)
            }
        }
    }

    /// Reads an entry of the register in force: signed by its key, in its name, for everybody.
    pub(crate) fn read_record(&self, entry: &Entry) -> Result<Record, NoEffect> {
        let statement = read_signed(entry)?;
        let ours =
            statement.issuer == self.register.id && entry.issuer_key() == Ok(self.register.key.key);
        if !ours {
            return Err(NoEffect::NotTheRegister);
        }
        Ok(Record::from_body(&statement.kind, &statement.body)?)
    }

    fn enrol(&mut self, day: Date, enrolment: &Enrolment) -> Result<(), NoEffect> {
        let Read { decision, author } = self.judge_decision(day, &enrolment.decision)?;
        let id = decision.act.member().clone();
        self.check_allowance(&author, decision.act.is_restraint())?;
        let peer = self.member(&id).map(|member| member.peer().clone());
        let stands = match decision.act.stands() {
            Some(stands) => Some(self.final_prefix(day, &author, stands, enrolment, &id)?),
            None => None,
        };
        let mut second = None;
        match &decision.act {
            Act::Admit(signed) => self.admit(&author, signed.descriptor())?,
            Act::Suspend { .. } => {
                let status = |log_size_honoured, by| Status::Suspended { log_size_honoured, by };
                self.restrain(&author, &id, stands, status)?;
            }
            Act::Expel { .. } => {
                let status = |log_size_honoured, by| Status::Expelled { log_size_honoured, by };
                self.restrain(&author, &id, stands, status)?;
            }
            Act::Reinstate { from, .. } => self.reinstate(&author, &id, from)?,
            Act::Rekey { descriptor, consent, .. } => {
                second =
                    self.check_agreement(day, &author, &decision, consent.as_ref(), enrolment)?;
                self.rekey(descriptor.descriptor(), stands.unwrap_or_else(Prefix::empty))?;
            }
        }
        let below_final = stands.zip(decision.act.stands()).is_some_and(|_| {
            author == Parent::Council
                && enrolment.last_final.as_ref().is_some_and(|last| {
                    stands.is_some_and(|stands| stands.size < last.leaf.head.size)
                })
        });
        self.change(&id, |member| {
            member.numbers.insert(author.clone(), decision.number);
            member.numbers.extend(second);
            member.extraordinary |= below_final;
        });
        self.spend(&author, decision.act.is_restraint());
        self.enrolled.insert(enrolment.decision.id());
        self.enrolled.extend(enrolment.second.as_ref().map(Entry::id));
        self.peer_changed(&id, peer);
        Ok(())
    }

    /// Whether `decision`, an entry that a member wrote, could be recorded on `day` as far as can be told
    /// without the proofs that an enrolment adds.
    ///
    /// # Errors
    ///
    /// A [`NoEffect`]: why it could not.
    pub fn would_enrol(&self, day: Date, decision: &Entry) -> Result<Decision, NoEffect> {
        let Read { decision, author } = self.judge_decision(day, decision)?;
        self.check_allowance(&author, decision.act.is_restraint())?;
        let id = decision.act.member();
        match &decision.act {
            Act::Admit(signed) => self.check_admission(&author, signed.descriptor())?,
            Act::Suspend { .. } | Act::Expel { .. } => {
                self.check_restraint(&author, id)?;
            }
            Act::Reinstate { .. } => {
                self.check_lift(&author, id)?;
            }
            Act::Rekey { .. } => {}
        }
        Ok(decision)
    }

    /// Reads a decision and judges who makes it, when, and under which charter.
    pub(super) fn judge_decision(&self, day: Date, entry: &Entry) -> Result<Read, NoEffect> {
        let statement = read_signed(entry)?;
        let decision = Decision::from_body(&statement.kind, &statement.body)?;
        let author = if decision.is_of_council() {
            Parent::Council
        } else {
            Parent::Member(statement.issuer.clone())
        };
        if decision.charter != self.charters.latest_digest() {
            return Err(NoEffect::OtherCharter);
        }
        if decision.until < day || decision.until > day.plus_days(UNTIL_DAYS_MAX) {
            return Err(NoEffect::NotOnThisDay { until: decision.until, day });
        }
        let id = decision.act.member();
        if self.is_council_member(id) {
            return Err(NoEffect::Seat { id: id.clone() });
        }
        let expected = self.member(id).map_or(1, |member| member.next_number(&author));
        if decision.number != expected {
            return Err(NoEffect::Number { expected, got: decision.number });
        }
        self.check_issuer(&statement, entry)?;
        match &decision.approvals {
            Some(approvals) => self.check_approvals(&statement, approvals)?,
            None => self.check_active(&statement.issuer)?,
        }
        Ok(Read { decision, author })
    }

    /// Whether the key may sign such statements for its issuer now.
    fn check_issuer(&self, statement: &Statement, entry: &Entry) -> Result<(), NoEffect> {
        let issuer = &statement.issuer;
        let member =
            self.member(issuer).ok_or_else(|| NoEffect::NotAMember { id: issuer.clone() })?;
        let key = entry.issuer_key()?;
        if member.descriptor.may_sign(&key, statement.kind.as_str()) {
            return Ok(());
        }
        Err(NoEffect::NotAnIssuer { id: issuer.clone(), key })
    }

    /// An exchange decides while it and all above it are active, and its log is not frozen.
    pub(super) fn check_active(&self, id: &ExchangeId) -> Result<(), NoEffect> {
        let mut above = id.clone();
        loop {
            let member =
                self.member(&above).ok_or_else(|| NoEffect::NotAMember { id: above.clone() })?;
            if !member.is_active() || (above == *id && member.frozen.is_some()) {
                return Err(NoEffect::NotActive { id: above });
            }
            match &member.parent {
                Parent::Council => return Ok(()),
                Parent::Member(parent) => above = parent.clone(),
            }
        }
    }

    /// Every approval must hold, and there must be as many as the charter asks for.
    fn check_approvals(
        &self,
        statement: &Statement,
        approvals: &[Approval],
    ) -> Result<(), NoEffect> {
        let charter = self.charters.latest();
        let (expected, got) = (charter.threshold as usize, approvals.len());
        if got < expected {
            return Err(NoEffect::TooFewApprovals { expected, got });
        }
        let kind = statement.kind.as_str();
        let message = approval_message(&self.federation(), kind, &statement.body);
        for Approval { exchange, signature } in approvals {
            let holds = charter
                .council_member(exchange)
                .is_some_and(|member| verify_strict(&member.log_key, &message, signature));
            if !holds {
                return Err(NoEffect::Approval { exchange: exchange.clone() });
            }
        }
        Ok(())
    }

    /// Counts an act against its author's allowance of the day.
    fn spend(&mut self, author: &Parent, restraint: bool) {
        if let Parent::Member(id) = author {
            *self.register.acts.entry((id.clone(), restraint)).or_default() += 1;
        }
    }

    fn check_allowance(&self, author: &Parent, restraint: bool) -> Result<(), NoEffect> {
        let Parent::Member(id) = author else { return Ok(()) };
        let acts = self.register.acts.get(&(id.clone(), restraint)).copied().unwrap_or(0);
        if acts < ACTS_PER_DAY_MAX { Ok(()) } else { Err(NoEffect::Allowance { id: id.clone() }) }
    }

    /// Whose node a peer is, after a decision about `id`, whose node was `before`: nobody else's.
    pub(super) fn peer_changed(&mut self, id: &ExchangeId, before: Option<Peer>) {
        if let Some(before) = before {
            self.by_peer.remove(&before);
        }
        let member =
            self.members.get(id).filter(|it| !matches!(it.status, Status::Expelled { .. }));
        if let Some(peer) = member.map(|member| member.peer().clone()) {
            self.by_peer.insert(peer, id.clone());
        }
    }

    pub(super) fn change(&mut self, id: &ExchangeId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(id) {
            let member = Arc::make_mut(member);
            change(member);
            member.seal();
        }
    }
}

/// The statement of an entry that is signed in suite 1 and for everybody.
fn read_signed(entry: &Entry) -> Result<Statement, NoEffect> {
    let (key, signature) = entry.key_and_signature()?;
    let signed = verify_strict(&key, &entry.signed_message(), &signature);
    let statement = Statement::parse(entry.statement_bytes()).ok().filter(|_| signed);
    statement.filter(|it| it.audience == Audience::Public).ok_or(NoEffect::Form)
}
