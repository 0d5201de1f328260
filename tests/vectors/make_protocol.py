#!/usr/bin/env python3
"""Makes the golden vectors of the protocol's formats again, without any of Hutong's code.

Written from docs/spec alone, on the primitives of make.py.

    python3 make_protocol.py        # writes entries.json, authority.json, messages.json, evidence.json
"""

import base64
import hashlib
import json
import os

from make import HERE, b64, blake3_derive, line, private, public, root, sha256

FEDERATION = "5f1c000000000001"


def canonical(value) -> bytes:
    """RFC 8785 for values with ASCII names, integers and plain texts, as all of these are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pae(kind: str, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def keys(name: str) -> dict:
    seed = sha256(name.encode())
    purposes = ["log", "witness", "issuer", "transport"]
    return {purpose: blake3_derive(f"hutong 2026 {purpose} key", seed) for purpose in purposes}


# --- Entries (docs/spec/03) ------------------------------------------------------------------

STATEMENT = "application/vnd.hutong.statement+json"


def statement(issuer: str, audience, kind: str, body: dict) -> bytes:
    salt = "AAECAwQFBgcICQoLDA0ODw"
    issued = "2026-11-23T08:00:00Z"
    return canonical(
        {"audience": audience, "body": body, "issued_at": issued, "issuer": issuer, "salt": salt, "type": kind}
    )


def framed(suite: int, key: bytes, signature: bytes, said: bytes, version: int = 1) -> bytes:
    lengths = [len(key).to_bytes(2, "big"), len(signature).to_bytes(2, "big")]
    return bytes([version, suite]) + lengths[0] + key + lengths[1] + signature + said


def entry(secret: bytes, said: bytes) -> bytes:
    return framed(1, public(secret), private(secret).sign(pae(STATEMENT, said)), said)


def samples() -> list:
    zhejiang = keys("cn-33-zhejiang")["issuer"]
    said = [
        statement("cn-33-zhejiang", "public", "example/note/v1", {"text": "互通"}),
        statement("cn-33-zhejiang", "domestic", "example/note/v1", {"count": 9007199254740991}),
        statement("cn-33-zhejiang", {"members": ["cn-32-jiangsu", "kz-almaty"]}, "example/note/v1", {}),
    ]
    return [entry(zhejiang, text) for text in said]


def entries() -> dict:
    good = samples()
    first = good[0]
    text = first[102:]
    secret = keys("cn-33-zhejiang")["issuer"]
    key, signature = public(secret), private(secret).sign(pae(STATEMENT, text))
    issuer = "cn-33-zhejiang"

    def resigned(said: bytes) -> str:
        return entry(secret, said).hex()

    def bodied(kind: str, body: dict, audience="public") -> str:
        return resigned(statement(issuer, audience, kind, body))

    return {
        "origin": "docs/spec/03 by make_protocol.py; Ed25519 by OpenSSL",
        "entries": [
            {
                "entry": bytes_.hex(),
                "key": public(secret).hex(),
                "statement": bytes_[102:].decode(),
                "id": sha256(b"\x00", bytes_).hex(),
            }
            for bytes_ in good
        ],
        "unsigned": [
            {"why": "a bit of the statement is changed", "entry": (first[:-1] + b"|").hex()},
            {"why": "a bit of the signature is changed", "entry": (first[:40] + bytes([first[40] ^ 1]) + first[41:]).hex()},
        ],
        "no_entry": [
            {"why": "nothing", "entry": ""},
            {"why": "no statement", "entry": first[:102].hex()},
            {"why": "cut in the key", "entry": first[:20].hex()},
            {"why": "a key of 31 bytes in suite 1", "entry": framed(1, key[:31], signature, text).hex()},
            {"why": "a key of 33 bytes in suite 1", "entry": framed(1, key + b"\x00", signature, text).hex()},
            {"why": "a signature of 63 bytes in suite 1", "entry": framed(1, key, signature[:63], text).hex()},
            {"why": "a signature of 65 bytes in suite 1", "entry": framed(1, key, signature + b"\x00", text).hex()},
            {"why": "no key in suite 2", "entry": framed(2, b"", signature, text).hex()},
            {"why": "no signature in suite 2", "entry": framed(2, key, b"", text).hex()},
            {"why": "a key of 4097 bytes in suite 2", "entry": framed(2, bytes(4097), signature, text).hex()},
            {"why": "a signature of 8193 bytes in suite 2", "entry": framed(2, key, bytes(8193), text).hex()},
            {"why": "65536 bytes", "entry": (first + bytes(65_536 - len(first))).hex()},
            {"why": "the form before lengths", "entry": (b"\x01\x01" + key + signature + text).hex()},
        ],
        "unverifiable": [
            {"why": "suite 2", "entry": framed(2, b"\x02" + key, signature, text).hex(), "statement": text.decode()},
            {"why": "suite 3", "entry": framed(3, bytes(1312), bytes(2420), text).hex(), "statement": text.decode()},
            {"why": "suite 255 with the shortest key and signature", "entry": framed(255, b"k", b"s", text).hex(), "statement": text.decode()},
            {"why": "suite 0 with the longest key and signature", "entry": framed(0, bytes(4096), bytes(8192), text).hex(), "statement": text.decode()},
            {"why": "suite 2 and no statement in form", "entry": framed(2, key, signature, b"{").hex(), "statement": "{"},
            {"why": "version 2", "entry": framed(1, key, signature, text, version=2).hex(), "statement": ""},
            {"why": "version 0", "entry": "00", "statement": ""},
        ],
        "any_body": [
            {"why": "a type that is not known", "entry": bodied("example/note/v1", {"contact": 7})},
            {"why": "a listing without anything", "entry": bodied("hutong/listing/v1", {})},
            {"why": "a contract in words of later years", "entry": bodied("hutong/contract/v1", {"event": "renewed", "registration_no": "1"})},
            {"why": "a person's data", "entry": bodied("hutong/listing-status/v1", {"listing_id": "a", "phone": "1", "status": "audited"})},
            {"why": "an admission for some", "entry": bodied("hutong/member-admit/v1", {}, "domestic")},
        ],
        "no_statement": [
            {"why": "white space", "entry": resigned(text.replace(b'":', b'": ', 1))},
            {"why": "members out of order", "entry": resigned(b'{"type":"example/note/v1",' + text[1:].replace(b',"type":"example/note/v1"', b""))},
            {"why": "an unknown member", "entry": resigned(text.replace(b',"type"', b',"sort":1,"type"'))},
            {"why": "a fraction", "entry": resigned(text.replace('"互通"'.encode(), b"1.5"))},
            {"why": "a body that is no object", "entry": resigned(text.replace('{"text":"互通"}'.encode(), b"[]"))},
            {"why": "an integer beyond 2^53-1", "entry": resigned(text.replace('"互通"'.encode(), b"9007199254740992"))},
            {"why": "members not in order", "entry": resigned(text.replace(b'"public"', b'{"members":["kz-almaty","cn-32-jiangsu"]}'))},
            {"why": "a time with a fraction", "entry": resigned(text.replace(b"08:00:00Z", b"08:00:00.0Z"))},
        ],
    }


# --- Authority (docs/spec/05) ----------------------------------------------------------------

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer_id(key: bytes) -> str:
    data = bytes([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]) + key
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def key_text(secret: bytes) -> str:
    return "ed25519:" + public(secret).hex()


ORDER = ["log", "witness", "issuer", "transport"]


def descriptor(name: str, tier: str, region: str, federation: str = "", parent: str = "council") -> dict:
    own = keys(name)
    value = {
        "addresses": ["/dns4/hutong.example.cn/tcp/7411"],
        "id": name,
        "issuer_keys": [{"key": key_text(own["issuer"]), "types": ["*"]}],
        "log_keys": [key_text(own["log"])],
        "names": {"en": name},
        "parent": parent,
        "region": region,
        "tier": tier,
        "transport": peer_id(public(own["transport"])),
        "witness_keys": [key_text(own["witness"])],
    }
    if federation:
        value["federation"] = federation
    return signed_descriptor(value, own)


def signed_descriptor(value: dict, own: dict) -> dict:
    message = pae("application/vnd.hutong.descriptor+json", canonical(value))
    lines = [{"key": key_text(own[role]), "signature": b64(private(own[role]).sign(message))} for role in ORDER]
    return {"descriptor": value, "signatures": lines}


def refused_descriptors(federation: str) -> list:
    """Neighbours of a sound descriptor, each signed as it stands unless the signatures are what is wrong."""
    own = keys("kz-almaty")
    sound = descriptor("kz-almaty", "international", "KZ", federation)
    lines = sound["signatures"]
    stranger = key_text(keys("kz-astana")["log"])

    def said(**changes) -> dict:
        return signed_descriptor({**sound["descriptor"], **changes}, own)

    def without(member: str) -> dict:
        value = {name: what for name, what in sound["descriptor"].items() if name != member}
        return signed_descriptor(value, own)

    def lined(signatures: list) -> dict:
        return {"descriptor": sound["descriptor"], "signatures": signatures}

    key = sound["descriptor"]["log_keys"][0]
    cases = [
        ("id of another region", descriptor("uz-almaty", "international", "KZ", federation)),
        ("id without a name", descriptor("kz-7", "international", "KZ", federation)),
        ("id of a division below", descriptor("cn-3301-x", "provincial", "CN-33", federation)),
        ("tier of another region", descriptor("kz-almaty", "provincial", "KZ", federation)),
        ("a county that is a city", descriptor("cn-3301-x", "county", "CN-3301", federation)),
        ("no parent", without("parent")),
        ("its own parent", said(parent="kz-almaty")),
        ("a short federation id", said(federation=federation[:16])),
        ("key without suite", said(log_keys=[key[8:]])),
        ("key in upper case", said(log_keys=["ed25519:" + key[8:].upper()])),
        ("key of an unknown suite", said(log_keys=[key, "sm2:02" + "ab" * 32])),
        ("a suite twice", said(witness_keys=[key_text(own["witness"]), key_text(own["transport"])])),
        ("no log key", said(log_keys=[])),
        ("one key for two purposes", said(witness_keys=[key])),
        ("old members", said(log_key=key[8:])),
        ("no signatures", lined([])),
        ("the log key's signature alone", lined(lines[:1])),
        ("no signature of the transport key", lined(lines[:3])),
        ("signatures out of order", lined([lines[1], lines[0]] + lines[2:])),
        ("a signature twice", lined(lines + lines[:1])),
        ("a signature by a stranger", lined([{**lines[0], "key": stranger}] + lines[1:])),
        ("a signature under another key's name", lined([{**lines[0], "signature": lines[1]["signature"]}] + lines[1:])),
        ("an unknown member of a signature", lined([{**lines[0], "role": "log"}] + lines[1:])),
        ("one signature as a text", {"descriptor": sound["descriptor"], "signature": lines[0]["signature"]}),
        ("signed before it was changed", {**sound, "descriptor": {**sound["descriptor"], "names": {"en": "x"}}}),
    ]
    return [{"why": why, "descriptor": canonical(value).decode()} for why, value in cases]


def authority() -> dict:
    """Descriptors and approvals; charters and registers are make_register.py's."""
    federation = hashlib.sha256(b"a federation").hexdigest()
    body = {"descriptor": descriptor("kz-almaty", "international", "KZ", federation), "number": 1}
    approved = pae(
        "application/vnd.hutong.approval+json",
        canonical({"body": body, "federation": federation, "type": "hutong/member-admit/v1"}),
    )
    return {
        "origin": "docs/spec/05 by make_protocol.py; Ed25519 by OpenSSL",
        "federation": federation,
        "descriptor": canonical(body["descriptor"]).decode(),
        "refused_descriptors": refused_descriptors(federation),
        "approved_body": canonical({**body, "approvals": []}).decode(),
        "approval_message": approved.hex(),
    }


