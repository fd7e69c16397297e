"""Look for something to read before a store is made: a typo makes nothing."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from meta_audit.errors import NotFoundError, SourceError
from meta_audit.sources import Archive, Source, Unreadable

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
    looked_at: list[Discovered] = []
    for one in found:
        passed.append(one)
        for each in _members(one) if isinstance(one, Archive) else (one,):
            if isinstance(each, Source):
                return chain(passed, found)
            looked_at.append(each)
    refused = [one for one in looked_at if isinstance(one, Unreadable)]
    nothing = "Nothing was written, and no store was made."
    if len(refused) == 1:
        (bad,) = refused
        raise SourceError(
            bad.code, f"{bad.uri}: {bad.message}", advice=f"{bad.advice} {nothing}".strip()
        )
    for bad in refused:
        error = SourceError(bad.code, bad.message, advice=bad.advice)
        reporter.refused(bad.uri, error)
    if refused:
        message = f"none of {len(refused):,} sources can be read"
        raise SourceError(refused[0].code, message, advice=nothing)
    raise NotFoundError(
        f"nothing found: none of {len(looked_at):,} files is a job document"
        if looked_at
        else "nothing found: there is no file",
        advice="Check that the directory or archive is the right one, and a directory mounted. "
        "No store was made.",
    )


def _members(archive: Archive) -> Iterator[Discovered]:
    try:
        yield from archive.members()
    except SourceError as error:
        message = str(error).removeprefix(f"{archive.uri}: ")
        yield Unreadable(archive.uri, error.code, message, error.advice)
