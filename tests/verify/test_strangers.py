"""Lies and damages that a hostile tester found to pass as "Intact."."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bench.generate import Generator
from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit
from tests.docs.shell import ROOT
from tests.engines import Server
from tests.store_factory import administrator, database

EXAMPLES: Final = ROOT / "examples"
CAST: Final = """
create function f8(int8) returns float8 language plpgsql immutable as
  $$ begin return $1::numeric::float8 - 31536000; end $$;
create temp table oldc as select oid, castfunc from pg_cast;
create temp table own_vd as select definition from pg_views where viewname = 'v_jobs';
update pg_cast set castfunc = 'f8'::regproc
  where castsource = 'int8'::regtype and casttarget = 'float8'::regtype;
do $$ declare r record; begin for r in select * from own_vd loop
  execute 'create or replace view v_jobs as ' || r.definition; end loop; end $$;
update pg_cast p set castfunc = o.castfunc from oldc o
  where o.oid = p.oid and p.castfunc <> o.castfunc;
"""
EVENT: Final = """
create function ev() returns event_trigger language plpgsql as $f$ begin end $f$;
create event trigger own on ddl_command_end when tag in ('CREATE VIEW') execute function ev();
"""


@pytest.fixture
def filled(file: Audit) -> Audit:
    """A store in a file, all of it in one file."""
    assert file.ingest(EXAMPLES).status == 1
    with closing(sqlite3.connect(file.db)) as connection:
        connection.execute("PRAGMA wal_checkpoint(truncate)")
    return file


def swap_first_and_last(db: Path, name: str) -> None:
    """Swap two cell pointers of a page, so that its rows come in another order."""
    with closing(sqlite3.connect(db)) as connection:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((root,),) = connection.execute(sql, (name,))
        ((size,),) = connection.execute("PRAGMA page_size")
    with open(db, "r+b") as opened:
        start = (root - 1) * size
        opened.seek(start)
        page = bytearray(opened.read(size))
        end = 8 + 2 * (struct.unpack(">H", page[3:5])[0] - 1)
        assert end > 8
        page[8:10], page[end : end + 2] = page[end : end + 2], page[8:10]
        opened.seek(start)
        opened.write(page)


@pytest.mark.parametrize("name", ["sqlite_autoindex_rejections_1", "sqlite_autoindex_jobs_1"])
def test_a_unique_index_out_of_order_is_damage(filled: Audit, name: str) -> None:
    swap_first_and_last(Path(filled.db), name)
    said = filled.run("verify")
    assert (said.status, "NOT INTACT" in said.out) == (1, True)
    assert name in said.out


@pytest.mark.parametrize("name", ["sources", "source_results", "terms", "meta_keys", "identities"])
def test_a_table_out_of_order_ends_no_verification_and_holds_none_up(
    filled: Audit, name: str, forked_program: Path
) -> None:
    swap_first_and_last(Path(filled.db), name)
    command = (forked_program, "verify", "--db", str(filled.db))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "NOT INTACT" in done.stdout) == (1, True), done.stderr


@pytest.mark.parametrize("table", ["jobs", "observations", "documents", "meta_entries"])
def test_a_page_that_hides_all_rows_behind_it(
    file: Audit, tmp_path: Path, table: str, forked_program: Path
) -> None:
    source = tmp_path / "jobs.ndjson"
    source.write_text("\n".join(Generator(1).documents(0, 400)))
    assert file.ingest(source).status == 0
    with closing(sqlite3.connect(file.db)) as connection:
        connection.execute("PRAGMA wal_checkpoint(truncate)")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((root,),) = connection.execute(sql, (table,))
        ((size,),) = connection.execute("PRAGMA page_size")
    with open(file.db, "r+b") as opened:
        opened.seek((root - 1) * size)
        assert opened.read(1) in {b"\x02", b"\x05"}  # a page that points to others
        opened.seek((root - 1) * size + 8)
        opened.write((1 << 20).to_bytes(4, "big"))
    command = (forked_program, "verify", "--db", str(file.db))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "NOT INTACT" in done.stdout) == (1, True), done.stderr


def test_a_copy_in_utf_16_is_not_the_store(filled: Audit, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(filled.db)) as a, closing(sqlite3.connect(copy)) as b:
        b.isolation_level = None
        b.execute("PRAGMA encoding = 'UTF-16le'")
        sql = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE"
        made = a.execute(f"{sql} 'sqlite_%' ORDER BY type = 'view', type = 'trigger'").fetchall()
        for kind, name, text in made:
            b.execute(text)
            if kind == "table":
                rows = a.execute(f'SELECT * FROM "{name}"').fetchall()
                for row in rows:
                    b.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', row)
    shutil.copy(f"{filled.db}.checkpoints", f"{copy}.checkpoints")
    other = Audit(copy, filled._capsys)
    said = other.run("verify")
    assert (said.status, "UTF-16le, not in UTF-8" in said.out) == (1, True)


@pytest.fixture
def on_server(postgres: Server) -> Iterator[str]:
    """A store on PostgreSQL, of this test alone."""
    name = postgres.create_store()
    assert cli.run(["ingest", str(EXAMPLES), "--db", postgres.url(name), "--quiet"]) == 1
    yield postgres.url(name)
    postgres.drop(name)


Said = Callable[[], str]


@pytest.fixture
def verified(on_server: str, capsys: pytest.CaptureFixture[str]) -> Said:
    def verify() -> str:
        capsys.readouterr()
        cli.run(["verify", "--db", on_server])
        return capsys.readouterr().out

    return verify


def test_a_cast_that_the_text_of_a_view_does_not_show(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run(CAST)
    said = verified()
    assert "v_jobs uses function f8(bigint), which is none of the server's own" in said
    assert "NOT INTACT" in said


def test_a_function_of_the_server_in_sql(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run("SET allow_system_table_mods = on")
        one.run(
            "CREATE OR REPLACE FUNCTION pg_catalog.encode(bytea, text) RETURNS text LANGUAGE sql"
            " IMMUTABLE AS $$ SELECT 'deadbeef'::text $$"
        )
    said = verified()
    assert "function encode(bytea,text) was added to those of the server, or changed" in said
    assert "NOT INTACT" in said


def test_an_event_trigger_may_change_what_is_compared(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run(EVENT)
    said = verified()
    assert "the event trigger 'own' may change what is compared" in said
    assert "Intact as far as it was checked" in said


def test_another_encoding_of_the_database(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run("UPDATE pg_database SET encoding = 0 WHERE datname = current_database()")
        said = verified()
        one.run("UPDATE pg_database SET encoding = 6 WHERE datname = current_database()")
    assert "texts are stored in SQL_ASCII, not in UTF8" in said


@pytest.mark.parametrize("setting", ["quote_all_identifiers = on", "enable_indexscan = off"])
def test_settings_of_a_database_are_no_damage(on_server: str, verified: Said, setting: str) -> None:
    with administrator(on_server) as one:
        ((name,),) = one.run("SELECT quote_ident(current_database())")
        one.run(f"ALTER DATABASE {name} SET {setting}")
    assert "Not checked: the index" not in verified()
    assert "NOT INTACT" not in verified()


def test_a_store_that_is_removed_while_it_is_written_to(filled: Audit) -> None:
    with closing(open_to_write(str(filled.db))) as store, closing(store.session()) as session:
        session.begin()
        Path(filled.db).unlink()
        with pytest.raises(StoreError, match="was removed or replaced while it was written to"):
            session.commit()


def test_a_job_before_zeros_is_taken_from_a_directory(file: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = (EXAMPLES / "v1.1-job.json").read_bytes()
    (folder / "padded.json").write_bytes(whole + bytes(4096))
    (folder / "zeros.json").write_bytes(bytes(4096))
    done = file.ingest(folder, "--format", "json")
    assert (done.status, done.summary["jobs"], done.summary["skipped"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE pg_aggregate SET aggfinalfn = 'numeric_poly_avg'::regproc"
            " WHERE aggfnoid = 'sum(int8)'::regprocedure",
            "function sum(bigint)",
        ),
        (
            "UPDATE pg_proc SET prosrc = 'float4_timestamptz'"
            " WHERE oid = 'to_timestamp(float8)'::regprocedure",
            "function to_timestamp(double precision)",
        ),
        (
            "UPDATE pg_operator SET oprcode = 'texteq'::regproc"
            " WHERE oid = '~~(text, text)'::regoperator",
            "operator ~~(text,text)",
        ),
        ("UPDATE pg_collation SET collcollate = 'de_DE' WHERE collname = 'POSIX'", "collation"),
    ],
)
def test_what_is_the_servers_own_was_changed(
    on_server: str, verified: Said, statement: str, named: str
) -> None:
    with administrator(on_server) as one:
        one.run("GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO PUBLIC")
        assert "the server's" not in verified()
        one.run("SET allow_system_table_mods = on")
        one.run(statement)
    said = verified()
    assert said.count("the server's") == 1
    assert f"the server's {named}" in said
    assert "Intact." not in said


def test_a_view_whose_rule_is_not_used(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run("SET allow_system_table_mods = on")
        one.run("UPDATE pg_class SET relhasrules = false WHERE relname = 'v_findings'")
    assert "view v_findings is not the one that this version makes" in verified()


COUNTS: Final = (
    "CREATE FUNCTION {0}.more(bigint, text) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 7'",
    "CREATE AGGREGATE {0}.count(text) (SFUNC = {0}.more, STYPE = bigint, INITCOND = '0')",
)
JOINS: Final = (
    "CREATE FUNCTION {0}.joined(text, bigint) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
    "CREATE OPERATOR {0}.|| (LEFTARG = text, RIGHTARG = bigint, FUNCTION = {0}.joined)",
)
NEVER: Final = (
    "CREATE FUNCTION never(oid, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT false'",
    "CREATE OPERATOR >= (LEFTARG = oid, RIGHTARG = int, FUNCTION = never)",
)
"""It hides what somebody made from `oid >= 16384`."""


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        ([of.format("public") for of in COUNTS], "function count(text) is called instead"),
        (
            [
                *(of.format("pg_catalog") for of in COUNTS),
                "ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.more(bigint, text)",
                "ALTER EXTENSION plpgsql ADD AGGREGATE pg_catalog.count(text)",
            ],
            "function count(text) is called instead",
        ),
        ([of.format("public") for of in JOINS], "operator ||(text,bigint) is called instead"),
        (
            [
                *(of.format("pg_catalog") for of in JOINS),
                "ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.joined(text, bigint)",
                "ALTER EXTENSION plpgsql ADD OPERATOR pg_catalog.|| (text, bigint)",
            ],
            "operator ||(text,bigint) is called instead",
        ),
        ([*NEVER, *(of.format("public") for of in COUNTS)], "function count(text) is called"),
        (
            [
                "CREATE FUNCTION pg_catalog.concat_ws(text, text, text) RETURNS text IMMUTABLE"
                " LANGUAGE sql AS 'SELECT $2'",
                "ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.concat_ws(text, text, text)",
            ],
            "function concat_ws(text,text,text) is called instead",
        ),
        (
            [
                "CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
                "ALTER DATABASE {database} SET search_path = public, pg_catalog",
            ],
            "lower(text) is called instead",
        ),
        (
            [
                "CREATE FUNCTION said(timestamptz) RETURNS text LANGUAGE sql RETURN 'never'",
                "CREATE CAST (timestamptz AS text) WITH FUNCTION said(timestamptz)",
            ],
            "cast from timestamp with time zone to text was added",
        ),
    ],
)
def test_what_is_called_instead_of_the_servers_own(
    on_server: str, verified: Said, statements: list[str], named: str
) -> None:
    as_superuser(on_server, [s.replace("{database}", database(on_server)) for s in statements])
    said = verified()
    assert named in said
    assert "NOT INTACT" in said


def test_functions_that_are_not_called_instead(on_server: str, verified: Said) -> None:
    """Of own types, of types that the server's own do not take, and of the same ones."""
    with administrator(on_server) as one:
        one.run("CREATE EXTENSION vector")
        one.run("CREATE TYPE pair AS (a int, b int)")
        for signature in ("length(pair)", "round(float8, int)", "lower(text)", "slug(text)"):
            one.run(f"CREATE FUNCTION {signature} RETURNS int LANGUAGE sql AS 'SELECT 1'")
    said = verified()
    assert "NOT INTACT" not in said
    assert "the server's" not in said


