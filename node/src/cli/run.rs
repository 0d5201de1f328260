//! `hutong run`: store, keys, charters, the node, its HTTP interface; ends in order on a signal.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hutong_protocol::charter::{CharterChain, Extend, SignedCharter};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::args::{Global, RunArgs};
use super::console::Console;
use super::exit::{Unprepared, Usage};
use super::{secret, settings};
use crate::api::server::Server;
use crate::config::Config;
use crate::driver::{self, NodeFault, Parts, Running};
use crate::handle::NodeHandle;
use crate::keys::KeyFolder;
use crate::store::{Store, StoreOptions};
use crate::{charter_file, logging};

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
    let folder = KeyFolder::of(data);
    let seed = secret::open_seed(&folder, &args.passphrase, console)?;
    let store = Store::open(data, &store_options(&config))?;
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
        let parts = Parts { config: config.clone(), store, charters, seed, restored, own_log_complete };
        let running = driver::start(parts)?;
        if restored {
            tracing::warn!(
                "the seed was restored: nothing is signed before enough of the council has shown what it holds; see `hutong run --help` where it cannot"
            );
            tokio::spawn(clear_mark(running.handle.clone(), folder));
        }
        let server =
            Server::bind(running.handle.clone(), data.clone(), &config.api, &config.metrics)
                .await?;
        announce(&running.handle, &server, console)?;
        until_ended(running, server).await
    })
}

fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        index_cache_bytes: u64::from(config.storage.cache_mib) << 20,
        ..StoreOptions::default()
    }
}

/// The charters of file and store together, for whichever the other lacks.
fn charters(data: &Path, store: &Store, config: &Config) -> anyhow::Result<CharterChain> {
    let mut chain = charter_file::read(data).map_err(|error| {
        let reason = driver::chain(&error);
        Unprepared::new(format!("章程不成立：{reason}"), format!("no charter holds: {reason}"))
    })?;
    for bytes in store.charters()? {
        let signed = SignedCharter::parse(&bytes).context("a stored charter is damaged")?;
        match &mut chain {
            None => chain = Some(CharterChain::found(signed)?),
            Some(chain) => {
                if let Extend::Equivocation(_) = chain.extend(signed)? {
                    tracing::error!("the council signed two charters of one version");
                }
            }
        }
    }
    let chain = chain.ok_or_else(settings::no_charter)?;
    let (id, pinned) = (chain.federation_id().to_string(), &config.federation.id);
    if !pinned.is_empty() && *pinned != id {
        return Err(Unprepared::new(
            format!("章程所建联盟为 {id}，而配置中 federation.id 为 {pinned}"),
            format!("the charter founds federation {id}, but federation.id in the configuration is {pinned}"),
        )
        .into());
    }
    Ok(chain)
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
    let mut result = None;
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted: ending"),
        _ = terminate.recv() => tracing::info!("told to end"),
        end = &mut ended => result = Some(end),
        outcome = &mut serving => {
            handle.shutdown().await;
            let _ = ended.await;
            return outcome?.context("the HTTP interface ended the node");
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
