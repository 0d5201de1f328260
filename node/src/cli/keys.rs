//! `hutong keys`: show public keys, back the seed up, restore it.

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use hutong_crypto::keys::{Purpose, Seed};
use hutong_protocol::suite::key_text;
use serde_json::json;
use zeroize::Zeroizing;

use super::args::{Global, KeysCommand};
use super::console::Console;
use super::lang::words;
use super::secret;
use crate::keys::{Backup, Kept, KeyError, KeyFolder, WordList, parse_backup};
use crate::private;

/// A typed or scanned backup is below 1 KiB; 24 Chinese words are 72 bytes.
const BACKUP_BYTES_MAX: u64 = 4096;

/// Runs one of the commands.
///
/// # Errors
///
/// [`KeyError`] and [`crate::keys::BackupError`] say what to do.
pub fn run(global: &Global, command: &KeysCommand, console: Console) -> anyhow::Result<()> {
    let folder = KeyFolder::of(&global.data);
    match command {
        KeysCommand::Show { passphrase } => {
            show(&secret::open_seed(&folder, passphrase, console)?, console)
        }
        KeysCommand::Backup { passphrase, chinese, svg } => {
            let seed = secret::open_seed(&folder, passphrase, console)?;
            let list = if *chinese { WordList::Chinese } else { WordList::English };
            backup(&Backup::new(&seed), list, svg.as_deref(), console)
        }
        KeysCommand::Restore { from, passphrase, unencrypted_seed } => {
            if folder.kept() != Kept::Missing {
                return Err(KeyError::Exists(folder.path().to_owned()).into());
            }
            let seed = parse_backup(&read_backup(from.as_deref(), console)?)?;
            let sealing = secret::sealing(passphrase, *unencrypted_seed, console)?;
            private::keep(&global.data)?;
            folder.restore(&seed, &sealing)?;
            console.say(
                "种子已恢复。节点将先向对等节点核对本所日志，再签署任何内容。请与原公钥比对：",
                "The seed is restored. The node will compare its log with its peers' copies before it signs anything. Compare the keys with those you know:",
            )?;
            show(&seed, console)
        }
    }
}

fn show(seed: &Seed, console: Console) -> anyhow::Result<()> {
    let key = |purpose| key_text(&seed.derive(purpose).public());
    let peer = peer_id(seed)?;
    let (log, witness, issuer) = (key(Purpose::Log), key(Purpose::Witness), key(Purpose::Issuer));
    let register = key(Purpose::Register);
    let value = json!({
        "log_key": log, "witness_key": witness, "issuer_key": issuer, "register_key": register,
        "peer_id": peer,
    });
    console.show(&value, |_| {
        console.facts([
            (words("日志密钥", "log key"), log),
            (words("见证密钥", "witness key"), witness),
            (words("签发密钥", "issuer key"), issuer),
            (words("名册密钥（担任名册管理单位时使用）", "register key (as keeper)"), register),
            (words("节点标识", "peer id"), peer),
        ])
    })
}

/// The libp2p peer id of the seed's transport key.
///
/// # Errors
///
/// None in practice: every 32 bytes are an Ed25519 secret key.
pub fn peer_id(seed: &Seed) -> anyhow::Result<String> {
    let mut bytes = Zeroizing::new(seed.derive_bytes(Purpose::Transport));
    let pair = libp2p::identity::Keypair::ed25519_from_bytes(&mut *bytes)?;
    Ok(pair.public().to_peer_id().to_string())
}

fn backup(
    backup: &Backup,
    list: WordList,
    svg: Option<&Path>,
    console: Console,
) -> anyhow::Result<()> {
    if let Some(path) = svg {
        write_private(path, backup.qr_svg()?.as_bytes())?;
    }
    let list = backup.words(list);
    if console.json {
        return console.json(&json!({"words": list, "line": *backup.line()}));
    }
    console.say(
        "以下 24 个词就是本所的全部签名权。抄在纸上，离线分两处保存；不要拍照，不要存入联网设备。\n",
        "These 24 words are every signature of this exchange. Write them on paper and keep two copies offline; no photograph, no networked device.\n",
    )?;
    for (row, chunk) in list.chunks(4).enumerate() {
        let cells: Vec<String> = (1..)
            .zip(chunk)
            .map(|(column, word)| format!("{:>2} {word:<10}", row * 4 + column))
            .collect();
        console.line(&cells.join("  "))?;
    }
    console.line("")?;
    console.line(&backup.qr_terminal()?)?;
    console.line(&backup.line())?;
    console.say(
        "\n请立即验证：在另一个空数据目录运行 hutong keys restore，比对公钥。",
        "\nVerify it now: run `hutong keys restore` on another, empty data folder and compare the public keys.",
    )
}

fn read_backup(from: Option<&Path>, console: Console) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    match from {
        Some(path) => {
            let file = std::fs::File::open(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            file.take(BACKUP_BYTES_MAX)
                .read_to_string(&mut text)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
        None if console.interactive() => {
            text = console.ask_secret(
                "输入 24 个词或 hutong-seed-1 开头的一行",
                "The 24 words, or the line that begins with hutong-seed-1",
            )?;
        }
        None => {
            std::io::stdin()
                .take(BACKUP_BYTES_MAX)
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
        }
    }
    Ok(text)
}

fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::args::PassphraseArgs;
    use super::super::lang::Lang;
    use super::*;
    use crate::keys::Sealing;

    const CONSOLE: Console = Console { lang: Lang::En, json: true };

    fn restore(data: &Path, text: &str) -> anyhow::Result<()> {
        let file = data.join("backup.txt");
        std::fs::write(&file, text).unwrap();
        let global = Global { data: data.join("node"), ..Global::default() };
        let command = KeysCommand::Restore {
            from: Some(file),
            passphrase: PassphraseArgs::default(),
            unencrypted_seed: true,
        };
        run(&global, &command, CONSOLE)
    }

    #[test]
    fn a_backup_restores_the_seed_and_marks_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let seed = Seed::from_bytes([5; 32]);
        let words = Backup::new(&seed).words(WordList::Chinese).concat();
        restore(data.path(), &words).unwrap();
        let folder = KeyFolder::of(&data.path().join("node"));
        assert_eq!(folder.open(None).unwrap().as_bytes(), seed.as_bytes());
        assert!(folder.restored());
    }

    #[test]
    fn a_restore_over_a_seed_and_one_of_nonsense_are_refused() {
        let data = tempfile::tempdir().unwrap();
        assert!(restore(data.path(), "no words at all").is_err());
        let folder = KeyFolder::of(&data.path().join("node"));
        assert_eq!(folder.kept(), Kept::Missing);
        folder.store(&Seed::from_bytes([6; 32]), &Sealing::Plain).unwrap();
        let line = Backup::new(&Seed::from_bytes([5; 32])).line();
        assert!(restore(data.path(), &line).is_err());
        assert_eq!(folder.open(None).unwrap().as_bytes(), &[6; 32]);
    }

    #[test]
    fn the_svg_of_a_backup_is_private_and_never_overwrites() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("seed.svg");
        let made = Backup::new(&Seed::from_bytes([5; 32]));
        backup(&made, WordList::English, Some(&path), CONSOLE).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(backup(&made, WordList::English, Some(&path), CONSOLE).is_err());
    }

    #[test]
    fn a_peer_id_follows_from_the_seed() {
        let one = peer_id(&Seed::from_bytes([1; 32])).unwrap();
        assert_eq!(one, peer_id(&Seed::from_bytes([1; 32])).unwrap());
        assert_ne!(one, peer_id(&Seed::from_bytes([2; 32])).unwrap());
    }
}
