//! Federations for tests and simulations: real keys from seeds, real charters, entries and trees.
//!
//! Nothing here is random: an exchange's seed is the hash of its id, so that the same calls give the
//! same bytes. Behind the feature `test-support`; a step that cannot succeed panics.

mod receipts;

use alloc::{collections::BTreeMap, format, string::ToString as _, vec::Vec};

use hutong_crypto::{
    Hash, Purpose, Seed, SigningKey,
    checkpoint::Checkpoint,
    cosignature::cosign,
    merkle::{MemoryTree, NodeReader as _, cover, empty_root, inclusion_proof, root_at},
    note::Note,
    proof::TlogProof,
    sha256,
};
use serde_json::{Value, json};

use crate::{
    audience::Audience,
    charter::{Charter, CharterChain, Quotas, SignedCharter, Succession},
    date::Date,
    descriptor::{ANY_TYPE, Descriptor, IssuerKey, Parent, SignedDescriptor},
    directory::{
        AnchorLeaves, AnchoredLeaf, Decision, Directory, Enrolment, Extension, Head, Member,
        NoEffect, Prefix, Record, RecordAct, WholeState, approve, consent, register_version,
        with_approvals,
    },
    entry::Entry,
    fields::base64,
    id::{ExchangeId, FederationId, Origin, Tier},
    json::canonicalize,
    statement::{Draft, Statement, StatementType},
    time::Timestamp,
    transport::peer_id,
};

/// 2026-11-23T08:00:00Z, when every fixture begins, in seconds since the Unix epoch.
pub const BEGIN_SECONDS: u64 = 1_795_420_800;

/// The provincial divisions of GB/T 2260, by their first two digits.
pub const PROVINCES: [u32; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
];

/// An exchange with all its secrets.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Signs checkpoints and the descriptor.
    pub log_key: SigningKey,
    /// Cosigns.
    pub witness_key: SigningKey,
    /// Signs statements.
    pub issuer_key: SigningKey,
    /// Proves its connections.
    pub transport_key: SigningKey,
    /// Signs the register, where it keeps it.
    pub register_key: SigningKey,
}

impl Exchange {
    /// An exchange whose keys come from its id and `generation`: another one for each rekey.
    pub fn new(id: &str, tier: Tier, region: &str, generation: u32) -> Self {
        let seed = Seed::from_bytes(sha256(format!("{id} {generation}").as_bytes()).0);
        let (log_key, witness_key) = (seed.derive(Purpose::Log), seed.derive(Purpose::Witness));
        let issuer_key = seed.derive(Purpose::Issuer);
        let transport_key = seed.derive(Purpose::Transport);
        let types = Vec::from([ANY_TYPE.to_string()]);
        let descriptor = Descriptor {
            id: id.parse().expect("a fixture's id is in form"),
            federation: None,
            parent: Parent::Council,
            names: BTreeMap::from([("zh".to_string(), format!("{id} 技术交易所"))]),
            tier,
            region: region.parse().expect("a fixture's region is in form"),
            log_key: log_key.public(),
            witness_key: witness_key.public(),
            issuer_keys: Vec::from([IssuerKey { key: issuer_key.public(), types }]),
            transport: peer_id(&transport_key.public()),
            addresses: Vec::from(["/ip4/192.0.2.1/tcp/4001".to_string()]),
            website: None,
        };
        let register_key = seed.derive(Purpose::Register);
        Self { descriptor, log_key, witness_key, issuer_key, transport_key, register_key }
    }

    /// The same in `federation`, under `parent`: a fresh one is made for a founding council.
    #[must_use]
    pub fn under(mut self, parent: Parent, federation: &FederationId) -> Self {
        self.descriptor.parent = parent;
        self.descriptor.federation = Some(*federation);
        self
    }

    /// Its id.
    pub fn id(&self) -> &ExchangeId {
        &self.descriptor.id
    }

    /// All its keys.
    pub fn keys(&self) -> [&SigningKey; 4] {
        [&self.log_key, &self.witness_key, &self.issuer_key, &self.transport_key]
    }

