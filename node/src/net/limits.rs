//! Every bound of the network room, with its arithmetic.

use std::time::Duration;

use crate::config::NetworkLimits;

/// Largest gossip message on the wire, in bytes (protocol bound: 64 KiB).
pub const GOSSIP_BYTES_MAX: usize = 64 * 1024;

/// Largest gossip payload that fits a message: the envelope holds author (≤ 42 bytes), sequence
/// number (8), topic (≤ 32), signature (64) and field tags; 1 KiB is left for them.
pub const GOSSIP_PAYLOAD_BYTES_MAX: usize = GOSSIP_BYTES_MAX - 1024;

/// Largest frame of the sync protocol, in bytes (protocol bound: 4 MiB).
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// First allocation for an incoming frame; it grows only as bytes really arrive, so that a peer
/// who announces 4 MiB and sends nothing costs 16 KiB.
pub const FRAME_BYTES_START: usize = 16 * 1024;

/// Longest scope name: a region (`CN-330106`) is 9 characters, 32 leave room.
pub const SCOPE_BYTES_MAX: usize = 32;

/// Topics that a peer may subscribe to: 34 provinces and about 150 countries, doubled.
pub const TOPICS_MAX: usize = 400;

/// Addresses kept per peer from the directory and as many learned from the peer itself.
pub const ADDRESSES_PER_PEER_MAX: usize = 8;

/// Bounds that an operator may change.
#[derive(Debug, Clone)]
pub struct NetLimits {
    /// Members that the node keeps connections to, by its own dialing.
    pub peers_target: usize,
    /// Established connections in total.
    pub connections_max: u32,
    /// Established connections with one peer: a simultaneous dial gives two, a hole punch a third.
    pub connections_per_peer_max: u32,
    /// Inbound connections that have not finished their handshake.
    pub pending_inbound_max: u32,
    /// Outbound connections that have not finished their handshake.
    pub pending_outbound_max: u32,
    /// Connected peers that are not members.
    pub strangers_max: usize,
    /// Connected strangers from one IP address.
    pub strangers_per_ip_max: usize,
    /// A stranger who asked nothing for so long is disconnected.
    pub stranger_idle: Duration,
    /// No new connections while the process holds more resident bytes; `None` for no check.
    pub memory_bytes_max: Option<usize>,
    /// Dials in flight started by the node itself.
    pub dials_max: usize,
    /// Bootstrap addresses kept.
    pub bootstrap_max: usize,
    /// First delay after a failed dial; doubled each time.
    pub dial_delay_min: Duration,
    /// Longest delay between two dials of one peer.
    pub dial_delay_max: Duration,
    /// Time for an answer to a request, and for reading or writing one.
    pub request_timeout: Duration,
    /// Own requests without an answer, in total: 256 × 4 MiB = 1 GiB if every peer answered with
    /// the largest frame at once; answers are handed on as they come, so that the real figure is
    /// what the receiver has not read.
    pub requests_max: usize,
    /// Own requests without an answer at one peer.
    pub requests_per_peer_max: usize,
    /// A member's requests that this node has not answered.
    pub inbound_per_member_max: usize,
    /// A stranger's requests that this node has not answered.
    pub inbound_per_stranger_max: usize,
    /// Unanswered requests in total.
    pub inbound_max: usize,
    /// Sync streams on one connection, both directions.
    pub streams_per_connection_max: usize,
    /// Gossip messages that wait for a verdict: 4,096 × 64 KiB = 256 MiB at the very worst.
    pub gossip_pending_max: usize,
    /// Requests per second that a member may make, with a burst of twice as many.
    pub member_requests_per_s: u32,
    /// Requests per second that a stranger may make, with a burst of twice as many.
    pub stranger_requests_per_s: u32,
    /// Gossip bytes per second that a member may pass on, with a burst of four times as many.
    pub member_gossip_bytes_per_s: u32,
    /// Gossip bytes per second that a stranger may pass on, with a burst of four times as many.
    pub stranger_gossip_bytes_per_s: u32,
    /// Penalty points at which a peer is disconnected and banned. One point is forgiven a second.
    pub penalty_max: f64,
    /// First ban; doubled for each further one.
    pub ban_min: Duration,
    /// Longest ban of a member: a mistake of ours must not cut a member off for long.
    pub member_ban_max: Duration,
    /// Longest ban of a stranger.
    pub stranger_ban_max: Duration,
    /// Peers whose penalties and bans are remembered.
    pub offenders_max: usize,
    /// Events that wait for the receiver.
    pub events_max: usize,
    /// Commands that wait for the network task.
    pub commands_max: usize,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            peers_target: 50,
            connections_max: 512,
            connections_per_peer_max: 4,
            pending_inbound_max: 64,
            pending_outbound_max: 64,
            strangers_max: 64,
            strangers_per_ip_max: 16,
            stranger_idle: Duration::from_mins(10),
            memory_bytes_max: None,
            dials_max: 16,
            bootstrap_max: 64,
            dial_delay_min: Duration::from_millis(250),
            dial_delay_max: Duration::from_mins(1),
            request_timeout: Duration::from_secs(30),
            requests_max: 256,
            requests_per_peer_max: 32,
            inbound_per_member_max: 32,
            inbound_per_stranger_max: 4,
            inbound_max: 256,
            streams_per_connection_max: 128,
            gossip_pending_max: 4_096,
            member_requests_per_s: 500,
            stranger_requests_per_s: 5,
            member_gossip_bytes_per_s: 4 * 1024 * 1024,
            stranger_gossip_bytes_per_s: 64 * 1024,
            penalty_max: 100.0,
            ban_min: Duration::from_secs(30),
            member_ban_max: Duration::from_mins(1),
            stranger_ban_max: Duration::from_hours(1),
            offenders_max: 1_024,
            events_max: 1_024,
            commands_max: 1_024,
        }
    }
}

