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


def entry(secret: bytes, said: bytes) -> bytes:
    return b"\x01\x01" + public(secret) + private(secret).sign(pae(STATEMENT, said)) + said


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
    text = first[98:]
    secret = keys("cn-33-zhejiang")["issuer"]

    def resigned(said: bytes) -> str:
        return entry(secret, said).hex()

    return {
        "origin": "docs/spec/03 by make_protocol.py; Ed25519 by OpenSSL",
        "entries": [
            {
                "entry": bytes_.hex(),
                "key": public(secret).hex(),
                "statement": bytes_[98:].decode(),
                "id": sha256(b"\x00", bytes_).hex(),
            }
            for bytes_ in good
        ],
        "unsigned": [
            {"why": "a bit of the statement is changed", "entry": (first[:-1] + b"|").hex()},
            {"why": "a bit of the signature is changed", "entry": (first[:40] + bytes([first[40] ^ 1]) + first[41:]).hex()},
        ],
        "no_entry": [
            {"why": "no statement", "entry": first[:98].hex()},
            {"why": "version 2", "entry": (b"\x02" + first[1:]).hex()},
        ],
        "no_statement": [
            {"why": "white space", "entry": resigned(text.replace(b'":', b'": ', 1))},
            {"why": "members out of order", "entry": resigned(b'{"type":"example/note/v1",' + text[1:].replace(b',"type":"example/note/v1"', b""))},
            {"why": "an unknown member", "entry": resigned(text.replace(b',"type"', b',"sort":1,"type"'))},
            {"why": "a fraction", "entry": resigned(text.replace('"互通"'.encode(), b"1.5"))},
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


def descriptor(name: str, tier: str, region: str) -> dict:
    own = keys(name)
    value = {
        "addresses": ["/dns4/hutong.example.cn/tcp/7411"],
        "id": name,
        "issuer_keys": [{"key": public(own["issuer"]).hex(), "types": ["*"]}],
        "log_key": public(own["log"]).hex(),
        "names": {"en": name},
        "region": region,
        "tier": tier,
        "transport": peer_id(public(own["transport"])),
        "witness_key": public(own["witness"]).hex(),
    }
    message = pae("application/vnd.hutong.descriptor+json", canonical(value))
    return {"descriptor": value, "signature": b64(private(own["log"]).sign(message))}


def authority() -> dict:
    council = ["cn-32-jiangsu", "cn-33-zhejiang"]
    charter = {
        "council": [descriptor("cn-32-jiangsu", "provincial", "CN-32"), descriptor("cn-33-zhejiang", "provincial", "CN-33")],
        "federation": "Example",
        "issued_at": "2026-11-23T08:00:00Z",
        "registrar": "cn-33-zhejiang",
        "threshold": 2,
        "type": "hutong/charter/v1",
        "version": 1,
        "witness_quorum": {"groups": {"council": {"members": council, "threshold": 1}}, "quorum": "council"},
    }
    payload = canonical(charter)
    message = pae("application/vnd.hutong.charter+json", payload)
    sign = lambda name, text: b64(private(keys(name)["log"]).sign(text))
    signatures = [{"exchange": name, "signature": sign(name, message)} for name in council]
    federation = hashlib.sha256(payload).hexdigest()
    kind = "hutong/member-admit/v1"
    body = {"charter_version": 1, "descriptor": descriptor("kz-almaty", "international", "KZ")}
    approved = pae(
        "application/vnd.hutong.approval+json",
        canonical({"body": body, "federation": federation, "type": kind}),
    )
    approvals = [{"exchange": name, "signature": sign(name, approved)} for name in council]
    registrar = keys("cn-33-zhejiang")["issuer"]
    said = statement("cn-33-zhejiang", "public", kind, {**body, "approvals": approvals})
    return {
        "origin": "docs/spec/05 by make_protocol.py; Ed25519 by OpenSSL",
        "charter": canonical({"charter": charter, "signatures": signatures}).decode(),
        "federation": federation,
        "approval_message": approved.hex(),
        "admission": {"log": "cn-33-zhejiang", "index": 0, "entry": entry(registrar, said).hex(), "member": "kz-almaty"},
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
    hello = uint(1) + federation + uint(3) + frozen + many([text("CN") + summary, text("CN-33") + frozen])
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
            "charter": b"\x04" + uint(2),
            "cosignature": b"\x05" + uint(128) + text("— name c2ln\n"),
            "evidence": b"\x06" + text(""),
            "announcement": b"\x07" + text(log) + short + uint(0) + many([b"\x00" + text(one) for one in good]),
        },
        "response": {
            "hello": b"\x00" + hello,
            "heads": b"\x01" + many([text(other) + text(note), text(log) + text(note)]) + b"\x01",
            "leaves": b"\x02" + uint(0) + many([b"\x00" + text(good[0]), b"\x01" + hashes[1], b"\x02" + hashes[2]]) + many([]) + many([frozen]),
            "checkpoint": b"\x03" + text(note),
            "charters": b"\x04" + many([text("{}"), text("[]")]),
            "done": b"\x05",
            "evidence": b"\x06" + many([text(log) + text(b"evidence")]),
            "refused": b"\xff\x04",
        },
    }
    refused = {
        "gossip": {
            "unknown tag": b"\x02",
            "unknown leaf": b"\x00" + text(log) + short + uint(0) + many([b"\x03" + hashes[0]]),
            "too many leaves": b"\x00" + text(log) + short + uint(0) + uint(993),
            "an entry that is none": b"\x00" + text(log) + short + uint(0) + many([b"\x00" + text(b"x")]),
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
            "padded integer": b"\x04\x82\x00",
            "integer beyond 64 bits": b"\x04" + b"\xff" * 9 + b"\x02",
            "flag 2": b"\x02" + text(log) + uint(0) + uint(1) + uint(1) + b"\x02",
            "trailing byte": b"\x03" + text(log) + b"\x00",
            "cut": b"\x03" + text(log)[:-1],
            "too many scopes": b"\x00" + uint(1) + federation + uint(3) + frozen + uint(513),
            "long line": b"\x05" + uint(1) + text("x" * 1025),
            "no scope": b"\x01" + text("CN-3301") + text(""),
        },
        "response": {
            "unknown refusal": b"\xff\x05",
            "too many charters": b"\x04" + many([text("")] * 4),
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
