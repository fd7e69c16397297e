"""Read what a person chose of a search."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from meta_audit.period import parse_period
from meta_audit.query.matching import Search
from meta_audit.search.arguments import read_arguments
from meta_audit.search.expression import All, Is, join
from meta_audit.search.parser import parse_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.matching import SearchChoice


def search_of(expressions: Sequence[str], choice: SearchChoice) -> Search:
    """Return the search that is meant. Raises `UsageError`."""
    fields = [
        Is(name, str(value))
        for name in ("client", "requester", "namespace")
        if (value := choice.get(name)) is not None
    ]
    return Search(
        join(All, [read_arguments(expressions), *fields]),
        time_ns(),
        choice.get("sort", "created"),
        after=choice.get("after"),
        columns=tuple(key for one in choice.get("columns", ()) for key in parse_keys(one)),
        as_of=end_of(choice.get("as_of")),
        at=end_of(choice.get("at")),
    )


def end_of(time: str | None) -> int | None:
    """Return the end of a period, in nanoseconds since 1970. Raises `UsageError`."""
    return parse_period(time, now=time_ns()).end if time else None
