#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

fn address(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
}

fn members(count: u16) -> BTreeMap<PeerId, Vec<Multiaddr>> {
    (0..count).map(|n| (PeerId::random(), vec![address(n + 1)])).collect()
}

fn dialer(limits: &NetLimits) -> Dialer {
    Dialer::new(PeerId::random(), limits)
}

fn peers(dials: Vec<Dial>) -> Vec<PeerId> {
    dials
        .into_iter()
        .filter_map(|dial| if let Dial::Peer(peer, _) = dial { Some(peer) } else { None })
        .collect()
}

#[test]
fn all_members_are_dialed_once_within_the_limit_in_flight() {
    let limits = NetLimits { dials_max: 4, ..NetLimits::default() };
    let (mut dialer, now) = (dialer(&limits), Instant::now());
    dialer.set_members(&members(6), BTreeSet::new(), Shared::default(), now);
    let first = peers(dialer.due(now));
    assert_eq!(first.len(), 4);
    assert!(dialer.due(now).is_empty());
    for peer in first {
        dialer.connected(peer, now);
    }
    assert_eq!(peers(dialer.due(now)).len(), 2);
    assert!(dialer.due(now).is_empty());
}

#[test]
fn beyond_the_target_members_are_left_alone_unless_others_fail() {
    let limits = NetLimits { peers_target: 5, dials_max: 100, ..NetLimits::default() };
    let (mut dialer, mut now) = (dialer(&limits), Instant::now());
    dialer.set_members(&members(20), BTreeSet::new(), Shared::default(), now);
    let first = peers(dialer.due(now));
    assert_eq!(first.len(), 5);
    for peer in &first[1..] {
        dialer.connected(*peer, now);
    }
    for _ in 1..FAILURES_TOLERATED {
        dialer.failed(first[0], now);
        now += limits.dial_delay_max;
        assert_eq!(peers(dialer.due(now)), [first[0]]);
    }
    dialer.failed(first[0], now);
    now += limits.dial_delay_max;
    let next = peers(dialer.due(now));
    assert_eq!(next.len(), 2);
    assert!(next.contains(&first[0]));
}

#[test]
fn the_council_is_dialed_beyond_the_target() {
    let limits = NetLimits { peers_target: 5, dials_max: 100, ..NetLimits::default() };
    let (mut dialer, now) = (dialer(&limits), Instant::now());
    let members = members(60);
    let council: BTreeSet<PeerId> = members.keys().copied().take(20).collect();
    dialer.set_members(&members, council.clone(), Shared::default(), now);
    let first = peers(dialer.due(now));
    assert_eq!(first.len(), 25);
    assert!(first[..20].iter().all(|peer| council.contains(peer)));
}

#[test]
fn delays_double_up_to_the_longest_and_never_pass_it() {
    let (min, max) = (Duration::from_millis(250), Duration::from_mins(1));
    for failures in 0..64 {
        let full = min.saturating_mul(1 << failures.min(20)).min(max);
        let met = delay(&7, failures, min, max);
        assert!(met >= full / 2 && met <= full, "{failures}: {met:?}");
    }
}

#[test]
fn a_peer_that_drops_at_once_is_not_dialed_in_a_loop() {
    let limits = NetLimits::default();
    let (mut dialer, mut now) = (dialer(&limits), Instant::now());
    let members = members(1);
    let peer = *members.keys().next().unwrap();
    dialer.set_members(&members, BTreeSet::new(), Shared::default(), now);
    for failures in 1..12 {
        assert_eq!(peers(dialer.due(now)), [peer]);
        dialer.connected(peer, now);
        dialer.disconnected(peer, now);
        assert_eq!(dialer.peers[&peer].failures, failures);
        assert!(dialer.due(now).is_empty());
        now = dialer.next().unwrap();
    }
    dialer.connected(peer, now);
    dialer.disconnected(peer, now + STABLE_AFTER);
    assert_eq!(dialer.peers[&peer].failures, 0);
}

#[test]
fn an_own_address_is_never_dialed_again() {
    let (mut dialer, now) = (dialer(&NetLimits::default()), Instant::now());
    assert!(dialer.add_bootstrap(address(1), now));
    let mine = address(2).with(Protocol::P2p(dialer.me));
    assert!(dialer.add_bootstrap(mine, now));
    assert_eq!(dialer.due(now), [Dial::Address(address(1))]);
    dialer.forget_address(&address(1));
    assert_eq!(dialer.next(), None);
}

#[test]
fn a_bootstrap_place_is_dialed_again_after_its_peer_left() {
    let (mut dialer, now) = (dialer(&NetLimits::default()), Instant::now());
    let peer = PeerId::random();
    dialer.add_bootstrap(address(1), now);
    assert_eq!(dialer.due(now).len(), 1);
    dialer.reached(&address(1), peer, now);
    assert_eq!(dialer.next(), None);
    dialer.disconnected(peer, now);
    let at = dialer.next().unwrap();
    assert_eq!(dialer.due(at), [Dial::Address(address(1))]);
}

#[test]
fn bootstrap_addresses_are_bounded() {
    let limits = NetLimits { bootstrap_max: 2, ..NetLimits::default() };
    let (mut dialer, now) = (dialer(&limits), Instant::now());
    assert!(dialer.add_bootstrap(address(1), now));
    assert!(dialer.add_bootstrap(address(2), now));
    assert!(!dialer.add_bootstrap(address(3), now));
}

