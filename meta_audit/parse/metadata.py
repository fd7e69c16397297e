"""Read Meta and labels, Go's `map[string]string`, and note what an auditor should look at.

From v1.4 on Bacalhau refuses a value that is not text; v1.0.4 - v1.3.2 converted numbers and
booleans of YAML (`stored_text`). Null is `""` (`encoding/json` into `map[string]string`). Keys
are never folded or normalised; what looks alike is a finding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from meta_audit.decode.scalars import stored_text
from meta_audit.decode.text import quote
from meta_audit.errors import RejectedError
from meta_audit.identity.confusables import (
    has_invisible,
    imitates_reserved,
    is_reserved,
    skeleton,
)
from meta_audit.model import Finding
from meta_audit.parse.fields import kind_of, literal, squash, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.model import JobRecord, Origin
    from meta_audit.parse.fields import Level

_CACHED_REPORTS: Final = 4_096
_CACHED_CHARS: Final = 4_096
"""Longest set of keys, in characters, whose report is remembered."""
_TEMPLATE: Final = re.compile(r"\{\{[^{}]+\}\}")
_LAST_WORD: Final = re.compile(r"(?<![\w.-])([A-Za-z]+)\W*\Z")
_LISTED: Final = 8
"""Most names that a finding repeats."""
MOST_FINDINGS: Final = 20
"""Most findings of one code for one Meta or document; the last one counts the rest."""


def strings(
    value: Any, where: str, reason: str, findings: list[Finding], *, coerce: bool
) -> dict[str, str]:
    """Return a mapping of text to text; null values are `""`, with a finding.

    `coerce` takes a scalar as v1.0.4 - v1.3.2 stored it, with a finding. Raises `RejectedError`:
    `field.type` when it is no mapping, and `reason` for a value that is not text.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(where, "a mapping", value)
    out: dict[str, str] = {}
    nulls, coerced = [], []
    for key, item in value.items():
        if isinstance(item, str):
            out[key] = item
        elif item is None:
            out[key] = ""
            nulls.append(f"{where}: key {quote(key)}")
        elif coerce and not isinstance(item, dict | list):
            out[key] = stored_text(item)
            written = literal(item)
            said = f" for {quote(written)}" if written != out[key] else ""
            coerced.append(f"{where}: key {quote(key)}: {quote(out[key])}{said}")
        else:
            message = f"{where}: the value of key {quote(key)} must be text, not {kind_of(item)}"
            if not isinstance(item, dict | list):
                message += (
                    f"; Bacalhau v1.0.4 - v1.3.2 stored {quote(stored_text(item))}, later versions"
                    " refuse it; put it in quotes, or take it as stored with --coerce-scalars"
                )
            raise RejectedError(reason, message)
    note(findings, "meta.null", nulls)
    note(findings, "meta.coerced", coerced)
    return out


def annotation_labels(
    values: list[Any], findings: list[Finding], *, coerce: bool
) -> dict[str, str]:
    """Return annotations, the labels up to v1.0.3, as labels without values.

    As `FromLegacyJob` in pkg/models/migration/legacy/from.go, v1.1.0. Raises `RejectedError`
    (`label.not_string`).
    """
    numbered = {f"Annotations[{number}]": value for number, value in enumerate(values)}
    texts = strings(numbered, "Spec", "label.not_string", findings, coerce=coerce)
    return dict.fromkeys(texts.values(), "")


class KeyReport:
    """Report on the keys of one Meta, whatever their values. Shown keys are quoted."""

    __slots__ = ("confusables", "invisible", "lookalikes", "odd", "reserved")

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.reserved = tuple(key for key in keys if is_reserved(key))
        self.lookalikes = tuple(quote(key) for key in keys if imitates_reserved(key))
        self.invisible = tuple(quote(key) for key in keys if has_invisible(key))
        seen: dict[str, str] = {}
        twins = []
        for key in keys:
            other = seen.setdefault(skeleton(key), key)
            if other is not key:
                twins.append(f"{quote(other)} and {quote(key)}")
        self.confusables = tuple(twins)
        self.odd = bool(self.lookalikes or self.invisible or self.confusables)


_reports: dict[tuple[str, ...], KeyReport] = {}
"""Sets of keys repeat from job to job."""


