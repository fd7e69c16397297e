"""Write metrics to a file for Prometheus, while a command works and when it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meta_audit.cli import Exit, log
from meta_audit.cli.option import option
from meta_audit.errors import UsageError
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.render.exposition import ServerMetrics
    from meta_audit.store.opening import Store

SECONDS: Final = 5.0
"""Between two writings while a command works."""
_BEGIN: Final = b"# "
"""Beginning of metrics, which start with a comment."""
OPTION: Final = option(
    "--metrics",
    metavar="FILE",
    help="Write metrics to FILE (NAME.prom), for the textfile collector of Prometheus' node "
    "exporter: when the command ends, and every few seconds while it works.",
)


class MetricsFile:
    """Replace a file by new metrics, whole each time. Without a path nothing is written."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._written = time.monotonic()
        self._fault = ""
        self.server: ServerMetrics | None = None
        """Set by a pull."""
        folder = self._path and self._path.parent
        if folder and not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"cannot write metrics to {path}: there is no directory {folder}, or it may not be "
                "written to",
                advice="Make the directory first, and give this user the right to write to it.",
            )
        if self._path:
            _check_replaceable(self._path)

    def write(self, store: Store, code: int | None = None) -> int:
        """Write the metrics of a store, and return `code`; another one if that fails.

        A fault is printed once: the work goes on.
        """
        if not self._path:
            return code or Exit.DONE
        from meta_audit.query.metrics import store_metrics
        from meta_audit.render.exposition import exposition

        self._written = time.monotonic()
        content = exposition(store.read(store_metrics), code, self.server)
        try:
            _replace(self._path, content)
        except OSError as error:
            fault = f"cannot write metrics to {self._path}: {error.strerror}"
            if fault != self._fault:
                log.say(escape(fault), "error")
            self._fault = fault
            return code or Exit.OUTPUT
        self._fault = ""
        return code or Exit.DONE

    def write_sometimes(self, store: Store) -> None:
        """Write the metrics if the last ones are some seconds old."""
        if self._path and time.monotonic() - self._written > SECONDS:
            self.write(store)


def _check_replaceable(path: Path) -> None:
    """Raise `UsageError` for what is no file of metrics, as a store or a device: keep it.

    Nothing can replace a directory, so an import need not be refused for one.
    """
    try:
        if not path.exists() or path.is_dir():
            return
        if path.is_file():
            with path.open("rb") as file:
                begin = file.read(len(_BEGIN))
            if begin in (b"", _BEGIN):
                return
    except OSError as error:
        raise UsageError(
            f"cannot replace the metrics in {path}: {error.strerror}",
            advice="Give this user the right to read and to replace the file, or name another.",
        ) from error
    raise UsageError(
        f"cannot write metrics to {path}: it exists, and does not hold metrics",
        advice="Name a new file, such as NAME.prom.",
    )


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside the path and move it there, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
