//! What a node does not do for others: ask for charters that no register names, and take more of a log than its
//! quota.

use super::*;

fn hello(world: &World, version: u64, charter: Hash) -> Bytes {
    let federation = world.federation.id().hash();
    let (frozen, scopes) = (hutong_crypto::digest::blake3(b""), Vec::new());
    let hello = Hello { federation, charter_version: version, charter, frozen, scopes };
    Request::Hello(Arc::new(hello)).encode()
}

fn said(world: &mut World, from: &Peer, bytes: &Bytes) -> Vec<Effect> {
    let input = Input::Request { inbound: InboundId(1), peer: from.clone(), bytes: bytes.clone() };
    effects(world, 0, input)
}

fn conflicts(effects: &[Effect]) -> Vec<u64> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Notice(Notice::CharterConflict { version }) => Some(*version),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_charter_that_no_register_names_is_asked_of_nobody() {
    let mut world = settled(90);
    let stranger = Peer::new("12D3KooWStranger");
    for from in [stranger, peer(&world, 3)] {
        effects(&mut world, 0, Input::PeerConnected { peer: from.clone() });
        let bytes = hello(&world, 9, sha256(b"a later charter"));
        let told = said(&mut world, &from, &bytes);
        let asked = requests(&told);
        assert!(!asked.iter().any(|it| matches!(it, Request::Charter { .. })), "{asked:?}");
        assert_eq!(conflicts(&told), [0; 0]);
    }
}

#[test]
fn another_charter_of_the_version_in_effect_alarms_once_and_only_by_a_member() {
    let mut world = settled(91);
    let bytes = hello(&world, 1, sha256(b"another charter"));
    let stranger = Peer::new("12D3KooWStranger");
    effects(&mut world, 0, Input::PeerConnected { peer: stranger.clone() });
    assert_eq!(conflicts(&said(&mut world, &stranger, &bytes)), [0; 0]);
    let member = peer(&world, 3);
    assert_eq!(conflicts(&said(&mut world, &member, &bytes)), [1]);
    assert_eq!(conflicts(&said(&mut world, &member, &bytes)), [0; 0]);
    let ours = world.federation.founded().charters().latest_digest();
    let bytes = hello(&world, 1, ours);
    assert_eq!(conflicts(&said(&mut world, &member, &bytes)), [0; 0]);
}

#[test]
fn no_more_of_a_log_is_fetched_in_a_day_than_its_quota() {
    let mut world = settled(92);
    let entries = world.statements(HANGZHOU, 2, &Audience::Public).unwrap();
    let entries: Vec<_> = entries.iter().map(|it| it.entry().clone()).collect();
    let (node, exchange) = (&world.nodes[3], &world.federation.exchanges[3]);
    let mut quotas = BTreeMap::new();
    quotas.insert(world.id(HANGZHOU).clone(), 1);
    let config = Config {
        me: exchange.id.clone(),
        peer: exchange.peer.clone(),
        follow: Follow::All,
        restored: false,
        own_log_complete: false,
        announce_interval_ms: 200,
        anti_entropy_interval_ms: 2_000,
        own_log_check_ms: 1_000,
        quotas,
    };
    let read = node.disk.read().unwrap();
    let mut state = State::new(config, exchange.keys(), read.stored(world.federation.founded()));
    let mut now = world.now(3);
    state.handle(now, Input::Started);
    state.handle(now, Input::PeerConnected { peer: peer(&world, HANGZHOU) });
    let mut tree = world.nodes[3].disk.log(world.id(HANGZHOU)).unwrap().tree.clone();
    let mut announced = |state: &mut State, now: Now, entry: &hutong_protocol::entry::Entry| {
        tree.push(entry.leaf_hash());
        let tail = vec![TailLeaf::Entry(entry.clone())];
        let bytes = news(&world, HANGZHOU, tree.size(), tree.root(), tail);
        let (from, author) = (peer(&world, HANGZHOU), peer(&world, HANGZHOU));
        let scope = "CN-33".parse().unwrap();
        let input = Input::Gossip { id: GossipId(1), from, author, scope, bytes };
        state.handle(now, input)
    };
    let checked = |effects: &[Effect]| effects.iter().any(|it| matches!(it, Effect::Check { .. }));
    let over = |effects: &[Effect]| {
        effects.iter().any(|it| matches!(it, Effect::Notice(Notice::OverQuota { .. })))
    };
    // The first entry exceeds the quota of one byte, since what is there is taken whole.
    let first = announced(&mut state, now, &entries[0]);
    assert!(checked(&first) && !over(&first));
    let mut told = Vec::new();
    for effect in first {
        if let Effect::Check { ticket, log, entries } = effect {
            let outcomes = hutong_protocol::check::entries(&log, &entries);
            told.extend(state.handle(now, Input::Checked { ticket, outcomes }));
        }
    }
    assert!(over(&told), "{told:?}");
    let second = announced(&mut state, now, &entries[1]);
    assert!(!checked(&second), "{second:?}");
    assert!(!requests(&second).iter().any(|it| matches!(it, Request::Leaves(_))));
    let log = world.id(HANGZHOU);
    assert!(state.logs().any(|status| status.log == log && status.over_quota));
    // On the next day it goes on.
    now.wall = Timestamp::from_seconds(now.wall.seconds() + 86_400);
    now.instant = now.instant.plus_millis(86_400_000);
    let next = state.handle(now, Input::Tick);
    assert!(requests(&next).iter().any(|it| matches!(it, Request::Leaves(_))), "{next:?}");
}

#[test]
fn a_decision_that_can_never_take_effect_is_soon_forgotten_by_all() {
    let mut world = settled(92);
    let at = world.timestamp(ZHEJIANG);
    let again = world.federation.admission(HANGZHOU).unwrap();
    let body = world.federation.numbered(again, 1, Date::of(at));
    let author = &world.federation.exchanges[ZHEJIANG];
    let entry = author.prepare(StatementType::MemberAdmit, Audience::Public, at, [7; 16], body);
    world.append(ZHEJIANG, vec![entry.unwrap()]);
    let waiting = |world: &World, slot: Slot| {
        world.nodes[slot].state.as_ref().unwrap().waiting_decisions().count()
    };
    world.run_until(world.now_ms() + 10_000);
    assert_eq!(waiting(&world, HANGZHOU), 1);
    world.run_until(world.now_ms() + 60_000);
    for slot in 0..10 {
        assert_eq!(waiting(&world, slot), 0, "{}", world.id(slot));
    }
}
