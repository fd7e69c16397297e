"""Which job and which version each document belongs to, and what it changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from meta_audit.record.columns import OBSERVATION, VERSION, quoted
from meta_audit.store.session import Values, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.record.batch import Accepted, Batch
    from meta_audit.record.lookups import Dictionaries
    from meta_audit.store.session import Session

Row = tuple[Any, ...]
NOWHERE: Final = 0
"""Job key of documents that are left out."""


class StoreNumbers:
    """A batch's own numbers of terms, pairs …: the store's."""

    def __init__(self, batch: Batch, dictionaries: Dictionaries) -> None:
        self.terms = dictionaries.terms(batch.terms)
        self.pairs = dictionaries.pairs(batch.pairs)
        self.identities = dictionaries.identities(batch.identities)
        rules = dictionaries.rules(batch.rules)
        self.sets = dictionaries.attribution_sets(
            [
                tuple(sorted([(rules[rule], self.identities[who]) for rule, who in members]))
                for members in batch.attribution_sets
            ]
        )

    def versions(self, a: Accepted, places: Sequence[int]) -> Values:
        """The columns of the versions of these documents."""
        terms = self.terms
        return [
            [a.spec_sha256[n] for n in places],
            *([terms[column[n]] for n in places] for column in (a.origin, a.layout)),
            *([terms[column[n]] for n in places] for column in (a.name, a.type)),
            *([column[n] for n in places] for column in (a.priority, a.count, a.version)),
            [a.created_at[n] for n in places],
            [self.sets[a.attribution_set[n]] for n in places],
        ]

    def version(self, a: Accepted, place: int) -> Row:
        """The columns of the version of one document."""
        return tuple(column[0] for column in self.versions(a, (place,)))

    def observations(self, a: Accepted, places: Sequence[int], version_no: list[int]) -> Values:
        """The columns of the observations of these documents."""
        terms = self.terms
        return [
            [version_no[n] for n in places],
            *([terms[column[n]] for n in places] for column in (a.state, a.message)),
            *([column[n] for n in places] for column in (a.revision, a.modified_at)),
        ]

    def observation(self, a: Accepted, place: int, version_no: list[int]) -> Row:
        """The columns of the observation of one document."""
        return tuple(column[0] for column in self.observations(a, (place,), version_no))


@dataclass(slots=True)
class _Job:
    job_key: int
    versions: dict[Row, int] = field(default_factory=dict)
    observations: set[Row] = field(default_factory=set)


class Placer:
    """Places the documents of one batch, after what the store has and one after the other.

    `job_key` and `version_no` have an element for every document of the batch, also for those
    that are left out.
    """

    def __init__(self, bulk: Session, accepted: Accepted, numbers: StoreNumbers) -> None:
        self._bulk = bulk
        self._accepted = accepted
        self._numbers = numbers
        terms = numbers.terms
        self._names = list(
            zip(accepted.job_id, [terms[n] for n in accepted.namespace], strict=True)
        )
        self._known: dict[tuple[str, int], _Job] = {}
        """Jobs of the store, and those of which the batch has shown two documents."""
        self._first: dict[tuple[str, int], int] = {}
        """New jobs, and the first document of each."""
        self.job_key = [NOWHERE] * len(accepted)
        self.version_no = [0] * len(accepted)
        self.new_versions: list[int] = []
        """Documents that bring a version."""
        self.changes: Counter[str] = Counter()

    @property
    def new_jobs(self) -> Values:
        """The columns of the jobs to insert."""
        return rows((self.job_key[n], *name) for name, n in self._first.items())

    @property
    def jobs_added(self) -> int:
        """How many jobs are new."""
        return len(self._first)

    def recall(self, places: Iterable[int]) -> None:
        """Read what the store has of the jobs of these documents."""
        wanted = {self._names[n] for n in places}
        sql = "SELECT job_id, namespace_id, job_key FROM jobs WHERE job_id AMONG KEYS"
        found = self._bulk.among(sql, sorted({job_id for job_id, _ in wanted}))
        self._known = {(i, n): _Job(key) for i, n, key in found if (i, n) in wanted}
        by_key = {job.job_key: job for job in self._known.values()}
        keys = sorted(by_key)
        sql = f"SELECT job_key, version_no, {quoted(VERSION)} FROM job_versions"  # noqa: S608
        for key, version_no, *version in self._bulk.among(f"{sql} WHERE job_key AMONG KEYS", keys):
            by_key[key].versions[tuple(version)] = version_no
        sql = f"SELECT job_key, {quoted(OBSERVATION)} FROM observations"  # noqa: S608
        for key, *observation in self._bulk.among(f"{sql} WHERE job_key AMONG KEYS", keys):
            by_key[key].observations.add(tuple(observation))

    def place(self, places: Iterable[int], next_job_key: int) -> None:
        """Find or number the job and the version of these documents."""
        names, known, first, spec = self._names, self._known, self._first, self._accepted
        for n in places:
            name = names[n]
            if name in known or name in first:
                self._place_again(n, name)
                continue
            first[name] = n
            self.job_key[n] = next_job_key
            next_job_key += 1
            if spec.spec_sha256[n]:
                self.version_no[n] = 1
                self.new_versions.append(n)
        self.changes["new"] += len(first)

    def _place_again(self, n: int, name: tuple[str, int]) -> None:
        """Place a document of a job that the store has, or that the batch has shown before."""
        accepted, numbers = self._accepted, self._numbers
        job = self._known.get(name) or self._shown(name)
        self.job_key[n] = job.job_key
        has_version = bool(accepted.spec_sha256[n])
        if has_version:
            version = numbers.version(accepted, n)
            if version not in job.versions:
                job.versions[version] = len(job.versions) + 1
                self.new_versions.append(n)
            self.version_no[n] = job.versions[version]
        observation = numbers.observation(accepted, n, self.version_no)
        is_seen = has_version and observation in job.observations
        self.changes["unchanged" if is_seen else "changed"] += 1
        job.observations.add(observation)

    def _shown(self, name: tuple[str, int]) -> _Job:
        n, accepted, numbers = self._first[name], self._accepted, self._numbers
        versions = {numbers.version(accepted, n): 1} if accepted.spec_sha256[n] else {}
        observation = numbers.observation(accepted, n, self.version_no)
        job = self._known[name] = _Job(self.job_key[n], versions, {observation})
        return job
