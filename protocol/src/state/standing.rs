//! How far the log of a member that was suspended, expelled or frozen stands.
//!
//! Nothing beyond that is fetched, cosigned or compared: its owner could fill everybody's disk with it.

use super::State;
use crate::id::ExchangeId;

impl State {
    /// Up to which size the log of another member stands; none while its new entries count.
    pub(super) fn stands_at(&self, log: &ExchangeId) -> Option<u64> {
        if *log == self.config.me {
            return None;
        }
        self.directory.member(log)?.stands_at()
    }

    /// Whether a log of `size` goes beyond where it stands.
    pub(super) fn is_beyond_standing(&self, log: &ExchangeId, size: u64) -> bool {
        self.stands_at(log).is_some_and(|at| size > at)
    }
}
