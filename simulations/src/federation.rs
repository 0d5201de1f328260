//! Exchanges with real keys, a charter that their council signed, and admissions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use hutong_crypto::digest::sha256_parts;
use hutong_crypto::{Purpose, Seed, SigningKey};
use hutong_protocol::audience::Audience;
use hutong_protocol::charter::{Charter, CharterChain, SignedCharter};
use hutong_protocol::descriptor::{ANY_TYPE, Descriptor, IssuerKey, SignedDescriptor};
use hutong_protocol::directory::{approve, with_approvals};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::Peer;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::quorum::Quorum;
use hutong_protocol::region::Region;
use hutong_protocol::state::Keys;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::tier::Tier;
use hutong_protocol::time::Timestamp;
use hutong_protocol::transport;
use serde_json::{Value, json};

/// One exchange: who it is, and its keys.
#[derive(Debug)]
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
    /// The id of its node.
    pub peer: Peer,
    keys: Keys,
    issuer: SigningKey,
    descriptor: SignedDescriptor,
}

/// What a scenario says of an exchange.
#[derive(Debug, Clone, serde::Deserialize)]
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
    pub parent: Option<String>,
    /// When it is admitted, in milliseconds from the start; council members are members anyway.
    #[serde(default)]
    pub admitted_at_ms: u64,
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
            parent: parent.with_context(|| format!("parent of {id}"))?,
            peer: Peer::new(&peer),
            descriptor: SignedDescriptor::sign(&descriptor, &keys.log)?,
            id,
            keys,
            issuer,
        })
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
        Ok(Prepared::sign(&draft.encode()?, &self.issuer)?)
    }
}

/// All exchanges and their charter.
#[derive(Debug)]
pub struct Federation {
    /// The exchanges, in the order in which the scenario names them.
    pub exchanges: Vec<Exchange>,
    /// The founding charter.
    pub charter: SignedCharter,
    chain: CharterChain,
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
        Ok(Self { exchanges, charter, chain })
    }

    /// The chain with the founding charter.
    pub fn chain(&self) -> CharterChain {
        self.chain.clone()
    }

    /// The place of an exchange in the list.
    pub fn find(&self, id: &ExchangeId) -> Option<usize> {
        self.exchanges.iter().position(|exchange| exchange.id == *id)
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
        };
        let after = Exchange::new(&spec, seed)?;
        let body = json!({ "descriptor": after.descriptor.to_value(), "log_size_honoured": size });
        let keys = after.keys();
        self.exchanges[index] = after;
        Ok((body, keys))
    }

    /// Who enters the admission of `index`, and the body; none for a council member.
    pub fn admission(&self, index: usize) -> Option<(usize, Value)> {
        let exchange = &self.exchanges[index];
        let descriptor = exchange.descriptor.to_value();
        if exchange.council {
            return None;
        }
        if let Some(parent) = &exchange.parent {
            return Some((self.find(parent)?, json!({ "descriptor": descriptor })));
        }
        let charter = self.charter.charter();
        let body = json!({ "charter_version": charter.version, "descriptor": descriptor });
        let kind = StatementType::MemberAdmit;
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
        Some((self.find(&charter.registrar)?, with_approvals(body, approvals)))
    }
}
