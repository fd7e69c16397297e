"""Proof bundles: made, verified with no store, and refused when anything in them is altered."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from meta_audit.errors import LedgerError
from meta_audit.ledger.bundle import make_bundle, summarize, verify_bundle
from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.entry import accepted_entry, rejected_entry
from meta_audit.ledger.merkle import Tree, inclusion_proof, leaf_hash, nodes_of
from meta_audit.ledger.note import SigningKey
from meta_audit.model import Rejection
from tests.ledger.samples import FULL

KEY = SigningKey("log.example/audit", bytes(range(32)))
TRUSTED = str(KEY.verifier)
DOCUMENT = b'{"ID": "j-1", "Meta": {"team": "research"}}'
REJECTION = Rejection(
    "too_large", "12 MB, the limit is 10", b"{" * 50, 3, 4, 12_000_000, bytes(32), "json"
)


def bundle_of(document: bytes, entry: bytes, index: int = 5, size: int = 13) -> bytes:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    leaves[index] = leaf_hash(entry)
    tree = Tree()
    tree.extend(leaves)
    return make_bundle(
        document,
        entry,
        index,
        inclusion_proof(nodes_of(leaves), index, size),
        checkpoint=Checkpoint(KEY.name, size, tree.root()).sign(KEY),
        key=KEY.verifier,
    )


OTHER = structs.replace(FULL, name="another name")
ENTRY = accepted_entry(sha256(DOCUMENT).digest(), FULL, "file:///jobs.ndjson", 7, 8)
BUNDLE = bundle_of(DOCUMENT, ENTRY)
FIELDS = json.loads(BUNDLE)


def changed(**fields: Any) -> bytes:
    return json.dumps({**FIELDS, **fields}).encode()


def failed_step(data: bytes, trusted_key: str | None = TRUSTED) -> int:
    """Number of the step that failed; all after it are skipped."""
    result = verify_bundle(data, trusted_key)
    assert result.verdict == "failed"
    (failed,) = (step for step in result.steps if step.status == "failed")
    assert all(step.status == "skipped" for step in result.steps[failed.number :])
    assert failed.detail
    return failed.number


def test_a_bundle_verifies_under_the_trusted_key() -> None:
    result = verify_bundle(BUNDLE, TRUSTED)
    assert result.verdict == "verified"
    assert [step.status for step in result.steps] == ["ok"] * 8 + ["skipped"]
    assert [step.number for step in result.steps] == list(range(1, 10))
    assert result.checkpoint is not None
    assert result.checkpoint.size == 13
    assert result.entry is not None


def test_without_a_trusted_key_a_bundle_is_only_consistent() -> None:
    result = verify_bundle(BUNDLE)
    assert result.verdict == "consistent"
    assert [step.status for step in result.steps] == ["ok"] * 7 + ["warning", "skipped"]


def test_parsing_again_is_asked_of_the_caller() -> None:
    same = verify_bundle(BUNDLE, TRUSTED, lambda document: [OTHER, FULL])
    assert same.steps[8].status == "ok"
    other = verify_bundle(BUNDLE, TRUSTED, lambda document: [OTHER])
    assert (other.steps[8].status, other.verdict) == ("warning", "verified")


def test_a_rejection_kept_in_part_has_a_proof() -> None:
    data = bundle_of(REJECTION.content, rejected_entry(REJECTION, "stdin"))
    assert verify_bundle(data, TRUSTED).verdict == "verified"
    fields = json.loads(data)
    fields["document"] = b64encode(b"[" * 50).decode()
    assert failed_step(json.dumps(fields).encode()) == 3


def test_layout_of_the_json_does_not_matter() -> None:
    assert verify_bundle(json.dumps(FIELDS, indent=8).encode(), TRUSTED).verdict == "verified"


def flipped(text: str, bit: int) -> str:
    data = bytearray(b64decode(text))
    data[bit // 8] ^= 1 << bit % 8
    return b64encode(data).decode()


def test_every_flipped_bit_of_the_parts_is_refused() -> None:
    for bit in range(len(DOCUMENT) * 8):
        assert failed_step(changed(document=flipped(FIELDS["document"], bit))) == 3
    for bit in range(len(ENTRY) * 8):
        assert failed_step(changed(entry=flipped(FIELDS["entry"], bit))) in (2, 3)
    for at, value in enumerate(FIELDS["inclusion_proof"]):
        for bit in range(256):
            proof = list(FIELDS["inclusion_proof"])
            proof[at] = flipped(value, bit)
            assert failed_step(changed(inclusion_proof=proof)) == 6


def test_every_changed_character_of_the_checkpoint_is_refused() -> None:
    note = FIELDS["checkpoint"]
    for at, character in enumerate(note):
        bad = note[:at] + chr(ord(character) ^ 1) + note[at + 1 :]
        assert failed_step(changed(checkpoint=bad)) in (5, 6, 7)


def altered_summary() -> dict[str, Any]:
    return {**FIELDS["summary"], "job": {**FIELDS["summary"]["job"], "name": "other"}}


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"format": "meta-audit/proof/2"}, 1),
        ({"extra": 1}, 1),
        ({"index": "5"}, 1),
        ({"index": 5.0}, 1),
        ({"index": True}, 1),
        ({"index": 2**70}, 6),
        ({"document": FIELDS["document"] + "\n"}, 1),
        ({"document": "%%%"}, 1),
        ({"summary": {"job": "\ud800"}}, 1),
        ({"summary": {"job": 2**70}}, 2),
        ({"summary": altered_summary()}, 2),
        ({"summary": {}}, 2),
        ({"summary": {**FIELDS["summary"], "ordinal": 7.0}}, 2),
        ({"index": 4}, 6),
        ({"index": 13}, 6),
        ({"index": -1}, 6),
        ({"inclusion_proof": []}, 6),
        ({"inclusion_proof": FIELDS["inclusion_proof"][:-1]}, 6),
        ({"inclusion_proof": FIELDS["inclusion_proof"] * 2}, 6),
        ({"checkpoint": ""}, 5),
        ({"checkpoint": Checkpoint(KEY.name, 13, bytes(32)).sign(KEY)}, 6),
        ({"verifier_key": ""}, 7),
        ({"verifier_key": str(SigningKey.generate(KEY.name).verifier)}, 7),
    ],
)
def test_altered_bundles_fail_at_the_step_that_finds_it(fields: dict[str, Any], step: int) -> None:
    assert failed_step(changed(**fields)) == step


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        BUNDLE[:-3],
        BUNDLE + b"x",
        b"\xff" + BUNDLE,
        BUNDLE.decode().encode("utf-16"),
        b'{"format": "meta-audit/proof/1", ' + BUNDLE.lstrip()[1:],
        BUNDLE.replace(b'"index": 5', b'"index": NaN'),
        b"[" * 100_000,
        b'{"format":' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_not_a_bundle_fails_at_the_first_step(data: bytes) -> None:
    assert failed_step(data) == 1


@given(st.binary(max_size=100) | st.text(max_size=100).map(lambda text: text.encode("utf-8")))
def test_any_bytes_give_a_result(data: bytes) -> None:
    assert failed_step(data) == 1


def test_a_bundle_rebuilt_with_another_key_fails_only_against_the_trusted_key() -> None:
    forger = SigningKey.generate(KEY.name)
    document = DOCUMENT.replace(b"research", b"forgery!")
    entry = accepted_entry(sha256(document).digest(), FULL, "file:///jobs.ndjson", 7, 8)
    forged = json.loads(bundle_of(document, entry))
    checkpoint = Checkpoint.parse(forged["checkpoint"].split("\n\n")[0] + "\n")
    forged["checkpoint"] = checkpoint.sign(forger)
    forged["verifier_key"] = str(forger.verifier)
    data = json.dumps(forged).encode()
    assert verify_bundle(data).verdict == "consistent"
    assert failed_step(data) == 8
    assert failed_step(data, "not a key") == 8


def test_a_bundle_that_would_not_verify_is_not_made() -> None:
    with pytest.raises(LedgerError, match="does not hold"):
        bundle_of(DOCUMENT + b" ", ENTRY)


def test_the_summary_shows_the_record() -> None:
    job = FIELDS["summary"]["job"]
    assert job["job_id"] == FULL.job_id
    assert job["meta"] == FULL.meta
    assert job["spec_sha256"] == FULL.spec_sha256.hex()
    assert job["tasks"][0]["meta"] == FULL.tasks[0].meta
    assert FIELDS["summary"]["document"] == "sha256:" + sha256(DOCUMENT).hexdigest()
    entry = verify_bundle(BUNDLE).entry
    assert entry is not None
    assert summarize(structs.replace(entry, line=9)) != FIELDS["summary"]
