"""A file behind a URL, on real servers: sound, in trouble, or hostile."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from meta_audit.errors import SourceError
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.object_stores.object_url import ObjectUrl
from meta_audit.sources.object_stores.web_file import WebFile, WebLimits, WebServer
from tests.certificates import make_certificate
from tests.clusters import free_port
from tests.conftest import Audit, Program
from tests.ingest.documents import compact, job, ndjson
from tests.sources.helpers import assert_short


class Web(ThreadingHTTPServer):
    """A server of one file, with an ETag or without."""

    content = b""
    etag = ""
    status = 200
    location = ""
    is_cut = False
    asked: list[str]
    ends: Event


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()
        end = 20 if self.server.is_cut else None
        self.wfile.write(self.server.content[:end])

    def _answer(self) -> None:
        self.server.asked.append(self.command)
        self.send_response(self.server.status if self.path == "/a%20b.json" else 404)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("META_AUDIT_WAIT", "1")
    with Web(("127.0.0.1", 0), _Handler) as server:
        server.asked = []
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("etag", "asked"), [('"1"', 0), ("", 1), ('W/"1"', 1)])
def test_a_file_behind_a_url(file: Audit, web: Web, etag: str, asked: int) -> None:
    web.content, web.etag = ndjson(compact(job(1)), compact(job(2))), etag
    url = f"http://127.0.0.1:{web.server_port}/a%20b.json"
    assert file.ingest(url).summary["new"] == 2
    assert file.rows("SELECT uri FROM sources") == [(url,)]
    web.asked.clear()
    assert file.ingest(url).summary["unchanged"] == 2
    assert web.asked.count("GET") == asked
    web.content, web.etag = ndjson(compact(job(3))), etag.replace("1", "2")
    assert file.ingest(url).summary["new"] == 1
    assert file.faults() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "server.denied"),
        (403, "server.denied"),
        (404, "source.missing"),
        (500, "server.failed"),
    ],
)
def test_a_server_that_refuses(file: Audit, web: Web, status: int, code: str) -> None:
    web.status = status
    result = file.ingest(f"http://127.0.0.1:{web.server_port}/a%20b.json")
    assert result.status == 3
    assert_short(result.err)
    assert code in result.err


class _Stalling(_Handler):
    """Answer a part, and no more."""

    def do_GET(self) -> None:
        self._answer()
        self.wfile.write(self.server.content[:1000])
        self.wfile.flush()
        self.server.ends.wait(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_once_though_the_server_says_nothing(
    program: Program, file: Audit, web: Web, number: int
) -> None:
    web.content, web.ends = ndjson(*[compact(job(n)) for n in range(100)]), Event()
    web.RequestHandlerClass = _Stalling
    process = program("ingest", f"http://127.0.0.1:{web.server_port}/a%20b.json", "--db", file.db)
    try:
        deadline = time.monotonic() + 60
        while "GET" not in web.asked:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=15)  # the library waits 30 s
    finally:
        web.ends.set()
    assert process.returncode == 128 + number
    assert b"Interrupted: run the same command again" in err
    assert b"Traceback" not in err
    assert file.rows("SELECT status FROM v_imports") == [("interrupted",)]


def test_a_body_that_is_cut_short_is_refused(file: Audit, web: Web) -> None:
    web.content, web.etag, web.is_cut = ndjson(compact(job(1)), compact(job(2))), '"1"', True
    result = file.ingest(f"http://127.0.0.1:{web.server_port}/a%20b.json")
    assert result.status == 3
    assert_short(result.err)
    assert file.faults() == []
    web.is_cut = False
    assert file.ingest(f"http://127.0.0.1:{web.server_port}/a%20b.json").status == 0
    assert file.rows("SELECT count(*) FROM documents") == [(2,)]


def _asked(web: Web) -> str:
    return f"http://127.0.0.1:{web.server_port}/a%20b.json"


class _Redirecting(_Handler):
    """Lead to the file, by way of its location."""

    def _answer(self) -> None:
        if self.path == "/a%20b.json" and self.server.location:
            self.server.asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", self.server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.path = "/a%20b.json"
        super()._answer()


@pytest.mark.parametrize("path", ["/there/b.json?c=%2F", "there.json", "//{host}/x"])
def test_a_redirect_within_the_server_is_followed(file: Audit, web: Web, path: str) -> None:
    web.content = ndjson(compact(job(1)))
    web.RequestHandlerClass = _Redirecting
    web.location = path.format(host=f"127.0.0.1:{web.server_port}")
    assert file.ingest(_asked(web)).summary["new"] == 1
    assert file.rows("SELECT uri FROM sources") == [(_asked(web),)]


def test_another_server_is_never_asked(file: Audit, web: Web) -> None:
    web.RequestHandlerClass = _Redirecting
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        other.settimeout(0.1)
        for host in (f"http://127.0.0.1:{other.getsockname()[1]}", "https://127.0.0.1"):
            web.location = f"{host}/a%20b.json"
            result = file.ingest(_asked(web))
            assert result.status == 3
            assert "a redirect to another server" in result.err
            assert_short(result.err)
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.parametrize("location", ["http://[bad", "//[", "javascript:x"])
def test_a_redirect_to_no_url_is_refused(file: Audit, web: Web, location: str) -> None:
    web.RequestHandlerClass, web.location = _Redirecting, location
    result = file.ingest(_asked(web))
    assert (result.status, "a redirect to" in result.err) == (3, True)
    assert_short(result.err)


@pytest.mark.parametrize("host", ["a..b", "a" * 70])
def test_a_host_that_no_name_can_be(file: Audit, host: str) -> None:
    result = file.ingest(f"http://{host}/x.json")
    assert (result.status, "server.unreachable" in result.err) == (3, True)
    assert_short(result.err)


def test_a_circle_of_redirects_ends(file: Audit, web: Web) -> None:
    web.RequestHandlerClass, web.location = _Redirecting, "/a%20b.json"
    result = file.ingest(_asked(web))
    assert (result.status, web.asked.count("/a%20b.json")) == (3, 4)
    assert "more than 3 redirects" in result.err


class _Bare(_Handler):
    """Tell neither length nor ETag, and know no HEAD."""

    def do_HEAD(self) -> None:
        self.send_error(405)

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.content)


def test_a_server_that_says_nothing_of_a_file(file: Audit, web: Web) -> None:
    web.content, web.RequestHandlerClass = ndjson(compact(job(1)), compact(job(2))), _Bare
    assert file.ingest(_asked(web)).summary["new"] == 2
    assert file.faults() == []


class _Breaking(_Handler):
    """Break off after some bytes, and go on from there."""

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range", ""))
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        assert self.headers["If-Match"] == self.server.etag
        left = len(self.server.content) - start
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(left))
        self.send_header("ETag", self.server.etag)
        if start:
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.end_headers()
        self.wfile.write(self.server.content[start : start + 700])


def test_a_connection_that_breaks_is_taken_up_again(file: Audit, web: Web) -> None:
    web.content, web.etag = ndjson(*[compact(job(n)) for n in range(9)]), '"1"'
    web.RequestHandlerClass = _Breaking
    assert file.ingest(_asked(web)).summary["new"] == 9
    assert len([one for one in web.asked if one.startswith("bytes=")]) > 2
    assert file.faults() == []


def test_another_file_by_the_time_it_is_read(file: Audit, web: Web) -> None:
    class Changing(_Handler):
        def do_GET(self) -> None:
            self.server.etag = '"2"'
            super().do_GET()

    web.content, web.etag, web.RequestHandlerClass = ndjson(compact(job(1))), '"1"', Changing
    result = file.ingest(_asked(web))
    assert (result.status, "source.changed" in result.err) == (3, True)
    assert file.ingest(_asked(web)).summary["new"] == 1


class _Dripping(_Handler):
    """Send a byte now and then, for ever: of the headers, or of the body."""

    part = ""

    def do_HEAD(self) -> None:
        if self.part == "headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX: ")
        else:
            self._answer()

    def do_GET(self) -> None:
        self._answer()
        self._drip(b"")

    def _drip(self, first: bytes) -> None:
        try:
            self.wfile.write(first)
            while not self.server.ends.wait(0.02):
                self.wfile.write(b" ")
        except OSError:
            pass


@pytest.mark.parametrize(
    ("part", "said"), [("headers", "cannot be reached"), ("body", "fewer than 1,000 bytes")]
)
def test_what_drips_is_given_up(web: Web, part: str, said: str) -> None:
    web.content, web.ends = bytes(100_000), Event()
    web.RequestHandlerClass = type("Dripping", (_Dripping,), {"part": part})
    limits = WebLimits(answer_seconds=0.3, slow_seconds=0.3)
    began = time.monotonic()
    try:
        with pytest.raises(SourceError, match=said) as raised:
            list(_read(web, limits))
    finally:
        web.ends.set()
    assert raised.value.code == "server.unreachable"
    assert time.monotonic() - began < 15


def _read(web: Web, limits: WebLimits) -> Iterator[bytes]:
    server = WebServer(ObjectUrl.parse(_asked(web)), limits)
    yield from WebFile(server, ContentMemory()).blocks()


@pytest.mark.parametrize(
    "url", ["http://host:0/x", "http://host:99999/x", "https://ho st/x", "http://:80/x"]
)
def test_a_host_that_is_none(file: Audit, url: str) -> None:
    result = file.ingest(url)
    assert (result.status, "no URL of a source" in result.err) == (2, True)
    assert file.rows("SELECT * FROM imports") == []


def test_a_server_that_is_not_there(file: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "1")
    result = file.ingest(f"http://127.0.0.1:{free_port()}/x.json")
    assert (result.status, "server.unreachable" in result.err) == (3, True)
    assert_short(result.err)


def test_the_certificate_must_be_known(
    file: Audit, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    web.socket, web.content = tls.wrap_socket(web.socket, server_side=True), compact(job(1))
    url = f"https://localhost:{web.server_port}/a%20b.json"
    refused = file.ingest(url)
    assert (refused.status, "its certificate cannot be verified" in refused.err) == (3, True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert file.ingest(url).summary["new"] == 1
