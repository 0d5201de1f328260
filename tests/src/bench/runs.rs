//! What is measured: real nodes, asked over their HTTP interface.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hutong_tests::federation::{Exchange, Federation};
use hutong_tests::process::{run, wait};

use crate::machine::{Machine, per_second, percentile};
use crate::report::Report;
use crate::statements::listing;

/// Statements in one request: as many as the interface takes.
const GROUP: u64 = 1_000;
const PATIENCE: Duration = Duration::from_mins(10);

/// One statement after the other, each durable before the next.
pub(crate) fn single(machine: &Machine, report: &mut Report) -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0])?;
    let node = &federation.exchanges[0];
    node.node()?.ready()?;
    let mut times = Vec::new();
    for number in 0..300 {
        let begun = Instant::now();
        node.node()?.client().publish(vec![listing(number)])?;
        times.push(begun.elapsed().as_secs_f64());
    }
    let median = percentile(&mut times, 50);
    let ratio = median / machine.sync;
    report.ratio("publish one, median", median * 1e3, "ms", ratio, "write with sync");
    Ok(())
}

/// Publishing in bulk, replicating to an empty node, going on, restarting, and checking.
pub(crate) fn bulk(machine: &Machine, entries: u64, report: &mut Report) -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0])?;
    federation.exchanges[0].node()?.ready()?;
    let payload = publish(machine, &federation.exchanges[0], entries, report)?;
    let disk = folder_bytes(&federation.exchanges[0].data)?;
    report.ratio("disk of the publisher", disk / 1e6, "MB", disk / payload, "payload");

    replicate(machine, &mut federation, entries, payload, report)?;
    incremental(&federation, entries, report)?;
    restart(&mut federation, report)?;
    check(machine, &mut federation, entries, report)
}

/// Publishes with two clients; returns the bytes of the entries.
fn publish(
    machine: &Machine,
    node: &Exchange,
    entries: u64,
    report: &mut Report,
) -> anyhow::Result<f64> {
    let next = AtomicU64::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            loop {
                let from = next.fetch_add(GROUP, Ordering::Relaxed);
                if from >= entries {
                    return Ok(());
                }
                node.node()?
                    .client()
                    .publish((from..entries.min(from + GROUP)).map(listing).collect())?;
            }
        };
        let clients = [scope.spawn(work), scope.spawn(work)];
        clients.into_iter().try_for_each(|client| {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?
        })
    })?;
    let rate = per_second(usize::try_from(entries)?, begun.elapsed());
    report.ratio("publish in bulk, durable", rate, "/s", rate / machine.sign, "signing");
    let entry = node.node()?.client().entry(&node.id, entries / 2)?;
    let bytes = entry.entry.context("the publisher holds its entries")?.len() * 3 / 4;
    Ok(to_f64(bytes as u64 * entries))
}

fn replicate(
    machine: &Machine,
    federation: &mut Federation,
    entries: u64,
    payload: f64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    federation.start([1])?;
    let (from, to) = (&federation.exchanges[0], &federation.exchanges[1]);
    wait(PATIENCE, "the copy to be complete", || Ok(size(to, &from.id)? >= entries))?;
    let held = begun.elapsed();
    let last = format!("bench-{}", entries - 1);
    let node = to.node()?;
    wait(PATIENCE, "the views", || Ok(node.client().listing(&from.id, &last).is_ok()))?;
    let all = begun.elapsed();
    ensure!(to.logs()?.get(&from.id) == from.logs()?.get(&from.id), "the copies differ");
    let count = usize::try_from(entries)?;
    let rate = per_second(count, all);
    report.figure("replicate, held", per_second(count, held), "/s");
    report.ratio("replicate, views included", rate, "/s", rate / machine.verify, "verifying");
    let wire = to_f64(node.client().status()?.bytes_in);
    report.ratio("bytes on the wire", wire / 1e6, "MB", wire / payload, "payload");
    let disk = folder_bytes(&to.data)?;
    report.ratio("disk of the copy", disk / 1e6, "MB", disk / payload, "payload");
    let (now, most) = node.memory_kib()?;
    report.figure("memory after catching up", to_f64(now) / 1e3, "MB");
    report.figure("memory at most", to_f64(most) / 1e3, "MB");
    Ok(())
}

