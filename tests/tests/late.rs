//! Nodes that were not there: they catch up with what was published without them.

use std::time::Duration;

use anyhow::ensure;
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::{ended, spawn};

const MISSED: u64 = 20;
const PATIENCE: Duration = Duration::from_mins(1);

fn publish(federation: &Federation, index: usize, prefix: &str) -> anyhow::Result<()> {
    for number in 0..MISSED {
        federation.exchanges[index].publish(vec![listing(&format!("{prefix}-{number}"))?])?;
    }
    Ok(())
}

/// The size of one exchange's log as another's node holds it; 0 where it holds none.
fn size(federation: &Federation, at: usize, of: usize) -> anyhow::Result<u64> {
    let logs = federation.exchanges[at].logs()?;
    Ok(logs.get(&federation.exchanges[of].id).map_or(0, |held| held.0))
}

#[test]
fn a_late_joiner_catches_up() -> anyhow::Result<()> {
    let mut federation = Federation::found(4)?;
    federation.start(0..3)?;
    for exchange in &federation.exchanges[..3] {
        exchange.node()?.ready()?;
    }
    publish(&federation, 1, "before")?;
    federation.admit(3)?;
    federation.start([3])?;
    federation.exchanges[3].node()?.ready()?;
    federation.agree(&[0, 1, 2, 3], PATIENCE)?;
    ensure!(size(&federation, 3, 1)? == MISSED, "the late joiner lacks listings");
    // And it is a member like the others.
    publish(&federation, 3, "joined")?;
    federation.agree(&[0, 1, 2, 3], PATIENCE)?;
    ensure!(size(&federation, 0, 3)? == MISSED, "the late joiner's listings do not arrive");
    Ok(())
}

#[test]
fn a_stopped_node_catches_up_after_its_restart() -> anyhow::Result<()> {
    let mut federation = Federation::running(3)?;
    publish(&federation, 2, "own")?;
    federation.agree(&[0, 1, 2], PATIENCE)?;
    federation.take(2)?.stop()?;
    publish(&federation, 0, "missed")?;
    federation.agree(&[0, 1], PATIENCE)?;
    federation.start([2])?;
    federation.exchanges[2].node()?.ready()?;
    federation.agree(&[0, 1, 2], PATIENCE)?;
    ensure!(size(&federation, 2, 0)? == MISSED, "the restarted node lacks what it missed");
    ensure!(size(&federation, 2, 2)? == MISSED, "the restarted node lacks its own");
    Ok(())
}

#[test]
fn a_charter_of_another_federation_is_refused() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    let right = federation.id.to_string();
    let wrong = "ab".repeat(32);
    let data = federation.exchanges[0].data.clone();
    let mut child = spawn(&data, &["--set", &format!("federation.id={wrong}")])?;
    let status = ended(&mut child, PATIENCE)?;
    let said = std::fs::read_to_string(data.join("node.log"))?;
    ensure!(status.code() == Some(5), "it ended with {status}: {said}");
    ensure!(said.contains(&wrong[..16]), "the federation that was expected is not named: {said}");
    ensure!(said.contains(&right[..16]), "the federation that was met is not named: {said}");
    // The same folder with its own federation pinned is accepted.
    let config = data.join("hutong.toml");
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(
        &config,
        text.replace("[federation]\nid = \"\"", &format!("[federation]\nid = \"{right}\"")),
    )?;
    ensure!(std::fs::read_to_string(&config)?.contains(&right), "the federation is not pinned");
    federation.start([0])
}
