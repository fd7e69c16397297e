"""Tell a page, which is a list that Bacalhau wraps around jobs, from a job itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from meta_audit.model import LIST_FIELDS

NEXT_TOKEN: Final = frozenset({"nexttoken", "next_token"})
"""Folded names of the field that says that more pages follow."""
_HAS_TOKEN: Final = re.compile(rb"ext_?[tT]oken").search

JOB_FIELDS: Final = frozenset(
    {
        "apiversion",
        "data",
        "engine",
        "id",
        "job",
        "job_create_payload",
        "jobid",
        "meta",
        "metadata",
        "name",
        "payload",
        "spec",
        "tasks",
    }
)
"""Fields that make an object one record, whatever lists stand beside them.

`{Job, State, Events, History}` of v1.0 is one job with its activity, and no page.
"""


def is_page(fields: Iterable[tuple[str, bool]]) -> bool:
    """Tell whether an object with these fields is a page of records, whose elements are cut out.

    `fields`: the name of each, and whether its value is an array (or null, as Go writes an
    array that has no elements).
    """
    found = False
    for name, is_array in fields:
        folded = name.lower()
        if folded in JOB_FIELDS:
            return False
        found = found or (is_array and folded in LIST_FIELDS)
    return found


def may_hold_token(content: bytes) -> bool:
    """Tell quickly whether a record may hold a field of `NEXT_TOKEN`.

    A bare job, which begins with its ID, holds none: only what is wrapped around one does.
    """
    is_bare = content[:32].lstrip(b"{ \t\r\n")[:4].lower() == b'"id"'
    return not is_bare and _HAS_TOKEN(content) is not None


def inner_token(content: bytes) -> str:
    """Return the path of a field in one JSON record that says that more of a list follows.

    As `History.NextToken` of a job that was described with its history; empty if there is none.
    """
    for name, raw in _fields(content):
        value = bytes(raw)
        folded = name.lower()
        if folded in NEXT_TOKEN and _is_text(value):
            return name
        if folded in LIST_FIELDS:
            for inner, token in _fields(value):
                if inner.lower() in NEXT_TOKEN and _is_text(bytes(token)):
                    return f"{name}.{inner}"
    return ""


def _fields(content: bytes) -> Iterable[tuple[str, msgspec.Raw]]:
    try:
        return msgspec.json.decode(content, type=dict[str, msgspec.Raw]).items()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _is_text(value: bytes) -> bool:
    return value.startswith(b'"') and value != b'""'
