"""Read Avro files, in which Iceberg lists the files of a table.

PyIceberg reads them too, but takes half a second to be imported, and its compiled reader does not
look where the bytes end: damaged ones end the process. Format: Apache Avro 1.11, "Object Container
Files" and "Binary Encoding".
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Read = Callable[[BytesIO], Any]
_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
_RAW_DEFLATE: Final = -15


_MOST_BYTES: Final = 1 << 28
"""Bytes of a block after decompression."""
_LONGEST_NUMBER: Final = 70
"""Bits of the bytes of a number of 64 bits."""


class UnknownAvroError(Exception):
    """Raised for a file that is not read here."""


class DamagedAvroError(UnknownAvroError):
    """Raised for a file that nobody can read."""


def records(data: bytes) -> list[Any]:
    """Return the records of a file. Raises `UnknownAvroError`, and its `DamagedAvroError`."""
    try:
        return list(_records(data))
    except (ValueError, LookupError, TypeError, RecursionError, struct.error, zlib.error) as error:
        raise DamagedAvroError(f"its content is damaged: {error}") from error


def _records(data: bytes) -> Iterator[Any]:
    source = BytesIO(data)
    if source.read(len(_MAGIC)) != _MAGIC:
        raise DamagedAvroError("it is not an Avro file")
    header = _map(_bytes)(source)
    codec = header.get("avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise UnknownAvroError(f"it is compressed with {codec!r}")
    read = _reader(json.loads(header["avro.schema"]), {})
    sync = _exactly(source, _SYNC_BYTES)
    while source.tell() < len(data):
        count = _long(source)
        block = _bytes(source)
        if source.read(_SYNC_BYTES) != sync:
            raise DamagedAvroError("a block does not end where it should")
        rows = BytesIO(block if codec == b"null" else _decompressed(block))
        for _ in _counted(rows, count):
            yield read(rows)
        if rows.read(1):
            raise ValueError("a block has more bytes than records")


def _decompressed(block: bytes) -> bytes:
    stream = zlib.decompressobj(_RAW_DEFLATE)
    content = stream.decompress(block, _MOST_BYTES)
    if not stream.eof:
        raise ValueError("a block is cut, or too large")
    return content


def _reader(schema: Any, named: dict[str, Read]) -> Read:
    """Return what reads a value of a schema; `named` are the types that have a name."""
    if isinstance(schema, list):
        return _union([_reader(one, named) for one in schema])
    if isinstance(schema, str):
        found = _PLAIN.get(schema) or named.get(schema)
        if found is None:
            raise UnknownAvroError(f"it has a type {schema}")
        return found
    kind = schema["type"]
    if kind == "record":
        return _record(schema, named)
    if kind == "array":
        return _array(_reader(schema["items"], named))
    if kind == "map":
        return _map(_reader(schema["values"], named))
    if kind == "fixed":
        size = schema["size"]
        named[schema["name"]] = lambda source: _exactly(source, size)
        return named[schema["name"]]
    return _reader(kind, named)


def _record(schema: Any, named: dict[str, Read]) -> Read:
    fields: list[tuple[str, Read]] = []

    def read(source: BytesIO) -> Any:
        return {name: of_field(source) for name, of_field in fields}

    named[schema["name"]] = read
    fields += [(field["name"], _reader(field["type"], named)) for field in schema["fields"]]
    return read


def _union(readers: list[Read]) -> Read:
    by_number = dict(enumerate(readers))
    return lambda source: by_number[_long(source)](source)


def _array(read: Read) -> Read:
    def items(source: BytesIO) -> list[Any]:
        found: list[Any] = []
        while count := _long(source):
            if count < 0:  # then the bytes of the block are told as well
                _long(source)
            found += [read(source) for _ in _counted(source, abs(count))]
        return found

    return items


def _map(read: Read) -> Read:
    pairs = _array(lambda source: (_text(source), read(source)))
    return lambda source: dict(pairs(source))


def _long(source: BytesIO) -> int:
    """Read a number: seven bits in each byte, the least first, the sign in the lowest bit."""
    number = shift = 0
    while shift < _LONGEST_NUMBER:
        (byte,) = source.read(1)
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
        shift += 7
    raise ValueError("a number has too many bytes")


def _bytes(source: BytesIO) -> bytes:
    return _exactly(source, _long(source))


def _exactly(source: BytesIO, size: int) -> bytes:
    found = source.read(size) if size >= 0 else b""
    if len(found) != size:
        raise ValueError(f"{size} bytes are not there")
    return found


def _counted(source: BytesIO, count: int) -> range:
    """Return a range of so many values, each of which takes a byte at least."""
    if not 0 <= count <= len(source.getbuffer()) - source.tell():
        raise ValueError(f"{count} values are not there")
    return range(count)


def _text(source: BytesIO) -> str:
    return _bytes(source).decode()


_PLAIN: Final[dict[str, Read]] = {
    "null": lambda _: None,
    "boolean": lambda source: _exactly(source, 1) == b"\x01",
    "int": _long,
    "long": _long,
    "float": lambda source: struct.unpack("<f", _exactly(source, 4))[0],
    "double": lambda source: struct.unpack("<d", _exactly(source, 8))[0],
    "bytes": _bytes,
    "string": _text,
}
