"""The result of a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.ingest.dry_run import DryRun
from meta_audit.render.import_result import kinds
from meta_audit.render.layout import count
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.render.layout import Screen


class DryRunPage(Page[DryRun]):
    """Show what an import would do. Its JSON is one line, as that of an import."""

    indent = 0

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return the counts."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        run = self.result
        read = f"{count(run.documents, 'document')} from {count(run.sources, 'source')}"
        yield f"Dry run: {read}. Nothing was written."
        yield (
            f"  {run.accepted:,} would be taken, {run.rejected:,} rejected;"
            f" {run.known:,} are in the store"
        )
        yield from kinds(run.reasons, run.findings)
        if run.refused:
            yield f"  {count(run.refused, 'source')} could not be read"
        if run.truncated:
            yield f"  {count(run.truncated, 'source')} cut off: the end is missing"
        if run.partial:
            yield f"  {count(run.partial, 'source')} incomplete: more pages follow, fetch them"