def test_what_another_role_reads_instead_of_the_store(on_server: str, verified: Said) -> None:
    """By a setting of its own, or by a schema of its name, which comes first."""
    with administrator(on_server) as one:
        one.run("DROP ROLE IF EXISTS reads_evil, reads_own, reads_store")
        one.run("CREATE ROLE reads_evil; CREATE ROLE reads_own; CREATE ROLE reads_store")
        one.run("CREATE SCHEMA evil; CREATE SCHEMA reads_own; CREATE SCHEMA reads_store")
        one.run("CREATE TABLE reads_store.jobs ()")  # its own, no view of the contract
        one.run("CREATE TABLE reads_store.v_mine ()")
    try:
        assert "NOT INTACT" not in verified()
        with administrator(on_server) as one:
            one.run("CREATE VIEW evil.v_jobs AS SELECT * FROM public.v_jobs WHERE false")
            one.run("CREATE VIEW reads_own.v_meta AS SELECT * FROM public.v_meta WHERE false")
            one.run(
                f"ALTER ROLE reads_evil IN DATABASE {database(on_server)}"
                " SET search_path = evil, public"
            )
        said = verified()
        for role, view in (("reads_evil", "evil.v_jobs"), ("reads_own", "reads_own.v_meta")):
            assert f"the role {role} finds {view} before the store's own" in said
        assert "NOT INTACT" in said
    finally:
        with administrator(on_server) as one:
            one.run("DROP ROLE reads_evil; DROP ROLE reads_own; DROP ROLE reads_store")


