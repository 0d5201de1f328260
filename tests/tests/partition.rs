//! A federation that falls apart and comes together again. About 15 s.

use std::time::Duration;

use anyhow::ensure;
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::wait;

const PATIENCE: Duration = Duration::from_mins(2);

/// Whether every node has as many peers.
fn all_have(federation: &Federation, peers: usize) -> anyhow::Result<bool> {
    for exchange in &federation.exchanges {
        if exchange.node()?.client().status()?.peers != peers {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn a_partition_heals() -> anyhow::Result<()> {
    let (mut federation, links) = Federation::found_behind_links(3)?;
    federation.start(0..3)?;
    for exchange in &federation.exchanges {
        exchange.node()?.ready()?;
    }
    wait(PATIENCE, "all nodes to meet", || all_have(&federation, 2))?;
    federation.exchanges[0].publish(vec![listing("before")?])?;
    federation.agree(&[0, 1, 2], PATIENCE)?;

    for link in &links {
        link.cut();
    }
    wait(PATIENCE, "every node to be alone", || all_have(&federation, 0))?;
    // Local work goes on, on every side, and reaches nobody else.
    for (index, exchange) in federation.exchanges.iter().enumerate() {
        for number in 0..5 {
            exchange.publish(vec![listing(&format!("alone-{index}-{number}"))?])?;
        }
    }
    for exchange in &federation.exchanges {
        let before = |owner: &str| u64::from(owner == federation.exchanges[0].id);
        wait(PATIENCE, "what was published", || {
            let logs = exchange.logs()?;
            Ok(logs.get(&exchange.id).is_some_and(|own| own.0 == before(&exchange.id) + 5))
        })?;
        for (owner, (size, _)) in exchange.logs()? {
            let expected = before(&owner) + if owner == exchange.id { 5 } else { 0 };
            ensure!(size == expected, "{} holds {size} entries of {owner}", exchange.id);
        }
    }

    for link in &links {
        link.heal();
    }
    federation.agree(&[0, 1, 2], PATIENCE)?;
    for exchange in &federation.exchanges {
        let sizes: u64 = exchange.logs()?.values().map(|(size, _)| size).sum();
        ensure!(sizes == 16, "{} holds {sizes} entries", exchange.id);
        ensure!(exchange.node()?.client().status()?.frozen.is_empty(), "a log is frozen");
    }
    // What was published alone gets its witnesses, too.
    wait(PATIENCE, "a quorum for every log", || {
        let logs = federation.exchanges[1].node()?.client().logs()?;
        Ok(logs.iter().all(|log| log.cosigned_size == Some(log.size)))
    })
}
