"""Imports: a list of them, and one with its sources and what is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.imports import (
    UNFINISHED,
    ImportDetail,
    Imports,
    ImportSummary,
)
from meta_audit.render.columns import table
from meta_audit.render.counts import more_of
from meta_audit.render.layout import count, fields, page, section, short_time, shown
from meta_audit.render.page import Listing, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.imports import ImportedSource
    from meta_audit.render.layout import Screen

HEADER: Final = ("import", "began", "command", "status", "by", "new", "changed", "rejected")
WHOLE: Final = (0, 1)
"""Columns that are never cut."""
PROBLEMS: Final = ("refused", "truncated", "partial", UNFINISHED)
SOURCES: Final = 10
"""Sources that the page shows."""
_STYLES: Final = {"complete": "bold", "known": "bold"}


class ImportsPage(Listing[Imports]):
    """Show the runs, a line each."""

    row = ImportSummary

    def rows(self) -> Sequence[ImportSummary]:
        """Return the runs."""
        return self.result.imports

    def text(self, screen: Screen) -> str:
        """Return a table."""
        body = [
            (
                *(
                    f"{one.import_id}",
                    short_time(one.started_at),
                    one.command,
                    one.status,
                    one.actor,
                ),
                *map(_number, (one.new, one.changed, one.rejected)),
            )
            for one in self.result.imports
        ]
        return table(HEADER, body, screen, whole=WHOLE) if body else ""

    def notes(self) -> Sequence[str]:
        """Say that there are none, or that there are more."""
        return more_of(len(self.result.imports), self.result.total, "imports")


class ImportDetailPage(Page[ImportDetail]):
    """Show what one run brought, and what is left to do."""

    def text(self, screen: Screen) -> str:
        """Return the page."""
        found = self.result
        return page(
            [
                section(f"Import {found.run.import_id}", fields(_about(found), screen), screen),
                section("Rejected", _rejected(found, screen), screen),
                section("What to do", [f"  {line}" for line in _to_do(found)], screen),
                section("Sources", _sources(found, screen), screen),
            ]
        )


def _about(found: ImportDetail) -> list[tuple[str, str]]:
    run = found.run
    ended = f", ended {short_time(run.finished_at)}" if run.finished_at else ""
    about = [
        ("status", run.status),
        ("began", f"{short_time(run.started_at)}{ended}"),
        ("by", f"{run.actor}, meta-audit {run.tool_version}"),
        ("arguments", run.arguments),
    ]
    if run.documents is not None:
        known = f", {run.known_sources:,} of them known before" if run.known_sources else ""
        rejected = f", {run.rejected:,} rejected" if run.rejected else ""
        again = f", {run.known_rejected:,} rejected as before" if run.known_rejected else ""
        about += [
            ("sources", f"{run.sources:,}{known}"),
            ("documents", f"{run.documents:,}{rejected}{again}"),
            ("brought", f"{run.new:,} new, {run.changed:,} changed, {run.unchanged:,} unchanged"),
        ]
    if found.checkpoint:
        about.append(("checkpoint", f"{found.checkpoint}"))
    return about


def _rejected(found: ImportDetail, screen: Screen) -> list[str]:
    pairs = [
        (one.reason, f"{one.open:,} of {one.rejections:,} open: {one.meaning}")
        for one in found.rejections
    ]
    return fields(pairs, screen)


def _sources(found: ImportDetail, screen: Screen) -> list[str]:
    listed = found.sources[:SOURCES]
    lines = []
    for one in listed:
        said = f"  {one.status}, {_count(one)}"
        why = f": {one.message}" if one.message else ""
        room = None if screen.width is None else screen.width - 2
        lines.append(f"  {shown(one.source, room)}")
        style = "red" if one.status in PROBLEMS else "dim"
        text = f"    {said.strip()}{why}"
        lines.append(screen.styled(shown(text, screen.width), style))
    left = found.total_sources - len(listed)
    return lines + ([f"  {count(left, 'more source')}: --format json has all"] if left > 0 else [])


def _count(one: ImportedSource) -> str:
    if one.documents is None:
        return "documents not counted"
    rejected = f", {one.rejected:,} rejected" if one.rejected else ""
    return f"{count(one.documents, 'document')}{rejected}"


def _to_do(found: ImportDetail) -> list[str]:
    run, statuses = found.run, {one.status for one in found.sources}
    number = run.import_id
    lines = []
    if run.status == UNFINISHED:
        lines.append("It is running, or was killed. If it was killed, run it again.")
    elif run.status != "complete":
        lines.append("It did not end well. What it wrote is complete: run it again for the rest.")
    if "refused" in statuses:
        lines.append("Sources were refused: mend them, then ingest them again.")
    if "truncated" in statuses:
        lines.append("The end of a source is missing: ingest the whole of it.")
    if "partial" in statuses:
        lines.append("A source says that more pages follow: fetch and ingest them.")
    still_open = sum(one.open for one in found.rejections)
    if still_open:
        lines += [
            f"`meta-audit rejections list --import {number}` lists what is rejected and open.",
            "Mend it and ingest it again, or take it off the list: `rejections dismiss`.",
        ]
        if any(one.reason.endswith(".not_string") and one.open for one in found.rejections):
            lines.append("`rejections retry --coerce-scalars` takes values that are no text.")
    return lines


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
