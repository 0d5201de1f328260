//! The directory: who is a member, under whom, with which keys, since which log position.
//!
//! The fold of the registers, one for each charter version, in version order, and nothing else: equal
//! beginnings of the registers give equal directories, whatever else a node has heard of.
//!
//! - Council members are members by the charter ([`Directory::found`]).
//! - All else is recorded in the register in force ([`Record`]): decisions about members, freezes, anchors, and
//!   at last the charter's next version ([`Directory::apply`]).
//! - First come, first served: an id denotes one member for ever, a key belongs to one member for ever, and no
//!   later record changes whose it is.
//! - What breaks a rule at its place takes no effect ([`NoEffect`]), at every node alike.

mod acts;
mod anchor;
mod approval;
mod decision;
mod effect;
mod fold;
mod member;
mod opened;
mod proof;
mod reach;
mod record;
mod seats;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString as _,
    sync::Arc,
    vec::Vec,
};

use hutong_crypto::{Hash, PublicKey, digest::sha256_parts, note::SIGNATURE_TYPE_ED25519};

pub use anchor::{Anchor, AnchorError, AnchorLeaf, AnchorLeaves};
pub use approval::{APPROVAL_PAYLOAD_TYPE, Approval, approval_message, approve, with_approvals};
pub use decision::{Act, Decision, DecisionError, Standing, consent};
pub use effect::{NoEffect, Void};
pub use fold::ACTS_PER_DAY_MAX;
pub use member::{Epoch, Member, NoteKey, Span, Status};
pub use opened::{
    OpenError, OpenedEpoch, OpenedMember, OpenedRecord, OpenedState, StatusWord, WholeState,
};
pub use proof::{AnchoredLeaf, Extension, Head, Prefix};
pub(crate) use proof::{hashes_value, read_hashes};
pub use record::{Enrolment, Record, RecordAct, register_id, register_version};

use crate::{
    charter::{CharterChain, ExtendError, SignedCharter},
    date::Date,
    descriptor::Parent,
    entry::Entry,
    id::{ExchangeId, FederationId, Origin, StatementId},
    io::Peer,
    region::{Region, Scope},
};

/// Who is a member, and whose word counts where. See the module's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    charters: CharterChain,
    register: Register,
    /// Sizes of the registers that are closed, by version from 1.
    closed: Vec<u64>,
    members: BTreeMap<ExchangeId, Arc<Member>>,
    by_peer: BTreeMap<Peer, ExchangeId>,
    council: BTreeSet<ExchangeId>,
    /// Whose a key is, for ever.
    holders: BTreeMap<PublicKey, ExchangeId>,
    /// Decisions that took effect.
    enrolled: BTreeSet<StatementId>,
    /// The last anchor of each day.
    anchors: BTreeMap<Date, Anchor>,
    /// See [`Directory::digest`].
    digest: Hash,
}

/// The register in force, as far as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Version of its charter.
    pub version: u64,
    /// Its id as a log.
    pub id: ExchangeId,
    /// How many of its entries were applied.
    pub size: u64,
    /// The day of the last of them.
    pub day: Option<Date>,
    /// Its last anchor, or that of the register before.
    pub anchor: Option<Anchor>,
    /// The key that signs its entries and checkpoints, as notes name it.
    key: NoteKey,
    /// Logs that were cut since the last anchor, and what stands of each.
    cuts: BTreeMap<ExchangeId, Prefix>,
    /// Acts of the day, by author; `true` counts suspensions and expulsions.
    acts: BTreeMap<(ExchangeId, bool), u32>,
}

impl Register {
    fn begin(charters: &CharterChain) -> Self {
        let charter = charters.latest();
        let id = register_id(charter.version);
        let origin = Origin::new(&charters.federation_id(), &id);
        Self {
            version: charter.version,
            size: 0,
            day: None,
            anchor: None,
            key: NoteKey::new(charter.register_key, origin.as_str(), SIGNATURE_TYPE_ED25519),
            cuts: BTreeMap::new(),
            acts: BTreeMap::new(),
            id,
        }
    }
}

