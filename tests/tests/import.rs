//! A real catalogue, each centre's part from an exchange of its own: all nodes end with the same listings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hutong_tests::federation::{Exchange, Federation};
use hutong_tests::process::run;
use serde_json::Value;

const CATALOGUE: &str = "../shared/data/nasa-open-source-catalog.json";
const MAPPING: &str = "configs/mappings/nasa-open-source.toml";
const LISTINGS: usize = 601;

/// How long the import of all may take, durable on one node: 3 s, and more for a build that is not optimised.
const IMPORTED_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 3 });

/// How long the other nodes may take from then on.
const EQUAL_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 5 });

/// How many projects each centre has.
fn centres(catalogue: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let projects: Vec<Value> = serde_json::from_slice(&std::fs::read(catalogue)?)?;
    let mut centres = BTreeMap::new();
    for project in projects {
        let centre = project["NASA Center"].as_str().context("a project has no centre")?;
        *centres.entry(centre.to_owned()).or_default() += 1;
    }
    Ok(centres)
}

/// Every listing that a node shows: whose, id and statement.
fn listings(exchange: &Exchange) -> anyhow::Result<BTreeSet<(String, String, String)>> {
    let mut all = BTreeSet::new();
    let mut query = vec![("limit", "500".to_owned())];
    loop {
        let page = exchange.node()?.client().listings(&query)?;
        for listing in page.items {
            all.insert((listing.exchange, listing.id, listing.newest.statement));
        }
        let Some(next) = page.next else { return Ok(all) };
        query.truncate(1);
        query.push(("after", next));
    }
}

/// Imports the projects of one centre, and returns how many are new.
fn import_centre(
    exchange: &Exchange,
    centre: &str,
    root: &Path,
    catalogue: &Path,
) -> anyhow::Result<u64> {
    let mapping = std::fs::read_to_string(root.join(MAPPING))?;
    let filter = format!("\n[[where]]\ncolumn = \"NASA Center\"\nequals = \"{centre}\"\n");
    let file = exchange.data.join("mapping.toml");
    std::fs::write(&file, mapping + &filter)?;
    let report = import(exchange, &file, catalogue).context(centre.to_owned())?;
    report["new"].as_u64().context("the report does not count")
}

/// Imports the catalogue by a mapping, and returns the report.
fn import(exchange: &Exchange, mapping: &Path, catalogue: &Path) -> anyhow::Result<Value> {
    let (mapping, catalogue) = (mapping.display().to_string(), catalogue.display().to_string());
    let output =
        run(&exchange.data, &["listing", "import", "--json", "--mapping", &mapping, &catalogue])?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said} {wrong}", output.status);
    Ok(serde_json::from_str(&said)?)
}

/// The catalogue, where it is; otherwise says that the test is skipped.
fn catalogue(root: &Path) -> Option<PathBuf> {
    let path = root.join(CATALOGUE);
    let here = path.is_file();
    if !here {
        println!("skipped: {} is not here", path.display());
    }
    here.then_some(path)
}

#[test]
fn one_exchange_imports_all_in_seconds_and_again_nothing() -> anyhow::Result<()> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let Some(catalogue) = catalogue(&root) else { return Ok(()) };
    let federation = Federation::running(3)?;
    let first = &federation.exchanges[0];
    let begun = Instant::now();
    let report = import(first, &root.join(MAPPING), &catalogue)?;
    let took = begun.elapsed();
    ensure!(report["new"] == LISTINGS, "{report}");
    let begun = Instant::now();
    federation.agree(&[0, 1, 2], EQUAL_WITHIN)?;
    println!("{LISTINGS} listings durable after {took:?}, equal roots {:?} later", begun.elapsed());
    ensure!(took < IMPORTED_WITHIN, "the import took {took:?}");
    let report = import(first, &root.join(MAPPING), &catalogue)?;
    ensure!(report["new"] == 0 && report["unchanged"] == LISTINGS, "{report}");
    Ok(())
}

#[test]
fn thirteen_centres_import_one_catalogue() -> anyhow::Result<()> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let Some(catalogue) = catalogue(&root) else { return Ok(()) };
    let centres = centres(&catalogue)?;
    let begun = Instant::now();
    let federation = Federation::running(centres.len())?;
    println!("{} nodes ready after {:?}", centres.len(), begun.elapsed());
    let begun = Instant::now();
    for (exchange, (centre, projects)) in federation.exchanges.iter().zip(&centres) {
        let new = import_centre(exchange, centre, &root, &catalogue)?;
        ensure!(new == *projects, "{centre}: {new} of {projects} projects were published");
    }
    println!("imported after {:?}", begun.elapsed());
    let all: Vec<usize> = (0..centres.len()).collect();
    federation.agree(&all, Duration::from_mins(2))?;
    println!("the same everywhere after {:?}", begun.elapsed());
    let first = listings(&federation.exchanges[0])?;
    ensure!(first.len() == LISTINGS, "{} listings, not {LISTINGS}", first.len());
    for exchange in &federation.exchanges {
        ensure!(listings(exchange)? == first, "{} shows other listings", exchange.id);
    }
    Ok(())
}
