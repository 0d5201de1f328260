//! Where a passphrase comes from: a file, the environment, or the person at the terminal.

use anyhow::Context as _;
use hutong_crypto::keys::Seed;
use zeroize::Zeroizing;

use super::args::PassphraseArgs;
use super::console::Console;
use super::exit::Usage;
use crate::keys::{Kept, KeyError, KeyFolder, Passphrase, Sealing};

/// The variable that holds a passphrase.
const VARIABLE: &str = "HUTONG_PASSPHRASE";

/// Opens the seed of `folder`, asking for the passphrase only where one is needed and a person is there.
///
/// # Errors
///
/// [`KeyError`] says what is missing or wrong.
pub fn open_seed(
    folder: &KeyFolder,
    args: &PassphraseArgs,
    console: Console,
) -> anyhow::Result<Seed> {
    let passphrase = match folder.kept() {
        Kept::Missing | Kept::Plain => None,
        Kept::Sealed => match given(args)? {
            Some(passphrase) => Some(passphrase),
            None if console.interactive() => {
                Some(Passphrase::new(&console.ask_secret("口令", "Passphrase")?)?)
            }
            None => None,
        },
    };
    Ok(folder.open(passphrase.as_ref())?)
}

/// How a new seed is to be kept: by the passphrase given or asked for, or in plain if that was asked for.
///
/// # Errors
///
/// [`Usage`] if nothing was given and nobody can be asked.
pub fn sealing(
    args: &PassphraseArgs,
    unencrypted: bool,
    console: Console,
) -> anyhow::Result<Sealing> {
    if unencrypted {
        return Ok(Sealing::Plain);
    }
    if let Some(passphrase) = given(args)? {
        return Ok(Sealing::Passphrase(passphrase));
    }
    if !console.interactive() {
        return Err(Usage(format!(
            "a new seed needs a passphrase: give --passphrase-file or {VARIABLE}, or --unencrypted-seed"
        ))
        .into());
    }
    loop {
        let first = console.ask_secret(
            "为种子设置口令（至少十个字符）",
            "Passphrase for the seed (10 characters or more)",
        )?;
        let passphrase = match Passphrase::new(&first) {
            Ok(passphrase) => passphrase,
            Err(error @ KeyError::PassphraseShort { .. }) => {
                eprintln!("{error}");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let second = console.ask_secret("再输入一次", "Once more")?;
        if *first == *second {
            return Ok(Sealing::Passphrase(passphrase));
        }
        eprintln!("{}", console.lang.pick("两次输入不同", "the two differ"));
    }
}

fn given(args: &PassphraseArgs) -> anyhow::Result<Option<Passphrase>> {
    if let Some(path) = &args.passphrase_file {
        return Ok(Some(Passphrase::read(path)?));
    }
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let text = Zeroizing::new(text);
            Passphrase::new(&text).map(Some).with_context(|| format!("in {VARIABLE}"))
        }
        Ok(_) | Err(_) => Ok(None),
    }
}
