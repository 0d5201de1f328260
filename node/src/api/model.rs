//! What travels over the HTTP interface, for server and clients alike.
//!
//! Requests refuse members that do not exist; answers may gain members. Times are RFC 3339 in UTC, hashes,
//! keys and ids lower-case hexadecimal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Statements in one `POST /v1/statements` at most: one group, one checkpoint.
pub const STATEMENTS_MAX: usize = 1000;
/// Items on one page at most.
pub const PAGE_MAX: usize = 500;
/// Items on one page unless told otherwise.
pub const PAGE_DEFAULT: usize = 50;

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ready`, or `checking` while the own log is compared with peers (then with status 503).
    pub status: String,
    /// Version of the software.
    pub version: String,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The exchange that this node speaks for.
    pub exchange: String,
    /// Its names by language; none while it is no member.
    #[serde(default)]
    pub exchange_names: BTreeMap<String, String>,
    /// Short federation id, 16 digits.
    pub federation: String,
    /// Whole federation id, 64 digits.
    pub federation_id: String,
    /// Version of the charter in force.
    pub charter_version: u64,
    /// `active`, `suspended`, `expelled` or `none`.
    pub membership: String,
    /// Version of the software.
    pub version: String,
    /// When the process started.
    pub started: String,
    /// Whether statements can be published.
    pub ready: bool,
    /// Whether the seed was restored and the council's members have not shown enough yet.
    #[serde(default)]
    pub restoring: bool,
    /// The libp2p peer id.
    pub peer_id: String,
    /// Multiaddrs listened on.
    pub listen: Vec<String>,
    /// Connected peers.
    pub peers: usize,
    /// Members of the federation.
    pub members: usize,
    /// Logs held.
    pub logs: usize,
    /// Entries and withheld leaves in all logs.
    pub entries: u64,
    /// Logs frozen after equivocation.
    pub frozen: Vec<String>,
    /// The register in force.
    #[serde(default)]
    pub register: Register,
    /// Decisions about members that did not take effect yet.
    #[serde(default)]
    pub waiting: Vec<WaitingDecision>,
    /// The own log.
    pub own_log: Option<Log>,
    /// Bytes received from peers since the start.
    pub bytes_in: u64,
    /// Bytes sent to peers since the start.
    pub bytes_out: u64,
    /// What the disk has room for: `ample`, `low` (own statements only), `full`, or empty where it is not known.
    #[serde(default)]
    pub disk: String,
    /// Bytes free on the disk of the data folder.
    #[serde(default)]
    pub disk_free: u64,
    /// What waits or is under way, by queue.
    #[serde(default)]
    pub queues: BTreeMap<String, u64>,
    /// Newest first.
    pub notices: Vec<Notice>,
}

/// The register in force, as far as it counts here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Its id as a log.
    pub id: String,
    /// The exchange whose node records in it.
    pub keeper: String,
    /// Version of its charter.
    pub version: u64,
    /// Digest of that charter.
    pub charter: String,
    /// How many of its entries count.
    pub size: u64,
    /// The day of the last of them.
    pub day: Option<String>,
    /// The last anchor.
    pub anchor: Option<Anchor>,
    /// Minutes between two anchors, while anything changes.
    pub anchor_minutes: u32,
    /// When the next anchor is due at the latest, if anything changes until then.
    pub next_anchor: Option<String>,
}

/// An anchor of a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The register that holds it.
    pub register: String,
    /// Its index there.
    pub index: u64,
    /// Its day.
    pub day: String,
    /// When the keeper says that it was recorded.
    pub recorded: Option<String>,
    /// How many members it speaks of.
    pub leaves: u64,
}

/// A decision about a member that did not take effect yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingDecision {
    /// In whose log it is.
    pub log: String,
    /// Its place there, from 0.
    pub index: u64,
    /// Statement type.
    pub kind: String,
    /// Whom it concerns.
    pub member: String,
    /// When its author says that it was made.
    pub issued_at: String,
    /// Why it would take no effect now; `None` where the keeper only has to record it.
    pub reason: Option<String>,
    /// Whether it waits for the keeper alone, for more than a day.
    pub overdue: bool,
}

/// What an operator should know, in two languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub time: String,
    /// `info`, `warning` or `alarm`.
    pub level: String,
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// One of `GET /v1/peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// libp2p peer id.
    pub peer_id: String,
    /// The member that it is, if it is one.
    pub exchange: Option<String>,
    /// Its address.
    pub address: String,
    /// Since when it is connected.
    pub since: String,
    /// Bytes received from it.
    pub bytes_in: u64,
    /// Bytes sent to it.
    pub bytes_out: u64,
}

