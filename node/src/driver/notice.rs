//! What operators should know, in two languages.

use hutong_protocol::io::{Notice, PeerFault};
use hutong_protocol::shown::Shown;
use hutong_protocol::time::Timestamp;

use crate::handle::{NoticeLevel, NoticeLine};
use crate::store::{Room, Space};

/// The line for an operator: one line, whatever a reason in it quotes.
pub(super) fn line(time: Timestamp, notice: &Notice) -> NoticeLine {
    let (level, zh, en) = words(notice);
    let shown = |text: String| Shown::new(&text).to_string();
    NoticeLine { time, level, zh: shown(zh), en: shown(en) }
}

/// The line for an operator where what the disk has room for has changed.
pub(super) fn of_disk(time: Timestamp, space: &Space) -> NoticeLine {
    let mib = |bytes: u64| bytes >> 20;
    let (free, needed) = (mib(space.free), mib(space.needed));
    let (level, zh, en) = match space.room {
        Room::All => (
            NoticeLevel::Info,
            format!("磁盘空间恢复充足（余 {free} MiB）：继续同步其他交易所的日志"),
            format!("the disk has room again ({free} MiB free): other logs are fetched"),
        ),
        Room::Own => (
            NoticeLevel::Warning,
            format!(
                "磁盘仅余 {free} MiB，少于 {needed} MiB：余量留给本所日志，暂停同步其他日志。请腾出空间，或调低 storage.reserve_mib"
            ),
            format!(
                "the disk has {free} MiB free, less than {needed} MiB: they are kept for the own log, and other logs are not fetched; free space, or lower storage.reserve_mib"
            ),
        ),
        Room::Nothing => (
            NoticeLevel::Alarm,
            format!(
                "磁盘仅余 {free} MiB：不能发布，也不同步其他日志。请腾出空间，节点随后自行继续"
            ),
            format!(
                "the disk has {free} MiB free: nothing is published and other logs are not fetched; free space, and the node goes on by itself"
            ),
        ),
    };
    NoticeLine { time, level, zh, en }
}

fn words(notice: &Notice) -> (NoticeLevel, String, String) {
    use NoticeLevel::{Alarm, Info, Warning};
    match notice {
        Notice::OwnLogChecked { by: Some(peer), size } => (
            Info,
            format!("本所日志已与节点 {peer} 的副本核对，共 {size} 条，可以发布"),
            format!("own log of {size} entries compared with the copy of {peer}; ready to publish"),
        ),
        Notice::OwnLogChecked { by: None, size } => (
            Info,
            format!("没有节点出示更长的本所日志，共 {size} 条，可以发布"),
            format!("no peer showed a longer own log; {size} entries; ready to publish"),
        ),
        Notice::OwnLogBehind { size, held_by_peer } => (
            Warning,
            format!("本所日志只有 {size} 条，其他节点存有 {held_by_peer} 条，正在取回"),
            format!("own log has {size} entries, peers hold {held_by_peer}: fetching them back"),
        ),
        Notice::Restored => (
            Info,
            "恢复完成：已与足够多的理事单位核对，可以发布和见证".to_owned(),
            "the restored node has compared with enough of the council: it publishes and cosigns"
                .to_owned(),
        ),
        Notice::OwnLogConflict => (
            Alarm,
            "本所日志存在两个互相矛盾的版本，已停止签名：请检查是否有人复制了密钥".to_owned(),
            "the own log exists in two versions; signing has stopped: check who else has the key"
                .to_owned(),
        ),
        Notice::Equivocation { log, frozen_at } => (
            Alarm,
            format!("{log} 的日志出现两个互相矛盾的版本，已在第 {frozen_at} 条冻结，证据已保存"),
            format!("{log} showed its log in two versions: frozen at {frozen_at}, evidence kept"),
        ),
        Notice::Thawed { log } => (
            Warning,
            format!("{log} 已更换密钥：因旧密钥的证据而冻结的日志恢复同步"),
            format!("{log} has new keys: its log, frozen for what the former ones signed, goes on"),
        ),
        Notice::OtherTreeCosigned { log, size } => (
            Alarm,
            format!(
                "{log} 的日志已冻结，见证单位共同签署的第 {size} 条以前的版本与本机所存不同：停机后运行 hutong log drop {log}"
            ),
            format!(
                "the log of {log} is frozen, and up to {size} the witnesses cosigned another version than is held here: stop, and run `hutong log drop {log}`"
            ),
        ),
        Notice::OtherThanCosigned { log, size } => (
            Alarm,
            format!(
                "{log} 出示的日志与本机曾共同签署的第 {size} 条以前的版本不同：已停止同步，请联系其上级交易所"
            ),
            format!(
                "the log of {log} is shown in another version than the {size} entries that this node cosigned: it is not followed; call its parent exchange"
            ),
        ),
        Notice::Diverged { log, size } => (
            Alarm,
            format!(
                "{log} 更换密钥后的日志与本机所存的 {size} 条互相矛盾：已停止同步，请联系其上级交易所"
            ),
            format!(
                "under its new keys the log of {log} contradicts the {size} entries held here: it is not followed; call its parent exchange"
            ),
        ),
        Notice::CharterInstalled { .. }
        | Notice::CharterRefused { .. }
        | Notice::CharterConflict { .. }
        | Notice::OverQuota { .. }
        | Notice::RegisterRefused { .. } => of_authority(notice),
        Notice::PeerMisbehaved { peer, fault } => {
            let (zh, en) = fault_words(*fault);
            (Warning, format!("节点 {peer}：{zh}"), format!("peer {peer}: {en}"))
        }
        Notice::CaughtUp { log, size } => (
            Info,
            format!("{log} 的日志已同步到第 {size} 条"),
            format!("log of {log} is complete up to {size}"),
        ),
        Notice::Cosigned { log, size, witnesses } => (
            Info,
            format!("{log} 第 {size} 条处的检查点已获 {witnesses} 家单位见证"),
            format!("checkpoint of {log} at {size} is cosigned by {witnesses} witnesses"),
        ),
    }
}

