//! Drawing a scenario from a seed.

use anyhow::{Result, ensure};

use super::LAYOUTS;
use crate::adversary::Kind;
use crate::disk::Part;
use crate::federation::ExchangeSpec;
use crate::layout;
use crate::network::{Nat, Network};
use crate::rng::Rng;
use crate::scenario::{Act, AdversarySpec, ClockSpec, Decision, NatSpec, Scenario, Standing, Step};
use crate::world::DiskSpeed;

/// When trouble begins, in milliseconds: nodes have met by then.
const TROUBLE_FROM_MS: u64 = 1_000;
/// When all trouble ends.
const HEAL_MS: u64 = 4_200;
/// By when all must have settled.
const LIMIT_MS: u64 = 64_200;

/// Which kinds of trouble a world knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub struct Features {
    loss: bool,
    disorder: bool,
    narrow: bool,
    slow_disks: bool,
    clocks: bool,
    nats: bool,
    crashes: bool,
    splits: bool,
    one_way: bool,
    eclipse: bool,
    damage: bool,
    restores: bool,
    forks: bool,
    decisions: bool,
    rekeys: bool,
    restricted: bool,
    floods: bool,
    adversaries: bool,
}

impl Features {
    fn draw(rng: &mut Rng) -> Self {
        // Three in eight, so that most worlds know several and not all.
        let mut drawn = || rng.chance(375);
        Self {
            loss: drawn(),
            disorder: drawn(),
            narrow: drawn(),
            slow_disks: drawn(),
            clocks: drawn(),
            nats: drawn(),
            crashes: drawn(),
            splits: drawn(),
            one_way: drawn(),
            eclipse: drawn(),
            damage: drawn(),
            restores: drawn(),
            forks: drawn(),
            decisions: drawn(),
            rekeys: false,
            restricted: drawn() || drawn(),
            floods: drawn(),
            adversaries: drawn() || drawn(),
        }
    }

    /// The names of those that there are.
    pub fn names(&self) -> Vec<&'static str> {
        [
            (self.loss, "loss"),
            (self.disorder, "disorder"),
            (self.narrow, "narrow"),
            (self.slow_disks, "slow-disks"),
            (self.clocks, "clocks"),
            (self.nats, "nats"),
            (self.crashes, "crashes"),
            (self.splits, "splits"),
            (self.one_way, "one-way"),
            (self.eclipse, "eclipse"),
            (self.damage, "damage"),
            (self.restores, "restores"),
            (self.forks, "forks"),
            (self.decisions, "decisions"),
            (self.rekeys, "rekeys"),
            (self.restricted, "restricted"),
            (self.floods, "floods"),
            (self.adversaries, "adversaries"),
        ]
        .into_iter()
        .filter_map(|(there, name)| there.then_some(name))
        .collect()
    }
}

/// The scenario of a seed, and which kinds of trouble it knows.
///
/// # Errors
///
/// Where `nodes` is not 10 to 50.
pub fn draw(seed: u64, nodes: usize) -> Result<(Scenario, Features)> {
    ensure!((10..=50).contains(&nodes), "a swarm has 10 to 50 nodes");
    let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5a41);
    let features = Features::draw(&mut rng);
    let layout = rng.below(LAYOUTS);
    let mut drawing = Drawing {
        specs: layout::exchanges(nodes, layout),
        rng,
        features,
        liars: Vec::new(),
        victims: Vec::new(),
        forgetful: Vec::new(),
        steps: Vec::new(),
    };
    let adversaries = drawing.adversaries();
    drawing.all_steps();
    let (network, disk) = (drawing.network(), drawing.disk());
    let (clocks, nats) = (drawing.clocks(), drawing.nats());
    drawing.rekey();
    drawing.receipts();
    let features = drawing.features;
    let mut steps = drawing.steps;
    steps.sort_by_key(|step| step.at_ms);
    let scenario = Scenario {
        name: format!("seed {seed}"),
        seed,
        limit_ms: LIMIT_MS,
        heal_ms: Some(HEAL_MS),
        federation: Some(Standing { nodes, layout }),
        network,
        disk,
        exchanges: Vec::new(),
        clocks,
        nats,
        adversaries,
        steps,
    };
    Ok((scenario, features))
}

