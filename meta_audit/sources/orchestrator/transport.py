"""Ask a server over HTTP, within bounds: of bytes, of time, of patience.

A server may be hostile, or in trouble. It cannot make us wait longer than `seconds` for one
answer, hold more than `body_bytes` of it, follow it to another host, or unpack anything. What
passes (a lost connection, 429, 5xx) is tried again with growing pauses.
"""

from __future__ import annotations

import asyncio
import email.utils
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from meta_audit.errors import SourceError, UsageError
from meta_audit.version import __version__

if TYPE_CHECKING:
    import httpx

    from meta_audit.sources.orchestrator.address import Address
    from meta_audit.sources.orchestrator.credentials import Credentials

_Result = TypeVar("_Result")
Parameters = Sequence[tuple[str, str]]

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another one later."""
_MOST_TRIES_OF_500: Final = 3
"""Bacalhau also answers 500 to what it will never be able to do."""
_MOST_REDIRECTS: Final = 3
_STOP_SECONDS: Final = 0.2
"""Time between two looks whether somebody wants to stop."""


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
    """An answer was larger than the limit, or took too long: ask for less at once."""


class Transport:
    """A connection to one server."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        *,
        ca_file: str | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        self.is_stopping: Callable[[], bool] = lambda: False
        self.bytes_read = 0
        self.body_seconds = 0.0
        """The longest that the body of an answer took."""
        self.limits = limits or HttpLimits()
        self._base = address.base
        self._runner = asyncio.Runner()
        self._client = _client(credentials, ca_file, self.limits)
        self._slots = asyncio.Semaphore(self.limits.requests)

    @property
    def is_slow(self) -> bool:
        """Tell whether a much larger answer might take too long."""
        return self.body_seconds > self.limits.seconds / 10

    def close(self) -> None:
        """Close all connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Do the work. Raises `Stopped` soon after somebody wants to stop."""
        return self._runner.run(self._watch(work))

    async def _watch(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=_STOP_SECONDS)
            if self.is_stopping() and not task.done():
                task.cancel()
                await asyncio.wait({task})
                raise Stopped
        return task.result()

    async def get(
        self, path: str, parameters: Parameters, *, absent: Sequence[int] = ()
    ) -> bytes | None:
        """Return the body of an answer; None for a status in `absent`.

        Raises `SourceError` when the server cannot be reached or refuses, and `TooLargeError`.
        """
        began, pause, tries = time.monotonic(), self.limits.pause, 0
        while True:
            tries += 1
            try:
                async with self._slots:
                    return await self._ask(self._base + path, parameters, absent)
            except _PassingError as trouble:
                left = began + self.limits.patience - time.monotonic()
                wait = trouble.retry_after or min(pause, self.limits.longest_pause)
                is_hopeless = trouble.status == 500 and tries >= _MOST_TRIES_OF_500
                if wait >= left or is_hopeless:
                    raise SourceError(trouble.code, str(trouble), advice=trouble.advice) from None
                await asyncio.sleep(wait)
                pause *= 2

    async def _ask(self, url: str, parameters: Parameters, absent: Sequence[int]) -> bytes | None:
        """Send one request, and follow it within the host."""
        import httpx  # noqa: PLC0415 - an extra, and slow to import

        try:
            async with asyncio.timeout(self.limits.seconds):
                target = str(httpx.URL(url, params=list(parameters)))
                for _ in range(_MOST_REDIRECTS + 1):
                    async with self._client.stream("GET", target) as answer:
                        location = answer.headers.get("location", "")
                        if not answer.is_redirect or not location:
                            return await self._body(answer, absent)
                        target = self._redirected(target, location)
        except TimeoutError:
            message = f"no whole answer within {self.limits.seconds:g} seconds"
            raise _PassingError("server.unreachable", message) from None
        except httpx.HTTPError as error:
            raise _failure(error) from error
        except httpx.InvalidURL as error:
            raise _wrong(f"a redirect to no address: {error}") from error
        raise _wrong(f"more than {_MOST_REDIRECTS} redirects")

    async def _body(self, answer: httpx.Response, absent: Sequence[int]) -> bytes | None:
        if answer.status_code in absent:
            return None
        if answer.status_code != 200:
            raise _refusal(answer)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise _wrong("it compresses its answer, though asked not to")
        parts, size, began = [], 0, time.monotonic()
        async for part in answer.aiter_raw():
            size += len(part)
            if size > self.limits.body_bytes:
                message = f"an answer of more than {self.limits.body_bytes:,} bytes"
                raise TooLargeError("server.answer", message)
            parts.append(part)
        self.bytes_read += size
        self.body_seconds = max(self.body_seconds, time.monotonic() - began)
        return b"".join(parts)

    def _redirected(self, url: str, location: str) -> str:
        """Return where a redirect leads, if that is the same server."""
        target = urljoin(url, location)
        here, there = urlsplit(self._base), urlsplit(target)
        is_upgrade = (here.scheme, there.scheme) == ("http", "https")
        is_same = here.hostname == there.hostname and (
            is_upgrade or (here.scheme, here.port) == (there.scheme, there.port)
        )
        if not is_same or there.username is not None:
            raise _wrong(
                f"a redirect to another server ({there.scheme}://{there.hostname})",
                advice="If that is the right one, give its URL.",
            )
        return target


