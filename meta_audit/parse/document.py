"""Parse one document: what is true of every kind, before and after its kind is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from meta_audit.decode.text import show_path
from meta_audit.errors import RejectedError
from meta_audit.execution_state import is_unknown
from meta_audit.model import MAX_NAME, Decoded, Finding
from meta_audit.nul import NUL, escape_nul
from meta_audit.parse import yaml_road
from meta_audit.parse.fields import squash
from meta_audit.parse.metadata import note, note_templates
from meta_audit.parse.wrappers import record_of

if TYPE_CHECKING:
    from meta_audit.model import Duplicate, JobRecord

_ESCAPED: Final = re.compile(
    rb"\\(?:0|x00|u0000|U00000000|u[fF]{4}|U0000[fF]{4})"  # as JSON and YAML write them
)
_RAW: Final = (b"\0", b"\xef\xbf\xbf", b"\xff\xff")
"""NUL, and U+FFFF in UTF-8 and UTF-16."""

_NEVER_TWICE: Final = frozenset(
    (
        *("id", "jobid", "executionid", "computereference", "nodeid", "clientid", "namespace"),
        *("requesternodeid", "requesterpublickey", "sourcenodeid", "senderpublickey"),
        *("signature", "clientpublickey", "jobcreatepayload", "jobcancelpayload"),
        *("payload", "data", "job", "spec", "metadata", "requester", "status", "tasks"),
        *("meta", "labels", "annotations"),
    )
)
"""Folded names that must not stand twice: IDs, identities, and what holds them."""
_TEXT_MAPS: Final = frozenset(("meta", "labels"))
_FREE: Final = frozenset(("params", "env"))


def parse(value: object, content: bytes, *, coerce_scalars: bool = False) -> JobRecord:
    """Return what a document says of one job.

    `value` is what `decode` gave, or the value alone. `content` is the document's own bytes: a
    signature is over bytes, not over values. `coerce_scalars` takes Meta values and labels that
    are not text as Bacalhau v1.0.4 - v1.3.2 stored them. Raises `RejectedError` (`not_a_job`,
    `field.type`, `case_collision`, `duplicate_key`, `number.range`, `meta.not_string`,
    `label.not_string`, `field.too_long`).
    """
    decoded = value if isinstance(value, Decoded) else Decoded(value)
    tree: Any = decoded.value
    findings: list[Finding] = []
    if _may_hold_nul(content):
        places: list[str] = []
        tree = _escaped(tree, (), places)
        note(findings, "text.nul", places)
    if decoded.duplicates:
        note(findings, "field.duplicate", _duplicates(decoded.duplicates))
    if decoded.format == "yaml":
        tree = yaml_road.convert(tree, findings)
    record = record_of(tree, content, coerce=coerce_scalars)
    if b"{{" in content:
        note_templates(record, findings)
    if record.executions or record.events or is_unknown(record.state):
        _note_states(record, findings)
    for field, length in (("ID", len(record.job_id)), ("Namespace", len(record.namespace))):
        if length > MAX_NAME:
            message = f"{field} of the job has {length} characters; at most {MAX_NAME} are taken"
            raise RejectedError("field.too_long", message)
    return replace(record, findings=(*record.findings, *findings)) if findings else record


def _may_hold_nul(content: bytes) -> bool:
    """Tell cheaply if a document can hold NUL or U+FFFF."""
    if any(form in content for form in _RAW):
        return True
    return b"\\" in content and _ESCAPED.search(content) is not None


def _escaped(value: Any, path: tuple[str | int, ...], places: list[str]) -> Any:
    """Return a decoded value with the texts and keys in it escaped, and add where NUL stands."""
    if isinstance(value, str):
        if NUL in value:
            places.append(show_path(path))
        return escape_nul(value)
    if isinstance(value, list):
        return [_escaped(item, (*path, n), places) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        name = escape_nul(key)
        if NUL in key:
            places.append(f"{show_path((*path, name))}, the key")
        out[name] = _escaped(item, (*path, name), places)
    return out


def _duplicates(duplicates: tuple[Duplicate, ...]) -> list[str]:
    """Return the places of keys that stand twice. Raises `RejectedError` (`duplicate_key`)."""
    places = []
    for duplicate in duplicates:
        place = f"{show_path(duplicate.path)} stands twice"
        if _is_decisive(duplicate.path):
            raise RejectedError(
                "duplicate_key",
                f"the key {place}; Bacalhau would silently keep the last of them",
                line=duplicate.line,
            )
        places.append(f"{place}, again in line {duplicate.line}")
    return places


def _is_decisive(path: tuple[str | int, ...]) -> bool:
    """Tell if a key names the job or somebody, or is in Meta or labels."""
    names = [squash(name).replace("_", "") for name in path if isinstance(name, str)]
    for name in names[:-1]:
        if name in _FREE:
            return False
        if name in _TEXT_MAPS:
            return True
    return names[-1] in _NEVER_TWICE


def _note_states(record: JobRecord, findings: list[Finding]) -> None:
    """Note states that are numbers without a known meaning."""
    found = [f"job: {record.state}"] if is_unknown(record.state) else []
    for execution in record.executions:
        named = f"execution {execution.execution_id[:80]}"
        both = (execution.state, execution.desired_state)
        found += [f"{named}: {state}" for state in both if is_unknown(state)]
    for event in record.events:
        found += [f"event: {name}" for name in (event.kind, event.state) if is_unknown(name)]
    note(findings, "state.unknown", found)
