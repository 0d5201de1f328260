//! `hutong status` and `hutong peers`: what the node is doing, and what needs the operator first.

use std::time::{Duration, Instant};

use super::args::Global;
use super::console::{Console, shown};
use super::exit::NotYet;
use super::lang::{Lang, words};
use super::settings;
use crate::api::model::{Notice, Peer, Status};

/// Notices that are shown without `--json`.
const NOTICES_SHOWN: usize = 10;

/// How often a node is asked again that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// `hutong status`, after `wait` seconds at most if the node is to be waited for.
///
/// # Errors
///
/// The node cannot be reached, [`NotYet`], or standard output cannot be written.
pub fn status(global: &Global, wait: Option<u64>, console: Console) -> anyhow::Result<()> {
    if let Some(seconds) = wait {
        until_ready(global, Duration::from_secs(seconds), console)?;
    }
    let status = settings::node(global)?.status()?;
    console.show(&status, |status| {
        attention(status, console)?;
        facts(status, console)?;
        waiting_decisions(status, console)?;
        notices(&status.notices, console)
    })
}

/// Waits until the exchange is an active member that may publish. A node that does not answer may be starting.
fn until_ready(global: &Global, patience: Duration, console: Console) -> anyhow::Result<()> {
    let begun = Instant::now();
    let bar = console.spinner("已取得 {pos} 条 {msg}", "{pos} entries {msg}");
    let ended = loop {
        let asked = settings::node(global).and_then(|client| Ok(client.status()?));
        let late = begun.elapsed() >= patience;
        match asked {
            Ok(status) if status.ready && status.membership == "active" => break Ok(()),
            Ok(status) if late => {
                break Err(not_yet(&status, patience).into());
            }
            Ok(status) => {
                bar.set_position(status.entries);
                let (peers, member) = (status.peers, membership(&status, console.lang));
                bar.set_message(console.lang.pick(
                    format!("（{member}，{peers} 个对等节点）"),
                    format!("({member}, {peers} peers)"),
                ));
            }
            Err(error) if late => break Err(error),
            Err(_) => {}
        }
        #[expect(clippy::disallowed_methods, reason = "the interface is asked again")]
        std::thread::sleep(LOOK);
    };
    bar.finish_and_clear();
    ended
}

fn not_yet(status: &Status, patience: Duration) -> NotYet {
    let concerns = concerns(status);
    let join = |pick: fn(&(String, String)) -> &str| concerns.iter().map(pick).collect::<Vec<_>>();
    let (zh, en) = (join(|both| both.0.as_str()).concat(), join(|both| both.1.as_str()).join(" "));
    let seconds = patience.as_secs();
    NotYet {
        zh: format!("{seconds} 秒后仍不能发布：{zh}"),
        en: format!("after {seconds} s this exchange may not publish yet: {en}"),
    }
}

/// What must not wait comes first.
fn attention(status: &Status, console: Console) -> anyhow::Result<()> {
    for (zh, en) in concerns(status) {
        console.say(&format!("！{zh}"), &format!("! {en}"))?;
    }
    Ok(())
}

