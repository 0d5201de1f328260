//! Federations of any size, drawn from a number: who there is, where, and under whom.

use crate::federation::ExchangeSpec;
use crate::rng::Rng;

/// Provinces by their two digits, the larger technology markets first.
const PROVINCES: [u8; 12] = [33, 31, 44, 11, 32, 37, 42, 51, 61, 34, 43, 50];
/// Partner countries.
const COUNTRIES: [&str; 8] = ["KZ", "SG", "TH", "AE", "RS", "PK", "MY", "EG"];

/// The exchanges of a federation of `nodes`, 4 to 50, of which the last two are strangers: nobody
/// has admitted them. The first is national; up to five sit on the council.
pub fn exchanges(nodes: usize, layout: u64) -> Vec<ExchangeSpec> {
    let mut rng = Rng::new(layout ^ 0x1a_0b07);
    let mut specs = vec![spec("cn-national", "national", "CN", None, true)];
    let provinces = (nodes / 5).clamp(2, PROVINCES.len());
    for (at, digits) in PROVINCES.iter().take(provinces).enumerate() {
        specs.push(spec(
            &format!("cn-{digits}-province"),
            "provincial",
            &format!("CN-{digits}"),
            None,
            at < 4,
        ));
    }
    let countries = (nodes / 8).clamp(1, COUNTRIES.len());
    for code in COUNTRIES.iter().take(countries) {
        let id = format!("{}-exchange", code.to_lowercase());
        specs.push(spec(&id, "international", code, None, false));
    }
    specs.push(spec("cn-energy", "industry", "CN", None, false));
    let strangers = if nodes > specs.len() + 2 { 2 } else { 0 };
    let mut cities: Vec<String> = Vec::new();
    while specs.len() + strangers < nodes {
        let county = !cities.is_empty() && rng.chance(300);
        if county {
            let city = &cities[rng.index(cities.len())];
            let digits = format!("{city}{:02}", 11 + specs.len());
            let parent = format!("cn-{city}-city");
            let id = format!("cn-{digits}-county");
            specs.push(spec(&id, "county", &format!("CN-{digits}"), Some(&parent), false));
        } else {
            let province = PROVINCES[rng.index(provinces)];
            let digits = format!("{province}{:02}", 1 + cities.len());
            let (id, region) = (format!("cn-{digits}-city"), format!("CN-{digits}"));
            let parent = format!("cn-{province}-province");
            specs.push(spec(&id, "municipal", &region, Some(&parent), false));
            cities.push(digits);
        }
    }
    for (at, name) in ["99", "98"].iter().take(strangers).enumerate() {
        let parent = format!("cn-{}-province", PROVINCES[at]);
        let (id, region) =
            (format!("cn-{}{name}-x", PROVINCES[at]), format!("CN-{}{name}", PROVINCES[at]));
        let mut stranger = spec(&id, "municipal", &region, Some(&parent), false);
        stranger.stranger = true;
        specs.push(stranger);
    }
    specs
}

fn spec(id: &str, tier: &str, region: &str, parent: Option<&str>, council: bool) -> ExchangeSpec {
    ExchangeSpec {
        id: id.into(),
        tier: tier.into(),
        region: region.into(),
        council,
        parent: parent.map(Into::into),
        admitted_at_ms: 0,
        stranger: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn layouts_have_the_size_wanted_and_every_id_once() {
        for nodes in 5..=50 {
            let specs = exchanges(nodes, nodes as u64);
            let ids: BTreeSet<_> = specs.iter().map(|one| &one.id).collect();
            assert_eq!((specs.len(), ids.len()), (nodes, nodes));
            let known = |parent: &String| ids.contains(parent);
            assert!(specs.iter().filter_map(|one| one.parent.as_ref()).all(known));
        }
    }
}
