//! What the register decides, by the commands of operators: receipts, suspension, the next charter. About 20 s.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hutong_tests::federation::{Federation, listing};
use hutong_tests::process::{run, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// Runs a command with JSON output, which must end well.
fn done(data: &Path, line: &str) -> anyhow::Result<Value> {
    let output = run(data, &["--json"].into_iter().chain(line.split(' ')).collect::<Vec<_>>())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line} ended with {}: {said}", output.status);
    if output.stdout.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{line} prints no JSON"))
}

fn code(data: &Path, line: &str) -> anyhow::Result<Option<i32>> {
    Ok(run(data, &line.split(' ').collect::<Vec<_>>())?.status.code())
}

/// A scratch folder, and names of files in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// The status of a member as the node on `data` has it.
fn status(data: &Path, id: &str) -> anyhow::Result<String> {
    let member = done(data, &format!("member show {id}"))?;
    Ok(member["status"].as_str().context("a member has a status")?.to_owned())
}

/// Has two founders approve a decision, and publishes it.
fn decide(federation: &Federation, decision: &str, file: &str) -> anyhow::Result<()> {
    for founder in &federation.exchanges[..2] {
        done(&founder.data, &format!("member {decision} --approve {file} --yes"))?;
    }
    done(&federation.exchanges[0].data, &format!("member {decision} --approvals {file} --yes"))?;
    Ok(())
}

#[test]
fn a_receipt_is_provisional_until_an_anchor_covers_it() -> anyhow::Result<()> {
    let federation = Federation::running(3)?;
    let desk = Desk(tempfile::tempdir()?);
    let issuer = &federation.exchanges[1];
    let statement = issuer.publish(vec![listing("one")?])?.remove(0).id;
    wait(PATIENCE, "a quorum for the entry", || {
        Ok(issuer.node()?.client().log(&issuer.id)?.log.cosigned_size == Some(1))
    })?;
    let (early, late) = (desk.file("early.json"), desk.file("late.json"));
    // The register's first anchor was before this entry, or is about to be made.
    let issue = format!("receipt issue --statement {statement} --output");
    wait(PATIENCE, "the first anchor", || {
        Ok(issuer.node()?.client().register()?.anchor.is_some())
    })?;
    let told = done(&issuer.data, &format!("{issue} {early}"))?;
    let verify = |file: &str| -> anyhow::Result<Value> {
        let line = format!("--json receipt verify {file} --federation {}", federation.id);
        let output = run(&issuer.data, &line.split(' ').collect::<Vec<_>>())?;
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    if told["provisional"] == true {
        ensure!(verify(&early)?["verdict"] == "provisional", "{}", verify(&early)?);
    }
    let told = done(&issuer.data, &format!("{issue} {late} --wait 60"))?;
    ensure!(told["provisional"] == false, "{told}");
    ensure!(verify(&late)?["verdict"] == "valid", "{}", verify(&late)?);
    done(&issuer.data, &format!("receipt refresh {early}"))?;
    ensure!(verify(&early)?["verdict"] == "valid", "{}", verify(&early)?);
    // A council member keeps the anchors' leaves, which the bundle has.
    let (bundle, compact) = (desk.file("bundle.hutong-authority.json"), desk.file("compact"));
    done(&issuer.data, &format!("receipt bundle --output {bundle}"))?;
    done(&issuer.data, &format!("{issue} {compact} --compact"))?;
    let line = format!("{compact} --federation {} --authority {bundle}", federation.id);
    ensure!(code(&issuer.data, &format!("receipt verify {line}"))? == Some(0), "{line}");
    Ok(())
}

#[test]
fn a_member_is_suspended_and_reinstated_by_the_register() -> anyhow::Result<()> {
    let federation = Federation::running(4)?;
    let desk = Desk(tempfile::tempdir()?);
    let (first, member) = (&federation.exchanges[0], &federation.exchanges[3]);
    let id = &member.id;
    member.publish(vec![listing("stands")?, listing("falls")?])?;
    wait(PATIENCE, "a quorum for the entries", || {
        Ok(first.node()?.client().log(id)?.log.cosigned_size == Some(2))
    })?;
    let file = desk.file("suspend.json");
    // No decision reaches beyond what is witnessed.
    let far = format!("member suspend {id} --log-size 3 --approve {file} --yes");
    ensure!(code(&first.data, &far)? == Some(2), "beyond what is witnessed");
    decide(&federation, &format!("suspend {id} --log-size 1"), &file)?;
    for exchange in &federation.exchanges {
        wait(PATIENCE, "the suspension", || Ok(status(&exchange.data, id)? == "suspended"))?;
    }
    let refused = member.node()?.client().publish(vec![listing("late")?]);
    ensure!(refused.is_err(), "a suspended member publishes");

    let standing = desk.file("standing.json");
    done(&member.data, &format!("log standing --output {standing}"))?;
    let reinstate = format!("reinstate {id} --checkpoint {standing}");
    decide(&federation, &reinstate, &desk.file("reinstate.json"))?;
    member.node()?.ready()?;
    member.publish(vec![listing("again")?])?;
    for exchange in &federation.exchanges {
        wait(PATIENCE, "the reinstatement", || Ok(status(&exchange.data, id)? == "active"))?;
    }
    let seen = |name: &str| {
        let client = first.node()?.client();
        Ok::<_, anyhow::Error>(client.listing(id, name).is_ok())
    };
    wait(PATIENCE, "the new listing", || seen("again"))?;
    ensure!(seen("stands")? && !seen("falls")?, "what lies between stays void");
    ensure!(done(&first.data, "status")?["waiting"] == serde_json::json!([]), "a decision waits");
    Ok(())
}

#[test]
fn the_next_charter_takes_effect_by_the_register() -> anyhow::Result<()> {
    let federation = Federation::running(4)?;
    let desk = Desk(tempfile::tempdir()?);
    let data: Vec<&PathBuf> = federation.exchanges.iter().map(|it| &it.data).collect();
    let mut new = "charter new --name next".to_owned();
    for (index, data) in data.iter().enumerate() {
        let file = desk.file(&format!("{index}.json"));
        done(data, &format!("member request --parent council --output {file}"))?;
        new = format!("{new} --council {file}");
    }
    let (previous, next) = (data[0].join("charter.json"), desk.file("next.json"));
    done(data[0], &format!("{new} --previous {} --output {next}", previous.display()))?;
    done(data[0], &format!("charter sign {next} --yes"))?;
    ensure!(code(data[0], &format!("charter publish {next}"))? == Some(1), "too few signed");
    for data in &data[1..3] {
        done(data, &format!("charter sign {next} --yes"))?;
    }
    let told = done(data[0], &format!("charter publish {next}"))?;
    ensure!(told["version"] == 2, "{told}");
    for exchange in &federation.exchanges {
        wait(PATIENCE, "the next charter", || {
            Ok(exchange.node()?.client().status()?.charter_version == 2)
        })?;
        let file = exchange.data.join("charter.json");
        wait(
            PATIENCE,
            "the charter file",
            || Ok(std::fs::read_to_string(&file)?.contains("next")),
        )?;
    }
    // The register of the next charter goes on: it is kept, anchored, and witnessed by four.
    let issuer = &federation.exchanges[3];
    let statement = issuer.publish(vec![listing("after")?])?.remove(0).id;
    let receipt = desk.file("receipt.json");
    done(
        &issuer.data,
        &format!("receipt issue --statement {statement} --output {receipt} --wait 60"),
    )?;
    let line = format!("receipt verify {receipt} --federation {}", federation.id);
    ensure!(code(&issuer.data, &line)? == Some(0), "{line}");
    Ok(())
}
