//! A whole country of exchanges: real states, the model of gossip between them, one virtual day.
//!
//! [`divisions`] names the places, [`plan`] makes exchanges of them, [`founding`] their federation
//! with all admissions, [`load`] what they publish on a day. [`engine`] then lets it happen: every
//! node is a real [`hutong_protocol::state::State`]; what thousands of nodes hold in common is held
//! once ([`archive`]), and what they compute in common is computed once ([`crate::oracle`]).
//!
//! Not here: faults and adversaries. A country shows what replication costs and how long it takes
//! when everybody keeps the rules.

pub mod answers;
pub mod archive;
pub mod command;
pub mod connect;
pub mod divisions;
pub mod engine;
pub mod figures;
pub mod founding;
pub mod load;
pub mod net;
pub mod node;
pub mod places;
pub mod plan;
pub mod show;
pub mod slow;