    /// The descriptor, signed.
    pub fn signed(&self) -> SignedDescriptor {
        SignedDescriptor::sign(&self.descriptor, &self.keys())
            .expect("a fixture's descriptor is in form and its keys are at hand")
    }
}

/// A log with its entries and tree.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// All entries.
    pub entries: Vec<Entry>,
    /// The tree over them.
    pub tree: MemoryTree,
}

/// A federation with the secrets of all its exchanges, and the register of its charter in force.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The exchanges, members or not.
    pub exchanges: BTreeMap<ExchangeId, Exchange>,
    /// The fold of the registers.
    pub directory: Directory,
    /// One log per exchange that said something, and per register.
    pub logs: BTreeMap<ExchangeId, Log>,
    /// The time of the next statement or cosignature, in seconds; each takes one.
    pub seconds: u64,
    /// The leaves of each anchor, by version and index.
    pub anchors: BTreeMap<(u64, u64), AnchorLeaves>,
    /// The states that their leaves name.
    pub states: BTreeMap<Hash, WholeState>,
    /// The checkpoints of closed registers, by version.
    pub closings: BTreeMap<u64, Note>,
}

impl Federation {
    /// Founds a federation whose council is `council`, with `threshold` for decisions and more than half for
    /// the witness quorum. The first by id keeps the register.
    pub fn found(council: Vec<Exchange>, threshold: u32) -> Self {
        let charter = charter_of(&council, threshold, None);
        let mut signed = SignedCharter::unsigned(&charter).expect("a fixture's charter is in form");
        for member in &council {
            signed.sign(member.id(), &member.log_key);
        }
        let directory = Directory::found(signed).expect("the whole council signed");
        Self {
            exchanges: council.into_iter().map(|member| (member.id().clone(), member)).collect(),
            directory,
            logs: BTreeMap::new(),
            seconds: BEGIN_SECONDS,
            anchors: BTreeMap::new(),
            states: BTreeMap::new(),
            closings: BTreeMap::new(),
        }
    }

    /// A federation of `seats` (1, or 3 to 34) provincial council members `cn-11-p`, `cn-12-p`, …, a
    /// majority of which decides.
    pub fn of_provinces(seats: u32) -> Self {
        let council = PROVINCES.iter().take(seats as usize).map(|code| {
            Exchange::new(&format!("cn-{code}-p"), Tier::Provincial, &format!("CN-{code}"), 0)
        });
        Self::found(council.collect(), seats / 2 + 1)
    }

    /// The federation's id.
    pub fn id(&self) -> FederationId {
        self.directory.federation()
    }

    /// The charters in effect.
    pub fn charters(&self) -> &CharterChain {
        self.directory.charters()
    }

    /// The exchange with its secrets.
    pub fn exchange(&self, id: &str) -> &Exchange {
        self.exchanges.get(&id_of(id)).expect("the exchange is part of the fixture")
    }

    /// The exchange that keeps the register.
    pub fn keeper(&self) -> ExchangeId {
        self.charters().latest().keeper.clone()
    }

    /// The day, by the fixture's clock.
    pub fn day(&self) -> Date {
        Date::of(Timestamp::from_seconds(self.seconds))
    }

    /// Lets so many days pass.
    pub fn pass_days(&mut self, days: u64) {
        self.seconds += days * 86_400;
    }

    /// The exchange with a descriptor for this federation, under `parent`: an id or `council`.
    pub fn below(&self, parent: &str, exchange: Exchange) -> Exchange {
        exchange.under(parent.parse().expect("a fixture's parent is in form"), &self.id())
    }

    /// Adds an exchange that is no member yet.
    pub fn add(&mut self, exchange: Exchange) -> ExchangeId {
        let id = exchange.id().clone();
        self.exchanges.insert(id.clone(), exchange);
        id
    }

    /// Appends a statement to the log of `log`, signed by its issuer key; returns the index.
    pub fn append(&mut self, log: &str, kind: StatementType, body: Value) -> u64 {
        let key = self.exchange(log).issuer_key.clone();
        self.append_signed(log, &key, kind, body)
    }

