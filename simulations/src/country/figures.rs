//! What happened to each statement, and what it cost.

use std::collections::BTreeMap;

use serde::Serialize;

use super::archive::Log;
use super::engine::{Country, by_cause};
use super::net::{CAUSES, Cause};
use super::slow::{Slow, slowest};
use hutong_protocol::tier::Tier;

/// Statements above this size are large.
pub const LARGE_BYTES: usize = 2_048;

/// A statement on its way to everybody.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    at: u64,
    bytes: usize,
    domestic: bool,
    expected: usize,
    holders: usize,
    half: Option<u64>,
    most: Option<u64>,
    all: Option<u64>,
    /// The node that came to hold it last.
    last: u32,
    cosigned: Option<u64>,
}

impl Statement {
    /// A statement of `bytes` that was published at `at`, for the country only or for everybody.
    pub fn new(at: u64, bytes: usize, domestic: bool) -> Self {
        Self {
            at,
            bytes,
            domestic,
            expected: 0,
            holders: 0,
            half: None,
            most: None,
            all: None,
            last: 0,
            cosigned: None,
        }
    }

    /// A node came to hold it.
    fn held(&mut self, node: u32, at: u64) {
        self.holders += 1;
        let share = |percent: usize| (self.expected * percent).div_ceil(100);
        let (half, most, all) = (share(50), share(99), self.expected);
        let took = Some(at.saturating_sub(self.at));
        if self.holders == half {
            self.half = took;
        }
        if self.holders == most {
            self.most = took;
        }
        if self.holders == all {
            (self.all, self.last) = (took, node);
        }
    }

    /// How long it took to reach everybody, in microseconds, and whom it reached last.
    pub fn completed(&self) -> Option<(u64, u32)> {
        Some((self.all?, self.last))
    }
}

/// A statement that some node lacks although it may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The log.
    pub log: String,
    /// Its index.
    pub index: u64,
    /// Seconds since midnight at which it was published.
    pub at_s: u64,
    /// Whether it is for the country only.
    pub domestic: bool,
    /// Who lacks it, some of them, with what their states hold of the log.
    pub lacked_by: Vec<String>,
}

/// Nodes named for each statement, at most.
const LACKED_BY_MAX: usize = 5;

/// Bytes about statements of one class of sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Bytes of new statements, counted at each node that came to hold them.
    pub held: u64,
    /// Announcements with tails: all copies.
    pub news: u64,
    /// Requests and answers that fetched leaves.
    pub pulled: u64,
    /// Announcements of cosigned checkpoints: all copies.
    pub cosigned: u64,
}

/// Everything that is remembered of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    audiences: Vec<(usize, usize)>,
    statements: Vec<Statement>,
    by_log: Vec<BTreeMap<u64, usize>>,
    /// The newcomers that were admitted, and who knows of it.
    newcomers: BTreeMap<u32, Statement>,
    /// Small and large statements.
    pub classes: [Class; 2],
    /// Announcements by cause: with tails, and without.
    pub announcements: [u64; 2],
    /// Messages that a node did not pass on.
    pub refused: u64,
    /// Deliveries by how long they took, in steps of [`DELAY_STEP_US`]; the last takes the rest.
    pub delays: Vec<u64>,
    /// A node that joins late, when it starts, and when it last came to hold something.
    pub late: Option<(u32, u64, u64)>,
}

/// The width of a step of [`Ledger::delays`].
pub const DELAY_STEP_US: u64 = 10_000;
const DELAY_STEPS: usize = 300;

impl Ledger {
    /// With the number of nodes that follow each log, and of those that may see what is domestic.
    pub fn new(audiences: Vec<(usize, usize)>) -> Self {
        let by_log = vec![BTreeMap::new(); audiences.len()];
        Self { audiences, by_log, delays: vec![0; DELAY_STEPS], ..Self::default() }
    }

    /// The node joins at `joins`, and is counted for itself; it follows `logs`.
    pub fn joins_late(&mut self, node: u32, joins: u64, logs: impl Iterator<Item = Log>) {
        self.late = Some((node, joins, joins));
        for log in logs.filter(|log| *log != node) {
            let (all, at_home) = &mut self.audiences[log as usize];
            (*all, *at_home) = (all.saturating_sub(1), at_home.saturating_sub(1));
        }
    }

