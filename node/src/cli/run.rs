//! `hutong run`: store, keys, charters, the node, its HTTP interface; ends in order on a signal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::args::{Global, RunArgs};
use super::console::Console;
use super::exit::{Unprepared, Usage};
use super::{secret, settings};
use crate::api::server::Server;
use crate::authority::Charters;
use crate::config::Config;
use crate::driver::{self, NodeFault, Parts, Running};
use crate::handle::{NodeHandle, NoticeLevel, NoticeLine};
use crate::keys::KeyFolder;
use crate::process::{self, Descriptors};
use crate::store::{Store, StoreOptions};
use crate::{charter_file, logging, private};

/// How long requests that have begun may take once the node has ended.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a node until it is told to end.
///
/// # Errors
///
/// What is missing or damaged at the start, or the fault that ended the node.
pub fn run(global: &Global, args: &RunArgs, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &args.settings)?;
    logging::start(&config.logging, global.verbose)?;
    let data = &global.data;
    let mut notices = Vec::new();
    notices.extend(tightened(private::keep_existing(data)?, data));
    let limit = process::raise_descriptors()?;
    let descriptors = Descriptors::divide(
        limit,
        config.api.connections_max,
        config.network.limits.connections_max,
    );
    notices.extend(short_of_descriptors(&descriptors));
    let config = within(config, &descriptors);
    let folder = KeyFolder::of(data);
    let seed = secret::open_seed(&folder, &args.passphrase, console)?;
    let store = Store::open(data, &store_options(&config, &descriptors))?;
    let charters = charters(data, &store, &config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime's threads")?;
    runtime.block_on(async {
        if let Some(size) = args.own_log_complete {
            compare_own_log(size, &store, &config)?;
        }
        let own_log_complete = args.own_log_complete.is_some();
        if own_log_complete && args.nothing_cosigned {
            tracing::warn!("the operator says that nothing was signed that is not here");
            folder.clear_restored()?;
        }
        let restored = folder.restored();
        let parts = Parts {
            config: config.clone(),
            store,
            charters,
            seed,
            restored,
            own_log_complete,
            notices,
        };
        let running = driver::start(parts)?;
        if restored {
            tracing::warn!(
                "the seed was restored: nothing is signed before enough of the council has shown what it holds; see `hutong run --help` where it cannot"
            );
            tokio::spawn(clear_mark(running.handle.clone(), folder));
        }
        tokio::spawn(keep_charters(running.handle.clone(), data.clone()));
        let server =
            Server::bind(running.handle.clone(), data.clone(), &config.api, &config.metrics)
                .await?;
        announce(&running.handle, &server, console)?;
        until_ended(running, server).await
    })
}

fn store_options(config: &Config, descriptors: &Descriptors) -> StoreOptions {
    StoreOptions {
        index_cache_bytes: u64::from(config.storage.cache_mib) << 20,
        views_open_max: descriptors.tables,
        reserve_bytes: u64::from(config.storage.reserve_mib) << 20,
        ..StoreOptions::default()
    }
}

/// The configuration with no more connections than there are descriptors for.
fn within(mut config: Config, descriptors: &Descriptors) -> Config {
    config.api.connections_max = descriptors.http;
    let limits = &mut config.network.limits;
    limits.connections_max = descriptors.peers;
    limits.strangers_max = limits.strangers_max.min(limits.connections_max / 2);
    config
}

fn warning(zh: String, en: String) -> NoticeLine {
    tracing::warn!("{en}");
    NoticeLine { time: driver::now(), level: NoticeLevel::Warning, zh, en }
}

fn tightened(count: usize, data: &Path) -> Option<NoticeLine> {
    let data = data.display();
    (count > 0).then(|| {
        warning(
            format!("{data} 中有 {count} 个文件或目录可被他人打开，已收紧权限：请确认此前无人读取"),
            format!(
                "{count} files and folders in {data} could be opened by others and are private now; find out who has read them"
            ),
        )
    })
}

fn short_of_descriptors(descriptors: &Descriptors) -> Option<NoticeLine> {
    let Descriptors { limit, needed, http, peers, .. } = descriptors;
    descriptors.is_short().then(|| {
        warning(
            format!(
                "文件描述符上限为 {limit}，按配置需要 {needed}：对等连接限为 {peers} 个，接口连接限为 {http} 个。请提高上限（LimitNOFILE 或 ulimit -n）"
            ),
            format!(
                "the limit of descriptors is {limit}, the configuration needs {needed}: at most {peers} connections with peers and {http} of the HTTP interface; raise it with LimitNOFILE or `ulimit -n`"
            ),
        )
    })
}

