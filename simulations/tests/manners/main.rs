//! What single nodes answer, ask and take, input by input.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod anchors;
#[path = "../common/mod.rs"]
mod common;
mod fetching;
mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use common::settled;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::cosignature::cosign;
use hutong_crypto::digest::{Hash, sha256};
use hutong_crypto::merkle::{MemoryTree, NodeReader as _, cover};
use hutong_crypto::note::{Note, NoteSignature};
use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::directory::Prefix;
use hutong_protocol::evidence::Evidence;
use hutong_protocol::io::{
    Effect, GossipId, InboundId, Input, Notice, Peer, PeerFault, RequestId, Ticket, Verdict,
};
use hutong_protocol::message::{
    Announcement, Gossip, Hello, Leaves, Refusal, Request, Response, ServedLeaf, TailLeaf,
};
use hutong_protocol::state::{Config, Follow, Keys, State};
use hutong_protocol::statement::StatementType;
use hutong_protocol::time::{Now, Timestamp};
use hutong_simulations::node::Slot;
use hutong_simulations::scenario::{Act, Decision};
use hutong_simulations::world::World;
use serde_json::json;

const ZHEJIANG: Slot = 1;
const HANGZHOU: Slot = 4;

fn settle(world: &mut World) {
    let limit = world.now_ms() + 30_000;
    assert!(world.settle(limit).is_some(), "{:?} {:?}", world.differences(), world.violations);
}

/// Gives one input to a node and returns the effects without carrying them out.
fn effects(world: &mut World, slot: Slot, input: Input) -> Vec<Effect> {
    let now = world.now(slot);
    world.nodes[slot].state.as_mut().unwrap().handle(now, input)
}

fn peer(world: &World, slot: Slot) -> Peer {
    world.federation.exchanges[slot].peer.clone()
}

fn checkpoint(world: &World, slot: Slot, size: u64, root: Hash) -> Checkpoint {
    let origin = world.federation.origin(world.id(slot));
    Checkpoint { origin: origin.to_string(), size, root, extensions: Vec::new() }
}

/// A message by the node at `author` that another one passes on.
fn gossip(world: &World, author: Slot, bytes: Bytes) -> Input {
    let (from, author) = (peer(world, 3), peer(world, author));
    Input::Gossip { id: GossipId(1), from, author, scope: "CN-33".parse().unwrap(), bytes }
}

fn verdict(effects: &[Effect]) -> Option<Verdict> {
    effects.iter().find_map(|effect| match effect {
        Effect::Verdict { verdict, .. } => Some(*verdict),
        _ => None,
    })
}

/// Has Hangzhou's keys changed from `size` entries on; returns the keys before and after.
fn rekey(world: &mut World, size: u64) -> (Keys, Keys) {
    let keys = rekey_unsettled(world, size);
    settle(world);
    keys
}

fn rekey_unsettled(world: &mut World, size: u64) -> (Keys, Keys) {
    let old = world.federation.exchanges[HANGZHOU].keys();
    let disk = world.nodes[ZHEJIANG].disk.log(world.id(HANGZHOU)).unwrap();
    let stands = Prefix { size, root: disk.root_at(size).unwrap() };
    let federation = Arc::make_mut(&mut world.federation);
    let body = federation.rekey(HANGZHOU, 99, &stands).unwrap();
    let new = federation.exchanges[HANGZHOU].keys();
    let rekey = world.decree(ZHEJIANG, HANGZHOU, StatementType::MemberRekey, body).unwrap();
    world.append(ZHEJIANG, vec![rekey]);
    (old, new)
}

fn requests(effects: &[Effect]) -> Vec<Request> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { bytes, .. } => Some(Request::decode(bytes.clone()).unwrap()),
        _ => None,
    });
    sent.collect()
}

/// What a peer says that holds something else of every scope.
fn other_hello(world: &World, scopes: &[&str]) -> Bytes {
    let hello = Hello {
        federation: world.federation.id().hash(),
        charter_version: 1,
        charter: sha256(b"another charter"),
        frozen: sha256(b"others"),
        scopes: scopes.iter().map(|scope| (scope.parse().unwrap(), sha256(b"other"))).collect(),
    };
    Request::Hello(Arc::new(hello)).encode()
}

