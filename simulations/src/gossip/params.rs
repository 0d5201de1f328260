//! The parameters of gossipsub, as `hutong` sets them.

use hutong_protocol::mesh;

/// Gossipsub's parameters. Names as in its specification, v1.1 and v1.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// `D`: peers in the mesh of a topic.
    pub d: usize,
    /// `D_low`: fewer are filled up to `D`.
    pub d_low: usize,
    /// `D_high`: more are cut back to `D`.
    pub d_high: usize,
    /// `D_out`: mesh peers that this node dialed, at least.
    pub d_out: usize,
    /// `D_lazy`: peers outside of the mesh that are told of message ids, at least.
    pub d_lazy: usize,
    /// Which part of the peers outside of the mesh is told of message ids, at least.
    pub gossip_factor: f64,
    /// For how many heartbeats a message's id is told.
    pub history_gossip: u32,
    /// Between two heartbeats, in microseconds.
    pub heartbeat_us: u64,
    /// Whether a publisher sends to all peers of the topic, not to its mesh alone.
    pub flood_publish: bool,
    /// Above which size in bytes mesh peers are told not to send a message that is here already; none
    /// where the protocol version has no `IDONTWANT`.
    pub idontwant_bytes: Option<usize>,
}

impl Params {
    /// What nodes configure (`node/src/net/scoring.rs`).
    pub const HUTONG: Self = Self {
        d: mesh::D,
        d_low: mesh::D_LOW,
        d_high: mesh::D_HIGH,
        d_out: mesh::D_OUT,
        d_lazy: mesh::D_LAZY,
        gossip_factor: mesh::GOSSIP_FACTOR,
        history_gossip: mesh::HISTORY_GOSSIP,
        heartbeat_us: mesh::HEARTBEAT_MS * 1_000,
        flood_publish: mesh::FLOOD_PUBLISH,
        idontwant_bytes: Some(mesh::IDONTWANT_BYTES),
    };

    /// The same with `d` peers in a mesh, and bounds in proportion.
    #[must_use]
    pub const fn with_mesh(self, d: usize) -> Self {
        let (d_low, d_high) = (d - d / 4, d + d / 2);
        let d_out = if self.d_out > d / 2 { d / 2 } else { self.d_out };
        Self { d, d_low, d_high, d_out, ..self }
    }

    /// How many of `outside` peers out of the mesh are told of message ids at a heartbeat.
    pub fn lazy_peers(&self, outside: usize) -> usize {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "peers are few"
        )]
        let share = (self.gossip_factor * outside as f64) as usize;
        share.max(self.d_lazy).min(outside)
    }
}

/// Bytes on the wire, with the frames of Noise and Yamux around them as libp2p writes them; TCP and
/// IP are not counted.
pub mod wire {
    /// Each write: a Yamux header, and length and tag of a Noise frame.
    pub const FRAME_BYTES: usize = 12 + 2 + 16;
    /// The most that one Noise frame holds.
    const NOISE_BYTES_MAX: usize = 65_519;
    /// Author (40), sequence number (10) and signature (66) of a message, each with its tag.
    const SIGNED_BYTES: usize = 40 + 10 + 66;
    /// A message id of 20 bytes with its tag and length.
    pub const ID_BYTES: usize = 22;

    /// A message of `data` bytes without topic and frame: what gossipsub compares with its threshold.
    pub const fn message(data: usize) -> usize {
        SIGNED_BYTES + tagged(data)
    }

    /// A frame around `bytes`.
    pub const fn framed(bytes: usize) -> usize {
        bytes + FRAME_BYTES + 18 * (bytes / NOISE_BYTES_MAX)
    }

    /// A published message of `data` bytes under a topic name of `topic` bytes.
    pub const fn publish(data: usize, topic: usize) -> usize {
        let message = SIGNED_BYTES + tagged(data) + tagged(topic);
        // The RPC's member and the length before the RPC.
        framed(tagged(message) + length(tagged(message)))
    }

    /// An `IHAVE` of `ids` message ids, without the ids.
    pub const fn ihave(topic: usize) -> usize {
        framed(tagged(topic) + 5)
    }

    /// An `IWANT` or `IDONTWANT` of one id.
    pub const fn iwant() -> usize {
        framed(ID_BYTES + 5)
    }

    /// A request or its answer of `data` bytes on a stream of its own: both sides name the two
    /// protocols (20 and 33 bytes), the stream is opened and closed, and a length of 4 bytes stands before
    /// the data.
    pub const fn request(data: usize) -> usize {
        framed(20 + 33) + 2 * 30 + framed(data + 4)
    }

    const fn tagged(bytes: usize) -> usize {
        1 + length(bytes) + bytes
    }

    const fn length(value: usize) -> usize {
        match value {
            0..=127 => 1,
            128..=16_383 => 2,
            _ => 3,
        }
    }
}
