//! What each value must satisfy, with its bounds.

use hutong_protocol::place::{PlaceError, check_place, id_prefix};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::{Config, Exchange, Finding, Origin};

/// Returns everything that is wrong with `config`; empty if nothing is.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    exchange(config, &mut findings);
    network(config, &mut findings);
    api(config, &mut findings);
    let f = &mut findings;
    f.range("storage.cache_mib", config.storage.cache_mib.into(), 8, 65_536);
    f.range("storage.reserve_mib", config.storage.reserve_mib.into(), 0, 1 << 20);
    f.range("log.batch_ms_max", config.log.batch_ms_max, 1, 10_000);
    f.range("log.own_log_check_ms", config.log.own_log_check_ms, 0, 600_000);
    f.range("sync.anti_entropy_s", config.sync.anti_entropy_s, 1, 3_600);
    follow(config, f);
    if let Err(error) = config.logging.filter.parse::<tracing_subscriber::EnvFilter>() {
        f.add(
            "logging.filter",
            format!("is no filter: {error}"),
            "use `info` or `info,hutong_node=debug`",
        );
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, key: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding {
            origin: Origin::Merged,
            key: key.to_owned(),
            problem: problem.into(),
            advice: advice.into(),
        });
    }

    fn range(&mut self, key: &str, met: u64, min: u64, max: u64) {
        if !(min..=max).contains(&met) {
            self.add(
                key,
                format!("expected {min} to {max}, met {met}"),
                format!("choose a value from {min} to {max}"),
            );
        }
    }

    fn addresses(&mut self, key: &str, addresses: &[String]) {
        if addresses.len() > ADDRESSES_MAX {
            self.add(
                key,
                format!("expected at most {ADDRESSES_MAX} addresses, met {}", addresses.len()),
                "remove some",
            );
        }
        for address in addresses {
            if let Err(error) = address.parse::<Multiaddr>() {
                self.add(
                    key,
                    format!("expected a multiaddr, met `{address}` ({error})"),
                    "write it as `/ip4/203.0.113.7/tcp/7411` or `/dns4/node.example.org/tcp/7411`",
                );
            }
        }
    }
}

/// A provincial node dials its peers of the same tier (34) and may name as many backups.
const ADDRESSES_MAX: usize = 64;
/// One would do; a few more stand in for it.
const RELAYS_MAX: usize = 8;
/// As in a descriptor.
const NAMES_MAX: usize = 16;
/// Room for the longest official name in any script.
const NAME_BYTES_MAX: usize = 512;

const TIERS: [&str; 6] =
    ["national", "provincial", "municipal", "county", "industry", "international"];

fn exchange(config: &Config, findings: &mut Findings) {
    let exchange = &config.exchange;
    if !exchange.id.is_empty() && !is_exchange_id(&exchange.id) {
        findings.add(
            "exchange.id",
            format!(
                "expected 3 to 63 of a-z, 0-9 and `-`, the first no `-`, met `{}`",
                exchange.id
            ),
            "write it like `cn-33-zhejiang`",
        );
    }
    if !exchange.tier.is_empty() && !TIERS.contains(&exchange.tier.as_str()) {
        findings.add(
            "exchange.tier",
            format!("expected one of {}, met `{}`", TIERS.join(", "), exchange.tier),
            "choose one of them",
        );
    }
    if !exchange.region.is_empty() && !is_region(&exchange.region) {
        findings.add(
            "exchange.region",
            format!("expected a region code, met `{}`", exchange.region),
            "write it like `CN-3301` or `KZ`",
        );
    }
    place(exchange, findings);
    if !exchange.website.is_empty() && !exchange.website.starts_with("https://") {
        findings.add(
            "exchange.website",
            format!("expected an address that starts with https://, met `{}`", exchange.website),
            "write it like `https://www.example.org`",
        );
    }
    findings.addresses("exchange.addresses", &exchange.addresses);
    if exchange.names.len() > NAMES_MAX {
        findings.add(
            "exchange.names",
            format!("expected at most {NAMES_MAX} languages, met {}", exchange.names.len()),
            "remove some",
        );
    }
    for (language, name) in &exchange.names {
        let key = format!("exchange.names.{language}");
        if !is_language(language) {
            findings.add(&key, "has no language tag such as `zh` or `en`", "use a language tag");
        }
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
            findings.add(
                &key,
                format!("expected 1 to {NAME_BYTES_MAX} bytes, met {}", name.len()),
                "write the exchange's name or remove the line",
            );
        }
    }
    let federation = &config.federation.id;
    if !federation.is_empty() && federation.parse::<hutong_crypto::Hash>().is_err() {
        findings.add(
            "federation.id",
            format!("expected 64 lower-case hexadecimal digits, met `{federation}`"),
            "copy it from `hutong charter show`",
        );
    }
}

