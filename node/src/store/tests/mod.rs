//! The store as a whole, on a real disk.

mod commits;
mod crashes;
mod damage;
mod fixture;
mod kills;
mod large;
mod lookups;
mod views;
