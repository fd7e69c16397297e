"""Segments in an object store (moto): as those in a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from meta_audit import cli
from meta_audit.ingest.segments import make_segment
from tests.clusters import free_port
from tests.conftest import ROOT, Audit, Result
from tests.faults.documents import write_folder
from tests.lake.segments import ledger, views
from tests.s3 import BUCKET, S3, endpoint, s3

__all__ = ["endpoint", "s3"]
pytestmark = pytest.mark.usefixtures("temporary")
INTO = f"s3://{BUCKET}/made of/segments"
EXAMPLES = str(ROOT / "examples")


@pytest.fixture(name="temporary")
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory for copies of segments."""
    made = tmp_path / "temporary"
    made.mkdir()
    own = partial(TemporaryDirectory, dir=made)
    monkeypatch.setattr("meta_audit.ingest.segment_folders.TemporaryDirectory", own)
    return made


def make_all(folder: Path) -> list[str]:
    return [make_segment([str(one)], INTO).path for one in sorted(folder.iterdir(), reverse=True)]


def test_the_store_is_as_after_ingest(
    audit: Audit, another: Audit, s3: S3, tmp_path: Path, temporary: Path
) -> None:
    folder = write_folder(tmp_path / "documents", 300, 1)
    made = make_all(folder)
    assert sorted(made) == [f"s3://{BUCKET}/{path}" for path in s3.paths()]
    assert make_all(folder) == made
    s3.put("made of/segments/below/other.segment", b"not directly below")
    s3.put("made of/segments/note.txt", b"no segment")
    sealed = audit.run("segments", "seal", f"{INTO}/", "--format", "json")
    another.ingest(folder)
    assert sealed.summary["new"]
    assert views(audit.db) == views(another.db)
    assert ledger(audit.db) == ledger(another.db)
    assert audit.run("verify", "--deep").status == 0
    again = audit.run("segments", "seal", INTO, "--format", "json").summary
    assert (again["new"], again["changed"], again["rejected"]) == (0, 0, 0)
    assert not list(temporary.iterdir())


def test_commands_and_the_whole_bucket(file: Audit, s3: S3) -> None:
    assert cli.run(["segments", "make", EXAMPLES, "--into", f"s3://{BUCKET}"]) == 1
    (path,) = s3.paths()
    assert path.endswith(".segment")
    assert file.run("segments", "seal", f"s3://{BUCKET}").status == 1
    assert file.run("verify", "--deep").status == 0


@pytest.mark.parametrize("damage", ["cut", "renamed", "other"])
def test_a_damaged_segment_is_refused_and_the_others_taken(
    file: Audit, s3: S3, tmp_path: Path, damage: str
) -> None:
    *_, last = make_all(write_folder(tmp_path / "documents", 30, 1))
    path = last.removeprefix(f"s3://{BUCKET}/")
    content = s3.get(path)
    s3.delete(path)
    name = f"made of/segments/{'0' * 64}.segment" if damage == "renamed" else path
    s3.put(name, {"cut": content[:-100], "renamed": content, "other": b"no segment"}[damage])
    sealed = file.run("segments", "seal", INTO, "--format", "json")
    assert sealed.status == 3
    assert f"s3://{BUCKET}/{name}" in sealed.err
    assert "segment.broken" in sealed.err
    assert sealed.summary["new"]


def made(capsys: pytest.CaptureFixture[str], into: str) -> Result:
    capsys.readouterr()
    status = cli.run(["segments", "make", EXAMPLES, "--into", into])
    return Result(status, *capsys.readouterr())


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("https://example.org/segments", 2, "can be read, but not written or listed"),
        ("s3://user:secret@bucket/a", 2, "user or password"),
        ("s3:///nothing", 2, "no URL of a source"),
        ("s3://no-such-bucket/a", 3, "s3://no-such-bucket/a"),
        (f"s3://{BUCKET}/a/../b", 2, "no object can be written there"),
        (f"s3://{BUCKET}/a//b", 2, "no object can be written there"),
        (f"s3://{BUCKET}/a\x1b[31m", 2, "a\\x1b[31m: no object can be written there"),
    ],
)
def test_a_wrong_url_is_said(  # noqa: PLR0917 - fixtures and parameters
    file: Audit, s3: S3, capsys: pytest.CaptureFixture[str], url: str, status: int, text: str
) -> None:
    for result in (made(capsys, url), file.run("segments", "seal", url)):
        assert result.status == status, result.err
        assert text in result.err
        assert "secret" not in result.err
        assert len(result.err.splitlines()) == 2
    assert not s3.paths()


def test_a_server_that_is_not_there_is_said(
    file: Audit,
    s3: S3,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "there is no segment" in file.run("segments", "seal", INTO).err
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        for result in (made(capsys, INTO), file.run("segments", "seal", INTO)):
            assert result.status == 3
            assert INTO in result.err
            assert len(result.err.splitlines()) == 2
    assert not s3.paths()
    assert not list(temporary.iterdir())


def test_what_is_cut_off_leaves_no_object(
    s3: S3, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meta_audit.sources.object_stores.object_folder.wait_for", fail)
    with pytest.raises(KeyboardInterrupt):
        make_segment([EXAMPLES], INTO)
    assert not s3.paths()
    assert not list(temporary.iterdir())