/// Where id, tier and region are set and in form, they agree.
fn place(exchange: &Exchange, findings: &mut Findings) {
    let parsed = (exchange.id.parse(), exchange.tier.parse(), exchange.region.parse());
    let (Ok(id), Ok(tier), Ok(region)) = parsed else { return };
    match check_place(&id, tier, &region) {
        Ok(()) => {}
        Err(error @ PlaceError::Id { .. }) => {
            let advice = format!("write it like `{}name`", id_prefix(&region));
            findings.add("exchange.id", error.to_string(), advice);
        }
        Err(error @ PlaceError::Tier { .. }) => {
            findings.add("exchange.tier", error.to_string(), "correct tier or region");
        }
    }
}

fn network(config: &Config, findings: &mut Findings) {
    let network = &config.network;
    findings.addresses("network.listen", &network.listen);
    findings.addresses("network.bootstrap", &network.bootstrap);
    relaying(config, findings);
    let limits = &network.limits;
    if limits.memory_mib != 0 {
        findings.range("network.limits.memory_mib", limits.memory_mib.into(), 64, 1 << 24);
    }
    findings.range("network.limits.connections_max", limits.connections_max.into(), 8, 65_536);
    findings.range(
        "network.limits.connections_per_peer_max",
        limits.connections_per_peer_max.into(),
        1,
        16,
    );
    findings.range(
        "network.limits.strangers_max",
        limits.strangers_max.into(),
        0,
        limits.connections_max.into(),
    );
}

fn relaying(config: &Config, findings: &mut Findings) {
    let network = &config.network;
    findings.addresses("network.relays", &network.relays);
    if network.relays.len() > RELAYS_MAX {
        findings.add(
            "network.relays",
            format!("expected at most {RELAYS_MAX} relays, met {}", network.relays.len()),
            "remove some",
        );
    }
    let names_a_peer =
        |address: &Multiaddr| matches!(address.iter().last(), Some(Protocol::P2p(_)));
    for relay in &network.relays {
        if relay.parse().is_ok_and(|address| !names_a_peer(&address)) {
            findings.add(
                "network.relays",
                format!("expected an address that ends in /p2p/<peer id>, met `{relay}`"),
                "add the relay's peer id, as its operator reads it in `hutong status`",
            );
        }
    }
    if network.relay && config.exchange.addresses.is_empty() {
        findings.add(
            "network.relay",
            "needs exchange.addresses: members are told there where to reach the relay",
            "set exchange.addresses, or network.relay = false",
        );
    }
}

fn api(config: &Config, findings: &mut Findings) {
    let api = &config.api;
    if !api.listen.ip().is_loopback() && !api.allow_remote {
        findings.add(
            "api.listen",
            format!("expected a loopback address, met {}", api.listen),
            "use 127.0.0.1, or set api.allow_remote = true behind an encrypting proxy",
        );
    }
    findings.range("api.body_bytes_max", api.body_bytes_max, 64 * 1024, 64 * 1024 * 1024);
    findings.range("api.request_timeout_ms", api.request_timeout_ms, 100, 600_000);
    findings.range("api.concurrency_max", api.concurrency_max.into(), 1, 4_096);
    findings.range("api.connections_max", api.connections_max.into(), 4, 65_536);
    findings.range("api.idle_timeout_ms", api.idle_timeout_ms, 100, 600_000);
}

fn follow(config: &Config, findings: &mut Findings) {
    let scopes = &config.follow.scopes;
    if config.follow.all() && scopes.len() > 1 {
        findings.add(
            "follow.scopes",
            "names `all` and others beside it",
            "keep `all` alone, or remove it",
        );
    }
    for scope in scopes {
        if scope != "all" && !is_scope(scope) {
            findings.add(
                "follow.scopes",
                format!("expected `all` or a top-level region, met `{scope}`"),
                "write it like `CN-33`, `CN` or `KZ`",
            );
        }
    }
    for (exchange, mib) in &config.follow.daily_mib {
        let key = format!("follow.daily_mib.{exchange}");
        if !is_exchange_id(exchange) {
            findings.add(&key, "names no exchange", "write its id, like `cn-33-zhejiang`");
        }
        findings.range(&key, (*mib).into(), 0, 1 << 20);
    }
}

fn is_exchange_id(id: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&id.len())
        && id.bytes().enumerate().all(|(i, b)| word(b) || (i > 0 && b == b'-'))
}

/// `CC`, or `CN-` and 2, 4 or 6 digits.
fn is_region(region: &str) -> bool {
    let country = |c: &str| c.len() == 2 && c.bytes().all(|b| b.is_ascii_uppercase());
    match region.split_once('-') {
        None => country(region),
        Some((c, digits)) => {
            c == "CN"
                && matches!(digits.len(), 2 | 4 | 6)
                && digits.bytes().all(|b| b.is_ascii_digit())
        }
    }
}

fn is_scope(scope: &str) -> bool {
    is_region(scope) && scope.len() <= "CN-33".len()
}

