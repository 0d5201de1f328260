//! The `hutong` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hutong_node::cli::main()
}
