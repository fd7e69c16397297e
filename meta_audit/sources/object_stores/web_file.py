"""Read a file behind `http://` or `https://`, in the state in which it was found.

A server may be hostile. It cannot lead us to another server, nor hold us up: by silence, or by a
few bytes now and then. What passes (a lost connection, 429, 5xx) is tried again.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Timer
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError, UsageError
from meta_audit.sources.remote_stream import RemoteStream
from meta_audit.sources.route import KEPT_AS_GIVEN, MOST_REDIRECTS, PASSING, Route, reason_of
from meta_audit.store.retry import Retry
from meta_audit.version import __version__

if TYPE_CHECKING:
    from meta_audit.sources.compression import Budget
    from meta_audit.sources.content_memory import ContentMemory
    from meta_audit.sources.object_stores.object_url import ObjectUrl

_NO_HEAD: Final = frozenset({405, 501})
_SERVER: Final = "Check the URL and the network, then run the command again."


class WebLimits(Struct, frozen=True):
    """Bounds of reading from a server. Tests make them small."""

    connect_seconds: float = 10.0
    answer_seconds: float = 30.0
    """For the headers of an answer, and for the next byte of a body."""
    slow_seconds: float = 60.0
    """Time that a body may take before its bytes are counted against it."""
    least_rate: int = 1_000
    """Bytes a second that a server must send after that."""
    pause: float = 0.5
    """Seconds before the second try; each further pause is twice as long."""


class WebServer:
    """The server of one file."""

    def __init__(self, url: ObjectUrl, limits: WebLimits | None = None) -> None:
        """Raises `UsageError` for a URL without a proper host."""
        self.name = url.name
        self.limits = limits or WebLimits()
        self._patience = Retry.from_environment().read_seconds
        try:
            parts = urlsplit(url.store)
            is_proper = parts.hostname and parts.port != 0 and not re.search(r"\s", url.store)
        except ValueError:
            is_proper = False
        if not is_proper:
            raise UsageError(
                f"{url.name}: this is no URL of a source", advice="Write it as https://HOST/PATH."
            )
        path = url.name[len(url.store) :]
        self._url = url.store + quote(path, safe=KEPT_AS_GIVEN)
        self._route = Route(url.store, ssl.create_default_context(), self.limits.connect_seconds)

    @contextmanager
    def answer(
        self, method: str, headers: dict[str, str], said: frozenset[int] = frozenset()
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, again while it fails in a way that passes; close the answer after the block.

        Raises `SourceError` for a status that is no success, and not in `said`.
        """
        ends, pause = time.monotonic() + self._patience, self.limits.pause
        while True:
            try:
                connection, answer = self._asked(method, headers)
            except (OSError, http.client.HTTPException, _PassingStatusError) as error:
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise _untrusted(error) from error
                if time.monotonic() + pause >= ends:
                    raise _unreachable(error) from error
                time.sleep(pause)
                pause *= 2
                continue
            except ValueError as error:  # the name of the host is none
                raise _unreachable(error) from error
            with closing(connection), closing(answer):
                if answer.status not in (200, 206, *said):
                    raise _refusal(answer.status)
                yield answer
                return

    def _asked(
        self, method: str, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Ask once, and follow the answer within the server."""
        url = self._url
        for _ in range(MOST_REDIRECTS + 1):
            connection = self._route.connect()
            try:
                answer = self._answered(connection, method, url, headers)
                location = answer.getheader("Location")
                if answer.status in PASSING:
                    raise _PassingStatusError(answer.status)
                if not (300 <= answer.status < 400 and location):
                    return connection, answer
                url = self._route.redirected(url, location)
            except BaseException:
                connection.close()
                raise
            connection.close()
        message = f"more than {MOST_REDIRECTS} redirects"
        raise SourceError("server.answer", message, advice=_SERVER)

    def _answered(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: str,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        """Return an answer whose headers came in time."""
        connection.connect()
        opened: socket.socket = connection.sock
        opened.settimeout(self.limits.answer_seconds)
        is_late = Event()
        alarm = Timer(self.limits.answer_seconds, _break_off, (opened, is_late))
        alarm.daemon = True
        alarm.start()
        own = {"Accept-Encoding": "identity", "User-Agent": f"meta-audit/{__version__}"}
        try:
            connection.request(
                method, self._route.target(url), headers=own | headers | self._route.headers
            )
            answer = connection.getresponse()
        finally:
            alarm.cancel()
        if is_late.is_set():  # headers that end with the connection look like any others
            raise TimeoutError(f"no answer within {self.limits.answer_seconds:g} seconds")
        return answer


class WebFile(RemoteStream):
    """A file behind a URL."""

    def __init__(
        self,
        server: WebServer,
        memory: ContentMemory,
        *,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Ask for its size and ETag. Raises `SourceError`."""
        self._server = server
        size, etag = None, ""
        with server.answer("HEAD", {}, _NO_HEAD) as answer:
            if answer.status not in _NO_HEAD:
                size, etag = _length(answer), _strong_etag(answer)
        super().__init__(
            server.name,
            size,
            etag,
            memory,
            f" {server.name}",
            budget=budget,
            block_bytes=block_bytes,
        )

    def blocks(self) -> Iterator[bytes]:
        """Ask for the bytes, and yield them in blocks; go on where a connection broke.

        Raises `SourceError`, also if the file is another one by now.
        """
        done, pace = 0, _Pace(self._server.limits)
        while True:
            before = done
            for block in self._from(done, pace):
                done += len(block)
                yield block
            if self.size is None or done >= self.size:
                return
            if not self.etag or done == before:
                message = f"the connection broke: {done:,} of {self.size:,} bytes came"
                raise SourceError("server.unreachable", message, advice=_SERVER)

    def _from(self, start: int, pace: _Pace) -> Iterator[bytes]:
        """Yield the bytes from `start` on, until they end or the connection breaks."""
        headers = {"If-Match": self.etag} if self.etag else {}
        if start:
            headers["Range"] = f"bytes={start}-"
        with self._server.answer("GET", headers) as answer:
            if self.etag and _strong_etag(answer) not in ("", self.etag):
                raise _changed()
            goes_on = (answer.getheader("Content-Range") or "").startswith(f"bytes {start}-")
            if start and not (answer.status == 206 and goes_on):
                return
            try:
                while block := pace.block(answer, self._block_bytes):
                    yield block
            except (OSError, http.client.HTTPException) as error:
                if self.size is None:
                    raise _unreachable(error) from error


class _Pace:
    """Read blocks from answers, unless they come too slowly."""

    def __init__(self, limits: WebLimits) -> None:
        self._limits = limits
        self._waited = 0.0
        self._bytes = 0

    def block(self, answer: http.client.HTTPResponse, most: int) -> bytes:
        """Return the next bytes, as many as asked for unless they end."""
        parts, left = [], most
        while left:
            began = time.monotonic()
            part = answer.read1(left)
            self._waited += time.monotonic() - began
            if not part:
                break
            self._bytes += len(part)
            self._check()
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _check(self) -> None:
        seconds = self._waited - self._limits.slow_seconds
        if self._bytes < seconds * self._limits.least_rate:
            message = f"it sends fewer than {self._limits.least_rate:,} bytes a second"
            raise SourceError("server.unreachable", message, advice="Download the file first.")


class _PassingStatusError(Exception):
    """Raised for a status that may be another one later."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _break_off(opened: socket.socket, is_late: Event) -> None:
    is_late.set()
    with suppress(OSError):  # it may be closed already
        opened.shutdown(socket.SHUT_RDWR)


def _length(answer: http.client.HTTPResponse) -> int | None:
    length = answer.getheader("Content-Length") or ""
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _strong_etag(answer: http.client.HTTPResponse) -> str:
    """Return the ETag if equal ones stand for equal bytes (RFC 9110, section 8.8.3)."""
    etag = answer.getheader("ETag") or ""
    return etag if etag.isascii() and etag.isprintable() and not etag.startswith("W/") else ""


def _refusal(status: int) -> SourceError:
    """Return what a status means."""
    said = f"it answers {status} {http.client.responses.get(status, '')}".strip()
    if status in (404, 410):
        return SourceError("source.missing", f"there is no such file: {said}", advice=_SERVER)
    if status == 412:
        return _changed()
    if status in (401, 403, 407):
        return SourceError("server.denied", said, advice="Only files that all may read are read.")
    return SourceError("server.failed", said, advice=_SERVER)


def _changed() -> SourceError:
    message = "it changed since it was found"
    return SourceError("source.changed", message, advice="Run the command again.")


def _untrusted(error: ssl.SSLCertVerificationError) -> SourceError:
    return SourceError(
        "server.tls",
        f"its certificate cannot be verified: {error.verify_message}",
        advice="If it is the right server, name its authority in SSL_CERT_FILE.",
    )


def _unreachable(error: Exception) -> SourceError:
    if isinstance(error, _PassingStatusError):
        return _refusal(error.status)
    message = f"it cannot be reached, or the connection broke: {reason_of(error)}"
    return SourceError("server.unreachable", message, advice=_SERVER)
