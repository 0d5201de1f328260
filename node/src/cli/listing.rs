//! `hutong listing`: publish, revise, withdraw, mark, search, show.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::args::{Global, ListingCommand, ListingListArgs};
use super::console::{Console, pretty, shown, shown_path};
use super::exit::Usage;
use super::lang::words;
use super::{document, import, settings};
use crate::api::client::Client;
use crate::api::model::{Event, Listing, ListingDetail, PublishRequest, Published};
use crate::import::Kind;

/// The statement that publishes or revises a listing.
const LISTING: &str = "hutong/listing/v1";
/// The statement that changes a listing's status.
const STATUS: &str = "hutong/listing-status/v1";

/// Runs one of the commands.
///
/// # Errors
///
/// What is wrong with which file, or what the node refused.
pub fn run(global: &Global, command: &ListingCommand, console: Console) -> anyhow::Result<()> {
    match command {
        ListingCommand::Publish { file, audience } => publish(global, file, audience, console),
        ListingCommand::Revise { file, audience } => revise(global, file, audience, console),
        ListingCommand::Withdraw { id, reason } => {
            mark(global, id, "withdrawn", reason.as_deref(), None, console)
        }
        ListingCommand::Mark { id, status, reason, deal } => {
            mark(global, id, status, reason.as_deref(), deal.as_deref(), console)
        }
        ListingCommand::List(args) => list(global, args, console),
        ListingCommand::Show { exchange, id } => {
            let listing = settings::node(global)?.listing(exchange, id)?;
            console.show(&listing, |listing| details(listing, console))
        }
        ListingCommand::Import(args) => import::run(global, args, Kind::Listing, console),
    }
}

fn publish(global: &Global, file: &Path, audience: &str, console: Console) -> anyhow::Result<()> {
    let audience = document::audience(audience)?;
    let statements = document::read(file)?
        .into_iter()
        .map(|mut body| {
            body.entry("revision").or_insert_with(|| json!(1));
            request(LISTING, audience.clone(), body)
        })
        .collect();
    let published = settings::node(global)?.publish(statements)?;
    report(&published, console)
}

fn revise(global: &Global, file: &Path, audience: &str, console: Console) -> anyhow::Result<()> {
    let client = settings::node(global)?;
    let audience = document::audience(audience)?;
    let me = client.status()?.exchange;
    let mut statements = Vec::new();
    for mut body in document::read(file)? {
        let id = body
            .get("listing_id")
            .and_then(Value::as_str)
            .ok_or_else(|| Usage(format!("{}: `listing_id` is missing", shown_path(file))))?;
        let newest = Client::found(client.listing(&me, id))?
            .with_context(|| format!("{id} is not published: use `hutong listing publish`"))?;
        body.insert("revision".into(), json!(newest.listing.revision + 1));
        statements.push(request(LISTING, audience.clone(), body));
    }
    report(&client.publish(statements)?, console)
}

fn mark(
    global: &Global,
    id: &str,
    status: &str,
    reason: Option<&str>,
    deal: Option<&str>,
    console: Console,
) -> anyhow::Result<()> {
    let client = settings::node(global)?;
    let me = client.status()?.exchange;
    let listing = Client::found(client.listing(&me, id))?.with_context(|| {
        format!("{id} is no listing of {me}: see `hutong listing list --exchange {me}`")
    })?;
    let mut body = Map::new();
    body.insert("listing_id".into(), json!(id));
    body.insert("status".into(), json!(status));
    for (name, value) in [("reason", reason), ("deal", deal)] {
        if let Some(value) = value {
            body.insert(name.into(), json!(value));
        }
    }
    // Whoever may see the listing may see what becomes of it.
    let audience = listing.listing.newest.audience;
    report(&client.publish(vec![request(STATUS, audience, body)])?, console)
}

fn request(kind: &str, audience: Value, body: Map<String, Value>) -> PublishRequest {
    PublishRequest { kind: kind.to_owned(), audience, body: Value::Object(body) }
}

