"""Cover who ran which import, and what came from where, by checkpoints.

Entries say nothing of runs, so that the tree does not depend on how often an import was
killed. The rows about runs are covered by the extension line of each checkpoint: a digest over
those that were added since the checkpoint before. Their tables only grow and are numbered from
1 without gaps, so that a number per table says which rows these are. `docs/ledger.md`
specifies digest and line.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Self

from msgspec import Struct, msgpack

from meta_audit.errors import LedgerError

_LINE: Final = re.compile(
    r"custody import=(\d+) imports=(\d+) sources=(\d+) results=(\d+) dictionaries=(\d+)"
    r"(?: dismissals=([1-9]\d*))?(?: aliases=([1-9]\d*))?(?: questions=([1-9]\d*))?"
    r" sha256:([0-9a-f]{64})"
)
_encode = msgpack.Encoder().encode


class Extent(Struct, frozen=True, order=True):
    """The last numbers of the tables about runs."""

    imports: int = 0
    sources: int = 0
    results: int = 0
    """Of sources (source_results)."""
    dictionaries: int = 0
    dismissals: int = 0
    """Of rejections (rejection_dismissals)."""
    aliases: int = 0
    """Of identities (identity_aliases)."""
    questions: int = 0


class Custody(Struct, frozen=True):
    """The extension line of a checkpoint."""

    import_id: int
    """The import that ended with the checkpoint."""
    extent: Extent
    """Rows of the store at that time."""
    digest: bytes
    """Over what was added since the checkpoint before, 32 bytes."""

    def __str__(self) -> str:
        e = self.extent
        later = f" dismissals={e.dismissals}" if e.dismissals else ""
        later += f" aliases={e.aliases}" if e.aliases else ""
        later += f" questions={e.questions}" if e.questions else ""
        return (
            f"custody import={self.import_id} imports={e.imports} sources={e.sources}"
            f" results={e.results} dictionaries={e.dictionaries}{later}"
            f" sha256:{self.digest.hex()}"
        )

    @classmethod
    def parse(cls, extensions: Sequence[str]) -> Self:
        """Read the one extension line of a checkpoint of this program, strictly."""
        match = _LINE.fullmatch(extensions[0]) if len(extensions) == 1 else None
        if match is None:
            raise LedgerError("the checkpoint has no custody line, or lines beside it")
        *numbers, digest = match.groups(default="0")
        import_id, *extent = map(int, numbers)
        custody = cls(import_id, Extent(*extent), bytes.fromhex(digest))
        if str(custody) != extensions[0]:
            raise LedgerError("the checkpoint's custody line is not in its canonical form")
        return custody


class SourcesDigest:
    """Digest over the sources of entries, in the order of the entries."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.count = 0

    def extend(self, source_ids: Iterable[int]) -> None:
        """Go on with the sources of the entries that follow."""
        numbers = array("q", source_ids)
        self.count += len(numbers)
        if sys.byteorder == "little":
            numbers.byteswap()
        self._hash.update(numbers)

    def row(self, first: int) -> tuple[int, int, bytes]:
        """The row that covers them: index of the first entry, how many, digest.

        The digest is over each number as 8 bytes, big-endian.
        """
        return first, self.count, self._hash.digest()


class CustodyDigest:
    """Digest over rows, each as one MessagePack array behind the name of its kind."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, kind: str, row: Sequence[int | str | bytes]) -> None:
        """Go on with a row; the forms are those of an entry."""
        self._hash.update(_encode((kind, *row)))

    def digest(self) -> bytes:
        """Over all rows so far."""
        return self._hash.digest()
