"""Read the jobs of an export, some at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.nul import MARK, unescape_nul
from meta_audit.query import meta_columns
from meta_audit.query.sql import distinct
from meta_audit.query.texts import rfc3339
from meta_audit.search.normal_form import key_as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.search.expression import Has
    from meta_audit.store.session import Session

JOBS_AT_ONCE: Final = 1_000
_OWN: Final = ("job_key",)
"""Columns of `v_jobs` that mean nothing outside of this store."""
_NO_ROWS: Final = "SELECT * FROM v_jobs LIMIT 0"
_USES: Final = """
    SELECT job_key, entry_index, kind, type, value FROM v_uses
    WHERE job_key AMONG KEYS AND kind IN ('input', 'output', 'result') AND type <> ''"""
_DIGESTS: Final = "SELECT document_id, sha256 FROM documents WHERE document_id AMONG KEYS"


class MatchedJobs:
    """Hold the jobs that an export writes, in their order."""

    def __init__(
        self,
        session: Session,
        keys: Iterator[int],
        columns: Sequence[Has] = (),
        told: Callable[[int], None] = lambda _jobs: None,
    ) -> None:
        self.session = session
        self._keys = keys
        self._columns = columns
        self._told = told
        self.count = 0
        """Jobs that were read so far."""
        self.left_out = 0
        """Those of them of which the format can say nothing."""
        with session.select(_NO_ROWS, seconds=60) as found:
            self._names = tuple(name for name in found.columns if name not in _OWN)

        places = {name: place for place, name in enumerate(self._names)}
        self._exact = [
            (place, places[f"{name.removesuffix('_at')}_ns"])
            for name, place in places.items()
            if name.endswith("_at") and f"{name.removesuffix('_at')}_ns" in places
        ]
        """Places of times, and of the same times in nanoseconds."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of `v_jobs`, and one for each key that is wanted."""
        return distinct([*self._names, *self._wanted])

    @property
    def _wanted(self) -> list[str]:
        return [key_as_text(column.key, column.place) for column in self._columns]

    def batches(self) -> Iterator[list[int]]:
        """Yield the keys of jobs, some at a time. Call `told` with the number so far."""
        while some := list(islice(self._keys, JOBS_AT_ONCE)):
            yield some
            self.count += len(some)
            self._told(self.count)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield a row of `columns` for each job."""
        for keys in self.batches():
            found = self._rows(keys)
            values = meta_columns.values(self.session, self._columns, keys) if self._columns else {}
            for key in keys:
                if key in found:
                    yield (*found[key], *[_joined(values[key][name]) for name in self._wanted])

    def facts(self) -> Iterator[list[dict[str, Any]]]:
        """Yield jobs: key, columns by name, and the hash of their newest document."""
        for keys in self.batches():
            found = self._rows(keys)
            indexes = [row[self._names.index("entry_index")] for row in found.values()]
            digests: dict[int, bytes] = dict(self.session.among(_DIGESTS, indexes))
            yield [
                {
                    **dict(zip(self._names, row, strict=True)),
                    "job_key": key,
                    "document": bytes(digests[index]).hex(),
                }
                for index, (key, row) in zip(indexes, found.items(), strict=True)
            ]

    def storage(self, jobs: Sequence[dict[str, Any]]) -> dict[int, list[tuple[str, str, str]]]:
        """Return what jobs of `facts` read and write, by key: kind, type and place, ascending.

        It is what the newest document names, and what executions published.
        """
        newest = {job["job_key"]: job["entry_index"] for job in jobs}
        found: dict[int, list[tuple[str, str, str]]] = {key: [] for key in newest}
        for key, index, kind, *use in sorted(self.session.among(_USES, list(newest))):
            if kind == "result" or index == newest[key]:
                found[key].append((kind, *map(_plain, use)))
        return found

    def _rows(self, keys: Sequence[int]) -> dict[int, list[Any]]:
        names = ", ".join(f'"{name}"' for name in self._names)
        sql = f"SELECT job_key, {names} FROM v_jobs WHERE job_key AMONG KEYS"  # noqa: S608
        found = {
            key: [_plain(value) for value in row] for key, *row in self.session.among(sql, keys)
        }
        for row in found.values():
            for place, exact in self._exact:  # PostgreSQL's own times have microseconds
                row[place] = rfc3339(row[exact])
        return {key: found[key] for key in keys if key in found}


def _joined(values: Sequence[str]) -> str | None:
    """Return the values of a key in one column; None if the job has none."""
    return "; ".join(map(unescape_nul, values)) if values else None


def _plain(value: Any) -> Any:
    """Return a value of the store as it is in JSON: text exact, times as RFC 3339."""
    if isinstance(value, str):
        return unescape_nul(value) if MARK in value else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
