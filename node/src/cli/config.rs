//! `hutong config`: check what holds, list what exists.

use super::args::{ConfigCommand, Global};
use super::console::{Console, shown_path};
use super::settings;
use crate::config::Config;

/// Runs one of the commands.
///
/// # Errors
///
/// Every finding about the configuration at once.
pub fn run(global: &Global, command: &ConfigCommand, console: Console) -> anyhow::Result<()> {
    let ConfigCommand::Check { keys } = command;
    let config = if *keys { Config::default() } else { settings::read(global, &[])? };
    console.show(&config, |config| {
        match settings::file(global).filter(|_| !keys) {
            Some(file) => console.line(&format!("# {}", shown_path(&file)))?,
            None => console.say("# 默认值", "# defaults")?,
        }
        console.line(toml::to_string_pretty(config)?.trim_end())
    })
}