# --- Messages (docs/spec/06) -----------------------------------------------------------------


def uint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def text(value) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return uint(len(data)) + data


def many(values) -> bytes:
    return uint(len(values)) + b"".join(values)


def checkpoint(name: str, leaves: list, *, key: str = "") -> str:
    origin = f"{FEDERATION}.hutong/{name}"
    secret = keys(key or name)["log"]
    body = f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"
    return f"{body}\n{line(origin, 1, secret, private(secret).sign(body.encode()))}"


def packed(note: str) -> bytes:
    """A note as announcements carry it."""
    body, _, lines = note.rpartition("\n\n")
    body += "\n"
    origin, signatures = body.split("\n")[0], []
    for dash, name, signature in (one.split(" ") for one in lines.splitlines()):
        shared = os.path.commonprefix([origin, name])
        signatures.append(uint(len(shared.encode())) + text(name[len(shared) :]) + text(base64.b64decode(signature)))
    return text(body) + many(signatures)


def messages() -> dict:
    good = samples()
    note = checkpoint("cn-33-zhejiang", good)
    witness = f"{FEDERATION}.hutong/cn-32-jiangsu/witness"
    cosigned = note + line(witness, 4, keys("cn-32-jiangsu")["witness"], bytes(range(72)))
    short, said = packed(note), packed(cosigned)
    body = note.rpartition("\n\n")[0] + "\n"
    hashes = [sha256(b"\x00", leaf) for leaf in good]
    log, other = "cn-33-zhejiang", "cn-32-jiangsu"
    federation, frozen, summary = sha256(b"federation"), sha256(b"frozen"), sha256(b"summary")
    charter, register = sha256(b"charter"), "register-1"
    leaf = text(log) + uint(57) + summary + frozen
    hello = uint(1) + federation + uint(3) + charter + frozen + many([text("CN") + summary, text("CN-33") + frozen])
    large = 2**64 - 1
    cases = {
        "gossip": {
            "announcement": b"\x00" + text(log) + said + uint(0) + many([b"\x00" + text(good[0]), b"\x01" + hashes[1], b"\x02" + hashes[2]]),
            "announcement without tail": b"\x00" + text(log) + short + uint(3) + many([]),
            "evidence": b"\x01" + text(log) + text(b"evidence"),
        },
        "request": {
            "hello": b"\x00" + hello,
            "first heads": b"\x01" + text("CN-33") + text(""),
            "further heads": b"\x01" + text("CN-33") + text(log),
            "leaves": b"\x02" + text(log) + uint(1) + uint(300) + uint(large) + b"\x00",
            "range": b"\x02" + text(log) + uint(2) + uint(2) + uint(3) + b"\x01",
            "checkpoint": b"\x03" + text(log),
            "charter": b"\x04" + charter,
            "cosignature": b"\x05" + text(log) + uint(128) + text("— name c2ln\n"),
            "evidence": b"\x06" + text(""),
            "announcement": b"\x07" + text(log) + short + uint(0) + many([b"\x00" + text(one) for one in good]),
            "anchor changes": b"\x08" + text(register) + uint(5) + text(""),
            "further anchor changes": b"\x08" + text(register) + uint(5) + text(log),
            "anchor leaf": b"\x09" + text(register) + uint(5) + text(log),
            "anchor soon": b"\x0a",
            "anchor next": b"\x0b" + text(register) + uint(5),
        },
        "response": {
            "hello": b"\x00" + hello,
            "heads": b"\x01" + many([text(other) + text(note), text(log) + text(note)]) + b"\x01",
            "leaves": b"\x02" + uint(0) + many([b"\x00" + text(good[0]), b"\x01" + hashes[1], b"\x02" + hashes[2]]) + many([]) + many([frozen]),
            "checkpoint": b"\x03" + text(note),
            "charters": b"\x04" + many([text("{}")]),
            "no charter": b"\x04" + many([]),
            "done": b"\x05",
            "evidence": b"\x06" + many([text(log) + text(b"evidence")]),
            "anchor changes": b"\x07" + many([leaf + text(note), leaf + text("")]) + b"\x01",
            "anchor leaf": b"\x08" + leaf + uint(3) + many([charter, frozen]),
            "refused": b"\xff\x04",
        },
    }
    refused = {
        "gossip": {
            "unknown tag": b"\x02",
            "unknown leaf": b"\x00" + text(log) + short + uint(0) + many([b"\x03" + hashes[0]]),
            "too many leaves": b"\x00" + text(log) + short + uint(0) + uint(993),
            "an entry that is none": b"\x00" + text(log) + short + uint(0) + many([b"\x00" + text(b"\x01")]),
            "no exchange id": b"\x01" + text("A") + text(b""),
            "a note as text": b"\x00" + text(log) + text(note) + uint(3) + many([]),
            "a note without signatures": b"\x00" + text(log) + text(body) + many([]) + uint(3) + many([]),
            "a name that shares less than it could": b"\x00" + text(log) + text(body) + many([uint(0) + text(body.split("\n")[0]) + text(bytes(68))]) + uint(3) + many([]),
            "a name that shares more than there is": b"\x00" + text(log) + text(body) + many([uint(99) + text("") + text(bytes(68))]) + uint(3) + many([]),
            "a key id alone": b"\x00" + text(log) + text(body) + many([uint(len(body.split("\n")[0])) + text("") + text(bytes(4))]) + uint(3) + many([]),
        },
        "request": {
            "nothing": b"",
            "another version": b"\x00" + uint(2) + hello[1:],
            "padded integer": b"\x02" + text(log) + b"\x82\x00" + uint(3) + uint(3) + b"\x00",
            "integer beyond 64 bits": b"\x02" + text(log) + b"\xff" * 9 + b"\x02" + uint(3) + uint(3) + b"\x00",
            "a short digest": b"\x04" + charter[:31],
            "an anchor without a log": b"\x09" + text(register) + uint(5) + text(""),
            "soon and more": b"\x0a\x00",
            "next without an index": b"\x0b" + text(register),
            "flag 2": b"\x02" + text(log) + uint(0) + uint(1) + uint(1) + b"\x02",
            "trailing byte": b"\x03" + text(log) + b"\x00",
            "cut": b"\x03" + text(log)[:-1],
            "too many scopes": b"\x00" + uint(1) + federation + uint(3) + charter + frozen + uint(513),
            "long line": b"\x05" + text(log) + uint(1) + text("x" * 1025),
            "no scope": b"\x01" + text("CN-3301") + text(""),
        },
        "response": {
            "unknown refusal": b"\xff\x05",
            "too many charters": b"\x04" + many([text("")] * 2),
            "too many anchor changes": b"\x07" + uint(1025),
            "too long a path": b"\x08" + leaf + uint(3) + uint(64),
            "too many hashes": b"\x02" + uint(0) + many([]) + uint(127),
            "no text": b"\x03" + text(b"\xff"),
        },
    }
    shown = lambda table: {kind: {name: data.hex() for name, data in rows.items()} for kind, rows in table.items()}
    return {"origin": "docs/spec/06 by make_protocol.py", "accepted": shown(cases), "refused": shown(refused)}