/// Tells where statements were recorded.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn report(published: &[Published], console: Console) -> anyhow::Result<()> {
    console.show(&published, |published| {
        for one in *published {
            let (log, id) = (shown(&one.log), shown(&one.id));
            console.say(
                &format!("已发布：{log} 第 {} 条，声明标识 {id}", one.index),
                &format!("published: {log} entry {}, statement {id}", one.index),
            )?;
            for warning in &one.warnings {
                let (zh, en) = (shown(&warning.zh), shown(&warning.en));
                console.say(&format!("! {zh}"), &format!("! {en}"))?;
            }
        }
        Ok(())
    })
}

fn list(global: &Global, args: &ListingListArgs, console: Console) -> anyhow::Result<()> {
    let mut query = vec![("limit", args.page.limit.to_string())];
    let filters = [
        ("query", &args.query),
        ("kind", &args.kind),
        ("region", &args.region),
        ("exchange", &args.exchange),
        ("status", &args.status),
        ("after", &args.page.after),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            query.push((name, value.clone()));
        }
    }
    let page = settings::node(global)?.listings(&query)?;
    console.show(&page, |page| {
        table(&page.items, console)?;
        more(page.next.as_deref(), console)
    })
}

/// Tells how to see the next page, if there is one.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn more(next: Option<&str>, console: Console) -> anyhow::Result<()> {
    match next {
        None => Ok(()),
        Some(next) => {
            let next = shown(next);
            console.say(&format!("下一页：--after {next}"), &format!("next page: --after {next}"))
        }
    }
}

fn table(items: &[Listing], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("交易所", "exchange"),
        words("编号", "id"),
        words("类别", "kind"),
        words("标题", "title"),
        words("状态", "status"),
        words("版本", "revision"),
        words("日期", "date"),
    ];
    let rows = items.iter().map(|listing| {
        vec![
            console.exchange(&listing.exchange_names, &listing.exchange),
            listing.id.clone(),
            member(&listing.newest.body, "kind"),
            in_language(&listing.newest.body, "title", console),
            listing.status.clone(),
            listing.revision.to_string(),
            listing.newest.issued_at.clone(),
        ]
    });
    console.table(&headers, rows)
}

fn details(detail: &ListingDetail, console: Console) -> anyhow::Result<()> {
    let listing = &detail.listing;
    console.facts([
        (words("交易所", "exchange"), console.exchange(&listing.exchange_names, &listing.exchange)),
        (words("编号", "id"), listing.id.clone()),
        (words("标题", "title"), in_language(&listing.newest.body, "title", console)),
        (words("状态", "status"), listing.status.clone()),
        (words("版本", "revision"), listing.revision.to_string()),
        (words("声明", "statement"), listing.newest.statement.clone()),
        (words("可见范围", "audience"), text(&listing.newest.audience)),
    ])?;
    console.line(&pretty(&listing.newest.body)?)?;
    history(&detail.history, console)
}

/// The table of a listing's or contract's statements.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn history(events: &[Event], console: Console) -> anyhow::Result<()> {
    let headers = [
        words("条目", "entry"),
        words("日期", "date"),
        words("类型", "type"),
        words("事件", "event"),
        words("声明", "statement"),
    ];
    let rows = events.iter().map(|event| {
        let what = ["event", "status", "revision"]
            .iter()
            .find_map(|name| event.body.get(*name))
            .map(text)
            .unwrap_or_default();
        let void = console.lang.pick("（无效）", " (no effect)");
        vec![
            event.index.to_string(),
            event.issued_at.clone(),
            event.kind.clone(),
            if event.effective { what } else { what + void },
            event.statement.clone(),
        ]
    });
    console.table(&headers, rows)
}

/// A member of a body as text; empty if it has none.
pub fn member(body: &Value, name: &str) -> String {
    body.get(name).map(text).unwrap_or_default()
}

/// A text member that is given by language: in the console's, otherwise in any.
fn in_language(body: &Value, name: &str, console: Console) -> String {
    match body.get(name) {
        Some(Value::Object(texts)) => texts
            .get(console.lang.pick("zh", "en"))
            .or_else(|| texts.values().next())
            .map(text)
            .unwrap_or_default(),
        Some(other) => text(other),
        None => String::new(),
    }
}

/// A JSON value without the quotes of a text.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
