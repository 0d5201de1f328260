//! Making anew what can be made anew: the views from the logs, and a damaged log from its peers.

use std::fs;
use std::path::Path;

use hutong_crypto::merkle::empty_root;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;
use serde::Serialize;

use super::StoreOptions;
use super::core::{Core, index_error, open_index, read_heads};
use super::error::StoreError;
use super::folder::Folder;
use super::record::{Head, Kind, decode_sequence, log_key, number_key};
use super::views::Generations;

/// What [`rebuild`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Logs read.
    pub logs: u64,
    /// Entries taken in.
    pub entries: u64,
    /// Logs that could not be read to their end, and why.
    pub failed: Vec<(String, String)>,
}

/// Makes every view anew from the logs; no node may work in the folder meanwhile.
///
/// `progress` is told each log and the index that was reached in it.
///
/// # Errors
///
/// As [`super::Store::open`]. A log that is damaged inside is reported and does not stop the others.
pub fn rebuild(
    path: &Path,
    options: &StoreOptions,
    progress: &mut dyn FnMut(&ExchangeId, u64),
) -> Result<RebuildReport, StoreError> {
    let folder = Folder::open_existing(path)?;
    Generations::remove(&folder.views())?;
    let core = Core::open_folder(folder, options)?;
    core.wake_views(core.all_held().iter().map(|held| held.number));
    core.catch_up(progress);
    core.tables.now().sync()?;
    let told = core.view_progress();
    let held = core.all_held();
    Ok(RebuildReport {
        logs: held.len() as u64,
        entries: held.iter().map(|held| held.size()).sum::<u64>() - told.behind,
        failed: told.failed.into_iter().map(|(log, why)| (log.to_string(), why)).collect(),
    })
}

/// Drops the leaves of one log, so that they are fetched again; for logs with damaged files. What
/// the node remembers as a witness, evidence and a freeze stay. Opens damaged folders too.
///
/// # Errors
///
/// [`StoreError::UnknownLog`]; [`StoreError::Locked`] while a node works in the folder;
/// [`StoreError::Io`] and [`StoreError::Index`] when it cannot be written.
pub fn drop_log(path: &Path, log: &ExchangeId) -> Result<(), StoreError> {
    let folder = Folder::open_existing(path)?;
    let failed = |action| index_error(action, folder.index());
    let db = open_index(&folder, StoreOptions::default().index_cache_bytes)?;
    let heads = db.open_tree("heads").map_err(failed("open"))?;
    let head = read_heads(&heads, &folder)?
        .into_iter()
        .find_map(|(held, head)| (held == *log).then_some(head))
        .ok_or_else(|| StoreError::UnknownLog(log.clone()))?;
    let applied = heads.get([Kind::Journal as u8]).map_err(failed("read"))?;
    let applied = applied.as_deref().and_then(decode_sequence).unwrap_or(0);
    super::journal::rewrite(&folder.journal(), applied, |change| match change {
        Persist::Leaves { log: changed, .. }
        | Persist::Fill { log: changed, .. }
        | Persist::Checkpoint { log: changed, .. }
        | Persist::Cosigned { log: changed, .. } => *changed != *log,
        _ => true,
    })?;
    // The views go first: should the rest not be reached, they are made anew.
    Generations::remove(&folder.views())?;
    let mut batch = sled::Batch::default();
    let empty = Head { number: head.number, size: 0, root: empty_root() };
    batch.insert(log_key(Kind::Head, log), empty.encode());
    batch.remove(log_key(Kind::Checkpoint, log));
    batch.remove(log_key(Kind::Cosigned, log));
    for kind in [Kind::Withheld, Kind::Void, Kind::Refilled] {
        for key in heads.scan_prefix(number_key(kind, head.number)).keys() {
            batch.remove(key.map_err(failed("read"))?);
        }
    }
    heads.apply_batch(batch).map_err(failed("write"))?;
    db.flush().map_err(failed("flush"))?;
    let files = folder.logs().join(log.as_str());
    match fs::remove_dir_all(&files) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", &files)(error))
        }
        _ => Ok(()),
    }
}
