"""Offer what may be meant where a lake has no job for a part of an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.query.explain import OFFERED, counted_jobs, offer
from meta_audit.query.texts import storable
from meta_audit.query.unknown import LOOKED_AT, nearest
from meta_audit.search.expression import Equals, Has, Matches
from meta_audit.search.normal_form import as_text, key_as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

    from meta_audit.search.expression import Expression

KEYS: Final = "v_keys"
"""Table with the keys that a lake knows."""
_KEYS: Final = """
    SELECT key FROM v_keys GROUP BY key ORDER BY sum(meta_count + label_count) DESC LIMIT ?"""
_IS_KNOWN: Final = "SELECT count(*) FROM v_keys WHERE key = ?"
_META: Final = """
    SELECT value FROM v_meta WHERE key = ? GROUP BY value ORDER BY count(*) DESC LIMIT ?"""
_LABELS: Final = _META.replace("v_meta", "v_labels")


def hint(duck: DuckDBPyConnection, part: Expression, count: Callable[[Expression], int]) -> str:
    """Return what may be meant by a part that no job matches; `count` counts those of another."""
    if not isinstance(part, Equals | Matches | Has) or not storable(part.key):
        return ""
    key = escape_nul(part.key)
    if not knows(duck, part.key):
        keys = [Has(like, part.place) for like in nearest(part.key, _texts(duck, _KEYS))]
        found = [(key_as_text(one.key, one.place), count(one)) for one in keys]
        return " ".join((f"No job has the key {part.key}.", _offer(found))).rstrip()
    if not isinstance(part, Equals):
        return ""
    values = _texts(duck, _LABELS if part.place == "label" else _META, key)
    near = dict.fromkeys(other for value in part.values for other in nearest(value, values))
    terms = [replace(part, values=(value,)) for value in list(near)[:OFFERED]]
    return _offer([(as_text(term), count(term)) for term in terms])


def knows(duck: DuckDBPyConnection, key: str) -> bool:
    """Tell whether any Meta or label of the lake has a key."""
    return storable(key) and bool(duck.execute(_IS_KNOWN, [escape_nul(key)]).fetchall()[0][0])


def _offer(found: list[tuple[str, int]]) -> str:
    return offer([f"{text} ({counted_jobs(number)})" for text, number in found if number])


def _texts(duck: DuckDBPyConnection, sql: str, *parameters: str) -> list[str]:
    found = duck.execute(sql, [*parameters, LOOKED_AT]).fetchall()
    return [unescape_nul(text) for (text,) in found]
