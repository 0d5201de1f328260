//! How a command ends: its exit code, and what the person who ran it reads.

use std::process::ExitCode;

use hutong_protocol::shown::{ShownLines, visible_json};
use serde_json::json;
use thiserror::Error;

use super::chinese;
use super::console::{Console, shown};
use super::lang::{Lang, Words, words};
use super::publisher::NodePublishError;
use crate::api::client::ClientError;
use crate::api::model::Problem;
use crate::config::ConfigError;
use crate::driver::NodeFault;
use crate::import::MappingError;
use crate::keys::{BackupError, KeyError};
use crate::private::PrivacyError;
use crate::process::ProcessError;
use crate::store::StoreError;

/// A wrong use that the grammar alone cannot see.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The verdict on a receipt was not among those accepted; it has been printed already.
#[derive(Debug, Error)]
#[error("the verdict is not among those accepted")]
pub struct NotAccepted;

/// Whoever was asked said no. Nothing was done.
#[derive(Debug, Error)]
#[error("not confirmed: nothing was signed or changed")]
pub struct Declined;

/// What was waited for has not come yet.
#[derive(Debug, Error)]
#[error("{en}")]
pub struct NotYet {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// Stored data are damaged.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Damaged(pub String);

/// Something that must be installed or set before the command can work is not: a charter, a data folder, an id.
#[derive(Debug, Error)]
#[error("{en}")]
pub struct Unprepared {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Unprepared {
    /// What is missing and how to get it.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// That the configuration names no exchange.
    pub fn no_id() -> Self {
        Self::new(
            "尚未设置 exchange.id：请运行 hutong init",
            "exchange.id is not set: run `hutong init`",
        )
    }
}

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
    /// 6
    NotNow,
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
            Self::NotNow => 6,
        }
    }

    const fn headline(self) -> Words {
        match self {
            Self::Failed => words("操作未完成", "not done"),
            Self::Usage => words("用法错误", "wrong usage"),
            Self::Unreachable => words("无法连接节点", "the node cannot be reached"),
            Self::Damaged => words("数据损坏", "data are damaged"),
            Self::Unusable => {
                words("配置、章程或密钥不可用", "configuration, charter or keys cannot be used")
            }
            Self::NotNow => words("节点暂不能受理，请稍后重试", "the node cannot do this now"),
        }
    }
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<Ending> {
    if let Some(NodePublishError::Client(error)) = cause.downcast_ref::<NodePublishError>() {
        return known(error);
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return match error {
            ClientError::NotRunning(_) | ClientError::Unreachable { .. } => {
                Some(Ending::Unreachable)
            }
            ClientError::Token(_) => Some(Ending::Unusable),
            ClientError::Refused(problem) if is_passing(problem) => Some(Ending::NotNow),
            ClientError::Refused(_) | ClientError::NotUnderstood(_) => Some(Ending::Failed),
        };
    }
    if cause.is::<NotYet>() {
        Some(Ending::NotNow)
    } else if cause.is::<Usage>() {
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
    } else if let Some(NodeFault::Config(_)) = cause.downcast_ref::<NodeFault>() {
        Some(Ending::Unusable)
    } else if cause.is::<ConfigError>()
        || cause.is::<BackupError>()
        || cause.is::<Unprepared>()
        || cause.is::<PrivacyError>()
        || cause.is::<ProcessError>()
    {
        Some(Ending::Unusable)
    } else {
        None
    }
}

/// Whether the same request may succeed in a moment: 503 (not ready, catching up, stopping) and 429 (busy).
fn is_passing(problem: &Problem) -> bool {
    matches!(problem.status, 429 | 503) || problem.kind == "urn:hutong:problem:no-room"
}

/// Turns a command's result into an exit code, and tells standard error what went wrong and why: as one line of
/// JSON where results are JSON.
pub fn end(result: &anyhow::Result<()>, console: Console) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let ending = Ending::of(error);
    if !error.is::<NotAccepted>() {
        let (headline, detail) =
            (ending.headline().of(console.lang), describe(error, console.lang));
        if console.json {
            let line = json!({"code": ending.code(), "error": headline, "detail": detail});
            eprintln!("{}", visible_json(&line.to_string()));
        } else {
            eprintln!("hutong: {headline}: {detail}");
        }
    }
    ExitCode::from(ending.code())
}

