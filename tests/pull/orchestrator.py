"""An orchestrator's API in a thread: it serves recorded answers, or jobs of a model.

It sorts its list anew for each page and gives jobs with equal times in any order, as Bacalhau
does (pkg/jobstore/boltdb). `before` is called before each answer and may change the jobs;
`faults` are played one per request, before anything else.
"""

from __future__ import annotations

import base64
import json
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

JOBS: Final = "/api/v1/orchestrator/jobs"


@dataclass
class Held:
    """One job as the server holds it: the bytes that it gives out, and what it sorts by."""

    job_id: str
    body: bytes
    created: int
    modified: int
    namespace: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[bytes]] = field(default_factory=dict)
    """Elements of its versions, executions and history."""


Fault = Callable[[BaseHTTPRequestHandler], None]


class Orchestrator:
    """The server, and the jobs that it holds."""

    def __init__(self, layout: str = "v1.6", *, seed: int = 0, delay: float = 0.0) -> None:
        self.layout = layout
        self.jobs: dict[str, Held] = {}
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.before: Callable[[], None] = lambda: None
        self.faults: deque[Fault] = deque()
        self.requests: list[str] = []
        self.authorizations: set[str | None] = set()
        self.wanted: str | None = None
        """The header `Authorization` that it wants."""
        self.most: int | None = None
        """Most elements of a page of executions or history, as a proxy may cut it."""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """Return status and body."""
        with self.lock:
            self.before()
            if path == JOBS:
                return self._list(query)
            if path.startswith(JOBS + "/"):
                job_id, _, part = path.removeprefix(JOBS + "/").partition("/")
                job = self.jobs.get(unquote(job_id))
                if job is not None and not part:
                    return 200, b'{"Job":%s}' % job.body
                is_known = part != "versions" or self.layout == "v1.9"
                if job is not None and part in job.parts and is_known:
                    return self._part(job.parts[part], part, query)
        return 404, b'{"Status":404,"Message":"bucket not found","Code":"NotFound"}'

    def _list(self, query: dict[str, str]) -> tuple[int, bytes]:
        order, reverse = query.get("order_by", ""), query.get("reverse") == "true"
        limit, offset = int(query.get("limit", 0)), 0
        token = query.get("next_token", "")
        if token:
            try:
                if self.layout == "v1.1":
                    offset = int(token)
                else:
                    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
                    order, reversed_, limit_, offset_ = text.split(":")
                    reverse, limit, offset = reversed_ == "Y", int(limit_), int(offset_)
            except ValueError:
                return 400, b'{"message":"invalid paging token"}'
        if order not in ("created_at", "modified_at"):
            return 500, b'{"message":"unsupported sort"}'
        namespace = query.get("namespace", "default")
        chosen = [j for j in self.jobs.values() if namespace in ("*", j.namespace)]
        if "labels" in query:
            name, _, value = query["labels"].partition("=")
            chosen = [j for j in chosen if j.labels.get(name) == value]
        self.random.shuffle(chosen)
        chosen.sort(
            key=lambda j: j.created if order == "created_at" else j.modified, reverse=reverse
        )
        if self.layout == "v1.1" and offset > len(chosen):
            return 500, b'{"message":"slice bounds out of range"}'
        end = offset + limit if limit else len(chosen)
        next_token = ""
        if self.layout != "v1.1" and end < len(chosen):
            text = f"{order}:{'Y' if reverse else 'N'}:{limit}:{end}"
            next_token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        name = "Items" if self.layout in ("v1.6", "v1.9") else "Jobs"
        return 200, page([j.body for j in chosen[offset:end]], name, next_token)

    def _part(self, elements: list[bytes], part: str, query: dict[str, str]) -> tuple[int, bytes]:
        if self.layout in ("v1.1", "v1.3"):
            return 200, page(elements, part.capitalize(), "")
        token, limit = query.get("next_token", ""), int(query.get("limit", 0)) or len(elements)
        limit = min(limit, self.most or limit)
        at = int(base64.b64decode(token).split(b":")[3]) if token else 0
        end = at + limit
        is_running = part == "history" and b"Running" in b"".join(elements)
        is_open = end < len(elements) or is_running
        more = base64.b64encode(f":N:{limit}:{min(end, len(elements))}".encode()).decode()
        return 200, page(elements[at:end], "Items", more if is_open else "")


def page(elements: list[bytes], name: str, token: str) -> bytes:
    """Write a page."""
    return b'{"NextToken":%s,"%s":[%s]}' % (
        json.dumps(token).encode(),
        name.encode(),
        b",".join(elements),
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one packet for an answer, and no waiting for an acknowledgement
    disable_nagle_algorithm = True
    orchestrator: Orchestrator

    def do_GET(self) -> None:
        served = self.orchestrator
        served.requests.append(self.path)
        served.authorizations.add(self.headers.get("Authorization"))
        if served.faults:
            served.faults.popleft()(self)
            return
        if served.wanted and self.headers.get("Authorization") != served.wanted:
            send(self, 401, b'{"message":"unauthorized"}')
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        send(self, *served.answer(parts.path, query))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, **headers: str) -> Fault:
    """Answer with a status once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: send(handler, code, b'{"message":"secret-echo"}', named)


def body(content: bytes, **headers: str) -> Fault:
    """Answer 200 with other content once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: send(handler, 200, content, named)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    """Promise more than comes, and close the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"Items":[')
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then: each alone comes in time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            break
        time.sleep(0.05)
    handler.close_connection = True


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@contextmanager
def serving(served: Orchestrator, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of this machine, and give the URL."""
    handler = type("Handler", (_Handler,), {"orchestrator": served})
    server = _Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        host = f"localhost:{server.server_port}" if tls else f"127.0.0.1:{server.server_port}"
        yield f"{'https' if tls else 'http'}://{host}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def recorded(folder: Path, layout: str) -> Orchestrator:
    """Serve what a real server answered (`api/` of the corpus of servers)."""
    served = Orchestrator(layout)
    parts: dict[str, dict[str, list[bytes]]] = {}
    for part in ("executions", "history", "versions"):
        for file in (folder / part).glob("*.json"):
            parts.setdefault(file.stem, {})[part] = elements_of(file.read_bytes())
    for element in elements_of((folder / "jobs/all.json").read_bytes()):
        job = json.loads(element)
        served.jobs[job["ID"]] = Held(
            job["ID"],
            element,
            job["CreateTime"],
            job["ModifyTime"],
            job["Namespace"],
            job["Labels"] or {},
            parts.get(job["ID"], {}),
        )
    return served


def elements_of(content: bytes) -> list[bytes]:
    """Cut a page with the standard library alone."""
    text = content.decode()
    fields = json.loads(text)
    name = next(n for n in ("Items", "Jobs", "Executions", "History") if n in fields)
    at = text.index("[", text.index(f'"{name}"')) + 1
    decoder, found = json.JSONDecoder(), []
    while True:
        while text[at] in " \n\r\t,":
            at += 1
        if text[at] == "]":
            return found
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end
