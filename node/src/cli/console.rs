//! Where commands write their results: text or JSON on standard output, questions on the terminal.

use std::io::{IsTerminal, Write};

use anyhow::Context as _;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

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
    /// Writes a line.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        writeln!(std::io::stdout().lock(), "{text}")?;
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
        self.line(&serde_json::to_string_pretty(value)?)
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
            rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>()),
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
            self.line(&format!("{}{colon}{}", label.of(self.lang), printable(&value)))?;
        }
        Ok(())
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
            write!(error, "{}{hint}: ", self.lang.pick(zh, en))?;
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

    /// Whether a person can be asked.
    pub fn interactive(self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// Replaces control characters, so that text from other exchanges cannot steer the terminal.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(printable("浙江 Ω\n二"), "浙江 Ω\n二");
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\r"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
