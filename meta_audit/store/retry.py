"""Try again what failed for a reason that passes: a lost connection, a restart, a lock."""

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
    """For opening a store and for reading from it."""
    write_seconds: float = 120.0
    """For writing: a server restarts, or another one takes its place, in less."""
    busy_seconds: float = 600.0
    """For another writer; an import holds the lock for one batch."""
    first_wait: float = 0.1
    longest_wait: float = 2.0
    quiet_seconds: float = 2.0
    """After this time a warning says that the program waits."""
    stopped: Event = field(default_factory=Event)
    """Set it to end all waiting at once."""

    @classmethod
    def from_environment(cls) -> Retry:
        """Read META_AUDIT_WAIT, the seconds for reading and writing alike.

        Raises `UsageError` where it is not a number of seconds.
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
        """Do the work, again from its beginning while it raises `TransientStoreError`.

        Call `undo` after each failure. Give up after `seconds`, counted from the first failure,
        and raise the last error.
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
                pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 - so that two do not collide
                if now + pause > ends:
                    raise
                if not is_told and now > ends - seconds + min(self.quiet_seconds, seconds / 5):
                    _log.warning("Waiting, up to %.0f s: %s", seconds, error)
                    is_told = True
                if self.stopped.wait(pause):
                    raise
            wait = min(wait * 2, self.longest_wait)