#[test]
fn a_hello_that_comes_again_and_again_is_followed_up_once() {
    let mut world = settled(50);
    let from = peer(&world, 3);
    let bytes = other_hello(&world, &["CN", "CN-33", "KZ"]);
    let mut said = |number| {
        let input =
            Input::Request { inbound: InboundId(number), peer: from.clone(), bytes: bytes.clone() };
        requests(&effects(&mut world, 0, input))
    };
    assert_eq!(said(1).len(), 1, "evidence; the scopes may agree in a moment");
    assert_eq!(said(2).len(), 3, "the heads of three scopes, which still differ");
    for number in 3..6 {
        assert_eq!(said(number), vec![]);
    }
}

#[test]
fn the_scope_that_was_not_compared_for_longest_is_compared_with_who_follows_it() {
    let mut world = settled(61);
    for slot in 1..10 {
        let scopes: &[&str] = if slot == 9 { &["CN", "KZ"] } else { &["CN"] };
        let (peer, bytes) = (peer(&world, slot), other_hello(&world, scopes));
        let hello = Input::Request { inbound: InboundId(slot as u64), peer, bytes };
        effects(&mut world, 0, hello);
    }
    let mut asked = Vec::new();
    let mut now = world.now(0);
    while asked.len() < 8 {
        let state = world.nodes[0].state.as_mut().unwrap();
        now = later(now, state.wake_at().unwrap().millis().saturating_sub(now.instant.millis()));
        asked.extend(state.handle(now, Input::Tick).into_iter().filter_map(
            |effect| match effect {
                Effect::Send { peer, bytes, .. } => {
                    let request = Request::decode(bytes).unwrap();
                    matches!(request, Request::Hello(_)).then_some(peer)
                }
                _ => None,
            },
        ));
    }
    let only = peer(&world, 9);
    assert_eq!(asked.iter().filter(|asked| **asked == only).count(), 4, "{asked:?}");
    let others: BTreeSet<_> = asked.into_iter().filter(|asked| *asked != only).collect();
    assert_eq!(others.len(), 4, "each of the others in turn: {others:?}");
}

#[test]
fn a_hello_that_names_a_scope_twice_is_refused() {
    let mut world = settled(51);
    let from = peer(&world, 3);
    for scopes in [&["CN", "CN"][..], &["CN-33", "CN"]] {
        let bytes = other_hello(&world, scopes);
        let input = Input::Request { inbound: InboundId(1), peer: from.clone(), bytes };
        let effects = effects(&mut world, 0, input);
        assert_eq!(requests(&effects), vec![]);
        let blamed = |effect: &Effect| {
            matches!(effect, Effect::Penalise { fault: PeerFault::Malformed, .. })
        };
        assert!(effects.iter().any(blamed), "{scopes:?}");
    }
}

#[test]
fn news_by_a_key_that_nobody_knows_yet_is_ignored_and_by_another_member_refused() {
    let mut world = settled(52);
    let log = world.id(HANGZHOU).clone();
    let line = NoteSignature { name: "not-looked-at".into(), key_id: [0; 4], signature: vec![0] };
    let note = Note { text: "not looked at\n".into(), signatures: vec![line] };
    let news = Announcement { log, note: Arc::new(note), old_size: 0, tail: Vec::new() };
    let bytes = Gossip::Announcement(news).encode();
    let scope = "CN-33".parse::<hutong_protocol::region::Scope>().unwrap();
    let (from, other) = (peer(&world, 3), peer(&world, 5));
    let mut judged = |author: Peer| {
        let (from, scope, bytes) = (from.clone(), scope.clone(), bytes.clone());
        let input = Input::Gossip { id: GossipId(1), from, author, scope, bytes };
        verdict(&effects(&mut world, 0, input))
    };
    assert_eq!(judged(Peer::new("12D3KooWNobodyKnowsThisOne")), Some(Verdict::Ignore));
    assert_eq!(judged(other), Some(Verdict::Reject));
}

