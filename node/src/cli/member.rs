//! `hutong member`: apply for membership, approve, admit, list, show.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hutong_crypto::Signature;
use hutong_crypto::keys::Purpose;
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::directory::{Approval, approve, with_approvals};
use serde_json::{Value, json};

use super::args::{Global, MemberCommand, PassphraseArgs};
use super::charter::{read_descriptor, read_json};
use super::console::Console;
use super::exit::Usage;
use super::lang::words;
use super::{secret, settings};
use crate::api::client::Client;
use crate::api::model::{Member, PublishRequest};
use crate::charter_file;
use crate::keys::{KeyFolder, describe};

/// The statement that admits a member.
const ADMIT: &str = "hutong/member-admit/v1";
/// A descriptor and 128 approvals of 200 bytes.
const APPROVALS_BYTES_MAX: u64 = 512 * 1024;

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, or what the node refused.
pub fn run(global: &Global, command: &MemberCommand, console: Console) -> anyhow::Result<()> {
    match command {
        MemberCommand::Request { output, passphrase } => {
            request(global, output.as_deref(), passphrase, console)
        }
        MemberCommand::Approve { file, approvals, passphrase } => {
            approve_file(global, file, approvals, passphrase, console)
        }
        MemberCommand::Admit { file, approvals } => {
            admit(global, file, approvals.as_deref(), console)
        }
        MemberCommand::List => {
            let members = Client::from_data(&global.data)?.members()?;
            console.show(&members, |members| table(members, console))
        }
        MemberCommand::Show { id } => {
            let members = Client::from_data(&global.data)?.members()?;
            let member = members
                .into_iter()
                .find(|member| member.exchange == *id)
                .with_context(|| format!("{id} is no member: see `hutong member list`"))?;
            console.show(&member, |member| details(member, console))
        }
    }
}

fn request(
    global: &Global,
    output: Option<&Path>,
    passphrase: &PassphraseArgs,
    console: Console,
) -> anyhow::Result<()> {
    let config = settings::read(global, &[])?;
    let seed = secret::open_seed(&KeyFolder::of(&global.data), passphrase, console)?;
    let descriptor = describe(&config.exchange, &seed)?;
    let output = output
        .map_or_else(|| PathBuf::from(format!("{}.json", config.exchange.id)), Path::to_owned);
    let mut text = serde_json::to_string_pretty(&descriptor.to_value())?;
    text.push('\n');
    std::fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))?;
    if console.json {
        return console.json(&json!({"file": output, "exchange": config.exchange.id}));
    }
    let file = output.display();
    console.say(
        &format!("已写入 {file}。请交上级交易所（hutong member admit {file}）或理事会，并当面或电话核对日志密钥：\n{}", descriptor.descriptor().log_key),
        &format!("{file} is written. Send it to the parent exchange (hutong member admit {file}) or to the council, and compare the log key by another way:\n{}", descriptor.descriptor().log_key),
    )
}

fn approve_file(
    global: &Global,
    file: &Path,
    approvals: &Path,
    passphrase: &PassphraseArgs,
    console: Console,
) -> anyhow::Result<()> {
    let descriptor = read_descriptor(file)?;
    let chain = charter_file::read(&global.data)?
        .context("no charter is installed: run `hutong charter publish FILE` first")?;
    let me = settings::read(global, &[])?
        .exchange
        .id
        .parse()
        .map_err(|_| Usage("exchange.id is not set: run `hutong init`".to_owned()))?;
    let member = chain
        .latest()
        .council_member(&me)
        .with_context(|| format!("{me} is no council member: only the council approves"))?;
    let key =
        secret::open_seed(&KeyFolder::of(&global.data), passphrase, console)?.derive(Purpose::Log);
    anyhow::ensure!(
        member.log_key == key.public(),
        "the charter names another log key for {me} than this data folder holds"
    );
    let body = decision(&descriptor, chain.latest().version);
    let mut given = if approvals.exists() { read_approvals(approvals, &body)? } else { Vec::new() };
    given.retain(|approval| approval.exchange != me);
    given.push(approve(&chain.federation_id(), ADMIT, &body, &me, &key));
    let count = given.len();
    let text = serde_json::to_string_pretty(&with_approvals(body, given))?;
    std::fs::write(approvals, text + "\n")
        .with_context(|| format!("cannot write {}", approvals.display()))?;
    let threshold = chain.latest().threshold;
    if console.json {
        return console
            .json(&json!({"file": approvals, "approvals": count, "threshold": threshold}));
    }
    let registrar = &chain.latest().registrar;
    console.say(
        &format!("{count}/{threshold} 份批准。达到门槛后，由登记成员 {registrar} 运行 hutong member admit {} --approvals {}", file.display(), approvals.display()),
        &format!("{count} of {threshold} approvals. With all of them, the registrar {registrar} runs: hutong member admit {} --approvals {}", file.display(), approvals.display()),
    )
}

