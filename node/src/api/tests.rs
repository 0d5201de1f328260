//! The interface as a client meets it: a real server, a real store, and the driver's end played here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::keys::{Purpose, Seed, SigningKey};
use hutong_crypto::merkle::Frontier;
use hutong_protocol::audience::Audience;
use hutong_protocol::charter::{Charter, CharterChain, Quotas, SignedCharter};
use hutong_protocol::descriptor::Parent;
use hutong_protocol::directory::{
    Anchor, AnchorLeaf, AnchorLeaves, AnchoredLeaf, Directory, Extension, Prefix, Record,
    RecordAct, register_id,
};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::{ExchangeId, Origin};
use hutong_protocol::message::AnchorChange;
use hutong_protocol::persist::Persist;
use hutong_protocol::prepare::Unsigned;
use hutong_protocol::receipt::{Bundle, Policy, TrustedAuthority, Verdict, verify, verify_compact};
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::client::{Client, ClientError};
use super::model::{PublishRequest, ReceiptRequest, STATEMENTS_MAX};
use super::server::Server;
use super::token::Token;
use crate::claims::{ClaimSet, ClaimsFolder};
use crate::config::{self, Config, Exchange};
use crate::continuity::{self, ContinuityError};
use crate::driver::LeafAnswer;
use crate::handle::{
    CharterRefused, Command, DialRefused, LogInfo, NodeHandle, NodeView, NoticeLevel, NoticeLine,
    PublishError, Published, WaitingDecision,
};
use crate::keys::describe;
use crate::queues::Queues;
use crate::store::{Store, StoreOptions};

const ME: &str = "cn-33-zhejiang";

fn me() -> ExchangeId {
    ME.parse().unwrap()
}

fn chain() -> CharterChain {
    let exchange = Exchange {
        id: ME.into(),
        tier: "provincial".into(),
        region: "CN-33".into(),
        names: [("zh".to_owned(), "浙江".to_owned())].into(),
        ..Exchange::default()
    };
    let seed = Seed::from_bytes([3; 32]);
    let charter = Charter {
        version: 1,
        federation: "试验联盟".into(),
        council: vec![describe(&exchange, &seed, Parent::Council, None).unwrap()],
        threshold: 1,
        keeper: me(),
        register_key: seed.derive(Purpose::Register).public(),
        witness_quorum: 0,
        anchor_minutes: 10,
        anchor_seconds_min: 60,
        finality_days: 90,
        daily_mib: Quotas::default(),
        succession: None,
        issued_at: Timestamp::from_seconds(1_800_000_000),
    };
    let mut signed = SignedCharter::unsigned(&charter).unwrap();
    signed.sign(&me(), &seed.derive(Purpose::Log));
    CharterChain::found(signed).unwrap()
}

fn founded() -> Directory {
    Directory::found(chain().versions()[0].signed().clone()).unwrap()
}

fn view(ready: bool) -> NodeView {
    let charters = chain();
    let directory = Arc::new(founded());
    let mut view = NodeView {
        me: me(),
        peer_id: "peer".into(),
        started: Timestamp::from_seconds(1_800_000_000),
        charters: Arc::new(charters),
        directory,
        logs: vec![LogInfo {
            exchange: me(),
            origin: "o".into(),
            size: 1,
            root: hutong_crypto::sha256(b""),
            checkpoint_size: Some(1),
            cosigned_size: None,
            cosigners: Vec::new(),
            withheld: 0,
            frozen: Some(1),
        }],
        peers: Vec::new(),
        listen: Vec::new(),
        notices: VecDeque::new(),
        ready,
        restoring: false,
        bytes_in: 7,
        bytes_out: 0,
        space: None,
        queues: Queues { answers: 3, ..Queues::default() },
        waiting: vec![WaitingDecision {
            log: me(),
            index: 7,
            kind: "hutong/member-admit/v1".into(),
            member: "cn-3301-hangzhou".parse().unwrap(),
            issued_at: Timestamp::from_seconds(1_700_000_000),
            reason: None,
        }],
    };
    view.add_notice(NoticeLine {
        time: view.started,
        level: NoticeLevel::Alarm,
        zh: "警报".into(),
        en: "alarm".into(),
    });
    view
}

