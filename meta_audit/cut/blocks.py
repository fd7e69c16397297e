"""A source's content as a stream of blocks, and records that gather out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from meta_audit.model import KEPT_OF_TOO_LARGE, MAX_DOCUMENT_BYTES, Document, Format, Rejection

BLOCK_BYTES: Final = 1 << 18
"""Bytes read at once. Cutting 1 MiB into lines takes twice as long per line: the block and its
lines then fall out of the processor's cache."""

BATCH_RECORDS: Final = 8_192
"""Most records of one batch."""
ITEM_OVERHEAD: Final = 256
"""Bytes of memory that a record costs beside its content, at most."""

Item: TypeAlias = Document | Rejection


class Partial(Struct, frozen=True):
    """Say that a source holds pages after which more would follow (`NextToken`)."""

    pages: int
    line: int
    """Line of the first such page."""
    where: str
    """Field path of the token in the first such page, as `History.NextToken`."""

    def __str__(self) -> str:
        """Return a sentence for a person."""
        if self.pages == 1:
            return f"the page at line {self.line} says that more follow ({self.where})"
        return (
            f"{self.pages} pages say that more follow, the first at line {self.line} ({self.where})"
        )


class BadEnding(Exception):  # noqa: N818 - a signal inside this package, no error for a person
    """The content ends too early, or goes on after its end.

    `reason` is `truncated` or `trailing_data`; `trailing` what came after the end, as it
    stands in the file.
    """

    def __init__(self, reason: str, message: str, trailing: Record | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.trailing = trailing


class Blocks:
    """Non-empty blocks of content, with one place to put back what was looked at.

    An empty block of `source` is a pause: nothing came for a while. With `is_live` the source
    may have to wait for its sender, and no record should be held back meanwhile.
    """

    def __init__(self, source: Iterable[bytes], *, is_live: bool = False) -> None:
        self._source = iter(source)
        self._returned = b""
        self.is_live = is_live
        self.is_paused = False
        """Tell whether `peek` returned less because the sender paused."""
        self.partial: Partial | None = None
        """The pages cut so far that say of themselves that more follow."""
        self.damage: BadEnding | None = None
        """Set once the blocks are exhausted, when they ended too early."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not (block := self._block_or_pause()):
            pass
        return block

    def pieces(self) -> Iterator[bytes]:
        """Yield the blocks, and nothing (`b""`) at each pause."""
        while True:
            try:
                block = self._block_or_pause()
            except StopIteration:
                return
            yield block

    def _block_or_pause(self) -> bytes:
        """Return the next block, or nothing at a pause. Raises `StopIteration` at the end."""
        if self._returned:
            block, self._returned = self._returned, b""
            return block
        try:
            return next(self._source)
        except BadEnding as damage:
            self.damage = damage
            raise StopIteration from None

    def note_partial(self, line: int, where: str, pages: int = 1) -> None:
        """Note a page that says that more follow."""
        first = self.partial or Partial(0, line, where)
        self.partial = Partial(first.pages + pages, first.line, first.where)

    @property
    def cut(self) -> bool:
        """Tell whether the content ended in its middle. Known when the blocks are exhausted."""
        return self.damage is not None and self.damage.reason == "truncated"

    def peek(self, size: int, *, to_pause: bool = False) -> bytes:
        """Return at least `size` bytes from here, or all there are, without consuming them.

        With `to_pause`, be content with what has come when the sender pauses.
        """
        parts: list[bytes] = []
        have = 0
        self.is_paused = False
        while have < size:
            try:
                block = self._block_or_pause()
            except StopIteration:
                break
            if not block and have and to_pause:
                self.is_paused = True
                break
            parts.append(block)
            have += len(block)
        self._returned = b"".join(parts)
        return self._returned

    def take(self, size: int) -> bytes:
        """Consume and return the next `size` bytes, which were looked at before."""
        taken, self._returned = self._returned[:size], self._returned[size:]
        return taken


class Record:
    """The bytes of one record as they come: whole up to the limit, then hashed and counted."""

    def __init__(self, ordinal: int, line: int, form: Format) -> None:
        self.ordinal = ordinal
        self.line = line
        self.format = form
        self.size = 0
        self._parts: list[bytes] = []
        self._hash = hashlib.sha256()
        self._over = False

    def add(self, data: bytes) -> None:
        """Append the next bytes of the record."""
        self.size += len(data)
        if self._over:
            self._hash.update(data)
            return
        self._parts.append(data)
        if self.size > MAX_DOCUMENT_BYTES:
            self._over = True
            for part in self._parts:
                self._hash.update(part)
            self._parts = [b"".join(self._parts)[:KEPT_OF_TOO_LARGE]]

    @property
    def content(self) -> bytes:
        """All bytes; of a record above the limit, its first `KEPT_OF_TOO_LARGE`."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def rejection(self, reason: str, message: str) -> Rejection:
        """Return the record as a rejection."""
        content = self.content
        return Rejection(
            reason=reason,
            message=message,
            content=content,
            ordinal=self.ordinal,
            line=self.line,
            size=self.size,
            sha256=self._hash.digest() if self._over else hashlib.sha256(content).digest(),
            format=self.format,
        )

    def finish(self) -> Item:
        """Return the record as a document, or as the rejection `too_large`."""
        if self._over:
            return self.rejection(
                "too_large",
                f"{self.size} bytes, the limit for one document is {MAX_DOCUMENT_BYTES}; "
                f"the first {KEPT_OF_TOO_LARGE} are kept",
            )
        return Document(self.content, self.ordinal, self.line, self.format)


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Cut blocks anew so that each ends with a newline.

    Except the last, and the parts of a line longer than a block: those hold no newline at
    all, and do not end with the `\r` of a `\r\n`.
    """
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if cut:
            parts.append(block[:cut])
            yield b"".join(parts) if len(parts) > 1 else parts[0]
            parts = [block[cut:]] if cut < len(block) else []
            size = len(block) - cut
            continue
        parts.append(block)
        size += len(block)
        if size >= BLOCK_BYTES:
            joined = b"".join(parts)
            body = joined.removesuffix(b"\r")
            parts = [b"\r"] if len(body) < len(joined) else []
            size = len(parts)
            yield body
    if parts:
        yield b"".join(parts)
