//! How much waits in a node, queue by queue.
//!
//! Every queue is bounded, most of them by what causes them; how long they are shows where a node that
//! is slow is held up. Lengths are taken with each view, ten times a second.

/// What waits or is under way at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// Requests of operators that the driver has not taken: at most
    /// [`COMMANDS_MAX`](crate::handle::COMMANDS_MAX).
    pub commands: usize,
    /// Groups of own statements that are not durable yet, and so not answered: each is in a list of
    /// `effects`.
    pub publishing: usize,
    /// Events of the network that the driver has not taken: at most `events_max` of the network's limits, and
    /// two for each peer and one for each own request.
    pub events: usize,
    /// Results of checks and reads that the driver has not taken: at most four a log.
    pub results: usize,
    /// Batches of entries that are being checked: at most four a log.
    pub checking: usize,
    /// Long answers of peers that wait for checks.
    pub answers: usize,
    /// Their bytes: at most 64 MiB, and 8 MiB of one peer.
    pub answer_bytes: usize,
    /// Lists of effects, most of which wait for a commit: at most 1,024, and as many under way.
    pub effects: usize,
    /// Committed entries that the views do not hold yet.
    pub views_behind: u64,
    /// Commands that the network has not taken: gossip, requests and answers on their way out; at most
    /// `commands_max` of its limits.
    pub outgoing: usize,
    /// Own requests to peers without an answer: at most `requests_max`.
    pub requests: usize,
    /// Peers' requests without an answer: at most `inbound_max`.
    pub serving: usize,
    /// Gossip messages without a verdict: at most `gossip_pending_max`.
    pub verdicts: usize,
}

/// How many there are.
pub const QUEUES: usize = 13;

impl Queues {
    /// Names and lengths.
    pub fn all(&self) -> [(&'static str, u64); QUEUES] {
        let of = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        [
            ("commands", of(self.commands)),
            ("publishing", of(self.publishing)),
            ("events", of(self.events)),
            ("results", of(self.results)),
            ("checking", of(self.checking)),
            ("answers", of(self.answers)),
            ("answer_bytes", of(self.answer_bytes)),
            ("effects", of(self.effects)),
            ("views_behind", self.views_behind),
            ("outgoing", of(self.outgoing)),
            ("requests", of(self.requests)),
            ("serving", of(self.serving)),
            ("verdicts", of(self.verdicts)),
        ]
    }
}
