//! Whole nodes under test: real processes of the program `hutong`, their folders, keys and federation.
//!
//! A test founds a [`federation::Federation`] in a temporary folder, starts the nodes that it wants and asks
//! them over their HTTP interface. Everything is waited for with a deadline, and processes end with their owner.

pub mod federation;
pub mod fuzzing;
pub mod intruder;
pub mod link;
pub mod process;
pub mod receipts;
