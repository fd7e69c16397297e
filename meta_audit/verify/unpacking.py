"""Take kept documents out of their zstd frames, strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from meta_audit.errors import DamagedStoreError
from meta_audit.model import MAX_DOCUMENT_BYTES
from meta_audit.verify.guard import UNREADABLE, go_on_after, octets

if TYPE_CHECKING:
    from collections.abc import Callable

    from meta_audit.store.session import Session

_DICTIONARY: Final = "SELECT content FROM compression_dictionaries WHERE dictionary_id = ?"
_UNUSED_BITS: Final = 0x18
"""Of a zstd frame's descriptor (RFC 8878 §3.1.1.1.1): a decoder need not look at them."""
_DESCRIPTOR: Final = 4


class DamagedFrameError(Exception):
    """Raised for a frame that does not hold a document."""


class Frames:
    """Take documents out of their frames, strictly."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decompress: dict[int, Callable[..., bytes]] = {}
        self._unreadable: set[int] = set()

    def content(self, dictionary_id: int, frame: bytes) -> bytes:
        """Return the bytes of one frame with nothing behind it. Raises `DamagedFrameError`."""
        try:
            decompress = self._decompress.get(dictionary_id) or self._load(dictionary_id)
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= MAX_DOCUMENT_BYTES or frame[_DESCRIPTOR] & _UNUSED_BITS:
                raise DamagedFrameError("its frame has a header that was never written")
            return decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise DamagedFrameError(f"its frame is damaged: {error}") from error

    def _load(self, dictionary_id: int) -> Callable[..., bytes]:
        loaded = None
        if dictionary_id:
            if dictionary_id in self._unreadable:
                raise DamagedFrameError(f"compression dictionary {dictionary_id} cannot be read")
            try:
                rows = self._session.query(_DICTIONARY, dictionary_id)
            except DamagedStoreError:
                self._unreadable.add(dictionary_id)
                raise
            if not rows:
                raise DamagedFrameError(f"compression dictionary {dictionary_id} is not there")
            loaded = zstandard.ZstdCompressionDict(rows[0][0])
        made = self._decompress[dictionary_id] = zstandard.ZstdDecompressor(
            dict_data=loaded
        ).decompress
        return made


def content_of(session: Session, index: int) -> bytes | None:
    """Return the kept bytes of a document or rejection, None where they cannot be read."""
    rows = session.query(
        "SELECT dictionary_id, content FROM documents WHERE document_id = ?"
        " UNION ALL SELECT 0, content FROM rejections WHERE rejection_id = ?",
        index,
        index,
    )
    try:
        return Frames(session).content(rows[0][0], octets(rows[0][1])) if rows else None
    except (DamagedFrameError, *UNREADABLE) as error:
        go_on_after(error, session)
        return None
