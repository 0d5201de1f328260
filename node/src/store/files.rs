//! One log's files: growing them, reading them, and cutting them back to a size.
//!
//! Files only ever grow, with one exception: a bundle is replaced as a whole when a withheld entry
//! of it becomes known. Nothing here decides what is committed; the head in the index does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hutong_crypto::digest::Hash;

use super::bundle::{BUNDLE_BYTES_MAX, Bundle};
use super::edge::{Edge, LEVELS_MAX};
use super::error::StoreError;
use super::folder::{Folders, write_durably};
use super::path::{Part, TILE_WIDTH, TileId, number_path, part_folder, strip_partial};

/// The folder of one log.
#[derive(Debug, Clone)]
pub(super) struct LogFiles {
    root: PathBuf,
}

/// Bytes to add to the end of one file.
#[derive(Debug)]
pub(super) struct Growth {
    /// The file.
    pub(super) tile: TileId,
    /// Hashes or entries in it before.
    pub(super) start: u64,
    /// Bytes in it before.
    pub(super) offset: u64,
    /// Hashes or entries to add.
    pub(super) count: u64,
    /// Bytes to add.
    pub(super) bytes: Vec<u8>,
}

impl Growth {
    fn completes(&self) -> bool {
        self.start + self.count == TILE_WIDTH
    }
}

impl LogFiles {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The log's folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Full path of a file; a complete one bears its plain name.
    pub(super) fn path(&self, tile: TileId, complete: bool) -> PathBuf {
        self.root.join(if complete { tile.path() } else { tile.partial_path() })
    }

    /// Makes the folder that a file lies in.
    pub(super) fn prepare(&self, tile: TileId, folders: &mut Folders) -> Result<(), StoreError> {
        self.path(tile, true).parent().map_or(Ok(()), |folder| folders.ensure(folder))
    }

    /// Adds bytes to a file; the folder must exist. Nothing is durable before [`Folders::sync`].
    pub(super) fn grow(&self, growth: &Growth, folders: &mut Folders) -> Result<(), StoreError> {
        let fresh = growth.start == 0;
        let name = self.path(growth.tile, fresh && growth.completes());
        let mut file = OpenOptions::new()
            .write(true)
            .create(fresh)
            .truncate(fresh)
            .open(&name)
            .map_err(StoreError::io("open", &name))?;
        folders.changed_file(&name);
        if !fresh {
            let met = file.seek(SeekFrom::End(0)).map_err(StoreError::io("seek in", &name))?;
            if met != growth.offset {
                let what = format!("expected {} bytes, met {met}", growth.offset);
                return Err(StoreError::corrupt(&name, None, what));
            }
        }
        file.write_all(&growth.bytes).map_err(StoreError::io("write", &name))?;
        if !fresh && growth.completes() {
            let complete = self.path(growth.tile, true);
            fs::rename(&name, &complete).map_err(StoreError::io("rename", &name))?;
            folders.renamed(&name, &complete);
        }
        Ok(())
    }

    /// Replaces a bundle as a whole; after a crash either the old or the new one is there.
    pub(super) fn replace_bundle(
        &self,
        number: u64,
        complete: bool,
        bytes: &[u8],
        folders: &mut Folders,
    ) -> Result<(), StoreError> {
        let path = self.path(TileId::entries(number), complete);
        write_durably(&path, bytes)?;
        folders.changed_parent(&path);
        Ok(())
    }