/// One of `GET /v1/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Exchange id.
    pub exchange: String,
    /// Names by language.
    pub names: BTreeMap<String, String>,
    /// Tier.
    pub tier: String,
    /// Region.
    pub region: String,
    /// Scope of its announcements.
    pub scope: String,
    /// Who admitted it: an exchange id or `council`.
    pub parent: String,
    /// `active`, `suspended` or `expelled`.
    pub status: String,
    /// Name of its log.
    pub origin: String,
    /// Log key.
    pub log_key: String,
    /// Witness key.
    pub witness_key: String,
    /// libp2p peer id.
    pub peer_id: String,
    /// Multiaddrs.
    pub addresses: Vec<String>,
    /// Website.
    pub website: Option<String>,
    /// How many of its entries stand, where it is suspended or expelled.
    #[serde(default)]
    pub stands: Option<u64>,
    /// What the directory says of it, as receipts show it: spans, numbers of decisions, who decided.
    #[serde(default)]
    pub record: Value,
}

/// One of `GET /v1/logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Whose log.
    pub exchange: String,
    /// Its name.
    pub origin: String,
    /// Leaves held here.
    pub size: u64,
    /// Root at `size`.
    pub root: String,
    /// Size of the newest checkpoint held in full.
    pub checkpoint_size: Option<u64>,
    /// Size of the newest checkpoint with a witness quorum.
    pub cosigned_size: Option<u64>,
    /// Who cosigned that checkpoint.
    pub cosigners: Vec<String>,
    /// Leaves whose entry this node may not see, or has not got.
    pub withheld: u64,
    /// Size at which the log is frozen after equivocation.
    pub frozen: Option<u64>,
}

/// `GET /v1/logs/{exchange}`: the log with its notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDetail {
    /// The log.
    #[serde(flatten)]
    pub log: Log,
    /// Text of the newest checkpoint note.
    pub checkpoint: Option<String>,
    /// Text of the newest note with a witness quorum.
    pub cosigned: Option<String>,
}

/// `GET /v1/logs/{exchange}/root?size=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRoot {
    /// How many entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: String,
}

/// `GET /v1/logs/{exchange}/standing?from=`: where a log is, for the decision that lets it go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogStanding {
    /// Whose log.
    pub exchange: String,
    /// The size that is tied to the checkpoint.
    pub from: u64,
    /// The newest checkpoint that the log signed: the note's text.
    pub checkpoint: String,
    /// Hashes that cover the first `from` entries.
    pub left: Vec<String>,
    /// Hashes that cover the rest, up to the checkpoint's size.
    pub right: Vec<String>,
}

/// `GET /v1/logs/{exchange}/entries/{index}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose log.
    pub exchange: String,
    /// Place in it, from 0.
    pub index: u64,
    /// Statement id: the leaf hash.
    pub id: String,
    /// Whether only the hash is held here.
    pub withheld: bool,
    /// The signing key.
    pub key: Option<String>,
    /// The entry's bytes in base64.
    pub entry: Option<String>,
    /// The signed statement.
    pub statement: Option<Value>,
}

/// One statement in the history of a listing or contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Statement id.
    pub statement: String,
    /// Place in the exchange's log, from 0.
    pub index: u64,
    /// Whether it changed anything; a statement that does not follow the one before changes nothing.
    #[serde(default = "yes")]
    pub effective: bool,
    /// Statement type.
    pub kind: String,
    /// When its issuer says that it was made.
    pub issued_at: String,
    /// Who may see it.
    pub audience: Value,
    /// What it says.
    pub body: Value,
}

