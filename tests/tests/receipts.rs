//! A folder of receipts gets the verdicts that its files get alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, ensure};
use hutong_tests::process::run;
use hutong_tests::receipts::Registry;
use serde_json::Value;

/// What came of a file: the verdict and whether it is accepted, and nothing where there is no verdict.
type Came = Option<(String, bool)>;

fn came(value: &Value) -> Came {
    Some((value["verdict"].as_str()?.to_owned(), value["accepted"].as_bool()?))
}

/// Valid, forged, cut, foreign, later and compact receipts, and what is none.
fn fill(folder: &Path, registry: &mut Registry) -> anyhow::Result<()> {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    let (first, second) = (registry.register(1), registry.register(2));
    registry.anchor();
    let receipt = registry.receipt(first, &[])?;
    let bytes = receipt.encode();
    write("a.hutong-receipt.json", &bytes)?;
    write("b.json", &registry.receipt(second, &[])?.encode())?;
    write("c.hutong-receipt", &receipt.encode_compact()?)?;
    // Bits in the authority, the entry, the proof and the signatures.
    for place in (20..bytes.len()).step_by(bytes.len() / 9) {
        let mut forged = bytes.clone();
        forged[place] ^= 1;
        write(&format!("forged-{place}.json"), &forged)?;
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        write(&format!("cut-{length}"), &bytes[..length])?;
    }
    let mut foreign = Registry::new(5);
    let index = foreign.register(1);
    foreign.anchor();
    write("foreign.json", &foreign.receipt(index, &[])?.encode())?;
    let amended = registry.amend(first)?;
    registry.anchor();
    let later = registry.receipt(first, &[amended])?;
    write("later.json", &later.encode())?;
    let other_version = String::from_utf8(bytes)?.replace("hutong-receipt/1", "hutong-receipt/2");
    write("version.json", other_version.as_bytes())?;
    symlink("nowhere", folder.join("missing.json"))?;
    // Neither a folder nor what lies beside receipts has a line.
    fs::create_dir(folder.join("folder"))?;
    write("qr.svg", b"<svg/>")?;
    Ok(())
}

fn verify(folder: &Path, terms: &[&str], what: &[&str]) -> anyhow::Result<Output> {
    run(folder, &[&["receipt", "verify", "--json"], what, terms].concat())
}

fn check(folder: &Path, terms: &[&str]) -> anyhow::Result<BTreeMap<String, Came>> {
    let path = folder.to_str().context("a temporary folder has a name in Unicode")?;
    let output = verify(folder, terms, &["--batch", path])?;
    let mut lines = String::from_utf8(output.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>()?;
    let summary = lines.pop().context("there is a summary")?;
    ensure!(summary["summary"]["files"] == lines.len(), "{summary}");
    let mut all = BTreeMap::new();
    let mut worst = 0;
    for line in &lines {
        let name = line["file"].as_str().context("a line names its file")?;
        let single = verify(folder, terms, &[folder.join(name).to_str().context("in Unicode")?])?;
        let alone = serde_json::from_slice(&single.stdout).ok().as_ref().and_then(came);
        ensure!(came(line) == alone, "{name}: {line} in the folder, {alone:?} alone");
        let code = single.status.code().context("the program ended by itself")?;
        // 1, that a file is refused, is worse than 2, that the bundle is missing.
        worst = if worst == 1 || code == 1 { 1 } else { worst.max(code) };
        all.insert(name.to_owned(), alone);
    }
    ensure!(output.status.code() == Some(worst), "{:?} instead of {worst}", output.status);
    Ok(all)
}

#[test]
fn a_folder_gets_the_verdicts_that_its_files_get_alone() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("receipts");
    fs::create_dir(&folder)?;
    let mut registry = Registry::new(3);
    fill(&folder, &mut registry)?;
    let bundle = scratch.path().join("bundle");
    fs::write(&bundle, registry.bundle())?;
    let (id, bundle) = (registry.federation().to_string(), bundle.to_string_lossy().into_owned());

    let alone = check(&folder, &["--federation", &id])?;
    let verdict = |all: &BTreeMap<String, Came>, name: &str| {
        all.get(name).cloned().flatten().map(|(verdict, _)| verdict)
    };
    let valid = Some("valid".to_owned());
    assert_eq!(verdict(&alone, "a.hutong-receipt.json"), valid);
    assert_eq!(verdict(&alone, "b.json"), valid);
    assert_eq!(verdict(&alone, "c.hutong-receipt"), None, "there is no bundle");
    assert_eq!(verdict(&alone, "foreign.json").as_deref(), Some("invalid"));
    assert_eq!(verdict(&alone, "later.json").as_deref(), Some("valid_superseded"));
    assert_eq!(verdict(&alone, "version.json").as_deref(), Some("not_verifiable_here"));
    assert_eq!(verdict(&alone, "missing.json"), None);
    assert!(!alone.contains_key("qr.svg") && !alone.contains_key("folder"));

    let terms = ["--federation", &id, "--authority", &bundle, "--allow", "valid_superseded"];
    let with_bundle = check(&folder, &terms)?;
    assert_eq!(verdict(&with_bundle, "c.hutong-receipt"), valid);
    assert_eq!(with_bundle["later.json"], Some(("valid_superseded".to_owned(), true)));
    Ok(())
}

#[test]
fn a_folder_ends_well_only_if_every_file_does() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut registry = Registry::new(3);
    let id = registry.federation().to_string();
    let path = folder.path().to_str().context("in Unicode")?.to_owned();
    let code = |terms: &[&str]| -> anyhow::Result<Option<i32>> {
        let output =
            run(folder.path(), &[&["receipt", "verify", "--batch", &path], terms].concat())?;
        Ok(output.status.code())
    };
    assert_eq!(code(&["--federation", &id])?, Some(2), "an empty folder proves nothing");
    let index = registry.register(1);
    registry.anchor();
    let receipt = registry.receipt(index, &[])?;
    fs::write(folder.path().join("a.json"), receipt.encode())?;
    assert_eq!(code(&["--federation", &id])?, Some(0));
    fs::write(folder.path().join("b"), receipt.encode_compact()?)?;
    assert_eq!(code(&["--federation", &id])?, Some(2), "the bundle is missing");
    fs::write(folder.path().join("c"), b"{}")?;
    assert_eq!(code(&["--federation", &id])?, Some(1));
    Ok(())
}
