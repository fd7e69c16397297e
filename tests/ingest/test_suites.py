"""JSONTestSuite and the naughty strings, through the whole program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from meta_audit.ingest.build import Offered, build, sha256_of
from meta_audit.sources import Source, find
from tests.conftest import Audit
from tests.ingest.documents import compact, job

NO_SYNTAX = {"not_a_job", "duplicate_key"}
"""Why well-formed JSON may be rejected: what JSON allows and the store does not."""


def reasons(path: Path) -> set[str]:
    """Why the documents of a file are rejected, each on its own."""
    (source,) = find([str(path)])
    assert isinstance(source, Source)
    documents = [Offered(d, sha256_of(d), 1, source.uri) for d in source.documents()]
    return {d.rejection.reason for d in build(documents, b"", coerce_scalars=False).rejected}


def test_json_test_suite(audit: Audit, json_test_suite: Path) -> None:
    result = audit.ingest(*sorted(json_test_suite.iterdir()))
    summary = result.summary
    assert (summary["sources"], summary["refused"], summary["skipped"]) == (318, 0, 0)
    assert summary["documents"] == summary["rejected"] + summary["known_rejected"] > 318
    offered = {
        Path(source).name: (documents, rejected)
        for source, documents, rejected in audit.rows(
            "SELECT source, documents, rejected FROM v_sources"
        )
    }
    assert len(offered) == 318
    assert all(documents == rejected for documents, rejected in offered.values())
    # Two hold an empty list: nothing is offered.
    assert sorted(name for name, (documents, _) in offered.items() if not documents) == [
        "y_array_empty.json",
        "y_structure_whitespace_array.json",
    ]
    assert audit.faults() == []


def test_what_json_test_suite_says(json_test_suite: Path) -> None:
    for path in json_test_suite.glob("n_*"):
        assert reasons(path) - {"not_a_job"}, path.name
    for path in json_test_suite.glob("y_*"):
        assert reasons(path) <= NO_SYNTAX, path.name


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_naughty_strings_come_back(
    audit: Audit, naughty_strings: list[str], tmp_path: Path, form: str
) -> None:
    strings = sorted(set(naughty_strings))
    meta = {text: text for text in strings}
    document = job(Meta=meta, Labels=dict(meta), Name="'; DROP TABLE jobs; --")
    document["Tasks"][0]["Meta"] = meta
    path = tmp_path / f"naughty.{form}"
    if form == "json":
        path.write_bytes(compact(document))
    else:
        quoted = yaml.safe_dump(document, default_style='"', sort_keys=False)
        # In this style a number is a quoted text with a tag.
        path.write_text(re.sub(r'!!int "(\d+)"', r"\1", quoted))
    result = audit.ingest(path)
    assert (result.summary["rejected"], result.summary["new"]) == (0, 1), audit.rows(
        "SELECT reason, message FROM v_rejections"
    )
    for level in ("job", "task"):
        rows = audit.rows('SELECT "key", value FROM v_meta WHERE level = ?', level)
        assert sorted(rows) == [(text, text) for text in strings]
    assert sorted(audit.rows('SELECT "key", value FROM v_labels')) == sorted(meta.items())
    # As bytes, so that no decoding on the way back can hide a difference.
    to_bytes = "CAST({} AS BLOB)" if isinstance(audit.db, Path) else "convert_to({}, 'UTF8')"
    columns = ", ".join(to_bytes.format(column) for column in ('"key"', "value"))
    stored = audit.rows(f"SELECT {columns} FROM v_labels")
    assert {row[0] for row in stored} == {text.encode() for text in strings}
    assert audit.faults() == []


def test_long_values_and_many_pairs(audit: Audit, tmp_path: Path) -> None:
    meta = {"long": "é" * 1_000_000, "k" * 100_000: "", **{f"k{n}": f"{n}" for n in range(5_000)}}
    (tmp_path / "long.json").write_bytes(json.dumps(job(Meta=meta)).encode())
    assert audit.ingest(tmp_path / "long.json").summary["meta_pairs"] == len(meta) + 1
    rows = audit.rows("SELECT \"key\", value FROM v_meta WHERE level = 'job'")
    assert dict(rows) == meta
