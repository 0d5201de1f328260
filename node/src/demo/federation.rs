//! Real nodes: a process, a data folder, keys and a configuration each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hutong_crypto::keys::{Purpose, Seed, SigningKey};
use hutong_protocol::charter::{Charter, CharterChain, Quotas, SignedCharter};
use hutong_protocol::date::Date;
use hutong_protocol::descriptor::{Parent, SignedDescriptor};
use hutong_protocol::directory::{approve, with_approvals};
use hutong_protocol::id::{ExchangeId, FederationId};
use serde_json::{Value, json};

use super::plan::{Admission, FOUNDERS, Part};
use crate::api::client::Client;
use crate::api::model::PublishRequest;
use crate::config::{Config, Exchange};
use crate::keys::{self, DescribeError, KeyFolder, Sealing, describe};
use crate::{charter_file, driver};

/// The statement that admits an exchange.
const ADMIT: &str = "hutong/member-admit/v1";

/// How long a node may take to start.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A node of the demonstration.
pub(super) struct Node {
    pub(super) part: Part,
    pub(super) data: PathBuf,
    pub(super) client: Client,
    process: Child,
}

/// The federation while it runs. Ends its processes when it goes.
pub(super) struct Federation {
    pub(super) id: FederationId,
    pub(super) nodes: Vec<Node>,
}

struct Prepared {
    part: Part,
    data: PathBuf,
    seed: Seed,
    exchange: Exchange,
    id: ExchangeId,
}

impl Prepared {
    /// Its descriptor under `parent`; `federation` is `None` for the founding council.
    fn descriptor(
        &self,
        parent: Parent,
        federation: Option<FederationId>,
    ) -> Result<SignedDescriptor, DescribeError> {
        describe(&self.exchange, &self.seed, parent, federation)
    }

    fn log_key(&self) -> SigningKey {
        self.seed.derive(Purpose::Log)
    }
}

impl Federation {
    /// Founds a federation under `folder`, starts its nodes and admits them.
    pub(super) fn start(
        folder: &Path,
        parts: Vec<Part>,
        said: &dyn Fn(&str, &str),
    ) -> anyhow::Result<Self> {
        let free = free_ports(parts.len())?;
        let first = format!("/ip4/127.0.0.1/tcp/{}", free[0]);
        let prepared = parts
            .into_iter()
            .zip(&free)
            .map(|(part, number)| prepare(folder, part, *number, &first))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let chain = found(&prepared)?;
        let id = chain.federation_id();
        said(
            &format!("章程已签署，联盟 {}", id.short()),
            &format!("charter signed: federation {}", id.short()),
        );
        for node in &prepared {
            charter_file::write(&node.data, &chain)?;
        }
        let mut federation = Self { id, nodes: Vec::new() };
        let started =
            prepared.iter().map(|node| spawn(&node.data)).collect::<anyhow::Result<Vec<_>>>()?;
        for (node, process) in prepared.iter().zip(started) {
            let (part, data) = (node.part.clone(), node.data.clone());
            let mut process = process;
            let client = connect(&data, &mut process)?;
            federation.nodes.push(Node { part, data, client, process });
        }
        said("所有节点已启动", "all nodes are running");
        federation.admit_all(&prepared, &chain)?;
        Ok(federation)
    }

    fn admit_all(&self, prepared: &[Prepared], chain: &CharterChain) -> anyhow::Result<()> {
        for (index, node) in prepared.iter().enumerate() {
            let (by, parent) = match node.part.admitted_by {
                Admission::Founder => continue,
                Admission::Council => (0, Parent::Council),
                Admission::By(parent) => (parent, Parent::Member(prepared[parent].id.clone())),
            };
            let descriptor = node.descriptor(parent, Some(self.id))?;
            let mut body = json!({
                "charter": chain.latest_digest().to_string(),
                "descriptor": descriptor.to_value(),
                "number": 1,
                "until": Date::of(driver::now()).plus_days(30).to_string(),
            });
            if node.part.admitted_by == Admission::Council {
                let council = &prepared[..FOUNDERS.min(prepared.len())];
                let approvals = council
                    .iter()
                    .map(|member| approve(&self.id, ADMIT, &body, &member.id, &member.log_key()))
                    .collect();
                body = with_approvals(body, approvals);
            }
            self.wait_until_admitted(by)?;
            publish(&self.nodes[by].client, ADMIT, json!("public"), body)
                .with_context(|| format!("cannot admit {}", self.nodes[index].part.id))?;
        }
        Ok(())
    }

    /// A parent may admit others once it knows of its own admission and may sign.
    fn wait_until_admitted(&self, index: usize) -> anyhow::Result<()> {
        let node = &self.nodes[index];
        wait(START_WITHIN, &format!("{} to be admitted", node.part.id), || {
            let status = node.client.status()?;
            Ok(status.ready && status.membership == "active")
        })
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // A node that does not end in order is ended.
            let _ = node.client.shutdown();
        }
        for node in &mut self.nodes {
            let ended = wait(Duration::from_secs(5), "a node to end", || {
                Ok(node.process.try_wait()?.is_some())
            });
            if ended.is_err() {
                let _ = node.process.kill();
                let _ = node.process.wait();
            }
        }
    }
}

