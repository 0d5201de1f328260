//! What an operator meets most when something does not go, in Chinese. Everything else is told in English.

use std::error::Error;

use hutong_protocol::charter::ExtendError;

use super::exit::{Declined, NotYet, Unprepared};
use crate::api::client::ClientError;
use crate::api::model::Problem;
use crate::api::token::TokenError;
use crate::charter_file::CharterFileError;
use crate::keys::KeyError;
use crate::private::PrivacyError;
use crate::process::{DESCRIPTORS_MIN, ProcessError};
use crate::store::StoreError;

/// What kinds of problems that a node answers with are called, and what to do; see `api/error.rs`.
const PROBLEMS: [(&str, &str, &str); 23] = [
    ("address-refused", "地址无法使用", "写法如 /dns4/node.example.org/tcp/7411"),
    ("busy", "等待中的请求过多", "请稍后重试"),
    ("catching-up", "节点仍在读取已有记录", "请数秒后重试；未发布任何内容"),
    ("charter-refused", "章程未被接受", "请用 hutong charter show FILE 检查"),
    ("disk", "磁盘故障", "检查磁盘空间与状况；必要时停止节点并运行 hutong fsck"),
    ("internal", "内部错误", "请附节点日志报告"),
    ("invalid", "请求有误", "请改正所指内容后重新提交；未作任何更改"),
    ("invalid-statement", "声明不符合规定", "请改正后整组重新提交；未发布任何内容"),
    ("log-full", "日志已满", "请上级交易所为本所更换密钥并启用新日志"),
    ("method", "该路径不支持此方法", "请查阅手册中的路径列表"),
    ("no-room", "磁盘空间不足", "请腾出磁盘空间后重试；未发布任何内容"),
    ("not-a-right", "本所无权作出该声明", "用 hutong member show 查看成员状态；未发布任何内容"),
    (
        "not-anchored",
        "名册尚未锚定该内容",
        "请稍候，或用 hutong receipt issue --wait 秒数 请求锚定",
    ),
    ("not-found", "本节点没有该内容", "请检查拼写；若是新内容，请等待节点同步"),
    ("not-next", "声明未承接现有记录", "请查看现有记录后修订、变更或注明最新声明；未发布任何内容"),
    ("not-witnessed", "尚未获得足够见证", "请稍候重试；用 hutong status 查看"),
    ("not-yet", "暂时无法完成", "请按说明处理后重试"),
    ("own-log-conflict", "本所日志出现冲突", "请停止发布并联系上级交易所：种子可能在别处使用"),
    ("own-log-unchecked", "本所日志正与对等节点的副本核对", "请数秒后重试"),
    ("slow", "未能及时答复", "重新提交之前，请先查看是否已经完成"),
    ("stopping", "节点正在停止", "请在其运行后重试"),
    ("too-large", "请求过大", "请分批提交"),
    ("unauthorized", "未获授权", "请以数据目录中 api.token 的内容作为令牌"),
];

/// Problems whose title says it all: their detail never differs.
const PLAIN: [&str; 8] = [
    "busy",
    "catching-up",
    "method",
    "own-log-conflict",
    "own-log-unchecked",
    "slow",
    "stopping",
    "too-large",
];

/// The message of a known error; `None` for all others.
pub fn message(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        client(error)
    } else if let Some(error) = cause.downcast_ref::<KeyError>() {
        key(error)
    } else if let Some(error) = cause.downcast_ref::<StoreError>() {
        store(error)
    } else if let Some(error) = cause.downcast_ref::<CharterFileError>() {
        charter_file(error)
    } else if let Some(error) = cause.downcast_ref::<ExtendError>() {
        extend(error)
    } else if let Some(error) = cause.downcast_ref::<PrivacyError>() {
        Some(privacy(error))
    } else if let Some(error) = cause.downcast_ref::<ProcessError>() {
        Some(process(error))
    } else if let Some(Unprepared { zh, .. }) = cause.downcast_ref() {
        Some(zh.clone())
    } else if let Some(NotYet { zh, .. }) = cause.downcast_ref() {
        Some(zh.clone())
    } else if cause.is::<Declined>() {
        Some("未确认：未签署，也未作任何更改".to_owned())
    } else {
        None
    }
}

fn client(error: &ClientError) -> Option<String> {
    match error {
        ClientError::NotRunning(data) => {
            let data = data.display();
            Some(format!("{data} 上没有运行节点：请先启动 hutong run --data {data}"))
        }
        ClientError::Token(TokenError::Exposed { path, mode }) => {
            Some(format!("{} 可被他人读取（权限 {mode:o}）：请删除后重新启动节点", path.display()))
        }
        ClientError::Token(TokenError::Damaged(path)) => {
            Some(format!("{} 已损坏：请删除后重新启动节点", path.display()))
        }
        ClientError::Token(_) => None,
        ClientError::Unreachable { address, reason } => {
            Some(format!("无法连接 {address} 上的节点，是否在运行？（{reason}）"))
        }
        ClientError::Refused(problem) => self::problem(problem),
        ClientError::NotUnderstood(reason) => {
            Some(format!("无法理解节点的答复（{reason}）：程序与节点版本是否一致？"))
        }
    }
}

fn problem(problem: &Problem) -> Option<String> {
    let kind = problem.kind.rsplit(':').next().unwrap_or_default();
    let (_, title, advice) = PROBLEMS.iter().find(|(name, ..)| *name == kind)?;
    Some(if PLAIN.contains(&kind) {
        format!("{title}；{advice}")
    } else {
        format!("{title}：{}；{advice}", problem.detail)
    })
}

