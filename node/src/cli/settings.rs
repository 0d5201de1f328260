//! What a command works with: the configuration of this process, the data folder, the node that runs on it.

use std::path::PathBuf;

use anyhow::Context as _;

use super::args::Global;
use super::exit::Unprepared;
use crate::api::client::{Client, ClientError};
use crate::config::{Config, ConfigError, Sources, load};
use crate::keys::{Kept, KeyFolder};

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

/// Makes sure that there is a data folder.
///
/// # Errors
///
/// [`Unprepared`] if there is none.
pub fn need_folder(global: &Global) -> Result<(), Unprepared> {
    if global.data.is_dir() {
        return Ok(());
    }
    let data = global.data.display();
    Err(Unprepared::new(
        format!("没有数据目录 {data}：请运行 hutong init，或用 --data 指定"),
        format!("there is no data folder {data}: run `hutong init`, or name another with --data"),
    ))
}

/// That the command needs a charter.
pub fn no_charter() -> Unprepared {
    Unprepared::new(
        "尚未安装章程：请取得联盟的章程文件，运行 hutong charter publish FILE",
        "no charter is installed: get the federation's charter file and run `hutong charter publish FILE`",
    )
}

/// The node that runs on the data folder.
///
/// # Errors
///
/// [`Unprepared`] without a data folder; [`ClientError`] where no node runs: if its seed is sealed, with what a
/// node needs to open it.
pub fn node(global: &Global) -> anyhow::Result<Client> {
    need_folder(global)?;
    let client = Client::from_data(&global.data);
    let sealed = KeyFolder::of(&global.data).kept() == Kept::Sealed;
    if sealed && matches!(client, Err(ClientError::NotRunning(_))) {
        return client.context(
            "the seed is sealed: `hutong run` asks for its passphrase at the terminal, or takes it with \
             --passphrase-file or HUTONG_PASSPHRASE, and takes some seconds to open it",
        );
    }
    Ok(client?)
}
