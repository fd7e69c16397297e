"""Every page in every format that it can have."""

from __future__ import annotations

import csv
import io
import json

import pytest

from meta_audit.query.results import (
    FIND_FORMAT,
    REJECTIONS_FORMAT,
    Found,
    FoundJob,
    Position,
    Rejections,
    RejectionSummary,
)
from meta_audit.render.formats import RENDERERS, render
from meta_audit.render.jobs import FoundPage
from meta_audit.render.layout import Screen, count, short_time
from meta_audit.render.rejections import RejectionsPage

JOB = FoundJob(
    "2023-11-14T22:13:20.123456789Z",
    "j-\x1b[2J",
    "=1+1",
    "batch",
    "Completed",
    "default",
    None,
    None,
    "n-1",
    "server",
    "orchestrator",
)
REJECTION = RejectionSummary(
    3,
    "truncated",
    "it ends",
    "a.json",
    Position(1, 2),
    "ab" * 32,
    9,
    1,
    None,
    None,
    None,
    None,
    None,
)
PAGES = (
    FoundPage(Found(FIND_FORMAT, (JOB, JOB), more=True)),
    RejectionsPage(Rejections(REJECTIONS_FORMAT, (REJECTION,), 7)),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
@pytest.mark.parametrize("format_", sorted({*RENDERERS} - {"html"}))
def test_every_format_has_every_row(page, format_: str) -> None:
    written = render(page, format_, Screen()).decode()
    assert "\x1b" not in written.replace("\\u001b", "") or format_ == "csv"
    rows = page.rows()
    if format_ == "json":
        shape = json.loads(written)
        assert shape["format"].startswith("meta-audit/")
        assert len(next(v for v in shape.values() if isinstance(v, list))) == len(rows)
    elif format_ == "ndjson":
        assert [list(json.loads(line)) for line in written.splitlines()] == [
            list(page.row.__struct_fields__) for _ in rows
        ]
    elif format_ == "csv":
        header, *read = csv.reader(io.StringIO(written, newline=""))
        assert len(read) == len(rows)
        assert "position" not in header
        assert {len(row) for row in read} == {len(header)}
    assert page.notes()


def test_a_terminal_gets_csv_escaped() -> None:
    written = render(PAGES[0], "csv", Screen(80)).decode()
    assert "\x1b" not in written
    assert "\r" not in written


def test_an_encoding_that_lacks_a_character() -> None:
    page = RejectionsPage(Rejections(REJECTIONS_FORMAT, (REJECTION,), 1))
    assert render(page, "text", Screen(encoding="ascii")).isascii()


@pytest.mark.parametrize(
    ("number", "noun", "wanted"),
    [
        (1, "entry", "1 entry"),
        (1_000, "entry", "1,000 entries"),
        (0, "job", "0 jobs"),
        (2, "byte", "2 bytes"),
    ],
)
def test_a_number_with_its_noun(number: int, noun: str, wanted: str) -> None:
    assert count(number, noun) == wanted


def test_a_time_to_the_second() -> None:
    assert short_time("2023-11-14T22:13:20.123456789Z") == "2023-11-14 22:13:20Z"
    assert short_time(None) == "time unknown"