fn incremental(federation: &Federation, entries: u64, report: &mut Report) -> anyhow::Result<()> {
    let (from, to) = (&federation.exchanges[0], &federation.exchanges[1]);
    let before = to.node()?.client().status()?.bytes_in;
    from.node()?.client().publish((entries..entries + 10).map(listing).collect())?;
    let begun = Instant::now();
    // Asks for the entry itself: the list of logs is renewed only every 100 ms.
    let client = to.node()?.client();
    wait(PATIENCE, "ten more", || Ok(client.entry(&from.id, entries + 9).is_ok()))?;
    report.figure("ten more, from publish to held", begun.elapsed().as_secs_f64() * 1e3, "ms");
    // Bytes are renewed with the list of logs.
    wait(PATIENCE, "the list", || Ok(size(to, &from.id)? >= entries + 10))?;
    let bytes = to.node()?.client().status()?.bytes_in - before;
    report.figure("ten more, bytes on the wire", to_f64(bytes) / 1e3, "kB");
    Ok(())
}

fn restart(federation: &mut Federation, report: &mut Report) -> anyhow::Result<()> {
    federation.take(1)?.stop()?;
    let begun = Instant::now();
    federation.start([1])?;
    let (from, to) = (&federation.exchanges[0], &federation.exchanges[1]);
    wait(PATIENCE, "the log to be served", || Ok(size(to, &from.id)? > 0))?;
    report.figure("restart, to serving", begun.elapsed().as_secs_f64(), "s");
    let (now, _) = to.node()?.memory_kib()?;
    report.figure("memory after a restart", to_f64(now) / 1e3, "MB");
    Ok(())
}

fn check(
    machine: &Machine,
    federation: &mut Federation,
    entries: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    federation.take(1)?.stop()?;
    let begun = Instant::now();
    let output = run(&federation.exchanges[1].data, &["fsck", "--json"])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rate = per_second(usize::try_from(entries)?, begun.elapsed());
    report.ratio("fsck", rate, "/s", rate / machine.verify, "verifying");
    Ok(())
}

/// From a publish that has returned until the neighbour holds it, while `load` statements a second come.
pub(crate) fn live(load: u64, seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0, 1])?;
    for exchange in &federation.exchanges[..2] {
        exchange.node()?.ready()?;
    }
    let (from, to) = (&federation.exchanges[0], &federation.exchanges[1]);
    let (rounds, group) = (seconds * 100, load.div_ceil(100).max(1));
    let done = AtomicU64::new(0);
    let mut times = thread::scope(|scope| -> anyhow::Result<Vec<f64>> {
        let publisher = scope.spawn(|| -> anyhow::Result<()> {
            let begun = Instant::now();
            for round in 0..rounds {
                let at = Duration::from_millis(10 * round);
                #[expect(clippy::disallowed_methods, reason = "a load of so many a second")]
                thread::sleep(at.saturating_sub(begun.elapsed()));
                let numbers = round * group..(round + 1) * group;
                from.node()?.client().publish(numbers.map(listing).collect())?;
                done.store((round + 1) * group, Ordering::Release);
            }
            Ok(())
        });
        let client = to.node()?.client();
        let (mut times, mut last) = (Vec::new(), 0);
        while !publisher.is_finished() {
            let (mark, begun) = (done.load(Ordering::Acquire), Instant::now());
            if mark == std::mem::replace(&mut last, mark) {
                #[expect(clippy::disallowed_methods, reason = "less than what is measured")]
                thread::sleep(Duration::from_micros(200));
                continue;
            }
            // Asks for the entry itself: the list of logs is renewed only every 100 ms.
            wait(PATIENCE, "the neighbour", || Ok(client.entry(&from.id, mark - 1).is_ok()))?;
            times.push(begun.elapsed().as_secs_f64());
        }
        publisher.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
        Ok(times)
    })?;
    let all = rounds * group;
    wait(PATIENCE, "everything", || Ok(size(to, &from.id)? >= all))?;
    report.figure("live under load, median", percentile(&mut times, 50) * 1e3, "ms");
    report.figure("live under load, p99", percentile(&mut times, 99) * 1e3, "ms");
    Ok(())
}

/// How much of a log a node holds.
fn size(node: &Exchange, log: &str) -> anyhow::Result<u64> {
    Ok(node.logs()?.get(log).map_or(0, |(size, _)| *size))
}

/// Bytes that a folder takes on the disk.
/// What a folder takes on the disk.
pub(crate) fn folder_bytes(folder: &Path) -> anyhow::Result<f64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0.0;
    for item in fs::read_dir(folder)? {
        let item = item?;
        let metadata = item.metadata()?;
        bytes += if metadata.is_dir() {
            folder_bytes(&item.path())?
        } else {
            to_f64(metadata.blocks() * 512)
        };
    }
    Ok(bytes)
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts are far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
