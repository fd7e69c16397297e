from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from meta_audit.errors import NotFoundError, UsageError
from meta_audit.query.cursors import Cursor
from meta_audit.query.find import find
from meta_audit.query.matching import ORDERS, Search
from meta_audit.query.trace import trace
from meta_audit.query.who import who
from meta_audit.search.arguments import read_arguments
from meta_audit.search.parser import parse_keys

HOUR = 3_600_000_000_000
START = 1_700_000_000_000_000_000


def search(*arguments: str, **options: Any) -> Search:
    return Search(read_arguments(arguments), **options)


def ids(store: Any, *arguments: str, limit: int = 50, **options: Any) -> list[str]:
    found = find(store.session, search(*arguments, **options), limit)
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
        at(3, START + 9, meta={**other, "team": "a", "env": "dev"}, Labels={"tier": "gold"}),
        at(4, START, meta={"team": "b", "env": "prod"}, Namespace="other", state="Failed"),
    )
    store.take(
        at(5, START - HOUR, meta={**who, "team": "a", "env": "prod"}),
        at(6, None, meta={"team": "a", "bacalhau.org/requester.id": ""}),
    )
    return store


LISTS = [
    ([], ["j-2", "j-3", "j-1", "j-4", "j-5", "j-6"]),
    (["team=a"], ["j-2", "j-3", "j-1", "j-5", "j-6"]),
    (["team=a", "env=prod"], ["j-2", "j-1", "j-5"]),
    (["env=prod", "namespace:other"], ["j-4"]),
    (["client:c-1"], ["j-2", "j-3", "j-1", "j-5"]),
    (["requester:n-2 and client:c-1"], ["j-3"]),
    (["bacalhau.org/requester.id=n-1", "env=prod"], ["j-2", "j-1", "j-5"]),
    (["bacalhau.org/requester.id="], ["j-6"]),
    (["tier~g*"], []),
    (["label:tier~g*"], ["j-3"]),
    (["team=%"], []),
    (["team=\udcff"], []),
    (["not created>=1970"], ["j-6"]),
]


def test_the_newest_come_first_and_those_without_a_time_last(jobs) -> None:
    for arguments, wanted in LISTS:
        assert ids(jobs, *arguments) == wanted, arguments
        assert ids(jobs, *reversed(arguments)) == wanted
        assert ids(jobs, *arguments, limit=1) == wanted[:1]


UNKNOWN = [
    ("tam=a", "no Meta key tam", "Did you mean team (6 jobs)?"),
    ("tiers=gold", "no Meta key tiers", "Did you mean label:tier (1 job)?"),
    ("state=failed", "no Meta key state", "Did you mean state:Failed (1 job)?"),
    ("team=a and env=prod and has(t_am)", "no Meta key t_am", "Did you mean team (6 jobs)?"),
    ("team\0a=", "no Meta key team\0a", "Did you mean team (6 jobs)?"),
    ("client:c-2", "no client c-2", "Did you mean c-1?"),
    ("client:n-1", "no client n-1", "Did you mean requester:n-1 (3 jobs)?"),
    ("namespace:othr or namespace:no", "no namespace othr", "Did you mean other?"),
    ("state:Faild or state:Stopped", "no state Faild", "Did you mean Failed?"),
    ("name:helo and team=a", "no name helo", "Did you mean hello?"),
    ("node:n-1", "no node n-1", "Did you mean requester:n-1 (3 jobs)?"),
    ("key:SHA256:x", "no key SHA256:x", ""),
    ("import:3", "there is no import 3", "The newest import is 2."),
]


def test_an_unknown_name_is_an_error_that_offers_others(jobs) -> None:
    for expression, error, advice in UNKNOWN:
        with pytest.raises(NotFoundError, match=error) as found:
            ids(jobs, expression)
        assert found.value.advice == advice


REASONS = [
    ("team=aa", [("team=aa", 0, "Did you mean team=a (5 jobs)?")]),
    ("team=a*", [("team=a*", 0, "Did you mean team~a* (5 jobs)?")]),
    ("tier=gold", [("tier=gold", 0, "Did you mean label:tier=gold (1 job)?")]),
    ("job:step=1", [("job:step=1", 0, "Did you mean task:step=1 (5 jobs)?")]),
    ("team=b and env=dev", [("team=b", 1, ""), ("env=dev", 1, "")]),
    ("team=b and not state:Failed", [("team=b", 1, ""), ("not state:Failed", 5, "")]),
    ("state:Stopped and team=a", [("state:Stopped", 0, ""), ("team=a", 5, "")]),
    ("nowhere", [("nowhere", 0, "")]),
]


