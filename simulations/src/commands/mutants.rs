//! `mutants`: whether the checkers catch bugs that are planted into the protocol.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use hutong_simulations::mutants::{self, Fate, Nursery};

/// Plant bugs into a copy of the protocol; exit code 1 where one is not caught.
#[derive(Debug, clap::Args)]
pub(crate) struct Mutants {
    /// The names of the mutants to plant; all where left out.
    names: Vec<String>,
    /// How many seeds each has to survive.
    #[arg(long, default_value_t = 120)]
    seeds: u64,
    /// How many nodes the federations have.
    #[arg(long, default_value_t = 12)]
    nodes: usize,
    /// The folder of the copy, which is kept for the next time.
    #[arg(long, default_value = "target/mutants")]
    copy: PathBuf,
}

impl Mutants {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let root = Path::new(".");
        let copy = std::path::absolute(&self.copy)?;
        std::fs::create_dir_all(&copy)?;
        let nursery = Nursery::new(root, &copy)?;
        let mut code = ExitCode::SUCCESS;
        for (name, mutant) in mutants::all(&root.join("simulations/mutants"))? {
            if !self.names.is_empty() && !self.names.contains(&name) {
                continue;
            }
            let begun = Instant::now();
            let fate = nursery.raise(&mutant, self.seeds, self.nodes)?;
            let seconds = begun.elapsed().as_secs();
            let checker = &mutant.caught_by;
            match fate {
                Fate::Caught(seed) => {
                    println!("{name}: caught by {checker} at seed {seed} ({seconds} s)");
                }
                Fate::CaughtByOthers(others) => {
                    println!("{name}: NOT caught by {checker}, but by {others:?} ({seconds} s)");
                    code = ExitCode::from(1);
                }
                Fate::Survived => {
                    println!("{name}: SURVIVED ({seconds} s)");
                    code = ExitCode::from(1);
                }
            }
        }
        Ok(code)
    }
}
