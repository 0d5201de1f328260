//! Walks the states of the models and reports what was found.

use std::time::Instant;

use serde::Serialize;
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::anchors::AnchorModel;
use super::enrolment::EnrolmentModel;
use super::recovery::RecoveryModel;
use super::rules::{OldRule, Rules, Theme};
use super::succession::SuccessionModel;
use super::witnesses::WitnessModel;

/// What a walk through one model found.
#[derive(Debug, Serialize)]
pub struct Exploration {
    /// The configuration's name.
    pub model: String,
    /// How many different states were looked at.
    pub states: usize,
    /// Whether these are all; otherwise the bound on states ended the walk.
    pub exhaustive: bool,
    /// The properties that must hold and do not.
    pub violations: Vec<Trace>,
    /// What should be possible, and is.
    pub examples: Vec<Trace>,
    /// What should be possible and was not met. Only a fault where the walk was exhaustive.
    pub unreached: Vec<&'static str>,
    /// How long it took.
    pub seconds: f64,
}

/// How a property is broken, or shown.
#[derive(Debug, Serialize)]
pub struct Trace {
    /// The property's name.
    pub property: &'static str,
    /// The actions that lead there from the beginning.
    pub actions: Vec<String>,
}

impl Exploration {
    /// Whether everything that must hold does, and everything that should be possible was met.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.unreached.is_empty()
    }
}

/// Walks every model under the new rules, each up to `states_max` generated states, on `threads` threads.
pub fn explore_models(states_max: usize, threads: usize) -> Vec<Exploration> {
    let rules = Rules::new();
    let walk = Walk { states_max, threads, until: None };
    let mut found = vec![walk.run("enrolment and rank".to_owned(), EnrolmentModel::new(rules))];
    found.push(walk.run("anchors, finality and receipts".to_owned(), AnchorModel::new(rules)));
    for model in SuccessionModel::all(rules) {
        found.push(walk.run(model.name(), model));
    }
    for model in RecoveryModel::all(rules) {
        found.push(walk.run(model.name(), model));
    }
    for model in WitnessModel::all(rules) {
        found.push(walk.run(model.name(), model));
    }
    found
}

/// Walks the model of `rule`'s theme with that rule, on one thread so that the trace is the shortest, until its property breaks.
pub fn explore_mutant(rule: OldRule, states_max: usize) -> Exploration {
    let rules = Rules::with(rule);
    let walk = Walk { states_max, threads: 1, until: Some(rule.breaks()) };
    let name = rule.name().to_owned();
    match rule.theme() {
        Theme::Enrolment => walk.run(name, EnrolmentModel::new(rules)),
        Theme::Anchors => walk.run(name, AnchorModel::new(rules)),
        Theme::Succession => walk.run(name, SuccessionModel::for_mutant(rules)),
        Theme::Recovery => walk.run(name, RecoveryModel::for_mutant(rules)),
        Theme::Witnesses => walk.run(name, WitnessModel::for_mutant(rules)),
    }
}

struct Walk {
    states_max: usize,
    threads: usize,
    /// The property whose breaking ends the walk; any where there is none.
    until: Option<&'static str>,
}

impl Walk {
    fn run<M>(&self, name: String, model: M) -> Exploration
    where
        M: Model + Send + Sync + 'static,
        M::State: Clone + std::fmt::Debug + std::hash::Hash + PartialEq + Send + Sync,
        M::Action: Clone + std::fmt::Debug + PartialEq + Send + Sync,
    {
        let begun = Instant::now();
        let properties: Vec<_> = model
            .properties()
            .iter()
            .map(|property| (property.name, property.expectation.clone()))
            .collect();
        let end = self
            .until
            .map_or(HasDiscoveries::AnyFailures, |name| HasDiscoveries::AllOf([name].into()));
        let checker = model
            .checker()
            .threads(self.threads)
            .target_state_count(self.states_max)
            .finish_when(end)
            .spawn_bfs()
            .join();
        let discoveries = checker.discoveries();
        let exhaustive = checker.state_count() < self.states_max;
        let traces = |wanted: Expectation| {
            let found = properties.iter().filter(move |(_, expectation)| *expectation == wanted);
            found
                .filter_map(|(property, _)| {
                    let actions = discoveries.get(property)?.clone().into_actions();
                    Some(Trace {
                        property,
                        actions: actions.iter().map(|action| format!("{action:?}")).collect(),
                    })
                })
                .collect()
        };
        let unreached = properties
            .iter()
            .filter(|(name, expectation)| {
                *expectation == Expectation::Sometimes && !discoveries.contains_key(name)
            })
            .map(|(name, _)| *name)
            .collect();
        Exploration {
            model: name,
            states: checker.unique_state_count(),
            exhaustive,
            violations: traces(Expectation::Always),
            examples: traces(Expectation::Sometimes),
            unreached,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}
