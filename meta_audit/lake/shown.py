"""Show what a lake has: the report of a check, and the rows of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.lake.tables import STORE, UNSIGNED
from meta_audit.lake.verify import LakeReport
from meta_audit.render.columns import table
from meta_audit.render.escape import escape
from meta_audit.render.layout import count, page, section
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen

VERIFY_FORMAT: Final = "meta-audit/lake-verify/1"
JOB_FORMAT: Final = "meta-audit/lake-job/1"
_INTACT: Final = f"Intact as far as a lake can show: not {', '.join(UNSIGNED)}."
_HIDDEN: Final = ("job_id", "namespace", "job_key", "document_sha256", "actor")
"""Columns that the text leaves out, beside exact times: the JSON has all."""


class LakeReportPage(Page[LakeReport]):
    """Show what was checked, every damage, and the verdict on the last line."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - nothing is cut to fit
        """Return the report."""
        report = self.result
        lines = [f"{escape(s)}: {count(n, 'entry')}" for s, n in report.stores.items()]
        lines.append(f"{count(report.checkpoints, 'checkpoint')} verified")
        for damage in report.damages:
            where = f" in {escape(damage.file)}" if damage.file else ""
            lines.append(f"  {damage.table}{where}: {escape(damage.detail)}")
        if report.damage_count > len(report.damages):
            lines.append(f"  and {report.damage_count - len(report.damages):,} more")
        lines.append("NOT INTACT." if report.damage_count else _INTACT)
        return "\n".join(lines) + "\n"

    def value(self) -> object:
        """Return the whole report, for JSON."""
        damages = [damage._asdict() for damage in self.result.damages]
        said = self.result._asdict() | {"damages": damages, "not_checked": UNSIGNED}
        return {"format": VERIFY_FORMAT, **said}


class LakeJobPage(Page[dict[str, list[dict[str, Any]]]]):
    """Show the rows of one job, a section per table."""

    def text(self, screen: Screen) -> str:
        """Return the tables that have rows."""
        sections = []
        for name, rows in self.result.items():
            if rows:
                shown = [
                    column
                    for column in rows[0]
                    if column not in (*_HIDDEN, STORE) and not column.endswith("_ns")
                ]
                cells = [tuple(_cell(row[column]) for column in shown) for row in rows]
                lines = table(tuple(shown), cells, screen).rstrip("\n").split("\n")
                sections.append(section(name, lines, screen))
        return page(sections)

    def value(self) -> object:
        """Return all rows, for JSON."""
        return {"format": JOB_FORMAT, "tables": self.result}


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
