"""Wait for a library that does not hear signals, so that a signal stops the program at once."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

_Answer = TypeVar("_Answer")


def wait_for(work: Callable[[], _Answer]) -> _Answer:
    """Do the work in a thread, and return or raise what it does.

    Whoever is interrupted leaves it behind; it ends by its own time limits, or with the process.
    """
    answers: SimpleQueue[tuple[_Answer, None] | tuple[None, Exception]] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put((work(), None))
        except Exception as error:  # noqa: BLE001 - raised again below
            answers.put((None, error))

    Thread(target=answer, name="object store", daemon=True).start()
    result, error = answers.get()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
