"""The Python interface: ask a store from a notebook, a service or a command.

    import meta_audit

    with meta_audit.open("audit.db") as store:
        print(store.trace("j-5e85f246").to_dict())

What a method needs is imported when it is called. docs/python.md describes all of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from time import time_ns
from typing import IO, TYPE_CHECKING, TypeVar

from meta_audit.errors import UsageError
from meta_audit.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from meta_audit.ledger.note import VerifierKey
    from meta_audit.ledger.proof_file import CheckedProofs
    from meta_audit.query.checkpoints import CheckpointSummary
    from meta_audit.query.diff import VersionDiff
    from meta_audit.query.history import History
    from meta_audit.query.matching import Search, SearchChoice
    from meta_audit.query.name_identity import IdentityCandidates
    from meta_audit.query.report_result import AuditReport
    from meta_audit.query.results import (
        Candidates,
        Found,
        FoundJob,
        KeptDocument,
        RejectionDetail,
        Rejections,
        Trace,
    )
    from meta_audit.query.sql import CheckedStatements, Contract, Table
    from meta_audit.query.who import Identity
    from meta_audit.store.opening import Store
    from meta_audit.store.session import SelectedRows, Session
    from meta_audit.verify.outcome import Report
    from meta_audit.verify.prove import Consistency
    from meta_audit.verify.run import VerifyProgress

_Result = TypeVar("_Result")

NEWEST: int = 50
"""Results of a list, if no other limit is given."""


def open(db: str | PathLike[str] | None = None, *, damaged: bool = False) -> AuditStore:
    """Open a store to read: a path, or `postgresql://USER@HOST/DATABASE`.

    The default is META_AUDIT_DB, else the user's own store. With `damaged`, a store is opened
    whatever is wrong with its content, for `AuditStore.verify`. Raises `StoreError` if there is
    no store, and makes none; `UsageError` for text that cannot name one.
    """
    from meta_audit.store import opening

    opener = opening.open_to_verify if damaged else opening.open_to_read
    return AuditStore(opener(None if db is None else fspath(db)))


def check_proof(
    content: bytes,
    *,
    keys: Sequence[VerifierKey | str] = (),
    checkpoints: str | bytes | None = None,
    folder: str | None = None,
) -> CheckedProofs:
    """Check a file that `AuditStore.prove` or `AuditStore.export` made, without a store.

    `keys` are verifier keys that you trust, `checkpoints` signed notes that you kept; `folder`
    has the files of documents that are not in the proof. Raises `LedgerError` if a key or
    checkpoint is malformed; what is wrong with a proof is a failed step.
    """
    from meta_audit.ledger.checkpoint import note_texts
    from meta_audit.ledger.proof_file import check_proofs
    from meta_audit.parse.readings import readings

    held: Collection[str] | None = None
    if checkpoints is not None:
        held = note_texts(checkpoints.encode() if isinstance(checkpoints, str) else checkpoints)

    def read_file(name: str) -> bytes | None:
        path = Path(folder or ".", name)
        return path.read_bytes() if path.is_file() else None

    return check_proofs(content, _parsed(keys), held, readings, read_file=read_file)


class AuditStore(Inventory):
    """Ask an open store. It is read-only, and a context manager that closes it.

    Every method sees one state of the store, while imports may go on. Within `snapshot()` all
    of them see the same. Threads may share a store: each call takes a connection of its own.
    Errors are those of `meta_audit.errors`; each has a message and an `advice`.
    """

    def __init__(self, store: Store, session: Session | None = None) -> None:
        self._store = store
        self._session = session
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> str:
        """Return the path or URL of the store, without a password."""
        return self._store.name

    @property
    def _opened(self) -> Store:
        if self._is_closed:
            raise UsageError("the store is closed", advice="Open it again.")
        return self._store

    def close(self) -> None:
        """Close every connection. Nothing can be asked any more."""
        self._is_closed = True
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[AuditStore]:
        """See one state of the store within this block, in one thread, whatever others write."""
        with self._state() as session:
            yield AuditStore(self._store, session)

    @contextmanager
    def _state(self) -> Iterator[Session]:
        if self._session:
            yield self._session
        else:
            with self._opened.snapshot() as session:
                yield session

    def read(self, work: Callable[[Session], _Result]) -> _Result:
        """Do work of `meta_audit.query` on one state; again from its beginning if that is lost."""
        return work(self._session) if self._session else self._opened.read(work)

    def trace(
        self,
        job: str,
        *,
        namespace: str | None = None,
        as_of: str | None = None,
        at: str | None = None,
    ) -> Trace | Candidates:
        """Return all that is known of the job with this ID, beginning of an ID, or name.

        With `as_of` (2024, 2024-03-31 or a time), imports that began after it do not count: what
        the store knew then. With `at`, what documents say of later times does not: what was so.
        Several jobs that fit are `Candidates`. Raises `NotFoundError` if none does.
        """
        from meta_audit.query.trace import trace

        until, then = _end(as_of), _end(at)
        return self.read(lambda session: trace(session, job, namespace, until, then))

    def find(self, *expressions: str, limit: int = NEWEST, **choice: Unpack[SearchChoice]) -> Found:
        """Return the jobs that match all of it, the newest first, at most `limit`.

        An expression is one of docs/find.md; a pair `KEY=VALUE` is one. `client`, `requester` and
        `namespace` are the same as expressions `client:ID` and so on. `sort` is `created`,
        `modified`, `name`, `client`, `namespace` or `state`; `after` is `next` of the page before,
        or a job; `columns` are keys whose values are wanted; `as_of` and `at` are as in `trace`.
        Raises `ExpressionError`, and `NotFoundError` if no job matches and a name in it is one
        that the store does not know.
        """
        from meta_audit.query.find import find

        search = _search(expressions, choice)
        return self.read(lambda session: find(session, search, limit))

    def find_all(self, *expressions: str, **choice: Unpack[SearchChoice]) -> Generator[FoundJob]:
        """Yield all jobs that match, chosen as in `find`; memory does not grow with them."""
        from meta_audit.query.find import stream

        search = _search(expressions, choice)
        with self._state() as session:
            yield from stream(session, search)

    def count(self, *expressions: str, **choice: Unpack[SearchChoice]) -> int:
        """Return how many jobs match, chosen as in `find`."""
        from meta_audit.query.matching import count

        search = _search(expressions, choice)
        return self.read(lambda session: count(session, search))

    def who(
        self, identity: str, *, as_of: str | None = None, at: str | None = None
    ) -> Identity | IdentityCandidates:
        """Return what is known of a client, node, key or installation.

        It is named by its value, the beginning of it, or a key's fingerprint. Several that fit
        are `IdentityCandidates`. `as_of` and `at` are as in `trace`. Raises `NotFoundError` if
        none fits.
        """
        from meta_audit.query.past import session_at
        from meta_audit.query.who import who

        known, so = _end(as_of), _end(at)
        return self.read(lambda session: who(session_at(session, known, so), identity))

    def history(
        self, job: str, *, namespace: str | None = None, as_of: str | None = None
    ) -> History | Candidates:
        """Return the time line of a job, asked for as in `trace`."""
        from meta_audit.query.history import history

        until = _end(as_of)
        return self.read(lambda session: history(session, job, namespace, until))

    def diff(
        self,
        job: str,
        old: int | None = None,
        new: int | None = None,
        *,
        namespace: str | None = None,
    ) -> VersionDiff | Candidates:
        """Compare two versions of a job; of its two newest, those that are not given.

        Raises `NotFoundError`, also if there is only one version.
        """
        from meta_audit.parse.spec_fields import spec_fields
        from meta_audit.query.diff import diff

        return self.read(lambda session: diff(session, job, namespace, (old, new), spec_fields))

    def document(self, what: str, *, namespace: str | None = None) -> KeptDocument | Candidates:
        """Return the original bytes of a document, by SHA-256, or of a job's newest one.

        A hash may be shortened to 8 digits. Raises `NotFoundError`, and `StoreError` if the
        bytes have changed since they were kept.
        """
        from meta_audit.query.documents import kept_document

        return self.read(lambda session: kept_document(session, what, namespace))

    def report(self, *, since: str | None = None, until: str | None = None) -> AuditReport:
        """Report on the jobs created in a period, and on the imports made in it.

        Both are times such as `2024`, `2024-03`, `2024-03-01T10:00:00Z` or `-7d`; all of `until`
        belongs to the period. Raises `UsageError` for any other text.
        """
        from meta_audit.query.report import report
        from meta_audit.query.selection import select

        wanted = select(now=time_ns(), since=since, until=until)
        return self.read(lambda session: report(session, wanted))

    def rejections(
        self,
        *,
        reason: str | None = None,
        source: str | None = None,
        import_id: int | None = None,
        resolved: bool = False,
        limit: int = NEWEST,
    ) -> Rejections:
        """Return documents that were not accepted and why, the oldest first, at most `limit`.

        `reason` is a name of docs/catalogue.md or a group such as `meta`, `source` a part of the
        name of a source. With `resolved`, those that were accepted later or dismissed come too.
        """
        from meta_audit.query.rejections import Filter, list_rejections

        wanted = Filter(reason, source, import_id, resolved=resolved)
        return self.read(lambda session: list_rejections(session, wanted, limit))

    def rejection(self, number: int) -> RejectionDetail:
        """Return a rejection with its kept bytes. Raises `NotFoundError`."""
        from meta_audit.query.documents import rejection_detail

        return self.read(lambda session: rejection_detail(session, number))

    def rejected_document(self, number: int) -> KeptDocument:
        """Return only the kept bytes of a rejection. Raises `NotFoundError`."""
        from meta_audit.query.documents import rejected_document

        return self.read(lambda session: rejected_document(session, number))

    def checkpoints(self) -> tuple[CheckpointSummary, ...]:
        """Return the checkpoints of the ledger, the oldest first."""
        from meta_audit.query.checkpoints import list_checkpoints

        return self.read(list_checkpoints)

    def checkpoint(self, number: int) -> str:
        """Return the signed note of a checkpoint, exactly. Raises `NotFoundError`."""
        from meta_audit.query.checkpoints import signed_note

        return self.read(lambda session: signed_note(session, number))

    def verifier_keys(self) -> tuple[str, ...]:
        """Return the keys that signed the checkpoints, the newest last."""
        from meta_audit.query.checkpoints import verifier_keys

        return self.read(verifier_keys)

    def consistency(self, old: int, new: int) -> Consistency:
        """Prove that the ledger of one checkpoint is the beginning of a later one's."""
        from meta_audit.verify.prove import consistency

        return self.read(lambda session: consistency(session, old, new))

    def prove(
        self, job: str, *, namespace: str | None = None, every: bool = False
    ) -> bytes | Candidates:
        """Return the content of a file that proves the newest document of a job to a stranger.

        With `every`, it proves each document of the job. `check_proof` checks it. Raises
        `NotFoundError` if there is no such job, or no checkpoint covers it yet; `LedgerError` if
        the store was changed.
        """
        from meta_audit.query.identify import identify
        from meta_audit.query.results import Candidates
        from meta_audit.verify.prove import prove

        def work(session: Session) -> bytes | Candidates:
            found = identify(session, job, namespace)
            if isinstance(found, Candidates):
                return found
            bundles = prove(session, (found.job_key, found.activity_key), every=every)
            return b"[\n" + b",\n".join(bundles) + b"]\n" if every else bundles[0]

        return self.read(work)

    @contextmanager
    def select(
        self, query: str, *parameters: object, seconds: float | None = None
    ) -> Iterator[SelectedRows]:
        """Run one SQL query, and give its rows as a stream, which ends with this block.

            with store.select("SELECT job_id FROM v_jobs") as found:
                for row in found.rows: ...

        Each `?` stands for a parameter. The engine lets the query only read, and works on it for
        60 seconds at most, if no other time is given. Raises `UsageError`.
        """
        from meta_audit.query.sql import SECONDS, distinct
        from meta_audit.query.texts import storable
        from meta_audit.store.session import SelectedRows

        limit = SECONDS if seconds is None else seconds
        if not storable(query):
            raise UsageError("the query is not Unicode", advice="Write it as UTF-8.")
        with (
            self._state() as session,
            session.select(query, *parameters, seconds=limit) as found,
        ):
            yield SelectedRows(distinct(found.columns), found.rows)

    def sql(self, query: str, *parameters: object, seconds: float | None = None) -> Table:
        """Run one SQL query as `select` does, and return all of its rows."""
        from meta_audit.query.sql import SQL_FORMAT, Table

        with self.select(query, *parameters, seconds=seconds) as found:
            return Table(SQL_FORMAT, found.columns, tuple(found.rows))

    def contract(self) -> Contract:
        """Describe the views that queries can rely on, with their columns."""
        from meta_audit.query.sql import contract

        return self.read(contract)

    def check_sql(self, script: str) -> CheckedStatements:
        """Say which statements of a script `sql` would not take; none of them is run."""
        from meta_audit.query.sql import check_statements

        return self.read(lambda session: check_statements(session, script))

    def export(
        self,
        to: str | PathLike[str] | IO[bytes],
        *expressions: str,
        format_: str | None = None,
        replace: bool = False,
        progress: Callable[[int], None] = lambda _jobs: None,
        left_out: Callable[[int], None] = lambda _jobs: None,
        **choice: Unpack[SearchChoice],
    ) -> int:
        """Write all jobs that match, as in `find`, to a file, and return how many.

        `left_out` is called at the end with the number of those of which the format can say
        nothing: OpenLineage of a job without any time.

        `to` is a path or an open file, `format_` is a format of `meta-audit export`, by default
        what the path says. A file appears as a whole, and takes the place of another only with
        `replace`; if no job matches, none is made. Memory does not grow with the jobs. Raises
        `UsageError`.
        """
        from contextlib import closing
        from itertools import chain

        from meta_audit.export.matched import MatchedJobs
        from meta_audit.export.target import check_target, write_export
        from meta_audit.export.writers import format_of
        from meta_audit.query.find import matching_jobs

        target = fspath(to) if isinstance(to, str | PathLike) else to
        chosen = format_ or format_of(target if isinstance(target, str) else "-")
        if isinstance(target, str):
            check_target(target, replace=replace)
        search = _search(expressions, choice)
        with self._state() as session, closing(matching_jobs(session, search)) as keys:
            first = next(keys, None)
            if first is None:
                return 0
            jobs = MatchedJobs(session, chain([first], keys), search.columns, progress)
            number = write_export(jobs, target, chosen, replace=replace)
            left_out(jobs.left_out)
            return number

    def verify(
        self,
        *,
        against: Sequence[str] | None = None,
        since: int = 0,
        keys: Sequence[VerifierKey | str] = (),
        jobs: int | None = None,
        deep: bool = False,
        progress: VerifyProgress = lambda _done, _total: None,
    ) -> Report:
        """Check that nobody changed the store; what is wrong with it is in the report.

        `keys` are verifier keys that you trust, `against` files of checkpoints that you kept (by
        default the one beside the store), `since` a checkpoint up to which all was checked
        before. `jobs` is the number of processes. With `deep`, documents are parsed again.
        """
        from meta_audit.verify.run import verify

        return verify(
            self._opened,
            against=against or None,
            since=since,
            pins=_parsed(keys),
            jobs=jobs,
            deep=deep,
            progress=progress,
        )

    def backup(self, path: str) -> int:
        """Copy an SQLite store into a new file. Return its bytes. Raises `UsageError`."""
        from meta_audit.store.transfer import backup

        return backup(self._opened, path)


def _end(time: str | None) -> int | None:
    if time is None:
        return None
    from meta_audit.query.choice import end_of

    return end_of(time)


def _search(expressions: Sequence[str], choice: SearchChoice) -> Search:
    from meta_audit.query.choice import search_of

    return search_of(expressions, choice)


def _parsed(keys: Sequence[VerifierKey | str]) -> list[VerifierKey]:
    from meta_audit.ledger.note import VerifierKey

    return [VerifierKey.parse(key.strip()) if isinstance(key, str) else key for key in keys]
