//! C2SP texts: golden ones made elsewhere, the neighbours that are refused, and other readers.
#![expect(clippy::unwrap_used, reason = "a test stops at the first broken vector")]

use base64ct::{Base64, Encoding as _};
use hutong_crypto::{
    Hash, PublicKey, SigningKey,
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::{cosign, verify_cosignature, verify_cosignature_strict},
    limits::{
        CHECKPOINT_EXTENSIONS_MAX, KEY_NAME_BYTES_MAX, LOG_SIZE_MAX, NOTE_BYTES_MAX,
        NOTE_SIGNATURES_MAX,
    },
    merkle::leaf_hash,
    note::{
        KeyName, Note, NoteError, NoteSignature, SIGNATURE_TYPE_COSIGNATURE,
        SIGNATURE_TYPE_ED25519, VerifierKey, VerifierKeyError, key_id, verifier_key,
    },
    proof::TlogProof,
};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/notes.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn key(value: &Value) -> SigningKey {
    SigningKey::from_bytes(&hex::decode(text(value, "secret")).unwrap().try_into().unwrap())
}

/// `text` with the first `from` replaced; there must be one.
#[track_caller]
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in {text:?}");
    text.replacen(from, to, 1)
}

#[test]
fn verifier_keys_match_the_vectors() {
    let vectors = vectors();
    for (name, signature_type) in
        [("log", SIGNATURE_TYPE_ED25519), ("witness", SIGNATURE_TYPE_COSIGNATURE)]
    {
        let vkey = text(&vectors[name], "vkey");
        let key = key(&vectors[name]).public();
        let parsed = VerifierKey::parse(vkey).unwrap();
        assert_eq!(parsed.name.as_str(), text(&vectors[name], "name"));
        assert_eq!((parsed.signature_type, parsed.key), (signature_type, key));
        assert_eq!(parsed.encode(), vkey);
        assert_eq!(verifier_key(parsed.name.as_str(), signature_type, &key), vkey);
        assert_eq!(parsed.key_id(), key_id(parsed.name.as_str(), signature_type, &key));
    }
}

#[test]
fn verifier_keys_are_refused_where_a_part_is_wrong() {
    let good = verifier_key("a.example", SIGNATURE_TYPE_ED25519, &PublicKey([9; 32]));
    assert!(VerifierKey::parse(&good).is_ok());
    let (id, base64) = good.strip_prefix("a.example+").unwrap().split_once('+').unwrap();
    let check = |text: String, expected: fn(&VerifierKeyError) -> bool| {
        let error = VerifierKey::parse(&text).unwrap_err();
        assert!(expected(&error), "{text}: {error:?}");
    };
    check(format!("a.example+{id}"), |e| matches!(e, VerifierKeyError::Parts));
    check(format!("+{id}+{base64}"), |e| matches!(e, VerifierKeyError::Name(_)));
    check(format!("a example+{id}+{base64}"), |e| matches!(e, VerifierKeyError::Name(_)));
    check(format!("b.example+{id}+{base64}"), |e| matches!(e, VerifierKeyError::WrongId { .. }));
    check(format!("a.example+{}+{base64}", &id[1..]), |e| matches!(e, VerifierKeyError::Id));
    check(format!("a.example+0x{id}+{base64}"), |e| matches!(e, VerifierKeyError::Id));
    check(good.trim_end_matches('=').to_owned() + "A", |e| {
        matches!(e, VerifierKeyError::Key | VerifierKeyError::WrongId { .. })
    });
    check(format!("{good}\n"), |e| matches!(e, VerifierKeyError::Key));
    check(verifier_key("a.example", 2, &PublicKey([9; 32])), |e| {
        matches!(e, VerifierKeyError::Type { met: 2 })
    });
    let upper = verifier_key("b.example", 1, &PublicKey([1; 32]));
    let (_, rest) = upper.split_once('+').unwrap();
    let (id, base64) = rest.split_once('+').unwrap();
    assert!(id.bytes().any(|byte| byte.is_ascii_alphabetic()));
    check(format!("b.example+{}+{base64}", id.to_uppercase()), |e| {
        matches!(e, VerifierKeyError::Id)
    });
}