/// What needs the operator, in Chinese and in English.
fn concerns(status: &Status) -> Vec<(String, String)> {
    let mut concerns = Vec::new();
    let mut add = |zh: String, en: String| concerns.push((zh, en));
    if !status.ready {
        add(
            "尚不能发布：正与对等节点核对本所日志。".to_owned(),
            "Not publishing yet: the own log is being compared with peers' copies.".to_owned(),
        );
    }
    if status.restoring {
        add(
            "密钥由备份恢复：理事单位出示副本之前，不签署任何内容。".to_owned(),
            "The keys were restored: nothing is signed before the council's members have shown their copies.".to_owned(),
        );
    }
    match status.disk.as_str() {
        "full" => add(
            "磁盘已满：不能发布，也不同步其他日志。请腾出空间。".to_owned(),
            "The disk is full: nothing is published and other logs are not fetched. Free space."
                .to_owned(),
        ),
        "low" => add(
            "磁盘空间不足：不同步其他日志，余量留给本所日志。请腾出空间。".to_owned(),
            "The disk has little room: other logs are not fetched, what is left is kept for the own one. Free space."
                .to_owned(),
        ),
        _ => {}
    }
    for exchange in &status.frozen {
        add(
            format!("{exchange} 的日志出现两个版本，已冻结。见 hutong log show {exchange}"),
            format!(
                "The log of {exchange} was shown in two versions and is frozen: hutong log show {exchange}"
            ),
        );
    }
    if status.membership != "active" {
        add(
            format!("本所成员状态：{}。新的声明不会被承认。", membership(status, Lang::Zh)),
            format!(
                "This exchange is {}: new statements do not count.",
                membership(status, Lang::En)
            ),
        );
    }
    for decision in status.waiting.iter().filter(|decision| decision.overdue) {
        let (log, member, index) = (&decision.log, &decision.member, decision.index);
        let keeper = &status.register.keeper;
        add(
            format!(
                "{log} 第 {index} 条关于 {member} 的决定已等待一天以上：请联系名册管理单位 {keeper} 或理事会。"
            ),
            format!(
                "The decision about {member}, entry {index} of {log}, has waited for more than a day: call the keeper {keeper}, or the council."
            ),
        );
    }
    if status.peers == 0 {
        add(
            "没有连接任何对等节点。本地读写不受影响；检查 network.bootstrap。".to_owned(),
            "No peer is connected. Local work goes on; check network.bootstrap.".to_owned(),
        );
    }
    concerns
}

/// The membership in words.
fn membership(status: &Status, lang: Lang) -> String {
    let known = match status.membership.as_str() {
        "active" => words("正式成员", "an active member"),
        "suspended" => words("已暂停", "suspended"),
        "expelled" => words("已除名", "expelled"),
        "none" => words("尚未准入", "not admitted yet"),
        other => return other.to_owned(),
    };
    known.of(lang).to_owned()
}

fn facts(status: &Status, console: Console) -> anyhow::Result<()> {
    console.facts([
        (words("交易所", "exchange"), console.exchange(&status.exchange_names, &status.exchange)),
        (words("成员状态", "membership"), membership(status, console.lang)),
        (
            words("联盟", "federation"),
            format!("{} (v{})", status.federation, status.charter_version),
        ),
        (words("软件版本", "version"), status.version.clone()),
        (words("启动时间", "started"), status.started.clone()),
        (words("节点标识", "peer id"), status.peer_id.clone()),
        (words("监听", "listening"), status.listen.join(" ")),
        (words("对等节点", "peers"), status.peers.to_string()),
        (words("成员", "members"), status.members.to_string()),
        (words("日志", "logs"), status.logs.to_string()),
        (words("条目", "entries"), status.entries.to_string()),
        (words("收 / 发", "in / out"), {
            format!("{} / {}", bytes(status.bytes_in), bytes(status.bytes_out))
        }),
        (words("名册", "register"), register(status, console.lang)),
        (words("排队", "waiting"), waiting(status, console.lang)),
    ])?;
    if let Some(log) = &status.own_log {
        let cosigned = log.cosigned_size.unwrap_or(0);
        console.facts([(
            words("本所日志", "own log"),
            console.lang.pick(
                format!("{} 条，其中 {cosigned} 条已获见证", log.size),
                format!("{} entries, {cosigned} of them witnessed", log.size),
            ),
        )])?;
    }
    Ok(())
}

/// How far the register counts, and its last anchor.
fn register(status: &Status, lang: Lang) -> String {
    let register = &status.register;
    let anchor = match &register.anchor {
        None => lang.pick("尚未锚定", "no anchor yet").to_owned(),
        Some(anchor) => {
            let recorded = anchor.recorded.as_ref().unwrap_or(&anchor.day);
            lang.pick(format!("最近锚定 {recorded}"), format!("last anchor {recorded}"))
        }
    };
    let (size, keeper) = (register.size, &register.keeper);
    lang.pick(
        format!("{size} 条，由 {keeper} 保管，{anchor}"),
        format!("{size} entries, kept by {keeper}, {anchor}"),
    )
}

