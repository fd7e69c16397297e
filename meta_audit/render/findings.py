"""Findings: the kinds that there are, and the places of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.query.finding_counts import (
    FindingCount,
    FindingCounts,
    FindingPlace,
    FindingPlaces,
)
from meta_audit.render.columns import table
from meta_audit.render.layout import count, day, shown
from meta_audit.render.page import Listing
from meta_audit.render.wording import STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen

HEADER = ("severity", "finding", "jobs", "documents", "first", "last")
WHOLE = (0, 1)
"""Columns that are never cut."""


class FindingCountsPage(Listing[FindingCounts]):
    """Show the kinds of findings, a line each."""

    row = FindingCount

    def rows(self) -> Sequence[FindingCount]:
        """Return the kinds."""
        return self.result.findings

    def text(self, screen: Screen) -> str:
        """Return a table."""
        body = [
            (
                *(one.severity, one.code, f"{one.jobs:,}", f"{one.documents:,}"),
                *(day(one.first_at), day(one.last_at)),
            )
            for one in self.result.findings
        ]
        return table(HEADER, body, screen, whole=WHOLE) if body else ""

    def notes(self) -> Sequence[str]:
        """Say that there are none, or how to see them."""
        if not self.result.findings:
            return ("No findings.",)
        return ("`meta-audit findings NAME` lists the documents of one kind.",)


class FindingPlacesPage(Listing[FindingPlaces]):
    """Show the findings of one kind: the job, what was found, and where."""

    row = FindingPlace

    def rows(self) -> Sequence[FindingPlace]:
        """Return the findings."""
        return self.result.findings

    def text(self, screen: Screen) -> str:
        """Return three lines for each."""
        found = self.result
        if not found.findings:
            return ""
        head = f"{screen.styled(found.code, STYLE.get(found.severity, 'bold'))}: {found.meaning}"
        lines = [head, ""]
        room = None if screen.width is None else screen.width - 4
        for one in found.findings:
            where = f", {one.position}"
            lines += [
                shown(one.job_id, screen.width),
                f"    {shown(one.detail, room)}",
                f"    {shown(one.source, room and room - len(where))}{where}",
            ]
        return "\n".join(lines) + "\n"

    def notes(self) -> Sequence[str]:
        """Say that there are none, or how many there are."""
        shown_, total = len(self.result.findings), self.result.total
        if not shown_:
            return (f"No finding {self.result.code}.",)
        if total > shown_:
            return (f"{shown_:,} of {count(total, 'finding')} shown; --limit N shows more.",)
        return ()
