//! The directory: who is a member, under whom, with which keys, since which log position.
//!
//! A pure function of the charter chain and of statements about members ([`Facts`]): the same set
//! gives the same directory, in whatever order it arrived. Nobody's clock has a say; places in logs
//! decide.
//!
//! - Council members are members by the charter.
//! - The council's decisions are entries in the log of the registrar of a charter version, with
//!   approvals by that version's council ([`approve`]). They apply in order of (version, index).
//! - Then each provincial and international member's own decisions apply, in order of index, and
//!   then each municipal one's: a parent stands strictly above its child, so there are no circles.
//! - A decision counts if the parent's key was an issuer key for its type at that index, and the
//!   index was honoured: entries beyond a suspension's size are void, with all that rests on them.
//! - The first admission of an id counts, in that order of parents (by id within one tier); ids,
//!   keys and peer ids are never used twice.

mod approval;
mod build;
mod decision;
mod facts;
mod member;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use hutong_crypto::PublicKey;

pub use approval::{APPROVAL_PAYLOAD_TYPE, Approval, approval_message, approve, with_approvals};
pub use decision::{Act, CouncilDecision, Decision, DecisionError};
pub use facts::{AdminFact, FactRef, Facts};
pub use member::{Epoch, Member, NoteKey, Parent, Span, Status};

use crate::{
    charter::CharterChain,
    id::{ExchangeId, FederationId, Tier},
    io::Peer,
};

/// Who is a member, and whose word counts where. See the module's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    federation: FederationId,
    members: BTreeMap<ExchangeId, Member>,
    by_peer: BTreeMap<Peer, ExchangeId>,
    council: BTreeSet<ExchangeId>,
    void: BTreeMap<FactRef, FactVoid>,
    /// Whether approvals hold, so that the next directory need not verify them again.
    approvals: build::ApprovalVerdicts,
}

/// Why an entry does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// The log's owner is no member.
    #[error("{log} is not a member of the federation")]
    NotAMember {
        /// Whose log.
        log: ExchangeId,
    },
    /// The entry is beyond what stands.
    #[error("entry {index} of {log} is void: its entries stand up to size {honoured}")]
    NotHonoured {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
        /// How many entries stand, or stood before an interruption.
        honoured: u64,
    },
    /// The key was no issuer key of the exchange at that place.
    #[error("key {key} was not an issuer key of {log} at entry {index}")]
    NotAnIssuer {
        /// Whose log.
        log: ExchangeId,
        /// Which entry.
        index: u64,
        /// The key met.
        key: PublicKey,
    },
    /// The key may sign statements of other types only.
    #[error("issuer key {key} of {log} may not sign statements of type {kind}")]
    TypeNotAllowed {
        /// Whose log.
        log: ExchangeId,
        /// The key met.
        key: PublicKey,
        /// The type met.
        kind: String,
    },
}

/// Why a statement about a member does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactVoid {
    /// The entry itself does not count in its log.
    #[error(transparent)]
    Entry(#[from] Void),
    /// The statement is not by the owner of the log that it is in.
    #[error("statement of {issuer} in another exchange's log")]
    ForeignIssuer {
        /// Who issued it, by its own words.
        issuer: ExchangeId,
    },
    /// The body is out of form.
    #[error(transparent)]
    Form(#[from] DecisionError),
    /// A council decision in a log that is not the registrar's, or beyond what the next version of
    /// the charter honours, or under an unknown version.
    #[error(
        "council decision under charter version {charter_version} does not stand in this log at this place"
    )]
    NotTheRegistrar {
        /// The version that it names.
        charter_version: u64,
    },
    /// An approval does not hold, or is by no council member of the version.
    #[error("approval by {exchange} does not hold")]
    Approval {
        /// Who is said to approve.
        exchange: ExchangeId,
    },
    /// Fewer approvals than the charter's threshold.
    #[error("expected {expected} approvals of the council, met {met}")]
    TooFewApprovals {
        /// The threshold.
        expected: usize,
        /// How many there are.
        met: usize,
    },
    /// The council decided the very same before.
    #[error("the council decided the very same before; a decision counts once")]
    Repeated,
    /// The parent may not admit an exchange of this tier, or not in this region.
    #[error("{parent} may not admit a {tier} exchange for region {region}")]
    OutOfReach {
        /// The parent.
        parent: String,
        /// The tier met.
        tier: Tier,
        /// The region met.
        region: String,
    },
    /// The id is taken.
    #[error("{id} is or was a member already")]
    IdTaken {
        /// The id met.
        id: ExchangeId,
    },
    /// A key or peer id is taken.
    #[error("{id} uses a key of {holder}")]
    KeyTaken {
        /// Whose descriptor it is.
        id: ExchangeId,
        /// Who has the key.
        holder: ExchangeId,
    },
    /// The member concerned is not this parent's.
    #[error("{member} is not a member that {log} answers for")]
    NotTheParent {
        /// The member concerned.
        member: ExchangeId,
        /// Whose decision it is.
        log: ExchangeId,
    },
    /// The member's status does not allow it: suspended twice, reinstated while active, expelled.
    #[error("the status of {member} does not allow this decision")]
    WrongStatus {
        /// The member concerned.
        member: ExchangeId,
    },
    /// Reinstatement from a size below that of the suspension, or a rekey beyond what stands.
    #[error("{member}: size {met} contradicts the {honoured} entries that stand")]
    WrongSize {
        /// The member concerned.
        member: ExchangeId,
        /// The size met.
        met: u64,
        /// How many entries stand.
        honoured: u64,
    },
    /// A new descriptor is for another tier or region.
    #[error("a rekey of {member} keeps tier and region")]
    OtherPlace {
        /// The member concerned.
        member: ExchangeId,
    },
}

