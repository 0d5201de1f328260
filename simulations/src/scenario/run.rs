//! Running a scenario to its end.

use anyhow::Result;

use super::{Act, AdversarySpec, Scenario};
use crate::checks::Violation;
use crate::world::World;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The world as it was then.
    pub world: World,
    /// When everybody held everything with a quorum, in milliseconds; none if never.
    pub converged_at_ms: Option<u64>,
    /// What was missing or must not have happened.
    pub failures: Vec<Violation>,
}

enum Due<'a> {
    Step(&'a Act),
    Admission(usize),
    Adversary(&'a AdversarySpec),
    Heal,
}

impl Scenario {
    /// What happens, in order.
    fn due(&self) -> Vec<(u64, Due<'_>)> {
        let mut due: Vec<(u64, Due<'_>)> =
            self.steps.iter().map(|step| (step.at_ms, Due::Step(&step.act))).collect();
        due.extend(self.adversaries.iter().map(|it| (it.from_ms, Due::Adversary(it))));
        for (index, exchange) in self.exchanges.iter().enumerate() {
            if !exchange.council && !exchange.stranger {
                due.push((exchange.admitted_at_ms, Due::Admission(index)));
            }
        }
        due.extend(self.heal_ms.map(|at| (at, Due::Heal)));
        due.sort_by_key(|(at, _)| *at);
        due
    }

    /// Runs to the end, or to the first violation.
    ///
    /// # Errors
    ///
    /// Where the scenario names what there is not.
    pub fn run(&self) -> Result<Outcome> {
        let mut world = self.world()?;
        for (at, due) in self.due() {
            world.run_until(at);
            if !world.violations.is_empty() {
                break;
            }
            match due {
                Due::Step(act) => world.act(act)?,
                Due::Admission(index) => world.admit(index)?,
                Due::Adversary(adversary) => {
                    let slot = world.slot(&adversary.node)?;
                    world.corrupt(slot, adversary.kind);
                }
                Due::Heal => world.heal(),
            }
        }
        let mut converged_at_ms = None;
        if world.violations.is_empty() {
            converged_at_ms = world.settle(self.limit_ms);
            world.look_in_the_end();
            if converged_at_ms.is_none() {
                let missing = world.differences().into_iter().chain(world.without_quorum());
                for text in missing
                    .chain(world.undetected())
                    .chain(world.unrecorded())
                    .chain(world.behind())
                {
                    world.violate("convergence", text);
                }
                if world.violations.is_empty() {
                    world.violate("convergence", "statements still wait".into());
                }
            }
        }
        let failures = world.violations.clone();
        Ok(Outcome { world, converged_at_ms, failures })
    }
}
