//! A node's own publishing while strangers and hostile members attack it.
//!
//! The strangers name charters that nobody knows, ask for everything and come again when they are turned away. Of
//! the members some publish without end, some ask as fast as a member may, some send what cannot be read.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::sha256;
use hutong_crypto::merkle::MemoryTree;
use hutong_node::driver;
use hutong_protocol::audience::Audience;
use hutong_protocol::id::{ExchangeId, FederationId, Origin};
use hutong_protocol::message::{
    Announcement, Gossip, Hello, LeavesRequest, Refusal, Request, Response, TailLeaf,
};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_tests::federation::{Exchange, FOUNDERS, Federation};
use hutong_tests::intruder::{Act, Intruder, frame};

use crate::machine::percentile;
use crate::report::Report;
use crate::runs::folder_bytes;
use crate::statements::listing;

/// Members that break the rules.
const MEMBERS: usize = 10;
const STRANGERS: usize = 50;
/// The node that is attacked: a founder that does not keep the register.
const ATTACKED: usize = 1;
/// What it takes of each hostile member's log in a day.
const QUOTA_MIB: u64 = 4;
/// Entries in one announcement of a member that publishes without end.
const TAIL: usize = 25;
/// The scope of every exchange here.
const SCOPE: &str = "US";

/// What all attackers know.
struct Target<'a> {
    federation: FederationId,
    attacked: &'a Exchange,
    over: AtomicBool,
    /// Acts that they did.
    acts: AtomicU64,
}

/// Publishes at the node while it is attacked, for so many seconds.
pub(crate) fn hostile(seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    let mut federation = Federation::found(FOUNDERS + MEMBERS)?;
    set_quotas(&federation)?;
    federation.start(0..FOUNDERS)?;
    for founder in &federation.exchanges[..FOUNDERS] {
        founder.node()?.ready()?;
    }
    federation.admit_all(FOUNDERS..FOUNDERS + MEMBERS)?;
    federation.agree(&[0, 1, 2], Duration::from_mins(1))?;

    let attacked = &federation.exchanges[ATTACKED];
    let alone = publish(attacked, 5, 0)?;
    let before = folder_bytes(&attacked.data)?;
    let target = Target {
        federation: federation.id,
        attacked,
        over: AtomicBool::new(false),
        acts: AtomicU64::new(0),
    };
    let mut under_fire = thread::scope(|scope| {
        for (turn, member) in federation.exchanges[FOUNDERS..].iter().enumerate() {
            let target = &target;
            scope.spawn(move || told(target.member(turn, member)));
        }
        for number in 0..STRANGERS {
            let target = &target;
            scope.spawn(move || told(target.stranger(number)));
        }
        let published = publish(attacked, seconds, 1 << 32);
        target.over.store(true, Ordering::Relaxed);
        published
    })?;
    let (_, memory) = attacked.node()?.memory_kib()?;
    let grown = folder_bytes(&attacked.data)? - before;
    ensure!(attacked.node()?.client().status()?.ready, "the node is not well after the attack");

    let mut alone = alone;
    report.figure("publish one alone, p99", percentile(&mut alone, 99) * 1e3, "ms");
    report.figure("publish one, attacked, median", percentile(&mut under_fire, 50) * 1e3, "ms");
    report.figure("publish one, attacked, p99", percentile(&mut under_fire, 99) * 1e3, "ms");
    report.figure("published meanwhile", to_f64(under_fire.len() as u64), "statements");
    report.figure("what they did", to_f64(target.acts.load(Ordering::Relaxed)), "acts");
    report.figure("memory at most", to_f64(memory) / 1e3, "MB");
    report.figure("disk, own statements included", grown / 1e6, "MB");
    report.figure(
        "quotas of the members together",
        to_f64(MEMBERS as u64 * QUOTA_MIB) * 1.048_576,
        "MB",
    );
    Ok(())
}

/// Sets at the attacked node how much it takes of each hostile member.
fn set_quotas(federation: &Federation) -> anyhow::Result<()> {
    const TABLE: &str = "[follow.daily_mib]\n";
    let file = federation.exchanges[ATTACKED].data.join("hutong.toml");
    let quota = |member: &Exchange| format!("{} = {QUOTA_MIB}\n", member.id);
    let quotas: String = federation.exchanges[FOUNDERS..].iter().map(quota).collect();
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(TABLE), "a written configuration has every table");
    Ok(fs::write(&file, text.replace(TABLE, &format!("{TABLE}{quotas}")))?)
}

/// Publishes one statement after the other with a pause between; returns how long each took, in seconds.
fn publish(node: &Exchange, seconds: u64, first: u64) -> anyhow::Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    for number in first.. {
        if begun.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        let asked = Instant::now();
        node.node()?.client().publish(vec![listing(number)])?;
        times.push(asked.elapsed().as_secs_f64());
        pause(10);
    }
    Ok(times)
}