#[test]
fn key_names_are_checked() {
    for name in ["a", "example.com/log42", "互通/杭州", &"n".repeat(KEY_NAME_BYTES_MAX)] {
        assert!(KeyName::new(name).is_ok(), "{name}");
    }
    let long = "n".repeat(KEY_NAME_BYTES_MAX + 1);
    for name in ["", "a b", "a+b", "a\nb", "a\tb", "a\u{a0}b", "a\u{3000}b", "a\0", &long] {
        assert!(KeyName::new(name).is_err(), "{name:?}");
    }
}

/// The example in the documentation of Go's `golang.org/x/mod/sumdb/note`.
#[test]
fn the_note_of_the_go_documentation_verifies() {
    let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\
                \n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg\
                KvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let key = VerifierKey::parse(vkey).unwrap();
    let note = Note::parse(text).unwrap();
    assert_eq!(note.verify("PeterNeumann", &key.key), Ok(()));
    assert_eq!(note.verify_strict("PeterNeumann", &key.key), Ok(()));
    assert_eq!(note.encode(), text);
    let changed = Note::parse(&with(text, "answer", "Answer")).unwrap();
    assert!(matches!(
        changed.verify("PeterNeumann", &key.key),
        Err(NoteError::BadSignature { .. })
    ));
}

#[test]
fn notes_match_the_vectors() {
    let vectors = vectors();
    let (text, log) = (text(&vectors, "note"), &vectors["log"]);
    let (name, key) = (self::text(log, "name"), key(log));
    let note = Note::parse(text).unwrap();
    assert_eq!(note.encode(), text);
    assert!(note.text.contains("\n\n"), "the last empty line is the border");
    assert_eq!(note.verify(name, &key.public()), Ok(()));
    let again = Note::signed(note.text.clone(), &KeyName::new(name).unwrap(), &key);
    assert_eq!(again, note);
}

#[test]
fn notes_out_of_form_are_refused() {
    let key = SigningKey::from_bytes(&[3; 32]);
    let good = Note::signed("text\n".to_owned(), &KeyName::new("n").unwrap(), &key).encode();
    assert!(Note::parse(&good).is_ok());
    let line = good.split_once("\n\n").unwrap().1;
    let base64 = line.strip_prefix("— n ").unwrap().trim_end();
    let last = base64.trim_end_matches('=');
    for refused in [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{line}"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}x"),
        with(&good, "text", "te\txt"),
        with(&good, "text", "te\rxt"),
        with(&good, "text", "te\0xt"),
        with(&good, "— n", "- n"),
        with(&good, "— n", "—n"),
        with(&good, "— n", "— "),
        with(&good, "— n", "— n+m"),
        with(&good, "— n", "— n m"),
        with(&good, "— n ", "— n  "),
        with(&good, "— n ", "— n"),
        with(&good, base64, last),
        with(&good, base64, &format!("{base64}=")),
        with(&good, base64, &format!(" {base64}")),
        with(&good, base64, &format!("{base64} ")),
        // Key id alone, and less than one.
        with(&good, base64, &Base64::encode_string(&[1; 4])),
        with(&good, base64, &Base64::encode_string(&[1; 3])),
        with(&good, base64, &Base64::encode_string(&[1; 9_000])),
        // Bits that decode to nothing: the same bytes in another text.
        with(&good, base64, "AAAAAAB="),
    ] {
        assert!(Note::parse(&refused).is_err(), "{refused:?}");
    }
    // The neighbours that are in form.
    for accepted in [
        with(&good, "text", "te\u{7f}xt"),
        with(&good, "text\n", "\n"),
        with(&good, base64, &Base64::encode_string(&[1; 5])),
        with(&good, base64, "AAAAAAA="),
        format!("{good}{line}"),
    ] {
        assert_eq!(Note::parse(&accepted).unwrap().encode(), accepted);
    }
}