# --- Evidence (docs/spec/08) -----------------------------------------------------------------


def cover(start: int, end: int, leaves: list) -> list:
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append(root(leaves[start : start + 2**level]))
        start += 2**level
    return found


def evidence() -> dict:
    name = "cn-33-zhejiang"
    honest = [b"%d" % i for i in range(7)]
    cases = []

    def case(verdict: str, first: str, second: str, left: list, right: list):
        data = text(first) + text(second) + many(left) + many(right)
        cases.append({"verdict": verdict, "evidence": data.hex()})

    for size in range(1, 7):
        left, right = cover(0, size, honest), cover(size, 7, honest)
        false = [b"x"] + honest[1:size]
        case("holds", checkpoint(name, false), checkpoint(name, honest), left, right)
        case("consistent", checkpoint(name, honest[:size]), checkpoint(name, honest), left, right)
        case("proof", checkpoint(name, false), checkpoint(name, honest), cover(0, size, false), right)
        case("proof", checkpoint(name, false), checkpoint(name, honest), left, right + right[:1])
        case("order", checkpoint(name, honest), checkpoint(name, false), left, right)
    same = checkpoint(name, honest[:-1] + [b"x"])
    case("holds", same, checkpoint(name, honest), [], [])
    case("consistent", same, same, [], [])
    stranger = checkpoint(name, honest[:-1] + [b"x"], key="cn-32-jiangsu")
    case("unsigned", stranger, checkpoint(name, honest), [], [])
    case("unsigned", checkpoint("cn-32-jiangsu", honest), checkpoint(name, honest), [], [])
    return {
        "origin": "docs/spec/08 by make_protocol.py; trees by the recursion of RFC 6962, Ed25519 by OpenSSL",
        "log": f"{FEDERATION}.hutong/{name}",
        "key": public(keys(name)["log"]).hex(),
        "cases": cases,
    }


if __name__ == "__main__":
    for make in [entries, authority, messages, evidence]:
        target = HERE / f"{make.__name__}.json"
        target.write_text(json.dumps(make(), ensure_ascii=False, indent=1) + "\n")