    /// A statement was appended to its log.
    pub fn published(&mut self, log: Log, index: u64, mut statement: Statement) {
        let (all, at_home) = self.audiences[log as usize];
        statement.expected = if statement.domestic { at_home } else { all };
        self.by_log[log as usize].insert(index, self.statements.len());
        self.statements.push(statement);
    }

    /// A node came to hold a statement.
    pub fn held(&mut self, node: u32, log: Log, index: u64, at: u64) {
        if let Some((_, _, last)) = self.late.as_mut().filter(|(late, ..)| *late == node) {
            *last = at;
            return;
        }
        let Some(&place) = self.by_log[log as usize].get(&index) else { return };
        let statement = &mut self.statements[place];
        statement.held(node, at);
        let step = at.saturating_sub(statement.at) / DELAY_STEP_US;
        let step = usize::try_from(step).unwrap_or(DELAY_STEPS).min(DELAY_STEPS - 1);
        self.delays[step] += 1;
        self.classes[usize::from(statement.bytes > LARGE_BYTES)].held += statement.bytes as u64;
    }

    /// The parent of a newcomer published its admission; `nodes` are to know of it.
    pub fn admitted(&mut self, newcomer: u32, at: u64, nodes: usize) {
        let expected = nodes - usize::from(self.late.is_some());
        self.newcomers.insert(newcomer, Statement { expected, ..Statement::new(at, 0, false) });
    }

    /// A node's directory has a newcomer.
    pub fn known(&mut self, newcomer: u32, node: u32, at: u64) {
        let late = self.late.is_some_and(|(late, ..)| late == node);
        if let Some(one) = self.newcomers.get_mut(&newcomer).filter(|_| !late) {
            one.held(node, at);
        }
    }

    /// All statements, by log and index.
    pub fn places(&self) -> impl Iterator<Item = (Log, u64, &Statement)> {
        (0..).zip(&self.by_log).flat_map(move |(log, by_index)| {
            by_index.iter().map(move |(index, place)| (log, *index, &self.statements[*place]))
        })
    }

    /// The owner of a log knows a quorum for its checkpoint of `size`.
    pub fn cosigned(&mut self, log: Log, size: u64, at: u64) {
        for (_, place) in self.by_log[log as usize].range(..size).rev() {
            let statement = &mut self.statements[*place];
            if statement.cosigned.is_some() {
                return;
            }
            statement.cosigned = Some(at.saturating_sub(statement.at));
        }
    }

    /// An announcement was published.
    pub fn announced(&mut self, cause: Cause, _large: bool) {
        self.announcements[usize::from(cause == Cause::Cosigned)] += 1;
    }

    /// Copies of an announcement were sent.
    pub fn spread(&mut self, cause: Cause, large: bool, bytes: u64) {
        let class = &mut self.classes[usize::from(large)];
        match cause {
            Cause::News => class.news += bytes,
            Cause::Cosigned => class.cosigned += bytes,
            Cause::Pull | Cause::Cosignature | Cause::Compare | Cause::Control => {}
        }
    }

    /// An answer with leaves of `bytes` was sent, in `sent` bytes.
    pub fn pulled(&mut self, bytes: usize, sent: usize) {
        // Beside the answer there was a request of about 60 bytes.
        let class = &mut self.classes[usize::from(bytes > LARGE_BYTES + 100)];
        class.pulled += (sent + crate::gossip::params::wire::request(60)) as u64;
    }
}

/// A distribution over statements, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// The median statement.
    pub median: f64,
    /// 99 of 100 statements are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// What a node of a tier sends and receives on average, in bytes by cause.
#[derive(Debug, Clone, Serialize)]
pub struct TierBytes {
    /// The tier.
    pub tier: String,
    /// How many nodes.
    pub nodes: usize,
    /// Connections on average.
    pub connections: f64,
    /// Sent, on average.
    pub sent: u64,
    /// Received, on average.
    pub received: u64,
    /// Received by the node that received most.
    pub received_max: u64,
    /// Received on average, by cause: news, cosigned, pull, cosignature, compare, control.
    pub by_cause: [u64; CAUSES],
}

