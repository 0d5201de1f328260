#!/usr/bin/env python3
"""Makes the golden vectors of registers, without any of Hutong's code.

Written from docs/spec/05 alone, on the primitives of make.py and make_protocol.py.

    python3 make_register.py        # writes register.json
"""

import base64
import hashlib
import json

from make import HERE, b64, blake3_derive, line, path, private, public, root, sha256
from make_protocol import (
    canonical, cover, descriptor, entry, key_text, keys, pae, signed_descriptor, statement, text, many,
)

COUNCIL = ["cn-31-shanghai", "cn-32-jiangsu", "cn-33-zhejiang"]
KEEPER = "cn-31-shanghai"
DAY = "2026-11-23"
TIERS = ["county", "industry", "international", "municipal", "national", "provincial"]


def register_key(name: str) -> bytes:
    return blake3_derive("hutong 2026 register key", sha256(name.encode()))


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def sign_log(name: str, message: bytes) -> str:
    return b64(private(keys(name)["log"]).sign(message))


def region(name: str) -> str:
    return "CN-" + name.split("-")[1]


def charter(council: list, federation: str = "", **more) -> dict:
    return {
        "anchor_minutes": 10,
        "anchor_seconds_min": 60,
        "council": [descriptor(name, "provincial", region(name), federation) for name in council],
        "daily_mib": {tier: 100 for tier in TIERS},
        "federation": "Example",
        "finality_days": 90,
        "issued_at": "2026-11-23T08:00:00Z",
        "keeper": KEEPER,
        "register_key": key_text(register_key(KEEPER)),
        "suites": ["ed25519"],
        "threshold": 2,
        "type": "hutong/charter/v1",
        "version": 1,
        "witness_quorum": 2,
        **more,
    }


def signed_charter(value: dict, signers: list) -> bytes:
    message = pae("application/vnd.hutong.charter+json", canonical(value))
    lines = [{"exchange": name, "signature": sign_log(name, message)} for name in sorted(signers)]
    return canonical({"charter": value, "signatures": lines})


class Federation:
    """A federation whose register is written by hand: nothing here decides what takes effect."""

    def __init__(self):
        self.charter = charter(COUNCIL)
        self.founding = signed_charter(self.charter, COUNCIL)
        self.id = digest(canonical(self.charter))
        self.short = self.id[:16]
        self.logs = {}
        self.records = []
        self.register = []
        self.anchors = []

    def say(self, name: str, count: int):
        for _ in range(count):
            log = self.logs.setdefault(name, [])
            said = statement(name, "public", "example/note/v1", {"count": len(log)})
            log.append(entry(keys(name)["issuer"], said))

    def prefix(self, name: str, size: int) -> dict:
        leaves = self.logs.get(name, [])[:size]
        return {"log_root_honoured": root(leaves).hex(), "log_size_honoured": size}

    def note(self, name: str, leaves: list, witnesses: list, key: str = "") -> str:
        origin = f"{self.short}.hutong/{name}"
        body = f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"
        own = keys(key or name)["log"]
        note = f"{body}\n{line(origin, 1, own, private(own).sign(body.encode()))}"
        for seconds, witness in enumerate(witnesses, 1795420800):
            secret, signer = keys(witness)["witness"], f"{self.short}.hutong/{witness}/witness"
            said = f"cosignature/v1\ntime {seconds}\n{body}".encode()
            signature = seconds.to_bytes(8, "big") + private(secret).sign(said)
            note += line(signer, 4, secret, signature)
        return note

    def decision(self, author: str, kind: str, body: dict, number: int, *, approvers=COUNCIL[:2], **more) -> bytes:
        """A decision of a member, or of the council in the keeper's log."""
        body = {**body, "charter": self.id, "number": number, "until": "2026-12-20", **more}
        kind = f"hutong/member-{kind}/v1"
        if author == "council":
            message = pae(
                "application/vnd.hutong.approval+json",
                canonical({"body": body, "federation": self.id, "type": kind}),
            )
            body = {
                **body,
                "approvals": [{"exchange": name, "signature": sign_log(name, message)} for name in approvers],
            }
            author = KEEPER
        return entry(keys(author)["issuer"], statement(author, "public", kind, body))

    def admission(self, parent: str, child: dict, number: int = 1, **more) -> bytes:
        return self.decision(parent, "admit", {"descriptor": child}, number, **more)

    def head(self, name: str, size: int, witnesses=COUNCIL) -> dict:
        leaves = self.logs[name]
        return {
            "head": self.note(name, leaves, witnesses),
            "left": [one.hex() for one in cover(0, size, leaves)],
            "right": [one.hex() for one in cover(size, len(leaves), leaves)],
        }

    def record(self, why: str, effect: bool, kind: str, body: dict, *, day: str = DAY, key: str = KEEPER, issuer: str = "register-1"):
        said = statement(issuer, "public", f"hutong/{kind}/v1", {**body, "day": day})
        recorded = entry(register_key(key), said)
        self.register.append(recorded)
        self.records.append({"why": why, "effect": effect, "entry": recorded.hex()})

    def enrol(self, why: str, effect: bool, decision: bytes, *, day: str = DAY, **more):
        self.record(why, effect, "enrolment", {"decision": b64(decision), **more}, day=day)

    def anchor(self, leaves: dict, *, day: str = DAY):
        """`leaves`: (size, state) by id. Returns the leaves' bytes."""
        encoded = [
            canonical({"id": name, "root": root(self.logs.get(name, [])[:size]).hex(), "size": size, "state": state})
            for name, (size, state) in sorted(leaves.items())
        ]
        self.anchors.append({"index": len(self.register), "leaves": [one.decode() for one in encoded], "root": root(encoded).hex()})
        self.record("an anchor", True, "anchors", {"leaves": len(encoded), "root": root(encoded).hex()}, day=day)
        return encoded


