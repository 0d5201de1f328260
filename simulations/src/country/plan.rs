//! Which exchanges there are, under whom, and what each follows.

use std::ops::Range;

use anyhow::Result;
use hutong_protocol::region::{Region, Scope};
use hutong_protocol::state::Follow;
use hutong_protocol::tier::Tier;
use serde_json::json;

use super::divisions::Divisions;
use crate::federation::ExchangeSpec;
use crate::rng::Rng;

/// National exchanges.
const NATIONAL: usize = 3;
/// Industry exchanges of a full country, so that all exchanges together are 3,400.
const INDUSTRY: usize = 36;
/// International members of a full country.
const INTERNATIONAL: usize = 150;
/// Seats of the council: the national exchanges and some of industry. All have the scope `CN`, which
/// everybody follows.
pub const SEATS: usize = 7;
/// How many exchanges a full country has.
pub const FULL: usize = 3_400;
/// The province that a small country begins with.
const FIRST_PROVINCE: &str = "33";
/// Parts of a thousand of all statements that national, industry and international exchanges
/// publish; the rest is the provinces'. Assumed: contracts are registered in provinces.
const CENTRAL_SHARE: [f64; 3] = [0.006, 0.014, 0.01];
/// What the provincial exchange, its municipal and its county ones publish of a province's
/// statements. Assumed.
const PROVINCE_SHARE: [f64; 3] = [0.2, 0.4, 0.4];

/// One exchange of the country.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its tier.
    pub tier: Tier,
    /// Where it stands: a province's two digits, or a country's two letters.
    pub place: String,
    /// Which part of the country's statements it publishes.
    pub share: f64,
    /// What its node follows.
    pub follow: Follow,
}

/// All exchanges, parents before children.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What the federation is founded from.
    pub specs: Vec<ExchangeSpec>,
    /// The same exchanges, as nodes; but for the newcomers, who are last.
    pub roles: Vec<Role>,
}

impl Plan {
    /// The last `count` counties are newcomers: who they are is known, but nobody has admitted them and no
    /// node of theirs runs.
    #[must_use]
    pub fn with_newcomers(mut self, count: usize) -> Self {
        let is_county = |role: &&Role| role.tier == Tier::County;
        let counties = self.roles.iter().rev().take_while(is_county).count();
        self.roles.truncate(self.roles.len() - count.min(counties));
        self
    }

    /// The places of the newcomers.
    pub fn newcomers(&self) -> Range<usize> {
        self.roles.len()..self.specs.len()
    }

    /// `nodes` exchanges, at most [`FULL`]: whole provinces one after the other, the last one as
    /// far as it goes, and a like part of the others.
    ///
    /// # Errors
    ///
    /// Where a division's code is no region.
    pub fn new(divisions: &Divisions, nodes: usize, seed: u64) -> Result<Self> {
        let nodes = nodes.clamp(SEATS + 3, FULL);
        let mut plan = Self::default();
        let part = |whole: usize| (whole * nodes).div_ceil(FULL);
        let industry = part(INDUSTRY).max(SEATS - NATIONAL);
        for number in 0..NATIONAL {
            let share = CENTRAL_SHARE[0] / 3.0;
            plan.add(&format!("cn-national-{}", number + 1), Tier::National, "CN", None, share)?;
        }
        for number in 0..industry {
            #[expect(clippy::cast_precision_loss, reason = "there are 36")]
            let share = CENTRAL_SHARE[1] / INDUSTRY as f64;
            plan.add(&format!("cn-industry-{:02}", number + 1), Tier::Industry, "CN", None, share)?;
        }
        for country in COUNTRIES.split(' ').take(part(INTERNATIONAL)) {
            #[expect(clippy::cast_precision_loss, reason = "there are 150")]
            let share = CENTRAL_SHARE[2] / INTERNATIONAL as f64;
            let id = format!("{}-exchange", country.to_lowercase());
            plan.add(&id, Tier::International, country, None, share)?;
        }
        let mut rng = Rng::new(seed ^ 0x0070_1a4e);
        let first = divisions.provinces.iter().position(|code| code == FIRST_PROVINCE).unwrap_or(0);
        let order = divisions.provinces.iter().cycle().skip(first).take(divisions.provinces.len());
        for province in order {
            plan.province(divisions, province, nodes, &mut rng)?;
        }
        Ok(plan)
    }

