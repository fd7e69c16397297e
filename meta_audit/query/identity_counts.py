"""Count the jobs of each client and requester, and the trust that they deserve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import field

from meta_audit.answer import Answer
from meta_audit.query.aliases import names_of
from meta_audit.query.live import live_version
from meta_audit.query.selection import OWNED, OWNER, Selection, total
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from meta_audit.store.session import Session

IDENTITIES_FORMAT: Final = "meta-audit/identities/1"

_FLAGS: Final = ", ".join(
    f"max(CASE WHEN r.{column} = '{value}' THEN 1 ELSE 0 END) AS {value}"
    for column, values in (
        ("trust", ("proven", "server", "claimed", "inferred", "unsubmitted")),
        ("verdict", ("mismatch",)),
    )
    for value in values
)
_COUNTS: Final = f"""
    SELECT i.value AS name, x.*
    FROM (
        SELECT identity_id, count(*) AS jobs, min(first_at) AS first_at, max(last_at) AS last_at,
            sum(proven) AS proven, sum(server) AS server, sum(claimed) AS claimed,
            sum(inferred) AS inferred, sum(unsubmitted) AS unsubmitted, sum(mismatch) AS mismatch
        FROM (
            SELECT m.identity_id, {OWNER.format("v")} AS job, min(v.created_at) AS first_at,
                max(v.created_at) AS last_at, {_FLAGS}
            FROM attribution_rules r
            JOIN attribution_members m ON m.rule_id = r.rule_id
            JOIN job_versions v ON v.attribution_set = m.set_id {OWNED.format("v")}
            WHERE r.role = ? AND {live_version("v")} AND {{within}}
            GROUP BY m.identity_id, {OWNER.format("v")}) j
        GROUP BY identity_id) x
    JOIN identities i ON i.identity_id = x.identity_id"""  # noqa: S608


class IdentityCount(Answer, frozen=True):
    """Count the jobs that name an identity in one role, in any version."""

    value: str
    jobs: int
    first_at: str | None
    """Create time of the first job."""
    last_at: str | None
    proven: int
    """Jobs with this trust; a job may have several."""
    server: int
    claimed: int
    inferred: int
    unsubmitted: int
    mismatch: int
    """Jobs in which the ID does not belong to its public key."""


class IdentityCounts(Answer, frozen=True):
    """List the identities in one role."""

    format: str
    role: str
    identities: tuple[IdentityCount, ...]
    total: int
    """Number of identities, beyond the limit too."""
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that people gave to them, at any time."""


def identity_counts(
    session: Session, role: Literal["client", "requester"], wanted: Selection
) -> IdentityCounts:
    """Return the identities in a role, with counts of their jobs."""
    within, parameters = wanted.within("v.created_at")
    rows = session.query(wanted.ordered(_COUNTS.format(within=within)), role, *parameters)
    found = tuple(
        IdentityCount(value, jobs, rfc3339(first), rfc3339(last), *trusts)
        for value, _, jobs, first, last, *trusts, _ in rows
    )
    names = names_of(session, [one.value for one in found])
    return exact(IdentityCounts(IDENTITIES_FORMAT, role, found, total(rows), names))
