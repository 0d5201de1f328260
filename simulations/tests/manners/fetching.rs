//! Leaves of long logs, fetched in ranges: who is asked, for how much, and who is blamed.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use hutong_crypto::digest::sha256;
use hutong_crypto::merkle::{MemoryTree, NodeReader as _, cover};
use hutong_protocol::io::{Effect, GossipId, Input, Peer, PeerFault, RequestId};
use hutong_protocol::limits::RANGE_LATE_MS;
use hutong_protocol::message::{Leaves, Refusal, Request, Response, ServedLeaf};
use hutong_simulations::node::Slot;
use hutong_simulations::world::World;

use super::{HANGZHOU, ZHEJIANG, effects, later, news, peer, settled};

/// The log of the node in slot `of` with so many more leaves, which the owner and the peers in `from` have told the
/// node in slot 0 of.
fn longer(world: &mut World, of: Slot, more: u64, from: &[Slot]) -> (MemoryTree, Vec<Effect>) {
    let mut tree = world.nodes[of].disk.log(world.id(of)).unwrap().tree.clone();
    for number in 0..more {
        tree.push(sha256(&number.to_be_bytes()));
    }
    (tree.clone(), told(world, of, &tree, from))
}

fn told(world: &mut World, of: Slot, tree: &MemoryTree, from: &[Slot]) -> Vec<Effect> {
    let bytes = news(world, of, tree.size(), tree.root(), Vec::new());
    let mut said = Vec::new();
    for from in from {
        let (from, author) = (peer(world, *from), peer(world, of));
        let (id, scope) = (GossipId(1), "CN-33".parse().unwrap());
        let input = Input::Gossip { id, from, author, scope, bytes: bytes.clone() };
        said.extend(effects(world, 0, input));
    }
    said
}

fn held(world: &World, of: Slot) -> u64 {
    let state = world.nodes[0].state.as_ref().unwrap();
    state.logs().find(|status| status.log == world.id(of)).unwrap().held
}

/// Requests for leaves: of whom, and from where to where.
fn ranges(effects: Vec<Effect>) -> Vec<(RequestId, Peer, u64, u64)> {
    let ranges = effects.into_iter().filter_map(|effect| match effect {
        Effect::Send { request, peer, bytes } => match Request::decode(bytes).unwrap() {
            Request::Leaves(range) if !range.left => Some((request, peer, range.from, range.to)),
            _ => None,
        },
        _ => None,
    });
    ranges.collect()
}

/// The first leaves of a range, twenty at most, as hashes.
fn twenty(tree: &MemoryTree, from: u64, to: u64) -> Leaves {
    let node = |(level, at)| tree.node(level, at).unwrap();
    let to = to.min(from + 20);
    let leaves = (from..to).map(|at| ServedLeaf::Withheld(node((0, at)))).collect();
    let right = cover(to, tree.size()).into_iter().map(node).collect();
    Leaves { from, leaves, left: Vec::new(), right }
}

#[test]
fn a_long_log_is_fetched_in_ranges_from_several_peers_in_any_order() {
    let mut world = settled(62);
    let (tree, said) = longer(&mut world, HANGZHOU, 205, &[3, 5, 6]);
    let mut waiting = ranges(said);
    assert_eq!(waiting.len(), 1, "nobody knows yet how much an answer holds");
    let (mut at_once, mut asked, mut answers) = (0, BTreeSet::new(), 0);
    // The last one that was asked answers first.
    while let Some((request, peer, from, to)) = waiting.pop() {
        asked.insert(peer);
        answers += 1;
        let answer = Some(Response::Leaves(twenty(&tree, from, to)).encode());
        waiting.extend(ranges(effects(&mut world, 0, Input::Response { request, answer })));
        at_once = at_once.max(waiting.len());
    }
    assert_eq!(held(&world, HANGZHOU), tree.size());
    assert_eq!(at_once, 3);
    assert!(asked.len() >= 3, "{asked:?}");
    assert!(answers <= 18, "few answers leave a hole: {answers}");
}

#[test]
fn a_peer_that_lies_about_one_range_costs_that_range_alone() {
    let mut world = settled(63);
    let (tree, said) = longer(&mut world, HANGZHOU, 205, &[3, 5, 6]);
    let liar = peer(&world, 5);
    let (mut waiting, mut lies, mut answers) = (ranges(said), 0, 0);
    while let Some((request, peer, from, to)) = waiting.pop() {
        let mut answer = twenty(&tree, from, to);
        if peer == liar {
            lies += 1;
            answer.leaves[0] = ServedLeaf::Withheld(sha256(b"a lie"));
        }
        answers += 1;
        let answer = Some(Response::Leaves(answer).encode());
        let effects = effects(&mut world, 0, Input::Response { request, answer });
        waiting.extend(ranges(effects));
    }
    assert_eq!(held(&world, HANGZHOU), tree.size());
    assert_eq!(lies, 1, "it is not asked again");
    assert!(answers <= 20, "{answers}");
}

