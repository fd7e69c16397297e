"""Transactions that are done again when the engine asks for it."""

from __future__ import annotations

import logging
import random
import time
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from meta_audit.errors import TransientStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meta_audit.store.engine import Bulk

_Result = TypeVar("_Result")

PATIENCE_SECONDS: Final = 120.0
"""How long something is tried again: a server restarts, or another takes its place, in less."""
FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0
SILENT_SECONDS: Final = 2.0
"""After so long it is said that something is waited for."""
_log: Final = logging.getLogger(__name__)
_given_up: Final = Event()
_patience: Final = ContextVar("patience", default=PATIENCE_SECONDS)
_nested: Final = ContextVar("nested", default=False)
"""Whether somebody further out tries again."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Within this, what fails is tried again for so long and not longer."""
    with _set(_patience, min(seconds, _patience.get())):
        yield


@contextmanager
def on_its_own() -> Iterator[None]:
    """What is done patiently within this is tried again, also where it is a part of more."""
    with _set(_nested, False):
        yield


@contextmanager
def _set(variable: ContextVar[_Result], value: _Result) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give what makes all waiting end at once: somebody wants the process to stop."""
    try:
        yield _given_up.set
    finally:
        _given_up.clear()


class Patience:
    """Waits between trials: longer and longer, at random, and not for ever."""

    def __init__(self) -> None:
        self._seconds = 0.0 if _nested.get() else _patience.get()
        self._ends = 0.0
        self._wait = FIRST_WAIT
        self._is_told = False

    def wait(self, error: Exception) -> bool:
        """Wait a while after an error. False, at once, where patience is at its end.

        Time counts from the first call: what had failed may have taken long before. Who waits
        for long says so, once, as a warning of `logging`.
        """
        self._ends = self._ends or time.monotonic() + self._seconds
        pause = self._wait * random.uniform(0.5, 1.5)  # noqa: S311 - so that two do not collide
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        if time.monotonic() + pause > self._ends:
            return False
        if not self._is_told and time.monotonic() > self._ends - self._seconds + SILENT_SECONDS:
            _log.warning("Waiting, up to %.0f s: %s", self._seconds, error)
            self._is_told = True
        return not _given_up.wait(pause)


def patiently(work: Callable[[], _Result], undo: Callable[[], None] = lambda: None) -> _Result:
    """Do work, again from its beginning where it failed for a reason that passes.

    What the work itself does patiently it tries once. `undo` is called after each failure.
    Raises what the work does.
    """
    waits = Patience()
    while True:
        try:
            with _set(_nested, True):
                return work()
        except BaseException as error:
            undo()
            if not isinstance(error, TransientStoreError) or not waits.wait(error):
                raise


def in_transaction(
    bulk: Bulk, work: Callable[[], _Result], undo: Callable[[], None] = lambda: None
) -> _Result:
    """Do work in a transaction: whole, or not at all.

    What failed for a reason that passes (a lost connection, a server that restarts, a lock) is
    done again from its beginning. `undo` is called after each rollback. Raises `StoreError`.
    """

    def transaction() -> _Result:
        bulk.begin()
        result = work()
        bulk.commit()
        return result

    def rollback() -> None:
        bulk.rollback()
        undo()

    return patiently(transaction, undo=rollback)
