"""Find the identity that a text means: its value, the beginning of it, or a key's fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.answer import Answer
from meta_audit.errors import NotFoundError, UsageError
from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.query.aliases import identities_named
from meta_audit.query.attributions import ID_OF_KEY, ROLES
from meta_audit.query.public_keys import fingerprint_of, keys_with_fingerprint
from meta_audit.query.texts import LAST, exact, storable, unescape_shown
from meta_audit.query.unknown import LOOKED_AT, nearest
from meta_audit.schema.text_digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.store.session import Session

CANDIDATES_FORMAT: Final = "meta-audit/identity-candidates/1"
SHOWN: Final = 20
"""Most candidates listed."""
NODE: Final = "node"
"""Role of an identity that executions or events name."""
NODE_PREFIX: Final = "n-"
"""Node IDs begin with this since v1.2.1; a user may leave it out."""
FINGERPRINT: Final = "SHA256:"
CUT: Final = "…"
"""End of a value that a page has cut."""

_EXACT: Final = "SELECT identity_id, value FROM identities WHERE digest = ?"
_BY_NUMBER: Final = "SELECT identity_id, value FROM identities WHERE identity_id AMONG KEYS"
_BEGINNING: Final = f"""
    SELECT identity_id, value FROM identities
    WHERE value >= ? AND value < ? ORDER BY value LIMIT {SHOWN + 1}"""  # noqa: S608
_JOB: Final = "SELECT 1 FROM jobs WHERE job_id >= ? AND job_id < ? LIMIT 1"
_ROLES: Final = """
    SELECT DISTINCT m.identity_id, r.role
    FROM attribution_members m JOIN attribution_rules r ON r.rule_id = m.rule_id
    WHERE m.identity_id AMONG KEYS"""
_SOME: Final = f"SELECT value FROM identities ORDER BY identity_id DESC LIMIT {LOOKED_AT}"  # noqa: S608


class NamedIdentity(NamedTuple):
    """Name the identity that is meant."""

    identity_id: int
    value: str


class IdentityCandidate(Answer, frozen=True):
    """Name an identity that a text may mean."""

    value: str
    roles: tuple[str, ...]
    """Roles that it has in attributions; none of a node that only executions name."""
    fingerprint: str
    """Of a key; else empty."""


class IdentityCandidates(Answer, frozen=True):
    """List the identities that an ambiguous text may mean."""

    format: str
    query: str
    candidates: tuple[IdentityCandidate, ...]
    more: bool
    """True if there are more than those."""


def name_identity(session: Session, text: str) -> NamedIdentity | IdentityCandidates:
    """Return the identity that is meant, or the candidates.

    The whole value wins over a beginning. A text that fits none is tried as a page shows it.
    Raises `NotFoundError`, and `UsageError` for an empty text.
    """
    if not text:
        raise UsageError("ID is empty", advice="Give an ID, a key, or the beginning of one.")
    found = _named(session, text) or _named(session, unescape_shown(text.removesuffix(CUT)))
    if not found:
        raise _not_found(session, text)
    if len(found) == 1:
        return found[0]
    shown = found[:SHOWN]
    roles: dict[int, list[str]] = {}
    for identity_id, role in session.among(_ROLES, [one.identity_id for one in shown]):
        roles.setdefault(identity_id, []).append(role)
    candidates = tuple(_candidate(one, roles.get(one.identity_id, ())) for one in shown)
    more = len(found) > len(shown)
    return exact(IdentityCandidates(CANDIDATES_FORMAT, text, candidates, more))


def fingerprint_in(roles: Iterable[str], value: str) -> str:
    """Return the fingerprint of a value that is a key in one of these roles, else ""."""
    return next((fingerprint_of(role, value) for role in roles if role in ID_OF_KEY), "")


def _named(session: Session, text: str) -> list[NamedIdentity]:
    if not text or not storable(text):
        return []
    if text.startswith(FINGERPRINT):
        keys = keys_with_fingerprint(session, text)
        return [NamedIdentity(*row) for row in session.among(_BY_NUMBER, keys)]
    wanted = escape_nul(text)
    found = session.query(_EXACT, digest(wanted))
    if not found:
        for beginning in (wanted, NODE_PREFIX + wanted):
            found += session.query(_BEGINNING, beginning, beginning + LAST)
    return [NamedIdentity(*row) for row in found]


def _candidate(one: NamedIdentity, roles: Iterable[str]) -> IdentityCandidate:
    ordered = tuple(sorted(roles, key=ROLES.index))
    return IdentityCandidate(one.value, ordered, fingerprint_in(ordered, one.value))


def _not_found(session: Session, text: str) -> NotFoundError:
    wanted = escape_nul(text)
    if storable(text) and session.query(_JOB, wanted, wanted + LAST):
        advice = f"It is a job, or the beginning of one: `meta-audit trace {text}` shows it."
    else:
        like = identities_named(session, text) if storable(text) else []
        like = like or nearest(text, (unescape_nul(row[0]) for row in session.query(_SOME)))
        advice = (
            f"Did you mean {' or '.join(like)}?"
            if like
            else "`meta-audit clients`, `requesters` and `nodes` list those that the store knows."
        )
    return NotFoundError(
        f"the store knows no client, node, key or installation {text}", advice=advice
    )
