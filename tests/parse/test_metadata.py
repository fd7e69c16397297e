"""Meta and labels: text to text, and what to look at in them."""

from __future__ import annotations

from typing import Any

import pytest

from meta_audit.errors import RejectedError
from meta_audit.model import JobRecord, Scalar
from meta_audit.parse import parse
from tests.parse import documents as docs


def with_meta(meta: Any, **options: bool) -> JobRecord:
    return parse(docs.CURRENT | {"Meta": meta}, b"", coerce_scalars=options.get("coerce", False))


def codes(record: JobRecord) -> list[str]:
    return [finding.code for finding in record.findings]


SCALARS = [
    (Scalar("1.20", 1.2), "1.2"),
    (Scalar("NO", False), "false"),
    (Scalar("1e400", None), "1e400"),
    (1, "1"),
    (1.5, "1.5"),
    (True, "true"),
    (2**70, str(2**70)),
]


@pytest.mark.parametrize(("value", "literal"), SCALARS)
def test_a_value_that_is_not_text(value: Any, literal: str) -> None:
    with pytest.raises(RejectedError) as caught:
        with_meta({"version": value})
    assert caught.value.reason == "meta.not_string"
    assert "'version'" in str(caught.value)
    assert literal in str(caught.value)

    record = with_meta({"version": value, "a": "b"}, coerce=True)
    written = value.text if isinstance(value, Scalar) else literal
    said = f" for {written!r}" if written != literal else ""
    assert record.meta == {"version": literal, "a": "b"}
    assert [(f.code, f.detail) for f in record.findings] == [
        ("meta.coerced", f"job Meta: key 'version': {literal!r}{said}")
    ]


@pytest.mark.parametrize("value", [{}, [], {"a": "b"}, ["a"]])
@pytest.mark.parametrize("coerce", [False, True])
def test_nesting_is_always_refused(value: Any, coerce: bool) -> None:
    with pytest.raises(RejectedError) as caught:
        with_meta({"k": value}, coerce=coerce)
    assert caught.value.reason == "meta.not_string"


def test_null_is_empty_text() -> None:
    record = with_meta({"k": None, "l": ""})
    assert record.meta == {"k": "", "l": ""}
    assert codes(record) == ["meta.null"]
    assert record.spec_sha256 == with_meta({"k": "", "l": None}).spec_sha256


def test_tasks_and_labels_have_the_same_rules() -> None:
    task = docs.CURRENT["Tasks"][0] | {"Name": "second", "Meta": {"v": 1}}
    with pytest.raises(RejectedError, match=r"task 'second' Meta.*'v'") as caught:
        parse(docs.CURRENT | {"Tasks": [task]}, b"")
    assert caught.value.reason == "meta.not_string"
    record = parse(docs.CURRENT | {"Tasks": [task]}, b"", coerce_scalars=True)
    assert record.tasks[0].meta == {"v": "1"}

    for value in (
        docs.CURRENT | {"Labels": {"v": 1}},
        {"Spec": docs.V1_SPEC | {"Annotations": [1]}},
    ):
        with pytest.raises(RejectedError) as caught:
            parse(value, b"")
        assert caught.value.reason == "label.not_string"
        record = parse(value, b"", coerce_scalars=True)
        assert codes(record) == ["meta.coerced"]
    assert record.labels == {"1": ""}


@pytest.mark.parametrize(
    "meta",
    [{"owner": "a", "Owner": "b"}, {"owner": "a", "\u043ewner": "b"}, {"e\u0301": "", "é": ""}],
)
def test_keys_that_look_alike(meta: dict[str, str]) -> None:
    record = with_meta(meta)
    assert record.meta == meta
    assert codes(record) == ["meta.confusable_key"]


@pytest.mark.parametrize("odd", ["a\u202eb", "\u200b", "a\x07", "a\x7fb", "\x1b[31m"])
def test_what_cannot_be_seen(odd: str) -> None:
    for meta in ({"k": odd}, {odd: "v"}):
        record = with_meta(meta)
        assert record.meta == meta
        assert codes(record) == ["meta.invisible"]
        detail = record.findings[0].detail
        assert detail.isprintable()


@pytest.mark.parametrize("value", ['"quoted"\n\tlines\\', "日本語", "👩\u200d💻", "=1+1", "%s'--"])
def test_what_is_only_unusual(value: str) -> None:
    assert codes(with_meta({"k": value})) == []


def test_findings_are_bounded_and_counted() -> None:
    record = with_meta({f"bacalhau.0rg/{n}": "\x07" for n in range(1_000)})
    assert codes(record).count("reserved.lookalike") == 20
    assert record.findings[19].detail == "job Meta: key 'bacalhau.0rg/19', and 980 more"
    assert codes(record).count("meta.invisible") == 20
