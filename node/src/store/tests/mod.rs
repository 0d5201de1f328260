//! The store as a whole, on a real disk.

mod commits;
mod crashes;
mod fixture;
