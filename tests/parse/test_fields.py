"""Names and types as Go takes them."""

from __future__ import annotations

from typing import Any

import pytest

from meta_audit.catalogue import REASONS
from meta_audit.errors import RejectedError
from meta_audit.model import Scalar
from meta_audit.parse import parse
from meta_audit.parse.fields import Level, squash
from tests.parse import documents as docs


def reason(value: Any) -> str:
    with pytest.raises(RejectedError) as caught:
        parse(value, b"")
    assert caught.value.reason in REASONS
    return caught.value.reason


LEVEL = Level("Thing", "ID NodeID State Resources", aliases={"ResourcesConfig": "Resources"})


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ({"ID": 1, "New": 2}, {"ID": 1, "New": 2}),
        ({"id": 1, "NODEid": 2}, {"ID": 1, "NodeID": 2}),
        ({"node_id": 2}, {"NodeID": 2}),
        ({"\u017ftate": 1}, {"State": 1}),  # Go folds the long s
        ({"resourcesconfig": 1}, {"Resources": 1}),
        ({"resources_config": 1}, {"Resources": 1}),
        # Where the plain name stands, Bacalhau does not read the other one.
        ({"node_id": 1, "nodeid": 2}, {"NodeID": 2, "node_id": 1}),
        ({"ResourcesConfig": 1, "Resources": 2}, {"Resources": 2, "ResourcesConfig": 1}),
        ({"new_Thing": 1}, {"new_Thing": 1}),
    ],
)
def test_folding(given: dict[str, int], folded: dict[str, int]) -> None:
    assert LEVEL.fold(given) == folded


@pytest.mark.parametrize("names", [("ID", "id"), ("Id", "iD"), ("node_id", "Node_ID")])
def test_collisions(names: tuple[str, str]) -> None:
    with pytest.raises(RejectedError) as caught:
        LEVEL.fold(dict.fromkeys(names, 1))
    assert caught.value.reason == "case_collision"
    assert all(repr(name) in str(caught.value) for name in names)


@pytest.mark.parametrize(
    "change",
    [
        {"meta": {}},
        {"STATE": None},
        {"id": "j-other"},
        {"namespace": "other"},
        {"Tasks": [docs.SPEC["Tasks"][0] | {"Meta": {}, "meta": {}}]},
        {"Tasks": [docs.SPEC["Tasks"][0] | {"engine": {"Type": "b"}}]},
    ],
)
def test_collisions_that_decide_who_and_what(change: dict[str, Any]) -> None:
    assert reason(docs.CURRENT | change) == "case_collision"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"count": 7}, "$.count"),
        ({"Tasks": [docs.SPEC["Tasks"][0] | {"name": "twin"}]}, "$.Tasks[0].name"),
        (
            {"Tasks": [docs.SPEC["Tasks"][0] | {"Engine": {"Type": "a", "type": "b"}}]},
            "$.Tasks[0].Engine.type",
        ),
        (
            {"Tasks": [docs.SPEC["Tasks"][0] | {"Network": {"Type": "a", "type": "b"}}]},
            "$.Tasks[0].Network.type",
        ),
    ],
)
def test_other_collisions_are_found_and_the_last_wins(change: dict[str, Any], place: str) -> None:
    record = parse(docs.CURRENT | change, b"")
    (finding,) = (found for found in record.findings if found.code == "field.duplicate")
    assert finding.detail.startswith(f"{place} stands twice")
    assert record.count == change.get("count", docs.CURRENT["Count"])
    if "Tasks" in change:
        assert record.tasks[0].name == change["Tasks"][0].get("name", "main")
        assert record.tasks[0].engine == change["Tasks"][0]["Engine"].get("type", "docker")