/// The charters of file and store together.
fn charters(data: &Path, store: &Store, config: &Config) -> anyhow::Result<Charters> {
    let charters = Charters::read(data, store).map_err(|error| {
        let reason = driver::chain(&error);
        Unprepared::new(format!("章程不成立：{reason}"), format!("no charter holds: {reason}"))
    })?;
    let charters = charters.ok_or_else(settings::no_charter)?;
    let (id, pinned) = (charters.founded.federation().to_string(), &config.federation.id);
    if !pinned.is_empty() && *pinned != id {
        return Err(Unprepared::new(
            format!("章程所建联盟为 {id}，而配置中 federation.id 为 {pinned}"),
            format!("the charter founds federation {id}, but federation.id in the configuration is {pinned}"),
        )
        .into());
    }
    Ok(charters)
}

/// Refuses the operator's word that the own log is complete where another size is stored.
fn compare_own_log(size: u64, store: &Store, config: &Config) -> anyhow::Result<()> {
    let me = config.exchange.id.parse().context("exchange.id in the configuration")?;
    let stored = store.head(&me)?.map_or(0, |head| head.size);
    if stored == size {
        return Ok(());
    }
    Err(Usage(format!(
        "--own-log-complete {size}, but {stored} entries of {me} are stored here: compare with your records before you say which"
    ))
    .into())
}

/// Keeps the charters in effect in the data folder's file, for commands that need no node.
async fn keep_charters(handle: NodeHandle, data: PathBuf) {
    let mut views = handle.watch();
    // One that the file has and that never took effect here is left there.
    let kept = charter_file::read(&data).ok().flatten();
    let mut written = kept.map_or(0, |charters| charters.version());
    loop {
        let changed = views.wait_for(|view| view.charters.version() > written).await;
        let Ok(charters) = changed.map(|view| Arc::clone(&view.charters)) else { return };
        written = charters.version();
        let folder = data.clone();
        let writing = tokio::task::spawn_blocking(move || charter_file::write(&folder, &charters));
        if let Ok(Err(error)) = writing.await {
            tracing::warn!(error = driver::chain(&error), "the charter file stays as it was");
        }
    }
}

/// Removes the mark of a restored seed once enough members have shown what they hold.
async fn clear_mark(handle: NodeHandle, folder: KeyFolder) {
    let mut views = handle.watch();
    let done = views.wait_for(|view| !view.restoring).await.is_ok();
    if done && let Err(error) = folder.clear_restored() {
        tracing::warn!(%error, "the mark of the restored seed stays");
    }
}

fn announce(handle: &NodeHandle, server: &Server, console: Console) -> anyhow::Result<()> {
    let view = handle.view();
    let address = server.address();
    tracing::info!(exchange = %view.me, federation = %view.charters.federation_id(), %address, "running");
    if console.json {
        let line = json!({
            "exchange": view.me.to_string(),
            "federation_id": view.charters.federation_id().to_string(),
            "peer_id": view.peer_id,
            "api": address.to_string(),
        });
        return console.line(&line.to_string());
    }
    console.say(
        &format!("{} 正在运行，接口 http://{address}，节点标识 {}", view.me, view.peer_id),
        &format!("{} is running, interface http://{address}, peer id {}", view.me, view.peer_id),
    )
}

/// Waits for a signal or the node's own end, then ends interface and node.
async fn until_ended(running: Running, server: Server) -> anyhow::Result<()> {
    let Running { handle, mut ended } = running;
    let (stop, stopped) = watch::channel(false);
    let wait = |mut stopped: watch::Receiver<bool>| async move {
        // A sender that is gone means the same.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let mut serving = tokio::spawn(server.run(wait(stopped)));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that closes does not end the node: the signal is taken and nothing is done.
    let _hangup = signal(SignalKind::hangup())?;
    let mut result = None;
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted: ending"),
        _ = terminate.recv() => tracing::info!("told to end"),
        end = &mut ended => result = Some(end),
        broken_off = &mut serving => {
            handle.shutdown().await;
            let _ = ended.await;
            return broken_off.context("the HTTP interface ended the node");
        }
    }
    stop.send_replace(true);
    let end = if let Some(end) = result {
        end
    } else {
        handle.shutdown().await;
        ended.await
    };
    if tokio::time::timeout(FINISH_TIMEOUT, &mut serving).await.is_err() {
        tracing::warn!("requests that had begun were broken off");
        serving.abort();
    }
    flatten(end)
}

fn flatten(end: Result<Result<(), NodeFault>, tokio::task::JoinError>) -> anyhow::Result<()> {
    end.context("the node ended by an error of its own")?.map_err(anyhow::Error::from)
}
