"""Read the leaves once: check their numbers, and build the tree at every signed size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.ledger.custody import SourcesDigest
from meta_audit.ledger.merkle import Tree
from meta_audit.verify.guard import UNREADABLE, octets, said
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.verify.work import Work

ENTRIES_PER_QUERY: Final = 20_000
_ENTRIES: Final = """
    SELECT entry_index, leaf_hash, source_id FROM ledger_entries
    WHERE entry_index >= ? AND entry_index < ? ORDER BY entry_index"""


class Start(NamedTuple):
    """Hold where the tree begins: empty, or at a checkpoint that was verified before."""

    size: int = 0
    frontier: bytes = b""


class Head(NamedTuple):
    """Hold the tree at one size, built from the leaves."""

    root: bytes
    frontier: bytes


class Heads(NamedTuple):
    """Hold the tree at each wanted size, and the sources of the entries between checkpoints."""

    at: dict[int, Head]
    sources: list[tuple[int, int, bytes]]
    """One per checkpoint: the row of a `SourcesDigest` over the entries since the one before."""


def read_leaves(work: Work, start: Start, sizes: Sequence[int], marks: Sequence[int]) -> Heads:
    """Read the leaves in order and note the tree at `sizes`, the sources between `marks`.

    `marks` are the sizes of the store's checkpoints, ascending; both may hold sizes that the
    ledger does not reach.
    """
    tree = Tree(start.size, start.frontier)
    heads = Heads({}, [])
    since = SourcesDigest()
    cuts = sorted({size for size in (*sizes, *marks, work.entries) if size >= start.size})
    rest = list(marks)
    for cut in cuts:
        while tree.size < min(cut, work.entries):
            end = min(cut, tree.size + ENTRIES_PER_QUERY)
            rows = work.session.query(_ENTRIES, tree.size, end)
            if [row[0] for row in rows] != list(range(tree.size, end)):
                return _gap(work, rows, tree.size, heads)
            try:
                tree.extend([octets(row[1]) for row in rows])
            except UNREADABLE as error:
                detail = f"leaves from here on: {said(error)}"
                work.damages.add(Check.ROWS, "edited", detail, entry=rows[0][0])
                return heads
            since.extend([row[2] for row in rows])
        if tree.size == cut:
            heads.at[cut] = Head(tree.root(), tree.frontier)
        while rest and rest[0] <= tree.size and rest[0] <= cut:
            rest.pop(0)
            heads.sources.append(since.row(tree.size - since.count))
            since = SourcesDigest()
    return heads


def _gap(work: Work, rows: list[tuple[int, bytes, int]], first: int, heads: Heads) -> Heads:
    present = {row[0] for row in rows}
    index = next((n for n in range(first, first + len(rows) + 1) if n not in present), first)
    work.damages.add(Check.NUMBERS, "missing", "the ledger has no such entry", entry=index)
    return heads
