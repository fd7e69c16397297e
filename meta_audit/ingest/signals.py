"""Turn SIGINT and SIGTERM into an orderly stop."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asked the import to stop while nothing was being written."""


class Stopper:
    """Raise `Interrupted` for the first signal, but never within a `holding` block."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        """Ends all waiting for the store."""
        self.signal = 0
        """The first signal that came, else 0."""
        self._holds = 0

    def handle(self, number: int, _: FrameType | None) -> None:
        """Stop now where that is safe, else after the block, and wait for no server."""
        if self.signal:
            return
        self.signal = number
        if not self._holds:
            raise Interrupted
        self._give_up()

    def is_stopping(self) -> bool:
        """Tell whether a signal has come."""
        return bool(self.signal)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the signals. After the first one the process ends: more are ignored."""
        before = {number: signal.signal(number, self.handle) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self.signal else handler)

    def hold(self) -> None:
        """Let signals wait from here on."""
        self._holds += 1

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let signals wait until the block ends."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        if self.signal and not self._holds:
            raise Interrupted
