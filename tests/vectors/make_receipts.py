#!/usr/bin/env python3
"""Makes the golden vectors of receipts, without any of Hutong's code.

Written from docs/spec/05 and 09 alone, on the primitives of make.py and its neighbours.

    python3 make_receipts.py        # writes receipts.json
"""

import base64
import hmac
import json

from make import HERE, b64, line, path, private, root, sha256
from make_protocol import canonical, cover, descriptor, entry, keys, statement
from make_register import COUNCIL, Federation, charter, digest, region, register_key, shown, signed_charter, state, status

CITY, PROVINCE = "cn-3401-hefei", "cn-34-anhui"
NUMBER = "2026340100000001"
OTHERS = COUNCIL[1:]  # the council without the keeper


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def commitment(salt: bytes, name: str, value) -> str:
    return hmac.new(salt, name.encode() + b"\0" + canonical(value), "sha256").hexdigest()


def contract(event: str, number: str = NUMBER, **more) -> dict:
    return {
        "buyer_division": "KZ", "contract_type": "license", "event": event, "field": "new_materials",
        "registering_division": "CN-3401", "registration_no": number, "seller_division": "CN-3401",
        "sign_date": "2026-03-01", **more,
    }


def said(kind: str, body: dict, issuer: str = CITY) -> bytes:
    return entry(keys(issuer)["issuer"], statement(issuer, "public", kind, body))


def proof(index: int, leaves: list, note: str) -> str:
    hashes = "".join(b64(one) + "\n" for one in path(index, leaves))
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{note}"


class World(Federation):
    def register_note(self, leaves: list, witnesses: list, version: int = 1) -> str:
        """As `note`, of a register."""
        origin, key = f"{self.short}.hutong/register-{version}", register_key(COUNCIL[0])
        body = f"{origin}\n{len(leaves)}\n{b64(root(leaves))}\n"
        note = f"{body}\n{line(origin, 1, key, private(key).sign(body.encode()))}"
        for seconds, witness in enumerate(witnesses, 1795420800):
            secret, signer = keys(witness)["witness"], f"{self.short}.hutong/{witness}/witness"
            signature = private(secret).sign(f"cosignature/v1\ntime {seconds}\n{body}".encode())
            note += line(signer, 4, secret, seconds.to_bytes(8, "big") + signature)
        return note

    def proven(self, index: int, leaves: list, witnesses=OTHERS) -> dict:
        note = self.register_note(leaves, witnesses)
        return {"entry": b64(leaves[index]), "proof": proof(index, leaves, note)}


