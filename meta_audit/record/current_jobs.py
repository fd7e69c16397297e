"""Keep `current_jobs`: a row per job, as its newest document shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.model import TRUSTS
from meta_audit.schema.current_jobs import COLUMNS, NOBODY, current_jobs
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meta_audit.record.batch import Batch
    from meta_audit.record.versions import Matcher, StoreIds
    from meta_audit.store.session import Session, Values

Who = tuple[int, int]
"""Identity and rule, as the store numbers them."""


def recompute(session: Session, job_keys: Sequence[int]) -> None:
    """Replace the rows of these jobs by those that follow from the other tables now."""
    found = list(session.among(current_jobs("AMONG KEYS"), job_keys))
    session.delete("current_jobs", "job_key", job_keys)
    session.insert("current_jobs", COLUMNS, rows(sorted(found)))


def of_new_jobs(
    batch: Batch,
    matcher: Matcher,
    ids: StoreIds,
    places: Mapping[int, int],
    import_id: int,
) -> Values:
    """Return the columns of jobs of which these documents are the first and only ones.

    `places` maps their numbers in the batch to their index in the ledger.
    """
    if not places:
        return []
    a, texts = batch.accepted, batch.terms
    has_version = [matcher.version_no[n] for n in places]
    clients, requesters = _best(batch, ids, "client"), _best(batch, ids, "requester")
    sets = [a.attribution_set[n] if a.spec_sha256[n] else None for n in places]
    who = [(*clients.get(s, (NOBODY, NOBODY)), *requesters.get(s, (NOBODY, NOBODY))) for s in sets]
    name, type_, origin = a.name, a.type, a.origin
    return [
        [matcher.job_key[n] for n in places],
        list(places.values()),
        has_version,
        has_version,
        *([column[n] for n in places] for column in (a.created_at, a.modified_at)),
        *([column[n] for n in places] for column in (a.revision, a.version)),
        *([texts[column[n]] for n in places] for column in (a.namespace, a.state)),
        [texts[type_[n]] if a.spec_sha256[n] else "" for n in places],
        [texts[origin[n]] if a.spec_sha256[n] else "activity" for n in places],
        [ids.terms[name[n]] if a.spec_sha256[n] else 0 for n in places],
        *zip(*who, strict=True),
        *([import_id] * len(places) for _ in range(2)),
    ]


def _best(batch: Batch, ids: StoreIds, role: str) -> dict[int | None, Who]:
    """Return the best known identity in a role, by set of attributions."""
    found: dict[int | None, Who] = {}
    for number, members in enumerate(batch.attribution_sets):
        ranked = [
            (TRUSTS.index(trust), basis, batch.identities[who], verdict, who, rule)
            for rule, who in members
            for of, basis, trust, verdict in (batch.rules[rule],)
            if of == role
        ]
        if ranked:
            *_, who, rule = min(ranked)
            found[number] = ids.identities[who], ids.rules[rule]
    return found
