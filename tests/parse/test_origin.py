"""Only what an orchestrator gave out is its word, in every wrapper and layout.

The documents are cut down from what running servers of v1.1.6 and v1.6.5 put out.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from meta_audit.model import ORIGIN_RANK, JobRecord
from meta_audit.parse import parse
from tests.parse import documents as docs

FORGED: dict[str, Any] = {
    "ID": "j-forge-3",
    "Name": "f3",
    "Type": "service",
    "Count": 1,
    "Meta": {"bacalhau.org/requester.id": "QmForged", "bacalhau.org/client.id": "aaaa"},
    "Tasks": [{"Name": "main", "Engine": {"Type": "noop"}}],
}
LEGACY_FORGED: dict[str, Any] = {
    "APIVersion": "V1beta2",
    "Spec": docs.V1_SPEC,
    "Metadata": {
        "ID": "mine",
        "ClientID": docs.CLIENT,
        "Requester": {"RequesterNodeID": "QmSpoof"},
    },
}


def read(value: Any) -> JobRecord:
    return parse(deepcopy(value), b"")


def codes(record: JobRecord) -> set[str]:
    return {finding.code for finding in record.findings}


WRAPPERS = {
    "bare": lambda job: job,
    "list": lambda job: [job],
    "response": lambda job: {"Job": job, "Executions": {"Items": []}, "History": {"Items": []}},
    "v1.0": lambda job: {"Job": job, "State": {"JobID": "j-forge-3", "State": "New"}},
    "lower case": lambda job: {"job": job},
    "unknown wrapper": lambda job: {"machine": "m", "job": job},
    "submission": lambda job: {"Job": job, "Force": True},
    "compute node": lambda job: {"ID": "e", "JobID": job["ID"], "ComputeState": 1, "Job": job},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"CreateTime": 1695883778909107178},
        {"CreateTime": 1695883778909107178, "Revision": 1},
        {"CreateTime": 1695883778909107178, "State": {"StateType": "Pending"}},
        {"Revision": 1, "State": {"StateType": "Pending"}},
        {"CreateTime": -1, "Revision": 1, "State": {"StateType": "Pending"}},
        {"CreateTime": 1695883778909107178, "Revision": 1, "State": {}},
    ],
)
def test_a_spec_with_an_id_is_nobodys_word(wrapper: str, change: dict[str, Any]) -> None:
    record = read(WRAPPERS[wrapper](FORGED | change))
    assert record.origin in ("spec", "submission", "activity")
    assert record.attributions == ()
    if record.origin != "activity":
        assert (record.job_id, record.namespace) == ("j-forge-3", "default")
        assert {"reserved.unsubmitted", "spec.states_id"} <= codes(record)


def test_with_all_that_an_orchestrator_writes_it_is_its_word() -> None:
    given = FORGED | {
        "CreateTime": 1695883778909107178,
        "Revision": 1,
        "State": {"StateType": "Pending"},
        "Namespace": "default",
    }
    for wrapper in ("bare", "list", "response", "lower case", "compute node"):
        record = read(WRAPPERS[wrapper](given))
        assert record.origin == "orchestrator"
        assert {a.trust for a in record.attributions} == {"server"}
    assert read(WRAPPERS["submission"](given)).origin == "submission"


STATED = docs.CURRENT | {"Namespace": "default"}
LEGACY = docs.V1_JOB
EXECUTION = {"ID": "e", "ComputeState": 1}
FORGERIES: dict[str, Any] = {
    # What stands around the job.
    "another field beside the job": {"machine": "m", "job": STATED},
    "a namespace and another field": {"Namespace": "n", "machine": "m", "Job": STATED},
    "a state of v1.0 around a newer job": {"Job": STATED, "State": {"State": "Completed"}},
    "events of v0.x around a newer job": {"Job": STATED, "JobEvents": []},
    "a client that wraps a job": {"ClientID": docs.CLIENT, "Job": STATED},
    "a client that wraps an old job": {"ClientID": docs.CLIENT, "Job": LEGACY},
    "a request": {"Job": STATED, "IdempotencyToken": "t"},
    "a request with its activity": {"Job": STATED, "Force": True, "Executions": []},
    "another field beside an old job": {"who": "me", "Job": LEGACY, "State": {}},
    "an object of Kubernetes": {
        "kind": "BacalhauJob",
        "apiVersion": "bacalhau.org/v1",
        "spec": STATED,
    },
    "an old job in one": {"kind": "BacalhauJob", "apiVersion": "v1", "spec": LEGACY},
    "a signed submission": {
        "payload": {"ClientID": "c", "Job": LEGACY},
        "signature": "eA==",
        "client_public_key": "eA==",
    },
    "an execution of another job": EXECUTION | {"JobID": "j-other", "Job": STATED},
    "executions of another job": {"Job": STATED, "Executions": [EXECUTION | {"JobID": "j-x"}]},
    # What stands in it.
    "a state that is text": STATED | {"State": "Completed"},
    "a state that is a number": STATED | {"State": 5},
    "a type of state that is a number": STATED | {"State": {"StateType": 5}},
    "a type of state that is zero": STATED | {"State": {"StateType": 0}},
    "a state without a type": STATED | {"State": {"Message": "done"}},
    "a state in snake case": STATED | {"State": {"state_type": "Completed"}},
    "a type of state that is null": STATED | {"State": {"StateType": None}},
    "a revision of zero": STATED | {"Revision": 0},
    "no revision": {name: item for name, item in STATED.items() if name != "Revision"},
    "a create time of zero": STATED | {"CreateTime": 0},
    "a create time before 1970": STATED | {"CreateTime": -5},
    "an empty ID": STATED | {"ID": ""},
    "names in snake case": docs.SNAKE_V1,
    "a null in Meta": STATED | {"Meta": STATED["Meta"] | {"note": None}},
    "an old job without its requester": LEGACY
    | {"Metadata": {"ID": "j", "CreatedAt": "2023-02-01T19:30:21.405209538Z"}},
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_what_no_server_writes_has_no_servers_trust(forged: str) -> None:
    record = read(FORGERIES[forged])
    assert "server" not in {a.trust for a in record.attributions}
    told = {"document.foreign", "field.snake_case", "meta.null", "activity.other_job"}
    assert record.origin != "orchestrator" or told & codes(record)


def test_a_state_around_a_newer_job_is_not_its_state() -> None:
    around = {"State": {"State": "Cancelled", "Version": 99, "Executions": [{"State": 1}]}}
    record = read({"Job": STATED} | around)
    assert (record.state, record.revision) == ("Completed", STATED["Revision"])
    assert "field.hidden" not in codes(record)


def test_names_that_are_dropped_are_named() -> None:
    """Also names that hide a field, as a prompt glued to the first line of YAML."""
    hidden = {"$ ID" if name == "ID" else name: item for name, item in STATED.items()}
    found = {f.code: f.detail for f in read(hidden | {"Foo\x1b": 1, "Count ": 2}).findings}
    assert found["field.hidden"] == "'$ ID', 'Count '"
    assert found["field.unknown"] == r"'Foo\x1b'"
    many = read(docs.SPEC | {f"x{number}": 1 for number in range(50)})
    (detail,) = [f.detail for f in many.findings if f.code == "field.unknown"]
    assert detail.endswith("'x7' and 42 more")
    for known in (docs.SPEC, STATED, {"Job": STATED, "History": []}, LEGACY, docs.FLAT_JOB):
        assert not {"field.unknown", "field.hidden", "document.foreign"} & codes(read(known))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"CreatedAt": "2023-02-01T19:30:21.405209538Z", "Requester": {}},
        {"CreatedAt": "0001-01-01T00:00:00Z"},
        {
            "CreatedAt": "2023-02-01T19:30:21.405209538Z",
            "Requester": {"RequesterNodeID": "None"},
        },
    ],
)
def test_a_legacy_spec_with_an_id_is_nobodys_word(change: dict[str, Any]) -> None:
    job = LEGACY_FORGED | {"Metadata": LEGACY_FORGED["Metadata"] | change}
    for value in (job, {"Job": job, "State": {}}, {"jobs": 1, "job": job}):
        record = read(value)
        assert (record.origin, record.job_id) == ("spec", "mine")
        assert "spec.states_id" in codes(record)
        assert {a.trust for a in record.attributions} == {"claimed"}
    flat = docs.FLAT_JOB | {"CreatedAt": None}
    assert read(flat).origin == "spec"


def test_the_response_of_the_legacy_api_is_the_orchestrators_word() -> None:
    job = LEGACY_FORGED | {
        "Metadata": LEGACY_FORGED["Metadata"] | {"CreatedAt": "2026-11-25T23:29:15.886161439Z"},
    }
    record = read({"job": job})
    assert record.origin == "orchestrator"
    assert {a.trust for a in record.attributions} == {"server"}


def test_a_spec_never_ranks_before_an_orchestrators_version() -> None:
    real = read(docs.CURRENT)
    forged = read(FORGED | {"ID": real.job_id, "ModifyTime": 2**62, "Version": 99})
    assert (forged.job_id, forged.namespace) == (real.job_id, real.namespace)
    assert ORIGIN_RANK[forged.origin] < ORIGIN_RANK[real.origin]


@pytest.mark.parametrize("extra", [{"machine": "m"}, {"State": None}, {"Queue": 1}])
def test_what_is_no_request_is_no_submission(extra: dict[str, Any]) -> None:
    assert read({"Job": docs.SPEC} | extra).origin == "spec"


@pytest.mark.parametrize("extra", [{}, {"Force": False}, {"IdempotencyToken": "t"}])
def test_a_request_is_a_submission(extra: dict[str, Any]) -> None:
    assert read({"Job": docs.SPEC} | extra).origin == "submission"


def test_a_job_of_a_kubernetes_operator_is_its_spec() -> None:
    around = {"apiVersion": "bacalhau.example/v1", "kind": "BacalhauJob", "metadata": {"name": "n"}}
    assert read(around | {"spec": docs.SPEC}) == read(docs.SPEC)
    given = read(around | {"spec": docs.CURRENT})
    assert given.origin == "spec", "no orchestrator writes Kubernetes objects"


def test_snake_case_is_not_an_orchestrators_hand() -> None:
    """Go matches names without regard to case, and never through underscores."""
    record = read(docs.SNAKE_V1)
    assert record.origin == "orchestrator"
    assert {a.trust for a in record.attributions} == {"claimed"}
    assert "field.snake_case" in codes(record)
    plain = {"CreateTime": "create_time", "ModifyTime": "modify_time"}
    current = {plain.get(name, name.lower()): item for name, item in docs.CURRENT.items()}
    record = read(current)
    assert {a.trust for a in record.attributions} == {"claimed"}
    assert record.created_at == docs.CURRENT["CreateTime"]
    lower = {name.lower(): item for name, item in docs.CURRENT.items()}
    assert {a.trust for a in read(lower).attributions} == {"server"}


@pytest.mark.parametrize(
    "value",
    [
        *(
            "None",
            "True",
            "nil",
            "null",
            "<nil>",
            "undefined",
            "NONE",
            "nan",
            "NaT",
            "N/A",
            "pd.NA",
        ),
        *("<NA>", "<no value>", "(null)", "%!s(<nil>)", "{}", "[ ]", "NoneType", "[object Object]"),
        *("<object at 0x7f0>", "<bound method X.id of <X>>", "<class 'str'>", "{{ .x }}"),
        *("${NODE_ID}", "$NODE", "$(hostname)", "%(id)s", "%NODE%"),
    ],
)
def test_printed_nothing_is_nobody(value: str) -> None:
    meta = {"bacalhau.org/requester.id": value, "bacalhau.org/client.id": value}
    records = [
        read(docs.CURRENT | {"Meta": meta}),
        read({"ClientID": value, "APIVersion": "V1beta1", "Spec": docs.V1_SPEC}),
        read(docs.V1_JOB | {"Metadata": docs.V1_JOB["Metadata"] | {"ClientID": value}}),
        read(docs.FLAT_JOB | {"ClientID": value}),
    ]
    for record in records:
        assert value not in {a.value for a in record.attributions}
        assert "identity.no_value" in codes(record)
        assert record.namespace != value


@pytest.mark.parametrize(
    "value", ["abc ", " abc", "a  b", "abc\u2010def", "\u0430bc", "abc\u200b", "abc\n"]
)
def test_a_name_that_may_look_like_another(value: str) -> None:
    for record in (
        read(docs.V1_JOB | {"Metadata": docs.V1_JOB["Metadata"] | {"ClientID": value}}),
        read(docs.FLAT_JOB | {"ClientID": value}),
        read(docs.FLAT_JOB | {"ID": value}),
    ):
        found = [f.detail for f in record.findings if f.code == "identity.lookalike"]
        assert found
        assert all("has U+" in detail for detail in found)


@pytest.mark.parametrize("value", ["abc", "n-1 of 2", "QmXaXu9", "job_1/2:3"])
def test_a_name_as_others_are(value: str) -> None:
    assert "identity.lookalike" not in codes(read(docs.FLAT_JOB | {"ID": value}))


@pytest.mark.parametrize("value", ["nanny", "node-none", "$5 node", "nil-1", "0", "-", "unknown"])
def test_a_name_that_holds_a_word_for_nothing_is_a_name(value: str) -> None:
    record = read(docs.CURRENT | {"Meta": {"bacalhau.org/requester.id": value}})
    assert value in {a.value for a in record.attributions}


@pytest.mark.parametrize(
    "name",
    [
        "cl\u0456ent.id",
        "client.\u0456d",
        "\u217dlient.id",
        "client\u201aid",
        "client.id ",
        "/client.id",
    ],
)
def test_a_reserved_key_that_looks_like_another_one(name: str) -> None:
    record = read(docs.CURRENT | {"Meta": {"bacalhau.org/" + name: "mallory"}})
    assert "reserved.lookalike" in codes(record)
    assert "mallory" not in {a.value for a in record.attributions}


def test_other_reserved_keys_look_like_no_other() -> None:
    meta = {"bacalhau.org/orchestrator.protocol": "nclv1", "bacalhau.org/client.id": "c"}
    assert "reserved.lookalike" not in codes(read(docs.CURRENT | {"Meta": meta}))