def test_an_empty_list_is_explained_part_by_part(jobs) -> None:
    for expression, reasons in REASONS:
        found = find(jobs.session, search(expression), 5)
        assert not found.jobs
        assert [(r.expression, r.jobs, r.hint) for r in found.reasons] == reasons
    # A negated key that nobody has matches, so it needs a word of its own.
    found = find(jobs.session, search("lacks(tickt) and team=a"), 9)
    assert (len(found.jobs), found.unknown_keys) == (5, ("tickt",))
    asked = search("team=a", columns=(*parse_keys("team"), *parse_keys("label:tier, tem")))
    assert find(jobs.session, asked, 9).unknown_keys == ("tem",)


def test_a_forged_key_in_a_task_is_found_as_a_pair_and_not_as_a_client(store, job) -> None:
    store.take(job("j-1", task_meta={"bacalhau.org/client.id": "c-9"}))
    assert ids(store, "bacalhau.org/client.id=c-9") == ["j-1"]
    with pytest.raises(NotFoundError, match="the store knows no client c-9"):
        ids(store, "client:c-9")


def test_terms_match_in_any_version_and_the_newest_is_shown(store, job) -> None:
    store.take(job("j-1", meta={"v": "1", "x": "y"}))
    store.take(job("j-1", meta={"v": "2"}, Version=2, CreateTime=START + HOUR * 9, Revision=7))
    assert ids(store, "v=1") == ids(store, "v=2") == ids(store, "v=1", "v=2") == ["j-1"]
    (found,) = find(store.session, search("x=y", columns=parse_keys("v,x,label:env")), 5).jobs
    assert found.meta == {"v": ("2",), "x": (), "label:env": ("prod",)}


def test_columns_have_the_values_of_the_job_before_those_of_its_tasks(store, job) -> None:
    store.take(job("j-1", meta={"k": "z\0"}, task_meta={"k": "a"}))
    columns = parse_keys("k, job:k, task:k, none")
    (found,) = find(store.session, search(columns=columns), 5).jobs
    assert found.meta == {"k": ("z\0", "a"), "job:k": ("z\0",), "task:k": ("a",), "none": ()}


def test_a_summary_says_who_and_how_well_that_is_known(store, job) -> None:
    client = "a" * 64
    store.take(job("j-1", Namespace=client, meta={"bacalhau.org/requester.id": "n-1"}))
    (found,) = find(store.session, search(), 5).jobs
    assert (found.requester, found.requester_trust) == ("n-1", "server")
    assert found.created_at == "2023-11-14T22:13:20.123456789Z"
    assert (found.name, found.type, found.state) == ("hello", "batch", "Completed")


def test_jobs_known_by_executions_alone_are_listed_if_they_are_asked_for(store, job) -> None:
    execution = {"ID": "e-1", "JobID": "j-9", "NodeID": "n-9", "ComputeState": {"StateType": 3}}
    store.take(execution, job("j-1"))
    (found,) = find(store.session, search("node:n-9 and origin:activity"), 5).jobs
    assert (found.job_id, found.origin, found.created_at) == ("j-9", "activity", None)
    assert ids(store) == ["j-1"]
    with pytest.raises(NotFoundError) as error:
        ids(store, "node:n-9")
    assert error.value.advice == "Did you mean node:n-9 and origin:activity (1 job)?"


def test_the_number_of_statements_does_not_depend_on_what_is_found(
    store, job, statements: Callable[..., int]
) -> None:
    store.take(job("j-0", meta={"k": "v", "rare": "1"}))
    session = store.session
    before = statements(session, lambda: find(session, search("rare=1"), 100))
    store.take(*(job(f"j-{n}", meta={"k": "v", "n": f"{n}"}) for n in range(1, 90)))
    session = store.session
    assert statements(session, lambda: find(session, search("k=v"), 100)) == before <= 9


