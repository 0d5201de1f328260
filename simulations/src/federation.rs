//! Exchanges with real keys, a charter that their council signed, and admissions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use hutong_crypto::digest::sha256_parts;
use hutong_crypto::{Purpose, Seed, SigningKey};
use hutong_protocol::audience::Audience;
use hutong_protocol::charter::{Charter, CharterChain, SignedCharter};
use hutong_protocol::descriptor::{ANY_TYPE, Descriptor, IssuerKey, SignedDescriptor};
use hutong_protocol::directory::{approve, with_approvals};
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::io::Peer;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::quorum::Quorum;
use hutong_protocol::region::{Region, Scope};
use hutong_protocol::state::Keys;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::tier::Tier;
use hutong_protocol::time::Timestamp;
use hutong_protocol::transport;
use serde_json::{Value, json};

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
    descriptor: SignedDescriptor,
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
        let keys = Keys { log: seed.derive(Purpose::Log), witness: seed.derive(Purpose::Witness) };
        let peer = transport::peer_id(&seed.derive(Purpose::Transport).public());
        let id: ExchangeId = spec.id.parse().with_context(|| format!("exchange {}", spec.id))?;
        let descriptor = Descriptor {
            id: id.clone(),
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
            descriptor: SignedDescriptor::sign(&descriptor, &keys.log)?,
            id,
            keys,
            issuer,
        })
    }

    /// Where it announces.
    pub fn scope(&self) -> Scope {
        self.region.scope(self.tier)
    }

    /// The keys for its state.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
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
    chain: CharterChain,
    places: BTreeMap<ExchangeId, usize>,
    peers: BTreeMap<Peer, usize>,
}

impl Federation {
    /// Founds the federation: a majority of the council decides, and a majority of its witnesses
    /// makes a checkpoint count. The first council member is the registrar.
    ///
    /// # Errors
    ///
    /// Where an exchange cannot be, or there is no council.
    pub fn found(specs: &[ExchangeSpec], seed: u64) -> Result<Self> {
        let exchanges =
            specs.iter().map(|spec| Exchange::new(spec, seed)).collect::<Result<Vec<_>>>()?;
        let mut council: Vec<&Exchange> = exchanges.iter().filter(|one| one.council).collect();
        ensure!(!council.is_empty(), "a federation needs a council member");
        let registrar = council[0].id.clone();
        council.sort_by(|a, b| a.id.cmp(&b.id));
        let ids: BTreeSet<ExchangeId> = council.iter().map(|one| one.id.clone()).collect();
        let majority = u32::try_from(council.len() / 2 + 1)?;
        let charter = Charter {
            version: 1,
            federation: "simulated".into(),
            council: council.iter().map(|one| one.descriptor.clone()).collect(),
            threshold: majority,
            registrar,
            witness_quorum: Quorum::threshold_of(majority, &ids)?,
            succession: None,
            issued_at: Timestamp::from_seconds(1_700_000_000),
        };
        let mut charter = SignedCharter::unsigned(&charter)?;
        for member in &council {
            charter.sign(&member.id, &member.keys.log);
        }
        let chain = CharterChain::found(charter.clone())?;
        let places = exchanges.iter().enumerate().map(|(at, one)| (one.id.clone(), at)).collect();
        let peers = exchanges.iter().enumerate().map(|(at, one)| (one.peer.clone(), at)).collect();
        Ok(Self { exchanges, charter, chain, places, peers })
    }

    /// The chain with the founding charter.
    pub fn chain(&self) -> CharterChain {
        self.chain.clone()
    }

    /// The name of an exchange's log.
    pub fn origin(&self, log: &ExchangeId) -> Origin {
        Origin::new(&self.chain.federation_id(), log)
    }

    /// The place of an exchange in the list.
    pub fn find(&self, id: &ExchangeId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The place of the exchange whose node has, or had, that peer id.
    pub fn of_peer(&self, peer: &Peer) -> Option<usize> {
        self.peers.get(peer).copied()
    }

    /// The body of a rekey of the exchange at `index` that honours `size` entries, under keys that
    /// follow from `seed`, and those keys. The exchange's node goes by its new peer id from now on.
    ///
    /// # Errors
    ///
    /// Where the new descriptor cannot be signed.
    pub fn rekey(&mut self, index: usize, seed: u64, size: u64) -> Result<(Value, Keys)> {
        let before = &self.exchanges[index];
        let spec = ExchangeSpec {
            id: before.id.to_string(),
            tier: before.tier.as_str().into(),
            region: before.region.to_string(),
            council: before.council,
            parent: before.parent.as_ref().map(ToString::to_string),
            admitted_at_ms: 0,
            stranger: before.stranger,
        };
        let after = Exchange::new(&spec, seed)?;
        let body = json!({ "descriptor": after.descriptor.to_value(), "log_size_honoured": size });
        let keys = after.keys();
        self.peers.insert(after.peer.clone(), index);
        self.exchanges[index] = after;
        Ok((body, keys))
    }

    /// Who enters the admission of `index`, and the body; none for a council member.
    pub fn admission(&self, index: usize) -> Option<(usize, Value)> {
        let exchange = &self.exchanges[index];
        if exchange.council {
            return None;
        }
        let body = json!({ "descriptor": exchange.descriptor.to_value() });
        if let Some(parent) = &exchange.parent {
            return Some((self.find(parent)?, body));
        }
        Some(self.by_council(&StatementType::MemberAdmit, body))
    }

    /// Who decides that the entries of `member` beyond `size` count no more, or that those from
    /// `size` on count again, and the body.
    pub fn decision(
        &self,
        kind: &StatementType,
        member: usize,
        size: u64,
    ) -> Option<(usize, Value)> {
        let exchange = &self.exchanges[member];
        let size_name = match kind {
            StatementType::MemberReinstate => "log_size_from",
            _ => "log_size_honoured",
        };
        self.entered(kind, member, json!({ "member": exchange.id.as_str(), size_name: size }))
    }

    /// Who enters a decision about `member`, and the body with the approvals that it needs; none for a
    /// council member.
    pub fn entered(
        &self,
        kind: &StatementType,
        member: usize,
        body: Value,
    ) -> Option<(usize, Value)> {
        let exchange = &self.exchanges[member];
        match &exchange.parent {
            Some(parent) => Some((self.find(parent)?, body)),
            None if exchange.council => None,
            None => Some(self.by_council(kind, body)),
        }
    }

    /// The body with the council's approvals, and the registrar, who enters it.
    fn by_council(&self, kind: &StatementType, mut body: Value) -> (usize, Value) {
        let charter = self.charter.charter();
        body["charter_version"] = json!(charter.version);
        let approvals = self
            .exchanges
            .iter()
            .filter(|one| one.council)
            .take(charter.threshold as usize)
            .map(|one| {
                let federation = self.chain.federation_id();
                approve(&federation, kind.as_str(), &body, &one.id, &one.keys.log)
            })
            .collect();
        (self.find(&charter.registrar).unwrap_or(0), with_approvals(body, approvals))
    }
}
