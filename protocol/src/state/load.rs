//! How much a state keeps in memory, by kind.

use super::State;

/// How many things of each kind a state keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Connected peers.
    pub peers: usize,
    /// Logs.
    pub logs: usize,
    /// Requests that wait for an answer.
    pub asked: usize,
    /// Batches of entries that are being checked.
    pub checks: usize,
    /// Timers.
    pub timers: usize,
    /// Batches that wait to be handed over in order, of the log that has most.
    pub staged: usize,
    /// Ranges that wait for those before them, of the log that has most.
    pub early: usize,
    /// Ranges of all logs that were asked for.
    pub fetches: usize,
    /// Older checkpoints that are being compared, of the log that has most.
    pub suspects: usize,
    /// Checkpoints remembered, of the log that has most.
    pub recent: usize,
    /// Decisions about members that wait to be recorded.
    pub decisions: usize,
    /// Evidence against one log, of the log that has most.
    pub evidence: usize,
}

impl State {
    /// How much is kept in memory at this moment.
    pub fn load(&self) -> Load {
        let mut load = Load {
            peers: self.peers.len(),
            logs: self.replicas.len(),
            asked: self.asked.len(),
            checks: self.checks.len(),
            fetches: self.fetches,
            timers: self.timers.count(),
            decisions: self.waiting_count(),
            ..Load::default()
        };
        for replica in self.replicas.values() {
            load.staged = load.staged.max(replica.staged.len());
            load.early = load.early.max(replica.early.len());
            load.suspects = load.suspects.max(replica.suspects.len());
            load.recent = load.recent.max(replica.recent.len());
            load.evidence = load.evidence.max(replica.evidence.len());
        }
        load
    }
}
