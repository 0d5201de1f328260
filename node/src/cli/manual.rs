//! `hutong completions` and `hutong man`.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::args::Cli;

/// Writes a shell's completion script to `out`.
///
/// # Errors
///
/// It cannot be written.
pub fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hutong", &mut script);
    Ok(out.write_all(&script)?)
}

/// Writes one manual page for each command into `folder`.
///
/// # Errors
///
/// The folder cannot be written.
pub fn pages(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write manual pages into {}", folder.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_script_that_nobody_takes_is_an_error_and_no_panic() {
        let mut short = [0; 8];
        assert!(completions(clap_complete::Shell::Bash, &mut short.as_mut_slice()).is_err());
        let mut script = Vec::new();
        completions(clap_complete::Shell::Bash, &mut script).unwrap();
        assert!(script.len() > 1_000);
    }

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        pages(folder.path()).unwrap();
        assert!(folder.path().join("hutong.1").exists());
        assert!(folder.path().join("hutong-keys-restore.1").exists());
    }
}
