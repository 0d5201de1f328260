//! `model`: whether the rules of authority hold in every state, and what the old ones allowed.

use std::process::ExitCode;

use anyhow::Result;
use hutong_simulations::authority::{Exploration, OldRule, Trace, explore_models, explore_mutant};
use serde::Serialize;

/// Walk the model of authority; exit code 1 where a property is broken, or an old rule breaks none.
#[derive(Debug, clap::Args)]
pub(crate) struct Model {
    /// How many states to generate at most in each model.
    #[arg(long, default_value_t = 4_000_000)]
    states: usize,
    /// How many threads walk the models.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What an old rule did.
#[derive(Serialize)]
struct Mutant {
    rule: &'static str,
    breaks: &'static str,
    caught: bool,
    found: Exploration,
}

#[derive(Serialize)]
struct Report {
    models: Vec<Exploration>,
    old_rules: Vec<Mutant>,
}

impl Model {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let models = explore_models(self.states, self.threads);
        let old_rules = OldRule::ALL.map(|rule| {
            let found = explore_mutant(rule, self.states);
            let caught = found.violations.iter().any(|trace| trace.property == rule.breaks());
            Mutant { rule: rule.name(), breaks: rule.breaks(), caught, found }
        });
        let report = Report { models, old_rules: old_rules.into() };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.print();
        }
        let holds = report.models.iter().all(Exploration::holds)
            && report.old_rules.iter().all(|mutant| mutant.caught);
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Report {
    fn print(&self) {
        for found in &self.models {
            let extent = if found.exhaustive { "all" } else { "the first" };
            println!("{}: {extent} {} states ({:.1} s)", found.model, found.states, found.seconds);
            for trace in &found.violations {
                println!("  BROKEN {}", trace.property);
                print_actions(trace);
            }
            for property in &found.unreached {
                println!("  NOT MET {property}");
            }
        }
        println!("in all {} states", self.models.iter().map(|found| found.states).sum::<usize>());
        for mutant in &self.old_rules {
            let broken =
                mutant.found.violations.iter().find(|trace| trace.property == mutant.breaks);
            match broken {
                Some(trace) => {
                    println!(
                        "{}: breaks {} after {} steps",
                        mutant.rule,
                        mutant.breaks,
                        trace.actions.len()
                    );
                    print_actions(trace);
                }
                None => println!(
                    "{}: BREAKS NOTHING in {} states, expected {}",
                    mutant.rule, mutant.found.states, mutant.breaks
                ),
            }
        }
    }
}

fn print_actions(trace: &Trace) {
    for action in &trace.actions {
        println!("    {action}");
    }
}
