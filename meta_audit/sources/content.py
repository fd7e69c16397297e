"""From stored bytes to the UTF-8 text that is cut: decompressed, and of one encoding.

UTF-16 and UTF-32 with a byte order mark are turned into UTF-8 on the way, as compressed data is
decompressed: records are UTF-8, and the source's hash is that of the bytes as stored.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from meta_audit.cut.blocks import BadEnding, Blocks
from meta_audit.errors import SourceError
from meta_audit.sources.archives.tar_header import is_tar
from meta_audit.sources.compression import Expansion, codec_of, open_blocks

Container: TypeAlias = Literal["", "tar", "zip", "bolt"]

_ENCODINGS: Final = (  # the longer marks first: one begins with another
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD: Final = 512
_UNPACK: Final = "Unpack it and give the files in it."
_CONTAINERS: Final[tuple[tuple[re.Pattern[bytes], Container], ...]] = (
    (re.compile(rb".{257}ustar", re.DOTALL), "tar"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"), "zip"),
    (re.compile(rb".{16}\xed\xda\x0c\xed", re.DOTALL), "bolt"),
)
_NOT_READ: Final = tuple(
    (re.compile(pattern), name, advice)
    for pattern, name, advice in (
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
        (rb"Rar!\x1a\x07", "a rar archive", _UNPACK),
        (rb"!<arch>\n", "an ar archive", _UNPACK),
        (rb"\x04\x22\x4d\x18", "data compressed by lz4", "Decompress it, as with `lz4 -d`."),
        (rb"SQLite format 3\0", "an SQLite database", "Give documents that it exports."),
        (rb"PAR1", "a Parquet file", "Give documents that the program behind it exports."),
    )
)


_NO_TEXT: Final = re.compile(
    b"|".join([one[0].pattern for one in _CONTAINERS] + [one[0].pattern for one in _NOT_READ]),
    re.DOTALL,
)


class Look(NamedTuple):
    """Tell from its beginning what content holds."""

    container: Container
    is_packed: bool
    """The container is compressed as a whole."""
    head: bytes
    """The beginning of its text, of `size` bytes at most; nothing of a container."""


def look(raw: Iterable[bytes], budget: Expansion, size: int) -> Look:
    """Look at the beginning of content. Raises `SourceError` as `open_content` does."""
    stored = Blocks(raw)
    is_packed = codec_of(stored.peek(4)) is not None
    blocks = open_blocks(stored, budget)
    container = container_of(blocks.peek(_HEAD))
    return Look(container, is_packed, b"" if container else _as_utf8(blocks).peek(size)[:size])


def container_of(head: bytes) -> Container:
    """Return what content that begins so contains, "" for documents themselves.

    Raises `SourceError` (`source.format`) for kinds that are not read.
    """
    if not _NO_TEXT.match(head):
        return ""
    for pattern, name, advice in _NOT_READ:
        if pattern.match(head):
            raise SourceError("source.format", f"this is {name}, which is not read", advice=advice)
    found: Container = next((kind for pattern, kind in _CONTAINERS if pattern.match(head)), "")
    return "" if found == "tar" and not is_tar(head) else found


def open_content(raw: Iterable[bytes], budget: Expansion, *, is_live: bool = False) -> Blocks:
    """Return the text in `raw` as UTF-8, or the bytes of a BoltDB file.

    Raises `SourceError` as `open_blocks` does, and `source.format` for what is not read.
    """
    blocks = open_blocks(raw, budget, is_live=is_live)
    container = container_of(blocks.peek(_HEAD, to_pause=True))
    if container in ("tar", "zip"):
        raise SourceError(
            "source.format",
            f"this is a {container} archive, which is read from a file only",
            advice="Write it to a file, and give the file.",
        )
    return _as_utf8(blocks, is_live=is_live)


def _as_utf8(blocks: Blocks, *, is_live: bool = False) -> Blocks:
    head = blocks.peek(4, to_pause=True)
    for mark, encoding in _ENCODINGS:
        if head.startswith(mark):
            return Blocks(_to_utf8(blocks, mark, encoding), is_live=is_live)
    return blocks


def _to_utf8(blocks: Blocks, mark: bytes, encoding: str) -> Iterator[bytes]:
    """Yield the text as UTF-8, without the mark; raise `BadEnding` where it is none.

    Half a surrogate pair is kept as it is: it is a fault of the one record around it.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    name = encoding[:6].upper()
    skip = len(mark)
    try:
        for block in blocks.pieces():
            text = decoder.decode(block[skip:])
            skip = max(skip - len(block), 0)
            yield text.encode("utf-8", "surrogatepass")
        if blocks.damage is None:
            decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        raise BadEnding("truncated", f"the {name} text is damaged: {error.reason}") from error
    if blocks.damage is not None:
        raise blocks.damage