def test_a_view_that_does_not_answer(on_server: str, verified: Said) -> None:
    as_superuser(
        on_server,
        [f"ALTER DATABASE {database(on_server)} SET restrict_nonsystem_relation_kind = 'view'"],
    )
    said = verified()
    assert "v_jobs does not answer" in said
    assert "NOT INTACT" in said


def test_limits_of_time_of_the_database_end_no_command(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        known = one.run("SELECT 1 FROM pg_settings WHERE name = 'transaction_timeout'")
        for name in ("idle_session_timeout", "transaction_timeout")[: 2 if known else 1]:
            one.run(f"ALTER DATABASE {database(on_server)} SET {name} = '100ms'")
    assert "Intact as far as it was checked." in verified()


def as_superuser(store: str, statements: Sequence[str]) -> None:
    """Run statements, also on the server's own catalogs."""
    with administrator(store) as one:
        one.run("SET allow_system_table_mods = on")
        for statement in statements:
            one.run(statement)


OPERATOR: Final = (
    "UPDATE pg_operator SET oprcode = 'textnlike'::regproc"
    " WHERE oid = 'pg_catalog.~~(text, text)'::regoperator"
)
LOWER: Final = (
    "UPDATE pg_proc SET prolang = 14, prosrc = 'SELECT $1', provolatile = 's'"
    " WHERE oid = 'pg_catalog.lower(text)'::regprocedure"
)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        ([LOWER, "GRANT EXECUTE ON FUNCTION lower(text) TO PUBLIC"], "function lower(text)"),
        (
            [
                "UPDATE pg_type SET typoutput = 'timestamp_out'::regproc"
                " WHERE oid = 'timestamptz'::regtype",
                "GRANT USAGE ON TYPE timestamptz TO PUBLIC",
            ],
            "type timestamp with time zone",
        ),
        (
            [
                *["SELECT txid_current()"] * 300,
                OPERATOR,
                "UPDATE pg_database SET datconnlimit = datconnlimit WHERE oid < 16384",
            ],
            "operator ~~(text,text)",
        ),
        (
            [
                "CREATE POLICY hides ON jobs USING (true)",
                "CREATE VIEW pg_catalog.other AS SELECT * FROM pg_policy WHERE false",
                "UPDATE pg_class SET relname = 'own' WHERE relname = 'pg_policy'",
                "UPDATE pg_class SET relname = 'pg_policy' WHERE relname = 'other'",
            ],
            "catalog pg_policy",
        ),
    ],
)
def test_what_was_changed_and_hidden(
    on_server: str, verified: Said, statements: list[str], named: str
) -> None:
    as_superuser(on_server, statements)
    said = verified()
    assert f"the server's {named}" in said
    assert "Intact." not in said


