//! The protocol's formats against golden vectors that were made from the specification by other code.
//!
//! How to make them again: `tests/vectors/make_protocol.py`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use bytes::Bytes;
use hutong_crypto::{PublicKey, verify, verify_strict};
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::directory::approval_message;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::evidence::{Evidence, EvidenceError};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::json::parse_canonical;
use hutong_protocol::message::{Gossip, Refusal, Request, Response, ServedLeaf, TailLeaf};
use hutong_protocol::statement::{Envelope, Said, Statement};
use serde_json::Value;

const ENTRIES: &str = include_str!("../../tests/vectors/entries.json");
const AUTHORITY: &str = include_str!("../../tests/vectors/authority.json");
const MESSAGES: &str = include_str!("../../tests/vectors/messages.json");
const EVIDENCE: &str = include_str!("../../tests/vectors/evidence.json");

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn bytes(value: &Value, name: &str) -> Bytes {
    Bytes::from(hex::decode(text(value, name)).unwrap())
}

fn id(name: &str) -> ExchangeId {
    name.parse().unwrap()
}

fn entry(value: &Value) -> Entry {
    Entry::parse(bytes(value, "entry")).unwrap()
}

fn outcome(entry: &Entry) -> Outcome {
    check::entries(&id("cn-33-zhejiang"), std::slice::from_ref(entry))[0]
}

fn is_signed(entry: &Entry) -> bool {
    let (key, signature) = entry.key_and_signature().unwrap();
    verify(&key, &entry.signed_message(), &signature)
}

#[test]
fn what_cannot_be_verified_and_what_a_body_says_are_kept() {
    let vectors = read(ENTRIES);
    for vector in vectors["unverifiable"].as_array().unwrap() {
        let (entry, why) = (entry(vector), text(vector, "why"));
        assert_eq!(entry.statement_bytes(), text(vector, "statement").as_bytes(), "{why}");
        assert!(entry.key_and_signature().is_err(), "{why}");
        assert_eq!(outcome(&entry), Outcome::Unverifiable, "{why}");
    }
    for vector in vectors["any_body"].as_array().unwrap() {
        let (entry, why) = (entry(vector), text(vector, "why"));
        assert!(Envelope::parse(entry.statement_bytes()).is_ok(), "{why}");
        assert!(Said::parse(entry.statement_bytes()).is_err() || why.contains("some"), "{why}");
        assert_eq!(outcome(&entry), Outcome::Sound, "{why}");
    }
}

#[test]
fn entries_match_the_vectors() {
    for vector in read(ENTRIES)["entries"].as_array().unwrap() {
        let entry = entry(vector);
        assert_eq!(entry.id().to_string(), text(vector, "id"));
        let (key, signature) = entry.key_and_signature().unwrap();
        assert_eq!(key.to_string(), text(vector, "key"));
        assert_eq!(entry.statement_bytes(), text(vector, "statement").as_bytes());
        assert!(verify_strict(&key, &entry.signed_message(), &signature));
        assert_eq!(Statement::parse(entry.statement_bytes()).unwrap().issuer, id("cn-33-zhejiang"));
        assert_eq!(outcome(&entry), Outcome::Sound);
        assert_eq!(check::entries(&id("cn-32-jiangsu"), &[entry]), [Outcome::Void]);
    }
}

#[test]
fn entries_that_are_none_or_say_nothing_are_refused() {
    let vectors = read(ENTRIES);
    for vector in vectors["no_entry"].as_array().unwrap() {
        assert!(Entry::parse(bytes(vector, "entry")).is_err(), "{}", text(vector, "why"));
    }
    for vector in vectors["unsigned"].as_array().unwrap() {
        let entry = entry(vector);
        assert!(!is_signed(&entry));
        assert_eq!(outcome(&entry), Outcome::Void, "{}", text(vector, "why"));
    }
    for vector in vectors["no_statement"].as_array().unwrap() {
        let (entry, why) = (entry(vector), text(vector, "why"));
        assert!(is_signed(&entry), "{why}: what is wrong shall be the statement alone");
        assert!(Statement::parse(entry.statement_bytes()).is_err(), "{why}");
        assert_eq!(outcome(&entry), Outcome::Void, "{why}");
    }
}

#[test]
fn an_approval_matches_the_vectors() {
    let vectors = read(AUTHORITY);
    let federation = text(&vectors, "federation").parse().unwrap();
    let body = parse_canonical(text(&vectors, "approved_body").as_bytes()).unwrap();
    let message = approval_message(&federation, "hutong/member-admit/v1", &body);
    assert_eq!(Bytes::from(message), bytes(&vectors, "approval_message"));
}