    /// Adds a province's exchanges until there are `nodes`.
    fn province(
        &mut self,
        divisions: &Divisions,
        code: &str,
        nodes: usize,
        rng: &mut Rng,
    ) -> Result<()> {
        let of = |list: &[String]| -> Vec<String> {
            list.iter().filter(|division| division.starts_with(code)).cloned().collect()
        };
        let (prefectures, counties) = (of(&divisions.prefectures), of(&divisions.counties));
        let all: u64 = divisions.contracts.values().sum();
        let contracts = divisions.contracts.get(code).copied().unwrap_or(all / 1_000);
        let central: f64 = CENTRAL_SHARE.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "contracts are below 2^53")]
        let share = (1.0 - central) * contracts as f64 / all.max(1) as f64;
        let provincial = format!("cn-{code}-provincial");
        // Where there are no divisions of a kind, those that there are do their part.
        let mut parts = PROVINCE_SHARE;
        for (at, none) in [(1, prefectures.is_empty()), (2, counties.is_empty())] {
            parts[at] = if none { 0.0 } else { parts[at] };
        }
        let parts_sum: f64 = parts.iter().sum();
        let mut members: Vec<(String, Tier, String, String, f64)> = vec![(
            provincial.clone(),
            Tier::Provincial,
            format!("CN-{code}"),
            String::new(),
            parts[0] / parts_sum * share,
        )];
        for (list, tier, part) in [(&prefectures, Tier::Municipal, 1), (&counties, Tier::County, 2)]
        {
            let weights = uneven(list.len(), rng);
            for (division, weight) in list.iter().zip(weights) {
                let above = division.get(..4).filter(|above| {
                    tier == Tier::County && prefectures.iter().any(|known| known == above)
                });
                let parent = above
                    .map_or_else(|| provincial.clone(), |above| format!("cn-{above}-municipal"));
                let id = format!("cn-{division}-{tier}");
                let share = parts[part] / parts_sum * share * weight;
                members.push((id, tier, format!("CN-{division}"), parent, share));
            }
        }
        for (id, tier, region, parent, share) in members {
            if self.specs.len() >= nodes {
                return Ok(());
            }
            let parent = (!parent.is_empty()).then_some(parent);
            self.add(&id, tier, &region, parent.as_deref(), share)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        id: &str,
        tier: Tier,
        region: &str,
        parent: Option<&str>,
        share: f64,
    ) -> Result<()> {
        let council = self.specs.len() < SEATS;
        let mut spec = json!({
            "id": id, "tier": tier.to_string(), "region": region, "council": council,
        });
        if let Some(parent) = parent {
            spec["parent"] = json!(parent);
        }
        self.specs.push(serde_json::from_value(spec)?);
        let own = region.parse::<Region>()?.scope(tier);
        let nation: Scope = "CN".parse::<Region>()?.scope(Tier::National);
        let follow = match tier {
            // A witness holds what it cosigns.
            _ if council => Follow::All,
            Tier::National | Tier::Provincial => Follow::All,
            Tier::Municipal | Tier::County | Tier::Industry | Tier::International => {
                Follow::Scopes([own, nation].into())
            }
        };
        let place = region.strip_prefix("CN-").map_or(region, |digits| &digits[..2]).to_string();
        self.roles.push(Role { tier, place, share, follow });
        Ok(())
    }
}

/// `count` parts of one, as uneven as offices are: the largest tenth does about a third.
fn uneven(count: usize, rng: &mut Rng) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a random number")]
    let weights: Vec<f64> = (0..count)
        .map(|_| {
            let uniform = (rng.below(1_000_000) + 1) as f64 / 1_000_001.0;
            -uniform.ln()
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The countries of international members.
const COUNTRIES: &str = "AE AF AG AL AM AO AR AT AZ BA BB BD BF BG BH BI BJ BN BO BR BW BY CD CF CG CI CL CM CO CR \
CU CV CY CZ DJ DM DO DZ EC EE EG ER ES ET FJ FM GA GD GE GH GM GN GQ GR GW GY HN HR HU ID IQ IR IT JM JO KE KG KH \
KI KM KR KW KZ LA LB LK LR LS LT LU LV LY MA MD ME MG MK ML MM MN MR MT MU MV MW MX MY MZ NA NE NG NI NP NZ OM PA \
PE PG PH PK PL PT PY QA RO RS RU RW SA SB SC SD SG SI SK SL SN SO SR SS ST SV SY TD TG TH TJ TL TM TN TO TR TT TZ \
UA UG UY UZ VE VN VU WS YE ZA ZM ZW";
