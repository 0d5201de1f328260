//! Exchanges with real keys, a charter that their council signed, and admissions.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use base64ct::{Base64, Encoding as _};
use hutong_crypto::digest::{Hash, sha256_parts};
use hutong_crypto::{Purpose, Seed, SigningKey};
use hutong_protocol::audience::Audience;
use hutong_protocol::charter::{Charter, Quotas, SignedCharter};
use hutong_protocol::date::Date;
use hutong_protocol::descriptor::{ANY_TYPE, Descriptor, IssuerKey, Parent, SignedDescriptor};
use hutong_protocol::directory::{
    Directory, Prefix, approve, consent, register_id, with_approvals,
};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::{ExchangeId, FederationId, Origin};
use hutong_protocol::io::Peer;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::{Region, Scope};
use hutong_protocol::state::Keys;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::tier::Tier;
use hutong_protocol::time::Timestamp;
use hutong_protocol::transport;
use serde_json::{Value, json};

/// Days from a decision to the last day on which it may be recorded.
const UNTIL_DAYS: u32 = 14;

/// One exchange: who it is, and its keys.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its id.
    pub id: ExchangeId,
    /// Its tier.
    pub tier: Tier,
    /// Its region.
    pub region: Region,
    /// Whether it sits on the council.
    pub council: bool,
    /// Who admits it; the council where there is none.
    pub parent: Option<ExchangeId>,
    /// Whether nobody admits it, unless a step does.
    pub stranger: bool,
    /// The id of its node.
    pub peer: Peer,
    keys: Keys,
    issuer: SigningKey,
    transport: SigningKey,
    /// As for a founding council.
    descriptor: Descriptor,
}

/// What a scenario says of an exchange.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSpec {
    /// Its id.
    pub id: String,
    /// Its tier.
    pub tier: String,
    /// Its region.
    pub region: String,
    /// Whether it sits on the council.
    #[serde(default)]
    pub council: bool,
    /// Who admits it; the council where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When it is admitted, in milliseconds from the start; council members are members anyway.
    #[serde(default)]
    pub admitted_at_ms: u64,
    /// Whether nobody admits it, unless a step does.
    #[serde(default)]
    pub stranger: bool,
}

impl Exchange {
    /// Makes the exchange with keys that follow from `seed` and its id.
    ///
    /// # Errors
    ///
    /// Where the id, tier or region is none.
    pub fn new(spec: &ExchangeSpec, seed: u64) -> Result<Self> {
        let material = sha256_parts(&[&seed.to_le_bytes(), spec.id.as_bytes()]);
        let seed = Seed::from_bytes(*material.as_bytes());
        let issuer = seed.derive(Purpose::Issuer);
        let keys = Keys {
            log: seed.derive(Purpose::Log),
            witness: seed.derive(Purpose::Witness),
            register: spec.council.then(|| seed.derive(Purpose::Register)),
        };
        let transport = seed.derive(Purpose::Transport);
        let peer = transport::peer_id(&transport.public());
        let id: ExchangeId = spec.id.parse().with_context(|| format!("exchange {}", spec.id))?;
        let descriptor = Descriptor {
            id: id.clone(),
            federation: None,
            parent: Parent::Council,
            names: BTreeMap::from([("en".to_string(), spec.id.clone())]),
            tier: spec.tier.parse().with_context(|| format!("tier of {id}"))?,
            region: spec.region.parse().with_context(|| format!("region of {id}"))?,
            log_key: keys.log.public(),
            witness_key: keys.witness.public(),
            issuer_keys: vec![IssuerKey { key: issuer.public(), types: vec![ANY_TYPE.into()] }],
            transport: peer.clone(),
            addresses: Vec::new(),
            website: None,
        };
        let parent = spec.parent.as_deref().map(str::parse).transpose();
        Ok(Self {
            tier: descriptor.tier,
            region: descriptor.region.clone(),
            council: spec.council,
            stranger: spec.stranger,
            parent: parent.with_context(|| format!("parent of {id}"))?,
            peer: Peer::new(&peer),
            descriptor,
            id,
            keys,
            issuer,
            transport,
        })
    }

    /// Its descriptor in `federation`, or for the founding council.
    fn signed(&self, federation: Option<FederationId>) -> Result<SignedDescriptor> {
        let mut descriptor = self.descriptor.clone();
        if federation.is_some() {
            descriptor.parent = self.parent.clone().map_or(Parent::Council, Parent::Member);
        }
        descriptor.federation = federation;
        let Keys { log, witness, .. } = &self.keys;
        let keys = [log, witness, &self.issuer, &self.transport];
        Ok(SignedDescriptor::sign(&descriptor, &keys)?)
    }

    /// Where it announces.
    pub fn scope(&self) -> Scope {
        self.region.scope(self.tier)
    }