/// Publishes one statement.
pub(super) fn publish(
    client: &Client,
    kind: &str,
    audience: Value,
    body: Value,
) -> anyhow::Result<crate::api::model::Published> {
    let statement = PublishRequest { kind: kind.to_owned(), audience, body };
    let published = client.publish(vec![statement])?;
    published.into_iter().next().context("the node published nothing")
}

/// Asks until it is so, at most `patience`; what cannot be asked yet counts as not so.
pub(super) fn wait(
    patience: Duration,
    what: &str,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let asked = is_so();
        if matches!(asked, Ok(true)) {
            return Ok(());
        }
        if begun.elapsed() > patience {
            asked.with_context(|| format!("waited {} s for {what}", patience.as_secs()))?;
            anyhow::bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process's interface is asked again"
        )]
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ports that are free now, all different.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let held = (0..count)
        .map(|_| std::net::TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<Vec<_>, _>>()
        .context("no free port on loopback")?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Writes a node's keys and configuration.
fn prepare(folder: &Path, part: Part, tcp: u16, first: &str) -> anyhow::Result<Prepared> {
    let data = folder.join(&part.id);
    fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    let seed = keys::generate()?;
    KeyFolder::of(&data).store(&seed, &Sealing::Plain)?;
    let address = format!("/ip4/127.0.0.1/tcp/{tcp}");
    let mut config = Config::default();
    config.exchange.id.clone_from(&part.id);
    config.exchange.tier = part.tier.to_string();
    config.exchange.region.clone_from(&part.region);
    config.exchange.addresses = vec![address.clone()];
    config.exchange.names =
        [("zh".to_owned(), part.zh.clone()), ("en".to_owned(), part.en.clone())].into();
    config.network.listen = vec![address.clone()];
    config.network.bootstrap = if address == first { Vec::new() } else { vec![first.to_owned()] };
    config.api.listen = ([127, 0, 0, 1], 0).into();
    config.log.own_log_check_ms = 1_000;
    config.sync.anti_entropy_s = 5;
    "warn,hutong_node=info".clone_into(&mut config.logging.filter);
    let text = toml::to_string(&config).context("cannot write a configuration")?;
    fs::write(data.join("hutong.toml"), text)?;
    let (exchange, id) = (config.exchange, part.id.parse()?);
    Ok(Prepared { part, data, seed, exchange, id })
}

/// The founding charter, signed by all its council.
fn found(prepared: &[Prepared]) -> anyhow::Result<CharterChain> {
    ensure!(prepared.len() >= FOUNDERS, "a federation needs {FOUNDERS} founders");
    let mut council: Vec<_> = prepared[..FOUNDERS].iter().collect();
    council.sort_by(|a, b| a.id.cmp(&b.id));
    let seats: Result<Vec<_>, _> =
        council.iter().map(|member| member.descriptor(Parent::Council, None)).collect();
    let charter = Charter {
        version: 1,
        federation: "互通演示联盟 · Hutong demonstration".to_owned(),
        council: seats?,
        threshold: 2,
        keeper: prepared[0].id.clone(),
        register_key: prepared[0].seed.derive(Purpose::Register).public(),
        witness_quorum: 2,
        anchor_minutes: 1,
        // A receipt need not wait.
        anchor_seconds_min: 0,
        finality_days: 90,
        daily_mib: Quotas::default(),
        succession: None,
        issued_at: driver::now(),
    };
    let mut signed = SignedCharter::unsigned(&charter)?;
    for member in council {
        signed.sign(&member.id, &member.log_key());
    }
    Ok(CharterChain::found(signed)?)
}

fn spawn(data: &Path) -> anyhow::Result<Child> {
    let output = fs::File::create(data.join("node.log"))?;
    Command::new(std::env::current_exe()?)
        .args(["run", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("cannot start a node process")
}

fn connect(data: &Path, process: &mut Child) -> anyhow::Result<Client> {
    let mut client = None;
    let mut ended = None;
    let waited = wait(START_WITHIN, "a node to answer", || {
        ended = process.try_wait()?;
        if ended.is_some() {
            return Ok(true);
        }
        let found = Client::from_data(data)?;
        found.health()?;
        client = Some(found);
        Ok(true)
    });
    let log = data.join("node.log");
    if let Some(status) = ended {
        let said = fs::read_to_string(&log).unwrap_or_default();
        anyhow::bail!("the node on {} ended at once ({status}): {said}", data.display());
    }
    waited.with_context(|| format!("see {}", log.display()))?;
    client.context("the node does not answer")
}