#[test]
fn descriptors_match_the_vectors() {
    let vectors = read(AUTHORITY);
    let sound = parse_canonical(text(&vectors, "descriptor").as_bytes()).unwrap();
    assert_eq!(SignedDescriptor::verify(&sound).unwrap().to_value(), sound);
    let refused = vectors["refused_descriptors"].as_array().unwrap();
    assert!(refused.len() > 20);
    for vector in refused {
        let value = parse_canonical(text(vector, "descriptor").as_bytes()).unwrap();
        assert!(SignedDescriptor::verify(&value).is_err(), "{}", text(vector, "why"));
    }
}

#[test]
fn messages_match_the_vectors() {
    let vectors = read(MESSAGES);
    let mut seen = Vec::new();
    for (kind, cases) in vectors["accepted"].as_object().unwrap() {
        for name in cases.as_object().unwrap().keys() {
            let sent = bytes(cases, name);
            let (again, shown) = match kind.as_str() {
                "gossip" => {
                    let message = Gossip::decode(sent.clone()).unwrap();
                    (message.encode(), format!("{message:?}"))
                }
                "request" => {
                    let message = Request::decode(sent.clone()).unwrap();
                    (message.encode(), format!("{message:?}"))
                }
                _ => {
                    let message = Response::decode(sent.clone()).unwrap();
                    (message.encode(), format!("{message:?}"))
                }
            };
            assert_eq!(again, sent, "{kind} {name}");
            seen.push(shown);
        }
    }
    assert_eq!(seen.len(), 29, "every message of version 1 has a vector");
}

#[test]
fn messages_are_read_as_meant() {
    let vectors = &read(MESSAGES)["accepted"];
    let Gossip::Announcement(news) =
        Gossip::decode(bytes(&vectors["gossip"], "announcement")).unwrap()
    else {
        panic!("an announcement")
    };
    assert_eq!((news.log, news.old_size), (id("cn-33-zhejiang"), 0));
    assert!(matches!(
        news.tail.as_slice(),
        [TailLeaf::Entry(_), TailLeaf::Large(_), TailLeaf::Restricted(_)]
    ));
    let Request::Leaves(range) = Request::decode(bytes(&vectors["request"], "leaves")).unwrap()
    else {
        panic!("a request for leaves")
    };
    assert_eq!((range.from, range.to, range.size, range.left), (1, 300, u64::MAX, false));
    let Request::Hello(hello) = Request::decode(bytes(&vectors["request"], "hello")).unwrap()
    else {
        panic!("a hello")
    };
    let scopes: Vec<&str> = hello.scopes.iter().map(|(scope, _)| scope.as_str()).collect();
    assert_eq!((hello.charter_version, scopes), (3, vec!["CN", "CN-33"]));
    let Response::Leaves(leaves) = Response::decode(bytes(&vectors["response"], "leaves")).unwrap()
    else {
        panic!("leaves")
    };
    assert!(matches!(
        leaves.leaves.as_slice(),
        [ServedLeaf::Entry(_), ServedLeaf::Withheld(_), ServedLeaf::Absent(_)]
    ));
    assert_eq!((leaves.left.len(), leaves.right.len()), (0, 1));
    let kept: Vec<Leaf> = leaves.leaves.into_iter().map(ServedLeaf::into_leaf).collect();
    assert!(kept[0].entry().is_some() && kept[1].entry().is_none() && kept[2].entry().is_none());
    let refused = Response::decode(bytes(&vectors["response"], "refused")).unwrap();
    assert_eq!(refused, Response::Refused(Refusal::Frozen));
}

#[test]
fn messages_out_of_form_are_refused() {
    for (kind, cases) in read(MESSAGES)["refused"].as_object().unwrap() {
        for name in cases.as_object().unwrap().keys() {
            let sent = bytes(cases, name);
            let refused = match kind.as_str() {
                "gossip" => Gossip::decode(sent).is_err(),
                "request" => Request::decode(sent).is_err(),
                _ => Response::decode(sent).is_err(),
            };
            assert!(refused, "{kind}: {name}");
        }
    }
}

#[test]
fn evidence_convicts_exactly_where_the_vectors_say() {
    let vectors = read(EVIDENCE);
    let key: PublicKey = text(&vectors, "key").parse().unwrap();
    let mut verdicts = std::collections::BTreeSet::new();
    for (number, case) in vectors["cases"].as_array().unwrap().iter().enumerate() {
        let sent = bytes(case, "evidence");
        let evidence = Evidence::decode(sent.clone()).unwrap();
        assert_eq!(evidence.encode(), sent);
        let met = match evidence.verify(text(&vectors, "log"), &key) {
            Ok(_) => "holds",
            Err(EvidenceError::Unsigned(_)) => "unsigned",
            Err(EvidenceError::Consistent(_)) => "consistent",
            Err(EvidenceError::Order { .. }) => "order",
            Err(EvidenceError::Proof(_)) => "proof",
        };
        assert_eq!(met, text(case, "verdict"), "case {number}");
        verdicts.insert(met);
    }
    assert_eq!(verdicts.len(), 5, "every verdict occurs");
}