#[test]
fn a_log_that_grew_by_a_leaf_is_asked_for_a_thousand_leaves_at_once() {
    let mut world = settled(65);
    let (mut tree, said) = longer(&mut world, HANGZHOU, 1, &[3]);
    let answer = |tree: &MemoryTree, asked: &(RequestId, Peer, u64, u64)| {
        let answer = Some(Response::Leaves(twenty(tree, asked.2, asked.3)).encode());
        Input::Response { request: asked.0, answer }
    };
    let only = answer(&tree, &ranges(said)[0]);
    effects(&mut world, 0, only);
    assert_eq!(held(&world, HANGZHOU), tree.size());
    let before = tree.size();
    for number in 0..1_000_u64 {
        tree.push(sha256(&number.to_le_bytes()));
    }
    let said = ranges(told(&mut world, HANGZHOU, &tree, &[3]));
    assert_eq!(said.iter().map(|it| (it.2, it.3)).collect::<Vec<_>>(), [(before, tree.size())]);
    // That one was cut short shows how much an answer holds, and what is asked for from now on.
    let next = answer(&tree, &said[0]);
    let next = ranges(effects(&mut world, 0, next));
    let widths: Vec<u64> = next.iter().map(|it| it.3 - it.2).collect();
    assert_eq!(widths, [20, 20, 20]);
}

#[test]
fn one_peer_is_asked_for_three_ranges_of_all_logs_and_all_have_their_turn() {
    let mut world = settled(66);
    let owners = [HANGZHOU, ZHEJIANG];
    let mut trees = Vec::new();
    let mut waiting = Vec::new();
    for of in owners {
        // The owners are gone, and one peer holds both logs.
        let owner = peer(&world, of);
        effects(&mut world, 0, Input::PeerDisconnected { peer: owner });
        let (tree, said) = longer(&mut world, of, 205, &[3]);
        trees.push(tree);
        waiting.extend(said);
    }
    let log_of = |world: &World, bytes: Bytes| match Request::decode(bytes).unwrap() {
        Request::Leaves(range) if !range.left => {
            let of = owners.iter().position(|of| *world.id(*of) == range.log).unwrap();
            Some((of, range.from, range.to))
        }
        _ => None,
    };
    let mut under_way = VecDeque::new();
    let (mut at_once, mut turns) = (0, Vec::new());
    loop {
        for effect in std::mem::take(&mut waiting) {
            let Effect::Send { request, peer: asked, bytes } = effect else { continue };
            if let Some((of, from, to)) = log_of(&world, bytes) {
                assert_eq!(asked, peer(&world, 3));
                under_way.push_back((request, of, from, to));
            }
        }
        at_once = at_once.max(under_way.len());
        let Some((request, of, from, to)) = under_way.pop_front() else { break };
        turns.push(of);
        let answer = Some(Response::Leaves(twenty(&trees[of], from, to)).encode());
        waiting = effects(&mut world, 0, Input::Response { request, answer });
    }
    assert_eq!(at_once, 3);
    for (of, tree) in owners.into_iter().zip(&trees) {
        assert_eq!(held(&world, of), tree.size());
    }
    let first_half: BTreeSet<_> = turns[..turns.len() / 2].iter().collect();
    assert_eq!(first_half.len(), 2, "neither waits until the other is done: {turns:?}");
}

#[test]
fn the_answer_to_a_request_that_was_given_up_blames_nobody() {
    let mut world = settled(67);
    let (tree, said) = longer(&mut world, HANGZHOU, 205, &[3]);
    let first = ranges(said).remove(0);
    let answer = Some(Response::Leaves(twenty(&tree, first.2, first.3)).encode());
    let input = Input::Response { request: first.0, answer };
    let asked = ranges(effects(&mut world, 0, input));
    let (given_up, rest) = asked.split_first().unwrap();
    let refused = Some(Response::Refused(Refusal::NotHeld).encode());
    let input = Input::Response { request: given_up.0, answer: refused };
    effects(&mut world, 0, input);
    // A forged second answer to the same request, and a late one with more than is asked for now.
    for request in [given_up.0, rest[0].0] {
        let answer = Some(Response::Leaves(twenty(&tree, rest[0].2, tree.size())).encode());
        let said = effects(&mut world, 0, Input::Response { request, answer });
        assert!(!said.iter().any(|effect| matches!(effect, Effect::Penalise { .. })), "{said:?}");
    }
}

