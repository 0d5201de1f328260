//! A member that signs two different trees of one size, by running its keys on two folders. About 10 s.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_node::api::client::{Client, ClientError};
use hutong_node::api::model::ReceiptRequest;
use hutong_node::receipts::Issued;
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::{Process, run, spawn, wait};

const PATIENCE: Duration = Duration::from_mins(1);

/// The exchange whose keys are used twice.
const TWICE: usize = 2;

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from)? {
        let path = item?.path();
        let target = to.join(path.file_name().context("a file has a name")?);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            // With its permissions: a seed that others can read is refused.
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn receipt_of(client: &Client, statement: &str) -> Result<Issued, ClientError> {
    client.receipt(&ReceiptRequest {
        statement: Some(statement.to_owned()),
        provisional: true,
        ..ReceiptRequest::default()
    })
}

/// The text that a command prints, in English.
fn printed(data: &Path, line: &[&str]) -> anyhow::Result<String> {
    let output = run(data, line)?;
    ensure!(output.status.success(), "{line:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn two_trees_of_one_size_freeze_the_log_everywhere() -> anyhow::Result<()> {
    let mut federation = Federation::running(4)?;
    let id = federation.exchanges[TWICE].id.clone();
    let common = federation.exchanges[TWICE].publish(vec![listing("common")?])?;
    federation.agree(&[0, 1, 2, 3], PATIENCE)?;
    wait(PATIENCE, "a quorum for the common entry", || {
        Ok(federation.exchanges[0].node()?.client().log(&id)?.log.cosigned_size == Some(1))
    })?;

    // A frozen log stands as far as the register's last anchor has it.
    let client = federation.exchanges[0].node()?.client();
    client.want_anchor()?;
    let anchored =
        ReceiptRequest { statement: Some(common[0].id.clone()), ..ReceiptRequest::default() };
    wait(PATIENCE, "an anchor of the common entry", || Ok(client.receipt(&anchored).is_ok()))?;

    // The folder is copied, and the first node goes on. One witness is away: there is no quorum for this.
    federation.take(1)?.stop()?;
    federation.take(TWICE)?.stop()?;
    let data = federation.exchanges[TWICE].data.clone();
    let twin = data.with_extension("twin");
    copy(&data, &twin)?;
    federation.start([TWICE])?;
    federation.exchanges[TWICE].node()?.ready()?;
    let left = federation.exchanges[TWICE].publish(vec![listing("left")?])?;
    federation.agree(&[0, TWICE, 3], PATIENCE)?;

    // The copy, with nobody there to show it what it has forgotten, goes on otherwise.
    for index in [TWICE, 0, 3] {
        federation.take(index)?.stop()?;
    }
    let second = Process::connect(&twin, spawn(&twin, &[])?)?;
    second.ready()?;
    let right = second.client().publish(vec![listing("right")?])?;
    ensure!(right[0].index == left[0].index && right[0].id != left[0].id, "no contradiction");

    federation.start([0, 1, 3])?;
    for index in [0, 1, 3] {
        let client = federation.exchanges[index].node()?.client();
        wait(PATIENCE, "a node to freeze the log", || {
            let frozen = client.log(&id)?.log.frozen;
            Ok(frozen == Some(1) && client.status()?.frozen == [id.clone()])
        })
        .with_context(|| format!("at {}", federation.exchanges[index].id))?;
    }
    // Who did it, by malice or by mistake, signs no more.
    wait(PATIENCE, "the log's owner to stop", || {
        let refused = second.client().publish(vec![listing("more")?]);
        Ok(matches!(refused, Err(ClientError::Refused(problem)) if problem.status == 409))
    })?;

    let watcher = &federation.exchanges[0];
    let status = printed(&watcher.data, &["status"])?;
    ensure!(status.contains(&id) && status.contains("frozen"), "status says: {status}");
    let log = printed(&watcher.data, &["log", "show", &id])?;
    ensure!(log.contains("frozen at"), "log show says: {log}");
    let log: serde_json::Value =
        serde_json::from_str(&printed(&watcher.data, &["log", "show", &id, "--json"])?)?;
    ensure!(log["frozen"] == 1, "log show says {log}");

    // Up to the frozen size everything stands, beyond it nothing.
    let client = watcher.node()?.client();
    receipt_of(client, &common[0].id).context("no receipt within the frozen size")?;
    for beyond in [&left[0].id, &right[0].id] {
        let refused = receipt_of(client, beyond);
        let status = match &refused {
            Err(ClientError::Refused(problem)) => problem.status,
            _ => 0,
        };
        ensure!([404, 409, 503].contains(&status), "a receipt beyond the frozen size: {refused:?}");
    }
    second.stop()?;

    // Evidence is kept: a node that starts again knows.
    federation.take(0)?.stop()?;
    federation.start([0])?;
    let client = federation.exchanges[0].node()?.client();
    ensure!(client.status()?.frozen == [id], "the evidence is forgotten");
    Ok(())
}
