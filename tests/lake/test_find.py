"""A lake finds the jobs that its store finds, in the same order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")
pytest.importorskip("duckdb", reason="needs the extra `lake`")

import duckdb
from hypothesis import HealthCheck, given, settings
from msgspec.structs import asdict, replace
from pyiceberg.table import DataScan
from pyiceberg.utils.config import Config

from meta_audit import cli
from meta_audit.errors import StoreError, UsageError
from meta_audit.lake import duck
from meta_audit.lake import sync as syncing
from meta_audit.lake.catalog import Lake
from meta_audit.lake.find import lake_search
from meta_audit.lake.orders import LakeCursor
from meta_audit.model import JobRecord
from meta_audit.query.find import stream
from meta_audit.query.matching import ACTIVITY, Search
from meta_audit.query.results import Found, FoundJob
from meta_audit.search.expression import Expression, Is, terms
from meta_audit.search.parser import parse, parse_keys
from meta_audit.search.sorts import SORTS
from meta_audit.search.words import FIELDS
from meta_audit.store.opening import open_to_read
from meta_audit.store.session import Session
from tests.conftest import Audit
from tests.ingest.again import another_parser, reread
from tests.lake import lakes
from tests.query.random_store import documents
from tests.query.test_expressions import FIELD_VALUES, RANDOM
from tests.search.conformance import EXPRESSIONS

NOW = 1_700_000_000 * 10**9


class Both(NamedTuple):
    """A store, and the lake of it."""

    session: Session
    lake: Path

    def __repr__(self) -> str:
        return "both"


def without_teams(record: JobRecord) -> JobRecord:
    """Read as another parser might: its readings supersede entries."""
    meta = {key: value for key, value in record.meta.items() if key not in ("team", "owner")}
    if len(meta) == len(record.meta):
        return record
    return replace(record, meta=meta, spec_sha256=record.spec_sha256[::-1])


def filled(folder: Path, *imports: Iterable[dict[str, Any]]) -> str:
    """Import documents, and return the store."""
    db = str(folder / "audit.db")
    for number, made in enumerate(imports):
        path = folder / f"{number}.ndjson"
        path.write_text("".join(f"{json.dumps(document)}\n" for document in made))
        assert cli.run(["-q", "ingest", str(path), "--db", db]) < 2
    return db


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, job: Any) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("find")
    made = list(documents(job, 7, 60))
    db = filled(folder, made[::2], made[1::2])
    assert reread(db, without_teams).counts.reread > 0
    lakes.sync(db, folder / "lake", step=25)
    store = open_to_read(db)
    session = store.session()
    session.begin_snapshot()
    yield Both(session, folder / "lake")
    session.close()
    store.close()


@pytest.fixture(scope="module")
def duckdb_kept() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"memory_limit": duck.MEMORY}) as kept:
        yield kept


@pytest.fixture
def one_duckdb(duckdb_kept: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let searches share a DuckDB, which starts slower than it answers; each has its own views."""

    @contextmanager
    def connect(config: dict[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
        assert config["memory_limit"] == duck.MEMORY
        with duckdb_kept.cursor() as connection:
            connection.execute("CREATE SCHEMA one; USE one")
            try:
                yield connection
            finally:
                connection.execute("USE main; DROP SCHEMA one CASCADE")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", connect)
        yield


def in_lake(lake: Path, expression: Expression, limit: int | None = None) -> list[dict[str, Any]]:
    with lake_search(Lake(str(lake), None, make=False), Search(expression, NOW)) as search:
        if limit is not None:
            return [asdict(job) for job in search.first(limit).jobs]
        found = [asdict(job) for job in search.jobs()]
        assert search.count() == len(found)
    return found


def check(both: Both, expression: Expression) -> int:
    """Compare the jobs of the lake with those of the store; return their number."""
    wanted = [asdict(job) for job in stream(both.session, Search(expression, NOW))]
    found = in_lake(both.lake, expression)
    stores = {job.pop("store") for job in found}
    assert found == wanted
    assert len(stores) == bool(found)
    return len(found)


@pytest.mark.usefixtures("one_duckdb")
def test_the_conformance_table(both: Both) -> None:
    found = [check(both, parse(text)) for text, _ in EXPRESSIONS]
    assert sum(map(bool, found)) > len(EXPRESSIONS) / 2


COLUMNS = "team,job:team,task:stage,label:team,owner,none"


@pytest.mark.usefixtures("one_duckdb")
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    ("text", "columns"),
    [("not a=none", COLUMNS), ("has(team)", "team,none"), ("name:hello", "label:team,label:none")],
)
def test_orders_pages_and_columns(both: Both, sort: str, text: str, columns: str) -> None:
    search = Search(parse(text), NOW, sort, columns=parse_keys(columns))
    wanted = list(stream(both.session, search))
    assert len({value for job in wanted if job.meta for value in job.meta.values()}) > 2
    opened = Lake(str(both.lake), None, make=False)

    def page_behind(after: str | None) -> Found:
        with lake_search(opened, replace(search, after=after)) as asked:
            return asked.first(20)

    pages: list[FoundJob] = []
    after, ids = None, Counter(job.job_id for job in wanted)
    while True:
        page = page_behind(after)
        assert "none" in page.unknown_keys
        pages += page.jobs
        if not page.more:
            break
        after, last = page.next, page.jobs[-1].job_id
        if ids[last] == 1:
            assert page_behind(last) == page_behind(after)
        else:
            with pytest.raises(UsageError, match="fits several jobs"):
                page_behind(last)
    assert [(job.job_id, job.namespace, job.meta) for job in pages] == [
        (job.job_id, job.namespace, job.meta) for job in wanted
    ]


@pytest.mark.usefixtures("one_duckdb")
@pytest.mark.parametrize("name", FIELDS)
def test_every_value_of_every_field(both: Both, name: str) -> None:
    values = [Is(name, value) for value in FIELD_VALUES[name] if Is(name, value) != ACTIVITY]
    assert sum(check(both, value) for value in values) > 0


@pytest.mark.usefixtures("one_duckdb")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(RANDOM)
def test_random_expressions(both: Both, expression: Expression) -> None:
    if ACTIVITY in terms(expression):
        with pytest.raises(UsageError, match="cannot answer origin:activity"):
            in_lake(both.lake, expression)
    else:
        check(both, expression)


@pytest.mark.usefixtures("one_duckdb")
def test_letters_and_signs(tmp_path: Path, job: Any) -> None:
    """Case counts for A-Z only in values, signs of LIKE are signs, NUL is a character."""
    texts = ("É", "é", "K", "\u212a", "k", "50%", "50_", "a\\b", "a\0b", "\uffff", "ΑΣ", "ας", "'")
    made = [
        job(f"j-{number:02}", meta={"key": text, text: "x"}, Labels={"É": text})
        for number, text in enumerate(texts)
    ]
    db = filled(tmp_path, made)
    lakes.sync(db, tmp_path / "lake")
    store = open_to_read(db)
    session = store.session()
    session.begin_snapshot()
    asked = []
    for text in texts:
        quoted = '"' + text.replace("\\", "\\\\") + '"'
        pattern = quoted.replace("\\", "\\\\")
        asked += [quoted, f"key={quoted}", f"key~{pattern}", f"has({quoted})", f"label:É={quoted}"]
    asked += ['key~"?"', 'key~"*%"', 'key~"?\\\\\\\\?"', 'key~"5*"']
    found = [check(Both(session, tmp_path / "lake"), parse(text)) for text in asked]
    assert min(found) > 0
    session.close()
    store.close()


def _elsewhere(record: JobRecord) -> JobRecord:
    """As if an older version had seen no namespace in some documents."""
    return replace(record, namespace="") if record.job_id.endswith(("1", "2", "3")) else record


def test_documents_without_a_namespace(tmp_path: Path, job: Any) -> None:
    """They tell of the jobs of their ID, unless a superseded version makes them a job."""
    made = []
    for number in range(6):
        state = {} if number % 2 else {"State": None, "Revision": 0}
        made.append(job(f"j-{number}", **state))
        made.append({"ID": f"e-{number}", "JobID": f"j-{number}", "ComputeState": {"StateType": 3}})
    with another_parser(_elsewhere):
        db = filled(tmp_path, made[::2])
    filled_later = tmp_path / "later.ndjson"
    filled_later.write_text("".join(f"{json.dumps(document)}\n" for document in made[1::2]))
    assert cli.run(["-q", "ingest", str(filled_later), "--db", db]) == 0
    assert reread(db).counts.reread == 3
    lakes.sync(db, tmp_path / "lake")
    store = open_to_read(db)
    session = store.session()
    session.begin_snapshot()
    both = Both(session, tmp_path / "lake")
    found = [check(both, parse(f"import:{number}")) for number in (1, 2, 3)]
    found += [check(both, parse(text)) for text in ("seen>=2020", "finding:info", "node:n-1")]
    assert found[1] not in (0, 6)
    session.close()
    store.close()


def test_several_stores(tmp_path: Path, job: Any, capsys: pytest.CaptureFixture[str]) -> None:
    lake = tmp_path / "lake"
    names = []
    for number in range(2):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        made = [job(f"j-{n}{number}", meta={"of": f"{number}"}) for n in range(3)]
        names.append(lakes.sync(filled(folder, made), lake).store)
    found = in_lake(lake, parse("job"))
    assert found == []
    found = in_lake(lake, parse("has(of)"))
    assert {(one["store"], one["job_id"][-1]) for one in found} == {
        (names[0], "0"),
        (names[1], "1"),
    }
    assert len(in_lake(lake, parse("has(of)"), 4)) == 4
    assert len(in_lake(lake, parse("of=1"))) == 3
    capsys.readouterr()
    assert cli.run(["lake", "find", str(lake), "has(of)"]) == 0
    out = capsys.readouterr().out
    assert out.split("\n")[0].split()[-1] == "store"
    assert all(name in out for name in names)


def test_the_command_line(both: Both, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lake = str(both.lake)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run(["lake", "find", *arguments])
        return (status, *capsys.readouterr())

    number = check(both, parse("has(team)"))
    assert run(lake, "has(team)", "--count") == (0, f"{number}\n", "")
    status, out, err = run(lake, "--count", "a=none")
    assert (status, out, "a=none: 0 jobs" in err) == (1, "0\n", True)
    for arguments in (["--format", "ndjson"], ["--format", "csv"], ["--all", "--format", "json"]):
        status, out, _ = run(lake, "has(team)", *arguments)
        assert (status, out.count("orchestrator") > 0, out.count("meta-audit/") >= number) == (
            *(0, True, True),
        )
    first = [
        json.loads(line)
        for line in run(lake, "--format", "ndjson", "--limit", "2")[1].split("\n")[:-1]
    ]
    assert [one["job_id"] for one in first] == [
        one["job_id"] for one in in_lake(both.lake, parse("not a=none"))[:2]
    ]
    assert run(lake, "--limit", f"{2**63 - 1}")[0] == 0
    status, out, err = run(lake, "--limit", "2", "--format", "json")
    assert (json.loads(out)["format"], json.loads(out)["more"]) == ("meta-audit/lake-find/1", True)
    assert json.loads(out)["jobs"] == first
    assert "Only the newest 2 jobs shown: --all shows all, --after @" in err
    status, out, err = run(lake, "has(team)", "a=none")
    assert (status, out) == (1, "")
    assert f"has(team): {number} jobs" in err
    assert "a=none: 0 jobs" in err
    assert run(lake, "has(team)", "a=none", "--format", "csv")[0] == 1
    err = run(lake, "teem=a", "not has(team)")[2]
    assert "teem=a: 0 jobs. No job has the key teem. Did you mean team (" in err
    rows = Lake(lake, None, make=False).table("v_meta").scan().to_arrow().to_pylist()
    value = next(r["value"] for r in rows if r["key"] == "team" and len(r["value"].strip()) > 4)
    assert f"0 jobs. Did you mean team={value} (" in run(lake, f"team={value}x")[2]
    assert "zzz=1: 0 jobs. No job has the key zzz.\n" in run(lake, "zzz=1")[2]
    status, out, _ = run(lake)
    assert (status, len(out.splitlines())) == (0, 51)
    status, _, err = run(lake, "origin:activity or a=b")
    assert (status, "Ask the store: `meta-audit find`" in err) == (2, True)
    status, _, err = run(lake, "clint:x")
    assert (status, "Did you mean client:?" in err) == (2, True)
    assert run(str(tmp_path), "a=b")[0] == 1


def test_a_lake_between_two_states_is_refused(
    file: Audit, tmp_path: Path, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.ndjson"
    path.write_text(json.dumps(job()))
    file.ingest(path)
    put = syncing.put

    def dying(table: Any, *arguments: Any, **options: Any) -> None:
        if table.name()[-1] == "v_meta":
            raise KeyboardInterrupt
        put(table, *arguments, **options)

    monkeypatch.setattr(syncing, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        lakes.sync(file.db, tmp_path / "lake")
    monkeypatch.undo()
    with pytest.raises(
        StoreError, match=r"is not complete: the lake has 1 of its entries in v_jobs"
    ):
        in_lake(tmp_path / "lake", parse("team=a"))
    assert len(in_lake(tmp_path / "lake", parse("name:hello"))) == 1
    lakes.sync(file.db, tmp_path / "lake")
    assert len(in_lake(tmp_path / "lake", parse("team=a"))) == 1


def test_files_of_an_object_store(
    file: Audit, tmp_path: Path, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read as PyIceberg reads them, with its credentials."""
    moto = pytest.importorskip("moto.server", reason="needs the extra `dev`")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        urlopen(Request(f"{endpoint}/bucket", method="PUT")).close()
        for name, value in {
            "ENDPOINT": endpoint,
            "ACCESS_KEY_ID": "testing",
            "SECRET_ACCESS_KEY": "testing",
            "REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(f"PYICEBERG_CATALOG__LAKE__S3__{name}", value)
        monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
        path = tmp_path / "jobs.ndjson"
        path.write_text(json.dumps(job()))
        file.ingest(path)
        at = ("s3://bucket/a lake", "--catalog", f"sqlite:///{tmp_path}/catalog.db")
        assert file.run("lake", "sync", *at).status == 0
        assert cli.run(["lake", "find", at[0], "team=a", *at[1:]]) == 0
        for query, status in (
            ("SELECT job_id FROM v_jobs", 0),
            ("SELECT * FROM read_text('lake://bucket/a lake/other')", 2),
        ):
            assert cli.run(["lake", "sql", at[0], query, *at[1:]]) == status
    finally:
        server.stop()


def test_jobs_to_begin_behind_and_many_columns(
    file: Audit, tmp_path: Path, job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """IDs may be given as pages show them, or longer than a store holds them."""
    path = tmp_path / "jobs.ndjson"
    long = "j-" + "x" * 600
    path.write_text("".join(f"{json.dumps(job(one))}\n" for one in ("j-a\0b", long)))
    file.ingest(path)
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake)
    for after in ("j-a\\x00b", long):
        assert cli.run(["lake", "find", str(lake), "--after", after]) < 2, after
        assert "no job" not in capsys.readouterr().err.replace("No job matches", "")
    for value in ("x", 5):
        sort = "created" if value == "x" else "name"
        cursor = str(LakeCursor(sort, value, "j-1", "", ""))
        assert cli.run(["lake", "find", str(lake), "--sort", sort, "--after", cursor]) == 2
    many = ",".join(f"k{number},label:k{number}" for number in range(400))
    search = Search(parse("not a=none"), NOW, columns=parse_keys(f"{many},team"))
    with lake_search(Lake(str(lake), None, make=False), search) as asked:
        assert [job.meta["team"] for job in asked.first(9).jobs if job.meta] == [("a",)] * 2


def test_memory_is_bounded_by_files(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "MEMORY", "40MB")
    assert len(in_lake(both.lake, parse("not a=none"))) > 50


def test_files_that_are_damaged_or_have_deletes(
    file: Audit, tmp_path: Path, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.ndjson"
    path.write_text(json.dumps(job()))
    file.ingest(path)
    lake = tmp_path / "lake"
    lakes.sync(file.db, lake)
    (damaged,) = (one for one in lakes.data_files(lake) if "v_meta" in str(one))
    whole = damaged.read_bytes()
    for content in (whole[: len(whole) // 2], b""):
        damaged.write_bytes(content)
        with pytest.raises(StoreError, match="DuckDB cannot read the lake"):
            in_lake(lake, parse("team=a"))
    damaged.unlink()
    with pytest.raises(StoreError, match="DuckDB cannot read the lake"):
        in_lake(lake, parse("team=a"))
    damaged.write_bytes(whole)
    (task,) = Lake(str(lake), None, make=False).table("v_jobs").scan().plan_files()
    task.delete_files.add(task.file)
    monkeypatch.setattr(DataScan, "plan_files", lambda _: [task])
    with pytest.raises(StoreError, match="files of v_jobs have deletes beside them"):
        in_lake(lake, parse("name:hello"))
