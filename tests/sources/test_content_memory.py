"""A file that was read is not opened again while the system says that it is the same."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from meta_audit.sources import ContentMemory, File, Skipped, find
from tests.conftest import Audit
from tests.ingest.documents import compact, job


def read_all(folder: Path, memory: ContentMemory) -> list[tuple[str, bytes, bytes]]:
    """Read what is new; return name, remembered hash and hash of each file."""
    seen = []
    for source in find([str(folder)], memory=memory):
        assert isinstance(source, File)
        remembered = source.remembered
        if not remembered:
            assert list(source.batches())
        seen.append((Path(source.uri).name, remembered, source.sha256))
    return seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    for number in range(3):
        (made / f"{number}.json").write_bytes(compact(job(number)))
    return made


def settled(tmp_path: Path, **options: int | bool) -> ContentMemory:
    return ContentMemory(tmp_path / "cache/contents.db", settled=0, **options)  # type: ignore[arg-type]


def test_a_file_that_stays_is_remembered(folder: Path, tmp_path: Path) -> None:
    first = read_all(folder, settled(tmp_path))
    assert [remembered for _, remembered, _ in first] == [b"", b"", b""]
    second = read_all(folder, settled(tmp_path))
    assert [(name, remembered) for name, remembered, _ in second] == [
        (name, sha256) for name, _, sha256 in first
    ]
    assert read_all(folder, settled(tmp_path, is_read=False)) == first
    assert read_all(folder, ContentMemory()) == first


def change_in_place(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"alpine:1", b"alpine:9"))


def change_and_hide_it(path: Path) -> None:
    status = path.stat()
    change_in_place(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_a_copy(path: Path) -> None:
    other = path.with_name("other")
    shutil.copy2(path, other)
    other.rename(path)


@pytest.mark.parametrize("change", [change_in_place, change_and_hide_it, replace_by_a_copy])
def test_a_file_that_changed_is_read(folder: Path, tmp_path: Path, change: object) -> None:
    before = read_all(folder, settled(tmp_path))
    change(folder / "1.json")  # type: ignore[operator]
    after = read_all(folder, settled(tmp_path))
    assert [remembered == b"" for _, remembered, _ in after] == [False, True, False]
    assert (after[1][2] == before[1][2]) == (change is replace_by_a_copy)


def test_a_file_that_just_changed_is_not_remembered(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "contents.db"
    first = read_all(folder, ContentMemory(file))
    assert read_all(folder, ContentMemory(file)) == first


def test_a_name_that_is_not_utf8_is_remembered(folder: Path, tmp_path: Path) -> None:
    for name in (b"\xe9.json", b"\xe8.json"):
        (folder / os.fsdecode(name)).write_bytes(compact(job(name[0])))
    first = read_all(folder, settled(tmp_path))
    second = read_all(folder, settled(tmp_path))
    assert [remembered for _, remembered, _ in second] == [sha256 for *_, sha256 in first]


def test_two_names_of_one_file(folder: Path, tmp_path: Path) -> None:
    (folder / "3.json").hardlink_to(folder / "0.json")
    for _ in range(2):
        found = list(find([str(folder)], memory=settled(tmp_path)))
        assert [type(one) for one in found] == [File, File, File, Skipped]
        for one in found[:3]:
            list(one.batches())  # type: ignore[union-attr]


def test_it_begins_anew_when_it_is_large(folder: Path, tmp_path: Path) -> None:
    read_all(folder, settled(tmp_path))
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    read_all(other, settled(tmp_path, most_bytes=1))
    assert all(remembered for _, remembered, _ in read_all(other, settled(tmp_path)))
    assert not any(remembered for _, remembered, _ in read_all(folder, settled(tmp_path)))


@pytest.mark.parametrize("broken", ["garbage", "a directory", "a file in the way"])
def test_a_memory_that_cannot_be_used(folder: Path, tmp_path: Path, broken: str) -> None:
    cache = tmp_path / "cache"
    if broken == "a file in the way":
        cache.write_text("")
    else:
        cache.mkdir()
        file = cache / "contents.db"
        file.mkdir() if broken == "a directory" else file.write_bytes(b"garbage" * 1000)
    assert read_all(folder, settled(tmp_path)) == read_all(folder, settled(tmp_path))


def test_the_store_tells_what_is_known(
    file: Audit, another: Audit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder / "bad.json").write_bytes(
        b'{"ID": "j-9", "Meta": {"a": 1.5}, "Tasks": [{"Name": "t"}]}'
    )
    time.sleep(2.1)  # until a change would be seen
    first = file.ingest(folder).summary
    assert (first["new"], first["rejected"]) == (3, 1)
    assert (tmp_path / "cache/meta-audit/contents.db").exists()
    again = file.ingest(folder).summary
    assert (again["unchanged"], again["known_rejected"], again["new"]) == (3, 1, 0)
    assert file.ingest(folder, "--rehash").summary["unchanged"] == 3
    assert another.ingest(folder).summary["new"] == 3
    change_and_hide_it(folder / "2.json")
    assert file.ingest(folder).summary["changed"] == 1


def test_a_remembered_file_is_read_as_it_is_now(folder: Path, tmp_path: Path) -> None:
    """Another store may not have what was remembered."""
    expected = [source.documents() for source in find([str(folder)]) if isinstance(source, File)]
    read_all(folder, settled(tmp_path))
    again = [s for s in find([str(folder)], memory=settled(tmp_path)) if isinstance(s, File)]
    assert all(source.remembered for source in again)
    assert [list(source.documents()) for source in again] == [list(one) for one in expected]
    assert [source.sha256 for source in again] == [source.remembered for source in again]

    found = find([str(folder)], memory=settled(tmp_path))
    changed = next(source for source in found if isinstance(source, File))
    content = Path(changed.uri).read_bytes().replace(b"j-", b"k-")
    Path(changed.uri).write_bytes(content)
    assert b"".join(item.content for item in changed.documents()) == content.strip()
    assert changed.sha256 != changed.remembered