def test_collisions_of_free_names_are_none() -> None:
    meta = {"Owner": "a", "owner": "b"}
    record = parse(docs.CURRENT | {"Meta": meta, "foo": 1, "Foo": 2}, b"")
    assert record.meta == meta


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Count", "1", "field.type"),
        ("Count", True, "field.type"),
        ("Count", Scalar("1.50", 1.5), "field.type"),
        ("Count", Scalar("NO", False), "field.type"),
        ("Count", 2**63, "number.range"),
        ("Count", -(2**63) - 1, "number.range"),
        pytest.param("Count", 10**5_000, "number.range", id="5000 digits"),
        ("Count", Scalar("9" * 5_000, None), "number.range"),
        ("Version", -1, "number.range"),
        ("CreateTime", 2**63, "number.range"),
        ("CreateTime", "2023-05-03T11:46:26Z", "field.type"),
        pytest.param("Name", 10**5_000, "field.type", id="5000 digits as text"),
        ("Namespace", [], "field.type"),
        ("Tasks", {}, "field.type"),
        ("Tasks", [None], "field.type"),
        ("Tasks", ["main"], "field.type"),
        ("Tasks", [{"Engine": "docker"}], "field.type"),
        ("Tasks", [{"Engine": {"Type": 1}}], "field.type"),
        ("Meta", [], "field.type"),
        ("Meta", "None", "field.type"),
        ("Labels", "None", "field.type"),
        ("State", [], "field.type"),
        ("State", {"StateType": []}, "field.type"),
        ("State", {"StateType": "Running", "Message": 1}, "field.type"),
    ],
)
def test_types(field: str, value: Any, expected: str) -> None:
    assert reason(docs.CURRENT | {field: value}) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"Metadata": []},
        {"Metadata": docs.V1_JOB["Metadata"] | {"ClientID": 7}},
        {"Metadata": docs.V1_JOB["Metadata"] | {"CreatedAt": "yesterday"}},
        {"Metadata": docs.V1_JOB["Metadata"] | {"CreatedAt": 1}},
        {"RequesterPublicKey": [2, 2]},
        {"Spec": docs.V1_SPEC | {"Engine": []}},
        {"Spec": docs.V1_SPEC | {"Deal": {"Concurrency": "1"}}},
    ],
)
def test_types_of_legacy_jobs(change: dict[str, Any]) -> None:
    assert reason(docs.V1_JOB | change) == "field.type"


def test_null_is_the_zero_value() -> None:
    names = ("Name", "Namespace", "Type", "Priority", "Count", "Meta", "Labels", "State", "Version")
    record = parse(docs.CURRENT | dict.fromkeys((*names, "CreateTime", "Constraints")), b"")
    assert (record.name, record.priority, record.meta, record.state) == ("", 0, {}, "")
    assert record.created_at is None
    # Without a create time and a state nobody has accepted it.
    assert [finding.code for finding in record.findings] == ["spec.states_id"]
    assert parse(docs.CURRENT | {"Tasks": None}, b"").tasks == ()


def test_other_notations_of_integers() -> None:
    hexadecimal = parse(docs.CURRENT | {"Count": Scalar("0x10", 16)}, b"")
    assert hexadecimal.count == 16
    assert hexadecimal.spec_sha256 == parse(docs.CURRENT | {"Count": 16}, b"").spec_sha256


@pytest.mark.parametrize(
    ("state", "name"),
    [("Running", "Running"), (0, "Undefined"), (1, "Pending"), (3, "unknown (3)")],
)
def test_states_of_jobs(state: Any, name: str) -> None:
    assert parse(docs.CURRENT | {"State": {"StateType": state}}, b"").state == name
    assert parse(docs.CURRENT | {"State": state}, b"").state == name


def test_messages_are_safe_to_show() -> None:
    hostile = "\x1b[31m\u202e" + "x" * 500
    with pytest.raises(RejectedError) as caught:
        parse(docs.CURRENT | {"Count": hostile}, b"")
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_squash_is_simple_folding() -> None:
    assert squash("\u212aEY") == "key"
    assert squash("stra\u00dfe") == "stra\u00dfe"
