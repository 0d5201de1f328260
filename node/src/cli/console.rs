//! Where commands write their results: text or JSON on standard output, questions on the terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context as _;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use hutong_protocol::receipt::Language;
use hutong_protocol::shown::{Shown, ShownLines, visible_json};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::exit::{Declined, Usage};
use super::lang::{Lang, Words};

/// The console of one command.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Language of the output.
    pub lang: Lang,
    /// Whether results are JSON.
    pub json: bool,
}

impl Console {
    /// Writes a line, or several. What of it comes from outside is [`shown`] before, so that it makes no line.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        writeln!(std::io::stdout().lock(), "{}", ShownLines(text))?;
        Ok(())
    }

    /// Writes a line in the console's language, unless results are JSON.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn say(self, zh: &str, en: &str) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { self.line(self.lang.pick(zh, en)) }
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(&pretty(value)?)
    }

    /// Writes `value` as JSON if wanted, and otherwise what `human` writes.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn show<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if self.json { self.json(value) } else { human(value) }
    }

    /// Writes a table.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn table(
        self,
        headers: &[Words],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> anyhow::Result<()> {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        if std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(headers.iter().map(|header| header.of(self.lang)));
        table.add_rows(
            rows.into_iter().map(|row| row.iter().map(|text| cell(text)).collect::<Vec<_>>()),
        );
        self.line(&table.to_string())
    }

    /// Writes `label: value` lines.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn facts(self, facts: impl IntoIterator<Item = (Words, String)>) -> anyhow::Result<()> {
        for (label, value) in facts {
            let colon = self.lang.pick("：", ": ");
            self.line(&format!("{}{colon}{}", label.of(self.lang), shown(&value)))?;
        }
        Ok(())
    }

    /// An exchange by its name in the console's language, or in any, and its id.
    pub fn exchange(self, names: &BTreeMap<String, String>, id: &str) -> String {
        let language = self.lang.pick(Language::Chinese, Language::English);
        language.named(self.name(names), id)
    }

    /// Of names by language that in the console's, or any.
    pub fn name(self, names: &BTreeMap<String, String>) -> &str {
        let name = names.get(self.lang.pick("zh", "en")).or_else(|| names.values().next());
        name.map_or("", String::as_str)
    }

    /// A progress bar, visible on a terminal only and never in JSON.
    pub fn progress(self, total: u64, zh: &'static str, en: &'static str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
        {
            bar.set_style(style);
        }
        bar.with_message(self.lang.pick(zh, en))
    }

    /// A counter without an end, visible on a terminal only and never in JSON. The texts are templates.
    pub fn spinner(self, zh: &str, en: &str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template(self.lang.pick(zh, en)) {
            bar.set_style(style);
        }
        bar
    }

    /// Asks a question on the terminal; an empty answer is `default`, if there is one.
    ///
    /// # Errors
    ///
    /// The terminal cannot be read.
    pub fn ask(self, zh: &str, en: &str, default: Option<&str>) -> anyhow::Result<String> {
        loop {
            let hint = default.map(|text| format!(" [{text}]")).unwrap_or_default();
            let mut error = std::io::stderr().lock();
            write!(error, "{}{}: ", self.lang.pick(zh, en), shown(&hint))?;
            error.flush()?;
            drop(error);
            let mut answer = String::new();
            let read =
                std::io::stdin().read_line(&mut answer).context("cannot read the terminal")?;
            anyhow::ensure!(read > 0, "the terminal was closed before an answer came");
            match (answer.trim(), default) {
                ("", None) => {}
                ("", Some(default)) => return Ok(default.to_owned()),
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }

    /// Asks for a secret on the terminal, without showing it.
    ///
    /// # Errors
    ///
    /// The terminal cannot be read.
    pub fn ask_secret(self, zh: &str, en: &str) -> anyhow::Result<zeroize::Zeroizing<String>> {
        let prompt = format!("{}: ", self.lang.pick(zh, en));
        rpassword::prompt_password(prompt)
            .map(zeroize::Zeroizing::new)
            .context("cannot read the terminal")
    }

    /// Asks whether to go on; `yes` answers beforehand.
    ///
    /// # Errors
    ///
    /// [`Usage`] where nobody can be asked and `yes` was not given; [`Declined`] where the answer is no.
    pub fn confirm(self, yes: bool, zh: &str, en: &str) -> anyhow::Result<()> {
        if yes {
            return Ok(());
        }
        if !self.interactive() {
            return Err(Usage(
                "--yes is needed where nobody can be asked; compare what is shown before"
                    .to_owned(),
            )
            .into());
        }
        let zh = format!("{zh}（是请输入 y）");
        let answer = self.ask(&zh, &format!("{en} (y/n)"), Some("n"))?;
        match answer.to_lowercase().as_str() {
            "y" | "yes" | "是" => Ok(()),
            _ => Err(Declined.into()),
        }
    }

    /// Whether a person can be asked.
    pub fn interactive(self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// Characters of a table's cell at most: the longest multiaddress; a table of longer ones is no table.
const CELL_CHARS_MAX: usize = 256;

/// Text from outside on one line, with what cannot be seen written out.
pub fn shown(text: &str) -> String {
    Shown::new(text).to_string()
}

/// A file's name as [`shown`].
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

fn cell(text: &str) -> String {
    Shown::within(text, CELL_CHARS_MAX).to_string()
}

/// Indented JSON that says the same and has nothing in it that cannot be seen.
///
/// # Errors
///
/// `value` has no JSON form.
pub fn pretty(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(visible_json(&serde_json::to_string_pretty(value)?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use hutong_protocol::shown::is_invisible;

    use super::*;

    #[test]
    fn a_cell_is_one_bounded_line() {
        assert_eq!(cell("浙江 Ω\nverdict: valid"), r"浙江 Ω\u{a}verdict: valid");
        assert_eq!(cell(&"长".repeat(300)).chars().count(), CELL_CHARS_MAX + 1);
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c\r"), r"a\u{1b}[2Jb\u{202e}c\u{d}");
    }

    #[test]
    fn json_has_nothing_that_is_not_seen_and_the_same_values() {
        let value = serde_json::json!({"name": "甲\u{202e}\u{85}\u{1b}\u{2028}\nverdict: valid"});
        let text = pretty(&value).unwrap();
        assert!(!text.chars().any(|char| char != '\n' && is_invisible(char)), "{text}");
        assert_eq!(text.lines().count(), 3);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
