//! The model of authority: the rules hold, and each old rule breaks the property that it is named for.

use hutong_simulations::authority::{OldRule, explore_models, explore_mutant};

/// `hutong-simulations model` goes further.
const STATES_MAX: usize = 300_000;
/// Enough for the longest of the shortest traces.
const MUTANT_STATES_MAX: usize = 4_000_000;

#[test]
fn the_rules_hold_in_every_state() {
    for found in explore_models(STATES_MAX, 2) {
        let name = &found.model;
        assert!(found.violations.is_empty(), "{name}: {:#?}", found.violations);
        assert!(
            !found.exhaustive || found.unreached.is_empty(),
            "{name}: no {:?}",
            found.unreached
        );
        assert!(found.exhaustive || found.states > STATES_MAX / 8, "{name}: {}", found.states);
    }
}

#[test]
fn each_old_rule_breaks_its_property() {
    for rule in OldRule::ALL {
        let found = explore_mutant(rule, MUTANT_STATES_MAX);
        let (name, property) = (rule.name(), rule.breaks());
        println!("{name}: breaks {property}");
        let broken = found.violations.iter().find(|trace| trace.property == property);
        let actions = broken.map_or(&[][..], |trace| &trace.actions);
        for action in actions {
            println!("    {action}");
        }
        // One that is broken from the beginning would show nothing about the rule.
        assert!(!actions.is_empty(), "{name}: {property} holds in {} states", found.states);
    }
}