def status(name: str, parent: str, numbers: dict, **more) -> dict:
    return {
        "by": None, "epochs": 1, "extraordinary": False, "frozen": None, "id": name, "numbers": numbers, "parent": parent,
        "spans": [[0, None]], "status": "active", **more,
    }


def state(record: dict, *descriptors) -> str:
    """`descriptors`: (from, to, descriptor) of each epoch."""
    epochs = [{"descriptor": said["descriptor"], "from": start, "to": end} for start, end, said in descriptors]
    return root([canonical(one) for one in [record, *epochs]]).hex()


def shown(leaves: list, name: str) -> dict:
    index = next(at for at, leaf in enumerate(leaves) if json.loads(leaf)["id"] == name)
    return {"index": index, "leaf": json.loads(leaves[index]), "path": [one.hex() for one in path(index, leaves)]}


def register() -> dict:
    world = Federation()
    below = lambda name, tier, parent="council": descriptor(name, tier, region(name), world.id, parent)
    almaty = descriptor("kz-almaty", "international", "KZ", world.id)
    anhui, hefei = below("cn-34-anhui", "provincial"), below("cn-3401-hefei", "municipal", "cn-34-anhui")
    shushan = below("cn-340104-shushan", "county", "cn-3401-hefei")

    # Admissions.
    world.enrol("the council admits a partner", True, world.admission("council", almaty))
    world.enrol("the same once more", False, world.admission("council", almaty))
    world.enrol("approved by fewer than the threshold", False, world.admission("council", anhui, approvers=COUNCIL[:1]))
    world.enrol("approved by a stranger", False, world.admission("council", anhui, approvers=["cn-31-shanghai", "kz-almaty"]))
    world.enrol("the council admits a province", True, world.admission("council", anhui))
    world.enrol("a province admits a city", True, world.admission("cn-34-anhui", hefei))
    world.enrol("a city admits a county", True, world.admission("cn-3401-hefei", shushan))
    world.enrol("the id is taken", False, world.admission("cn-34-anhui", below("cn-340104-shushan", "county", "cn-34-anhui")))
    other = below("cn-3402-wuhu", "municipal", "cn-34-anhui")
    world.enrol("under another charter", False, world.admission("cn-34-anhui", other, charter="00" * 32))
    world.enrol("with the wrong number", False, world.admission("cn-34-anhui", other, number=2))
    world.enrol("too late", False, world.admission("cn-34-anhui", other, until="2026-11-22"))
    world.enrol("too early", False, world.admission("cn-34-anhui", other, until="2026-12-24"))
    world.enrol("by a parent that it did not choose", False, world.admission("kz-almaty", other))
    world.enrol("of another federation", False, world.admission("cn-34-anhui", descriptor("cn-3402-wuhu", "municipal", "CN-3402", "00" * 32, "cn-34-anhui")))
    world.enrol("outside its region", False, world.admission("cn-34-anhui", below("cn-3501-fuzhou", "municipal", "cn-34-anhui")))
    thief = {**other["descriptor"], "witness_keys": [key_text(keys("cn-3401-hefei")["log"])]}
    stolen = {**keys("cn-3402-wuhu"), "witness": keys("cn-3401-hefei")["log"]}
    world.enrol("with another member's key", False, world.admission("cn-34-anhui", signed_descriptor(thief, stolen)))
    forged = world.admission("cn-34-anhui", other)
    forged = forged[:40] + bytes([forged[40] ^ 1]) + forged[41:]
    world.enrol("a decision whose signature does not hold", False, forged)
    world.record("by another key", False, "enrolment", {"decision": b64(world.admission("cn-34-anhui", other))}, key="cn-32-jiangsu")
    world.record("in another name", False, "enrolment", {"decision": b64(world.admission("cn-34-anhui", other))}, issuer="register-2")
    world.record("with an unknown member", False, "enrolment", {"decision": b64(world.admission("cn-34-anhui", other)), "more": 1})

    # An anchor of what was said so far.
    world.say("cn-340104-shushan", 5)
    seats = {name: (0, state(status(name, "council", {}), (0, None, descriptor(name, "provincial", region(name))))) for name in COUNCIL}
    admitted = {
        "kz-almaty": (0, state(status("kz-almaty", "council", {"council": 1}), (0, None, almaty))),
        "cn-34-anhui": (0, state(status("cn-34-anhui", "council", {"council": 1}), (0, None, anhui))),
        "cn-3401-hefei": (0, state(status("cn-3401-hefei", "cn-34-anhui", {"cn-34-anhui": 1}), (0, None, hefei))),
        "cn-340104-shushan": (4, state(status("cn-340104-shushan", "cn-3401-hefei", {"cn-3401-hefei": 1}), (0, None, shushan))),
    }
    leaves = world.anchor({**seats, **admitted})

    # Restraints, by rank and with sizes that are tied.
    def suspend(author: str, size: int, number: int, **more) -> bytes:
        body = {"member": "cn-340104-shushan", **world.prefix("cn-340104-shushan", size), **more}
        return world.decision(author, "suspend", body, number)

    world.enrol("a size that nothing ties", False, suspend("cn-3401-hefei", 3, 2))
    alone = world.head("cn-340104-shushan", 3, COUNCIL[:1])
    world.enrol("a size under one cosignature", False, suspend("cn-3401-hefei", 3, 2), **alone)
    head = world.head("cn-340104-shushan", 3)
    wrong = suspend("cn-3401-hefei", 3, 2, log_root_honoured="00" * 32)
    world.enrol("another root", False, wrong, **head)
    world.enrol("by one who is not above", False, suspend("kz-almaty", 3, 1), **head)
    world.enrol("what is final does not concern a size yet", False, suspend("cn-3401-hefei", 3, 2), **head, final=shown(leaves, "cn-340104-shushan"))
    world.enrol("the parent suspends", True, suspend("cn-3401-hefei", 3, 2), **head)
    world.enrol("the province makes it its own", True, suspend("cn-34-anhui", 3, 1), **head)
    note = world.note("cn-340104-shushan", world.logs["cn-340104-shushan"], [])
    extension = {name: head[name] for name in ("left", "right")}
    back = {"checkpoint": note, "member": "cn-340104-shushan", **extension}
    world.enrol("the parent cannot lift it", False, world.decision("cn-3401-hefei", "reinstate", back, 3))
    world.enrol("the province can", True, world.decision("cn-34-anhui", "reinstate", back, 2))
    seat = {"member": "cn-32-jiangsu", **world.prefix("cn-32-jiangsu", 0)}
    world.enrol("a seat is the charter's", False, world.decision("council", "suspend", seat, 1))

    # A rekey with the old key's consent.
    fresh = {purpose: sha256(b"next " + secret) for purpose, secret in keys("cn-3401-hefei").items()}
    value = {
        **hefei["descriptor"],
        "issuer_keys": [{"key": key_text(fresh["issuer"]), "types": ["*"]}],
        "log_keys": [key_text(fresh["log"])],
        "transport": descriptor_transport(fresh["transport"]),
        "witness_keys": [key_text(fresh["witness"])],
    }
    renewed = signed_descriptor(value, fresh)
    consent = b64(private(keys("cn-3401-hefei")["log"]).sign(pae("application/vnd.hutong.rekey+json", canonical(value))))
    body = {"descriptor": renewed, **world.prefix("cn-3401-hefei", 0)}
    world.enrol("new keys that nobody seconds", False, world.decision("cn-34-anhui", "rekey", body, 2))
    world.enrol("new keys that the old one consents to", True, world.decision("cn-34-anhui", "rekey", {**body, "consent": consent}, 2))

    # A freeze.
    honest = world.logs["cn-340104-shushan"]
    lie = honest[:4] + [b"another"]
    evidence = b"".join([text(world.note("cn-340104-shushan", lie, [])), text(world.note("cn-340104-shushan", honest, [])), many([]), many([])])
    world.record("a freeze whose last size is not shown", False, "freeze", {"evidence": b64(evidence), "log": "cn-340104-shushan"})
    world.record("a freeze", True, "freeze", {"evidence": b64(evidence), "log": "cn-340104-shushan", "anchored": shown(leaves, "cn-340104-shushan")})
    world.record("a day that falls", False, "anchors", {"leaves": 0, "root": root([]).hex()}, day="2026-11-22")

    # A succession.
    previous = {"previous": world.id, "logs_honoured": {}, "until": "2026-12-20", "version": 2}
    next_council = ["cn-31-shanghai", "cn-32-jiangsu", "cn-34-anhui"]
    following = charter(next_council, world.id, **previous)
    signed = signed_charter(following, next_council)
    late = charter(next_council, world.id, **{**previous, "until": "2026-11-22"})
    late_signed = signed_charter(late, next_council)
    world.record("a charter that comes too late", False, "succession", {"charter": digest(canonical(late))})
    world.record("a succession", True, "succession", {"charter": digest(canonical(following))})

    frozen = status(
        "cn-340104-shushan", "cn-3401-hefei", {"cn-34-anhui": 2, "cn-3401-hefei": 2}, frozen=3, spans=[[0, 3]],
    )
    rekeyed = status("cn-3401-hefei", "cn-34-anhui", {"cn-34-anhui": 2})
    return {
        "origin": "docs/spec/05 by make_register.py; Ed25519 by OpenSSL",
        "federation": world.id,
        "founding": world.founding.decode(),
        "charters": [signed.decode(), late_signed.decode()],
        "records": world.records,
        "anchors": world.anchors,
        "version": 2,
        "closed_at": len(world.register),
        "council": next_council,
        "members": {
            "kz-almaty": {"status": admitted_status("kz-almaty"), "state": admitted["kz-almaty"][1]},
            "cn-3401-hefei": {"status": canonical(rekeyed).decode(), "state": state(rekeyed, (0, None, renewed))},
            "cn-340104-shushan": {"status": canonical(frozen).decode(), "state": state(frozen, (0, None, shushan))},
            "cn-33-zhejiang": {
                "status": canonical(status("cn-33-zhejiang", "council", {})).decode(),
                "state": seats["cn-33-zhejiang"][1],
            },
        },
    }


def admitted_status(name: str) -> str:
    return canonical(status(name, "council", {"council": 1})).decode()


def descriptor_transport(secret: bytes) -> str:
    from make_protocol import peer_id

    return peer_id(public(secret))


if __name__ == "__main__":
    target = HERE / "register.json"
    target.write_text(json.dumps(register(), ensure_ascii=False, indent=1) + "\n")