def test_grants_of_types_are_no_change(on_server: str, verified: Said) -> None:
    with administrator(on_server) as one:
        one.run("GRANT USAGE ON TYPE text, int8, jsonb, timestamptz, bytea, money TO PUBLIC")
        one.run("REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC")
        one.run("GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC")
    assert "the server's" not in verified()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE pg_class SET relchecks = 0 WHERE relname = 'questions'", "table questions"),
        (
            "UPDATE pg_attribute SET atthasdef = false"
            " WHERE attrelid = 'questions'::regclass AND attname = 'role'",
            "column role of questions",
        ),
        (
            "DELETE FROM pg_trigger WHERE tgisinternal AND tgrelid = 'questions'::regclass",
            "constraint fk_questions_follows of questions",
        ),
    ],
)
def test_what_the_server_does_not_use(
    on_server: str, verified: Said, statement: str, named: str
) -> None:
    with administrator(on_server) as one:
        one.run("SET allow_system_table_mods = on")
        one.run(statement)
    assert f"{named} is not the one that this version makes" in verified()


def test_a_server_that_does_not_say_its_version(
    on_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with administrator(on_server) as one:
        one.run("SET allow_system_table_mods = on")
        one.run(
            "UPDATE pg_type SET typoutput = 'byteaout'::regproc, typsend = 'byteasend'::regproc"
            " WHERE oid = 'text'::regtype"
        )
    capsys.readouterr()
    assert cli.run(["verify", "--db", on_server]) == 1
    assert "the server does not say its version" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("view", "other"),
    [
        ("v_jobs", ("':funcid 482 '", "':funcid 316 '")),
        ("v_labels", ("':opno 410 :opfuncid 467'", "':opno 410 :opfuncid 468'")),
    ],
)
def test_a_view_that_calls_another_function_under_the_same_text(
    on_server: str, verified: Said, view: str, other: tuple[str, str]
) -> None:
    """482 makes a float of a bigint, and 316 of an integer; 467 says equal, and 468 different."""
    text = f"SELECT pg_get_viewdef('{view}'::regclass)"
    with administrator(on_server) as one:
        before = one.run(text)
        one.run("SET allow_system_table_mods = on")
        one.run("CREATE CAST (text AS pg_node_tree) WITHOUT FUNCTION")
        one.run(
            f"UPDATE pg_rewrite SET ev_action = replace(ev_action::text, {', '.join(other)})"
            f"::pg_node_tree WHERE ev_class = '{view}'::regclass"
        )
        one.run("DROP CAST (text AS pg_node_tree)")
        assert one.run(text) == before
    assert f"calls {view} is not the one that this version makes" in verified()
