"""Retry work that failed for a reason that passes: a lost connection, a restart, a lock."""

from __future__ import annotations

import logging
import os
import random
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from meta_audit.errors import TransientStoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

ENVIRONMENT: Final = "META_AUDIT_WAIT"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """Limit the waiting for a store. All times are seconds."""

    read_seconds: float = 30.0
    """For opening a store and reading from it."""
    write_seconds: float = 120.0
    """For writing. A server restarts, or another takes its place, in less time."""
    busy_seconds: float = 600.0
    """For another writer, which holds the lock for one batch."""
    first_wait: float = 0.1
    longest_wait: float = 2.0
    quiet_seconds: float = 2.0
    """Time after which a warning says that the program waits."""
    stopped: Event = field(default_factory=Event)
    """Set it to end all waiting at once."""

    @classmethod
    def from_environment(cls) -> Retry:
        """Read META_AUDIT_WAIT, the seconds for reading and writing alike.

        Raises `UsageError` if it is not a number of seconds.
        """
        given = os.environ.get(ENVIRONMENT)
        if not given:
            return cls()
        try:
            seconds = float(given)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 86_400:
            raise UsageError(
                f"{ENVIRONMENT} is not a number of seconds: {given}",
                advice="Use a number from 0 to 86400, or unset it.",
            )
        return cls(read_seconds=seconds, write_seconds=seconds)

    def call(
        self, work: Callable[[], _Result], *, seconds: float, undo: Callable[[], None] | None = None
    ) -> _Result:
        """Do the work; repeat it from its beginning while it raises `TransientStoreError`.

        Call `undo` after each failure. Give up `seconds` after the first failure, and raise the
        last error.
        """
        ends = 0.0
        wait = self.first_wait
        is_told = False
        while True:
            try:
                return work()
            except BaseException as error:
                if undo:
                    undo()
                if not isinstance(error, TransientStoreError):
                    raise
                now = time.monotonic()
                ends = ends or now + seconds
                pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 - keeps two from colliding
                if now >= ends:
                    raise
                pause = min(pause, ends - now)
                if not is_told and now > ends - seconds + min(self.quiet_seconds, seconds / 5):
                    _log.warning("Waiting, up to %.0f s: %s", seconds, error)
                    is_told = True
                if self.stopped.wait(pause):
                    raise
            wait = min(wait * 2, self.longest_wait)