impl From<&NetworkLimits> for NetLimits {
    /// The defaults, with what an operator has configured.
    fn from(configured: &NetworkLimits) -> Self {
        let NetworkLimits { connections_max, connections_per_peer_max, strangers_max, memory_mib } =
            *configured;
        let defaults = Self::default();
        let room = usize::try_from(connections_max).unwrap_or(usize::MAX);
        // Each handshake takes a descriptor too: half as many as connections, at most.
        let pending_max = (connections_max / 4).max(1);
        Self {
            connections_max,
            pending_inbound_max: defaults.pending_inbound_max.min(pending_max),
            pending_outbound_max: defaults.pending_outbound_max.min(pending_max),
            connections_per_peer_max,
            strangers_max: usize::try_from(strangers_max).unwrap_or(usize::MAX),
            memory_bytes_max: memory_bytes_max(memory_mib),
            // Half of the connections are left for those who dial in.
            peers_target: defaults.peers_target.min(room.div_ceil(2)),
            ..defaults
        }
    }
}

/// The memory above which no connection is taken: `memory_mib`, or half of what the machine has for 0.
fn memory_bytes_max(memory_mib: u32) -> Option<usize> {
    let bytes = match memory_mib {
        0 => machine_memory_bytes()? / 2,
        mib => u64::from(mib) << 20,
    };
    usize::try_from(bytes).ok()
}

/// Bytes of memory of the machine, or of the container if it has fewer.
#[cfg(target_os = "linux")]
fn machine_memory_bytes() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)?;
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok());
    Some(container.map_or(total, |max: u64| max.min(total)))
}

#[cfg(not(target_os = "linux"))]
fn machine_memory_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn memory_is_bounded_unless_told_by_half_of_the_machine() {
        assert_eq!(memory_bytes_max(64), Some(64 << 20));
        let limits = NetLimits::from(&Config::default().network.limits);
        if let Some(bytes) = machine_memory_bytes() {
            assert!(bytes > 1 << 20);
            assert_eq!(limits.memory_bytes_max.unwrap() as u64, bytes / 2);
        }
    }

    #[test]
    fn handshakes_take_half_as_many_descriptors_as_connections() {
        let mut configured = Config::default().network.limits;
        let pending = |limits: NetLimits| limits.pending_inbound_max + limits.pending_outbound_max;
        assert_eq!(pending(NetLimits::from(&configured)), 128);
        configured.connections_max = 30;
        assert_eq!(pending(NetLimits::from(&configured)), 14);
    }
}
