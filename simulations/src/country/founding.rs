//! The federation as it stands on the morning of the day: everybody admitted, all admissions held
//! by all who follow the logs that they are in, and cosigned.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::cosignature::cosign;
use hutong_protocol::audience::Audience;
use hutong_protocol::directory::{Directory, Facts};
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::persist::StoredLog;
use hutong_protocol::region::Scope;
use hutong_protocol::state::Follow;
use hutong_protocol::statement::StatementType;
use hutong_protocol::time::Timestamp;

use super::archive::{Contents, Log};
use super::plan::{Plan, SEATS};
use crate::federation::Federation;
use crate::rng::Rng;

/// The day's midnight: 2026-12-28T00:00:00Z, in seconds since the Unix epoch.
pub const MIDNIGHT_SECONDS: u64 = 1_798_416_000;

/// A federation with its logs.
#[derive(Debug)]
pub struct Founded {
    /// Exchanges and charter.
    pub federation: Federation,
    /// The logs, by exchange.
    pub logs: Vec<Contents>,
    /// The whole directory.
    pub directory: Arc<Directory>,
    /// The scope of each exchange.
    pub scopes: Vec<Scope>,
    facts: Facts,
    notes: BTreeMap<Log, String>,
}

/// What a node starts from.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its logs.
    pub stored: Vec<StoredLog>,
    /// The facts in them.
    pub facts: Facts,
}

impl Founded {
    /// Founds the federation of `plan` and admits everybody.
    ///
    /// # Errors
    ///
    /// Where an exchange cannot be.
    pub fn new(plan: &Plan, seed: u64) -> Result<Self> {
        let federation = Federation::found(&plan.specs, seed)?;
        let mut rng = Rng::new(seed ^ 0x00ad_0417);
        let mut logs = vec![Contents::default(); federation.exchanges.len()];
        let mut facts = Facts::new();
        let before = Timestamp::from_seconds(MIDNIGHT_SECONDS - 86_400);
        for index in 0..federation.exchanges.len() {
            let Some((parent, body)) = federation.admission(index) else { continue };
            let issuer = &federation.exchanges[parent];
            let kind = StatementType::MemberAdmit;
            let prepared = issuer.prepare(kind, Audience::Public, before, rng.salt(), body)?;
            let place = (issuer.id.clone(), logs[parent].entries.len() as u64);
            facts.insert(place, prepared.entry());
            logs[parent].push(prepared.entry().clone());
        }
        let directory = Arc::new(Directory::build(&federation.chain(), &facts));
        let scopes = federation
            .exchanges
            .iter()
            .map(|one| {
                let member = directory.member(&one.id);
                member.map(|member| member.scope.clone()).context("not admitted")
            })
            .collect::<Result<_>>()?;
        let notes = (0..).zip(&logs).filter(|(_, log)| !log.entries.is_empty());
        let notes = notes.map(|(log, contents)| (log, note(&federation, log, contents))).collect();
        Ok(Self { federation, logs, directory, scopes, facts, notes })
    }

    /// Whether a node that follows `follow` replicates the log.
    pub fn follows(&self, follow: &Follow, log: usize) -> bool {
        match follow {
            Follow::All => true,
            Follow::Scopes(scopes) => log < SEATS || scopes.contains(&self.scopes[log]),
        }
    }

    /// What nodes that follow `follow` start from.
    pub fn start(&self, follow: &Follow) -> Start {
        let all = &self.federation.exchanges;
        let others = (0..all.len()).filter(|at| !self.follows(follow, *at));
        let facts = self.facts.up_to(&others.map(|at| (all[at].id.clone(), 0)).collect());
        let stored = self.notes.iter().filter(|(log, _)| self.follows(follow, **log as usize));
        let stored = stored
            .map(|(log, note)| StoredLog {
                log: all[*log as usize].id.clone(),
                frontier: self.logs[*log as usize].frontier.clone(),
                checkpoint: Some(note.clone()),
                cosigned: Some(note.clone()),
                witness: None,
                frozen: None,
                evidence: Vec::new(),
                withheld: Vec::new(),
            })
            .collect();
        Start { stored, facts }
    }
}

impl Start {
    /// The same for the node of `me`, who has cosigned what it is the witness of.
    pub fn of(&self, me: &ExchangeId, directory: &Directory) -> Vec<StoredLog> {
        let mut stored = self.stored.clone();
        for log in stored.iter_mut().filter(|log| directory.is_witness_of(me, &log.log)) {
            log.witness = Some((log.frontier.size(), log.frontier.root()));
        }
        stored
    }
}

/// The checkpoint of a whole log, signed by the log and cosigned by the council.
fn note(federation: &Federation, log: Log, contents: &Contents) -> String {
    let id = federation.chain().federation_id();
    let owner = &federation.exchanges[log as usize];
    let origin = Origin::new(&id, &owner.id);
    let checkpoint = Checkpoint::new(origin.as_str(), contents.tree.size(), contents.tree.root());
    let mut note = checkpoint.sign(&owner.keys().log);
    let witnesses = federation.exchanges.iter().filter(|one| one.council && one.id != owner.id);
    for witness in witnesses {
        let name = Origin::new(&id, &witness.id).witness_name();
        let key = witness.keys().witness;
        note.signatures.push(cosign(&note.text, &name, &key, MIDNIGHT_SECONDS - 3_600));
    }
    note.encode()
}
