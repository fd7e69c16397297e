"""Judge archives and their members by their names."""

from __future__ import annotations

import os
import re
from typing import Final

from meta_audit.cut.detect import COMPRESSED_SUFFIXES, kind_of_name

MAX_NAME: Final = 4_096
"""Longest path of a member, as of a file."""
_PACKAGES: Final = frozenset(
    f".{name}"
    for name in re.findall(
        r"\w+", "apk crate docx egg epub gem jar nupkg odp ods odt pptx war whl xlsx"
    )
)
"""Archives by their format that hold programs or a text, and no jobs."""
_PERHAPS: Final = frozenset(("", ".bak", ".db", ".dump", ".log", ".old", ".txt"))
"""Suffixes of files that may hold jobs, beside those that say so."""
_CONTROL: Final = re.compile(r"[\0-\x1f\x7f-\x9f]")
_ROOT: Final = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def is_package(path: str) -> bool:
    """Tell whether an archive of this name is a program or a text, not worth a look."""
    return os.path.splitext(path)[1].lower() in _PACKAGES


def may_hold_jobs(name: str) -> bool:
    """Tell by its name whether a member that cannot be read would be missed."""
    path = os.path.splitext(name.lower())
    suffix = path[1] if path[1] not in COMPRESSED_SUFFIXES else os.path.splitext(path[0])[1]
    return kind_of_name(name) is not None or suffix in _PERHAPS


def tidy(name: str) -> str:
    r"""Return a member's path without the `./` that tar puts into it, safe to store.

    Bytes that are not UTF-8 become `\xNN`, as in the path of a file.
    """
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    while "/./" in name:
        name = name.replace("/./", "/")
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
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
