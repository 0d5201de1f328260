//! Members whose node breaks the rules: the others go on, and defend themselves. About 20 s.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::message::Request;
use hutong_tests::federation::{Federation, listing};
use hutong_tests::intruder::{Act, Intruder, Met, frame};
use hutong_tests::process::wait;

const PATIENCE: Duration = Duration::from_mins(1);

/// The scope of every exchange here.
const SCOPE: &str = "US";

/// Two nodes of three founders, and an intruder with the third's transport key at the first.
fn beset() -> anyhow::Result<(Federation, Intruder)> {
    let mut federation = Federation::found(3)?;
    federation.start([0, 1])?;
    for exchange in &federation.exchanges[..2] {
        exchange.node()?.ready()?;
    }
    let secret = federation.exchanges[2].transport_secret();
    let intruder =
        Intruder::start(secret, &federation.id.short(), federation.exchanges[0].address())?;
    intruder.until(&Met::Connected, PATIENCE)?;
    intruder.until(&Met::Subscribed, PATIENCE)?;
    Ok((federation, intruder))
}

/// The others publish and agree as if nothing had happened, and blame nobody else.
fn go_on(federation: &Federation) -> anyhow::Result<()> {
    for index in [0, 1] {
        federation.exchanges[index].publish(vec![listing("business-as-usual")?])?;
    }
    federation.agree(&[0, 1], PATIENCE)?;
    for exchange in &federation.exchanges[..2] {
        let client = exchange.node()?.client();
        let status = client.status()?;
        ensure!(status.ready && status.frozen.is_empty(), "{} is not well", exchange.id);
        let other = federation.exchanges[..2].iter().find(|other| other.id != exchange.id);
        let other = other.context("there are two")?;
        let peers = client.peers()?;
        ensure!(
            peers.iter().any(|peer| peer.exchange.as_ref() == Some(&other.id)),
            "{} has lost {}",
            exchange.id,
            other.id
        );
    }
    Ok(())
}

/// It is hung up on, and not let in when it comes again.
fn is_banned(federation: &Federation, intruder: &Intruder) -> anyhow::Result<()> {
    intruder.until(&Met::Gone, PATIENCE).context("it is still connected")?;
    intruder.act(Act::Dial)?;
    intruder
        .until_some(PATIENCE, |met| matches!(met, Met::TurnedAway | Met::Gone).then_some(()))?;
    let client = federation.exchanges[0].node()?.client();
    let third = Some(&federation.exchanges[2].id);
    wait(PATIENCE, "the intruder to be gone", || {
        Ok(client.peers()?.iter().all(|peer| peer.exchange.as_ref() != third))
    })
}

#[test]
fn a_peer_that_sends_broken_frames_is_refused_and_harms_nobody() -> anyhow::Result<()> {
    let (federation, intruder) = beset()?;
    // What is no frame is not even answered.
    let too_long = u32::MAX.to_be_bytes().to_vec();
    for broken in [too_long, vec![0; 3], vec![0, 0, 0, 9, 1], Vec::new()] {
        intruder.act(Act::Request(broken))?;
        intruder.until_some(PATIENCE, |met| {
            let empty = matches!(met, Met::Answer(bytes) if bytes.is_empty());
            (empty || *met == Met::NoAnswer).then_some(())
        })?;
    }
    // What is no message costs the peer; in the end it is banned.
    for turn in 0..64_u8 {
        let garbage: Vec<u8> = (0..100).map(|byte: u8| byte.wrapping_mul(turn) ^ 0xa5).collect();
        intruder.act(Act::Request(frame(&garbage)))?;
    }
    is_banned(&federation, &intruder)?;
    let status = federation.exchanges[0].node()?.client().status()?;
    ensure!(
        status.notices.iter().any(|notice| notice.en.contains("cannot be read")),
        "nobody is told: {:?}",
        status.notices
    );
    go_on(&federation)
}

#[test]
fn a_peer_that_gossips_garbage_is_banned_and_harms_nobody() -> anyhow::Result<()> {
    let (federation, intruder) = beset()?;
    for turn in 0..64_u8 {
        let garbage = (0..200).map(|byte: u8| byte.wrapping_mul(turn | 1) ^ turn).collect();
        intruder.act(Act::Gossip(SCOPE.to_owned(), garbage))?;
    }
    is_banned(&federation, &intruder)?;
    go_on(&federation)
}

#[test]
fn a_peer_that_floods_is_banned_and_the_others_are_served() -> anyhow::Result<()> {
    let (federation, intruder) = beset()?;
    let log: ExchangeId = federation.exchanges[0].id.parse()?;
    let request = frame(&Request::Checkpoint { log }.encode());
    // A member may ask 500 times a second, and 1,000 times at once.
    for _ in 0..20_000 {
        intruder.act(Act::Request(request.clone()))?;
    }
    let begun = std::time::Instant::now();
    federation.exchanges[0].publish(vec![listing("under-fire")?])?;
    println!("published within {:?} under fire", begun.elapsed());
    is_banned(&federation, &intruder)?;
    go_on(&federation)
}