fn is_language(tag: &str) -> bool {
    (2..=16).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && tag.as_bytes()[0].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        check(&config).into_iter().map(|finding| finding.key).collect()
    }

    #[test]
    fn an_exchange_id_keeps_its_form() {
        assert!(keys(|c| c.exchange.id = "cn-33-zhejiang".into()).is_empty());
        for wrong in ["cn", "-cn-33", "CN-33-zhejiang", "cn_33", &"a".repeat(64)] {
            assert_eq!(keys(|c| c.exchange.id = wrong.into()), ["exchange.id"], "{wrong}");
        }
    }

    #[test]
    fn a_tier_is_one_of_six() {
        assert!(keys(|c| c.exchange.tier = "county".into()).is_empty());
        assert_eq!(keys(|c| c.exchange.tier = "village".into()), ["exchange.tier"]);
    }

    #[test]
    fn a_region_is_a_country_or_a_chinese_division() {
        for right in ["CN", "CN-33", "CN-3301", "CN-330106", "KZ"] {
            assert!(keys(|c| c.exchange.region = right.into()).is_empty(), "{right}");
        }
        for wrong in ["cn", "CN-3", "CN-33010", "KZ-75", "CHN"] {
            assert_eq!(keys(|c| c.exchange.region = wrong.into()), ["exchange.region"], "{wrong}");
        }
    }

    #[test]
    fn a_follow_scope_is_top_level_or_all() {
        assert!(keys(|c| c.follow.scopes = vec!["CN-33".into(), "KZ".into()]).is_empty());
        assert_eq!(keys(|c| c.follow.scopes = vec!["CN-3301".into()]), ["follow.scopes"]);
        assert_eq!(keys(|c| c.follow.scopes = vec!["all".into(), "KZ".into()]), ["follow.scopes"]);
    }

    #[test]
    fn an_address_beyond_loopback_must_be_wanted() {
        assert_eq!(keys(|c| c.api.listen = ([0, 0, 0, 0], 1).into()), ["api.listen"]);
        let wanted = keys(|c| {
            c.api.listen = ([0, 0, 0, 0], 1).into();
            c.api.allow_remote = true;
        });
        assert!(wanted.is_empty());
    }

    #[test]
    fn a_range_includes_its_ends_and_nothing_beyond() {
        assert!(keys(|c| c.log.batch_ms_max = 1).is_empty());
        assert!(keys(|c| c.log.batch_ms_max = 10_000).is_empty());
        assert_eq!(keys(|c| c.log.batch_ms_max = 0), ["log.batch_ms_max"]);
        assert_eq!(keys(|c| c.log.batch_ms_max = 10_001), ["log.batch_ms_max"]);
    }

    #[test]
    fn strangers_stay_within_all_connections() {
        assert!(keys(|c| c.network.limits.strangers_max = 512).is_empty());
        assert_eq!(
            keys(|c| c.network.limits.strangers_max = 513),
            ["network.limits.strangers_max"]
        );
    }

    #[test]
    fn an_address_is_a_multiaddr() {
        assert!(keys(|c| c.network.bootstrap = vec!["/dns4/a.example/tcp/7411".into()]).is_empty());
        assert_eq!(
            keys(|c| c.network.bootstrap = vec!["a.example:7411".into()]),
            ["network.bootstrap"]
        );
    }

    #[test]
    fn a_relay_is_named_with_its_peer_and_is_reachable_itself() {
        let peer = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        let relays = |address: String| keys(|c| c.network.relays = vec![address]);
        assert!(relays(format!("/dns4/a.example/tcp/7411/p2p/{peer}")).is_empty());
        assert_eq!(relays("/dns4/a.example/tcp/7411".to_owned()), ["network.relays"]);
        assert_eq!(keys(|c| c.network.relay = true), ["network.relay"]);
        let reachable = keys(|c| {
            c.network.relay = true;
            c.exchange.addresses = vec!["/dns4/a.example/tcp/7411".into()];
        });
        assert!(reachable.is_empty());
    }

    #[test]
    fn a_federation_id_is_64_digits_of_lower_case() {
        assert!(keys(|c| c.federation.id = "5f".repeat(32)).is_empty());
        assert_eq!(keys(|c| c.federation.id = "5F".repeat(32)), ["federation.id"]);
        assert_eq!(keys(|c| c.federation.id = "5f".repeat(31)), ["federation.id"]);
    }

    #[test]
    fn a_website_is_encrypted() {
        assert!(keys(|c| c.exchange.website = "https://example.org".into()).is_empty());
        assert_eq!(
            keys(|c| c.exchange.website = "http://example.org".into()),
            ["exchange.website"]
        );
    }

    #[test]
    fn a_filter_must_parse() {
        assert!(keys(|c| c.logging.filter = "info,hutong_node=debug".into()).is_empty());
        assert_eq!(keys(|c| c.logging.filter = "info,=x=".into()), ["logging.filter"]);
    }
}
