//! A virtual federation on virtual time.
//!
//! Every node runs the real [`hutong_protocol::state::State`]; only disk, network and clock are
//! simulated, and all chance follows from one seed: a run that goes wrong can be run again.
//!
//! - [`world`]: nodes, messages, time; [`network`], [`disk`] and [`clock`] with their faults;
//! - [`adversary`]: who breaks the rules;
//! - [`checks`]: what must hold;
//! - [`scenario`]: what happens when; [`swarm`]: scenarios drawn from seeds;
//! - [`federation`], [`layout`], [`genesis`]: who there is;
//! - [`oracle`]: what is computed once for all nodes;
//! - `authority`: a model of who may decide what, without nodes, walked state by state;
//! - [`country`]: thousands of exchanges, over a model of [`gossip`]; [`report`]: what that costs as it grows.

pub mod adversary;
#[cfg(feature = "model")]
pub mod authority;
pub mod checks;
pub mod clock;
#[cfg(feature = "scale")]
pub mod country;
pub mod disk;
pub mod federation;
pub mod genesis;
#[cfg(feature = "scale")]
pub mod gossip;
pub mod layout;
pub mod mutants;
pub mod network;
pub mod node;
pub mod oracle;
#[cfg(feature = "scale")]
pub mod report;
pub mod rng;
pub mod scenario;
pub mod swarm;
pub mod world;
