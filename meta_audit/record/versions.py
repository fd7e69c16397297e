"""Find the job and the version that each document belongs to, and what it changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meta_audit.record.batch import NO_ENTRY
from meta_audit.record.two_jobs import GrownJob, Stated
from meta_audit.schema.tables import columns
from meta_audit.store.session import Row, Values, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meta_audit.record.batch import Accepted, Batch
    from meta_audit.record.lookups import Lookups
    from meta_audit.store.session import Session

NOWHERE: Final = 0
"""Job key of documents that are left out."""
_COLUMNS: Final = columns("job_versions")[2:]
_VERSION: Final = ", ".join(f'"{column}"' for column in _COLUMNS)
_ORIGIN: Final = _COLUMNS.index("origin_id")
_LAYOUT: Final = _COLUMNS.index("layout_id")
_CREATED_AT: Final = _COLUMNS.index("created_at")
_ATTRIBUTION_SET: Final = _COLUMNS.index("attribution_set")
_OBSERVATION: Final = ", ".join(columns("observations")[2:7])


class StoreIds:
    """Map a batch's local IDs of terms, pairs and identities to store IDs."""

    def __init__(self, batch: Batch, lookups: Lookups) -> None:
        self.terms = lookups.terms(batch.terms)
        self.orchestrator = dict(zip(batch.terms, self.terms, strict=True)).get("orchestrator")
        """ID of the origin `orchestrator`, None if no document of the batch has it."""
        self.pairs = lookups.pairs(batch.pairs)
        self.identities = lookups.identities(batch.identities)
        self.rules = rules = lookups.rules(batch.rules)
        self.sets = lookups.attribution_sets(
            [
                tuple(sorted([(rules[rule], self.identities[who]) for rule, who in members]))
                for members in batch.attribution_sets
            ]
        )

        terms = self.terms
        uses = lookups.uses([(kind, terms[t], terms[v], terms[g]) for kind, t, v, g in batch.uses])
        self.use_sets = lookups.use_sets(
            [
                tuple([(task_no, uses[use]) for task_no, use in members])
                for members in batch.use_sets
            ]
        )

    def versions(self, a: Accepted, places: Sequence[int]) -> Values:
        """Return the columns of the versions of these documents."""
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
        """Return the columns of the version of one document."""
        return tuple(column[0] for column in self.versions(a, (place,)))

    def observations(self, a: Accepted, places: Sequence[int], version_no: list[int]) -> Values:
        """Return the columns of the observations of these documents."""
        terms = self.terms
        return [
            [version_no[n] for n in places],
            *([terms[column[n]] for n in places] for column in (a.state, a.message)),
            *([column[n] for n in places] for column in (a.revision, a.modified_at)),
        ]

    def observation(self, a: Accepted, place: int, version_no: list[int]) -> Row:
        """Return the columns of the observation of one document."""
        return tuple(column[0] for column in self.observations(a, (place,), version_no))


@dataclass(slots=True)
class Job:
    """Hold the known versions of a job, and the states that were seen."""

    job_key: int
    versions: dict[Row, int] = field(default_factory=dict)
    observations: set[Row] = field(default_factory=set)


