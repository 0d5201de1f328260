//! Reading the four layers and naming every key that does not exist.

use std::fmt;
use std::path::{Path, PathBuf};

use config::{File, FileFormat};
use hutong_protocol::shown::Shown;
use thiserror::Error;
use toml::{Table, Value};

use super::{Config, check};

/// Where the layers above the defaults come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file; it must exist if named.
    pub file: Option<PathBuf>,
    /// Environment variables. Those of the form `HUTONG_SECTION__KEY` are settings; all others are ignored.
    pub environment: Vec<(String, String)>,
    /// Flags: dotted key and value, as text; lists are separated by commas.
    pub flags: Vec<(String, String)>,
}

/// Which layer a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// A command-line flag.
    Flag,
    /// The layers together.
    Merged,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command-line flag"),
            Self::Merged => f.write_str("configuration"),
        }
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it was met.
    pub origin: Origin,
    /// The dotted key, such as `api.listen`.
    pub key: String,
    /// What was expected and what was met.
    pub problem: String,
    /// What to do next.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line each, whatever it quotes.
        let Self { origin, key, problem, advice } = self;
        write!(f, "{}", Shown::new(&format!("{origin}: `{key}` {problem}; {advice}")))
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: check --config or run `hutong init`", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML", path.display())]
    Syntax {
        /// Its path.
        path: PathBuf,
        /// Line and column.
        source: Box<toml::de::Error>,
    },
    /// Keys or values that cannot be accepted, all of them.
    #[error("the configuration has {} problem(s):\n{}", .0.len(), list(.0))]
    Invalid(Vec<Finding>),
}

/// Reads and checks the layers.
///
/// # Errors
///
/// [`ConfigError::Invalid`] carries every unknown key, wrong type and value out of range, not only the first.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let defaults = default_table();
    let mut builder = config::Config::builder()
        .add_source(File::from_str(&defaults.to_string(), FileFormat::Toml));
    let mut findings = Vec::new();
    let mut origin = Origin::Merged;

    if let Some(path) = &sources.file {
        let (text, table) = read_table(path)?;
        origin = Origin::File(path.clone());
        unknown_keys(&origin, "", &table, &defaults, &mut findings);
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let settings = environment_settings(&sources.environment)
        .chain(sources.flags.iter().map(|(key, value)| (Origin::Flag, key.clone(), value.clone())));
    for (origin, key, value) in settings {
        match typed(&defaults, &key, &value) {
            Ok(value) => {
                builder = match builder.set_override(&key, value) {
                    Ok(builder) => builder,
                    Err(error) => return Err(one(origin, &key, &error.to_string())),
                }
            }
            Err(finding) => findings.push(Finding { origin, ..finding }),
        }
    }
    if !findings.is_empty() {
        return Err(ConfigError::Invalid(findings));
    }
    let merged: Config = builder
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| type_error(origin.clone(), &error))?;
    let findings: Vec<Finding> = check(&merged)
        .into_iter()
        .map(|found| Finding { origin: origin.clone(), ..found })
        .collect();
    if findings.is_empty() { Ok(merged) } else { Err(ConfigError::Invalid(findings)) }
}

/// Every dotted key that exists, in order.
pub fn known_keys() -> Vec<String> {
    fn walk(prefix: &str, table: &Table, keys: &mut Vec<String>) {
        for (name, value) in table {
            let key = join(prefix, name);
            match value {
                Value::Table(table) if !is_open(&key) => walk(&key, table, keys),
                _ => keys.push(key),
            }
        }
    }
    let mut keys = Vec::new();
    walk("", &default_table(), &mut keys);
    keys
}

/// The tables whose keys are the operator's: language tags, and exchanges.
const OPEN_TABLES: [&str; 2] = ["exchange.names", "follow.daily_mib"];

fn is_open(table: &str) -> bool {
    OPEN_TABLES.contains(&table)
}

/// The defaults as a table, which is also the list of keys that exist.
fn default_table() -> Table {
    match Value::try_from(Config::default()) {
        Ok(Value::Table(table)) => table,
        // Invariant: `Config` consists of tables, strings, numbers and lists.
        other => unreachable!("the default configuration is a TOML table, not {other:?}"),
    }
}

fn read_table(path: &Path) -> Result<(String, Table), ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table = toml::from_str(&text).map_err(|source| ConfigError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok((text, table))
}

