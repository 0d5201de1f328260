//! The configuration as a command meets it: file, environment and flags of this process.

use std::path::PathBuf;

use super::args::Global;
use crate::config::{Config, ConfigError, Sources, load};

/// The file that is read: the one named, otherwise `<data>/hutong.toml` if it exists.
pub fn file(global: &Global) -> Option<PathBuf> {
    global.config.clone().or_else(|| {
        let path = global.data.join("hutong.toml");
        path.exists().then_some(path)
    })
}

/// Reads the configuration, with `flags` on top.
///
/// # Errors
///
/// As [`load`].
pub fn read(global: &Global, flags: &[(String, String)]) -> Result<Config, ConfigError> {
    // A variable that is no text cannot be a setting; its name would not be, either.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load(&Sources { file: file(global), environment, flags: flags.to_vec() })
}