    /// The bytes of a file, at most `bytes_max`. `complete` tells which name to expect; a file that
    /// another thread is renaming at this moment is found under its other name.
    pub(super) fn read(
        &self,
        tile: TileId,
        complete: bool,
        bytes_max: u64,
    ) -> Result<Bytes, StoreError> {
        let expected = self.path(tile, complete);
        for attempt in 0..READ_ATTEMPTS {
            let path = self.path(tile, complete || attempt % 2 == 1);
            match read_at_most(&path, bytes_max) {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("read", &path)(error)),
            }
        }
        Err(StoreError::corrupt(&expected, None, "the file is missing"))
    }

    /// The first `count` hashes of a tile, not yet checked against anything.
    pub(super) fn read_hashes(&self, tile: TileId, count: u64) -> Result<Vec<Hash>, StoreError> {
        let complete = count == TILE_WIDTH;
        let bytes = self.read(tile, complete, count * Hash::LEN as u64)?;
        if (bytes.len() as u64) < count * Hash::LEN as u64 {
            let what = format!("expected {count} hashes, met {}", bytes.len() / Hash::LEN);
            return Err(StoreError::corrupt(&self.path(tile, complete), None, what));
        }
        Ok(bytes.chunks_exact(Hash::LEN).filter_map(|hash| Hash::try_from(hash).ok()).collect())
    }

    /// The first `count` entries of a bundle, not yet checked against anything.
    pub(super) fn read_bundle(&self, number: u64, count: u64) -> Result<Bundle, StoreError> {
        let (tile, complete) = (TileId::entries(number), count == TILE_WIDTH);
        let bytes = self.read(tile, complete, BUNDLE_BYTES_MAX)?;
        Bundle::parse(bytes, count).map_err(|short| {
            StoreError::corrupt(
                &self.path(tile, complete),
                Some(number * TILE_WIDTH + short.whole),
                format!("expected {count} entries, met {}", short.whole),
            )
        })
    }

    /// Reads the incomplete tiles of a log of `size` leaves.
    pub(super) fn read_edge(&self, size: u64) -> Result<Edge, StoreError> {
        let mut levels = Vec::new();
        for level in 0..LEVELS_MAX {
            let width = Edge::width(size, level);
            let tile = TileId::hashes(level, Edge::number(size, level));
            levels.push(if width == 0 { Vec::new() } else { self.read_hashes(tile, width)? });
        }
        Ok(Edge::from_levels(size, levels))
    }

    /// Cuts every file back to a log of `size` leaves and removes what lies beyond; returns the
    /// bytes in the incomplete bundle. What is within `size` is not touched.
    pub(super) fn trim(&self, size: u64, folders: &mut Folders) -> Result<u64, StoreError> {
        for level in 0..LEVELS_MAX {
            let (number, width) = (Edge::number(size, level), Edge::width(size, level));
            let tile = TileId::hashes(level, number);
            if width > 0 {
                self.reopen(tile, folders)?;
                self.cut(tile, width * Hash::LEN as u64)?;
            }
            self.remove_beyond(tile, width > 0, folders)?;
        }
        let (number, width) = (size / TILE_WIDTH, size % TILE_WIDTH);
        let mut bundle_bytes = 0;
        if width > 0 {
            self.reopen(TileId::entries(number), folders)?;
            bundle_bytes = self.read_bundle(number, width)?.len_bytes();
            self.cut(TileId::entries(number), bundle_bytes)?;
        }
        self.remove_beyond(TileId::entries(number), width > 0, folders)?;
        Ok(bundle_bytes)
    }

    /// Gives a file that was completed by an uncommitted write its growing name back.
    fn reopen(&self, tile: TileId, folders: &mut Folders) -> Result<(), StoreError> {
        let (partial, complete) = (self.path(tile, false), self.path(tile, true));
        if partial.exists() || !complete.exists() {
            return Ok(());
        }
        fs::rename(&complete, &partial).map_err(StoreError::io("rename", &complete))?;
        folders.renamed(&complete, &partial);
        Ok(())
    }

    /// Cuts a growing file back to `bytes`.
    fn cut(&self, tile: TileId, bytes: u64) -> Result<(), StoreError> {
        let path = self.path(tile, false);
        let met = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::corrupt(&path, None, "the file is missing"));
            }
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        if met < bytes {
            let what = format!("expected at least {bytes} bytes, met {met}");
            return Err(StoreError::corrupt(&path, None, what));
        }
        if met == bytes {
            return Ok(());
        }
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(bytes).and_then(|()| file.sync_data()))
            .map_err(StoreError::io("cut back", &path))
    }

    /// Removes files beyond `tile`, and `tile` itself unless it is `kept` as a growing file.
    fn remove_beyond(
        &self,
        tile: TileId,
        kept: bool,
        folders: &mut Folders,
    ) -> Result<(), StoreError> {
        let thousand = tile.number - tile.number % 1000;
        let folder = self.folder_of(TileId { number: thousand, ..tile });
        remove_files(&folder, folders, |place, partial| {
            let number = thousand + place;
            number > tile.number || number == tile.number && !(kept && partial)
        })?;
        let mut next = thousand + 1000;
        loop {
            let folder = self.folder_of(TileId { number: next, ..tile });
            if !folder.is_dir() {
                return Ok(());
            }
            remove_files(&folder, folders, |_, _| true)?;
            next += 1000;
        }
    }

    fn folder_of(&self, tile: TileId) -> PathBuf {
        let path = self.root.join(tile.path());
        path.parent().map_or(path.clone(), Path::to_path_buf)
    }

    /// Every file of one part as (number, growing, path), in no particular order, and the paths
    /// that are none.
    pub(super) fn list(&self, part: Part) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        let base = self.root.join(part_folder(part));
        let mut folders = vec![base.clone()];
        while let Some(folder) = folders.pop() {
            for entry in read_folder(&folder)? {
                let entry = entry.map_err(StoreError::io("read folder", &folder))?;
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let (name, growing) = strip_partial(path.strip_prefix(&base).unwrap_or(&path));
                match super::path::parse_number_path(&name) {
                    Some(number) => listing.files.push((number, growing)),
                    None => listing.strange.push(path),
                }
            }
        }
        Ok(listing)
    }
}

/// What [`LogFiles::list`] found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Number of each file, and whether it bears the growing name.
    pub(super) files: Vec<(u64, bool)>,
    /// Files that bear no number.
    pub(super) strange: Vec<PathBuf>,
}

/// Removes the files of `folder` for which `beyond(number in the thousand, growing)` holds, and
/// temporary files that a crash left.
fn remove_files(
    folder: &Path,
    folders: &mut Folders,
    beyond: impl Fn(u64, bool) -> bool,
) -> Result<(), StoreError> {
    for entry in read_folder(folder)? {
        let entry = entry.map_err(StoreError::io("read folder", folder))?;
        let path = entry.path();
        let name = PathBuf::from(entry.file_name());
        let temporary = name.extension().is_some_and(|extension| extension == "tmp");
        let (base, partial) = strip_partial(&name);
        let number = base.to_str().and_then(|text| text.parse::<u64>().ok());
        let own = number.is_some_and(|number| number_path(number) == base);
        let leftover = temporary || own && number.is_some_and(|number| beyond(number, partial));
        // A folder of that name is nobody's leftover: fsck tells of it.
        if leftover && !path.is_dir() {
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
            folders.removed(&path);
        }
    }
    Ok(())
}

/// The entries of a folder; none where it does not exist.
fn read_folder(
    folder: &Path,
) -> Result<impl Iterator<Item = io::Result<fs::DirEntry>> + use<>, StoreError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(StoreError::io("read folder", folder)(error)),
    }
}

fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len().min(bytes_max);
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(Bytes::from(bytes))
}

/// A file is renamed at most twice around one reading: when it completes, and back when that
/// commit fails. Four looks meet it under one of its names.
const READ_ATTEMPTS: u32 = 4;
