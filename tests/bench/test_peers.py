"""What is compared must be the same: every contender makes the same rows of the same file."""

import json
import sqlite3
import subprocess
from importlib.util import find_spec

import pytest

from bench.generate import main as generate
from bench.measure import ROOT, python, remove, run, size
from bench.run import CONTENDERS
from bench.tables import FILLED

COUNT = 300
COUNTED = sorted(set(FILLED) - {"imports", "sources", "attribution_rules"})
OF_TERMS = (
    ("jobs", "namespace_id"),
    *(("job_versions", f"{name}_id") for name in ("origin", "layout", "name", "type")),
    *(("tasks", f"{name}_id") for name in ("name", "engine", "publisher")),
    *(("observations", f"{name}_id") for name in ("state", "message")),
)
TERM = "(SELECT term FROM terms WHERE term_id = {})".format
SAME = (
    f"SELECT job_id, version_no, {TERM('origin_id')}, {TERM('layout_id')}, {TERM('name_id')}, "
    f"{TERM('type_id')}, priority, count, version, created_at, {TERM('namespace_id')} "
    "FROM job_versions JOIN jobs USING (job_key) ORDER BY 1",
    "SELECT job_id, role, basis, trust, verdict, value FROM job_versions JOIN jobs USING (job_key) "
    "JOIN attribution_members ON set_id = attribution_set JOIN attribution_rules USING (rule_id) "
    "JOIN identities USING (identity_id) ORDER BY 1, 2, 3, 4, 5, 6",
    f"SELECT job_id, task_no, {TERM('name_id')}, {TERM('engine_id')}, {TERM('publisher_id')} "
    "FROM tasks JOIN jobs USING (job_key) ORDER BY 1, 2",
    "SELECT job_id, task_no, key, value FROM meta_entries JOIN jobs USING (job_key) "
    "JOIN meta_pairs USING (pair_id) JOIN meta_keys USING (key_id) ORDER BY 1, 2, 3, 4",
    "SELECT job_id, key, value FROM label_entries JOIN jobs USING (job_key) "
    "JOIN meta_pairs USING (pair_id) JOIN meta_keys USING (key_id) ORDER BY 1, 2, 3",
    f"SELECT job_id, {TERM('state_id')}, {TERM('message_id')}, revision, modified_at, ordinal, "
    "line FROM observations JOIN jobs USING (job_key) ORDER BY 1",
    f"SELECT job_id, versions, created_at, modified_at, revision, version, namespace, state, type, "
    f"origin, {TERM('name_id')}, c.value, k.basis, r.value, q.basis FROM current_jobs "
    "JOIN jobs USING (job_key) "
    "LEFT JOIN identities c ON c.identity_id = client_id LEFT JOIN attribution_rules k "
    "ON k.rule_id = client_rule LEFT JOIN identities r ON r.identity_id = requester_id "
    "LEFT JOIN attribution_rules q ON q.rule_id = requester_rule ORDER BY 1",
)
"""What the plain loop's store and ours must answer alike, whatever numbers they gave."""
MODULES = {"sqlite-utils": "sqlite_utils", "duckdb": "duckdb", "duckdb-indexes": "duckdb"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    generate(["--count", str(COUNT), "--out", str(folder / "jobs.ndjson")])
    return folder


def fill(name, folder):
    contender, store = CONTENDERS[name], folder / f"{name}.db"
    remove(store)
    if contender.prepare:
        subprocess.run(contender.prepare(store), check=True, cwd=ROOT)
    result = run(contender.command(folder / "jobs.ndjson", store), store)
    assert result.documents == COUNT
    assert 0 < result.inside < result.wall
    assert result.peak > 1e7
    assert result.store == size(store) > 0
    assert json.dumps(result.said)
    return store


def counts(connection):
    return {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in COUNTED}


def counts_without_uses(connection):
    """As `counts`; peers do not keep what jobs use, and so not the terms of that."""
    named = " UNION ".join(f"SELECT {column} FROM {table}" for table, column in OF_TERMS)
    sql = f"SELECT count(*) FROM terms WHERE term_id IN ({named})"
    return counts(connection) | {"terms": connection.execute(sql).fetchone()[0]}


@pytest.fixture(scope="module")
def plain(folder):
    connection = sqlite3.connect(fill("plain", folder))
    yield connection
    connection.close()


@pytest.mark.parametrize("name", list(MODULES))
def test_peers_make_as_many_rows(name, folder, plain):
    pytest.importorskip(MODULES[name], reason="needs the extra `bench`")
    store = fill(name, folder)
    if "duckdb" in name:
        import duckdb

        connection = duckdb.connect(str(store))
    else:
        connection = sqlite3.connect(store)
    assert counts(connection) == counts(plain)
    connection.close()


@pytest.mark.skipif(not find_spec("meta_audit.__main__"), reason="no command line yet")
def test_the_plain_loop_makes_our_rows(folder, plain):
    connection = sqlite3.connect(fill("ours", folder))
    assert counts_without_uses(connection) == counts(plain)
    for query in SAME:
        assert connection.execute(query).fetchall() == plain.execute(query).fetchall()
    connection.close()


def test_adding_to_a_full_store(folder):
    store = fill("plain", folder)
    following = folder / "following.ndjson"
    generate(["--count", str(COUNT), "--start", str(COUNT), "--out", str(following)])
    run(python("-m", "bench.plain_loop", str(following), str(store)), store)
    connection = sqlite3.connect(store)
    assert counts(connection)["jobs"] == 2 * COUNT
    twice = "SELECT count(*) - count(DISTINCT value) FROM identities"
    assert connection.execute(twice).fetchone() == (0,)
    connection.close()