    /// As [`Federation::append`], signed by any key.
    pub fn append_signed(
        &mut self,
        log: &str,
        key: &SigningKey,
        kind: StatementType,
        body: Value,
    ) -> u64 {
        let entry = self.entry(log, key, kind, body);
        self.append_entry(log, entry)
    }

    /// Makes an entry without appending it.
    pub fn entry(
        &mut self,
        issuer: &str,
        key: &SigningKey,
        kind: StatementType,
        body: Value,
    ) -> Entry {
        let draft = self.draft(issuer, kind, body);
        let statement = draft.encode().expect("a fixture's statement is in form");
        Entry::sign(key, &statement).expect("a fixture's statement fits an entry")
    }

    /// As [`Federation::append`], of a body that no node would publish.
    pub fn append_unjudged(&mut self, log: &str, kind: StatementType, body: Value) -> u64 {
        let key = self.exchange(log).issuer_key.clone();
        let draft = self.draft(log, kind, body);
        let mut statement = Vec::new();
        draft.frame().append(&canonicalize(&draft.body), &mut statement);
        let entry = Entry::sign(&key, &statement).expect("a fixture's statement fits an entry");
        self.append_entry(log, entry)
    }

    fn draft(&mut self, issuer: &str, kind: StatementType, body: Value) -> Draft {
        self.seconds += 1;
        let mut salt = [0; 16];
        salt.copy_from_slice(&sha256(format!("{issuer} {}", self.seconds).as_bytes()).0[..16]);
        Draft {
            audience: Audience::Public,
            issued_at: Timestamp::from_seconds(self.seconds),
            issuer: id_of(issuer),
            salt,
            kind,
            body,
        }
    }

    /// Appends an entry as it is.
    pub fn append_entry(&mut self, log: &str, entry: Entry) -> u64 {
        let log = self.logs.entry(id_of(log)).or_default();
        log.entries.push(entry);
        log.tree.push(log.entries[log.entries.len() - 1].leaf_hash())
    }

    /// The id of the register in force, as a log.
    pub fn register(&self) -> ExchangeId {
        self.directory.register().id.clone()
    }

