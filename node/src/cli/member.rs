//! `hutong member`: apply for membership, decide about members, list, show.

mod decide;
mod join;
mod known;

use std::path::PathBuf;

use anyhow::Context as _;
use hutong_protocol::descriptor::Parent;
use hutong_protocol::id::FederationId;
use serde_json::json;

use super::args::{Global, MemberCommand, RequestArgs};
use super::charter::read_chain;
use super::console::{Console, shown_path};
use super::exit::{Unprepared, Usage};
use super::lang::words;
use super::{fingerprint, secret, settings, status};
use crate::api::model::Member;
use crate::charter_file;
use crate::keys::{KeyFolder, describe};

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, or what the node refused.
pub fn run(global: &Global, command: &MemberCommand, console: Console) -> anyhow::Result<()> {
    match command {
        MemberCommand::Request(args) => request(global, args, console),
        MemberCommand::Consent { file, output, yes, passphrase } => {
            decide::consent_to(global, file, output, (*yes, passphrase), console)
        }
        MemberCommand::Invite(args) => join::invite(global, args, console),
        MemberCommand::Join(args) => join::join(global, args, console),
        MemberCommand::Approve { file, approvals, how, passphrase } => {
            let asked = decide::Asked::admit(file);
            decide::approve(global, &asked, approvals, (how, passphrase), console)
        }
        MemberCommand::Admit { file, approvals, how } => {
            decide::publish(global, &decide::Asked::admit(file), approvals.as_deref(), how, console)
        }
        MemberCommand::Suspend(args) => {
            let asked = decide::Asked::suspend(&args.id, args.log_size, args.reason.as_deref());
            decide::decide(global, &asked, &args.how, console)
        }
        MemberCommand::Reinstate(args) => {
            let asked =
                decide::Asked::reinstate(&args.id, &args.checkpoint, args.reason.as_deref());
            decide::decide(global, &asked, &args.how, console)
        }
        MemberCommand::Expel(args) => {
            let asked = decide::Asked::expel(&args.id, args.log_size, args.reason.as_deref());
            decide::decide(global, &asked, &args.how, console)
        }
        MemberCommand::Rekey(args) => {
            let asked = decide::Asked::rekey(args);
            decide::decide(global, &asked, &args.how, console)
        }
        MemberCommand::List => {
            let client = settings::node(global)?;
            let members = client.members()?;
            console.show(&members, |members| table(members, console))?;
            if console.json {
                Ok(())
            } else {
                status::waiting_decisions(&client.status()?, console)
            }
        }
        MemberCommand::Show { id } => {
            let members = settings::node(global)?.members()?;
            let member = members
                .into_iter()
                .find(|member| member.exchange == *id)
                .with_context(|| format!("{id} is no member: see `hutong member list`"))?;
            console.show(&member, |member| details(member, console))
        }
    }
}

fn request(global: &Global, args: &RequestArgs, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    let (parent, federation) = belonging(global, args)?;
    let seed = secret::open_seed(&KeyFolder::of(&global.data), &args.passphrase, console)?;
    let descriptor = describe(&config.exchange, &seed, parent, federation)?;
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.json", config.exchange.id)));
    let mut text = serde_json::to_string_pretty(&descriptor.to_value())?;
    text.push('\n');
    std::fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))?;
    if console.json {
        return console.json(&json!({"file": output, "exchange": config.exchange.id}));
    }
    let file = shown_path(&output);
    let digest = fingerprint::spoken(&fingerprint::of_descriptor(&descriptor));
    console.say(
        &format!("已写入 {file}。请交上级交易所（hutong member admit {file}）或理事会，并电话核对密钥核对码：\n  {digest}"),
        &format!("{file} is written. Send it to the parent exchange (hutong member admit {file}) or to the council, and compare the key digest by telephone:\n  {digest}"),
    )
}

/// Under whom the exchange is to be, and in which federation: none is there while it is founded.
fn belonging(
    global: &Global,
    args: &RequestArgs,
) -> anyhow::Result<(Parent, Option<FederationId>)> {
    let Some(parent) = &args.parent else { return Ok((Parent::Council, None)) };
    let parent = parent.parse().map_err(|_| {
        Usage(format!("--parent: `{parent}` is neither `council` nor an exchange id"))
    })?;
    let given = read_chain(&args.charter)?;
    let installed = charter_file::read(&global.data)?;
    let chain = match (given, installed) {
        (Some(given), Some(installed)) => {
            anyhow::ensure!(
                given.federation_id() == installed.federation_id(),
                "the charter file is of federation {}, and the charter that is installed in {} of {}: leave out --charter, or use another data folder",
                given.federation_id(),
                global.data.display(),
                installed.federation_id()
            );
            given
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Err(Unprepared::new(
            "不知道属于哪个联盟：请用 --charter FILE 给出联盟章程文件，或先安装章程（hutong charter publish FILE）；创立联盟时用 --founding",
            "the federation is not known: name its charter file with --charter FILE, or install it with `hutong charter publish FILE`; while a federation is founded, use --founding",
        )
        .into()),
    };
    Ok((parent, Some(chain.federation_id())))
}

fn table(members: &[Member], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("标识", "exchange"),
        words("名称", "name"),
        words("层级", "tier"),
        words("区域", "region"),
        words("上级", "parent"),
        words("状态", "status"),
    ];
    let rows = members.iter().map(|member| {
        vec![
            member.exchange.clone(),
            name(member, console),
            member.tier.clone(),
            member.region.clone(),
            member.parent.clone(),
            member.status.clone(),
        ]
    });
    console.table(&headers, rows)
}

fn name(member: &Member, console: Console) -> String {
    console.name(&member.names).to_owned()
}

fn details(member: &Member, console: Console) -> anyhow::Result<()> {
    console.facts([
        (words("成员单位", "member"), console.exchange(&member.names, &member.exchange)),
        (words("层级", "tier"), member.tier.clone()),
        (words("区域", "region"), member.region.clone()),
        (words("上级", "parent"), member.parent.clone()),
        (words("状态", "status"), member.status.clone()),
        (words("日志", "log"), member.origin.clone()),
        (words("日志密钥", "log key"), member.log_key.clone()),
        (words("见证密钥", "witness key"), member.witness_key.clone()),
        (words("节点标识", "peer id"), member.peer_id.clone()),
        (words("地址", "addresses"), member.addresses.join(" ")),
        (words("网站", "website"), member.website.clone().unwrap_or_default()),
    ])
}
