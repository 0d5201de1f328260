//! What an anchor changes lies on the council's disks before the keeper records it.

use hutong_protocol::persist::Persist;

use super::*;

const KEEPER: Slot = 0;

/// The register, and the index that its next entry will have.
fn next_in_register(world: &World) -> (hutong_protocol::id::ExchangeId, u64) {
    let state = world.nodes[ZHEJIANG].state.as_ref().unwrap();
    let register = state.directory().register();
    (register.id.clone(), register.size)
}

/// What `from` is answered to the request.
fn asked(world: &mut World, from: &Peer, request: &Request) -> Vec<Effect> {
    let input =
        Input::Request { inbound: InboundId(7), peer: from.clone(), bytes: request.encode() };
    effects(world, ZHEJIANG, input)
}

fn answers(effects: &[Effect]) -> Vec<Response> {
    let answers = effects.iter().filter_map(|effect| match effect {
        Effect::Respond { bytes, .. } => Some(Response::decode(bytes.clone()).unwrap()),
        _ => None,
    });
    answers.collect()
}

#[test]
fn a_council_member_keeps_what_the_next_anchor_changes_before_it_says_so() {
    let mut world = settled(93);
    let (register, index) = next_in_register(&world);
    let next = |index| Request::AnchorNext { register: register.clone(), index };
    let (keeper, other) = (peer(&world, KEEPER), peer(&world, 2));
    let by_another = asked(&mut world, &other, &next(index));
    assert_eq!(answers(&by_another), [Response::Refused(Refusal::NotAllowed)]);
    for index in [index - 1, index + 1] {
        let elsewhere = asked(&mut world, &keeper, &next(index));
        assert_eq!(answers(&elsewhere), [Response::Refused(Refusal::NotHeld)]);
    }
    let told = asked(&mut world, &keeper, &next(index));
    assert_eq!(answers(&told), []);
    let changes = Request::AnchorChanges { register, index, after: None };
    assert_eq!(requests(&told), [changes]);
    let request = told.iter().find_map(|effect| match effect {
        Effect::Send { request, .. } => Some(*request),
        _ => None,
    });
    let answer = Response::AnchorChanges { changes: Vec::new(), more: false }.encode();
    let input = Input::Response { request: request.unwrap(), answer: Some(answer) };
    let kept = effects(&mut world, ZHEJIANG, input);
    let is_stored = |effect: &Effect| matches!(effect, Effect::Persist(Persist::Anchored { index: at, .. }) if *at == index);
    let stored = kept.iter().position(is_stored).unwrap();
    let said = kept.iter().position(|effect| matches!(effect, Effect::Respond { .. })).unwrap();
    assert!(stored < said, "{kept:?}");
    assert_eq!(answers(&kept), [Response::Done]);
}

#[test]
fn a_council_member_that_is_shown_nothing_says_so() {
    let mut world = settled(94);
    let (register, index) = next_in_register(&world);
    let keeper = peer(&world, KEEPER);
    let told = asked(&mut world, &keeper, &Request::AnchorNext { register, index });
    let request = told.iter().find_map(|effect| match effect {
        Effect::Send { request, .. } => Some(*request),
        _ => None,
    });
    let input = Input::Response { request: request.unwrap(), answer: None };
    let refused = effects(&mut world, ZHEJIANG, input);
    assert_eq!(answers(&refused), [Response::Refused(Refusal::NotHeld)]);
}

#[test]
fn a_keeper_that_is_cut_off_records_no_anchor() {
    let mut world = settled(95);
    let size = |world: &World| {
        let register = next_in_register(world).0;
        world.nodes[KEEPER].disk.log(&register).unwrap().tree.size()
    };
    // A quorum cosigned it, and no anchor has it yet.
    let entries = world.statements(3, 1, &Audience::Public).unwrap();
    world.append(3, entries);
    settle(&mut world);
    let before = size(&world);
    let others = (0..world.nodes.len()).filter(|slot| *slot != KEEPER).collect();
    world.partition(&[vec![KEEPER], others]);
    world.run_until(world.now_ms() + 70_000);
    assert_eq!(size(&world), before);
    world.heal();
    world.run_until(world.now_ms() + 10_000);
    assert!(size(&world) > before, "it is anchored after the cut");
}
