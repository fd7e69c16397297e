"""Every change of a fact is caught, whoever made it; those of the whole store from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_audit.ledger.note import SigningKey
from tests.store_factory import SqliteFiles, StoreFactory, administrator
from tests.verify.stores import KEY, ORIGIN, Grown, verify
from tests.verify.tamper import ROW_KINDS, WHOLE_CLASSES, Tampering, tamper


def test_random_mutations_are_all_caught(
    factory: StoreFactory, grown: Grown, tmp_path: Path, capsys
) -> None:
    # A database is slower to copy than a file.
    number = 32 if isinstance(factory, SqliteFiles) else 20
    done, missed = tamper(factory, grown, number, 8, tmp_path)
    assert not missed
    assert set(done) == {*ROW_KINDS, *WHOLE_CLASSES}
    assert sum(done.values()) == number


@pytest.mark.parametrize("kind", ["truncate", "roll back", "rewrite"])
def test_against_itself_alone_a_whole_change_is_not_seen(
    factory: StoreFactory, grown: Grown, tmp_path: Path, kind: str, capsys
) -> None:
    """The window that docs/ledger.md tells of: without a checkpoint outside there is no telling."""
    tampering = Tampering(factory, grown, tmp_path, 3)
    mutation = tampering.whole(kind)
    assert tampering.is_caught(mutation)
    if kind != "truncate":
        assert verify(tampering.target).verdict == "intact"


def test_another_key_is_caught_by_a_pinned_one(
    factory: StoreFactory, grown: Grown, tmp_path: Path
) -> None:
    tampering = Tampering(factory, grown, tmp_path, 3)
    tampering.whole("re-sign")
    key = SigningKey(f"meta-audit/{ORIGIN}", KEY.seed).verifier
    assert verify(grown.db, pins=[key]).verdict == "intact"
    report = verify(tampering.target, pins=[key])
    assert {damage.kind for damage in report.damages} == {"signature"}


def test_the_damage_is_named(factory: StoreFactory, grown: Grown) -> None:
    target = factory.copy(grown.db)
    with administrator(target) as one:
        (index, job_id, version), *_ = one.run(
            "SELECT o.document_id, j.job_id, o.job_key FROM observations o"
            " JOIN jobs j ON j.job_key = o.job_key"
            " JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = 1"
            " WHERE o.version_no = 1 ORDER BY o.document_id"
        )
        one.run(
            "UPDATE job_versions SET priority = 99 WHERE job_key = ? AND version_no = 1", version
        )
    report = verify(target)
    first = report.damages[0]
    assert (first.entry, first.job, first.kind) == (index, job_id, "edited")
    assert "priority: signed " in first.detail
    assert "now 99" in first.detail


def test_a_frame_that_cannot_be_read_is_damage(factory: StoreFactory, grown: Grown) -> None:
    target = factory.copy(grown.db)
    with administrator(target) as one:
        one.run("UPDATE documents SET content = ? WHERE document_id = 5", b"\0")
        ((content,),) = one.run("SELECT content FROM documents WHERE document_id = 9")
        one.run("UPDATE documents SET content = ? WHERE document_id = 9", content + b"\0")
    found = {(d.entry, d.kind) for d in verify(target).damages}
    assert found == {(5, "bytes"), (9, "bytes")}


def test_text_that_sqlite_alone_would_keep_is_damage(in_file: Grown, tmp_path: Path) -> None:
    """PostgreSQL takes no text that is none; of its damaged pages see tests/postgres."""
    target = SqliteFiles(tmp_path).copy(in_file.db)
    with administrator(target) as one:
        one.run("UPDATE terms SET term = CAST(x'ff' AS TEXT) WHERE term_id = 2")
    assert verify(target).verdict == "damaged"
