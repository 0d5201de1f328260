//! What a country costs at each size, as a page with plots, a table in Markdown and figures in JSON.
//!
//! Up to 3,400 exchanges the figures are those of real states ([`crate::country`]); beyond, those of
//! the calibrated model of gossip ([`crate::gossip`]). A plot says which is which.

pub mod command;
pub mod growth;
mod page;
mod plots;
