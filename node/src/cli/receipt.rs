//! `hutong receipt`: issue, verify, show; and the authority bundle that verifiers load.
//!
//! Verifying and showing need no node, no data folder and no network.

mod batch;
mod prepared;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hutong_protocol::id::FederationId;
use hutong_protocol::receipt::{
    BUNDLE_BYTES_MAX, Bundle, Language, Place, Policy, RECEIPT_BYTES_MAX, Receipt, Report,
    TrustedAuthority, Verdict, verify, verify_compact,
};
use hutong_protocol::statement::Statement;
use serde_json::{Value, json};

use batch::Terms;

use super::args::{
    AllowedVerdict, Global, ReceiptCommand, ReceiptIssueArgs, ReceiptRefreshArgs, ReceiptVerifyArgs,
};
use super::console::{Console, shown, shown_path};
use super::contract::claim_line;
use super::exit::{NotAccepted, Usage};
use super::lang::{Lang, words};
use super::listing::text;
use super::{clock, settings, storage};
use crate::api::client::{Client, ClientError};
use crate::api::model::ReceiptRequest;
use crate::charter_file;
use crate::receipts::Issued;

/// Runs one of the commands.
///
/// # Errors
///
/// The file or node cannot be used; [`NotAccepted`] when a receipt's verdict is not accepted.
pub fn run(global: &Global, command: &ReceiptCommand, console: Console) -> anyhow::Result<()> {
    match command {
        ReceiptCommand::Issue(args) => issue(global, args, console),
        ReceiptCommand::Refresh(args) => refresh(global, args, console),
        ReceiptCommand::Verify(args) => check(args, console),
        ReceiptCommand::Show { file } => show(file, console),
        ReceiptCommand::Bundle { output } => bundle(global, output, console),
    }
}

fn issue(global: &Global, args: &ReceiptIssueArgs, console: Console) -> anyhow::Result<()> {
    let request = ReceiptRequest {
        statement: args.statement.clone(),
        registration: args.registration.clone(),
        disclose: args.disclose.clone(),
        compact: args.compact,
        provisional: args.wait.is_none(),
    };
    let node = settings::node(global)?;
    let Issued { bytes, provisional } = ask(&node, &request, args.wait, console)?;
    let output = args.output.clone().unwrap_or_else(|| default_name(args));
    write_new(&output, &bytes)?;
    if let Some(path) = &args.qr {
        write_new(path, qr_svg(&bytes)?.as_bytes())?;
    }
    told_written(&node, &output, &Issued { bytes, provisional }, console)
}

/// Says what was written, and of a provisional receipt when the next anchor comes.
fn told_written(
    node: &Client,
    output: &Path,
    issued: &Issued,
    console: Console,
) -> anyhow::Result<()> {
    let (bytes, provisional) = (issued.bytes.len(), issued.provisional);
    let next = if provisional { node.register()?.next_anchor } else { None };
    if console.json {
        return console.json(&json!({
            "file": output, "bytes": bytes, "provisional": provisional, "next_anchor": next,
        }));
    }
    let file = shown_path(output);
    console.say(
        &format!("已写入 {file}（{bytes} 字节）。"),
        &format!("{file} is written ({bytes} bytes)."),
    )?;
    if !provisional {
        return Ok(());
    }
    let next = next.unwrap_or_else(|| "-".to_owned());
    console.say(
        &format!("这份凭证暂予通过：名册尚未锚定该内容。下一次锚定最迟在 {next}；之后运行 hutong receipt refresh {file}，或现在用 --wait 秒数 等待。"),
        &format!("This receipt is provisional: no anchor of the register covers it yet. The next anchor is due by {next}: then run `hutong receipt refresh {file}`, or wait now with --wait SECONDS."),
    )
}

/// Has a receipt made; with `wait` only one that an anchor covers, which is asked for.
fn ask(
    node: &Client,
    request: &ReceiptRequest,
    wait: Option<u64>,
    console: Console,
) -> anyhow::Result<Issued> {
    let Some(seconds) = wait else { return Ok(node.receipt(request)?) };
    let (begun, patience) = (Instant::now(), Duration::from_secs(seconds));
    let bar = console.spinner("等待锚定 {elapsed}", "waiting for an anchor {elapsed}");
    let mut asked: Option<Instant> = None;
    let issued = loop {
        match node.receipt(request) {
            Err(ClientError::Refused(problem))
                if problem.status == 503 && begun.elapsed() < patience =>
            {
                if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
                    node.want_anchor()?;
                    asked = Some(Instant::now());
                }
            }
            other => break other,
        }
        bar.tick();
        #[expect(clippy::disallowed_methods, reason = "the interface is asked again")]
        std::thread::sleep(LOOK);
    };
    bar.finish_and_clear();
    Ok(issued?)
}