@pytest.mark.parametrize("arrival", [(3, 1, 4, 2), (2, 4, 1, 3)])
@pytest.mark.parametrize("born", [START, None])
def test_the_order_of_arrival_does_not_order_jobs_of_equal_times(
    store, job, arrival: tuple[int, ...], born: int | None
) -> None:
    """Whether their times are equal or unknown, on one page or on several."""
    for number in arrival:
        store.take(job(f"j-{number}", Name="same", CreateTime=born, ModifyTime=born))
    for sort in ORDERS:
        wanted = sorted(("j-1", "j-2", "j-3", "j-4"), reverse=sort in ("created", "modified"))
        assert ids(store, sort=sort) == wanted
        pages = [find(store.session, search(sort=sort), 1)]
        while pages[-1].next:
            pages.append(find(store.session, search(sort=sort, after=pages[-1].next), 1))
        assert [one.job_id for page in pages for one in page.jobs] == wanted
        assert ids(store, sort=sort, after=wanted[1]) == wanted[2:]
    candidates = trace(store.session, "same").candidates
    assert [one.job_id for one in candidates] == ["j-4", "j-3", "j-2", "j-1"]
    if born:
        newest = who(store.session, "n-1").newest_jobs
        assert [one.job_id for one in newest] == ["j-4", "j-3", "j-2", "j-1"]


@pytest.mark.parametrize("arrival", ["abc", "cab", "bca"])
@pytest.mark.parametrize("born", [START, None])
def test_the_order_of_arrival_does_not_order_jobs_of_one_id(
    store, job, arrival: str, born: int | None
) -> None:
    """As those of two clusters, whose namespaces tell them apart."""
    for namespace in arrival:
        store.take(job("j-1", Namespace=namespace, Name="same", CreateTime=born, ModifyTime=born))
    for sort in ORDERS:
        wanted = sorted("abc", reverse=sort in ("created", "modified"))
        pages = [find(store.session, search(sort=sort), 1)]
        while pages[-1].next:
            pages.append(find(store.session, search(sort=sort, after=pages[-1].next), 1))
        assert [one.namespace for page in pages for one in page.jobs] == wanted
        together = find(store.session, search(sort=sort), 10).jobs
        assert [one.namespace for one in together] == wanted
    candidates = trace(store.session, "same").candidates
    assert [one.namespace for one in candidates] == ["c", "b", "a"]
    if born:
        newest = who(store.session, "n-1").newest_jobs
        assert [one.namespace for one in newest] == ["c", "b", "a"]


def test_a_cursor_that_does_not_fit_is_refused(store) -> None:
    for after in ("@", "@eA", "@WyJuYW1lIiwiIiwxMDRd", "@WyJuYW1lIiwiIiwiai0xIiwxMDRd"):
        with pytest.raises(UsageError, match="--after"):
            ids(store, after=after)
    for sort, value in (("created", "x"), ("name", 5), ("name", None), ("none", "x")):
        with pytest.raises(UsageError, match="is no cursor"):
            ids(
                store,
                after=str(Cursor(sort, value, "j-1", "default")),
                sort="name" if sort == "none" else sort,
            )
    nested = urlsafe_b64encode(b'["created",1,"j-1","",' + b"[" * 9_000).decode()
    with pytest.raises(UsageError, match="is no cursor"):
        ids(store, after=f"@{nested}")


def test_pairs_with_nul_are_found(store, job) -> None:
    store.take(job("j-1", meta={"a\0": "b\0c"}))
    assert ids(store, "a\0=b\0c") == ids(store, '"b\0"') == ids(store, '"a\0"~"*\0c"') == ["j-1"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("k~a?b", ["j-1"]),
        ("k~a??b", []),
        ("k~?", ["j-2"]),
        ("k~??", []),
        ("k!~?", ["j-1"]),
        ("k~*b", ["j-1"]),
        ("k~*0b", []),
        ('"0b"', []),
        ('"\0B"', ["j-1"]),
    ],
)
def test_nul_is_one_character(store, job, expression: str, found: list[str]) -> None:
    store.take(
        job("j-1", meta={"k": "a\0b"}, Name="", Labels={}),
        job("j-2", meta={"k": "\uffff"}, Name="", Labels={}),
    )
    assert ids(store, expression) == found