fn key(error: &KeyError) -> Option<String> {
    match error {
        KeyError::Exists(path) => Some(format!(
            "{} 已有种子，不会覆盖：请另选数据目录，或核验备份后自行移走",
            path.display()
        )),
        KeyError::Missing(path) => Some(format!(
            "{} 没有种子：请运行 hutong init，或由备份恢复（hutong keys restore）",
            path.display()
        )),
        KeyError::PassphraseNeeded(path) => Some(format!(
            "{} 已加密：请用 --passphrase-file 或 HUTONG_PASSPHRASE 提供口令",
            path.display()
        )),
        KeyError::PassphraseWrong(path) => {
            Some(format!("口令无法打开 {}：请核对后重试", path.display()))
        }
        KeyError::PassphraseShort { met, min } => {
            Some(format!("口令只有 {met} 个字符：至少需要 {min} 个"))
        }
        KeyError::Damaged { path, detail } => Some(format!(
            "{} 已损坏（{detail}）：请由备份恢复（hutong keys restore）",
            path.display()
        )),
        KeyError::Exposed { path, mode } => {
            Some(format!("{} 可被他人读取（权限 {mode:o}）：请执行 chmod 600", path.display()))
        }
        KeyError::Disk { .. } | KeyError::Seal(_) | KeyError::Random(_) => None,
    }
}

fn store(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Locked { folder, holder } => Some(format!(
            "数据目录 {} 正被{}使用：请先停止该进程，或另选目录",
            folder.display(),
            holder.as_deref().map_or("另一进程".to_owned(), |holder| format!(" {holder} "))
        )),
        StoreError::NoRoom { folder, free, needed } => Some(format!(
            "{} 所在磁盘仅余 {free} 字节，需要 {needed} 字节：请腾出空间后重试",
            folder.display()
        )),
        StoreError::Corrupt { file, what, .. } => {
            Some(format!("{} 已损坏：{what}；请运行 hutong fsck", file.display()))
        }
        StoreError::Restricted { log, restricted, size } => Some(format!(
            "{log} 的 {size} 条中有 {restricted} 条并非面向所有人，静态站点无法略去：请用 --include-restricted --audience domestic|all 指明范围，或用 --dsse 只导出公开条目"
        )),
        StoreError::UnknownLog(log) => Some(format!("本节点没有 {log} 的日志")),
        _ => None,
    }
}

fn privacy(error: &PrivacyError) -> String {
    match error {
        PrivacyError::Owner { path, owner, me } => format!(
            "{} 属于用户 {owner}，而本进程以用户 {me} 运行：请以该用户运行，或用 chown -R 更改属主",
            path.display()
        ),
        PrivacyError::Disk { path, .. } => {
            format!("无法收紧 {} 的权限：请检查数据目录的属主与权限", path.display())
        }
    }
}

fn process(error: &ProcessError) -> String {
    match error {
        ProcessError::CoreDumps(_) => "无法关闭核心转储：请在 ulimit -c 0 之后启动节点".to_owned(),
        ProcessError::Descriptors { met } => format!(
            "本进程最多可打开 {met} 个文件描述符，至少需要 {DESCRIPTORS_MIN} 个：请用 ulimit -n 或 LimitNOFILE 提高上限"
        ),
    }
}

fn charter_file(error: &CharterFileError) -> Option<String> {
    match error {
        CharterFileError::Json { path, .. } => {
            Some(format!("{} 不是规范 JSON：请重新获取，勿作改动", path.display()))
        }
        CharterFileError::Form { path, .. } => Some(format!("{} 不含已签章程", path.display())),
        CharterFileError::Chain { path, .. } => Some(format!("{} 中的章程不成立", path.display())),
        CharterFileError::Disk { .. } => None,
    }
}

fn extend(error: &ExtendError) -> Option<String> {
    match error {
        ExtendError::TooFewSignatures { version, council, expected, met } => Some(format!(
            "第 {version} 版章程需要第 {council} 版理事会的 {expected} 份签名，现有 {met} 份"
        )),
        ExtendError::OtherFederation => Some("该创始章程属于另一联盟".to_owned()),
        ExtendError::Signature { exchange } => {
            Some(format!("{exchange} 的签名不成立，或其不是理事单位"))
        }
        ExtendError::Gap { met, needed } => {
            Some(format!("第 {met} 版章程之前须先安装第 {needed} 版"))
        }
        ExtendError::Rival { version } => {
            Some(format!("已有另一份第 {version} 版章程生效，不会更改：请与理事会核对章程哈希值"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::ApiError;
    use crate::handle::PublishError;

    #[test]
    fn problems_are_sorted_and_plain_ones_are_among_them() {
        assert!(PROBLEMS.is_sorted_by(|a, b| a.0 < b.0));
        for kind in PLAIN {
            assert!(PROBLEMS.iter().any(|(name, ..)| *name == kind), "{kind}");
        }
    }

    #[test]
    fn what_a_node_refuses_is_told_in_chinese() {
        let refused = |error: ApiError| {
            let error: Box<dyn Error> = Box::new(ClientError::Refused(Box::new(error.problem())));
            message(&*error)
        };
        for error in [
            ApiError::Unauthorized,
            ApiError::Method,
            ApiError::TooLarge,
            ApiError::Busy,
            ApiError::Slow,
            ApiError::invalid("x"),
            ApiError::Internal("x".into()),
            ApiError::NotFound { what: "x".into() },
            ApiError::Conflict { detail: "x".into(), advice: "y".into() },
            PublishError::OwnLogConflict.into(),
            PublishError::Full.into(),
            PublishError::Stopping.into(),
        ] {
            let kind = error.problem().kind;
            assert!(refused(error).is_some(), "{kind}");
        }
        let text = refused(PublishError::OwnLogUnchecked.into());
        assert_eq!(text.as_deref(), Some("本所日志正与对等节点的副本核对；请数秒后重试"));
    }
}