def look(
    meta: dict[str, str],
    task: str | None,
    reserved: str | None,
    findings: list[Finding],
    *,
    plain: bool = False,
) -> KeyReport:
    """Note what an auditor should look at in one Meta, and return the report on its keys.

    `task` names the task, None for the job's Meta. `reserved` is the code of the finding that a
    reserved key is here, None where the orchestrator itself writes them. `plain` says that all
    the values are known to be of visible ASCII.
    """
    keys = tuple(meta)
    report = _reports.get(keys)
    if report is None:
        report = KeyReport(keys)
        if sum(map(len, keys)) + 16 * len(keys) <= _CACHED_CHARS:
            if len(_reports) >= _CACHED_REPORTS:
                _reports.clear()
            _reports[keys] = report
    if plain and not report.odd and not (reserved and report.reserved):
        return report
    where = place(task)
    note(findings, "reserved.lookalike", (f"{where}: key {k}" for k in report.lookalikes))
    note(findings, "meta.confusable_key", (f"{where}: keys {k}" for k in report.confusables))
    note(findings, "meta.invisible", (f"{where}: key {k}" for k in report.invisible))
    if reserved is not None:
        note(findings, reserved, (f"{where}: key {quote(key)}" for key in report.reserved))
    if not plain and has_invisible(" ".join(meta.values())):
        odd = (f"{where}: value of key {quote(k)}" for k, v in meta.items() if has_invisible(v))
        note(findings, "meta.invisible", odd)
    return report


def look_at_labels(labels: dict[str, str], findings: list[Finding], *, plain: bool = False) -> None:
    """Note what an auditor should look at in labels. `plain` as for `look`."""
    if not plain and labels:
        odd = (f"label {quote(k)}" for k, v in labels.items() if has_invisible(f"{k} {v}"))
        note(findings, "meta.invisible", odd)


def note_templates(record: JobRecord, findings: list[Finding]) -> None:
    """Note the texts of a job that hold a template which nobody rendered."""
    places = [("Name", record.name), ("Namespace", record.namespace)]
    places += [(f"label {quote(k)}", f"{k} {v}") for k, v in record.labels.items()]
    metas = [(None, record.meta), *((task.name, task.meta) for task in record.tasks)]
    for task, meta in metas:
        places += [(f"{place(task)}: key {quote(k)}", f"{k} {v}") for k, v in meta.items()]
    places += [("task name", task.name) for task in record.tasks]
    found = (f"{where}: {quote(m[0])}" for where, text in places if (m := _TEMPLATE.search(text)))
    note(findings, "template.unrendered", found)


def note_snake_case(findings: list[Finding], *structs: tuple[Level, Any]) -> bool:
    """Note field names in snake case, and tell if there are any."""
    found = [level.snake_case(fields) for level, fields in structs if isinstance(fields, dict)]
    names = [name for names in found for name in names]
    note(findings, "field.snake_case", [listed(names)] if names else [])
    return bool(names)


def note_unknown(findings: list[Finding], level: Level, names: list[str]) -> None:
    """Note names that are no field of a level, and apart those that hide one."""
    hidden = [name for name in names if _hides_field(name, level)]
    others = [name for name in names if name not in hidden]
    note(findings, "field.unknown", [listed(others)] if others else [])
    note(findings, "field.hidden", [listed(hidden)] if hidden else [])


def note_foreign(findings: list[Finding], what: str) -> None:
    """Note a form that Bacalhau does not write."""
    findings.append(Finding("document.foreign", what))


def listed(names: list[str]) -> str:
    """Quote the first of some names, and count the rest."""
    shown = ", ".join(map(quote, names[:_LISTED]))
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def _hides_field(name: str, level: Level) -> bool:
    match = _LAST_WORD.search(name)
    return match is not None and match[1] != name and squash(match[1]) in level.table


def states_id(origin: Origin, job_id: str) -> list[Finding]:
    """Return the finding that a spec or submission states an ID, if it does."""
    return [Finding("spec.states_id", f"{origin} with the ID {quote(job_id)}")] if job_id else []


def place(task: str | None) -> str:
    """Name a Meta in messages: of the job, or of a task by its name."""
    return "job Meta" if task is None else f"task {quote(task)} Meta"


def is_plain(encoded: bytes) -> bool:
    """Tell whether JSON holds no text but visible ASCII; text with quotes in it may pass for odd.

    JSON writes every control character but DEL with a backslash. Some 30 times faster than to
    look at each value.
    """
    return encoded.isascii() and b"\\" not in encoded and b"\x7f" not in encoded


def few(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return the findings of a document, at most `MOST_FINDINGS` of each code."""
    by_code: dict[str, list[str]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding.detail)
    if all(len(details) <= MOST_FINDINGS for details in by_code.values()):
        return tuple(findings)
    kept: list[Finding] = []
    for code, details in by_code.items():
        note(kept, code, details)
    return tuple(kept)


def note(findings: list[Finding], code: str, details: Iterable[str]) -> None:
    """Add a finding for each detail, up to `MOST_FINDINGS`; the last one counts the rest."""
    found = list(details)
    if len(found) > MOST_FINDINGS:
        rest = len(found) - MOST_FINDINGS
        found = found[:MOST_FINDINGS]
        found[-1] += f", and {rest} more"
    findings += (Finding(code, detail) for detail in found)