/// The figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Exchanges.
    pub nodes: usize,
    /// The seed.
    pub seed: u64,
    /// The stretch of the day, in seconds since midnight.
    pub stretch: (u64, u64),
    /// Statements published.
    pub statements: usize,
    /// Those that reached every node that may see them.
    pub complete: usize,
    /// Deliveries.
    pub deliveries: u64,
    /// Until half of the nodes hold a statement.
    pub half_ms: Times,
    /// Until 99% do.
    pub most_ms: Times,
    /// Until all do.
    pub all_ms: Times,
    /// Until the owner has a witness quorum.
    pub quorum_ms: Times,
    /// Statements for which it has one.
    pub with_quorum: usize,
    /// Exchanges that were to be admitted during the stretch.
    pub newcomers: usize,
    /// Those whom every node knows.
    pub enrolled: usize,
    /// From a newcomer's admission until 99% of the nodes have it in their directories.
    pub enrol_ms: Times,
    /// Bytes of small and of large statements.
    pub classes: [Class; 2],
    /// Bytes sent for each statement, all causes.
    pub bytes_per_statement: u64,
    /// By tier.
    pub tiers: Vec<TierBytes>,
    /// Announcements with tails, and of cosigned checkpoints alone.
    pub announcements: [u64; 2],
    /// Messages not passed on.
    pub refused: u64,
    /// Inputs that all states took.
    pub inputs: u64,
    /// Signatures verified, entries checked, directories built.
    pub computed: (usize, usize, usize),
    /// Resident memory of the process over the number of nodes, in bytes.
    pub memory_per_node: u64,
    /// Deliveries by how long they took, in steps of 10 ms; the last step takes the rest.
    pub delays: Vec<u64>,
    /// How long a node that was away for the whole stretch took to hold everything, if there was one.
    pub catch_up_ms: Option<u64>,
    /// Longest wait for an uplink.
    pub uplink_wait_ms: u64,
    /// Statements that did not reach everybody.
    pub missing: Vec<Missing>,
    /// Those that took longest.
    pub slowest: Vec<Slow>,
    /// Rules that were broken.
    pub violations: Vec<String>,
    /// A digest of all that was said and written.
    pub digest: String,
    /// Seconds that the run took.
    pub wall_s: f64,
    /// Seconds of processor time.
    pub cpu_s: f64,
}

impl Class {
    /// Bytes received ÷ bytes of new statements: of what carries statements, and of all that is
    /// said about them.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn amplification(&self) -> (f64, f64) {
        let held = self.held.max(1) as f64;
        let carrying = (self.news + self.pulled) as f64;
        (carrying / held, (carrying + self.cosigned as f64) / held)
    }
}

impl Figures {
    /// Of a country whose stretch has passed.
    pub fn of(country: &Country, wall_s: f64, cpu_s: f64) -> Self {
        let ledger = &country.ledger;
        let statements = ledger.statements.len();
        let nodes = country.plan.roles.len();
        let times = |of: fn(&Statement) -> Option<u64>| {
            Times::of(ledger.statements.iter().filter_map(of).collect())
        };
        let sent: u64 = by_cause(&country.net.sent).iter().sum();
        let all = country.nodes.iter().flatten();
        Self {
            nodes,
            seed: country.settings.seed,
            stretch: (country.settings.stretch.from, country.settings.stretch.to),
            statements,
            complete: ledger.statements.iter().filter(|one| one.holders == one.expected).count(),
            deliveries: ledger.statements.iter().map(|one| one.holders as u64).sum(),
            half_ms: times(|one| one.half),
            most_ms: times(|one| one.most),
            all_ms: times(|one| one.all),
            quorum_ms: times(|one| one.cosigned),
            with_quorum: ledger.statements.iter().filter(|one| one.cosigned.is_some()).count(),
            newcomers: country.plan.newcomers().len(),
            enrolled: ledger.newcomers.values().filter(|one| one.all.is_some()).count(),
            enrol_ms: Times::of(ledger.newcomers.values().filter_map(|one| one.most).collect()),
            classes: ledger.classes,
            bytes_per_statement: sent / statements.max(1) as u64,
            tiers: tiers(country),
            announcements: ledger.announcements,
            refused: ledger.refused,
            inputs: all.clone().map(|node| node.inputs).sum(),
            computed: country.commons.memory.computed(),
            memory_per_node: resident_bytes() / nodes as u64,
            delays: ledger.delays.clone(),
            catch_up_ms: ledger.late.map(|(_, began, last)| last.saturating_sub(began) / 1_000),
            uplink_wait_ms: country.net.waited_us_max / 1_000,
            missing: missing(country),
            slowest: slowest(country),
            violations: all.flat_map(|node| node.violations.iter().cloned()).collect(),
            digest: country.digest().to_string(),
            wall_s,
            cpu_s,
        }
    }

