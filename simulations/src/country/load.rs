//! What the exchanges publish on a day in December.

use anyhow::Result;
use hutong_protocol::audience::Audience;
use hutong_protocol::date::Date;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::statement::StatementType;
use hutong_protocol::tier::Tier;
use hutong_protocol::time::Timestamp;
use serde_json::{Value, json};

use super::plan::Plan;
use crate::federation::{Exchange, Federation};
use crate::rng::Rng;

/// Statements of the whole country on the busiest day of a December: three times a mean working
/// day of that month, at four statements a contract (`scale.json`).
pub const PEAK_DAY: u64 = 164_000;

/// Parts of a thousand of the day's statements that each hour has.
const HOURS: [u64; 24] =
    [2, 1, 1, 1, 1, 2, 5, 15, 60, 140, 155, 105, 35, 60, 140, 145, 75, 25, 10, 6, 5, 5, 3, 3];

/// Parts of a thousand of statements that are listings, and that change a listing's status; the
/// rest registers contracts.
const LISTINGS: u64 = 350;
const STATUSES: u64 = 200;
/// Parts of a thousand of statements that are for members of the country only.
const DOMESTIC: u64 = 20;
/// Sizes of a listing's text, in bytes.
const LISTING_TEXT_BYTES: (u64, u64) = (500, 3_500);

/// A stretch of a day, in seconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it begins.
    pub from: u64,
    /// When it ends.
    pub to: u64,
}

impl Stretch {
    /// A whole day.
    pub const DAY: Self = Self { from: 0, to: 86_400 };

    /// How long it is, in seconds.
    pub fn seconds(self) -> u64 {
        self.to - self.from
    }
}

/// A statement that will be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// When, in microseconds since midnight.
    pub at_us: u64,
    /// By whom.
    pub exchange: u32,
    /// What its contents are made from.
    pub seed: u64,
    /// The newcomer that it admits; where there is none, it is a listing or a contract.
    pub admits: Option<u32>,
}

/// What is published in a stretch of the day, in order of time.
pub fn of_day(plan: &Plan, seed: u64, stretch: Stretch) -> Vec<Planned> {
    let mut rng = Rng::new(seed ^ 0x00da_7000);
    let mut ends = Vec::with_capacity(plan.roles.len());
    let mut sum = 0.0;
    for role in &plan.roles {
        sum += role.share;
        ends.push(sum);
    }
    let mut planned = Vec::new();
    for _ in 0..PEAK_DAY {
        let (at_us, seed) = (time(&mut rng), rng.bits());
        // A part of a country publishes a part of the statements.
        #[expect(clippy::cast_precision_loss, reason = "a random number")]
        let draw = (rng.below(1 << 40) as f64) / (1_u64 << 40) as f64;
        let exchange = ends.partition_point(|end| *end <= draw);
        let within = (stretch.from * 1_000_000..stretch.to * 1_000_000).contains(&at_us);
        if let (true, Ok(exchange)) = (within && exchange < ends.len(), u32::try_from(exchange)) {
            planned.push(Planned { at_us, exchange, seed, admits: None });
        }
    }
    planned.sort_by_key(|planned| (planned.at_us, planned.seed));
    planned
}

/// The admissions of the newcomers by their parents, evenly over the stretch.
pub fn admissions(plan: &Plan, federation: &Federation, stretch: Stretch) -> Vec<Planned> {
    let newcomers = plan.newcomers();
    let apart_us = stretch.seconds() * 1_000_000 / (newcomers.len() as u64 + 1);
    let planned = (1..).zip(newcomers).filter_map(|(nth, newcomer)| {
        Some(Planned {
            at_us: stretch.from * 1_000_000 + nth * apart_us,
            exchange: u32::try_from(federation.decider(newcomer)?).ok()?,
            seed: nth,
            admits: Some(u32::try_from(newcomer).ok()?),
        })
    });
    planned.collect()
}

fn time(rng: &mut Rng) -> u64 {
    let sum: u64 = HOURS.iter().sum();
    let mut draw = rng.below(sum);
    let mut hour = 0;
    for weight in HOURS {
        if draw < weight {
            break;
        }
        draw -= weight;
        hour += 1;
    }
    hour * 3_600_000_000 + rng.below(3_600_000_000)
}

