"""Show the report of a check of a lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.lake.tables import UNSIGNED
from meta_audit.lake.verify import LakeReport
from meta_audit.render.escape import escape
from meta_audit.render.layout import count
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen

VERIFY_FORMAT: Final = "meta-audit/lake-verify/1"
_INTACT: Final = f"Intact as far as a lake can show: not {', '.join(UNSIGNED)}."


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
