//! Every scenario file holds what it must, and every regression stays mended.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};

use hutong_simulations::checks::Violation;
use hutong_simulations::mutants;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::swarm;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn scenarios(folder: &str) -> Vec<Scenario> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(root().join("simulations").join(folder)).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap());
        }
    }
    found
}

fn assert_holds(scenario: &Scenario) {
    let outcome = scenario.run().unwrap();
    assert_eq!(outcome.failures, Vec::<Violation>::new(), "{}", scenario.name);
}

#[test]
fn every_scenario_holds() {
    let scenarios = scenarios("scenarios");
    assert!(scenarios.len() > 20);
    scenarios.iter().for_each(assert_holds);
}

#[test]
fn what_once_failed_holds() {
    scenarios("scenarios/regressions").iter().for_each(assert_holds);
}

#[test]
fn every_adversary_makes_a_difference() {
    for scenario in scenarios("scenarios").iter().filter(|it| !it.adversaries.is_empty()) {
        let trace = |scenario: &Scenario| scenario.run().unwrap().world.trace();
        let without = Scenario { adversaries: Vec::new(), ..scenario.clone() };
        assert_ne!(trace(scenario), trace(&without), "{}", scenario.name);
    }
}

#[test]
fn a_scenario_is_its_text() {
    let (scenario, features) = swarm::draw(5, 20).unwrap();
    assert!(!features.names().is_empty());
    assert_eq!(Scenario::parse(&scenario.encode().unwrap()).unwrap(), scenario);
}

#[test]
fn one_seed_is_one_run_of_the_swarm() {
    let trace = |seed| swarm::run(seed, 12).unwrap().trace;
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn a_failing_scenario_is_made_small() {
    // Nobody answers in time where messages take longer than requests wait.
    let (mut scenario, _) = swarm::draw(1, 12).unwrap();
    scenario.network.latency_min_ms = 9_000;
    scenario.network.latency_max_ms = 9_000;
    let violation = swarm::first_violation(&scenario).unwrap().unwrap();
    let (small, runs) = swarm::shrink(&scenario, violation.checker).unwrap();
    assert!(runs > 0 && small.steps.len() < scenario.steps.len());
    let again = swarm::first_violation(&small).unwrap().unwrap();
    assert_eq!(again.checker, violation.checker);
}

#[test]
fn every_mutant_can_be_planted() {
    let mutants = mutants::all(&root().join("simulations/mutants")).unwrap();
    assert!(mutants.len() >= 10);
    for (name, mutant) in mutants {
        let planted = mutant.plant(&root()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_ne!(planted, std::fs::read_to_string(root().join(&mutant.file)).unwrap());
    }
}
