//! `hutong charter show`: what a charter says, and what it is to the charters that are held.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use hutong_protocol::charter::{Charter, CharterChain, Extend, ExtendError, SignedCharter};
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::id::{ExchangeId, FederationId};
use hutong_protocol::suite::key_text;
use serde_json::json;

use super::super::args::Global;
use super::super::console::{Console, shown, shown_path};
use super::super::exit::Unprepared;
use super::super::fingerprint::{of_descriptor, spoken};
use super::super::lang::{Lang, words};
use super::{lacks_signatures, who_signs};
use crate::charter_file::{self, CharterFileError};

/// What the newest charter of a file is to the charters that are held.
enum Standing {
    /// It is in effect, or was.
    Held,
    /// No charter is held; it holds by itself.
    Founding,
    /// It holds, and takes effect once the keeper has recorded it.
    Next,
    /// It does not hold.
    Refused(CharterFileError),
}

pub(super) fn show(global: &Global, file: Option<&Path>, console: Console) -> anyhow::Result<()> {
    let own = charter_file::path(&global.data);
    let file = file.unwrap_or(&own);
    if !file.exists() {
        let name = shown_path(file);
        return Err(Unprepared::new(
            format!("{name} 不存在：请给出文件，或用 hutong charter publish 安装章程"),
            format!("{name} does not exist: give a file, or install a charter with `hutong charter publish`"),
        )
        .into());
    }
    let charters = charter_file::parse(file)?;
    let signed = charters.last().context("the file holds no charter")?;
    let held = if file == own { None } else { charter_file::read(&global.data)? };
    let standing = judge(held.clone(), file, &charters);
    let federation = held.as_ref().map(CharterChain::federation_id).or_else(|| {
        let founding = charters.first().filter(|first| first.charter().version == 1)?;
        Some(FederationId::new(founding.digest()))
    });
    let problem = match &standing {
        Standing::Held | Standing::Founding | Standing::Next => None,
        Standing::Refused(error) => Some(crate::driver::chain(error)),
    };
    if console.json {
        return console.json(&json!({
            "federation_id": federation.map(|id| id.to_string()),
            "holds": problem.is_none(),
            "problem": problem,
            "digest": signed.digest().to_string(),
            "compare": spoken(&signed.digest()),
            "held": matches!(standing, Standing::Held),
            "charters": charters.iter().map(SignedCharter::to_value).collect::<Vec<_>>(),
        }));
    }
    facts(signed, federation, console)?;
    console.facts([(words("状态", "state"), state_text(&standing, console.lang))])?;
    council_table(signed, console)?;
    if let Standing::Refused(error) = &standing
        && lacks_signatures(error)
    {
        console.line(&who_signs(signed, file, console.lang))?;
    }
    Ok(())
}

/// Shows a charter to whoever is about to sign it.
pub(super) fn preview(
    signed: &SignedCharter,
    held: Option<&CharterChain>,
    console: Console,
) -> anyhow::Result<()> {
    let federation = held.map(CharterChain::federation_id);
    facts(signed, federation, console)?;
    council_table(signed, console)?;
    if let Some(held) = held {
        changes(held.latest(), signed.charter(), console)?;
    }
    Ok(())
}

fn judge(held: Option<CharterChain>, file: &Path, charters: &[SignedCharter]) -> Standing {
    let Some(mut chain) = held else {
        return match charter_file::add(None, file) {
            Ok(_) => Standing::Founding,
            Err(error) => Standing::Refused(error),
        };
    };
    let mut standing = Standing::Held;
    for signed in charters {
        standing = match chain.extend(signed.clone()) {
            Ok(Extend::Known) => Standing::Held,
            Ok(Extend::Added) => Standing::Next,
            Err(source) => return Standing::Refused(refused(file, source)),
        };
    }
    standing
}

fn refused(file: &Path, source: ExtendError) -> CharterFileError {
    CharterFileError::Chain { path: file.to_owned(), source }
}

fn state_text(standing: &Standing, lang: Lang) -> String {
    match standing {
        Standing::Held => lang.pick("成立，与本所持有的一致", "holds; it is held here"),
        Standing::Founding => lang.pick("成立，签名齐全", "holds, with all signatures"),
        Standing::Next => lang.pick(
            "成立，签名齐全；名册管理单位记入名册后生效",
            "holds, with all signatures; takes effect once the keeper has recorded it",
        ),
        Standing::Refused(error) => {
            return format!(
                "{}: {}",
                lang.pick("不成立", "does not hold"),
                shown(&crate::driver::chain(error))
            );
        }
    }
    .to_owned()
}

