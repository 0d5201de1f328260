//! What the fuzz targets ask, of samples and of mutated samples: no panic, and what decodes encodes back to itself.
//! About 10 s.

use std::collections::BTreeSet;
use std::path::Path;

use hutong_tests::fuzzing::{Mutator, TARGETS, samples};

/// Inputs for each target.
const ROUNDS: usize = 15_000;

#[test]
fn every_target_accepts_its_samples() {
    let samples = samples::all();
    let names: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, samples.keys().copied().collect());
    for (name, target) in TARGETS {
        assert!(!samples[name].is_empty(), "{name} has no sample");
        for (number, sample) in samples[name].iter().enumerate() {
            assert!(target(sample), "{name} refuses its sample {number}");
        }
    }
}

#[test]
fn mutated_samples_are_refused_or_come_back_as_they_were() {
    let samples = samples::all();
    for (seed, (name, target)) in (1..).zip(TARGETS) {
        let begun = std::time::Instant::now();
        let mut mutator = Mutator::new(seed);
        let mut accepted = 0;
        for _ in 0..ROUNDS {
            accepted += usize::from(target(&mutator.next(&samples[name])));
        }
        println!("{name}: {accepted} of {ROUNDS} accepted in {:?}", begun.elapsed());
        assert!(accepted < ROUNDS, "{name} accepts whatever it is given");
    }
}

#[test]
fn every_target_is_given_to_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(folder).expect("the fuzz targets can be read");
    let mut found = BTreeSet::new();
    for file in files {
        let path = file.expect("the fuzz targets can be read").path();
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).expect("a source is text");
        assert!(
            source.contains(&format!("hutong_tests::fuzzing::{name}(")),
            "{name} calls another"
        );
        found.insert(name);
    }
    let expected: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, expected);
}
