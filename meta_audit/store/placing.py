"""Which job and which version a document belongs to, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from meta_audit.store.columns import JOBS, OBSERVATION, VERSION, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.batch import Accepted, Batch
    from meta_audit.store.dictionaries import Dictionaries
    from meta_audit.store.engine import Bulk

Row = tuple[Any, ...]
Change = Literal["new", "changed", "unchanged"]
NO_VERSION: tuple[()] = ()


class StoreNumbers:
    """A batch's own numbers of terms, pairs …: the store's."""

    def __init__(self, batch: Batch, dictionaries: Dictionaries) -> None:
        self.terms = dictionaries.terms(batch.terms)
        self.pairs = dictionaries.pairs(batch.pairs)
        self.identities = dictionaries.identities(batch.identities)
        self.rules = rules = dictionaries.rules(batch.rules)
        self.sets = dictionaries.attribution_sets(
            [
                tuple(sorted([(rules[rule], self.identities[who]) for rule, who in members]))
                for members in batch.attribution_sets
            ]
        )

    def version(self, document: Accepted) -> Row:
        """The columns of the document's version."""
        if document.version is None:
            return NO_VERSION
        terms = self.terms
        v = document.version
        return (
            v.spec_sha256,
            terms[v.origin],
            terms[v.layout],
            terms[v.name],
            terms[v.type],
            v.priority,
            v.count,
            v.version,
            v.created_at,
            self.sets[v.attribution_set],
        )

    def observation(self, document: Accepted, version_no: int) -> Row:
        """The columns of the document's observation."""
        state, message = self.terms[document.state], self.terms[document.message]
        return (version_no, state, message, document.revision, document.modified_at)


@dataclass(slots=True)
class _Job:
    job_key: int
    versions: dict[Row, int] = field(default_factory=dict)
    observations: set[Row] = field(default_factory=set)


@dataclass(slots=True)
class Placed:
    """Where a document belongs."""

    job_key: int
    version_no: int
    new_version: Row
    """The columns of the version, empty where the store has it."""
    observation: Row
    change: Change


class Placer:
    """Places the documents of one batch, after what the store has and one after the other."""

    def __init__(self, bulk: Bulk, next_job_key: int, numbers: StoreNumbers) -> None:
        self._bulk = bulk
        self._next = next_job_key
        self._numbers = numbers
        self._jobs: dict[tuple[str, int], _Job] = {}
        self._once: dict[tuple[str, int], tuple[Row, Placed]] = {}
        """New jobs of which the batch has shown one document yet: most stay here."""
        self.new_jobs: list[Any] = []
        """Flat rows of jobs to insert."""

    def recall(self, documents: Sequence[Accepted]) -> None:
        """Read what the store has of the jobs of these documents."""
        terms = self._numbers.terms
        wanted = {(d.job_id, terms[d.namespace]) for d in documents}
        sql = "SELECT job_id, namespace_id, job_key FROM jobs WHERE job_id AMONG KEYS"
        rows = self._bulk.among(sql, sorted({job_id for job_id, _ in wanted}))
        self._jobs = {(i, n): _Job(key) for i, n, key in rows if (i, n) in wanted}
        by_key = {job.job_key: job for job in self._jobs.values()}
        keys = sorted(by_key)
        sql = f"SELECT job_key, version_no, {quoted(VERSION)} FROM job_versions"  # noqa: S608
        for key, version_no, *version in self._bulk.among(f"{sql} WHERE job_key AMONG KEYS", keys):
            by_key[key].versions[tuple(version)] = version_no
        sql = f"SELECT job_key, {quoted(OBSERVATION)} FROM observations"  # noqa: S608
        for key, *observation in self._bulk.among(f"{sql} WHERE job_key AMONG KEYS", keys):
            by_key[key].observations.add(tuple(observation))

    def place(self, document: Accepted) -> Placed:
        """Find or number the job and the version of a document."""
        name = (document.job_id, self._numbers.terms[document.namespace])
        version = self._numbers.version(document)
        job = self._jobs.get(name) or self._met_once(name)
        if job is None:
            placed = self._place_new(document, name, version)
            self._once[name] = (version, placed)
            return placed
        version_no = job.versions.get(version, 0)
        new_version = NO_VERSION
        if version and not version_no:
            version_no = job.versions[version] = len(job.versions) + 1
            new_version = version
        observation = self._numbers.observation(document, version_no)
        change: Change = "unchanged" if version and observation in job.observations else "changed"
        job.observations.add(observation)
        return Placed(job.job_key, version_no, new_version, observation, change)

    def _place_new(self, document: Accepted, name: tuple[str, int], version: Row) -> Placed:
        job_key = self._next
        self._next += 1
        self.new_jobs += (job_key, *name)
        version_no = 1 if version else 0
        observation = self._numbers.observation(document, version_no)
        return Placed(job_key, version_no, version, observation, "new")

    def _met_once(self, name: tuple[str, int]) -> _Job | None:
        """A job that this batch brought, made ready to be met again."""
        if name not in self._once:
            return None
        version, placed = self._once.pop(name)
        versions = {version: placed.version_no} if version else {}
        job = self._jobs[name] = _Job(placed.job_key, versions, {placed.observation})
        return job

    @property
    def jobs_added(self) -> int:
        """How many jobs are new."""
        return len(self.new_jobs) // len(JOBS)
