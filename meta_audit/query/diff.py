"""Compare two versions of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from meta_audit.answer import Answer
from meta_audit.errors import NotFoundError
from meta_audit.query.attributions import ID_OF_KEY, ROLES, AttributionRow
from meta_audit.query.documents import document_of_entry
from meta_audit.query.identify import Identified, identify
from meta_audit.query.live import live_entry
from meta_audit.query.public_keys import fingerprint_of
from meta_audit.query.results import Candidates, Version
from meta_audit.query.texts import exact
from meta_audit.query.trace import trace_of
from meta_audit.query.version_content import ATTRIBUTIONS, VersionContent, version_content
from meta_audit.schema.newest import NEWEST_JOINS, NEWEST_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meta_audit.store.session import Session

    SpecFields = Callable[[bytes], Mapping[str, str] | None]
    """Return the path and value of each other field of a document's job, None if unreadable."""

DIFF_FORMAT: Final = "meta-audit/diff/1"

_SHOWN_BY: Final = f"""
    SELECT o.version_no, o.document_id FROM observations o {NEWEST_JOINS}
    WHERE o.job_key = ? AND o.version_no > 0 AND {live_entry("o")} ORDER BY {NEWEST_ORDER}"""  # noqa: S608

DiffPart = Literal["job", "identity", "task", "meta", "label", "spec"]


class Change(Answer, frozen=True):
    """Say what one version has, and what the other."""

    part: DiffPart
    task_no: int
    """The task that it belongs to, 0 for the job."""
    key: str
    """Field, role, key, or path in the spec."""
    old: str | None
    """None if the old version has no such thing."""
    new: str | None


class VersionDiff(Answer, frozen=True):
    """Hold the differences between two versions of a job."""

    format: str
    job_id: str
    namespace: str
    old: Version
    new: Version
    old_entry: int
    """Document that shows the old version, by its index in the ledger."""
    new_entry: int
    changes: tuple[Change, ...]
    versions: tuple[int, ...]
    """All versions of the job, the newest last."""
    not_compared: str
    """Why fields without columns were not compared; empty if they were."""


def diff(
    session: Session,
    job: str,
    namespace: str | None,
    numbers: tuple[int | None, int | None],
    spec_fields: SpecFields,
) -> VersionDiff | Candidates:
    """Compare two versions of a job: of its two newest those that are not given.

    Raises `NotFoundError`, also if there is only one version, and `UsageError` for an empty text.
    """
    meant = identify(session, job, namespace)
    return meant if isinstance(meant, Candidates) else _diff(session, meant, numbers, spec_fields)


def _diff(
    session: Session,
    job: Identified,
    numbers: tuple[int | None, int | None],
    spec_fields: SpecFields,
) -> VersionDiff:
    documents: dict[int, int] = {}
    for version_no, document_id in session.query(_SHOWN_BY, job.job_key):
        documents.setdefault(version_no, document_id)
    versions = tuple(reversed(documents))
    old, new = _chosen(job.job_id, versions, *numbers)
    known = {version.version_no: version for version in trace_of(session, job).versions}
    changes = [
        *_of_job(known[old], known[new]),
        *_of_identities(session, job.job_key, old, new),
        *_of_content(*(version_content(session, job.job_key, number) for number in (old, new))),
    ]
    not_compared = ""
    if (known[old].layout, known[old].origin) == (known[new].layout, known[new].origin):
        bodies = [document_of_entry(session, documents[number]).content for number in (old, new)]
        fields = [spec_fields(body) for body in bodies]
        if fields[0] is None or fields[1] is None:
            not_compared = "a document cannot be decoded"
        else:
            changes += _of_texts("spec", 0, *fields)  # type: ignore[arg-type]
    else:
        not_compared = "the formats or origins of the documents differ"
    return exact(
        VersionDiff(
            DIFF_FORMAT,
            job.job_id,
            job.namespace,
            known[old],
            known[new],
            documents[old],
            documents[new],
            tuple(changes),
            versions,
            not_compared,
        )
    )


def _chosen(
    job_id: str, versions: Sequence[int], old: int | None, new: int | None
) -> tuple[int, int]:
    for number in (old, new):
        if number is not None and number not in versions:
            has = ", ".join(map(str, sorted(versions))) or "none"
            raise NotFoundError(f"the job {job_id} has no version {number}; it has {has}")
    if len(versions) < 2:
        count = "one version" if versions else "no version"
        raise NotFoundError(
            f"the job {job_id} has {count}: there is nothing to compare",
            advice=f"`meta-audit trace {job_id}` shows it.",
        )
    return versions[-2] if old is None else old, versions[-1] if new is None else new


def _of_job(old: Version, new: Version) -> Iterator[Change]:
    for name in ("name", "type", "priority", "count", "version", "created_at", "origin", "layout"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change("job", 0, name, _text(before), _text(after))


def _of_identities(session: Session, job_key: int, old: int, new: int) -> Iterator[Change]:
    named: dict[int, set[tuple[str, str]]] = {old: set(), new: set()}
    for version_no, *rest in session.query(ATTRIBUTIONS, job_key):
        if version_no in named:
            row = AttributionRow(*rest)
            value = fingerprint_of(row.role, row.value) if row.role in ID_OF_KEY else row.value
            named[version_no].add((row.role, f"{value or row.value} ({row.trust}, {row.verdict})"))
    for role in ROLES:
        before, after = (
            sorted(text for one, text in named[number] - named[other] if one == role)
            for number, other in ((old, new), (new, old))
        )
        for place in range(max(len(before), len(after))):
            pair = (texts[place] if place < len(texts) else None for texts in (before, after))
            yield Change("identity", 0, role, *pair)


def _of_content(old: VersionContent, new: VersionContent) -> Iterator[Change]:
    for number in sorted({task.task_no for task in (*old.tasks, *new.tasks)}):
        before, after = (
            next(
                (
                    {"name": t.name, "engine": t.engine, "publisher": t.publisher}
                    for t in one.tasks
                    if t.task_no == number
                ),
                {},
            )
            for one in (old, new)
        )
        yield from _of_texts("task", number, before, after)
    for number in sorted({pair.task_no for pair in (*old.meta, *new.meta)}):
        before, after = (
            {pair.key: pair.value for pair in one.meta if pair.task_no == number}
            for one in (old, new)
        )
        yield from _of_texts("meta", number, before, after)
    yield from _of_texts("label", 0, old.labels, new.labels)


def _of_texts(
    part: DiffPart, task_no: int, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield Change(part, task_no, key, old.get(key), new.get(key))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
