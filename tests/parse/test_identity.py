"""Signed submissions, spoofing, conflicts: what is an attribution and what a finding."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from meta_audit.catalogue import FINDINGS
from meta_audit.model import JobRecord
from meta_audit.parse import parse
from meta_audit.parse.attribution import META
from tests.parse import documents as docs


def codes(record: JobRecord) -> list[str]:
    assert {finding.code for finding in record.findings} <= FINDINGS.keys()
    return [finding.code for finding in record.findings]


def who(record: JobRecord) -> list[tuple[str, str, str]]:
    return [(a.basis, a.trust, a.verdict) for a in record.attributions]


def signed(content: bytes) -> JobRecord:
    return parse(json.loads(content), content)


PROVEN = [("ClientID", "proven", "match"), ("signature:client_public_key", "proven", "match")]


def test_a_signed_submission_is_proven() -> None:
    record = signed(docs.SIGNED)
    assert (record.origin, record.namespace) == ("submission", docs.CLIENT)
    assert record.attributions[0].value == docs.CLIENT
    assert who(record) == PROVEN
    assert record.findings == ()


@pytest.mark.parametrize(
    "name", [b"job_create_payload", b"payload", b"data", b"Job_Create_PAYLOAD"]
)
def test_the_payload_has_several_names(name: bytes) -> None:
    content = docs.SIGNED.replace(b"job_create_payload", name)
    assert who(signed(content)) == PROVEN
    assert who(parse(json.loads(content), b" [ " + content + b"]")) == PROVEN


@pytest.mark.parametrize(
    ("old", "new", "trust", "finding"),
    [
        (b'"ubuntu"', b'"ubunty"', "claimed", "signature.invalid"),
        (b'"Timeout":1800', b'"Timeout": 1800', "claimed", "signature.invalid"),
        (b'"GPkR', b'"GPkS', "claimed", "signature.invalid"),
        (b'"GPkR', b'"...', "claimed", "signature.unverifiable"),
    ],
)
def test_an_altered_byte_is_not(old: bytes, new: bytes, trust: str, finding: str) -> None:
    assert docs.SIGNED.count(old) == 1
    record = signed(docs.SIGNED.replace(old, new))
    assert codes(record) == [finding]
    assert {a.trust for a in record.attributions} == {trust}
    assert record.spec_sha256 != signed(docs.SIGNED).spec_sha256 or b"Timeout" in old


def test_an_altered_key() -> None:
    record = signed(docs.SIGNED.replace(b'"MIIB', b'"...'))
    assert codes(record) == ["signature.unverifiable", "identity.undecodable_key"]
    assert {(a.trust, a.verdict) for a in record.attributions} == {("claimed", "undecodable")}


def test_somebody_elses_signature_proves_only_the_key(rsa_signed: Any) -> None:
    payload = {"ClientID": docs.CLIENT, "APIVersion": "V1beta1", "Spec": docs.V1_SPEC}
    record = signed(rsa_signed(payload))
    assert codes(record) == ["identity.mismatch"]
    assert who(record) == [
        ("ClientID", "claimed", "mismatch"),
        ("signature:client_public_key", "proven", "mismatch"),
    ]


def test_what_is_not_json_has_no_signed_bytes() -> None:
    record = parse(json.loads(docs.SIGNED), b"job_create_payload: {}")
    assert codes(record) == ["signature.unverifiable"]
    assert who(record)[0] == ("ClientID", "claimed", "match")


def test_two_payloads_are_refused() -> None:
    content = docs.SIGNED.replace(b'"signature"', b'"payload":{},"signature"')
    with pytest.raises(Exception, match="signs one payload") as caught:
        signed(content)
    assert caught.value.reason == "field.type"  # type: ignore[attr-defined]


def test_reserved_keys_in_a_task_are_never_attributions() -> None:
    forged = dict.fromkeys(META, "forged")
    task = docs.CURRENT["Tasks"][0] | {"Meta": forged}
    record = parse(docs.CURRENT | {"Tasks": [task]}, b"")
    assert codes(record) == ["reserved.task"] * len(META)
    assert record.attributions == parse(docs.CURRENT, b"").attributions
    assert record.findings[0].detail == "task 'main' Meta: key 'bacalhau.org/orchestrator.id'"


def test_reserved_keys_in_what_nobody_accepted_are_forgeries() -> None:
    meta = dict.fromkeys(META, "forged")
    for value in (docs.SPEC | {"Meta": meta}, {"Job": docs.SPEC | {"Meta": meta}}):
        record = parse(value, b"")
        assert codes(record) == ["reserved.unsubmitted"] * len(META)
        assert record.attributions == ()
        assert record.meta == meta


def test_a_requester_in_what_nobody_accepted_is_a_forgery() -> None:
    metadata = {"Requester": docs.V1_JOB["Metadata"]["Requester"]}
    record = parse({"Metadata": metadata, "Spec": docs.V1_SPEC}, b"")
    assert record.origin == "spec"
    assert codes(record) == ["reserved.unsubmitted"]
    assert record.attributions == ()


@pytest.mark.parametrize(
    "key",
    ["Bacalhau.org/client.id", "bacalhau.0rg/client.id", "b\u0430calhau.org/x", " bacalhau.org/x"],
)
def test_lookalikes(key: str) -> None:
    record = parse(docs.CURRENT | {"Meta": {key: "x"}}, b"")
    assert "reserved.lookalike" in codes(record)
    assert record.attributions == ()
    assert record.meta == {key: "x"}


def test_a_requester_that_is_not_the_owner_of_its_key() -> None:
    other = "QmXaXu9N5GNetatsvwnTfQqNtSeKAD6uCmarbh3LMRYAcF"
    meta = docs.CURRENT["Meta"] | {"bacalhau.org/requester.id": other}
    record = parse(docs.CURRENT | {"Meta": meta}, b"")
    assert codes(record) == ["identity.mismatch"]
    assert [a.verdict for a in record.attributions] == ["mismatch", "mismatch"]


@pytest.mark.parametrize(
    ("requester", "verdict"), [(docs.REQUESTER, "undecodable"), ("n-1", "not_a_peer_id")]
)
def test_a_key_that_cannot_be_decoded(requester: str, verdict: str) -> None:
    meta = {"bacalhau.org/requester.id": requester, "bacalhau.org/requester.publicKey": "..."}
    record = parse(docs.CURRENT | {"Meta": meta}, b"")
    assert codes(record) == ["identity.undecodable_key"]
    assert [a.verdict for a in record.attributions] == [verdict, verdict]


@pytest.mark.parametrize(
    ("key", "verdict"), [(docs.REQUESTER_KEY, "no_key"), ("...", "undecodable")]
)
def test_a_key_without_its_owner(key: str, verdict: str) -> None:
    record = parse(docs.CURRENT | {"Meta": {"bacalhau.org/requester.publicKey": key}}, b"")
    assert [(a.role, a.verdict) for a in record.attributions] == [("requester_key", verdict)]


def test_conflicts() -> None:
    meta = {"bacalhau.org/orchestrator.id": "n-1", "bacalhau.org/requester.id": "n-2"}
    record = parse(docs.CURRENT | {"Meta": meta}, b"")
    assert codes(record) == ["identity.conflict"]
    assert "'n-1'" in record.findings[0].detail
    assert "'n-2'" in record.findings[0].detail
    assert [a.value for a in record.attributions] == ["n-1", "n-2"]

    both = docs.V1_JOB | {"ClientID": "somebody"}
    assert codes(parse(both, b"")) == ["identity.conflict"]
    payload = {"ClientID": "me", "Job": {"Spec": docs.V1_SPEC, "ClientID": "you"}}
    assert codes(parse(payload, b"")) == ["identity.conflict"]


def test_empty_values_name_nobody() -> None:
    record = parse(docs.CURRENT | {"Meta": dict.fromkeys(META, "")}, b"")
    assert record.attributions == ()


def test_hostile_sizes_are_not_remembered() -> None:
    for length in (10, 100_000):
        meta = {"bacalhau.org/requester.id": "x" * length, "k" * length: "v"}
        record = parse(docs.CURRENT | {"Meta": meta}, b"")
        assert [a.verdict for a in record.attributions] == ["not_a_peer_id"]
        assert len(msgspec.json.encode(record.findings)) < 2_000
