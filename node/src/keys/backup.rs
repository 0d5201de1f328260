//! A seed on paper: 24 words or a checked line of hexadecimal, which a QR code also carries.
//!
//! Words are BIP-39 with 256 bits: the last word carries an 8-bit checksum. The line is
//! `hutong-seed-1:<64 hexadecimal digits>:<8 digits of checksum>`, with
//! checksum = first 4 bytes of SHA-256(`"hutong seed backup"` ‖ seed).

use bip39::{Language, Mnemonic};
use hutong_crypto::digest::sha256_parts;
use hutong_crypto::keys::Seed;
use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use thiserror::Error;
use zeroize::Zeroizing;

/// In which words a seed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordList {
    /// BIP-39's English list.
    English,
    /// BIP-39's list of simplified Chinese characters.
    Chinese,
}

/// A seed made ready for paper. Holds the secret: not shown by `Debug`.
pub struct Backup {
    seed: Zeroizing<[u8; 32]>,
}

/// Why a backup could not be made or read. The secret is never in the message.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BackupError {
    /// Neither 24 words nor a line of hexadecimal.
    #[error("expected 24 words or `hutong-seed-1:…`, met {words} word(s)")]
    Form {
        /// Words met.
        words: usize,
    },
    /// A word of neither list.
    #[error("word {place} is in no word list: compare it with the paper")]
    Word {
        /// Counted from 1.
        place: usize,
    },
    /// All words exist, but they do not belong together.
    #[error("the checksum does not match: a word or digit is wrong or in a wrong place")]
    Checksum,
    /// More than a QR code holds; cannot happen with 32 bytes.
    #[error("the seed does not fit a QR code")]
    Qr,
}

const LINE_PREFIX: &str = "hutong-seed-1:";
/// BIP-39: 256 bits of entropy and 8 of checksum, 11 a word.
const WORDS: usize = 24;

impl WordList {
    const fn language(self) -> Language {
        match self {
            Self::English => Language::English,
            Self::Chinese => Language::SimplifiedChinese,
        }
    }
}

impl Backup {
    /// Takes a copy of `seed`, wiped when dropped.
    pub fn new(seed: &Seed) -> Self {
        Self { seed: Zeroizing::new(*seed.as_bytes()) }
    }

    /// The 24 words, in order.
    pub fn words(&self, list: WordList) -> Vec<&'static str> {
        match Mnemonic::from_entropy_in(list.language(), &*self.seed) {
            Ok(mnemonic) => mnemonic.words().collect(),
            // Invariant: 32 bytes are one of BIP-39's five lengths.
            Err(error) => unreachable!("32 bytes of entropy are accepted: {error}"),
        }
    }

    /// The line of hexadecimal with its checksum; also what the QR code holds.
    pub fn line(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(hex::encode(*self.seed));
        Zeroizing::new(format!("{LINE_PREFIX}{}:{}", *digits, checksum(&self.seed)))
    }

    /// The QR code for a terminal.
    ///
    /// # Errors
    ///
    /// [`BackupError::Qr`], which 32 bytes never meet.
    pub fn qr_terminal(&self) -> Result<Zeroizing<String>, BackupError> {
        let code = self.qr()?;
        Ok(Zeroizing::new(code.render::<unicode::Dense1x2>().quiet_zone(true).build()))
    }

    /// The QR code as an SVG image.
    ///
    /// # Errors
    ///
    /// As [`Backup::qr_terminal`].
    pub fn qr_svg(&self) -> Result<Zeroizing<String>, BackupError> {
        let code = self.qr()?;
        Ok(Zeroizing::new(code.render::<svg::Color<'_>>().min_dimensions(320, 320).build()))
    }

    fn qr(&self) -> Result<QrCode, BackupError> {
        QrCode::new(self.line().as_bytes()).map_err(|_| BackupError::Qr)
    }
}

/// Reads a backup: 24 words of either list, or the line of hexadecimal. Case and spacing do not matter.
///
/// # Errors
///
/// [`BackupError`] says which word or that the checksum does not match.
pub fn parse_backup(text: &str) -> Result<Seed, BackupError> {
    let text = text.trim();
    if text.starts_with(LINE_PREFIX) {
        return parse_line(text);
    }
    let words = split_words(text);
    if words.len() != WORDS {
        return Err(BackupError::Form { words: words.len() });
    }
    let list = if words[0].is_ascii() { WordList::English } else { WordList::Chinese };
    let known = |word: &String| list.language().find_word(word).is_some();
    if let Some(place) = words.iter().position(|word| !known(word)) {
        return Err(BackupError::Word { place: place + 1 });
    }
    let joined = Zeroizing::new(words.join(" "));
    let mnemonic =
        Mnemonic::parse_in(list.language(), joined.as_str()).map_err(|_| BackupError::Checksum)?;
    let entropy = Zeroizing::new(mnemonic.to_entropy());
    let bytes: [u8; 32] = entropy.as_slice().try_into().map_err(|_| BackupError::Checksum)?;
    Ok(Seed::from_bytes(bytes))
}

/// Words between spaces; Chinese ones are single characters and may stand without spaces.
fn split_words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        text.split_whitespace().map(str::to_ascii_lowercase).collect()
    } else {
        text.chars().filter(|c| !c.is_whitespace()).map(String::from).collect()
    }
}

