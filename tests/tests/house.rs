//! Rules of the source tree that no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hutong_node::config::{Sources, load};
use serde_json::Value;

/// No source file is longer.
const LINES_MAX: usize = 900;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in the workspace").to_owned()
}

/// Each crate of the workspace with those of the workspace that it depends on, for whatever purpose.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    packages.iter().map(|package| (name(package), local(package))).collect()
}

fn name(package: &Value) -> String {
    package["name"].as_str().expect("a package and a dependency have a name").to_owned()
}

/// A dependency with a path lies in the workspace.
fn local(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().expect("a package has dependencies");
    dependencies.iter().filter(|found| found["path"].is_string()).map(name).collect()
}

/// Every file below `folder` whose name ends in `.extension`.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).expect("the folder can be read") {
        let path = item.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    let found = dependencies();
    let allowed = [
        ("hutong-crypto", &[][..]),
        ("hutong-protocol", &["hutong-crypto"]),
        ("hutong-node", &["hutong-crypto", "hutong-protocol"]),
        ("hutong-simulations", &["hutong-crypto", "hutong-protocol"]),
    ];
    for (of, allowed) in allowed {
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        assert_eq!(found.get(of), Some(&allowed), "{of}");
    }
    let known = allowed.map(|(of, _)| of);
    let others: Vec<&str> =
        found.keys().map(String::as_str).filter(|of| !known.contains(of)).collect();
    assert_eq!(others, ["hutong-tests"], "a new crate says here on what it may depend");
}

#[test]
fn crypto_and_protocol_need_no_operating_system() {
    for of in ["crypto", "protocol"] {
        let path = root().join(of).join("src/lib.rs");
        let source = fs::read_to_string(&path).expect("the crate has a root");
        let declared = source.lines().any(|line| line == "#![no_std]");
        assert!(declared, "{} declares no_std for every build", path.display());
    }
}

#[test]
fn every_sample_configuration_loads() {
    let folder = root().join("configs");
    let samples: Vec<PathBuf> =
        files(&folder, "toml").into_iter().filter(|path| path.parent() == Some(&folder)).collect();
    assert!(samples.len() >= 5, "one for each tier and one for the demonstration");
    for sample in samples {
        let sources = Sources { file: Some(sample.clone()), ..Sources::default() };
        let refusal = load(&sources).err().map(|error| error.to_string());
        assert_eq!(refusal, None, "{}", sample.display());

        let scratch = tempfile::tempdir().expect("a temporary folder");
        let changed = scratch.path().join("changed.toml");
        let text = fs::read_to_string(&sample).expect("the sample can be read");
        fs::write(&changed, format!("no_such_key = 1\n{text}")).expect("a file is written");
        let sources = Sources { file: Some(changed), ..Sources::default() };
        let refusal = load(&sources).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains("no_such_key"), "{}: {refusal}", sample.display());
    }
}

#[test]
fn no_source_file_is_too_long() {
    let crates = ["crypto", "protocol", "node", "simulations", "tests"];
    let mut lengths: Vec<(usize, PathBuf)> = crates
        .iter()
        .flat_map(|of| files(&root().join(of), "rs"))
        .map(|path| (fs::read_to_string(&path).expect("source is text").lines().count(), path))
        .collect();
    lengths.sort();
    let (longest, path) = lengths.last().expect("there is source");
    println!("the longest of {} files: {} with {longest} lines", lengths.len(), path.display());
    assert!(*longest <= LINES_MAX, "{} has {longest} lines: split it", path.display());
}
