//! Inputs that every target accepts: the golden vectors, the files in `configs/`, and receipts of a federation made
//! here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hutong_crypto::keys::PublicKey;
use hutong_protocol::fixture::{Exchange, Federation};
use hutong_protocol::id::{FederationId, Tier};
use hutong_protocol::receipt::{Receipt, TrustedAuthority, build};
use hutong_protocol::statement::StatementType;
use serde_json::{Value, json};

/// What receipts are verified against.
pub struct Receipts {
    /// The federation of the sample receipts.
    pub federation: FederationId,
    /// Its authority bundle.
    pub trusted: TrustedAuthority,
    whole: Vec<u8>,
    compact: Vec<u8>,
    bundle: Vec<u8>,
    charter: Vec<u8>,
    descriptor: Vec<u8>,
}

static RECEIPTS: LazyLock<Receipts> = LazyLock::new(make_receipts);
static LOG: LazyLock<(String, PublicKey)> = LazyLock::new(|| {
    let vectors = vectors(include_str!("../../vectors/evidence.json"));
    let key = bytes(&vectors["key"]);
    let key = PublicKey::try_from(key.as_slice()).expect("the vectors name a key");
    (string(&vectors["log"]).to_owned(), key)
});

/// The sample receipts.
pub fn receipts() -> &'static Receipts {
    &RECEIPTS
}

/// Origin and key of the log that the sample evidence is about.
pub fn log() -> (&'static str, &'static PublicKey) {
    (&LOG.0, &LOG.1)
}

/// Samples by the name of the target that accepts them.
pub fn all() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let messages = vectors(include_str!("../../vectors/messages.json"));
    let messages = |of: &str| -> Vec<Vec<u8>> {
        members(&messages["accepted"][of]).iter().map(|value| bytes(value)).collect()
    };
    let entries = vectors(include_str!("../../vectors/entries.json"));
    let entries = items(&entries["entries"]);
    let statements: Vec<Vec<u8>> =
        entries.iter().map(|one| string(&one["statement"]).as_bytes().to_vec()).collect();
    let notes = vectors(include_str!("../../vectors/notes.json"));
    let text = |value: &Value| string(value).as_bytes().to_vec();
    let evidence = vectors(include_str!("../../vectors/evidence.json"));
    let authority = vectors(include_str!("../../vectors/authority.json"));
    let receipts = receipts();
    BTreeMap::from([
        ("authority_bundle", vec![receipts.bundle.clone()]),
        ("charter", vec![receipts.charter.clone()]),
        ("checkpoint", vec![text(&notes["checkpoint"]["text"])]),
        ("compact_receipt", vec![receipts.compact.clone()]),
        ("config", configs()),
        ("cosignature", vec![text(&notes["cosignature"])]),
        ("descriptor", vec![receipts.descriptor.clone()]),
        ("entry", entries.iter().map(|one| bytes(&one["entry"])).collect()),
        (
            "evidence",
            items(&evidence["cases"])
                .iter()
                .filter(|case| case["verdict"] == "holds")
                .map(|case| bytes(&case["evidence"]))
                .collect(),
        ),
        ("gossip", messages("gossip")),
        (
            "import_mapping",
            vec![include_bytes!("../../../configs/mappings/nasa-open-source.toml").to_vec()],
        ),
        ("json", statements.iter().cloned().chain([text(&authority["descriptor"])]).collect()),
        ("note", vec![text(&notes["note"]), text(&notes["checkpoint"]["note"])]),
        ("receipt", vec![receipts.whole.clone()]),
        ("request", messages("request")),
        ("response", messages("response")),
        ("statement", statements),
        ("tlog_proof", items(&notes["proofs"]).iter().map(|proof| text(&proof["text"])).collect()),
        ("verifier_key", vec![text(&notes["log"]["vkey"]), text(&notes["witness"]["vkey"])]),
    ])
}

fn configs() -> Vec<Vec<u8>> {
    [
        &include_bytes!("../../../configs/county.toml")[..],
        include_bytes!("../../../configs/municipal.toml"),
        include_bytes!("../../../configs/provincial.toml"),
        include_bytes!("../../../configs/international.toml"),
        include_bytes!("../../../configs/demo.toml"),
    ]
    .map(<[u8]>::to_vec)
    .into()
}

/// A contract registered by the one council member of the smallest federation there is, amended later.
fn make_receipts() -> Receipts {
    let name = "cn-11-p";
    let council = [Exchange::new(name, Tier::Provincial, "CN-11", 0)];
    let mut federation = Federation::found(council.into(), 1);
    let mut contract = json!({
        "buyer_division": "KZ",
        "claims": {"project_name": "5f".repeat(32)},
        "contract_type": "license",
        "event": "registered",
        "field": "new_materials",
        "registering_division": "CN-11",
        "registration_no": "2026110000000001",
        "seller_division": "CN-11",
        "sign_date": "2026-03-01",
    });
    let index = federation.append(name, StatementType::Contract, contract.clone());
    let id = federation.exchange(name).id().clone();
    let first = federation.logs[&id].entries[0].id().to_string();
    contract["event"] = json!("amended");
    contract["previous"] = json!(first);
    let amended = federation.append(name, StatementType::Contract, contract);
    federation.anchor();
    let inputs = federation.receipt_inputs(name, index, &[amended]);
    let whole = build(inputs).expect("the fixture's receipt holds");
    let receipt = Receipt::parse(&whole).expect("a made receipt is read");
    let bundle = federation.bundle();
    let trusted =
        TrustedAuthority::verify(&bundle, &federation.id()).expect("the fixture's authority holds");
    let compact = receipt.encode_compact().expect("a small receipt fits");
    let descriptor = federation.exchange(name).signed().to_value();
    Receipts {
        federation: federation.id(),
        trusted,
        whole,
        compact,
        bundle: bundle.encode(),
        charter: federation.charters().versions()[0].signed().encode(),
        descriptor: hutong_protocol::json::canonicalize(&descriptor),
    }
}

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("vectors are JSON")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("the vectors hold a list")
}

fn members(value: &Value) -> Vec<&Value> {
    value.as_object().expect("the vectors hold an object").values().collect()
}

fn string(value: &Value) -> &str {
    value.as_str().expect("the vectors hold a text")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(string(value)).expect("the vectors hold hexadecimal digits")
}
