"""List what a store has: a part of the Python interface (`meta_audit.api`)."""

from __future__ import annotations

from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from typing import Literal, Self, Unpack

    from meta_audit.query.aliases import Aliases
    from meta_audit.query.finding_counts import FindingCounts, FindingPlaces
    from meta_audit.query.identity_counts import IdentityCounts
    from meta_audit.query.imports import ImportDetail, Imports
    from meta_audit.query.node_counts import NodeCounts
    from meta_audit.query.presence import AskedForMany
    from meta_audit.query.selection import Choice, Selection
    from meta_audit.query.vocabulary import KeyCounts, ValueCounts
    from meta_audit.store.session import Session

_Result = TypeVar("_Result")


class Inventory:
    """List what a store has. `meta_audit.api.AuditStore` opens it."""

    def read(self, work: Callable[[Session], _Result]) -> _Result:
        """Do work on one state of the store."""
        raise NotImplementedError

    def snapshot(self) -> AbstractContextManager[Self]:
        """See one state of the store within this block."""
        raise NotImplementedError

    def clients(self, **choice: Unpack[Choice]) -> IdentityCounts:
        """Return the clients, with counts of their jobs.

        `sort` is `count`, `name`, `first` or `last`. `since` and `until` (2024, 2024-03,
        2024-03-31 or a time) choose jobs by create time; `limit` is the most to return.
        """
        return self._identities("client", choice)

    def requesters(self, **choice: Unpack[Choice]) -> IdentityCounts:
        """Return the nodes that accepted jobs, chosen as in `clients`."""
        return self._identities("requester", choice)

    def _identities(self, role: Literal["client", "requester"], choice: Choice) -> IdentityCounts:
        from meta_audit.query.identity_counts import identity_counts

        return self._chosen(lambda session, wanted: identity_counts(session, role, wanted), choice)

    def nodes(self, **choice: Unpack[Choice]) -> NodeCounts:
        """Return the nodes that ran jobs, chosen as in `clients`, by time of the execution."""
        from meta_audit.query.node_counts import node_counts

        return self._chosen(node_counts, choice)

    def keys(self, *, labels: bool = False, **choice: Unpack[Choice]) -> KeyCounts:
        """Return the keys of Meta, or of labels, chosen as in `clients`."""
        from meta_audit.query.vocabulary import key_counts

        return self._chosen(
            lambda session, wanted: key_counts(session, wanted, labels=labels), choice
        )

    def values(self, key: str, *, labels: bool = False, **choice: Unpack[Choice]) -> ValueCounts:
        """Return the values of a key, chosen as in `clients`. Raises `NotFoundError`."""
        from meta_audit.query.vocabulary import value_counts

        return self._chosen(
            lambda session, wanted: value_counts(session, key, wanted, labels=labels), choice
        )

    def findings(self, **choice: Unpack[Choice]) -> FindingCounts:
        """Return the kinds of findings, the worst first, chosen by the time of the import."""
        from meta_audit.query.finding_counts import finding_counts

        return self._chosen(finding_counts, choice)

    def finding(self, code: str, **choice: Unpack[Choice]) -> FindingPlaces:
        """Return the findings of one kind, the newest first. Raises `NotFoundError`."""
        from meta_audit.query.finding_counts import finding_places

        return self._chosen(lambda session, wanted: finding_places(session, code, wanted), choice)

    def aliases(self) -> Aliases:
        """Return the names that people gave to identities, and that nobody took back."""
        from meta_audit.query.aliases import list_aliases

        return self.read(list_aliases)

    def imports(self, **choice: Unpack[Choice]) -> Imports:
        """Return the runs that wrote to the store, the newest first, chosen by their beginning."""
        from meta_audit.query.imports import list_imports

        return self._chosen(list_imports, choice)

    def import_(self, number: int, *, limit: int | None = None) -> ImportDetail:
        """Return what one run brought, with at most `limit` sources. Raises `NotFoundError`."""
        from meta_audit.query.imports import one_import

        return self.read(lambda session: one_import(session, number, limit))

    def has(self, job_ids: Iterable[str]) -> AskedForMany:
        """Tell which of these jobs the store has; their IDs are whole."""
        from meta_audit.query.presence import Asked, presence

        asked = [Asked(number, partial(str, one)) for number, one in enumerate(job_ids, 1)]
        return self.read(lambda session: presence(session, asked))

    def has_file(self, path: str, *, only_missing: bool = False) -> AskedForMany:
        """Tell which of the jobs or documents in a file the store has; `-` is standard input.

        The file lists job IDs, one a line, or holds job documents. With `only_missing`, the
        others are only counted. Raises `SourceError`.
        """
        from meta_audit.ingest.asked import read_asked
        from meta_audit.query.presence import presence

        with self.snapshot() as now:
            return now.read(
                lambda session: presence(session, read_asked(path), only_missing=only_missing)
            )

    def _chosen(self, ask: Callable[[Session, Selection], _Result], choice: Choice) -> _Result:
        from meta_audit.query.selection import select

        wanted = select(now=time_ns(), **choice)
        return self.read(lambda session: ask(session, wanted))
