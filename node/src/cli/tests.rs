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

/// Draws up a charter of three seats, kept by `@a`.
const NEW: &str = "charter new --council @a.json --council @b.json --council @d.json --data @a";

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

    /// Councillors `@a`, `@b` and `@d`, and `@c` who is none, with descriptors for a founding council `@a.json`
    /// and so on.
    fn with_four() -> Self {
        let desk = Self::new();
        for (name, id, region) in [
            ("a", "cn-33-a", "CN-33"),
            ("b", "cn-32-b", "CN-32"),
            ("c", "cn-31-c", "CN-31"),
            ("d", "cn-34-d", "CN-34"),
        ] {
            desk.done(&format!(
                "init --data @{name} --id {id} --name-zh 某所 --tier provincial --region {region} --unencrypted-seed"
            ));
            desk.done(&format!("member request --founding --data @{name} --output @{name}.json"));
        }
        desk
    }

    fn with_charter() -> Self {
        let desk = Self::with_four();
        desk.done(&format!("{NEW} --name 试验 --output @charter.json"));
        for name in ["a", "b", "d"] {
            desk.done(&format!("charter sign @charter.json --yes --data @{name}"));
        }
        for name in ["a", "b", "c", "d"] {
            desk.done(&format!("charter publish @charter.json --data @{name}"));
        }
        desk.request("c", "council");
        desk
    }

    /// Makes a descriptor under `parent` by the charter that is installed.
    fn request(&self, name: &str, parent: &str) {
        self.done(&format!(
            "member request --parent {parent} --data @{name} --output @{name}.json"
        ));
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

#[test]
fn a_charter_needs_every_founding_signature() {
    let desk = Desk::with_four();
    desk.done(&format!("{NEW} --name 试验 --output @charter.json"));
    desk.done("charter sign @charter.json --yes --data @a");
    let refusal = desk.outcome("charter publish @charter.json --data @a").unwrap_err();
    assert_eq!(Ending::of(&refusal).code(), 1);
    let (who, how) = ("not signed by cn-32-b, cn-34-d:", "`hutong charter sign ");
    assert!(refusal.to_string().contains(who), "{refusal}");
    assert!(refusal.to_string().contains(how), "{refusal}");
    assert!(charter_file::read(&desk.path("a")).unwrap().is_none(), "nothing was changed");
    assert_eq!(desk.run("charter sign @charter.json --yes --data @c"), 1);
    desk.done("charter sign @charter.json --yes --data @b");
    desk.done("charter sign @charter.json --yes --data @d");
    desk.done("charter publish @charter.json --data @a");
    desk.done("charter publish @charter.json --data @a");
    desk.done("charter show --data @a");
    assert!(charter_file::read(&desk.path("a")).unwrap().is_some());
}

#[test]
fn a_charter_is_signed_only_by_whoever_said_yes() {
    let desk = Desk::with_four();
    desk.done(&format!("{NEW} --name 试验 --output @charter.json"));
    assert_eq!(desk.run("charter sign @charter.json --data @a"), 2);
    assert_eq!(desk.json("charter.json")["signatures"], json!([]));
}

#[test]
fn the_keeper_is_this_exchange_or_named_with_its_key() {
    let desk = Desk::with_four();
    desk.done(&format!("{NEW} --name 试验 --output @first.json"));
    let first = desk.json("first.json");
    assert_eq!(first["charter"]["keeper"], "cn-33-a");
    assert_eq!(first["charter"]["witness_quorum"], 2);
    // Another keeper's key is its own to show.
    let named = format!("{NEW} --name 试验 --keeper cn-32-b --output @named.json");
    assert_eq!(desk.run(&named), 2);
    let key = KeyFolder::of(&desk.path("b")).open(None).unwrap().derive(Purpose::Register);
    let key = hutong_protocol::suite::key_text(&key.public());
    desk.done(&format!("{named} --register-key {key}"));
    assert_eq!(desk.json("named.json")["charter"]["register_key"], json!(key));
}

#[test]
fn councils_of_two_and_quorums_of_no_majority_are_refused() {
    let desk = Desk::with_four();
    let two = "charter new --name 试验 --council @a.json --council @b.json --data @a";
    let refusal = desk.outcome(&format!("{two} --output @x.json")).unwrap_err();
    assert!(format!("{refusal:#}").contains("four is the smallest council"), "{refusal:#}");
    for quorum in [0, 1, 4] {
        let line = format!("{NEW} --name 试验 --quorum {quorum} --output @x.json");
        assert_eq!(desk.run(&line), 1, "{line}");
    }
    assert!(!desk.path("x.json").exists());
    desk.done(&format!("{NEW} --name 试验 --quorum 3 --output @x.json"));
    let alone = "charter new --name 试验 --council @a.json --data @a --output @alone.json";
    desk.done(alone);
    assert_eq!(desk.json("alone.json")["charter"]["witness_quorum"], 0);
}

#[test]
fn signatures_on_copies_are_merged_and_those_on_another_charter_are_not() {
    let desk = Desk::with_four();
    desk.done(&format!("{NEW} --name 试验 --output @one.json"));
    std::fs::copy(desk.path("one.json"), desk.path("two.json")).unwrap();
    desk.done("charter sign @one.json --yes --data @a");
    desk.done("charter sign @two.json --yes --data @b");
    desk.done("charter sign @two.json --yes --data @d");
    desk.done("charter merge @one.json @two.json --output @both.json");
    desk.done("charter publish @both.json --data @c");
    desk.done(&format!("{NEW} --name 另一个 --output @other.json"));
    assert_eq!(desk.run("charter merge @one.json @other.json --output @x.json"), 1);
}

#[test]
fn no_file_with_signatures_is_written_over() {
    let desk = Desk::with_four();
    desk.done(&format!("{NEW} --name 试验 --output @one.json"));
    // Without signatures it may be drawn up again.
    desk.done(&format!("{NEW} --name 另一个 --output @one.json"));
    desk.done("charter sign @one.json --yes --data @a");
    let signed = std::fs::read(desk.path("one.json")).unwrap();
    assert_eq!(desk.run(&format!("{NEW} --name 试验 --output @one.json")), 1);
    assert_eq!(std::fs::read(desk.path("one.json")).unwrap(), signed);
    desk.done(&format!("{NEW} --name 另一个 --output @two.json"));
    assert_eq!(desk.run("charter merge @two.json --output @one.json"), 1);
    assert_eq!(std::fs::read(desk.path("one.json")).unwrap(), signed);
    desk.done("charter sign @one.json --yes --data @b");
    assert_eq!(desk.json("one.json")["signatures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_later_charter_is_judged_by_the_one_held_and_waits_for_the_node() {
    let desk = Desk::with_charter();
    let new = "charter new --name 试验 --data @a --council @a.json --council @b.json --council @c.json --council @d.json";
    // The seats of a later version name the federation.
    let line = format!("{new} --previous @charter.json --output @next.json");
    let refusal = format!("{:#}", desk.outcome(&line).unwrap_err());
    assert!(refusal.contains("hutong member request --parent council"), "{refusal}");
    for name in ["a", "b", "d"] {
        desk.request(name, "council");
    }
    desk.done(&line);
    desk.done("charter sign @next.json --yes --data @a");
    let published = charter_file::read(&desk.path("c")).unwrap();
    assert_eq!(desk.run("charter publish @next.json --data @c"), 1, "too few signed");
    for name in ["b", "c"] {
        desk.done(&format!("charter sign @next.json --yes --data @{name}"));
    }
    // Only a register makes it take effect: a node has to hand it on.
    assert_eq!(desk.run("charter publish @next.json --data @c"), 3);
    assert_eq!(charter_file::read(&desk.path("c")).unwrap(), published);
    desk.done("charter show @next.json --data @c");
}

#[test]
fn a_federation_of_one_is_founded_and_others_join_by_invitation() {
    let desk = Desk::new();
    let who = "--id cn-33-a --name-zh 某所 --tier provincial --region CN-33 --unencrypted-seed";
    desk.done(&format!(
        "federation new --name 试验 --alone {who} --address /ip4/192.0.2.1/tcp/7411 --data @a"
    ));
    let chain = charter_file::read(&desk.path("a")).unwrap().unwrap();
    assert!(chain.latest().is_unwitnessed());
    assert_eq!(desk.run("federation new --name 另一个 --alone --data @a"), 1);
    desk.done("member invite --data @a --output @invitation.json");
    let who = "--id cn-3301-b --name-zh 杭州 --tier municipal --region CN-3301 --unencrypted-seed";
    let join = format!("member join @invitation.json {who} --data @b --output @b.json");
    assert_eq!(desk.run(&join), 2, "nobody compared the digest");
    assert!(!desk.path("b").exists());
    desk.done(&format!("{join} --yes"));
    let descriptor = &desk.json("b.json")["descriptor"];
    assert_eq!(descriptor["parent"], "cn-33-a");
    assert_eq!(descriptor["federation"], chain.federation_id().to_string());
    assert_eq!(charter_file::read(&desk.path("b")).unwrap(), Some(chain));
    let config = std::fs::read_to_string(desk.path("b").join("hutong.toml")).unwrap();
    assert!(config.contains("/ip4/192.0.2.1/tcp/7411"), "{config}");
    // A changed invitation, and a data folder of another federation.
    let mut changed = desk.json("invitation.json");
    changed["charters"][0]["charter"]["federation"] = json!("另一个");
    std::fs::write(desk.path("changed.json"), changed.to_string()).unwrap();
    assert_eq!(desk.run(&format!("member join @changed.json {who} --data @c --yes")), 1);
    let who = "--id cn-32-o --name-zh 另所 --tier provincial --region CN-32 --unencrypted-seed";
    desk.done(&format!("federation new --name 另一个 --alone {who} --data @o"));
    assert_eq!(desk.run("member join @invitation.json --data @o --yes"), 1);
}

#[test]
fn a_federation_of_three_is_collected_and_one_of_two_refused() {
    let desk = Desk::with_four();
    let new = "federation new --name 试验 --data @a";
    assert_eq!(desk.run(&format!("{new} --council @b.json --output @x.json")), 2);
    desk.done(&format!("{new} --council @b.json --council @d.json --output @x.json"));
    let charter = desk.json("x.json");
    assert_eq!(charter["charter"]["keeper"], "cn-33-a");
    assert_eq!(charter["signatures"].as_array().unwrap().len(), 1);
    assert!(charter_file::read(&desk.path("a")).unwrap().is_none());
    desk.done("charter sign @x.json --yes --data @b");
    desk.done("charter sign @x.json --yes --data @d");
    desk.done("charter publish @x.json --data @a");
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
    assert_eq!(desk.run("member approve @c.json --approvals @yes.json --data @a"), 2);
    assert!(!desk.path("yes.json").exists());
    desk.done("member approve @c.json --approvals @yes.json --yes --data @a");
    desk.done("member approve @c.json --approvals @yes.json --yes --data @b");
    desk.done("member approve @c.json --approvals @yes.json --yes --data @b");
    let file = desk.json("yes.json");
    assert_eq!(file["approvals"].as_array().unwrap().len(), 2);
    let charter = charter_file::read(&desk.path("a")).unwrap().unwrap().latest_digest();
    assert_eq!((&file["number"], &file["charter"]), (&json!(1), &json!(charter.to_string())));
    // Only the council approves, and one file holds approvals of one decision.
    assert_eq!(desk.run("member approve @c.json --approvals @no.json --yes --data @c"), 1);
    assert_eq!(desk.run("member approve @b.json --approvals @yes.json --yes --data @a"), 1);
    desk.done("member suspend cn-31-c --log-size 0 --approve @suspend.json --yes --data @a");
    let file = desk.json("suspend.json");
    assert_eq!((&file["member"], &file["log_size_honoured"]), (&json!("cn-31-c"), &json!(0)));
    let empty = hutong_crypto::merkle::empty_root().to_string();
    assert_eq!(file["log_root_honoured"], empty);
    // No decision reaches beyond what is witnessed here.
    let far = "member suspend cn-31-c --log-size 4 --approve @suspend.json --yes --data @b";
    assert_eq!(desk.run(far), 2);
    let reason = "member suspend cn-31-c --reason x --approve @suspend.json --yes --data @b";
    assert_eq!(desk.run(reason), 1, "another decision");
    // Without a running node a decision cannot be published.
    assert_eq!(desk.run("member admit @c.json --approvals @yes.json --yes --data @a"), 3);
    assert_eq!(desk.run("member admit @b.json --approvals @yes.json --yes --data @a"), 1);
}

#[test]
fn a_decision_has_its_last_day() {
    let desk = Desk::with_charter();
    let approve = "member approve @c.json --approvals @yes.json --yes --data @a";
    assert_eq!(desk.run(&format!("{approve} --until tomorrow")), 2);
    desk.done(&format!("{approve} --until 2027-01-01"));
    assert_eq!(desk.json("yes.json")["until"], "2027-01-01");
}

#[test]
fn the_old_key_consents_to_the_new_descriptor_of_its_own_exchange() {
    let desk = Desk::with_charter();
    desk.done("member consent @c.json --yes --data @c --output @consent.json");
    assert_eq!(desk.json("consent.json")["exchange"], "cn-31-c");
    assert_eq!(desk.run("member consent @c.json --yes --data @a --output @x.json"), 1);
    let rekey = "member rekey @c.json --approve @rekey.json --yes --data @a";
    desk.done(&format!("{rekey} --consent @consent.json"));
    let file = desk.json("rekey.json");
    assert_eq!(file["consent"], desk.json("consent.json")["consent"]);
    assert_eq!(file.get("member"), None, "the descriptor names it");
    desk.request("d", "council");
    let other = "member rekey @d.json --approve @y.json --yes --data @a --consent @consent.json";
    assert_eq!(desk.run(other), 1, "the consent is to another descriptor");
}

#[test]
fn a_request_needs_the_federation_and_names_the_parent() {
    let desk = Desk::with_charter();
    assert_eq!(desk.json("c.json")["descriptor"]["parent"], "council");
    let federation = charter_file::read(&desk.path("a")).unwrap().unwrap().federation_id();
    assert_eq!(desk.json("c.json")["descriptor"]["federation"], federation.to_string());
    assert_eq!(desk.json("a.json")["descriptor"].get("federation"), None);

    std::fs::remove_file(desk.path("c").join("charter.json")).unwrap();
    let request = "member request --output @e.json --data @c";
    let refusal = desk.outcome(&format!("{request} --parent cn-33-a")).unwrap_err();
    assert_eq!(Ending::of(&refusal).code(), 5);
    assert!(refusal.to_string().contains("--charter FILE"), "{refusal}");
    desk.done(&format!("{request} --parent cn-33-a --charter @charter.json"));
    assert_eq!(desk.json("e.json")["descriptor"]["parent"], "cn-33-a");
    assert_eq!(desk.run(&format!("{request} --parent CN --charter @charter.json")), 2);
    // Nobody is its own parent.
    assert_eq!(desk.run(&format!("{request} --parent cn-31-c --charter @charter.json")), 1);

    // Whoever is not the parent that it names is told so before anything is signed or sent.
    let refusal =
        desk.outcome("member approve @e.json --approvals @y.json --yes --data @a").unwrap_err();
    assert!(refusal.to_string().contains("the parent cn-33-a, not for"), "{refusal}");
    assert_eq!(desk.run("member admit @e.json --yes --data @b"), 1);
    assert_eq!(desk.run("member admit @e.json --yes --data @a"), 3);
    let refusal = desk.outcome("member admit @b.json --yes --data @a").unwrap_err();
    assert!(refusal.to_string().contains("made for a founding council"), "{refusal}");

    // A charter file of another federation than the one that is installed.
    desk.done("charter new --name 另一个 --council @a.json --data @a --output @other.json");
    desk.done("charter sign @other.json --yes --data @a");
    let line = "member request --parent council --charter @other.json --data @b --output @f.json";
    assert_eq!(desk.run(line), 1);
}

#[test]
fn a_changed_descriptor_is_refused() {
    let desk = Desk::with_four();
    let mut descriptor = desk.json("c.json");
    descriptor["descriptor"]["website"] = json!("https://example.org");
    std::fs::write(desk.path("c.json"), descriptor.to_string()).unwrap();
    let line = format!("{NEW} --council @c.json --name 试验 --output @x.json");
    assert_eq!(desk.run(&line), 1);
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
    desk.done("log export cn-33-a @all --audience all --include-restricted --data @a");
    assert_eq!(desk.run("log export cn-33-a @more --audience all --data @a"), 2);
    assert_eq!(desk.run("log export cn-33-a @more --audience domestic --data @a"), 2);
    assert_eq!(desk.run("log export cn-33-a @more --include-restricted --data @a"), 2);
    assert!(!desk.path("more").exists());
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
    let desk = Desk::with_four();
    for line in [
        "fsck",
        "rebuild",
        "log verify",
        "log export cn-33-a @site",
        "keys show",
        "keys backup",
        "charter show",
        "charter sign @x.json",
        "member request --founding --output @x.json",
    ] {
        let line = format!("{line} --data @nowhere");
        // A charter is drawn up before anybody signs it.
        desk.done(&format!("{NEW} --name 试验 --output @x.json"));
        assert_eq!(desk.run(&line), 5, "{line}");
    }
    assert!(!desk.path("nowhere").exists());
    // A data folder without a charter, and on which no node has run.
    for line in
        ["charter show", "member approve @c.json --approvals @y.json --yes", "fsck", "log verify"]
    {
        assert_eq!(desk.run(&format!("{line} --data @a")), 5, "{line}");
    }
}
