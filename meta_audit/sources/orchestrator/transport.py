"""Ask a server over HTTP, within bounds: of bytes, of time, of patience.

A server may be hostile, or in trouble. It cannot make us wait longer than `seconds` for one
answer, hold more than `body_bytes` of it, follow it to another server, or unpack anything. What
passes (a lost connection, 429, 5xx) is tried again with growing pauses.

The standard library's client takes a tenth of the time of those that are built on top of one
(docs/adr/0010), and a pull makes two requests for each job.
"""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from meta_audit.errors import SourceError, UsageError
from meta_audit.sources.route import MOST_REDIRECTS, PASSING, Route, reason_of
from meta_audit.version import __version__

if TYPE_CHECKING:
    from meta_audit.sources.orchestrator.address import Address
    from meta_audit.sources.orchestrator.credentials import Credentials

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")
Parameters = Sequence[tuple[str, str]]

_MOST_TRIES_OF_500: Final = 3
"""Bacalhau also answers 500 to what it will never be able to do."""
_LOOK_SECONDS: Final = 0.1
"""Time between two looks whether somebody wants to stop, or an answer takes too long."""


class HttpLimits(Struct, frozen=True):
    """Bounds of talking to a server. Tests make them small."""

    seconds: float = 60.0
    """For one whole answer."""
    connect_seconds: float = 10.0
    body_bytes: int = 64 << 20
    """Most bytes of one answer."""
    patience: float = 60.0
    """Seconds to go on trying the same request."""
    pause: float = 0.5
    """Seconds before the second try; each further pause is twice as long."""
    longest_pause: float = 15.0
    requests: int = 8
    """Requests at the same time."""
    first_page: int = 100
    """Jobs of the first page: in most pulls few are new."""
    largest_page: int = 5_000
    """The server reads and sorts all its jobs for each page: few pages cost it least."""


class Stopped(Exception):  # noqa: N818 - a signal inside this package, no error for a person
    """Somebody wants to stop."""


class TooLargeError(SourceError):
    """An answer was larger than the limit: ask for less at once."""


