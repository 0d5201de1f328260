//! What the process writes to standard error: lines for a person or JSON, filtered.
//!
//! Standard output belongs to the commands' results alone.

use std::io::{IsTerminal, Stderr, Write};

use hutong_protocol::shown::{Shown, is_invisible, visible_json};
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Logging};

/// Why logging could not begin.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The filter does not parse.
    #[error("`logging.filter` is no filter: use `info` or `info,hutong_node=debug`")]
    Filter(#[from] ParseError),
    /// Something in this process has begun logging before.
    #[error("logging has already begun in this process")]
    Twice(#[from] TryInitError),
}

/// Begins logging for the whole process.
///
/// `verbose` adds detail for this project's own modules: 1 is debug, 2 and more is trace.
///
/// # Errors
///
/// [`LoggingError::Filter`] if the configured filter does not parse; [`LoggingError::Twice`] on a second call.
pub fn start(logging: &Logging, verbose: u8) -> Result<(), LoggingError> {
    let filter = filter(&logging.filter, verbose)?;
    let registry = tracing_subscriber::registry().with(filter);
    match logging.format {
        LogFormat::Human => registry
            .with(
                fmt::layer()
                    .with_writer(|| Lines { output: std::io::stderr(), form: Form::Human })
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_target(verbose > 0),
            )
            .try_init()?,
        LogFormat::Json => {
            let writer = || Lines { output: std::io::stderr(), form: Form::Json };
            registry.with(fmt::layer().json().with_writer(writer)).try_init()?;
        }
    }
    Ok(())
}

/// Writes each event as one line, whatever it quotes: the formatter hands over one event at a time.
struct Lines<W = Stderr> {
    output: W,
    form: Form,
}

/// How a line is written.
enum Form {
    Human,
    Json,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let line = match self.form {
            Form::Human => without_steering(text),
            Form::Json => visible_json(text),
        };
        self.output.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

/// `text` with what cannot be seen written out, but for colours, which the formatter itself sets.
fn without_steering(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_invisible) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = colour(rest).or_else(|| rest.chars().next().map(char::len_utf8));
        let (found, behind) = rest.split_at(length.unwrap_or(rest.len()));
        if colour(found).is_some() {
            out.push_str(found);
        } else {
            out.push_str(&Shown::new(found).to_string());
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The length of `ESC [ digits m` at the beginning of `text`.
fn colour(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\u{1b}[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    codes[end..].starts_with('m').then_some(2 + end + 1)
}

fn filter(configured: &str, verbose: u8) -> Result<EnvFilter, ParseError> {
    let level = match verbose {
        0 => return configured.parse(),
        1 => "debug",
        _ => "trace",
    };
    format!("{configured},hutong_node={level},hutong_protocol={level}").parse()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn verbosity_adds_to_the_configured_filter() {
        assert_eq!(filter("warn", 0).unwrap().to_string(), "warn");
        let more = filter("warn", 1).unwrap().to_string();
        assert!(more.contains("hutong_node=debug") && more.contains("warn"), "{more}");
        assert!(filter("warn", 3).unwrap().to_string().contains("hutong_node=trace"));
    }

    fn written(form: Form, event: &str) -> String {
        let mut lines = Lines { output: Vec::new(), form };
        lines.write_all(event.as_bytes()).unwrap();
        String::from_utf8(lines.output).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let event =
            "\u{1b}[2mWARN\u{1b}[0m refused reason=a\nINFO ready\u{202e}\u{1b}[2J\u{85}\u{1b}\n";
        assert_eq!(
            written(Form::Human, event),
            "\u{1b}[2mWARN\u{1b}[0m refused reason=a\\u{a}INFO ready\\u{202e}\\u{1b}[2J\\u{85}\\u{1b}\n"
        );
        let json = "{\"reason\":\"a\u{202e}\u{7f}\"}\n";
        assert_eq!(written(Form::Json, json), "{\"reason\":\"a\\u202e\\u007f\"}\n");
    }

    #[test]
    fn a_filter_that_does_not_parse_is_refused() {
        assert!(filter("info,=x=", 0).is_err());
    }
}
