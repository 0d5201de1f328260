//! How a command ends: its exit code, and what the person who ran it reads.

use std::process::ExitCode;

use thiserror::Error;

use super::lang::{Lang, Words, words};
use crate::api::client::ClientError;
use crate::config::ConfigError;
use crate::keys::{BackupError, KeyError};
use crate::store::StoreError;

/// A wrong use that the grammar alone cannot see.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The verdict on a receipt was not among those accepted; it has been printed already.
#[derive(Debug, Error)]
#[error("the verdict is not among those accepted")]
pub struct NotAccepted;

/// Stored data are damaged.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Damaged(pub String);

/// Documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 1
    Failed,
    /// 2
    Usage,
    /// 3
    Unreachable,
    /// 4
    Damaged,
    /// 5
    Unusable,
}

impl Ending {
    /// Sorts an error by its nearest known cause.
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(known).unwrap_or(Self::Failed)
    }

    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Damaged => 4,
            Self::Unusable => 5,
        }
    }

    const fn headline(self) -> Words {
        match self {
            Self::Failed => words("操作未完成", "not done"),
            Self::Usage => words("用法错误", "wrong usage"),
            Self::Unreachable => words("无法连接节点", "the node cannot be reached"),
            Self::Damaged => words("数据损坏", "data are damaged"),
            Self::Unusable => words("配置或密钥不可用", "configuration or keys cannot be used"),
        }
    }
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<Ending> {
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return match error {
            ClientError::NotRunning(_) | ClientError::Unreachable { .. } => {
                Some(Ending::Unreachable)
            }
            ClientError::Token(_) => Some(Ending::Unusable),
            ClientError::Refused(_) | ClientError::NotUnderstood(_) => Some(Ending::Failed),
        };
    }
    if cause.is::<Usage>() {
        Some(Ending::Usage)
    } else if cause.is::<Damaged>() {
        Some(Ending::Damaged)
    } else if let Some(error) = cause.downcast_ref::<KeyError>() {
        match error {
            KeyError::Damaged { .. } => Some(Ending::Damaged),
            _ => Some(Ending::Unusable),
        }
    } else if let Some(error) = cause.downcast_ref::<StoreError>() {
        match error {
            StoreError::Corrupt { .. } => Some(Ending::Damaged),
            _ => None,
        }
    } else if cause.is::<ConfigError>() || cause.is::<BackupError>() {
        Some(Ending::Unusable)
    } else {
        None
    }
}

/// Turns a command's result into an exit code, and tells standard error what went wrong and why.
pub fn end(result: &anyhow::Result<()>, lang: Lang) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let ending = Ending::of(error);
    if !error.is::<NotAccepted>() {
        eprintln!("hutong: {}: {}", ending.headline().of(lang), describe(error));
    }
    ExitCode::from(ending.code())
}

/// The chain of causes, each once: a cause that its parent already shows is left out.
fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Whoever read our output has read enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn code(error: impl Into<anyhow::Error>) -> u8 {
        Ending::of(&error.into()).code()
    }

    #[test]
    fn each_kind_of_failure_has_its_code() {
        assert_eq!(code(NotAccepted), 1);
        assert_eq!(code(anyhow::anyhow!("anything")), 1);
        assert_eq!(code(Usage("x".into())), 2);
        assert_eq!(code(ClientError::NotRunning("d".into())), 3);
        assert_eq!(code(Damaged("x".into())), 4);
        assert_eq!(code(KeyError::Damaged { path: "k".into(), detail: "x".into() }), 4);
        assert_eq!(code(KeyError::Missing("k".into())), 5);
    }

    #[test]
    fn context_does_not_hide_the_kind() {
        let error = Err::<(), _>(KeyError::Missing("k".into())).context("opening the seed");
        assert_eq!(error.map_err(code), Err(5));
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("disk full").context("cannot write x: disk full");
        assert_eq!(describe(&error), "cannot write x: disk full");
        let error = anyhow::anyhow!("disk full").context("cannot write x");
        assert_eq!(describe(&error), "cannot write x: disk full");
    }
}
