from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta_audit.errors import NotFoundError
from meta_audit.query import find as module
from meta_audit.query.find import find
from meta_audit.search import Pair, Search

HOUR = 3_600_000_000_000
START = 1_700_000_000_000_000_000


def ids(store: Any, *pairs: tuple[str, str], limit: int = 50, **search: Any) -> list[str]:
    terms = tuple(Pair(*pair) for pair in pairs)
    found = find(store.session, Search(terms, **search), limit)
    return [job.job_id for job in found.jobs]


@pytest.fixture
def jobs(store, job):
    """Six jobs; an older one is imported later."""

    def at(number: int, created: int | None, **fields: Any) -> dict[str, Any]:
        return job(f"j-{number}", CreateTime=created, **fields)

    who = {"bacalhau.org/requester.id": "n-1", "bacalhau.org/client.id": "c-1"}
    other = {"bacalhau.org/requester.id": "n-2", "bacalhau.org/client.id": "c-1"}
    store.take(
        at(1, START + 5, meta={**who, "team": "a", "env": "prod"}),
        at(2, START + HOUR * 30, meta={**who, "team": "a"}, task_meta={"env": "prod"}),
        at(3, START + 9, meta={**other, "team": "a", "env": "dev"}),
        at(4, START, meta={"team": "b", "env": "prod"}, Namespace="other"),
    )
    store.take(
        at(5, START - HOUR, meta={**who, "team": "a", "env": "prod"}),
        at(6, None, meta={"team": "a", "bacalhau.org/requester.id": ""}),
    )
    return store


def test_without_terms_the_newest_jobs_come_first(jobs) -> None:
    assert ids(jobs) == ["j-2", "j-3", "j-1", "j-4", "j-5", "j-6"]
    found = find(jobs.session, Search(), 2)
    assert [job.job_id for job in found.jobs] == ["j-2", "j-3"]
    assert found.more
    assert not find(jobs.session, Search(), 6).more


@pytest.mark.parametrize(
    ("pairs", "search", "wanted"),
    [
        ([("team", "a")], {}, ["j-2", "j-3", "j-1", "j-5", "j-6"]),
        ([("team", "a"), ("env", "prod")], {}, ["j-2", "j-1", "j-5"]),
        ([("env", "prod")], {"namespace": "other"}, ["j-4"]),
        ([], {"client": "c-1"}, ["j-2", "j-3", "j-1", "j-5"]),
        ([], {"requester": "n-1"}, ["j-2", "j-1", "j-5"]),
        ([], {"requester": "n-2", "client": "c-1"}, ["j-3"]),
        ([], {"requester": "c-1"}, None),
        ([("team", "a")], {"requester": "n-1", "namespace": "default"}, ["j-2", "j-1", "j-5"]),
        ([("bacalhau.org/requester.id", "n-1")], {}, ["j-2", "j-1", "j-5"]),
        ([("bacalhau.org/requester.id", "n-1"), ("env", "prod")], {}, ["j-2", "j-1", "j-5"]),
        ([("bacalhau.org/requester.id", "")], {}, ["j-6"]),
        ([], {"namespace": "other"}, ["j-4"]),
        ([("team", "nobody")], {}, []),
        ([("team", "a"), ("env", "nothing")], {}, []),
        ([], {"namespace": "nowhere"}, None),
        ([], {"client": "nobody"}, None),
        ([("team", "%")], {}, []),
        ([("t_am", "a")], {}, None),
        ([("team", "\udcff")], {}, []),
        ([("team\0a", "")], {}, None),
    ],
)
def test_all_terms_must_match(jobs, pairs, search, wanted) -> None:
    """None: a name is unknown, which is not the same as nothing found."""
    if wanted is None:
        with pytest.raises(NotFoundError, match="the store knows no"):
            ids(jobs, *pairs, **search)
        return
    assert ids(jobs, *pairs, **search) == wanted
    assert ids(jobs, *reversed(pairs), **search) == wanted
    assert ids(jobs, *pairs, limit=1, **search) == wanted[:1]


def test_a_forged_key_in_a_task_is_found_as_a_pair_and_not_as_a_client(store, job) -> None:
    store.take(job("j-1", task_meta={"bacalhau.org/client.id": "c-9"}))
    assert ids(store, ("bacalhau.org/client.id", "c-9")) == ["j-1"]
    with pytest.raises(NotFoundError, match="the store knows no client c-9"):
        ids(store, client="c-9")


def test_a_pair_matches_in_any_version(store, job) -> None:
    store.take(job("j-1", meta={"v": "1", "x": "y"}))
    store.take(job("j-1", meta={"v": "2"}, Version=2, CreateTime=START + HOUR * 9, Revision=7))
    assert ids(store, ("v", "1")) == ids(store, ("v", "2")) == ["j-1"]
    assert ids(store, ("v", "1"), ("v", "2")) == ["j-1"]
    assert ids(store) == ["j-1"]


def test_versions_of_few_jobs_do_not_crowd_out_the_rest(store, job) -> None:
    meta = {"bacalhau.org/client.id": "c", "k": "v"}
    for version in range(12):
        store.take(job("j-1", meta={**meta, "n": f"{version}"}, Version=version))
    store.take(job("j-2", meta=meta, CreateTime=START - 9 * HOUR))
    for search in ({}, {"client": "c"}):
        assert ids(store, limit=2, **search) == ["j-1", "j-2"]
    assert ids(store, ("k", "v"), limit=2) == ["j-1", "j-2"]


