"""Decode the headers of tar archives: ustar, GNU and pax. Pure: bytes in, values out.

`tarfile` is not used: it ends without a word at a damaged header, and reads a header of any
size into memory.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BLOCK: Final = 512
FILE_TYPES: Final = frozenset((b"0", b"\0", b"7"))
LONG_NAME: Final = b"L"
LONG_LINK: Final = b"K"
PAX: Final = frozenset((b"x", b"X"))
PAX_GLOBAL: Final = b"g"
DIRECTORIES: Final = frozenset((b"5", b"D"))
VOLUME_LABEL: Final = b"V"
SPARSE: Final = b"S"
OTHERS: Final = {
    b"1": "a link",
    b"2": "a link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
}
"""Types of members that are no files."""
_WITHOUT_DATA: Final = frozenset((*OTHERS, b"5"))
_MAX_SIZE: Final = 1 << 60


class TarDamageError(Exception):
    """A header that cannot be what it should be."""


class TarHeader(NamedTuple):
    """Hold the content of one header block."""

    name: bytes
    type: bytes
    size: int
    """Bytes of data that follow."""
    is_extended: bool
    """Blocks follow that list the holes of a sparse file."""


def is_tar(head: bytes) -> bool:
    """Tell whether content begins with a sound header: text may say `ustar` at its place."""
    try:
        read_tar_header(head[:BLOCK].ljust(BLOCK, b"\0"))
    except TarDamageError:
        return False
    return True


def read_tar_header(block: bytes) -> TarHeader:
    """Return what a header block says. Raises `TarDamageError`."""
    if not _is_sum(block, _number(block[148:156])):
        raise TarDamageError("a header's check sum is wrong")
    kind = block[156:157]
    name = _text(block[0:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    size = 0 if kind in _WITHOUT_DATA else _number(block[124:136])
    if kind in FILE_TYPES and name.endswith(b"/"):  # a directory, as tar of the 7th Edition had it
        kind = b"5"
    is_extended = kind == SPARSE and block[482] != 0
    return TarHeader(name, kind, size, is_extended)


def read_pax(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header. Raises `TarDamageError`."""
    records = {}
    at = 0
    while at < len(data) and data[at : at + 1] != b"\0":
        digits, space, _ = data[at : at + 20].partition(b" ")
        end = at + int(digits) if digits.isdigit() else 0
        record = data[at + len(digits) + 1 : end - 1]
        name, equals, value = record.partition(b"=")
        if not space or not equals or end > len(data) or data[end - 1 : end] != b"\n":
            raise TarDamageError("a pax header is damaged")
        records[name] = value
        at = end
    return records


def pax_size(records: dict[bytes, bytes], size: int) -> int:
    """Return the size that pax records state, by default that of the header itself."""
    stated = records.get(b"size")
    if stated is None:
        return size
    if not stated.isdigit() or len(stated) > 20 or int(stated) > _MAX_SIZE:
        raise TarDamageError("a pax header states no possible size")
    return int(stated)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    else:
        digits = _text(field).strip()
        if digits.strip(b"01234567"):
            raise TarDamageError("a header has something else in place of a number")
        value = int(digits or b"0", 8)
    if value > _MAX_SIZE:
        raise TarDamageError("a header has a number that is too large")
    return value


def _is_sum(block: bytes, stated: int) -> bool:
    """Check a check sum: of unsigned bytes, or as some old programs did of signed ones."""
    blank = block[:148] + b" " * 8 + block[156:]
    over = stated - sum(blank)
    return not over or over == -256 * sum(byte > 0x7F for byte in blank)