#[test]
fn notes_are_bounded() {
    let line = "— n AAAAAAA=\n";
    let many = |count| format!("text\n\n{}", line.repeat(count));
    assert!(Note::parse(&many(NOTE_SIGNATURES_MAX)).is_ok());
    assert_eq!(Note::parse(&many(NOTE_SIGNATURES_MAX + 1)), Err(NoteError::TooManySignatures));
    let long = |bytes: usize| {
        let tail = format!("\n\n{line}");
        "x".repeat(bytes - tail.len()) + &tail
    };
    assert!(Note::parse(&long(NOTE_BYTES_MAX)).is_ok());
    let met = NOTE_BYTES_MAX + 1;
    assert_eq!(Note::parse(&long(met)), Err(NoteError::TooLong { met }));
}

#[test]
fn only_the_known_key_counts() {
    let (key, other) = (SigningKey::from_bytes(&[3; 32]), SigningKey::from_bytes(&[4; 32]));
    let name = KeyName::new("n").unwrap();
    let mut note = Note::signed("text\n".to_owned(), &name, &key);
    let foreign = NoteSignature::sign(&note.text, &KeyName::new("m").unwrap(), &other);
    assert!(matches!(note.verify("n", &other.public()), Err(NoteError::NotSigned { .. })));
    assert!(matches!(note.verify("m", &key.public()), Err(NoteError::NotSigned { .. })));
    // Signatures of others, and even nonsense under another id, do not matter.
    note.signatures.insert(0, foreign);
    let nonsense = NoteSignature { name: "n".into(), key_id: [0; 4], signature: vec![0; 64] };
    note.signatures.push(nonsense);
    assert_eq!(note.verify("n", &key.public()), Ok(()));
    // But one bad signature under the known name and id spoils the note.
    let mut bad = note.signatures[1].clone();
    bad.signature[0] ^= 1;
    note.signatures.push(bad.clone());
    assert!(matches!(note.verify("n", &key.public()), Err(NoteError::BadSignature { .. })));
    bad.signature.pop();
    note.signatures = vec![bad];
    assert!(matches!(note.verify("n", &key.public()), Err(NoteError::BadSignature { .. })));
}

#[test]
fn a_crafted_signature_passes_the_network_but_no_receipt() {
    // The identity as key and R, and s = 0: by ZIP 215 a signature on everything.
    let mut identity = [0; 32];
    identity[0] = 1;
    let key = PublicKey(identity);
    let signature = [&identity[..], &[0; 32]].concat();
    let checkpoint = Checkpoint::new("o", 1, Hash([5; 32]));
    let line = |signature_type, signature| NoteSignature {
        name: "o".into(),
        key_id: key_id("o", signature_type, &key),
        signature,
    };
    let text = checkpoint.encode();
    let cosignature = line(4, [&7u64.to_be_bytes()[..], &signature].concat());
    let note = Note { text: text.clone(), signatures: vec![line(1, signature)] };
    assert_eq!(Checkpoint::verify_log_signature(&note, "o", &key), Ok(checkpoint));
    assert!(Checkpoint::verify_log_signature_strict(&note, "o", &key).is_err());
    assert_eq!(verify_cosignature(&text, &cosignature, "o", &key).unwrap().timestamp, 7);
    assert!(verify_cosignature_strict(&text, &cosignature, "o", &key).is_err());
}

#[test]
fn checkpoints_match_the_vectors() {
    let vectors = vectors();
    let (case, log) = (&vectors["checkpoint"], &vectors["log"]);
    let (origin, key) = (text(log, "name"), key(log));
    let checkpoint = Checkpoint::new(
        origin,
        case["size"].as_u64().unwrap(),
        text(case, "root").parse().unwrap(),
    );
    assert_eq!(checkpoint.encode(), text(case, "text"));
    assert_eq!(Checkpoint::parse(text(case, "text")), Ok(checkpoint.clone()));
    let note = Note::parse(text(case, "note")).unwrap();
    assert_eq!(checkpoint.sign(&key), note);
    let verified = Checkpoint::verify_log_signature(&note, origin, &key.public());
    assert_eq!(verified, Ok(checkpoint.clone()));
    let strict = Checkpoint::verify_log_signature_strict(&note, origin, &key.public());
    assert_eq!(strict, Ok(checkpoint));
    assert!(Checkpoint::verify_log_signature(&note, "other", &key.public()).is_err());
}

