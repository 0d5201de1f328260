//! `hutong member`: apply for membership, approve, admit, list, show.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hutong_crypto::Signature;
use hutong_crypto::keys::Purpose;
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::directory::{Approval, approve, with_approvals};
use serde_json::{Map, Value, json};

use super::args::{DecisionArgs, DecisionHow, Global, MemberCommand, PassphraseArgs};
use super::charter::{read_descriptor, read_json};
use super::console::Console;
use super::exit::Unprepared;
use super::lang::words;
use super::{secret, settings};
use crate::api::model::{Member, PublishRequest};
use crate::charter_file;
use crate::keys::{KeyFolder, describe};

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
            let decision = Decision::admit(&read_descriptor(file)?);
            add_approval(global, decision, approvals, passphrase, console)
        }
        MemberCommand::Admit { file, approvals } => {
            let decision = Decision::admit(&read_descriptor(file)?);
            publish(global, decision, approvals.as_deref(), console)
        }
        MemberCommand::Suspend(args) => {
            let decision = Decision::about("hutong/member-suspend/v1", "log_size_honoured", args);
            decide(global, decision, &args.how, console)
        }
        MemberCommand::Reinstate(args) => {
            let decision = Decision::about("hutong/member-reinstate/v1", "log_size_from", args);
            decide(global, decision, &args.how, console)
        }
        MemberCommand::Expel(args) => {
            let decision = Decision::about("hutong/member-expel/v1", "log_size_honoured", args);
            decide(global, decision, &args.how, console)
        }
        MemberCommand::Rekey { file, how } => {
            decide(global, Decision::rekey(&read_descriptor(file)?, how), how, console)
        }
        MemberCommand::List => {
            let members = settings::node(global)?.members()?;
            console.show(&members, |members| table(members, console))
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

/// A decision about a member, without approvals.
struct Decision {
    kind: &'static str,
    /// What is decided about whom; the council's decisions also name the charter version.
    body: Map<String, Value>,
    /// For people.
    what: String,
}

impl Decision {
    fn admit(descriptor: &SignedDescriptor) -> Self {
        let mut body = Map::new();
        body.insert("descriptor".into(), descriptor.to_value());
        Self { kind: "hutong/member-admit/v1", body, what: descriptor.descriptor().id.to_string() }
    }

    fn about(kind: &'static str, size_member: &str, args: &DecisionArgs) -> Self {
        let mut body = Map::new();
        body.insert("member".into(), json!(args.id));
        body.insert(size_member.into(), json!(args.how.log_size));
        Self { kind, body, what: args.id.clone() }.because(args.how.reason.as_deref())
    }

    fn rekey(descriptor: &SignedDescriptor, how: &DecisionHow) -> Self {
        let mut body = Map::new();
        body.insert("descriptor".into(), descriptor.to_value());
        body.insert("log_size_honoured".into(), json!(how.log_size));
        let what = descriptor.descriptor().id.to_string();
        Self { kind: "hutong/member-rekey/v1", body, what }.because(how.reason.as_deref())
    }

    fn because(mut self, reason: Option<&str>) -> Self {
        if let Some(reason) = reason {
            self.body.insert("reason".into(), json!(reason));
        }
        self
    }

    /// As the council decides it.
    fn of_council(mut self, charter_version: u64) -> (&'static str, Value) {
        self.body.insert("charter_version".into(), json!(charter_version));
        (self.kind, Value::Object(self.body))
    }
}

/// Publishes a decision, or adds an approval to its file.
fn decide(
    global: &Global,
    decision: Decision,
    how: &DecisionHow,
    console: Console,
) -> anyhow::Result<()> {
    warn_of_size(global, &decision.what, how.log_size, console);
    match &how.approve {
        Some(file) => add_approval(global, decision, file, &how.passphrase, console),
        None => publish(global, decision, how.approvals.as_deref(), console),
    }
}

/// Warns where a decision reaches beyond what the member's log has: it would then decide about entries that
/// are not written yet. Where no node runs that could know, there is nothing to say.
fn warn_of_size(global: &Global, member: &str, size: u64, console: Console) {
    let Ok(Ok(logs)) = settings::node(global).map(|client| client.logs()) else { return };
    let held = logs.iter().find(|log| log.exchange == member).map_or(0, |log| log.size);
    if size <= held {
        return;
    }
    let text = console.lang.pick(
        format!("注意：本节点所存 {member} 的日志为 {held} 条，--log-size {size} 超出其大小：尚未写入的条目也将按此处理。"),
        format!("note: {member}'s log has {held} entries here, and --log-size {size} is beyond them: entries that are not written yet are decided about as well"),
    );
    if console.json {
        eprintln!("{}", json!({ "warning": text }));
    } else {
        eprintln!("{text}");
    }
}

fn add_approval(
    global: &Global,
    decision: Decision,
    approvals: &Path,
    passphrase: &PassphraseArgs,
    console: Console,
) -> anyhow::Result<()> {
    let chain = charter_file::read(&global.data)?.ok_or_else(settings::no_charter)?;
    let me = settings::read(global, &[])?.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
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
    let (kind, body) = decision.of_council(chain.latest().version);
    let mut given = if approvals.exists() { read_approvals(approvals, &body)? } else { Vec::new() };
    given.retain(|approval| approval.exchange != me);
    given.push(approve(&chain.federation_id(), kind, &body, &me, &key));
    let count = given.len();
    let text = serde_json::to_string_pretty(&with_approvals(body, given))?;
    std::fs::write(approvals, text + "\n")
        .with_context(|| format!("cannot write {}", approvals.display()))?;
    let threshold = chain.latest().threshold;
    if console.json {
        return console
            .json(&json!({"file": approvals, "approvals": count, "threshold": threshold}));
    }
    let (registrar, file) = (&chain.latest().registrar, approvals.display());
    console.say(
        &format!("{count}/{threshold} 份批准，存于 {file}。达到门槛后，由登记成员 {registrar} 用 --approvals {file} 发布。"),
        &format!("{count} of {threshold} approvals in {file}. With all of them, the registrar {registrar} publishes with --approvals {file}."),
    )
}

fn publish(
    global: &Global,
    decision: Decision,
    approvals: Option<&Path>,
    console: Console,
) -> anyhow::Result<()> {
    let (kind, what) = (decision.kind, decision.what.clone());
    let body = match approvals {
        None => Value::Object(decision.body),
        Some(path) => {
            let met = read_json(path, APPROVALS_BYTES_MAX)?;
            let version = met.get("charter_version").and_then(Value::as_u64);
            let (_, body) = decision.of_council(version.unwrap_or_default());
            let given = read_approvals(path, &body)?;
            with_approvals(body, given)
        }
    };
    let request = PublishRequest { kind: kind.into(), audience: json!("public"), body };
    let published = settings::node(global)?.publish(vec![request])?;
    console.show(&published, |published| {
        for one in published {
            console.say(
                &format!("关于 {what} 的决定已记入 {} 第 {} 条。", one.log, one.index),
                &format!("The decision about {what} is entry {} of {}.", one.index, one.log),
            )?;
        }
        Ok(())
    })
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
