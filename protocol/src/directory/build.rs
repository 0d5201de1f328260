//! Building the directory, from the council down.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString as _,
    vec::Vec,
};

use hutong_crypto::{Hash, PublicKey, sha256, verify_strict};

use super::{
    Directory, FactVoid, approval_message, authorizes,
    decision::{Act, CouncilDecision, Decision},
    facts::{AdminFact, FactRef, Facts},
    member::{Member, Parent, Span, Status},
};
use crate::{
    charter::{Charter, CharterChain},
    descriptor::Descriptor,
    id::{ExchangeId, FederationId, Origin, Tier},
    io::Peer,
};

/// See [`Directory::build`] and [`Directory::rebuild`]; `known` are verdicts on approvals from before.
pub(super) fn build(charters: &CharterChain, facts: &Facts, known: &ApprovalVerdicts) -> Directory {
    let mut builder = Builder {
        federation: charters.federation_id(),
        members: BTreeMap::new(),
        holders: BTreeMap::new(),
        void: BTreeMap::new(),
        decided: BTreeSet::new(),
        known,
        approvals: BTreeMap::new(),
    };
    let decisions = builder.read(facts);
    builder.council(charters, &decisions);
    // The last ones may admit nobody; they are asked so that each decision finds its reason.
    let idle = [Tier::National, Tier::Industry, Tier::County];
    for tiers in [&[Tier::Provincial, Tier::International][..], &[Tier::Municipal], &idle] {
        builder.parents(tiers, &decisions);
    }
    builder.leftovers(&decisions);
    builder.finish(charters.latest())
}

/// Whether approvals hold, by their digest: see [`approvals_digest`].
pub(super) type ApprovalVerdicts = BTreeMap<Hash, Result<(), FactVoid>>;

struct Builder<'a> {
    federation: FederationId,
    members: BTreeMap<ExchangeId, Member>,
    /// Who was the first to use a key, for whatever purpose.
    holders: BTreeMap<PublicKey, ExchangeId>,
    void: BTreeMap<FactRef, FactVoid>,
    /// The contents of the council's decisions that were met.
    decided: BTreeSet<Hash>,
    /// Verdicts on approvals from before.
    known: &'a ApprovalVerdicts,
    /// Those that were asked for now.
    approvals: ApprovalVerdicts,
}

/// A fact with what it says.
struct Read<'a> {
    place: &'a FactRef,
    fact: &'a AdminFact,
    decision: &'a Decision,
}

type Decisions<'a> = BTreeMap<ExchangeId, Vec<Read<'a>>>;

