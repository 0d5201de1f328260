//! `hutong charter new`: drawing up a charter.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hutong_crypto::PublicKey;
use hutong_crypto::keys::Purpose;
use hutong_protocol::charter::{Charter, CharterError, Quotas, SignedCharter, Succession};
use hutong_protocol::date::Date;
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::suite::parse_key;
use serde_json::json;

use super::super::args::{CharterNewArgs, Global};
use super::super::console::{Console, shown_path};
use super::super::exit::Usage;
use super::super::{clock, secret, settings};
use super::{read_descriptor, write_signed};
use crate::charter_file;
use crate::keys::KeyFolder;

/// Days within which a later version must be recorded, unless told otherwise.
const UNTIL_DAYS: u32 = 30;

/// What a charter says besides its council.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The federation's name.
    pub(crate) name: String,
    /// Council members that decide; a majority unless given.
    pub(crate) threshold: Option<u32>,
    /// Whose node operates the register, and the key that signs it.
    pub(crate) keeper: (ExchangeId, PublicKey),
    /// Cosignatures that make a checkpoint count; the least that is allowed unless given.
    pub(crate) quorum: Option<u32>,
    /// Minutes between two anchors.
    pub(crate) anchor_minutes: u32,
    /// Seconds between two anchors at least, where one is asked for.
    pub(crate) anchor_seconds_min: u32,
    /// Days until what was anchored is final.
    pub(crate) finality_days: u32,
}

pub(super) fn new(global: &Global, args: &CharterNewArgs, console: Console) -> anyhow::Result<()> {
    let mut council = Vec::new();
    for file in &args.council {
        council.push(read_descriptor(file)?);
    }
    let keeper = keeper(global, args, &council, console)?;
    let rules = Rules {
        name: args.name.clone(),
        threshold: args.threshold,
        keeper,
        quorum: args.quorum,
        anchor_minutes: args.anchor_minutes,
        anchor_seconds_min: args.anchor_seconds_min,
        finality_days: args.finality_days,
    };
    let unsigned = draw_up(council, &rules, succession(args)?)?;
    write_signed(&args.output, &unsigned)?;
    let output = shown_path(&args.output);
    if console.json {
        return console
            .json(&json!({"file": args.output, "digest": unsigned.digest().to_string()}));
    }
    if unsigned.charter().council.len() == 3 {
        console.say(
            "提示：三席理事会中任何一席停机，其他成员即无法获得足够见证；四席是允许一席停机的最小规模。",
            "Note: with a council of three, nothing new is witnessed while one member is away; four is the smallest that goes on with one member away.",
        )?;
    }
    console.say(
        &format!("已写入 {output}。请各理事单位签署：hutong charter sign {output}"),
        &format!("{output} is written. Each council member signs it: hutong charter sign {output}"),
    )
}

/// Draws up a charter, unsigned. `follows` is the version and how it follows the one before; none for the
/// founding charter.
///
/// # Errors
///
/// What of the council or the numbers does not fit.
pub(crate) fn draw_up(
    council: Vec<SignedDescriptor>,
    rules: &Rules,
    follows: Option<(u64, Succession)>,
) -> anyhow::Result<SignedCharter> {
    let mut seats = BTreeMap::new();
    for seat in council {
        let id = seat.descriptor().id.clone();
        if seats.insert(id.clone(), seat).is_some() {
            return Err(Usage(format!("the descriptor of {id} is given twice")).into());
        }
    }
    let majority = u32::try_from(seats.len() / 2 + 1).unwrap_or(u32::MAX);
    let quorum = match seats.len() {
        1 => 0,
        3 => 2,
        // From four on, one that bears a keeper that lies: 2k >= n + 2.
        more => u32::try_from((more + 2).div_ceil(2)).unwrap_or(u32::MAX),
    };
    let (keeper, register_key) = rules.keeper.clone();
    let (version, succession) =
        follows.map_or((1, None), |(version, succession)| (version, Some(succession)));
    let charter = Charter {
        version,
        federation: rules.name.clone(),
        council: seats.into_values().collect(),
        threshold: rules.threshold.unwrap_or(majority),
        keeper,
        register_key,
        witness_quorum: rules.quorum.unwrap_or(quorum),
        anchor_minutes: rules.anchor_minutes,
        anchor_seconds_min: rules.anchor_seconds_min,
        finality_days: rules.finality_days,
        daily_mib: Quotas::default(),
        succession,
        issued_at: clock::now(),
    };
    SignedCharter::unsigned(&charter).map_err(advise)
}

/// Adds to the error what to do about it, where that is not plain.
fn advise(error: CharterError) -> anyhow::Error {
    let advice = match &error {
        CharterError::Seat { version: 1, .. } => {
            "a council member's descriptor was made for something else: it makes another with `hutong member request --founding`"
        }
        CharterError::Seat { .. } => {
            "a council member's descriptor was made for something else: it makes another with `hutong member request --parent council`"
        }
        CharterError::Council => {
            "begin with one exchange and grow to three, or found with three or more; four is the smallest council that goes on with one member away"
        }
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(advice)
}

/// Whose node operates the register, and its key: this exchange's by its own seed, another's as given.
fn keeper(
    global: &Global,
    args: &CharterNewArgs,
    council: &[SignedDescriptor],
    console: Console,
) -> anyhow::Result<(ExchangeId, PublicKey)> {
    let ids = || council.iter().map(|seat| &seat.descriptor().id);
    let me: Option<ExchangeId> = settings::read(global, &[])?.exchange.id.parse().ok();
    let keeper = if let Some(id) = &args.keeper {
        id.parse().map_err(|_| Usage(format!("--keeper: `{id}` is no exchange id")))?
    } else {
        let mine = me.as_ref().filter(|me| ids().any(|id| id == *me));
        mine.or_else(|| ids().next()).context("a charter needs one --council")?.clone()
    };
    if let Some(text) = &args.register_key {
        let key = parse_key(text).map_err(|error| Usage(format!("--register-key: {error}")))?;
        return Ok((keeper, key));
    }
    if me.as_ref() != Some(&keeper) {
        return Err(Usage(format!(
            "--register-key is needed: the keeper {keeper} shows it with `hutong keys show`"
        ))
        .into());
    }
    let seed = secret::open_seed(&KeyFolder::of(&global.data), &args.passphrase, console)?;
    Ok((keeper, seed.derive(Purpose::Register).public()))
}

fn succession(args: &CharterNewArgs) -> anyhow::Result<Option<(u64, Succession)>> {
    let Some(previous) = &args.previous else { return Ok(None) };
    let charters = charter_file::parse(previous)?;
    let last = charters.last().context("the file given as --previous holds no charter")?;
    let mut logs_honoured = BTreeMap::new();
    for (id, size) in &args.log_honoured {
        let id: ExchangeId =
            id.parse().map_err(|_| Usage(format!("--log-honoured: `{id}` is no exchange id")))?;
        logs_honoured.insert(id, *size);
    }
    let until = match &args.until {
        Some(day) => day.parse().map_err(|error| Usage(format!("--until: {error}")))?,
        None => Date::of(clock::now()).plus_days(UNTIL_DAYS),
    };
    let succession = Succession { previous: last.digest(), until, logs_honoured };
    Ok(Some((last.charter().version + 1, succession)))
}
