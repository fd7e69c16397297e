"""A report on a period: counts, coverage, gaps, and what to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import meta_audit
from meta_audit.errors import UsageError
from meta_audit.query.report_result import AuditReport, Concern
from meta_audit.render.html import render
from meta_audit.render.layout import Screen
from meta_audit.render.report import ReportPage
from tests.conftest import Audit
from tests.ingest.documents import compact, job

DAY = 86_400_000_000_000
JANUARY = 1_704_067_200_000_000_000  # 2024-01-01
CLIENT = "bacalhau.org/client.id"
REQUESTER = "bacalhau.org/requester.id"


def made(number: int, day: int, client: str = "c1", requester: str = "n1", **rest: object) -> bytes:
    at = JANUARY + day * DAY
    meta = {CLIENT: client, REQUESTER: requester}
    return compact(job(number, CreateTime=at, ModifyTime=at + 1, Meta=meta, **rest))


@pytest.fixture
def filled(audit: Audit, tmp_path: Path) -> Audit:
    one = [
        made(1, 0),
        made(2, 1, Version=1),
        made(2, 1, Version=4, Name="later"),  # 2 and 3 never came
        made(3, 40, client="c2"),
        made(4, 41, requester="n2", Revision=9),
        made(5, 42, Version=2),
        made(5, 42, Version=2, Name="rewritten"),
        made(6, 43, Name="<script>\x1b[31m"),
        made(6, 50),  # the same ID, another time of creation
        compact(job(9, Meta={"a": 1.5})),
        b'{"Items":[{"ID":"e-1","JobID":"j-gone","NodeID":"n-7",'
        b'"ComputeState":{"StateType":7}}],"NextToken":""}',
    ]
    path = tmp_path / "jobs.ndjson"
    path.write_bytes(b"\n".join(one) + b"\n" + b'{"ID":"j-torn')
    back = job(4, Revision=3, CreateTime=JANUARY + 41 * DAY, ModifyTime=JANUARY + 45 * DAY)
    back["Meta"] = {CLIENT: "c1", REQUESTER: "n2"}
    (tmp_path / "back.json").write_bytes(compact(back))
    audit.ingest(path)
    audit.ingest(tmp_path / "back.json")
    return audit


@pytest.fixture
def ask(filled: Audit) -> Callable[..., AuditReport]:
    def report(**period: str) -> AuditReport:
        with meta_audit.open(str(filled.db)) as store:
            return store.report(**period)

    return report


def test_all_jobs(ask: Callable[..., AuditReport]) -> None:
    found = ask()
    assert (found.totals.jobs, found.totals.activity_only, found.totals.imports) == (7, 1, 2)
    assert found.totals.first_created == "2024-01-01T00:00:00.000000000Z"
    (n1, n2) = found.orchestrators
    assert (n1.requester, n1.jobs, n1.gap_from, n1.gap_seconds // 86_400) == (
        "n1",
        5,
        "2024-01-02T00:00:00.000000000Z",
        39,
    )
    assert (n2.requester, n2.jobs, n2.gap_from) == ("n2", 1, None)
    assert [(c.client, c.jobs, c.is_new) for c in found.clients] == [
        ("c1", 5, False),
        ("c2", 1, False),
    ]
    assert {(t.role, t.trust, t.jobs) for t in found.trust} >= {
        ("client", "server", 6),
        ("client", "nobody", 1),
    }
    assert found.concern_counts == {
        "identity.two_jobs": 1,
        "version.gap": 1,
        "version.rewritten": 1,
        "revision.back": 1,
    }
    assert {(c.kind, c.job_id, c.detail) for c in found.concerns} >= {
        ("version.gap", job(2)["ID"], "2 of the versions 1 to 4"),
        ("revision.back", job(4)["ID"], "revision 3 after 9"),
    }
    assert isinstance(found.concerns[0], Concern)
    assert [s.status for s in found.incomplete_sources] == ["truncated"]
    assert {r.reason for r in found.open_rejections} == {"meta.not_string", "truncated"}
    assert found.ledger
    assert found.ledger.uncovered == 0


def test_a_period(ask: Callable[..., AuditReport]) -> None:
    february = ask(since="2024-02", until="2024-02")
    assert february.totals.jobs == 4
    assert february.since == "2024-02-01T00:00:00.000000000Z"
    assert [c.client for c in february.new_clients] == ["c2"]
    assert {c.client: c.is_new for c in february.clients} == {"c1": False, "c2": True}
    assert "version.gap" not in february.concern_counts
    assert february.totals.imports == 0
    assert ask(until="2023").totals.jobs == 0


def test_a_new_client_counts_by_its_jobs_of_the_period(ask: Callable[..., AuditReport]) -> None:
    january = ask(since="2024-01", until="2024-01")
    (new,) = january.new_clients
    assert (new.client, new.jobs, new.last_created) == ("c1", 2, "2024-01-02T00:00:00.000000000Z")
    assert january.clients == january.new_clients


def test_what_is_no_time_is_refused(ask: Callable[..., AuditReport]) -> None:
    for text in ("soon", "2024-13", "2024-02-30", "-7", "9" * 99):
        with pytest.raises(UsageError, match="time"):
            ask(since=text)


def test_the_page_is_escaped(ask: Callable[..., AuditReport], filled: Audit) -> None:
    page = ReportPage(ask())
    text, html = page.text(Screen(80)), render(page, Screen())
    assert "To look at" in text
    assert "39 d 0 h, from 2024-01-02" in page.text(Screen())
    assert b"<script" not in html
    assert b"\x1b" not in html
    assert html.startswith(b"<!DOCTYPE html>")
    assert filled.run("report", "--format", "html").out.count("<table>") >= 5
    assert filled.run("report", "--since", "x").status == 2


def test_an_empty_store(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_bytes(b"{")
    audit.ingest(tmp_path / "bad.json")
    page = audit.run("report")
    assert page.status == 0
    assert "0 jobs" in page.out
    assert "no finding is critical" in page.out
