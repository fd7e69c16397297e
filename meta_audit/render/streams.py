"""Write a page of any length, a row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.render import csv
from meta_audit.render.json import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.query.results import FoundJob
    from meta_audit.render.jobs import FoundPage
    from meta_audit.render.layout import Screen


def stream(
    page: FoundPage, jobs: Iterable[FoundJob], format_: str, screen: Screen
) -> Iterator[bytes]:
    """Yield the parts of a page that has these jobs; `page` has none itself."""
    if format_ == "csv":
        yield from csv.csv_stream(page, jobs, screen)
    elif format_ == "ndjson":
        for job in jobs:
            yield to_json(job, indent=0)
    elif format_ == "json":
        yield from _json(page, jobs)
    else:
        for line in page.lines(jobs, screen):
            yield line.encode(screen.encoding, "backslashreplace")


def _json(page: FoundPage, jobs: Iterable[FoundJob]) -> Iterator[bytes]:
    """Yield what `to_json` writes of the whole page."""
    opening, closing = to_json(page.value()).split(b'"jobs": []')
    yield opening + b'"jobs": ['
    comma = b""
    for job in jobs:
        lines = to_json(job).rstrip().replace(b"\n", b"\n    ")
        yield comma + b"\n    " + lines
        comma = b","
    yield b"\n  ]" + closing
