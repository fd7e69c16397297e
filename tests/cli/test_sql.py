"""`sql`: formats, files, the contract, and saved queries."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Audit
from tests.ingest.documents import compact, job

HARMFUL = "SELECT 1 AS n, '=1+1' AS n, NULL AS \"a\u202eb\", '\x1b[31m' AS red"


def test_formats(audit: Audit) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    page = audit.run("sql", HARMFUL)
    assert (page.status, page.err) == (0, "")
    assert page.out.split() == [
        *("n", "n_2", r"a\u202eb", "red"),
        *("1", "=1+1", "NULL", r"\x1b[31m"),
    ]
    row = {"n": 1, "n_2": "=1+1", "a\u202eb": None, "red": "\x1b[31m"}
    shape = audit.run("sql", HARMFUL, "--format", "json").summary
    assert shape == {"format": "meta-audit/sql/1", "columns": list(row), "rows": [row]}
    empty = audit.run("sql", "SELECT job_id FROM v_jobs LIMIT 0", "--format", "json").summary
    assert empty == {"format": "meta-audit/sql/1", "columns": ["job_id"], "rows": []}
    two = audit.run("sql", f"{HARMFUL} UNION ALL {HARMFUL}", "--format", "ndjson")
    assert [json.loads(line) for line in two.out.splitlines()] == [row, row]
    table = audit.run("sql", HARMFUL, "--format", "csv")
    assert list(csv.reader(io.StringIO(table.out)))[1] == ["1", "'=1+1", "", "\x1b[31m"]


def test_queries_in_files_and_wrong_usage(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    file = tmp_path / "jobs.sql"
    file.write_text("\ufeff-- all\nSELECT count(*) AS jobs FROM v_jobs;\n", "utf-8")
    assert audit.run("sql", file).out.split() == ["jobs", "1"]
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 2 AS two"))
    assert audit.run("sql", "-").out.split() == ["two", "2"]
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    for wrong, said in (
        (("missing.sql",), "there is no file missing.sql"),
        ((str(tmp_path / "latin.sql"),), "is not UTF-8"),
        (("SELECT 1", "--check", str(file)), "either a query or --check"),
        (("--format", "csv"), "--format csv is for the rows of a query"),
        (("--timeout", "0", "SELECT 1"), "--timeout"),
        (("--timeout", "nan", "SELECT 1"), "--timeout"),
        (("DELETE FROM jobs",), "Give one SELECT."),
        (("SELECT x FROM v_jobs",), "lists the views and their columns"),
    ):
        result = audit.run("sql", *wrong)
        assert result.status == 2, wrong
        assert said in result.err
        assert "Internal" not in result.err


def test_the_contract_names_every_view_and_column(audit: Audit) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    page = audit.run("sql").out
    assert "job_id" in page
    contract = audit.run("sql", "--format", "json").summary
    assert contract["views"][0]["name"] == "v_jobs"
    for view in contract["views"]:
        assert view["meaning"]
        assert view["name"] in page
        names = [column["name"] for column in view["columns"]]
        assert all(column["meaning"] for column in view["columns"])
        columns = audit.run("sql", f"SELECT * FROM {view['name']} LIMIT 0", "--format", "json")
        assert columns.summary["columns"] == names


def test_saved_queries_are_tried_and_not_run(audit: Audit, tmp_path: Path) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    saved = tmp_path / "saved.sql"
    saved.write_text(
        "-- one; not a statement\nSELECT job_id FROM v_jobs WHERE name = 'a;b''';\n"
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n;\n"
        "/* ; */ ;\nSELECT nothing_such FROM v_jobs;\nDELETE FROM jobs;\nSELECT 1"
    )
    result = audit.run("sql", "--check", saved)
    assert result.status == 1
    assert "FAILED  statement 3, line 5: the query fails: " in result.out
    assert "nothing_such" in result.out
    assert "FAILED  statement 4, line 6: " in result.out
    assert result.out.endswith("3 statements of 5 can be run.\n")
    shape = audit.run("sql", "--check", saved, "--format", "json").summary
    assert [bool(one["error"]) for one in shape["statements"]] == [False, False, True, True, False]
    assert audit.rows("SELECT count(*) FROM jobs") == [(1,)]
    saved.write_text("SELECT 1;")
    assert audit.run("sql", "--check", saved).out == "1 statement of 1 can be run.\n"
    saved.write_text("-- none\n")
    assert audit.run("sql", "--check", saved).status == 2


def test_metadata_for_datasette(own: Audit, tmp_path: Path) -> None:
    """Every view and column is told, every table of ours is hidden."""
    path = tmp_path / "job.json"
    path.write_bytes(compact(job(1)))
    own.ingest(path)
    (told,) = own.run("sql", "--datasette").summary["databases"].values()
    found = own.rows('SELECT relation, "column" FROM v_contract WHERE "column" <> \'\'')
    for view, column in found:
        assert told["tables"][view]["columns"][column]
    assert "created_at" in told["tables"]["v_jobs"]["sortable_columns"]
    assert told["tables"]["current_jobs"] == {"hidden": True}
    assert own.run("sql", "--datasette", "SELECT 1").status == 2
