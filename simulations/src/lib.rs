//! A virtual federation on virtual time.
//!
//! Every node runs the real [`hutong_protocol::state::State`]; only disk, network and clock are
//! simulated, and all chance follows from one seed: a run that goes wrong can be run again.

mod checks;
pub mod disk;
mod effects;
pub mod federation;
pub mod node;
pub mod rng;
pub mod scenario;
pub mod world;