/// What the node in slot 0 asks for so many milliseconds from now.
fn asked_after(world: &mut World, ms: u64) -> Vec<(RequestId, Peer, u64, u64)> {
    let now = later(world.now(0), ms);
    ranges(world.nodes[0].state.as_mut().unwrap().handle(now, Input::Tick))
}

fn answered(
    world: &mut World,
    tree: &MemoryTree,
    asked: &(RequestId, Peer, u64, u64),
) -> Vec<Effect> {
    let answer = Some(Response::Leaves(twenty(tree, asked.2, asked.3)).encode());
    effects(world, 0, Input::Response { request: asked.0, answer })
}

#[test]
fn a_late_range_is_asked_of_another_peer_too_and_what_comes_first_is_taken() {
    for late_one_answers_first in [true, false] {
        let mut world = settled(68);
        let (tree, said) = longer(&mut world, HANGZHOU, 205, &[3, 5, 6]);
        let late = ranges(said).remove(0);
        assert_eq!(asked_after(&mut world, RANGE_LATE_MS - 1), [], "not before its time");
        let again = asked_after(&mut world, RANGE_LATE_MS);
        assert_eq!(again.len(), 1, "{again:?}");
        let again = &again[0];
        assert_eq!((again.2, again.3), (late.2, late.3), "the same range");
        assert_ne!(again.1, late.1, "of another peer");
        assert_eq!(asked_after(&mut world, 10 * RANGE_LATE_MS), [], "of one, and no more");
        let (first, second) = if late_one_answers_first { (&late, again) } else { (again, &late) };
        let mut waiting = ranges(answered(&mut world, &tree, first));
        assert_eq!(waiting.len(), 3, "it goes on");
        let said = answered(&mut world, &tree, second);
        assert!(!said.iter().any(|effect| matches!(effect, Effect::Penalise { .. })), "{said:?}");
        waiting.extend(ranges(said));
        while let Some(asked) = waiting.pop() {
            waiting.extend(ranges(answered(&mut world, &tree, &asked)));
        }
        assert_eq!(held(&world, HANGZHOU), tree.size());
    }
}

#[test]
fn a_late_range_is_not_asked_of_the_same_peer_again_and_fails_only_with_all_who_were_asked() {
    let mut world = settled(69);
    let (_, said) = longer(&mut world, HANGZHOU, 205, &[HANGZHOU]);
    assert_eq!(ranges(said).len(), 1);
    assert_eq!(asked_after(&mut world, RANGE_LATE_MS), [], "there is nobody else");
    let mut world = settled(69);
    let (_, said) = longer(&mut world, HANGZHOU, 205, &[3, 5, 6]);
    let late = ranges(said).remove(0);
    let again = asked_after(&mut world, RANGE_LATE_MS).remove(0);
    let refuse = |world: &mut World, request: RequestId| {
        let answer = Some(Response::Refused(Refusal::NotHeld).encode());
        ranges(effects(world, 0, Input::Response { request, answer }))
    };
    assert_eq!(refuse(&mut world, late.0), [], "the other one may still answer");
    let third = refuse(&mut world, again.0);
    assert_eq!(third.len(), 1);
    assert_eq!((third[0].2, third[0].3), (late.2, late.3));
    assert!(![late.1, again.1].contains(&third[0].1));
}

#[test]
fn who_hands_out_more_than_was_asked_for_is_held_to_be_at_fault() {
    let mut world = settled(64);
    let (tree, said) = longer(&mut world, HANGZHOU, 40, &[3, 5, 6]);
    let (request, _, from, to) = ranges(said).remove(0);
    let mut answer = twenty(&tree, from, to);
    let too_many = usize::try_from(to - from).unwrap() + 1;
    answer.leaves.resize(too_many, ServedLeaf::Withheld(sha256(b"more")));
    let answer = Some(Response::Leaves(answer).encode());
    let said = effects(&mut world, 0, Input::Response { request, answer });
    let blamed =
        |effect: &Effect| matches!(effect, Effect::Penalise { fault: PeerFault::WrongAnswer, .. });
    assert!(said.iter().any(blamed));
    assert_eq!(ranges(said).len(), 1, "another one is asked");
}
