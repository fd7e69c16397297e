"""The commands: verify, prove, verify-proof, checkpoint; the key and the file of checkpoints."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from meta_audit.ledger.checkpoint import split_checkpoints
from meta_audit.ledger.note import SigningKey
from tests.store_factory import administrator
from tests.verify.stores import KEY, OTHER_KEY, run

ONE = b'{"ID": "j-1", "Meta": {"a": "b"}, "Tasks": [{"Name": "t"}]}'
TWO = b'{"ID": "j-1", "Meta": {"a": "b"}, "Tasks": [{"Name": "t"}], "State": {"StateType": 3}}'


@pytest.fixture
def log(db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of checkpoints: beside an SQLite store, else where one says."""
    if "://" not in db_url:
        return Path(f"{db_url}.checkpoints")
    monkeypatch.setenv("META_AUDIT_CHECKPOINT_LOG", str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


@pytest.fixture
def db(db_url: str, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> str:
    """A store of two imports, with a key of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    for number, content in enumerate((ONE, TWO), 1):
        (tmp_path / f"{number}.json").write_bytes(content)
        assert run("ingest", tmp_path / f"{number}.json", "--db", db_url) == 0
    return db_url


@pytest.fixture
def key(db: str, capsys) -> str:
    """Its verifier key."""
    capsys.readouterr()
    run("checkpoint", "key", "--db", db)
    return capsys.readouterr().out.strip()


def test_key_file_is_for_its_owner_alone(db: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "keys/meta-audit/signing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("PRIVATE+KEY+meta-audit+")
    path.chmod(0o640)
    assert run("ingest", tmp_path / "1.json", "--db", db) == 4
    assert "chmod 600" in capsys.readouterr().err


def test_a_broken_key_file_is_never_written_over(db: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "keys/meta-audit/signing.key"
    path.write_text("broken")
    assert run("ingest", tmp_path / "1.json", "--db", db) == 4
    assert path.read_text() == "broken"


def test_the_key_may_be_given_itself(db: str, monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setenv("META_AUDIT_SIGNING_KEY", OTHER_KEY.secret())
    assert run("ingest", tmp_path / "1.json", "--db", db) == 0
    captured = capsys.readouterr()
    assert "Verifier key of this store: meta-audit/" in captured.err
    assert OTHER_KEY.secret() not in captured.out + captured.err
    assert run("verify", "--db", db) == 0


def test_ingest_says_its_checkpoint(db: str, tmp_path: Path, log: Path, capsys) -> None:
    capsys.readouterr()
    run("ingest", tmp_path / "1.json", "--db", db)
    assert "Checkpoint: 2 entries, root sha256:" in capsys.readouterr().out
    run("ingest", tmp_path / "1.json", "--db", db, "--format", "json")
    note = json.loads(capsys.readouterr().out)["checkpoint"]
    held = log.read_text()
    assert split_checkpoints(held)[-1] == note
    assert len(split_checkpoints(held)) == 4


def test_what_a_failed_append_left_out_is_appended_later(
    db: str, tmp_path: Path, log: Path, capsys
) -> None:
    before = log.read_bytes()
    log.unlink()
    log.mkdir()
    assert run("ingest", tmp_path / "1.json", "--db", db) == 4
    captured = capsys.readouterr()
    assert "The import is saved" in captured.err
    assert "Import 3 complete" in captured.out
    log.rmdir()
    log.write_bytes(before[:-20])
    assert run("ingest", tmp_path / "1.json", "--db", db) == 0
    assert len(split_checkpoints(log.read_text())) == 4
    assert log.read_bytes().startswith(before)
    assert run("verify", "--db", db) == 0


def test_a_file_of_another_store_is_not_written_to(
    db: str, tmp_path: Path, log: Path, capsys
) -> None:
    other = tmp_path / "other.db"
    arguments = ("ingest", tmp_path / "1.json", "--db", other)
    assert run(*arguments, "--checkpoint-log", log) == 4
    assert "another store" in capsys.readouterr().err
    assert run("verify", "--db", other, "--against", log) == 1


def test_verify(db: str, key: str, log: Path, capsys) -> None:
    assert (
        run("verify", "--db", db, "--key", key, "--format", "json", "--deep", "--against", log) == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["format"] == "meta-audit/verify/1"
    assert (report["verdict"], report["entries"], report["signed"]) == ("intact", 2, 2)
    assert report["keys"] == [key]
    assert [step["status"] for step in report["steps"]] == ["ok"] * 14
    with administrator(db) as one:
        one.run("UPDATE meta_pairs SET value = 'c'")
    assert run("verify", "--db", db) == 1
    out = capsys.readouterr().out
    assert "entry 0, job j-1, edited: meta: ['a', 'b'] is missing" in out.replace("(", "[").replace(
        ")", "]"
    )
    assert out.endswith("NOT INTACT.\n")


def test_verify_with_a_key_that_did_not_sign(db: str, tmp_path: Path, capsys) -> None:
    stranger = SigningKey("meta-audit/0", KEY.seed).verifier
    assert run("verify", "--db", db, "--key", str(stranger)) == 1
    assert run("verify", "--db", db, "--key", "nonsense") == 2
    assert run("verify", "--db", tmp_path / "none.db") == 4
    assert run("verify", "--db", db, "--since", "9") == 1
    assert run("verify", "--db", db, "--against", tmp_path / "none") == 2


def test_prove_and_verify_proof(db: str, key: str, tmp_path: Path, log: Path, capsys) -> None:
    proof = tmp_path / "proof.json"
    assert run("prove", "j-1", "--db", db, "--output", proof) == 0
    capsys.readouterr()
    assert run("verify-proof", proof, "--key", key, "--format", "json") == 0
    shape = json.loads(capsys.readouterr().out)
    assert shape["valid"] is True
    assert shape["proofs"][0]["verdict"] == "verified"
    assert run("verify-proof", proof, "--checkpoint", log) == 0
    assert "one of those that you hold" in capsys.readouterr().out
    other = SigningKey("meta-audit/0", KEY.seed).verifier
    assert run("verify-proof", proof, "--key", str(other)) == 1
    proof.write_text(proof.read_text().replace('"ordinal": 1', '"ordinal": 2'))
    assert run("verify-proof", proof, "--key", key) == 1


def test_prove_every_document(db: str, key: str, tmp_path: Path, capsys) -> None:
    proof = tmp_path / "proof.json"
    assert run("prove", "j-1", "--all", "--db", db, "--output", proof) == 0
    assert len(json.loads(proof.read_text())) == 2
    assert run("verify-proof", proof, "--key", key) == 0


def test_verify_proof_needs_no_store(db: str, tmp_path: Path, capsys) -> None:
    proof = tmp_path / "proof.json"
    run("prove", "j-1", "--db", db, "--output", proof)
    code = (
        "import sys; from meta_audit import cli; status = cli.run(sys.argv[1:]);"
        " assert not {'sqlalchemy', 'sqlite3', 'socket'} & set(sys.modules); sys.exit(status)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, "verify-proof", str(proof)],
        env={**os.environ, "PYTHONPATH": str(root), "META_AUDIT_DB": "/nowhere/at/all"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # no key was given
    assert b"NOT VERIFIED" in done.stdout


def test_prove_refuses_what_was_changed(db: str, capsys) -> None:
    with administrator(db) as one:
        one.run("UPDATE meta_pairs SET value = 'c'")
    assert run("prove", "j-1", "--db", db) == 1
    assert "not those that were signed" in capsys.readouterr().err


def test_checkpoint(db: str, capsys) -> None:
    capsys.readouterr()
    assert run("checkpoint", "list", "--db", db, "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(c["checkpoint_id"], c["tree_size"]) for c in listed] == [(1, 1), (2, 2)]
    assert run("checkpoint", "show", "2", "--db", db) == 0
    assert capsys.readouterr().out == listed[1]["note"]
    assert run("checkpoint", "show", "3", "--db", db) == 1
    assert run("checkpoint", "consistency", "1", "2", "--db", db) == 0
    assert "Consistent" in capsys.readouterr().out
    assert run("checkpoint", "consistency", "2", "1", "--db", db) == 1


def test_a_checkpoint_outside_that_was_cut_off(db: str, log: Path, tmp_path: Path, capsys) -> None:
    """At any byte: it is no damage, and the next import writes the rest."""
    whole = log.read_bytes()
    first = len(f"{split_checkpoints(whole.decode())[0]}\n".encode())
    ends = {1, first - 3, first - 2, first - 1, first, first + 1, len(whole) - 3, len(whole) - 1}
    for length in sorted(ends.union(() if "://" in db else range(5, len(whole), 23))):
        log.write_bytes(whole[:length])
        capsys.readouterr()
        assert run("verify", "--db", db, "--against", log) == 0, whole[:length]
        said = capsys.readouterr().out
        torn = length < first - 2 or first < length < len(whole) - 2
        assert ("the last one was cut off while it was written" in said) == torn, whole[:length]
    log.write_bytes(whole[:-40])
    assert run("ingest", tmp_path / "1.json", "--db", db) == 0
    assert log.read_bytes().startswith(whole)
    assert len(split_checkpoints(log.read_text())) == 3


def test_checkpoints_outside_with_the_line_ends_of_another_system(db: str, log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n"))
    assert run("verify", "--db", db, "--against", log) == 0


def test_an_end_outside_that_is_not_the_stores(db: str, log: Path) -> None:
    whole = log.read_bytes()
    for end in (b"x", b"meta-audit/", whole[:30].replace(b"/", b"/0")):
        log.write_bytes(whole + end)
        found = run("verify", "--db", db, "--against", log)
        assert found == (0 if whole.startswith(end) else 1)
    log.write_bytes(b"")
    assert run("verify", "--db", db, "--against", log) == 1
    if "://" not in db:  # an empty one beside the store is one that was not written yet
        assert run("verify", "--db", db) == 0
