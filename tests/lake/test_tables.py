"""A lake has what the store has: exactly once, whatever happened on the way."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace
from pyiceberg.types import StringType

from meta_audit import cli
from meta_audit.errors import ProcessError, StoreError
from meta_audit.lake import compact as compacting
from meta_audit.lake import sync as syncing
from meta_audit.lake.agreement import says
from meta_audit.lake.catalog import Lake, stores
from meta_audit.lake.processes import in_processes, verify_in
from meta_audit.lake.range_check import EntryRange, RangeResult
from meta_audit.lake.tables import TABLES, UNSIGNED
from meta_audit.lake.verify import verify_lake
from meta_audit.ledger.entry import AcceptedEntry
from meta_audit.model import Finding, JobRecord
from tests.conftest import ROOT, Audit
from tests.faults.documents import write_folder
from tests.ingest.again import another_parser, reread
from tests.ingest.documents import compact, ndjson
from tests.ingest.documents import job as job_of
from tests.lake import lakes
from tests.query.random_store import documents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("lake") / "documents", 160, 5)


def misread(record: JobRecord) -> JobRecord:
    """As if an older version had read a third of the jobs otherwise."""
    if not record.spec_sha256 or record.spec_sha256[0] % 3:
        return record
    other = sha256(record.spec_sha256).digest()
    findings = (Finding("time.unit", "seen then"),)
    return replace(record, spec_sha256=other, findings=findings)


def test_the_tables_are_the_views(audit: Audit, folder: Path, tmp_path: Path) -> None:
    audit.ingest(folder)
    audit.run("rejections", "retry", "--coerce-scalars")
    somebody = audit.rows("SELECT max(value) FROM identities")[0][0]
    assert audit.run("alias", "add", somebody, "Team").status == 0
    synced = lakes.sync(audit.db, tmp_path / "lake")
    ((entries,),) = audit.rows("SELECT count(*) FROM ledger_entries")
    assert (synced.before, synced.now) == (0, entries)
    found = lakes.all_rows(tmp_path / "lake")
    for view, wanted in lakes.of_store(audit.db).items():
        assert found[view] == wanted, view
    report = lakes.verify(tmp_path / "lake")
    assert report.damages == ()
    assert report.checkpoints == 3
    assert lakes.sync(audit.db, tmp_path / "lake").before == synced.now
    assert lakes.all_rows(tmp_path / "lake") == found


def test_what_changes_later_is_replaced(file: Audit, folder: Path, tmp_path: Path) -> None:
    """Syncs between imports give the lake that one sync at the end gives."""
    with another_parser(misread):
        file.ingest(folder / "small")
    lakes.sync(file.db, tmp_path / "lake")
    file.ingest(folder / "a.ndjson", folder / "describe-1.json")
    lakes.sync(file.db, tmp_path / "lake")
    file.ingest(folder / "later.ndjson.gz")
    execution = {"ID": "e-9", "JobID": job_of(1)["ID"], "ComputeState": {"StateType": 3}}
    for number, content in enumerate(
        ([execution], [job_of(1)], [job_of(1, state="Completed")], [job_of(1, image="alpine:2")])
    ):
        path = tmp_path / f"{number}.ndjson"
        path.write_bytes(ndjson(*map(compact, content)))
        file.ingest(path)
        if number % 2:
            lakes.sync(file.db, tmp_path / "lake", step=70)
    assert reread(str(file.db)).counts.reread > 0
    lakes.sync(file.db, tmp_path / "lake")
    lakes.sync(file.db, tmp_path / "whole", step=10_000)
    assert lakes.all_rows(tmp_path / "lake") == lakes.all_rows(tmp_path / "whole")
    assert lakes.verify(tmp_path / "lake").damages == ()


def test_jobs_of_one_id_that_come_in_several_steps(file: Audit, tmp_path: Path, job: Any) -> None:
    """The rows of a job are written once, though a document without a namespace came before it."""
    made = list(documents(job, 7, 60))
    for number, some in enumerate((made[::2], made[1::2])):
        path = tmp_path / f"{number}.ndjson"
        path.write_bytes(ndjson(*map(compact, some)))
        file.ingest(path)
    lakes.sync(file.db, tmp_path / "lake", step=7)
    found = lakes.all_rows(tmp_path / "lake")
    for view, wanted in lakes.of_store(file.db).items():
        assert found[view] == wanted, view
    assert lakes.verify(tmp_path / "lake").damages == ()


def test_compaction_changes_files_and_no_rows(file: Audit, folder: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    file.ingest(folder / "a.ndjson")
    lakes.sync(file.db, lake, step=4)
    before, files = lakes.all_rows(lake), lakes.named_files(lake)
    compacted = compacting.compact(
        Lake(str(lake), None, make=False), lambda *_: None, file_bytes=200_000
    )
    assert compacted.merged > 3 * compacted.made > 0
    assert len(lakes.named_files(lake)) == len(files) - compacted.merged + compacted.made
    assert lakes.all_rows(lake) == before
    assert lakes.verify(lake).damages == ()
    assert cli.run(["lake", "compact", str(lake)]) == 0
    file.ingest(folder / "later.ndjson.gz", folder / "jobs.yaml")
    lakes.sync(file.db, lake, step=40)
    lakes.sync(file.db, tmp_path / "whole", step=10_000)
    assert lakes.all_rows(lake) == lakes.all_rows(tmp_path / "whole")
    assert cli.run(["lake", "compact", str(tmp_path / "whole"), "--verbose"]) == 0
    assert cli.run(["lake", "compact", str(tmp_path / "none")]) == 1


def test_a_compaction_that_a_sync_overtakes_changes_nothing(
    file: Audit, folder: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    file.ingest(folder / "a.ndjson")
    lakes.sync(file.db, lake, step=15)
    opened = Lake(str(lake), None, make=False)
    table = opened.table("v_meta")
    (some,) = list(compacting._groups(table, *stores(table), compacting.FILE_BYTES))
    file.ingest(folder / "later.ndjson.gz")
    lakes.sync(file.db, lake)
    before = lakes.all_rows(lake)
    with pytest.raises(StoreError, match="changed v_meta of the lake meanwhile"):
        compacting._merge(table, some)
    assert lakes.all_rows(lake) == before


def _encodings(files: list[Path]) -> dict[str, set[str]]:
    """Return the encodings of each type of column."""
    found: dict[str, set[str]] = {}
    for file in files:
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                column = metadata.row_group(group).column(number)
                found.setdefault(column.physical_type, set()).update(column.encodings)
    return found


def test_later_documents_change_few_files_and_no_encodings(
    file: Audit, folder: Path, tmp_path: Path
) -> None:
    """Iceberg's reader for Spark takes only these encodings."""
    file.ingest(folder / "a.ndjson")
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake, step=8)
    before = lakes.data_files(lake)
    ((found,),) = file.rows(
        "SELECT job_id FROM v_jobs WHERE namespace <> '' ORDER BY job_key LIMIT 1"
    )
    (content,) = (
        row["content"]
        for row in Lake(str(lake), None, make=False)
        .table("documents")
        .scan()
        .to_arrow()
        .to_pylist()
        if f'"ID":"{found}"'.encode() in row["content"]
    )
    path = tmp_path / "later.json"
    path.write_bytes(content.replace(b'"Revision":', b'"Revision":9'))
    file.ingest(path)
    lakes.sync(file.db, lake, step=8)
    gone = set(before) - set(lakes.data_files(lake))
    changed = Counter(path.parent.parent.name for path in gone)
    assert {changed[name] for name in ("v_jobs", "v_meta", "v_observations")} == {1}
    encodings = _encodings(lakes.data_files(lake))
    texts = {"PLAIN", "RLE", "RLE_DICTIONARY"}
    assert encodings["BYTE_ARRAY"] <= texts
    assert encodings["INT64"] <= {"RLE", "DELTA_BINARY_PACKED"}
    assert encodings.keys() == {"BYTE_ARRAY", "INT64"}
    assert lakes.verify(lake).damages == ()


