"""The result of an import, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meta_audit.ingest.result import ImportResult
from meta_audit.render.escape import escape
from meta_audit.render.layout import count
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.ingest.result import Counts
    from meta_audit.render.layout import Screen

FORMAT: Final = "meta-audit/ingest/1"


@dataclass(frozen=True)
class ImportResultPage(Page[ImportResult]):
    """Show the counts of an import. Its JSON is one line, for logs."""

    indent = 0

    store: str
    """The store's name, without a password."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return the counts, the store and the checkpoint."""
        return "".join(f"{line}\n" for line in self._lines())

    def value(self) -> object:
        """Return the counts."""
        return {"format": FORMAT, **self.result.shape()}

    def notes(self) -> Sequence[str]:
        """Show a new key once: where its secret half is, and the public half to keep."""
        result, notes = self.result, []
        if result.new_key_file:
            notes.append(f"New signing key: {escape(str(result.new_key_file))}")
        if result.sealed.new_verifier:
            notes.append(f"Verifier key of this store: {escape(str(result.sealed.new_verifier))}")
            notes.append("Give this key to anyone who will verify; keep a copy elsewhere.")
        return notes

    def _lines(self) -> Iterator[str]:
        result, counts = self.result, self.result.counts
        rate = f", {counts.documents / result.seconds:,.0f}/s" if result.seconds else ""
        yield (
            f"Import {result.import_id} {result.status}: {count(counts.documents, 'document')}"
            f" from {source_count(counts)} in {result.seconds:.1f} s{rate}"
        )
        yield from count_lines(counts)
        if result.nothing_found:
            yield "  Nothing found: no file is a job document. Is a directory not mounted?"
        yield f"  Store: {escape(self.store)}"
        checkpoint, log = result.sealed.checkpoint, result.checkpoint_log
        kept = f", also in {escape(str(log))}" if log and not result.log_error else ""
        yield (
            f"  Checkpoint: {count(checkpoint.size, 'entry')},"
            f" root sha256:{checkpoint.root.hex()[:16]}...{kept}"
        )


def source_count(counts: Counts) -> str:
    """Say how many sources were read; archives apart, as what they hold are sources, too."""
    sources = count(counts.sources - counts.archives, "source")
    return f"{sources} and {count(counts.archives, 'archive')}" if counts.archives else sources


def count_lines(counts: Counts) -> Iterator[str]:
    """Yield what was done with documents and sources, a line for each kind."""
    yield (
        f"  {counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged,"
        f" {counts.rejected:,} rejected"
    )
    yield f"  {count(counts.jobs, 'job')} and {count(counts.meta_pairs, 'Meta pair')} added"
    for title, kinds in (("rejected", counts.reasons), ("finding", counts.findings)):
        for name, number in sorted(kinds.items()):
            yield f"  {title} {name}: {number:,}"
    if counts.reread:
        yield f"  {count(counts.reread, 'document')} read otherwise than before: see v_readings"
    if counts.refused:
        yield f"  {count(counts.refused, 'source')} could not be read"
    if counts.truncated:
        yield f"  {count(counts.truncated, 'source')} cut off: the end is missing"
    if counts.partial:
        yield f"  {count(counts.partial, 'source')} incomplete: more pages follow, fetch them"
    if counts.known_rejected:
        yield f"  {count(counts.known_rejected, 'document')} rejected before, for the same reason"
    if counts.rejected or counts.known_rejected:
        yield "  See `meta-audit rejections list`."
