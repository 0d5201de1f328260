//! Regions: countries, and divisions of China.
//!
//! A country is two capital letters. Which countries there are changes in the world, so no verdict depends on the
//! list here: a code that is not on it is a warning ([`crate::unlisted`]).

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use smol_str::SmolStr;

use crate::shown::Shown;
use crate::tier::Tier;

/// ISO 3166-1 alpha-2 codes as of 2024, in order.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ \
BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ \
DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT \
GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX \
MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS \
RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN \
TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// First and last two-digit codes of GB/T 2260 provinces.
const PROVINCES: core::ops::RangeInclusive<u8> = 11..=82;

/// A country (two capital letters, `KZ`), or China or a division of it (`CN`, `CN-33`, `CN-3301`, `CN-330106`: the
/// significant digits of GB/T 2260).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(SmolStr);

/// A text is no region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a region: expected a country code such as KZ, or CN, CN-33, CN-3301, CN-330106",
    Shown::new(.0)
)]
pub struct RegionError(String);

impl Region {
    /// The region's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The two letters of the country, as ISO 3166-1 alpha-2 writes them.
    pub fn country(&self) -> &str {
        &self.0[..2]
    }

    /// Whether this version knows the country.
    pub fn is_listed(&self) -> bool {
        is_listed(self.country())
    }

    /// Whether `other` is this region or lies in it.
    pub fn contains(&self, other: &Self) -> bool {
        // Codes have 2, 4 or 6 digits, so a prefix always ends where a division does.
        other.0.starts_with(&*self.0)
    }

    /// The digits of the division, if it is one: 2, 4 or 6.
    pub fn division(&self) -> Option<&str> {
        self.0.get(3..)
    }

    /// The scope in which an exchange of this region and tier announces.
    pub fn scope(&self, tier: Tier) -> Scope {
        let country = || Scope(SmolStr::new(self.country()));
        match tier {
            Tier::National | Tier::Industry | Tier::International => country(),
            Tier::Provincial | Tier::Municipal | Tier::County => {
                self.0.get(..5).map_or_else(country, |province| Scope(SmolStr::new(province)))
            }
        }
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = match text.split_once('-') {
            None => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
            Some(("CN", digits)) => is_division(digits),
            Some(_) => false,
        };
        if valid {
            Ok(Self(SmolStr::new(text)))
        } else {
            Err(RegionError(text.chars().take(40).collect()))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_listed(country: &str) -> bool {
    // In order, three bytes each with the blank behind it.
    let code = |place: usize| COUNTRIES.as_bytes().get(3 * place..3 * place + 2);
    let wanted = Some(country.as_bytes());
    let (mut from, mut to) = (0, COUNTRIES.len() / 3 + 1);
    while from < to {
        let middle = usize::midpoint(from, to);
        if code(middle) < wanted { from = middle + 1 } else { to = middle }
    }
    code(from) == wanted
}

fn is_division(digits: &str) -> bool {
    let province = digits.get(..2).and_then(|two| two.parse::<u8>().ok());
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    // A pair of zeros stands for "the whole of it" in six-digit codes, and is left out here.
    let significant = digits.len() == 2 || !digits.ends_with("00");
    matches!(digits.len(), 2 | 4 | 6)
        && all_digits
        && significant
        && province.is_some_and(|province| PROVINCES.contains(&province))
}

/// Where an exchange announces: a province (`CN-33`), `CN` for national and industry exchanges,
/// or a country (`KZ`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(SmolStr);

/// The text of [`Scope::register`]; no region is written so.
const REGISTER_SCOPE: &str = "register";

/// A text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a scope: expected CN, a province such as CN-33, or a country such as KZ",
    Shown::new(.0)
)]
pub struct ScopeError(String);

impl Scope {
    /// The scope of the federation's registers, which everybody follows.
    pub fn register() -> Self {
        Self(SmolStr::new_static(REGISTER_SCOPE))
    }

    /// The scope's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == REGISTER_SCOPE {
            return Ok(Self::register());
        }
        match text.parse::<Region>() {
            Ok(region) if region.as_str().len() <= 5 => Ok(Self(region.0)),
            Ok(_) | Err(_) => Err(ScopeError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn regions_keep_to_their_forms() {
        for text in ["CN", "CN-33", "CN-3301", "CN-330106", "KZ", "GB"] {
            assert_eq!(region(text).as_str(), text);
        }
        for text in [
            "",
            "C",
            "cn",
            "Kz",
            "K1",
            "ＫＺ",
            "KAZ",
            "CN-",
            "CN-3",
            "CN-330",
            "CN-33010",
            "CN-3300",
            "CN-330100",
            "CN-10",
            "CN-83",
            "CN-3x",
            "KZ-75",
            "CN-33-01",
            "CNN",
        ] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_country_that_no_list_knows_is_a_region() {
        for (text, listed) in [
            ("AD", true),
            ("KZ", true),
            ("ZW", true),
            ("CN-330106", true),
            ("XX", false),
            ("UK", false),
        ] {
            assert_eq!(region(text).is_listed(), listed, "{text}");
        }
        assert_eq!(COUNTRIES.split(' ').filter(|code| is_listed(code)).count(), 249);
    }

    #[test]
    fn a_region_contains_what_it_is_a_prefix_of() {
        assert!(region("CN").contains(&region("CN-330106")));
        assert!(region("CN-33").contains(&region("CN-33")));
        assert!(region("CN-33").contains(&region("CN-3301")));
        assert!(!region("CN-33").contains(&region("CN-3401")));
        assert!(!region("CN-33").contains(&region("CN")));
        assert!(!region("KZ").contains(&region("CN")));
    }

    #[test]
    fn a_scope_is_the_top_level_region() {
        let scope = |text: &str, tier| region(text).scope(tier).to_string();
        assert_eq!(scope("CN-330106", Tier::County), "CN-33");
        assert_eq!(scope("CN-33", Tier::Provincial), "CN-33");
        assert_eq!(scope("CN-33", Tier::Industry), "CN");
        assert_eq!(scope("CN", Tier::National), "CN");
        assert_eq!(scope("KZ", Tier::International), "KZ");
        assert!("CN-3301".parse::<Scope>().is_err());
    }
}
