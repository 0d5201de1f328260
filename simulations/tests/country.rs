//! A small country, the model of gossip beside libp2p, and the report.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;

use hutong_protocol::mesh;
use hutong_simulations::country::command::{CountryArguments, run};
use hutong_simulations::gossip::calibrate::calibrate;
use hutong_simulations::report::command::{ReportArguments, report};

/// Forty exchanges for two minutes of a busy morning.
fn small(threads: usize) -> CountryArguments {
    CountryArguments {
        nodes: 40,
        seed: 7,
        from: 10.0,
        to: 10.0 + 2.0 / 60.0,
        divisions: PathBuf::from("/nowhere"),
        threads,
        late: true,
        newcomers: 0,
        announced_bytes: None,
        mesh: mesh::D,
        idontwant: mesh::IDONTWANT_BYTES,
        json: None,
    }
}

#[test]
fn a_country_delivers_everything_and_is_the_same_on_one_thread_and_on_two() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&small(threads)).unwrap())
    };
    let (one, two) = (on(1), on(2));
    assert_eq!(one.violations, Vec::<String>::new());
    assert!(one.statements > 10, "{}", one.statements);
    assert_eq!((one.complete, one.with_quorum), (one.statements, one.statements));
    assert_eq!(one.digest, two.digest);
    assert!(one.most_ms.p99 < 2_000.0, "{:?}", one.most_ms);
    assert!(one.classes[1].amplification().1 < 2.0, "{:?}", one.classes);
    let other = CountryArguments { seed: 8, ..small(2) };
    assert_ne!(run(&other).unwrap().digest, one.digest);
}

#[test]
fn every_node_soon_knows_the_exchanges_that_are_admitted_during_the_day() {
    let figures = run(&CountryArguments { newcomers: 2, ..small(2) }).unwrap();
    assert_eq!(figures.violations, Vec::<String>::new());
    assert_eq!((figures.newcomers, figures.enrolled), (2, 2));
    // Of simulated time.
    assert!(figures.enrol_ms.max < 2_000.0, "{:?}", figures.enrol_ms);
}

#[test]
fn the_model_of_gossip_agrees_with_libp2p() {
    for one in calibrate(&[50], 8, 1, |_, _, _| {}).unwrap() {
        eprint!("{}", one.rows());
        // Times depend on what else the machine does, and one small network is far from the next.
        let [degree, hops, duplicates, ..] = one.compared();
        for (what, model, real) in [degree, hops, duplicates] {
            assert!((model - real).abs() <= 0.35 * real, "{what}: {model} beside {real}");
        }
    }
}

#[test]
fn a_report_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ReportArguments {
        countries: vec![30, 40],
        model: vec![100, 1_000],
        swarms: Vec::new(),
        messages: 0,
        output: folder.path().to_path_buf(),
        country: small(2),
    };
    report(&arguments).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let page = read("report.html");
    assert!(page.matches("<svg").count() >= 6, "{}", page.matches("<svg").count());
    assert!(page.contains("互通的规模") && page.contains("Hutong at scale"));
    assert!(!page.contains("src=\"http"), "it needs nothing else");
    assert!(read("report.md").contains("| 40 |"));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&read("report.json")).unwrap()["model"][1][0],
        1_000
    );
}