impl Directory {
    /// The directory of a federation that was just founded: its council.
    ///
    /// # Errors
    ///
    /// An [`ExtendError`] where not the whole council signed the founding charter.
    pub fn found(founding: SignedCharter) -> Result<Self, ExtendError> {
        let charters = CharterChain::found(founding)?;
        let mut directory = Self {
            register: Register::begin(&charters),
            closed: Vec::new(),
            members: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            council: BTreeSet::new(),
            holders: BTreeMap::new(),
            enrolled: BTreeSet::new(),
            anchors: BTreeMap::new(),
            digest: charters.latest_digest(),
            charters,
        };
        directory.hold_register_key();
        let founding = directory.charters.clone();
        directory.seat_council(&founding);
        Ok(directory)
    }

    /// Nobody else may use the register's key.
    fn hold_register_key(&mut self) {
        let (key, id) = (self.register.key.key, self.register.id.clone());
        self.holders.entry(key).or_insert(id);
    }

    /// The digest of the charter that the next entry names as the next version, if it does:
    /// [`Directory::apply`] needs that charter.
    pub fn wanted_charter(&self, entry: &Entry) -> Option<Hash> {
        match self.read_record(entry).ok()?.act {
            RecordAct::Succession { charter } => Some(charter),
            RecordAct::Enrol(_) | RecordAct::Freeze { .. } | RecordAct::Anchor { .. } => None,
        }
    }

    /// Digest of the founding charter and of all entries that were applied, so of the whole fold.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The digest of a directory with that `digest` after `entry` was applied, with that `charter`.
    pub fn digest_after(digest: &Hash, entry: &Entry, charter: Option<&SignedCharter>) -> Hash {
        // SHA-256(digest || leaf hash || charter's digest, or 32 zero bytes)
        let charter = charter.map_or(Hash([0; 32]), SignedCharter::digest);
        sha256_parts(&[digest.as_bytes(), entry.leaf_hash().as_bytes(), charter.as_bytes()])
    }

    /// The last anchors of past days and of the day of the register's last entry, by day.
    pub fn anchors(&self) -> impl Iterator<Item = &Anchor> {
        self.anchors.values()
    }

    /// The charter's versions that took effect.
    pub fn charters(&self) -> &CharterChain {
        &self.charters
    }

    /// The federation.
    pub fn federation(&self) -> FederationId {
        self.charters.federation_id()
    }

    /// The register in force.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// How many entries of the register of that version count: none for the one in force and later ones.
    pub fn closed_at(&self, version: u64) -> Option<u64> {
        self.closed.get(usize::try_from(version.checked_sub(1)?).ok()?).copied()
    }

    /// Whether the decision in that entry took effect.
    pub fn is_enrolled(&self, decision: &StatementId) -> bool {
        self.enrolled.contains(decision)
    }

    /// Where a log stands by what was recorded since the last anchor: `head`, or less where it was cut.
    pub fn anchored_head(&self, id: &ExchangeId, head: Prefix) -> Prefix {
        self.register.cuts.get(id).filter(|cut| cut.size < head.size).copied().unwrap_or(head)
    }

    /// The member `id`, present or past.
    pub fn member(&self, id: &ExchangeId) -> Option<&Member> {
        self.members.get(id).map(Arc::as_ref)
    }

    /// The member whose id is `text`, present or past.
    pub fn member_named(&self, text: &str) -> Option<&Member> {
        self.members.get(text).map(Arc::as_ref)
    }