/// What the test answers to publications in the driver's place.
type Driver = fn(usize) -> Result<Vec<Published>, PublishError>;

struct Node {
    client: Client,
    address: std::net::SocketAddr,
    data: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    served: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    fn start(ready: bool, api: &config::Api, metrics: &config::Metrics, driver: Driver) -> Self {
        Self::anchored(ready, api, metrics, driver, 5)
    }

    /// A node whose register's anchor covers so many entries of the own log.
    fn anchored(
        ready: bool,
        api: &config::Api,
        metrics: &config::Metrics,
        driver: Driver,
        covered: u64,
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("store"), &StoreOptions::default()).unwrap();
        put_entries(&store, data.path());
        let leaf = Some(put_anchor(&store, covered));
        let (told, started) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let (folder, api, metrics) = (data.path().to_owned(), api.clone(), metrics.clone());
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (handle, mut commands, _views) = NodeHandle::new(view(ready), store, issuer());
                let server = Server::bind(handle, folder, &api, &metrics).await.unwrap();
                told.send(server.address()).unwrap();
                tokio::spawn(async move {
                    while let Some(command) = commands.recv().await {
                        answer(command, driver, leaf.clone());
                    }
                });
                let stopped = async { stopped.await.unwrap_or_default() };
                server.run(stopped).await;
            });
        });
        let address = started.recv().unwrap();
        let client = Client::from_data(data.path()).unwrap();
        Self { client, address, data, stop: Some(stop), served: Some(served) }
    }

    fn simple(driver: Driver) -> Self {
        Self::start(true, &free_port(), &config::Metrics::default(), driver)
    }

    /// A request as bytes, for what the client never sends. Returns status line and body.
    fn raw(&self, request: &str) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(served) = self.served.take() {
            served.join().unwrap();
        }
    }
}

fn free_port() -> config::Api {
    config::Api { listen: ([127, 0, 0, 1], 0).into(), ..Config::default().api }
}