fn unknown_keys(
    origin: &Origin,
    prefix: &str,
    given: &Table,
    known: &Table,
    findings: &mut Vec<Finding>,
) {
    for (name, value) in given {
        let key = join(prefix, name);
        match (known.get(name), value) {
            (Some(_), _) if is_open(&key) => {}
            (Some(Value::Table(known)), Value::Table(given)) => {
                unknown_keys(origin, &key, given, known, findings);
            }
            (Some(_), _) => {}
            (None, _) => findings.push(unknown(origin.clone(), &key)),
        }
    }
}

fn unknown(origin: Origin, key: &str) -> Finding {
    let advice = match nearest(key) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "remove it; `hutong config check --keys` lists every key".to_owned(),
    };
    Finding { origin, key: key.to_owned(), problem: "does not exist".to_owned(), advice }
}

/// The key or section that is nearest to `key`, if any is near.
fn nearest(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let mut candidates = known_keys();
    let sections: Vec<String> = default_table().keys().cloned().collect();
    candidates.extend(sections);
    let score = |candidate: &String| {
        // The right name in the wrong section is as helpful as a slip in the name.
        strsim::jaro_winkler(key, candidate).max(if last(key) == last(candidate) {
            0.95
        } else {
            0.0
        })
    };
    candidates
        .into_iter()
        .map(|candidate| (score(&candidate), candidate))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(score, _)| *score >= 0.8)
        .map(|(_, candidate)| candidate)
}

/// Variables `HUTONG_SECTION__KEY`; those without `__` (`HUTONG_DATA`, …) belong to the command line.
fn environment_settings(
    variables: &[(String, String)],
) -> impl Iterator<Item = (Origin, String, String)> {
    variables.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix("HUTONG_").filter(|rest| rest.contains("__"))?;
        // Containers pass unset variables on as empty ones.
        if value.is_empty() {
            return None;
        }
        let key = key.replace("__", ".").to_ascii_lowercase();
        Some((Origin::Environment(name.clone()), key, value.clone()))
    })
}

/// Reads `text` as the type that `key` has in the defaults.
fn typed(defaults: &Table, key: &str, text: &str) -> Result<config::Value, Finding> {
    let wrong = |problem: String| Finding {
        origin: Origin::Merged,
        key: key.to_owned(),
        problem,
        advice: "correct the value".to_owned(),
    };
    let kind = if key.rsplit_once('.').is_some_and(|(table, _)| is_open(table)) {
        text.into()
    } else {
        match lookup(defaults, key) {
            None | Some(Value::Table(_)) => return Err(unknown(Origin::Merged, key)),
            Some(Value::Integer(_)) => text
                .parse::<i64>()
                .map(config::ValueKind::from)
                .map_err(|_| wrong(format!("expected a whole number, met `{text}`")))?,
            Some(Value::Boolean(_)) => text
                .parse::<bool>()
                .map(config::ValueKind::from)
                .map_err(|_| wrong(format!("expected true or false, met `{text}`")))?,
            Some(Value::Array(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                items.map(str::to_owned).collect::<Vec<String>>().into()
            }
            Some(_) => text.into(),
        }
    };
    Ok(config::Value::new(None, kind))
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
    }
}

fn type_error(origin: Origin, error: &config::ConfigError) -> ConfigError {
    let (key, problem) = match error {
        config::ConfigError::Type { key, unexpected, expected, .. } => {
            (key.clone().unwrap_or_default(), format!("expected {expected}, met {unexpected}"))
        }
        config::ConfigError::At { error, key, .. } => {
            (key.clone().unwrap_or_default(), error.to_string())
        }
        other => (String::new(), other.to_string()),
    };
    one(origin, &key, &problem)
}