    /// Records something in the register in force, and folds it.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn record(&mut self, act: RecordAct) -> Result<u64, NoEffect> {
        self.record_on(self.day(), act, None)
    }

    /// As [`Federation::record`], on another day, with the charter that a succession names.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn record_on(
        &mut self,
        day: Date,
        act: RecordAct,
        charter: Option<&SignedCharter>,
    ) -> Result<u64, NoEffect> {
        let register = self.register();
        let record = Record { day, act };
        let key = self.exchange(self.keeper().as_str()).register_key.clone();
        let entry = self.entry(register.as_str(), &key, record.kind(), record.to_body());
        let index = self.append_entry(register.as_str(), entry.clone());
        self.directory.apply(&entry, charter).map(|()| index)
    }

    /// The body of `author`'s next decision about `member`: with the charter, the number and the last day.
    pub fn decision_body(&self, author: &Parent, member: &str, mut body: Value) -> Value {
        let number = self.directory.member(&id_of(member)).map_or(1, |it| it.next_number(author));
        for (name, value) in [
            ("charter", json!(self.charters().latest_digest().to_string())),
            ("number", json!(number)),
            ("until", json!(self.day().plus_days(30).to_string())),
        ] {
            if body.get(name).is_none() {
                body[name] = value;
            }
        }
        body
    }

    /// `author`, an id or `council`, decides about `member`: the entry stands in the author's or the keeper's
    /// log.
    pub fn decide(
        &mut self,
        author: &str,
        kind: StatementType,
        member: &str,
        body: Value,
    ) -> Entry {
        let approvals = self.charters().latest().threshold as usize;
        self.decide_with(author, kind, member, body, approvals)
    }

    /// As [`Federation::decide`], with a given count of approvals where the council decides.
    pub fn decide_with(
        &mut self,
        author: &str,
        kind: StatementType,
        member: &str,
        body: Value,
        approvals: usize,
    ) -> Entry {
        let authority: Parent = author.parse().expect("a fixture's author is in form");
        let mut body = self.decision_body(&authority, member, body);
        let mut log = author.to_string();
        if authority == Parent::Council {
            let council = self.charters().latest().council.clone();
            let approvals = council.iter().take(approvals).map(|seat| {
                let id = &seat.descriptor().id;
                let key = &self.exchange(id.as_str()).log_key;
                approve(&self.id(), kind.as_str(), &body, id, key)
            });
            body = with_approvals(body.clone(), approvals.collect());
            log = self.keeper().to_string();
        }
        let index = self.append(&log, kind, body);
        self.logs[&id_of(&log)].entries[usize::try_from(index).expect("a small log")].clone()
    }

    /// Records a decision, with the head and the final leaf that it needs.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn enrol(&mut self, decision: &Entry) -> Result<u64, NoEffect> {
        self.enrol_with(decision, None)
    }

    /// As [`Federation::enrol`], with a second decision.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn enrol_with(
        &mut self,
        decision: &Entry,
        second: Option<&Entry>,
    ) -> Result<u64, NoEffect> {
        let enrolment = self.enrolment(decision, second);
        self.record(RecordAct::Enrol(enrolment))
    }

    /// What the register records for a decision.
    pub fn enrolment(&mut self, decision: &Entry, second: Option<&Entry>) -> Enrolment {
        let (decision, second) = (decision.clone(), second.cloned());
        let mut enrolment = Enrolment { decision, second, head: None, last_final: None };
        let Ok(statement) = Statement::parse(enrolment.decision.statement_bytes()) else {
            return enrolment;
        };
        let decided = Decision::from_body(&statement.kind, &statement.body).ok();
        let Some(decided) = decided else { return enrolment };
        let id = decided.act.member().clone();
        let Some(stands) = decided.act.stands().copied() else { return enrolment };
        if stands != Prefix::empty() {
            let note = self.checkpoint(id.as_str());
            let size = self.logs[&id].tree.size();
            let extension = self.extension(&id, stands.size.min(size), size);
            enrolment.head = Some(Head { note: note.encode(), extension });
        }
        let member = self.directory.member(&id);
        let anchor = member.and_then(|it| self.directory.final_anchor_of(self.day(), it)).copied();
        enrolment.last_final =
            anchor.and_then(|anchor| self.anchors.get(&(anchor.version, anchor.index))?.prove(&id));
        enrolment
    }

    /// The beginning of a log.
    pub fn prefix(&self, log: &str, size: u64) -> Prefix {
        let root = self.logs.get(&id_of(log)).map_or_else(empty_root, |log| {
            root_at(size, &log.tree).expect("a fixture's log has that size")
        });
        Prefix { size, root }
    }

    /// What ties the tree of `old` entries to that of `new`.
    pub fn extension(&self, log: &ExchangeId, old: u64, new: u64) -> Extension {
        let tree = &self.logs[log].tree;
        let hashes = |from, to| {
            let node = |(level, index)| tree.node(level, index).expect("the log has that size");
            cover(from, to).into_iter().map(node).collect()
        };
        Extension { left: hashes(0, old), right: hashes(old, new) }
    }

    /// `parent`, an id or `council`, admits `child`, and the register records it.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn try_admit(&mut self, parent: &str, child: Exchange) -> Result<u64, NoEffect> {
        let child = self.below(parent, child);
        let body = json!({ "descriptor": child.signed().to_value() });
        let id = child.id().to_string();
        let decision = self.decide(parent, StatementType::MemberAdmit, &id, body);
        let outcome = self.enrol(&decision);
        if outcome.is_ok() {
            self.add(child);
        }
        outcome
    }

    /// As [`Federation::try_admit`], where nothing speaks against it.
    pub fn admit(&mut self, parent: &str, child: Exchange) -> u64 {
        self.try_admit(parent, child).expect("a fixture's admission takes effect")
    }

    /// The council admits `child`.
    pub fn admit_by_council(&mut self, child: Exchange) -> u64 {
        self.admit("council", child)
    }

    /// `author` suspends or expels `member` at `size`, and the register records it.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn restrain(
        &mut self,
        author: &str,
        kind: StatementType,
        member: &str,
        size: u64,
    ) -> Result<u64, NoEffect> {
        let root = self.prefix(member, size).root.to_string();
        let body = json!({
            "log_root_honoured": root, "log_size_honoured": size, "member": member,
        });
        let decision = self.decide(author, kind, member, body);
        self.enrol(&decision)
    }

    /// `author` reinstates `member` from the end of its log, and the register records it.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn reinstate(&mut self, author: &str, member: &str, stood: u64) -> Result<u64, NoEffect> {
        let note = self.checkpoint_by(member, &[]).encode();
        let size = self.logs[&id_of(member)].tree.size();
        let mut body = json!({ "checkpoint": note, "member": member });
        let extension = self.extension(&id_of(member), stood, size);
        extension.write(body.as_object_mut().expect("it is an object"));
        let decision = self.decide(author, StatementType::MemberReinstate, member, body);
        self.enrol(&decision)
    }

    /// The decision of `author` that `new` continues the log of the same id from `size` on, with the consent of
    /// the old log key where it is given.
    pub fn rekey_decision(
        &mut self,
        author: &str,
        new: &Exchange,
        size: u64,
        old_log_key: Option<&SigningKey>,
    ) -> Entry {
        let id = new.id().to_string();
        let mut body = json!({
            "descriptor": new.signed().to_value(),
            "log_root_honoured": self.prefix(&id, size).root.to_string(),
            "log_size_honoured": size,
        });
        if let Some(key) = old_log_key {
            let signature = consent(&new.descriptor, key);
            body["consent"] = json!(base64(signature.as_bytes()));
        }
        self.decide(author, StatementType::MemberRekey, &id, body)
    }

    /// Records an anchor of every log as far as it is here.
    pub fn anchor(&mut self) -> u64 {
        let before = self.directory.register().anchor;
        let before = before.and_then(|it| self.anchors.get(&(it.version, it.index)).cloned());
        let mut leaves = before.unwrap_or_default();
        let head = |member: &Member| {
            let size = self.logs.get(&member.id).map_or(0, |log| log.tree.size());
            Some(self.prefix(member.id.as_str(), size))
        };
        let changes = leaves.changes(&self.directory, head);
        leaves.update(changes);
        let members = self.directory.members();
        self.states.extend(members.map(|member| (member.state(), member.whole_state())));
        let act = RecordAct::Anchor { leaves: leaves.len(), root: leaves.root() };
        let version = self.directory.register().version;
        let index = self.record(act).expect("an anchor takes effect");
        self.anchors.insert((version, index), leaves);
        index
    }

    /// The leaf of `log` in the register's last anchor.
    pub fn anchored(&self, log: &str) -> AnchoredLeaf {
        let anchor = self.directory.register().anchor.expect("there is an anchor");
        let leaves = &self.anchors[&(anchor.version, anchor.index)];
        leaves.prove(&id_of(log)).expect("the log has a leaf")
    }

    /// The next version of the charter with `council`, unsigned. `logs_honoured` as in [`Succession`].
    pub fn next_charter(
        &self,
        council: &[Exchange],
        threshold: u32,
        logs_honoured: BTreeMap<ExchangeId, u64>,
    ) -> Charter {
        let latest = self.charters().versions().last().expect("a chain has a founding charter");
        let until = self.day().plus_days(30);
        let succession = Succession { previous: latest.digest(), until, logs_honoured };
        let seats: Vec<Exchange> =
            council.iter().map(|member| self.below("council", member.clone())).collect();
        charter_of(&seats, threshold, Some((latest.charter().version + 1, succession)))
    }

    /// Records that `next` takes effect.
    ///
    /// # Errors
    ///
    /// Why it takes no effect.
    pub fn succeed(&mut self, next: &SignedCharter) -> Result<u64, NoEffect> {
        let act = RecordAct::Succession { charter: next.digest() };
        let (version, register) = (self.directory.register().version, self.register());
        let index = self.record_on(self.day(), act, Some(next))?;
        let note = self.checkpoint(register.as_str());
        self.closings.insert(version, note);
        Ok(index)
    }

    /// Every entry of every log.
    pub fn entries(&self) -> impl Iterator<Item = (&ExchangeId, u64, &Entry)> {
        self.logs.iter().flat_map(|(id, log)| {
            (0..).zip(&log.entries).map(move |(index, entry)| (id, index, entry))
        })
    }

    /// The checkpoint of the whole log, signed by the log and cosigned by the whole council.
    pub fn checkpoint(&mut self, log: &str) -> Note {
        let council = self.charters().latest().council.clone();
        let witnesses: Vec<ExchangeId> =
            council.iter().map(|member| member.descriptor().id.clone()).collect();
        self.checkpoint_by(log, &witnesses)
    }

    /// As [`Federation::checkpoint`], cosigned by `witnesses`, one second after another. A register's is
    /// signed by its keeper.
    pub fn checkpoint_by(&mut self, log: &str, witnesses: &[ExchangeId]) -> Note {
        let federation = self.id();
        let tree = &self.logs.entry(id_of(log)).or_default().tree;
        let origin = Origin::new(&federation, &id_of(log));
        let checkpoint = Checkpoint::new(origin.as_str(), tree.size(), tree.root());
        let key = match register_version(&id_of(log)) {
            Some(_) => &self.exchange(self.keeper().as_str()).register_key,
            None => &self.exchange(log).log_key,
        };
        let mut note = checkpoint.sign(key);
        for witness in witnesses {
            self.seconds += 1;
            let name = Origin::new(&federation, witness).witness_name();
            let key = &self.exchange(witness.as_str()).witness_key;
            note.signatures.push(cosign(&note.text, &name, key, self.seconds));
        }
        note
    }

    /// The proof that `index` of `log` is under `checkpoint`.
    pub fn proof(&self, log: &str, index: u64, checkpoint: &Note) -> TlogProof {
        let size = Checkpoint::parse(&checkpoint.text).expect("a fixture's checkpoint").size;
        let hashes = self.path(log, index, size);
        TlogProof { index, hashes, checkpoint: checkpoint.clone(), extra: None }
    }

    /// The path of `index` in the tree of the first `size` entries of `log`.
    pub fn path(&self, log: &str, index: u64, size: u64) -> Vec<Hash> {
        let tree = &self.logs.get(&id_of(log)).expect("the log has entries").tree;
        inclusion_proof(index, size, tree).expect("the entry is in the log")
    }
}

