//! Making a failing scenario small: whatever can be left out while it still fails, is.

use anyhow::Result;

use super::first_violation;
use crate::network::Network;
use crate::scenario::{Act, Scenario};
use crate::world::DiskSpeed;

/// Runs of a scenario that shrinking takes at most.
const RUNS_MAX: usize = 150;

/// The smallest scenario that was found which violates the same property, and how many runs that
/// took.
///
/// # Errors
///
/// Where the federation cannot be founded.
pub fn shrink(failing: &Scenario, checker: &str) -> Result<(Scenario, usize)> {
    let mut shrinking = Shrinking { best: failing.clone(), checker, runs: 0 };
    loop {
        let before = shrinking.best.clone();
        shrinking.lists()?;
        shrinking.settings()?;
        if shrinking.best == before || shrinking.runs >= RUNS_MAX {
            return Ok((shrinking.best, shrinking.runs));
        }
    }
}

struct Shrinking<'a> {
    best: Scenario,
    checker: &'a str,
    runs: usize,
}

impl Shrinking<'_> {
    /// Keeps `smaller` if it fails as well.
    fn keep(&mut self, smaller: Scenario) -> Result<bool> {
        if self.runs >= RUNS_MAX || smaller == self.best {
            return Ok(false);
        }
        self.runs += 1;
        let fails = first_violation(&smaller)?.is_some_and(|it| it.checker == self.checker);
        if fails {
            self.best = smaller;
        }
        Ok(fails)
    }

    /// Leaves out parts of each list, the larger ones first.
    fn lists(&mut self) -> Result<()> {
        self.list(|it| &mut it.steps)?;
        self.list(|it| &mut it.adversaries)?;
        self.list(|it| &mut it.clocks)?;
        self.list(|it| &mut it.nats)
    }

    fn list<T: Clone>(&mut self, of: fn(&mut Scenario) -> &mut Vec<T>) -> Result<()> {
        let mut part = of(&mut self.best.clone()).len();
        while part > 0 {
            let mut from = 0;
            while from < of(&mut self.best.clone()).len() {
                let mut smaller = self.best.clone();
                let list = of(&mut smaller);
                let to = (from + part).min(list.len());
                list.drain(from..to);
                if !self.keep(smaller)? {
                    from += part;
                }
            }
            part /= 2;
        }
        Ok(())
    }

    /// Takes back each setting, and makes groups smaller.
    fn settings(&mut self) -> Result<()> {
        let calm = self.best.network.calm();
        let plain = Network::default();
        let wide = Network { bytes_per_ms: 0, ..self.best.network };
        for network in [plain, calm, wide] {
            self.keep(Scenario { network, ..self.best.clone() })?;
        }
        self.keep(Scenario { disk: DiskSpeed::default(), ..self.best.clone() })?;
        for at in 0..self.best.steps.len() {
            let mut smaller = self.best.clone();
            if let Act::Append { count, padding, .. } = &mut smaller.steps[at].act {
                (*count, *padding) = (1, 0);
                self.keep(smaller)?;
            }
        }
        Ok(())
    }
}
