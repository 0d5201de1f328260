//! Every decision of a Hutong node, without input or output.
//!
//! Sans-IO: no socket, file, thread, clock or random source is named here. The same inputs give
//! the same effects, so that two honest nodes never disagree and any run can be replayed.
//!
//! | what | modules |
//! |---|---|
//! | names and values | [`id`], [`region`], [`tier`], [`place`], [`suite`], [`time`], [`json`] |
//! | how people are shown texts from outside | [`shown`] |
//! | what exchanges choose from | [`codes`], [`uscc`], [`patent`], [`money`], [`date`], [`unlisted`] |
//! | what exchanges say | [`statement`], [`body`], [`listing`], [`contract`], [`audience`], [`entry`] |
//! | what convinces a stranger | [`receipt`] |
//! | what a node does | [`limits`], [`persist`], [`oracle`] |
#![no_std]

extern crate alloc;

mod anchor_change;
pub mod audience;
pub mod body;
pub mod charter;
pub mod check;
pub mod codes;
pub mod contract;
pub mod date;
pub mod descriptor;
pub mod directory;
pub mod entry;
pub mod evidence;
mod fields;
#[cfg(any(test, feature = "test-support"))]
pub mod fixture;
pub mod id;
pub mod io;
pub mod json;
pub mod limits;
pub mod listing;
pub mod mesh;
pub mod message;
pub mod money;
pub mod neighbours;
mod object;
pub mod oracle;
mod packed_note;
pub mod patent;
pub mod persist;
pub mod personal;
pub mod place;
pub mod prepare;
pub mod receipt;
pub mod region;
pub mod serve;
pub mod shown;
pub mod state;
pub mod statement;
pub mod suite;
pub mod tier;
pub mod time;
pub mod transport;
pub mod unlisted;
pub mod uscc;
pub mod wire;
