//! The node's HTTP interface: server, client, and what travels between them.

pub mod client;
pub mod error;
pub mod model;
mod routes;
pub mod server;
pub mod token;

#[cfg(test)]
mod tests;
