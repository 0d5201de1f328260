//! Scenarios: what happens when, and what must be so in the end.

use anyhow::{Context as _, Result, bail};
use hutong_protocol::audience::Audience;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::statement::StatementType;
use serde_json::json;

use crate::federation::{ExchangeSpec, Federation};
use crate::node::Slot;
use crate::world::{Network, World};

/// A scenario, as its TOML file says it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// How long it may take, in milliseconds of virtual time.
    pub limit_ms: u64,
    /// How the network behaves.
    #[serde(default)]
    pub network: Network,
    /// The exchanges.
    #[serde(rename = "exchange")]
    pub exchanges: Vec<ExchangeSpec>,
    /// What happens.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

/// Something that happens.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Step {
    /// When, in milliseconds from the start.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

/// What happens in a step.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A node appends a group of statements.
    Append {
        /// The exchange.
        node: String,
        /// How many.
        count: u64,
        /// Whether they are for domestic members only.
        #[serde(default)]
        domestic: bool,
    },
    /// A node loses everything but its disk.
    Crash {
        /// The exchange.
        node: String,
    },
    /// A node starts from its disk.
    Restart {
        /// The exchange.
        node: String,
    },
    /// Groups of nodes cannot reach each other or the rest.
    Partition {
        /// The groups.
        groups: Vec<Vec<String>>,
    },
    /// All nodes reach each other again.
    Heal,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The world as it was then.
    pub world: World,
    /// When everybody held everything with a quorum, in milliseconds; none if never.
    pub converged_at_ms: Option<u64>,
    /// What was missing or must not have happened.
    pub failures: Vec<String>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// Where the text is none.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("scenario")
    }

    /// The federation, founded and with all nodes up; admissions happen as they fall due.
    ///
    /// # Errors
    ///
    /// Where the federation cannot be founded.
    pub fn world(&self) -> Result<World> {
        let federation = Federation::found(&self.exchanges, self.seed)?;
        let mut world = World::new(federation, self.network, self.seed);
        for slot in 0..self.exchanges.len() {
            world.start(slot, false);
        }
        Ok(world)
    }

    /// Runs to the end.
    ///
    /// # Errors
    ///
    /// Where the scenario names what there is not.
    pub fn run(&self) -> Result<Outcome> {
        let mut world = self.world()?;
        let mut steps: Vec<(u64, Due<'_>)> =
            self.steps.iter().map(|step| (step.at_ms, Due::Step(&step.act))).collect();
        for (index, exchange) in self.exchanges.iter().enumerate() {
            if !exchange.council {
                steps.push((exchange.admitted_at_ms, Due::Admission(index)));
            }
        }
        steps.sort_by_key(|(at, _)| *at);
        for (at, step) in steps {
            world.run_until(at);
            match step {
                Due::Step(act) => world.act(act)?,
                Due::Admission(index) => world.admit(index)?,
            }
        }
        let converged_at_ms = world.settle(self.limit_ms);
        let mut failures = world.broken();
        if converged_at_ms.is_none() {
            failures.extend(world.differences());
            failures.extend(world.without_quorum());
        }
        Ok(Outcome { world, converged_at_ms, failures })
    }
}

enum Due<'a> {
    Step(&'a Act),
    Admission(usize),
}

impl World {
    /// The node of the exchange of that name.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn slot(&self, name: &str) -> Result<Slot> {
        let found = self.federation.exchanges.iter().position(|one| one.id.as_str() == name);
        found.with_context(|| format!("no exchange {name} in the scenario"))
    }

    /// Has an exchange admitted by whoever may.
    ///
    /// # Errors
    ///
    /// Where nobody may.
    pub fn admit(&mut self, index: usize) -> Result<()> {
        let Some((parent, body)) = self.federation.admission(index) else {
            bail!("nobody admits {}", self.federation.exchanges[index].id);
        };
        let (at, salt) = (self.timestamp(), self.rng.salt());
        let kind = StatementType::MemberAdmit;
        let by = &self.federation.exchanges[parent];
        let entry = by.prepare(kind, Audience::Public, at, salt, body)?;
        self.append(parent, vec![entry]);
        Ok(())
    }

    /// Statements of the exchange at `slot`.
    ///
    /// # Errors
    ///
    /// Where one would not be well formed.
    pub fn statements(
        &mut self,
        slot: Slot,
        count: u64,
        audience: &Audience,
    ) -> Result<Vec<Prepared>> {
        let at = self.timestamp();
        let mut entries = Vec::new();
        for _ in 0..count {
            let (salt, number) = (self.rng.salt(), self.rng.below(1 << 40));
            let exchange = &self.federation.exchanges[self.nodes[slot].exchange];
            let kind = StatementType::Unknown("simulation/note/v1".into());
            let body = json!({ "number": number });
            entries.push(exchange.prepare(kind, audience.clone(), at, salt, body)?);
        }
        Ok(entries)
    }

    /// Does what a step says.
    ///
    /// # Errors
    ///
    /// Where it names what there is not.
    pub fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Append { node, count, domestic } => {
                let slot = self.slot(node)?;
                let audience = if *domestic { Audience::Domestic } else { Audience::Public };
                let entries = self.statements(slot, *count, &audience)?;
                self.append(slot, entries);
            }
            Act::Crash { node } => {
                let slot = self.slot(node)?;
                self.crash(slot);
            }
            Act::Restart { node } => {
                let slot = self.slot(node)?;
                self.start(slot, false);
            }
            Act::Partition { groups } => {
                let groups = groups
                    .iter()
                    .map(|group| group.iter().map(|name| self.slot(name)).collect())
                    .collect::<Result<Vec<Vec<Slot>>>>()?;
                self.partition(&groups);
            }
            Act::Heal => self.partition(&[]),
        }
        Ok(())
    }

    /// Runs until everybody holds everything with a quorum, at most up to `limit_ms`. Returns
    /// when that was.
    pub fn settle(&mut self, limit_ms: u64) -> Option<u64> {
        loop {
            if self.quiet() && self.differences().is_empty() && self.without_quorum().is_empty() {
                return Some(self.now_ms());
            }
            if self.now_ms() >= limit_ms {
                return None;
            }
            let next = (self.now_ms() + 200).min(limit_ms);
            self.run_until(next);
        }
    }
}
