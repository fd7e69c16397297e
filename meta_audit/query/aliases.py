"""Read the names that people gave to identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.store.session import Row, Session

ALIASES_FORMAT: Final = "meta-audit/aliases/1"
_STANDING: Final = """
    SELECT a.alias_no, a.identity, a.name, a.valid_from, a.valid_until, a.reason, a.import_id,
        m.actor, m.started_at
    FROM identity_aliases a JOIN imports m ON m.import_id = a.import_id
    WHERE a.withdraws = 0
        AND NOT EXISTS (SELECT 1 FROM identity_aliases w WHERE w.withdraws = a.alias_no)"""
_OF_IDENTITY: Final = f"{_STANDING} AND a.identity = ? ORDER BY a.alias_no"
_ALL: Final = f"{_STANDING} ORDER BY a.name, a.identity, a.alias_no"
_NAMED: Final = """
    SELECT DISTINCT a.identity FROM identity_aliases a
    WHERE a.name = ? AND a.withdraws = 0
        AND NOT EXISTS (SELECT 1 FROM identity_aliases w WHERE w.withdraws = a.alias_no)
    ORDER BY a.identity LIMIT 3"""
_NAMES: Final = """
    SELECT a.identity, a.name, a.valid_from, a.valid_until FROM identity_aliases a
    WHERE a.identity AMONG KEYS AND a.withdraws = 0
        AND NOT EXISTS (SELECT 1 FROM identity_aliases w WHERE w.withdraws = a.alias_no)"""


class IdentityAlias(Answer, frozen=True):
    """Name an identity for a time: who said so, when, and why."""

    alias_no: int
    identity: str
    name: str
    valid_from: str | None
    """None is from the beginning."""
    valid_until: str | None
    """First moment at which it is not valid any more."""
    reason: str
    import_id: int
    """The run that said so."""
    actor: str
    said_at: str | None


class Aliases(Answer, frozen=True):
    """List aliases by name."""

    format: str
    aliases: tuple[IdentityAlias, ...]


def list_aliases(session: Session) -> Aliases:
    """Return all aliases that nobody took back."""
    return exact(Aliases(ALIASES_FORMAT, tuple(map(_alias, session.query(_ALL)))))


def aliases_of(session: Session, identity: str) -> tuple[IdentityAlias, ...]:
    """Return the aliases of an identity, in the order in which they were given."""
    return tuple(map(_alias, session.query(_OF_IDENTITY, escape_nul(identity))))


def identities_named(session: Session, name: str) -> list[str]:
    """Return the first identities that have a name."""
    return [unescape_nul(identity) for (identity,) in session.query(_NAMED, escape_nul(name))]


def names_of(
    session: Session, identities: Iterable[str], at: int | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the names of those identities that have any, at a time or at any time.

    The time is in nanoseconds since 1970.
    """
    found: dict[str, set[str]] = {}
    for identity, name, since, until in session.among(_NAMES, sorted(set(identities))):
        if at is None or ((since is None or since <= at) and (until is None or at < until)):
            found.setdefault(identity, set()).add(name)
    return {identity: tuple(sorted(names)) for identity, names in found.items()}


def _alias(found: Row) -> IdentityAlias:
    number, identity, name, since, until, reason, import_id, actor, said_at = found
    valid = rfc3339(since), rfc3339(until)
    return IdentityAlias(number, identity, name, *valid, reason, import_id, actor, rfc3339(said_at))
