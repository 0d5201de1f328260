//! `hutong-simulations report …`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::growth::{Findings, grow};
use super::page;
use crate::country::command::{CountryArguments, bar};
use crate::gossip::calibrate::calibrate;

/// A report on growth.
#[derive(Debug, Clone, Args)]
pub struct ReportArguments {
    /// Sizes of countries of real states.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 300, 1_000, 3_400])]
    pub countries: Vec<usize>,
    /// Sizes of scopes for the model.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 300, 1_000, 3_400, 10_000, 30_000, 100_000])]
    pub model: Vec<usize>,
    /// Sizes of networks of real swarms; none with 0.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 200])]
    pub swarms: Vec<usize>,
    /// Messages in each of them.
    #[arg(long, default_value_t = 40)]
    pub messages: usize,
    /// The folder to write `report.html`, `report.md` and `report.json` to.
    #[arg(long, default_value = "report")]
    pub output: PathBuf,
    /// The day of each country; its size is not used.
    #[command(flatten)]
    pub country: CountryArguments,
}

/// Runs countries, the model and libp2p, and writes the report.
///
/// # Errors
///
/// Where something cannot be run, or files cannot be written.
pub fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let swarms: Vec<usize> = arguments.swarms.iter().copied().filter(|size| *size > 0).collect();
    let progress = bar(arguments.messages as u64, "libp2p");
    let messages = arguments.messages;
    let calibrations = calibrate(&swarms, messages, arguments.country.seed, |what, at, _| {
        progress.set_message(what.to_string());
        progress.set_position(at as u64);
    })?;
    progress.finish_and_clear();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.country.threads).build()?;
    let steps = bar((arguments.countries.len() + arguments.model.len()) as u64, "growth");
    let (countries, model) = pool.install(|| {
        grow(&arguments.countries, &arguments.model, &arguments.country, |what| {
            steps.set_message(what.to_string());
            steps.inc(1);
        })
    })?;
    steps.finish_and_clear();
    let findings = Findings::new(countries, model, calibrations);
    let folder = &arguments.output;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let markdown = page::markdown(&findings);
    for (name, text) in [
        ("report.html", page::html(&findings)?),
        ("report.md", markdown.clone()),
        ("report.json", serde_json::to_string_pretty(&findings)?),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    println!("{markdown}\n{}", folder.join("report.html").display());
    Ok(ExitCode::SUCCESS)
}
