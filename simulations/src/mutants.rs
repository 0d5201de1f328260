//! Bugs planted into the protocol on purpose: each must be caught by the checker that is named.
//!
//! A mutant is a file, a text in it, and another text. It is applied to a copy of the crates that
//! simulations rest on, never to the crates themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What the copy consists of.
const COPIED: [&str; 3] = ["crypto", "protocol", "simulations"];

/// A bug to plant.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// The file, from the repository's root.
    pub file: PathBuf,
    /// What must catch it.
    pub caught_by: String,
    /// Text that is there exactly once.
    pub find: String,
    /// What comes in its place.
    pub replace: String,
}

/// What became of a mutant.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The checker that was named caught it, at this seed.
    Caught(u64),
    /// Others did.
    CaughtByOthers(Vec<String>),
    /// Nothing did.
    Survived,
}

/// All mutants of a folder with their names, in order.
///
/// # Errors
///
/// Where a file is none.
pub fn all(folder: &Path) -> Result<Vec<(String, Mutant)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_string();
        let text = fs::read_to_string(&path)?;
        found.push((name, toml::from_str(&text).with_context(|| path.display().to_string())?));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

impl Mutant {
    /// The file's text with the bug planted.
    ///
    /// # Errors
    ///
    /// Where the text to replace is not there exactly once: then the mutant must be written anew.
    pub fn plant(&self, root: &Path) -> Result<String> {
        let path = root.join(&self.file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let met = text.matches(&self.find).count();
        ensure!(met == 1, "{} holds the text to replace {met} times", self.file.display());
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

/// A copy of the crates, in which mutants are planted one after the other.
#[derive(Debug)]
pub struct Nursery {
    root: PathBuf,
    copy: PathBuf,
}

impl Nursery {
    /// Copies the crates of the repository at `root` into `copy`.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or written.
    pub fn new(root: &Path, copy: &Path) -> Result<Self> {
        for folder in COPIED {
            copy_folder(&root.join(folder), &copy.join(folder))?;
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let members = COPIED.map(|name| format!("\"{name}\"")).join(", ");
        let manifest: Vec<String> = manifest
            .lines()
            .filter(|line| !line.starts_with("default-members"))
            .map(|line| match line.split_once(" = ") {
                Some(("members", _)) => format!("members = [{members}]"),
                _ => line.to_string(),
            })
            .collect();
        write_if_other(&copy.join("Cargo.toml"), &manifest.join("\n"))?;
        fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock"))?;
        Ok(Self { root: root.to_path_buf(), copy: copy.to_path_buf() })
    }

    /// Plants a mutant, runs so many seeds on so many nodes, and takes it out again.
    ///
    /// # Errors
    ///
    /// Where its text is not there, or it does not compile.
    pub fn raise(&self, mutant: &Mutant, seeds: u64, nodes: usize) -> Result<Fate> {
        let planted = mutant.plant(&self.root)?;
        let path = self.copy.join(&mutant.file);
        write_if_other(&path, &planted)?;
        let fate = self.run(mutant, seeds, nodes);
        write_if_other(&path, &fs::read_to_string(self.root.join(&mutant.file))?)?;
        fate
    }

    fn run(&self, mutant: &Mutant, seeds: u64, nodes: usize) -> Result<Fate> {
        let output = Command::new("cargo")
            .args(["run", "--quiet", "--offline", "-p", "hutong-simulations"])
            .args(["--no-default-features", "--", "swarm"])
            .args(["--json", "--until", &mutant.caught_by])
            .args(["--seeds", &seeds.to_string(), "--nodes", &nodes.to_string()])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", self.copy.join("target"))
            .output()
            .context("cargo")?;
        let reports: Vec<Value> = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let mut others = Vec::new();
        for report in &reports {
            for failure in report["failures"].as_array().into_iter().flatten() {
                let checker = failure.as_str().unwrap_or_default();
                let checker = checker.split(' ').next().unwrap_or_default().to_string();
                if checker == mutant.caught_by {
                    return Ok(Fate::Caught(report["seed"].as_u64().unwrap_or_default()));
                }
                others.push(checker);
            }
        }
        others.sort();
        others.dedup();
        Ok(if others.is_empty() { Fate::Survived } else { Fate::CaughtByOthers(others) })
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            write_if_other(&target, &text)?;
        }
    }
    Ok(())
}

/// Leaves a file alone that is as it should be, so that it is not built anew.
fn write_if_other(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}
