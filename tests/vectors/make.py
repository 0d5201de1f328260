#!/usr/bin/env python3
"""Makes the golden vectors of this folder again, without any of Hutong's code.

SHA-256, SHA-512 and HMAC come from Python's hashlib, Ed25519 from OpenSSL through the package
`cryptography`. RFC 6962 trees and BLAKE3 are written out here in their plainest recursive form.

    python3 make.py        # writes *.json beside this file
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).parent


# --- Ed25519 ---------------------------------------------------------------------------------


def private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret)


def public(secret: bytes) -> bytes:
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return private(secret).public_key().public_bytes(*raw)


def ed25519() -> dict:
    # Secrets and messages of RFC 8032 section 7.1, tests 1, 2, 3 and SHA(abc).
    cases = [
        ("test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", b""),
        ("test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", b"\x72"),
        ("test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", b"\xaf\x82"),
        (
            "test SHA(abc)",
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            hashlib.sha512(b"abc").digest(),
        ),
    ]
    # Longer messages, across the blocks of SHA-512.
    for length in [111, 112, 127, 128, 129, 1023, 4096]:
        secret = hashlib.sha256(b"hutong vector %d" % length).hexdigest()
        cases.append((f"{length} bytes", secret, pattern(length)))
    return {
        "origin": "RFC 8032 section 7.1 (tests 1 to 3, SHA(abc)) and lengths; signed by OpenSSL",
        "cases": [
            {
                "name": name,
                "secret": secret,
                "public": public(bytes.fromhex(secret)).hex(),
                "message": message.hex(),
                "signature": private(bytes.fromhex(secret)).sign(message).hex(),
            }
            for name, secret, message in cases
        ],
    }


# --- BLAKE3 ----------------------------------------------------------------------------------

IV = [
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
]  # fmt: skip
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64


def rotate(x: int, n: int) -> int:
    return (x >> n | x << (32 - n)) & 0xFFFFFFFF


def compress(cv, block, counter, length, flags):
    v = list(cv) + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, length, flags]

    def mix(a, b, c, d, x, y):
        for word, (first, second) in ((x, (16, 12)), (y, (8, 7))):
            v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
            v[d] = rotate(v[d] ^ v[a], first)
            v[c] = (v[c] + v[d]) & 0xFFFFFFFF
            v[b] = rotate(v[b] ^ v[c], second)

    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    for _ in range(7):
        for i in range(4):
            mix(i, i + 4, i + 8, i + 12, m[2 * i], m[2 * i + 1])
        for i in range(4):
            b, c, d = (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12
            mix(i, b, c, d, m[8 + 2 * i], m[9 + 2 * i])
        m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def blake3_node(key, data, chunk, flags, root):
    """The chaining value over `data`, whose first chunk is number `chunk`."""
    if len(data) <= 1024:
        blocks = [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
        cv = key
        for i, block in enumerate(blocks):
            last = i + 1 == len(blocks)
            start = CHUNK_START if i == 0 else 0
            end = (CHUNK_END | (ROOT if root else 0)) if last else 0
            cv = compress(cv, block, chunk, len(block), flags | start | end)
        return cv
    left = 1024
    while left * 2 < len(data):
        left *= 2
    words = blake3_node(key, data[:left], chunk, flags, False)
    words += blake3_node(key, data[left:], chunk + left // 1024, flags, False)
    flags |= PARENT | (ROOT if root else 0)
    return compress(key, struct.pack("<16I", *words), 0, 64, flags)


def blake3(data: bytes) -> bytes:
    return struct.pack("<8I", *blake3_node(IV, data, 0, 0, True))


def blake3_derive(context: str, material: bytes) -> bytes:
    key = blake3_node(IV, context.encode(), 0, CONTEXT, True)
    return struct.pack("<8I", *blake3_node(key, material, 0, MATERIAL, True))


def pattern(length: int) -> bytes:
    return bytes(i % 251 for i in range(length))


def digests() -> dict:
    lengths = [0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 2049, 3072, 8193, 31744, 102400]
    context = "BLAKE3 2019-12-27 16:29:52 test vectors context"
    return {
        "origin": "inputs as in BLAKE3's own test vectors (byte i is i mod 251); BLAKE3 by make.py, SHA-256 by hashlib",
        "context": context,
        "cases": [
            {
                "length": length,
                "sha256": hashlib.sha256(pattern(length)).hexdigest(),
                "blake3": blake3(pattern(length)).hex(),
                "derive_key": blake3_derive(context, pattern(length)).hex(),
            }
            for length in lengths
        ],
    }


def keys() -> dict:
    seed = pattern(32)
    purposes = ["log", "witness", "issuer", "register", "transport", "sealing"]
    derived = {name: blake3_derive(f"hutong 2026 {name} key", seed) for name in purposes}
    return {
        "origin": "derivation contexts of the specification; BLAKE3 by make.py, Ed25519 by OpenSSL",
        "seed": seed.hex(),
        "purposes": {
            name: {"secret": secret.hex(), "public": public(secret).hex()}
            for name, secret in derived.items()
        },
    }


# --- RFC 6962 --------------------------------------------------------------------------------


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def split(n: int) -> int:
    return 1 << ((n - 1).bit_length() - 1)


def root(entries) -> bytes:
    if not entries:
        return sha256()
    if len(entries) == 1:
        return sha256(b"\x00", entries[0])
    k = split(len(entries))
    return sha256(b"\x01", root(entries[:k]), root(entries[k:]))


def path(m, entries):
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return path(m, entries[:k]) + [root(entries[k:])]
    return path(m - k, entries[k:]) + [root(entries[:k])]


def subproof(m, entries, whole):
    if m == len(entries):
        return [] if whole else [root(entries)]
    k = split(len(entries))
    if m <= k:
        return subproof(m, entries[:k], whole) + [root(entries[k:])]
    return subproof(m - k, entries[k:], False) + [root(entries[:k])]


def merkle() -> dict:
    # The eight entries of the reference tree of Certificate Transparency.
    entries = [
        bytes.fromhex(entry)
        for entry in [
            "", "00", "10", "2021", "3031", "40414243",
            "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ]
    ]  # fmt: skip
    sizes = range(1, len(entries) + 1)
    decimal = [b"%d" % i for i in range(5000)]
    return {
        "origin": "entries of Certificate Transparency's reference tree; hashes by the recursion of RFC 6962 section 2.1 in make.py",
        "entries": [entry.hex() for entry in entries],
        "roots": [root(entries[:n]).hex() for n in range(len(entries) + 1)],
        "inclusion": [
            {"index": i, "size": n, "proof": [h.hex() for h in path(i, entries[:n])]}
            for n in sizes
            for i in range(n)
        ],
        "consistency": [
            {"old": m, "new": n, "proof": [h.hex() for h in subproof(m, entries[:n], True)]}
            for n in sizes
            for m in range(1, n + 1)
        ],
        "decimal_roots": {str(n): root(decimal[:n]).hex() for n in [9, 255, 256, 257, 1000, 4999]},
    }


# --- C2SP notes ------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def key_id(name: str, kind: int, key: bytes) -> bytes:
    return sha256(name.encode(), b"\n", bytes([kind]), key)[:4]


def vkey(name: str, kind: int, secret: bytes) -> str:
    key = public(secret)
    return f"{name}+{key_id(name, kind, key).hex()}+{b64(bytes([kind]) + key)}"


def line(name: str, kind: int, secret: bytes, signature: bytes) -> str:
    return f"— {name} {b64(key_id(name, kind, public(secret)) + signature)}\n"


def notes() -> dict:
    secret = {"log": sha256(b"log"), "witness": sha256(b"witness")}
    origin = "5f1c000000000001.hutong/cn-33-zhejiang"
    witness = "5f1c000000000001.hutong/cn-32-jiangsu/witness"
    time = 1795507200

    plain = "互通\n\nA text with an empty line.\n"
    plain_note = plain + "\n" + line(origin, 1, secret["log"], private(secret["log"]).sign(plain.encode()))

    entries = [b"%d" % i for i in range(11)]
    text = f"{origin}\n{len(entries)}\n{b64(root(entries))}\n"
    signed = line(origin, 1, secret["log"], private(secret["log"]).sign(text.encode()))
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    stamped = struct.pack(">Q", time) + private(secret["witness"]).sign(message)
    cosigned = line(witness, 4, secret["witness"], stamped)

    def proof(index: int, extra: str) -> str:
        hashes = "".join(b64(h) + "\n" for h in path(index, entries))
        return f"c2sp.org/tlog-proof@v1\n{extra}index {index}\n{hashes}\n{text}\n{signed}{cosigned}"

    return {
        "origin": "formats of C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof; made by make.py, signed by OpenSSL",
        "log": {"name": origin, "secret": secret["log"].hex(), "vkey": vkey(origin, 1, secret["log"])},
        "witness": {
            "name": witness,
            "secret": secret["witness"].hex(),
            "vkey": vkey(witness, 4, secret["witness"]),
            "time": time,
        },
        "note": plain_note,
        "checkpoint": {"text": text, "size": len(entries), "root": root(entries).hex(), "note": f"{text}\n{signed}"},
        "cosignature": cosigned,
        "proofs": [
            {"index": 0, "entry": "0", "text": proof(0, "")},
            {"index": 10, "entry": "10", "text": proof(10, "")},
            {"index": 5, "entry": "5", "extra": b"opaque".hex(), "text": proof(5, f"extra {b64(b'opaque')}\n")},
        ],
    }


def commitments() -> dict:
    cases = [("amount", b"120000"), ("项目名称", '"互通"'.encode()), ("", b"null")]
    salt = pattern(32)
    return {
        "origin": "HMAC-SHA-256(salt, name, NUL, value) by Python's hmac",
        "salt": salt.hex(),
        "cases": [
            {
                "name": name,
                "value": value.hex(),
                "commitment": hmac.new(salt, name.encode() + b"\0" + value, "sha256").hexdigest(),
            }
            for name, value in cases
        ],
    }


if __name__ == "__main__":
    for make in [ed25519, digests, keys, merkle, notes, commitments]:
        target = HERE / f"{make.__name__}.json"
        target.write_text(json.dumps(make(), ensure_ascii=False, indent=1) + "\n")
