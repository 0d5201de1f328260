//! The tables that are in use, and replacing them as a whole where they are damaged or of no use.
//!
//! Each generation lies in a folder of its own, `views/<form>-<number>`, of which the highest counts.
//! A tree removes its old files by name, whenever the last reader lets go of them; it must never find
//! those of another there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::tables::{TableOptions, Tables};
use crate::store::error::StoreError;

/// The generation in use.
#[derive(Debug)]
pub(in crate::store) struct Generations {
    folder: PathBuf,
    options: TableOptions,
    now: RwLock<Tables>,
}

impl Generations {
    /// Opens the newest generation below `folder`. One that is damaged is replaced by an empty one.
    pub(in crate::store) fn open(folder: &Path, options: TableOptions) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))?;
        let newest = numbers(folder)?.into_iter().max();
        let place = folder.join(name(newest.unwrap_or(1)));
        let tables = match Tables::open(&place, options) {
            Err(error) if error.is_damage_of_views() => {
                tracing::warn!(%error, "the views are damaged and are made anew");
                Tables::open(&next(folder)?, options)?
            }
            opened => opened?,
        };
        if newest.is_none() && names(folder)?.len() > 1 {
            tracing::info!("the views are of an earlier build and are made anew");
        }
        remove_others(folder, tables.folder())?;
        Ok(Self { folder: folder.to_path_buf(), options, now: RwLock::new(tables) })
    }

    /// Opens the newest generation, to read only; `None` where there is none.
    pub(in crate::store) fn open_to_read(
        folder: &Path,
        cache_bytes: u64,
    ) -> Result<Option<Tables>, StoreError> {
        let newest = numbers(folder)?.into_iter().max();
        newest
            .map(|newest| Tables::open_to_read(&folder.join(name(newest)), cache_bytes))
            .transpose()
    }

    /// Removes all of them. Under another name first, so that half is never taken for a whole.
    pub(in crate::store) fn remove(folder: &Path) -> Result<(), StoreError> {
        let doomed = folder.with_extension("old");
        let gone = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("remove", folder)(error))
            }
            _ => Ok(()),
        };
        gone(fs::remove_dir_all(&doomed))?;
        gone(fs::rename(folder, &doomed))?;
        gone(fs::remove_dir_all(&doomed))
    }

    /// The tables in use. Whoever answers one question takes them once.
    pub(in crate::store) fn now(&self) -> Tables {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins an empty generation. Nobody may write in the one before.
    pub(in crate::store) fn renew(&self) -> Result<(), StoreError> {
        let old = self.now();
        old.stop();
        let new = Tables::open(&next(&self.folder)?, self.options)?;
        let place = new.folder().to_path_buf();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = new;
        if let Err(error) = remove_others(&self.folder, &place) {
            tracing::warn!(%error, "damaged views stay on the disk until the next start");
        }
        Ok(())
    }
}

/// The folder of the generation after the newest.
fn next(folder: &Path) -> Result<PathBuf, StoreError> {
    let newest = numbers(folder)?.into_iter().max().unwrap_or(0);
    Ok(folder.join(name(newest + 1)))
}

fn name(number: u32) -> String {
    format!("{FORM}-{number}")
}

/// The generations that lie in `folder`.
fn numbers(folder: &Path) -> Result<Vec<u32>, StoreError> {
    Ok(names(folder)?
        .iter()
        .filter_map(|met| {
            let number = met.to_str()?.strip_prefix(FORM)?.strip_prefix('-')?.parse().ok()?;
            (name(number).as_str() == met).then_some(number)
        })
        .collect())
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, StoreError> {
    let failed = || StoreError::io("read folder", folder);
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed()(error)),
        Ok(items) => items.map(|item| Ok(item.map_err(failed())?.file_name())).collect(),
    }
}

/// Removes every other generation, and what earlier builds kept here.
fn remove_others(folder: &Path, kept: &Path) -> Result<(), StoreError> {
    for name in names(folder)? {
        let path = folder.join(name);
        if path != kept {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// How rows are encoded. Rows of another form are made anew.
const FORM: &str = "rows2";
