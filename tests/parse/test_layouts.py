"""Each layout and wrapper gives the record that an auditor expects."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from meta_audit.errors import RejectedError
from meta_audit.model import Attribution, Event, Execution, JobRecord, Task
from meta_audit.parse import parse
from tests.parse import documents as docs


def read(value: Any, **options: bool) -> JobRecord:
    return parse(deepcopy(value), json.dumps(value).encode(), **options)


def who(record: JobRecord) -> dict[str, tuple[str, str, str]]:
    return {a.basis: (a.role, a.trust, a.verdict) for a in record.attributions}


def codes(record: JobRecord) -> list[str]:
    return [finding.code for finding in record.findings]


def test_a_current_job() -> None:
    record = read(docs.CURRENT)
    assert record.origin == "orchestrator"
    assert record.layout == "v1.0.4"
    assert record.job_id == "j-d586d2cc-6fc9-42c4-9dd9-a78df1d7cd01"
    assert (record.namespace, record.name, record.type) == ("default", "A sample job", "batch")
    assert (record.priority, record.count, record.version, record.revision) == (0, 1, 0, 2)
    assert record.created_at == 1695883778909107178
    assert record.modified_at == 1695883779369191994
    assert record.meta == docs.CURRENT["Meta"]
    assert record.labels == {"env": "prod", "name": "demo"}
    assert record.tasks == (Task("main", "docker", "", {"step": "1"}),)
    assert (record.state, record.state_message) == ("Completed", "")
    assert record.attributions == (
        Attribution(
            "requester", docs.REQUESTER, "meta:bacalhau.org/requester.id", "server", "match"
        ),
        Attribution(
            "requester_key",
            docs.REQUESTER_KEY,
            "meta:bacalhau.org/requester.publicKey",
            "server",
            "match",
        ),
    )
    assert len(record.spec_sha256) == 32
    assert record.findings == record.executions == record.events == ()


def test_reserved_keys_tell_layout_and_trust() -> None:
    record = read(docs.V1_5_2)
    assert record.layout == "v1.5.2"
    assert who(record) == {
        "meta:bacalhau.org/orchestrator.id": ("requester", "server", "not_a_peer_id"),
        "meta:bacalhau.org/requester.id": ("requester", "server", "not_a_peer_id"),
        "meta:bacalhau.org/server.installation.id": ("server_installation", "server", "no_key"),
        "meta:bacalhau.org/server.instance.id": ("server_instance", "server", "no_key"),
        "meta:bacalhau.org/client.installation.id": ("client_installation", "claimed", "no_key"),
        "meta:bacalhau.org/client.instance.id": ("client_instance", "claimed", "no_key"),
    }
    assert record.findings == ()


@pytest.mark.parametrize(
    ("meta", "layout"),
    [
        ({}, "v1.0.4"),
        ({"requester.id": "a", "requester.publicKey": "b"}, "v1.0.4"),
        ({"requester.id": "a"}, "v1.2.1"),
        ({"requester.id": "a", "server.instance.id": "b"}, "v1.5.0"),
        ({"requester.id": "a", "orchestrator.id": "a"}, "v1.5.2"),
    ],
)
def test_layout_and_inferred_client(meta: dict[str, str], layout: str) -> None:
    reserved = {docs.RESERVED + key: value for key, value in meta.items()}
    record = read(docs.CURRENT | {"Meta": reserved, "Namespace": docs.CLIENT})
    assert record.layout == layout
    inferred = {"namespace": ("client", "inferred", "no_key")} if layout < "v1.5" else {}
    assert {k: v for k, v in who(record).items() if v[0] == "client"} == inferred


def test_a_stated_client_goes_before_the_namespace() -> None:
    meta = {"bacalhau.org/client.id": docs.CLIENT}
    record = read(docs.CURRENT | {"Meta": meta, "Namespace": docs.CLIENT})
    assert who(record) == {"meta:bacalhau.org/client.id": ("client", "server", "no_key")}


def test_a_specification() -> None:
    record = read(docs.SPEC)
    assert (record.origin, record.layout, record.namespace) == ("spec", "v1.0.4", "default")
    assert record.job_id == "sha256:" + record.spec_sha256.hex()
    assert record.attributions == ()


@pytest.mark.parametrize("wrapped", [{"Job": docs.SPEC}, {"Job": docs.CURRENT, "Force": True}])
def test_a_submission(wrapped: dict[str, Any]) -> None:
    record = read(wrapped)
    assert record.origin == "submission"
    stated = wrapped["Job"].get("ID")
    assert record.job_id == stated or "sha256:" + record.spec_sha256.hex()
    assert record.attributions == ()
    assert set(codes(record)) == ({"reserved.unsubmitted", "spec.states_id"} if stated else set())


def test_a_described_job_with_its_activity() -> None:
    other = docs.EXECUTION | {"JobID": "j-other"}
    record = read(
        {
            "Job": docs.CURRENT,
            "History": {"Items": [docs.HISTORY], "NextToken": ""},
            "Executions": {"Items": [docs.EXECUTION, other]},
        }
    )
    assert record.spec_sha256 == read(docs.CURRENT).spec_sha256
    assert record.state == "Completed"
    assert record.executions == (
        Execution(
            "e-cdd9fb3e-3183-4069-8bc9-679b6bcce4db",
            "QmYgxZiySj3MRkwLSL4X2MF5F9f2PMhAE3LV49XkfNL1o3",
            "Completed",
            "Stopped",
            "execution completed",
            1695886565851709698,
            1695886566370340241,
        ),
    )
    assert record.events == (
        Event(
            1695885782483265228,
            "ExecutionLevel",
            "e-82f7813f-58da-4323-8261-886af35284c4",
            "QmUDAXvv31WPZ8U9CzuRTMn9iFGiopGE7rHiah1X8a6PkT",
            "Completed",
            "",
        ),
    )
    assert codes(record) == ["activity.other_job"]


def test_a_v1_job_with_its_state() -> None:
    record = read(docs.V1_WRAPPED)
    assert (record.origin, record.layout) == ("orchestrator", "v0.3.22")
    assert record.job_id == "61e542a7-bea1-4382-b3c9-40050d143ad6"
    assert record.namespace == docs.CLIENT
    assert (record.type, record.count) == ("batch", 3)
    assert record.labels == {"canary": "", "nightly": ""}
    assert record.tasks == (Task("main", "Docker", "Estuary", {}),)
    assert record.created_at == 1683114386767484787
    assert (record.state, record.revision) == ("Completed", 5)
    assert record.modified_at == 1683114395551464593
    assert who(record) == {
        "metadata.ClientID": ("client", "server", "no_key"),
        "metadata.Requester.RequesterNodeID": ("requester", "server", "match"),
        "metadata.Requester.RequesterPublicKey": ("requester_key", "server", "match"),
    }
    [execution] = record.executions
    assert execution.execution_id == "e-37a9de63-8bf2-4d83-932f-29fdf98c5274"
    assert (execution.state, execution.modified_at) == ("Completed", 1683114395543450963)
    [event] = record.events
    assert (event.state, event.message) == ("AskForBid", "asked")
    assert record.spec_sha256 == read(docs.V1_JOB).spec_sha256


def test_executions_by_shard() -> None:
    state = docs.V1_WRAPPED["State"]
    shards = {"0": {"ShardIndex": 0, "Executions": state["Executions"]}}
    wrapped = {"Job": docs.V1_JOB, "State": {"State": "Completed", "Shards": shards}}
    assert read(wrapped).executions == read(docs.V1_WRAPPED).executions


def test_a_job_with_status() -> None:
    record = read(docs.STATUS_JOB)
    assert record.layout == "v0.3.14"
    assert who(record) == {
        "metadata.ClientID": ("client", "server", "no_key"),
        "Status.Requester.RequesterNodeID": ("requester", "server", "match"),
        "Status.Requester.RequesterPublicKey": ("requester_key", "server", "match"),
    }
    node = "QmVAb7r2pKWCuyLpYWoZr9syhhFnTWeFaByHdb8PkkhLQG"
    status = "Got results proposal of length: 0"
    assert record.executions == (Execution(f"{node}:0", node, "Completed", "", status, None, None),)


def test_a_flat_job() -> None:
    record = read(docs.FLAT_JOB)
    assert (record.origin, record.layout) == ("orchestrator", "v0.2.9")
    assert record.tasks == (Task("main", "Docker", "Estuary", {}),)
    assert who(record) == {
        "RequesterNodeID": ("requester", "server", "match"),
        "RequesterPublicKey": ("requester_key", "server", "match"),
        "ClientID": ("client", "server", "no_key"),
    }
    assert len(record.executions) == 1


def test_events() -> None:
    created = read(docs.CREATED)
    assert (created.origin, created.job_id) == ("event", docs.CREATED["JobID"])
    assert who(created) == {
        "SourceNodeID": ("requester", "server", "match"),
        "SenderPublicKey": ("requester_key", "server", "match"),
        "ClientID": ("client", "server", "no_key"),
    }
    assert [event.kind for event in created.events] == ["Created"]
    assert len(created.spec_sha256) == 32

    accepted = read(docs.ACCEPTED)
    assert (accepted.origin, accepted.spec_sha256) == ("activity", b"")
    assert accepted.job_id == created.job_id
    assert accepted.events == (
        Event(1668691975707825569, "ResultsAccepted", "", docs.REQUESTER, "", "fine"),
    )


def test_single_executions_and_history_items() -> None:
    record = read(docs.EXECUTION)
    assert (record.origin, record.namespace) == ("activity", "default")
    assert record.executions[0].state == "Completed"
    assert read(docs.HISTORY).events[0].state == "Completed"
    event = read(docs.HISTORY_V1_5).events[0]
    assert event == Event(1732778582500000000, "JobLevel", "", "", "Pending", "Job submitted")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "Completed"),
        ({"RunOutput": {"Stdout": ""}}, "unknown (7)"),  # Completed before v1.5.2, Publishing after
        ({"RunOutput": None, "JobVersion": 1}, "Publishing"),
        ({"ComputeState": {"StateType": 3}, "RunOutput": None}, "AskForBidAccepted"),
        ({"ComputeState": {"StateType": 99}}, "unknown (99)"),
        ({"ComputeState": {"StateType": -1}}, "unknown (-1)"),
        ({"ComputeState": {"StateType": 10}, "RunOutput": {"Stdout": ""}}, "Failed"),
    ],
)
def test_the_number_of_a_state_is_named_where_it_is_sure(
    change: dict[str, Any], state: str
) -> None:
    assert read(docs.EXECUTION | change).executions[0].state == state


def test_an_execution_that_carries_its_job() -> None:
    record = read(docs.EXECUTION | {"Job": docs.CURRENT})
    assert record.origin == "orchestrator"
    assert record.spec_sha256 == read(docs.CURRENT).spec_sha256
    assert len(record.executions) == 1


def test_unsigned_payloads_claim_their_client() -> None:
    for payload in (
        {"ClientID": docs.CLIENT, "APIVersion": "V1beta1", "Spec": docs.V1_SPEC},
        {"ClientID": docs.CLIENT, "Job": {"APIVersion": "V1beta1", "Spec": docs.V1_SPEC}},
    ):
        record = read(payload)
        assert record.origin == "submission"
        assert who(record) == {"ClientID": ("client", "claimed", "no_key")}


def test_lists_of_one_are_unwrapped() -> None:
    assert read([docs.CURRENT]) == read([[docs.CURRENT]]) == read(docs.CURRENT)
    with pytest.raises(RejectedError, match="a list of 1;") as caught:
        read([[[docs.CURRENT]]])
    assert caught.value.reason == "not_a_job"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (None, "not null"),
        ("text", "a job is a mapping"),
        ({}, "empty"),
        ([], "empty list"),
        ([docs.SPEC, docs.SPEC], "one document holds one job"),
        (docs.SPEC["Tasks"][0], "single task"),
        ([*docs.SPEC["Tasks"], *docs.SPEC["Tasks"]], "list of 2 tasks"),
        ({"Meta": {"a": "b"}}, r"part of a job \(Meta\)"),
        ({"JobID": "j", "EvaluationID": "e", "Warnings": []}, "response to a submission"),
        ({"state": {"Nodes": {}}}, "state of a job"),
        ({"results": [{"data": {}}]}, "results"),
        ({"ID": "Qm", "ClientID": "c"}, "bacalhau id"),
        ({"ID": "Qm", "PublicKey": "c", "Addresses": []}, "IPFS"),
        ({"Items": [], "NextToken": ""}, "page of 0 items"),
        ({"apiVersion": "v1", "kind": "Pod", "spec": {"engine": "x"}}, "Kubernetes"),
        ({"hosts": "all", "tasks": [{"name": "x", "apt": {}}]}, "playbook"),
        ({"version": "3", "tasks": {"default": {}}}, "playbook"),
        ({"JobCancelPayload": {}, "signature": "", "client_public_key": ""}, "cancel"),
        ({"error": "not found", "message": "job not found: x"}, "an error that the API"),
        ({"Status": 404, "Message": "m", "RequestID": "r"}, "an error that the API"),
        ({"NextToken": "", "Nodes": []}, "page of nodes"),
        ({"GitVersion": "v1.6.5", "GitCommit": "c", "Major": "1"}, "version of a server"),
        ({"Job": {"a": 1}}, "none of a job's fields"),
        ({"foo": 1}, "none of a job's fields; it has 'foo'"),
        (
            {"payload": {"ClientID": "c"}, "signature": "", "clientPublicKey": ""},
            "signed payload: ",
        ),
    ],
)
def test_what_is_not_a_job(value: Any, hint: str) -> None:
    with pytest.raises(RejectedError, match=hint) as caught:
        read(value)
    assert caught.value.reason == "not_a_job"


def test_every_document_is_taken_in_snake_and_lower_case() -> None:
    record, plain = read(docs.SNAKE_V1), read(docs.V1_JOB)
    assert (record.job_id, record.spec_sha256) == (plain.job_id, plain.spec_sha256)
    assert [a.value for a in record.attributions] == [a.value for a in plain.attributions]
    for name, value in docs.ALL.items():
        lower = {key.lower(): item for key, item in value.items()}
        assert read(lower) == read(value), name
