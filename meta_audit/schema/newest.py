"""Order the documents of a job: the one that tells its newest state first.

A spec never hides what an orchestrator says, whatever its times (`model.ORIGIN_RANK`). Ties of
time are broken by content, so that the order of arrival does not count. The view `v_jobs` has the
same order (migrations/).
"""

from __future__ import annotations

from typing import Final

from meta_audit.model import ORIGIN_RANK

_RANKS: Final = " ".join(f"WHEN '{origin}' THEN {rank}" for origin, rank in ORIGIN_RANK.items())
RANK: Final = f"CASE origin.term {_RANKS} ELSE 0 END"
"""Rank of the version that is joined as `newest_version`."""
NEWEST_JOINS: Final = """
    LEFT JOIN job_versions newest_version
        ON newest_version.job_key = o.job_key AND newest_version.version_no = o.version_no
    LEFT JOIN terms origin ON origin.term_id = newest_version.origin_id
    LEFT JOIN terms layout ON layout.term_id = newest_version.layout_id
    JOIN documents d ON d.document_id = o.document_id"""
NEWEST_ORDER: Final = f"""
    {RANK} DESC, coalesce(newest_version.version, 0) DESC, coalesce(o.modified_at, 0) DESC,
    o.revision DESC, coalesce(layout.term, '') DESC, newest_version.spec_sha256 DESC,
    d.sha256 DESC"""
NEWEST_DOCUMENTS: Final = f"""
    SELECT o.job_key, o.document_id FROM observations o {NEWEST_JOINS}
    WHERE o.job_key IN (?, ?)
    ORDER BY CASE o.job_key WHEN ? THEN 0 ELSE 1 END, {NEWEST_ORDER}"""  # noqa: S608
"""Documents of a job and of the job under which its activity stands; then the job again."""
