"""Tell what the store knows of one identity: a client, a node, a key, an installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.errors import NotFoundError
from meta_audit.model import TRUSTS
from meta_audit.query.aliases import IdentityAlias, aliases_of
from meta_audit.query.attributions import ID_OF_KEY, ROLES
from meta_audit.query.job_summaries import summaries
from meta_audit.query.live import live_version
from meta_audit.query.name_identity import (
    IdentityCandidates,
    NamedIdentity,
    fingerprint_in,
    name_identity,
)
from meta_audit.query.node_counts import TOLD, NodeCount
from meta_audit.query.results import JobSummary
from meta_audit.query.selection import OWNED, OWNER
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Row, Session

WHO_FORMAT: Final = "meta-audit/who/1"
NEWEST: Final = 10
"""Newest jobs that are listed."""
COMPANIONS: Final = 10
"""Most identities of a role that are listed."""

_JOB: Final = OWNER.format("v")
_TIE: Final = """min((SELECT j.job_id FROM jobs j WHERE j.job_key = {0}.job_key)) AS job_id, max((
        SELECT n.term FROM jobs j JOIN terms n ON n.term_id = j.namespace_id
        WHERE j.job_key = {0}.job_key)) AS namespace"""
_VERSIONS: Final = f"""
    FROM attribution_members m
    JOIN attribution_rules r ON r.rule_id = m.rule_id
    JOIN job_versions v ON v.attribution_set = m.set_id {OWNED.format("v")}"""
_ROLES: Final = f"""
    SELECT r.role, r.trust, r.verdict, count(DISTINCT {_JOB}), min(v.created_at),
        max(v.created_at) {_VERSIONS}
    WHERE m.identity_id = ? AND {live_version("v")}
    GROUP BY r.role, r.trust, r.verdict"""
_JOBS: Final = f"""
    SELECT {_JOB}, max(v.created_at) AS newest, count(*) OVER (), {_TIE.format("v")}
    {_VERSIONS}
    WHERE m.identity_id = ? AND {live_version("v")}
    GROUP BY {_JOB} ORDER BY newest DESC NULLS LAST, job_id DESC, namespace DESC LIMIT {NEWEST}"""
_SEEN: Final = f"""
    SELECT x.first_import, x.last_import, f.started_at, l.started_at
    FROM (
        SELECT min(c.first_import) AS first_import, max(c.last_import) AS last_import {_VERSIONS}
        JOIN current_jobs c ON c.job_key = {_JOB}
        WHERE m.identity_id = ? AND {live_version("v")}) x
    LEFT JOIN imports f ON f.import_id = x.first_import
    LEFT JOIN imports l ON l.import_id = x.last_import"""  # noqa: S608
_NODE: Final = f"""
    SELECT {OWNER.format("t")}, max(t.began) AS newest, min(t.began), max(t.ended),
        count(DISTINCT CASE WHEN t.execution_id <> '' THEN t.execution_id END),
        {_TIE.format("t")}
    FROM ({TOLD}) t {OWNED.format("t")}
    WHERE t.node_id = ?
    GROUP BY {OWNER.format("t")} ORDER BY newest DESC NULLS LAST, job_id DESC, namespace DESC"""  # noqa: S608
_TOGETHER: Final = f"""
    SELECT * FROM (
        SELECT x.*, count(*) OVER (PARTITION BY role) AS of_role,
            row_number() OVER (PARTITION BY role ORDER BY jobs DESC, value) AS place
        FROM (
            SELECT p.role, i.value, count(DISTINCT {_JOB}) AS jobs {_VERSIONS}
            JOIN attribution_members o ON o.set_id = m.set_id AND o.identity_id <> m.identity_id
            JOIN attribution_rules p ON p.rule_id = o.rule_id
            JOIN identities i ON i.identity_id = o.identity_id
            WHERE m.identity_id = ? AND {live_version("v")}
            GROUP BY p.role, i.identity_id, i.value) x) y
    WHERE place <= {COMPANIONS}"""  # noqa: S608


class IdentityRole(Answer, frozen=True):
    """Count the jobs in which an identity has a role, a trust and a verdict."""

    role: str
    trust: str
    verdict: str
    jobs: int
    first_at: str | None
    """Create time of the first job."""
    last_at: str | None


class Companion(Answer, frozen=True):
    """Name an identity that appears together with another one."""

    role: str
    value: str
    fingerprint: str
    """Of a key; else empty."""
    jobs: int
    """Jobs that name both."""


class CompanionCount(Answer, frozen=True):
    """Count the identities of one role that appear together with another one."""

    role: str
    identities: int


class IdentityWarning(Answer, frozen=True):
    """Say what an auditor should look at."""

    code: str
    """`mismatch`, `several_keys` (one ID) or `several_ids` (one key)."""
    detail: str


class Identity(Answer, frozen=True):
    """Hold what the store knows of one identity."""

    format: str
    value: str
    fingerprint: str
    """Of a key; else empty."""
    warnings: tuple[IdentityWarning, ...]
    roles: tuple[IdentityRole, ...]
    node: NodeCount | None
    """Its work as a compute node."""
    jobs: int
    """Jobs that name it in any role; those that it only ran are not counted."""
    first_at: str | None
    """First time that a job, execution or event of it states."""
    last_at: str | None
    first_import: int | None
    """Import that first brought a document of a job that names it."""
    last_import: int | None
    """Import that last brought one."""
    first_seen_at: str | None
    """When that import began."""
    last_seen_at: str | None
    newest_jobs: tuple[JobSummary, ...]
    together: tuple[Companion, ...]
    """The most frequent ones of each role."""
    together_counts: tuple[CompanionCount, ...]
    """Number of each role."""
    aliases: tuple[IdentityAlias, ...] = ()
    """Names that people gave to it."""


def who(session: Session, text: str) -> Identity | IdentityCandidates:
    """Return what is known of the identity that a text means, or the candidates.

    Raises `NotFoundError`, and `UsageError` for an empty text.
    """
    meant = name_identity(session, text)
    if isinstance(meant, IdentityCandidates):
        return meant
    found = exact(_read(session, meant))
    if not (found.roles or found.node):
        raise NotFoundError(
            f"no job names {found.value}",
            advice="Those that did came later than --as-of or --at, or were read again since.",
        )
    return found


def _read(session: Session, meant: NamedIdentity) -> Identity:
    number = meant.identity_id
    in_roles, jobs, seen, ran, together = session.together(
        (_ROLES, number), (_JOBS, number), (_SEEN, number), (_NODE, number),
        (_TOGETHER, number),
    )  # fmt: skip
    in_roles.sort(key=lambda row: (ROLES.index(row[0]), TRUSTS.index(row[1]), row[2]))
    roles = [
        IdentityRole(role, trust, verdict, jobs_, rfc3339(first), rfc3339(last))
        for role, trust, verdict, jobs_, first, last in in_roles
    ]
    together.sort(key=lambda row: (ROLES.index(row[0]), row[4]))
    counts = {role: of_role for role, _, _, of_role, _ in together}
    times = [time for row in in_roles for time in row[4:]] + [t for row in ran for t in row[2:4]]
    known = [time for time in times if time is not None]
    first_import, last_import, first_seen, last_seen = seen[0]
    return Identity(
        WHO_FORMAT,
        meant.value,
        fingerprint_in([role.role for role in roles], meant.value),
        tuple(_warnings(roles, counts)),
        tuple(roles),
        _node(meant, ran),
        jobs[0][2] if jobs else 0,
        rfc3339(min(known, default=None)),
        rfc3339(max(known, default=None)),
        first_import,
        last_import,
        rfc3339(first_seen),
        rfc3339(last_seen),
        _newest(session, jobs, ran),
        tuple(
            Companion(role, value, fingerprint_in([role], value), shared)
            for role, value, shared, _, _ in together
        ),
        tuple(CompanionCount(*count) for count in counts.items()),
        aliases_of(session, meant.value),
    )


def _node(meant: NamedIdentity, ran: Sequence[Row]) -> NodeCount | None:
    if not ran:
        return None
    first = min((row[2] for row in ran if row[2] is not None), default=None)
    last = max((row[3] for row in ran if row[3] is not None), default=None)
    executions = sum(row[4] for row in ran)
    return NodeCount(meant.value, len(ran), executions, rfc3339(first), rfc3339(last))


def _newest(session: Session, named: Sequence[Row], ran: Sequence[Row]) -> tuple[JobSummary, ...]:
    """Return the newest jobs that an identity is named in, or that it ran."""
    newest: dict[int, tuple[bool, int, str, str]] = {}
    for job_key, time, *_, job_id, namespace in (*named, *ran[:NEWEST]):
        place = time is not None, time or 0, job_id, namespace
        newest[job_key] = max(newest.get(job_key, place), place)
    keys = sorted(newest, key=newest.__getitem__, reverse=True)
    jobs = summaries(session, keys[:NEWEST])
    return tuple(sorted(jobs, key=lambda job: job.created_at or "", reverse=True))


def _warnings(roles: Sequence[IdentityRole], together: dict[str, int]) -> list[IdentityWarning]:
    found = []
    bad = sum(one.jobs for one in roles if one.verdict == "mismatch")
    if bad:
        detail = f"the ID does not belong to the public key in {bad:,} of its attributions to jobs"
        found.append(IdentityWarning("mismatch", detail))
    mine = {one.role for one in roles}
    for key, owner in ID_OF_KEY.items():
        if owner in mine and together.get(key, 0) > 1:
            detail = f"one {owner} with {together[key]:,} public keys"
            found.append(IdentityWarning("several_keys", detail))
        if key in mine and together.get(owner, 0) > 1:
            detail = f"one public key under {together[owner]:,} {owner} IDs"
            found.append(IdentityWarning("several_ids", detail))
    return found
