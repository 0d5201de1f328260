//! A federation under an even load for a long time: latency, memory, and whether anything is lost.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hutong_node::api::client::ClientError;
use hutong_tests::federation::{Exchange, Federation};
use hutong_tests::process::wait;

use crate::machine::percentile;
use crate::report::Report;
use crate::statements::listing;

/// How often each node publishes; the nodes take turns within it.
const TICK: Duration = Duration::from_millis(100);
/// Statements in one request at most.
const GROUP: u64 = 1_000;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a neighbour is asked: what is measured is not finer than this.
const ASK: Duration = Duration::from_millis(2);
/// How long a node may take to show its own statements in its list of logs.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// How long nodes may take for the rest once nothing more is published.
const PATIENCE: Duration = Duration::from_mins(5);
/// Points of a series.
const POINTS: usize = 10;

/// What is asked of the nodes.
pub(crate) struct Load {
    /// Statements of 1 KiB a second, over all nodes.
    pub(crate) rate: u64,
    /// For how long.
    pub(crate) seconds: u64,
    /// How many nodes.
    pub(crate) nodes: usize,
}

/// What a node published last: the place of the statement, and when the request returned.
type Mark = Mutex<Option<(u64, Instant)>>;

/// What is shared by those who publish and those who watch.
struct Course<'a> {
    load: &'a Load,
    begun: Instant,
    marks: Vec<Mark>,
    published: Vec<AtomicU64>,
    refused: AtomicU64,
    over: AtomicBool,
}

/// What the watchers saw.
struct Seen {
    /// Seconds since the start, and seconds until a neighbour showed a statement.
    latencies: Vec<(f64, f64)>,
    /// What was looked at, at each look, by node.
    looks: Vec<Vec<Look>>,
}

/// A node at one moment.
struct Look {
    memory_mb: f64,
    /// How long its queues are.
    queues: BTreeMap<String, u64>,
}

impl Load {
    /// Runs it and reports; fails if a statement is lost or two nodes end with different logs.
    pub(crate) fn run(&self, report: &mut Report) -> anyhow::Result<()> {
        let federation = Federation::running(self.nodes)?;
        let before = own_sizes(&federation)?;
        let course = Course {
            load: self,
            begun: Instant::now(),
            marks: (0..self.nodes).map(|_| Mutex::default()).collect(),
            published: (0..self.nodes).map(|_| AtomicU64::new(0)).collect(),
            refused: AtomicU64::new(0),
            over: AtomicBool::new(false),
        };
        let seen = course.follow(&federation.exchanges)?;
        let published_for = course.begun.elapsed();
        // Nodes renew their list of logs ten times a second, so the last statements come into it late.
        let shown = wait(SHOWN_WITHIN, "own logs to show what was published", || {
            Ok(course.lost(&before, &own_sizes(&federation)?)? == 0)
        });
        let all: Vec<usize> = (0..self.nodes).collect();
        federation.agree(&all, PATIENCE)?;
        let equal_after = course.begun.elapsed().saturating_sub(published_for);
        let lost = course.lost(&before, &own_sizes(&federation)?)?;
        course.tell(&seen, published_for, equal_after, report);
        report.figure("statements lost", to_f64(lost), "");
        shown.with_context(|| format!("{lost} statements are lost"))
    }
}

