"""Start a real server that speaks S3 (moto), with an empty bucket for each test."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.clusters import free_port

obstore = pytest.importorskip("obstore")
if find_spec("moto") is None:  # importing it here would take 0.4 s
    pytest.skip("needs the extra `dev`", allow_module_level=True)

BUCKET = "audit-jobs"


class S3:
    """A bucket of a server, and what was asked of it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = len(log.read_text().splitlines())
        self._store = obstore.store.from_url(f"s3://{BUCKET}")

    def put(self, path: str, content: bytes) -> None:
        self._store.put(path, content)

    def get(self, path: str) -> bytes:
        return bytes(self._store.get(path).bytes())

    def paths(self) -> list[str]:
        """The objects that there are."""
        return sorted(one["path"] for page in self._store.list() for one in page)

    def delete(self, path: str) -> None:
        self._store.delete(path)

    def read(self) -> list[str]:
        """The objects that were read since this was asked last."""
        lines = self._log.read_text().splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        found = [re.search(rf'"GET /{BUCKET}/(\S+) HTTP', line) for line in new]
        return [match[1] for match in found if match]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a server that speaks S3."""
    log, port = tmp_path_factory.mktemp("s3") / "log", free_port()
    with log.open("wb") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{url}/moto-api/"):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield url, log
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def s3(endpoint: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An empty bucket, and an empty cache."""
    url, log = endpoint
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "META_AUDIT_WAIT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    send(url, "moto-api/reset", "POST")
    send(url, BUCKET, "PUT")
    return S3(log)


def send(url: str, path: str, method: str) -> None:
    """Send a request without a body to the server."""
    scope = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"{scope}, SignedHeaders=host, Signature=0"}
    request = urllib.request.Request(f"{url}/{path}", method=method, headers=headers)
    urllib.request.urlopen(request).close()
