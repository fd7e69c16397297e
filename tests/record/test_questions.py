"""The log of questions: signed by the next checkpoint, and nothing of it can be changed since."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit
from tests.ingest.documents import compact, job
from tests.store_factory import administrator, ask


@pytest.fixture
def asked(audit: Audit, tmp_path: Path) -> Audit:
    """A store of two imports, with two questions between them."""
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_bytes(compact(job(number)))
    assert audit.ingest(tmp_path / "1.json").status == 0
    ask(audit.db, "trace", "find")
    assert audit.ingest(tmp_path / "2.json").status == 0
    return audit


def test_a_checkpoint_signs_them(asked: Audit) -> None:
    first, second = (asked.run("checkpoint", "show", n).out for n in ("1", "2"))
    assert "questions=" not in first
    assert " questions=2 sha256:" in second
    assert "not signed yet" not in asked.run("verify").out


def test_those_since_the_last_checkpoint_are_counted(asked: Audit) -> None:
    ask(asked.db, "who")
    result = asked.run("verify")
    assert result.status == 0
    assert "not signed yet: 1 questions; the end of the next import signs them" in result.out


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE questions SET asked_at = asked_at + 1 WHERE question_no = 1",
        "UPDATE questions SET role = 'bob' WHERE question_no = 1",
        "UPDATE questions SET actor = 'bob@audit' WHERE question_no = 2",
        "UPDATE questions SET command = 'who' WHERE question_no = 2",
        "UPDATE questions SET arguments = '[]' WHERE question_no = 2",
        "DELETE FROM questions WHERE question_no = 1",
        "DELETE FROM questions WHERE question_no = 2",
        "DELETE FROM questions",
        "INSERT INTO questions VALUES (4, 3, 1, 'bob', 'bob@audit', 'who', '[]')",
    ],
)
def test_verify_sees_a_change(asked: Audit, lie: str) -> None:
    with administrator(asked.db) as one:
        one.run(lie)
    result = asked.run("verify")
    assert result.status == 1
    assert "questions" in result.out or "checkpoint 2 signs" in result.out


@pytest.mark.parametrize(
    "row", ["(4, 3", "(4, NULL", "(3, 1", "(3, NULL", "(0, NULL", "(0, -1", "(1, 0", "(2, 1"]
)
def test_no_number_is_left_out_or_given_twice(asked: Audit, row: str) -> None:
    """Not by anybody who may insert: what is signed can get no further rows."""
    store = open_to_write(str(asked.db))
    with store.engine.connect() as connection:
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql(f"INSERT INTO questions VALUES {row}, 1, 'r', 'a', 'c', '')")
        connection.exec_driver_sql("INSERT INTO questions VALUES (3, 2, 1, 'r', 'a', 'c', '[]')")
    store.close()


def test_a_copy_has_them(asked: Audit, another: Audit) -> None:
    shared = asked.rows("SELECT * FROM questions ORDER BY 1")
    assert another.run("db", "copy", asked.db, another.db).status == 2  # it takes no --db
    assert cli.run(["db", "copy", str(asked.db), str(another.db)]) == 0
    assert another.rows("SELECT * FROM questions ORDER BY 1") == shared
    assert another.run("verify").status == 0
