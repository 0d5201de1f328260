//! The node's HTTP interface: server, client, and what travels between them.

pub mod client;
pub mod model;
pub mod token;
