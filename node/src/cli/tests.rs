//! Commands as a person runs them, in folders of their own and without a node.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use clap::Parser as _;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::keys::Purpose;
use hutong_crypto::merkle::Frontier;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::Origin;
use hutong_protocol::persist::Persist;
use serde_json::{Value, json};

use super::args::Cli;
use super::console::Console;
use super::exit::Ending;
use super::lang::Lang;
use crate::charter_file;
use crate::keys::KeyFolder;
use crate::store::{Store, StoreOptions};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a line in which `@x` is the file or folder `x` of this desk.
    fn outcome(&self, line: &str) -> anyhow::Result<()> {
        let place = self.0.path().to_str().unwrap();
        let words = line.split_whitespace().map(|word| word.replace('@', &format!("{place}/")));
        let words = ["hutong".to_owned(), "--json".to_owned()].into_iter().chain(words);
        let cli = Cli::try_parse_from(words).unwrap();
        super::dispatch(cli, Console { lang: Lang::En, json: true })
    }

    /// As [`Desk::outcome`]; the exit code.
    fn run(&self, line: &str) -> u8 {
        self.outcome(line).map_or_else(|error| Ending::of(&error).code(), |()| 0)
    }

    fn done(&self, line: &str) {
        assert_eq!(self.run(line), 0, "{line}");
    }

    /// Two councillors `@a` and `@b`, and `@c` who is none, with their descriptors `@a.json` and so on.
    fn with_three() -> Self {
        let desk = Self::new();
        for (name, id, region) in
            [("a", "cn-33-a", "CN-33"), ("b", "cn-32-b", "CN-32"), ("c", "cn-31-c", "CN-31")]
        {
            desk.done(&format!(
                "init --data @{name} --id {id} --name-zh 某所 --tier provincial --region {region} --unencrypted-seed"
            ));
            desk.done(&format!("member request --data @{name} --output @{name}.json"));
        }
        desk
    }

    fn with_charter() -> Self {
        let desk = Self::with_three();
        desk.done(
            "charter new --name 试验 --council @a.json --council @b.json --output @charter.json",
        );
        desk.done("charter sign @charter.json --data @a");
        desk.done("charter sign @charter.json --data @b");
        for name in ["a", "b", "c"] {
            desk.done(&format!("charter publish @charter.json --data @{name}"));
        }
        desk
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

#[test]
fn a_charter_needs_every_founding_signature() {
    let desk = Desk::with_three();
    desk.done("charter new --name 试验 --council @a.json --council @b.json --output @charter.json");
    desk.done("charter sign @charter.json --data @a");
    let refusal = desk.outcome("charter publish @charter.json --data @a").unwrap_err();
    assert_eq!(Ending::of(&refusal).code(), 1);
    let (who, how) = ("not signed by cn-32-b:", "`hutong charter sign ");
    assert!(refusal.to_string().contains(who), "{refusal}");
    assert!(refusal.to_string().contains(how), "{refusal}");
    assert_eq!(desk.run("charter sign @charter.json --data @c"), 1);
    desk.done("charter sign @charter.json --data @b");
    desk.done("charter publish @charter.json --data @a");
    desk.done("charter show --data @a");
    assert!(charter_file::read(&desk.path("a")).unwrap().is_some());
}

#[test]
fn the_first_council_member_given_is_the_registrar() {
    let desk = Desk::with_three();
    let new = "charter new --name 试验 --council @a.json --council @b.json";
    desk.done(&format!("{new} --output @first.json"));
    assert_eq!(desk.json("first.json")["charter"]["registrar"], "cn-33-a");
    desk.done(&format!("{new} --registrar cn-32-b --output @named.json"));
    assert_eq!(desk.json("named.json")["charter"]["registrar"], "cn-32-b");
}

#[test]
fn signatures_on_copies_are_merged_and_those_on_another_charter_are_not() {
    let desk = Desk::with_three();
    let new = "charter new --council @a.json --council @b.json";
    desk.done(&format!("{new} --name 试验 --output @one.json"));
    std::fs::copy(desk.path("one.json"), desk.path("two.json")).unwrap();
    desk.done("charter sign @one.json --data @a");
    desk.done("charter sign @two.json --data @b");
    desk.done("charter merge @one.json @two.json --output @both.json");
    desk.done("charter publish @both.json --data @c");
    desk.done(&format!("{new} --name 另一个 --output @other.json"));
    assert_eq!(desk.run("charter merge @one.json @other.json --output @x.json"), 1);
}

#[test]
fn a_later_charter_follows_the_one_before() {
    let desk = Desk::with_charter();
    let new = "charter new --name 试验 --council @a.json --council @b.json --council @c.json";
    assert_eq!(desk.run(&format!("{new} --previous @charter.json --output @next.json")), 2);
    desk.done(&format!(
        "{new} --previous @charter.json --decisions-honoured 0 --output @next.json"
    ));
    desk.done("charter sign @next.json --data @a");
    assert_eq!(desk.run("charter publish @next.json --data @c"), 1);
    desk.done("charter sign @next.json --data @b");
    desk.done("charter publish @next.json --data @c");
    let chain = charter_file::read(&desk.path("c")).unwrap().unwrap();
    assert_eq!(chain.version(), 2);
}

#[test]
fn a_charter_of_another_federation_is_refused_where_one_is_pinned() {
    let desk = Desk::with_charter();
    let config = desk.path("c").join("hutong.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::remove_file(desk.path("c").join("charter.json")).unwrap();
    let id = charter_file::read(&desk.path("a")).unwrap().unwrap().federation_id();
    std::fs::write(&config, format!("{text}\n[federation]\nid = \"{id}\"\n")).unwrap();
    desk.done("charter publish @charter.json --data @c");
    std::fs::remove_file(desk.path("c").join("charter.json")).unwrap();
    let other = "5f".repeat(32);
    std::fs::write(&config, format!("{text}\n[federation]\nid = \"{other}\"\n")).unwrap();
    assert_eq!(desk.run("charter publish @charter.json --data @c"), 1);
}

#[test]
fn approvals_gather_in_one_file_and_cover_one_decision() {
    let desk = Desk::with_charter();
    desk.done("member approve @c.json --approvals @yes.json --data @a");
    desk.done("member approve @c.json --approvals @yes.json --data @b");
    desk.done("member approve @c.json --approvals @yes.json --data @b");
    let file = desk.json("yes.json");
    assert_eq!(file["approvals"].as_array().unwrap().len(), 2);
    assert_eq!(file["charter_version"], 1);
    // Only the council approves, and one file holds approvals of one decision.
    assert_eq!(desk.run("member approve @c.json --approvals @no.json --data @c"), 1);
    assert_eq!(desk.run("member approve @b.json --approvals @yes.json --data @a"), 1);
    desk.done("member suspend cn-31-c --log-size 3 --approve @suspend.json --data @a");
    let file = desk.json("suspend.json");
    assert_eq!((&file["member"], &file["log_size_honoured"]), (&json!("cn-31-c"), &json!(3)));
    assert_eq!(
        desk.run("member suspend cn-31-c --log-size 4 --approve @suspend.json --data @b"),
        1
    );
    // Without a running node a decision cannot be published.
    assert_eq!(desk.run("member admit @c.json --approvals @yes.json --data @a"), 3);
    assert_eq!(desk.run("member admit @b.json --approvals @yes.json --data @a"), 1);
}

#[test]
fn a_changed_descriptor_is_refused() {
    let desk = Desk::with_three();
    let mut descriptor = desk.json("c.json");
    descriptor["descriptor"]["website"] = json!("https://example.org");
    std::fs::write(desk.path("c.json"), descriptor.to_string()).unwrap();
    let line = "charter new --name 试验 --council @a.json --council @c.json --output @x.json";
    assert_eq!(desk.run(line), 1);
    assert!(!desk.path("x.json").exists());
}

/// Fills the log of `@a` with entries and a signed checkpoint.
fn fill(data: &Path) {
    let seed = KeyFolder::of(data).open(None).unwrap();
    let log: hutong_protocol::id::ExchangeId = "cn-33-a".parse().unwrap();
    let mut frontier = Frontier::new();
    let mut leaves = Vec::new();
    for number in 0..300_u32 {
        let body = json!({"number": number});
        let statement = json!({
            "audience": "public", "body": body, "issued_at": "2026-11-23T08:00:00Z",
            "issuer": "cn-33-a", "salt": "AAAAAAAAAAAAAAAAAAAAAA", "type": "example/v1",
        });
        let bytes = hutong_protocol::json::canonicalize(&statement);
        let entry = Entry::sign(&seed.derive(Purpose::Issuer), &bytes).unwrap();
        frontier.append(entry.leaf_hash());
        leaves.push(Leaf::Entry(entry));
    }
    let federation = charter_file::read(data).unwrap().unwrap().federation_id();
    let origin = Origin::new(&federation, &log).to_string();
    let checkpoint =
        Checkpoint { origin, size: 300, root: frontier.root(), extensions: Vec::new() };
    let note = checkpoint.sign(&seed.derive(Purpose::Log)).to_string();
    let store = Store::open(data, &StoreOptions::default()).unwrap();
    store
        .commit(&[
            Persist::Leaves { log: log.clone(), from: 0, leaves, void: Vec::new() },
            Persist::Checkpoint { log, note, size: 300 },
        ])
        .unwrap();
}

#[test]
fn a_sound_log_verifies_exports_and_rebuilds() {
    let desk = Desk::with_charter();
    fill(&desk.path("a"));
    desk.done("log verify --data @a");
    desk.done("fsck --data @a");
    desk.done("rebuild --data @a");
    desk.done("log export cn-33-a @site --data @a");
    assert!(desk.path("site").join("checkpoint").exists());
    desk.done("log export cn-33-a @dsse.jsonl --dsse --data @a");
    let text = std::fs::read_to_string(desk.path("dsse.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 300);
    assert!(text.lines().all(|line| line.contains("payloadType")));
    assert_eq!(desk.run("log export cn-33-a @dsse.jsonl --dsse --data @a"), 1);
    assert_eq!(desk.run("log verify nobody-here --data @a"), 1);
    assert_eq!(desk.run("log verify No --data @a"), 2);
}

#[test]
fn a_flipped_bit_on_disk_ends_with_the_code_for_damage() {
    let desk = Desk::with_charter();
    fill(&desk.path("a"));
    let bundle = desk.path("a").join("logs/cn-33-a/tile/entries/000");
    let mut bytes = std::fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    assert_eq!(desk.run("fsck --data @a"), 4);
    assert_eq!(desk.run("log verify --data @a"), 4);
}

#[test]
fn whoever_drops_the_own_log_signs_nothing_before_it_was_compared() {
    let desk = Desk::with_charter();
    fill(&desk.path("a"));
    let keys = KeyFolder::of(&desk.path("a"));
    assert_eq!(desk.run("log drop nobody-here --data @a"), 1);
    assert!(!keys.restored());
    desk.done("log drop cn-33-a --data @a");
    assert!(keys.restored());
    let store = Store::open(&desk.path("a"), &StoreOptions::default()).unwrap();
    assert_eq!(store.restore().unwrap()[0].frontier.size(), 0);
}

#[test]
fn a_command_that_needs_a_node_says_so() {
    let desk = Desk::with_charter();
    std::fs::write(desk.path("x.json"), "{}").unwrap();
    for line in [
        "status",
        "peers",
        "member list",
        "member show cn-33-a",
        "listing list",
        "listing show cn-33-a x",
        "listing withdraw x",
        "contract list",
        "contract show 1",
        "receipt issue 1",
        "receipt bundle",
        "log show",
        "log show cn-33-a",
        "log show cn-33-a 0",
    ] {
        assert_eq!(desk.run(&format!("{line} --data @a")), 3, "{line}");
        // Where nothing was set up there is nothing to reach.
        assert_eq!(desk.run(&format!("{line} --data @nowhere")), 5, "{line}");
    }
    assert!(!desk.path("nowhere").exists());
}

#[test]
fn what_must_be_set_up_first_has_its_code() {
    let desk = Desk::with_three();
    for line in [
        "fsck",
        "rebuild",
        "log verify",
        "log export cn-33-a @site",
        "keys show",
        "keys backup",
        "charter show",
        "charter sign @x.json",
        "member request --output @x.json",
    ] {
        let line = format!("{line} --data @nowhere");
        // A charter is drawn up before anybody signs it.
        desk.done("charter new --name 试验 --council @a.json --council @b.json --output @x.json");
        assert_eq!(desk.run(&line), 5, "{line}");
    }
    assert!(!desk.path("nowhere").exists());
    // A data folder without a charter, and on which no node has run.
    for line in ["charter show", "member approve @c.json --approvals @y.json", "fsck", "log verify"]
    {
        assert_eq!(desk.run(&format!("{line} --data @a")), 5, "{line}");
    }
}
