//! A federation of real nodes on loopback, each with folder, keys and configuration of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_crypto::keys::{Purpose, Seed, SigningKey};
use hutong_node::api::model::{PublishRequest, Published};
use hutong_node::config::{Config, Exchange as Settings};
use hutong_node::keys::{KeyFolder, Sealing};
use hutong_node::{charter_file, driver, keys, samples};
use hutong_protocol::charter::{Charter, CharterChain, Quotas, SignedCharter};
use hutong_protocol::date::Date;
use hutong_protocol::descriptor::{Parent, SignedDescriptor};
use hutong_protocol::directory::{approve, register_version, with_approvals};
use hutong_protocol::id::{ExchangeId, FederationId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::link::Link;
use crate::process::{Process, spawn, spawn_after, wait};

/// The exchanges that found the federation; two of them admit, and for each log the two others witness. The
/// first keeps the register.
pub const FOUNDERS: usize = 3;

/// The statement that admits an exchange.
const ADMIT: &str = "hutong/member-admit/v1";

/// Admissions in one request.
const ADMISSIONS_GROUP: usize = 50;

/// A log as a node holds it: size and root.
pub type Held = (u64, String);

/// An exchange, whether its node runs or not.
pub struct Exchange {
    /// Exchange id.
    pub id: String,
    /// Data folder.
    pub data: PathBuf,
    address: String,
    seed: Seed,
    own_id: ExchangeId,
    settings: Settings,
    process: Option<Process>,
}

/// The federation. Its processes and folders go with it.
pub struct Federation {
    /// Federation id.
    pub id: FederationId,
    /// The founders, then the others.
    pub exchanges: Vec<Exchange>,
    chain: CharterChain,
    // Last, so that the processes have ended before their folders go.
    _folder: TempDir,
}

impl Exchange {
    /// Its running node.
    ///
    /// # Errors
    ///
    /// None runs.
    pub fn node(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().with_context(|| format!("no node of {} runs", self.id))
    }

    /// Publishes statements in one group, and waits until the node's list of logs shows them, so that
    /// [`Federation::agree`] means a state that has them.
    ///
    /// # Errors
    ///
    /// No node runs, or it refuses.
    pub fn publish(&self, statements: Vec<PublishRequest>) -> anyhow::Result<Vec<Published>> {
        let published = self.node()?.client().publish(statements)?;
        let size = published.last().map_or(0, |last| last.index + 1);
        wait(Duration::from_secs(30), "the list of logs to show what was published", || {
            Ok(self.logs()?.get(&self.id).map_or(0, |(held, _)| *held) >= size)
        })?;
        Ok(published)
    }

    /// Every exchange's log that its node holds, by exchange; the register is none of them.
    ///
    /// # Errors
    ///
    /// No node runs, or it does not answer.
    pub fn logs(&self) -> anyhow::Result<BTreeMap<String, Held>> {
        let logs = self.node()?.client().logs()?.into_iter();
        let is_register =
            |id: &str| id.parse().is_ok_and(|id: ExchangeId| register_version(&id).is_some());
        let logs = logs.filter(|log| !is_register(&log.exchange));
        Ok(logs.map(|log| (log.exchange, (log.size, log.root))).collect())
    }

    /// The secret of its libp2p identity, for a peer that poses as its node.
    pub fn transport_secret(&self) -> [u8; 32] {
        self.seed.derive_bytes(Purpose::Transport)
    }

    /// Its descriptor under the council; `federation` is `None` for the founding council.
    fn descriptor(&self, federation: Option<FederationId>) -> anyhow::Result<SignedDescriptor> {
        Ok(keys::describe(&self.settings, &self.seed, Parent::Council, federation)?)
    }

    /// Where its node listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The key that signs its checkpoints.
    pub fn log_key(&self) -> SigningKey {
        self.seed.derive(Purpose::Log)
    }

    /// The key that signs its statements.
    pub fn issuer_key(&self) -> SigningKey {
        self.seed.derive(Purpose::Issuer)
    }
}

impl Federation {
    /// Founds a federation of `count` exchanges in region `US`; no node runs and only the founders are members yet.
    ///
    /// # Errors
    ///
    /// Fewer than [`FOUNDERS`], or keys, folders or ports cannot be had.
    pub fn found(count: usize) -> anyhow::Result<Self> {
        ensure!(count >= FOUNDERS, "a federation needs {FOUNDERS} founders");
        let folder = tempfile::tempdir()?;
        let ports = free_ports(count)?;
        Self::found_at(folder, &ports, &ports)
    }

    /// As [`Self::found`], with a [`Link`] before every node: the only way to it that others know.
    ///
    /// # Errors
    ///
    /// As [`Self::found`].
    pub fn found_behind_links(count: usize) -> anyhow::Result<(Self, Vec<Link>)> {
        let ports = free_ports(count)?;
        let links = ports.iter().map(|far| Link::to(*far)).collect::<anyhow::Result<Vec<_>>>()?;
        let near: Vec<SocketAddr> = links.iter().map(Link::near).collect();
        Ok((Self::found_at(tempfile::tempdir()?, &ports, &near)?, links))
    }

    /// Founds a federation of nodes that listen at `own` and are known to each other at `known`.
    fn found_at(folder: TempDir, own: &[SocketAddr], known: &[SocketAddr]) -> anyhow::Result<Self> {
        let known: Vec<String> = known.iter().map(multiaddr).collect();
        let exchanges = own
            .iter()
            .enumerate()
            .map(|(index, own)| prepare(folder.path(), index, multiaddr(own), &known))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let chain = charter(&exchanges[..FOUNDERS])?;
        for exchange in &exchanges {
            charter_file::write(&exchange.data, &chain)?;
        }
        Ok(Self { id: chain.federation_id(), exchanges, chain, _folder: folder })
    }

    /// Founds a federation, starts all its nodes, admits all and waits until every node may publish.
    ///
    /// # Errors
    ///
    /// As [`Self::found`], and a node does not start or get ready.
    pub fn running(count: usize) -> anyhow::Result<Self> {
        let mut federation = Self::found(count)?;
        federation.start(0..count)?;
        for index in FOUNDERS..count {
            federation.admit(index)?;
        }
        for exchange in &federation.exchanges {
            exchange.node()?.ready()?;
        }
        Ok(federation)
    }

    /// Starts nodes beside each other and waits until they answer.
    ///
    /// # Errors
    ///
    /// One does not start.
    pub fn start(&mut self, which: impl IntoIterator<Item = usize>) -> anyhow::Result<()> {
        let mut started = Vec::new();
        for index in which {
            started.push((index, spawn(&self.exchanges[index].data, &[])?));
        }
        for (index, child) in started {
            let exchange = &mut self.exchanges[index];
            exchange.process = Some(Process::connect(&exchange.data, child)?);
        }
        Ok(())
    }

    /// Starts one node after the shell's commands `before`; see [`spawn_after`].
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start_after(&mut self, index: usize, before: &str) -> anyhow::Result<()> {
        let exchange = &mut self.exchanges[index];
        let child = spawn_after(&exchange.data, before, &[])?;
        exchange.process = Some(Process::connect(&exchange.data, child)?);
        Ok(())
    }

    /// Takes the process of a node, to end it.
    ///
    /// # Errors
    ///
    /// None runs.
    pub fn take(&mut self, index: usize) -> anyhow::Result<Process> {
        let exchange = &mut self.exchanges[index];
        exchange.process.take().with_context(|| format!("no node of {} runs", exchange.id))
    }

    /// Has the council admit an exchange, through the first founder's node.
    ///
    /// # Errors
    ///
    /// That node is not ready, or refuses.
    pub fn admit(&self, index: usize) -> anyhow::Result<()> {
        self.admit_all(index..index + 1)
    }

    /// As [`Self::admit`], for many, some in each group.
    ///
    /// # Errors
    ///
    /// As [`Self::admit`].
    pub fn admit_all(&self, which: Range<usize>) -> anyhow::Result<()> {
        let first = &self.exchanges[0];
        first.node()?.ready()?;
        let admissions: Vec<PublishRequest> =
            which.map(|index| self.admission(index)).collect::<anyhow::Result<_>>()?;
        for group in admissions.chunks(ADMISSIONS_GROUP) {
            first.publish(group.to_vec()).context("cannot admit them")?;
        }
        Ok(())
    }

    /// The statement that admits an exchange, approved by all the council.
    fn admission(&self, index: usize) -> anyhow::Result<PublishRequest> {
        let body = json!({
            "charter": self.chain.latest_digest().to_string(),
            "descriptor": self.exchanges[index].descriptor(Some(self.id))?.to_value(),
            "number": 1,
            "until": Date::of(driver::now()).plus_days(30).to_string(),
        });
        let council = &self.exchanges[..FOUNDERS];
        let approvals = council
            .iter()
            .map(|member| approve(&self.id, ADMIT, &body, &member.own_id, &member.log_key()))
            .collect();
        Ok(statement(ADMIT, with_approvals(body, approvals)))
    }

    /// Waits until the nodes `which` hold the same logs with the same roots, and in them at least what each
    /// holds of its own.
    ///
    /// # Errors
    ///
    /// They do not within `patience`.
    pub fn agree(&self, which: &[usize], patience: Duration) -> anyhow::Result<()> {
        let mut last = String::new();
        wait(patience, "nodes to hold the same logs", || {
            let held = which
                .iter()
                .map(|index| self.exchanges[*index].logs())
                .collect::<anyhow::Result<Vec<_>>>()?;
            last = format!("{held:?}");
            Ok(held.windows(2).all(|pair| pair[0] == pair[1]))
        })
        .with_context(|| format!("they hold {last}"))
    }
}

/// A listing of an invented holder under this id, in its first revision.
///
/// # Errors
///
/// The samples are damaged.
pub fn listing(id: &str) -> anyhow::Result<PublishRequest> {
    let sample = samples::listings()?.into_iter().next().context("there are no samples")?;
    let mut body = sample.body;
    body.insert("listing_id".to_owned(), json!(id));
    Ok(statement(sample.kind, Value::Object(body)))
}

fn statement(kind: &str, body: Value) -> PublishRequest {
    PublishRequest { kind: kind.to_owned(), audience: json!("public"), body }
}

/// Ports on loopback that are free now, all different.
fn free_ports(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let held = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<Vec<_>, _>>()
        .context("no free port on loopback")?;
    Ok(held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

fn multiaddr(address: &SocketAddr) -> String {
    format!("/ip4/127.0.0.1/tcp/{}", address.port())
}

/// Writes a node's keys and configuration. The first two are everybody's way in.
fn prepare(
    folder: &Path,
    index: usize,
    listens: String,
    addresses: &[String],
) -> anyhow::Result<Exchange> {
    let id = format!("us-exchange-{index:02}");
    let data = folder.join(&id);
    fs::create_dir_all(&data)?;
    let seed = keys::generate()?;
    KeyFolder::of(&data).store(&seed, &Sealing::Plain)?;
    let mut config = Config::default();
    config.exchange.id.clone_from(&id);
    "international".clone_into(&mut config.exchange.tier);
    "US".clone_into(&mut config.exchange.region);
    config.exchange.addresses = vec![addresses[index].clone()];
    config.exchange.names =
        [("en".to_owned(), format!("Test Exchange {index} (fictional)"))].into();
    config.network.listen = vec![listens.clone()];
    config.network.bootstrap =
        addresses.iter().take(2).filter(|other| **other != addresses[index]).cloned().collect();
    config.api.listen = ([127, 0, 0, 1], 0).into();
    config.log.own_log_check_ms = 200;
    config.log.batch_ms_max = 5;
    config.sync.anti_entropy_s = 1;
    "warn,hutong_node=info".clone_into(&mut config.logging.filter);
    let text = toml::to_string(&config).context("cannot write a configuration")?;
    fs::write(data.join("hutong.toml"), text)?;
    let (own_id, settings) = (id.parse()?, config.exchange);
    Ok(Exchange { id, data, address: listens, seed, own_id, settings, process: None })
}

/// The founding charter, signed by all its council.
fn charter(council: &[Exchange]) -> anyhow::Result<CharterChain> {
    let seats: anyhow::Result<Vec<_>> =
        council.iter().map(|member| member.descriptor(None)).collect();
    let charter = Charter {
        version: 1,
        federation: "Federation under test".to_owned(),
        council: seats?,
        threshold: 2,
        keeper: council[0].own_id.clone(),
        register_key: council[0].seed.derive(Purpose::Register).public(),
        witness_quorum: 2,
        // Whoever wants an anchor asks for one.
        anchor_minutes: 1_440,
        anchor_seconds_min: 0,
        finality_days: 90,
        daily_mib: Quotas::default(),
        succession: None,
        issued_at: driver::now(),
    };
    let mut signed = SignedCharter::unsigned(&charter)?;
    for member in council {
        signed.sign(&member.own_id, &member.log_key());
    }
    Ok(CharterChain::found(signed)?)
}
