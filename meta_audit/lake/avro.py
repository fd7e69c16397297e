"""Read Avro files, in which Iceberg lists the files of a table.

PyIceberg reads them too, but takes half a second to be imported. Format: Apache Avro 1.11,
"Object Container Files" and "Binary Encoding".
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


class UnknownAvroError(Exception):
    """Raised for a file that is not read here."""


def records(data: bytes) -> Iterator[Any]:
    """Yield the records of a file. Raises `UnknownAvroError` for one that is not read here."""
    source = BytesIO(data)
    if source.read(len(_MAGIC)) != _MAGIC:
        raise UnknownAvroError("it is not an Avro file")
    header = _map(_bytes)(source)
    codec = header.get("avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise UnknownAvroError(f"it is compressed with {codec!r}")
    read = _reader(json.loads(header["avro.schema"]), {})
    sync = source.read(_SYNC_BYTES)
    while source.tell() < len(data):
        count = _long(source)
        block = source.read(_long(source))
        if source.read(_SYNC_BYTES) != sync:
            raise UnknownAvroError("a block does not end where it should")
        rows = BytesIO(block if codec == b"null" else zlib.decompress(block, _RAW_DEFLATE))
        for _ in range(count):
            yield read(rows)


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
        named[schema["name"]] = lambda source: source.read(size)
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
    return lambda source: readers[_long(source)](source)


def _array(read: Read) -> Read:
    def items(source: BytesIO) -> list[Any]:
        found: list[Any] = []
        while count := _long(source):
            if count < 0:  # then the bytes of the block are told as well
                _long(source)
            found += [read(source) for _ in range(abs(count))]
        return found

    return items


def _map(read: Read) -> Read:
    pairs = _array(lambda source: (_text(source), read(source)))
    return lambda source: dict(pairs(source))


def _long(source: BytesIO) -> int:
    """Read a number: seven bits in each byte, the least first, the sign in the lowest bit."""
    number = shift = 0
    while True:
        (byte,) = source.read(1)
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
        shift += 7


def _bytes(source: BytesIO) -> bytes:
    return source.read(_long(source))


def _text(source: BytesIO) -> str:
    return _bytes(source).decode()


_PLAIN: Final[dict[str, Read]] = {
    "null": lambda _: None,
    "boolean": lambda source: source.read(1) == b"\x01",
    "int": _long,
    "long": _long,
    "float": lambda source: struct.unpack("<f", source.read(4))[0],
    "double": lambda source: struct.unpack("<d", source.read(8))[0],
    "bytes": _bytes,
    "string": _text,
}