/// One of `GET /v1/listings`: a listing as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Whose listing.
    pub exchange: String,
    /// Its names by language.
    #[serde(default)]
    pub exchange_names: BTreeMap<String, String>,
    /// Listing id, unique in the exchange.
    pub id: String,
    /// Newest revision.
    pub revision: u64,
    /// `listed`, `withdrawn`, `traded` and so on.
    pub status: String,
    /// The newest revision's statement.
    #[serde(flatten)]
    pub newest: Event,
}

/// `GET /v1/listings/{exchange}/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListingDetail {
    /// The listing.
    #[serde(flatten)]
    pub listing: Listing,
    /// Every statement about it, oldest first.
    pub history: Vec<Event>,
}

/// One of `GET /v1/contracts`: a contract as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contract {
    /// The registering exchange.
    pub exchange: String,
    /// Its names by language.
    #[serde(default)]
    pub exchange_names: BTreeMap<String, String>,
    /// Registration number.
    pub registration: String,
    /// `registered`, `amended`, `cancelled` or `revoked`.
    pub status: String,
    /// Statement id of the last event: what the next one names as `previous`.
    pub last: String,
    /// The newest statement that says what the contract contains.
    #[serde(flatten)]
    pub newest: Event,
}

/// `GET /v1/contracts/{registration}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractDetail {
    /// The contract.
    #[serde(flatten)]
    pub contract: Contract,
    /// Every event, oldest first.
    pub history: Vec<Event>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it as `after` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// `POST /v1/statements`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishBody {
    /// 1 to [`STATEMENTS_MAX`]; all are published, or none.
    pub statements: Vec<PublishRequest>,
}

/// A statement to be made; issuer, time, salt and signature are the node's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Such as `hutong/listing/v1`.
    pub kind: String,
    /// `"public"`, `"domestic"` or `{"members":[…]}`.
    #[serde(default = "public")]
    pub audience: Value,
    /// As the statement type prescribes.
    pub body: Value,
}

/// Nodes of an earlier version do not say so.
const fn yes() -> bool {
    true
}

pub(super) fn public() -> Value {
    Value::String("public".to_owned())
}

/// Where a statement was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// In whose log: one's own.
    pub log: String,
    /// Place in it, from 0.
    pub index: u64,
    /// Statement id.
    pub id: String,
    /// What may be a slip in it: codes that are on no list of the node's version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What may be a slip in a statement that was recorded, in two languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Answer of `POST /v1/statements`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedBody {
    /// In the order of the request.
    pub published: Vec<Published>,
}

/// `POST /v1/receipts`: names a statement or a contract, not both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRequest {
    /// Statement id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Registration number; the newest statement that says what the contract contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// Names of claims that the receipt shows; this node must keep their values.
    #[serde(default)]
    pub disclose: Vec<String>,
    /// Whether the compact form is wanted, which fits one QR code.
    #[serde(default)]
    pub compact: bool,
    /// Whether a provisional receipt will do where no anchor of the register covers it yet.
    #[serde(default)]
    pub provisional: bool,
}

/// Header of an answer to `POST /v1/receipts`: [`ANCHORED`] or [`PROVISIONAL`].
pub const STANDING_HEADER: &str = "hutong-receipt";
/// An anchor of the register covers the receipt.
pub const ANCHORED: &str = "anchored";
/// No anchor covers it yet: it is to be refreshed.
pub const PROVISIONAL: &str = "provisional";

/// `POST /v1/dial`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialRequest {
    /// Multiaddr.
    pub address: String,
}

/// Answer of `POST /v1/charter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterInstalled {
    /// The federation.
    pub federation_id: String,
    /// Version of the charter in force.
    pub version: u64,
}

/// RFC 9457 problem details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:hutong:problem:<kind>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was expected and met here.
    pub detail: String,
    /// What to do next.
    pub advice: String,
    /// JSON pointers of the members that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}
