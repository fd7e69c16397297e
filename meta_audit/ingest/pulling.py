"""Pull from a server into a store: once, or again and again until a signal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from meta_audit.errors import SourceError
from meta_audit.ingest.run import Import
from meta_audit.ingest.signals import Stopper
from meta_audit.record.known import Known
from meta_audit.record.pulls import earlier_pulls, held_events, held_jobs, pull_arguments
from meta_audit.sources.orchestrator import OVERLAP_SECONDS, Held, Pull, Scope, Settling

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meta_audit.ingest.intake import ImportProgress
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.result import ImportResult
    from meta_audit.record.pulls import HeldJob
    from meta_audit.sources.orchestrator import Address, Transport
    from meta_audit.store.opening import Store

SWEEP_SECONDS: Final = 86_400
"""Read the whole list at least so often: what an incremental pull cannot see shows there."""
LONGEST_PAUSE: Final = 600.0
"""Most seconds between two tries of a server that does not answer."""
_LOOK_SECONDS: Final = 0.2


class Watcher(Protocol):
    """Hear how following a server goes on."""

    def trouble(self, error: SourceError | None) -> None:
        """Hear why the server cannot be read, and `None` when it can again."""

    def looked(self) -> None:
        """Hear that the store has all that the server has, for now."""


class Puller:
    """Pull the jobs of one server into one store."""

    def __init__(
        self, store: Store, address: Address, transport: Transport, options: Options
    ) -> None:
        self._store = store
        self._address = address
        self._transport = transport
        self._options = options
        self._settling = Settling(OVERLAP_SECONDS)

    @property
    def url(self) -> str:
        """Return the URL of the list that is pulled."""
        return self._address.uri

    def pull(self, pull: Pull, progress: ImportProgress, *, is_full: bool) -> ImportResult:
        """Take in what a source that was opened brings. Raises as `Import.run` does."""
        scope = self._scope(is_full=is_full)
        pull.choose(scope, self._known, self._settling, self._held())
        importing = Import(self._store, progress, self._options)
        return importing.run([pull], self._arguments(pull, scope))

    def follow(
        self,
        seconds: float,
        progress: ImportProgress,
        watcher: Watcher,
        *,
        is_full: bool,
    ) -> Iterator[ImportResult]:
        """Pull every so many seconds, until a signal. Yield an import where there is news."""
        stopper = Stopper(self._store.retry.stopped.set)
        stopper.hold()
        self._transport.is_stopping = stopper.is_stopping
        failures = 0
        with stopper.installed():
            while not stopper.is_stopping():
                try:
                    pull = Pull(self._address, self._transport)
                    pull.open()
                    scope = self._scope(is_full=is_full)
                    pull.choose(scope, self._known, self._settling, self._held())
                    has_news = scope.is_sweep or pull.has_news()
                except SourceError as error:
                    failures += 1
                    watcher.trouble(error)
                else:
                    if failures:
                        watcher.trouble(None)
                    failures = 0
                    if has_news and not stopper.is_stopping():
                        importing = Import(self._store, progress, self._options)
                        result = importing.run([pull], self._arguments(pull, scope))
                        yield result
                        if importing.is_stopping():
                            return
                        is_full = is_full and bool(result.counts.refused)
                        failures = int(bool(result.counts.refused))
                        has_news = bool(failures)
                        self._transport.is_stopping = stopper.is_stopping
                    if not has_news:
                        watcher.looked()
                _sleep(_pause(seconds, failures), stopper)

    def _scope(self, *, is_full: bool) -> Scope:
        """Return how much to read now."""
        earlier = self._store.read(lambda session: earlier_pulls(session, self._address.uri))
        if is_full or earlier.through is None:
            return Scope()
        is_due = time.time_ns() - earlier.swept_at > SWEEP_SECONDS * 10**9
        return Scope(earlier.through, is_sweep=is_due, is_deep=False)

    def _arguments(self, pull: Pull, scope: Scope) -> list[str]:
        return pull_arguments(pull.uri, pull.through, is_sweep=scope.is_sweep)

    def _known(self, digests: Sequence[bytes]) -> Collection[bytes]:
        return self._store.read(lambda session: Known(session).documents(digests))

    def _held(self) -> Held:
        uri, read = self._address.uri, self._store.read

        def after(job_key: int) -> list[HeldJob]:
            return read(lambda session: held_jobs(session, uri, job_key))

        def jobs() -> Iterator[tuple[str, str, bytes]]:
            some = after(0)
            while some:
                yield from (one[1:] for one in some)
                some = after(some[-1].job_key)

        return Held(jobs, lambda job_ids: read(lambda session: held_events(session, uri, job_ids)))


def _pause(seconds: float, failures: int) -> float:
    """Return the seconds until the next pull: longer and longer while the server fails."""
    return max(seconds, min(seconds * 2.0 ** min(failures, 16), LONGEST_PAUSE))


def _sleep(seconds: float, stopper: Stopper) -> None:
    end = time.monotonic() + seconds
    while not stopper.is_stopping() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
