//! Runs virtual federations.

mod commands;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use hutong_simulations::country::command::{self, CalibrateArguments, CountryArguments};
use hutong_simulations::report::{self, command::ReportArguments};

/// Thousands of states allocate all the time; the system's allocator would be a third of a run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Run a country of exchanges through its busiest day, and print what that cost.
    Country(CountryArguments),
    /// Run countries of growing size, and write a report with plots.
    Report(ReportArguments),
    /// Run the model of gossip and libp2p itself on the same networks, and print both.
    Calibrate(CalibrateArguments),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Swarm(swarm) => swarm.run(),
        Command::Mutants(mutants) => mutants.run(),
        Command::Country(arguments) => command::country(&arguments),
        Command::Report(arguments) => report::command::report(&arguments),
        Command::Calibrate(arguments) => command::calibration(&arguments),
    }
}