#[test]
fn a_checkpoint_under_another_logs_name_is_refused() {
    let key = SigningKey::from_bytes(&[3; 32]);
    let text = Checkpoint::new("theirs", 0, Hash([0; 32])).encode();
    let note = Note::signed(text, &KeyName::new("mine").unwrap(), &key);
    assert_eq!(
        Checkpoint::verify_log_signature(&note, "mine", &key.public()),
        Err(NoteError::Origin { expected: "mine".into(), met: "theirs".into() })
    );
    let note = Note::signed("no checkpoint\n".into(), &KeyName::new("mine").unwrap(), &key);
    assert_eq!(
        Checkpoint::verify_log_signature(&note, "mine", &key.public()),
        Err(NoteError::Checkpoint(CheckpointError::Lines))
    );
}

#[test]
fn checkpoints_out_of_form_are_refused() {
    let good = Checkpoint::new("o.example/log", 12, Hash([0xfb; 32])).encode();
    let root = good.lines().nth(2).unwrap();
    let check = |text: &str, expected| {
        assert_eq!(Checkpoint::parse(text), Err(expected), "{text:?}");
    };
    check("", CheckpointError::Lines);
    check("o\n12\n", CheckpointError::Lines);
    check(good.trim_end(), CheckpointError::Lines);
    check(&with(&good, "o.example/log", ""), CheckpointError::Origin);
    check(&with(&good, "o.example", "o\texample"), CheckpointError::Origin);
    check(&with(&good, "o.example", &"o".repeat(256)), CheckpointError::Origin);
    for size in ["", "012", "+12", "-1", " 12", "12 ", "1e2", "0x1", "１２", "9223372036854775808"]
    {
        check(&with(&good, "12", size), CheckpointError::Size);
    }
    check(&with(&good, "12", "99999999999999999999"), CheckpointError::Size);
    for bad in [
        root.trim_end_matches('=').to_owned(),
        format!("{root}="),
        with(root, "+", "-"),
        Base64::encode_string(&[0; 31]),
        Base64::encode_string(&[0; 33]),
        format!("{}B=", &Base64::encode_string(&[0; 32])[..42]),
        String::new(),
    ] {
        check(&with(&good, root, &bad), CheckpointError::Root);
    }
    check(&format!("{good}\n"), CheckpointError::Extension);
    check(&format!("{good}x\n\n"), CheckpointError::Extension);
    check(&format!("{good}x\ty\n"), CheckpointError::Extension);
    let extended = |count| good.clone() + &"x\n".repeat(count);
    check(&extended(CHECKPOINT_EXTENSIONS_MAX + 1), CheckpointError::Extension);
    let long = format!("{good}{}\n", "x".repeat(9_000));
    check(&long, CheckpointError::TooLong { met: long.len() });
    for accepted in [
        extended(CHECKPOINT_EXTENSIONS_MAX),
        with(&good, "12", "0"),
        with(&good, "12", &LOG_SIZE_MAX.to_string()),
        with(&good, "o.example", "an origin + spaces"),
    ] {
        assert_eq!(Checkpoint::parse(&accepted).unwrap().encode(), accepted);
    }
}

