"""Complete arguments from the store, while somebody types.

A shell waits for this: only the driver of the database is imported, a query has `SECONDS`, and
any error means no completions. Strangers wrote what the store holds, so only values that mean
nothing to a shell are offered.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import click

    Rows = Callable[..., Iterator[Sequence[Any]]]
    """Gives the rows of a statement with `?` for parameters."""
    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

SECONDS: Final = 0.06
OFFERED: Final = 50
FIELDS: Final = (
    *("client", "requester", "key", "installation", "node", "namespace", "state", "type"),
    *("image", "input", "output", "trust", "verdict", "origin", "finding"),
    *("job", "task", "label", "created", "seen"),
)
"""Fields of the find language that are offered."""
LAST: Final = "\U0010ffff"
DB: Final = "meta_audit.db"
"""Key under which the context keeps `--db`."""
_STEPS: Final = 2_000
_HARMLESS: Final = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_NEWEST: Final = """
    SELECT j.job_id FROM current_jobs c JOIN jobs j ON j.job_key = c.job_key
    ORDER BY c.created_at DESC LIMIT 50"""
_JOBS: Final = """
    SELECT job_id FROM jobs WHERE job_id >= ? AND job_id < ? ORDER BY job_id LIMIT 50"""
_KEYS: Final = 'SELECT "key" FROM meta_keys WHERE "key" >= ? AND "key" < ? ORDER BY "key"'
_VALUES: Final = """
    SELECT p.value FROM meta_pairs p JOIN meta_keys k ON k.key_id = p.key_id
    WHERE k."key" = ? AND p.value >= ? AND p.value < ? LIMIT 50"""
_ANYBODY: Final = "SELECT value FROM identities WHERE value >= ? AND value < ? LIMIT 50"
_IDENTITIES: Final = """
    SELECT i.value FROM identities i WHERE i.value >= ? AND i.value < ?
        AND EXISTS (SELECT 1 FROM current_jobs c WHERE c.{}_id = i.identity_id)
    LIMIT 50"""
_NEXT_NAMESPACE: Final = "SELECT min(namespace) FROM current_jobs WHERE namespace > ?"


def job(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the ID of a job; of none that is begun, offer the newest."""
    if not begun:
        return _offered(context, "", lambda rows: _first(rows(_NEWEST)))
    return _offered(context, begun, lambda rows: _first(rows(_JOBS, begun, begun + LAST)))


