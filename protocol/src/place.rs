//! Where an exchange stands: its id, region and tier must agree.
//!
//! Judged when a descriptor is read, so that an id tells everybody where the exchange stands.

use alloc::{format, string::String};

use crate::{id::ExchangeId, region::Region, tier::Tier};

/// Why an id, a region and a tier do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The id does not begin with the region, or its name does not begin with a letter.
    #[error(
        "exchange id {id} contradicts region {region}: expected `{}` and a name that begins with a letter",
        id_prefix(.region)
    )]
    Id {
        /// The id.
        id: ExchangeId,
        /// The region.
        region: Region,
    },
    /// An exchange of this tier does not serve such a region.
    #[error("a {tier} exchange does not serve region {region}: expected {}", region_of(*.tier))]
    Tier {
        /// The tier.
        tier: Tier,
        /// The region.
        region: Region,
    },
}

/// Checks that `id` begins with `region` in lower case, `-` and a letter, and that an exchange of
/// `tier` may serve `region`.
///
/// # Errors
///
/// [`PlaceError`] says what was expected.
pub fn check_place(id: &ExchangeId, tier: Tier, region: &Region) -> Result<(), PlaceError> {
    if !tier_fits(tier, region) {
        return Err(PlaceError::Tier { tier, region: region.clone() });
    }
    let name = id.as_str().strip_prefix(&id_prefix(region));
    // A digit after the region's would name a division of it: cn-33 and cn-3301 stay apart.
    if name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_lowercase())) {
        return Ok(());
    }
    Err(PlaceError::Id { id: id.clone(), region: region.clone() })
}

/// What every exchange id of `region` begins with, such as `cn-3301-`.
pub fn id_prefix(region: &Region) -> String {
    format!("{}-", region.as_str().to_ascii_lowercase())
}

fn tier_fits(tier: Tier, region: &Region) -> bool {
    let digits = region.division().map(str::len);
    let abroad = region.country() != "CN";
    match tier {
        Tier::National => !abroad && digits.is_none(),
        Tier::Provincial => digits == Some(2),
        Tier::Municipal => digits == Some(4) || abroad,
        Tier::County => digits == Some(6) || abroad,
        Tier::Industry => digits.is_none(),
        Tier::International => abroad,
    }
}

const fn region_of(tier: Tier) -> &'static str {
    match tier {
        Tier::National => "CN",
        Tier::Provincial => "a province such as CN-33",
        Tier::Municipal => "a city such as CN-3301, or a country other than CN",
        Tier::County => "a county such as CN-330106, or a country other than CN",
        Tier::Industry => "a country without a division",
        Tier::International => "a country other than CN",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn check(id: &str, tier: Tier, region: &str) -> Result<(), PlaceError> {
        check_place(&id.parse().unwrap(), tier, &region.parse().unwrap())
    }

    #[test]
    fn an_id_begins_with_its_own_region_and_a_letter() {
        for (id, tier, region) in [
            ("cn-330106-xihu", Tier::County, "CN-330106"),
            ("cn-33-zhejiang", Tier::Provincial, "CN-33"),
            ("kz-almaty", Tier::International, "KZ"),
            ("cn-energy", Tier::Industry, "CN"),
            ("cn-e", Tier::National, "CN"),
        ] {
            assert_eq!(check(id, tier, region), Ok(()), "{id}");
        }
        for (id, tier, region) in [
            ("cn-3301-x", Tier::Provincial, "CN-33"),
            ("cn-33-x", Tier::Municipal, "CN-3301"),
            ("cn-33-x", Tier::National, "CN"),
            ("cn-33-1x", Tier::Provincial, "CN-33"),
            ("cn-33", Tier::Provincial, "CN-33"),
            ("cn-33-", Tier::Provincial, "CN-33"),
            ("cn-33--x", Tier::Provincial, "CN-33"),
            ("cn-34-x", Tier::Provincial, "CN-33"),
            ("kz-x", Tier::International, "UZ"),
            ("zhejiang", Tier::Provincial, "CN-33"),
        ] {
            assert!(matches!(check(id, tier, region), Err(PlaceError::Id { .. })), "{id}");
        }
        let error = check("cn-3301-x", Tier::Provincial, "CN-33").unwrap_err();
        assert_eq!(
            error.to_string(),
            "exchange id cn-3301-x contradicts region CN-33: expected `cn-33-` and a name that begins with a letter"
        );
    }

    #[test]
    fn a_tier_serves_regions_of_its_own_kind() {
        let regions = ["CN", "CN-33", "CN-3301", "CN-330106", "KZ"];
        for (tier, fits) in [
            (Tier::National, [true, false, false, false, false]),
            (Tier::Provincial, [false, true, false, false, false]),
            (Tier::Municipal, [false, false, true, false, true]),
            (Tier::County, [false, false, false, true, true]),
            (Tier::Industry, [true, false, false, false, true]),
            (Tier::International, [false, false, false, false, true]),
        ] {
            for (region, fits) in regions.into_iter().zip(fits) {
                let id = format!("{}x", id_prefix(&region.parse().unwrap()));
                assert_eq!(check(&id, tier, region).is_ok(), fits, "{tier} {region}");
            }
        }
    }
}
