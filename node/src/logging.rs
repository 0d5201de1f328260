//! What the process writes to standard error: lines for a person or JSON, filtered.
//!
//! Standard output belongs to the commands' results alone.

use std::io::IsTerminal;

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
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_target(verbose > 0),
            )
            .try_init()?,
        LogFormat::Json => {
            registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
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

    #[test]
    fn a_filter_that_does_not_parse_is_refused() {
        assert!(filter("info,=x=", 0).is_err());
    }
}
