//! A model of gossipsub, event by event, and what it is measured against.
//!
//! [`mesh`] forms the meshes, [`flight`] carries one message through one, [`swarm`] runs messages
//! through a network that does nothing else, and [`real`] does the same with libp2p's own code.
//! The model is faithful where it decides bytes and time: mesh degrees, flood publishing,
//! duplicates that cross on a link, `IHAVE` and `IWANT`, `IDONTWANT`. Scores, churn and attacks are
//! not in it: in a network where all keep the rules they change nothing.

pub mod calibrate;
pub mod flight;
pub mod mesh;
pub mod params;
pub mod real;
pub mod swarm;
