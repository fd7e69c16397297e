"""Find the way to a server: straight, or through the proxy that the environment names."""

from __future__ import annotations

import base64
import http.client
import ssl
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from meta_audit.errors import SourceError, UsageError

PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another one later."""
MOST_REDIRECTS: Final = 3
KEPT_AS_GIVEN: Final = "/%:@!$&'()*+,;=~"
"""Characters of a path that are sent as they are (RFC 3986, section 3.3, and what is encoded)."""
_PORTS: Final = {"http": 80, "https": 443}


class Route:
    """The way to a server, by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

    def __init__(self, base: str, tls: ssl.SSLContext, connect_seconds: float) -> None:
        parts = urlsplit(base)
        self._base = base
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._tls = tls
        self._seconds = connect_seconds
        self.headers: dict[str, str] = {}
        """Headers for the proxy."""
        proxies = getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        self._proxy = None if not proxy or proxy_bypass(parts.netloc) else self._parsed(proxy)
        self._proof: dict[str, str] = {}
        if self._proxy and self._proxy.username is not None:
            pair = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            self._proof = {"Proxy-Authorization": f"Basic {_base64(pair)}"}
            if self._scheme == "http":
                self.headers = self._proof

    @staticmethod
    def _parsed(proxy: str):  # type: ignore[no-untyped-def]
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        try:
            is_usable = parts.scheme == "http" and parts.hostname and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:  # its URL may hold a password
            raise UsageError(
                "the proxy that the environment names cannot be used",
                advice="Give HTTP_PROXY or HTTPS_PROXY as http://HOST:PORT, or set NO_PROXY.",
            )
        return parts

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        if self._proxy is None:
            if self._scheme == "https":
                return http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._seconds, context=self._tls
                )
            return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        host, port = self._proxy.hostname, self._proxy.port or _PORTS["http"]
        if self._scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._seconds)
        tunnel = http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._tls)
        tunnel.set_tunnel(self._host, self._port, self._proof)
        return tunnel

    def target(self, url: str) -> str:
        """Return what the request line names: the whole URL for a proxy, else its path."""
        if self._proxy is not None and self._scheme == "http":
            return url
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def redirected(self, url: str, location: str) -> str:
        """Return where a redirect leads. Raises `SourceError` if that is another server."""
        try:
            here, there = urlsplit(self._base), urlsplit(urljoin(url, location))
        except ValueError as error:
            raise SourceError(
                "server.answer",
                "a redirect to no URL",
                advice="Tell whoever runs the server, or give the URL that is meant.",
            ) from error
        if (here.scheme, here.netloc.lower()) != (there.scheme, there.netloc.lower()):
            raise SourceError(
                "server.answer",
                f"a redirect to another server ({there.scheme}://{there.hostname})",
                advice="If that is the right one, give its URL.",
            )
        return there._replace(path=quote(there.path, safe=KEPT_AS_GIVEN), fragment="").geturl()


def reason_of(error: Exception) -> str:
    """Say in a few words why a connection failed."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