/// An entry that is no statement, one that is withheld, a listing, a contract, and an amendment that does not
/// follow it; witnessed as far as none is asked for.
fn put_entries(store: &Store, data: &Path) {
    let seed = Seed::from_bytes([3; 32]);
    let entry = Entry::sign(&seed.derive(Purpose::Issuer), br#"{"type":"x"}"#).unwrap();
    let leaves = vec![
        Leaf::Entry(entry),
        Leaf::Withheld(hutong_crypto::sha256(b"hidden")),
        Leaf::Entry(statement("hutong/listing/v1", listing_body())),
        Leaf::Entry(statement("hutong/contract/v1", contract_body(data))),
        Leaf::Entry(statement("hutong/contract/v1", stray_amendment())),
    ];
    let mut frontier = Frontier::new();
    for leaf in &leaves {
        frontier.append(leaf.hash());
    }
    let origin = Origin::new(&chain().federation_id(), &me()).to_string();
    let checkpoint = Checkpoint { origin, size: 5, root: frontier.root(), extensions: Vec::new() };
    let note = checkpoint.sign(&seed.derive(Purpose::Log)).to_string();
    store
        .commit(&[
            Persist::Leaves { log: me(), from: 0, leaves, void: vec![0] },
            Persist::Checkpoint { log: me(), note: note.clone(), size: 5 },
            Persist::Cosigned { log: me(), note, size: 5 },
        ])
        .unwrap();
}

/// The register with one anchor, which covers `covered` entries of the own log; its leaf.
fn put_anchor(store: &Store, covered: u64) -> (Anchor, AnchoredLeaf) {
    let seed = Seed::from_bytes([3; 32]);
    let hashes = store.range_hashes(&me(), 0, covered).unwrap();
    let root = Frontier::from_parts(covered, hashes).unwrap().root();
    let state = founded().member(&me()).unwrap().state();
    let leaf = AnchorLeaf { id: me(), head: Prefix { size: covered, root }, state };
    let leaves = AnchorLeaves::new([leaf.clone()]);
    let day = "2027-01-15".parse().unwrap();
    let record = Record { day, act: RecordAct::Anchor { leaves: 1, root: leaves.root() } };
    let draft = Draft {
        audience: Audience::Public,
        issued_at: Timestamp::from_seconds(1_800_000_000),
        issuer: register_id(1),
        salt: [7; 16],
        kind: record.kind(),
        body: record.to_body(),
    };
    let key = seed.derive(Purpose::Register);
    let entry = Unsigned::make(&draft).unwrap().sign(&key).entry().clone();
    let mut frontier = Frontier::new();
    frontier.append(entry.leaf_hash());
    let origin = Origin::new(&chain().federation_id(), &register_id(1)).to_string();
    let checkpoint = Checkpoint { origin, size: 1, root: frontier.root(), extensions: Vec::new() };
    let (log, note) = (register_id(1), checkpoint.sign(&key).to_string());
    let changes = AnchorChange::encode_all(&[AnchorChange { leaf, note: String::new() }]);
    store
        .commit(&[
            Persist::Anchored { version: 1, index: 0, changes },
            Persist::Leaves {
                log: log.clone(),
                from: 0,
                leaves: vec![Leaf::Entry(entry)],
                void: Vec::new(),
            },
            Persist::Checkpoint { log, note, size: 1 },
        ])
        .unwrap();
    let anchor = Anchor { version: 1, index: 0, day, leaves: 1, root: leaves.root() };
    (anchor, leaves.prove(&me()).unwrap())
}

fn statement(kind: &str, body: Value) -> Entry {
    let [statement] = unsigned(kind, body);
    statement.sign(&issuer()).entry().clone()
}

fn issuer() -> SigningKey {
    Seed::from_bytes([3; 32]).derive(Purpose::Issuer)
}

/// A group of one statement that is not signed yet.
fn unsigned(kind: &str, body: Value) -> [Unsigned; 1] {
    let draft = Draft {
        audience: Audience::Public,
        issued_at: Timestamp::from_seconds(1_800_000_000),
        issuer: me(),
        salt: [9; 16],
        kind: StatementType::from_name(kind),
        body,
    };
    [Unsigned::make(&draft).unwrap()]
}

fn listing_body() -> Value {
    json!({
        "fields": ["electronic_information"],
        "kind": "demand",
        "listing_id": "zj-1",
        "region": "CN-3301",
        "revision": 1,
        "summary": {"zh": "求购"},
        "title": {"zh": "需求一"},
    })
}

const NUMBER: &str = "2026330100000001";

/// A contract whose claims are kept in the data folder.
fn contract_body(data: &Path) -> Value {
    let values = [("seller_name".to_owned(), json!("浙江大学"))];
    let set = ClaimSet::new(values).unwrap();
    ClaimsFolder::of(data).keep(NUMBER, &set).unwrap();
    json!({
        "buyer_division": "CN-320102",
        "claims": set.commitments(),
        "contract_type": "development",
        "event": "registered",
        "field": "electronic_information",
        "registering_division": "CN-330106",
        "registration_no": NUMBER,
        "seller_division": "CN-330106",
        "sign_date": "2026-11-20",
    })
}

/// An amendment of that contract which names another statement than the registration.
fn stray_amendment() -> Value {
    json!({
        "buyer_division": "CN-320102",
        "contract_type": "development",
        "event": "amended",
        "field": "new_materials",
        "previous": "5f".repeat(32),
        "registering_division": "CN-330106",
        "registration_no": NUMBER,
        "seller_division": "CN-330106",
        "sign_date": "2026-11-20",
    })
}

fn answer(command: Command, driver: Driver, leaf: LeafAnswer) {
    match command {
        Command::Publish { statements, reserved, reply } => {
            drop(reserved);
            drop(reply.send(driver(statements.len())));
        }
        Command::InstallCharter { bytes, reply } => {
            let refused = bytes != b"charter";
            let refusal = || Err(CharterRefused::Invalid("no charter".into()));
            drop(reply.send(if refused { refusal() } else { Ok(2) }));
        }
        Command::Dial { address, reply } => {
            let valid = address.starts_with('/');
            let refusal = || Err(DialRefused::Invalid("no multiaddr".into()));
            drop(reply.send(if valid { Ok(()) } else { refusal() }));
        }
        Command::AnchorLeaf { log, reply } => {
            assert_eq!(log, me());
            drop(reply.send(leaf));
        }
        Command::WantAnchor | Command::Shutdown => {}
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one of several drivers, of which others refuse")]
fn published(count: usize) -> Result<Vec<Published>, PublishError> {
    let one = |index: usize| Published {
        log: me(),
        index: index as u64,
        id: hutong_crypto::sha256(&index.to_le_bytes()),
        unlisted: Vec::new(),
    };
    Ok((0..count).map(one).collect())
}

fn statements(count: usize) -> Vec<PublishRequest> {
    let one = |number: usize| {
        let mut body = listing_body();
        body["listing_id"] = json!(format!("new-{number}"));
        PublishRequest { kind: "hutong/listing/v1".into(), audience: json!("public"), body }
    };
    (0..count).map(one).collect()
}

fn refusal<T>(result: Result<T, ClientError>) -> (u16, Vec<String>) {
    match result {
        Err(ClientError::Refused(problem)) => (problem.status, problem.members),
        Err(other) => unreachable!("expected a refusal, met {other}"),
        Ok(_) => unreachable!("expected a refusal, met an answer"),
    }
}

#[test]
fn a_code_that_no_list_knows_is_published_with_a_warning() {
    let node = Node::simple(published);
    let mut statements = statements(2);
    statements[1].body["region"] = json!("XX");
    let published = node.client.publish(statements).unwrap();
    assert_eq!(published[0].warnings, []);
    let en = "body.region: XX is not in this version's list of countries; check it";
    assert_eq!(published[1].warnings.len(), 1);
    assert_eq!(published[1].warnings[0].en, en);
}

#[test]
fn status_shows_what_needs_the_operator() {
    let node = Node::simple(published);
    let status = node.client.status().unwrap();
    assert_eq!((status.queues["answers"], status.queues["effects"]), (3, 0));
    assert_eq!(status.exchange, ME);
    assert_eq!(status.membership, "active");
    assert_eq!(status.frozen, [ME]);
    assert_eq!(status.notices[0].zh, "警报");
    assert_eq!(node.client.health().unwrap().status, "ready");
    assert_eq!(node.client.members().unwrap()[0].parent, "council");
    assert_eq!(node.client.charters().unwrap().len(), 1);
    assert_eq!((status.register.id.as_str(), status.register.size), ("register-1", 0));
    assert_eq!(status.register.keeper, ME);
    let waiting = &status.waiting[0];
    assert_eq!((waiting.index, waiting.overdue), (7, true));
}

#[test]
fn the_root_of_a_log_is_known_up_to_its_size() {
    let node = Node::simple(published);
    let log = node.client.log(ME).unwrap();
    assert!(log.checkpoint.is_some());
    let whole = node.client.root(ME, 5).unwrap();
    assert_ne!(node.client.root(ME, 4).unwrap().root, whole.root);
    assert_eq!(node.client.root("cn-32-nobody", 0).unwrap().size, 0);
    assert_eq!(refusal(node.client.root(ME, 6)).0, 422);
    assert_eq!(refusal(node.client.root("cn-32-nobody", 1)).0, 404);
}

#[test]
fn a_log_shows_where_it_is_beyond_what_stands() {
    let node = Node::simple(published);
    let standing = node.client.standing(ME, 3).unwrap();
    let read = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let extension = Extension { left: read(&standing.left), right: read(&standing.right) };
    let prefix = |size| {
        let root = node.client.root(ME, size).unwrap().root.parse().unwrap();
        Prefix { size, root }
    };
    assert!(extension.ties(&prefix(3), &prefix(5)));
    assert!(!extension.ties(&prefix(2), &prefix(5)));
    assert_eq!(refusal(node.client.standing(ME, 6)).0, 422);
}

#[test]
fn a_receipt_that_no_anchor_covers_is_provisional_or_refused() {
    let metrics = config::Metrics::default();
    let node = Node::anchored(true, &free_port(), &metrics, published, 3);
    let mut request =
        ReceiptRequest { registration: Some(NUMBER.into()), ..ReceiptRequest::default() };
    assert_eq!(refusal(node.client.receipt(&request)).0, 503);
    request.provisional = true;
    let issued = node.client.receipt(&request).unwrap();
    assert!(issued.provisional);
    let report = verify(&issued.bytes, &chain().federation_id(), &Policy::default());
    assert_eq!(report.verdict, Verdict::Provisional, "{:?}", report.checks);
    request.compact = true;
    assert_eq!(refusal(node.client.receipt(&request)).0, 503);
}

#[test]
fn a_node_that_checks_its_log_is_not_healthy_yet() {
    let node = Node::start(false, &free_port(), &config::Metrics::default(), published);
    let answer = node.raw("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("checking"), "{answer}");
}

#[test]
fn statements_are_published_in_order_and_at_most_a_thousand() {
    let node = Node::simple(published);
    let recorded = node.client.publish(statements(STATEMENTS_MAX)).unwrap();
    assert_eq!(recorded.len(), STATEMENTS_MAX);
    assert_eq!(recorded[7].index, 7);
    assert_eq!(refusal(node.client.publish(statements(STATEMENTS_MAX + 1))).0, 422);
    assert_eq!(refusal(node.client.publish(Vec::new())).0, 422);
}

#[test]
fn each_refusal_of_the_driver_reaches_the_client_as_itself() {
    let checking = Node::simple(|_| Err(PublishError::OwnLogUnchecked));
    assert_eq!(refusal(checking.client.publish(statements(1))).0, 503);
    let busy = Node::simple(|_| Err(PublishError::Busy));
    assert_eq!(refusal(busy.client.publish(statements(1))).0, 429);
}

#[test]
fn a_statement_that_is_not_in_form_is_named_and_its_group_refused() {
    let node = Node::simple(published);
    let mut group = statements(2);
    group[1].body["title"] = json!({"zh": ""});
    let met = refusal(node.client.publish(group.clone()));
    assert_eq!(met, (422, vec!["/statements/1/body/title/zh".to_owned()]));
    group[1].body = json!("a text");
    let met = refusal(node.client.publish(group));
    assert_eq!(met, (422, vec!["/statements/1/body".to_owned()]));
}

#[test]
fn nothing_but_health_is_answered_without_the_token() {
    let node = Node::simple(published);
    let other = tempfile::tempdir().unwrap();
    let stranger = Client::new(node.address, Token::open_or_create(other.path()).unwrap());
    assert!(stranger.health().is_ok());
    assert_eq!(refusal(stranger.status()).0, 401);
    assert_eq!(refusal(stranger.publish(statements(1))).0, 401);
    let bare = node.raw("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(bare.starts_with("HTTP/1.1 401"), "{bare}");
    assert!(bare.contains("application/problem+json"), "{bare}");
}

#[test]
fn metrics_are_public_only_where_configured() {
    let metrics = config::Metrics { enabled: true, public: true };
    let node = Node::start(true, &free_port(), &metrics, published);
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let text = node.raw(request);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("hutong_ready 1"), "{text}");
    assert!(text.contains("hutong_queue{queue=\"answers\"} 3"), "{text}");
    assert!(text.contains("hutong_queue{queue=\"views_behind\"} 0"), "{text}");
    assert!(text.contains("hutong_log_size{exchange=\"cn-33-zhejiang\"} 1"), "{text}");
    let off = config::Metrics { enabled: false, public: true };
    let node = Node::start(true, &free_port(), &off, published);
    assert!(node.raw(request).starts_with("HTTP/1.1 404"));
}

#[test]
fn a_body_above_the_bound_is_refused_before_it_is_read() {
    let api = config::Api { body_bytes_max: 64 * 1024, ..free_port() };
    let node = Node::start(true, &api, &config::Metrics::default(), published);
    let mut large = statements(1);
    large[0].body = json!({"text": "x".repeat(64 * 1024)});
    assert_eq!(refusal(node.client.publish(large)).0, 413);
    assert_eq!(node.client.publish(statements(10)).unwrap().len(), 10);
    let token = std::fs::read_to_string(node.data.path().join("api.token")).unwrap();
    let chunk = "x".repeat(65 * 1024);
    let answer = node.raw(&format!(
        "POST /v1/charter HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
        chunk.len()
    ));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn a_request_with_an_unknown_member_is_refused() {
    let node = Node::simple(published);
    let token = std::fs::read_to_string(node.data.path().join("api.token")).unwrap();
    let post = |body: &str| {
        node.raw(&format!(
            "POST /v1/statements HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let right = r#"{"statements":[{"kind":"k","body":{}}]}"#;
    assert!(post(right).starts_with("HTTP/1.1 201"));
    let wrong = r#"{"statements":[{"kind":"k","body":{},"issuer":"me"}]}"#;
    assert!(post(wrong).starts_with("HTTP/1.1 422"));
    assert!(post("{").starts_with("HTTP/1.1 422"));
}

#[test]
fn an_entry_is_shown_whole_or_as_withheld_or_not_found() {
    let node = Node::simple(published);
    let entry = node.client.entry(ME, 0).unwrap();
    assert_eq!(entry.statement.unwrap(), json!({"type": "x"}));
    let hidden = node.client.entry(ME, 1).unwrap();
    assert!(hidden.withheld && hidden.entry.is_none());
    assert_eq!(refusal(node.client.entry(ME, 5)).0, 404);
    assert_eq!(refusal(node.client.entry("nobody-here", 0)).0, 404);
    assert_eq!(refusal(node.client.entry("No Id", 0)).0, 422);
}

#[test]
fn a_log_is_shown_or_not_found() {
    let node = Node::simple(published);
    assert_eq!(node.client.log(ME).unwrap().log.size, 1);
    assert_eq!(refusal(node.client.log("nobody-here")).0, 404);
    assert_eq!(Client::found(node.client.log("nobody-here")).unwrap(), None);
}

#[test]
fn charters_and_addresses_are_passed_on_and_refusals_come_back() {
    let node = Node::simple(published);
    assert_eq!(node.client.install_charter(b"charter").unwrap().version, 2);
    assert_eq!(refusal(node.client.install_charter(b"nonsense")).0, 422);
    node.client.dial("/ip4/127.0.0.1/tcp/1").unwrap();
    assert_eq!(refusal(node.client.dial("127.0.0.1:1")).0, 422);
    assert_eq!(refusal(node.client.dial("")).0, 422);
    node.client.shutdown().unwrap();
}

#[test]
fn a_path_or_method_that_does_not_exist_is_a_problem_too() {
    let node = Node::simple(published);
    assert_eq!(refusal(node.client.get::<Value>("/v1/nothing")).0, 404);
    assert_eq!(refusal(node.client.get::<Value>("/v1/dial")).0, 405);
}

#[test]
fn a_request_that_takes_too_long_is_ended() {
    let api = config::Api { request_timeout_ms: 100, ..free_port() };
    // Longer than the limit; the driver answers nobody meanwhile.
    let node = Node::start(true, &api, &config::Metrics::default(), |_| {
        let (_held, never) = std::sync::mpsc::sync_channel::<()>(1);
        assert!(never.recv_timeout(Duration::from_millis(400)).is_err());
        Err(PublishError::Stopping)
    });
    assert_eq!(refusal(node.client.publish(statements(1))).0, 504);
}

#[test]
fn listings_are_found_by_what_they_say_and_only_so() {
    let node = Node::simple(published);
    let found = |name: &str, value: &str| {
        node.client.listings(&[(name, value.to_owned())]).map(|page| page.items.len())
    };
    for (name, right, wrong) in [
        ("kind", "demand", "fund"),
        ("region", "CN-33", "CN-32"),
        ("query", "需求", "供给"),
        ("exchange", ME, "cn-32-jiangsu"),
        ("status", "listed", "withdrawn"),
    ] {
        assert_eq!(found(name, right).unwrap(), 1, "{name}={right}");
        assert_eq!(found(name, wrong).unwrap(), 0, "{name}={wrong}");
    }
    assert_eq!(refusal(found("region", "zhejiang")).0, 422);
    assert_eq!(refusal(found("limit", "501")).0, 422);
    assert_eq!(refusal(found("colour", "red")).0, 422);
    for no_mark in ["", "%0D", "next", "0", "a b"] {
        assert_eq!(refusal(found("after", no_mark)).0, 422, "{no_mark}");
        let contracts = node.client.contracts(&[("after", no_mark.to_owned())]);
        assert_eq!(refusal(contracts).0, 422, "{no_mark}");
    }
    let detail = node.client.listing(ME, "zj-1").unwrap();
    assert_eq!((detail.listing.revision, detail.history.len()), (1, 1));
    assert_eq!(refusal(node.client.listing(ME, "zj-2")).0, 404);
}

#[test]
fn a_contract_is_shown_and_its_receipt_verifies() {
    let node = Node::simple(published);
    let page = node.client.contracts(&[("number", "2026".to_owned())]).unwrap();
    assert_eq!(page.items[0].registration, NUMBER);
    let contract = node.client.contract(NUMBER).unwrap();
    assert_eq!(contract.contract.status, "registered");
    assert_eq!(refusal(node.client.contract("1")).0, 404);
    let mut request = ReceiptRequest {
        registration: Some(NUMBER.into()),
        disclose: vec!["seller_name".into()],
        ..ReceiptRequest::default()
    };
    let issued = node.client.receipt(&request).unwrap();
    assert!(!issued.provisional);
    let report = verify(&issued.bytes, &chain().federation_id(), &Policy::default());
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
    assert_eq!(report.summary.unwrap().disclosed["seller_name"], "浙江大学");
    let bundle = Bundle::parse(&node.client.authority().unwrap()).unwrap();
    let trusted = TrustedAuthority::verify(&bundle, &chain().federation_id()).unwrap();
    request.compact = true;
    let bytes = node.client.receipt(&request).unwrap().bytes;
    assert_eq!(verify_compact(&bytes, &trusted, None).verdict, Verdict::Valid);
}

#[test]
fn a_statement_that_would_change_nothing_is_refused_before_it_is_signed() {
    let node = Node::simple(published);
    let ask = |bodies: &[(&str, Value)]| {
        let statements = bodies.iter().map(|(kind, body)| PublishRequest {
            kind: (*kind).to_owned(),
            audience: json!("public"),
            body: body.clone(),
        });
        node.client.publish(statements.collect())
    };
    let (contract, listing) = ("hutong/contract/v1", "hutong/listing/v1");
    let registered = contract_body(node.data.path());
    assert_eq!(refusal(ask(&[(contract, registered.clone())])).0, 409);
    let previous = node.client.contract(NUMBER).unwrap().contract.last;
    let mut amended = registered;
    amended["event"] = json!("amended");
    amended["previous"] = json!("5f".repeat(32));
    assert_eq!(refusal(ask(&[(contract, amended.clone())])).0, 409);
    amended["previous"] = json!(previous);
    assert_eq!(ask(&[(contract, amended.clone())]).unwrap().len(), 1);
    let mut revised = listing_body();
    assert_eq!(refusal(ask(&[(listing, revised.clone())])).0, 409);
    revised["revision"] = json!(2);
    assert_eq!(ask(&[(listing, revised.clone())]).unwrap().len(), 1);
    // A group is looked at in order: the second of two equal revisions does not follow the first.
    let twice = ask(&[(listing, revised.clone()), (listing, revised)]);
    assert_eq!(refusal(twice), (409, vec!["/statements/1".to_owned()]));
    let status = json!({"listing_id": "zj-9", "status": "withdrawn"});
    assert_eq!(refusal(ask(&[("hutong/listing-status/v1", status)])).0, 409);
}

#[test]
fn two_requests_about_one_subject_do_not_overlap() {
    let reservations = continuity::Reservations::default();
    let group = unsigned("hutong/listing/v1", listing_body());
    let first = reservations.reserve(&group).unwrap();
    assert!(reservations.reserve(&group).is_err());
    drop(first);
    assert!(reservations.reserve(&group).is_ok());
}

#[tokio::test]
async fn whoever_publishes_is_asked_whether_it_follows() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&data.path().join("store"), &StoreOptions::default()).unwrap();
    put_entries(&store, data.path());
    let (handle, mut commands, _views) = NodeHandle::new(view(true), store, issuer());
    let listing = |revision: u64| {
        let mut body = listing_body();
        body["revision"] = json!(revision);
        vec![crate::handle::PublishRequest {
            kind: "hutong/listing/v1".into(),
            audience: json!("public"),
            body: body.to_string(),
        }]
    };
    let refused = handle.publish(listing(1)).await;
    assert!(
        matches!(refused, Err(PublishError::Continuity(ContinuityError::NotNext { place: 0, .. }))),
        "{refused:?}"
    );
    // Nothing reached the driver; what follows does, and holds its subject until it is answered.
    assert!(commands.try_recv().is_err());
    let first = tokio::spawn({
        let handle = handle.clone();
        async move { handle.publish(listing(2)).await }
    });
    let command = commands.recv().await.unwrap();
    let beside = handle.publish(listing(2)).await;
    assert!(
        matches!(beside, Err(PublishError::Continuity(ContinuityError::UnderWay { .. }))),
        "{beside:?}"
    );
    answer(command, published, None);
    assert_eq!(first.await.unwrap().unwrap().len(), 1);
}

#[test]
fn what_is_recorded_must_have_been_read_before_anything_follows_it() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), &StoreOptions::default()).unwrap();
    let number = |number: u64| {
        let mut body = listing_body();
        body["listing_id"] = json!(format!("zj-{number}"));
        body
    };
    let leaves = (0..2_000).map(|n| Leaf::Entry(statement("hutong/listing/v1", number(n))));
    let leaves = Persist::Leaves { log: me(), from: 0, leaves: leaves.collect(), void: Vec::new() };
    store.commit(&[leaves]).unwrap();
    let check = |group: &[Unsigned], patience| {
        continuity::check(&me(), &store, group, patience, || {
            assert!(store.settle_log(&me(), Duration::ZERO), "the view is taken last");
            Arc::new(view(true))
        })
    };
    let again = unsigned("hutong/listing/v1", number(1_999));
    // Two thousand statements take the views longer than no time at all.
    let asked = check(&again, Duration::ZERO);
    assert!(matches!(asked, Err(ContinuityError::Behind)), "{asked:?}");
    let other = unsigned("hutong/member-admit/v1", json!({}));
    assert!(check(&other, Duration::ZERO).is_ok(), "other types follow nothing");
    let asked = check(&again, Duration::from_mins(1));
    assert!(matches!(asked, Err(ContinuityError::NotNext { place: 0, .. })), "{asked:?}");
}

#[test]
fn an_event_that_does_not_follow_is_in_no_receipt_and_has_none() {
    let node = Node::simple(published);
    let contract = node.client.contract(NUMBER).unwrap();
    let effective: Vec<bool> = contract.history.iter().map(|event| event.effective).collect();
    assert_eq!(effective, [true, false]);
    assert_eq!(contract.contract.status, "registered");
    let of_contract =
        ReceiptRequest { registration: Some(NUMBER.into()), ..ReceiptRequest::default() };
    let bytes = node.client.receipt(&of_contract).unwrap().bytes;
    let report = verify(&bytes, &chain().federation_id(), &Policy::default());
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
    let of_stray = ReceiptRequest {
        statement: Some(node.client.entry(ME, 4).unwrap().id),
        ..ReceiptRequest::default()
    };
    assert_eq!(refusal(node.client.receipt(&of_stray)).0, 409);
}

#[test]
fn a_receipt_is_refused_with_its_reason() {
    let node = Node::simple(published);
    let ask = |request: ReceiptRequest| refusal(node.client.receipt(&request));
    let number = |number: &str| ReceiptRequest {
        registration: Some(number.into()),
        ..ReceiptRequest::default()
    };
    assert_eq!(ask(ReceiptRequest::default()).0, 422);
    assert_eq!(ask(number("1")).0, 404);
    let unknown = ReceiptRequest { disclose: vec!["terms".into()], ..number(NUMBER) };
    assert_eq!(ask(unknown), (422, vec!["/disclose".to_owned()]));
    let both = ReceiptRequest { statement: Some("5f".repeat(32)), ..number(NUMBER) };
    assert_eq!(ask(both).0, 422);
    let withheld = ReceiptRequest {
        statement: Some(node.client.entry(ME, 1).unwrap().id),
        ..ReceiptRequest::default()
    };
    assert!(matches!(ask(withheld).0, 404 | 409));
}

#[test]
fn the_address_goes_when_the_server_ends() {
    let mut node = Node::simple(published);
    let path = node.data.path().join("api.addr");
    assert!(path.exists());
    drop(node.stop.take());
    node.served.take().unwrap().join().unwrap();
    assert!(!path.exists());
}
