"""Checkpoints of the ledger, and the proof that one continues another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.note import Note
from meta_audit.query.checkpoints import CheckpointSummary
from meta_audit.render.layout import count
from meta_audit.render.page import Page
from meta_audit.verify.prove import Consistency

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen


class CheckpointsPage(Page[tuple[CheckpointSummary, ...]]):
    """Show checkpoints, a line each."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return number, import, size and root."""
        lines = ["checkpoint  import     entries  root (sha256)"]
        for one in self.result:
            root = _parse(one.note).root.hex()
            lines.append(
                f"{one.checkpoint_id:>10}  {one.import_id:>6}  {one.tree_size:>10,}  {root}"
            )
        return "\n".join(lines) + "\n"


class ConsistencyPage(Page[Consistency]):
    """Show that the ledger of one checkpoint is the beginning of another's."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return both checkpoints, and the hashes of the proof."""
        proof = self.result
        lines = [_line("Old", proof.old), _line("New", proof.new), *proof.consistency_proof]
        lines.append("Consistent: the old ledger is the beginning of the new (RFC 9162 §2.1.4.2).")
        return "\n".join(lines) + "\n"


def _parse(note: str) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)


def _line(title: str, note: str) -> str:
    checkpoint = _parse(note)
    size = count(checkpoint.size, "entry")
    return f"{title} checkpoint: {size}, root sha256:{checkpoint.root.hex()}"
