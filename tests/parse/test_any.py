"""Whatever decode may give, nothing but `RejectedError` comes out."""

from __future__ import annotations

from copy import deepcopy
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meta_audit.catalogue import FINDINGS, REASONS
from meta_audit.errors import RejectedError
from meta_audit.model import Decoded, Format, JobRecord, Scalar
from meta_audit.parse import parse
from tests.parse import documents as docs

NAMES = sorted(
    {
        name
        for document in docs.ALL.values()
        for level in (document, *(v for v in document.values() if isinstance(v, dict)))
        for name in level
    }
    | {"payload", "signature", "client_public_key", "Executions", "History", "Items", "meta"}
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 9).map(lambda digit: digit * 10**12)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([Scalar("1e400", None), Scalar("1.20", 1.2), Scalar("017", 15)])
    | st.sampled_from(["\0", "\uffff", "{{\n.x}}", "{{\u202e}}", "None", "unknown (7)"])
    | st.sampled_from(["Created", docs.REQUESTER, docs.V1_JOB["Metadata"]["CreatedAt"]])
)
values = st.recursive(
    scalars,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), children, max_size=5)
    ),
    max_leaves=25,
)


FORMATS: tuple[Format, ...] = ("json", "yaml")


def attempt(value: Any) -> None:
    for coerce, format_ in product((False, True), FORMATS):
        outcome = outcome_of(Decoded(value, format=format_), coerce)
        if isinstance(outcome, RejectedError):
            assert outcome.reason in REASONS
            assert str(outcome).isprintable()
        else:
            assert outcome.job_id
            assert (outcome.origin == "activity") == (not outcome.spec_sha256)
            assert {finding.code for finding in outcome.findings} <= FINDINGS.keys()
            assert all(finding.detail.isprintable() for finding in outcome.findings)


def outcome_of(value: Decoded, coerce: bool) -> JobRecord | RejectedError:
    try:
        return parse(value, b"a document with NUL and {{templates}}: \0", coerce_scalars=coerce)
    except RejectedError as error:
        return error


@given(values)
def test_anything(value: Any) -> None:
    attempt(value)


@given(st.sampled_from(sorted(docs.ALL)), st.data())
def test_documents_with_one_place_changed(name: str, data: st.DataObject) -> None:
    document = deepcopy(docs.ALL[name])
    level: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(level)) if isinstance(level, dict) else st.just(0))
        item = level[key]
        if not item or not isinstance(item, dict | list) or data.draw(st.booleans()):
            break
        level = item
    level[key] = data.draw(values)
    attempt(document)


def test_deep_values() -> None:
    value: Any = "x"
    for _ in range(120):
        value = {"a": [value]}
    attempt(docs.CURRENT | {"Unknown": value, "Count": None})
    attempt(docs.CURRENT | {"Meta": value})
    for _ in range(2_000):
        value = [value]
    attempt(docs.CURRENT | {"Unknown": value})


def test_lone_surrogates() -> None:
    attempt(docs.CURRENT | {"Name": "\ud800"})
    attempt(docs.CURRENT | {"Meta": {"\ud800": "\udfff"}})
    attempt(docs.V1_JOB | {"Spec": docs.V1_SPEC | {"Verifier": "\ud800"}})
