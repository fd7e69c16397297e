"""A job is found by its ID: with PyIceberg, and faster without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")

from pyiceberg.manifest import ManifestContent
from pyiceberg.types import StringType

from meta_audit import cli
from meta_audit.lake import local_table
from meta_audit.lake.avro import UnknownAvroError, records
from meta_audit.lake.catalog import Lake
from meta_audit.lake.local_table import LocalTable, NotLocalError
from meta_audit.lake.tables import NUMBERS, OF_JOBS, TABLES
from meta_audit.lake.trace import job_rows, scanned_rows
from tests.conftest import Audit
from tests.faults.documents import write_folder
from tests.ingest.documents import compact
from tests.ingest.documents import job as job_of
from tests.lake import lakes


@pytest.fixture
def file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    return Audit(tmp_path / "audit.db", capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("trace") / "documents", 160, 5)


def _sorted(found: dict[str, list[dict[str, object]]]) -> dict[str, list[str]]:
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


def test_few_files_are_opened_and_every_row_is_found(
    file: Audit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.ingest(folder / "a.ndjson", folder / "later.ndjson.gz")
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake, step=6)
    opened = Lake(str(lake), None, make=False)
    wanted: dict[str, dict[str, list[dict[str, object]]]] = {}
    for name in OF_JOBS:
        for row in opened.table(name).scan().to_arrow().to_pylist():
            wanted.setdefault(row["job_id"], {table: [] for table in OF_JOBS})[name].append(row)
    before, read = local_table._opened, []

    def counted(path: Path, table: str) -> object:
        read.append(path)
        return before(path, table)

    monkeypatch.setattr(local_table, "_opened", counted)
    for job_id, rows in wanted.items():
        assert _sorted(job_rows(opened, job_id)) == _sorted(rows)
    files = {name: len(list(opened.table(name).scan().plan_files())) for name in OF_JOBS}
    looked_up = len(list(opened.table(NUMBERS).scan().plan_files())) * len(wanted)
    assert 0 < len(read) - looked_up < sum(files.values()) * len(wanted) / 5
    read.clear()
    assert not any(job_rows(opened, "j-nobody").values())
    assert {NUMBERS} >= {path.parent.parent.name for path in read}
    assert cli.run(["lake", "compact", str(lake)]) == 0
    compacted = Lake(str(lake), None, make=False)
    for job_id, rows in list(wanted.items())[::9]:
        assert _sorted(job_rows(compacted, job_id)) == _sorted(rows)
        assert _sorted(scanned_rows(compacted, job_id)) == _sorted(rows)


@pytest.fixture
def lake(file: Audit, tmp_path: Path) -> Lake:
    """A lake with one job, which is all in local files."""
    path = tmp_path / "job.json"
    path.write_bytes(compact(job_of(1)))
    file.ingest(path)
    lakes.sync(file.db, tmp_path / "lake")
    return Lake(str(tmp_path / "lake"), None, make=False)


def test_what_is_not_local_is_read_with_pyiceberg(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job_rows(lake, job_of(1)["ID"])
    assert wanted["v_meta"]
    monkeypatch.setattr(local_table, "records", lambda data: [{"content": 1}])
    with pytest.raises(NotLocalError, match="deletes"):
        LocalTable("v_meta", lake.metadata_locations()["v_meta"])
    assert job_rows(lake, job_of(1)["ID"]) == wanted
    monkeypatch.undo()
    monkeypatch.setattr(Lake, "metadata_locations", lambda _: {})
    assert job_rows(lake, job_of(1)["ID"]) == wanted


def test_columns_that_were_renamed_or_added(lake: Lake) -> None:
    table = lake.table("v_labels")
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.rename_column("value", "old")
    with table.update_schema() as update:
        update.add_column("value", StringType())
    found = LocalTable("v_labels", lake.metadata_locations()["v_labels"])
    with pytest.raises(NotLocalError, match="value is another column"):
        found.rows("job_key", {1})
    rows = job_rows(lake, job_of(1)["ID"])["v_labels"]
    assert all(row["value"] is None and row["old"] for row in rows)
    with lake.table("v_tasks").update_schema() as update:
        update.add_column("new", StringType())
    assert [row["new"] for row in job_rows(lake, job_of(1)["ID"])["v_tasks"]] == [None]


@pytest.mark.parametrize("location", ["s3://bucket/x.json", "file://host/x.json"])
def test_files_that_are_elsewhere(location: str) -> None:
    with pytest.raises(NotLocalError, match="is no file here"):
        LocalTable("v_jobs", location)


def test_manifests_are_read_as_pyiceberg_reads_them(lake: Lake) -> None:
    for name in TABLES:
        table = lake.table(name)
        snapshot = table.current_snapshot()
        if snapshot is None:
            continue
        lists = table.io.new_input(snapshot.manifest_list)
        with lists.open() as opened:
            found = list(records(opened.read()))
        manifests = snapshot.manifests(table.io)
        assert [one["manifest_path"] for one in found] == [one.manifest_path for one in manifests]
        for manifest in manifests:
            assert manifest.content == ManifestContent.DATA
            with table.io.new_input(manifest.manifest_path).open() as opened:
                entries = list(records(opened.read()))
            wanted = manifest.fetch_manifest_entry(table.io, discard_deleted=False)
            for entry, one in zip(entries, wanted, strict=True):
                file = entry["data_file"]
                assert file["file_path"] == one.data_file.file_path
                assert file["record_count"] == one.data_file.record_count
                assert {b["key"]: b["value"] for b in file["lower_bounds"]} == (
                    one.data_file.lower_bounds
                )


def _avro(schema: object, codec: bytes, block: bytes) -> bytes:
    text = json.dumps(schema).encode()
    pairs = ((b"avro.schema", text), (b"avro.codec", codec))
    header = b"".join(_sized(key) + _sized(value) for key, value in pairs)
    sync = b"0123456789abcdef"
    return b"Obj\x01\x04" + header + b"\0" + sync + b"\x02" + _sized(block) + sync


def _sized(data: bytes) -> bytes:
    number, out = len(data) << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number]) + data


def test_other_avro_files() -> None:
    assert list(records(_avro("string", b"null", b"\x02a"))) == ["a"]
    fixed = {"type": "fixed", "name": "two", "size": 2}
    assert list(records(_avro(fixed, b"null", b"ab"))) == [b"ab"]
    longs = {"type": "array", "items": "long"}
    assert list(records(_avro(longs, b"null", b"\x01\x02\x03\0"))) == [[-2]]
    for data, message in (
        (b"PAR1", "is not an Avro file"),
        (_avro("string", b"xz", b"\x02a"), "compressed with b'xz'"),
        (_avro("uuid", b"null", b"\x02a"), "has a type uuid"),
        (_avro("string", b"null", b"\x02a")[:-1], "does not end where it should"),
        (_avro("bytes", b"null", b"\x01"), "-1 bytes are not there"),
        (_avro("bytes", b"null", b"\x0a"), "5 bytes are not there"),
        (_avro("double", b"null", b"1234"), "8 bytes are not there"),
        (_avro("long", b"null", b"\xff" * 11), "too many bytes"),
        (_avro("long", b"null", b"\x02\x02"), "more bytes than records"),
        (_avro(["null", "long"], b"null", b"\x01"), "damaged: -1"),
        (_avro(longs, b"null", b"\xfe\xff\xff\xff\x0f"), "values are not there"),
        (_avro("string", b"deflate", b"\x02a"), "damaged: "),
    ):
        with pytest.raises(UnknownAvroError, match=message):
            records(data)


def test_an_id_as_it_is_shown_and_in_two_namespaces(
    file: Audit, tmp_path: Path, job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "jobs.ndjson"
    made = [job("j-a\0b", Namespace=name) for name in ("one", "two")]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*made, job("j-c")]))
    assert file.ingest(path).status == 0
    lake = str(tmp_path / "lake")
    lakes.sync(file.db, Path(lake))
    capsys.readouterr()
    assert cli.run(["lake", "trace", lake, r"j-a\x00b"]) == 0
    out = capsys.readouterr().out
    assert "namespace" in out
    assert {"one", "two"} <= set(out.split())
    assert cli.run(["lake", "trace", lake, "j-c"]) == 0
    assert "namespace" not in capsys.readouterr().out
    assert cli.run(["lake", "trace", lake, "j-\udcff"]) == 1
