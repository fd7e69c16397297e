"""What SQLite does PostgreSQL does: the same documents give the same rows, pages and views."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.schema.tables import FACT_TABLES
from meta_audit.store.opening import open_to_read
from tests.engines import Server
from tests.faults import export

Both = tuple[str, str]
Rows = list[tuple[Any, ...]]
Run = Callable[..., tuple[int, str]]
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


@pytest.fixture(scope="module")
def both(postgres: Server, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Two stores of the same documents: a file, and a database."""
    stores = (
        str(tmp_path_factory.mktemp("same") / "audit.db"),
        postgres.url(postgres.create_store()),
    )
    for db in stores:
        assert cli.run(["ingest", str(folder), "--db", db, "--format", "json"]) in (1, 3)
        assert cli.run(["rejections", "retry", "--coerce-scalars", "--db", db]) == 0
        (node,), *_ = rows(db, "SELECT max(requester) FROM v_jobs")
        assert cli.run(["alias", "add", node, "Node", "--until", "2030", "--db", db]) == 0
    return stores


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The program's exit code and what it printed."""

    def run(db: str, *arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        return cli.run([*arguments, "--db", db]), capsys.readouterr().out

    return run


def rows(db: str, sql: str) -> Rows:
    store = open_to_read(db)
    with store.engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(sql)]
    store.close()
    return found


def test_export_is_the_same_and_faultless(both: Both) -> None:
    exports = []
    for db in both:
        store = open_to_read(db)
        with store.engine.connect() as connection:
            assert export.faults(connection) == []
            exports.append(export.export(connection))
        store.close()
    assert exports[0] == exports[1]


def test_every_view_gives_the_same_rows(both: Both) -> None:
    store = open_to_read(both[1])
    views = sorted(sa.inspect(store.engine).get_view_names())
    store.close()
    assert len(views) > 10
    differ = {"v_imports": "import_id, status, sources, documents, new, changed, unchanged"}
    differ["v_aliases"] = "alias_no, identity, name, valid_from, valid_until_ns, reason, import_id"
    for view in views:
        what = differ.get(view, "*")
        file, server = (_alike(rows(db, f"SELECT {what} FROM {view}")) for db in both)
        assert file or view in ("v_events", "v_readings", "v_questions"), view
        if view == "v_observations":  # ends with the time of the import, and the job
            file, server = [r[:-3] for r in file], [r[:-3] for r in server]
        if view == "v_jobs":  # so do its first and its last import
            file, server = ([(*r[:16], *r[18:]) for r in some] for some in (file, server))
        assert sorted(file, key=repr) == sorted(server, key=repr), view


def _alike(found: Rows) -> Rows:
    """Write what the engines have in types of their own as the other one has it: times, JSON."""
    written = []
    for row in found:
        values = []
        for value in row:
            if isinstance(value, datetime):
                values.append(value.strftime("%Y-%m-%dT%H:%M:%S.%f"))
            elif isinstance(value, dict):
                values.append(json.dumps(value, sort_keys=True))
            elif isinstance(value, str) and TIME.fullmatch(value):
                values.append(value[:-4])
            elif isinstance(value, str) and value[:1] == "{" and value[-1:] == "}":
                values.append(json.dumps(json.loads(value), sort_keys=True))
            else:
                values.append(value)
        written.append(tuple(values))
    return written


def test_comments_are_in_the_catalogue(both: Both) -> None:
    said = rows(
        both[1],
        "SELECT c.relname, coalesce(a.attname, ''), d.description FROM pg_description d"
        " JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0"
        " WHERE c.relnamespace = current_schema()::regnamespace",
    )
    kept = rows(both[0], 'SELECT relation, "column", comment FROM schema_comments')
    assert sorted(said) == sorted(kept)
    assert {row[0] for row in kept} > set(FACT_TABLES)


@pytest.mark.parametrize("format_", ["text", "json", "csv"])
@pytest.mark.parametrize(
    "terms",
    [
        (),
        ("--limit", "1000"),
        ("same=pair",),
        ("bacalhau.org/requester.id=n-1",),
        ("--requester", "n-1", "--namespace", "default"),
        ("ünïcode ключ=\u202e\t=1+1",),
        ("bacalhau.org/client.id=forged",),
        ("no=such",),
        ("--client", "nobody"),
        ("100%=?",),
    ],
)
def test_find(both: Both, run: Run, terms: tuple[str, ...], format_: str) -> None:
    file, server = (run(db, "find", *terms, "--format", format_) for db in both)
    assert file == server


def test_trace_of_every_job(both: Both, run: Run) -> None:
    jobs = rows(both[0], "SELECT job_id FROM jobs ORDER BY job_id")
    assert len(jobs) > 300
    import re

    observed = re.compile(r'"observed_at": ?"[^"]*"')
    for (job,) in jobs[::7]:
        file, server = (run(db, "trace", job, "--format", "json") for db in both)
        assert file[0] == server[0]
        assert observed.sub("", file[1]) == observed.sub("", server[1])


@pytest.mark.parametrize(
    "job", ["j-0000", "0000", "spoofed", "described-3", "j-", "", "a\udc80", "%", "_", "Z" * 3000]
)
def test_trace_by_beginning_or_name(both: Both, run: Run, job: str) -> None:
    file, server = (run(db, "trace", job, "--format", "text") for db in both)
    assert [file[0], file[1].splitlines()[:5]] == [server[0], server[1].splitlines()[:5]]


def test_documents_and_rejections(both: Both, run: Run) -> None:
    hashes = rows(both[0], "SELECT lower(hex(sha256)) FROM documents ORDER BY document_id")
    for (digest,) in hashes[::29]:
        for what in (digest, digest[:10]):
            file, server = (run(db, "document", what, "--raw") for db in both)
            assert file == server
            assert file[0] == 0
    listed = [run(db, "rejections", "list", "--all", "--format", "csv") for db in both]
    strip = [text.splitlines() for _, text in listed]
    assert len(strip[0]) == len(strip[1]) > 5
    for option in (["--reason", "json"], ["--source", "%"], ["--source", "a.ndjson"]):
        file, server = (run(db, "rejections", "list", *option) for db in both)
        assert file == server
    number = rows(both[0], "SELECT max(rejection_id) FROM rejections")[0][0]
    file, server = (run(db, "rejections", "show", str(number), "--raw") for db in both)
    assert file == server
