//! `hutong charter`: draw up, show, sign, merge and install a federation's rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64ct::{Base64, Encoding as _};
use hutong_crypto::keys::Purpose;
use hutong_protocol::charter::{Charter, CharterChain, ExtendError, SignedCharter, Succession};
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::id::{ExchangeId, FederationId};
use hutong_protocol::quorum::Quorum;
use serde_json::{Value, json};

use super::args::{CharterCommand, CharterNewArgs, Global, PassphraseArgs};
use super::console::Console;
use super::exit::{Unprepared, Usage};
use super::lang::{Lang, words};
use super::{clock, secret, settings};
use crate::api::client::{Client, ClientError};
use crate::charter_file;
use crate::keys::KeyFolder;

/// A descriptor with every list full is below this.
const DESCRIPTOR_BYTES_MAX: u64 = 256 * 1024;

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, and what to do.
pub fn run(global: &Global, command: &CharterCommand, console: Console) -> anyhow::Result<()> {
    match command {
        CharterCommand::New(args) => new(args, console),
        CharterCommand::Show { file } => {
            let file = file.clone().unwrap_or_else(|| charter_file::path(&global.data));
            show(&file, console)
        }
        CharterCommand::Sign { file, passphrase } => sign(global, file, passphrase, console),
        CharterCommand::Merge { files, output } => merge(files, output, console),
        CharterCommand::Publish { file } => publish(global, file, console),
    }
}

/// Reads charter files, oldest first, into one verified chain; `None` for no files.
///
/// # Errors
///
/// [`charter_file::CharterFileError`].
pub fn read_chain(files: &[PathBuf]) -> anyhow::Result<Option<CharterChain>> {
    let mut chain = None;
    for file in files {
        chain = Some(charter_file::add(chain, file)?);
    }
    Ok(chain)
}

/// Reads a signed descriptor from a file and verifies it.
///
/// # Errors
///
/// The file cannot be read, or the descriptor does not hold.
pub fn read_descriptor(path: &Path) -> anyhow::Result<SignedDescriptor> {
    let value = read_json(path, DESCRIPTOR_BYTES_MAX)?;
    SignedDescriptor::verify(&value)
        .with_context(|| format!("{} is no descriptor: ask its exchange again", path.display()))
}

/// Reads a JSON file of at most `bytes_max` bytes.
///
/// # Errors
///
/// The file cannot be read, is too large, or is no JSON.
pub fn read_json(path: &Path, bytes_max: u64) -> anyhow::Result<Value> {
    let context = || format!("cannot read {}", path.display());
    let length = std::fs::metadata(path).with_context(context)?.len();
    anyhow::ensure!(
        length <= bytes_max,
        "{}: expected at most {bytes_max} bytes, met {length}",
        path.display()
    );
    let bytes = std::fs::read(path).with_context(context)?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display()))
}

fn new(args: &CharterNewArgs, console: Console) -> anyhow::Result<()> {
    let mut council = BTreeMap::new();
    let mut first = None;
    for file in &args.council {
        let descriptor = read_descriptor(file)?;
        let id = descriptor.descriptor().id.clone();
        first.get_or_insert_with(|| id.clone());
        if council.insert(id.clone(), descriptor).is_some() {
            return Err(Usage(format!("{id} is given twice as --council")).into());
        }
    }
    let witnesses: BTreeSet<ExchangeId> = council.keys().cloned().collect();
    let majority = u32::try_from(council.len() / 2 + 1).unwrap_or(u32::MAX);
    let registrar = match &args.registrar {
        Some(id) => {
            id.parse().map_err(|_| Usage(format!("--registrar: `{id}` is no exchange id")))?
        }
        None => first.context("a charter needs one --council at least")?,
    };
    let witness_quorum = quorum(args.quorum, &witnesses)?;
    let (version, succession) = succession(args)?;
    let charter = Charter {
        version,
        federation: args.name.clone(),
        council: council.into_values().collect(),
        threshold: args.threshold.unwrap_or(majority),
        registrar,
        witness_quorum,
        succession,
        issued_at: clock::now(),
    };
    let unsigned = SignedCharter::unsigned(&charter)?;
    charter_file::write_one(&args.output, &unsigned)?;
    let output = args.output.display();
    if console.json {
        return console
            .json(&json!({"file": args.output, "digest": unsigned.digest().to_string()}));
    }
    console.say(
        &format!("已写入 {output}。请每位理事成员签署：hutong charter sign {output}"),
        &format!("{output} is written. Each council member signs it: hutong charter sign {output}"),
    )
}

