"""Pull the jobs of an orchestrator: the source that its API is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from msgspec import Struct, structs

from meta_audit.cut.blocks import Item
from meta_audit.errors import SourceError
from meta_audit.model import Document
from meta_audit.sources.interface import Source
from meta_audit.sources.orchestrator.address import JOBS, Address
from meta_audit.sources.orchestrator.job_list import (
    WHOSE_URL,
    Element,
    ListPage,
    Order,
    is_offset_token,
    offset_token,
    read_page,
)
from meta_audit.sources.orchestrator.settling import FINAL_STATES, Settling
from meta_audit.sources.orchestrator.sweep import Sweep
from meta_audit.sources.orchestrator.transport import Stopped, Transport
from meta_audit.sources.orchestrator.vanished import Held, Vanished

OVERLAP_SECONDS: Final = 60
"""Read so far behind the last time again: clocks step back, and executions end after their job."""
OVERLAP_NS: Final = OVERLAP_SECONDS * 10**9
_JOBS_AT_ONCE: Final = 50
"""Jobs whose executions and history are asked for together."""
_HISTORY_LIMIT: Final = 1_000
_MOST_PAGES: Final = 10_000
_MOST_ROUNDS: Final = 10
"""Most looks for jobs that were modified while we read."""
_MOST_FAILURES: Final = 20
"""Parts of jobs that cannot be read before we give up, if hardly any can."""
NOTHING: Final = Held()
_AHEAD_BYTES: Final = 32_000_000
"""Bytes of known documents to keep while looking for one that is not known."""

KnownDigests = Callable[[Sequence[bytes]], Collection[bytes]]
"""Return those of these SHA-256 that the store has as documents."""


_Older = Literal["all", "unknown", "none"]
"""Jobs to take of those on a page that were modified before the time in question."""


class Scope(Struct, frozen=True):
    """Limit what a pull reads."""

    since: int | None = None
    """Time of modification, ns, up to which all was read before; None: nothing was."""
    is_sweep: bool = True
    """Read the whole list, not only what was modified since."""
    is_deep: bool = True
    """Of each job in the list, also of those that are known, read executions and history."""


class _Parts(NamedTuple):
    """The documents of one job."""

    items: list[Item]
    is_whole: bool
    """False if its executions or history could not be read."""


class Pull(Source):
    """All jobs of an orchestrator with their versions, executions and history.

    The documents are the elements of the lists that the server gives out, in its own bytes. Those
    of one job are in one batch. Call `open` first, then `choose`. A pull can be repeated at any
    time: a job whose bytes are known brings nothing new.
    """

    is_repeatable = True

    def __init__(self, address: Address, transport: Transport) -> None:
        self.uri = address.uri
        self.through = 0
        """Time of modification up to which the pull reads everything, once it was opened."""
        self._address = address
        self._transport = transport
        self._scope = Scope()
        self._known: KnownDigests = lambda _: ()
        self._settling = Settling(OVERLAP_SECONDS)
        self._vanished = Vanished(address, transport, NOTHING)
        self._counts = False
        """The server names pages by a number, as v1.1 does."""
        self._ordinal = 0
        self._digest = hashlib.sha256()
        self._recent: set[int] = set()
        """Hashes of the documents of jobs that another round may show again."""
        self._whole_jobs = 0
        self._failures: list[str] = []
        """Parts of jobs that could not be read."""
        self._ahead: list[list[Item]] = []
        self._rest = self._work()

    def open(self) -> None:
        """Ask for the job that was modified last. Raises `SourceError`."""
        try:
            page, _ = self._fetch("modified_at", 0, 1)
        except SourceError as error:
            raise self._named(error) from error
        if page.elements:  # a clock that was once ahead must not hide what comes later
            self.through = min(page.elements[0].modified, time.time_ns())

    def listed(self) -> Iterator[Element]:
        """Yield the jobs that the server lists, as they are now. Raises `SourceError`."""
        try:
            for elements in self._sweep("created_at").pages():
                yield from elements
        except SourceError as error:
            raise self._named(error) from error

    def choose(
        self, scope: Scope, known: KnownDigests, settling: Settling, held: Held = NOTHING
    ) -> None:
        """Say how much to read, what need not be read again, and which jobs were there."""
        self._scope = scope
        self._vanished = Vanished(self._address, self._transport, held)
        self._known = known
        self._settling = settling
        settling.begin()

    def has_news(self) -> bool:
        """Read on to the first document that the store does not have. Raises `SourceError`.

        `batches` yields what was read. Return True, too, where only reading it all can tell.
        """
        size = 0
        try:
            for batch in self._rest:
                self._ahead.append(batch)
                size += sum(len(item.content) for item in batch)
                if size > _AHEAD_BYTES or not self._are_known(batch):
                    return True
        except Stopped:
            return False
        except SourceError as error:
            raise self._named(error) from error
        return False

    def batches(self) -> Iterator[list[Item]]:
        """Read the source as `Source.batches` says.

        Raises `SourceError`. What cannot be read of one job is reported after everything else.
        """
        self._transport.is_stopping = self.is_stopping
        try:
            while self._ahead:
                yield self._counted(self._ahead.pop(0))
            for batch in self._rest:
                yield self._counted(batch)
        except Stopped:
            return
        except SourceError as error:
            raise self._named(error) from error
        self.sha256 = self._digest.digest()

    def _named(self, error: SourceError) -> SourceError:
        return SourceError(error.code, f"{self.uri}: {error}", advice=error.advice)

    def _counted(self, batch: list[Item]) -> list[Item]:
        """Number the documents of a batch, count and hash their bytes."""
        numbered = []
        for item in batch:
            self._ordinal += 1
            self._digest.update(item.content)
            self.bytes_read += len(item.content)
            numbered.append(structs.replace(item, ordinal=self._ordinal))
        return numbered

    # The list of jobs

    def _work(self) -> Iterator[list[Item]]:
        """Yield what the pull brings."""
        scope = self._scope
        until = None if scope.since is None else scope.since - OVERLAP_NS
        if scope.is_sweep:
            sweep = self._sweep("created_at")
            yield from self._taken(sweep.pages(), until, "all")
            until = self.through
        older: _Older = "none" if scope.is_sweep else "unknown"
        for _ in range(_MOST_ROUNDS):
            front = self._sweep("modified_at")
            yield from self._taken(front.pages(until), until, older)
            if front.first is None or front.first == until:
                break
            until, older = front.first, "none"
        if scope.is_sweep:
            yield from self._vanished.documents()
        if self._failures:
            more = f", and of {len(self._failures) - 1} more" if len(self._failures) > 1 else ""
            raise SourceError(
                "server.gaps",
                f"{self._failures[0]}{more}",
                advice="All else was taken. The next sweep (--full) tries again.",
            )

    def _sweep(self, order: Order) -> Sweep:
        limits = self._transport.limits
        return Sweep(
            self._fetch,
            order,
            first=limits.first_page,
            most=limits.largest_page,
            may_grow=lambda: not self._transport.is_slow,
        )

    def _fetch(self, order: Order, offset: int, limit: int) -> tuple[ListPage, bool]:
        """Return a page of the list, and whether the list ends with it (`sweep.Fetch`)."""
        parameters = [
            *self._address.selection,
            ("order_by", order),
            ("reverse", "true" if order == "modified_at" else "false"),
            ("limit", str(limit)),
        ]
        if offset:
            token = str(offset) if self._counts else offset_token(order, limit, offset)
            parameters.append(("next_token", token))
        absent = (400,) if offset and self._counts else ()
        body = self._transport.ask(JOBS, parameters, absent)
        if body is None:  # v1.2 and v1.3 look like v1.1 as long as there is but one page
            self._counts = False
            return self._fetch(order, offset, limit)
        page = read_page(body, of_jobs=True)
        if page.next_token and not is_offset_token(page.next_token):
            raise SourceError(
                "server.answer", "its pages have tokens of an unknown form", advice=WHOSE_URL
            )
        if page.next_token and not page.elements:
            raise SourceError(
                "server.answer",
                "a page of its list of jobs is empty, though it says that more follow",
                advice=WHOSE_URL,
            )
        if page.is_old and not page.next_token and page.elements:
            if self._address.labels:
                raise SourceError(
                    "server.answer",
                    "servers before v1.4 choose by label only within a page",
                    advice="Pull without --label.",
                )
            if not offset and len(page.elements) == limit:
                self._counts = True
            return page, not self._counts or len(page.elements) < limit
        return page, not page.next_token

    # What is taken of it

    def _taken(
        self, pages: Iterator[list[Element]], until: int | None, older: _Older
    ) -> Iterator[list[Item]]:
        """Yield the documents of the jobs in the list that may bring something new."""
        for elements in pages:
            self._vanished.see(elements)
            fresh = self._without_recent(elements)
            known = self._known_of(fresh)
            chosen = []
            for element, is_known in zip(fresh, known, strict=True):
                is_near = until is None or element.modified >= until
                if is_near or older == "all" or (older == "unknown" and not is_known):
                    chosen.append((element, self._is_due(element, is_known, is_near)))
            looks_back = self._scope.is_sweep and self._scope.is_deep and any(known)
            for at in range(0, len(chosen), _JOBS_AT_ONCE):
                yield self._with_parts(chosen[at : at + _JOBS_AT_ONCE], looks_back=looks_back)

    def _is_due(self, job: Element, is_known: bool, is_near: bool) -> bool:
        """Tell whether the parts of a job have to be read."""
        if not is_known or self._scope.is_deep:
            return True
        if is_near:
            return not self._settling.is_settled(job)
        return job.state not in FINAL_STATES

    def _without_recent(self, elements: list[Element]) -> list[Element]:
        """Leave out what this pull has taken, and remember what a later round may show again."""
        fresh = []
        for element in elements:
            if element.modified >= self.through - OVERLAP_NS:
                key = hash(element.item.content)
                if key in self._recent:
                    continue
                self._recent.add(key)
            fresh.append(element)
        return fresh

    def _known_of(self, elements: list[Element]) -> list[bool]:
        digests = [_sha256(element.item) for element in elements]
        known = self._known(digests) if digests else ()
        return [digest in known for digest in digests]

    def _are_known(self, batch: list[Item]) -> bool:
        digests = [_sha256(item) for item in batch]
        return len(set(digests) - set(self._known(digests))) == 0 if digests else True

    def _with_parts(self, jobs: list[tuple[Element, bool]], *, looks_back: bool) -> list[Item]:
        """Return the documents of jobs, of those that are due each with its parts.

        With `looks_back` also what says that parts are gone.
        """
        due = [element for element, is_due in jobs if is_due]
        read = self._transport.each(self._parts, due)
        found = iter(read)
        documents: list[Item] = []
        for element, is_due in jobs:
            documents += next(found).items if is_due else [element.item]
        if looks_back:
            whole = zip(due, read, strict=True)
            documents += self._vanished.lost_events(
                [(element, parts.items) for element, parts in whole if parts.is_whole]
            )
        self._whole_jobs += len(due)
        if len(self._failures) >= _MOST_FAILURES > self._whole_jobs - len(self._failures):
            raise SourceError("server.failed", f"{self._failures[0]}, and of many more")
        return documents

    def _parts(self, job: Element) -> _Parts:
        """Return a job, after its earlier versions, with its executions and history."""
        versions = (self._part(job, "versions") if job.version > 1 else []) or []
        items = [item for item in versions if item.content != job.item.content]
        items.append(job.item)
        found = [self._part(job, part) for part in ("executions", "history")]
        for part in found:
            items += part or []
        return _Parts(items, None not in found)

    def _part(self, job: Element, part: str) -> list[Item] | None:
        """Return a list that belongs to a job; note where it cannot be read, and return None."""
        try:
            return self._list(job, part)
        except SourceError as error:
            if error.code not in ("server.failed", "server.answer"):
                raise
            self._failures.append(f"the {part} of job {job.job_id}: {error}")
            return None

    def _list(self, job: Element, part: str) -> list[Item]:
        """Return a list that belongs to a job; nothing where the server has none.

        Servers answer 404 for jobs from before an upgrade, and where they do not know the part.
        """
        path = self._address.job_path(job.job_id, part)
        if path is None:
            return []
        parameters = [("all_job_versions", "true")]
        if part == "history":
            parameters.append(("limit", str(_HISTORY_LIMIT)))
        items: list[Item] = []
        token = ""
        for _ in range(_MOST_PAGES):
            more = [("next_token", token)] if token else []
            body = self._transport.get(path, [*parameters, *more], (404,))
            if body is None:
                return items
            page = read_page(body, of_jobs=part == "versions")
            if any(element.job_id not in ("", job.job_id) for element in page.elements):
                self._failures.append(f"the {part} of job {job.job_id}: they are of another job")
            items += [element.item for element in page.elements]
            # A job that runs always has a token: it is a cursor, for what has not happened yet.
            if page.next_token in ("", token) or not page.elements:
                return items
            token = page.next_token
        raise SourceError("server.answer", "its list does not end")


def _sha256(item: Item) -> bytes:
    return hashlib.sha256(item.content).digest() if isinstance(item, Document) else item.sha256
