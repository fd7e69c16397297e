"""Executions, events and states in documents of their own, and times and texts to look at.

The documents are cut down from what servers of v1.1.6 and v1.6.5 put out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from meta_audit import execution_state
from meta_audit.errors import RejectedError
from meta_audit.model import Event, Execution, JobRecord
from meta_audit.parse import parse
from meta_audit.parse.times import since_1970
from tests.parse import documents as docs

EXECUTION: dict[str, Any] = {
    "ID": "e-1",
    "JobID": "j-1",
    "NodeID": "n-1",
    "DesiredState": {"StateType": 2},
    "ComputeState": {"StateType": 10},
    "RunOutput": {"Stdout": "", "stderr": ""},
    "CreateTime": 1795646926091190605,
}
STATES: dict[str, Any] = {
    "state": {
        "JobID": "2d63582b-1055-46dc-a28f-73f62cc77850",
        "Executions": [
            {
                "JobID": "2d63582b-1055-46dc-a28f-73f62cc77850",
                "NodeId": "QmVYfMi8a6tR6UNWmvKd7mt9YRoAYnLHKfG8JNbdaa7Ny3",
                "ComputeReference": "e-0207a1e1-3ef5-45c0-8b70-36e1d43148db",
                "State": "AskForBidRejected",
                "Status": "not enough capacity",
                "DesiredState": 2,
                "Version": 3,
                "CreateTime": "2026-11-25T23:29:17.589582978Z",
                "UpdateTime": "2026-11-25T23:29:17.602164938Z",
            },
            {"JobID": "other", "NodeId": "n", "ComputeReference": "e", "State": "New"},
        ],
        "State": "Error",
        "Version": 2,
        "CreateTime": "2026-11-25T23:29:17.586133195Z",
        "UpdateTime": "2026-11-25T23:29:17.604913702Z",
    }
}


def read(value: Any) -> JobRecord:
    return parse(deepcopy(value), json.dumps(value).encode())


def details(record: JobRecord, code: str) -> list[str]:
    return [finding.detail for finding in record.findings if finding.code == code]


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (5, "BidAccepted"),
        (10, "Failed"),
        (11, "Cancelled"),
        (9, "unknown (9)"),
        (12, "unknown (12)"),
    ],
)
def test_a_number_is_never_bare(number: int, state: str) -> None:
    record = read(EXECUTION | {"ComputeState": {"StateType": number}})
    assert record.executions[0].state == state
    assert record.executions[0].desired_state == "Stopped"
    assert bool(details(record, "state.unknown")) == state.startswith("unknown")


@pytest.mark.parametrize(
    ("state", "layout", "named"),
    [
        ("unknown (9)", "v1.5.2", "Completed"),
        ("unknown (9)", "v1.2.1", "Cancelled"),
        ("unknown (9)", "legacy v1.0.4", "Cancelled"),
        ("unknown (7)", "v1.5.2", "Publishing"),
        ("unknown (10)", "v1.0.4", "Failed"),
        ("unknown (9)", "", "unknown (9)"),
        ("unknown (99)", "v1.5.2", "unknown (99)"),
        ("Completed", "v1.5.2", "Completed"),
    ],
)
def test_the_layout_of_the_job_names_the_rest(state: str, layout: str, named: str) -> None:
    assert execution_state.resolve(state, layout) == named


def test_in_the_document_of_its_job_the_number_is_named_at_once() -> None:
    nine = EXECUTION | {"JobID": docs.CURRENT["ID"], "ComputeState": {"StateType": 9}}
    for job, state in ((docs.CURRENT, "Cancelled"), (docs.V1_5_2, "Completed")):
        record = read({"Job": job, "Executions": {"Items": [nine]}})
        assert [execution.state for execution in record.executions] == [state]
        assert read(nine | {"Job": job}).executions[0].state == state


def test_the_states_of_a_legacy_requester_link_job_and_nodes() -> None:
    record = read(STATES)
    assert (record.origin, record.job_id) == ("activity", STATES["state"]["JobID"])
    assert record.executions == (
        Execution(
            "e-0207a1e1-3ef5-45c0-8b70-36e1d43148db",
            "QmVYfMi8a6tR6UNWmvKd7mt9YRoAYnLHKfG8JNbdaa7Ny3",
            "AskForBidRejected",
            "Stopped",
            "not enough capacity",
            1795649357589582978,
            1795649357602164938,
        ),
    )
    assert record.events == (Event(1795649357604913702, "JobLevel", "", "", "Error", ""),)
    assert len(details(record, "activity.other_job")) == 1


def test_a_signed_cancel_says_who_stopped_the_job(rsa_signed: Callable[[Any], bytes]) -> None:
    payload = {"ClientID": docs.CLIENT, "JobID": "j-1", "Reason": "too slow"}
    content = rsa_signed(payload)
    for name in ("payload", "job_cancel_payload"):
        signed = content.replace(b'"payload"', f'"{name}"'.encode())
        record = parse(json.loads(signed), signed)
        assert (record.origin, record.job_id) == ("activity", "j-1")
        (event,) = record.events
        assert event.kind == "CancelRequest"
        # The key is another client's: the signature holds, and the ID is a mere claim.
        assert event.message == f"client {docs.CLIENT} (claimed): too slow"
        assert details(record, "identity.mismatch")
    broken = signed.replace(b"too slow", b"too fast")
    assert details(parse(json.loads(broken), broken), "signature.invalid")


def test_created_sent_twice_is_one_spec() -> None:
    """v1.0.3 emits the event twice, with different times."""
    again = read(docs.CREATED | {"EventTime": "2022-11-17T13:32:55.707825569Z"})
    first = read(docs.CREATED)
    assert again.spec_sha256 == first.spec_sha256
    assert again.events != first.events


def test_times_make_no_other_spec() -> None:
    for name, change in (
        ("current", {"CreateTime": 1695883778909107200, "ModifyTime": 1695883779369192000}),
        ("flat job", {"CreatedAt": "2022-10-02T11:01:31.607Z"}),
    ):
        assert read(docs.ALL[name] | change).spec_sha256 == read(docs.ALL[name]).spec_sha256


def test_two_apis_of_one_job_rank_by_their_layout() -> None:
    """v1.1.6 shows one job through both of its APIs, at equal times."""
    spec = docs.V1_SPEC | {"EngineSpec": {"Type": "docker", "Params": {}}}
    legacy = read(docs.V1_JOB | {"Spec": spec})
    assert legacy.layout == "legacy v1.0.4"
    layouts = [read(docs.CURRENT).layout, read(docs.V1_5_2).layout, read(docs.V1_JOB).layout]
    assert all(legacy.layout < layout for layout in layouts)


@pytest.mark.parametrize(
    ("written", "time", "unit"),
    [
        (1707687808, 1707687808000000000, "seconds"),
        (1707687808349, 1707687808349000000, "milliseconds"),
        (1707687808349123, 1707687808349123000, "microseconds"),
        (1707687808349123456, 1707687808349123456, ""),
        (2**63 - 1, 2**63 - 1, ""),
        (-1, -1, ""),
        (-(2**63), -(2**63), ""),
        (1, 1, ""),
        (0, None, ""),
    ],
)
def test_times_are_read_in_their_own_unit(written: int, time: int | None, unit: str) -> None:
    """The web interface of v1.2 has jobs with milliseconds among its examples."""
    job = read(docs.CURRENT | {"CreateTime": max(written, 1), "ModifyTime": written})
    execution = read(EXECUTION | {"ModifyTime": written})
    assert job.modified_at == execution.executions[0].modified_at == time
    found = details(execution, "time.unit")
    assert found == ([f"Execution.ModifyTime: {written} is in {unit}"] if unit else [])
    assert (f"Job.ModifyTime: {written} is in {unit}" in details(job, "time.unit")) == bool(unit)


def test_every_unit_stays_within_64_bits() -> None:
    for exponent in range(20):
        for digit in range(1, 10):
            time = since_1970(digit * 10**exponent, "", [])
            assert time is not None
            assert exponent > 18 or time < 2**63


@pytest.mark.parametrize("year", ["1600", "2300"])
def test_times_that_64_bits_do_not_hold_are_refused_by_name(year: str) -> None:
    metadata = docs.V1_JOB["Metadata"] | {"CreatedAt": f"{year}-01-01T00:00:00Z"}
    with pytest.raises(RejectedError, match="not between 1678 and 2261") as caught:
        read(docs.V1_JOB | {"Metadata": metadata})
    assert caught.value.reason == "number.range"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"Name": "job {{.name}}"}, "Name: '{{.name}}'"),
        ({"Meta": {"k": "{{ .Env.X | upper }}"}}, "job Meta: key 'k': '{{ .Env.X | upper }}'"),
        ({"Meta": {"{{.key}}": ""}}, "job Meta: key '{{.key}}': '{{.key}}'"),
        ({"Labels": {"l": "{{or .a .b}}"}}, "label 'l': '{{or .a .b}}'"),
        ({"Namespace": "{{.ns}}"}, "Namespace: '{{.ns}}'"),
    ],
)
def test_a_template_that_was_not_rendered(change: dict[str, Any], place: str) -> None:
    for job in (docs.SPEC, docs.CURRENT):
        assert details(read(job | change), "template.unrendered") == [place]
        assert details(read({"Job": job | change}), "template.unrendered") == [place]
    assert not details(
        read(docs.CURRENT | {"Meta": {"k": "{not} {{a}", "l": "}}{{"}}), "template.unrendered"
    )


def test_legacy_labels_and_meta_are_looked_at() -> None:
    odd = docs.V1_SPEC | {"Annotations": ["a\u200bb", "{{.x}}"]}
    meta = {"bacalhau.org/client.id": "x", "ꓐacalhau.org/client.id": "y"}
    record = read(docs.V1_JOB | {"Spec": odd, "Meta": meta})
    codes = {finding.code for finding in record.findings}
    assert codes == {
        "field.unknown",
        "meta.invisible",
        "template.unrendered",
        "reserved.unsubmitted",
        "reserved.lookalike",
        "meta.confusable_key",
    }
    assert "x" not in {a.value for a in record.attributions}


def test_findings_are_counted_beyond_the_first() -> None:
    old = [EXECUTION | {"ID": f"e-{n}", "CreateTime": 1707687808349} for n in range(50)]
    own = [execution | {"JobID": docs.CURRENT["ID"]} for execution in old]
    for executions, code in ((old, "activity.other_job"), (own, "time.unit")):
        record = read({"Job": docs.CURRENT, "Executions": {"Items": executions}})
        found = details(record, code)
        assert len(found) == 20
        assert found[-1].endswith(", and 30 more")


def test_history_of_an_execution_is_an_event() -> None:
    """The items that the legacy API of v1.1.6 pages have fields of an execution, too."""
    item = {
        "Type": "ExecutionLevel",
        "JobID": "2d63582b",
        "NodeID": "QmNode",
        "ComputeReference": "e-1",
        "ExecutionState": {"Previous": "New", "New": "BidAccepted"},
        "Time": "2026-11-25T23:29:17.586133195Z",
    }
    record = read(item)
    assert (record.origin, record.executions, record.findings) == ("activity", (), ())
    (event,) = record.events
    assert (event.kind, event.execution_id, event.node_id, event.state) == (
        *("ExecutionLevel", "e-1", "QmNode", "BidAccepted"),
    )


def test_the_state_of_another_job_is_not_that_of_this_one() -> None:
    state = {"JobID": "another", "State": "Completed", "Version": 7, "UpdateTime": "2023-02-02"}
    record = read({"Job": docs.V1_JOB, "State": state})
    alone = read({"Job": docs.V1_JOB})
    assert (record.state, record.revision) == (alone.state, alone.revision)
    assert len(details(record, "activity.other_job")) == 1
