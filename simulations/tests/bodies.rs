//! What a statement's body says, and whether its type or its suite is known, changes nothing about
//! trees, cosignatures, audiences and bytes served: nodes of different versions agree on all of it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_protocol::audience::{Audience, Viewer};
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::json::canonicalize;
use hutong_protocol::message::{LeavesRequest, Response, ServedLeaf};
use hutong_protocol::serve::Owner;
use hutong_simulations::node::Slot;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::{Restricted, World};
use serde_json::{Value, json};

const TEN: &str = include_str!("../scenarios/ten.toml");

/// The exchange that records the entries: cn-3301-hangzhou.
const OWNER: Slot = 4;

/// What a build meets: the statement's type, its body, and the suite of the entry.
struct Met {
    kind: &'static str,
    body: Value,
    suite: u8,
    outcome: Outcome,
}

/// The same entries as a build meets them that does not know the type, that does, that finds the body
/// malformed, and that does not know the suite.
fn builds() -> [Met; 4] {
    let status = "hutong/listing-status/v1";
    let met = |kind, body, suite, outcome| Met { kind, body, suite, outcome };
    let sound = json!({ "listing_id": "a", "status": "audited" });
    let malformed = json!({ "listing_id": 7, "status": "sold", "contact": "somebody" });
    [
        met("example/status/v9", sound.clone(), 1, Outcome::Sound),
        met(status, sound.clone(), 1, Outcome::Sound),
        met(status, malformed, 1, Outcome::Sound),
        met(status, sound, 9, Outcome::Unverifiable),
    ]
}

fn audiences() -> [Audience; 3] {
    let members = ["kz-astana", "sg-exchange"].map(|id| id.parse().unwrap());
    [Audience::Public, Audience::Domestic, Audience::Members(BTreeSet::from(members))]
}

/// One entry of each audience, which the checkers of the simulation watch over.
fn entries(world: &mut World, met: &Met) -> Vec<Entry> {
    let log = world.id(OWNER).clone();
    let exchange = world.federation.exchanges[world.nodes[OWNER].exchange].clone();
    let mut made = Vec::new();
    for (number, audience) in (0..).zip(audiences()) {
        let secret = hutong_crypto::sha256(&[number]).to_string();
        let mut body = met.body.clone();
        body["note"] = json!(secret);
        let statement = canonicalize(&json!({
            "audience": audience.to_value(), "body": body, "issued_at": "2026-11-23T08:00:00Z",
            "issuer": log.as_str(), "salt": "AAECAwQFBgcICQoLDA0ODw", "type": met.kind,
        }));
        let mut bytes = exchange.sign_unjudged(&statement).unwrap().as_bytes().to_vec();
        bytes[1] = met.suite;
        let entry = Entry::parse(Bytes::from(bytes)).unwrap();
        assert_eq!(check::entries(&log, std::slice::from_ref(&entry)), [met.outcome]);
        let (log, id) = (log.clone(), entry.id());
        world.restricted.insert(id, Restricted { log, audience, entry: entry.clone(), secret });
        made.push(entry);
    }
    made
}

/// Ten exchanges, one of which has recorded these entries, all replicated and cosigned.
fn recorded(met: &Met) -> (World, Vec<Entry>) {
    let mut scenario = Scenario { seed: 77, ..Scenario::parse(TEN).unwrap() };
    scenario.network.loss_per_mille = 0;
    let mut world = scenario.world().unwrap();
    for index in 3..10 {
        world.admit(index).unwrap();
    }
    assert!(world.settle(30_000).is_some(), "{:?}", world.differences());
    let entries = entries(&mut world, met);
    // Past the check of what a node publishes itself.
    world.crash(OWNER);
    let log = world.id(OWNER).clone();
    let exchange = &world.federation.exchanges[world.nodes[OWNER].exchange];
    let (origin, key) = (world.federation.origin(&log), exchange.keys().log);
    let disk = world.nodes[OWNER].disk.log_mut(&log);
    let size = disk.tree.size();
    disk.append(size, entries.iter().cloned().map(Leaf::Entry).collect()).unwrap();
    let note = Checkpoint::new(origin.as_str(), disk.tree.size(), disk.root()).sign(&key).encode();
    disk.hold(&note);
    world.start(OWNER, false);
    let limit = world.now_ms() + 120_000;
    assert!(world.settle(limit).is_some(), "{:?} {:?}", world.differences(), world.violations);
    (world, entries)
}

