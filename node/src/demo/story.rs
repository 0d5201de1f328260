//! What happens in a demonstration: publish, replicate, cosign, prove.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::federation::{Federation, Node, publish, wait};
use super::latency::Latencies;
use super::plan::{Part, home_of};
use crate::api::model::{Log, ReceiptRequest};
use crate::cli::console::Console;
use crate::cli::lang::words;
use crate::cli::publisher::{NodePublisher, Outgoing};
use crate::import::publisher::Submission;
use crate::samples;

/// How long the federation may take to agree.
const CONVERGE_WITHIN: Duration = Duration::from_mins(1);

/// Says what is happening, in Chinese and English.
pub(super) type Say<'a> = &'a dyn Fn(&str, &str);

/// A demonstration under way.
pub(super) struct Story<'a> {
    federation: &'a Federation,
    folder: &'a Path,
    console: Console,
    say: Say<'a>,
}

/// How a demonstration went.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    federation_id: String,
    verdict: String,
    receipt: PathBuf,
    live_p50_ms: f64,
    live_p99_ms: f64,
    nodes: Vec<NodeSummary>,
    seconds: f64,
}

/// What one node holds at the end.
#[derive(Debug, Serialize)]
struct NodeSummary {
    exchange: String,
    tier: String,
    logs: usize,
    entries: u64,
    withheld: u64,
    cosigned_logs: usize,
    bytes_in: u64,
    bytes_out: u64,
    converged_ms: u64,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        federation: &'a Federation,
        folder: &'a Path,
        console: Console,
        say: Say<'a>,
    ) -> Self {
        Self { federation, folder, console, say }
    }

    /// Tells the story from the admissions on.
    pub(super) fn tell(&mut self) -> anyhow::Result<Summary> {
        self.wait_for_members()?;
        let contract = self.publish_samples()?;
        let converged = self.wait_for_agreement()?;
        (self.say)(
            "所有节点持有相同的日志，见证签名齐备",
            "all nodes hold the same logs, with the witness quorum",
        );
        let live = Latencies::measure(&self.federation.nodes)?;
        self.wait_for_agreement()?;
        let (receipt, verdict) = self.prove(contract)?;
        let seconds = 0.0;
        Ok(Summary {
            federation_id: self.federation.id.to_string(),
            verdict,
            receipt,
            live_p50_ms: live.percentile(50).as_secs_f64() * 1_000.0,
            live_p99_ms: live.percentile(99).as_secs_f64() * 1_000.0,
            nodes: self.nodes(&converged)?,
            seconds,
        })
    }

    /// Publishes a listing every second until told to stop.
    pub(super) fn trickle(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut round = 0_usize;
        while !stop.load(Ordering::Relaxed) {
            let node = &self.federation.nodes[round % self.federation.nodes.len()];
            let body = json!({
                "listing_id": format!("trickle-{round}"),
                "revision": 1,
                "kind": "demand",
                "title": { "zh": format!("演示需求 {round}（虚构）"), "en": format!("Sample demand {round} (fictional)") },
                "region": node.part.region,
            });
            publish(&node.client, "hutong/listing/v1", json!("public"), body)?;
            if round % 10 == 9 {
                self.nodes_table(&self.nodes(&BTreeMap::new())?)?;
            }
            round += 1;
            #[expect(clippy::disallowed_methods, reason = "one a second is what the trickle is")]
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    }

    fn nodes_in_federation(&self) -> &[Node] {
        &self.federation.nodes
    }

    fn wait_for_members(&self) -> anyhow::Result<()> {
        let count = self.nodes_in_federation().len();
        for node in self.nodes_in_federation() {
            wait(CONVERGE_WITHIN, &format!("{} to know all members", node.part.id), || {
                let status = node.client.status()?;
                Ok(status.members == count && status.ready && status.membership == "active")
            })?;
        }
        (self.say)(
            &format!("{count} 家交易所均已加入"),
            &format!("all {count} exchanges are members"),
        );
        Ok(())
    }

    /// Publishes each sample where it is from. Returns the contract to prove, and its exchange.
    fn publish_samples(&self) -> anyhow::Result<(usize, String)> {
        let parts: Vec<Part> =
            self.nodes_in_federation().iter().map(|node| node.part.clone()).collect();
        let (listings, contracts) = (samples::listings()?, samples::contracts()?);
        let (listed, registered) = (listings.len(), contracts.len());
        let first = contracts.first().context("there are no sample contracts")?;
        let proven = (
            home_of(&parts, samples::region(first).unwrap_or_default()),
            first
                .body
                .get("registration_no")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        );
        let mut groups: BTreeMap<usize, Vec<Outgoing>> = BTreeMap::new();
        for sample in listings.into_iter().chain(contracts) {
            let home = home_of(&parts, samples::region(&sample).unwrap_or_default());
            groups.entry(home).or_default().push(outgoing(sample));
        }
        for (home, group) in groups {
            let node = &self.nodes_in_federation()[home];
            NodePublisher::new(node.client.clone(), &node.data)
                .publish(group)
                .with_context(|| format!("{} cannot publish its samples", node.part.id))?;
        }
        (self.say)(
            &format!("已发布 {listed} 条信息，登记 {registered} 份合同（五种类型）"),
            &format!(
                "published {listed} listings and registered {registered} contracts of five types"
            ),
        );
        Ok(proven)
    }

    /// Waits until every node holds every log at the same root, with a quorum. Returns how long
    /// each node took.
    fn wait_for_agreement(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let begun = Instant::now();
        let progress =
            self.console.progress(self.nodes_in_federation().len() as u64, "收敛", "converge");
        let mut took = BTreeMap::new();
        for node in self.nodes_in_federation() {
            let what = format!("{} to hold every log", node.part.id);
            wait(CONVERGE_WITHIN, &what, || Ok(agrees(&self.own_logs()?, &node.client.logs()?)))?;
            let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            took.insert(node.part.id.clone(), ms);
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(took)
    }

    /// Every exchange's own log as it shows it now: what a node shows lags behind by moments.
    fn own_logs(&self) -> anyhow::Result<Vec<Log>> {
        let nodes = self.nodes_in_federation().iter();
        let own = nodes.map(|node| Ok(node.client.status()?.own_log));
        Ok(own.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Has a receipt made and verified by a fresh process that has nothing but the file.
    fn prove(&self, (home, registration): (usize, String)) -> anyhow::Result<(PathBuf, String)> {
        let request = ReceiptRequest {
            registration: Some(registration.clone()),
            disclose: vec!["project_name".to_owned(), "total_amount".to_owned()],
            ..ReceiptRequest::default()
        };
        let client = &self.nodes_in_federation()[home].client;
        client.want_anchor()?;
        let mut issued = None;
        wait(CONVERGE_WITHIN, "an anchor of the register that covers the contract", || {
            issued = Some(client.receipt(&request)?);
            Ok(true)
        })?;
        let bytes = issued.context("no receipt was made")?.bytes;
        let file = self.folder.join(format!("{registration}.hutong-receipt.json"));
        std::fs::write(&file, &bytes)?;
        (self.say)(
            &format!("合同 {registration} 的凭证已出具，{} 字节", bytes.len()),
            &format!("receipt of contract {registration} issued, {} bytes", bytes.len()),
        );
        let verdict = verify(&file, &self.federation.id.to_string())?;
        (self.say)(
            &format!("新进程离线核验：{verdict}"),
            &format!("verified offline by a fresh process: {verdict}"),
        );
        Ok((file, verdict))
    }

    fn nodes(&self, converged: &BTreeMap<String, u64>) -> anyhow::Result<Vec<NodeSummary>> {
        self.nodes_in_federation()
            .iter()
            .map(|node| {
                let (status, logs) = (node.client.status()?, node.client.logs()?);
                Ok(NodeSummary {
                    exchange: node.part.id.clone(),
                    tier: node.part.tier.to_string(),
                    logs: logs.iter().filter(|log| log.size > 0).count(),
                    entries: logs.iter().map(|log| log.size).sum(),
                    withheld: logs.iter().map(|log| log.withheld).sum(),
                    cosigned_logs: logs.iter().filter(|log| log.cosigned_size.is_some()).count(),
                    bytes_in: status.bytes_in,
                    bytes_out: status.bytes_out,
                    converged_ms: converged.get(&node.part.id).copied().unwrap_or_default(),
                })
            })
            .collect()
    }

    fn nodes_table(&self, nodes: &[NodeSummary]) -> anyhow::Result<()> {
        table(self.console, nodes)
    }
}

impl Summary {
    /// Shows how it went.
    pub(super) fn show(mut self, console: Console, took: Duration) -> anyhow::Result<()> {
        self.seconds = took.as_secs_f64();
        ensure!(self.verdict == "valid", "the receipt is {}", self.verdict);
        if console.json {
            return console.json(&self);
        }
        table(console, &self.nodes)?;
        console.say(
            &format!(
                "时延（发布到全网可见）：中位 {:.0} 毫秒，p99 {:.0} 毫秒；凭证结论 {}；共 {:.1} 秒",
                self.live_p50_ms, self.live_p99_ms, self.verdict, self.seconds
            ),
            &format!(
                "live, from publish to visible on all nodes: median {:.0} ms, p99 {:.0} ms; receipt {}; {:.1} s in all",
                self.live_p50_ms, self.live_p99_ms, self.verdict, self.seconds
            ),
        )
    }
}

fn table(console: Console, nodes: &[NodeSummary]) -> anyhow::Result<()> {
    let headers = [
        words("交易所", "exchange"),
        words("层级", "tier"),
        words("日志", "logs"),
        words("条目", "entries"),
        words("不可见", "withheld"),
        words("已见证", "cosigned"),
        words("收 KiB", "in KiB"),
        words("发 KiB", "out KiB"),
        words("收敛 毫秒", "converged ms"),
    ];
    let rows = nodes.iter().map(|node| {
        vec![
            node.exchange.clone(),
            node.tier.clone(),
            node.logs.to_string(),
            node.entries.to_string(),
            node.withheld.to_string(),
            node.cosigned_logs.to_string(),
            (node.bytes_in / 1024).to_string(),
            (node.bytes_out / 1024).to_string(),
            node.converged_ms.to_string(),
        ]
    });
    console.table(&headers, rows)
}

/// Whether a node holds every log as its owner does, cosigned by a quorum.
fn agrees(owners: &[Log], held: &[Log]) -> bool {
    owners.iter().filter(|own| own.size > 0).all(|own| {
        held.iter().any(|log| {
            log.exchange == own.exchange
                && log.size == own.size
                && log.root == own.root
                && log.cosigned_size == Some(own.size)
        })
    })
}

fn outgoing(sample: Submission) -> Outgoing {
    Outgoing {
        kind: sample.kind.to_owned(),
        audience: sample.audience,
        body: sample.body,
        confidential: sample.confidential,
    }
}

/// The verdict of `hutong receipt verify`, run with an empty environment in an empty folder, and
/// without a network where the system lets us take it away.
fn verify(file: &Path, federation: &str) -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let offline = Command::new("unshare").args(["--net", "true"]).status();
    let mut command = match offline {
        Ok(status) if status.success() => {
            let mut command = Command::new("unshare");
            command.arg("--net").arg(program);
            command
        }
        Ok(_) | Err(_) => Command::new(program),
    };
    let output = command
        .env_clear()
        .args(["--json", "receipt", "verify"])
        .arg(file)
        .args(["--federation", federation])
        .output()
        .context("cannot start a process that verifies")?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let verdict = report["verdict"].as_str().context("the report has no verdict")?;
    Ok(verdict.to_owned())
}
