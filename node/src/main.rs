//! The `hutong` command.
fn main() {}
