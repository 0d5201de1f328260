//! `hutong init`: from nothing to a node that can run.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use hutong_crypto::keys::Seed;
use hutong_protocol::charter::CharterChain;
use hutong_protocol::place::{check_place, id_prefix};
use hutong_protocol::region::Region;

use super::args::{Global, InitArgs};
use super::console::{Console, shown_path};
use super::exit::Usage;
use super::{charter, secret};
use crate::charter_file;
use crate::config::{self, Config, Exchange};
use crate::keys::{self, Kept, KeyFolder};
use crate::private;

/// Writes seed, configuration and charter into the data folder, and says what comes next.
///
/// # Errors
///
/// What is missing or wrong, before anything is written; or the disk's error.
pub fn run(global: &Global, args: &InitArgs, console: Console) -> anyhow::Result<()> {
    let chain = charter::read_chain(&args.charter)?;
    let (config, _seed) = set_up(global, args, chain.as_ref(), console)?;
    report(&global.data, &config, args.unencrypted_seed, console)
}

/// Writes seed, configuration and charter into the data folder.
///
/// # Errors
///
/// As [`run`].
pub(super) fn set_up(
    global: &Global,
    args: &InitArgs,
    chain: Option<&CharterChain>,
    console: Console,
) -> anyhow::Result<(Config, Seed)> {
    let data = &global.data;
    let folder = KeyFolder::of(data);
    if folder.kept() != Kept::Missing {
        return Err(keys::KeyError::Exists(folder.path().to_owned()).into());
    }
    let file = data.join("hutong.toml");
    anyhow::ensure!(
        !file.exists(),
        "{} exists: choose another data folder with --data",
        file.display()
    );
    let config = configuration(args, console)?;
    let sealing = secret::sealing(&args.passphrase, args.unencrypted_seed, console)?;

    private::keep(data)?;
    fs::write(&file, to_toml(&config)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    if let Some(chain) = chain {
        charter_file::write(data, chain)?;
    }
    let seed = keys::generate()?;
    folder.store(&seed, &sealing)?;
    Ok((config, seed))
}

/// Flags first, then questions where a person can be asked.
fn configuration(args: &InitArgs, console: Console) -> anyhow::Result<Config> {
    let ask =
        |given: &Option<String>, flag: &str, zh: &str, en: &str, default: Option<&str>| match given
        {
            Some(text) => Ok(text.clone()),
            None if console.interactive() => console.ask(zh, en, default),
            None => match default {
                Some(default) => Ok(default.to_owned()),
                None => Err(Usage(format!("{flag} is needed where nobody can be asked")).into()),
            },
        };
    let mut config = Config::default();
    let exchange = &mut config.exchange;
    let zh = ask(&args.name_zh, "--name-zh", "中文名称", "Chinese name (- for none)", Some("-"))?;
    let en = ask(
        &args.name_en,
        "--name-en",
        "英文名称（没有则填 -）",
        "English name (- for none)",
        Some("-"),
    )?;
    for (language, name) in [("zh", zh), ("en", en)] {
        if name != "-" {
            exchange.names.insert(language.to_owned(), name);
        }
    }
    exchange.tier = ask(
        &args.tier,
        "--tier",
        "层级（national、provincial、municipal、county、industry、international）",
        "Tier (national, provincial, municipal, county, industry, international)",
        None,
    )?;
    exchange.region = ask(
        &args.region,
        "--region",
        "区域代码（如 CN-33、CN-3301、KZ）",
        "Region code (such as CN-33, CN-3301, KZ)",
        None,
    )?;
    let proposal = console.interactive().then(|| propose_id(exchange)).flatten();
    exchange.id = ask(
        &args.id,
        "--id",
        "交易所代码：区域代码小写、连字符、以字母开头的名称；永久使用",
        "Exchange id: region in lower case, -, and a name that begins with a letter; for ever",
        proposal.as_deref(),
    )?;
    exchange.website = match &args.website {
        Some(website) => website.clone(),
        None if console.interactive() => {
            let website = console.ask("网站（没有则填 -）", "Website (- for none)", Some("-"))?;
            if website == "-" { String::new() } else { website }
        }
        None => String::new(),
    };
    exchange.addresses.clone_from(&args.address);
    config.network.bootstrap.clone_from(&args.bootstrap);
    if !args.listen.is_empty() {
        config.network.listen.clone_from(&args.listen);
    }
    if let Some(address) = args.api_listen {
        config.api.listen = address;
    }
    let findings = config::check(&config);
    if findings.is_empty() && !config.exchange.names.is_empty() {
        return Ok(config);
    }
    let mut text: Vec<String> = findings.iter().map(ToString::to_string).collect();
    if config.exchange.names.is_empty() {
        text.push("an exchange needs one name at least: give --name-zh or --name-en".to_owned());
    }
    Err(Usage(text.join("\n")).into())
}

/// An id by the rule, named after the English name, or otherwise the tier; none without a region.
fn propose_id(exchange: &Exchange) -> Option<String> {
    let region: Region = exchange.region.parse().ok()?;
    let name = exchange.names.get("en").map_or(exchange.tier.as_str(), String::as_str);
    let words: Vec<String> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let name = words.join("-");
    let begin = name.find(|letter: char| letter.is_ascii_lowercase())?;
    let id: String = format!("{}{}", id_prefix(&region), &name[begin..]).chars().take(63).collect();
    let id = id.trim_end_matches('-').to_owned();
    let tier = exchange.tier.parse().ok()?;
    check_place(&id.parse().ok()?, tier, &region).is_ok().then_some(id)
}

/// Only what differs from the defaults, so that later defaults reach this node.
fn to_toml(config: &Config) -> anyhow::Result<String> {
    let mut table = toml::Table::try_from(config)?;
    let defaults = toml::Table::try_from(Config::default())?;
    remove_equal(&mut table, &defaults);
    Ok(format!(
        "# Settings of this node. Every key: `hutong config check --keys`.\n\n{}",
        toml::to_string_pretty(&table)?
    ))
}

fn remove_equal(table: &mut toml::Table, defaults: &toml::Table) {
    table.retain(|key, value| match (value, defaults.get(key)) {
        (toml::Value::Table(table), Some(toml::Value::Table(defaults))) => {
            remove_equal(table, defaults);
            !table.is_empty()
        }
        (value, Some(default)) => value != default,
        (_, None) => true,
    });
}

fn report(data: &Path, config: &Config, plain: bool, console: Console) -> anyhow::Result<()> {
    if console.json {
        return console.json(&serde_json::json!({
            "data": data, "exchange": config.exchange.id, "sealed": !plain,
        }));
    }
    let data = shown_path(data);
    console.say(
        &format!(
            "{id} 已在 {data} 初始化。\n\n请立即备份：本所的全部签名权都来自一个种子。\n  hutong --data {data} keys backup    # 抄写 24 个词，离线保存\n\n下一步（任选其一）：\n  hutong --data {data} member join 邀请文件             # 按上级交易所的邀请文件加入联盟\n  hutong --data {data} federation new --name 联盟名称   # 创立联盟",
            id = config.exchange.id
        ),
        &format!(
            "{id} is set up in {data}.\n\nBack it up now: every signature of this exchange comes from one seed.\n  hutong --data {data} keys backup    # write the 24 words on paper, keep them offline\n\nNext, one of:\n  hutong --data {data} member join INVITATION        # join a federation by your parent's invitation file\n  hutong --data {data} federation new --name NAME    # found a federation",
            id = config.exchange.id
        ),
    )?;
    if plain {
        console.say(
            "\n注意：种子未加密，能读取此磁盘的人即可冒充本所。",
            "\nNote: the seed is not encrypted; whoever reads this disk can speak as this exchange.",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::Parser as _;

    use super::super::args::{Cli, Command};
    use super::super::lang::Lang;
    use super::*;

    const CONSOLE: Console = Console { lang: Lang::En, json: true };

    fn init(line: &str, data: &Path) -> anyhow::Result<()> {
        let data = data.to_str().unwrap();
        let line = format!("hutong --json --data {data} init {line}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Init(args) = cli.command else { unreachable!("the line says init") };
        run(&cli.global, &args, CONSOLE)
    }

    const WHOLE: &str =
        "--id cn-33-zhejiang --name-zh 浙江 --tier provincial --region CN-33 --unencrypted-seed";

    #[test]
    fn init_writes_a_seed_and_a_configuration_that_loads() {
        let data = tempfile::tempdir().unwrap();
        init(WHOLE, data.path()).unwrap();
        assert_eq!(KeyFolder::of(data.path()).kept(), Kept::Plain);
        let file = Some(data.path().join("hutong.toml"));
        let config = config::load(&config::Sources { file, ..Default::default() }).unwrap();
        assert_eq!(config.exchange.id, "cn-33-zhejiang");
        assert_eq!(config.network, Config::default().network);
    }

    #[test]
    fn the_port_of_the_interface_can_be_chosen() {
        let data = tempfile::tempdir().unwrap();
        init(&format!("{WHOLE} --api-listen 127.0.0.1:8001"), data.path()).unwrap();
        let file = Some(data.path().join("hutong.toml"));
        let config = config::load(&config::Sources { file, ..Default::default() }).unwrap();
        assert_eq!(config.api.listen, ([127, 0, 0, 1], 8001).into());
        // Beyond loopback it needs a permission that no flag gives.
        let open = format!("{WHOLE} --api-listen 192.0.2.1:8001");
        assert!(init(&open, &data.path().join("other")).is_err());
    }

    #[test]
    fn init_never_runs_over_a_node() {
        let data = tempfile::tempdir().unwrap();
        init(WHOLE, data.path()).unwrap();
        let seed = fs::read(data.path().join("keys/seed")).unwrap();
        assert!(init(WHOLE, data.path()).is_err());
        assert_eq!(fs::read(data.path().join("keys/seed")).unwrap(), seed);
    }

    #[test]
    fn an_id_is_proposed_by_the_rule() {
        let propose = |region: &str, tier: &str, english: &str| {
            let names = [("en".to_owned(), english.to_owned())].into();
            let (region, tier) = (region.to_owned(), tier.to_owned());
            propose_id(&Exchange { tier, region, names, ..Exchange::default() })
        };
        let id = propose("CN-3301", "municipal", "Hangzhou Technology Exchange");
        assert_eq!(id.as_deref(), Some("cn-3301-hangzhou-technology-exchange"));
        assert_eq!(propose("KZ", "county", "3rd hub").as_deref(), Some("kz-rd-hub"));
        assert_eq!(propose("CN-33", "provincial", "浙江"), None);
        assert_eq!(propose("CN-33", "county", "Xihu"), None);
        let nameless = Exchange {
            region: "CN-33".to_owned(),
            tier: "provincial".to_owned(),
            ..Exchange::default()
        };
        assert_eq!(propose_id(&nameless).as_deref(), Some("cn-33-provincial"));
    }

    #[test]
    fn what_is_wrong_is_told_before_anything_is_written() {
        let data = tempfile::tempdir().unwrap();
        for wrong in [
            WHOLE.replace("CN-33 ", "CN-3 "),
            WHOLE.replace("cn-33-zhejiang", "cn-34-zhejiang"),
            WHOLE.replace("provincial", "municipal"),
            WHOLE.replace("--name-zh 浙江", ""),
            WHOLE.replace("--id cn-33-zhejiang", ""),
            WHOLE.replace("--unencrypted-seed", "--passphrase-file /nowhere"),
        ] {
            assert!(init(&wrong, data.path()).is_err(), "{wrong}");
            assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "{wrong}");
        }
    }
}
