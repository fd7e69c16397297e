"""gzip, zstd, xz and bzip2, told by their magic bytes, streamed within a budget."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, Protocol

from meta_audit.cut.blocks import BLOCK_BYTES, BadEnding, Blocks, Record
from meta_audit.errors import SourceError

MAX_OUTPUT_BYTES: Final = 64 << 30
"""Most bytes that one compressed source may expand to, unless the caller says otherwise."""
MAX_RATIO: Final = 256
"""Highest expansion accepted: JSON logs reach 10 to 50, gzip's own maximum is 1,032."""
FREE_OUTPUT_BYTES: Final = 64 << 20
"""Output up to which the ratio is not looked at: harmless, and small files may compress well."""
MAX_WINDOW_BYTES: Final = 64 << 20
"""Largest window: memory that a header may ask for (`zstd --long=26`, `xz -9`)."""
_XZ_OVERHEAD: Final = 8 << 20
"""Memory that xz needs beside its window."""
MAX_EMPTY_MEMBERS: Final = 1_000
"""Most gzip members or zstd frames in a row that hold nothing: each costs time."""

_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
# A frame, or a skippable one as seekable and parallel writers put first (RFC 8878, 3.1).
_ZSTD_FRAME: Final = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_XZ_MAGIC: Final = b"\xfd7zX"
_BZIP2_MAGIC: Final = b"BZh"
_BZIP2_STREAM: Final = re.compile(rb"BZh[1-9]")


class Expansion(Protocol):
    """Limit how far compressed data may expand."""

    def check(self, consumed: int, produced: int) -> None:
        """Raise `SourceError` (`archive.budget`) when `produced` bytes are too many."""


class Budget(NamedTuple):
    """Limit the expansion of one compressed source."""

    output_bytes: int = MAX_OUTPUT_BYTES
    ratio: int = MAX_RATIO
    free_bytes: int = FREE_OUTPUT_BYTES

    def check(self, consumed: int, produced: int) -> None:
        """Raise `SourceError` (`archive.budget`) when `produced` bytes are too many."""
        if produced > self.output_bytes:
            raise SourceError(
                "archive.budget",
                f"the compressed data expands to more than {self.output_bytes} bytes",
                advice="If it is what it should be, decompress it and give the plain file.",
            )
        if produced > self.free_bytes and produced > self.ratio * consumed:
            raise SourceError(
                "archive.budget",
                f"the compressed data expands more than {self.ratio} times "
                f"({consumed} bytes gave {produced}): a decompression bomb?",
                advice="If it is what it should be, decompress it and give the plain file.",
            )


class _Decoder(Protocol):
    """Decompress bytes as they come, as zlib's and zstandard's `decompressobj()` do."""

    def decompress(self, data: bytes, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Codec(NamedTuple):
    name: Literal["gzip", "zstd", "xz", "bzip2"]
    magic: bytes
    begins: Callable[[bytes], object]
    open: Callable[[], _Decoder]
    copy: Callable[[Any], _Decoder | None]
    """A decoder in the same state, to go on bytewise up to the damage; only gzip has one."""
    error: type[Exception]
    slice: int
    """Bytes given at once, so few that their expansion is bounded: zstd turns four bytes into
    128 KiB, bzip2 45 into 900 kB, gzip one into 1,032."""
    asks_too_much: str = "\0"
    """Text of the error when a header asks for too much memory."""


def _gzip() -> _Codec:
    return _Codec(
        name="gzip",
        magic=_GZIP_MAGIC,
        begins=lambda data: data.startswith(_GZIP_MAGIC),
        open=lambda: zlib.decompressobj(31),
        copy=lambda decoder: decoder.copy(),
        error=zlib.error,
        slice=16384,
    )


def _zstd() -> _Codec:
    # Imported here: most sources are plain, and start-up must not pay for it.
    import zstandard  # noqa: PLC0415

    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    return _Codec(
        name="zstd",
        magic=_ZSTD_MAGIC,
        begins=_ZSTD_FRAME.match,
        open=decompressor.decompressobj,
        copy=lambda _: None,
        error=zstandard.ZstdError,
        slice=1024,
        asks_too_much="too much memory",
    )


def _xz() -> _Codec:
    import lzma  # noqa: PLC0415

    limit = MAX_WINDOW_BYTES + _XZ_OVERHEAD
    return _Codec(
        name="xz",
        magic=_XZ_MAGIC,
        begins=lambda data: data.startswith(_XZ_MAGIC),
        open=lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limit),
        copy=lambda _: None,
        error=lzma.LZMAError,
        slice=1024,
        asks_too_much="Memory usage limit",
    )


def _bzip2() -> _Codec:
    import bz2  # noqa: PLC0415

    return _Codec(
        name="bzip2",
        magic=_BZIP2_MAGIC,
        begins=_BZIP2_STREAM.match,
        open=bz2.BZ2Decompressor,
        copy=lambda _: None,
        error=OSError,
        slice=1024,
    )


