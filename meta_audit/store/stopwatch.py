"""Limit the time that an engine works on a statement."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from meta_audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopwatch:
    """Measure how long an engine works. The time that its rows are used in does not count."""

    def __init__(self, seconds: float) -> None:
        self._limit = seconds
        self._ends = 0.0
        self.left = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within this block. Raises `UsageError` if none is left."""
        if self.left <= 0:
            raise self.too_long()
        began = monotonic()
        self._ends = began + self.left
        try:
            yield
        finally:
            self.left -= monotonic() - began

    def is_over(self) -> bool:
        """Tell, within the block, whether the time is over."""
        return monotonic() > self._ends

    def too_long(self) -> UsageError:
        """Return the error for a statement that took too long."""
        return UsageError(
            f"the query took longer than {self._limit:g} s",
            advice="Ask for less, or allow more time (--timeout). docs/sql.md says which queries"
            " are fast.",
        )
