import json
from typing import Any

import pytest

from meta_audit.query.results import Trace
from meta_audit.query.trace import trace

SPEC = "Type Name Labels Tasks"


def same(store: Any, job_id: str, as_of: int | None = None) -> list[str]:
    found = trace(store.session, job_id, as_of=as_of)
    assert isinstance(found, Trace)
    return [other.job_id for other in found.same_spec]


def spec_of(job: dict[str, Any], **changes: Any) -> dict[str, Any]:
    meta = {k: v for k, v in job["Meta"].items() if not k.startswith("bacalhau.org/")}
    return {name: job[name] for name in SPEC.split()} | {"Meta": meta} | changes


def spec_id(store: Any, number: int = 0) -> str:
    sql = "SELECT job_id FROM jobs WHERE job_id LIKE 'sha256:%' ORDER BY job_key"
    return store.session.query(sql)[number][0]


def test_a_specification_and_its_jobs_name_each_other(store, job) -> None:
    first, second = job("j-1"), job("j-2", CreateTime=1_800_000_000_000_000_000)
    store.take(first, spec_of(first), second, job("j-3", Name="another"))
    assert same(store, spec_id(store)) == ["j-2", "j-1"]
    assert same(store, "j-1") == same(store, "j-2") == [spec_id(store)]
    assert same(store, "j-3") == []
    assert same(store, "j-1", as_of=2**62) == []


def test_a_submission_is_linked_as_well(store, job) -> None:
    first = job("j-1")
    store.take(first, {"Job": spec_of(first), "IdempotencyToken": "t"})
    assert same(store, "j-1") == [spec_id(store)]


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "other"},
        {"Type": "service"},
        {"Labels": {"env": "test"}},
        {"Labels": {}},
        {"Meta": {"team": "b"}},
        {"Meta": {"team": "a", "more": ""}},
        {"Meta": {}},
        {"Tasks": [{"Name": "main", "Engine": {"Type": "wasm"}, "Meta": {"step": "1"}}]},
        {"Tasks": [{"Name": "main", "Engine": {"Type": "docker"}, "Meta": {"step": "2"}}]},
        {"Tasks": [{"Name": "other", "Engine": {"Type": "docker"}, "Meta": {"step": "1"}}]},
    ],
)
def test_another_specification_is_not_linked(store, job, change: dict[str, Any]) -> None:
    store.take(job("j-1"), spec_of(job("j-1"), **change))
    assert same(store, spec_id(store)) == []
    assert same(store, "j-1") == []


def test_what_the_server_fills_in_does_not_count(store, job) -> None:
    spec = spec_of(job("j-1"))
    spec["Tasks"] = [{k: v for k, v in spec["Tasks"][0].items() if k != "Publisher"}]
    del spec["Type"]
    store.take(job("j-1"), spec)
    assert same(store, "j-1") == [spec_id(store)]


def test_the_reading_of_older_versions_is_linked_with_their_job(store, job) -> None:
    """v1.0.4 - v1.3.2 stored 3 as "3": --coerce-scalars reads the specification alike."""
    of_server = job("j-1", meta={"retries": "3"})
    spec = json.dumps(spec_of(of_server)).replace('"3"', "3").encode()
    store.take(of_server)
    store.take(spec, format_="yaml", coerce_scalars=True)
    assert same(store, "j-1") == [spec_id(store)]


def test_only_reserved_keys_of_meta_are_left_out(store, job) -> None:
    """A label or task of such a name is the client's own."""
    label = job("j-1", Labels={"bacalhau.org/x": "1"})
    task = {"Name": "bacalhau.org/t", "Engine": {"Type": "docker"}, "Meta": {}}
    named = job("j-2", Name="other", Tasks=[task])
    store.take(label, spec_of(label), named, spec_of(named))
    assert same(store, "j-1") == [spec_id(store, 0)]
    assert same(store, "j-2") == [spec_id(store, 1)]
    store.take(spec_of(label, Labels={"bacalhau.org/x": "2"}))
    assert same(store, "j-1") == [spec_id(store, 0)]


def test_jobs_without_a_name_are_not_linked(store, job) -> None:
    store.take(job("j-1", Name=""), spec_of(job("j-1"), Name=""))
    assert same(store, "j-1") == []