def terms(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete an expression: the key of `KEY=VALUE`, then the value; a field, then its value."""
    field, is_field, value = begun.partition(":")
    if is_field and "=" not in field:
        return [
            CompletionItem(f"{field}:{item.value}") for item in _of_field(context, field, value)
        ]
    name, is_value, value = begun.partition("=")
    if is_value:
        found = _offered(
            context, value, lambda rows: _first(rows(_VALUES, name, value, value + LAST))
        )
        return [CompletionItem(f"{name}={item.value}") for item in found]
    keys = _offered(context, begun, lambda rows: _keys(rows, begun))
    return [
        *(CompletionItem(f"{item.value}=") for item in keys),
        *(CompletionItem(f"{one}:") for one in FIELDS if begun and one.startswith(begun)),
    ]


def _of_field(context: click.Context, field: str, begun: str) -> list[CompletionItem]:
    """Complete the value of a field of the find language."""
    if field in ("client", "requester"):
        return _identity(context, begun, field)
    if field in ("key", "installation", "node"):
        return _offered(context, begun, lambda rows: _first(rows(_ANYBODY, begun, begun + LAST)))
    if field == "namespace":
        return _namespaces(context, begun)
    if field in ("job", "task", "label"):
        found = _offered(context, begun, lambda rows: _keys(rows, begun))
        return [CompletionItem(f"{item.value}=") for item in found]
    from meta_audit.search.words import CLOSED, USUAL

    known = (CLOSED | USUAL).get(field, ())
    return [CompletionItem(word) for word in known if word.startswith(begun)]


def columns(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the last of several keys."""
    before, comma, last = begun.rpartition(",")
    start = before + comma
    return _offered(context, begun, lambda rows: (start + key for key in _keys(rows, last)))


def client(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the ID of a client."""
    return _identity(context, begun, "client")


def requester(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the ID of a node that accepted jobs."""
    return _identity(context, begun, "requester")


def namespace(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a namespace."""
    return _namespaces(context, begun)


def _namespaces(context: click.Context, begun: str) -> list[CompletionItem]:
    def found(rows: Rows) -> Iterator[str]:
        last = begun
        if begun:
            yield from _first(rows("SELECT namespace FROM current_jobs WHERE namespace = ?", begun))
        while last is not None:
            for (last,) in rows(_NEXT_NAMESPACE, last):  # noqa: B020 - goes on from the last one
                if last is None or not last.startswith(begun):
                    return
                yield last

    return _offered(context, begun, found)


def identity(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete an ID or key, whatever its role."""
    return _offered(context, begun, lambda rows: _first(rows(_ANYBODY, begun, begun + LAST)))


def key(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a Meta key."""
    return _offered(context, begun, lambda rows: _keys(rows, begun))


def finding(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the name of a finding."""
    from meta_audit.catalogue import FINDINGS

    return [CompletionItem(name) for name in FINDINGS if name.startswith(begun)]


def reason(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the reason of a rejection."""
    from meta_audit.catalogue import REASONS

    return [CompletionItem(name) for name in REASONS if name.startswith(begun)]


def _identity(context: click.Context, begun: str, role: str) -> list[CompletionItem]:
    sql = _IDENTITIES.format(role)
    return _offered(context, begun, lambda rows: _first(rows(sql, begun, begun + LAST)))


def _keys(rows: Rows, begun: str) -> Iterator[str]:
    return (key for key in _first(rows(_KEYS, begun, begun + LAST)) if "=" not in key)


def _first(rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    return (str(row[0]) for row in rows)


def _offered(
    context: click.Context, begun: str, find: Callable[[Rows], Iterator[str]]
) -> list[CompletionItem]:
    """Return what was found until the time was over, each once and without harm."""
    found: dict[str, None] = {}
    try:
        with _opened(context.meta.get(DB)) as rows:
            for text in find(rows):
                if _HARMLESS.fullmatch(text) and text.startswith(begun) and text != begun:
                    found[text] = None
                if len(found) == OFFERED:
                    break
    except Exception:  # noqa: BLE001, S110 - a shell has no use for it
        pass
    return [CompletionItem(text) for text in (sorted(found) if begun else found)]


@contextmanager
def _opened(db: str | None) -> Iterator[Rows]:
    """Open a store that exists, to read."""
    location = db or os.environ.get("META_AUDIT_DB") or _default()
    with _postgresql(location) if _is_url(location) else _sqlite(location) as rows:
        yield rows


def _is_url(location: str) -> bool:
    return "://" in location and not location.startswith("sqlite")


def _default() -> str:
    from platformdirs import user_data_path

    return str(user_data_path("meta-audit") / "audit.db")


@contextmanager
def _sqlite(location: str) -> Iterator[Rows]:
    import sqlite3

    from meta_audit.store.sqlite.immutable import uri

    path = os.path.expanduser(location.partition(":///")[2] or location)
    ends = time.monotonic() + SECONDS
    with closing(sqlite3.connect(uri(path, immutable=False), uri=True, timeout=0.01)) as driver:
        driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
        yield lambda sql, *parameters: driver.execute(sql, parameters)


@contextmanager
def _postgresql(location: str) -> Iterator[Rows]:
    import psycopg

    url = location.replace("+psycopg", "", 1)
    with psycopg.connect(url, connect_timeout=1, autocommit=True) as driver:
        driver.execute(
            "SET default_transaction_read_only = on;"
            f" SET statement_timeout = {int(SECONDS * 1_000)}"
        )
        yield lambda sql, *parameters: iter(driver.execute(sql.replace("?", "%s"), parameters))
