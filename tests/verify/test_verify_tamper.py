"""Every change of a fact is caught, whoever made it; those of the whole store from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_audit.ledger.note import SigningKey
from tests.verify.tamper import ROW_KINDS, WHOLE_CLASSES, Tampering, tamper
from tests.verify.verify_stores import KEY, ORIGIN, Grown, administrator, copy_store, grow, verify


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """A store with something in every table."""
    return grow(tmp_path_factory.mktemp("grown"))


def test_200_random_mutations_are_all_caught(tmp_path: Path, capsys) -> None:
    done, missed = tamper(200, 7, tmp_path)
    assert not missed
    assert set(done) == {*ROW_KINDS, *WHOLE_CLASSES}
    assert sum(done.values()) == 200


@pytest.mark.parametrize("kind", ["truncate", "roll back", "rewrite"])
def test_against_itself_alone_a_whole_change_is_not_seen(
    grown: Grown, tmp_path: Path, kind: str, capsys
) -> None:
    """The window that docs/ledger.md tells of: without a checkpoint outside there is no telling."""
    tampering = Tampering(grown, tmp_path, 3)
    mutation = tampering.whole(kind)
    assert tampering.is_caught(mutation)
    if kind != "truncate":
        assert verify(tampering.target).verdict == "intact"


def test_another_key_is_caught_by_a_pinned_one(grown: Grown, tmp_path: Path) -> None:
    tampering = Tampering(grown, tmp_path, 3)
    tampering.whole("re-sign")
    key = SigningKey(f"meta-audit/{ORIGIN}", KEY.seed).verifier
    assert verify(grown.db, pins=[key]).verdict == "intact"
    report = verify(tampering.target, pins=[key])
    assert {damage.kind for damage in report.damages} == {"signature"}


def test_the_damage_is_named(grown: Grown, tmp_path: Path) -> None:
    target = tmp_path / "audit.db"
    copy_store(grown.db, target)
    with administrator(target) as connection:
        (index, job_id, version), *_ = connection.execute(
            "SELECT o.document_id, j.job_id, o.job_key FROM observations o"
            " JOIN jobs j ON j.job_key = o.job_key"
            " JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = 1"
            " WHERE o.version_no = 1 ORDER BY o.document_id"
        ).fetchall()
        connection.execute(
            "UPDATE job_versions SET priority = 99 WHERE job_key = ? AND version_no = 1", [version]
        )
    report = verify(target)
    first = report.damages[0]
    assert (first.entry, first.job, first.kind) == (index, job_id, "edited")
    assert "priority: signed " in first.detail
    assert "now 99" in first.detail


def test_a_frame_that_cannot_be_read_is_damage(grown: Grown, tmp_path: Path) -> None:
    target = tmp_path / "audit.db"
    copy_store(grown.db, target)
    with administrator(target) as connection:
        connection.execute("UPDATE documents SET content = x'00' WHERE document_id = 5")
        connection.execute(
            "UPDATE documents SET content = CAST(content || x'00' AS BLOB) WHERE document_id = 9"
        )
    found = {(d.entry, d.kind) for d in verify(target).damages}
    assert found == {(5, "bytes"), (9, "bytes")}


def test_text_that_is_no_text_is_damage(grown: Grown, tmp_path: Path) -> None:
    target = tmp_path / "audit.db"
    copy_store(grown.db, target)
    with administrator(target) as connection:
        connection.execute("UPDATE terms SET term = CAST(x'ff' AS TEXT) WHERE term_id = 2")
    assert verify(target).verdict == "damaged"
