"""Take the last of keys that stand twice, as Bacalhau does, unless they decide who or what.

Where two values of one key could make another job of a document, or name somebody else, the
document is rejected: an auditor must not guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.decode.text import quote, show_path
from meta_audit.errors import RejectedError
from meta_audit.parse.fields import squash

if TYPE_CHECKING:
    from meta_audit.model import Duplicate

_NEVER_TWICE: Final = frozenset(
    (
        *("id", "jobid", "executionid", "computereference", "nodeid", "clientid", "namespace"),
        *("requesternodeid", "requesterpublickey", "sourcenodeid", "senderpublickey"),
        *("signature", "clientpublickey", "jobcreatepayload", "jobcancelpayload"),
        *("payload", "data", "job", "spec", "metadata", "requester", "status", "tasks"),
        *("meta", "labels", "annotations"),
    )
)
"""Folded names that must not stand twice: IDs, identities, and what holds them."""
_TEXT_MAPS: Final = frozenset(("meta", "labels"))
_FREE: Final = frozenset(("params", "env"))


def places(duplicates: tuple[Duplicate, ...]) -> list[str]:
    """Return the places of keys that stand twice. Raises `RejectedError` (`duplicate_key`)."""
    found = []
    for duplicate in duplicates:
        place = f"{show_path(duplicate.path)} stands twice"
        if _is_decisive(duplicate.path):
            raise RejectedError(
                "duplicate_key",
                f"the key {place}; Bacalhau would silently keep the last of them",
                line=duplicate.line,
            )
        found.append(f"{place}, again in line {duplicate.line}")
    return found


def last_of_each(value: Any, path: tuple[str | int, ...], places: list[str]) -> Any:
    """Take the last of names that differ only by case, and note where.

    Decisive names stay, and so do those of structs, of which Go merges the fields.
    """
    if isinstance(value, list):
        return [last_of_each(item, (*path, n), places) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, item in value.items():
        folded = squash(name)
        earlier = names.get(folded)
        may_stand_twice = _is_plain(item) and folded.replace("_", "") not in _NEVER_TWICE
        if earlier is not None and may_stand_twice and _is_plain(out[earlier]):
            del out[earlier]
            places.append(f"{show_path((*path, name))} stands twice, as {quote(earlier)} too")
        names[folded] = name
        is_free = folded in _TEXT_MAPS or folded in _FREE
        out[name] = item if is_free else last_of_each(item, (*path, name), places)
    return out


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict | list)


def _is_decisive(path: tuple[str | int, ...]) -> bool:
    """Tell if a key names the job or somebody, or is in Meta or labels."""
    names = [squash(name).replace("_", "") for name in path if isinstance(name, str)]
    for name in names[:-1]:
        if name in _FREE:
            return False
        if name in _TEXT_MAPS:
            return True
    return names[-1] in _NEVER_TWICE
