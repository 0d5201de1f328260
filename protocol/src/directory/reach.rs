//! Who may admit whom.

use super::{Directory, NoEffect, Parent};
use crate::{
    descriptor::Descriptor,
    id::{ExchangeId, Tier},
};

/// The council admits national, provincial, industry and international exchanges; a provincial or
/// international member municipal and county exchanges in its region, a municipal member county exchanges
/// in its region.
pub(super) fn check(
    directory: &Directory,
    author: &Parent,
    child: &Descriptor,
) -> Result<(), NoEffect> {
    let admits = match author {
        Parent::Council => !matches!(child.tier, Tier::Municipal | Tier::County),
        Parent::Member(id) => member_admits(directory, id, child),
    };
    if admits {
        return Ok(());
    }
    let (tier, region) = (child.tier, child.region.clone());
    Err(NoEffect::OutOfReach { author: author.clone(), tier, region })
}

fn member_admits(directory: &Directory, parent: &ExchangeId, child: &Descriptor) -> bool {
    let Some(parent) = directory.member(parent) else { return false };
    let below = match parent.descriptor.tier {
        Tier::Provincial | Tier::International => {
            matches!(child.tier, Tier::Municipal | Tier::County)
        }
        Tier::Municipal => child.tier == Tier::County,
        Tier::National | Tier::Industry | Tier::County => false,
    };
    below && parent.descriptor.region.contains(&child.region)
}
