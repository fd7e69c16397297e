"""The result of a dry run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meta_audit.ingest.result import Counts, plain
from meta_audit.render.import_result import count_lines, source_count
from meta_audit.render.layout import count
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meta_audit.render.layout import Screen

FORMAT: Final = "meta-audit/dry-run/1"


class DryRunPage(Page[Counts]):
    """Show what an import would do. Its JSON is one line, as that of an import."""

    indent = 0

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return the counts."""
        counts = self.result
        read = f"{count(counts.documents, 'document')} from {source_count(counts)}"
        lines = [f"Dry run: {read}. Nothing was written.", *count_lines(counts)]
        return "".join(f"{line}\n" for line in lines)

    def value(self) -> object:
        """Return the counts."""
        return {"format": FORMAT, **plain(self.result)}


@dataclass(frozen=True)
class DryRereadPage(DryRunPage):
    """Show what reading again would change, too."""

    changes: Mapping[str, Mapping[str, int]]
    """Documents in which a field differs, by kind."""

    def text(self, screen: Screen) -> str:
        """Return the counts, and a line for each kind."""
        lines = []
        for kind, fields in self.changes.items():
            named = ", ".join(f"{name} {number:,}" for name, number in sorted(fields.items()))
            lines.append(f"  differs in {kind}: {named}\n")
        return super().text(screen) + "".join(lines)

    def value(self) -> object:
        """Return the counts, and the fields by kind."""
        return {"format": FORMAT, **plain(self.result), "changes": self.changes}
