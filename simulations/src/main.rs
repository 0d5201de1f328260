//! Runs virtual federations.

mod commands;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
#[cfg(feature = "scale")]
use hutong_simulations::country::command::{self, CalibrateArguments, CountryArguments};
#[cfg(feature = "scale")]
use hutong_simulations::report::{self, command::ReportArguments};

/// Thousands of states allocate all the time; the system's allocator would be a third of a run.
#[cfg(feature = "scale")]
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
    #[cfg(feature = "model")]
    Model(commands::model::Model),
    #[cfg(feature = "scale")]
    /// Run a country of exchanges through its busiest day, and print what that cost.
    Country(CountryArguments),
    #[cfg(feature = "scale")]
    /// Run countries of growing size, and write a report with plots.
    Report(ReportArguments),
    #[cfg(feature = "scale")]
    /// Run the model of gossip and libp2p itself on the same networks, and print both.
    Calibrate(CalibrateArguments),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Swarm(swarm) => swarm.run(),
        Command::Mutants(mutants) => mutants.run(),
        #[cfg(feature = "model")]
        Command::Model(model) => model.run(),
        #[cfg(feature = "scale")]
        Command::Country(arguments) => command::country(&arguments),
        #[cfg(feature = "scale")]
        Command::Report(arguments) => report::command::report(&arguments),
        #[cfg(feature = "scale")]
        Command::Calibrate(arguments) => command::calibration(&arguments),
    }
}
