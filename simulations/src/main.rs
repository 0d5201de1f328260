//! Simulations.
fn main() {}
