"""Read the objects of an SQLite file from `sqlite_master`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from meta_audit.schema.objects import Named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.schema.signed_rows import Query

_MASTER: Final = "SELECT type, name, tbl_name, sql FROM main.sqlite_master"
_TOKEN: Final = re.compile(
    r"""\s+ | --[^\n]*\n? | /\*.*?\*/
    | (?P<text>'(?:[^']|'')*')
    | "(?P<double>(?:[^"]|"")*)" | `(?P<back>(?:[^`]|``)*)` | \[(?P<bracket>[^]]*)\]
    | (?P<word>[\w$]+)
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_SIMPLE: Final = re.compile(r"[A-Za-z_]\w*")
_MADE_BY_ANALYZE: Final = re.compile(r"sqlite_(stat[1-4]|sequence)")


def definitions(query: Query) -> dict[Named, str]:
    """Read every object. Its definition is its SQL without comments, spacing, quotes and case."""
    found: dict[Named, str] = {}
    for kind, name, table, sql in query(_MASTER):
        words = tokens(_text(sql))
        named = _named(_text(kind), _text(name), _text(table))
        said = _said(words)
        if words and said != (named.kind, named.name or named.relation):
            named = Named("row of sqlite_master", _lower(table), f"{kind} {name}")
        elif words and named.kind in ("index", "trigger"):
            named = named._replace(relation=_on(words) or named.relation)
        elif not words and not _lower(name).startswith("sqlite_autoindex_"):
            named = Named("row of sqlite_master", _lower(table), f"{kind} {name}")
        text = " ".join(words)
        found[named] = f"{found[named]} ; {text}" if named in found else text
    return found


def is_allowed(named: Named) -> bool:
    """Return True if SQLite itself can have made it, not only an editor of the schema."""
    if named.kind == "row of sqlite_master":
        return False
    return not named.relation.startswith("sqlite_") or bool(
        _MADE_BY_ANALYZE.fullmatch(named.relation)
    )


@lru_cache(maxsize=1024)
def tokens(sql: str) -> tuple[str, ...]:
    """Cut SQL into tokens. Needless quotes are dropped, and words become lower case."""
    return tuple(_tokens(sql))


def _tokens(sql: str) -> Iterator[str]:
    for match in _TOKEN.finditer(sql):
        kind, token = match.lastgroup, match[match.lastgroup] if match.lastgroup else ""
        if kind in ("double", "back", "bracket"):
            yield token.lower() if _SIMPLE.fullmatch(token) else f'"{token}"'
        elif kind == "word":
            yield token.lower()
        elif kind:
            yield token


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _lower(value: object) -> str:
    return _text(value).lower()


def _named(kind: str, name: str, table: str) -> Named:
    own = "" if kind in ("table", "view") else name.lower()
    return Named(kind, (table if own else name).lower(), own)


def _said(words: Sequence[str]) -> tuple[str, str]:
    """Return kind and name, as the SQL has them."""
    rest = words[2:] if words[1:2] in (("unique",), ("virtual",)) else words[1:]
    return (rest[0], rest[1].strip("'\"").lower()) if len(rest) > 1 else ("", "")


def _on(words: Sequence[str]) -> str:
    """Return the table of an index or a trigger, as the SQL has it."""
    if "on" not in words[:-1]:
        return ""
    name = words[words.index("on") + 1 :]
    return (name[2] if name[1:2] == (".",) and len(name) > 2 else name[0]).strip('"')
