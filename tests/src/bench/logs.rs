//! A node that holds very many entries in many logs: its memory, its restart, and a copy of all of it.
//!
//! The federation and its admissions are real. The members' logs are signed here with their keys and
//! written through the store, as if the first node had replicated them from all members.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::sha256;
use hutong_crypto::merkle::MemoryTree;
use hutong_node::driver;
use hutong_node::store::{Store, StoreOptions};
use hutong_protocol::audience::Audience;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::persist::Persist;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_tests::federation::{Exchange, FOUNDERS, Federation};
use hutong_tests::process::{run, wait};
use rayon::prelude::*;

use crate::machine::{Machine, per_second};
use crate::report::Report;
use crate::statements::listing;

/// Logs that are signed at the same time and committed as one group.
const GROUP: usize = 16;
const PATIENCE: Duration = Duration::from_hours(1);
/// How long a node may go on tidying before its memory is looked at.
const REST: Duration = Duration::from_secs(10);

/// How much there is to hold.
pub(crate) struct Logs {
    /// Members beside the founders.
    pub(crate) logs: usize,
    /// Entries of all of them together.
    pub(crate) entries: u64,
}

impl Logs {
    /// Builds it and measures it.
    pub(crate) fn run(&self, machine: &Machine, report: &mut Report) -> anyhow::Result<()> {
        ensure!(self.logs > 0, "there must be a log");
        let begun = Instant::now();
        let mut federation = Federation::found(FOUNDERS + self.logs)?;
        eprintln!("{} members are being admitted", self.logs);
        federation.start([0, 2])?;
        federation.admit_all(FOUNDERS..FOUNDERS + self.logs)?;
        for founder in [0, 2] {
            federation.take(founder)?.stop()?;
        }
        self.fill(&federation, begun)?;
        self.hold(&mut federation, report)?;
        self.check(machine, &federation.exchanges[0], report)?;
        self.copy(machine, &mut federation, report)
    }

    fn each(&self) -> u64 {
        self.entries.div_ceil(self.logs as u64)
    }

    fn all(&self) -> u64 {
        self.each() * self.logs as u64
    }

    /// Signs the members' entries and writes them into the first node's folder.
    fn fill(&self, federation: &Federation, begun: Instant) -> anyhow::Result<()> {
        let store = Store::open(&federation.exchanges[0].data, &StoreOptions::default())?;
        let members: Vec<(u64, &Exchange)> = (0..).zip(&federation.exchanges[FOUNDERS..]).collect();
        for (done, group) in members.chunks(GROUP).enumerate() {
            let written = group
                .par_iter()
                .map(|(place, member)| self.log_of(federation, member, *place))
                .collect::<anyhow::Result<Vec<_>>>()?;
            store.commit(&written.concat())?;
            let (logs, seconds) = (done * GROUP + group.len(), begun.elapsed().as_secs());
            eprintln!("{logs} of {} logs are written after {seconds} s", self.logs);
        }
        ensure!(store.settle(PATIENCE), "the views do not come to an end");
        Ok(())
    }

