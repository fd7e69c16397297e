"""On both engines an expression finds the jobs that a plain evaluation in Python finds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta_audit.model import JobRecord
from meta_audit.query import matching
from meta_audit.query.find import find, stream
from meta_audit.query.matching import ACTIVITY, ORDERS, Finder, Search, count
from meta_audit.search.expression import EVERYTHING, AnyOf, Expression, Is, terms
from meta_audit.search.parser import parse
from meta_audit.search.sorts import SORTS
from meta_audit.search.words import CLOSED, FIELDS
from meta_audit.store.session import Session
from tests.ingest.again import reread
from tests.query.brute_force import Facts, everything, matches
from tests.query.conftest import Filled
from tests.query.random_store import (
    CLIENTS,
    FINGERPRINT,
    IMAGES,
    KEY,
    KEYS,
    NODES,
    PEER,
    VALUES,
    documents,
)
from tests.search.conformance import EXPRESSIONS
from tests.search.expressions import expressions

FIELD_VALUES = {
    "client": (*CLIENTS, "n-1"),
    "requester": (*NODES, PEER, "nobody"),
    "key": (KEY, FINGERPRINT, "SHA256:x"),
    "installation": ("i-1", "i-9"),
    "trust": CLOSED["trust"],
    "verdict": CLOSED["verdict"],
    "node": (*NODES, "c-1"),
    "execution": ("e-001", "e-002", "e-x"),
    "image": (*IMAGES[:3], "al*", "?lpine", "\\alpine"),
    "input": ("s3://data/in/*", "s3://data/in/1", "s3://*", "in"),
    "output": ("QmResult", "Qm*", "/out", "out"),
    "namespace": ("default", "ns-2", ""),
    "name": ("nightly", "hello", "", "x"),
    "type": ("batch", "service"),
    "state": ("Completed", "Failed", "Stopped"),
    "origin": CLOSED["origin"],
    "finding": CLOSED["finding"],
    "import": ("1", "2", "3", "9"),
}
RANDOM = expressions(
    st.sampled_from((*KEYS, "bacalhau.org/client.id", "none", "\0")),
    st.sampled_from((*VALUES, *CLIENTS, "b*", "\ud800")),
    FIELD_VALUES,
)


class Known(NamedTuple):
    """A store, and all that is known of its jobs."""

    session: Session
    jobs: dict[int, Facts]
    now: int

    def __repr__(self) -> str:
        return "known"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def known(request: Any, tmp_path_factory: Any, job: Any) -> Iterator[Known]:
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        db = server.url(server.create_store())
    else:
        db = str(tmp_path_factory.mktemp("expressions") / "audit.db")
        shutil.copy(Path(request.getfixturevalue("empty_sqlite")), db)
    store = Filled(db)
    made = list(documents(job, 7, 45))
    store.take(*made[::2])
    store.take(*made[1::2])
    reread(db, _without_team)
    session = store.session
    yield Known(session, everything(session), 1_700_000_000 * 10**9)
    store.close()


def _without_team(record: JobRecord) -> JobRecord:
    """Read as another parser might: its readings supersede entries."""
    if record.meta.get("team") != "x":
        return record
    meta = {key: value for key, value in record.meta.items() if key != "team"}
    return msgspec.structs.replace(record, meta=meta, spec_sha256=record.spec_sha256[::-1])


def check(known: Known, expression: Expression) -> int:
    """Compare all ways to ask with a plain evaluation; return the number of jobs."""
    wanted = {
        key
        for key, job in known.jobs.items()
        if job.origin != "activity" or ACTIVITY in terms(expression)
        if matches(expression, job, known.now)
    }
    search = Search(expression, known.now)
    listed = list(Finder(known.session, search).places(None))
    assert {key for *_, key in listed} == wanted
    assert len(listed) == len(wanted) == count(known.session, search)
    assert list(Finder(known.session, search).places(3)) == listed[:3]
    return len(listed)


def test_the_store_has_something_of_everything(known: Known) -> None:
    assert len(known.jobs) > 40
    for name in FIELDS:
        some = AnyOf(tuple(Is(name, value) for value in FIELD_VALUES[name]))
        assert check(known, some) > 0


def test_the_conformance_table(known: Known) -> None:
    found = [check(known, parse(text)) for text, _ in EXPRESSIONS]
    assert sum(map(bool, found)) > len(EXPRESSIONS) / 2


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(RANDOM, st.sampled_from([1, 10, 2_000]))
def test_random_expressions(known: Known, expression: Expression, rare: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "RARE", rare)
        patch.setattr(matching, "WALKED", 5)
        check(known, expression)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_make_up_the_whole_list(known: Known, sort: str) -> None:
    assert tuple(ORDERS) == SORTS
    search = Search(EVERYTHING, known.now, sort)
    whole = list(stream(known.session, search))
    assert len(whole) == sum(job.origin != "activity" for job in known.jobs.values())
    read: list[Any] = []
    after: str | None = None
    while True:
        page = find(known.session, msgspec.structs.replace(search, after=after), 17)
        read += page.jobs
        if page.next is None:
            break
        after = page.next
    assert read == whole
    values = [getattr(job, {"created": "created_at"}.get(sort, sort), None) or "" for job in whole]
    if sort != "modified":
        assert values == sorted(values, reverse=sort == "created")
    by_id = find(known.session, msgspec.structs.replace(search, after=whole[4].job_id), 2)
    assert list(by_id.jobs) == whole[5:7]
