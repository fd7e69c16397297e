"""Objects of a real server that speaks S3 (moto)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meta_audit.sources import find
from meta_audit.sources.object_stores import ObjectUrl
from tests.clusters import free_port
from tests.conftest import ROOT, Audit
from tests.ingest.documents import compact, job, ndjson
from tests.s3 import BUCKET, S3, endpoint, s3, send
from tests.sources.helpers import assert_short, gz

obstore = pytest.importorskip("obstore")

__all__ = ["endpoint", "s3"]
EXAMPLES = ROOT / "examples"


def test_a_bucket_gives_what_a_directory_gives(
    audit: Audit, another: Audit, s3: S3, tmp_path: Path
) -> None:
    for path in sorted(EXAMPLES.rglob("*")):
        if path.is_file() and path.suffix not in (".db", ".tar", ".zip"):
            s3.put(f"in/{path.relative_to(EXAMPLES)}", path.read_bytes())
    s3.put("inside.json", b"the name only begins so")
    here = audit.ingest(f"s3://{BUCKET}/in/")
    there = another.ingest(EXAMPLES)
    counted = ("documents", "new", "changed", "rejected", "sources", "skipped", "jobs")
    assert {n: here.summary[n] for n in counted} == {n: there.summary[n] for n in counted}
    sql = "SELECT sha256 FROM documents ORDER BY 1"
    assert audit.rows(sql) == another.rows(sql)
    assert (audit.faults(), audit.run("verify").status) == ([], 0)
    uris = audit.rows("SELECT uri FROM sources")
    assert all(uri.startswith(f"s3://{BUCKET}/in/") for (uri,) in uris)
    cells = audit.rows("SELECT arguments FROM imports")
    assert "very-secret" not in str(cells) + here.err


def test_an_etag_that_is_known_is_not_read_again(file: Audit, s3: S3, another: Audit) -> None:
    names = [f"a/{n} 100%.ndjson" for n in range(5)]
    for number, name in enumerate(names):
        content = ndjson(compact(job(number)))
        s3.put(name, gz(content) if number % 2 else content)
    assert file.ingest(f"s3://{BUCKET}/a").summary["new"] == 5
    assert len(s3.read()) == 5
    again = file.ingest(f"s3://{BUCKET}/a").summary
    assert (again["unchanged"], again["known_sources"], s3.read()) == (5, 5, [])
    s3.put(names[2], ndjson(compact(job(2)), compact(job(7))))
    s3.put("a/new.json", compact(job(8)))
    assert file.ingest(f"s3://{BUCKET}").summary["new"] == 2
    assert len(s3.read()) == 2
    # The cache is no evidence: another store has not read these bytes.
    assert another.ingest(f"s3://{BUCKET}/").summary["documents"] == 7
    assert len(s3.read()) == 6


@pytest.mark.parametrize("broken", ["lost", "garbage", "a file in the way"])
def test_a_cache_that_cannot_be_used_costs_nothing_but_time(
    file: Audit, s3: S3, tmp_path: Path, broken: str
) -> None:
    cache = tmp_path / "cache/meta-audit/contents.db"
    s3.put("j.json", compact(job(1)))
    if broken == "a file in the way":
        (tmp_path / "cache").write_text("")
    assert file.ingest(f"s3://{BUCKET}/j.json").status == 0
    if broken == "lost":
        cache.unlink()
    elif broken == "garbage":
        cache.write_bytes(b"garbage" * 1000)
    result = file.ingest(f"s3://{BUCKET}/j.json")
    assert (result.status, result.summary["unchanged"], result.err) == (0, 1, "")


def test_what_is_in_a_bucket_is_chosen_as_in_a_directory(file: Audit, s3: S3) -> None:
    s3.put("t/a.json", compact(job(1)))
    s3.put("t/sub/b.json", compact(job(2)))
    s3.put("t/sub/c.tmp.json", compact(job(3)))
    s3.put("t/.hidden/d.json", compact(job(4)))
    s3.put("t/notes.md", b"# notes")
    s3.put("t/empty", b"")
    send(os.environ["AWS_ENDPOINT_URL"], f"{BUCKET}/t/sub/folder/", "PUT")
    result = file.ingest(f"s3://{BUCKET}/t", "--exclude", "*.tmp.json")
    assert (result.summary["new"], result.summary["skipped"], result.status) == (2, 5, 0)
    s3.put("t/all.zip", (b"PK\x03\x04" + b"\0" * 600))
    result = file.ingest(f"s3://{BUCKET}/t", "--include", "*.zip")
    assert result.status == 3
    assert "a zip archive is read from a file only" in result.err


def test_an_object_that_changed_since_it_was_found_is_refused(s3: S3) -> None:
    s3.put("j.json", compact(job(1)))
    (source,) = find([f"s3://{BUCKET}/j.json"])
    s3.put("j.json", compact(job(2)))
    with pytest.raises(Exception, match="it changed since it was found"):
        list(source.documents())  # type: ignore[union-attr]


def test_what_cannot_be_read_is_said_in_a_line(file: Audit, s3: S3, monkeypatch) -> None:
    for name in (f"s3://{BUCKET}/nope.json", f"s3://{BUCKET}/", "s3://no-such-bucket/x"):
        result = file.ingest(name)
        assert result.status == 3
        assert f"Refused {name}: " in result.err
        assert "there is no such object" in result.err
        assert_short(result.err)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    result = file.ingest(f"s3://{BUCKET}/x")
    assert result.status == 3
    assert "server.unreachable" in result.err
    assert_short(result.err)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://user:pw@host/x.json", "user or password"),
        ("s3://key:pw@bucket/x.json", "user or password"),
        ("https://host/x.json?sig=pw", "query or fragment"),
        ("https://host", "names no file"),
        ("s3:///x", "no URL of a source"),
        ("az://account", "no URL of a source"),
        ("postgresql://user:pw@host/audit", "not read from postgresql://"),
        ("ftp://user:pw@host/x.json", "not read from ftp://"),
    ],
)
def test_a_url_that_is_none_or_bears_a_secret_is_refused_unseen(
    file: Audit, url: str, said: str
) -> None:
    result = file.ingest(url)
    assert result.status == 2
    assert said in result.err
    assert "pw" not in result.err
    assert file.rows("SELECT * FROM imports") == []


@pytest.mark.parametrize(
    ("url", "store", "path", "is_directory"),
    [
        ("s3://b/k/x.json", "s3://b", "k/x.json", False),
        ("S3://b/k/?#x/", "s3://b", "k/?#x", True),
        ("gs://b", "gs://b", "", True),
        ("az://a/c/k", "az://a/c", "k", False),
        ("https://h:8/a%20b.json", "https://h:8", "a b.json", False),
    ],
)
def test_parts_of_a_url(url: str, store: str, path: str, is_directory: bool) -> None:
    parsed = ObjectUrl.parse(url)
    assert (parsed.store, parsed.path, parsed.is_directory) == (store, path, is_directory)


def test_the_library_is_named_where_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "obstore").mkdir()
    (tmp_path / "obstore/__init__.py").write_text("raise ImportError('none here')")
    code = "import sys; from meta_audit.cli import main; main(sys.argv[1:])"
    ran = subprocess.run(
        [sys.executable, "-c", code, "ingest", "s3://b/k", "--db", tmp_path / "a.db"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "pip install 'meta-audit[objects]'" in ran.stderr
    assert not (tmp_path / "a.db").exists()


def test_a_name_that_cannot_be_read_is_said(
    audit: Audit, s3: S3, endpoint: tuple[str, Path]
) -> None:
    s3.put("in/job.json", compact(job(1)))
    send(endpoint[0], f"{BUCKET}/in//job.json", "PUT")
    refused = audit.ingest(f"s3://{BUCKET}/in/")
    assert (refused.status, "in//job.json" in refused.err) == (3, True)
    assert "Name a beginning without it" in refused.err