/// Signs `charter` by the exchanges in `signers`.
pub fn signed_by(charter: &Charter, signers: &[&Exchange]) -> SignedCharter {
    let mut signed = SignedCharter::unsigned(charter).expect("a fixture's charter is in form");
    for signer in signers {
        signed.sign(signer.id(), &signer.log_key);
    }
    signed
}

fn charter_of(
    council: &[Exchange],
    threshold: u32,
    succession: Option<(u64, Succession)>,
) -> Charter {
    let (version, succession) =
        succession.map_or((1, None), |(version, succession)| (version, Some(succession)));
    let mut seats: Vec<SignedDescriptor> = council.iter().map(Exchange::signed).collect();
    seats.sort_by(|a, b| a.descriptor().id.cmp(&b.descriptor().id));
    let keeper = seats.first().expect("a council has members").descriptor().id.clone();
    let kept_by = council.iter().find(|member| *member.id() == keeper);
    let all = u32::try_from(council.len()).expect("a small council");
    Charter {
        version,
        federation: "全国技术交易互联互通".to_string(),
        register_key: kept_by.expect("the keeper has a seat").register_key.public(),
        keeper,
        council: seats,
        threshold,
        witness_quorum: if all == 1 { 0 } else { threshold.max(all / 2 + 1) },
        anchor_minutes: 10,
        anchor_seconds_min: 60,
        finality_days: 90,
        daily_mib: Quotas::default(),
        succession,
        issued_at: Timestamp::from_seconds(BEGIN_SECONDS),
    }
}

fn id_of(text: &str) -> ExchangeId {
    text.parse().expect("a fixture's id is in form")
}
