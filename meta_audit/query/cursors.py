"""Remember the place in a list of jobs after which the next page begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Self

import msgspec
from msgspec import Struct

from meta_audit.errors import UsageError
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

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the word of a cursor. Raises `UsageError`."""
        word = text.removeprefix(MARK)
        try:
            content = urlsafe_b64decode(word + "=" * (-len(word) % 4))
            return msgspec.json.decode(content, type=built(cls))
        except ValueError as error:
            raise UsageError(
                f"--after: {text} is no cursor", advice="Copy it whole, as find printed it."
            ) from error
