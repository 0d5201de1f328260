//! Federations for tests and simulations: real keys from seeds, real charters, entries and trees.
//!
//! Nothing here is random: an exchange's seed is the hash of its id, so that the same calls give the
//! same bytes. Behind the feature `test-support`; a step that cannot succeed panics.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::ToString as _,
    vec::Vec,
};

use hutong_crypto::{
    Purpose, Seed, SigningKey,
    checkpoint::Checkpoint,
    cosignature::cosign,
    merkle::{MemoryTree, inclusion_proof},
    note::Note,
    proof::TlogProof,
    sha256,
};
use serde_json::{Value, json};

use crate::{
    audience::Audience,
    charter::{Charter, CharterChain, SignedCharter, Succession},
    descriptor::{ANY_TYPE, Descriptor, IssuerKey, SignedDescriptor},
    directory::{Directory, Facts, approve, with_approvals},
    entry::Entry,
    id::{ExchangeId, FederationId, Origin, Tier},
    quorum::Quorum,
    statement::{Draft, StatementType},
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
}

impl Exchange {
    /// An exchange whose keys come from its id and `generation`: another one for each rekey.
    pub fn new(id: &str, tier: Tier, region: &str, generation: u32) -> Self {
        let seed = Seed::from_bytes(sha256(format!("{id} {generation}").as_bytes()).0);
        let (log_key, witness_key) = (seed.derive(Purpose::Log), seed.derive(Purpose::Witness));
        let issuer_key = seed.derive(Purpose::Issuer);
        let types = Vec::from([ANY_TYPE.to_string()]);
        let descriptor = Descriptor {
            id: id.parse().expect("a fixture's id is in form"),
            names: BTreeMap::from([("zh".to_string(), format!("{id} 技术交易所"))]),
            tier,
            region: region.parse().expect("a fixture's region is in form"),
            log_key: log_key.public(),
            witness_key: witness_key.public(),
            issuer_keys: Vec::from([IssuerKey { key: issuer_key.public(), types }]),
            transport: peer_id(&seed.derive(Purpose::Transport).public()),
            addresses: Vec::from(["/ip4/192.0.2.1/tcp/4001".to_string()]),
            website: None,
        };
        Self { descriptor, log_key, witness_key, issuer_key }
    }

    /// Its id.
    pub fn id(&self) -> &ExchangeId {
        &self.descriptor.id
    }

    /// The descriptor, signed.
    pub fn signed(&self) -> SignedDescriptor {
        SignedDescriptor::sign(&self.descriptor, &self.log_key)
            .expect("a fixture's descriptor is in form")
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

/// A federation with the secrets of all its exchanges.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The exchanges, members or not.
    pub exchanges: BTreeMap<ExchangeId, Exchange>,
    /// The verified charter versions.
    pub charters: CharterChain,
    /// One log per exchange that said something.
    pub logs: BTreeMap<ExchangeId, Log>,
    /// The time of the next statement or cosignature, in seconds; each takes one.
    pub seconds: u64,
}

impl Federation {
    /// Founds a federation whose council is `council`, with `threshold` for decisions and for the
    /// witness quorum. The first by id is the registrar.
    pub fn found(council: Vec<Exchange>, threshold: u32) -> Self {
        let charter = charter_of(&council, threshold, 1, None);
        let mut signed = SignedCharter::unsigned(&charter).expect("a fixture's charter is in form");
        for member in &council {
            signed.sign(member.id(), &member.log_key);
        }
        let charters = CharterChain::found(signed).expect("the whole council signed");
        let exchanges = council.into_iter().map(|member| (member.id().clone(), member)).collect();
        Self { exchanges, charters, logs: BTreeMap::new(), seconds: BEGIN_SECONDS }
    }

    /// A federation of `seats` (at most 34) provincial council members `cn-11-p`, `cn-12-p`, …, a
    /// majority of which decides.
    pub fn of_provinces(seats: u32) -> Self {
        let council = PROVINCES.iter().take(seats as usize).map(|code| {
            Exchange::new(&format!("cn-{code}-p"), Tier::Provincial, &format!("CN-{code}"), 0)
        });
        Self::found(council.collect(), seats / 2 + 1)
    }

    /// The federation's id.
    pub fn id(&self) -> FederationId {
        self.charters.federation_id()
    }

    /// The exchange with its secrets.
    pub fn exchange(&self, id: &str) -> &Exchange {
        self.exchanges.get(&id_of(id)).expect("the exchange is part of the fixture")
    }

    /// The registrar of the charter in force.
    pub fn registrar(&self) -> ExchangeId {
        self.charters.latest().registrar.clone()
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
        self.seconds += 1;
        let mut salt = [0; 16];
        salt.copy_from_slice(&sha256(format!("{issuer} {}", self.seconds).as_bytes()).0[..16]);
        let draft = Draft {
            audience: Audience::Public,
            issued_at: Timestamp::from_seconds(self.seconds),
            issuer: id_of(issuer),
            salt,
            kind,
            body,
        };
        let statement = draft.encode().expect("a fixture's statement is in form");
        Entry::sign(key, &statement).expect("a fixture's statement fits an entry")
    }

