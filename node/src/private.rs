//! The data folder's owner and modes: a folder 0700, a file 0600.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a data folder is not kept from others.
#[derive(Debug, Error)]
pub enum PrivacyError {
    /// Another user owns it, and can read and replace what is in it.
    #[error(
        "{} belongs to user {owner}, and this process runs as user {me}; run it as that user, or change the owner with `chown -R`",
        path.display()
    )]
    Owner {
        /// The data folder.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
        /// User id of the process.
        me: u32,
    },
    /// The disk.
    #[error("cannot {action} {}; check the owner and permissions of the data folder", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// The group's and everybody's bits.
const OTHERS: u32 = 0o077;

/// Folders within folders at most: `logs/<exchange>/tile/entries/x…/x…/x…/x…` has fewer.
const DEPTH_MAX: usize = 32;

/// Secrets have checks of their own, which refuse what others may have read: it must not be used any more.
const SECRETS: [&str; 3] = ["keys/seed", "keys/seed.age", "api.token"];

/// Creates the data folder with mode 0700, or tightens the one that is there. Returns how many files and folders
/// others could open before; secrets are not touched.
///
/// The whole folder is walked only where others can open it: below a folder of mode 0700 nobody reaches anything.
/// The folder itself is tightened last, so that an interrupted run is repeated.
///
/// # Errors
///
/// [`PrivacyError::Owner`] where another user owns the folder, [`PrivacyError::Disk`].
pub fn keep(data: &Path) -> Result<usize, PrivacyError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER)
        .create(data)
        .map_err(disk("create", data))?;
    keep_existing(data)
}

/// As [`keep`], for a folder that may be missing: then nothing is done.
///
/// # Errors
///
/// As [`keep`].
pub fn keep_existing(data: &Path) -> Result<usize, PrivacyError> {
    let met = match fs::metadata(data) {
        Ok(met) => met,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(disk("read", data)(source)),
    };
    check_owner(data, &met, rustix::process::geteuid().as_raw())?;
    if met.mode() & OTHERS == 0 {
        return Ok(0);
    }
    let secrets = SECRETS.map(|secret| data.join(secret));
    let mut tightened = 0;
    let mut folders = vec![(data.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for item in fs::read_dir(&folder).map_err(disk("read", &folder))? {
            let path = item.map_err(disk("read", &folder))?.path();
            // Never what a link points to: that may lie anywhere.
            let met = fs::symlink_metadata(&path).map_err(disk("read", &path))?;
            if met.is_dir() && depth < DEPTH_MAX {
                folders.push((path.clone(), depth + 1));
            }
            if (met.is_dir() || met.is_file()) && !secrets.contains(&path) {
                tightened += usize::from(tighten(&path, &met)?);
            }
        }
    }
    tighten(data, &met)?;
    Ok(tightened + 1)
}

fn check_owner(data: &Path, met: &Metadata, me: u32) -> Result<(), PrivacyError> {
    let owner = met.uid();
    if owner == me {
        return Ok(());
    }
    Err(PrivacyError::Owner { path: data.to_owned(), owner, me })
}

/// Takes the rights of group and others away. False where they had none.
fn tighten(path: &Path, met: &Metadata) -> Result<bool, PrivacyError> {
    if met.mode() & OTHERS == 0 {
        return Ok(false);
    }
    let mode = if met.is_dir() { FOLDER } else { FILE };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(disk("protect", path))?;
    Ok(true)
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> PrivacyError {
    let path = path.to_owned();
    move |source| PrivacyError::Disk { action, path, source }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_folder_is_private_and_one_that_is_private_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("a/b");
        assert_eq!(keep(&data).unwrap(), 0);
        assert_eq!(mode(&data), 0o700);
        assert_eq!(keep(&data).unwrap(), 0);
        assert_eq!(keep_existing(&place.path().join("missing")).unwrap(), 0);
        assert!(!place.path().join("missing").exists());
    }

    #[test]
    fn a_wide_folder_is_tightened_with_all_that_is_in_it() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path();
        let (folder, file) = (data.join("logs/x"), data.join("logs/x/tile"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, "x").unwrap();
        for (path, wide) in [(data, 0o755), (&data.join("logs"), 0o750), (&folder, 0o777)] {
            set(path, wide);
        }
        set(&file, 0o644);
        assert_eq!(keep(data).unwrap(), 4);
        for folder in [data, &data.join("logs"), &folder] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(mode(&file), 0o600);
        assert_eq!(keep(data).unwrap(), 0);
    }

    #[test]
    fn an_exposed_seed_is_not_made_to_look_as_if_it_had_not_been() {
        let place = tempfile::tempdir().unwrap();
        let seed = place.path().join("keys/seed");
        fs::create_dir(place.path().join("keys")).unwrap();
        fs::write(&seed, "x").unwrap();
        set(&seed, 0o644);
        set(place.path(), 0o755);
        keep(place.path()).unwrap();
        assert_eq!(mode(&seed), 0o644);
    }

    #[test]
    fn what_a_link_points_to_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let (outside, data) = (place.path().join("outside"), place.path().join("data"));
        fs::write(&outside, "x").unwrap();
        set(&outside, 0o644);
        fs::create_dir(&data).unwrap();
        set(&data, 0o755);
        std::os::unix::fs::symlink(&outside, data.join("link")).unwrap();
        assert_eq!(keep(&data).unwrap(), 1);
        assert_eq!(mode(&outside), 0o644);
    }

    #[test]
    fn the_folder_of_another_user_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let met = fs::metadata(place.path()).unwrap();
        assert!(check_owner(place.path(), &met, met.uid()).is_ok());
        let error = check_owner(place.path(), &met, met.uid() + 1).unwrap_err();
        assert!(error.to_string().contains("chown"), "{error}");
    }
}
