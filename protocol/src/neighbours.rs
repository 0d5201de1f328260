//! Whom a node dials so that none of its scopes passes it by.
//!
//! Nodes dial the council and members at random, which serves scopes that many follow. Where few do, a
//! node may be connected to none of them but the council, whose places in the mesh of the scope's topic
//! are taken: what is announced there comes by comparing alone. So a node counts with how many peers it
//! shares each scope, and dials members who share those that too few do.
//!
//! What a peer follows it tells. Of other members it is presumed ([`Interests::presumed`]).
//!
//! Not here: connections, and what peers tell. That is the network's.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::directory::{Directory, Member};
use crate::mesh;
use crate::region::Scope;
use crate::tier::Tier;

/// Peers with whom a node shares each of its scopes, at least, where there are so many: a mesh can be
/// filled from them though some have no place left.
pub const SHARERS: usize = mesh::D_HIGH;

/// The scopes of one node that not everybody follows, in order. Elsewhere they go by their place in
/// this list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interests(Vec<Scope>);

impl Interests {
    /// Of a node that listens to `scopes`. Those of council members are left out, since every node
    /// follows the council's logs.
    pub fn new(scopes: impl IntoIterator<Item = Scope>, directory: &Directory) -> Self {
        let council = directory.council().iter().filter_map(|id| directory.member(id));
        let common: Vec<&Scope> = council.map(|member| &member.scope).collect();
        let mut scopes: Vec<Scope> =
            scopes.into_iter().filter(|scope| !common.contains(&scope)).collect();
        scopes.sort_unstable();
        scopes.dedup();
        // Places are 16 bits wide; `SCOPES_MAX` is far below that.
        scopes.truncate(usize::from(u16::MAX));
        Self(scopes)
    }

    /// The scopes.
    pub fn scopes(&self) -> &[Scope] {
        &self.0
    }

    /// Places of the scopes that `follows` says yes to.
    pub fn places(&self, follows: impl Fn(&Scope) -> bool) -> Vec<u16> {
        (0..).zip(&self.0).filter(|(_, scope)| follows(scope)).map(|(place, _)| place).collect()
    }

    /// Places of the scopes that a member follows as far as the directory tells: national and
    /// provincial exchanges all, others the one in which they announce; nobody who is suspended any.
    pub fn presumed(&self, member: &Member) -> Vec<u16> {
        let all = matches!(member.descriptor.tier, Tier::National | Tier::Provincial);
        self.places(|scope| member.is_active() && (all || member.scope == *scope))
    }
}

/// Chooses whom of `others` to dial besides those `near`, who are or will be connected, so that each
/// of `scopes` scopes is shared with [`SHARERS`] peers where there are so many.
///
/// Everybody comes with the places of the scopes that are shared, and none of the council is among
/// them. Those who share most are chosen first, then those who come first, and nobody who shares only
/// what enough share already: `SHARERS` times `scopes` at most.
pub fn choose<'a, P>(
    scopes: usize,
    near: impl IntoIterator<Item = &'a [u16]>,
    others: impl IntoIterator<Item = (P, &'a [u16])>,
) -> Vec<P> {
    let mut missing = vec![SHARERS; scopes];
    let mut meet = |shared: &[u16]| {
        let mut helps = false;
        for place in shared {
            let Some(missing) = missing.get_mut(usize::from(*place)) else { continue };
            helps |= *missing > 0;
            *missing = missing.saturating_sub(1);
        }
        helps
    };
    for shared in near {
        meet(shared);
    }
    let mut others: Vec<_> = others.into_iter().collect();
    others.sort_by_key(|(_, shared)| Reverse(shared.len()));
    others.into_iter().filter(|(_, shared)| meet(shared)).map(|(who, _)| who).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {

    use super::*;
    use crate::fixture::{Exchange, Federation};
    use crate::statement::StatementType;

    fn chosen(near: &[&[u16]], others: &[&[u16]]) -> Vec<usize> {
        choose(3, near.iter().copied(), others.iter().copied().enumerate())
    }

    #[test]
    fn those_are_chosen_who_share_what_too_few_do() {
        let both: &[u16] = &[0, 1];
        let near = [both; SHARERS];
        assert!(chosen(&near, &[&[0], &[1], &[0, 1]]).is_empty(), "enough share these");
        assert_eq!(chosen(&near, &[&[0], &[2], &[]]), [1], "and the third nobody else");
        assert_eq!(chosen(&near[1..], &[&[0], &[1], &[1]]), [0, 1], "one is missing of each");
        assert_eq!(chosen(&near[1..], &[&[0], &[1], both]), [2], "who shares both serves both");
        assert!(chosen(&near, &[&[3]]).is_empty(), "no scope of this node");
    }

    #[test]
    fn no_more_are_chosen_than_a_scope_needs() {
        let others: Vec<&[u16]> = vec![&[0]; 3 * SHARERS];
        assert_eq!(chosen(&[], &others), (0..SHARERS).collect::<Vec<_>>());
        assert_eq!(chosen(&[&[0, 2]], &others).len(), SHARERS - 1);
    }

    #[test]
    fn the_directory_tells_who_may_follow_what() {
        let mut country = Federation::of_provinces(3);
        country.admit_by_council(Exchange::new("cn-33-z", Tier::Provincial, "CN-33", 0));
        country.admit_by_council(Exchange::new("kz-exchange", Tier::International, "KZ", 0));
        country.admit("cn-33-z", Exchange::new("cn-3301-hangzhou", Tier::Municipal, "CN-3301", 0));
        let directory = country.directory.clone();
        let scopes = directory.members().map(|member| member.scope.clone());
        let interests = Interests::new(scopes, &directory);
        let names: Vec<_> = interests.scopes().iter().map(Scope::as_str).collect();
        assert_eq!(names, ["CN-33", "KZ"], "the council's are everybody's");
        let presumed =
            |id: &str| interests.presumed(directory.member(&id.parse().unwrap()).unwrap());
        assert_eq!(presumed("cn-33-z"), [0, 1]);
        assert_eq!(presumed("cn-3301-hangzhou"), [0]);
        assert_eq!(presumed("kz-exchange"), [1]);
        country.restrain("cn-33-z", StatementType::MemberSuspend, "cn-3301-hangzhou", 0).unwrap();
        let directory = country.directory.clone();
        let suspended = directory.member(&"cn-3301-hangzhou".parse().unwrap()).unwrap();
        assert_eq!(interests.presumed(suspended), [0; 0]);
    }
}