#[test]
fn a_former_member_is_forgotten() {
    let (mut dialer, now) = (dialer(&NetLimits::default()), Instant::now());
    let members = members(1);
    let peer = *members.keys().next().unwrap();
    dialer.set_members(&members, BTreeSet::new(), Shared::default(), now);
    dialer.connected(peer, now);
    dialer.set_members(&BTreeMap::new(), BTreeSet::new(), Shared::default(), now);
    assert!(dialer.due(now).is_empty());
    dialer.disconnected(peer, now);
    assert!(!dialer.is_wanted(&peer));
    assert_eq!(dialer.next(), None);
}

/// A node that dials one member at random, of two scopes, and members of whom `presumed` says which they share.
fn short_of_sharers(presumed: &[&[u16]]) -> (Dialer, Vec<PeerId>, Instant) {
    let limits = NetLimits { peers_target: 1, dials_max: 100, ..NetLimits::default() };
    let (mut dialer, now) = (dialer(&limits), Instant::now());
    let members = members(40);
    dialer.set_members(&members, BTreeSet::new(), Shared::default(), now);
    // The first is the one at random.
    let order = dialer.order.clone();
    let by_peer = order[1..].iter().copied().zip(presumed.iter().map(|places| places.to_vec()));
    let shared = Shared { scopes: 2, by_peer: by_peer.collect() };
    dialer.set_members(&members, BTreeSet::new(), shared, now);
    (dialer, order, now)
}

#[test]
fn members_are_dialed_for_scopes_that_too_few_share() {
    let (mut dialer, order, now) = short_of_sharers(&[&[], &[0]]);
    assert_eq!(peers(dialer.due(now)), [order[0]]);
    dialer.connected(order[0], now);
    dialer.choose_sharers(&BTreeMap::new(), now);
    assert_eq!(peers(dialer.due(now)), [order[2]], "the one that shares a scope, and no other");
    dialer.connected(order[2], now);
    dialer.choose_sharers(&BTreeMap::new(), now);
    assert!(dialer.due(now).is_empty());
    dialer.disconnected(order[2], now);
    let at = dialer.next().unwrap();
    assert_eq!(peers(dialer.due(at)), [order[2]], "it is kept");
}

#[test]
fn who_follows_a_scope_after_all_spares_others_a_dial_and_who_does_not_another_is_dialed_for() {
    let both: &[u16] = &[0, 1];
    let (mut dialer, order, now) = short_of_sharers(&[both; 20]);
    // One may be dialed for scopes.
    dialer.connected(order[0], now);
    let told = |places: &[u16]| BTreeMap::from([(order[0], places.to_vec())]);
    dialer.choose_sharers(&told(both), now);
    assert_eq!(dialer.sharers, [order[1]]);
    for peer in &order[21..21 + neighbours::SHARERS] {
        dialer.connected(*peer, now);
    }
    let mut all = told(both);
    all.extend(order[21..21 + neighbours::SHARERS].iter().map(|peer| (*peer, both.to_vec())));
    dialer.choose_sharers(&all, now);
    assert!(dialer.sharers.is_empty(), "enough dialed this node");
    all.insert(order[21], vec![0]);
    all.insert(order[22], vec![0]);
    dialer.choose_sharers(&all, now);
    assert_eq!(dialer.sharers, [order[1]]);
}

#[test]
fn members_that_cannot_be_reached_are_not_dialed_for_scopes() {
    let (mut dialer, order, mut now) = short_of_sharers(&[&[0], &[0]]);
    dialer.connected(order[0], now);
    dialer.choose_sharers(&BTreeMap::new(), now);
    for _ in 0..FAILURES_TOLERATED {
        assert_eq!(peers(dialer.due(now)), [order[1]]);
        dialer.failed(order[1], now);
        now += NetLimits::default().dial_delay_max;
    }
    dialer.choose_sharers(&BTreeMap::new(), now);
    assert_eq!(peers(dialer.due(now)), [order[2]]);
}

#[test]
fn members_that_could_not_be_reached_are_dialed_again_where_nobody_else_shares_a_scope() {
    let (mut dialer, order, mut now) = short_of_sharers(&[&[0]]);
    dialer.connected(order[0], now);
    dialer.choose_sharers(&BTreeMap::new(), now);
    for _ in 0..=FAILURES_TOLERATED {
        assert_eq!(peers(dialer.due(now)), [order[1]]);
        dialer.failed(order[1], now);
        dialer.choose_sharers(&BTreeMap::new(), now);
        assert!(dialer.due(now).is_empty(), "not before it is time");
        now += NetLimits::default().dial_delay_max;
        dialer.choose_sharers(&BTreeMap::new(), now);
    }
}

#[test]
fn who_turns_out_to_share_nothing_makes_room_for_another() {
    let (mut dialer, order, now) = short_of_sharers(&[&[0], &[0], &[0]]);
    dialer.connected(order[0], now);
    dialer.choose_sharers(&BTreeMap::new(), now);
    let mut told = BTreeMap::new();
    for peer in &order[1..3] {
        assert_eq!(peers(dialer.due(now)), [*peer]);
        dialer.connected(*peer, now);
        told.insert(*peer, Vec::new());
        dialer.choose_sharers(&told, now);
    }
    assert!(dialer.due(now).is_empty(), "two could be hostile: no more than the target draw dials");
    assert_eq!(dialer.sharers, [order[2]]);
}
