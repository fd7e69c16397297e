"""Look for something to read before a store is made: a typo makes nothing."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from meta_audit.errors import NotFoundError, SourceError
from meta_audit.sources import Source, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.ingest.chunks import Reporter
    from meta_audit.sources import Discovered


def with_first_source(found: Iterable[Discovered], reporter: Reporter) -> Iterator[Discovered]:
    """Return the same sources, once one of them could be opened.

    Raises `SourceError` where none can be read, and `NotFoundError` where there is none; then
    nothing has been written.
    """
    found = iter(found)
    passed: list[Discovered] = []
    for one in found:
        passed.append(one)
        if isinstance(one, Source):
            return chain(passed, found)
    refused = [one for one in passed if isinstance(one, Unreadable)]
    nothing = "Nothing was written, and no store was made."
    if len(refused) == 1:
        (one,) = refused
        raise SourceError(
            one.code, f"{one.uri}: {one.message}", advice=f"{one.advice} {nothing}".strip()
        )
    for one in refused:
        error = SourceError(one.code, one.message, advice=one.advice)
        reporter.refused(one.uri, error)
    if refused:
        message = f"none of {len(refused):,} sources can be read"
        raise SourceError(refused[0].code, message, advice=nothing)
    raise NotFoundError(
        f"nothing found: none of {len(passed):,} files is a job document"
        if passed
        else "nothing found: there is no file",
        advice="Check that the directory is the right one, and mounted. No store was made.",
    )
