//! A node: it carries out what `hutong-protocol` decides, on disk, network, clock and console.

pub mod api;
pub mod authority;
pub mod charter_file;
pub mod claims;
pub mod cli;
pub mod config;
pub mod continuity;
pub mod demo;
pub mod driver;
pub mod handle;
pub mod import;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod private;
pub mod process;
mod publish;
pub mod queues;
pub mod receipts;
pub mod samples;
pub mod store;
