"""Count the jobs of each Meta key, and of each value of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.errors import NotFoundError
from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.query.live import live_version
from meta_audit.query.selection import OWNED, OWNER, Selection, total
from meta_audit.query.texts import exact, rfc3339, storable, unescape_shown
from meta_audit.query.unknown import LOOKED_AT, nearest
from meta_audit.schema.text_digest import digest

if TYPE_CHECKING:
    from meta_audit.store.session import Session

KEYS_FORMAT: Final = "meta-audit/keys/1"
VALUES_FORMAT: Final = "meta-audit/values/1"

_JOBS: Final = f"""
    count(DISTINCT {OWNER.format("v")}) AS jobs, min(v.created_at) AS first_at,
    max(v.created_at) AS last_at"""
_VERSION: Final = f"""
    JOIN job_versions v ON v.job_key = e.job_key AND v.version_no = e.version_no
    {OWNED.format("v")}
    WHERE {live_version("v")} AND {{within}}"""
_KEYS: Final = f"""
    SELECT k.key AS name, x.*
    FROM (
        SELECT p.key_id, count(DISTINCT e.pair_id) AS values_, {_JOBS}
        FROM {{table}} e JOIN meta_pairs p ON p.pair_id = e.pair_id {_VERSION}
        GROUP BY p.key_id) x
    JOIN meta_keys k ON k.key_id = x.key_id"""  # noqa: S608
_VALUES: Final = f"""
    SELECT p.value AS name, x.*
    FROM (
        SELECT e.pair_id, {_JOBS}
        FROM {{table}} e {_VERSION} AND e.pair_id IN (
            SELECT q.pair_id FROM meta_pairs q JOIN meta_keys k ON k.key_id = q.key_id
            WHERE k.digest = ?)
        GROUP BY e.pair_id) x
    JOIN meta_pairs p ON p.pair_id = x.pair_id"""  # noqa: S608
_KEY: Final = "SELECT 1 FROM meta_keys WHERE digest = ?"
_LATEST: Final = f"SELECT key FROM meta_keys ORDER BY key_id DESC LIMIT {LOOKED_AT}"  # noqa: S608
_TABLES: Final = {False: "meta_entries", True: "label_entries"}


class KeyCount(Answer, frozen=True):
    """Count the jobs that have a key, in any version."""

    key: str
    jobs: int
    values: int
    """Number of distinct values."""
    first_at: str | None
    """Create time of the first job."""
    last_at: str | None


class KeyCounts(Answer, frozen=True):
    """List the keys of Meta or of labels."""

    format: str
    of: str
    """`meta` or `labels`."""
    keys: tuple[KeyCount, ...]
    total: int
    """Number of keys, beyond the limit too."""


class ValueCount(Answer, frozen=True):
    """Count the jobs that have a value of a key, in any version."""

    value: str
    jobs: int
    first_at: str | None
    """Create time of the first job."""
    last_at: str | None


class ValueCounts(Answer, frozen=True):
    """List the values of a key."""

    format: str
    of: str
    """`meta` or `labels`."""
    key: str
    values: tuple[ValueCount, ...]
    total: int
    """Number of values, beyond the limit too."""


def key_counts(session: Session, wanted: Selection, *, labels: bool = False) -> KeyCounts:
    """Return the keys of Meta, or of labels."""
    within, parameters = wanted.within("v.created_at")
    sql = _KEYS.format(table=_TABLES[labels], within=within)
    rows = session.query(wanted.ordered(sql), *parameters)
    found = tuple(
        KeyCount(key, jobs, values, rfc3339(first), rfc3339(last))
        for key, _, values, jobs, first, last, _ in rows
    )
    return exact(KeyCounts(KEYS_FORMAT, _of(labels), found, total(rows)))


def value_counts(
    session: Session, key: str, wanted: Selection, *, labels: bool = False
) -> ValueCounts:
    """Return the values of a key of Meta, or of labels. Raises `NotFoundError`.

    A key that is unknown is tried as a page shows it.
    """
    key = _known(session, key)
    within, parameters = wanted.within("v.created_at")
    sql = _VALUES.format(table=_TABLES[labels], within=within)
    rows = session.query(wanted.ordered(sql), *parameters, digest(escape_nul(key)))
    found = tuple(
        ValueCount(value, jobs, rfc3339(first), rfc3339(last))
        for value, _, jobs, first, last, _ in rows
    )
    return exact(ValueCounts(VALUES_FORMAT, _of(labels), key, found, total(rows)))


def _known(session: Session, key: str) -> str:
    """Return the key that is meant. Raises `NotFoundError` if no Meta and no label has it."""
    for meant in (key, unescape_shown(key)):
        if storable(meant) and session.query(_KEY, digest(escape_nul(meant))):
            return meant
    like = nearest(key, (unescape_nul(row[0]) for row in session.query(_LATEST)))
    advice = f"Did you mean {' or '.join(like)}?" if like else "`meta-audit keys` lists all keys."
    raise NotFoundError(f"the store knows no key {key}", advice=advice)


def _of(labels: bool) -> str:
    return "labels" if labels else "meta"