impl Builder<'_> {
    /// Reads the facts, by log and index; those out of form are void.
    fn read<'a>(&mut self, facts: &'a Facts) -> Decisions<'a> {
        let mut decisions: Decisions<'a> = BTreeMap::new();
        for (place, fact) in facts.iter() {
            if *fact.issuer() != place.log {
                let issuer = fact.issuer().clone();
                self.void.insert(place.clone(), FactVoid::ForeignIssuer { issuer });
                continue;
            }
            match fact.decision() {
                Ok(decision) => {
                    let read = Read { place, fact, decision };
                    decisions.entry(place.log.clone()).or_default().push(read);
                }
                Err(error) => {
                    self.void.insert(place.clone(), error.clone().into());
                }
            }
        }
        decisions
    }

    /// Applies the charter's versions in order, each followed by the decisions under it.
    fn council(&mut self, charters: &CharterChain, decisions: &Decisions<'_>) {
        let mut before: Option<&Charter> = None;
        for version in charters.versions() {
            let charter = version.charter();
            self.charter(before, charter);
            let end = decisions_end(charters, charter);
            for read in decisions.get(&charter.registrar).map_or(&[][..], Vec::as_slice) {
                let Some(council) = &read.decision.council else { continue };
                if council.charter_version == charter.version && read.place.index < end {
                    let outcome = self.council_decision(charter, council, read);
                    self.note(read.place, outcome);
                }
            }
            before = Some(charter);
        }
    }

    /// Makes the council's members members, and ends what the version before had and this has not.
    fn charter(&mut self, before: Option<&Charter>, charter: &Charter) {
        let honoured = charter.succession.as_ref().map(|succession| &succession.logs_honoured);
        for signed in &charter.council {
            let descriptor = signed.descriptor();
            let size = honoured.and_then(|sizes| sizes.get(&descriptor.id)).copied();
            self.seat(descriptor, size);
        }
        for (id, size) in honoured.into_iter().flatten() {
            let left = !charter.is_council_member(id);
            if left && before.is_some_and(|before| before.is_council_member(id)) {
                self.expel(id, *size);
            }
        }
    }

    /// Gives a council member its place: new, taken over, or under new keys from `size` on.
    fn seat(&mut self, descriptor: &Descriptor, size: Option<u64>) {
        for key in descriptor.keys() {
            self.holders.entry(key).or_insert_with(|| descriptor.id.clone());
        }
        let Some(member) = self.members.get_mut(&descriptor.id) else {
            let member = self.new_member(descriptor, Parent::Council);
            self.members.insert(descriptor.id.clone(), member);
            return;
        };
        let old = &member.descriptor;
        let same = old.log_key == descriptor.log_key && old.issuer_keys == descriptor.issuer_keys;
        match size {
            None if same => member.refresh(descriptor),
            // A member that joins the council under other keys begins its log anew.
            _ => change_keys(member, size.unwrap_or(0), descriptor),
        }
    }

    fn council_decision(
        &mut self,
        charter: &Charter,
        council: &CouncilDecision,
        read: &Read<'_>,
    ) -> Result<(), FactVoid> {
        self.entry_counts(read)?;
        let member = read.decision.act.member();
        if charter.is_council_member(member) {
            let (member, log) = (member.clone(), read.place.log.clone());
            return Err(FactVoid::NotTheParent { member, log });
        }
        // Before any signature: repetitions must not cost verifications.
        if self.decided.contains(&council.content) {
            return Err(FactVoid::Repeated);
        }
        self.check_approvals(charter, council, read.fact)?;
        self.decided.insert(council.content);
        self.apply(&Parent::Council, read)
    }

    /// Every approval must hold, and there must be as many as the charter asks for.
    fn check_approvals(
        &mut self,
        charter: &Charter,
        council: &CouncilDecision,
        fact: &AdminFact,
    ) -> Result<(), FactVoid> {
        let digest = approvals_digest(charter, council);
        let verdict = match self.known.get(&digest) {
            Some(verdict) => verdict.clone(),
            None => verify_approvals(&self.federation, charter, council, fact),
        };
        self.approvals.insert(digest, verdict.clone());
        verdict?;
        let (expected, met) = (charter.threshold as usize, council.approvals.len());
        if met < expected {
            return Err(FactVoid::TooFewApprovals { expected, met });
        }
        Ok(())
    }

    /// Applies the own decisions of all members of `tiers`, by id and then index.
    fn parents(&mut self, tiers: &[Tier], decisions: &Decisions<'_>) {
        let parents: Vec<ExchangeId> = self
            .members
            .values()
            .filter(|member| tiers.contains(&member.descriptor.tier))
            .map(|member| member.id.clone())
            .collect();
        for parent in parents {
            for read in decisions.get(&parent).map_or(&[][..], Vec::as_slice) {
                if read.decision.council.is_none() {
                    let outcome = self
                        .entry_counts(read)
                        .and_then(|()| self.apply(&Parent::Member(parent.clone()), read));
                    self.note(read.place, outcome);
                }
            }
        }
    }

    /// Says why decisions do not count that nobody came to apply.
    fn leftovers(&mut self, decisions: &Decisions<'_>) {
        let applied: BTreeSet<FactRef> =
            self.members.values().flat_map(|member| member.facts.iter().cloned()).collect();
        for read in decisions.values().flatten() {
            if applied.contains(read.place) || self.void.contains_key(read.place) {
                continue;
            }
            let outcome = self.entry_counts(read).and(Err(match &read.decision.council {
                Some(council) => {
                    FactVoid::NotTheRegistrar { charter_version: council.charter_version }
                }
                None => FactVoid::NotTheParent {
                    member: read.decision.act.member().clone(),
                    log: read.place.log.clone(),
                },
            }));
            self.note(read.place, outcome);
        }
    }

    fn entry_counts(&self, read: &Read<'_>) -> Result<(), FactVoid> {
        let FactRef { log, index } = read.place;
        let kind = read.fact.kind().as_str();
        authorizes(&self.members, log, *index, &read.fact.key(), kind)?;
        Ok(())
    }

    fn apply(&mut self, parent: &Parent, read: &Read<'_>) -> Result<(), FactVoid> {
        match &read.decision.act {
            Act::Admit(signed) => self.admit(parent, signed.descriptor())?,
            Act::Suspend { member, log_size_honoured } => {
                self.suspend(parent, read.place, member, *log_size_honoured)?;
            }
            Act::Reinstate { member, log_size_from } => {
                self.reinstate(parent, read.place, member, *log_size_from)?;
            }
            Act::Expel { member, log_size_honoured } => {
                self.child(parent, read.place, member)?;
                self.expel(member, *log_size_honoured);
            }
            Act::Rekey { descriptor, log_size_honoured } => {
                let descriptor = descriptor.descriptor();
                self.rekey(parent, read.place, descriptor, *log_size_honoured)?;
            }
        }
        if let Some(member) = self.members.get_mut(read.decision.act.member()) {
            member.facts.insert(read.place.clone());
        }
        Ok(())
    }

    fn admit(&mut self, parent: &Parent, descriptor: &Descriptor) -> Result<(), FactVoid> {
        self.check_reach(parent, descriptor)?;
        if self.members.contains_key(&descriptor.id) {
            return Err(FactVoid::IdTaken { id: descriptor.id.clone() });
        }
        self.take_keys(descriptor)?;
        let member = self.new_member(descriptor, parent.clone());
        self.members.insert(descriptor.id.clone(), member);
        Ok(())
    }

    /// Who may admit whom: PROTOCOL §5.
    fn check_reach(&self, parent: &Parent, child: &Descriptor) -> Result<(), FactVoid> {
        let (name, admits) = match parent {
            Parent::Council => {
                ("the council".to_string(), !matches!(child.tier, Tier::Municipal | Tier::County))
            }
            Parent::Member(id) => (id.to_string(), self.member_admits(id, child)),
        };
        if admits {
            return Ok(());
        }
        let (tier, region) = (child.tier, child.region.to_string());
        Err(FactVoid::OutOfReach { parent: name, tier, region })
    }

    fn member_admits(&self, parent: &ExchangeId, child: &Descriptor) -> bool {
        let Some(parent) = self.members.get(parent) else { return false };
        let below = match parent.descriptor.tier {
            Tier::Provincial | Tier::International => {
                matches!(child.tier, Tier::Municipal | Tier::County)
            }
            Tier::Municipal => child.tier == Tier::County,
            Tier::National | Tier::Industry | Tier::County => false,
        };
        below && parent.descriptor.region.contains(&child.region)
    }

    fn suspend(
        &mut self,
        parent: &Parent,
        place: &FactRef,
        id: &ExchangeId,
        size: u64,
    ) -> Result<(), FactVoid> {
        let member = self.child(parent, place, id)?;
        if member.status != Status::Active {
            return Err(FactVoid::WrongStatus { member: id.clone() });
        }
        member.clip(size);
        member.status = Status::Suspended { log_size_honoured: size };
        Ok(())
    }

    fn reinstate(
        &mut self,
        parent: &Parent,
        place: &FactRef,
        id: &ExchangeId,
        size: u64,
    ) -> Result<(), FactVoid> {
        let member = self.child(parent, place, id)?;
        let Status::Suspended { log_size_honoured: honoured } = member.status else {
            return Err(FactVoid::WrongStatus { member: id.clone() });
        };
        if size < honoured {
            return Err(FactVoid::WrongSize { member: id.clone(), met: size, honoured });
        }
        member.spans.push(Span { from: size, to: None });
        member.status = Status::Active;
        Ok(())
    }

    fn rekey(
        &mut self,
        parent: &Parent,
        place: &FactRef,
        descriptor: &Descriptor,
        size: u64,
    ) -> Result<(), FactVoid> {
        let id = &descriptor.id;
        let member = self.child(parent, place, id)?;
        let same_place = member.descriptor.tier == descriptor.tier
            && member.descriptor.region == descriptor.region;
        if !same_place {
            return Err(FactVoid::OtherPlace { member: id.clone() });
        }
        self.take_keys(descriptor)?;
        let member = self.child(parent, place, id)?;
        change_keys(member, size, descriptor);
        Ok(())
    }

    /// Ends a member's log at `size`; once expelled it stays at the smaller size.
    fn expel(&mut self, id: &ExchangeId, size: u64) {
        if let Some(member) = self.members.get_mut(id) {
            member.clip(size);
            let log_size_honoured = match member.status {
                Status::Active => size,
                Status::Suspended { log_size_honoured }
                | Status::Expelled { log_size_honoured } => log_size_honoured.min(size),
            };
            member.status = Status::Expelled { log_size_honoured };
        }
    }

    /// The member `id`, if `parent` answers for it and it was not expelled. Who sits on the council
    /// by the charter answers to the charter alone.
    fn child(
        &mut self,
        parent: &Parent,
        place: &FactRef,
        id: &ExchangeId,
    ) -> Result<&mut Member, FactVoid> {
        let not_the_parent =
            || FactVoid::NotTheParent { member: id.clone(), log: place.log.clone() };
        let member = self.members.get_mut(id).ok_or_else(not_the_parent)?;
        if member.parent != *parent {
            return Err(not_the_parent());
        }
        if matches!(member.status, Status::Expelled { .. }) {
            return Err(FactVoid::WrongStatus { member: id.clone() });
        }
        Ok(member)
    }

    /// Reserves the descriptor's keys for its exchange, unless another has one of them.
    fn take_keys(&mut self, descriptor: &Descriptor) -> Result<(), FactVoid> {
        let id = &descriptor.id;
        for key in descriptor.keys() {
            if let Some(holder) = self.holders.get(&key).filter(|holder| *holder != id) {
                return Err(FactVoid::KeyTaken { id: id.clone(), holder: holder.clone() });
            }
        }
        for key in descriptor.keys() {
            self.holders.insert(key, id.clone());
        }
        Ok(())
    }

    fn new_member(&self, descriptor: &Descriptor, parent: Parent) -> Member {
        let origin = Origin::new(&self.federation, &descriptor.id);
        Member::new(descriptor.clone(), origin, parent)
    }

    fn note(&mut self, place: &FactRef, outcome: Result<(), FactVoid>) {
        if let Err(reason) = outcome {
            self.void.insert(place.clone(), reason);
        }
    }

    fn finish(self, latest: &Charter) -> Directory {
        let mut by_peer: BTreeMap<Peer, ExchangeId> = BTreeMap::new();
        for member in self.members.values() {
            if !matches!(member.status, Status::Expelled { .. }) {
                by_peer.entry(member.peer().clone()).or_insert_with(|| member.id.clone());
            }
        }
        let council = latest.council.iter().map(|member| member.descriptor().id.clone());
        Directory {
            federation: self.federation,
            council: council.collect(),
            members: self.members,
            by_peer,
            void: self.void,
            approvals: self.approvals,
        }
    }
}