impl Directory {
    /// Finds out who is a member. `facts` hold entries whose signatures were checked; which of them
    /// count is found out here, see [`Directory::void_facts`].
    ///
    /// Cost: one pass over the facts, and the signature checks of each council decision's approvals.
    pub fn build(charters: &CharterChain, facts: &Facts) -> Self {
        build::build(charters, facts, &BTreeMap::new())
    }

    /// The same as [`Directory::build`], at less cost: approvals that were verified for this
    /// directory, an earlier one of the same federation, are not verified again.
    #[must_use]
    pub fn rebuild(&self, charters: &CharterChain, facts: &Facts) -> Self {
        build::build(charters, facts, &self.approvals)
    }

    /// The federation.
    pub fn federation(&self) -> &FederationId {
        &self.federation
    }

    /// The member `id`, present or past.
    pub fn member(&self, id: &ExchangeId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The member whose id is `text`, present or past.
    pub fn member_named(&self, text: &str) -> Option<&Member> {
        self.members.get(text)
    }

    /// All members, present and past, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The member whose node the peer is by its newest descriptor, unless expelled.
    pub fn by_peer(&self, peer: &Peer) -> Option<&Member> {
        self.members.get(self.by_peer.get(peer)?)
    }

    /// Whether `id` is on the council of the charter in force.
    pub fn is_council_member(&self, id: &ExchangeId) -> bool {
        self.council.contains(id)
    }

    /// The council of the charter in force.
    pub fn council(&self) -> &BTreeSet<ExchangeId> {
        &self.council
    }

    /// Who answers for `id`.
    pub fn parent(&self, id: &ExchangeId) -> Option<&Parent> {
        self.member(id).map(|member| &member.parent)
    }

    /// Whether an entry at `index` of `log`, signed by `key`, counts as a statement of type `kind`.
    ///
    /// That the statement names `log` as its issuer is for the caller to check.
    ///
    /// # Errors
    ///
    /// A [`Void`]: why it does not count.
    pub fn authorizes(
        &self,
        log: &ExchangeId,
        index: u64,
        key: &PublicKey,
        kind: &str,
    ) -> Result<(), Void> {
        authorizes(&self.members, log, index, key, kind)
    }

    /// The key by which `log` signs a checkpoint of `size` entries: the log key that held for the
    /// last of them. The log's owner may be suspended or expelled.
    pub fn log_key_at(&self, log: &ExchangeId, size: u64) -> Option<PublicKey> {
        self.member(log).map(|member| member.log_key_at(size))
    }

    /// Whether `witness` cosigns `log` unasked: it is the log's parent or child, or on the council.
    pub fn is_witness_of(&self, witness: &ExchangeId, log: &ExchangeId) -> bool {
        let (Some(one), Some(other)) = (self.member(witness), self.member(log)) else {
            return false;
        };
        let answers_for = |parent: &Member, child: &Member| match &child.parent {
            Parent::Council => false,
            Parent::Member(id) => *id == parent.id,
        };
        witness != log
            && (self.council.contains(witness)
                || answers_for(one, other)
                || answers_for(other, one))
    }

    /// Every fact that decides whether entries of `id` count: those about it, and those about the
    /// members above it, the council's first. With these facts alone [`Directory::build`] says the
    /// same about `id` as with all of them.
    pub fn chain_of(&self, id: &ExchangeId) -> Vec<FactRef> {
        let mut chain = Vec::new();
        let mut next = self.member(id);
        while let Some(member) = next {
            let mut facts: Vec<FactRef> = member.facts.iter().cloned().collect();
            facts.append(&mut chain);
            chain = facts;
            next = match &member.parent {
                Parent::Council => None,
                Parent::Member(parent) => self.member(parent),
            };
        }
        chain
    }

    /// Statements about members that do not count, and why: for operators to see.
    pub fn void_facts(&self) -> &BTreeMap<FactRef, FactVoid> {
        &self.void
    }
}

/// See [`Directory::authorizes`].
fn authorizes(
    members: &BTreeMap<ExchangeId, Member>,
    log: &ExchangeId,
    index: u64,
    key: &PublicKey,
    kind: &str,
) -> Result<(), Void> {
    let log = log.clone();
    let Some(member) = members.get(&log) else { return Err(Void::NotAMember { log }) };
    if !member.is_honoured(index) {
        return Err(Void::NotHonoured { log, index, honoured: member.honoured_before(index) });
    }
    let descriptor = member.descriptor_at(index);
    if descriptor.may_sign(key, kind) {
        return Ok(());
    }
    let key = *key;
    if descriptor.issuer_keys.iter().any(|issuer| issuer.key == key) {
        Err(Void::TypeNotAllowed { log, key, kind: kind.to_string() })
    } else {
        Err(Void::NotAnIssuer { log, index, key })
    }
}

#[cfg(test)]
mod tests;