def compact(world: World, receipt: dict, disclosures: list) -> str:
    def sized(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + data

    def placed(said: str, index: int, hashes: list) -> bytes:
        steps = b"".join(bytes.fromhex(one) for one in hashes)
        return sized(base64.b64decode(said)) + index.to_bytes(8, "big") + bytes([len(hashes)]) + steps

    index = int(receipt["register"]["proof"].split("\n")[1].split(" ")[1])
    events = receipt["history"]["events"]
    data = b"HTC1" + bytes.fromhex(world.id)[:8] + (1).to_bytes(4, "big") + index.to_bytes(8, "big")
    data += placed(receipt["entry"], receipt["inclusion"]["index"], receipt["inclusion"]["path"])
    data += bytes([len(events)]) + b"".join(placed(one["entry"], one["index"], one["path"]) for one in events)
    data += bytes([len(disclosures)])
    for name, salt, value in disclosures:
        data += bytes([len(name)]) + name.encode() + salt + sized(canonical(value))
    return data.hex()


def receipts() -> dict:
    world = World()
    anhui = descriptor(PROVINCE, "provincial", region(PROVINCE), world.id)
    hefei = descriptor(CITY, "municipal", region(CITY), world.id, PROVINCE)
    world.enrol("the council admits a province", True, world.admission("council", anhui))
    world.enrol("a province admits a city", True, world.admission(PROVINCE, hefei))
    salt, name = bytes(range(32)), "高性能膜材料技术开发"
    claims = {"claims": {"project_name": commitment(salt, "project_name", name)}}
    log = world.logs.setdefault(CITY, [])
    log.append(said("example/note/v1", {}))
    log.append(said("hutong/contract/v1", contract("registered", **claims)))
    first = sha256(b"\x00" + log[1]).hex()
    log.append(said("hutong/contract/v1", contract("amended", previous=first)))
    log.append(said("hutong/contract/v1", contract("registered")))  # a number is registered once

    records = {name: status(name, "council", {}) for name in COUNCIL}
    records |= {PROVINCE: status(PROVINCE, "council", {"council": 1}), CITY: status(CITY, PROVINCE, {PROVINCE: 1})}
    said_by = {one: descriptor(one, "provincial", region(one)) for one in COUNCIL} | {PROVINCE: anhui, CITY: hefei}
    states = {one: (len(log) if one == CITY else 0, state(records[one], (0, None, said_by[one]))) for one in records}
    leaves = world.anchor(states)
    anchor = len(world.register) - 1
    at_anchor = list(world.register)

    def epoch(one: str) -> dict:
        return {"descriptor": said_by[one]["descriptor"], "from": 0, "to": None}

    tree = [canonical(records[CITY]), canonical(epoch(CITY))]
    opened = {
        "epochs": [{"number": 0, "path": [one.hex() for one in path(1, tree)], "record": epoch(CITY)}],
        "status": records[CITY],
        "status_path": [one.hex() for one in path(0, tree)],
    }

    def included(index: int, size: int = 4) -> dict:
        return {"index": index, "path": [one.hex() for one in path(index, log[:size])]}

    def receipt(index: int, events: list, **more) -> dict:
        others = [{"entry": b64(log[one]), **included(one)} for one in events]
        value = {
            "authority": {"charters": [json.loads(world.founding)], "successions": []},
            "disclosures": [],
            "entry": b64(log[index]),
            "federation": world.id,
            "format": "hutong-receipt/1",
            "history": {"as_of": 4, "events": others},
            "inclusion": included(index),
            "leaf": shown(leaves, CITY),
            "register": world.proven(anchor, at_anchor),
            "state": opened,
            **more,
        }
        return {name: one for name, one in value.items() if one is not None}

    cases = []

    def case(why: str, verdict: str, value: dict, *, bundle: bool = False):
        cases.append({"why": why, "verdict": verdict, "bundle": bundle, "receipt": canonical(value).decode()})

    disclosed = [{"name": "project_name", "salt": b64url(salt), "value": name}]
    whole = receipt(1, [], disclosures=disclosed)
    case("a registration, one field shown", "valid", whole)
    case("with the amendment", "valid_superseded", receipt(1, [2]))
    case("the amendment", "valid", receipt(2, [1]))
    case("the amendment without what it amends", "void", receipt(2, []))
    case("a number registered twice", "void", receipt(3, [1, 2]))
    case("another value shown", "invalid", receipt(1, [], disclosures=[{**disclosed[0], "value": "另一项目"}]))
    case("as of another size", "invalid", receipt(1, [], history={"as_of": 3, "events": []}))
    case("a later format", "not_verifiable_here", receipt(1, [], format="hutong-receipt/2"))
    case("without charters", "not_verifiable_here", receipt(1, [], authority=None))
    case("without charters, with a bundle", "valid", receipt(1, [], authority=None), bundle=True)
    with_keeper = world.proven(anchor, at_anchor, [COUNCIL[0], COUNCIL[1]])
    case("the keeper witnesses itself", "invalid", receipt(1, [], register=with_keeper))
    case("one witness", "invalid", receipt(1, [], register=world.proven(anchor, at_anchor, OTHERS[:1])))
    case("an admission in place of the anchor", "invalid", receipt(1, [], register=world.proven(0, at_anchor)))
    moved = {**opened, "status": {**records[CITY], "spans": [[0, 9]]}}
    case("another status", "invalid", receipt(1, [], state=moved))
    compacts = [{"verdict": "valid", "receipt": compact(world, whole, [("project_name", salt, name)])}]
    compacts.append({"verdict": "valid_superseded", "receipt": compact(world, receipt(1, [2]), [])})

    # Beyond the anchor, under the log's own checkpoint.
    log.append(said("hutong/contract/v1", contract("registered", "2026340100000002")))

    def provisional(witnesses: list) -> dict:
        checkpoint = {
            "left": [one.hex() for one in cover(0, 4, log)],
            "proof": proof(4, log, world.note(CITY, log, witnesses)),
            "right": [one.hex() for one in cover(4, 5, log)],
        }
        return receipt(4, [], inclusion=None, checkpoint=checkpoint, history={"as_of": 5, "events": []})

    case("beyond the anchor", "provisional", provisional(COUNCIL[:2]))
    case("beyond the anchor, under one cosignature", "invalid", provisional(COUNCIL[:1]))
    untied = provisional(COUNCIL[:2])
    untied["checkpoint"]["right"] = ["00" * 32]
    case("beyond the anchor, not tied to it", "invalid", untied)

    bundle = {
        "anchors": [{**world.proven(anchor, at_anchor), "leaves": [json.loads(leaf) for leaf in leaves]}],
        "charters": [json.loads(world.founding)],
        "format": "hutong-authority/1",
        "states": [{"epochs": [epoch(one)], "status": records[one]} for one in sorted(records)],
        "successions": [],
    }

    # The next charter takes effect and closes the register.
    previous = {"previous": world.id, "logs_honoured": {}, "until": "2026-12-20", "version": 2}
    following = charter(COUNCIL, world.id, **previous)
    signed = json.loads(signed_charter(following, COUNCIL))
    world.record("a succession", True, "succession", {"charter": digest(canonical(following))})
    closed = world.register
    both = {"charters": [json.loads(world.founding), signed], "successions": [world.proven(len(closed) - 1, closed)]}
    in_closed = world.proven(anchor, closed)
    case("an anchor in the closed register", "valid", receipt(1, [], authority=both, register=in_closed))
    case("an anchor that the closed register is not shown to hold", "not_verifiable_here", receipt(1, [], authority=both))
    case("a charter that no register recorded", "invalid", receipt(1, [], authority={**both, "successions": []}))
    other = {**both, "successions": [in_closed]}
    case("an anchor in place of the succession", "invalid", receipt(1, [], authority=other, register=in_closed))
    return {
        "origin": "docs/spec/05 and 09 by make_receipts.py; Ed25519 by OpenSSL",
        "federation": world.id,
        "day": "2026-11-23",
        "register_size": anchor + 1,
        "bundle": canonical(bundle).decode(),
        "cases": cases,
        "compact": compacts,
    }


if __name__ == "__main__":
    target = HERE / "receipts.json"
    target.write_text(json.dumps(receipts(), ensure_ascii=False, indent=1) + "\n")
