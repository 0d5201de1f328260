//! What this process may use and may show: core dumps, file modes, descriptors.
//!
//! Called at the start of the program, before a key is read and a thread is started.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use thiserror::Error;

/// Why the process was not allowed what it needs.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// A core dump would hold the seed.
    #[error("cannot switch core dumps off; start the node with `ulimit -c 0`")]
    CoreDumps(#[source] std::io::Error),
    /// Too few descriptors for a store, a listener and some peers.
    #[error(
        "the process may open {met} descriptors, expected at least {DESCRIPTORS_MIN}; raise the limit with `ulimit -n` or LimitNOFILE"
    )]
    Descriptors {
        /// The limit, which is the hard one.
        met: u64,
    },
}

/// Below this a node cannot hold its store and a handful of peers.
pub const DESCRIPTORS_MIN: u64 = 128;

/// More than any configuration uses: 65,536 connections of peers and as many of the interface.
const DESCRIPTORS_MAX: u64 = 1 << 18;

/// Descriptors that the store has open at one time: tables of the views (256), one file for each of 256
/// requests of peers and 64 of operators, 8 that are synced, journal, lock and index.
const STORE: u64 = 640;

/// Listeners, timers, standard streams, name lookups.
const OTHERS: u64 = 32;

/// Dials and handshakes of peers under way, in each direction (`pending_inbound_max`, `pending_outbound_max`).
const PENDING: u64 = 128;

/// Switches core dumps off for this process and its children, and keeps other processes of the same user from
/// reading its memory.
///
/// # Errors
///
/// [`ProcessError::CoreDumps`].
pub fn forbid_core_dumps() -> Result<(), ProcessError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| ProcessError::CoreDumps(error.into()))?;
    // A dump that is piped into a program ignores the limit; this forbids it too.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|error| ProcessError::CoreDumps(error.into()))?;
    Ok(())
}

/// Creates every file of this process with mode 0600 and every folder with 0700, whatever the umask was.
pub fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Raises the soft limit on descriptors to the hard one, at most 262,144. Returns the limit in force.
///
/// # Errors
///
/// [`ProcessError::Descriptors`] below [`DESCRIPTORS_MIN`].
pub fn raise_descriptors() -> Result<u64, ProcessError> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
    let soft = limit.current.unwrap_or(DESCRIPTORS_MAX);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    let met = if soft < wanted && setrlimit(Resource::Nofile, raised).is_ok() {
        wanted
    } else {
        soft.min(DESCRIPTORS_MAX)
    };
    if met < DESCRIPTORS_MIN {
        return Err(ProcessError::Descriptors { met });
    }
    Ok(met)
}

/// How the descriptors are divided, so that no use takes what another needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit of the process.
    pub limit: u64,
    /// What the configuration needs.
    pub needed: u64,
    /// Connections of the HTTP interface.
    pub http: u32,
    /// Connections with peers.
    pub peers: u32,
    /// Tables of the views that are open at one time.
    pub tables: u32,
}

impl Descriptors {
    /// Divides `limit` descriptors. `http` and `peers` are the connections that the configuration allows; both
    /// become fewer where the limit does not suffice. The store's share is never touched by connections.
    pub fn divide(limit: u64, http: u32, peers: u32) -> Self {
        let reserve = (STORE + OTHERS).min(limit / 2);
        let connections = limit - reserve;
        let needed = STORE + OTHERS + u64::from(http) + u64::from(peers) + PENDING;
        let http = u64::from(http).min(connections / 4).max(1);
        let rest = connections - http;
        let peers = u64::from(peers).min(rest - PENDING.min(rest / 2)).max(1);
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            limit,
            needed,
            http: narrow(http),
            peers: narrow(peers),
            tables: narrow((reserve / 3).min(256)),
        }
    }

    /// Whether the configuration asks for more than the limit allows.
    pub fn is_short(&self) -> bool {
        self.needed > self.limit
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_high_limit_gives_what_is_configured() {
        let given = Descriptors::divide(65_536, 128, 2_048);
        assert_eq!((given.http, given.peers, given.tables), (128, 2_048, 224));
        assert!(!given.is_short());
    }

    #[test]
    fn a_low_limit_leaves_the_store_its_share() {
        for limit in [DESCRIPTORS_MIN, 200, 256, 1_024, 1_400] {
            for (http, peers) in [(1, 8), (128, 512), (65_536, 65_536)] {
                let given = Descriptors::divide(limit, http, peers);
                let pending = PENDING.min((limit / 2 - u64::from(given.http)) / 2);
                let used = u64::from(given.http) + u64::from(given.peers) + pending;
                let reserve = (STORE + OTHERS).min(limit / 2);
                assert!(used + reserve <= limit, "{limit}: {given:?}");
                assert!(given.http >= 1 && given.peers >= 8, "{limit}: {given:?}");
                assert!(u64::from(given.tables) < reserve, "{limit}: {given:?}");
            }
        }
        assert!(Descriptors::divide(1_024, 128, 512).is_short());
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let low = Rlimit { current: Some(DESCRIPTORS_MIN), maximum: hard };
        setrlimit(Resource::Nofile, low).unwrap();
        let met = raise_descriptors().unwrap();
        assert_eq!(met, hard.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(met));
    }

    #[test]
    fn files_are_private_whatever_the_umask_was() {
        umask(Mode::empty());
        keep_files_private();
        let place = tempfile::tempdir().unwrap();
        let (file, folder) = (place.path().join("file"), place.path().join("folder"));
        std::fs::write(&file, "x").unwrap();
        std::fs::create_dir(&folder).unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder)), (0o600, 0o700));
    }

    #[test]
    fn core_dumps_are_off() {
        forbid_core_dumps().unwrap();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert!(matches!(
            rustix::process::dumpable_behavior(),
            Ok(rustix::process::DumpableBehavior::NotDumpable)
        ));
    }
}
