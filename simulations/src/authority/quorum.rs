//! How many cosignatures suffice, how many liars that bears, and checkpoints that may conflict.

/// A council of `members` witnesses of which `threshold` suffice for a log that none of them owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Council {
    /// How many members, from 3.
    pub(super) members: u8,
    /// How many cosignatures suffice; more than half of the members.
    pub(super) threshold: u8,
}

impl Council {
    /// How many of the members other than the owner suffice for a log that a member owns, the register among them.
    pub(super) fn others_threshold(self) -> u8 {
        let fewer = self.threshold - 1;
        if 2 * fewer > self.members - 1 { fewer } else { self.threshold }
    }

    /// How many witnesses every two quorums of one log share at least: so many lies make two contradicting quorums, fewer do not.
    pub(super) fn overlap(self, owner_sits: bool) -> u8 {
        if owner_sits {
            2 * self.others_threshold() - (self.members - 1)
        } else {
            2 * self.threshold - self.members
        }
    }
}

/// A checkpoint of one log: its size, and which of two versions of the log it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Head {
    pub(super) size: u8,
    pub(super) fork: bool,
}

/// The checkpoint of an empty log, which is within every other.
pub(super) const EMPTY: Head = Head { size: 0, fork: false };

impl Head {
    /// Whether `other` extends or equals this one.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.size == 0 || (self.fork == other.fork && self.size <= other.size)
    }

    /// The checkpoint of the same log at `size`.
    pub(super) fn cut(self, size: u8) -> Self {
        if size == 0 { EMPTY } else { Self { size, fork: self.fork } }
    }

    /// Every checkpoint up to `size_max` but the empty one.
    pub(super) fn all(size_max: u8) -> impl Iterator<Item = Self> {
        (1..=size_max).flat_map(|size| [false, true].map(|fork| Self { size, fork }))
    }
}

#[cfg(test)]
mod tests {
    use super::Council;

    fn check(members: u8, threshold: u8, others: u8, overlaps: (u8, u8)) {
        let council = Council { members, threshold };
        assert_eq!(council.others_threshold(), others, "{council:?}");
        assert_eq!((council.overlap(false), council.overlap(true)), overlaps, "{council:?}");
    }

    #[test]
    fn two_quorums_share_witnesses() {
        check(3, 2, 2, (1, 2));
        check(4, 3, 2, (2, 1));
        check(5, 3, 3, (1, 2));
        check(5, 4, 3, (3, 2));
        check(7, 5, 4, (3, 2));
    }
}