/// Notices of charters, quotas and the register.
fn of_authority(notice: &Notice) -> (NoticeLevel, String, String) {
    use NoticeLevel::{Alarm, Info, Warning};
    match notice {
        Notice::CharterInstalled { version } => (
            Info,
            format!("章程第 {version} 版已生效"),
            format!("charter version {version} is in force"),
        ),
        Notice::CharterRefused { reason } => {
            (Warning, format!("章程被拒绝：{reason}"), format!("a charter was refused: {reason}"))
        }
        Notice::CharterConflict { version } => (
            Alarm,
            format!("另有成员持有与本所不同的第 {version} 版章程：请与理事会电话核对章程哈希值"),
            format!(
                "a member has another charter of version {version} than this node: compare the charter's digest with the council by telephone"
            ),
        ),
        Notice::OverQuota { log } => (
            Warning,
            format!("{log} 今日发布量已达配额：本节点次日再获取其余内容，在此之前不予见证"),
            format!(
                "{log} has reached its quota of the day: the rest is fetched tomorrow, and not cosigned before"
            ),
        ),
        Notice::RegisterRefused { index, reason } => (
            Alarm,
            format!(
                "名册第 {index} 条与本所核对的结果不符，本所不予见证（{reason}）：请联系名册管理单位和理事会"
            ),
            format!(
                "entry {index} of the register is not what this node found, so it does not cosign it ({reason}): call the keeper and the council"
            ),
        ),
        Notice::OwnLogChecked { .. }
        | Notice::OwnLogBehind { .. }
        | Notice::Restored
        | Notice::OwnLogConflict
        | Notice::Equivocation { .. }
        | Notice::Thawed { .. }
        | Notice::Diverged { .. }
        | Notice::OtherTreeCosigned { .. }
        | Notice::OtherThanCosigned { .. }
        | Notice::PeerMisbehaved { .. }
        | Notice::CaughtUp { .. }
        | Notice::Cosigned { .. } => words(notice),
    }
}

fn fault_words(fault: PeerFault) -> (&'static str, &'static str) {
    match fault {
        PeerFault::OtherFederation => ("属于另一个联盟", "belongs to another federation"),
        PeerFault::Malformed => ("发来无法解读的消息", "sent a message that cannot be read"),
        PeerFault::BadSignature => {
            ("发来签名不成立的检查点", "sent a signature that does not hold")
        }
        PeerFault::BadLeaves => ("发来不属于该日志的条目", "sent leaves that are not in the tree"),
        PeerFault::WrongAnswer => ("答非所问", "answered something else than it was asked"),
    }
}

/// Whether a notice is worth a line in the list that operators see. Routine progress is not.
pub(super) fn is_listed(notice: &Notice) -> bool {
    !matches!(notice, Notice::CaughtUp { .. } | Notice::Cosigned { .. })
}

#[cfg(test)]
mod tests {
    use hutong_protocol::shown::is_invisible;

    use super::*;

    #[test]
    fn a_reason_makes_no_line_of_its_own() {
        let reason =
            "`a\n2026-11-30T08:00:00Z  info  charter version 9 is in force\u{202e}`".to_owned();
        let NoticeLine { zh, en, .. } =
            line(Timestamp::default(), &Notice::CharterRefused { reason });
        assert!(!zh.chars().chain(en.chars()).any(is_invisible), "{zh} {en}");
        assert!(en.contains(r"a\u{a}2026"), "{en}");
    }
}
