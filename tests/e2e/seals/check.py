"""Verifies an export of a log, by docs/log-format.md alone.

    python check.py EXPORT CHECKPOINT PUBLIC_KEY

Prints one JSON object: whether all is sound, and the first wrong position. Ends with 0, 1 if
something is wrong, 2 if it can't be checked. Needs `cryptography` for the signature.
"""

import base64
import hashlib
import json
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key


class Wrong(Exception):
    """The checkpoint doesn't count."""


def unable(why):
    print(why, file=sys.stderr)
    sys.exit(2)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def exact(value):
    if value is None:
        return None
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value.encode("utf-8")


def unhex(value):
    return None if value is None else bytes.fromhex(value)


def leaf_of(event):
    def integer(name):
        return struct.pack(">q", event[name])

    def text(name):
        return event[name].encode("utf-8")

    fields = [
        b"ledger-leaf-v1",
        bytes.fromhex(event["log_id"].replace("-", "")),
        text("tenant"),
        integer("position"),
        text("namespace"),
        text("event_id"),
        text("stream"),
        integer("revision"),
        text("type"),
        integer("schema_version"),
        integer("occurred_at_us"),
        integer("recorded_at_us"),
        exact(event["metadata"]),
        exact(event["data"]),
        unhex(event["body_hash"]),
        unhex(event["text_hash"]),
    ]
    hashed = hashlib.sha256(b"\x00")
    for field in fields:
        if field is None:
            hashed.update(b"\xff\xff\xff\xff")
        else:
            hashed.update(struct.pack(">I", len(field)) + field)
    return hashed.digest()


class Tree:
    """Complete subtrees from left to right, with the number of their leaves."""

    def __init__(self):
        self.subtrees = []
        self.size = 0

    def append(self, leaf):
        count, right = 1, leaf
        while self.subtrees and self.subtrees[-1][0] == count:
            right = sha256(b"\x01", self.subtrees.pop()[1], right)
            count *= 2
        self.subtrees.append((count, right))
        self.size += 1

    def root(self):
        if not self.subtrees:
            return sha256()
        right = self.subtrees[-1][1]
        for _, left in reversed(self.subtrees[:-1]):
            right = sha256(b"\x01", left, right)
        return right


def is_included(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            found = sha256(b"\x01", sibling, found)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = sha256(b"\x01", found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def checkpoint_of(note, public_key):
    """The origin, size and root that the key has signed."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise Wrong("the checkpoint has no signature")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    key = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = sha256(origin.encode(), b"\n\x01", key)[:4]
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash != "\u2014" or name != origin or signature[:4] != key_id:
            continue
        try:
            public_key.verify(signature[4:], text.encode("utf-8"))
        except InvalidSignature:
            raise Wrong("the signature doesn't fit the checkpoint")
        return origin, int(size), base64.b64decode(root, validate=True)
    raise Wrong("the checkpoint isn't signed by this key")


def beside(event):
    """What is wrong with what lies beside an event."""
    for name in ("body", "text"):
        kept, bound = event[name], unhex(event[name + "_hash"])
        if kept is None and bound is None:
            continue
        if kept is None:
            return name + "_missing"
        if bound is None:
            return name + "_unbound"
        content = exact(kept["content"])
        tag = f"ledger-{name}-v1".encode()
        if content is None or sha256(tag, unhex(kept["salt"]), content) != bound:
            return name + "_altered"
    return None


def faults_of_whole(events, header, size, root):
    """The first wrong positions of an export that holds every event."""
    faults, due = [], 1
    recomputed, stored = Tree(), Tree()
    roots = [None, None]
    differing = None
    for event in events:
        position = event["position"]
        if position > due:
            faults.append((due, "event_missing"))
            recomputed = stored = None
        due = position + 1
        wrong = beside(event)
        if wrong:
            faults.append((position, wrong))
        leaf = leaf_of(event)
        told = unhex(event["leaf"])
        if told is not None and told != leaf and differing is None:
            differing = position
        if recomputed is not None:
            recomputed.append(leaf)
            stored.append(leaf if told is None else told)
            if recomputed.size == size:
                roots = [recomputed.root(), stored.root()]
    if due <= max(size, header["to"]):
        faults.append((due, "tail_cut"))
    if roots[0] == root:
        if differing is not None:
            faults.append((differing, "leaf_altered"))
    elif differing is not None:
        faults.append((differing, "event_altered"))
    elif not faults or min(faults)[0] > size:
        faults.append((1, "not_signed"))
    return faults


def faults_of_part(events, header, size, root):
    """The first wrong positions of an export whose events have proofs."""
    faults, due = [], header["from"]
    for event in events:
        position = event["position"]
        if header["holds"] == "range" and position != due or position < due:
            faults.append((due, "event_missing"))
        due = position + 1
        path = [unhex(node) for node in event.get("proof") or []]
        if not is_included(leaf_of(event), position - 1, size, path, root):
            faults.append((position, "event_unproved"))
        wrong = beside(event)
        if wrong:
            faults.append((position, wrong))
    if header["holds"] == "range" and due <= header["to"]:
        faults.append((due, "tail_cut"))
    return faults


def main(export, checkpoint, public_key):
    with open(public_key, "rb") as file:
        key = load_pem_public_key(file.read())
    with open(checkpoint, encoding="utf-8", newline="") as file:
        note = file.read()
    try:
        origin, size, root = checkpoint_of(note, key)
    except (Wrong, ValueError) as error:
        return {"sound": False, "first_wrong": None, "kind": "checkpoint", "why": str(error)}
    with open(export, encoding="utf-8", newline="\n") as file:
        header = json.loads(file.readline())
        if header["format"] != "ledger-export-v1":
            unable("another format")
        if not origin.endswith(f"/{header['tenant']}.{header['log_id']}"):
            return {"sound": False, "first_wrong": None, "kind": "another_log"}
        events = (json.loads(line) for line in file)
        if header["holds"] == "whole":
            faults = faults_of_whole(events, header, size, root)
        elif header["proofs"]:
            faults = faults_of_part(events, header, size, root)
        else:
            unable("a part of a log without proofs can't be checked")
    first = min(faults, default=(None, None))
    return {"sound": not faults, "first_wrong": first[0], "kind": first[1]}


if __name__ == "__main__":
    found = main(*sys.argv[1:])
    print(json.dumps(found))
    sys.exit(0 if found["sound"] else 1)
