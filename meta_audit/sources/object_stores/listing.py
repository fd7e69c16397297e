"""Find the objects that a URL means: one, or all below it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.archives.names import is_package
from meta_audit.sources.compression import Budget
from meta_audit.sources.content import look
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.interface import Discovered, Skipped, Unreadable
from meta_audit.sources.likely import HEAD_BYTES, why_not
from meta_audit.sources.object_stores.connection import reach
from meta_audit.sources.object_stores.object_url import (
    ObjectUrl,
    check_no_other_url,
    is_object_url,
)
from meta_audit.sources.object_stores.remote import RemoteObject, refusal
from meta_audit.sources.object_stores.waiting import wait_for
from meta_audit.sources.object_stores.web_file import WebFile, WebServer

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def check_objects(arguments: Iterable[str]) -> None:
    """Check those of the arguments that are URLs, without asking a server.

    Raises `UsageError` for one that cannot be a source, and where obstore is needed and missing.
    """
    for argument in arguments:
        if is_object_url(argument):
            url = ObjectUrl.parse(argument)
            if url.is_listed:
                reach(url)
            else:
                WebServer(url)
        else:
            check_no_other_url(argument)


def find_objects(
    url: ObjectUrl,
    why_not_named: Callable[[str], str],
    memory: ContentMemory,
    *,
    budget: Budget | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Discovered]:
    """Yield the object, always taken; or those below the URL, chosen as files in a directory.

    `why_not_named` tells from a path below the URL why an object is passed over.
    """
    if url.is_listed:
        yield from _Search(url, why_not_named, memory, budget or Budget(), block_bytes).find()
        return
    try:
        yield WebFile(WebServer(url), memory, budget=budget, block_bytes=block_bytes)
    except SourceError as error:
        yield _refused(url.name, error)


class _Search:
    def __init__(
        self,
        url: ObjectUrl,
        rule: Callable[[str], str],
        memory: ContentMemory,
        budget: Budget,
        block_bytes: int,
    ) -> None:
        self._url = url
        self._rule = rule
        self._budget = budget
        self._block_bytes = block_bytes
        self._memory = memory
        self._endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), "")

    def find(self) -> Iterator[Discovered]:
        store = reach(self._url)
        try:
            if (found := self._named(store)) is not None:
                yield self._object(store, found)
                return
            is_empty = True
            for found in self._listed(store):
                is_empty = False
                yield self._chosen(store, found)
            if is_empty:
                message = "there is no such object, and none below it"
                raise SourceError("source.missing", message, advice="Check the URL.")
        except SourceError as error:
            yield _refused(self._url.name, error)

    def _named(self, store: ObjectStore) -> ObjectMeta | None:
        """Return the one object that is meant, if it is one. Raises `SourceError`."""
        import obstore  # noqa: PLC0415 - optional

        if self._url.is_directory:
            return None
        try:
            return wait_for(lambda: obstore.head(store, self._url.path))
        except Exception as error:
            if isinstance(error, FileNotFoundError):
                return None
            raise refusal(error) from error

    def _listed(self, store: ObjectStore) -> Iterator[ObjectMeta]:
        import obstore  # noqa: PLC0415 - optional

        try:
            pages = iter(obstore.list(store, prefix=self._url.path or None))
            while found := wait_for(lambda: next(pages, None)):
                yield from found
        except Exception as error:
            raise refusal(error) from error

    def _chosen(self, store: ObjectStore, found: ObjectMeta) -> Discovered:
        """Look at an object that was not named itself."""
        below = found["path"].removeprefix(f"{self._url.path}/")
        source = self._object(store, found)
        why = "hidden" if below.startswith(".") else self._rule(below)
        # Consoles make an empty object NAME/ for a folder, which cannot be read by this name.
        why = why or ("" if found["size"] else "empty")
        if why:
            return Skipped(source.uri, why)
        if source.remembered:
            return source
        try:
            seen = look(iter([source.head()]), self._budget, HEAD_BYTES)
        except SourceError as error:
            if error.code == "source.format":
                return Skipped(source.uri, "archive or database")
            return _refused(source.uri, error)
        if seen.container in ("tar", "zip"):
            if is_package(below):
                return Skipped(source.uri, "archive or database")
            message = f"a {seen.container} archive is read from a file only"
            return Unreadable(source.uri, "source.format", message, "Download it first.")
        why = "" if seen.container else why_not(below, seen.head)
        return Skipped(source.uri, why) if why else source

    def _object(self, store: ObjectStore, found: ObjectMeta) -> RemoteObject:
        uri = self._url.uri_of(found["path"])
        return RemoteObject(
            uri,
            store,
            found,
            self._memory,
            f"{self._endpoint} {uri}",
            budget=self._budget,
            block_bytes=self._block_bytes,
        )


def _refused(uri: str, error: SourceError) -> Unreadable:
    return Unreadable(uri, error.code, str(error), error.advice)
