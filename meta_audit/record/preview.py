"""Count what batches would change, without writing: as the writer does, in memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from meta_audit.record.known import Known
from meta_audit.record.lookups import Lookups
from meta_audit.record.quarantine import Quarantine
from meta_audit.record.writer import Writer
from meta_audit.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from meta_audit.record.batch import Accepted, Batch, Rejected
    from meta_audit.record.source_log import SourceLog
    from meta_audit.record.versions import Job, Matcher
    from meta_audit.search.globs import Piece
    from meta_audit.store.session import Row, SelectedRows, Values


class Unwritten(Session):
    """A connection whose transactions read only: what is to be inserted goes nowhere."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.name, session.retry)
        self._session = session

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def query(self, sql: str, /, *parameters: object) -> list[Row]:
        """Return the rows of one statement."""
        return self._session.query(sql, *parameters)

    def among(self, sql: str, keys: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of a query in which `AMONG KEYS` stands for `IN (keys)`."""
        return self._session.among(sql, keys)

    def stream(
        self, sql: str, /, *parameters: object, rows_per_fetch: int = 10_000
    ) -> Iterator[Row]:
        """Yield the rows of one statement, a few at a time."""
        return self._session.stream(sql, *parameters, rows_per_fetch=rows_per_fetch)

    def select(
        self, sql: str, /, *parameters: object, seconds: float, plan_only: bool = False
    ) -> AbstractContextManager[SelectedRows]:
        """Run one statement that a person wrote."""
        return self._session.select(sql, *parameters, seconds=seconds, plan_only=plan_only)

    def accept_bad_text(self) -> None:
        """Read texts that are not UTF-8, too."""
        self._session.accept_bad_text()

    def schema(self) -> str:
        """Return the name of the schema that holds the tables."""
        return self._session.schema()

    def joined(self, column: str) -> str:
        """Return SQL that joins the integers of a group by commas."""
        return self._session.joined(column)

    def fits(
        self, column: str, pattern: Sequence[Piece], *, ignore_case: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """Return the condition that a text fits a pattern, and its parameters."""
        return self._session.fits(column, pattern, ignore_case=ignore_case)

    def begin_snapshot(self) -> None:
        """See one state of the store from here on."""
        self._session.begin_snapshot()

    def rollback(self) -> None:
        """Do nothing: nothing was written."""

    def begin(self) -> None:
        """Do nothing: no lock is needed to read."""

    def commit(self) -> None:
        """Do nothing: nothing was written."""

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert nothing."""

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert nothing."""

    def delete(self, table: str, column: str, keys: Sequence[int]) -> None:
        """Delete nothing."""

    def gather_statistics(self) -> None:
        """Gather nothing: nothing was written."""


class _Known(Known):
    """Evidence that the store has, and what earlier batches would have added."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.added: set[bytes] = set()

    def documents(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those of these SHA-256 that are documents, or would be."""
        return super().documents(digests) | self.added.intersection(digests)


class _Quarantine(Quarantine):
    """Rejections that the store has, and what earlier batches would have added."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._added: set[tuple[bytes, str, str]] = set()

    def known(self, rejected: list[Rejected], sources: SourceLog) -> set[tuple[bytes, str, str]]:
        """Return digest, reason and source of the rejections of these bytes."""
        known = super().known(rejected, sources) | self._added
        for one in rejected:
            uri = sources.uri(one.source)
            self._added.add((one.rejection.sha256, one.rejection.reason, uri))
        return known


class Preview(Writer):
    """A writer that writes nothing. It remembers every document and job of the run."""

    def __init__(self, session: Session) -> None:
        super().__init__(Unwritten(session))
        self.known = self._known = self._evidence = _Known(session)
        self._lookups = Lookups(self._session, remembered=sys.maxsize)
        self._jobs: dict[Any, Job] = {}
        self._quarantine = _Quarantine(self._session)

    def _remembered(self) -> dict[Any, Job]:
        return self._jobs

    def _show_current(self, *_: object) -> None:
        """Do nothing: no row was written from which it could follow."""

    def _done(self, batch: Batch, accepted: list[int], matcher: Matcher) -> None:
        columns: Accepted = batch.accepted
        self._evidence.added.update([columns.sha256[n] for n in accepted])
        self._jobs.update(matcher.jobs())
