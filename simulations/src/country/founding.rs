//! The federation as it stands on the morning of the day: everybody admitted and enrolled, all of that held
//! by all who follow the logs that it is in, cosigned and anchored.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hutong_crypto::SigningKey;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::cosignature::cosign;
use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::directory::{
    AnchorLeaf, AnchorLeaves, Directory, Enrolment, Prefix, Record, RecordAct,
};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::message::AnchorChange;
use hutong_protocol::persist::{Stored, StoredAnchor, StoredLog};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;
use hutong_protocol::state::Follow;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::time::Timestamp;

use super::archive::{Contents, Log};
use super::plan::{Plan, SEATS};
use crate::federation::{Exchange, Federation, Pace, register};
use crate::rng::Rng;

/// The day's midnight: 2026-12-28T00:00:00Z, in seconds since the Unix epoch.
pub const MIDNIGHT_SECONDS: u64 = 1_798_416_000;

/// A federation with its logs.
#[derive(Debug)]
pub struct Founded {
    /// Exchanges and charter.
    pub federation: Federation,
    /// The logs, by exchange, and at last the register.
    pub logs: Vec<Contents>,
    /// The whole directory.
    pub directory: Arc<Directory>,
    /// The scope of each exchange.
    pub scopes: Vec<Scope>,
    anchor: StoredAnchor,
    notes: BTreeMap<Log, String>,
}

/// What a node starts from.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its logs.
    logs: Vec<StoredLog>,
    directory: Arc<Directory>,
    anchor: StoredAnchor,
}

/// What is signed before the day begins.
struct Founding {
    federation: Federation,
    rng: Rng,
    logs: Vec<Contents>,
    register: Contents,
    directory: Directory,
}

impl Founding {
    fn before() -> Timestamp {
        Timestamp::from_seconds(MIDNIGHT_SECONDS - 86_400)
    }

    /// Admits an exchange, and enrols it.
    fn admit(&mut self, index: usize) -> Result<()> {
        let Some(by) = self.federation.decider(index) else { return Ok(()) };
        let (kind, day) = (StatementType::MemberAdmit, Date::of(Self::before()));
        let body = self.federation.admission(index)?;
        let body = self.federation.decided(&kind, index, body, day);
        let issuer = &self.federation.exchanges[by];
        let salt = self.rng.salt();
        let prepared = issuer.prepare(kind, Audience::Public, Self::before(), salt, body)?;
        let decision = prepared.entry().clone();
        self.logs[by].push(decision.clone());
        let enrolment = Enrolment { decision, second: None, head: None, last_final: None };
        self.record(RecordAct::Enrol(enrolment))
    }

    /// Records something in the register.
    fn record(&mut self, act: RecordAct) -> Result<()> {
        let record = Record { day: Date::of(Self::before()), act };
        let draft = Draft {
            audience: Audience::Public,
            issued_at: Self::before(),
            issuer: register(),
            salt: self.rng.salt(),
            kind: record.kind(),
            body: record.to_body(),
        };
        let prepared = Prepared::make(&draft, &register_key(&self.federation)?)?;
        let entry: &Entry = prepared.entry();
        self.directory.apply(entry, None)?;
        self.register.push(entry.clone());
        Ok(())
    }

    /// Anchors all heads that `notes` show.
    fn anchor(&mut self, notes: &BTreeMap<Log, String>) -> Result<StoredAnchor> {
        let index = self.register.entries.len() as u64;
        let change = |id: &ExchangeId| {
            let place = self.federation.find(id).context("a member of the plan")?;
            let (tree, note) = (&self.logs[place].tree, notes.get(&Log::try_from(place)?));
            let whole = || Prefix { size: tree.size(), root: tree.root() };
            let head = note.map_or_else(Prefix::empty, |_| whole());
            let member = self.directory.member(id).context("admitted")?;
            let leaf = AnchorLeaf { id: id.clone(), head, state: member.state() };
            Ok(AnchorChange { leaf, note: note.cloned().unwrap_or_default() })
        };
        let changes = self.directory.members().map(|member| change(&member.id));
        let changes = changes.collect::<Result<Vec<AnchorChange>>>()?;
        let leaves = AnchorLeaves::new(changes.iter().map(|change| change.leaf.clone()));
        self.record(RecordAct::Anchor { leaves: leaves.len(), root: leaves.root() })?;
        Ok(StoredAnchor { version: 1, index, changes: AnchorChange::encode_all(&changes) })
    }
}

