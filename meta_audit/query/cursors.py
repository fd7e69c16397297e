"""Remember the place in a list of jobs after which the next page begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Self

import msgspec
from msgspec import Struct

from meta_audit.errors import UsageError
from meta_audit.search.sorts import SORTS, TIMES
from meta_audit.typed import built

MARK: Final = "@"
"""Every cursor begins with it; no ID of a job does."""


class Cursor(Struct, frozen=True, array_like=True):
    """Name the last job of a page: the value that it is sorted by, its ID and namespace."""

    sort: str
    value: int | str | None
    job_id: str
    namespace: str

    def __str__(self) -> str:
        """Return it as one word."""
        return MARK + urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    def check(self, sort: str) -> None:
        """Raise `UsageError` for a list that is sorted otherwise."""
        if self.sort != sort:
            raise UsageError(
                f"--after: the cursor is of a list sorted by {self.sort}, not by {sort}",
                advice=f"Add --sort {self.sort}.",
            )

    def is_fitting(self) -> bool:
        """Tell whether there is such an order, and it sorts by such values."""
        is_time = self.sort in TIMES
        kinds = int | None if is_time else str
        return self.sort in SORTS and isinstance(self.value, kinds)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the word of a cursor. Raises `UsageError`."""
        word = text.removeprefix(MARK)
        try:
            content = urlsafe_b64decode(word + "=" * (-len(word) % 4))
            cursor = msgspec.json.decode(content, type=built(cls))
        except (ValueError, RecursionError) as error:
            raise _no_cursor(text) from error
        if not cursor.is_fitting():
            raise _no_cursor(text)
        return cursor


def _no_cursor(text: str) -> UsageError:
    return UsageError(f"--after: {text} is no cursor", advice="Copy it whole, as find printed it.")
