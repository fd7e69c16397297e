"""Say on stderr what goes on: a line for people, or one JSON object a line for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import click

LogLevel = Literal["info", "warning", "error", "critical"]
FORMATS: Final = ("text", "json")
_TITLE: Final[dict[LogLevel, str]] = {"error": "Error: "}
_chosen: Final = {"format": "text", "command": ""}
"""Form of the messages of this process, and the command that runs."""


def choose(format_: str, command: str) -> None:
    """Choose how to write, and name the command that runs."""
    _chosen.update(format=format_, command=command)


def is_json() -> bool:
    """Tell whether lines are for programs: then there is no live line."""
    return _chosen["format"] == "json"


def say(message: str, level: LogLevel = "info", *, advice: str = "") -> None:
    """Print a message, and in a line of its own what to do. The caller escapes both."""
    if is_json():
        from meta_audit.render.json import to_json

        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"time": now, "level": level, "command": _chosen["command"], "message": message}
        said |= {"advice": advice} if advice else {}
        click.echo(to_json(said, indent=0), err=True, nl=False)
        return
    click.echo(_TITLE.get(level, "") + message, err=True)
    if advice:
        click.echo(advice, err=True)
