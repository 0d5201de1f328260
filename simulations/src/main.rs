//! Runs virtual federations.

mod commands;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "A virtual federation of Hutong nodes on virtual time")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::Run),
    Swarm(commands::swarm::Swarm),
    Mutants(commands::mutants::Mutants),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Swarm(swarm) => swarm.run(),
        Command::Mutants(mutants) => mutants.run(),
    }
}
