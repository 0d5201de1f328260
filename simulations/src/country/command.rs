//! `hutong-simulations country …` and `calibrate …`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use hutong_protocol::mesh;
use indicatif::{ProgressBar, ProgressStyle};

use super::divisions::Divisions;
use super::engine::{Country, Settings};
use super::figures::{Figures, processor_seconds};
use super::load::Stretch;
use super::plan::Plan;
use super::show;
use crate::gossip::calibrate::calibrate;
use crate::gossip::params::Params;

/// A country's day.
#[derive(Debug, Clone, Args)]
pub struct CountryArguments {
    /// How many exchanges, 10 to 3,400.
    #[arg(long, default_value_t = super::plan::FULL)]
    pub nodes: usize,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Hour at which it begins.
    #[arg(long, default_value_t = 0.0)]
    pub from: f64,
    /// Hour at which it ends.
    #[arg(long, default_value_t = 24.0)]
    pub to: f64,
    /// Where the division files are; made-up divisions where there are none.
    #[arg(long, default_value = "../shared/domain")]
    pub divisions: PathBuf,
    /// Threads; the outcome is the same with any number.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Let the last county exchange join only when the stretch is over, and see how long it takes to
    /// catch up.
    #[arg(long)]
    pub late: bool,
    /// How many of the county exchanges are admitted during the stretch.
    #[arg(long, default_value_t = 0)]
    pub newcomers: usize,
    /// Entries up to this size travel with announcements, in bytes; as the protocol has it if left
    /// out.
    #[arg(long)]
    pub announced_bytes: Option<usize>,
    /// Peers in a gossip mesh: `D`, with `D_low` and `D_high` in proportion.
    #[arg(long, default_value_t = Params::HUTONG.d)]
    pub mesh: usize,
    /// Messages above this size are declined by `IDONTWANT` where they are here already, in bytes.
    #[arg(long, default_value_t = mesh::IDONTWANT_BYTES)]
    pub idontwant: usize,
    /// Write the figures as JSON to this file.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The model of gossip beside libp2p.
#[derive(Debug, Clone, Args)]
pub struct CalibrateArguments {
    /// Sizes of the networks.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 200])]
    pub nodes: Vec<usize>,
    /// Messages in each.
    #[arg(long, default_value_t = 40)]
    pub messages: usize,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs a country's day and prints its figures; exit code 1 where a rule was broken or a statement
/// did not reach everybody.
///
/// # Errors
///
/// Where files cannot be read or written.
pub fn country(arguments: &CountryArguments) -> Result<ExitCode> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
    let figures = pool.install(|| run(arguments))?;
    println!("{}", show::markdown(&figures));
    for missing in figures.missing.iter().take(20) {
        println!("MISSING: {missing:?}");
    }
    for slow in &figures.slowest {
        println!("SLOW: {slow:?}");
    }
    for violation in figures.violations.iter().take(20) {
        println!("BROKEN: {violation}");
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figures)?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    let good = figures.violations.is_empty()
        && figures.complete == figures.statements
        && figures.enrolled == figures.newcomers;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Runs a country's day.
///
/// # Errors
///
/// Where files cannot be read.
pub fn run(arguments: &CountryArguments) -> Result<Figures> {
    let begin = (Instant::now(), processor_seconds());
    let divisions = Divisions::load(&arguments.divisions)?;
    let plan = Plan::new(&divisions, arguments.nodes, arguments.seed)?;
    let plan = plan.with_newcomers(arguments.newcomers);
    let stretch = Stretch { from: seconds(arguments.from), to: seconds(arguments.to) };
    let (nodes, seed) = (arguments.nodes, arguments.seed);
    let idontwant_bytes = Some(arguments.idontwant);
    let params = Params { idontwant_bytes, ..Params::HUTONG.with_mesh(arguments.mesh) };
    let announced_bytes = arguments.announced_bytes;
    let bar = bar(1_000, "founding");
    let settings = Settings { nodes, seed, stretch, params, late: arguments.late, announced_bytes };
    let mut country = Country::new(plan, settings, |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let bar = self::bar(stretch.seconds() + 60, "the day");
    country.run(|now| bar.set_position(now - stretch.from));
    bar.finish_and_clear();
    let cpu = processor_seconds() - begin.1;
    let figures = Figures::of(&country, begin.0.elapsed().as_secs_f64(), cpu);
    // The process is about to end: to take thousands of states apart would cost seconds.
    std::mem::forget(country);
    Ok(figures)
}

/// Runs the model and libp2p, and prints both; exit code 1 where they do not agree.
///
/// # Errors
///
/// Where a swarm cannot be run.
pub fn calibration(arguments: &CalibrateArguments) -> Result<ExitCode> {
    let bar = bar(0, "libp2p");
    let done = calibrate(&arguments.nodes, arguments.messages, arguments.seed, |what, at, of| {
        bar.set_length(of as u64);
        bar.set_message(what.to_string());
        bar.set_position(at as u64);
    })?;
    bar.finish_and_clear();
    let mut agree = true;
    println!("| nodes | message | what | model | libp2p | off by |\n|---:|---|---|---:|---:|---:|");
    for one in &done {
        print!("{}", one.rows());
        agree &= one.agrees();
    }
    Ok(if agree { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A progress bar.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = "{msg:>16} {wide_bar:.cyan/blue} {percent:>3}% {elapsed} + {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_string());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "hours of a day; what is negative is midnight"
)]
fn seconds(hours: f64) -> u64 {
    (hours.clamp(0.0, 24.0) * 3_600.0) as u64
}
