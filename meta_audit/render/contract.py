"""The views that queries can rely on, and whether saved queries still work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.query.sql import CheckedStatements, Contract
from meta_audit.render.escape import escape
from meta_audit.render.layout import count, fields
from meta_audit.render.page import Page
from meta_audit.schema import VERSION_TABLE
from meta_audit.schema.contract import CONTRACT
from meta_audit.schema.tables import DATA_TABLES, OTHER_TABLES

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen
    from meta_audit.schema.contract import Promise


class ContractPage(Page[Contract]):
    """Show each view with its columns."""

    def text(self, screen: Screen) -> str:
        """Return a paragraph for each view."""
        lines: list[str] = []
        for view in self.result.views:
            lines += ["", screen.styled(escape(view.name), "bold") + f"  {escape(view.meaning)}"]
            lines += fields([(c.name, c.meaning) for c in view.columns], screen)
        return "\n".join(lines[1:]) + "\n"


class DatasettePage(Page[str]):
    """Write the contract as metadata of Datasette (docs.datasette.io, "Metadata")."""

    def value(self) -> object:
        """Return metadata for the database of this name: what to show, sort by and hide."""
        views = {
            view: {
                "description": meaning,
                "columns": {one.column: _told(one) for one in promises},
                "sortable_columns": [one.column for one in promises if "order" in one.fast_by],
            }
            for view, (meaning, promises) in CONTRACT.items()
        }
        hidden = {name: {"hidden": True} for name in (*DATA_TABLES, *OTHER_TABLES, VERSION_TABLE)}
        return {
            "title": "meta-audit",
            "description": "Bacalhau jobs, kept for audit. The views stay as they are.",
            "databases": {self.result: {"tables": views | hidden}},
        }


def _told(promise: Promise) -> str:
    return f"{promise.meaning}, {promise.unit}" if promise.unit else promise.meaning


class CheckedStatementsPage(Page[CheckedStatements]):
    """Show the statements that fail, and why."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - nothing is cut to fit
        """Return a line for each, and how many work."""
        checked = self.result.statements
        failed = [one for one in checked if one.error]
        lines = [
            f"FAILED  statement {one.number}, line {one.line}: {escape(one.error)}"
            for one in failed
        ]
        works = len(checked) - len(failed)
        lines.append(f"{count(works, 'statement')} of {len(checked):,} can be run.")
        return "\n".join(lines) + "\n"