/// What a node holds of the log.
#[derive(Debug, PartialEq, Eq)]
struct Holding {
    size: u64,
    /// How much of it a quorum has cosigned, and the node itself.
    cosigned: u64,
    cosigned_by_it: Option<u64>,
    /// The leaves that it lacks.
    withheld: BTreeSet<u64>,
    void: BTreeSet<u64>,
}

fn holding(world: &World, slot: Slot) -> Holding {
    let log = world.id(OWNER);
    let disk = world.nodes[slot].disk.log(log).unwrap();
    let state = world.nodes[slot].state.as_ref().unwrap();
    Holding {
        size: disk.tree.size(),
        cosigned: state.logs().find(|status| status.log == log).unwrap().cosigned,
        cosigned_by_it: disk.witness().map(|(size, _)| size),
        withheld: disk.withheld.clone(),
        void: disk.void.clone(),
    }
}

/// What a node hands out of the log's last entries: `None` for each that it withholds.
fn served(world: &World, slot: Slot, viewer: &Viewer, entries: &[Entry]) -> Vec<Option<Bytes>> {
    let log = world.id(OWNER).clone();
    let size = world.nodes[slot].disk.log(&log).unwrap().tree.size();
    let from = size - entries.len() as u64;
    let range = LeavesRequest { log: log.clone(), from, to: size, size, left: false };
    let owner = Owner { exchange: log, region: "CN-3301".parse().unwrap() };
    let Some(Response::Leaves(answer)) = world.answer(slot, &range, &owner, viewer) else {
        return Vec::new();
    };
    let bytes = |leaf: ServedLeaf| match leaf {
        ServedLeaf::Entry(entry) => Some(entry.as_bytes().clone()),
        ServedLeaf::Withheld(_) | ServedLeaf::Absent(_) => None,
    };
    answer.leaves.into_iter().map(bytes).collect()
}

#[test]
fn a_body_changes_nothing_about_trees_cosignatures_and_audiences() {
    let member =
        |id: &str, region: &str| Viewer::member(id.parse().unwrap(), region.parse().unwrap());
    let viewers = [
        (Viewer::stranger(), [true, false, false]),
        (member("cn-33-zhejiang", "CN-33"), [true, true, false]),
        (member("sg-exchange", "SG"), [true, false, true]),
        (member("rs-exchange", "RS"), [true, false, false]),
        (member("cn-3301-hangzhou", "CN-3301"), [true, true, true]),
    ];
    let mut seen: Vec<Vec<Holding>> = Vec::new();
    for met in builds() {
        let (mut world, entries) = recorded(&met);
        let slots = world.honest();
        seen.push(slots.iter().map(|slot| holding(&world, *slot)).collect());
        let roots: BTreeSet<_> = slots
            .iter()
            .map(|slot| world.nodes[*slot].disk.log(world.id(OWNER)).unwrap().root())
            .collect();
        assert_eq!(roots.len(), 1, "{}", met.kind);
        for (viewer, may_see) in &viewers {
            let bytes = entries.iter().map(|entry| entry.as_bytes().clone());
            let expected: Vec<Option<Bytes>> =
                bytes.zip(may_see).map(|(bytes, may)| may.then_some(bytes)).collect();
            assert_eq!(served(&world, OWNER, viewer, &entries), expected, "{}", met.kind);
            // Whoever holds a replica hands out the same, as far as it holds it.
            let held = served(&world, 0, &member("cn-national", "CN"), &entries);
            let others = served(&world, 0, viewer, &entries);
            for ((other, held), expected) in others.into_iter().zip(held).zip(expected) {
                assert_eq!(other, expected.filter(|_| held.is_some()), "{}", met.kind);
            }
        }
        assert_eq!(world.broken(), Vec::<String>::new(), "{}", met.kind);
    }
    for holding in &seen[0] {
        assert_eq!((holding.size, holding.cosigned), (4, 4), "{holding:?}");
        assert!(holding.void.is_empty());
    }
    assert!(seen[0].iter().filter(|it| it.cosigned_by_it == Some(4)).count() >= 3);
    assert!(seen[0].iter().any(|it| !it.withheld.is_empty()), "somebody may not see all");
    for other in &seen[1..] {
        assert_eq!(*other, seen[0]);
    }
}