impl Target<'_> {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn intruder(&self, secret: [u8; 32]) -> anyhow::Result<Intruder> {
        Intruder::start(secret, &self.federation.short(), self.attacked.address())
    }

    fn act(&self, intruder: &Intruder, act: Act) {
        self.acts.fetch_add(1, Ordering::Relaxed);
        // What it cannot take any more it does not do.
        drop(intruder.act(act));
    }

    /// A member that does one of four things without end.
    fn member(&self, turn: usize, member: &Exchange) -> anyhow::Result<()> {
        let intruder = self.intruder(member.transport_secret())?;
        match turn % 4 {
            0 => self.publish_without_end(&intruder, member)?,
            1 => self.ask_without_end(&intruder)?,
            2 => self.send_garbage(&intruder, false),
            _ => self.send_garbage(&intruder, true),
        }
        Ok(())
    }

    fn publish_without_end(&self, intruder: &Intruder, member: &Exchange) -> anyhow::Result<()> {
        let id: ExchangeId = member.id.parse()?;
        let origin = Origin::new(&self.federation, &id);
        let (mut tree, mut number) = (MemoryTree::default(), 0);
        while self.goes_on() {
            let old_size = tree.size();
            let mut tail = Vec::new();
            for _ in 0..TAIL {
                number += 1;
                let prepared = statement(&id, number, member)?;
                tree.push(prepared.entry().leaf_hash());
                tail.push(TailLeaf::Entry(prepared.entry().clone()));
            }
            let checkpoint = Checkpoint::new(origin.as_str(), tree.size(), tree.root());
            let note = Arc::new(checkpoint.sign(&member.log_key()));
            let news = Announcement { log: id.clone(), note, old_size, tail };
            let bytes = Gossip::Announcement(news).encode().to_vec();
            self.act(intruder, Act::Gossip(SCOPE.to_owned(), bytes));
            pause(20);
        }
        Ok(())
    }

    /// Asks for all of the node's log again and again.
    fn ask_without_end(&self, intruder: &Intruder) -> anyhow::Result<()> {
        let log: ExchangeId = self.attacked.id.parse()?;
        let range = LeavesRequest { log, from: 0, to: 200, size: 200, left: false };
        let request = frame(&Request::Leaves(range).encode());
        while self.goes_on() {
            self.act(intruder, Act::Request(request.clone()));
            pause(5);
        }
        Ok(())
    }

    /// Sends what cannot be read, and comes again.
    fn send_garbage(&self, intruder: &Intruder, by_gossip: bool) {
        for turn in 0_u64.. {
            if !self.goes_on() {
                break;
            }
            let garbage = sha256(&turn.to_le_bytes()).as_bytes().repeat(30);
            self.act(
                intruder,
                if by_gossip {
                    Act::Gossip(SCOPE.to_owned(), garbage)
                } else {
                    Act::Request(frame(&garbage))
                },
            );
            self.come_again(intruder, turn);
            pause(20);
        }
    }

    /// Says hello under a later charter, asks for scopes and charters, and comes again.
    fn stranger(&self, number: usize) -> anyhow::Result<()> {
        let intruder = self.intruder(*sha256(&number.to_le_bytes()).as_bytes())?;
        let hello = Hello {
            federation: self.federation.hash(),
            charter_version: 9,
            charter: sha256(b"a later charter"),
            frozen: sha256(b"others"),
            scopes: vec![(SCOPE.parse()?, sha256(b"other"))],
        };
        let requests = [
            Request::Hello(Arc::new(hello)).encode(),
            Request::Heads { scope: SCOPE.parse()?, after: None }.encode(),
            Request::Charter { digest: sha256(b"a later charter") }.encode(),
            Response::Refused(Refusal::Malformed).encode(),
        ];
        for (turn, request) in (0_u64..).zip(requests.iter().cycle()) {
            if !self.goes_on() {
                break;
            }
            self.act(&intruder, Act::Request(frame(request)));
            self.come_again(&intruder, turn);
            pause(100);
        }
        Ok(())
    }

    /// Dials now and then: it may have been hung up on.
    fn come_again(&self, intruder: &Intruder, turn: u64) {
        if turn % 20 == 19 {
            self.act(intruder, Act::Dial);
        }
    }
}

fn statement(id: &ExchangeId, number: u64, member: &Exchange) -> anyhow::Result<Prepared> {
    let mut listing = listing(number);
    // An announcement carries 32 KiB of leaves.
    listing.body["summary"]["en"] = "Again and again.".into();
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&number.to_le_bytes());
    let draft = Draft {
        audience: Audience::Public,
        issued_at: driver::now(),
        issuer: id.clone(),
        salt,
        kind: StatementType::from_name(&listing.kind),
        body: listing.body,
    };
    Ok(Prepared::make(&draft, &member.issuer_key())?)
}

/// An attacker that fails is no measure of the node, and must be seen.
fn told(outcome: anyhow::Result<()>) {
    if let Err(error) = outcome {
        eprintln!("an attacker gave up: {error:#}");
    }
}

#[expect(clippy::disallowed_methods, reason = "an even rate")]
fn pause(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts are far below 2^52")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}