fn one(origin: Origin, key: &str, problem: &str) -> ConfigError {
    ConfigError::Invalid(vec![Finding {
        origin,
        key: key.to_owned(),
        problem: problem.to_owned(),
        advice: "correct the value".to_owned(),
    }])
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("  {finding}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hutong.toml");
        std::fs::write(&path, text).unwrap();
        load(&Sources { file: Some(path), ..Sources::default() })
    }

    fn findings(result: Result<Config, ConfigError>) -> Vec<Finding> {
        match result {
            Err(ConfigError::Invalid(findings)) => findings,
            other => panic!("expected findings, met {other:?}"),
        }
    }

    fn environment(name: &str, value: &str) -> Result<Config, ConfigError> {
        load(&Sources {
            environment: vec![(name.to_owned(), value.to_owned())],
            ..Sources::default()
        })
    }

    #[test]
    fn no_layer_at_all_gives_the_defaults() {
        assert_eq!(load(&Sources::default()).unwrap(), Config::default());
        assert_eq!(load_text("").unwrap(), Config::default());
    }

    #[test]
    fn a_file_overrides_a_default_and_leaves_the_rest() {
        let config = load_text("[log]\nbatch_ms_max = 7\n").unwrap();
        assert_eq!(config.log.batch_ms_max, 7);
        assert_eq!(config.log.own_log_check_ms, Config::default().log.own_log_check_ms);
    }

    #[test]
    fn the_environment_overrides_the_file_and_a_flag_overrides_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hutong.toml");
        std::fs::write(&path, "[log]\nbatch_ms_max = 7\n").unwrap();
        let mut sources = Sources {
            file: Some(path),
            environment: vec![("HUTONG_LOG__BATCH_MS_MAX".into(), "8".into())],
            flags: Vec::new(),
        };
        assert_eq!(load(&sources).unwrap().log.batch_ms_max, 8);
        sources.flags.push(("log.batch_ms_max".into(), "9".into()));
        assert_eq!(load(&sources).unwrap().log.batch_ms_max, 9);
    }

    #[test]
    fn a_list_is_separated_by_commas_in_the_environment() {
        let config =
            environment("HUTONG_NETWORK__LISTEN", "/ip4/127.0.0.1/tcp/0, /ip6/::1/tcp/0").unwrap();
        assert_eq!(config.network.listen, ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"]);
    }

    #[test]
    fn a_variable_without_a_section_is_not_a_setting() {
        assert_eq!(environment("HUTONG_DATA", "/srv/hutong").unwrap(), Config::default());
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_as_good_as_none() {
        assert_eq!(environment("HUTONG_LOG__BATCH_MS_MAX", "").unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_names_file_key_and_the_nearest() {
        let found = findings(load_text("[api]\nlisten_address = \"127.0.0.1:1\"\n"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "api.listen_address");
        assert!(found[0].origin.to_string().ends_with("hutong.toml"));
        assert!(found[0].advice.contains("api.listen"), "{}", found[0].advice);
    }

    #[test]
    fn a_key_in_the_wrong_section_is_pointed_to_the_right_one() {
        let found = findings(load_text("[api]\nanti_entropy_s = 3\n"));
        assert!(found[0].advice.contains("sync.anti_entropy_s"), "{}", found[0].advice);
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let found = findings(environment("HUTONG_LOG__BATCH_MS_MIN", "8"));
        assert_eq!(found[0].origin, Origin::Environment("HUTONG_LOG__BATCH_MS_MIN".into()));
    }

    #[test]
    fn every_finding_is_reported_not_the_first() {
        let found = findings(load_text("[nonsense]\na = 1\n[log]\nb = 2\n"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let found = findings(load_text("[log]\nbatch_ms_max = \"soon\"\n"));
        assert_eq!(found[0].key, "log.batch_ms_max");
        let found = findings(environment("HUTONG_LOG__BATCH_MS_MAX", "soon"));
        assert_eq!(found[0].key, "log.batch_ms_max");
    }

    #[test]
    fn names_take_any_language() {
        let config = load_text("[exchange.names]\nzh = \"某所\"\nkk = \"Орталық\"\n").unwrap();
        assert_eq!(config.exchange.names.len(), 2);
    }

    #[test]
    fn quotas_name_any_exchange() {
        let quotas = |lines: &str| load_text(&format!("[follow.daily_mib]\n{lines}\n"));
        let read = quotas("cn-3301-hangzhou = 4\ncn-44-canton = 0").unwrap().follow.daily_mib;
        assert_eq!((read["cn-3301-hangzhou"], read["cn-44-canton"]), (4, 0));
        let found = findings(quotas("Hangzhou = 4"));
        assert_eq!(found[0].key, "follow.daily_mib.Hangzhou");
        let found = findings(quotas("cn-3301-hangzhou = 2000000"));
        assert_eq!(found[0].key, "follow.daily_mib.cn-3301-hangzhou");
        assert!(quotas("cn-3301-hangzhou = -1").is_err());
        let set = environment("HUTONG_FOLLOW__DAILY_MIB__CN-3301-HANGZHOU", "7").unwrap();
        assert_eq!(set.follow.daily_mib["cn-3301-hangzhou"], 7);
    }

    #[test]
    fn a_missing_file_and_broken_syntax_are_told_apart() {
        let missing =
            load(&Sources { file: Some("/nowhere/hutong.toml".into()), ..Sources::default() });
        assert!(matches!(missing, Err(ConfigError::Read { .. })));
        assert!(matches!(load_text("[log"), Err(ConfigError::Syntax { .. })));
    }

    #[test]
    fn every_ready_configuration_is_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                load(&Sources { file: Some(path.clone()), ..Sources::default() })
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                count += 1;
            }
        }
        assert!(count >= 5, "expected five ready configurations, met {count}");
    }
}
