"""`rejections dismiss`: a list can become empty, and stays honest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Audit


@pytest.fixture
def rejected(audit: Audit, tmp_path: Path) -> Audit:
    """A store with the rejections 0 and 1."""
    (tmp_path / "a.ndjson").write_text('{"ID": "j-1", "Meta": {"n": 1}, "Tasks": [{}]}\n{}\n')
    assert audit.ingest(tmp_path / "a.ndjson").status == 1
    return audit


def test_dismiss(rejected: Audit) -> None:
    result = rejected.run("rejections", "dismiss", "1", "--reason", "a test file")
    assert (result.status, result.out) == (0, "Import 2: 1 rejection dismissed: a test file\n")
    listed = rejected.run("rejections", "list", "--format", "json").summary
    assert [one["rejection_id"] for one in listed["rejections"]] == [0]
    every = rejected.run("rejections", "list", "--all", "--format", "json").summary
    assert [one["dismissed_because"] for one in every["rejections"]] == [None, "a test file"]
    assert every["rejections"][1]["dismissed_by"] == 2
    assert "state      dismissed by " in rejected.run("rejections", "show", "1").out
    assert rejected.rows(
        "SELECT dismissed_by, dismissed_because FROM v_rejections ORDER BY rejection_id"
    ) == [(None, None), (2, "a test file")]
    rejected.run("rejections", "dismiss", "0", "--reason", "ours")
    assert rejected.run("rejections", "list").err == "No rejections.\n"
    assert rejected.run("verify", "--deep").status == 0
    assert rejected.faults() == []


def test_what_cannot_be_dismissed(rejected: Audit) -> None:
    for arguments, status, said in (
        (("7", "--reason", "x"), 1, "there is no rejection 7"),
        (("0", "1", "--reason", " "), 2, "a reason needs 1 to"),
        (("0", "--reason", "two\nlines"), 2, "one line of printable text"),
        (("0", "--reason", "x" * 2_001), 2, "a reason needs 1 to"),
        (("0",), 2, "--reason"),
    ):
        result = rejected.run("rejections", "dismiss", *arguments)
        assert (result.status, result.out) == (status, ""), arguments
        assert said in result.err
    assert rejected.rows("SELECT count(*) FROM imports") == [(1,)]
    assert rejected.run("rejections", "dismiss", "0", "--reason", "x").status == 0
    again = rejected.run("rejections", "dismiss", "0", "--reason", "y")
    assert again.status == 2
    assert "rejection 0 was dismissed by import 2" in again.err


def test_a_dismissal_is_signed(rejected: Audit) -> None:
    rejected.run("rejections", "dismiss", "0", "--reason", "x")
    note = json.loads(rejected.run("checkpoint", "list", "--format", "json").out)[-1]["note"]
    assert " dismissals=1 " in note
