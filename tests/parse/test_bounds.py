"""Names that no index would take."""

import json

import pytest

from meta_audit.decode import decode
from meta_audit.model import JobRecord
from meta_audit.nul import MAX_NAME, escape_nul, shorten_name
from meta_audit.parse import parse


def names(record: JobRecord) -> tuple[str, str]:
    return record.job_id, record.namespace


def job(**fields: object) -> dict[str, object]:
    tasks = [{"Name": "main", "Engine": {"Type": "docker"}}]
    return {"ID": "j-1", "Namespace": "default", "Type": "batch", "Tasks": tasks, **fields}


@pytest.mark.parametrize("field", ["ID", "Namespace"])
def test_a_name_that_no_index_takes_is_cut(field: str) -> None:
    """Servers take a namespace of any length: to refuse it would let anyone hide a job."""
    longest = "é" * MAX_NAME
    assert longest in names(parse(job(**{field: longest}), b""))
    stored = set()
    for name in (longest + "x", longest + "y", longest * 2, "é" * 2_000_000):
        record = parse(job(**{field: name}), b"")
        (cut,) = (found for found in names(record) if len(found) > 20)
        assert len(cut) == MAX_NAME
        assert cut == shorten_name(name)
        assert "field.shortened" in {finding.code for finding in record.findings}
        stored.add(cut)
    assert len(stored) == 4


def test_no_document_can_state_a_name_that_was_cut() -> None:
    cut = shorten_name("n" * 1_000)
    content = json.dumps(job(ID=cut)).encode()
    assert parse(decode(content, "json"), content).job_id == shorten_name(escape_nul(cut)) != cut
