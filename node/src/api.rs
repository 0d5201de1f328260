//! The node's HTTP interface: server, client, and what travels between them.

pub mod client;
mod connections;
pub mod error;
pub mod model;
pub(crate) mod routes;
pub mod server;
pub mod token;

#[cfg(test)]
mod tests;