impl Founded {
    /// Founds the federation of `plan`, admits everybody and anchors.
    ///
    /// # Errors
    ///
    /// Where an exchange cannot be.
    pub fn new(plan: &Plan, seed: u64) -> Result<Self> {
        let federation = Federation::found(&plan.specs, seed, Pace::USUAL)?;
        let count = federation.exchanges.len();
        let mut founding = Founding {
            directory: federation.founded().clone(),
            federation,
            rng: Rng::new(seed ^ 0x00ad_0417),
            logs: vec![Contents::default(); count],
            register: Contents::default(),
        };
        for index in 0..plan.roles.len() {
            founding.admit(index)?;
        }
        let federation = &founding.federation;
        let logs = (0..).zip(&founding.logs).filter(|(_, log)| !log.entries.is_empty());
        let own_note = |(log, contents): (Log, &Contents)| {
            let owner = &federation.exchanges[log as usize];
            (log, note(federation, (&owner.id, &owner.id), &owner.keys().log, contents))
        };
        let mut notes: BTreeMap<Log, String> = logs.map(own_note).collect();
        let anchor = founding.anchor(&notes)?;
        let Founding { federation, mut logs, register: contents, directory, .. } = founding;
        let keeper = &federation.exchanges[federation.keeper()].id;
        let of = (&register(), keeper);
        let register_note = note(&federation, of, &register_key(&federation)?, &contents);
        notes.insert(Log::try_from(logs.len())?, register_note);
        logs.push(contents);
        let scopes = federation.exchanges.iter().map(Exchange::scope).collect();
        Ok(Self { federation, logs, directory: Arc::new(directory), scopes, anchor, notes })
    }

    /// Whether a node that follows `follow` replicates the log. Everybody follows the register.
    pub fn follows(&self, follow: &Follow, log: usize) -> bool {
        match follow {
            Follow::All => true,
            Follow::Scopes(scopes) => {
                log < SEATS || self.scopes.get(log).is_none_or(|scope| scopes.contains(scope))
            }
        }
    }

    /// What nodes that follow `follow` start from.
    pub fn start(&self, follow: &Follow) -> Start {
        let stored = self.notes.iter().filter(|(log, _)| self.follows(follow, **log as usize));
        let logs = stored
            .map(|(log, note)| StoredLog {
                log: id(&self.federation, *log),
                frontier: self.logs[*log as usize].frontier.clone(),
                checkpoint: Some(note.clone()),
                cosigned: Some(note.clone()),
                witness: None,
                frozen: None,
                evidence: Vec::new(),
                withheld: Vec::new(),
            })
            .collect();
        Start { logs, directory: Arc::clone(&self.directory), anchor: self.anchor.clone() }
    }
}

impl Start {
    /// The logs of the node of `me`, who has cosigned what it is the witness of.
    pub fn logs_of(&self, me: &ExchangeId) -> Vec<StoredLog> {
        let mut logs = self.logs.clone();
        let directory = &self.directory;
        for log in logs.iter_mut().filter(|log| directory.is_witness_of(me, &log.log)) {
            log.witness = Some((log.frontier.size(), log.frontier.root()));
        }
        logs
    }

    /// What the node of `me` finds. The register is folded already: folding it once for each node would take
    /// longer than the day.
    pub fn stored<'a>(&'a self, me: &ExchangeId, logs: &'a [StoredLog]) -> Stored<'a> {
        let council = self.directory.is_council_member(me);
        Stored {
            founded: &self.directory,
            charters: Vec::new(),
            logs,
            registers: Vec::new(),
            decisions: Vec::new(),
            anchors: if council { vec![self.anchor.clone()] } else { Vec::new() },
        }
    }
}

/// The id of a log.
pub fn id(federation: &Federation, log: Log) -> ExchangeId {
    let owner = federation.exchanges.get(log as usize);
    owner.map_or_else(register, |owner| owner.id.clone())
}

fn register_key(federation: &Federation) -> Result<SigningKey> {
    let keeper = &federation.exchanges[federation.keeper()];
    keeper.keys().register.context("the keeper has the register's key")
}

/// The checkpoint of a whole log, signed by the log and cosigned by the council without its operator.
fn note(
    federation: &Federation,
    (log, operator): (&ExchangeId, &ExchangeId),
    key: &SigningKey,
    contents: &Contents,
) -> String {
    let id = federation.id();
    let origin = Origin::new(&id, log);
    let checkpoint = Checkpoint::new(origin.as_str(), contents.tree.size(), contents.tree.root());
    let mut note = checkpoint.sign(key);
    let witnesses = federation.exchanges.iter().filter(|one| one.council && one.id != *operator);
    for witness in witnesses {
        let name = Origin::new(&id, &witness.id).witness_name();
        let key = witness.keys().witness;
        note.signatures.push(cosign(&note.text, &name, &key, MIDNIGHT_SECONDS - 3_600));
    }
    note.encode()
}