def codec_of(head: bytes) -> _Codec | None:
    """Return how content that begins with `head` (4 bytes or more) is compressed, if it is."""
    if head.startswith(_GZIP_MAGIC):
        return _gzip()
    if _ZSTD_FRAME.match(head):
        return _zstd()
    if head.startswith(_XZ_MAGIC):
        return _xz()
    return _bzip2() if _BZIP2_STREAM.match(head) else None


def open_blocks(raw: Iterable[bytes], budget: Expansion, *, is_live: bool = False) -> Blocks:
    """Return the content of `raw`, decompressed if it is compressed.

    Raises `SourceError`, here or while the blocks are read: `archive.broken` for compressed
    data of which nothing can be read, `archive.budget` for a bomb and for compression within
    compression. BadEnding later on ends the blocks and sets `Blocks.damage`.
    """
    blocks = Blocks(raw, is_live=is_live)
    codec = codec_of(blocks.peek(4))
    if codec is None:
        return blocks
    plain = Blocks(_joined(_decompress(blocks, codec, budget)), is_live=is_live)
    if codec_of(plain.peek(4)) is not None:
        raise SourceError(
            "archive.budget",
            "compressed data within compressed data is not unpacked",
            advice="Decompress it once and give the result.",
        )
    if not plain.peek(1) and plain.cut and plain.damage is not None:
        raise SourceError("archive.broken", f"nothing can be read: {plain.damage.message}")
    return plain


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces to blocks; pass pauses on, and a `BadEnding` after the last block."""
    parts: list[bytes] = []
    size = 0
    damage = None
    try:
        for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size >= BLOCK_BYTES or not piece:
                yield b"".join(parts)
                parts, size = [], 0
            if not piece:
                yield b""
    except BadEnding as caught:
        damage = caught
    if size:
        yield b"".join(parts)
    if damage is not None:
        raise damage


def _decompress(raw: Blocks, codec: _Codec, budget: Expansion) -> Iterator[bytes]:
    """Yield the content of all members or frames; raise `BadEnding` after the last good byte.

    Pauses are passed on.
    """
    decoder: _Decoder | None = None
    consumed = produced = empty = 0
    slices = (
        block[at : at + codec.slice]
        for block in raw.pieces()
        for at in range(0, len(block) or 1, codec.slice)
    )
    data = b""
    for piece in slices:
        if not piece:
            yield b""
        consumed += len(piece)
        data += piece
        while data:
            if decoder is None:
                # Zeros between members are padding, as gzip(1) has it.
                data = data.lstrip(b"\0")
                if len(data) < 4:
                    break
                if not codec.begins(data):
                    raise _trailing(data, slices, codec)
                decoder = codec.open()
            output, damage = _feed(decoder, data, codec)
            produced += len(output)
            budget.check(consumed, produced)
            if output:
                yield output
                empty = 0
            if damage is not None:
                raise damage
            data = decoder.unused_data
            if decoder.eof:
                decoder = None
                empty += 1
                if empty > MAX_EMPTY_MEMBERS:
                    raise SourceError(
                        "archive.budget",
                        f"more than {MAX_EMPTY_MEMBERS} empty {codec.name} members in a row",
                        advice="If it is what it should be, decompress it and give the plain file.",
                    )
    if decoder is not None or (data and codec.magic.startswith(data)):
        raise BadEnding("truncated", f"the {codec.name} data ends too early: the file is truncated")
    if data:
        raise _trailing(data, slices, codec)


def _feed(decoder: _Decoder, data: bytes, codec: _Codec) -> tuple[bytes, BadEnding | None]:
    """Decompress `data`; where it is damaged, as far as it goes."""
    spare = codec.copy(decoder)
    try:
        return decoder.decompress(data), None
    except codec.error as error:
        if codec.asks_too_much in str(error):
            raise SourceError(
                "archive.budget",
                f"the {codec.name} data asks for a window above {MAX_WINDOW_BYTES} bytes",
                advice="Compress it again, as with zstd --long=26, or give the plain file.",
            ) from error
        damage = BadEnding("truncated", f"the {codec.name} data is damaged: {error}")
    output = []
    if spare is not None:
        try:
            for at in range(len(data)):
                output.append(spare.decompress(data[at : at + 1]))  # noqa: PERF401 - until it fails
        except codec.error:
            pass
    return b"".join(output), damage


def _trailing(data: bytes, rest: Iterable[bytes], codec: _Codec) -> BadEnding:
    """Gather what follows after compressed data and is none itself."""
    record = Record(0, 0, "json")
    record.add(data)
    for piece in rest:
        record.add(piece)
    message = f"{record.size} bytes after the end of the {codec.name} data"
    return BadEnding("trailing_data", message, record)
