"""What commands write to stdout: bytes, flushed; text laid out for what it goes to."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.render.layout import Screen


def screen() -> Screen:
    """Describe the terminal that stdout is, if it is one. NO_COLOR and TERM=dumb are respected."""
    from meta_audit.render.layout import Screen

    if not sys.stdout.isatty():
        return Screen()
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Screen(shutil.get_terminal_size().columns, color=not plain)


def write_bytes(content: bytes) -> None:
    """Write bytes to stdout, nothing added."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def write_text(text: str) -> None:
    """Write text that is escaped already; what the encoding of stdout lacks is escaped, too."""
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def write_json(value: Any) -> None:
    """Write a result as one JSON text."""
    from meta_audit.render.json import to_json

    write_bytes(to_json(value))


def write_ndjson(values: Iterable[Any]) -> None:
    """Write each value as a line of JSON."""
    from meta_audit.render.json import to_ndjson

    write_bytes(b"".join(to_ndjson(values)))


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> None:
    """Write rows as CSV in UTF-8; to a terminal escaped."""
    from meta_audit.render.csv import to_csv
    from meta_audit.render.escape import escape_lines

    text = "".join(to_csv(header, rows))
    if sys.stdout.isatty():
        text = escape_lines(text.replace("\r\n", "\n"))
    write_bytes(text.encode())
