//! `hutong federation new`: founding a federation, alone or with others.

use std::path::PathBuf;

use anyhow::Context as _;
use hutong_crypto::keys::{Purpose, Seed};
use hutong_protocol::charter::{CharterChain, SignedCharter};
use hutong_protocol::descriptor::{Parent, SignedDescriptor};
use hutong_protocol::id::ExchangeId;
use serde_json::json;

use super::args::{FederationCommand, FederationNewArgs, Global};
use super::charter::{Rules, draw_up, read_descriptor, write_signed};
use super::console::{Console, shown_path};
use super::exit::{Unprepared, Usage};
use super::fingerprint::spoken;
use super::{init, secret, settings};
use crate::charter_file;
use crate::config::Config;
use crate::keys::{Kept, KeyFolder, describe};

/// Runs one of the commands.
///
/// # Errors
///
/// What is missing or does not fit; nothing is installed then.
pub fn run(global: &Global, command: &FederationCommand, console: Console) -> anyhow::Result<()> {
    match command {
        FederationCommand::New(args) => new(global, args, console),
    }
}

fn new(global: &Global, args: &FederationNewArgs, console: Console) -> anyhow::Result<()> {
    anyhow::ensure!(
        charter_file::read(&global.data)?.is_none(),
        "{} belongs to a federation already: found another in another data folder (--data)",
        global.data.display()
    );
    let name = match &args.name {
        Some(name) => name.clone(),
        None if console.interactive() => console.ask("联盟名称", "The federation's name", None)?,
        None => return Err(Usage("--name is needed where nobody can be asked".to_owned()).into()),
    };
    let others = others(args, console)?;
    if others.len() == 1 {
        return Err(Usage(
            "two exchanges cannot witness for each other: found alone and grow to three, or found with three or more; four is the smallest council that goes on with one member away".to_owned(),
        )
        .into());
    }
    let (config, seed) = exchange(global, args, console)?;
    let me: ExchangeId = config.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
    let mut council = vec![describe(&config.exchange, &seed, Parent::Council, None)?];
    council.extend(others);
    let rules = Rules {
        name,
        threshold: args.threshold,
        keeper: (me.clone(), seed.derive(Purpose::Register).public()),
        quorum: None,
        anchor_minutes: args.anchor_minutes,
        anchor_seconds_min: args.anchor_seconds_min,
        finality_days: args.finality_days,
    };
    let mut signed = draw_up(council, &rules, None)?;
    signed.sign(&me, &seed.derive(Purpose::Log));
    if signed.charter().council.len() == 1 {
        return found_alone(global, signed, console);
    }
    write_signed(&args.output, &signed)?;
    collect(args, &signed, &me, console)
}

/// The descriptors of the other founders: from files, or asked for.
fn others(args: &FederationNewArgs, console: Console) -> anyhow::Result<Vec<SignedDescriptor>> {
    let mut files: Vec<PathBuf> = args.council.clone();
    if files.is_empty() && !args.alone && console.interactive() {
        loop {
            let file = console.ask(
                "其他创始成员的申请文件（hutong member request --founding 所生成；没有更多则填 -）",
                "File of another founder, from `hutong member request --founding` (- for no more)",
                Some("-"),
            )?;
            if file == "-" {
                break;
            }
            files.push(file.into());
        }
    }
    files.iter().map(|file| read_descriptor(file)).collect()
}

/// The exchange of the data folder, set up now or before.
fn exchange(
    global: &Global,
    args: &FederationNewArgs,
    console: Console,
) -> anyhow::Result<(Config, Seed)> {
    let folder = KeyFolder::of(&global.data);
    if folder.kept() == Kept::Missing {
        return init::set_up(global, &args.init, None, console);
    }
    let config = settings::read(global, &[])?;
    let seed = secret::open_seed(&folder, &args.init.passphrase, console)?;
    Ok((config, seed))
}

/// A federation of one is signed and installed at once.
fn found_alone(global: &Global, signed: SignedCharter, console: Console) -> anyhow::Result<()> {
    let chain = CharterChain::found(signed).context("the charter does not hold")?;
    charter_file::write(&global.data, &chain)?;
    let (id, digest) = (chain.federation_id().to_string(), spoken(&chain.latest_digest()));
    if console.json {
        return console.json(&json!({
            "federation_id": id, "compare": digest, "installed": true, "signed_by": [chain.latest().keeper.to_string()],
        }));
    }
    let data = shown_path(&global.data);
    console.say(
        &format!(
            "联盟已创立，标识 {id}，章程哈希值 {digest}。\n\n注意：目前只有一家理事单位，没有其他机构见证；请尽快扩大到三家（四家起允许一家停机）。\n\n1. 立即备份种子：hutong --data {data} keys backup\n2. 启动节点：hutong --data {data} run\n3. 邀请成员：hutong --data {data} member invite"
        ),
        &format!(
            "The federation is founded: {id}, charter digest {digest}.\n\nNote: with a council of one nobody else witnesses. Grow to three soon; four is the smallest council that goes on with one member away.\n\n1. Back the seed up now: hutong --data {data} keys backup\n2. Start the node: hutong --data {data} run\n3. Invite members: hutong --data {data} member invite"
        ),
    )
}

/// Says who signs what is written.
fn collect(
    args: &FederationNewArgs,
    signed: &SignedCharter,
    me: &ExchangeId,
    console: Console,
) -> anyhow::Result<()> {
    let seats = signed.charter().council.iter().map(|seat| seat.descriptor().id.to_string());
    let missing: Vec<String> = seats.filter(|id| id != me.as_str()).collect();
    let (file, digest) = (shown_path(&args.output), spoken(&signed.digest()));
    if console.json {
        return console.json(&json!({
            "file": args.output, "compare": digest, "installed": false, "signed_by": [me.as_str()],
            "missing": missing,
        }));
    }
    if missing.len() == 2 {
        console.say(
            "提示：三席理事会中任何一席停机，其他成员即无法获得足够见证；四席是允许一席停机的最小规模。",
            "Note: with a council of three, nothing new is witnessed while one member is away; four is the smallest that goes on with one member away.",
        )?;
    }
    console.say(
        &format!(
            "已写入 {file}，本所已签署。章程哈希值（请与各方电话核对）：{digest}\n\n1. 把 {file} 发给 {}；各自运行 hutong charter sign {file}，再发回\n2. 合并签名：hutong charter merge 各份文件 -o charter-signed.json\n3. 各方安装并启动：hutong charter publish charter-signed.json；hutong run",
            missing.join("、")
        ),
        &format!(
            "{file} is written and signed by this exchange. Charter digest, to compare with everybody by telephone: {digest}\n\n1. Send {file} to {}; each runs `hutong charter sign {file}` and sends it back\n2. Merge the signatures: hutong charter merge FILES -o charter-signed.json\n3. Everybody installs it and starts: hutong charter publish charter-signed.json; hutong run",
            missing.join(", ")
        ),
    )
}
