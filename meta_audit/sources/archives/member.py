"""Members of archives as sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.sources.archives.archive_entry import ArchiveEntry
from meta_audit.sources.compression import Expansion
from meta_audit.sources.stream import ByteStream


class Member(ByteStream):
    """A member of an archive that is being read."""

    def __init__(
        self, entry: ArchiveEntry, uri: str, budget: Expansion, block_bytes: int = BLOCK_BYTES
    ) -> None:
        super().__init__(uri, budget=budget, block_bytes=block_bytes)
        self._entry = entry

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Give the member's bytes."""
        yield cast("BinaryIO", self._entry)