    /// The log of a member: entries and a checkpoint.
    fn log_of(
        &self,
        federation: &Federation,
        member: &Exchange,
        place: u64,
    ) -> anyhow::Result<Vec<Persist>> {
        let log: ExchangeId = member.id.parse()?;
        let key = member.issuer_key();
        let leaves = (place * self.each()..(place + 1) * self.each())
            .map(|number| {
                let mut salt = [0; 16];
                salt.copy_from_slice(&sha256(&number.to_be_bytes()).as_bytes()[..16]);
                let draft = Draft {
                    audience: Audience::Public,
                    issued_at: driver::now(),
                    issuer: log.clone(),
                    salt,
                    kind: StatementType::Listing,
                    body: listing(number).body,
                };
                Ok(Leaf::Entry(Entry::sign(&key, &draft.encode()?)?))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tree: MemoryTree = leaves.iter().map(Leaf::hash).collect();
        let (size, root) = (leaves.len() as u64, tree.root());
        let origin = Origin::new(&federation.id, &log);
        let note = Checkpoint::new(origin.as_str(), size, root).sign(&member.log_key()).encode();
        let void = Vec::new();
        Ok(vec![
            Persist::Leaves { log: log.clone(), from: 0, leaves, void },
            Persist::Checkpoint { log, note, size },
        ])
    }

    /// Starts the node on what was written, twice.
    fn hold(&self, federation: &mut Federation, report: &mut Report) -> anyhow::Result<()> {
        for _ in 0..2 {
            let begun = Instant::now();
            federation.start([0])?;
            self.shown(&federation.exchanges[0])?;
            report.figure("restart, to serving all logs", begun.elapsed().as_secs_f64(), "s");
            rest();
            let (now, most) = federation.exchanges[0].node()?.memory_kib()?;
            report.figure("memory of the node that holds all", to_f64(now) / 1e3, "MB");
            report.figure("at most", to_f64(most) / 1e3, "MB");
            federation.take(0)?.stop()?;
        }
        Ok(())
    }

    /// Waits until a node's list shows all that there is.
    fn shown(&self, node: &Exchange) -> anyhow::Result<()> {
        let mut told = Instant::now();
        wait(PATIENCE, "all logs to be shown", || {
            let held: u64 = members(node)?.iter().sum();
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                eprintln!("{} holds {held} of {} entries", node.id, self.all());
            }
            Ok(held >= self.all())
        })
    }

    /// Has the second founder's node, which is empty, fetch everything from the first.
    fn copy(
        &self,
        machine: &Machine,
        federation: &mut Federation,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        federation.start([0])?;
        self.shown(&federation.exchanges[0])?;
        eprintln!("a second node fetches all");
        let begun = Instant::now();
        federation.start([1])?;
        let (from, to) = (&federation.exchanges[0], &federation.exchanges[1]);
        self.shown(to)?;
        let held = begun.elapsed();
        let node = to.node()?;
        // The views take the logs in by their numbers, so every member's last listing is waited for.
        for (place, member) in (1..).zip(&federation.exchanges[FOUNDERS..]) {
            let last = format!("bench-{}", place * self.each() - 1);
            wait(PATIENCE, "the views", || Ok(node.client().listing(&member.id, &last).is_ok()))?;
        }
        let all = begun.elapsed();
        let count = usize::try_from(self.all())?;
        report.figure("copy of all logs, held", per_second(count, held), "/s");
        let rate = per_second(count, all);
        report.ratio("copy of all logs, views", rate, "/s", rate / machine.verify, "verifying");
        let (now, most) = node.memory_kib()?;
        report.figure("memory of the copy", to_f64(now) / 1e3, "MB");
        report.figure("memory of the copy at most", to_f64(most) / 1e3, "MB");
        let (now, most) = from.node()?.memory_kib()?;
        report.figure("memory of the node that served it", to_f64(now) / 1e3, "MB");
        report.figure("at most", to_f64(most) / 1e3, "MB");
        federation.take(1)?.stop()?;
        let begun = Instant::now();
        federation.start([1])?;
        self.shown(&federation.exchanges[1])?;
        report.figure("restart of the copy", begun.elapsed().as_secs_f64(), "s");
        rest();
        let (now, _) = federation.exchanges[1].node()?.memory_kib()?;
        report.figure("memory of the copy after a restart", to_f64(now) / 1e3, "MB");
        federation.take(1)?.stop()
    }

    fn check(&self, machine: &Machine, node: &Exchange, report: &mut Report) -> anyhow::Result<()> {
        eprintln!("everything is being checked");
        let begun = Instant::now();
        let output = run(&node.data, &["fsck", "--json"])?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rate = per_second(usize::try_from(self.all())?, begun.elapsed());
        report.ratio("fsck of all logs", rate, "/s", rate / machine.verify, "verifying");
        Ok(())
    }
}

/// Sizes of the members' logs that a node shows.
fn members(node: &Exchange) -> anyhow::Result<Vec<u64>> {
    let logs = node.logs()?;
    let number = |id: &str| id.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    Ok(logs
        .iter()
        .filter(|(id, _)| number(id).is_some_and(|number: usize| number >= FOUNDERS))
        .map(|(_, (size, _))| *size)
        .collect())
}

#[expect(clippy::disallowed_methods, reason = "what a node does when nobody asks is not told")]
fn rest() {
    std::thread::sleep(REST);
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts are far below 2^52")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}
