//! Decisions about members: drawn up, shown, approved, published.

use std::path::Path;

use anyhow::Context as _;
use base64ct::{Base64, Encoding as _};
use hutong_crypto::keys::Purpose;
use hutong_crypto::{Hash, Signature};
use hutong_protocol::charter::CharterChain;
use hutong_protocol::date::Date;
use hutong_protocol::descriptor::{Parent, SignedDescriptor};
use hutong_protocol::directory::{Approval, approve as approval, consent, with_approvals};
use hutong_protocol::id::ExchangeId;
use serde_json::{Map, Value, json};

use super::super::args::{DecisionHow, Global, HowArgs, PassphraseArgs, RekeyArgs};
use super::super::charter::{read_descriptor, read_json};
use super::super::console::{Console, shown_path};
use super::super::exit::{Unprepared, Usage};
use super::super::fingerprint::{of_descriptor, spoken};
use super::super::lang::{Lang, words};
use super::super::{clock, secret, settings};
use super::known::Known;
use crate::api::model::{LogStanding, Member, PublishRequest};
use crate::keys::KeyFolder;

/// A descriptor and 128 approvals of 200 bytes.
const APPROVALS_BYTES_MAX: u64 = 512 * 1024;

/// A checkpoint with its proof.
const STANDING_BYTES_MAX: u64 = 128 * 1024;

/// Days within which a decision must be recorded, unless told otherwise; no more are allowed.
const UNTIL_DAYS: u32 = 30;

/// What an operator asks to be decided.
pub(super) struct Asked<'a> {
    act: Act<'a>,
    reason: Option<&'a str>,
}