struct Drawing {
    specs: Vec<ExchangeSpec>,
    rng: Rng,
    features: Features,
    /// Who breaks the rules.
    liars: Vec<String>,
    /// Who was suspended, or restored from an old copy.
    victims: Vec<String>,
    /// Council members that may lose their disks.
    forgetful: Vec<String>,
    steps: Vec<Step>,
}

/// Draws one instance of a kind of trouble.
type Draw = fn(&mut Drawing);

impl Drawing {
    /// One of those that `fits`, and does not break the rules.
    fn one(&mut self, fits: impl Fn(&ExchangeSpec) -> bool) -> Option<String> {
        let able = |spec: &&ExchangeSpec| {
            !spec.stranger
                && !self.liars.contains(&spec.id)
                && !self.victims.contains(&spec.id)
                && fits(spec)
        };
        let ids: Vec<String> = self.specs.iter().filter(able).map(|spec| spec.id.clone()).collect();
        (!ids.is_empty()).then(|| ids[self.rng.index(ids.len())].clone())
    }

    fn any(&mut self) -> Option<String> {
        self.one(|_| true)
    }

    /// One that has admitted nobody.
    fn childless(&mut self) -> Option<String> {
        let parents: Vec<String> = self.specs.iter().filter_map(|it| it.parent.clone()).collect();
        self.one(|it| !it.council && !parents.contains(&it.id))
    }

    fn some(&mut self, per_mille: u64) -> Vec<String> {
        let ids: Vec<String> = self.specs.iter().map(|spec| spec.id.clone()).collect();
        ids.into_iter().filter(|_| self.rng.chance(per_mille)).collect()
    }

    fn when(&mut self) -> u64 {
        self.rng.between(TROUBLE_FROM_MS, HEAL_MS - 500)
    }

    fn at(&mut self, at_ms: u64, act: Act) {
        self.steps.push(Step { at_ms, act });
    }

    fn network(&mut self) -> Network {
        let mut network = Network::default();
        if self.rng.chance(300) {
            network.latency_max_ms = self.rng.between(60, 400);
        }
        if self.features.loss {
            network.loss_per_mille = self.rng.between(10, 200);
        }
        if self.features.disorder {
            network.reorder_per_mille = self.rng.between(10, 300);
            network.duplicate_per_mille = self.rng.between(10, 200);
        }
        if self.features.narrow {
            // 0.5 to 8 Mbit/s.
            network.bytes_per_ms = self.rng.between(64, 1_000);
        }
        network
    }

    fn disk(&mut self) -> DiskSpeed {
        if !self.features.slow_disks {
            return DiskSpeed { sync_min_ms: 0, sync_max_ms: self.rng.below(4) };
        }
        DiskSpeed { sync_min_ms: 1, sync_max_ms: self.rng.between(10, 300) }
    }

    fn clocks(&mut self) -> Vec<ClockSpec> {
        if !self.features.clocks {
            return Vec::new();
        }
        let nodes = self.some(300);
        nodes
            .into_iter()
            .map(|node| {
                let offset_ms = i64::try_from(self.rng.below(600_000)).unwrap_or(0) - 300_000;
                let drift_ppm = i64::try_from(self.rng.below(10_000)).unwrap_or(0) - 5_000;
                ClockSpec { node, offset_ms, drift_ppm }
            })
            .collect()
    }

    fn nats(&mut self) -> Vec<NatSpec> {
        if !self.features.nats {
            return Vec::new();
        }
        let nodes = self.some(400);
        let council: Vec<String> =
            self.specs.iter().filter(|it| it.council).map(|it| it.id.clone()).collect();
        let outside = nodes.into_iter().filter(|node| !council.contains(node));
        outside
            .map(|node| {
                let class = if self.rng.chance(500) { Nat::Cone } else { Nat::Symmetric };
                NatSpec { node, class }
            })
            .collect()
    }