#[test]
fn cosignatures_match_the_vectors_and_their_neighbours_are_refused() {
    let vectors = vectors();
    let (witness, body) = (&vectors["witness"], text(&vectors["checkpoint"], "text"));
    let (name, key, time) =
        (text(witness, "name"), key(witness), witness["time"].as_u64().unwrap());
    let line = NoteSignature::parse_line(text(&vectors, "cosignature")).unwrap();
    assert_eq!(line.encode(), text(&vectors, "cosignature"));
    assert_eq!(cosign(body, name, &key, time), line);
    let checked = verify_cosignature(body, &line, name, &key.public()).unwrap();
    assert_eq!((checked.name.as_str(), checked.timestamp), (name, time));
    assert_eq!(verify_cosignature_strict(body, &line, name, &key.public()), Ok(checked));

    let refused = |body: &str, line: &NoteSignature, name: &str, key: &SigningKey| {
        assert!(verify_cosignature(body, line, name, &key.public()).is_err());
        assert!(verify_cosignature_strict(body, line, name, &key.public()).is_err());
    };
    refused(&with(body, "\n11\n", "\n12\n"), &line, name, &key);
    refused(body, &line, "another", &key);
    refused(body, &line, name, &SigningKey::from_bytes(&[1; 32]));
    for byte in 0..line.signature.len() {
        let mut changed = line.clone();
        changed.signature[byte] ^= 1;
        refused(body, &changed, name, &key);
    }
    let mut changed = line.clone();
    changed.signature.pop();
    refused(body, &changed, name, &key);
    changed.signature.extend([0, 0]);
    refused(body, &changed, name, &key);
    // A plain signature of the same key is no cosignature, and none is dated beyond 63 bits.
    refused(body, &NoteSignature::sign(body, &KeyName::new(name).unwrap(), &key), name, &key);
    let late = 1u64 << 63;
    let signed = key.sign(format!("cosignature/v1\ntime {late}\n{body}").as_bytes());
    let signature = [&late.to_be_bytes()[..], &signed.0].concat();
    refused(body, &NoteSignature { signature, ..line.clone() }, name, &key);
    let latest = cosign(body, name, &key, late - 1);
    assert!(verify_cosignature(body, &latest, name, &key.public()).is_ok());
    assert!(NoteSignature::parse_line(line.encode().trim_end()).is_err());
    assert!(NoteSignature::parse_line(&line.encode().repeat(2)).is_err());
}

#[test]
fn proofs_match_the_vectors() {
    let vectors = vectors();
    let (log, witness) = (&vectors["log"], &vectors["witness"]);
    for case in vectors["proofs"].as_array().unwrap() {
        let proof = TlogProof::parse(text(case, "text")).unwrap();
        assert_eq!(proof.encode(), text(case, "text"));
        assert_eq!(proof.index, case["index"].as_u64().unwrap());
        assert_eq!(proof.extra, case["extra"].as_str().map(|extra| hex::decode(extra).unwrap()));
        let note = &proof.checkpoint;
        let checkpoint =
            Checkpoint::verify_log_signature_strict(note, text(log, "name"), &key(log).public())
                .unwrap();
        assert!(
            verify_cosignature_strict(
                &note.text,
                &note.signatures[1],
                text(witness, "name"),
                &key(witness).public()
            )
            .is_ok()
        );
        let leaf = leaf_hash(text(case, "entry").as_bytes());
        assert_eq!(proof.verify(&leaf, &checkpoint), Ok(()));
        assert!(proof.verify(&leaf_hash(b"other"), &checkpoint).is_err());
        let moved = TlogProof { index: proof.index ^ 1, ..proof };
        assert!(moved.verify(&leaf, &checkpoint).is_err());
    }
}

