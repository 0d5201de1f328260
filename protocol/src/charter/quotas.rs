//! How much each tier may publish in a day.

use serde_json::{Map, Value, json};

use crate::{
    fields::{FieldError, Fields},
    id::Tier,
};

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// MiB of entries that others take of one log in a day, by the tier of its owner; 1 to 65,535 each.
///
/// What the members below a member of the council's own children publish counts together, within the quota of
/// that member. So no member and no subtree can fill the disks of the others faster than the charter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas([u32; Tier::ALL.len()]);

impl Default for Quotas {
    /// A year's statements of the nation are some 7 GiB: a province may say a third of that in one day, a county
    /// the year's statements of ten.
    fn default() -> Self {
        Self(Tier::ALL.map(|tier| match tier {
            Tier::National | Tier::Provincial => 2_048,
            Tier::Municipal | Tier::Industry | Tier::International => 512,
            Tier::County => 128,
        }))
    }
}

impl Quotas {
    /// The same number of MiB for every tier: for trials.
    pub fn all(mib: u16) -> Self {
        Self([u32::from(mib.max(1)); Tier::ALL.len()])
    }

    /// Bytes a day of the tier.
    pub fn bytes(&self, tier: Tier) -> u64 {
        let place = Tier::ALL.iter().position(|other| *other == tier);
        u64::from(place.map_or(0, |place| self.0[place])) * MIB
    }

    /// Reads an object with one number for each tier.
    pub(super) fn from_value(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::open(value, "daily_mib")?;
        fields.only(&Tier::ALL.map(Tier::as_str))?;
        let mut quotas = [0; Tier::ALL.len()];
        for (tier, quota) in Tier::ALL.iter().zip(&mut quotas) {
            *quota = fields.number_u32(tier.as_str())?;
            if !(1..=65_535).contains(quota) {
                return Err(fields.error(tier.as_str(), "1 to 65535 MiB"));
            }
        }
        Ok(Self(quotas))
    }

    pub(super) fn to_value(self) -> Value {
        let members =
            Tier::ALL.iter().zip(self.0).map(|(tier, mib)| (tier.as_str().into(), json!(mib)));
        Value::Object(members.collect::<Map<_, _>>())
    }
}
