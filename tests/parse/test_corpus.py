"""Every real document, by kind: what is taken, what is refused, and why."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import JobRecord
from meta_audit.parse import parse

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/bacalhau"

EXPECTED: dict[str, dict[str, int]] = {
    "id_output": {"not_a_job": 1},
    "ipfs_id_output (Ed25519 pair)": {"not_a_job": 1},
    # The third is what a client sends: ClientID and Spec, no ID.
    "job_v0": {"orchestrator": 16, "event": 2, "submission": 1},
    "job_v1.0": {"orchestrator": 2},
    "list<job_v1.1>": {"orchestrator": 20},
    "list<task>": {"not_a_job": 8},
    "meta_fragment": {"not_a_job": 2},
    "results_response": {"not_a_job": 1},
    "shell_transcript_with_json": {"yaml.syntax": 1},
    "signed_payload": {"submission": 2},
    "spec_bare": {"spec": 16},
    # Two are events of v0.3 that repeat an empty spec.
    "spec_v0": {"spec": 101, "activity": 2},
    # `"Count": "1"`: Bacalhau's own test of what must be refused.
    "spec_v1.1": {"spec": 116, "field.type": 3},
    "state_response": {"not_a_job": 1},
    "submit_response": {"not_a_job": 1},
    "task": {"not_a_job": 2},
    "unparseable_block": {"yaml.syntax": 4},
    # Examples made up by a generator: RequesterPublicKey is a list of numbers.
    "wrap<job_v0>": {"field.type": 1},
    "wrap<job_v1.0>": {"orchestrator": 5},
    # A Python value printed: `'meta': None` is a text in YAML.
    "wrap<job_v1.1>": {"orchestrator": 2, "field.type": 1},
    "wrap<list<execution>>": {"activity": 3},
    "wrap<list<history>>": {"activity": 6},
    # As wrap<job_v0>: two jobs of a generated example.
    "wrap<list<job_v0>>": {"orchestrator": 4, "activity": 2, "field.type": 2},
}


def elements(value: Any) -> list[Any]:
    """Split containers of several, as sources do before anything is decoded."""
    if isinstance(value, list):
        return value
    for name in ("jobs", "events", "Executions", "History"):
        if isinstance(value, dict) and isinstance(value.get(name), list) and "Job" not in value:
            return list(value[name])
    return [value]


def outcomes() -> Iterator[tuple[str, JobRecord | RejectedError]]:
    with (CORPUS / "INDEX.tsv").open(newline="") as index:
        for row in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE):
            content = (CORPUS / row["file"]).read_bytes()
            try:
                value = decode(content, "json" if row["file"].endswith(".json") else "yaml").value
            except RejectedError as error:
                yield row["kind"], error
                continue
            for element in elements(value):
                yield row["kind"], outcome(element, content)


def outcome(value: Any, content: bytes) -> JobRecord | RejectedError:
    try:
        return parse(value, content)
    except RejectedError as error:
        return error


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, JobRecord | RejectedError]]:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real documents is not beside the repository")
    return list(outcomes())


def test_by_kind(corpus: list[tuple[str, JobRecord | RejectedError]]) -> None:
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for kind, found in corpus:
        table[kind][found.origin if isinstance(found, JobRecord) else found.reason] += 1
    assert table == EXPECTED


def test_identities(corpus: list[tuple[str, JobRecord | RejectedError]]) -> None:
    verdicts = Counter(
        (attribution.role, attribution.trust, attribution.verdict)
        for _, record in corpus
        if isinstance(record, JobRecord)
        for attribution in record.attributions
    )
    assert verdicts["requester", "server", "match"] == 16
    # Jobs as a Python client printed them, in snake case.
    assert verdicts["requester", "claimed", "match"] == 4
    assert verdicts["client", "proven", "match"] == 1
    assert not [key for key in verdicts if key[2] == "mismatch"]
    # Of 20 jobs in fixtures of the web interface with random bytes, and of elided examples.
    assert verdicts["requester", "server", "undecodable"] == 6
    assert verdicts["requester_key", "server", "not_a_peer_id"] == 20