class _PassingError(SourceError):
    """A failure that may pass."""

    def __init__(
        self, code: str, message: str, *, advice: str = "", status: int = 0, retry_after: float = 0
    ) -> None:
        super().__init__(code, message, advice=advice)
        self.status = status
        self.retry_after = retry_after


def _client(credentials: Credentials, ca_file: str | None, limits: HttpLimits) -> httpx.AsyncClient:
    try:
        import httpx  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise UsageError(
            "the library httpx is missing, which `pull` needs",
            advice="Install it: pip install 'meta-audit[pull]'",
        ) from error
    headers = {"Accept-Encoding": "identity", "User-Agent": f"meta-audit/{__version__}"}
    if credentials.header:
        headers["Authorization"] = credentials.header
    try:
        verify = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = error.strerror or "it holds no certificate"
        raise UsageError(
            f"--ca-file {ca_file}: {reason}", advice="Give a file of certificates in PEM format."
        ) from error
    try:
        return httpx.AsyncClient(
            headers=headers,
            verify=verify,
            timeout=httpx.Timeout(limits.seconds, connect=limits.connect_seconds),
            limits=httpx.Limits(max_connections=limits.requests),
        )
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        raise UsageError(
            f"the proxy that the environment names cannot be used: {error}",
            advice="Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.",
        ) from error


def _failure(error: httpx.HTTPError) -> SourceError:
    """Return what a failed request means."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SourceError(
                "server.tls",
                f"its certificate cannot be verified: {cause.verify_message}",
                advice="If it is the right server, name its authority with --ca-file.",
            )
        cause = cause.__cause__ or cause.__context__
    reason = str(error) or type(error).__name__
    return _PassingError(
        "server.unreachable", f"it cannot be reached, or the connection broke: {reason}"
    )


def _refusal(answer: httpx.Response) -> SourceError:
    """Return what an answer without content means. The body is not repeated: it may hold keys."""
    status = answer.status_code
    said = f"it answers {status} {answer.reason_phrase}".strip()
    if status in (401, 403, 407):
        return SourceError(
            "server.denied",
            said,
            advice="Set BACALHAU_API_KEY, or BACALHAU_API_USERNAME and BACALHAU_API_PASSWORD, or "
            "use --credentials. Reading jobs needs the capability read:job.",
        )
    if status in _PASSING:
        wait = _seconds(answer.headers.get("retry-after", ""))
        more = f", and to come back in {wait:g} seconds" if wait else ""
        return _PassingError("server.failed", said + more, status=status, retry_after=wait)
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


def _wrong(message: str, advice: str = "") -> SourceError:
    return SourceError("server.answer", message, advice=advice)
