//! `hutong charter`: draw up, show, sign, merge and install a federation's rules.

mod draw;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64ct::{Base64, Encoding as _};
use hutong_crypto::keys::Purpose;
use hutong_protocol::charter::{CharterChain, ExtendError, SignedCharter};
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::id::ExchangeId;
use serde_json::{Value, json};

use super::args::{CharterCommand, CharterSignArgs, Global};
use super::console::{Console, shown_path};
use super::exit::{Unprepared, Usage};
use super::lang::Lang;
use super::{fingerprint, secret, settings};
use crate::charter_file;
use crate::keys::{Kept, KeyError, KeyFolder};

pub(super) use draw::{Rules, draw_up};

/// A descriptor with every list full is below this.
const DESCRIPTOR_BYTES_MAX: u64 = 256 * 1024;

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, and what to do.
pub fn run(global: &Global, command: &CharterCommand, console: Console) -> anyhow::Result<()> {
    match command {
        CharterCommand::New(args) => draw::new(global, args, console),
        CharterCommand::Show { file } => show::show(global, file.as_deref(), console),
        CharterCommand::Sign(args) => sign(global, args, console),
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

fn sign(global: &Global, args: &CharterSignArgs, console: Console) -> anyhow::Result<()> {
    let file = &args.file;
    let mut signed = one(file)?;
    let me: ExchangeId =
        settings::read(global, &[])?.exchange.id.parse().map_err(|_| Unprepared::no_id())?;
    let folder = KeyFolder::of(&global.data);
    if folder.kept() == Kept::Missing {
        return Err(KeyError::Missing(folder.path().to_owned()).into());
    }
    let held = charter_file::read(&global.data)?;
    if !console.json {
        show::preview(&signed, held.as_ref(), console)?;
    }
    console.confirm(args.yes, "是否以本所名义签署？", "Sign this charter for this exchange?")?;
    let key = secret::open_seed(&folder, &args.passphrase, console)?.derive(Purpose::Log);
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
    write_signed(file, &signed)?;
    report_signatures(&signed, file, console)
}

/// Writes a charter to `file`; what is there already may lose no signature.
///
/// # Errors
///
/// The file holds signatures that `charter` lacks, or cannot be written.
pub(super) fn write_signed(file: &Path, charter: &SignedCharter) -> anyhow::Result<()> {
    if file.exists() {
        // What is no charter is not overwritten either.
        let lost = charter_file::parse(file)?.iter().any(|there| {
            let kept = there.digest() == charter.digest();
            let signatures = there.signatures();
            !signatures.is_empty()
                && (!kept || signatures.iter().any(|one| !charter.signatures().contains(one)))
        });
        anyhow::ensure!(
            !lost,
            "{} holds signatures that would be lost: name another file with -o, or move it away",
            file.display()
        );
    }
    Ok(charter_file::write_one(file, charter)?)
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
    write_signed(output, &merged)?;
    report_signatures(&merged, output, console)
}

/// Installs the founding charter where none is; hands a later one to the node. What is refused changes nothing.
fn publish(global: &Global, file: &Path, console: Console) -> anyhow::Result<()> {
    let data = &global.data;
    settings::need_folder(global)?;
    let held = charter_file::read(data)?;
    let chain = charter_file::add(held.clone(), file)
        .map_err(|error| unsigned(error, file, console.lang))?;
    let pinned = settings::read(global, &[])?.federation.id;
    let id = chain.federation_id().to_string();
    anyhow::ensure!(
        pinned.is_empty() || pinned == id,
        "the charter founds federation {id}, but federation.id in the configuration is {pinned}"
    );
    let version = chain.version();
    match held {
        None => {
            charter_file::write(data, &chain)?;
            installed(&chain, console)
        }
        Some(held) if held.version() == version => {
            let value = json!({"federation_id": id, "version": version, "changed": false});
            console.show(&value, |_| {
                console.say(
                    &format!("章程第 {version} 版早已安装，无需操作。"),
                    &format!("Charter version {version} is installed already; nothing to do."),
                )
            })
        }
        Some(held) => hand_over(global, &held, &chain, console),
    }
}

fn installed(chain: &CharterChain, console: Console) -> anyhow::Result<()> {
    let (id, version) = (chain.federation_id().to_string(), chain.version());
    if console.json {
        return console.json(&json!({"federation_id": id, "version": version, "changed": true}));
    }
    let digest = fingerprint::spoken(&chain.latest_digest());
    console.say(
        &format!("联盟 {id} 的章程第 {version} 版已安装。请与理事会电话核对章程哈希值：{digest}\n下一步：hutong run"),
        &format!("Charter version {version} of federation {id} is installed. Compare its digest with the council by telephone: {digest}\nNext: hutong run"),
    )
}

/// Gives the running node the versions that are new. The register decides when one takes effect.
fn hand_over(
    global: &Global,
    held: &CharterChain,
    chain: &CharterChain,
    console: Console,
) -> anyhow::Result<()> {
    let client = settings::node(global)?;
    let keeper = held.latest().keeper.to_string();
    let (mut in_force, version) = (held.version(), chain.version());
    for one in chain.versions().iter().filter(|one| one.charter().version > held.version()) {
        in_force = client.install_charter(&one.signed().encode())?.version;
    }
    let is_keeper = settings::read(global, &[])?.exchange.id == keeper;
    if console.json {
        return console.json(&json!({
            "federation_id": chain.federation_id().to_string(), "version": version,
            "in_force": in_force, "keeper": keeper, "changed": true,
        }));
    }
    if in_force >= version {
        console.say(
            &format!("章程第 {version} 版已生效。"),
            &format!("Charter version {version} is in force."),
        )
    } else if is_keeper {
        console.say(
            &format!("章程第 {version} 版已记入名册；达到见证规定家数后生效（hutong status）。"),
            &format!("Charter version {version} is recorded in the register; it takes effect once a quorum of witnesses has cosigned (hutong status)."),
        )
    } else {
        console.say(
            &format!("本节点已保存章程第 {version} 版；名册管理单位 {keeper} 以同一命令记入名册后生效。"),
            &format!("This node keeps charter version {version}; it takes effect once the keeper {keeper} has recorded it by the same command."),
        )
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
    let (file, missing) = (shown_path(file), missing.join(lang.pick("、", ", ")));
    lang.pick(
        format!("尚未签署：{missing}；请各自运行 hutong charter sign {file}，再用 hutong charter merge 合并"),
        format!("not signed by {missing}: each runs `hutong charter sign {file}`; `hutong charter merge` joins their files"),
    )
}

fn report_signatures(signed: &SignedCharter, file: &Path, console: Console) -> anyhow::Result<()> {
    let signers: Vec<String> =
        signed.signatures().iter().map(|line| line.exchange.to_string()).collect();
    if console.json {
        return console.json(&json!({"file": file, "signed_by": signers}));
    }
    let (have, need) = (signers.len(), signed.charter().council.len());
    let file = shown_path(file);
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