/// What the council decides, without its approvals.
fn decision(descriptor: &SignedDescriptor, charter_version: u64) -> Value {
    json!({"charter_version": charter_version, "descriptor": descriptor.to_value()})
}

/// Reads the approvals of `body` from a file; those of another decision are refused.
fn read_approvals(path: &Path, body: &Value) -> anyhow::Result<Vec<Approval>> {
    let mut met = read_json(path, APPROVALS_BYTES_MAX)?;
    let list = met
        .as_object_mut()
        .and_then(|members| members.remove("approvals"))
        .and_then(|list| serde_json::from_value::<Vec<ApprovalLine>>(list).ok())
        .with_context(|| format!("{} holds no approvals", path.display()))?;
    anyhow::ensure!(
        met == *body,
        "{} approves something else: another descriptor, or another version of the charter",
        path.display()
    );
    list.into_iter().map(ApprovalLine::read).collect()
}

#[derive(serde::Deserialize)]
struct ApprovalLine {
    exchange: String,
    signature: String,
}

impl ApprovalLine {
    fn read(self) -> anyhow::Result<Approval> {
        use base64ct::{Base64, Encoding as _};
        let wrong = || format!("the approval of {} is damaged", self.exchange);
        let bytes = Base64::decode_vec(&self.signature).ok().with_context(wrong)?;
        Ok(Approval {
            exchange: self.exchange.parse().ok().with_context(wrong)?,
            signature: Signature::try_from(bytes.as_slice()).ok().with_context(wrong)?,
        })
    }
}

fn admit(
    global: &Global,
    file: &Path,
    approvals: Option<&Path>,
    console: Console,
) -> anyhow::Result<()> {
    let descriptor = read_descriptor(file)?;
    let body = match approvals {
        None => json!({"descriptor": descriptor.to_value()}),
        Some(path) => {
            let body = read_json(path, APPROVALS_BYTES_MAX)?;
            anyhow::ensure!(
                body.get("descriptor") == Some(&descriptor.to_value()),
                "{} approves another descriptor than {}",
                path.display(),
                file.display()
            );
            body
        }
    };
    let request = PublishRequest { kind: ADMIT.into(), audience: json!("public"), body };
    let published = Client::from_data(&global.data)?.publish(vec![request])?;
    let id = &descriptor.descriptor().id;
    console.show(&published, |_| {
        console.say(
            &format!("{id} 已获准加入。请将章程文件交给它：hutong charter show 可见位置。"),
            &format!("{id} is admitted. Give it the charter file (see `hutong charter show`)."),
        )
    })
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
    let language = console.lang.pick("zh", "en");
    let found = member.names.get(language).or_else(|| member.names.values().next());
    found.cloned().unwrap_or_default()
}

fn details(member: &Member, console: Console) -> anyhow::Result<()> {
    console.facts([
        (words("标识", "exchange"), member.exchange.clone()),
        (words("名称", "name"), name(member, console)),
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
