//! `hutong status` and `hutong peers`: what the node is doing, and what needs the operator first.

use std::time::{Duration, Instant};

use super::args::Global;
use super::console::{Console, printable};
use super::exit::NotYet;
use super::lang::words;
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
                let Status { ready, membership, .. } = status;
                let said = format!("ready: {ready}, membership: {membership}");
                break Err(NotYet(format!("{said} after {} s", patience.as_secs())).into());
            }
            Ok(status) => {
                bar.set_position(status.entries);
                bar.set_message(format!("({}, {} peers)", status.membership, status.peers));
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

/// What must not wait comes first.
fn attention(status: &Status, console: Console) -> anyhow::Result<()> {
    if !status.ready {
        console.say(
            "！尚不能发布：正与对等节点核对本所日志。",
            "! Not publishing yet: the own log is being compared with peers' copies.",
        )?;
    }
    if status.restoring {
        console.say(
            "！密钥由备份恢复：理事成员出示副本之前，不签署任何内容。",
            "! The keys were restored: nothing is signed before the council's members have shown their copies.",
        )?;
    }
    for exchange in &status.frozen {
        console.say(
            &format!("！{exchange} 的日志出现两个版本，已冻结。见 hutong log show {exchange}"),
            &format!("! The log of {exchange} was shown in two versions and is frozen: hutong log show {exchange}"),
        )?;
    }
    if status.membership != "active" {
        console.say(
            &format!("！本所成员状态：{}。新的声明不会被承认。", status.membership),
            &format!(
                "! This exchange's membership is `{}`: new statements do not count.",
                status.membership
            ),
        )?;
    }
    if status.peers == 0 {
        console.say(
            "！没有连接任何对等节点。本地读写不受影响；检查 network.bootstrap。",
            "! No peer is connected. Local work goes on; check network.bootstrap.",
        )?;
    }
    Ok(())
}

fn facts(status: &Status, console: Console) -> anyhow::Result<()> {
    console.facts([
        (words("交易所", "exchange"), status.exchange.clone()),
        (words("成员状态", "membership"), status.membership.clone()),
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

fn notices(notices: &[Notice], console: Console) -> anyhow::Result<()> {
    for notice in notices.iter().take(NOTICES_SHOWN) {
        let text = printable(console.lang.pick(&notice.zh, &notice.en));
        console.line(&format!("{}  {:<7}  {text}", notice.time, notice.level))?;
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
