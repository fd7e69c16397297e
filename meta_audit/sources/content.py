"""From stored bytes to the UTF-8 text that is cut: decompressed, and of one encoding.

UTF-16 and UTF-32 with a byte order mark are turned into UTF-8 on the way, as compressed data is
decompressed: records are UTF-8, and the source's hash is that of the bytes as stored.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

from meta_audit.cut.blocks import BadEnding, Blocks
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget, open_blocks

_ENCODINGS: Final = (  # the longer marks first: one begins with another
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD: Final = 512
_UNPACK: Final = "Unpack it and give the files in it."
_DECOMPRESS: Final = "Decompress it and give the plain file; gzip and zstd are read as they are."
_EXPORT: Final = "Give the job documents that the program behind it exports."
_CONTAINERS: Final = tuple(
    (re.compile(pattern, re.DOTALL), name, advice)
    for pattern, name, advice in (
        (rb".{257}ustar", "a tar archive", _UNPACK),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive", _UNPACK),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
        (rb"Rar!\x1a\x07", "a rar archive", _UNPACK),
        (rb"!<arch>\n", "an ar archive", _UNPACK),
        (rb"\xfd7zXZ\0", "data compressed by xz", _DECOMPRESS),
        (rb"BZh[1-9]1AY&SY", "data compressed by bzip2", _DECOMPRESS),
        (rb"\x04\x22\x4d\x18", "data compressed by lz4", _DECOMPRESS),
        (rb".{16}\xed\xda\x0c\xed", "a BoltDB file, as of Bacalhau's own job store", _EXPORT),
        (rb"SQLite format 3\0", "an SQLite database", _EXPORT),
        (rb"PAR1", "a Parquet file", _EXPORT),
    )
)


def open_content(raw: Iterable[bytes], budget: Budget, *, is_live: bool = False) -> Blocks:
    """Return the text in `raw` as UTF-8.

    Raises `SourceError` as `open_blocks` does, and `source.format` for archives and databases.
    """
    blocks = open_blocks(raw, budget, is_live=is_live)
    head = blocks.peek(_HEAD, to_pause=True)
    for pattern, name, advice in _CONTAINERS:
        if pattern.match(head):
            raise SourceError("source.format", f"this is {name}, which is not read", advice=advice)
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
