"""Compute the rows of `current_jobs`: each job as its newest document shows it.

The writer makes rows of new jobs itself; those of jobs that it knew are computed here, and
`verify` computes every row again.
"""

from __future__ import annotations

from typing import Final

from meta_audit.model import TRUSTS
from meta_audit.schema.newest import NEWEST_JOINS, NEWEST_ORDER
from meta_audit.schema.tables import columns

COLUMNS: Final = columns("current_jobs")
NOBODY: Final = 0
"""In place of an identity and its rule."""

_TRUST: Final = " ".join(f"WHEN '{trust}' THEN {n}" for n, trust in enumerate(TRUSTS))
BELONGS_ELSEWHERE: Final = """(
        (SELECT term FROM terms WHERE term_id = j.namespace_id) = ''
        AND EXISTS (
            SELECT 1 FROM jobs b WHERE b.job_id = j.job_id AND b.job_key <> j.job_key AND (
                NOT EXISTS (SELECT 1 FROM job_versions w WHERE w.job_key = j.job_key)
                OR EXISTS (
                    SELECT 1 FROM job_versions w
                    JOIN terms g ON g.term_id = w.origin_id AND g.term = 'orchestrator'
                    WHERE w.job_key = b.job_key))))"""
"""Condition that the documents of `jobs j` belong to another job, of its ID with a namespace."""


def _best(role: str) -> str:
    """Return the columns of who is first in a role."""
    return ", ".join(
        f"max(CASE role WHEN '{role}' THEN {column} END) AS {role}_{name}"
        for column, name in (("identity_id", "id"), ("rule_id", "rule"))
    )


def current_jobs(of_jobs: str) -> str:
    """Return SQL that computes the rows of some jobs, in the order of `COLUMNS`.

    `of_jobs` says which, behind the name of a column of job keys. `place < 2` says the same as
    `place = 1`, of which PostgreSQL expects so few rows that it looks through them in a loop; for
    the same reason `who` is made once.
    """
    return f"""
    WITH live AS (
        SELECT o.job_key, o.document_id, o.version_no, o.state_id, o.revision, o.modified_at,
            newest_version.created_at, newest_version.version, newest_version.name_id,
            newest_version.type_id, newest_version.attribution_set, origin.term AS origin,
            row_number() OVER (PARTITION BY o.job_key ORDER BY {NEWEST_ORDER}) AS place
        FROM observations o {NEWEST_JOINS}
        WHERE o.job_key {of_jobs}
            AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)),
    ranked AS (
        SELECT m.set_id, r.role, m.identity_id, m.rule_id, row_number() OVER (
            PARTITION BY m.set_id, r.role
            ORDER BY CASE r.trust {_TRUST} END, r.basis, i.value, r.verdict) AS place
        FROM attribution_members m
        JOIN attribution_rules r ON r.rule_id = m.rule_id AND r.role IN ('client', 'requester')
        JOIN identities i ON i.identity_id = m.identity_id
        WHERE m.set_id IN (SELECT attribution_set FROM live WHERE place < 2)),
    who AS MATERIALIZED (
        SELECT set_id, {_best("client")}, {_best("requester")}
        FROM ranked WHERE place < 2 GROUP BY set_id)
    SELECT n.job_key, n.document_id, n.version_no,
        (SELECT count(DISTINCT o.version_no) FROM observations o
         WHERE o.job_key = n.job_key AND o.version_no > 0
            AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)),
        n.created_at, n.modified_at, n.revision, coalesce(n.version, 0),
        (SELECT term FROM terms WHERE term_id = j.namespace_id),
        (SELECT term FROM terms WHERE term_id = n.state_id),
        coalesce((SELECT term FROM terms WHERE term_id = n.type_id), ''),
        coalesce(n.origin, 'activity'), coalesce(n.name_id, 0),
        coalesce(who.client_id, {NOBODY}), coalesce(who.client_rule, {NOBODY}),
        coalesce(who.requester_id, {NOBODY}), coalesce(who.requester_rule, {NOBODY}),
        (SELECT min(s.import_id) FROM observations o JOIN sources s ON s.source_id = o.source_id
         WHERE o.job_key = n.job_key),
        (SELECT max(s.import_id) FROM observations o JOIN sources s ON s.source_id = o.source_id
         WHERE o.job_key = n.job_key)
    FROM live n
    JOIN jobs j ON j.job_key = n.job_key
    LEFT JOIN who ON who.set_id = n.attribution_set
    WHERE n.place < 2 AND NOT {BELONGS_ELSEWHERE}"""  # noqa: S608
