"""Read one object as a stream, in the state in which it was found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from msgspec import Struct

from meta_audit.cut.blocks import BLOCK_BYTES, Item
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.object_stores.waiting import wait_for
from meta_audit.sources.stream import ByteStream

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import ObjectStore

_CREDENTIALS: Final = "Check the credentials in the environment, and what they may read."
_NAME: Final = (
    "Such a name cannot be read, nor listed with others. Name a beginning without it, or single "
    "objects; or give the object another name."
)
_SERVER: Final = "Check the URL and the network, then run the command again."


class Reached(Struct, frozen=True):
    """An object of a store, as it is now."""

    store: ObjectStore
    path: str
    size: int
    etag: str
    """The strong ETag: equal ones stand for equal bytes. Empty if there is none."""


class ObjectBody:
    """The bytes of an object that is being read."""

    def __init__(self, answer: GetResult, block_bytes: int) -> None:
        self._chunks = iter(answer.stream(min_chunk_size=block_bytes))
        self._head: bytes | None = None

    def head(self) -> bytes:
        """Return the first block, which is read again. Raises `SourceError`."""
        if self._head is None:
            self._head = self.read(0)
        return self._head

    def read(self, _: int) -> bytes:
        """Return the next block, nothing at the end. Raises `SourceError`."""
        if self._head is not None:
            block, self._head = self._head, None
            return block
        try:
            return wait_for(lambda: bytes(next(self._chunks, b"")))
        except Exception as error:
            raise refusal(error) from error


class RemoteObject(ByteStream):
    """An object, or a file behind a URL."""

    def __init__(
        self,
        uri: str,
        reached: Reached,
        memory: ContentMemory,
        key: str,
        *,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        super().__init__(uri, budget=budget, block_bytes=block_bytes)
        self._reached = reached
        self._memory = memory
        self._key = key
        """Its name in the memory."""
        self._mark = f"{reached.size} {reached.etag}" if reached.etag else ""
        self._body: ObjectBody | None = None
        self.remembered = memory.sha256(key, self._mark)

    @property
    def size(self) -> int | None:
        """Return the bytes as stored."""
        return self._reached.size

    def head(self) -> bytes:
        """Return its first block, and go on from there when it is read. Raises `SourceError`."""
        self._body = self._open()
        return self._body.head()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it; raise `SourceError` (`source.changed`) when it is another one by now."""
        body, self._body = self._body or self._open(), None
        yield cast("BinaryIO", body)
        if self.bytes_read != self._reached.size:
            message = f"{self.bytes_read} bytes came of {self._reached.size}"
            raise SourceError("source.changed", message, advice="Run the command again.")

    def batches(self) -> Iterator[list[Item]]:
        """Read it as `ByteStream.batches` says, and remember what its ETag stands for."""
        yield from super().batches()
        self._memory.remember(self._key, self._mark, self.sha256)

    def _open(self) -> ObjectBody:
        import obstore  # noqa: PLC0415 - optional

        store, path, etag = self._reached.store, self._reached.path, self._reached.etag
        try:
            options: GetOptions = {"if_match": etag} if etag else {}
            answer = wait_for(lambda: obstore.get(store, path, options=options))
        except Exception as error:
            raise refusal(error) from error
        return ObjectBody(answer, self._block_bytes)


def refusal(error: Exception) -> SourceError:
    """Return the `SourceError` that says in a line what the library said at length."""
    from obstore import exceptions  # noqa: PLC0415 - optional

    if isinstance(error, FileNotFoundError) or "status code: 404" in str(error):  # listing
        message = "there is no such object, or no such place for it"
        return SourceError("source.missing", message, advice="Check the URL.")
    if isinstance(error, exceptions.PreconditionError):
        message = "it changed since it was found"
        return SourceError("source.changed", message, advice="Run the command again.")
    said = str(error).partition("\n")[0].partition(": <?xml")[0].rstrip(": ")
    said = re.sub(r"\?\S*", "", said)  # a query may be a signature
    denied = (
        exceptions.PermissionDeniedError,
        exceptions.UnauthenticatedError,
        PermissionError,
    )
    if isinstance(error, denied):
        return SourceError("server.denied", said, advice=_CREDENTIALS)
    advice = _NAME if "invalid path" in said else _SERVER
    return SourceError("server.unreachable", said, advice=advice)
