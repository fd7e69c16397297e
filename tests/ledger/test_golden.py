"""`vectors.json`: fixed inputs and every byte that comes of them; docs/ledger.md cites it.

A change of any value here breaks every ledger that exists: it needs a new format tag instead.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from meta_audit.ledger.bundle import make_bundle, verify_bundle
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.entry import accepted_entry, decode_entry, rejected_entry
from meta_audit.ledger.merkle import Tree, consistency_proof, inclusion_proof, leaf_hash, nodes_of
from meta_audit.ledger.note import SigningKey, VerifierKey
from meta_audit.model import JobRecord, Rejection
from tests.ledger import oracle

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_bytes())
ENTRIES = [bytes.fromhex(vector["entry"]) for vector in VECTORS["entries"]]
LEAVES = [bytes.fromhex(vector["leaf_hash"]) for vector in VECTORS["entries"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]
KEY = SigningKey("log.example/audit", bytes.fromhex(VECTORS["signing_key"]["seed"]))


def read(value: dict[str, Any], kind: type) -> Any:
    """A value of the model from its JSON form with hexadecimal digests."""
    binary = {"spec_sha256", "sha256", "content"} & value.keys()
    return convert(
        value | {name: bytes.fromhex(value[name]) for name in binary}, kind, builtin_types=(bytes,)
    )


@pytest.mark.parametrize("vector", VECTORS["entries"])
def test_entries_and_leaf_hashes(vector: dict[str, Any]) -> None:
    expected = bytes.fromhex(vector["entry"])
    if "record" in vector:
        digest = bytes.fromhex(vector["document_sha256"])
        where = (vector["source_uri"], vector["ordinal"], vector["line"])
        record = read(vector["record"], JobRecord)
        assert accepted_entry(digest, record, *where) == expected
        assert oracle.accepted(digest, record, *where) == expected
    else:
        rejection = read(vector["rejection"], Rejection)
        assert rejected_entry(rejection, vector["source_uri"]) == expected
        assert oracle.rejected(rejection, vector["source_uri"]) == expected
    decode_entry(expected)
    assert leaf_hash(expected).hex() == vector["leaf_hash"]


def test_roots_and_frontier() -> None:
    tree = Tree()
    assert tree.root() == ROOTS[0]
    for size, leaf in enumerate(LEAVES, 1):
        tree.append(leaf)
        assert tree.root() == ROOTS[size] == oracle.mth(ENTRIES[:size])
    assert tree.frontier.hex() == VECTORS["frontier"]


def test_proofs() -> None:
    nodes, size = nodes_of(LEAVES), len(LEAVES)
    for index, proof in enumerate(VECTORS["inclusion_proofs"]):
        assert [value.hex() for value in inclusion_proof(nodes, index, size)] == proof
    for old, proof in VECTORS["consistency_proofs"].items():
        assert [value.hex() for value in consistency_proof(nodes, int(old), size)] == proof


def test_key_and_checkpoint() -> None:
    expected = VECTORS["signing_key"]
    assert SigningKey.parse(expected["text"]) == KEY
    assert str(KEY.verifier) == expected["verifier_key"]
    checkpoint = Checkpoint(KEY.name, len(LEAVES), ROOTS[-1])
    assert checkpoint.sign(KEY) == VECTORS["checkpoint"]
    key = VerifierKey.parse(expected["verifier_key"])
    assert open_checkpoint(VECTORS["checkpoint"], [key]) == (checkpoint, (key,))


def test_bundle() -> None:
    vector = VECTORS["bundle"]
    index = vector["index"]
    made = make_bundle(
        vector["document"].encode(),
        ENTRIES[index],
        index,
        inclusion_proof(nodes_of(LEAVES), index, len(LEAVES)),
        checkpoint=VECTORS["checkpoint"],
        key=KEY.verifier,
    )
    assert made.decode() == vector["json"]
    assert verify_bundle(made, str(KEY.verifier)).verdict == "verified"


def test_the_examples_of_the_specification_are_these() -> None:
    page = (Path(__file__).parents[2] / "docs/ledger.md").read_text(encoding="utf-8")
    assert VECTORS["checkpoint"] in page
    assert VECTORS["entries"][4]["entry"] in page.replace("\n", "")
    assert VECTORS["entries"][4]["leaf_hash"] in page