    /// All members, present and past, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(Arc::as_ref)
    }

    /// The member whose node the peer is by its newest descriptor, unless expelled.
    pub fn by_peer(&self, peer: &Peer) -> Option<&Member> {
        self.member(self.by_peer.get(peer)?)
    }

    /// Whether `id` is on the council of the charter in force.
    pub fn is_council_member(&self, id: &ExchangeId) -> bool {
        self.council.contains(id)
    }

    /// The council of the charter in force.
    pub fn council(&self) -> &BTreeSet<ExchangeId> {
        &self.council
    }

    /// Those above `id`, its parent first and the council last; none where it is no member.
    pub fn ancestors(&self, id: &ExchangeId) -> impl Iterator<Item = Parent> {
        let mut next = self.member(id).map(|member| &member.parent);
        core::iter::from_fn(move || {
            let above = next?;
            next = match above {
                Parent::Council => None,
                Parent::Member(id) => self.member(id).map(|member| &member.parent),
            };
            Some(above.clone())
        })
    }

    /// The exchange whose node signs the log: its owner; for a register, its keeper.
    pub fn operator(&self, log: &ExchangeId) -> Option<&ExchangeId> {
        if let Some(version) = register_version(log) {
            return self.charters.version_at(version).map(|it| &it.charter().keeper);
        }
        self.member(log).map(|member| &member.id)
    }

    /// Where announcements of the log go.
    pub fn scope_of(&self, log: &ExchangeId) -> Option<Scope> {
        match register_version(log) {
            Some(version) => self.charters.version_at(version).map(|_| Scope::register()),
            None => self.member(log).map(|member| member.scope.clone()),
        }
    }

    /// The region of the log's owner.
    pub fn region_of(&self, log: &ExchangeId) -> Option<&Region> {
        self.member(self.operator(log)?).map(Member::region)
    }

    /// The key that signs the log's checkpoint of so many entries, as notes name it.
    pub fn log_note_key_at(&self, log: &ExchangeId, size: u64) -> Option<NoteKey> {
        match register_version(log) {
            Some(version) if version == self.register.version => Some(self.register.key.clone()),
            Some(version) => {
                let charter = self.charters.version_at(version)?.charter();
                let origin = Origin::new(&self.federation(), log);
                Some(NoteKey::new(charter.register_key, origin.as_str(), SIGNATURE_TYPE_ED25519))
            }
            None => self.member(log)?.log_note_key_at(size).cloned(),
        }
    }

    /// Whether enough council members cosigned a checkpoint of the log; `has_cosigned` says of each whether
    /// its cosignature holds. A register is judged by its own charter, all other logs by the one in force.
    pub fn is_witnessed(
        &self,
        log: &ExchangeId,
        has_cosigned: impl Fn(&ExchangeId) -> bool,
    ) -> bool {
        let Some(owner) = self.operator(log) else { return false };
        let version = register_version(log).and_then(|version| self.charters.version_at(version));
        let charter = version.map_or_else(|| self.charters.latest(), |version| version.charter());
        charter.is_witnessed(owner, has_cosigned)
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
        let not_a_member = || Void::NotAMember { log: log.clone() };
        let member = self.member(log).ok_or_else(not_a_member)?;
        if !member.is_honoured(index) {
            let honoured = member.honoured_before(index);
            return Err(Void::NotHonoured { log: log.clone(), index, honoured });
        }
        let descriptor = member.descriptor_at(index);
        if descriptor.may_sign(key, kind) {
            Ok(())
        } else if descriptor.issuer_keys.iter().any(|issuer| issuer.key == *key) {
            Err(Void::TypeNotAllowed { log: log.clone(), key: *key, kind: kind.to_string() })
        } else {
            Err(Void::NotAnIssuer { log: log.clone(), index, key: *key })
        }
    }

    /// The key by which `log` signs a checkpoint of `size` entries: the log key that held for the
    /// last of them. The log's owner may be suspended or expelled.
    pub fn log_key_at(&self, log: &ExchangeId, size: u64) -> Option<PublicKey> {
        self.log_note_key_at(log, size).map(|key| key.key)
    }

    /// Whether `witness` cosigns `log` unasked: it is the parent or child of its owner, or on the council.
    /// Of a register, the council of its charter alone.
    pub fn is_witness_of(&self, witness: &ExchangeId, log: &ExchangeId) -> bool {
        if let Some(version) = register_version(log) {
            let charter = self.charters.version_at(version).map(|it| it.charter());
            return charter
                .is_some_and(|it| it.keeper != *witness && it.is_council_member(witness));
        }
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
}

/// Whose node a peer is: of members that are not expelled.
fn by_peer(members: &BTreeMap<ExchangeId, Arc<Member>>) -> BTreeMap<Peer, ExchangeId> {
    let present = members.values().filter(|it| !matches!(it.status, Status::Expelled { .. }));
    present.map(|member| (member.peer().clone(), member.id.clone())).collect()
}

#[cfg(test)]
mod tests;
