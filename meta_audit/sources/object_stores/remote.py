"""Read one object as a stream, in the state in which it was found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.object_stores.waiting import wait_for
from meta_audit.sources.remote_stream import RemoteStream

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

_CREDENTIALS: Final = "Check the credentials in the environment, and what they may read."
_NAME: Final = (
    "Such a name cannot be read, nor listed with others. Name a beginning without it, or single "
    "objects; or give the object another name."
)
_SERVER: Final = "Check the URL and the network, then run the command again."


class RemoteObject(RemoteStream):
    """An object of a store."""

    def __init__(
        self,
        uri: str,
        store: ObjectStore,
        found: ObjectMeta,
        memory: ContentMemory,
        key: str,
        *,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        etag = found["e_tag"] or ""
        strong = "" if etag.startswith("W/") else etag
        super().__init__(
            uri, found["size"], strong, memory, key, budget=budget, block_bytes=block_bytes
        )
        self._store = store
        self._path = found["path"]

    def blocks(self) -> Iterator[bytes]:
        """Ask for the bytes, and yield them in blocks. Raises `SourceError`."""
        import obstore  # noqa: PLC0415 - optional

        try:
            options: GetOptions = {"if_match": self.etag} if self.etag else {}
            answer = wait_for(lambda: obstore.get(self._store, self._path, options=options))
            chunks = iter(answer.stream(min_chunk_size=self._block_bytes))
            while block := wait_for(lambda: bytes(next(chunks, b""))):
                yield block
        except Exception as error:
            raise refusal(error) from error


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
