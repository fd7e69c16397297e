"""Parse one document: the rules that hold for every kind of document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from meta_audit.decode.text import quote, show_path
from meta_audit.errors import RejectedError
from meta_audit.execution_state import is_unknown
from meta_audit.identity.confusables import disguise
from meta_audit.model import Decoded, Finding
from meta_audit.nul import MAX_NAME, NUL, escape_nul, shorten_name, unescape_nul
from meta_audit.parse import duplicates, uses, yaml_road
from meta_audit.parse.absence import parse_absence
from meta_audit.parse.attribution import as_claimed
from meta_audit.parse.metadata import few, note, note_templates
from meta_audit.parse.wrappers import record_of

if TYPE_CHECKING:
    from meta_audit.model import Format, JobRecord

_OF_BOTH: Final = frozenset(("field.duplicate", "meta.null", "meta.coerced", "activity.other_job"))
_OTHER_HANDS: Final[dict[Format, frozenset[str]]] = {
    "yaml": _OF_BOTH,
    "json": _OF_BOTH | {"field.converted"},
    "absence": _OF_BOTH,
}
"""Findings of what Bacalhau does not write: who is named is what somebody else says."""
_ESCAPED: Final = re.compile(
    rb"\\(?:0|x00|u0000|U00000000|u[fF]{4}|U0000[fF]{4})"  # as JSON and YAML write them
)

_PLAIN: Final = re.compile(r"[!-~]*", re.ASCII).fullmatch


def parse(value: object, content: bytes, *, coerce_scalars: bool = False) -> JobRecord:
    """Return what a document says of one job.

    `value` is what `decode` gave, or the value alone. `content` is the document's own bytes: a
    signature is over bytes, not over values. `coerce_scalars` takes Meta values and labels that
    are not text as Bacalhau v1.0.4 - v1.3.2 stored them. Raises `RejectedError` (`not_a_job`,
    `field.type`, `case_collision`, `duplicate_key`, `number.range`, `meta.not_string`,
    `label.not_string`).
    """
    decoded = value if isinstance(value, Decoded) else Decoded(value)
    try:
        return _parse(decoded, content, coerce_scalars)
    except RecursionError:  # of a value that no decoder gave
        raise RejectedError("too_deep", "nested too deeply to be read") from None


def _parse(decoded: Decoded, content: bytes, coerce: bool) -> JobRecord:
    tree: Any = decoded.value
    findings: list[Finding] = []
    if _may_hold_nul(content):
        places: list[str] = []
        tree = _escaped(tree, (), places)
        note(findings, "text.nul", places)
    if decoded.duplicates:
        note(findings, "field.duplicate", duplicates.places(decoded.duplicates))
    if decoded.format == "yaml":
        tree = yaml_road.convert(tree, findings)
    if decoded.format == "absence":
        record = parse_absence(tree)
    else:
        record = _record(tree, content, coerce, findings, convert=decoded.format == "json")
    if b"{{" in content:
        note_templates(record, findings)
    if record.executions or record.events or is_unknown(record.state):
        _note_states(record, findings)
    if not _PLAIN("".join([name for _, name in _names(record)])):
        _note_lookalikes(record, findings)
    if len(record.job_id) > MAX_NAME or len(record.namespace) > MAX_NAME:
        record = _shortened(record, findings)
    if (record.executions or record.events) and (results := uses.results(record)):
        record = replace(record, uses=record.uses + results)
    if not (findings or record.findings):
        return record
    findings = [*record.findings, *findings]
    if any(finding.code in _OTHER_HANDS[decoded.format] for finding in findings):
        record = replace(record, attributions=as_claimed(record.attributions))
    return replace(record, findings=few(findings))


def _record(
    tree: Any,
    content: bytes,
    coerce: bool,
    findings: list[Finding],
    *,
    convert: bool,
) -> JobRecord:
    """Read a value; where the strict road refuses it, as Bacalhau's command line does.

    `convert` says that the scalars of fields may be converted, which is done already in YAML:
    the command line reads `.json` files with its YAML parser.
    """
    try:
        return record_of(tree, content, coerce=coerce)
    except RejectedError as error:
        more: list[Finding] = []
        if error.reason == "case_collision":
            places: list[str] = []
            tree = duplicates.last_of_each(tree, (), places)
            note(more, "field.duplicate", places)
        elif error.reason == "field.type" and convert:
            tree = yaml_road.convert(tree, more)
        if not more:
            raise
    findings += more
    return record_of(tree, content, coerce=coerce)


def _may_hold_nul(content: bytes) -> bool:
    """Tell cheaply if a document can hold NUL or U+FFFF."""
    if b"\0" in content:
        return True
    if not content.isascii() and (b"\xff" in content or b"\xef\xbf\xbf" in content):
        return True  # UTF-16 is here in nearly every document.
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


def _names(record: JobRecord) -> list[tuple[str, str]]:
    """Return ID and namespace of the job, and its nodes, each with what it is."""
    names = [("ID", record.job_id), ("Namespace", record.namespace)]
    if record.executions or record.events:
        nodes = {e.node_id for e in record.executions} | {e.node_id for e in record.events}
        names += [("node", node) for node in sorted(nodes)]
    return names


def _note_lookalikes(record: JobRecord, findings: list[Finding]) -> None:
    """Note names of the job and of nodes that may look like another."""
    seen = [(field, name, disguise(unescape_nul(name))) for field, name in _names(record)]
    found = [f"{field}: {quote(name)} has {odd}" for field, name, odd in seen if odd]
    note(findings, "identity.lookalike", found)


def _shortened(record: JobRecord, findings: list[Finding]) -> JobRecord:
    """Return a record whose ID and namespace an index takes."""
    for field, name in (("ID", record.job_id), ("Namespace", record.namespace)):
        if len(name) > MAX_NAME:
            findings.append(Finding("field.shortened", f"{field}: {len(name):,} characters"))
    return replace(
        record, job_id=shorten_name(record.job_id), namespace=shorten_name(record.namespace)
    )


def _note_states(record: JobRecord, findings: list[Finding]) -> None:
    """Note states that are numbers without a known meaning."""
    found = [f"job: {record.state}"] if is_unknown(record.state) else []
    for execution in record.executions:
        named = f"execution {quote(execution.execution_id)}"
        both = (execution.state, execution.desired_state)
        found += [f"{named}: {state}" for state in both if is_unknown(state)]
    for event in record.events:
        found += [f"event: {name}" for name in (event.kind, event.state) if is_unknown(name)]
    note(findings, "state.unknown", found)