/// How often a receipt is asked for again that no anchor covers yet.
const LOOK: Duration = Duration::from_millis(200);

/// How often an anchor is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Makes the receipt of the same statement again, with the newest anchor and the fields that it shows.
fn refresh(global: &Global, args: &ReceiptRefreshArgs, console: Console) -> anyhow::Result<()> {
    let bytes = read_receipt(&args.file)?;
    if !is_whole(&bytes) {
        return Err(Usage(format!(
            "{} is a compact receipt: issue it again with `hutong receipt issue --compact`",
            args.file.display()
        ))
        .into());
    }
    let old =
        Receipt::parse(&bytes).with_context(|| format!("{} is no receipt", args.file.display()))?;
    let node = settings::node(global)?;
    let request = ReceiptRequest {
        statement: Some(old.entry.id().to_string()),
        provisional: args.wait.is_none(),
        ..ReceiptRequest::default()
    };
    let Issued { bytes, provisional } = ask(&node, &request, args.wait, console)?;
    let mut new = Receipt::parse(&bytes).context("the node's receipt is not understood")?;
    // Whoever refreshes need not keep the confidential values: the receipt opens them already.
    new.disclosures = old.disclosures;
    let bytes = new.encode();
    match &args.output {
        Some(output) => write_new(output, &bytes)?,
        None => replace(&args.file, &bytes)?,
    }
    let output = args.output.as_ref().unwrap_or(&args.file);
    told_written(&node, output, &Issued { bytes, provisional }, console)
}

/// Replaces a file, so that a crash leaves the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    let new = path.with_extension("new");
    let write = || {
        let mut file = std::fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn default_name(args: &ReceiptIssueArgs) -> PathBuf {
    let name = args.registration.as_ref().or(args.statement.as_ref());
    let name: String = name
        .map_or("receipt", String::as_str)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect();
    let ending = if args.compact { "hutong-receipt" } else { "hutong-receipt.json" };
    PathBuf::from(format!("{name}.{ending}"))
}

fn qr_svg(bytes: &[u8]) -> anyhow::Result<String> {
    use qrcode::render::svg;
    use qrcode::{EcLevel, QrCode};
    let code = QrCode::with_error_correction_level(bytes, EcLevel::L)
        .context("the receipt does not fit one QR code")?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(480, 480).build())
}

fn check(args: &ReceiptVerifyArgs, console: Console) -> anyhow::Result<()> {
    let expected = anchor(args)?;
    let authority = authority(args, &expected)?;
    let allowed: BTreeSet<Verdict> = args.allow.iter().map(|verdict| verdict.verdict()).collect();
    if let Some(folder) = &args.batch {
        let (authority, is_bundle) = (authority.as_ref(), args.authority.is_some());
        return batch::verify(folder, &Terms { expected, authority, is_bundle, allowed }, console);
    }
    let file = args.file.as_deref().context("clap asks for a file or a folder")?;
    let bytes = read_receipt(file)?;
    let now = Some(clock::now());
    let report = if is_whole(&bytes) {
        verify(&bytes, &expected, &Policy { authority: authority.as_ref(), now })
    } else {
        let bundle = authority.as_ref().filter(|_| args.authority.is_some());
        let authority = bundle.ok_or_else(|| {
            Usage(format!(
                "{} is a compact receipt: give the authority bundle with --authority (hutong receipt bundle)",
                file.display()
            ))
        })?;
        verify_compact(&bytes, authority, now)
    };
    let accepted = report.is_accepted(&allowed);
    if console.json {
        let mut value = report.to_value();
        if let Some(members) = value.as_object_mut() {
            members.insert("accepted".into(), accepted.into());
        }
        console.json(&value)?;
    } else {
        console.line(&told(&report, console.lang))?;
        if let Some(summary) =
            report.summary.as_ref().filter(|_| report.verdict != Verdict::Invalid)
        {
            fields(&summary.body, console)?;
        }
    }
    if accepted { Ok(()) } else { Err(NotAccepted.into()) }
}

fn told(report: &Report, lang: Lang) -> String {
    report.to_text(lang.pick(Language::Chinese, Language::English)).trim_end().to_owned()
}

impl AllowedVerdict {
    const fn verdict(self) -> Verdict {
        match self {
            Self::ValidSuperseded => Verdict::ValidSuperseded,
            Self::ValidThenCancelled => Verdict::ValidThenCancelled,
            Self::Provisional => Verdict::Provisional,
        }
    }
}

/// What the verifier has: a bundle, or the charters of a file that it vouches for itself.
fn authority(
    args: &ReceiptVerifyArgs,
    expected: &FederationId,
) -> anyhow::Result<Option<TrustedAuthority>> {
    match (&args.authority, &args.charter) {
        (Some(file), _) => trusted(file, expected).map(Some),
        (None, Some(file)) => {
            Ok(Some(TrustedAuthority::of_charters(charter_file::add(None, file)?)))
        }
        (None, None) => Ok(None),
    }
}

