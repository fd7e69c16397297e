"""Name identities: somebody says who stands behind a client, a node or a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.errors import NotFoundError, UsageError
from meta_audit.nul import escape_nul
from meta_audit.schema.tables import columns
from meta_audit.store.session import row

if TYPE_CHECKING:
    from meta_audit.store.session import Session

LONGEST_NAME: Final = 200
"""Most characters of a name."""
LONGEST_REASON: Final = 2_000
"""Most characters of a reason."""
_STANDING: Final = """
    SELECT a.identity, a.name, a.valid_from, a.valid_until FROM identity_aliases a
    WHERE a.withdraws = 0 AND a.{} = ?
        AND NOT EXISTS (SELECT 1 FROM identity_aliases w WHERE w.withdraws = a.alias_no)"""


class Alias(Struct, frozen=True):
    """Name an identity for a time, or take back that it was named."""

    identity: str
    """The whole value, as the store has it."""
    name: str
    valid_from: int | None = None
    """Nanoseconds since 1970; None is from the beginning."""
    valid_until: int | None = None
    """The first nanosecond at which it is not valid any more."""
    reason: str = ""
    withdraws: int = 0
    """Number of the alias that is taken back, 0 for none."""


def check_alias(session: Session, alias: Alias) -> None:
    """Check that an identity can be named so.

    Raises `UsageError` for a name or reason that cannot be stored, for a time that is empty, and
    for a name that it has then already.
    """
    for what, text, least, most in (
        ("name", alias.name, 1, LONGEST_NAME),
        ("reason", alias.reason, 0, LONGEST_REASON),
    ):
        if not least <= len(text.strip()) <= len(text) <= most or not text.isprintable():
            raise UsageError(f"a {what} must be one printable line of {least} to {most} characters")
    start, end = alias.valid_from, alias.valid_until
    if start is not None and end is not None and start >= end:
        raise UsageError("the alias would never be valid: its time ends before it begins")
    for _, name, since, until in session.query(_STANDING.format("identity"), alias.identity):
        apart = _is_before(until, start) or _is_before(end, since)
        if name == alias.name and not apart:
            raise UsageError(
                "the identity has this name already, for a time that overlaps",
                advice="`meta-audit alias list` shows it; take it back to change its time.",
            )


def withdrawal(session: Session, alias_no: int, reason: str) -> Alias:
    """Return what takes an alias back. Raises `NotFoundError` if there is none that stands."""
    found = session.query(_STANDING.format("alias_no"), alias_no)
    if not found:
        raise NotFoundError(
            f"there is no alias {alias_no}, or it was taken back",
            advice="`meta-audit alias list` lists them.",
        )
    identity, name, since, until = found[0]
    return Alias(identity, name, since, until, reason, alias_no)


def add_alias(session: Session, import_id: int, alias: Alias) -> None:
    """Add an alias within a transaction."""
    number = int(session.value("SELECT coalesce(max(alias_no), 0) + 1 FROM identity_aliases"))
    said = alias.name, alias.valid_from, alias.valid_until, alias.reason, alias.withdraws
    values = row(number, import_id, escape_nul(alias.identity), *said)
    session.insert("identity_aliases", columns("identity_aliases"), values)


def _is_before(end: int | None, start: int | None) -> bool:
    return end is not None and start is not None and end <= start
