"""Show the rows that a lake has of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.lake.tables import STORE
from meta_audit.render.columns import table
from meta_audit.render.layout import page, section
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen

JOB_FORMAT: Final = "meta-audit/lake-job/1"
_HIDDEN: Final = ("job_id", "namespace", "job_key", "document_sha256", "actor")
"""Columns that the text leaves out, beside exact times: the JSON has all."""


class LakeJobPage(Page[dict[str, list[dict[str, Any]]]]):
    """Show the rows of one job, a section per table."""

    def text(self, screen: Screen) -> str:
        """Return the tables that have rows."""
        sections = []
        different = self._different()
        for name, rows in self.result.items():
            if rows:
                shown = [
                    column
                    for column in rows[0]
                    if column in different
                    or (column not in (*_HIDDEN, STORE) and not column.endswith("_ns"))
                ]
                cells = [tuple(_cell(row[column]) for column in shown) for row in rows]
                lines = table(tuple(shown), cells, screen).rstrip("\n").split("\n")
                sections.append(section(name, lines, screen))
        return page(sections)

    def _different(self) -> list[str]:
        """Return which of store and namespace are not the same in all rows."""
        found = [row for rows in self.result.values() for row in rows]
        return [
            column
            for column in (STORE, "namespace")
            if len({row[column] for row in found if column in row}) > 1
        ]

    def value(self) -> object:
        """Return all rows, for JSON."""
        return {"format": JOB_FORMAT, "tables": self.result}


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
