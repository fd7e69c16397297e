"""List the fields of a job's spec for which the store has no columns, to compare versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Format, Scalar
from meta_audit.parse.spec_digest import VOLATILE

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_COLUMNS: Final = (
    *("id", "name", "namespace", "type", "priority", "count", "version"),
    *("meta", "labels", "metadata", "history", "executions"),
)
_LEFT_OUT: Final = frozenset((*map(str.casefold, VOLATILE), *_IN_COLUMNS))
"""Fields of a job that have columns, or that are no part of its spec."""
_OF_TASK: Final = frozenset(("name", "meta"))
"""Fields of a task that have columns."""
_TYPES: Final = frozenset(("engine", "publisher"))
"""Fields of a task whose `Type` has a column."""


def spec_fields(content: bytes) -> dict[str, str] | None:
    """Return the path of each field in a document's job, and its value.

    Return None for a document that cannot be decoded to a job.
    """
    for format_ in get_args(Format):
        try:
            value: Any = decode(content, format_).value
        except RejectedError:
            continue
        if isinstance(value, dict):
            return dict(_fields(value))
    return None


def _fields(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    job = next((v for k, v in value.items() if k.casefold() == "job"), value)
    for name, field in job.items() if isinstance(job, dict) else ():
        if name.casefold() == "tasks" and isinstance(field, list):
            for number, task in enumerate(field, 1):
                yield from _task(f"{name}[{number}]", task)
        elif name.casefold() not in _LEFT_OUT:
            yield from _flat(name, field)


def _task(path: str, task: Any) -> Iterator[tuple[str, str]]:
    for name, field in task.items() if isinstance(task, dict) else ():
        kind = name.casefold()
        if kind in _TYPES and isinstance(field, dict):
            others = {k: v for k, v in field.items() if k.casefold() != "type"}
            yield from _flat(f"{path}.{name}", others)
        elif kind not in _OF_TASK:
            yield from _flat(f"{path}.{name}", field)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the leaves below a value. What is empty is left out, as in the spec's digest."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{path}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _flat(f"{path}[{number}]", item)
    elif isinstance(value, Scalar):
        yield path, value.text
    elif isinstance(value, str):
        if value:
            yield path, value
    elif value:
        yield path, msgspec.json.encode(value).decode()