impl Planned {
    /// Makes and signs the statement.
    ///
    /// # Errors
    ///
    /// Where it is not well formed.
    pub fn prepare(&self, federation: &Federation, at: Timestamp) -> Result<Prepared> {
        let exchange = &federation.exchanges[self.exchange as usize];
        let mut rng = Rng::new(self.seed);
        if let Some(newcomer) = self.admits {
            let admission = federation.admission(newcomer as usize)?;
            let (kind, body) =
                (StatementType::MemberAdmit, federation.numbered(admission, 1, Date::of(at)));
            return exchange.prepare(kind, Audience::Public, at, rng.salt(), body);
        }
        let draw = rng.below(1_000);
        let (kind, body) = if draw < LISTINGS {
            (StatementType::Listing, listing(exchange, &mut rng))
        } else if draw < LISTINGS + STATUSES {
            (StatementType::ListingStatus, status(&exchange.id, &mut rng))
        } else {
            (StatementType::Contract, contract(exchange, &mut rng))
        };
        let domestic = exchange.tier != Tier::International && rng.chance(DOMESTIC);
        let audience = if domestic { Audience::Domestic } else { Audience::Public };
        exchange.prepare(kind, audience, at, rng.salt(), body)
    }
}

fn listing(exchange: &Exchange, rng: &mut Rng) -> Value {
    let bytes = rng.between(LISTING_TEXT_BYTES.0, LISTING_TEXT_BYTES.1);
    json!({
        "listing_id": format!("listing-{:016x}", rng.bits()),
        "revision": 1,
        "kind": "achievement",
        "title": { "zh": text(rng, 60), "en": "A material, a process or a device that somebody may license" },
        "summary": { "zh": text(rng, bytes) },
        "fields": ["new_materials"],
        "modes": ["license"],
        "region": exchange.region.to_string(),
        "keywords": [text(rng, 12), text(rng, 12), text(rng, 12)],
        "public_welfare": false,
    })
}

fn status(id: &ExchangeId, rng: &mut Rng) -> Value {
    json!({
        "listing_id": format!("listing-{:016x}", rng.bits()),
        "status": "listed",
        "reason": format!("audited by {id}"),
    })
}

fn contract(exchange: &Exchange, rng: &mut Rng) -> Value {
    let region = exchange.region.to_string();
    let claims = ["buyer_name", "project_name", "seller_name", "technical_amount", "total_amount"];
    let claims: serde_json::Map<String, Value> =
        claims.iter().map(|name| ((*name).to_string(), Value::String(digest(rng)))).collect();
    json!({
        "registration_no": format!("{:020}", rng.bits()),
        "event": "registered",
        "contract_type": "development",
        "field": "new_materials",
        "registering_division": region,
        "seller_division": region,
        "buyer_division": region,
        "sign_date": "2026-12-21",
        "valid_from": "2026-12-21",
        "valid_to": "2027-12-20",
        "documents": [
            { "blake3": digest(rng), "sha256": digest(rng) },
            { "blake3": digest(rng), "sha256": digest(rng) },
        ],
        "claims": claims,
    })
}

fn digest(rng: &mut Rng) -> String {
    let [a, b, c, d] = [rng.bits(), rng.bits(), rng.bits(), rng.bits()];
    format!("{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// Chinese characters of about `bytes` bytes.
fn text(rng: &mut Rng, bytes: u64) -> String {
    let character = |rng: &mut Rng| {
        let code = 0x4e00 + u32::try_from(rng.below(5_000)).unwrap_or(0);
        char::from_u32(code).unwrap_or('字')
    };
    (0..bytes / 3).map(|_| character(rng)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use crate::country::divisions::Divisions;
    use crate::federation::Pace;

    #[test]
    fn statements_are_well_formed_and_of_the_sizes_of_reality() {
        let plan = Plan::new(&Divisions::generated(), 20, 1).unwrap();
        let federation = Federation::found(&plan.specs, 1, Pace::USUAL).unwrap();
        let planned = of_day(&plan, 1, Stretch::DAY);
        assert!(!planned.is_empty());
        let mut sizes: Vec<usize> = planned
            .iter()
            .take(400)
            .map(|one| {
                one.prepare(&federation, Timestamp::from_seconds(1))
                    .unwrap()
                    .entry()
                    .as_bytes()
                    .len()
            })
            .collect();
        sizes.sort_unstable();
        assert!(sizes[0] > 300 && sizes[sizes.len() - 1] < 5_000, "{sizes:?}");
    }

    #[test]
    fn working_hours_have_most_of_it() {
        let divisions = Divisions::generated();
        let plan = Plan::new(&divisions, 3_400, 1).unwrap();
        assert_eq!(plan.specs.len(), 3_400);
        let day = of_day(&plan, 7, Stretch::DAY);
        assert!(day.len() as u64 > PEAK_DAY * 99 / 100, "{}", day.len());
        let busy = of_day(&plan, 7, Stretch { from: 8 * 3_600, to: 18 * 3_600 });
        assert!(busy.len() * 100 > day.len() * 90);
    }
}