/// The chain of causes, each once: a cause that its parent already shows is left out. What a cause quotes makes no
/// line of its own: each is one line, but for those that say where in a file they are.
fn describe(error: &anyhow::Error, lang: Lang) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let chinese = if lang == Lang::Zh { chinese::message(cause) } else { None };
        let told = chinese.unwrap_or_else(|| cause.to_string());
        let cause = if has_lines(cause) {
            ShownLines(&told).to_string().trim_end().replace('\n', "\n    ")
        } else {
            shown(&told)
        };
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(lang.pick("：", ": "));
            }
            text.push_str(&cause);
        }
    }
    text
}

/// Whether an error has lines by design: several findings, or the place in a file. What these quote stands behind
/// an indent.
fn has_lines(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<ConfigError>() || cause.is::<MappingError>() || cause.is::<toml::de::Error>()
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
    use crate::api::error::ApiError;
    use crate::handle::PublishError;

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
        assert_eq!(code(Unprepared::no_id()), 5);
        assert_eq!(code(NodeFault::Config("x".into())), 5);
    }

    #[test]
    fn a_node_that_cannot_answer_now_is_told_from_one_that_refuses() {
        let refused = |error: PublishError| {
            code(ClientError::Refused(Box::new(ApiError::from(error).problem())))
        };
        assert_eq!(refused(PublishError::OwnLogUnchecked), 6);
        let problem = ApiError::from(PublishError::OwnLogUnchecked).problem();
        let error = ClientError::Refused(Box::new(problem));
        assert_eq!(code(NodePublishError::Client(error)), 6, "a contract is refused alike");
        assert_eq!(refused(PublishError::Busy), 6);
        assert_eq!(refused(PublishError::Stopping), 6);
        assert_eq!(refused(PublishError::NoRoom { free: 7 }), 6);
        assert_eq!(refused(PublishError::OwnLogConflict), 1);
        assert_eq!(refused(PublishError::Full), 1);
    }

    #[test]
    fn context_does_not_hide_the_kind() {
        let error = Err::<(), _>(KeyError::Missing("k".into())).context("opening the seed");
        assert_eq!(error.map_err(code), Err(5));
    }

    #[test]
    fn what_an_error_quotes_makes_no_line() {
        let detail = "title `a\n结论：有效\u{202e}` is wrong".to_owned();
        let error = anyhow::Error::from(ClientError::Unreachable {
            address: "x".into(),
            reason: detail.clone(),
        })
        .context(format!("r\nverdict: valid\u{1b}[2J.json: {detail}"));
        for lang in [Lang::Zh, Lang::En] {
            let told = describe(&error, lang);
            assert!(!told.chars().any(hutong_protocol::shown::is_invisible), "{told}");
            assert!(told.contains(r"r\u{a}verdict: valid\u{1b}[2J.json"), "{told}");
        }
        let table = toml::from_str::<toml::Table>("a = \"\u{1b}\r\n").map(drop);
        let Err(table) = table else { unreachable!("the text does not end") };
        let told = describe(&anyhow::Error::from(table), Lang::En);
        assert!(
            told.lines().count() > 1 && told.lines().skip(1).all(|line| line.starts_with("    "))
        );
        assert!(
            !told.chars().any(|c| c != '\n' && hutong_protocol::shown::is_invisible(c)),
            "{told}"
        );
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("disk full").context("cannot write x: disk full");
        assert_eq!(describe(&error, Lang::En), "cannot write x: disk full");
        let error = anyhow::anyhow!("disk full").context("cannot write x");
        assert_eq!(describe(&error, Lang::En), "cannot write x: disk full");
        let error = anyhow::Error::from(Unprepared::no_id()).context("没有章程");
        assert_eq!(
            describe(&error, Lang::Zh),
            "没有章程：尚未设置 exchange.id：请运行 hutong init"
        );
    }
}
