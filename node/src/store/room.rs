//! What the disk has left, and for whom.
//!
//! | free space | other exchanges' entries | own statements | the index |
//! |---|---|---|---|
//! | ample | stored | published | written |
//! | below `free_bytes_min` and `reserve_bytes` together | not fetched | published | written |
//! | below `free_bytes_min` and one group of statements | not fetched | refused | written |
//!
//! So others never use up what a node needs to speak for itself, and nothing is begun that could not be
//! kept.

use std::path::Path;

use super::error::StoreError;

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Neither own statements nor others' entries.
    Nothing,
    /// Own statements; others' entries must wait.
    Own,
    /// Everything.
    All,
}

/// Room and the figures behind it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What there is room for.
    pub room: Room,
    /// Free for this user.
    pub free: u64,
    /// Others' entries are stored from here on.
    pub needed: u64,
}

/// What commits leave free, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// For the index. 0 looks at nothing.
    pub(super) free_min: u64,
    /// For the own log, besides.
    pub(super) reserve: u64,
}

/// The largest group of own statements: a request of 8 MiB, its hashes, and the journal's record of it.
const GROUP_BYTES: u64 = 24 << 20;

/// Closing writes some pages of the index; below this the journal keeps what it holds.
const CLOSING_BYTES: u64 = 8 << 20;

impl Bounds {
    /// Judges `free` bytes.
    pub(super) fn space(self, free: u64) -> Space {
        let own = self.free_min.saturating_add(GROUP_BYTES);
        let needed = own.saturating_add(self.reserve);
        let room = match free {
            _ if self.free_min == 0 => Room::All,
            free if free >= needed => Room::All,
            free if free >= own => Room::Own,
            _ => Room::Nothing,
        };
        Space { room, free, needed }
    }

    /// Whether the index can be made durable at the end of a run.
    pub(super) fn allow_closing(self, free: u64) -> bool {
        free >= self.free_min.min(CLOSING_BYTES)
    }
}

/// Bytes that are free on the disk of `folder` for this user.
pub(super) fn free_bytes(folder: &Path) -> Result<u64, StoreError> {
    let room = rustix::fs::statvfs(folder)
        .map_err(|error| StoreError::io("ask the free space of", folder)(error.into()))?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_for_the_own_log_and_the_rest_for_nobody() {
        let bounds = Bounds { free_min: 64 << 20, reserve: 256 << 20 };
        let room = |mib: u64| bounds.space(mib << 20).room;
        assert_eq!(room(344), Room::All);
        assert_eq!(room(343), Room::Own);
        assert_eq!(room(88), Room::Own);
        assert_eq!(room(87), Room::Nothing);
        assert!(bounds.allow_closing(8 << 20) && !bounds.allow_closing((8 << 20) - 1));
        let unbounded = Bounds { free_min: 0, reserve: 1 << 20 };
        assert_eq!(unbounded.space(0).room, Room::All);
        assert!(unbounded.allow_closing(0));
    }
}