#[test]
fn proofs_out_of_form_are_refused() {
    let vectors = vectors();
    let good = text(&vectors["proofs"][2], "text");
    let hash = good.lines().nth(3).unwrap();
    assert!(TlogProof::parse(good).is_ok());
    for refused in [
        String::new(),
        with(good, "proof@v1", "proof@v2"),
        with(good, "c2sp.org", " c2sp.org"),
        with(good, "extra ", "extra  "),
        with(good, "extra ", "Extra "),
        with(good, "extra b3BhcXVl\n", "extra \n"),
        with(good, "extra b3BhcXVl\n", "extra\n"),
        with(good, "extra b3BhcXVl\n", "extra b3BhcXV=\n"),
        with(good, "extra b3BhcXVl\n", "extra b3BhcXVl\nextra b3BhcXVl\n"),
        with(good, "index 5\n", ""),
        with(good, "index 5", "index 05"),
        with(good, "index 5", "index  5"),
        with(good, "index 5", "index -5"),
        with(good, "index 5", "index 9223372036854775807"),
        with(good, "index 5\n", "index 5\n\n"),
        with(good, "index 5\n", "index 5\nindex 5\n"),
        with(good, hash, &hash[1..]),
        with(good, hash, &format!("{hash} ")),
        with(good, hash, &vec![hash; 64].join("\n")),
        with(good, "\n\n", "\n"),
        with(good, "\n11\n", "\n011\n"),
        format!("{good}\n"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
    ] {
        assert!(TlogProof::parse(&refused).is_err(), "{refused}");
    }
    for accepted in [
        with(good, "extra b3BhcXVl\n", ""),
        with(good, "index 5", "index 0"),
        with(good, hash, &vec![hash; 60].join("\n")),
    ] {
        assert_eq!(TlogProof::parse(&accepted).unwrap().encode(), accepted);
    }
}

#[test]
fn another_implementation_reads_what_we_sign() {
    use signed_note::{StandardVerifier, VerifierList};
    let key = SigningKey::from_bytes(&[3; 32]);
    let checkpoint = Checkpoint::new("5f1c.hutong/cn-33-zhejiang", 20_852_163, Hash([0xa5; 32]));
    let mut note = checkpoint.sign(&key);
    note.signatures.push(cosign(&note.text, "w.example", &key, 1));
    let theirs = signed_note::Note::from_bytes(note.encode().as_bytes()).unwrap();
    let vkey = verifier_key(&checkpoint.origin, SIGNATURE_TYPE_ED25519, &key.public());
    let verifier = StandardVerifier::new(&vkey).unwrap();
    let (known, unknown) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((known.len(), unknown.len()), (1, 1));
    assert_eq!(theirs.to_bytes(), note.encode().as_bytes());
    let read = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!((read.origin(), read.size()), (checkpoint.origin.as_str(), checkpoint.size));
    assert_eq!(read.hash().0, checkpoint.root.0);
}

/// One change in a text: a character put in, taken out or replaced, or the end cut off.
fn change(text: &str, place: usize, kind: u8, with: char) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let place = place % chars.len();
    match kind {
        0 => chars.insert(place, with),
        1 => drop(chars.remove(place)),
        2 => chars[place] = with,
        _ => chars.truncate(place),
    }
    chars.into_iter().collect()
}

fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        prop::sample::select(vec!['\n', ' ', '=', '+', '/', '0', '1', 'A', '—', '\r', '\0']),
        any::<char>(),
    ]
}

proptest! {
    /// Whatever parses encodes to the bytes that were parsed.
    #[test]
    fn texts_have_one_form(place in any::<usize>(), kind in 0u8..4, with in character()) {
        let vectors = vectors();
        for proof in vectors["proofs"].as_array().unwrap() {
            let changed = change(text(proof, "text"), place, kind, with);
            if let Ok(proof) = TlogProof::parse(&changed) {
                prop_assert_eq!(proof.encode(), changed);
            }
        }
        let changed = change(text(&vectors["checkpoint"], "note"), place, kind, with);
        if let Ok(note) = Note::parse(&changed) {
            prop_assert_eq!(note.encode(), changed);
        }
        let changed = change(text(&vectors["checkpoint"], "text"), place, kind, with);
        if let Ok(checkpoint) = Checkpoint::parse(&changed) {
            prop_assert_eq!(checkpoint.encode(), changed);
        }
        let changed = change(text(&vectors["witness"], "vkey"), place, kind, with);
        if let Ok(key) = VerifierKey::parse(&changed) {
            prop_assert_eq!(key.encode(), changed);
        }
        let changed = change(text(&vectors, "cosignature"), place, kind, with);
        if let Ok(line) = NoteSignature::parse_line(&changed) {
            prop_assert_eq!(line.encode(), changed);
        }
    }

    #[test]
    fn notes_in_form_come_back(
        lines in proptest::collection::vec("[^\\x00-\\x1f]{0,20}", 1..6),
        names in proptest::collection::vec("[a-z0-9./]{1,20}", 1..5),
        signature in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let signatures = names
            .into_iter()
            .map(|name| NoteSignature { name, key_id: [1, 2, 3, 4], signature: signature.clone() })
            .collect();
        let note = Note { text: lines.join("\n") + "\n", signatures };
        prop_assert_eq!(Note::parse(&note.encode()), Ok(note));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}\n{0,2}\\PC{0,80}\n?") {
        let _ = Note::parse(&text);
        let _ = Checkpoint::parse(&text);
        let _ = TlogProof::parse(&text);
        let _ = VerifierKey::parse(&text);
    }
}