fn facts(
    signed: &SignedCharter,
    federation: Option<FederationId>,
    console: Console,
) -> anyhow::Result<()> {
    let charter = signed.charter();
    let council = charter.council.len();
    console.facts([
        (words("联盟", "federation"), charter.federation.clone()),
        (
            words("联盟标识", "federation id"),
            federation.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        ),
        (words("版本", "version"), charter.version.to_string()),
        (
            words("章程哈希值（电话核对）", "digest, to compare by telephone"),
            spoken(&signed.digest()),
        ),
        (words("日期", "drawn up"), charter.issued_at.to_string()),
        (words("通过家数", "threshold"), format!("{} / {council}", charter.threshold)),
        (words("见证规定家数", "witness quorum"), quorum_text(charter, console.lang)),
        (words("名册管理单位", "keeper of the register"), charter.keeper.to_string()),
        (words("名册密钥", "register key"), key_text(&charter.register_key)),
        (words("锚定间隔", "anchors"), anchors_text(charter, console.lang)),
    ])
}

fn quorum_text(charter: &Charter, lang: Lang) -> String {
    if charter.is_unwitnessed() {
        return lang.pick("无：没有其他机构见证", "none: nobody else witnesses").to_owned();
    }
    let council = charter.council.len();
    let (quorum, least) = (charter.witness_quorum, charter.quorum_without(&charter.keeper));
    lang.pick(
        format!("{quorum} / {council}（理事单位自己的日志：其他成员中的 {least} 个）"),
        format!("{quorum} of {council} ({least} of the others for a council member's own log)"),
    )
}

fn anchors_text(charter: &Charter, lang: Lang) -> String {
    let (minutes, seconds) = (charter.anchor_minutes, charter.anchor_seconds_min);
    let days = charter.finality_days;
    lang.pick(
        format!("每 {minutes} 分钟，有人请求时至少间隔 {seconds} 秒；{days} 天后为最终"),
        format!(
            "every {minutes} min, on request at least {seconds} s apart; final after {days} days"
        ),
    )
}

fn council_table(signed: &SignedCharter, console: Console) -> anyhow::Result<()> {
    let signers: BTreeSet<&ExchangeId> =
        signed.signatures().iter().map(|line| &line.exchange).collect();
    let language = console.lang.pick("zh", "en");
    let rows = signed.charter().council.iter().map(|member| {
        let descriptor = member.descriptor();
        vec![
            descriptor.id.to_string(),
            descriptor.name(language).to_owned(),
            format!("{} {}", descriptor.tier, descriptor.region),
            spoken(&of_descriptor(member)),
            if signers.contains(&descriptor.id) { "✓" } else { "-" }.to_owned(),
        ]
    });
    console.table(
        &[
            words("理事单位", "council member"),
            words("名称", "name"),
            words("层级与区域", "tier and region"),
            words("密钥核对码（电话核对）", "key digest, to compare by telephone"),
            words("已签署", "signed"),
        ],
        rows,
    )
}

/// What the next charter changes beside the one in effect.
fn changes(now: &Charter, next: &Charter, console: Console) -> anyhow::Result<()> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for seat in next.council.iter().map(SignedDescriptor::descriptor) {
        match now.council_member(&seat.id) {
            None => {
                lines.push((format!("新增理事单位 {}", seat.id), format!("new seat: {}", seat.id)));
            }
            Some(before) if before.log_key != seat.log_key => lines.push((
                format!("{} 更换日志密钥", seat.id),
                format!("{} gets another log key", seat.id),
            )),
            Some(_) => {}
        }
    }
    for seat in now.council.iter().map(SignedDescriptor::descriptor) {
        if !next.is_council_member(&seat.id) {
            lines.push((
                format!("{} 离开理事会", seat.id),
                format!("{} leaves the council", seat.id),
            ));
        }
    }
    for (what, before, after) in [
        (words("通过家数", "threshold"), now.threshold, next.threshold),
        (words("见证规定家数", "witness quorum"), now.witness_quorum, next.witness_quorum),
        (
            words("锚定间隔分钟数", "minutes between anchors"),
            now.anchor_minutes,
            next.anchor_minutes,
        ),
        (words("最终期限天数", "days until final"), now.finality_days, next.finality_days),
    ] {
        if before != after {
            lines.push((
                format!("{}：{before} → {after}", what.zh),
                format!("{}: {before} → {after}", what.en),
            ));
        }
    }
    if now.keeper != next.keeper {
        lines.push((
            format!("名册管理单位：{} → {}", now.keeper, next.keeper),
            format!("keeper: {} → {}", now.keeper, next.keeper),
        ));
    }
    console.say("与现行章程相比：", "Compared with the charter in effect:")?;
    if lines.is_empty() {
        console.say("  没有变化", "  nothing changes")?;
    }
    lines.iter().try_for_each(|(zh, en)| console.say(&format!("  {zh}"), &format!("  {en}")))
}