#[test]
fn a_cosignature_by_a_key_not_known_yet_blames_nobody_and_a_false_one_does() {
    let mut world = settled(59);
    let log = world.id(HANGZHOU).clone();
    let entries = world.statements(HANGZHOU, 1, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let disk = world.nodes[HANGZHOU].disk.log(&log).unwrap();
    let (size, root) = (disk.tree.size(), disk.root());
    let text = checkpoint(&world, HANGZHOU, size, root).encode();
    let other = checkpoint(&world, HANGZHOU, size, sha256(b"other")).encode();
    let mut blamed = |witness: &str, text: &str| {
        let witness = world.federation.origin(&witness.parse().unwrap()).witness_name();
        let key = world.federation.exchanges[ZHEJIANG].keys().witness;
        let line = cosign(text, &witness, &key, 1_800_000_000).encode();
        let bytes = Request::Cosignature { log: log.clone(), size, line }.encode();
        let input = Input::Request { inbound: InboundId(1), peer: peer(&world, ZHEJIANG), bytes };
        let effects = effects(&mut world, HANGZHOU, input);
        effects.iter().any(|effect| matches!(effect, Effect::Penalise { .. }))
    };
    assert!(!blamed("cn-330199-not-admitted-yet", &text));
    assert!(!blamed("cn-31-shanghai", &text), "it may have had that key, or may get it");
    assert!(blamed("cn-33-zhejiang", &other));
}

#[test]
fn a_suspended_member_sees_what_strangers_see_and_its_own_log() {
    let mut world = settled(53);
    let size = |world: &World, slot: Slot| {
        let log = world.nodes[slot].disk.log(world.id(slot));
        log.map_or(0, |log| log.tree.size())
    };
    let entries = world.statements(HANGZHOU, 1, &Audience::Domestic).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let honoured = size(&world, HANGZHOU);
    let (node, decision) = ("cn-3301-hangzhou".into(), Decision::Suspend);
    world.act(&Act::Decide { node, decision }).unwrap();
    settle(&mut world);
    let before = size(&world, ZHEJIANG);
    let entries = world.statements(ZHEJIANG, 2, &Audience::Domestic).unwrap();
    world.append(ZHEJIANG, entries);
    world.run_until(world.now_ms() + 10_000);

    let log = world.nodes[HANGZHOU].disk.log(world.id(ZHEJIANG)).unwrap();
    assert_eq!(log.tree.size(), before + 2, "its copy is complete");
    let last = usize::try_from(before).unwrap();
    assert!(log.leaves[last..].iter().all(|leaf| leaf.entry().is_none()));

    let mut asks = |of: Slot, from: u64, to: u64| {
        let range = hutong_protocol::message::LeavesRequest {
            log: world.id(of).clone(),
            from,
            to,
            size: to,
            left: false,
        };
        let input = Input::Request {
            inbound: InboundId(1),
            peer: peer(&world, HANGZHOU),
            bytes: Request::Leaves(range).encode(),
        };
        let effects = effects(&mut world, ZHEJIANG, input);
        let served = effects.into_iter().find_map(|effect| match effect {
            Effect::Serve { range, owner, viewer, .. } => {
                world.answer(ZHEJIANG, &range, &owner, &viewer)
            }
            _ => None,
        });
        let Some(Response::Leaves(served)) = served else { unreachable!("leaves are served") };
        served.leaves.iter().filter(|leaf| matches!(leaf, ServedLeaf::Entry(_))).count()
    };
    assert_eq!(asks(ZHEJIANG, before, before + 2), 0);
    assert_eq!(asks(HANGZHOU, honoured - 1, honoured), 1, "what it said itself");
}

#[test]
fn a_second_version_is_found_although_what_it_was_compared_with_is_long_passed() {
    let mut world = settled(54);
    let entries = world.statements(HANGZHOU, 5, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let log = world.id(HANGZHOU).clone();
    let forked = checkpoint(&world, HANGZHOU, 4, sha256(b"another tree"));
    let note = forked.sign(&world.federation.exchanges[HANGZHOU].keys().log);
    let news =
        Announcement { log: log.clone(), note: Arc::new(note), old_size: 4, tail: Vec::new() };
    let input = gossip(&world, HANGZHOU, Gossip::Announcement(news).encode());
    let asked = effects(&mut world, 0, input).into_iter().find_map(|effect| match effect {
        Effect::ReadRange { old_size, new_size, .. } => Some((old_size, new_size)),
        _ => None,
    });
    let (old_size, new_size) = asked.unwrap();
    assert_eq!(old_size, 4);
    // More checkpoints than are remembered come before the disk has answered.
    for _ in 0..70 {
        let entries = world.statements(HANGZHOU, 1, &Audience::Public).unwrap();
        world.append(HANGZHOU, entries);
        world.run_until(world.now_ms() + 250);
    }
    settle(&mut world);
    let disk = world.nodes[0].disk.log(&log).unwrap();
    assert_eq!(disk.tree.size(), new_size + 70);
    let (left, right) = (disk.cover(0, old_size), disk.cover(old_size, new_size));
    let answer = Input::RangeRead { log: log.clone(), old_size, new_size, left, right };
    let convicted = |effect: &Effect| matches!(effect, Effect::Notice(Notice::Equivocation { log: of, .. }) if *of == log);
    assert!(effects(&mut world, 0, answer).iter().any(convicted));
}

#[test]
fn new_keys_on_another_tree_alarm_and_blame_nobody() {
    let mut world = settled(55);
    let entries = world.statements(HANGZHOU, 5, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let log = world.id(HANGZHOU).clone();
    let held = world.nodes[0].disk.log(&log).unwrap().tree.size();
    let (_, new) = rekey(&mut world, held);

    // The new keys go on from a tree that agrees with nobody's copy.
    let mut tree = MemoryTree::default();
    for index in 0..held + 3 {
        tree.push(sha256(&index.to_le_bytes()));
    }
    let forked = checkpoint(&world, HANGZHOU, tree.size(), tree.root());
    let note = forked.sign(&new.log);
    let news = Announcement {
        log: log.clone(),
        note: Arc::new(note),
        old_size: tree.size(),
        tail: Vec::new(),
    };
    let input = gossip(&world, HANGZHOU, Gossip::Announcement(news).encode());
    let mut effects_of = |input| effects(&mut world, 0, input);
    let first = effects_of(input);
    let answer = |effects: &[Effect]| {
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::Send { request, bytes, .. } => match Request::decode(bytes.clone()).unwrap() {
                Request::Leaves(range) => Some((*request, range)),
                _ => None,
            },
            _ => None,
        });
        let (request, range) = asked.unwrap();
        let leaves = (range.from..range.to)
            .map(|index| ServedLeaf::Absent(sha256(&index.to_le_bytes())))
            .collect();
        let hashes = |from, to| {
            let read = |(level, at)| tree.node(level, at).unwrap_or_else(|never| match never {});
            cover(from, to).into_iter().map(read).collect::<Vec<_>>()
        };
        let left = if range.left { hashes(0, range.from) } else { Vec::new() };
        let right = hashes(range.to, range.size);
        let answer = Response::Leaves(Leaves { from: range.from, leaves, left, right });
        Input::Response { request, answer: Some(answer.encode()) }
    };
    let second = effects_of(answer(&first));
    let third = effects_of(answer(&second));
    let alarmed = Effect::Notice(Notice::Diverged { log: log.clone(), size: held });
    assert!(third.iter().any(|effect| format!("{effect:?}") == format!("{alarmed:?}")));
    for effect in first.iter().chain(&second).chain(&third) {
        assert!(!matches!(effect, Effect::Penalise { .. }), "{effect:?}");
        assert!(!matches!(effect, Effect::Notice(Notice::Equivocation { .. })), "{effect:?}");
    }
}

#[test]
fn keys_that_were_given_up_convict_nobody() {
    let mut world = settled(56);
    let entries = world.statements(HANGZHOU, 5, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let held = world.nodes[0].disk.log(world.id(HANGZHOU)).unwrap().tree.size();
    let by_old_keys = |world: &World, old: &Keys| {
        let note = |root| checkpoint(world, HANGZHOU, 3, root).sign(&old.log).encode();
        let (first, second) = (note(sha256(b"one")), note(sha256(b"other")));
        let evidence = Evidence { first, second, left: Vec::new(), right: Vec::new() };
        let log = world.id(HANGZHOU).clone();
        gossip(world, HANGZHOU, Gossip::Evidence { log, bytes: evidence.encode() }.encode())
    };
    let (old, _) = rekey(&mut world, held);
    let input = by_old_keys(&world, &old);
    let after = effects(&mut world, 0, input);
    assert_eq!(verdict(&after), Some(Verdict::Ignore));
    assert!(!after.iter().any(|effect| matches!(effect, Effect::Notice(_))), "{after:?}");

    // The same before the change of keys is proof.
    let mut world = settled(56);
    let old = world.federation.exchanges[HANGZHOU].keys();
    let input = by_old_keys(&world, &old);
    assert_eq!(verdict(&effects(&mut world, 0, input)), Some(Verdict::Accept));
}

#[test]
fn a_change_of_keys_lifts_a_freeze_for_what_the_former_ones_signed() {
    let mut world = settled(57);
    let entries = world.statements(HANGZHOU, 5, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let log = world.id(HANGZHOU).clone();
    let held = world.nodes[0].disk.log(&log).unwrap().tree.size();
    // The freeze is at the last anchor's size, beyond which no keys may follow.
    world.want_anchor(0);
    world.run_until(world.now_ms() + 3_000);
    let old = world.federation.exchanges[HANGZHOU].keys();
    let note = |root| checkpoint(&world, HANGZHOU, 3, root).sign(&old.log).encode();
    let (first, second) = (note(sha256(b"one")), note(sha256(b"other")));
    let evidence = Evidence { first, second, left: Vec::new(), right: Vec::new() };
    let bytes = Gossip::Evidence { log: log.clone(), bytes: evidence.encode() }.encode();
    let spread = gossip(&world, HANGZHOU, bytes);
    // Through the world, so that the disk takes it in; one node is on its own.
    world.partition(&[vec![0]]);
    world.feed(0, spread);
    let frozen = |world: &World| {
        let state = world.nodes[0].state.as_ref().unwrap();
        state.logs().any(|status| *status.log == log && status.frozen.is_some())
    };
    assert!(frozen(&world));
    world.partition(&[]);
    world.run_until(world.now_ms() + 5_000);
    let member = |world: &World| {
        let directory = world.nodes[0].state.as_ref().unwrap().directory();
        directory.member(&log).unwrap().frozen
    };
    assert_eq!(member(&world), Some(held), "the register says so");
    let (_, _) = rekey_unsettled(&mut world, held);
    world.run_until(world.now_ms() + 10_000);
    assert!(!frozen(&world));
    assert_eq!(member(&world), None);
    assert!(world.nodes[0].notices.contains(&Notice::Thawed { log: log.clone() }));
    world.crash(0);
    world.start(0, false);
    assert!(!frozen(&world), "nor does it freeze again at the next start");
}

#[test]
fn decisions_that_would_change_nothing_are_told_before_they_are_recorded() {
    let mut world = settled(58);
    let decide = |world: &mut World, by: Slot, member: Slot, number: u64| {
        let body = json!({
            "log_root_honoured": sha256(b"tied later").to_string(),
            "log_size_honoured": 1,
            "member": world.id(member).as_str(),
        });
        let (at, salt) = (world.timestamp(by), world.rng.salt());
        let body = world.federation.numbered(body, number, Date::of(at));
        let kind = StatementType::MemberSuspend;
        let by = &world.federation.exchanges[by];
        by.prepare(kind, Audience::Public, at, salt, body).unwrap()
    };
    let good = decide(&mut world, ZHEJIANG, HANGZHOU, 2);
    let stray = decide(&mut world, ZHEJIANG, 3, 1);
    let again = decide(&mut world, ZHEJIANG, HANGZHOU, 1);
    let state = world.nodes[ZHEJIANG].state.as_ref().unwrap();
    let without = |group: &[_]| state.decision_without_effect(group).map(|(place, _)| place);
    assert_eq!(without(&[]), None);
    assert_eq!(without(std::slice::from_ref(&good)), None);
    assert_eq!(without(&[good.clone(), stray]), Some(1));
    assert_eq!(without(&[good, again]), Some(1), "its number was used for the admission");
}

/// Both clocks, so many milliseconds later.
fn later(now: Now, millis: u64) -> Now {
    let instant = now.instant.plus_millis(millis);
    Now { instant, wall: Timestamp::from_millis(now.wall.millis() + millis) }
}

/// What a node is asked, with the number of the request, if it is for leaves.
fn leaves_asked(effects: &[Effect]) -> Option<(Peer, RequestId, bool)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send { request, peer, bytes } => match Request::decode(bytes.clone()).unwrap() {
            Request::Leaves(range) => Some((peer.clone(), *request, range.left)),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn what_an_owner_of_the_country_withholds_is_asked_of_the_council() {
    // An exchange that does not follow the log which admitted another one takes it for a stranger.
    const ENERGY: Slot = 7;
    const XIHU: Slot = 6;
    let mut world = settled(60);
    let (log, owner) = (world.id(ENERGY).clone(), peer(&world, ENERGY));
    let council: Vec<Peer> = (0..3).map(|slot| peer(&world, slot)).collect();
    let entry = world.statements(ENERGY, 1, &Audience::Domestic).unwrap().remove(0);
    let hash = entry.entry().leaf_hash();
    let mut tree = MemoryTree::default();
    for leaf in world.nodes[ENERGY].disk.log(&log).iter().flat_map(|log| &log.leaves) {
        tree.push(leaf.hash());
    }
    let from = tree.size();
    tree.push(hash);
    let note = checkpoint(&world, ENERGY, tree.size(), tree.root())
        .sign(&world.federation.exchanges[ENERGY].keys().log);
    let tail = vec![TailLeaf::Restricted(hash)];
    let bytes =
        Gossip::Announcement(Announcement { log, note: Arc::new(note), old_size: from, tail })
            .encode();
    let input = Input::Gossip {
        id: GossipId(1),
        from: owner.clone(),
        author: owner.clone(),
        scope: "CN".parse().unwrap(),
        bytes,
    };
    let left: Vec<Hash> =
        cover(0, from).into_iter().map(|(level, at)| tree.node(level, at).unwrap()).collect();
    let answer = |request, left, leaf: ServedLeaf| {
        let leaves = Leaves { from, leaves: vec![leaf], left, right: Vec::new() };
        Input::Response { request, answer: Some(Response::Leaves(leaves).encode()) }
    };
    let first = effects(&mut world, XIHU, input);
    let (peer, request, _) = leaves_asked(&first).unwrap();
    assert_eq!(peer, owner, "who announces is asked first");
    let withheld = ServedLeaf::Withheld(hash);
    effects(&mut world, XIHU, answer(request, Vec::new(), withheld.clone()));
    let soon = later(world.now(XIHU), 500);
    let second = world.nodes[XIHU].state.as_mut().unwrap().handle(soon, Input::Tick);
    let (peer, request, _) = leaves_asked(&second).unwrap();
    assert_eq!(peer, owner, "and once more, for the entry");
    // One after the other, with longer and longer pauses.
    let mut request = request;
    for place in 0..4 {
        let waits = effects(&mut world, XIHU, answer(request, left.clone(), withheld.clone()));
        assert_eq!(leaves_asked(&waits), None, "what one peer withholds settles nothing");
        let now = later(world.now(XIHU), 500 + 1_000 * ((2 << place) - 1));
        let again = world.nodes[XIHU].state.as_mut().unwrap().handle(now, Input::Tick);
        let (peer, next, _) = leaves_asked(&again).unwrap();
        assert_eq!(council.contains(&peer), place < 3, "the council knows all members: {peer}");
        request = next;
    }
    let shown = ServedLeaf::Entry(entry.entry().clone());
    let checked = effects(&mut world, XIHU, answer(request, left, shown));
    assert!(checked.iter().any(|effect| matches!(effect, Effect::Check { .. })));
}

/// The announcement that a node publishes.
fn published(effects: &[Effect]) -> Option<Announcement> {
    effects.iter().find_map(|effect| match effect {
        Effect::Publish { bytes, .. } => match Gossip::decode(bytes.clone()).unwrap() {
            Gossip::Announcement(news) => Some(news),
            Gossip::Evidence { .. } => None,
        },
        _ => None,
    })
}

#[test]
fn an_owner_announces_once_with_the_quorum_and_without_it_in_time() {
    let mut world = settled(61);
    let entries = world.statements(HANGZHOU, 2, &Audience::Public).unwrap();
    let at = world.now(HANGZHOU);
    let mut state = world.nodes[HANGZHOU].state.take().unwrap();
    let mut begun = 10_000;
    for (number, (entry, with_quorum)) in (1..).zip(entries.into_iter().zip([true, false])) {
        let input = Input::Append { ticket: Ticket(900 + number), entries: vec![entry] };
        let first = state.handle(later(at, begun), input);
        let shown = requests(&first).into_iter().filter_map(|request| match request {
            Request::Announcement(news) => Some(news),
            _ => None,
        });
        let shown: Vec<Announcement> = shown.collect();
        assert_eq!(shown.len(), 3, "each of the council is shown it");
        let shown = &shown[0];
        assert!(matches!(shown.tail.as_slice(), [TailLeaf::Entry(_)]));
        assert_eq!(published(&first), None, "nobody else before the council");
        let mut said = Vec::new();
        for slot in (0..2).filter(|_| with_quorum) {
            let witness = &world.federation.exchanges[slot];
            let name = world.federation.origin(&witness.id).witness_name();
            let line = cosign(&shown.note.text, &name, &witness.keys().witness, 1_800_000_000);
            let size = shown.old_size + 1;
            let line = line.encode();
            let bytes = Request::Cosignature { log: shown.log.clone(), size, line }.encode();
            let inbound = InboundId(800 + slot as u64);
            let input = Input::Request { inbound, peer: witness.peer.clone(), bytes };
            said.extend(published(&state.handle(later(at, begun + 50), input)));
        }
        for waited in [499, 501, 2_000] {
            let effects = state.handle(later(at, begun + waited), Input::Tick);
            assert!(waited > 499 || published(&effects).is_none(), "not before its time");
            said.extend(published(&effects));
        }
        assert_eq!(said.len(), 1, "once");
        let news = &said[0];
        assert_eq!(news.note.text, shown.note.text);
        assert_eq!(news.note.signatures.len(), if with_quorum { 3 } else { 1 });
        assert_eq!((news.old_size, news.tail.len()), (shown.old_size, 1));
        begun += 10_000;
    }
}

/// News of a log's first `size` leaves under `root`, with these leaves from `old_size` on.
fn news(world: &World, of: Slot, size: u64, root: Hash, tail: Vec<TailLeaf>) -> Bytes {
    let keys = world.federation.exchanges[of].keys();
    let note = checkpoint(world, of, size, root).sign(&keys.log);
    let old_size = size - tail.len() as u64;
    let news = Announcement { log: world.id(of).clone(), note: Arc::new(note), old_size, tail };
    Gossip::Announcement(news).encode()
}

#[test]
fn an_owner_that_hands_out_nothing_is_not_asked_again_before_all_others() {
    let mut world = settled(59);
    let size = world.nodes[HANGZHOU].disk.log(world.id(HANGZHOU)).unwrap().tree.size() + 1;
    let bytes = news(&world, HANGZHOU, size, sha256(b"a tree"), Vec::new());
    let input = gossip(&world, HANGZHOU, bytes);
    let mut waiting = effects(&mut world, 0, input);
    let mut now = world.now(0);
    let (mut leaves, mut checkpoints) = (Vec::new(), Vec::new());
    while checkpoints.len() < 8 {
        let mut next = Vec::new();
        let state = world.nodes[0].state.as_mut().unwrap();
        for effect in waiting {
            let Effect::Send { request, peer, bytes } = effect else { continue };
            match Request::decode(bytes).unwrap() {
                Request::Leaves(_) => leaves.push(peer),
                Request::Checkpoint { .. } => checkpoints.push(peer),
                _ => continue,
            }
            let answer = Some(Response::Refused(Refusal::NotHeld).encode());
            next.extend(state.handle(now, Input::Response { request, answer }));
        }
        now.instant = now.instant.plus_millis(600);
        next.extend(state.handle(now, Input::Tick));
        waiting = next;
    }
    let (owner, passed_on) = (peer(&world, HANGZHOU), peer(&world, 3));
    assert!(leaves.contains(&owner) && leaves.contains(&passed_on));
    let asked: BTreeSet<_> = checkpoints[..7].iter().cloned().collect();
    assert_eq!(asked.len(), 7, "each other peer once");
    assert!(!asked.contains(&owner) && !asked.contains(&passed_on));
}

#[test]
fn news_of_leaves_that_are_here_already_is_passed_on_at_once() {
    let mut world = settled(60);
    world.crash(0);
    let entries = world.statements(HANGZHOU, 2, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    world.run_until(world.now_ms() + 5_000);
    let log = world.id(HANGZHOU).clone();
    let disk = world.nodes[HANGZHOU].disk.log(&log).unwrap().clone();
    // A crash has come between the leaves and their checkpoint.
    let here = world.nodes[0].disk.log_mut(&log);
    let from = here.tree.size();
    here.append(from, disk.leaves[usize::try_from(from).unwrap()..].to_vec()).unwrap();
    let everybody_else = (1..10).collect();
    world.partition(&[everybody_else]);
    world.start(0, false);
    let bytes = news(&world, HANGZHOU, disk.tree.size(), disk.root(), Vec::new());
    let input = gossip(&world, HANGZHOU, bytes);
    assert_eq!(verdict(&effects(&mut world, 0, input)), Some(Verdict::Accept));
}

#[test]
fn news_of_logs_that_are_not_followed_is_passed_on_with_all_its_leaves() {
    const ENERGY: Slot = 7;
    let mut world = settled(61);
    let (node, county) = (&world.nodes[6], &world.federation.exchanges[6]);
    let config = Config {
        me: county.id.clone(),
        peer: county.peer.clone(),
        follow: Follow::Scopes(BTreeSet::from(["CN-33".parse().unwrap()])),
        restored: false,
        own_log_complete: false,
        announce_interval_ms: 200,
        anti_entropy_interval_ms: 2_000,
        own_log_check_ms: 1_000,
        quotas: BTreeMap::new(),
    };
    let read = node.disk.read().unwrap();
    let mut state = State::new(config, county.keys(), read.stored(world.federation.founded()));
    let now = world.now(6);
    let listens = state.handle(now, Input::Started).into_iter().any(|effect| {
        matches!(effect, Effect::Members { scopes, .. } if scopes.contains(&"CN".parse().unwrap()))
    });
    assert!(listens, "the council's scopes");
    let entry = world.statements(ENERGY, 1, &Audience::Public).unwrap()[0].entry().clone();
    let mut judged = |world: &World, bytes: Bytes| {
        let (from, author) = (peer(world, 3), peer(world, ENERGY));
        let scope = "CN".parse().unwrap();
        let input = Input::Gossip { id: GossipId(1), from, author, scope, bytes };
        verdict(&state.handle(now, input))
    };
    let root = entry.leaf_hash();
    let whole = news(&world, ENERGY, 1, root, vec![TailLeaf::Entry(entry)]);
    assert_eq!(judged(&world, whole), Some(Verdict::Accept));
    let large = news(&world, ENERGY, 1, root, vec![TailLeaf::Large(root)]);
    assert_eq!(
        judged(&world, large),
        Some(Verdict::Ignore),
        "who hears of it from here asks in vain"
    );
    let forged =
        checkpoint(&world, ENERGY, 1, root).sign(&world.federation.exchanges[HANGZHOU].keys().log);
    let log = world.id(ENERGY).clone();
    let forged = Announcement { log, note: Arc::new(forged), old_size: 1, tail: Vec::new() };
    assert_ne!(judged(&world, Gossip::Announcement(forged).encode()), Some(Verdict::Accept));
}

#[test]
fn a_witness_that_lost_a_log_takes_no_other_tree_than_it_cosigned() {
    let mut world = settled(62);
    let entries = world.statements(HANGZHOU, 5, &Audience::Public).unwrap();
    world.append(HANGZHOU, entries);
    settle(&mut world);
    let log = world.id(HANGZHOU).clone();
    let (cosigned, _) = world.nodes[0].disk.log(&log).unwrap().witness().unwrap();
    world.crash(0);
    world.nodes[0].disk.drop_log(&log);
    world.start(0, false);
    let mut tree = MemoryTree::default();
    for index in 0..cosigned + 2 {
        tree.push(sha256(&index.to_le_bytes()));
    }
    let bytes = news(&world, HANGZHOU, tree.size(), tree.root(), Vec::new());
    let input = gossip(&world, HANGZHOU, bytes);
    let taken = effects(&mut world, 0, input);
    let answered = taken.iter().find_map(|effect| match effect {
        Effect::Send { request, bytes, .. } => match Request::decode(bytes.clone()).unwrap() {
            Request::Leaves(range) => Some((*request, range)),
            _ => None,
        },
        _ => None,
    });
    let (request, range) = answered.unwrap();
    let leaves = (range.from..range.to)
        .map(|index| ServedLeaf::Absent(sha256(&index.to_le_bytes())))
        .collect();
    let leaves = Leaves { from: range.from, leaves, left: Vec::new(), right: Vec::new() };
    let answer = Some(Response::Leaves(leaves).encode());
    let after = effects(&mut world, 0, Input::Response { request, answer });
    assert!(after.iter().any(|effect| matches!(
        effect,
        Effect::Notice(Notice::OtherThanCosigned { size, .. }) if *size == cosigned
    )));
    assert!(!after.iter().any(|effect| matches!(effect, Effect::Persist(_))), "{after:?}");
}