    fn adversaries(&mut self) -> Vec<AdversarySpec> {
        let mut drawn = Vec::new();
        if !self.features.adversaries {
            return drawn;
        }
        for _ in 0..self.rng.between(1, 4) {
            let kind = Kind::ALL[self.rng.index(Kind::ALL.len())];
            // Fewer council members break the rules than make a quorum.
            let honest_council =
                self.specs.iter().filter(|it| it.council && !self.liars.contains(&it.id)).count();
            let spare = honest_council > 4;
            let node = match kind {
                Kind::Sybil => self.specs.iter().find(|it| it.stranger).map(|it| it.id.clone()),
                // It goes on cosigning as it should; of a small federation all provinces are on the council.
                Kind::CapturedProvince => self.one(|it| {
                    it.tier == "provincial" && (!it.council || spare || honest_council >= 3)
                }),
                Kind::Equivocator => self.childless(),
                Kind::FalseKeeper => Some(self.specs[0].id.clone()),
                _ => self.one(|it| it.id != "cn-national" && (!it.council || spare)),
            };
            let Some(node) = node else { continue };
            let from_ms = self.rng.between(500, HEAL_MS / 2);
            if !self.liars.contains(&node) {
                self.liars.push(node.clone());
            }
            drawn.push(AdversarySpec { node, kind, from_ms });
        }
        drawn
    }

    fn all_steps(&mut self) {
        let features = self.features;
        self.fork(features.forks);
        self.decision(features.decisions);
        self.appends();
        let kinds: [(bool, Draw); 6] = [
            (features.crashes, Self::crash),
            (features.splits, Self::split),
            (features.one_way, Self::one_way),
            (features.eclipse, Self::eclipse),
            (features.damage, Self::damage),
            (features.clocks, Self::set_clock),
        ];
        for (there, kind) in kinds {
            if there {
                for _ in 0..self.rng.between(1, 4) {
                    kind(self);
                }
            }
        }
        if features.restores {
            self.restore();
        }
    }

    fn appends(&mut self) {
        let mut many = self.features.floods;
        for _ in 0..self.rng.between(4, 10) {
            let Some(node) = self.any() else { return };
            let at = self.when();
            let (mut domestic, mut members) = (false, Vec::new());
            if self.features.restricted {
                match self.rng.below(4) {
                    0 | 1 => domestic = true,
                    2 => {
                        members = self.some(60);
                        members.sort();
                    }
                    _ => {}
                }
            }
            let (count, padding) = match (std::mem::take(&mut many), self.rng.below(6)) {
                (true, 0) => (self.rng.between(1_000, 1_100), 0),
                (true, _) => (self.rng.between(20, 40), 2_000),
                (false, _) => (self.rng.between(1, 6), 0),
            };
            // So many small ones are restricted, so that their hashes alone fill an announcement.
            domestic |= count > 500;
            self.at(at, Act::Append { node, count, domestic, members, padding });
        }
    }

    fn crash(&mut self) {
        let Some(node) = self.any() else { return };
        let (at, down) = (self.when(), self.rng.between(100, 2_000));
        let crash = if self.rng.chance(500) {
            Act::CrashInTheMiddle { node: node.clone() }
        } else {
            Act::Crash { node: node.clone() }
        };
        self.at(at, crash);
        self.at(at + down, Act::Restart { node });
    }

    fn split(&mut self) {
        let at = self.when();
        let groups = vec![self.some(400)];
        let until = at + self.rng.between(300, 3_000);
        self.at(at, Act::Partition { groups });
        self.at(until.min(HEAL_MS), Act::Heal);
    }

    fn one_way(&mut self) {
        let (from, to) = (self.some(150), self.some(150));
        let at = self.when();
        self.at(at, Act::Block { from, to });
    }

    fn eclipse(&mut self) {
        let Some(node) = self.any() else { return };
        let mut by = self.liars.clone();
        if by.is_empty() {
            by.extend(self.any());
        }
        let at = self.when();
        self.at(at, Act::Eclipse { node, by });
    }