/// Decisions about members that did not take effect yet, each with what it waits for.
///
/// # Errors
///
/// Standard output cannot be written.
pub(super) fn waiting_decisions(status: &Status, console: Console) -> anyhow::Result<()> {
    if status.waiting.is_empty() {
        return Ok(());
    }
    console.say("尚未生效的决定：", "Decisions that did not take effect yet:")?;
    let headers = [
        words("决定", "decision"),
        words("成员", "member"),
        words("所在日志", "in the log of"),
        words("时间", "made"),
        words("等待", "waits for"),
    ];
    let rows = status.waiting.iter().map(|decision| {
        let kind = decision.kind.trim_start_matches("hutong/member-").trim_end_matches("/v1");
        vec![
            kind.to_owned(),
            decision.member.clone(),
            format!("{} #{}", decision.log, decision.index),
            decision.issued_at.clone(),
            decision.reason.clone().unwrap_or_else(|| {
                console.lang.pick("名册管理单位记入", "the keeper to record it").to_owned()
            }),
        ]
    });
    console.table(&headers, rows)
}

/// The queues that are not empty.
fn waiting(status: &Status, lang: Lang) -> String {
    let queues = status.queues.iter().filter(|(_, length)| **length > 0);
    let queues: Vec<String> = queues.map(|(queue, length)| format!("{queue} {length}")).collect();
    if queues.is_empty() {
        words("无", "nothing").of(lang).to_owned()
    } else {
        queues.join(" · ")
    }
}

fn notices(notices: &[Notice], console: Console) -> anyhow::Result<()> {
    for notice in notices.iter().take(NOTICES_SHOWN) {
        let text = shown(console.lang.pick(&notice.zh, &notice.en));
        let (time, level) = (shown(&notice.time), shown(&notice.level));
        console.line(&format!("{time}  {level:<7}  {text}"))?;
    }
    Ok(())
}

/// `hutong peers`.
///
/// # Errors
///
/// The node cannot be reached, or standard output cannot be written.
pub fn peers(global: &Global, console: Console) -> anyhow::Result<()> {
    let peers = settings::node(global)?.peers()?;
    console.show(&peers, |peers| table(peers, console))
}

fn table(peers: &[Peer], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("交易所", "exchange"),
        words("节点标识", "peer id"),
        words("地址", "address"),
        words("连接时间", "since"),
        words("收", "in"),
        words("发", "out"),
    ];
    let rows = peers.iter().map(|peer| {
        vec![
            peer.exchange.clone().unwrap_or_else(|| "-".to_owned()),
            peer.peer_id.clone(),
            peer.address.clone(),
            peer.since.clone(),
            bytes(peer.bytes_in),
            bytes(peer.bytes_out),
        ]
    });
    console.table(&headers, rows)
}

/// A count of bytes for people.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn status() -> Status {
        serde_json::from_value(serde_json::json!({
            "exchange": "cn-33-z", "federation": "5f", "federation_id": "5f", "charter_version": 1,
            "membership": "none", "version": "1", "started": "", "ready": true, "peer_id": "",
            "listen": [], "peers": 2, "members": 3, "logs": 3, "entries": 9, "frozen": [],
            "own_log": null, "bytes_in": 0, "bytes_out": 0, "notices": [],
        }))
        .unwrap()
    }

    #[test]
    fn queues_are_shown_that_are_not_empty() {
        let mut status = status();
        assert_eq!(waiting(&status, Lang::En), "nothing", "as an older node tells nothing");
        status.queues = [("answers", 3), ("effects", 0), ("views_behind", 120)]
            .map(|(queue, length)| (queue.to_owned(), length))
            .into();
        assert_eq!(waiting(&status, Lang::Zh), "answers 3 · views_behind 120");
    }

    #[test]
    fn what_was_waited_for_in_vain_is_told_in_sentences() {
        let NotYet { zh, en } = not_yet(&status(), Duration::from_secs(5));
        assert_eq!(
            en,
            "after 5 s this exchange may not publish yet: This exchange is not admitted yet: new statements do not count."
        );
        assert_eq!(zh, "5 秒后仍不能发布：本所成员状态：尚未准入。新的声明不会被承认。");
    }
}
