"""Judge the names of members."""

from __future__ import annotations

import re
from typing import Final

MAX_NAME: Final = 4_096
"""Longest path of a member, as of a file."""
_CONTROL: Final = re.compile(r"[\0-\x1f\x7f-\x9f]")
_ROOT: Final = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def tidy(name: str) -> str:
    """Return a member's path without the `./` that tar puts before it, safe to store."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return _CONTROL.sub(_escaped, name)[:MAX_NAME]


def why_hostile(name: str) -> str:
    """Return why a member of this name is refused, or nothing."""
    if not name:
        return "it has no name"
    if len(name) > MAX_NAME:
        return f"its name is longer than {MAX_NAME:,} characters"
    if _CONTROL.search(name):
        return "there are control characters in its name"
    if _ROOT.match(name):
        return "its path is absolute"
    if ".." in re.split(r"[/\\]", name):
        return "its path leads out of the archive"
    return ""


def _escaped(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