class Transport:
    """Connections to one server: one for each thread that asks."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        *,
        ca_file: str | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        self.is_stopping: Callable[[], bool] = lambda: False
        self.limits = limits or HttpLimits()
        self._base = address.base
        self._route = Route(address.base, _tls(ca_file), self.limits.connect_seconds)
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"meta-audit/{__version__}",
        }
        if credentials.header:
            self._headers["Authorization"] = credentials.header
        self._body_seconds = 0.0
        self._threads = ThreadPoolExecutor(self.limits.requests, "pull")
        self._own = threading.local()
        self._connections: set[http.client.HTTPConnection] = set()
        self._exchanges: set[_Exchange] = set()
        self._ended = threading.Event()

    @property
    def is_slow(self) -> bool:
        """Tell whether a much larger answer might take too long."""
        return self._body_seconds > self.limits.seconds / 10

    def close(self) -> None:
        """Break off what is being asked, and close all connections."""
        self._ended.set()
        self._break_off(time.monotonic() + 1e9)
        self._threads.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def ask(self, path: str, parameters: Parameters, absent: Sequence[int] = ()) -> bytes | None:
        """Do what `get` does, and raise `Stopped` soon after somebody wants to stop."""
        return self.each(lambda _: self.get(path, parameters, absent), (None,))[0]

    def each(
        self, work: Callable[[_Argument], _Result], arguments: Iterable[_Argument]
    ) -> list[_Result]:
        """Do the work for each argument, some at a time. Raises as it does, and `Stopped`."""
        futures: list[Future[_Result]] = [self._threads.submit(work, one) for one in arguments]
        try:
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, _LOOK_SECONDS, "FIRST_EXCEPTION")
                for future in done:
                    future.result()
                self._break_off(time.monotonic())
                if self.is_stopping() and waiting:
                    raise Stopped
        except BaseException:
            self._abandon(futures)
            raise
        return [future.result() for future in futures]

    def _abandon(self, futures: list[Future[_Result]]) -> None:
        """End work whose result nobody wants any more."""
        for future in futures:
            future.cancel()
        self._ended.set()
        while not all(future.done() for future in futures):
            self._break_off(time.monotonic() + 1e9)
            wait(futures, _LOOK_SECONDS)
        self._ended.clear()

    def _break_off(self, now: float) -> None:
        """Break off the exchanges that should have ended by now."""
        for exchange in tuple(self._exchanges):
            if now > exchange.deadline:
                exchange.break_off()

    def get(self, path: str, parameters: Parameters, absent: Sequence[int] = ()) -> bytes | None:
        """Return the body of an answer; None for a status in `absent`.

        Raises `SourceError` when the server cannot be reached or refuses, and `TooLargeError`.
        """
        began, pause, tries = time.monotonic(), self.limits.pause, 0
        while True:
            tries += 1
            try:
                return self._ask(f"{self._base}{path}?{urlencode(parameters)}", absent)
            except _PassingError as trouble:
                left = began + self.limits.patience - time.monotonic()
                pause_now = trouble.retry_after or min(pause, self.limits.longest_pause)
                is_hopeless = trouble.status == 500 and tries >= _MOST_TRIES_OF_500
                if pause_now >= left or is_hopeless or self._ended.wait(pause_now):
                    raise SourceError(trouble.code, str(trouble), advice=trouble.advice) from None
                pause *= 2

    def _ask(self, url: str, absent: Sequence[int]) -> bytes | None:
        """Send one request, and follow it within the server."""
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        is_new = connection is None
        if connection is None:
            connection = self._own.connection = self._route.connect()
            self._connections.add(connection)
        exchange = _Exchange(connection, time.monotonic() + self.limits.seconds)
        self._exchanges.add(exchange)
        is_sound = False
        try:
            for _ in range(MOST_REDIRECTS + 1):
                if connection.sock is None:
                    connection.timeout = self.limits.connect_seconds
                    connection.connect()
                    _opened(connection).settimeout(self.limits.seconds)
                target = self._route.target(url)
                connection.request("GET", target, headers=self._headers | self._route.headers)
                answer = connection.getresponse()
                location = answer.getheader("Location")
                if not (300 <= answer.status < 400 and location):
                    content = self._content(answer, absent)
                    if exchange.is_broken_off:  # without a length, its end looks like any other
                        raise TimeoutError
                    is_sound = not answer.will_close
                    return content
                answer.read(self.limits.body_bytes)
                url = self._route.redirected(url, location)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if exchange.is_broken_off:
                message = f"no whole answer within {self.limits.seconds:g} seconds"
                raise _PassingError("server.unreachable", message) from None
            if not is_new and isinstance(error, ConnectionError):
                self._forget(connection)
                return self._ask(url, absent)  # the server has closed it, as it may
            raise _failure(error) from error
        finally:
            self._exchanges.discard(exchange)
            if not is_sound:
                self._forget(connection)
        raise _wrong(f"more than {MOST_REDIRECTS} redirects")

    def _forget(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._connections.discard(connection)
        self._own.connection = None

    def _content(self, answer: http.client.HTTPResponse, absent: Sequence[int]) -> bytes | None:
        most, began = self.limits.body_bytes, time.monotonic()
        if answer.status not in absent and answer.status != 200:
            raise _refusal(answer)
        if (answer.getheader("Content-Encoding") or "identity").lower() != "identity":
            raise _wrong("it compresses its answer, though asked not to")
        promised = answer.length
        content = b"" if (promised or 0) > most else answer.read(most + 1)
        if (promised or 0) > most or len(content) > most:
            raise TooLargeError("server.answer", f"an answer of more than {most:,} bytes")
        if promised is not None and len(content) < promised:
            raise http.client.IncompleteRead(b"", promised - len(content))
        self._body_seconds = max(self._body_seconds, time.monotonic() - began)
        return None if answer.status in absent else content


def _opened(connection: http.client.HTTPConnection) -> Any:
    """Return the socket of a connection, None if it is closed."""
    return connection.sock


class _Exchange:
    """A request and its answer, under way."""

    def __init__(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        self.deadline = deadline
        self.is_broken_off = False
        self._connection = connection

    def break_off(self) -> None:
        """Make the thread that waits for the answer go on: with an error."""
        self.is_broken_off = True
        sock = _opened(self._connection)
        if sock is not None:
            with suppress(OSError):  # it may be closed already
                sock.shutdown(socket.SHUT_RDWR)


class _PassingError(SourceError):
    """A failure that may pass."""

    def __init__(
        self, code: str, message: str, *, advice: str = "", status: int = 0, retry_after: float = 0
    ) -> None:
        super().__init__(code, message, advice=advice)
        self.status = status
        self.retry_after = retry_after


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = error.strerror or "it holds no certificate"
        raise UsageError(
            f"--ca-file {ca_file}: {reason}", advice="Give a file of certificates in PEM format."
        ) from error


def _failure(error: Exception) -> SourceError:
    """Return what a failed request means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceError(
            "server.tls",
            f"its certificate cannot be verified: {error.verify_message}",
            advice="If it is the right server, name its authority with --ca-file.",
        )
    message = f"it cannot be reached, or the connection broke: {reason_of(error)}"
    return _PassingError("server.unreachable", message)


def _refusal(answer: http.client.HTTPResponse) -> SourceError:
    """Return what an answer without content means. The body is not repeated: it may hold keys."""
    status = answer.status
    said = f"it answers {status} {http.client.responses.get(status, '')}".strip()
    if status in (401, 403, 407):
        return SourceError(
            "server.denied",
            said,
            advice="Set BACALHAU_API_KEY, or BACALHAU_API_USERNAME and BACALHAU_API_PASSWORD, or "
            "use --credentials. Reading jobs needs the capability read:job.",
        )
    if status in PASSING:
        seconds = _seconds(answer.getheader("Retry-After") or "")
        more = f", and to come back in {seconds:g} seconds" if seconds else ""
        return _PassingError("server.failed", said + more, status=status, retry_after=seconds)
    advice = "Is it the URL of a Bacalhau orchestrator, v1.1 or later?" if status == 404 else ""
    return SourceError("server.failed", said, advice=advice)


def _seconds(retry_after: str) -> float:
    """Read a header `Retry-After`: seconds, or a time."""
    if retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _wrong(message: str) -> SourceError:
    return SourceError("server.answer", message)
