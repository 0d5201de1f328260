//! The commands, each in a file of its own.

#[cfg(feature = "model")]
pub(crate) mod model;
pub(crate) mod mutants;
pub(crate) mod run;
pub(crate) mod swarm;
