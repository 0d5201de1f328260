//! The command line: reads arguments, runs one command, ends with a documented code.

pub mod args;
pub mod charter;
pub mod chinese;
pub mod clock;
pub mod config;
pub mod console;
pub mod contract;
pub mod document;
pub mod exit;
pub mod federation;
pub mod fingerprint;
pub mod import;
pub mod init;
pub mod keys;
pub mod lang;
pub mod listing;
pub mod log;
pub mod manual;
pub mod member;
pub mod publisher;
pub mod receipt;
pub mod run;
pub mod secret;
pub mod settings;
pub mod status;
pub mod storage;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Cli, Command};
use console::Console;
use lang::Lang;

use crate::config::Logging;
use crate::logging::{self, LoggingError};
use crate::process;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = arguments(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
    let cli = Cli::from_arg_matches(&cli.get_matches()).unwrap_or_else(|error| error.exit());
    let lang = Lang::choose(cli.global.lang, |name| std::env::var(name).ok());
    let console = Console { lang, json: cli.global.json };
    let ended = process::forbid_core_dumps().map_err(anyhow::Error::from).and_then(|()| {
        // Manual pages and completions are for every user of the machine.
        if !matches!(cli.command, Command::Man { .. } | Command::Completions { .. }) {
            process::keep_files_private();
        }
        dispatch(cli, console)
    });
    exit::end(&ended, console)
}

/// The command line. It treats an empty environment variable as unset.
fn arguments(is_empty: impl Fn(&OsStr) -> bool) -> clap::Command {
    Cli::command().mut_args(|arg| {
        if arg.get_env().is_some_and(&is_empty) { arg.env(None::<&str>) } else { arg }
    })
}

fn dispatch(cli: Cli, console: Console) -> anyhow::Result<()> {
    let global = &cli.global;
    // A node's own logging is configured; everything else tells only what is wrong, unless asked for more.
    if !matches!(cli.command, Command::Run(_)) {
        let quiet = Logging { filter: "warn".to_owned(), ..Logging::default() };
        // Tests run many commands in one process, of which the first begins.
        match logging::start(&quiet, global.verbose) {
            Ok(()) | Err(LoggingError::Twice(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match cli.command {
        Command::Init(args) => init::run(global, &args, console),
        Command::Run(args) => run::run(global, &args, console),
        Command::Demo(args) => crate::demo::run(&args, console),
        Command::Listing(command) => listing::run(global, &command, console),
        Command::Contract(command) => contract::run(global, &command, console),
        Command::Receipt(command) => receipt::run(global, &command, console),
        Command::Log(command) => log::run(global, &command, console),
        Command::Fsck => storage::check(global, console),
        Command::Rebuild => storage::remake(global, console),
        Command::Status { wait } => status::status(global, wait, console),
        Command::Peers => status::peers(global, console),
        Command::Charter(command) => charter::run(global, &command, console),
        Command::Federation(command) => federation::run(global, &command, console),
        Command::Member(command) => member::run(global, &command, console),
        Command::Keys(command) => keys::run(global, &command, console),
        Command::Config(command) => config::run(global, &command, console),
        Command::Completions { shell } => manual::completions(shell, &mut std::io::stdout()),
        Command::Man { dir } => manual::pages(&dir),
    }
}
