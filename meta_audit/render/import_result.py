"""What an import did, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.ingest.result import Summary
from meta_audit.render.escape import escape
from meta_audit.render.layout import count
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.render.layout import Screen

FORMAT: Final = "meta-audit/ingest/1"


class ImportResult(Struct, frozen=True):
    """An import that has ended, and where its checkpoint went."""

    summary: Summary
    store: str
    """The store's name, without a password."""
    entries: int
    """Entries of the ledger that the checkpoint covers."""
    root: str
    """Hex; empty where the import has no checkpoint."""
    checkpoint_log: str
    """The file that the checkpoint was appended to, or empty."""
    new_key_file: str
    """The signing key that was made, or empty."""
    new_verifier: str
    """The verifier key that this store did not know before, or empty."""


class ImportPage(Page[ImportResult]):
    """Show the counts of an import. Its JSON is one line, for logs."""

    indent = 0

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return the counts, the store and the checkpoint."""
        return "".join(f"{line}\n" for line in self._lines())

    def value(self) -> object:
        """Return the counts."""
        return {"format": FORMAT, **self.result.summary.shape()}

    def notes(self) -> Sequence[str]:
        """Show a new key once: where its secret half is, and the public half to keep."""
        notes = []
        if self.result.new_key_file:
            notes.append(f"New signing key: {escape(self.result.new_key_file)}")
        if self.result.new_verifier:
            notes.append(f"Verifier key of this store: {escape(self.result.new_verifier)}")
            notes.append("Give this key to anyone who will verify; keep a copy elsewhere.")
        return notes

    def _lines(self) -> Iterator[str]:
        result, summary = self.result, self.result.summary
        rate = f", {summary.documents / summary.seconds:,.0f}/s" if summary.seconds else ""
        yield (
            f"Import {summary.import_id} {summary.status}: {count(summary.documents, 'document')}"
            f" from {count(summary.sources, 'source')} in {summary.seconds:.1f} s{rate}"
        )
        yield (
            f"  {summary.new:,} new, {summary.changed:,} changed, {summary.unchanged:,} unchanged,"
            f" {summary.rejected:,} rejected"
        )
        yield f"  {count(summary.jobs, 'job')} and {count(summary.meta_pairs, 'Meta pair')} added"
        for title, counts in (("rejected", summary.reasons), ("finding", summary.findings)):
            for name, number in sorted(counts.items()):
                yield f"  {title} {name}: {number:,}"
        if summary.refused:
            yield f"  {count(summary.refused, 'source')} could not be read"
        if summary.rejected:
            yield "  See `meta-audit rejections list`."
        yield f"  Store: {escape(result.store)}"
        if result.root:
            kept = f", also in {escape(result.checkpoint_log)}" if result.checkpoint_log else ""
            yield (
                f"  Checkpoint: {count(result.entries, 'entry')},"
                f" root sha256:{result.root[:16]}...{kept}"
            )