/// How many council members cosign, as told, otherwise a majority. Nobody cosigns its own log, so all but one at
/// most; a council of one has no witnesses.
fn quorum(told: Option<u32>, witnesses: &BTreeSet<ExchangeId>) -> anyhow::Result<Quorum> {
    let others = u32::try_from(witnesses.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let majority = u32::try_from(witnesses.len() / 2 + 1).unwrap_or(u32::MAX);
    match told.unwrap_or(majority.min(others)) {
        0 => Ok(Quorum::none()),
        threshold if threshold > others => Err(Usage(format!(
            "--quorum {threshold} is never reached: nobody cosigns its own log, so at most {others} of this council do"
        ))
        .into()),
        threshold => Ok(Quorum::threshold_of(threshold, witnesses)?),
    }
}

fn succession(args: &CharterNewArgs) -> anyhow::Result<(u64, Option<Succession>)> {
    let Some(previous) = &args.previous else { return Ok((1, None)) };
    let charters = charter_file::parse(previous)?;
    let last = charters.last().context("the file given as --previous holds no charter")?;
    let decisions_honoured = args.decisions_honoured.ok_or_else(|| {
        Usage("--decisions-honoured is needed: the size of the registrar's log, from `hutong log show`".to_owned())
    })?;
    let mut logs_honoured = BTreeMap::new();
    for (id, size) in &args.log_honoured {
        let id: ExchangeId =
            id.parse().map_err(|_| Usage(format!("--log-honoured: `{id}` is no exchange id")))?;
        logs_honoured.insert(id, *size);
    }
    let succession = Succession { previous: last.digest(), decisions_honoured, logs_honoured };
    Ok((last.charter().version + 1, Some(succession)))
}

fn sign(
    global: &Global,
    file: &Path,
    passphrase: &PassphraseArgs,
    console: Console,
) -> anyhow::Result<()> {
    let mut signed = one(file)?;
    let me: ExchangeId =
        settings::read(global, &[])?.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
    let seed = secret::open_seed(&KeyFolder::of(&global.data), passphrase, console)?;
    let key = seed.derive(Purpose::Log);
    if let Some(member) = signed.charter().council_member(&me) {
        anyhow::ensure!(
            member.log_key == key.public(),
            "the charter names another log key for {me}: draw it up again with the descriptor of this data folder"
        );
    } else {
        // Members of the former council sign a successor that they leave.
        anyhow::ensure!(
            signed.charter().succession.is_some(),
            "{me} is no council member of this charter"
        );
    }
    signed.sign(&me, &key);
    charter_file::write_one(file, &signed)?;
    report_signatures(&signed, file, console)
}

fn merge(files: &[PathBuf], output: &Path, console: Console) -> anyhow::Result<()> {
    let copies = files.iter().map(|file| one(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let Some(first) = copies.first() else { return Err(Usage("no file is given".into()).into()) };
    let mut signatures = BTreeSet::new();
    for (copy, file) in copies.iter().zip(files) {
        anyhow::ensure!(
            copy.digest() == first.digest(),
            "{} holds another charter than {}",
            file.display(),
            files[0].display()
        );
        signatures.extend(copy.signatures().iter().cloned());
    }
    let list: Vec<Value> = signatures
        .iter()
        .map(|line| {
            let signature = Base64::encode_string(line.signature.as_bytes());
            json!({"exchange": line.exchange.to_string(), "signature": signature})
        })
        .collect();
    let merged = SignedCharter::from_value(
        &json!({"charter": first.charter().to_value(), "signatures": list}),
    )?;
    charter_file::write_one(output, &merged)?;
    report_signatures(&merged, output, console)
}

fn publish(global: &Global, file: &Path, console: Console) -> anyhow::Result<()> {
    let data = &global.data;
    let chain = charter_file::add(charter_file::read(data)?, file)
        .map_err(|error| unsigned(error, file, console.lang))?;
    let pinned = settings::read(global, &[])?.federation.id;
    let id = chain.federation_id().to_string();
    anyhow::ensure!(
        pinned.is_empty() || pinned == id,
        "the charter founds federation {id}, but federation.id in the configuration is {pinned}"
    );
    settings::need_folder(global)?;
    let version = chain.latest().version;
    charter_file::write(data, &chain)?;
    let running = match Client::from_data(data) {
        Ok(client) => install(&client, &chain)?,
        Err(ClientError::NotRunning(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if console.json {
        return console
            .json(&json!({"federation_id": id, "version": version, "running_node": running}));
    }
    console.say(
        &format!("联盟 {id} 的章程第 {version} 版已安装。"),
        &format!("Charter version {version} of federation {id} is installed."),
    )?;
    if !running {
        console.say("下一步：hutong run", "Next: hutong run")?;
    }
    Ok(())
}

/// Gives the running node every version; an address left over from an ended run means none.
fn install(client: &Client, chain: &CharterChain) -> anyhow::Result<bool> {
    for version in chain.versions() {
        match client.install_charter(&version.signed().encode()) {
            Ok(_) => {}
            Err(ClientError::Unreachable { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn show(file: &Path, console: Console) -> anyhow::Result<()> {
    if !file.exists() {
        let name = file.display();
        return Err(Unprepared::new(
            format!("{name} 不存在：请给出文件，或用 hutong charter publish 安装章程"),
            format!("{name} does not exist: give a file, or install a charter with `hutong charter publish`"),
        )
        .into());
    }
    let charters = charter_file::parse(file)?;
    let verified = charter_file::add(None, file);
    let signed = charters.last().context("the file holds no charter")?;
    let charter = signed.charter();
    let founding = charters.first().filter(|first| first.charter().version == 1);
    let federation = founding.map(|first| FederationId::new(first.digest()).to_string());
    if console.json {
        return console.json(&json!({
            "federation_id": federation,
            "holds": verified.is_ok(),
            "problem": verified.as_ref().err().map(full),
            "digest": signed.digest().to_string(),
            "charters": charters.iter().map(SignedCharter::to_value).collect::<Vec<_>>(),
        }));
    }
    let holds = match &verified {
        Ok(_) => console.lang.pick("成立，签名齐全", "holds, with all signatures").to_owned(),
        Err(error) => {
            format!("{}: {}", console.lang.pick("尚不成立", "does not hold"), full(error))
        }
    };
    console.facts([
        (words("联盟", "federation"), charter.federation.clone()),
        (words("联盟标识", "federation id"), federation.unwrap_or_else(|| "-".into())),
        (words("版本", "version"), charter.version.to_string()),
        (words("日期", "drawn up"), charter.issued_at.to_string()),
        (
            words("表决门槛", "threshold"),
            format!("{} / {}", charter.threshold, charter.council.len()),
        ),
        (words("见证法定数", "witness quorum"), quorum_text(&charter.witness_quorum, console.lang)),
        (words("登记成员", "registrar"), charter.registrar.to_string()),
        (words("状态", "state"), holds),
    ])?;
    council_table(signed, console)?;
    if let Err(error) = &verified
        && lacks_signatures(error)
    {
        console.line(&who_signs(signed, file, console.lang))?;
    }
    Ok(())
}

/// How many of whom cosign, the group that decides first.
fn quorum_text(quorum: &Quorum, lang: Lang) -> String {
    if quorum.is_none() {
        return lang.pick("不要求见证", "no witness is asked for").to_owned();
    }
    let value = quorum.to_value();
    let decides = value["quorum"].as_str().unwrap_or_default();
    let mut groups: Vec<(&String, &Value)> =
        value["groups"].as_object().into_iter().flatten().collect();
    groups.sort_by_key(|(name, _)| *name != decides);
    let text = |(name, group): (&String, &Value)| {
        let members: Vec<&str> =
            group["members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (threshold, all, members) = (&group["threshold"], members.len(), members.join(", "));
        format!("{name}: {threshold} / {all} ({members})")
    };
    if groups.is_empty() {
        decides.to_owned()
    } else {
        groups.into_iter().map(text).collect::<Vec<_>>().join("; ")
    }
}

const fn lacks_signatures(error: &charter_file::CharterFileError) -> bool {
    use charter_file::CharterFileError::Chain;
    matches!(error, Chain { source: ExtendError::TooFewSignatures { .. }, .. })
}

/// Adds who has not signed to the error of a charter that lacks signatures.
fn unsigned(error: charter_file::CharterFileError, file: &Path, lang: Lang) -> anyhow::Error {
    let newest = charter_file::parse(file).ok().and_then(|mut charters| charters.pop());
    match newest.filter(|_| lacks_signatures(&error)) {
        Some(newest) => anyhow::Error::from(error).context(who_signs(&newest, file, lang)),
        None => error.into(),
    }
}

/// Who of the council has not signed, and how it does.
fn who_signs(signed: &SignedCharter, file: &Path, lang: Lang) -> String {
    let signers: BTreeSet<&ExchangeId> =
        signed.signatures().iter().map(|line| &line.exchange).collect();
    let council = signed.charter().council.iter().map(|member| &member.descriptor().id);
    let missing: Vec<&str> =
        council.filter(|id| !signers.contains(id)).map(ExchangeId::as_str).collect();
    let (file, missing) = (file.display(), missing.join(lang.pick("、", ", ")));
    lang.pick(
        format!("尚未签署：{missing}；请各自运行 hutong charter sign {file}，再用 hutong charter merge 合并"),
        format!("not signed by {missing}: each runs `hutong charter sign {file}`; `hutong charter merge` joins their files"),
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
            descriptor.log_key.to_string(),
            if signers.contains(&descriptor.id) { "✓" } else { "-" }.to_owned(),
        ]
    });
    console.table(
        &[
            words("理事成员", "council member"),
            words("名称", "name"),
            words("日志密钥", "log key"),
            words("已签署", "signed"),
        ],
        rows,
    )
}

fn report_signatures(signed: &SignedCharter, file: &Path, console: Console) -> anyhow::Result<()> {
    let signers: Vec<String> =
        signed.signatures().iter().map(|line| line.exchange.to_string()).collect();
    if console.json {
        return console.json(&json!({"file": file, "signed_by": signers}));
    }
    let (have, need) = (signers.len(), signed.charter().council.len());
    let file = file.display();
    console.say(
        &format!("{file}：{have} 份签名（理事会 {need} 席）。"),
        &format!("{file}: {have} signature(s), a council of {need}."),
    )?;
    if have >= need {
        console.say(
            &format!("下一步：hutong charter publish {file}"),
            &format!("Next: hutong charter publish {file}"),
        )?;
    }
    Ok(())
}

/// The one signed charter of a file.
fn one(file: &Path) -> anyhow::Result<SignedCharter> {
    let mut charters = charter_file::parse(file)?;
    match (charters.pop(), charters.is_empty()) {
        (Some(charter), true) => Ok(charter),
        _ => anyhow::bail!("{} holds several charters: give the file of one", file.display()),
    }
}

/// An error with its causes in one line.
fn full(error: &charter_file::CharterFileError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_quorum_is_told_with_its_members() {
        let council: BTreeSet<ExchangeId> =
            ["cn-01", "cn-02"].into_iter().map(|id| id.parse().unwrap()).collect();
        let text = |told| quorum_text(&quorum(Some(told), &council).unwrap(), Lang::En);
        assert_eq!(text(1), "council: 1 / 2 (cn-01, cn-02)");
        assert_eq!(text(0), "no witness is asked for");
    }

    #[test]
    fn a_quorum_can_be_reached_by_those_who_may_cosign() {
        let council = |count: usize| -> BTreeSet<ExchangeId> {
            (0..count).map(|i| format!("cn-{i:02}").parse().unwrap()).collect()
        };
        let value = |told, count| quorum(told, &council(count)).unwrap().to_value();
        assert!(quorum(None, &council(1)).unwrap().is_none());
        assert!(quorum(Some(0), &council(3)).unwrap().is_none());
        assert_eq!(value(None, 2)["groups"]["council"]["threshold"], 1);
        assert_eq!(value(None, 5)["groups"]["council"]["threshold"], 3);
        assert_eq!(value(Some(4), 5)["groups"]["council"]["threshold"], 4);
        assert!(quorum(Some(5), &council(5)).is_err());
    }
}
