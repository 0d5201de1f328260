//! How announcements spread: the numbers with which nodes set up gossipsub, and models of it too.
//!
//! Names as in the specifications of gossipsub v1.1 and v1.2. Decision 12 has the measurements behind them.

/// `D`: peers in the mesh of a topic, to whom a message is passed on whole.
pub const D: usize = 6;
/// `D_low`: with fewer, a mesh is filled up to `D`.
pub const D_LOW: usize = 5;
/// `D_high`: with more, a mesh is cut back to `D`.
pub const D_HIGH: usize = 9;
/// `D_out`: mesh peers that this node dialed, at least, so that who dials it does not choose them all.
pub const D_OUT: usize = 2;
/// `D_lazy`: peers outside of the mesh that are told of message ids, at least.
pub const D_LAZY: usize = 6;
/// Which part of the peers outside of the mesh is told of message ids, at least.
pub const GOSSIP_FACTOR: f64 = 0.25;
/// For how many heartbeats a message's id is told.
pub const HISTORY_GOSSIP: u32 = 3;
/// Messages above this size are declined by `IDONTWANT` from mesh peers once they are here, in bytes with
/// author and signature: every announcement, since passing one on often waits for its leaves.
pub const IDONTWANT_BYTES: usize = 512;
/// Between two heartbeats, in milliseconds.
pub const HEARTBEAT_MS: u64 = 1_000;
/// Whether a publisher sends to all its peers of the topic, not to its mesh alone: a statement then leaves
/// its exchange whatever a few peers withhold.
pub const FLOOD_PUBLISH: bool = true;
