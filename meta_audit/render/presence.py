"""The jobs or documents that were asked for: which of them are here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meta_audit.query.presence import AskedFor, AskedForMany
from meta_audit.render.escape import escape
from meta_audit.render.layout import shown
from meta_audit.render.page import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen

WHY: Final = {
    "document": "here",
    "job": "here",
    "rejected": "rejected: `meta-audit rejections list` says why",
    "activity": "only executions or events of it are here",
    "missing": "missing",
}
OTHER_DOCUMENT: Final = "other documents of this job are here"


@dataclass(frozen=True)
class PresencePage(Listing[AskedForMany]):
    """Show which jobs or documents are here."""

    row = AskedFor
    only_missing: bool = False
    """Name those that are missing, nothing else."""

    def rows(self) -> Sequence[AskedFor]:
        """Return what was asked for."""
        return self.result.rows

    def text(self, screen: Screen) -> str:
        """Return what is missing, and a line that counts."""
        missing = [one for one in self.result.rows if not one.is_here]
        if self.only_missing:
            return "".join(f"{escape(one.job_id or one.document_sha256)}\n" for one in missing)
        lines = [_line(one, screen) for one in missing]
        asked, here = self.result.asked, self.result.asked - self.result.missing
        return "\n".join([*lines, f"{here:,} of {asked:,} are here."]) + "\n"

    def notes(self) -> Sequence[str]:
        """Say that nothing was asked for."""
        return () if self.result.asked else ("Nothing is asked for: the list is empty.",)


def _line(one: AskedFor, screen: Screen) -> str:
    why = OTHER_DOCUMENT if one.document_sha256 and one.found == "job" else WHY[one.found]
    name = one.job_id or f"document {one.document_sha256}"
    end = f"  {why} (line {one.line})" if one.line else f"  {why}"
    room = None if screen.width is None else max(screen.width - len(end), 20)
    return shown(name, room) + end
