//! Joining a federation: the invitation that a parent makes, and what a newcomer does with it.

use std::path::PathBuf;

use anyhow::Context as _;
use hutong_crypto::keys::Seed;
use hutong_protocol::charter::{CharterChain, SignedCharter};
use hutong_protocol::descriptor::Parent;
use hutong_protocol::suite::key_text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::args::{Global, InviteArgs, JoinArgs};
use super::super::charter::read_json;
use super::super::console::{Console, shown_path};
use super::super::exit::{Unprepared, Usage};
use super::super::fingerprint::{of_descriptor, spoken};
use super::super::lang::words;
use super::super::{init, secret, settings};
use super::known::Known;
use crate::charter_file;
use crate::config::Config;
use crate::keys::{Kept, KeyFolder, describe};

/// What an invitation's `type` says.
const INVITATION_TYPE: &str = "hutong/invitation/v1";

/// Some charters of a large council, and addresses.
const INVITATION_BYTES_MAX: u64 = 16 << 20;

/// What a newcomer needs of the federation. Nothing in it is secret; it is believed once its charter's digest
/// was compared by telephone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    #[serde(rename = "type")]
    kind: String,
    /// The charters in effect, from the founding one on.
    charters: Vec<Value>,
    /// Who is to admit the newcomer.
    parent: String,
    /// Where a node can be dialled.
    addresses: Vec<String>,
}

/// `hutong member invite`.
pub(super) fn invite(global: &Global, args: &InviteArgs, console: Console) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    let known = Known::of(global)?;
    if config.exchange.addresses.is_empty() && args.address.is_empty() {
        return Err(Usage(
            "no address is known by which newcomers reach this node: set exchange.addresses in hutong.toml, or give --address".to_owned(),
        )
        .into());
    }
    let addresses = if args.address.is_empty() {
        config.exchange.addresses.clone()
    } else {
        args.address.clone()
    };
    let parent = if args.council { "council".to_owned() } else { config.exchange.id.clone() };
    let charters = known.charters.versions().iter().map(|version| version.signed().to_value());
    let invitation = Invitation {
        kind: INVITATION_TYPE.to_owned(),
        charters: charters.collect(),
        parent: parent.clone(),
        addresses,
    };
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from("invitation.json"));
    let text = serde_json::to_string_pretty(&invitation)? + "\n";
    std::fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))?;
    let digest = spoken(&known.charters.latest_digest());
    if console.json {
        return console.json(&json!({"file": output, "parent": parent, "compare": digest}));
    }
    let file = shown_path(&output);
    console.say(
        &format!("已写入 {file}，请发给新成员。对方将来电核对章程哈希值：\n  {digest}\n对方运行：hutong member join {file}"),
        &format!("{file} is written: send it to the newcomer, who will compare the charter's digest with you by telephone:\n  {digest}\nThe newcomer runs: hutong member join {file}"),
    )
}

/// `hutong member join`: sets the exchange up, installs the charter, writes the request.
pub(super) fn join(global: &Global, args: &JoinArgs, console: Console) -> anyhow::Result<()> {
    let (invitation, chain) = read(&args.invitation)?;
    let parent: Parent = invitation.parent.parse().ok().with_context(|| {
        format!(
            "{} names `{}` as the parent, which is no exchange id",
            args.invitation.display(),
            invitation.parent
        )
    })?;
    if !console.json {
        console.facts([
            (words("联盟", "federation"), chain.latest().federation.clone()),
            (words("联盟标识", "federation id"), chain.federation_id().to_string()),
            (words("章程版本", "charter version"), chain.version().to_string()),
            (words("上级", "parent"), invitation.parent.clone()),
            (
                words(
                    "章程哈希值（请向上级电话核对）",
                    "charter digest, to compare with the parent by telephone",
                ),
                spoken(&chain.latest_digest()),
            ),
        ])?;
    }
    console.confirm(
        args.yes,
        "章程哈希值是否与上级告知的一致？",
        "Is the charter's digest the one that the parent reads out?",
    )?;
    let (config, seed) = exchange(global, args, &invitation, &chain, console)?;
    let descriptor = describe(&config.exchange, &seed, parent, Some(chain.federation_id()))?;
    let id = &config.exchange.id;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{id}.json")));
    let text = serde_json::to_string_pretty(&descriptor.to_value())? + "\n";
    std::fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))?;
    let digest = spoken(&of_descriptor(&descriptor));
    if console.json {
        return console.json(&json!({
            "data": global.data, "exchange": id, "file": output, "compare": digest,
            "federation_id": chain.federation_id().to_string(),
            "log_key": key_text(&descriptor.descriptor().log_key),
        }));
    }
    let (data, file, parent) = (shown_path(&global.data), shown_path(&output), &invitation.parent);
    console.say(
        &format!(
            "{id} 已在 {data} 就绪。\n\n1. 立即备份种子：hutong --data {data} keys backup\n2. 把 {file} 发给 {parent}，并电话核对密钥核对码：{digest}\n3. 启动节点：hutong --data {data} run\n4. 等待准入：hutong --data {data} status --wait 600"
        ),
        &format!(
            "{id} is ready in {data}.\n\n1. Back the seed up now: hutong --data {data} keys backup\n2. Send {file} to {parent} and compare the key digest by telephone: {digest}\n3. Start the node: hutong --data {data} run\n4. Wait until it is admitted: hutong --data {data} status --wait 600"
        ),
    )
}

fn read(file: &std::path::Path) -> anyhow::Result<(Invitation, CharterChain)> {
    let damaged = || format!("{} is no invitation: ask for it again", file.display());
    let invitation: Invitation =
        serde_json::from_value(read_json(file, INVITATION_BYTES_MAX)?).with_context(damaged)?;
    anyhow::ensure!(invitation.kind == INVITATION_TYPE, damaged());
    let mut charters = invitation.charters.iter().map(SignedCharter::from_value);
    let founding = charters.next().with_context(damaged)?.with_context(damaged)?;
    let mut chain = CharterChain::found(founding).with_context(damaged)?;
    for charter in charters {
        chain.extend(charter.with_context(damaged)?).with_context(damaged)?;
    }
    Ok((invitation, chain))
}

/// The exchange of the data folder, set up now or before; its charter is the invitation's.
fn exchange(
    global: &Global,
    args: &JoinArgs,
    invitation: &Invitation,
    chain: &CharterChain,
    console: Console,
) -> anyhow::Result<(Config, Seed)> {
    let folder = KeyFolder::of(&global.data);
    if folder.kept() == Kept::Missing {
        let mut init = args.init.clone();
        if init.bootstrap.is_empty() {
            init.bootstrap.clone_from(&invitation.addresses);
        }
        return init::set_up(global, &init, Some(chain), console);
    }
    let config = settings::read(global, &[])?;
    if config.exchange.id.is_empty() {
        return Err(Unprepared::no_id().into());
    }
    if let Some(held) = charter_file::read(&global.data)? {
        anyhow::ensure!(
            held.federation_id() == chain.federation_id(),
            "{} belongs to federation {} already: join with another data folder (--data)",
            global.data.display(),
            held.federation_id()
        );
    } else {
        charter_file::write(&global.data, chain)?;
    }
    if config.network.bootstrap.is_empty() {
        console.say(
            &format!(
                "提示：请在 hutong.toml 的 network.bootstrap 中加入 {}",
                invitation.addresses.join(" ")
            ),
            &format!(
                "Note: add {} to network.bootstrap in hutong.toml.",
                invitation.addresses.join(" ")
            ),
        )?;
    }
    Ok((config, secret::open_seed(&folder, &args.init.passphrase, console)?))
}
