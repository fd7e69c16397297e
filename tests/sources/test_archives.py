"""Archives: members are sources; what is hostile is said, bounded, and never on disk."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.errors import SourceError
from meta_audit.model import Rejection
from meta_audit.sources import Archive, Skipped, Source, Unreadable, find
from meta_audit.sources.archives import archive as archives
from meta_audit.sources.compression import Budget
from tests.sources.bolt_writer import BoltWriter
from tests.sources.helpers import FEW

JOB = b'{"ID":"j-1","Meta":{}}\n'
LINES = b"".join(
    b'{"ID":"j-%d","Meta":{"k":"%s"}}\n' % (n, os.urandom(40).hex().encode()) for n in range(3000)
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def tar(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data in members.items():
            add(file, name, data)
    return out.getvalue()


def add(file: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    file.addfile(member, io.BytesIO(data))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def walk(
    path: Path, data: bytes, said: list[SourceError] | None = None, **options: object
) -> Iterator[tuple[str, object]]:
    """Read an archive: what each member gave, by its name in the archive.

    Errors are raised, with `said` only noted there.
    """
    path.write_bytes(data)
    (found,) = find([str(path)], **options)  # type: ignore[arg-type]
    assert isinstance(found, Archive), found
    with noting(said):
        for member in found.members():
            name = member.uri.removeprefix(f"{path}!")
            if isinstance(member, Source):
                with noting(said):
                    yield name, list(member.documents())
            else:
                yield name, member.why if isinstance(member, Skipped) else member.message
        yield "truncated", found.truncated
        assert found.sha256 == hashlib.sha256(data).digest()
        assert found.bytes_read == len(data)


@contextmanager
def noting(said: list[SourceError] | None) -> Iterator[None]:
    """Note errors instead of raising them."""
    try:
        yield
    except SourceError as error:
        if said is None:
            raise
        said.append(error)


def kept(path: Path, data: bytes, **options: object) -> dict[str, object]:
    """Return the number of documents of each member, or why it was not read."""
    return {
        name: len(gave) if isinstance(gave, list) else gave
        for name, gave in walk(path, data, **options)
        if name != "truncated" or gave
    }


MEMBERS = {
    "./top/jobs/a.ndjson": LINES,
    "top/b.ndjson.gz": gzip.compress(LINES),
    "top/c.json.bz2": bz2.compress(b"[" + LINES.strip().replace(b"\n", b",") + b"]"),
    "top/state_boltdb.db": BoltWriter({b"jobs": {b"j": {b"spec": JOB}}}).bytes(),
    "top/notes.txt": b"no job\n",
    "top/.hidden/x.json": JOB,
    "top/table.xlsx": b"PK\3\4" + bytes(600),
    "top/inner.tar": tar({"x.json": JOB}),
    "n" * 90 + "/" + "d" * 120 + "/e\u00e9.json": JOB,
}
GIVEN = {
    "top/jobs/a.ndjson": 3000,
    "top/b.ndjson.gz": 3000,
    "top/c.json.bz2": 3000,
    "top/state_boltdb.db": 1,
    "top/notes.txt": "not a job document",
    "top/.hidden/x.json": "hidden",
    "top/table.xlsx": "archive or database",
    "top/inner.tar": "an archive within an archive is not unpacked",
    "n" * 90 + "/" + "d" * 120 + "/e\u00e9.json": 1,
}


@pytest.mark.parametrize("pack", PACKERS)
def test_tar_in_every_compression(tmp_path: Path, pack: str) -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)[: 1 + (pack == "zstd")]:
        assert kept(tmp_path / "a", PACKERS[pack](tar(MEMBERS, form))) == GIVEN


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(tmp_path: Path, method: int) -> None:
    assert kept(tmp_path / "a.zip", zipped(MEMBERS, method)) == GIVEN


def test_members_are_chosen_as_files_in_a_directory_are(tmp_path: Path) -> None:
    data = tar({f"x/{name}": JOB for name in ("a.json", "b.json", "old/c.json")})
    found = kept(tmp_path / "a", data, include=["*.json"], exclude=["old", "b*"])
    assert found == {"x/a.json": 1, "x/b.json": "excluded", "x/old/c.json": "excluded"}
    for name in ("library.whl", "notes.zip"):
        (tmp_path / name).write_bytes(zipped({"x.json": JOB}))
    kinds = {os.path.basename(each.uri): type(each) for each in find([str(tmp_path)])}
    assert kinds["library.whl"] is Skipped
    assert issubclass(kinds["notes.zip"], Archive)


def test_names_of_members_that_are_not_utf8_or_not_short(tmp_path: Path) -> None:
    names = {"\xe9.json": JOB, "a..\xe9/b.json": JOB, "top/././c.json": JOB}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as file:
        for name, content in names.items():
            add(file, name, content)
    found = kept(tmp_path / "a", out.getvalue())
    assert found == {r"\xe9.json": 1, r"a..\xe9/b.json": 1, "top/c.json": 1}


def hostile_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        add(file, "/etc/a.json", JOB)
        add(file, "../b.json", JOB)
        add(file, "x/../../c.json", JOB)
        add(file, "x/\x1b[2Jd.json", JOB)
        add(file, "link.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(file, "hard.json", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        add(file, "device.json", type=tarfile.CHRTYPE)
        add(file, "fifo.json", type=tarfile.FIFOTYPE)
        add(file, "directory.json", type=tarfile.DIRTYPE)
        add(file, "part.json", JOB, type=b"M")
        add(file, "part.png", JOB, type=b"M")
        add(file, "sparse.json", JOB, pax_headers={"GNU.sparse.major": "1"})
        add(file, "twice.json", JOB)
        add(file, "twice.json", JOB * 2)
    return out.getvalue()


def test_hostile_members_are_said_and_their_neighbours_read(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert kept(tmp_path / "a", hostile_tar()) == {
        "/etc/a.json": "its path is absolute",
        "../b.json": "its path leads out of the archive",
        "x/../../c.json": "its path leads out of the archive",
        "x/\\x1b[2Jd.json": "there are control characters in its name",
        "link.json": "a link",
        "hard.json": "a link",
        "device.json": "a device",
        "fifo.json": "a FIFO",
        "part.json": "it is a part of a file, or of a kind that nobody knows",
        "part.png": "not a job document",
        "sparse.json": "it is a sparse file, with holes left out",
        "twice.json": 1,
        "twice.json#2": 2,
    }
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "a"] == before


def test_hostile_members_of_a_zip(tmp_path: Path) -> None:
    data = bytearray(
        zipped({"secret.json": JOB, "..\\b.json": JOB, "C:\\c.json": JOB, "d.json": JOB})
    )
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    assert kept(tmp_path / "a.zip", bytes(data)) == {
        "secret.json": "it is encrypted",
        "..\\b.json": "its path leads out of the archive",
        "C:\\c.json": "its path is absolute",
        "d.json": 1,
    }
    data = bytearray(zipped({"d.ndjson": LINES, "e.json": JOB}, zipfile.ZIP_STORED))
    data[len(LINES) // 2] ^= 1
    (_, damaged), (_, whole), _ = walk(tmp_path / "a.zip", bytes(data))
    assert isinstance(damaged, list)
    assert isinstance(damaged[-1], Rejection)
    assert (damaged[-1].reason, len(damaged) > 1000) == ("truncated", True)
    assert isinstance(whole, list)
    data = bytearray(zipped({"d.json": JOB, "e.json": JOB}))
    data[38] = 0xFF
    assert "damaged" in str(kept(tmp_path / "a.zip", bytes(data))["d.json"])


def bomb_zip() -> bytes:
    """Members that share the bytes of one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.json", JOB * 1000)
        info = file.filelist[0]
        for n in range(50):
            other = zipfile.ZipInfo(f"{n}.json")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(other, field, getattr(info, field))
            file.filelist.append(other)
    return out.getvalue()


