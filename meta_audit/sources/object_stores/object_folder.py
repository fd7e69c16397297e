"""Write objects below a URL, and read them, each as a whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError, UsageError
from meta_audit.sources.object_stores.connection import reach
from meta_audit.sources.object_stores.remote import refusal
from meta_audit.sources.object_stores.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from meta_audit.sources.object_stores.object_url import ObjectUrl

_Answer = TypeVar("_Answer")
_NO_PATH: Final = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f]")
"""Parts of paths that the library refuses: empty ones, dots, and control characters."""


class ObjectFolder:
    """The objects directly below a URL.

    What is asked of the server raises `SourceError`, with the name of what it was about.
    """

    def __init__(self, url: ObjectUrl) -> None:
        """Raise `UsageError` for a URL that holds no objects, and where obstore is missing."""
        if not url.is_listed:
            raise UsageError(
                f"{url.name}: files behind it can be read, but not written or listed",
                advice="Name a folder, or an object store as s3://BUCKET/PATH.",
            )
        if url.path and _NO_PATH.search(url.path):
            raise UsageError(
                f"{url.name}: no object can be written there: a part of the path is empty, `.` or "
                "`..`, or has control characters",
                advice="Name another folder.",
            )
        self._url = url
        self._store = reach(url)

    def uri(self, name: str) -> str:
        """Return the URL of an object."""
        return self._url.uri_of(self._path(name))

    def names(self) -> list[str]:
        """Return the names of all objects."""
        import obstore  # noqa: PLC0415 - optional

        prefix = self._path("")
        pages = iter(obstore.list(self._store, prefix=self._url.path or None))
        found: list[str] = []
        while page := self._asked(self._url.name, lambda: next(pages, None)):
            found += (one["path"].removeprefix(prefix) for one in page)
        return [name for name in found if "/" not in name]

    def blocks(self, name: str, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Yield the bytes of an object, at least `size` at once."""
        import obstore  # noqa: PLC0415 - optional

        uri = self.uri(name)
        answer = self._asked(uri, lambda: obstore.get(self._store, self._path(name)))
        chunks = iter(answer.stream(min_chunk_size=size))
        while block := self._asked(uri, lambda: bytes(next(chunks, b""))):
            yield block

    def fetch(self, name: str, into: BinaryIO) -> None:
        """Copy an object into a file. Raises `OSError` where that cannot be written."""
        for block in self.blocks(name):
            into.write(block)

    def put(self, file: Path) -> str:
        """Write a file as an object of its name, which is there when it is complete."""
        import obstore  # noqa: PLC0415 - optional

        uri = self.uri(file.name)
        self._asked(uri, lambda: obstore.put(self._store, self._path(file.name), file))
        return uri

    def _path(self, name: str) -> str:
        return f"{self._url.path}/{name}" if self._url.path else name

    @staticmethod
    def _asked(uri: str, work: Callable[[], _Answer]) -> _Answer:
        try:
            return wait_for(work)
        except Exception as error:
            refused = refusal(error)
            message = f"{uri}: {refused}"
            raise SourceError(refused.code, message, advice=refused.advice) from error