def test_a_sync_that_dies_anywhere_goes_on(
    file: Audit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.ingest(folder / "a.ndjson", folder / "later.ndjson.gz")
    put, chance = syncing.put, random.Random(1)

    def dying(*arguments: object, **options: object) -> None:
        if chance.random() < 0.2:
            raise KeyboardInterrupt
        put(*arguments, **options)  # type: ignore[arg-type]
        if chance.random() < 0.1:
            raise KeyboardInterrupt

    monkeypatch.setattr(syncing, "put", dying)
    died = 0
    while True:
        try:
            lakes.sync(file.db, tmp_path / "lake", step=15)
            break
        except KeyboardInterrupt:
            died += 1
    assert died > 10
    monkeypatch.undo()
    lakes.sync(file.db, tmp_path / "whole", step=10_000)
    assert lakes.all_rows(tmp_path / "lake") == lakes.all_rows(tmp_path / "whole")


def test_two_syncs_at_once_add_every_row_once(
    file: Audit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.ingest(folder / "a.ndjson")
    put, calls = syncing.put, itertools.count(1)

    def overtaken(*arguments: object, **options: object) -> None:
        if next(calls) == 3:
            with monkeypatch.context() as undisturbed:
                undisturbed.setattr(syncing, "put", put)
                lakes.sync(file.db, tmp_path / "lake")
        put(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(syncing, "put", overtaken)
    with pytest.raises(StoreError, match=r"changed v_\w+ of the lake meanwhile"):
        lakes.sync(file.db, tmp_path / "lake", step=10)
    monkeypatch.undo()
    lakes.sync(file.db, tmp_path / "lake")
    lakes.sync(file.db, tmp_path / "whole")
    assert lakes.all_rows(tmp_path / "lake") == lakes.all_rows(tmp_path / "whole")


def test_a_table_that_others_change_is_read_again(
    file: Audit, folder: Path, tmp_path: Path
) -> None:
    file.ingest(folder / "describe-1.json")
    lakes.sync(file.db, tmp_path / "lake")
    opened = Lake(str(tmp_path / "lake"), None, make=False)
    before = stores(opened.table("entries"))
    assert opened.table("entries") is opened.table("entries")
    file.ingest(folder / "a.ndjson")
    synced = lakes.sync(file.db, tmp_path / "lake")
    assert stores(opened.table("entries")) == {synced.store: synced.now} != before


def test_several_stores_in_one_lake(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stores = []
    for number, source in enumerate(("a.ndjson", "jobs.yaml")):
        audit = Audit(tmp_path / f"{number}.db", capsys)
        audit.ingest(folder / source)
        stores.append(lakes.sync(audit.db, tmp_path / "lake"))
        lakes.sync(audit.db, tmp_path / f"lake-{number}")
    report = lakes.verify(tmp_path / "lake")
    assert report.damages == ()
    assert report.stores == {one.store: one.now for one in stores}
    for number, one in enumerate(stores):
        alone = lakes.all_rows(tmp_path / f"lake-{number}")
        assert lakes.all_rows(tmp_path / "lake", store=one.store) == alone


def test_who_sent_a_job_is_checked_where_nobody_is_named(
    file: Audit, folder: Path, tmp_path: Path
) -> None:
    file.ingest(folder)
    lakes.sync(file.db, tmp_path / "lake", step=500)
    opened = Lake(str(tmp_path / "lake"), None, make=False)
    entries = lakes.entries(tmp_path / "lake")
    found = {True: 0, False: 0}
    for row in opened.table("v_jobs").scan().to_arrow().to_pylist():
        entry = entries[row["entry_index"]]
        assert isinstance(entry, AcceptedEntry)
        assert says(entry, row)
        for column in ("client", "client_trust", "client_verdict", "requester_trust"):
            assert not says(entry, row | {column: "proven" if row[column] is None else None})
        found[row["client"] is None] += 1
    assert min(found.values()) > 5


def test_every_change_of_a_file_is_named(file: Audit, folder: Path, tmp_path: Path) -> None:
    with another_parser(misread):
        file.ingest(folder / "small")
    file.ingest(folder)
    assert reread(str(file.db)).counts.reread > 0
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake, step=200)
    chance = random.Random(3)
    files = lakes.data_files(lake)
    assert len({path.parent.parent.name for path in files}) == len(TABLES) - len(UNSIGNED)
    missed = []
    for changed in chance.sample(files, k=6):
        with lakes.mutated(changed, chance) as what:
            report = lakes.verify(lake)
            named = [damage for damage in report.damages if changed.name in damage.file]
            missing = [damage for damage in report.damages if not damage.file]
            if not named and not missing:
                missed.append(what)
    assert missed == []
    assert lakes.verify(lake).damages == ()


Change = Callable[[dict[str, Any]], dict[str, Any]]
FORGED: Final[tuple[tuple[str, Change], ...]] = (
    ("v_jobs", lambda row: {"store": "meta-audit/0000000000000000", "client": "mallory"}),
    ("v_keys", lambda row: {"store": None}),
    ("v_jobs", lambda row: {"entry_index": 9_999, "job_key": 9_999}),
    ("v_findings", lambda row: {"entry_index": -1}),
    ("v_executions", lambda row: {"entry_index": None}),
    ("documents", lambda row: {"entry_index": 9_999}),
    ("v_meta", lambda row: {"version_no": 99, "value": "innocent"}),
    ("v_attributions", lambda row: {"job_key": 9_999}),
    ("v_labels", lambda row: {"job_key": None}),
    ("v_rejections", lambda row: {"rejection_id": row["rejection_id"] - 1}),
    ("v_readings", lambda row: {"supersedes": row["supersedes"] + 1}),
)


def test_ranges_are_checked_by_several_processes(file: Audit, folder: Path, tmp_path: Path) -> None:
    lake, chance = tmp_path / "lake", random.Random(4)
    file.ingest(folder)
    lakes.sync(file.db, lake)
    opened = Lake(str(lake), None, make=False)
    done: list[tuple[int, int]] = []
    whole = lakes.verify(lake)
    said = verify_in(opened, (), lambda *now: done.append(now), 2, at_once=100)
    assert said == whole
    assert len(done) > 2
    assert done[-1][0] == done[-1][1] == sum(whole.stores.values())
    for file_ in chance.sample(lakes.data_files(lake), 2):
        with lakes.mutated(file_, chance) as what:
            here = verify_lake(opened, (), lambda *_: None, at_once=100)
            there = verify_in(opened, (), lambda *_: None, 2, at_once=100)
            assert here == there, what
            assert here.damage_count, what
    file_ = lakes.data_files(lake)[0]
    with (
        lakes.harmed(file_, "noise", chance),
        pytest.raises(StoreError, match=file_.name) as raised,
    ):
        verify_in(opened, (), lambda *_: None, 2, at_once=100)
    assert "from a copy" in raised.value.advice


def test_a_process_that_dies_is_said(
    file: Audit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.ingest(folder / "a.ndjson")
    lakes.sync(file.db, tmp_path / "lake")
    with pytest.raises(ProcessError, match="a verifying process died"), in_processes(2) as each:
        list(each(_die, [EntryRange("", None, "", 0, 1, 1)] * 4))


_WAITING = """
from signal import SIGINT, default_int_handler, signal
from time import sleep
from meta_audit.lake.processes import in_processes

def wait(_):
    print("begun", flush=True)
    sleep(120)

if __name__ == "__main__":
    signal(SIGINT, default_int_handler)  # a shell in the background lets it be ignored
    with in_processes(2) as each:
        list(each(wait, [None] * 4))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_program(tmp_path: Path, number: int) -> None:
    file = tmp_path / "waiting.py"
    file.write_text(_WAITING)
    with subprocess.Popen(
        [sys.executable, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout
        assert [process.stdout.readline(), process.stdout.readline()] == [b"begun\n"] * 2
        process.send_signal(number)
        _, err = process.communicate(timeout=20)  # it is the end when no process holds the pipe
    assert number == signal.SIGKILL or b"leaked" not in err


def _die(_: EntryRange) -> RangeResult:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_rows_that_no_entry_stands_for(file: Audit, folder: Path, tmp_path: Path) -> None:
    with another_parser(misread):
        file.ingest(folder / "small")
    file.ingest(folder)
    assert reread(str(file.db)).counts.reread > 0
    whole = tmp_path / "lake"
    lakes.sync(file.db, whole, step=500)
    opened = Lake(str(whole), None, make=False)
    for name, change in FORGED:
        table = opened.table(name)
        before = table.metadata.current_snapshot_id
        row = table.scan(limit=1).to_arrow().to_pylist()[0]
        table.append(pa.Table.from_pylist([row | change(row)], schema=table.schema().as_arrow()))
        assert name in {damage.table for damage in lakes.verify(whole).damages}
        opened.table(name).manage_snapshots().rollback_to_snapshot(before).commit()
    assert lakes.verify(whole).damages == ()


def test_other_columns_are_named(file: Audit, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(compact(job_of(1)))
    file.ingest(path)
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake)
    table = Lake(str(lake), None, make=False).table("v_jobs")
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.add_column("client_proven", StringType())
        update.delete_column("client")
    (added, gone) = sorted(damage.detail for damage in lakes.verify(lake).damages)
    assert added == "the column client is not there"
    assert gone == "the column client_proven is none of the contract"


def test_the_command_line(file: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(compact(job_of(1)))
    file.ingest(path)
    lake = str(tmp_path / "lake")
    done = file.run("lake", "sync", lake)
    assert (done.status, "1 entry added" in done.out) == (0, True)
    assert "up to date" in file.run("lake", "sync", lake).err

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = cli.run(["lake", *arguments])
        out, err = capsys.readouterr()
        return status, out + err

    assert run("verify", lake)[0] == 0
    assert "\nIntact as far as a lake can show: not v_imports" in run("verify", lake)[1]
    status, out = run("trace", lake, job_of(1)["ID"])
    assert (status, "alpine:1" in out) == (0, True)
    assert run("trace", lake, "j-nobody")[0] == 1
    file.run("alias", "add", "n-1", "Node")
    file.run("lake", "sync", lake)
    status, out = run("expire", lake, "--keep", "1")
    assert (status, "forgotten" in out) == (0, True)
    assert run("verify", lake)[0] == 0
    (uses,) = (f for f in lakes.data_files(Path(lake)) if "v_uses" in str(f))
    with lakes.mutated(uses, random.Random(1)):
        status, out = run("verify", lake)
        assert (status, out.endswith("NOT INTACT.\n"), uses.name in out) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("verify", "nowhere"), 1, "there is no lake at nowhere"),
        (("sync", "no/where"), 2, "there is no directory"),
        (("sync", "s3://bucket/lake"), 2, "needs a catalog"),
        (("verify", ".", "--key", "x"), 2, "--key"),
    ],
)
def test_what_is_wrong_is_said(  # noqa: PLR0917 - fixtures and parameters
    file: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    status: int, message: str, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job.json"
    path.write_bytes(compact(job_of(1)))
    file.ingest(path)
    before = {path.name for path in tmp_path.iterdir() if not path.name.startswith("audit")}
    database = ("--db", str(file.db)) if arguments[0] == "sync" else ()
    capsys.readouterr()
    assert cli.run(["lake", *arguments, *database]) == status
    assert message in capsys.readouterr().err
    after = {path.name for path in tmp_path.iterdir() if not path.name.startswith("audit")}
    assert after == before


def test_files_are_read_by_duckdb(file: Audit, folder: Path, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs the extra `bench`")
    file.ingest(folder)
    lakes.sync(file.db, tmp_path / "lake")
    opened = Lake(str(tmp_path / "lake"), None, make=False)
    files = {
        table: [task.file.file_path for task in opened.table(table).scan().plan_files()]
        for table in ("v_meta", "v_jobs")
    }
    for table, sql in (
        ("v_meta", "SELECT key, count(*) FROM {} GROUP BY key ORDER BY key"),
        ("v_jobs", "SELECT state, count(*), max(created_ns) FROM {} GROUP BY state ORDER BY state"),
    ):
        named = "read_parquet([" + ", ".join(f"'{file}'" for file in files[table]) + "])"
        found = duckdb.sql(sql.format(named)).fetchall()
        assert found == file.rows(sql.format(table))