enum Act<'a> {
    Admit(&'a Path),
    Suspend(&'a str, Option<u64>),
    Reinstate(&'a str, &'a Path),
    Expel(&'a str, Option<u64>),
    Rekey { descriptor: &'a Path, log_size: Option<u64>, consent: Option<&'a Path> },
}

impl<'a> Asked<'a> {
    pub(super) fn admit(file: &'a Path) -> Self {
        Self { act: Act::Admit(file), reason: None }
    }

    pub(super) fn suspend(id: &'a str, log_size: Option<u64>, reason: Option<&'a str>) -> Self {
        Self { act: Act::Suspend(id, log_size), reason }
    }

    pub(super) fn reinstate(id: &'a str, checkpoint: &'a Path, reason: Option<&'a str>) -> Self {
        Self { act: Act::Reinstate(id, checkpoint), reason }
    }

    pub(super) fn expel(id: &'a str, log_size: Option<u64>, reason: Option<&'a str>) -> Self {
        Self { act: Act::Expel(id, log_size), reason }
    }

    pub(super) fn rekey(args: &'a RekeyArgs) -> Self {
        let act = Act::Rekey {
            descriptor: &args.file,
            log_size: args.log_size,
            consent: args.consent.as_deref(),
        };
        Self { act, reason: args.reason.as_deref() }
    }
}

/// A decision that is drawn up and not signed yet.
struct Draft {
    kind: &'static str,
    member: ExchangeId,
    /// Without approvals.
    body: Map<String, Value>,
    /// What would change, in Chinese and in English.
    changes: (String, String),
    descriptor: Option<SignedDescriptor>,
}

/// Publishes a decision, or adds an approval to its file.
pub(super) fn decide(
    global: &Global,
    asked: &Asked<'_>,
    how: &DecisionHow,
    console: Console,
) -> anyhow::Result<()> {
    match &how.approve {
        Some(file) => approve(global, asked, file, (&how.how, &how.passphrase), console),
        None => publish(global, asked, how.approvals.as_deref(), &how.how, console),
    }
}

/// Adds this council member's approval to the file, which it makes where there is none.
pub(super) fn approve(
    global: &Global,
    asked: &Asked<'_>,
    approvals: &Path,
    (how, passphrase): (&HowArgs, &PassphraseArgs),
    console: Console,
) -> anyhow::Result<()> {
    let known = Known::of(global)?;
    let chain = &known.charters;
    let me: ExchangeId =
        settings::read(global, &[])?.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
    let seat = chain
        .latest()
        .council_member(&me)
        .with_context(|| format!("{me} is no council member: only the council approves"))?;
    let mut draft = draw_up(&known, asked, &Parent::Council, how)?;
    let mut given = Vec::new();
    if approvals.exists() {
        let there = read_json(approvals, APPROVALS_BYTES_MAX)?;
        draft.adopt(&there);
        given = read_approvals(approvals, there, &draft.body)?;
    }
    draft.show(&known, console)?;
    console.confirm(how.yes, "是否批准？", "Approve this for this exchange?")?;
    let key =
        secret::open_seed(&KeyFolder::of(&global.data), passphrase, console)?.derive(Purpose::Log);
    anyhow::ensure!(
        seat.log_key == key.public(),
        "the charter names another log key for {me} than this data folder holds"
    );
    let body = Value::Object(draft.body);
    given.retain(|approval: &Approval| approval.exchange != me);
    given.push(approval(&chain.federation_id(), draft.kind, &body, &me, &key));
    let (count, threshold) = (given.len(), chain.latest().threshold);
    let text = serde_json::to_string_pretty(&with_approvals(body, given))?;
    std::fs::write(approvals, text + "\n")
        .with_context(|| format!("cannot write {}", approvals.display()))?;
    if console.json {
        return console
            .json(&json!({"file": approvals, "approvals": count, "threshold": threshold}));
    }
    let file = shown_path(approvals);
    console.say(
        &format!("{count}/{threshold} 份批准，存于 {file}。达到通过家数后，由任一理事单位用 --approvals {file} 发布。"),
        &format!("{count} of {threshold} approvals in {file}. With all of them, any council member publishes with --approvals {file}."),
    )
}

/// Publishes a decision of this exchange, or of the council by the approvals in a file.
pub(super) fn publish(
    global: &Global,
    asked: &Asked<'_>,
    approvals: Option<&Path>,
    how: &HowArgs,
    console: Console,
) -> anyhow::Result<()> {
    let known = Known::of(global)?;
    let me: ExchangeId =
        settings::read(global, &[])?.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
    let author = if approvals.is_some() { Parent::Council } else { Parent::Member(me) };
    let mut draft = draw_up(&known, asked, &author, how)?;
    let mut given = None;
    if let Some(file) = approvals {
        let there = read_json(file, APPROVALS_BYTES_MAX)?;
        draft.adopt(&there);
        given = Some(read_approvals(file, there, &draft.body)?);
    }
    draft.show(&known, console)?;
    console.confirm(how.yes, "是否发布该决定？", "Publish this decision?")?;
    let body = Value::Object(draft.body);
    let body = match given {
        Some(given) => with_approvals(body, given),
        None => body,
    };
    let request = PublishRequest { kind: draft.kind.into(), audience: json!("public"), body };
    let node = match known.node() {
        Some(node) => node.clone(),
        None => settings::node(global)?,
    };
    let published = node.publish(vec![request])?;
    let (member, keeper) = (draft.member, known.charters.latest().keeper.clone());
    console.show(&published, |published| {
        for one in published {
            console.say(
                &format!(
                    "关于 {member} 的决定已记入 {} 第 {} 条。名册管理单位 {keeper} 记入名册并获见证后生效，见 hutong member list。",
                    one.log, one.index
                ),
                &format!(
                    "The decision about {member} is entry {} of {}. It takes effect once the keeper {keeper} has recorded it in the register and witnesses have cosigned that: see `hutong member list`.",
                    one.index, one.log
                ),
            )?;
        }
        Ok(())
    })
}

/// Writes the old log key's consent to a new descriptor of this exchange.
pub(super) fn consent_to(
    global: &Global,
    file: &Path,
    output: &Path,
    (yes, passphrase): (bool, &PassphraseArgs),
    console: Console,
) -> anyhow::Result<()> {
    let new = read_descriptor(file)?;
    let me = settings::read(global, &[])?.exchange.id;
    let descriptor = new.descriptor();
    anyhow::ensure!(
        descriptor.id.as_str() == me,
        "{} is a descriptor of {}, and this data folder holds the keys of {me}",
        file.display(),
        descriptor.id
    );
    if !console.json {
        show_descriptor(&new, console)?;
    }
    console.confirm(
        yes,
        "是否同意换用这些密钥？",
        "Consent to these keys in place of the present ones?",
    )?;
    let seed = secret::open_seed(&KeyFolder::of(&global.data), passphrase, console)?;
    let signature = consent(descriptor, &seed.derive(Purpose::Log));
    let text = json!({
        "consent": Base64::encode_string(signature.as_bytes()),
        "descriptor": of_descriptor(&new).to_string(),
        "exchange": me,
    });
    std::fs::write(output, format!("{text:#}\n"))
        .with_context(|| format!("cannot write {}", output.display()))?;
    if console.json {
        return console.json(&json!({"file": output, "exchange": me}));
    }
    let (file, output) = (shown_path(file), shown_path(output));
    console.say(
        &format!("已写入 {output}。上级交易所：hutong member rekey {file} --consent {output}"),
        &format!(
            "{output} is written. The parent runs `hutong member rekey {file} --consent {output}`."
        ),
    )
}

fn draw_up(
    known: &Known,
    asked: &Asked<'_>,
    author: &Parent,
    how: &HowArgs,
) -> anyhow::Result<Draft> {
    let mut draft = match &asked.act {
        Act::Admit(file) => admit(known, file, author)?,
        Act::Suspend(id, size) => {
            let (member, stands) = (parse(id)?, *size);
            let (body, size) = stands_at(known, &member, stands)?;
            let changes = (
                format!("{id} 日志第 {size} 条之后的内容不再有效，直至恢复"),
                format!(
                    "entries of {id} beyond the first {size} do not count until it is reinstated"
                ),
            );
            Draft { kind: "hutong/member-suspend/v1", member, body, changes, descriptor: None }
        }
        Act::Expel(id, size) => {
            let (member, stands) = (parse(id)?, *size);
            let (body, size) = stands_at(known, &member, stands)?;
            let changes = (
                format!("{id} 除名；其日志仅前 {size} 条有效"),
                format!("{id} is expelled; the first {size} entries of its log stand"),
            );
            Draft { kind: "hutong/member-expel/v1", member, body, changes, descriptor: None }
        }
        Act::Reinstate(id, file) => reinstate(id, file)?,
        Act::Rekey { descriptor, log_size, consent } => {
            rekey(known, descriptor, *log_size, *consent)?
        }
    };
    if let Some(reason) = asked.reason {
        draft.body.insert("reason".into(), json!(reason));
    }
    let until = match &how.until {
        Some(day) => day.parse().map_err(|error| Usage(format!("--until: {error}")))?,
        None => Date::of(clock::now()).plus_days(UNTIL_DAYS),
    };
    let number = next_number(known.member(&draft.member)?.as_ref(), author);
    draft.body.insert("charter".into(), json!(known.charters.latest_digest().to_string()));
    draft.body.insert("number".into(), json!(number));
    draft.body.insert("until".into(), json!(until.to_string()));
    Ok(draft)
}

/// The number of the author's next decision about the member.
fn next_number(member: Option<&Member>, author: &Parent) -> u64 {
    let numbers = member.and_then(|member| member.record.get("numbers"));
    let last = numbers.and_then(|numbers| numbers.get(author.to_string())?.as_u64());
    last.unwrap_or(0) + 1
}

fn admit(known: &Known, file: &Path, author: &Parent) -> anyhow::Result<Draft> {
    let descriptor = read_made_for(&known.charters, file, Some(author))?;
    let mut body = Map::new();
    body.insert("descriptor".into(), descriptor.to_value());
    let id = descriptor.descriptor().id.clone();
    let changes = (
        format!("{id} 成为 {author} 之下的成员；该标识与密钥永久归其所有"),
        format!("{id} becomes a member under {author}; its id and keys are its own for ever"),
    );
    let kind = "hutong/member-admit/v1";
    Ok(Draft { kind, member: id, body, changes, descriptor: Some(descriptor) })
}

fn reinstate(id: &str, file: &Path) -> anyhow::Result<Draft> {
    let member: ExchangeId = parse(id)?;
    let standing: LogStanding = serde_json::from_value(read_json(file, STANDING_BYTES_MAX)?)
        .with_context(|| {
            format!(
                "{} is no checkpoint file: {id} makes one with `hutong log standing`",
                file.display()
            )
        })?;
    anyhow::ensure!(
        standing.exchange == id,
        "{} is of the log of {}, not of {id}",
        file.display(),
        standing.exchange
    );
    let body = json!({
        "checkpoint": standing.checkpoint, "left": standing.left, "member": id,
        "right": standing.right,
    });
    let Value::Object(body) = body else { return Err(Usage("no object".into()).into()) };
    let changes = (
        format!("{id} 恢复；第 {} 条之后、检查点之前的内容仍然无效", standing.from),
        format!(
            "{id} is active again; what it recorded after {} and before its checkpoint stays void",
            standing.from
        ),
    );
    let kind = "hutong/member-reinstate/v1";
    Ok(Draft { kind, member, body, changes, descriptor: None })
}

fn rekey(
    known: &Known,
    file: &Path,
    log_size: Option<u64>,
    consent: Option<&Path>,
) -> anyhow::Result<Draft> {
    let descriptor = read_made_for(&known.charters, file, None)?;
    let id = descriptor.descriptor().id.clone();
    let (mut body, size) = stands_at(known, &id, log_size)?;
    body.remove("member");
    body.insert("descriptor".into(), descriptor.to_value());
    if let Some(consent) = consent {
        body.insert("consent".into(), read_consent(consent, &descriptor)?);
    }
    let second = if consent.is_some() {
        ("", "")
    } else {
        (
            "；没有旧密钥的同意，还需上级的上级作出同样的决定",
            "; without the old key's consent, who stands above the parent must decide the same",
        )
    };
    let changes = (
        format!("{id} 日志从第 {size} 条起使用新密钥{}", second.0),
        format!("from entry {size} on the log of {id} goes on under the new keys{}", second.1),
    );
    let kind = "hutong/member-rekey/v1";
    Ok(Draft { kind, member: id, body, changes, descriptor: Some(descriptor) })
}

fn read_consent(file: &Path, descriptor: &SignedDescriptor) -> anyhow::Result<Value> {
    let value = read_json(file, STANDING_BYTES_MAX)?;
    let digest = value.get("descriptor").and_then(Value::as_str);
    anyhow::ensure!(
        digest == Some(of_descriptor(descriptor).to_string().as_str()),
        "{} is the consent to another descriptor",
        file.display()
    );
    value.get("consent").cloned().with_context(|| format!("{} holds no consent", file.display()))
}

/// Members that say up to where a log stands: as told, or as far as witnesses have cosigned it.
fn stands_at(
    known: &Known,
    member: &ExchangeId,
    told: Option<u64>,
) -> anyhow::Result<(Map<String, Value>, u64)> {
    let witnessed = known.witnessed(member)?;
    let size = told.unwrap_or(witnessed);
    if size > witnessed {
        return Err(Usage(format!(
            "--log-size {size}: {witnessed} entries of {member} are witnessed as far as is known here, and a decision reaches no further"
        ))
        .into());
    }
    let root: Hash = known.root(member, size)?;
    let mut body = Map::new();
    body.insert("member".into(), json!(member.as_str()));
    body.insert("log_size_honoured".into(), json!(size));
    body.insert("log_root_honoured".into(), json!(root.to_string()));
    Ok((body, size))
}

/// Reads a descriptor that names the federation, and `by` as its parent. Any other would have no effect.
fn read_made_for(
    chain: &CharterChain,
    file: &Path,
    by: Option<&Parent>,
) -> anyhow::Result<SignedDescriptor> {
    let signed = read_descriptor(file)?;
    let descriptor = signed.descriptor();
    let named = match &descriptor.federation {
        Some(federation) => format!("federation {federation}"),
        None => "a founding council".to_owned(),
    };
    let parent = by.unwrap_or(&descriptor.parent);
    anyhow::ensure!(
        descriptor.federation == Some(chain.federation_id()) && descriptor.parent == *parent,
        "{} was made for {named} and the parent {}, not for federation {} and the parent {parent}: {} makes another with `hutong member request --parent {parent} --charter FILE`",
        file.display(),
        descriptor.parent,
        chain.federation_id(),
        descriptor.id,
    );
    Ok(signed)
}

impl Draft {
    /// Takes over number and last day of a decision that others approved already.
    fn adopt(&mut self, there: &Value) {
        for name in ["number", "until"] {
            if let Some(value) = there.get(name) {
                self.body.insert(name.into(), value.clone());
            }
        }
    }

    fn show(&self, known: &Known, console: Console) -> anyhow::Result<()> {
        if console.json {
            return Ok(());
        }
        if let Some(descriptor) = &self.descriptor {
            show_descriptor(descriptor, console)?;
        } else if let Some(member) = known.member(&self.member)? {
            console.facts([
                (words("标识", "exchange"), member.exchange.clone()),
                (words("名称", "name"), super::name(&member, console)),
                (words("层级", "tier"), member.tier.clone()),
                (words("区域", "region"), member.region.clone()),
                (words("现状", "status"), member.status.clone()),
            ])?;
        }
        let text = |name: &str| match self.body.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        console.facts([
            (words("变更", "what changes"), pick(&self.changes, console.lang)),
            (words("章程哈希值", "charter digest"), spoken(&known.charters.latest_digest())),
            (words("决定序号", "number of the decision"), text("number")),
            (words("最迟记入名册", "to be recorded until"), text("until")),
        ])
    }
}

fn pick(both: &(String, String), lang: Lang) -> String {
    lang.pick(both.0.clone(), both.1.clone())
}

/// Names, place and key digest of a descriptor.
fn show_descriptor(signed: &SignedDescriptor, console: Console) -> anyhow::Result<()> {
    let descriptor = signed.descriptor();
    let names: Vec<&str> = descriptor.names.values().map(String::as_str).collect();
    console.facts([
        (words("标识", "exchange"), descriptor.id.to_string()),
        (words("名称", "names"), names.join(" / ")),
        (words("层级", "tier"), descriptor.tier.to_string()),
        (words("区域", "region"), descriptor.region.to_string()),
        (words("上级", "parent"), descriptor.parent.to_string()),
        (
            words("密钥核对码（请电话核对）", "key digest, to compare by telephone"),
            spoken(&of_descriptor(signed)),
        ),
    ])
}

/// Reads the approvals of `body` in `there`, the content of a file; those of another decision are refused.
fn read_approvals(
    path: &Path,
    mut there: Value,
    body: &Map<String, Value>,
) -> anyhow::Result<Vec<Approval>> {
    let list = there
        .as_object_mut()
        .and_then(|members| members.remove("approvals"))
        .and_then(|list| serde_json::from_value::<Vec<ApprovalLine>>(list).ok())
        .with_context(|| format!("{} holds no approvals", path.display()))?;
    anyhow::ensure!(
        there.as_object() == Some(body),
        "{} approves something else: another descriptor, another size, or another charter",
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
        let wrong = || format!("the approval of {} is damaged", self.exchange);
        let bytes = Base64::decode_vec(&self.signature).ok().with_context(wrong)?;
        Ok(Approval {
            exchange: self.exchange.parse().ok().with_context(wrong)?,
            signature: Signature::try_from(bytes.as_slice()).ok().with_context(wrong)?,
        })
    }
}

fn parse(id: &str) -> anyhow::Result<ExchangeId> {
    id.parse().map_err(|_| Usage(format!("expected an exchange id, got `{id}`")).into())
}