/// The federation that the verifier trusts, by id or by its founding charter.
fn anchor(args: &ReceiptVerifyArgs) -> anyhow::Result<FederationId> {
    match (&args.federation, &args.charter) {
        (Some(id), _) => id.parse().map_err(|_| {
            Usage(format!("--federation: expected 64 lower-case hexadecimal digits, met `{id}`"))
                .into()
        }),
        (None, Some(file)) => Ok(charter_file::add(None, file)?.federation_id()),
        (None, None) => Err(Usage("give --federation or --charter".to_owned()).into()),
    }
}

fn trusted(file: &Path, expected: &FederationId) -> anyhow::Result<TrustedAuthority> {
    let bytes = read_bounded(file, BUNDLE_BYTES_MAX)?;
    let bundle = Bundle::parse(&bytes)
        .with_context(|| format!("{} is no authority bundle", file.display()))?;
    TrustedAuthority::verify(&bundle, expected)
        .with_context(|| format!("the authority bundle {} does not hold", file.display()))
}

/// What a receipt says, whoever made it. Nothing is verified.
fn show(file: &Path, console: Console) -> anyhow::Result<()> {
    let bytes = read_receipt(file)?;
    if !is_whole(&bytes) {
        return Err(Usage(format!(
            "{} is a compact receipt: use `hutong receipt verify --authority`, which also shows it",
            file.display()
        ))
        .into());
    }
    let receipt =
        Receipt::parse(&bytes).with_context(|| format!("{} is no receipt", file.display()))?;
    let statement = Statement::parse(receipt.entry.statement_bytes())?;
    if console.json {
        let disclosed: serde_json::Map<String, Value> =
            receipt.disclosures.iter().map(|(name, d)| (name.clone(), d.value.clone())).collect();
        return console.json(&json!({
            "federation": receipt.federation.to_string(),
            "statement": receipt.entry.id().to_string(),
            "type": statement.kind.as_str(),
            "issuer": statement.issuer.to_string(),
            "issued_at": statement.issued_at.to_string(),
            "index": receipt.place.index(),
            "provisional": matches!(receipt.place, Place::Provisional { .. }),
            "as_of": receipt.as_of,
            "other_events": receipt.events.len(),
            "body": statement.body,
            "disclosed": disclosed,
            "verified": false,
        }));
    }
    console.say(
        "仅显示内容，未核验。核验：hutong receipt verify\n",
        "Shown, not verified. To verify: hutong receipt verify\n",
    )?;
    console.facts([
        (words("联盟标识", "federation"), receipt.federation.to_string()),
        (words("声明标识", "statement"), receipt.entry.id().to_string()),
        (words("签发交易所", "issuer"), statement.issuer.to_string()),
        (words("签发时间（自述）", "issued (by its own clock)"), statement.issued_at.to_string()),
        (words("日志条目", "log entry"), receipt.place.index().to_string()),
        (words("截至日志大小", "as of log size"), receipt.as_of.to_string()),
        (words("其他事件", "other events"), receipt.events.len().to_string()),
    ])?;
    fields(&statement.body, console)?;
    let disclosed = receipt.disclosures.iter().map(|(name, one)| (name.clone(), one.value.clone()));
    tell_disclosed(&disclosed.collect(), console)
}

/// Confidential fields that a receipt shows.
fn tell_disclosed(disclosed: &BTreeMap<String, Value>, console: Console) -> anyhow::Result<()> {
    if !disclosed.is_empty() {
        console.say("披露的保密字段：", "Confidential fields that are shown:")?;
    }
    for name in disclosed.keys() {
        console.line(&claim_line(name, disclosed, console))?;
    }
    Ok(())
}

fn fields(body: &Value, console: Console) -> anyhow::Result<()> {
    console.say("内容：", "Content:")?;
    for (name, value) in body.as_object().into_iter().flatten() {
        if name == "claims" {
            let names: Vec<String> = value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| field_name(name, console.lang))
                .collect();
            let separator = console.lang.pick("、", ", ");
            console.say(
                &format!("  保密字段（仅承诺值）：{}", names.join(separator)),
                &format!("  confidential (committed to): {}", names.join(separator)),
            )?;
        } else {
            let value = shown(&text(value));
            console.line(&format!("  {}: {value}", field_name(name, console.lang)))?;
        }
    }
    Ok(())
}

/// What a member is called by people; its own name in quotes where there is no better, so that it is not taken for
/// one of ours.
fn field_name(name: &str, lang: Lang) -> String {
    match FIELDS.iter().find(|(member, _)| *member == name) {
        Some((_, words)) => words.of(lang).to_owned(),
        None => format!("\"{}\"", shown(name)),
    }
}

