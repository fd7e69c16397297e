"""The time line of a job as a page, with the documents that each line comes from."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from meta_audit.query.history import History
from meta_audit.render.layout import (
    ELLIPSIS,
    cells,
    count,
    padded,
    page,
    section,
    short_time,
    shown,
)
from meta_audit.render.page import Page
from meta_audit.render.wording import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.history import HistoryEntry
    from meta_audit.render.layout import Screen

SHOWN: Final = 500
"""Newest lines that are shown."""
DOCUMENTS: Final = 100
"""Newest documents that are named."""
NAMED: Final = 3
"""Documents that a line names where it may be long."""
SHORT: Final = 10
"""Characters of an ID that a terminal gets."""
KIND_WIDTH: Final = len("execution")


class HistoryPage(Page[History]):
    """Show the time line of a job, the oldest first."""

    def text(self, screen: Screen) -> str:
        """Return the page. Long values are cut."""
        told = self.result
        width = None if screen.width is None else screen.width - 15
        lines = [_line(entry, screen) for entry in told.entries[-SHOWN:]]
        return page(
            [
                section(f"History of job {shown(told.job.job_id, width)}", _about(told), screen),
                _earlier(len(told.entries) - SHOWN, "line") + lines,
                section(
                    "Documents, by their index in the ledger", _documents(told, screen), screen
                ),
            ]
        )


def _about(told: History) -> list[str]:
    job = told.job
    line = f"  {shown(job.name, 60)}, {count(len(told.evidence), 'document')}"
    then = f", as of {short_time(told.as_of)}" if told.as_of else ""
    return [f"{line}, in {count(len(told.imports), 'import')}{then}"]


def _earlier(left: int, noun: str) -> list[str]:
    return (
        [f"  {ELLIPSIS} {count(left, f'earlier {noun}')}: --format json has all"]
        if left > 0
        else []
    )


def _line(entry: HistoryEntry, screen: Screen) -> str:
    start = f"{short_time(entry.time):20}  {padded(entry.kind, KIND_WIDTH)}  "
    end = f"  {_sources(entry.entry_indexes, screen)}"
    room = None if screen.width is None else max(screen.width - cells(start) - cells(end), SHORT)
    text = shown(_what(entry, screen), room)
    severity = entry.message.partition(":")[0] if entry.kind == "finding" else ""
    styled = screen.styled(text, STYLE[severity]) if severity in STYLE else text
    return start + styled + screen.styled(end, "dim")


def _what(entry: HistoryEntry, screen: Screen) -> str:
    if entry.kind == "finding":
        severity, _, detail = entry.message.partition(": ")
        return f"{severity} {entry.what}: {detail}"
    what = entry.what
    if entry.kind == "event":
        what = what.removeprefix("JobLevel").removeprefix("ExecutionLevel").strip()
    by = "by" if entry.kind in ("import", "reading") else "on"
    said = [text for text in dict.fromkeys((what, entry.message)) if text] or [entry.what]
    parts = [
        ": ".join(said),
        f", {_id(entry.execution_id, screen)}" if entry.execution_id else "",
        f" {by} {_id(entry.by, screen)}" if entry.by else "",
        " (time unknown: that of its import)" if _has_no_time(entry) else "",
    ]
    return "".join(parts)


def _has_no_time(entry: HistoryEntry) -> bool:
    return entry.clock == "import" and entry.kind not in ("import", "reading", "finding")


def _id(text: str, screen: Screen) -> str:
    """Shorten an ID for a terminal; its beginning can be given to other commands."""
    if screen.width is None or len(text) <= SHORT + 1:
        return text
    return text[:SHORT] + ELLIPSIS


def _sources(indexes: Sequence[int], screen: Screen) -> str:
    named = NAMED if screen.width is None else 1
    more = f" +{len(indexes) - named}" if len(indexes) > named else ""
    return f"[{' '.join(map(str, indexes[:named]))}{more}]"


def _documents(told: History, screen: Screen) -> list[str]:
    """Return each source with its documents, the newest ones."""
    lines = _earlier(len(told.evidence) - DOCUMENTS, "document")
    same = groupby(told.evidence[-DOCUMENTS:], key=lambda e: (e.source, e.import_id))
    for (source, import_id), group in same:
        end = f", import {import_id}"
        room = None if screen.width is None else screen.width - 2 - len(end)
        lines.append(f"  {shown(source, room)}{end}")
        lines += [f"    [{e.entry_index}] {e.position}" for e in group]
    return lines