    fn damage(&mut self) {
        let Some(node) = self.any() else { return };
        let part = [Part::Entry, Part::Entry, Part::Checkpoint, Part::Witness][self.rng.index(4)];
        let at = self.when();
        if part != Part::Entry && !self.may_forget(&node) {
            return;
        }
        self.at(at, Act::Damage { node: node.clone(), part });
        if self.rng.chance(500) {
            self.at(at + 100, Act::Crash { node: node.clone() });
            self.at(at + 300, Act::Restart { node });
        }
    }

    fn set_clock(&mut self) {
        let Some(node) = self.any() else { return };
        let by_ms = i64::try_from(self.rng.below(7_200_000)).unwrap_or(0) - 3_600_000;
        let at = self.when();
        self.at(at, Act::SetClock { node, by_ms });
    }

    /// Whether the node may lose its disk besides those that already do: where so many of the council forget what
    /// they cosigned that they could have been a quorum, they wait for each other and for an operator.
    fn may_forget(&mut self, node: &str) -> bool {
        let council = self.specs.iter().filter(|it| it.council);
        let most = if council.clone().count() < 5 { 1 } else { 2 };
        if council.clone().any(|it| it.id == node) && !self.forgetful.iter().any(|it| it == node) {
            if self.forgetful.len() >= most {
                return false;
            }
            self.forgetful.push(node.to_string());
        }
        true
    }

    fn restore(&mut self) {
        let Some(node) = self.any() else { return };
        if !self.may_forget(&node) {
            return;
        }
        self.victims.push(node.clone());
        let at = self.rng.between(TROUBLE_FROM_MS, HEAL_MS - 2_100);
        if self.rng.chance(700) {
            self.at(at, Act::BackUp { node: node.clone() });
        }
        self.at(at + 2_000, Act::Restore { node });
    }

    fn fork(&mut self, there: bool) {
        if !there {
            return;
        }
        let Some(node) = self.childless() else { return };
        self.liars.push(node.clone());
        let (here, there) = (self.rng.between(1, 4), self.rng.between(1, 4));
        let at = self.when();
        self.at(at, Act::SplitView { node, here, there });
    }

    /// Drawn last of all, so that the worlds of seeds stayed what they were before there was this.
    fn rekey(&mut self) {
        let chosen = if self.rng.chance(375) { self.one(|it| !it.council) } else { None };
        let Some(node) = chosen else { return };
        let spec = self.specs.iter().find(|it| it.id == node);
        if self.liars.contains(&self.specs[0].id) {
            return;
        }
        // Decisions of the council are entered by its first member.
        let by = spec.and_then(|it| it.parent.clone()).unwrap_or(self.specs[0].id.clone());
        if self.liars.contains(&by) {
            return;
        }
        self.features.rekeys = true;
        let at = self.when();
        self.at(at, Act::Rekey { node: node.clone() });
        let count = self.rng.between(1, 3);
        let append = Act::Append { node, count, domestic: false, members: Vec::new(), padding: 0 };
        self.at(at + 300, append);
    }

    fn receipts(&mut self) {
        for _ in 0..self.rng.between(0, 6) {
            let Some(node) = self.any() else { return };
            let at = self.when();
            self.at(at, Act::Receipt { node });
        }
    }

    fn decision(&mut self, there: bool) {
        // A keeper that breaks the rules records no decision.
        if !there || self.liars.contains(&self.specs[0].id) {
            return;
        }
        let Some(node) = self.childless() else { return };
        let parent = self.specs.iter().find(|it| it.id == node).and_then(|it| it.parent.clone());
        if parent.is_some_and(|parent| self.liars.contains(&parent)) {
            return;
        }
        self.victims.push(node.clone());
        let decision = [Decision::Suspend, Decision::Expel][self.rng.index(2)];
        let at = self.when();
        self.at(at, Act::Decide { node: node.clone(), decision });
        if decision == Decision::Suspend && self.rng.chance(300) {
            self.at(at + 700, Act::Decide { node, decision: Decision::Reinstate });
        }
    }
}
