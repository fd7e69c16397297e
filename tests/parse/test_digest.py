"""The identity of a version: what leaves it as it is, and what changes it."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.model import Scalar
from meta_audit.parse import canonical, current, parse
from meta_audit.parse.spec_digest import spec_sha256, usual_input
from tests.parse import documents as docs

EMPTY = (None, "", 0, False, [], {})


def digest(value: Any) -> str:
    return parse(value, b"").spec_sha256.hex()


def renamed(value: Any, rename: Any, free: bool = False) -> Any:
    """Rename all fields of structs, as the YAML and the Python SDK print them."""
    if isinstance(value, list):
        return [renamed(item, rename, free) for item in value]
    if isinstance(value, dict):
        return {
            key if free else rename(key): renamed(
                item, rename, free or key in ("Meta", "Labels", "Env", "Params")
            )
            for key, item in value.items()
        }
    return value


def snake(name: str) -> str:
    parts = [("_" + c.lower()) if c.isupper() else c for c in name]
    return "".join(parts).lstrip("_").replace("_i_d", "_id").replace("c_p_u", "cpu")


def with_empties(value: Any) -> Any:
    """Print every empty field of a job, as the YAML of v1.0.4 - v1.1.0 does."""
    job = deepcopy(value)
    job |= {name: value for name, value in {"Priority": 0, "Labels": {}}.items() if name not in job}
    for task in job["Tasks"]:
        for name in ("Publisher", "Resources", "Network", "Timeouts"):
            task.setdefault(name, {})
        task["ResourcesConfig"] = task.pop("Resources") | {"CPU": "", "Disk": ""}
        task["Publisher"] |= {"Type": "", "Params": None}
        task |= {"ResultPaths": None, "Env": {}}
        task["Network"]["Domains"] = []
    return job


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(item, rng) for item in value]
    if isinstance(value, dict):
        pairs = list(value.items())
        rng.shuffle(pairs)
        return {key: shuffled(item, rng) for key, item in pairs}
    return value


def test_the_recipe() -> None:
    """Written out, so that anybody can compute it with another tool."""
    task = {
        "Name": "main",
        "Engine": {"Type": "docker", "Params": {"Image": "busybox"}},
        "Publisher": {},
        "Resources": {},
        "Network": {},
        "Timeouts": {},
    }
    job = {"Name": "docker-job", "Type": "batch", "Count": 1, "Tasks": [task]}
    text = json.dumps(
        ["meta-audit spec 1", "spec", None, job],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    assert digest(docs.SPEC) == sha256(text.encode()).hexdigest()


def test_digests_do_not_change_with_the_code() -> None:
    """A store holds them for ever: a change here needs another number in the recipe."""
    assert {name: digest(value)[:16] for name, value in docs.ALL.items()} == GOLDEN


@pytest.mark.parametrize("base", [docs.CURRENT, docs.V1_5_2, docs.SPEC])
def test_other_bytes_of_the_same_job(base: dict[str, Any]) -> None:
    expected = digest(base)
    assert digest(json.loads(json.dumps(base, indent=4))) == expected
    for rename in (str.lower, str.upper, snake):
        assert digest(renamed(base, rename)) == expected, rename
        assert digest(renamed(with_empties(base), rename)) == expected, rename
    assert digest(with_empties(base)) == expected


def test_what_changes_with_time_does_not_count() -> None:
    change = {
        "State": {"StateType": "Running", "Message": "x", "Details": {"a": "b"}},
        "Revision": 9,
        "CreateTime": 1,
        "ModifyTime": 2,
    }
    assert digest(docs.CURRENT | change) == digest(docs.CURRENT)
    lower = {name.lower(): value for name, value in change.items()}
    rest = {name: value for name, value in docs.CURRENT.items() if name not in change}
    assert digest(rest | lower) == digest(docs.CURRENT)
    metadata = docs.V1_JOB["Metadata"] | {"CreatedAt": "2020-01-01T00:00:00Z"}
    assert digest(docs.V1_JOB | {"Metadata": metadata}) == digest(docs.V1_JOB)
    state = {"JobState": {}, "CreatedAt": "2020-01-01T00:00:00Z", "JobEvents": []}
    assert digest(docs.FLAT_JOB | state) == digest(docs.FLAT_JOB)


def task_with(**change: Any) -> dict[str, Any]:
    return docs.CURRENT | {"Tasks": [docs.CURRENT["Tasks"][0] | change]}


CHANGED: dict[str, dict[str, Any]] = {
    "ID": docs.CURRENT | {"ID": "j-2"},
    "namespace": docs.CURRENT | {"Namespace": "other"},
    "name": docs.CURRENT | {"Name": "other"},
    "type": docs.CURRENT | {"Type": "ops"},
    "count": docs.CURRENT | {"Count": 2},
    "priority": docs.CURRENT | {"Priority": 2},
    "version": docs.CURRENT | {"Version": 2},
    "Meta": docs.CURRENT | {"Meta": docs.CURRENT["Meta"] | {"project": "x"}},
    "reserved Meta": docs.CURRENT | {"Meta": docs.CURRENT["Meta"] | {"bacalhau.org/x": "y"}},
    "label": docs.CURRENT | {"Labels": {}},
    "constraint": docs.CURRENT | {"Constraints": []},
    "unknown": docs.CURRENT | {"Unknown": 1},
    "image": task_with(Engine={"Type": "docker", "Params": {"Image": "x"}}),
    "engine": task_with(Engine={"Type": "wasm"}),
    "unknown of the engine": task_with(Engine=docs.CURRENT["Tasks"][0]["Engine"] | {"New": 1}),
    "case of a parameter": task_with(Engine={"Type": "docker", "Params": {"image": "x"}}),
    "publisher": task_with(Publisher={"Type": "s3"}),
    "env": task_with(Env={"A": "b"}),
    "task Meta": task_with(Meta={"step": "2"}),
    "task name": task_with(Name="other"),
    "input": task_with(InputSources=[]),
    "result": task_with(ResultPaths=[{"Name": "o", "Path": "/o"}]),
    "cpu": task_with(Resources={"CPU": "1"}),
    "network": task_with(Network={"Type": "None", "Domains": ["a"]}),
    "timeout": task_with(Timeouts={"ExecutionTimeout": 1}),
    "two tasks": docs.CURRENT | {"Tasks": docs.CURRENT["Tasks"] * 2},
    "no task": docs.CURRENT | {"Tasks": []},
    "submission": {"Job": docs.CURRENT, "Force": False},
}


def test_each_change_is_another_version() -> None:
    digests = {name: digest(value) for name, value in CHANGED.items()}
    assert digest(docs.CURRENT) not in digests.values()
    assert len(set(digests.values())) == len(CHANGED)


def test_each_change_of_a_legacy_job_is_another_version() -> None:
    requester = {"Requester": {"RequesterNodeID": "x"}}
    changed = [
        docs.V1_JOB,
        docs.V1_JOB | {"Metadata": docs.V1_JOB["Metadata"] | requester},
        docs.V1_JOB | {"Spec": docs.V1_SPEC | {"Docker": {"Image": "x"}}},
        docs.V1_JOB | {"Spec": docs.V1_SPEC | {"Annotations": []}},
        docs.V1_JOB | {"Spec": docs.V1_SPEC | {"Deal": {"Concurrency": 4}}},
        docs.V1_JOB | {"Spec": docs.V1_SPEC | {"outputs": []}},
        docs.STATUS_JOB,
        docs.STATUS_JOB | {"Status": docs.STATUS_JOB["Status"] | requester},
        docs.CREATED,
        docs.CREATED | {"SourceNodeID": "x"},
        docs.CREATED | {"ClientID": "x"},
        {"ClientID": "a", "Spec": docs.V1_SPEC},
        {"ClientID": "b", "Spec": docs.V1_SPEC},
        {"Spec": docs.V1_SPEC},
    ]
    assert len({digest(value) for value in changed}) == len(changed)


def test_legacy_jobs_with_and_without_their_empties() -> None:
    spec = docs.V1_SPEC | {
        "Sharding": {"BatchSize": 0},
        "Contexts": None,
        "Network": {"Type": "", "Domains": []},
        "Wasm": {"EntryModule": {"S3": {}}, "ImportModules": []},
    }
    spec = {name: value for name, value in spec.items() if name != "Language"}
    assert digest(docs.V1_JOB | {"Spec": spec}) == digest(docs.V1_JOB)
    assert digest(renamed(docs.V1_JOB, str.lower)) == digest(docs.V1_JOB)
    assert digest({"Job": docs.V1_JOB}) == digest(docs.V1_JOB)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1_000_000, Scalar("1e+06", 1_000_000.0)),
        (1, 1.0),
        (16, Scalar("0x10", 16)),
        (False, Scalar("NO", False)),
        (1.5, Scalar("1.50", 1.5)),
        (2**70, 2**70),
        ({"text": "a", "value": 1}, {"value": 1, "text": "a"}),
    ],
)
def test_numbers_stand_by_their_value(one: Any, other: Any) -> None:
    def params(value: Any) -> dict[str, Any]:
        return task_with(Engine={"Type": "docker", "Params": {"deep": [{"x": value}], "y": value}})

    assert digest(params(one)) == digest(params(other))
    assert digest(params(one)) == digest(renamed(params(other), str.lower))
    assert digest(params(one)) != digest(params([one]))


def test_what_is_no_number_is_not_mistaken_for_text() -> None:
    values = [Scalar("1e400", None), "1e400", 2**70, str(2**70), hex(2**70), 1, "1", True, "true"]
    assert len({digest(task_with(Env={"X": value})) for value in values}) == len(values)


free = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=8,
)
text = st.text(max_size=6)
config = st.fixed_dictionaries(
    {}, optional={"Type": text, "Params": st.dictionaries(text, free, max_size=3)}
)
tasks = st.fixed_dictionaries(
    {"Engine": config},
    optional={
        "Name": text,
        "Publisher": config,
        "Env": st.dictionaries(text, text, max_size=3),
        "Meta": st.dictionaries(text, text, max_size=3),
        "InputSources": st.lists(
            st.fixed_dictionaries({}, optional={"Source": config, "Target": text}), max_size=2
        ),
        "ResultPaths": st.lists(
            st.fixed_dictionaries({}, optional={"Name": text, "Path": text}), max_size=2
        ),
        "Resources": st.fixed_dictionaries({}, optional={"CPU": text, "GPU": text}),
        "Network": st.fixed_dictionaries(
            {},
            optional={
                "Type": text,
                "Domains": st.lists(text, max_size=2),
                "Ports": st.lists(
                    st.fixed_dictionaries({}, optional={"Name": text, "Static": st.integers()}),
                    max_size=2,
                ),
            },
        ),
        "Timeouts": st.fixed_dictionaries({}, optional={"TotalTimeout": st.integers()}),
    },
)
jobs = st.fixed_dictionaries(
    {"ID": text, "Tasks": st.lists(tasks, min_size=1, max_size=2)},
    optional={
        "Name": text,
        "Namespace": text,
        "Count": st.integers(-5, 5),
        "Meta": st.dictionaries(text, text, max_size=3),
        "Labels": st.dictionaries(text, text, max_size=3),
        "Constraints": st.lists(
            st.fixed_dictionaries({}, optional={"Key": text, "Values": st.lists(text, max_size=2)}),
            max_size=2,
        ),
        "State": st.fixed_dictionaries({}, optional={"StateType": text, "Message": text}),
        "Version": st.integers(0, 2**63 - 1),
        "CreateTime": st.integers(-(2**63), 2**63 - 1),
    },
)


@given(jobs, st.randoms(use_true_random=False))
def test_any_order_and_either_road(job: dict[str, Any], rng: random.Random) -> None:
    record = parse(job, b"")
    assert parse(shuffled(job, rng), b"").spec_sha256 == record.spec_sha256
    # A null is enough for the road that folds names.
    slow = parse(job | {"Priority": None}, b"")
    assert slow == record
    lower = parse(renamed(job, str.lower), b"")
    assert lower == record


@given(jobs)
def test_both_inputs_are_the_same_bytes(job: dict[str, Any]) -> None:
    usual = canonical.convert(job)
    if usual is None:
        return
    usual.State = None
    usual.Revision = usual.CreateTime = usual.ModifyTime = 0
    assert sha256(usual_input("spec", usual)).digest() == spec_sha256("spec", current.JOB, job)


GOLDEN: dict[str, str] = {
    "current": "02a9fbd27eebf3dc",
    "v1.5.2": "391e4b8577ba9f8e",
    "spec": "8c8a34879efaea9d",
    "submit": "57bdf4f7c73a6d23",
    "v1 job": "78839d03190da0f9",
    "v1 wrapped": "78839d03190da0f9",
    "v1 spec": "1a3fdea50c7cc9c8",
    "bare spec": "dc71d7d82d743633",
    "status job": "aa00d950382ea611",
    "flat job": "cae4997a09eed484",
    "created": "b6620c0547500a86",
    "accepted": "",
    "snake v1": "78839d03190da0f9",
    "execution": "",
    "history": "",
    "history v1.5": "",
}