fn parse_line(text: &str) -> Result<Seed, BackupError> {
    let rest = text.strip_prefix(LINE_PREFIX).unwrap_or_default();
    let (digits, sum) = rest.split_once(':').ok_or(BackupError::Form { words: 1 })?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut *seed).map_err(|_| BackupError::Checksum)?;
    if !sum.eq_ignore_ascii_case(&checksum(&seed)) {
        return Err(BackupError::Checksum);
    }
    Ok(Seed::from_bytes(*seed))
}

fn checksum(seed: &[u8; 32]) -> String {
    // first 4 bytes of SHA-256("hutong seed backup" || seed)
    hex::encode(&sha256_parts(&[b"hutong seed backup", seed]).as_bytes()[..4])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn backup() -> Backup {
        let mut bytes = [0; 32];
        for (value, byte) in (0..).zip(bytes.iter_mut()) {
            *byte = value;
        }
        Backup::new(&Seed::from_bytes(bytes))
    }

    fn read(text: &str) -> Result<[u8; 32], BackupError> {
        parse_backup(text).map(|seed| *seed.as_bytes())
    }

    #[test]
    fn words_of_both_lists_and_the_line_read_back() {
        let backup = backup();
        let english = backup.words(WordList::English);
        assert_eq!(english.len(), 24);
        assert_eq!(read(&english.join("  \n")).unwrap(), *backup.seed);
        assert_eq!(read(&english.join(" ").to_uppercase()).unwrap(), *backup.seed);
        let chinese = backup.words(WordList::Chinese);
        assert_eq!(read(&chinese.join(" ")).unwrap(), *backup.seed);
        assert_eq!(read(&chinese.concat()).unwrap(), *backup.seed);
        assert_eq!(read(&backup.line()).unwrap(), *backup.seed);
    }

    #[test]
    fn zeros_give_the_words_of_the_standard() {
        // BIP-39's test vector for 256 zero bits.
        let words = Backup::new(&Seed::from_bytes([0; 32])).words(WordList::English);
        assert!(words[..23].iter().all(|word| *word == "abandon"));
        assert_eq!(words[23], "art");
    }

    #[test]
    fn a_wrong_word_is_named_by_its_place() {
        let backup = backup();
        let mut words = backup.words(WordList::English);
        words[4] = "exchange-log";
        assert_eq!(read(&words.join(" ")), Err(BackupError::Word { place: 5 }));
    }

    #[test]
    fn two_words_exchanged_fail_the_checksum() {
        let mut words = backup().words(WordList::English);
        words.swap(0, 7);
        assert_eq!(read(&words.join(" ")), Err(BackupError::Checksum));
    }

    #[test]
    fn a_missing_word_is_counted() {
        let words = backup().words(WordList::English);
        assert_eq!(read(&words[..23].join(" ")), Err(BackupError::Form { words: 23 }));
    }

    #[test]
    fn a_wrong_digit_in_the_line_fails_the_checksum() {
        let line = backup().line();
        let wrong = line.replacen("00", "01", 1);
        assert_eq!(read(&wrong), Err(BackupError::Checksum));
        assert_eq!(read(line.rsplit_once(':').unwrap().0), Err(BackupError::Form { words: 1 }));
    }

    #[test]
    fn the_qr_code_renders_for_terminal_and_print() {
        let backup = backup();
        assert!(backup.qr_terminal().unwrap().lines().count() > 15);
        assert!(backup.qr_svg().unwrap().contains("<svg"));
    }
}
