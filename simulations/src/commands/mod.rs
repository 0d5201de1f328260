//! The commands, each in a file of its own.

pub(crate) mod mutants;
pub(crate) mod run;
pub(crate) mod swarm;
