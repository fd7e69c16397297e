"""Tell what a server has no longer: jobs that it lists no more, and events of their history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from meta_audit.cut.blocks import Item
from meta_audit.decode import decode
from meta_audit.errors import RejectedError, SourceError
from meta_audit.model import Document
from meta_audit.nul import MAX_NAME, escape_nul, unescape_nul
from meta_audit.parse import parse
from meta_audit.parse.absence import Absence, absence_document
from meta_audit.sources.orchestrator.address import Address
from meta_audit.sources.orchestrator.job_list import Element
from meta_audit.sources.orchestrator.transport import Transport

HeldJobs = Callable[[], Iterable[tuple[str, str, bytes]]]
"""Return the jobs that were there: ID and namespace as the store has them, and the SHA-256 of the
newest document."""
EventKey = tuple[int | None, str, str]
"""Time, kind and execution of an event."""
HeldEvents = Callable[[Sequence[str]], Mapping[str, Mapping[EventKey, bytes]]]
"""Return the events of jobs that were there, each with the SHA-256 of its document."""
_AT_ONCE: Final = 50


class Held(NamedTuple):
    """Ask the store for what came from a server."""

    jobs: HeldJobs = tuple
    events: HeldEvents = lambda _: {}


class Vanished:
    """Look for the jobs of a server that are gone, while its whole list is read."""

    def __init__(self, address: Address, transport: Transport, held: Held) -> None:
        self._address = address
        self._transport = transport
        self._held = held
        self._listed: set[int] = set()
        """Hashes of IDs: of a million jobs the IDs would take three times the memory."""

    def see(self, elements: Iterable[Element]) -> None:
        """Take note of jobs that the list shows."""
        self._listed.update(hash(escape_nul(element.job_id)) for element in elements)

    def documents(self) -> Iterator[list[Item]]:
        """Yield what to keep of jobs that are gone. Call it once all of the list was seen.

        Raises `Stopped`, and `SourceError` where the server cannot be reached.
        """
        missing = (
            Absence(unescape_nul(job_id), unescape_nul(namespace), self._address.uri, _name(digest))
            for job_id, namespace, digest in self._held.jobs()
            if hash(job_id) not in self._listed and len(job_id) < MAX_NAME
        )
        while some := list(islice(missing, _AT_ONCE)):
            gone = self._gone(some)
            if gone:
                yield list(map(_document, gone))

    def lost_events(self, jobs: Sequence[tuple[Element, Sequence[Item]]]) -> list[Item]:
        """Return what to keep of jobs whose history has lost events.

        Each job comes with its whole history and executions as they are now.
        """
        lost: list[Item] = []
        held = self._held.events([escape_nul(job.job_id) for job, _ in jobs])
        for job, items in jobs:
            before = held.get(escape_nul(job.job_id), {})
            gone = before.keys() - _events(items) if before else ()
            if gone:
                newest = _name(before[max(gone, key=lambda key: (key[0] or 0, key))])
                uri, count = self._address.uri, len(gone)
                lost.append(_document(Absence(job.job_id, job.namespace, uri, newest, count)))
        return lost

    def _gone(self, jobs: Sequence[Absence]) -> list[Absence]:
        answers = self._transport.each(self._is_gone, jobs)
        return [job for job, is_gone in zip(jobs, answers, strict=True) if is_gone]

    def _is_gone(self, job: Absence) -> bool:
        """Ask for one job: the list may be of a namespace or label that it has left."""
        path = self._address.job_path(job.job_id)
        if path is None:
            return False
        try:
            return self._transport.get(path, [], (404,)) is None
        except SourceError as error:
            if error.code not in ("server.failed", "server.answer"):
                raise
            return False


def _events(items: Sequence[Item]) -> set[EventKey]:
    """Return the events in documents; what is none has none."""
    found: set[EventKey] = set()
    for item in items:
        if isinstance(item, Document):
            with suppress(RejectedError):
                record = parse(decode(item.content, item.format), item.content)
                found.update((e.time, e.kind, e.execution_id) for e in record.events)
    return found


def _document(absence: Absence) -> Document:
    return Document(absence_document(absence), 1, 1, "absence")


def _name(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"
