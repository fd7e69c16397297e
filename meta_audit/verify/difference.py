"""Tell in what two entries of one document differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.ledger.entry import AcceptedEntry

if TYPE_CHECKING:
    from meta_audit.ledger.entry import Entry

LONGEST: Final = 60


class Words(NamedTuple):
    """Hold the words for differences."""

    changed: str
    missing: str
    added: str


SIGNED: Final = Words("signed {}, now {}", "{} is missing", "{} was not signed")
READ: Final = Words("then {}, now {}", "then {}", "now {}")
"""Of a document that two versions of the program read."""


def difference(signed: Entry, rows: Entry, words: Words = SIGNED) -> str:
    """Name the fields that differ, with the first of their values that do."""
    if isinstance(signed, AcceptedEntry) != isinstance(rows, AcceptedEntry):
        return "an accepted document stands where a rejected one was, or the other way round"
    found = []
    for name in max(signed.__struct_fields__, rows.__struct_fields__, key=len):
        was, now = getattr(signed, name, ()), getattr(rows, name, ())
        if was != now:
            found.append(f"{name}: {_first(was, now, words)}")
    return "; ".join(found) or "nothing differs"


def _first(was: Any, now: Any, words: Words) -> str:
    if isinstance(was, list | tuple) and isinstance(now, list | tuple):
        missing = [item for item in was if item not in now]
        added = [item for item in now if item not in was]
        parts = [words.missing.format(_short(item)) for item in missing[:1]]
        parts += [words.added.format(_short(item)) for item in added[:1]]
        return " and ".join(parts) or "another order"
    return words.changed.format(_short(was), _short(now))


def _short(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