def test_a_summary_says_who_and_how_well_that_is_known(store, job) -> None:
    client = "a" * 64
    store.take(job("j-1", Namespace=client, meta={"bacalhau.org/requester.id": "n-1"}))
    (found,) = find(store.session, Search(), 5).jobs
    assert (found.requester, found.requester_trust) == ("n-1", "server")
    assert found.created_at == "2023-11-14T22:13:20.123456789Z"
    assert (found.name, found.type, found.state) == ("hello", "batch", "Completed")


def test_the_order_within_an_hour_is_exact(store, job) -> None:
    times = {f"j-{n}": START + (n * 7919) % 1000 for n in range(40)}
    store.take(*(job(i, CreateTime=t, meta={"k": "v"}) for i, t in times.items()))
    wanted = sorted(times, key=lambda i: times[i], reverse=True)
    assert ids(store, ("k", "v")) == wanted
    for limit in (1, 7, 39, 40):
        assert ids(store, ("k", "v"), limit=limit) == wanted[:limit]


def test_the_number_of_statements_does_not_depend_on_what_is_found(
    store, job, statements: Callable[..., int]
) -> None:
    store.take(job("j-0", meta={"k": "v", "rare": "1"}))
    one, two = Search((Pair("rare", "1"),)), Search((Pair("k", "v"),))
    session = store.session
    before = statements(session, lambda: find(session, one, 100))
    store.take(*(job(f"j-{n}", meta={"k": "v", "n": f"{n}"}) for n in range(1, 90)))
    session = store.session
    assert statements(session, lambda: find(session, two, 100)) == before <= 8


KEYS = st.sampled_from(["a", "b"])
JOBS = st.lists(
    st.tuples(
        st.dictionaries(KEYS, KEYS),
        st.integers(0, 3),
        st.sampled_from(["n-1", "n-2", ""]),
        st.sampled_from(["x", "y"]),
    ),
    max_size=12,
)
SEARCHES = st.builds(
    Search,
    st.lists(st.builds(Pair, KEYS, KEYS), max_size=2).map(tuple),
    requester=st.none() | st.sampled_from(["n-1", "n-2"]),
    namespace=st.none() | st.sampled_from(["x", "y"]),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    documents=JOBS,
    searches=st.lists(SEARCHES, min_size=1, max_size=8),
    limit=st.integers(1, 12),
)
def test_it_finds_what_a_plain_filter_finds(
    make_store, job, monkeypatch_counted, *, documents, searches, limit
) -> None:
    store = make_store()
    values = [
        job(
            f"j-{n}",
            meta={**meta, **({"bacalhau.org/requester.id": who} if who else {})},
            CreateTime=START + hours * HOUR // 2,
            Namespace=namespace,
        )
        for n, (meta, hours, who, namespace) in enumerate(documents)
    ]
    store.take(*values)
    for search in searches:
        matching = [
            value
            for value in values
            if all(value["Meta"].get(pair.key) == pair.value for pair in search.pairs)
            and search.requester in (None, value["Meta"].get("bacalhau.org/requester.id"))
            and search.namespace in (None, value["Namespace"])
        ]
        try:
            found = find(store.session, search, limit)
        except NotFoundError:
            assert not matching  # a name is in no job at all
            continue
        times = {value["ID"]: value["CreateTime"] for value in matching}
        assert {job.job_id for job in found.jobs} <= times.keys()
        assert len(found.jobs) == min(limit, len(times))
        wanted = sorted(times.values(), reverse=True)[:limit]
        assert [times[job.job_id] for job in found.jobs] == wanted
        assert found.more == (len(times) > limit)
    store.close()


@pytest.fixture(params=[1, module.COUNTED], ids=["all common", "all rare"])
def monkeypatch_counted(request, monkeypatch) -> None:
    """Both ways to lead a search, whatever the size of the store."""
    monkeypatch.setattr(module, "COUNTED", request.param)


def test_a_smaller_limit_gives_the_beginning_of_the_list(store, job) -> None:
    """Also where versions of one job state other create times."""
    for n in range(4):
        late = job(f"j-{n}", CreateTime=START + 9 * HOUR + n, Revision=1, ModifyTime=START)
        early = job(f"j-{n}", CreateTime=START - 9 * HOUR + n, Name="new", ModifyTime=START + 1)
        store.take(late, early)
        store.take(job(f"k-{n}", CreateTime=START + n * HOUR // 2))
    session = store.session
    for pairs in ((), (Pair("team", "a"),), (Pair("bacalhau.org/requester.id", "n-1"),)):
        every = find(session, Search(pairs), 100).jobs
        assert len(every) == 8
        for limit in range(1, 9):
            assert find(session, Search(pairs), limit).jobs == every[:limit]


def test_pairs_with_nul_are_found(store, job) -> None:
    store.take(job("j-1", meta={"a\0": "b\0c"}))
    assert ids(store, ("a\0", "b\0c")) == ["j-1"]