    /// Appends an entry as it is.
    pub fn append_entry(&mut self, log: &str, entry: Entry) -> u64 {
        let log = self.logs.entry(id_of(log)).or_default();
        log.entries.push(entry);
        log.tree.push(log.entries[log.entries.len() - 1].leaf_hash())
    }

    /// `parent` admits `child` in its own log.
    pub fn admit(&mut self, parent: &str, child: Exchange) -> u64 {
        let body = json!({ "descriptor": child.signed().to_value() });
        self.add(child);
        self.append(parent, StatementType::MemberAdmit, body)
    }

    /// The council admits `child`, with as many approvals as the charter asks for.
    pub fn admit_by_council(&mut self, child: Exchange) -> u64 {
        let body = json!({ "descriptor": child.signed().to_value() });
        self.add(child);
        self.decide(StatementType::MemberAdmit, body)
    }

    /// A council decision in the registrar's log; `charter_version` is added where missing.
    pub fn decide(&mut self, kind: StatementType, body: Value) -> u64 {
        let approvals = self.charters.latest().threshold as usize;
        self.decide_with(kind, body, approvals)
    }

    /// As [`Federation::decide`], with a given count of approvals.
    pub fn decide_with(&mut self, kind: StatementType, mut body: Value, approvals: usize) -> u64 {
        if body.get("charter_version").is_none() {
            body["charter_version"] = json!(self.charters.version());
        }
        let council = self.charters.latest().council.clone();
        let approvals = council.iter().take(approvals).map(|member| {
            let id = &member.descriptor().id;
            let key = &self.exchange(id.as_str()).log_key;
            approve(&self.id(), kind.as_str(), &body, id, key)
        });
        let body = with_approvals(body.clone(), approvals.collect());
        let registrar = self.registrar();
        self.append(registrar.as_str(), kind, body)
    }

    /// The next version of the charter with `council`, unsigned. `logs_honoured` as in
    /// [`Succession`]; all decisions so far stand.
    pub fn next_charter(
        &self,
        council: &[Exchange],
        threshold: u32,
        logs_honoured: BTreeMap<ExchangeId, u64>,
    ) -> Charter {
        let registrar = self.logs.get(&self.registrar());
        let decisions_honoured = registrar.map_or(0, |log| log.tree.size());
        let latest = self.charters.versions().last().expect("a chain has a founding charter");
        let succession =
            Succession { previous: latest.digest(), decisions_honoured, logs_honoured };
        charter_of(council, threshold, latest.charter().version + 1, Some(succession))
    }

    /// Every statement about members, from every log.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (log, index, entry) in self.entries() {
            facts.insert((log.clone(), index), entry);
        }
        facts
    }

    /// Every entry of every log.
    pub fn entries(&self) -> impl Iterator<Item = (&ExchangeId, u64, &Entry)> {
        self.logs.iter().flat_map(|(id, log)| {
            (0..).zip(&log.entries).map(move |(index, entry)| (id, index, entry))
        })
    }

    /// The directory as of now.
    pub fn directory(&self) -> Directory {
        Directory::build(&self.charters, &self.facts())
    }

    /// The checkpoint of the whole log, signed by the log and cosigned by the whole council.
    pub fn checkpoint(&mut self, log: &str) -> Note {
        let council = self.charters.latest().council.clone();
        let witnesses: Vec<ExchangeId> =
            council.iter().map(|member| member.descriptor().id.clone()).collect();
        self.checkpoint_by(log, &witnesses)
    }

    /// As [`Federation::checkpoint`], cosigned by `witnesses`, one second after another.
    pub fn checkpoint_by(&mut self, log: &str, witnesses: &[ExchangeId]) -> Note {
        let federation = self.id();
        let tree = &self.logs.entry(id_of(log)).or_default().tree;
        let origin = Origin::new(&federation, &id_of(log));
        let checkpoint = Checkpoint::new(origin.as_str(), tree.size(), tree.root());
        let mut note = checkpoint.sign(&self.exchange(log).log_key);
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
        let tree = &self.logs.get(&id_of(log)).expect("the log has entries").tree;
        let hashes = inclusion_proof(index, size, tree).expect("the entry is in the log");
        TlogProof { index, hashes, checkpoint: checkpoint.clone(), extra: None }
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
    version: u64,
    succession: Option<Succession>,
) -> Charter {
    let mut seats: Vec<SignedDescriptor> = council.iter().map(Exchange::signed).collect();
    seats.sort_by(|a, b| a.descriptor().id.cmp(&b.descriptor().id));
    let ids: BTreeSet<ExchangeId> = council.iter().map(|member| member.id().clone()).collect();
    Charter {
        version,
        federation: "全国技术交易互联互通".to_string(),
        registrar: seats.first().expect("a council has members").descriptor().id.clone(),
        council: seats,
        threshold,
        witness_quorum: Quorum::threshold_of(threshold, &ids).expect("the threshold is in reach"),
        succession,
        issued_at: Timestamp::from_seconds(BEGIN_SECONDS),
    }
}

fn id_of(text: &str) -> ExchangeId {
    text.parse().expect("a fixture's id is in form")
}
