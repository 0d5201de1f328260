//! A node that is killed again and again loses nothing that it has acknowledged.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_node::api::client::Client;
use hutong_node::api::model::Published;
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::run;

const KILLS: usize = 50;

/// Times between readiness and kill, 5 to 120 ms, the same in every run (a linear congruential generator).
struct Moments(u64);

impl Iterator for Moments {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(Duration::from_millis(5 + (self.0 >> 33) % 116))
    }
}

/// Publishes until the node is gone, and returns what it acknowledged.
fn publish_until_killed(client: &Client, round: usize) -> anyhow::Result<Vec<Published>> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let statement = listing(&format!("crash-{round}-{number}"))?;
        match client.publish(vec![statement]) {
            Ok(published) => acknowledged.extend(published),
            Err(_) => break,
        }
    }
    Ok(acknowledged)
}

#[test]
fn what_is_acknowledged_outlives_fifty_kills() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0, 1])?;
    let mut acknowledged = Vec::new();
    for (round, moment) in Moments(7).take(KILLS).enumerate() {
        let process = federation.take(0)?;
        process.ready().with_context(|| format!("after {round} kills"))?;
        let client = process.client().clone();
        let publisher = std::thread::spawn(move || publish_until_killed(&client, round));
        #[expect(clippy::disallowed_methods, reason = "no event: the kill comes at any moment")]
        std::thread::sleep(moment);
        process.kill()?;
        let answered = publisher.join().map_err(|_| anyhow::anyhow!("the publisher fell"))??;
        acknowledged.extend(answered);
        federation.start([0]).with_context(|| format!("after {} kills", round + 1))?;
    }
    println!("{} statements acknowledged between {KILLS} kills", acknowledged.len());
    // How many depends on the machine's load; far fewer would leave nothing to look for.
    ensure!(acknowledged.len() >= KILLS / 5, "too few were acknowledged: {}", acknowledged.len());
    let node = federation.exchanges[0].node()?;
    node.ready()?;
    for published in &acknowledged {
        let entry = node.client().entry(&published.log, published.index)?;
        ensure!(entry.id == published.id, "{published:?} is {} now", entry.id);
        ensure!(!entry.withheld, "the entry of {published:?} is lost");
    }
    federation.agree(&[0, 1], Duration::from_mins(1))?;
    ensure!(
        federation.exchanges[1].node()?.client().status()?.frozen.is_empty(),
        "a log is frozen"
    );
    for index in [0, 1] {
        federation.take(index)?.stop()?;
        let checked = run(&federation.exchanges[index].data, &["fsck", "--json"])?;
        let report = String::from_utf8_lossy(&checked.stdout);
        ensure!(checked.status.success(), "fsck ended with {}: {report}", checked.status);
        let report: serde_json::Value = serde_json::from_str(&report)?;
        println!("fsck: {report}");
        ensure!(report["findings"] == serde_json::json!([]), "fsck found {}", report["findings"]);
    }
    Ok(())
}