    /// The keys for its state.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Signs bytes as a statement, whatever they say.
    ///
    /// # Errors
    ///
    /// Where there are none, or too many.
    pub fn sign_unjudged(&self, statement: &[u8]) -> Result<Entry> {
        Ok(Entry::sign(&self.issuer, statement)?)
    }

    /// Signs a statement of the exchange.
    ///
    /// # Errors
    ///
    /// Where the statement is not well formed.
    pub fn prepare(
        &self,
        kind: StatementType,
        audience: Audience,
        at: Timestamp,
        salt: [u8; 16],
        body: Value,
    ) -> Result<Prepared> {
        let issuer = self.id.clone();
        let draft = Draft { audience, issued_at: at, issuer, salt, kind, body };
        Ok(Prepared::make(&draft, &self.issuer)?)
    }
}

/// All exchanges and their charter.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The exchanges, in the order in which the scenario names them.
    pub exchanges: Vec<Exchange>,
    /// The founding charter.
    pub charter: SignedCharter,
    founded: Directory,
    /// How many decisions each authority has made about each exchange.
    decided: BTreeMap<(Parent, usize), u64>,
    places: BTreeMap<ExchangeId, usize>,
    peers: BTreeMap<Peer, usize>,
}

/// How often a federation anchors, and when that is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Minutes between two anchors.
    pub anchor_minutes: u32,
    /// Seconds between two anchors at least.
    pub anchor_seconds_min: u32,
    /// Days until what was anchored is final.
    pub finality_days: u32,
}

impl Pace {
    /// As fast as a charter may have it: for what lasts a minute.
    pub const FAST: Self = Self { anchor_minutes: 1, anchor_seconds_min: 1, finality_days: 1 };
    /// As charters have it where they say nothing else.
    pub const USUAL: Self = Self { anchor_minutes: 10, anchor_seconds_min: 60, finality_days: 90 };
}

impl Federation {
    /// Founds the federation: a majority of the council decides, and a majority of its witnesses
    /// makes a checkpoint count. The first council member is the keeper.
    ///
    /// # Errors
    ///
    /// Where an exchange cannot be, or there is no council.
    pub fn found(specs: &[ExchangeSpec], seed: u64, pace: Pace) -> Result<Self> {
        let exchanges =
            specs.iter().map(|spec| Exchange::new(spec, seed)).collect::<Result<Vec<_>>>()?;
        let mut council: Vec<&Exchange> = exchanges.iter().filter(|one| one.council).collect();
        ensure!(!council.is_empty(), "a federation needs a council member");
        let keeper = council[0];
        council.sort_by(|a, b| a.id.cmp(&b.id));
        let majority = u32::try_from(council.len() / 2 + 1)?;
        let register =
            keeper.keys.register.as_ref().context("the keeper has the register's key")?;
        let charter = Charter {
            version: 1,
            federation: "simulated".into(),
            council: council.iter().map(|one| one.signed(None)).collect::<Result<_>>()?,
            threshold: majority,
            keeper: keeper.id.clone(),
            register_key: register.public(),
            witness_quorum: if council.len() == 1 { 0 } else { majority },
            daily_mib: Quotas::default(),
            anchor_minutes: pace.anchor_minutes,
            anchor_seconds_min: pace.anchor_seconds_min,
            finality_days: pace.finality_days,
            succession: None,
            issued_at: Timestamp::from_seconds(1_700_000_000),
        };
        let mut charter = SignedCharter::unsigned(&charter)?;
        for member in &council {
            charter.sign(&member.id, &member.keys.log);
        }
        let founded = Directory::found(charter.clone())?;
        let places = exchanges.iter().enumerate().map(|(at, one)| (one.id.clone(), at)).collect();
        let peers = exchanges.iter().enumerate().map(|(at, one)| (one.peer.clone(), at)).collect();
        let decided = BTreeMap::new();
        Ok(Self { exchanges, charter, founded, decided, places, peers })
    }

    /// The federation's id.
    pub fn id(&self) -> FederationId {
        self.founded.federation()
    }

    /// The directory as the founding charter makes it.
    pub fn founded(&self) -> &Directory {
        &self.founded
    }

    /// The place of the exchange whose node operates the register.
    pub fn keeper(&self) -> usize {
        self.find(&self.charter.charter().keeper).unwrap_or(0)
    }

    /// The place of the exchange whose node signs a log: its owner, or the keeper.
    pub fn operator(&self, log: &ExchangeId) -> Option<usize> {
        if *log == register() { Some(self.keeper()) } else { self.find(log) }
    }

    /// All logs: those of the exchanges, and the register.
    pub fn logs(&self) -> Vec<ExchangeId> {
        self.exchanges.iter().map(|one| one.id.clone()).chain([register()]).collect()
    }

