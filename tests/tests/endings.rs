//! How commands end as processes: with the documented code, and with what to do next. About 5 s.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::{ended, program, run, spawn};

/// Runs a command, and looks at its exit code and at what it says.
fn ends(data: &Path, line: &[&str], code: i32, says: &[&str]) -> anyhow::Result<()> {
    let output: Output = run(data, line)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{line:?} ended with {}: {said}", output.status);
    for word in says {
        ensure!(said.contains(word), "{line:?} does not say {word}: {said}");
    }
    Ok(())
}

#[test]
fn a_node_without_folder_seed_or_charter_says_what_is_missing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let nowhere = folder.path().join("nowhere");
    ends(&nowhere, &["run"], 5, &["hutong init"])?;
    ends(&nowhere, &["status"], 5, &["hutong init"])?;
    ensure!(!nowhere.exists(), "a folder was made");

    let data = folder.path().join("data");
    let init =
        "init --id cn-33-a --name-zh 某所 --tier provincial --region CN-33 --unencrypted-seed";
    ends(&data, &init.split(' ').collect::<Vec<_>>(), 0, &[])?;
    ends(&data, &["run"], 5, &["no charter is installed", "hutong charter publish"])?;
    ends(&data, &["status"], 3, &["hutong run"])?;
    std::fs::write(data.join("charter.json"), "{}")?;
    ends(&data, &["run"], 5, &["charter.json"])
}

#[test]
fn a_sealed_seed_is_named_and_the_way_to_open_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "ten or more characters\n")?;
    let secret = secret.display().to_string();
    let mut init: Vec<&str> =
        "init --id cn-33-a --name-zh 某所 --tier provincial --region CN-33".split(' ').collect();
    init.extend(["--passphrase-file", &secret]);
    ends(&data, &init, 0, &[])?;
    let way = ["sealed", "--passphrase-file", "HUTONG_PASSPHRASE"];
    let output = data.join("x.json").display().to_string();
    for line in [
        &["run"][..],
        &["keys", "show"],
        &["keys", "backup"],
        &["member", "request", "--founding", "--output", &output],
    ] {
        ends(&data, line, 5, &way)?;
    }
    // Who asks for the node learns why none may be running.
    ends(&data, &["status"], 3, &way)
}

#[test]
fn a_node_that_is_not_ready_asks_to_be_asked_again() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    let data = federation.exchanges[0].data.clone();
    // A restored seed waits for a peer, and none runs.
    std::fs::write(data.join("keys/restored"), "")?;
    federation.start([0])?;
    let file = data.join("listing.json");
    std::fs::write(&file, listing("early")?.body.to_string())?;
    let file = file.display().to_string();
    ends(&data, &["listing", "publish", &file], 6, &["try again"])?;
    ends(&data, &["status"], 0, &[])?;
    ends(&data, &["status", "--wait", "0"], 6, &["may not publish yet", "being compared"])?;
    let output = run(&data, &["--json", "listing", "publish", &file])?;
    let problem: serde_json::Value = serde_json::from_slice(&output.stderr)?;
    ensure!(problem["code"] == 6, "not told in JSON: {problem}");
    // A second node on the same folder is refused.
    let mut second = spawn_beside(&data)?;
    let status = ended(&mut second, Duration::from_secs(30))?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    Ok(())
}

#[test]
fn a_status_is_waited_for() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    let data = federation.exchanges[0].data.clone();
    let waiting = std::thread::spawn(move || run(&data, &["status", "--wait", "60", "--json"]));
    federation.start([0])?;
    let output = waiting.join().map_err(|_| anyhow::anyhow!("the command fell"))??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(status["ready"] == true && status["membership"] == "active", "{status}");
    Ok(())
}

#[test]
fn a_closed_terminal_ends_no_node_and_a_proxy_is_not_asked_for_it() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0])?;
    let exchange = &federation.exchanges[0];
    let pid = i32::try_from(exchange.node()?.id())?;
    let pid = rustix::process::Pid::from_raw(pid).context("a process has a number")?;
    rustix::process::kill_process(pid, rustix::process::Signal::HUP)?;
    exchange.node()?.ready()?;
    // Nobody listens there: asked by way of it, the command would fail.
    let proxy = "http://127.0.0.1:9";
    let output = Command::new(program()?)
        .args(["status", "--data"])
        .arg(&exchange.data)
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env("ALL_PROXY", proxy)
        .envs([("HUTONG_CONFIG", ""), ("HUTONG_LANG", ""), ("HUTONG_LOG__BATCH_MS_MAX", "")])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    federation.take(0)?.stop()
}

#[test]
fn who_listens_at_the_address_of_a_killed_node_is_sent_nothing() -> anyhow::Result<()> {
    let mut federation = Federation::found(3)?;
    federation.start([0])?;
    let data = federation.exchanges[0].data.clone();
    let address = std::fs::read_to_string(data.join("api.addr"))?;
    federation.take(0)?.kill()?;
    let other = std::net::TcpListener::bind(address.trim())?;
    other.set_nonblocking(true)?;
    ends(&data, &["status"], 3, &["hutong run"])?;
    ensure!(other.accept().is_err(), "the other program was called");
    Ok(())
}

/// Starts a node on a folder where one runs, whose address file stays.
fn spawn_beside(data: &Path) -> anyhow::Result<std::process::Child> {
    let address = data.join("api.addr");
    let kept = std::fs::read(&address)?;
    let child = spawn(data, &[])?;
    std::fs::write(address, kept)?;
    Ok(child)
}