def extended_header(size: bytes) -> bytes:
    """A header for a long name of so many bytes."""
    block = bytearray(tar({"x": b""})[:512])
    block[124:136] = size + b"\0"
    block[156:157] = b"L"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


REFUSED = {
    "overlapping members": (bomb_zip, "archive.budget", "overlap"),
    "a header of 8 GB": (
        lambda: extended_header(b"77777777777"),
        "archive.budget",
        "8589934591 bytes",
    ),
    "many headers": (
        lambda: extended_header(b"00000000000") * 200,
        "archive.broken",
        "too many headers",
    ),
    "expands too far": (
        lambda: PACKERS["zstd"](tar({"x.json": b" " * (80 << 20)})),
        "archive.budget",
        "expands",
    ),
    "members expand too far": (
        lambda: PACKERS["zstd"](
            tar({f"{n}.json.gz": gzip.compress(JOB + b" " * (9 << 20)) for n in range(9)})
        ),
        "archive.budget",
        "expands",
    ),
    "a damaged header": (
        lambda: tar({"a.json": JOB})[:1024] + b"x" * 1024,
        "archive.broken",
        "something else in place of a number",
    ),
    "no list of members": (
        lambda: zipped({"a.json": JOB})[:-10],
        "archive.broken",
        "cannot be read",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_archives_beyond_their_budget_or_damaged(tmp_path: Path, kind: str) -> None:
    make, code, message = REFUSED[kind]
    said: list[SourceError] = []
    list(walk(tmp_path / "a", make(), said))
    assert [(error.code, message in str(error)) for error in said[-1:]] == [(code, True)]


def test_the_number_of_members_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(SourceError, match="more than 5 members") as caught:
        list(walk(tmp_path / "a", tar({f"{n}.json": JOB for n in range(6)})))
    assert caught.value.code == "archive.budget"


def test_a_budget_of_bytes_holds_for_all_members_together(tmp_path: Path) -> None:
    data = zipped({f"{n}.ndjson": LINES for n in range(4)})
    path = tmp_path / "a.zip"
    assert len(kept(path, data, budget=Budget(output_bytes=5 * len(LINES)))) == 4
    with pytest.raises(SourceError, match="expands to more"):
        kept(path, data, budget=Budget(output_bytes=2 * len(LINES)))


def test_text_that_says_ustar_at_its_place_is_text(tmp_path: Path) -> None:
    text = b'{"ID":"j-1","Meta":{},"Name":"' + b"x" * 227 + b'ustar\\u0000"}\n'
    assert text[257:262] == b"ustar"
    (tmp_path / "a.ndjson").write_bytes(text * 3)
    (found,) = find([str(tmp_path / "a.ndjson")])
    assert isinstance(found, Source)
    assert len(list(found.documents())) == 3


def test_concatenated_archives_are_read_to_the_end(tmp_path: Path) -> None:
    two = tar({"a.json": JOB}) + tar({"b.json": JOB})
    assert kept(tmp_path / "a", two) == {"a.json": 1, "b.json": 1}


@pytest.mark.parametrize("pack", ["plain", "zstd"])
def test_cut_anywhere_the_sound_members_come_and_the_end_is_said(tmp_path: Path, pack: str) -> None:
    data = PACKERS[pack](tar({"a.ndjson": LINES[:20_000], "b.ndjson": LINES[:20_000]}))
    whole = kept(tmp_path / "a", data)
    path = tmp_path / "a"
    for size in range(600, len(data) - 9000 if pack == "plain" else len(data), 1009):
        path.write_bytes(data[:size])
        (found,) = find([str(path)])
        if isinstance(found, Unreadable):
            assert found.code == "archive.broken"
            continue
        assert isinstance(found, Archive)
        reasons = []
        for member in found.members():
            if isinstance(member, Source):
                items = list(member.documents())
                good = [item for item in items if not isinstance(item, Rejection)]
                reasons += [item.reason for item in items if isinstance(item, Rejection)]
                assert len(good) <= whole[member.uri.rpartition("!")[2]]  # type: ignore[operator]
        assert found.truncated
        assert set(reasons) <= {"truncated"}


FUZZED = [hostile_tar(), tar(MEMBERS), zipped({"a.json": JOB * 200, "b/c.json": JOB}), bomb_zip()]


@FEW
@given(st.integers(0, 3), st.integers(0, 2**32))
def test_any_change_gives_no_other_error(
    tmp_path_factory: pytest.TempPathFactory, which: int, seed: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(FUZZED[which])
    for _ in range(chance.randrange(1, 40)):
        near = chance.randrange(min(len(data), 4096))
        at = near if chance.random() < 0.7 else -1 - chance.randrange(min(len(data), 400))
        data[at] = chance.randrange(256)
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(data)
    (found,) = find([str(path)])
    if isinstance(found, Archive):
        with suppress(SourceError):
            for member in found.members():
                if isinstance(member, Source):
                    list(member.documents())