    /// Where a log is announced.
    pub fn scope(&self, log: &ExchangeId) -> Option<Scope> {
        if *log == register() {
            return Some(Scope::register());
        }
        Some(self.exchanges[self.find(log)?].scope())
    }

    /// The name of an exchange's log.
    pub fn origin(&self, log: &ExchangeId) -> Origin {
        Origin::new(&self.id(), log)
    }

    /// The place of an exchange in the list.
    pub fn find(&self, id: &ExchangeId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The place of the exchange whose node has, or had, that peer id.
    pub fn of_peer(&self, peer: &Peer) -> Option<usize> {
        self.peers.get(peer).copied()
    }

    /// The body of a rekey of the exchange at `index` that lets `stands` of its log stand, under keys
    /// that follow from `seed`. The exchange's node goes by its new peer id from now on.
    ///
    /// # Errors
    ///
    /// Where the new descriptor cannot be signed.
    pub fn rekey(&mut self, index: usize, seed: u64, stands: &Prefix) -> Result<Value> {
        let before = &self.exchanges[index];
        let after = self.another(index, seed)?;
        let descriptor = after.signed(Some(self.id()))?;
        let consent = consent(descriptor.descriptor(), &before.keys.log);
        let body = json!({
            "consent": base64(consent.as_bytes()),
            "descriptor": descriptor.to_value(),
            "log_root_honoured": stands.root.to_string(),
            "log_size_honoured": stands.size,
        });
        self.peers.insert(after.peer.clone(), index);
        self.exchanges[index] = after;
        Ok(body)
    }

    /// An exchange that calls itself as the one at `index`, under keys that follow from `seed`.
    fn another(&self, index: usize, seed: u64) -> Result<Exchange> {
        let one = &self.exchanges[index];
        let spec = ExchangeSpec {
            id: one.id.to_string(),
            tier: one.tier.as_str().into(),
            region: one.region.to_string(),
            council: one.council,
            parent: one.parent.as_ref().map(ToString::to_string),
            admitted_at_ms: 0,
            stranger: one.stranger,
        };
        Exchange::new(&spec, seed)
    }

    /// The body of an admission of the exchange at `index`.
    ///
    /// # Errors
    ///
    /// Where the descriptor cannot be signed.
    pub fn admission(&self, index: usize) -> Result<Value> {
        let descriptor = self.exchanges[index].signed(Some(self.id()))?;
        Ok(json!({ "descriptor": descriptor.to_value() }))
    }

    /// The body of an admission of somebody else under the id of the exchange at `index`.
    ///
    /// # Errors
    ///
    /// Where the descriptor cannot be signed.
    pub fn impostor(&self, index: usize, seed: u64) -> Result<Value> {
        let descriptor = self.another(index, seed)?.signed(Some(self.id()))?;
        Ok(json!({ "descriptor": descriptor.to_value() }))
    }

    /// Who decides about the exchange at `member`: its parent, or the keeper, who enters what the council
    /// decides; none for a council member.
    pub fn decider(&self, member: usize) -> Option<usize> {
        match &self.exchanges[member].parent {
            Some(parent) => self.find(parent),
            None => (!self.exchanges[member].council).then(|| self.keeper()),
        }
    }

    /// The body of a decision about `member` by whoever decides about it, with all that a decision needs, made on
    /// `day`. Each is the next one: see [`Federation::numbered`].
    pub fn decided(
        &mut self,
        kind: &StatementType,
        member: usize,
        body: Value,
        day: Date,
    ) -> Value {
        let parent = &self.exchanges[member].parent;
        let author = parent.clone().map_or(Parent::Council, Parent::Member);
        let number = self.decided.entry((author.clone(), member)).or_default();
        *number += 1;
        let number = *number;
        let body = self.numbered(body, number, day);
        match author {
            Parent::Member(_) => body,
            Parent::Council => self.approved(kind, body),
        }
    }

    /// The body with charter, number and last day.
    pub fn numbered(&self, mut body: Value, number: u64, day: Date) -> Value {
        body["charter"] = json!(self.charter_digest().to_string());
        body["number"] = json!(number);
        body["until"] = json!(day.plus_days(UNTIL_DAYS).to_string());
        body
    }

    fn charter_digest(&self) -> Hash {
        self.founded.charters().latest_digest()
    }

    /// The body with the council's approvals.
    fn approved(&self, kind: &StatementType, body: Value) -> Value {
        let council = self.exchanges.iter().filter(|one| one.council);
        let approvals = council
            .take(self.charter.charter().threshold as usize)
            .map(|one| approve(&self.id(), kind.as_str(), &body, &one.id, &one.keys.log));
        let approvals = approvals.collect();
        with_approvals(body, approvals)
    }
}

/// The register of the founding charter, as a log.
pub fn register() -> ExchangeId {
    register_id(1)
}

/// Base64 as statements have it.
pub fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