class Matcher:
    """Match the documents of one batch with jobs and versions, one after the other.

    `job_key` and `version_no` have an element for every document of the batch, also for those
    that are left out.
    """

    def __init__(
        self,
        session: Session,
        accepted: Accepted,
        ids: StoreIds,
        remembered: Mapping[tuple[str, int], Job],
    ) -> None:
        self._remembered = remembered
        self._session = session
        self._accepted = accepted
        self._ids = ids
        terms = ids.terms
        self._names = list(
            zip(accepted.job_id, [terms[n] for n in accepted.namespace], strict=True)
        )
        self._known: dict[tuple[str, int], Job] = {}
        """Jobs of the store, and those of which the batch has shown two documents."""
        self._first: dict[tuple[str, int], int] = {}
        """New jobs, and the first document of each."""
        self.job_key = [NOWHERE] * len(accepted)
        self.version_no = [0] * len(accepted)
        self.new_versions: list[int] = []
        """Documents that bring a version."""
        self._others: dict[str, list[int]] = defaultdict(list)
        """Keys of the jobs of the store by ID, whatever their namespace."""
        self.changes: Counter[str] = Counter()
        self._grown: dict[tuple[str, int], int] = {}
        """Jobs that an orchestrator states anew, and how many versions they had before."""

    @property
    def new_jobs(self) -> Values:
        """Return the columns of the jobs to insert."""
        return rows((self.job_key[n], *name) for name, n in self._first.items())

    @property
    def jobs_added(self) -> int:
        """Count the jobs of which this batch brings the first version."""
        return sum(self.version_no[n] == 1 for n in self.new_versions)

    def recall(self, places: Iterable[int]) -> None:
        """Read what the store has of the jobs of these documents."""
        wanted = {self._names[n] for n in places}
        sql = "SELECT job_id, namespace_id, job_key FROM jobs WHERE job_id AMONG KEYS"
        for job_id, namespace, key in self._session.among(sql, sorted({i for i, _ in wanted})):
            self._others[job_id].append(key)
            if (job_id, namespace) in wanted:
                self._known[job_id, namespace] = Job(key)
        by_key = {job.job_key: job for job in self._known.values()}
        keys = sorted(by_key)
        sql = f"SELECT job_key, version_no, {_VERSION} FROM job_versions"  # noqa: S608
        for key, version_no, *version in self._session.among(
            f"{sql} WHERE job_key AMONG KEYS", keys
        ):
            by_key[key].versions[tuple(version)] = version_no
        sql = f"SELECT job_key, {_OBSERVATION} FROM observations"  # noqa: S608
        for key, *observation in self._session.among(f"{sql} WHERE job_key AMONG KEYS", keys):
            by_key[key].observations.add(tuple(observation))
        self._known |= {n: self._remembered[n] for n in wanted & self._remembered.keys()}

    def split(self) -> tuple[list[int], list[int]]:
        """Return the documents of new jobs that stand alone, and the keys of all other jobs.

        Of the others there is more to know: several documents, or several jobs of one ID.
        """
        new = Counter([job_id for job_id, _ in self._first])
        others = {key for keys in self._others.values() for key in keys}
        alone = []
        for name, n in self._first.items():
            if name in self._known or name[0] in self._others or new[name[0]] > 1:
                others.add(self.job_key[n])
            else:
                alone.append(n)
        return alone, sorted(others)

    def jobs(self) -> dict[tuple[str, int], Job]:
        """Return all that is known of the jobs of this batch."""
        for name in self._first.keys() - self._known.keys():
            self._shown(name)
        return self._known

    def match(self, places: Iterable[int], next_job_key: int) -> None:
        """Find or number the job and the version of these documents."""
        names, known, first, spec = self._names, self._known, self._first, self._accepted
        for n in places:
            name = names[n]
            if name in known or name in first:
                self._match_again(n, name)
                continue
            first[name] = n
            self.job_key[n] = next_job_key
            next_job_key += 1
            if spec.spec_sha256[n]:
                self.version_no[n] = 1
                self.new_versions.append(n)
        self.changes["new"] += len(first)

    def _match_again(self, n: int, name: tuple[str, int]) -> None:
        """Match a document of a job that the store or the batch has shown before."""
        accepted, ids = self._accepted, self._ids
        job = self._known.get(name) or self._shown(name)
        self.job_key[n] = job.job_key
        has_version = bool(accepted.spec_sha256[n])
        if has_version:
            version = ids.version(accepted, n)
            if version not in job.versions:
                is_new_word = accepted.supersedes[n] == NO_ENTRY
                if is_new_word and version[_ORIGIN] == ids.orchestrator:
                    self._grown.setdefault(name, len(job.versions))
                job.versions[version] = len(job.versions) + 1
                self.new_versions.append(n)
            self.version_no[n] = job.versions[version]
        observation = ids.observation(accepted, n, self.version_no)
        is_seen = has_version and observation in job.observations
        self.changes["unchanged" if is_seen else "changed"] += 1
        job.observations.add(observation)

    def grown(self) -> list[GrownJob]:
        """Return known jobs of which orchestrators state anew when they were made, and by whom."""
        found = []
        for name, before in self._grown.items():
            job = self._known[name]
            stated: dict[tuple[int | None, int, int], int] = {}
            for version, number in sorted(job.versions.items(), key=lambda item: item[1]):
                if version[_ORIGIN] == self._ids.orchestrator:
                    said = version[_CREATED_AT], version[_LAYOUT], version[_ATTRIBUTION_SET]
                    stated.setdefault(said, number)
            statements = tuple(Stated(number, *said) for said, number in stated.items())
            if len(statements) > 1 and statements[-1].version_no > before:
                found.append(GrownJob(job.job_key, before, statements))
        return found

    def _shown(self, name: tuple[str, int]) -> Job:
        n, accepted, ids = self._first[name], self._accepted, self._ids
        versions = {ids.version(accepted, n): 1} if accepted.spec_sha256[n] else {}
        observation = ids.observation(accepted, n, self.version_no)
        job = self._known[name] = Job(self.job_key[n], versions, {observation})
        return job