/// From `size` on the member's log continues under the keys of `descriptor`. What was suspended
/// stays suspended.
fn change_keys(member: &mut Member, size: u64, descriptor: &Descriptor) {
    member.clip(size);
    member.rekey(size, descriptor.clone());
    match &mut member.status {
        Status::Active => member.spans.push(Span { from: size, to: None }),
        Status::Suspended { log_size_honoured } | Status::Expelled { log_size_honoured } => {
            *log_size_honoured = (*log_size_honoured).min(size);
        }
    }
}

/// The size of the registrar's log up to which decisions under `charter` stand: what the next version
/// says, and less where a later version honours less of that log.
fn decisions_end(charters: &CharterChain, charter: &Charter) -> u64 {
    let later = charters.versions().iter().map(|version| version.charter());
    let mut end = u64::MAX;
    for next in later.filter(|next| next.version > charter.version) {
        let Some(succession) = &next.succession else { continue };
        if next.version == charter.version + 1 {
            end = end.min(succession.decisions_honoured);
        }
        if let Some(size) = succession.logs_honoured.get(&charter.registrar) {
            end = end.min(*size);
        }
    }
    end
}

/// Names approvals together with what they approve and the keys that they are checked with.
fn approvals_digest(charter: &Charter, council: &CouncilDecision) -> Hash {
    // SHA256(content || (log key || signature) for each approval)
    let mut bytes = Vec::from(*council.content.as_bytes());
    for approval in &council.approvals {
        let member = charter.council_member(&approval.exchange);
        bytes.extend_from_slice(member.map_or(&[0; 32], |member| member.log_key.as_bytes()));
        bytes.extend_from_slice(approval.signature.as_bytes());
    }
    sha256(&bytes)
}

/// Approvals are verified one by one, never in a batch: the strict rule has the same outcome on every
/// node, and a receipt never refuses what a node let count.
fn verify_approvals(
    federation: &FederationId,
    charter: &Charter,
    council: &CouncilDecision,
    fact: &AdminFact,
) -> Result<(), FactVoid> {
    let message = approval_message(federation, fact.kind().as_str(), &fact.body());
    for approval in &council.approvals {
        let holds = charter
            .council_member(&approval.exchange)
            .is_some_and(|member| verify_strict(&member.log_key, &message, &approval.signature));
        if !holds {
            return Err(FactVoid::Approval { exchange: approval.exchange.clone() });
        }
    }
    Ok(())
}
