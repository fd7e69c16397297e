"""Every real document in one command: nothing is lost, and every rejection is explained."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Audit

REJECTED = {
    # Parts of a job, or answers that are about a job and hold none.
    ("0a2d368623e0.yaml", 1): ("meta_fragment", "not_a_job"),
    ("57c726b86a76.yaml", 1): ("meta_fragment", "not_a_job"),
    ("7541039966b2.yaml", 1): ("task", "not_a_job"),
    ("8d23b9c3a6c0.json", 1): ("task", "not_a_job"),
    ("32b80aaaae42.json", 1): ("list<task>", "not_a_job"),
    ("32b80aaaae42.json", 2): ("list<task>", "not_a_job"),
    ("32b80aaaae42.json", 3): ("list<task>", "not_a_job"),
    ("32b80aaaae42.json", 4): ("list<task>", "not_a_job"),
    ("4b927e4478d4.json", 1): ("list<task>", "not_a_job"),
    ("4b927e4478d4.json", 2): ("list<task>", "not_a_job"),
    ("4b927e4478d4.json", 3): ("list<task>", "not_a_job"),
    ("4b927e4478d4.json", 4): ("list<task>", "not_a_job"),
    ("0eda0db4da62.json", 1): ("state_response", "not_a_job"),
    ("8c4ad81ac34d.json", 1): ("submit_response", "not_a_job"),
    ("b44ca9b00433.txt", 1): ("results_response", "not_a_job"),
    ("d616a63c2058.json", 1): ("id_output", "not_a_job"),
    ("39de7db28157.txt", 1): ("ipfs_id_output (Ed25519 pair)", "not_a_job"),
    # "Count": "1": Bacalhau's own examples of what must be refused.
    ("1ca12b24bdde.json", 1): ("spec_v1.1", "field.type"),
    ("408e26612146.json", 1): ("spec_v1.1", "field.type"),
    ("714d2ddcf2de.json", 1): ("spec_v1.1", "field.type"),
    # A Python value printed: 'meta': None is a text in YAML.
    ("5f70b0a2e221.txt", 1): ("wrap<job_v1.1>", "field.type"),
    # Examples made up by a generator: RequesterPublicKey is a list of numbers.
    ("bdc3eacaa8f4.json", 1): ("wrap<job_v0>", "field.type"),
    ("fda5976bba32.json", 1): ("wrap<list<job_v0>>", "field.type"),
    # Cut out of prose, or a shell session: no document of any kind.
    ("0556f8daf743.txt", 2): ("unparseable_block", "yaml.syntax"),
    ("85d771262f2f.txt", 1): ("unparseable_block", "yaml.syntax"),
    ("f7c3acae48c2.txt", 1): ("unparseable_block", "yaml.syntax"),
    ("fad1abdc2604.txt", 2): ("unparseable_block", "yaml.syntax"),
    ("62618e635518.txt", 1): ("shell_transcript_with_json", "yaml.syntax"),
}
"""Each rejection, once per file: number of the document, kind of the file and reason."""


@pytest.fixture
def kinds(bacalhau_corpus: Path) -> dict[str, str]:
    with (bacalhau_corpus / "INDEX.tsv").open(newline="") as index:
        rows = csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"]: row["kind"] for row in rows}


def test_everything_in_one_command(
    audit: Audit, bacalhau_corpus: Path, kinds: dict[str, str]
) -> None:
    result = audit.ingest(bacalhau_corpus)
    summary = result.summary
    assert result.status == 1
    assert (summary["sources"], summary["refused"], summary["skipped"]) == (294, 0, 2)
    assert summary["documents"] == 333
    assert (summary["new"], summary["changed"], summary["unchanged"]) == (247, 20, 37)
    assert summary["reasons"] == {"field.type": 6, "not_a_job": 17, "yaml.syntax": 5}
    found = {
        (Path(source).name, ordinal): (kinds[Path(source).name], reason)
        for source, ordinal, reason in audit.rows(
            "SELECT source, ordinal, reason FROM v_rejections"
        )
    }
    assert found == REJECTED
    assert audit.faults() == []

    verdicts = Counter(audit.rows("SELECT role, trust, verdict FROM v_attributions"))
    assert verdicts["requester", "server", "match"] == 16
    assert verdicts["requester_key", "server", "match"] == 16
    # Jobs as a Python client printed them, in snake case.
    assert verdicts["requester", "claimed", "match"] == 4
    assert verdicts["client", "proven", "match"] == 1
    assert not [key for key in verdicts if key[2] == "mismatch"]

    before = audit.raw()
    again = audit.ingest(bacalhau_corpus).summary
    assert (again["documents"], again["unchanged"], again["known_rejected"]) == (333, 304, 29)
    after = audit.raw()
    unchanged = ("documents", "observations", "job_versions", "ledger_entries", "rejections")
    assert all(after[name] == before[name] for name in unchanged)


def test_every_complete_pair_matches(audit: Audit, bacalhau_corpus: Path) -> None:
    """Where a whole key stands beside an ID, the one gives the other."""
    audit.ingest(bacalhau_corpus)
    pairs = audit.rows(
        "SELECT DISTINCT r.value, k.value, r.verdict FROM v_attributions r"
        " JOIN v_attributions k USING (job_id, namespace, version_no)"
        " WHERE r.role = 'requester' AND k.role = 'requester_key'"
    )
    # Others are elided ("...") or random bytes of a web page's example data.
    whole = len("QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL")
    complete = {pair for pair in pairs if len(pair[0]) == whole and "..." not in pair[1]}
    assert len(complete) == 3
    assert {verdict for _, _, verdict in complete} == {"match"}


def test_the_signed_submission(audit: Audit, bacalhau_corpus: Path, tmp_path: Path) -> None:
    content = (bacalhau_corpus / "b2414b3b8555.json").read_bytes()
    (tmp_path / "signed.json").write_bytes(content)
    assert audit.ingest(tmp_path / "signed.json").summary["findings"] == {}
    proven = "SELECT count(*) FROM v_attributions WHERE role = 'client' AND trust = 'proven'"
    assert audit.rows(proven) == [(1,)]

    signature = json.loads(content)["signature"].encode()
    altered = [
        content.replace(signature, _other(signature)),
        content.replace(b'"Timeout":1800', b'"Timeout":1801'),
        content.replace(b'"Timeout":1800', b'"Timeout": 1800'),
    ]
    for number, other in enumerate(altered):
        assert other != content
        path = tmp_path / f"altered-{number}.json"
        path.write_bytes(other)
        assert audit.ingest(path).summary["findings"] == {"signature.invalid": 1}
    assert audit.rows(proven) == [(1,)]


def _other(signature: bytes) -> bytes:
    raw = bytearray(base64.b64decode(signature))
    raw[7] ^= 1
    return base64.b64encode(raw)