/// Members of listings and contracts, as people call them.
const FIELDS: [(&str, super::lang::Words); 30] = [
    ("buyer_division", words("买方行政区划", "buyer's division")),
    ("buyer_name", words("买方名称", "buyer")),
    ("buyer_uscc", words("买方统一社会信用代码", "buyer's credit code")),
    ("contract_type", words("合同类别", "contract type")),
    ("documents", words("合同文本哈希值", "documents (digests)")),
    ("event", words("事件", "event")),
    ("field", words("技术领域", "technology field")),
    ("ip", words("知识产权", "intellectual property")),
    ("kind", words("类别", "kind")),
    ("listing", words("关联挂牌", "listing")),
    ("listing_id", words("挂牌编号", "listing id")),
    ("patents", words("专利号", "patents")),
    ("payment_method", words("支付方式", "payment")),
    ("plan_source", words("计划来源", "plan source")),
    ("previous", words("前一声明", "previous statement")),
    ("project_name", words("项目名称", "project")),
    ("reason", words("原因", "reason")),
    ("registering_division", words("登记机构区划", "registering division")),
    ("registration_no", words("合同登记编号", "registration number")),
    ("seller_division", words("卖方行政区划", "seller's division")),
    ("seller_name", words("卖方名称", "seller")),
    ("seller_uscc", words("卖方统一社会信用代码", "seller's credit code")),
    ("sign_date", words("签订日期", "signed on")),
    ("subtype", words("子类别", "subtype")),
    ("summary", words("简介", "summary")),
    ("technical_amount", words("技术交易额", "technical amount")),
    ("title", words("标题", "title")),
    ("total_amount", words("合同成交总金额", "total amount")),
    ("valid_from", words("起始日期", "valid from")),
    ("valid_to", words("截止日期", "valid to")),
];

fn bundle(global: &Global, output: &Path, console: Console) -> anyhow::Result<()> {
    let bytes = settings::node(global)?.authority()?;
    std::fs::write(output, &bytes).with_context(|| format!("cannot write {}", output.display()))?;
    if console.json {
        return console.json(&json!({"file": output, "bytes": bytes.len()}));
    }
    let size = storage::written(bytes.len() as u64);
    console.say(
        &format!("已写入 {}（{size}）。", shown_path(output)),
        &format!("{} is written ({size}).", shown_path(output)),
    )
}

fn read_receipt(file: &Path) -> anyhow::Result<Vec<u8>> {
    // One byte more than allowed, so that the verifier itself refuses and reports what is too long.
    read_bounded(file, RECEIPT_BYTES_MAX)
}

/// A whole receipt is a JSON object, a compact one is not.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'{')
}

/// Bytes that are asked for at first.
const FIRST_BYTES: usize = 24 << 10;

fn read_bounded(file: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let context = || format!("cannot read {}", file.display());
    // Most files come whole in one piece.
    let mut bytes = Vec::with_capacity(bytes_max.min(FIRST_BYTES));
    std::fs::File::open(file)
        .with_context(context)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(context)?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    std::fs::File::create_new(path).and_then(|mut file| file.write_all(bytes)).with_context(|| {
        let (name, exists) = (path.display(), path.exists());
        let advice = if exists { ": it is there already, name another with -o" } else { "" };
        format!("cannot write {name}{advice}")
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_members_name_is_quoted_where_it_is_none_of_ours() {
        assert_eq!(field_name("title", Lang::En), "title");
        assert_eq!(field_name("verdict: valid", Lang::En), "\"verdict: valid\"");
        assert_eq!(field_name("a\n结论\u{202e}", Lang::Zh), "\"a\\u{a}结论\\u{202e}\"");
    }

    #[test]
    fn field_names_are_sorted_and_single() {
        assert!(FIELDS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_file_name_cannot_leave_the_folder() {
        let args = ReceiptIssueArgs {
            registration: Some("../../x".into()),
            statement: None,
            disclose: Vec::new(),
            output: None,
            compact: false,
            qr: None,
            wait: None,
        };
        assert_eq!(default_name(&args), PathBuf::from("______x.hutong-receipt.json"));
    }

    #[test]
    fn a_receipt_of_nonsense_is_not_accepted_and_a_missing_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.json");
        let args = ReceiptVerifyArgs {
            file: Some(file.clone()),
            batch: None,
            federation: Some("5f".repeat(32)),
            charter: None,
            authority: None,
            allow: Vec::new(),
        };
        let console = Console { lang: Lang::En, json: true };
        assert!(!check(&args, console).unwrap_err().is::<NotAccepted>());
        std::fs::write(&file, "{}").unwrap();
        assert!(check(&args, console).unwrap_err().is::<NotAccepted>());
        std::fs::write(&file, "compact").unwrap();
        assert!(check(&args, console).unwrap_err().is::<Usage>());
    }
}