    /// The bytes of a node of `tier` in a whole day, in both directions.
    pub fn day_bytes(&self, tier: &str) -> u64 {
        let seconds = (self.stretch.1 - self.stretch.0).max(1);
        let of = self.tiers.iter().find(|one| one.tier == tier);
        of.map_or(0, |one| (one.sent + one.received) * 86_400 / seconds)
    }
}

/// The statements that some node lacks, by the nodes' disks.
fn missing(country: &Country) -> Vec<Missing> {
    let ledger = &country.ledger;
    let mut found = Vec::new();
    for (log, by_index) in (0..).zip(&ledger.by_log) {
        for (index, place) in by_index {
            let statement = &ledger.statements[*place];
            if statement.holders == statement.expected {
                continue;
            }
            let owner = &country.commons.federation.exchanges[log as usize].id;
            let lacks =
                |node: &&super::node::Node| country.lacks(node, log, *index, statement.domestic);
            let lacking = country.nodes.iter().flatten().map(Box::as_ref).filter(lacks);
            let lacked_by = lacking.take(LACKED_BY_MAX).map(|node| {
                let id = &country.commons.federation.exchanges[node.number as usize].id;
                let status = node.state.logs().find(|status| status.log == owner);
                let connected = country.connections.of(node.number as usize).contains(&log);
                format!(
                    "{id} ({}connected to the owner): {status:?}",
                    if connected { "" } else { "not " }
                )
            });
            found.push(Missing {
                log: owner.to_string(),
                index: *index,
                at_s: statement.at / 1_000_000,
                domestic: statement.domestic,
                lacked_by: lacked_by.collect(),
            });
        }
    }
    found
}

impl Times {
    #[expect(clippy::cast_precision_loss, reason = "times for people")]
    fn of(mut times_us: Vec<u64>) -> Self {
        times_us.sort_unstable();
        let at = |share: usize| {
            let place = (times_us.len() * share).div_ceil(1_000).saturating_sub(1);
            times_us.get(place).map_or(0.0, |us| *us as f64 / 1_000.0)
        };
        Self { median: at(500), p99: at(990), max: at(1_000) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "means for people")]
fn tiers(country: &Country) -> Vec<TierBytes> {
    let all = [
        Tier::National,
        Tier::Provincial,
        Tier::Municipal,
        Tier::County,
        Tier::Industry,
        Tier::International,
    ];
    let of = |tier: Tier| {
        let places: Vec<usize> = (0..country.plan.roles.len())
            .filter(|at| country.plan.roles[*at].tier == tier)
            .collect();
        let count = places.len().max(1) as u64;
        let sum = |bytes: &[[u64; CAUSES]], at: &usize| bytes[*at].iter().sum::<u64>();
        let received: Vec<u64> = places.iter().map(|at| sum(&country.net.received, at)).collect();
        let by_cause = places.iter().fold([0; CAUSES], |mut sum, at| {
            for (sum, bytes) in sum.iter_mut().zip(&country.net.received[*at]) {
                *sum += bytes / count;
            }
            sum
        });
        let links: usize = places.iter().map(|at| country.connections.of(*at).len()).sum();
        TierBytes {
            tier: tier.to_string(),
            nodes: places.len(),
            connections: links as f64 / count as f64,
            sent: places.iter().map(|at| sum(&country.net.sent, at)).sum::<u64>() / count,
            received: received.iter().sum::<u64>() / count,
            received_max: received.iter().copied().max().unwrap_or(0),
            by_cause,
        }
    };
    all.into_iter().map(of).filter(|tier| tier.nodes > 0).collect()
}

/// Resident memory of this process, in bytes; 0 where the system does not say.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// Processor time of this process so far, in seconds; 0 where the system does not say.
pub fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(") ").next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}
