//! `hutong contract`: register, amend, cancel, list, show.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use hutong_protocol::contract::ClaimName;
use hutong_protocol::contract::words::{claim_en, claim_zh};
use serde_json::{Map, Value, json};

use super::args::{ContractCommand, ContractListArgs, Global};
use super::console::{Console, shown};
use super::exit::Usage;
use super::lang::{Lang, words};
use super::listing::{history, member, more, report, text};
use super::publisher::{NodePublisher, Outgoing, REGISTRATION};
use super::{document, import, settings};
use crate::api::client::Client;
use crate::api::model::{Contract, ContractDetail};
use crate::claims::commitments;
use crate::import::Kind;

/// The statement that records an event of a contract.
const CONTRACT: &str = "hutong/contract/v1";

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, or what the node refused.
pub fn run(global: &Global, command: &ContractCommand, console: Console) -> anyhow::Result<()> {
    match command {
        ContractCommand::Register { file, audience } => register(global, file, audience, console),
        ContractCommand::Show { registration } => show(global, registration, console),
        ContractCommand::List(args) => list(global, args, console),
        ContractCommand::Import(args) => import::run(global, args, Kind::Contract, console),
    }
}

fn register(global: &Global, file: &Path, audience: &str, console: Console) -> anyhow::Result<()> {
    let audience = document::audience(audience)?;
    let client = settings::node(global)?;
    let mut group = Vec::new();
    for members in document::read(file)? {
        group.push(outgoing(&client, file, audience.clone(), members)?);
    }
    let published = NodePublisher::new(client, &global.data).publish(group)?;
    report(&published, console)
}

/// Takes the confidential values out, and links an event to the one before it.
fn outgoing(
    client: &Client,
    file: &Path,
    audience: Value,
    mut body: Map<String, Value>,
) -> anyhow::Result<Outgoing> {
    let file = file.display();
    let confidential = match body.remove("confidential") {
        None => Map::new(),
        Some(Value::Object(values)) => values,
        Some(other) => {
            return Err(
                Usage(format!("{file}: `confidential`: expected a table, met {other}")).into()
            );
        }
    };
    if body.contains_key("claims") {
        return Err(Usage(format!(
            "{file}: `claims` is made by the program: put values under `confidential`"
        ))
        .into());
    }
    let registration = body
        .get(REGISTRATION)
        .and_then(Value::as_str)
        .ok_or_else(|| Usage(format!("{file}: `{REGISTRATION}` is missing")))?;
    let event = body.get("event").map_or_else(|| "registered".to_owned(), text);
    if event != "registered" && !body.contains_key("previous") {
        let newest = Client::found(client.contract(registration))?
            .with_context(|| format!("contract {registration} is not registered here"))?;
        body.insert("previous".into(), json!(newest.contract.last));
    }
    body.insert("event".into(), json!(event));
    Ok(Outgoing { kind: CONTRACT.to_owned(), audience, body, confidential })
}

fn show(global: &Global, registration: &str, console: Console) -> anyhow::Result<()> {
    let client = settings::node(global)?;
    let contract = client.contract(registration)?;
    let confidential = NodePublisher::new(client, &global.data).confidential(&contract)?;
    if console.json {
        return console.json(&json!({"contract": contract, "confidential": confidential}));
    }
    details(&contract, console)?;
    match confidential {
        Some(values) if !values.is_empty() => {
            let values: BTreeMap<String, Value> = values.into_iter().collect();
            console.say(
                "保密字段（仅存本机，未上网）：",
                "Confidential fields (kept on this machine only):",
            )?;
            for name in values.keys() {
                console.line(&claim_line(name, &values, console))?;
            }
        }
        Some(_) => {}
        None => {
            let names = commitments(&contract.contract.newest.body).into_keys();
            let names: Vec<String> = names.map(|name| shown(&name)).collect();
            console.say(
                &format!("保密字段（只有承诺值）：{}", names.join("、")),
                &format!("Confidential fields (commitments only): {}", names.join(", ")),
            )?;
        }
    }
    history(&contract.history, console)
}

/// A confidential value, by what it is called and the name that it has in statements.
pub(super) fn claim_line(name: &str, values: &BTreeMap<String, Value>, console: Console) -> String {
    let lang = console.lang;
    let label = match name.parse::<ClaimName>() {
        Ok(claim) => {
            lang.pick(format!("{}（{name}）", claim.zh()), format!("{} ({name})", claim.en()))
        }
        Err(_) => format!("\"{}\"", shown(name)),
    };
    let value = match lang {
        Lang::Zh => claim_zh(name, values),
        Lang::En => claim_en(name, values),
    };
    format!("  {label}: {value}")
}

fn details(detail: &ContractDetail, console: Console) -> anyhow::Result<()> {
    let contract = &detail.contract;
    let body = &contract.newest.body;
    let named = [
        ("contract_type", words("合同类别", "type")),
        ("subtype", words("子类别", "subtype")),
        ("field", words("技术领域", "field")),
        ("registering_division", words("登记机构区划", "registering division")),
        ("seller_division", words("卖方区划", "seller division")),
        ("buyer_division", words("买方区划", "buyer division")),
        ("sign_date", words("签订日期", "signed")),
        ("plan_source", words("计划来源", "plan source")),
    ];
    console.facts(
        [
            (words("合同登记编号", "registration"), contract.registration.clone()),
            (
                words("登记交易所", "exchange"),
                console.exchange(&contract.exchange_names, &contract.exchange),
            ),
            (words("状态", "status"), contract.status.clone()),
        ]
        .into_iter()
        .chain(
            named
                .into_iter()
                .filter(|(name, _)| body.get(*name).is_some())
                .map(|(name, label)| (label, member(body, name))),
        )
        .chain([(words("声明", "statement"), contract.newest.statement.clone())]),
    )
}

fn list(global: &Global, args: &ContractListArgs, console: Console) -> anyhow::Result<()> {
    let mut query = vec![("limit", args.page.limit.to_string())];
    let filters = [
        ("type", &args.kind),
        ("exchange", &args.exchange),
        ("status", &args.status),
        ("after", &args.page.after),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            query.push((name, value.clone()));
        }
    }
    let page = settings::node(global)?.contracts(&query)?;
    console.show(&page, |page| {
        table(&page.items, console)?;
        more(page.next.as_deref(), console)
    })
}

fn table(items: &[Contract], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("登记编号", "registration"),
        words("交易所", "exchange"),
        words("类别", "type"),
        words("技术领域", "field"),
        words("签订日期", "signed"),
        words("状态", "status"),
    ];
    let rows = items.iter().map(|contract| {
        let body = &contract.newest.body;
        vec![
            contract.registration.clone(),
            console.exchange(&contract.exchange_names, &contract.exchange),
            member(body, "contract_type"),
            member(body, "field"),
            member(body, "sign_date"),
            contract.status.clone(),
        ]
    });
    console.table(&headers, rows)
}
