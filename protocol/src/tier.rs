//! The level of an exchange in the network.

use core::fmt;
use core::str::FromStr;

/// The level of an exchange. It decides who may admit it, and whom it may admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A national exchange.
    National,
    /// An exchange of a province, autonomous region or municipality under the State Council.
    Provincial,
    /// An exchange of a prefecture-level city.
    Municipal,
    /// An exchange of a county or district.
    County,
    /// An exchange of one industry.
    Industry,
    /// An exchange of a partner country.
    International,
}

/// A text is no tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of national, provincial, municipal, county, industry, international")]
pub struct TierError;

impl Tier {
    /// All tiers.
    pub const ALL: [Self; 6] = [
        Self::National,
        Self::Provincial,
        Self::Municipal,
        Self::County,
        Self::Industry,
        Self::International,
    ];

    /// The tier's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::National => "national",
            Self::Provincial => "provincial",
            Self::Municipal => "municipal",
            Self::County => "county",
            Self::Industry => "industry",
            Self::International => "international",
        }
    }

    /// Whether an exchange of this tier may admit others in its own name.
    pub const fn admits(self) -> bool {
        matches!(self, Self::Provincial | Self::Municipal | Self::International)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = TierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text).ok_or(TierError)
    }
}