impl Course<'_> {
    /// Publishes on all nodes, and watches.
    fn follow(&self, exchanges: &[Exchange]) -> anyhow::Result<Seen> {
        thread::scope(|scope| {
            let publishers: Vec<_> = (0..exchanges.len())
                .map(|which| scope.spawn(move || self.publish(&exchanges[which], which)))
                .collect();
            let watcher = scope.spawn(|| self.watch(exchanges));
            let looks = self.look(exchanges);
            let ended: anyhow::Result<()> = publishers.into_iter().try_for_each(joined);
            self.over.store(true, Ordering::Release);
            let latencies = joined(watcher);
            ended?;
            Ok(Seen { latencies: latencies?, looks: looks? })
        })
    }

    fn until(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).saturating_sub(self.begun.elapsed())
    }

    /// Publishes what is due at each tick.
    fn publish(&self, exchange: &Exchange, which: usize) -> anyhow::Result<()> {
        let client = exchange.node()?.client();
        let nodes = self.load.nodes as u64;
        let share = |time: Duration| {
            let due = u128::from(self.load.rate) * time.as_millis() / 1_000;
            u64::try_from(due).unwrap_or(u64::MAX) / nodes
        };
        let all = share(Duration::from_secs(self.load.seconds));
        let first = which as u64 * all;
        let mut tick = TICK * u32::try_from(which)? / u32::try_from(self.load.nodes)?;
        let mut done = 0;
        while done < all {
            tick += TICK;
            sleep(tick.saturating_sub(self.begun.elapsed()));
            let due = share(self.begun.elapsed()).min(all);
            while done < due {
                let to = due.min(done + GROUP);
                match client.publish((first + done..first + to).map(listing).collect()) {
                    Ok(published) => {
                        let last = published.last().context("a group has a last statement")?.index;
                        done = to;
                        self.published[which].store(done, Ordering::Release);
                        *lock(&self.marks[which]) = Some((last, Instant::now()));
                    }
                    Err(ClientError::Refused(problem)) if matches!(problem.status, 429 | 503) => {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        sleep(TICK);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Takes turns: waits until a node has published, then until its neighbour shows that.
    fn watch(&self, exchanges: &[Exchange]) -> anyhow::Result<Vec<(f64, f64)>> {
        let mut latencies = Vec::new();
        for which in (0..exchanges.len()).cycle() {
            let old = *lock(&self.marks[which]);
            let neighbour = exchanges[(which + 1) % exchanges.len()].node()?.client();
            loop {
                if self.over.load(Ordering::Acquire) {
                    return Ok(latencies);
                }
                match *lock(&self.marks[which]) {
                    Some((index, returned)) if old.is_none_or(|(before, _)| before < index) => {
                        while neighbour.entry(&exchanges[which].id, index).is_err() {
                            ensure!(returned.elapsed() < PATIENCE, "a neighbour never had it");
                            sleep(ASK);
                        }
                        let at = self.begun.elapsed().as_secs_f64();
                        latencies.push((at, returned.elapsed().as_secs_f64()));
                        break;
                    }
                    _ => {}
                }
                sleep(ASK);
            }
        }
        Ok(latencies)
    }

    /// Looks at every node's memory and queues until publishing is over.
    fn look(&self, exchanges: &[Exchange]) -> anyhow::Result<Vec<Vec<Look>>> {
        let mut looks = Vec::new();
        while !self.until(self.load.seconds).is_zero() {
            sleep(LOOK.min(self.until(self.load.seconds)));
            let now = exchanges.iter().map(|exchange| {
                let node = exchange.node()?;
                let (memory_kib, _) = node.memory_kib()?;
                let queues = node.client().status()?.queues;
                Ok(Look { memory_mb: to_f64(memory_kib) / 1e3, queues })
            });
            looks.push(now.collect::<anyhow::Result<_>>()?);
        }
        Ok(looks)
    }

    /// Statements that were taken and do not stand in their logs.
    fn lost(&self, before: &[u64], after: &[u64]) -> anyhow::Result<u64> {
        let mut lost = 0;
        for ((published, before), after) in self.published.iter().zip(before).zip(after) {
            let grown = after.checked_sub(*before).context("a log has become shorter")?;
            lost += published.load(Ordering::Acquire).abs_diff(grown);
        }
        Ok(lost)
    }

    fn tell(
        &self,
        seen: &Seen,
        published_for: Duration,
        equal_after: Duration,
        report: &mut Report,
    ) {
        let count: u64 =
            self.published.iter().map(|published| published.load(Ordering::Acquire)).sum();
        let rate = to_f64(count) / published_for.as_secs_f64();
        report.ratio("published", rate, "/s", rate / to_f64(self.load.rate), "the rate asked for");
        report.figure(
            "requests that were refused as busy",
            to_f64(self.refused.load(Ordering::Relaxed)),
            "",
        );
        let mut times: Vec<f64> = seen.latencies.iter().map(|(_, time)| time * 1e3).collect();
        report.figure("from publish to a neighbour, median", percentile(&mut times, 50), "ms");
        report.figure("from publish to a neighbour, p99", percentile(&mut times, 99), "ms");
        report.figure("from the last publish to equal logs", equal_after.as_secs_f64(), "s");
        let memory = |look: &Look| look.memory_mb;
        let most: Vec<f64> =
            seen.looks.iter().map(|all| all.iter().map(memory).fold(0.0, f64::max)).collect();
        let end = most.last().copied().unwrap_or_default();
        let early = most.get(most.len() / 5).copied().unwrap_or_default();
        report.ratio(
            "memory of the largest node at the end",
            end,
            "MB",
            end / early,
            "a fifth of the way",
        );
        report.series("memory of the largest node", "MB", points(&most));
        for which in 0..self.load.nodes {
            let one: Vec<f64> = seen.looks.iter().map(|all| all[which].memory_mb).collect();
            report.series(&format!("memory of node {which}"), "MB", points(&one));
        }
        tell_queues(&seen.looks, report);
        report.series("median from publish to a neighbour", "ms", self.medians(&seen.latencies));
    }

    fn medians(&self, latencies: &[(f64, f64)]) -> Vec<f64> {
        let part = to_f64(self.load.seconds) / to_f64(POINTS as u64);
        (0..POINTS as u64)
            .map(|point| {
                let (from, to) = (to_f64(point) * part, to_f64(point + 1) * part);
                let within = latencies.iter().filter(|(at, _)| (from..to).contains(at));
                percentile(&mut within.map(|(_, time)| time * 1e3).collect::<Vec<_>>(), 50)
            })
            .collect()
    }
}

/// The last value of each of [`POINTS`] parts.
fn points(values: &[f64]) -> Vec<f64> {
    let count = POINTS.min(values.len());
    (1..=count).filter_map(|point| values.get(point * values.len() / count - 1).copied()).collect()
}

/// How long each queue was at most in each of [`POINTS`] parts, of the node that is largest at the end.
fn tell_queues(looks: &[Vec<Look>], report: &mut Report) {
    let Some(last) = looks.last() else { return };
    let size = |which: &usize| last[*which].memory_mb;
    let largest = (0..last.len()).max_by(|a, b| size(a).total_cmp(&size(b)));
    let Some(largest) = largest else { return };
    for queue in last[largest].queues.keys() {
        let lengths: Vec<f64> = looks
            .iter()
            .map(|all| to_f64(all[largest].queues.get(queue).copied().unwrap_or_default()))
            .collect();
        let count = POINTS.min(lengths.len());
        let part = |point: usize| {
            &lengths[point * lengths.len() / count..(point + 1) * lengths.len() / count]
        };
        let most = (0..count).map(|point| part(point).iter().copied().fold(0.0, f64::max));
        report.series(&format!("{queue} of node {largest}"), "at most", most.collect());
    }
}

fn own_sizes(federation: &Federation) -> anyhow::Result<Vec<u64>> {
    let own =
        |exchange: &Exchange| Ok(exchange.logs()?.get(&exchange.id).map_or(0, |(size, _)| *size));
    federation.exchanges.iter().map(own).collect()
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))?
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "an even rate, and an interface that is asked again")]
fn sleep(time: Duration) {
    thread::sleep(time);
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts are far below 2^52")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}
