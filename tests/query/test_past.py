"""`find` and `who` at another time: what a store of that time answers, and what `trace` says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from meta_audit.errors import NotFoundError
from meta_audit.query.find import find, stream
from meta_audit.query.matching import ACTIVITY, Search, count
from meta_audit.query.past import session_at
from meta_audit.query.results import FoundJob, Trace
from meta_audit.query.trace import trace
from meta_audit.query.who import Identity, who
from meta_audit.search.expression import EVERYTHING, AnyOf
from meta_audit.search.parser import parse
from meta_audit.store.session import Session
from tests.conftest import Audit
from tests.engines import Server
from tests.ingest.again import reread
from tests.query.conftest import Filled
from tests.query.random_store import CLIENTS, KEY, NODES, START, documents
from tests.query.test_expressions import _without_team
from tests.search.conformance import EXPRESSIONS

DAY = 86_400 * 10**9
EVERY_JOB = AnyOf((EVERYTHING, ACTIVITY))
ASKED = [parse(text) for text, _ in EXPRESSIONS if "seen" not in text]
TIMES = [START + days * DAY for days in (-500, -399, -350, -1, 0, 1, 2, 5, 30, 60, 200)]


class Grown(NamedTuple):
    """A store of several imports, and stores of the first ones of them alone."""

    whole: Filled
    parts: list[Filled]
    began: list[int]
    """When each import began."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def grown(request: Any, tmp_path_factory: Any, job: Any) -> Iterator[Grown]:
    made = list(documents(job, 11, 40))
    imports = [made[n::4] for n in range(4)]

    def store(number: int) -> Filled:
        if request.param == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            filled = Filled(server.url(server.create_store()))
        else:
            empty: Path = request.getfixturevalue("empty_sqlite")
            filled = Filled(str(shutil.copy(empty, tmp_path_factory.mktemp("past") / "audit.db")))
        for some in imports[: min(number, 2)]:
            filled.take(*some)
        if number > 2:
            reread(filled.db, _without_team)
        for some in imports[2 : number - 1]:
            filled.take(*some)
        return filled

    parts = [store(number) for number in range(1, 6)]
    whole = parts[-1]
    began = [t for (t,) in whole.session.query("SELECT started_at FROM imports ORDER BY 1")]
    assert len(began) == 5
    yield Grown(whole, parts[:-1], began)
    for part in parts:
        part.close()


def _ids(session: Session, search: Search) -> list[FoundJob]:
    jobs = list(stream(session, search))
    assert len(jobs) == count(session, search)
    return sorted(jobs, key=lambda one: (one.job_id, one.namespace))


@pytest.mark.parametrize("number", range(4))
def test_what_the_store_knew_then(grown: Grown, number: int) -> None:
    now, past = grown.whole.session, grown.parts[number].session
    as_of = grown.began[number + 1]
    found = 0
    for expression in (EVERYTHING, EVERY_JOB, *ASKED):
        before = _ids(past, Search(expression, START))
        assert _ids(now, Search(expression, START, as_of=as_of)) == before
        found += len(before)
    assert found > 100
    for identity in (*NODES, *CLIENTS, KEY):
        known = who(session_at(now, as_of, None), identity)
        assert _timeless(known) == _timeless(who(past, identity))


def test_before_the_first_import_nothing_was_known(grown: Grown) -> None:
    session, first = grown.whole.session, grown.began[0]
    for expression in (EVERYTHING, EVERY_JOB):
        with pytest.raises(NotFoundError, match="its first import began at 20") as raised:
            find(session, Search(expression, START, as_of=first), 5)
        assert "--at" in raised.value.advice
    assert find(session, Search(EVERYTHING, START, as_of=grown.began[1]), 5).jobs


def test_now_is_the_end_of_time(grown: Grown) -> None:
    session, later = grown.whole.session, 1 << 62
    for expression in (EVERYTHING, EVERY_JOB, *ASKED):
        found = _ids(session, Search(expression, START))
        assert _ids(session, Search(expression, START, as_of=later, at=later)) == found
    for identity in (*NODES, *CLIENTS):
        assert who(session_at(session, later, later), identity) == who(session, identity)


@pytest.mark.parametrize("as_of", [None, 3])
@pytest.mark.parametrize("at", TIMES)
def test_what_was_so_then(grown: Grown, at: int, as_of: int | None) -> None:
    session = grown.whole.session
    known = None if as_of is None else grown.began[as_of]
    listed = _ids(session, Search(EVERYTHING, START, as_of=known, at=at))
    shown = {(job.job_id, job.namespace): job for job in listed}
    for now in _ids(session, Search(EVERYTHING, START)):
        found = shown.pop((now.job_id, now.namespace), None)
        try:
            wanted = trace(session, now.job_id, now.namespace, as_of=known, at=at)
        except NotFoundError:
            assert found is None
            continue
        assert isinstance(wanted, Trace)
        if wanted.job.origin == "activity":
            assert found is None
            continue
        assert found is not None, wanted.job
        assert (found.state, found.created_at, found.name, found.type, found.origin) == (
            wanted.job.state,
            wanted.job.created_at,
            wanted.job.name,
            wanted.job.type,
            wanted.job.origin,
        )
    assert not shown


def test_states_of_then_can_be_asked_for(grown: Grown) -> None:
    session = grown.whole.session
    states = {
        at: {job.state for job in stream(session, Search(EVERYTHING, START, at=at))} for at in TIMES
    }
    assert not states[TIMES[0]]
    assert "" in states[START + DAY]
    for at, of_time in states.items():
        for state in of_time - {""}:
            asked = Search(parse(f"state:{state}"), START, at=at)
            assert {job.state for job in stream(session, asked)} == {state}


def test_an_empty_answer_is_explained_from_then(store: Filled, job: Callable[..., Any]) -> None:
    store.take(job("j-1", meta={"team": "a"}))
    session = store.session
    search = Search(parse("team=a and state:Failed"), START, at=START + 300 * 10**9)
    found = find(session, search, 10)
    assert not found.jobs
    assert [(one.expression, one.jobs) for one in found.reasons] == [
        ("team=a", 1),
        ("state:Failed", 0),
    ]
    before = msgspec.structs.replace(search, at=START)
    assert [one.jobs for one in find(session, before, 10).reasons] == [0, 0]


def test_views_are_of_the_present(store: Filled, job: Callable[..., Any]) -> None:
    store.take(job())
    with pytest.raises(NotImplementedError):
        session_at(store.session, 0, None).query("SELECT * FROM v_jobs")


def _timeless(found: Any) -> Any:
    """Leave out when imports began, which differs from store to store."""
    assert isinstance(found, Identity)
    return msgspec.structs.replace(found, first_seen_at=None, last_seen_at=None)


def test_the_commands_take_times(file: Audit, tmp_path: Path, job: Any) -> None:
    created, modified = START, START + 3_600 * 10**9
    path = tmp_path / "a.json"
    path.write_text(json.dumps(job("j-1", CreateTime=created, ModifyTime=modified)))
    assert file.ingest(path).status == 0
    hour = ("find", "state:Completed", "--count", "--at")
    assert file.run(*hour, "2023-11-14T22:30:00Z").out == "0\n"
    assert file.run(*hour, "2023-11-15").out == "1\n"
    assert file.run("find", "--as-of", "2023").status == 1
    assert file.run("who", "n-1", "--at", "2023-11-15").status == 0
    early = file.run("who", "n-1", "--at", "2022")
    assert (early.status, "no job names n-1" in early.err) == (1, True)
