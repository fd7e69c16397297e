"""`verify-proof`, and files of checkpoints that a person or a shell put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Audit

JOB = '{"ID": "j-1", "Name": "hello", "Meta": {"team": "a"}, "Tasks": [{"Name": "t"}]}'


@pytest.fixture
def proof(file: Audit, tmp_path: Path) -> Path:
    """A proof of a job in a store of two imports."""
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(JOB.replace("j-1", f"j-{number}"))
        assert file.ingest(tmp_path / f"{number}.json").status == 0
    assert file.run("prove", "j-1", "--output", tmp_path / "proof.json").status == 0
    return tmp_path / "proof.json"


@pytest.fixture
def key(file: Audit, proof: Path) -> str:
    """The verifier key of that store."""
    return file.run("checkpoint", "key").out.strip()


def check(file: Audit, *arguments: str | Path) -> tuple[int, str]:
    """Run `verify-proof`, which takes no store."""
    file._capsys.readouterr()
    from meta_audit import cli

    status = cli.run(["verify-proof", *map(str, arguments)])
    out, err = file._capsys.readouterr()
    assert "Traceback" not in err
    return status, out + err


def test_the_text_names_the_job_and_what_it_shows(file: Audit, proof: Path, key: str) -> None:
    status, text = check(file, proof, "--key", key)
    assert status == 0
    assert text.startswith("Proof of job j-1\n")
    assert "  name       hello\n" in text
    assert "Verified: signed with a key that you trust." in text
    assert "It does not show that the record is true, or that there are no others." in text


def test_without_a_key_it_is_not_verified(file: Audit, proof: Path, key: str) -> None:
    status, text = check(file, proof)
    assert status == 1
    assert "NOT VERIFIED" in text
    status, text = check(file, proof, "--format", "json")
    shape = json.loads(text)
    assert (status, shape["valid"], shape["proofs"][0]["verdict"]) == (1, False, "consistent")


def test_a_checkpoint_that_is_held_is_enough(file: Audit, proof: Path, tmp_path: Path) -> None:
    (tmp_path / "held").write_text(file.run("checkpoint", "show", "2").out)
    assert check(file, proof, "--checkpoint", tmp_path / "held")[0] == 0
    (tmp_path / "held").write_text(file.run("checkpoint", "show", "1").out)
    status, text = check(file, proof, "--checkpoint", tmp_path / "held")
    assert status == 1
    assert "NOT VALID: its checkpoint is none of those that you hold." in text


def test_an_empty_list_proves_nothing(file: Audit, proof: Path, key: str) -> None:
    proof.write_text("[]")
    status, text = check(file, proof, "--key", key)
    assert (status, text) == (1, "NOT VALID: the list holds no proof.\n")
    status, text = check(file, proof, "--key", key, "--format", "json")
    assert (status, json.loads(text)["valid"]) == (1, False)


@pytest.mark.parametrize("content", ["", "no JSON", "{}", "[1]", '{"ID": "j-1"}', "\0"])
def test_what_is_no_proof_gets_one_clear_error(
    file: Audit, proof: Path, key: str, content: str
) -> None:
    proof.write_text(content)
    status, text = check(file, proof, "--key", key)
    assert status == 1
    first, second = text.splitlines()
    assert first.startswith("NOT VALID: not a ")
    assert second == "Give a file that `meta-audit prove` wrote."


def test_a_step_that_fails_is_the_last_one_shown(file: Audit, proof: Path, key: str) -> None:
    proof.write_text(proof.read_text().replace('"ordinal": 1', '"ordinal": 2'))
    status, text = check(file, proof, "--key", key)
    assert status == 1
    assert "skipped" not in text
    assert text.endswith("NOT VALID.\n")


def test_checkpoints_that_were_appended(file: Audit, proof: Path, tmp_path: Path) -> None:
    shown = [file.run("checkpoint", "show", n).out for n in ("1", "2")]
    kept = tmp_path / "kept"
    for content in (
        "".join(shown).encode(),
        "\n".join(shown).encode(),
        ("\n\n".join(shown) + "\n\n\n").encode(),
        b"\xef\xbb\xbf" + "".join(shown).encode(),
        b"".join(b"\xef\xbb\xbf" + one.encode() for one in shown),
        "".join(shown).replace("\n", "\r\n").encode("utf-16"),
        "".join(shown).rstrip("\n").encode(),
    ):
        kept.write_bytes(content)
        verified = file.run("verify", "--against", kept)
        assert verified.status == 0, content
        assert "10. ok" in verified.out
        assert check(file, proof, "--checkpoint", kept)[0] == 0, content


def test_a_checkpoint_outside_that_is_wrong_is_still_seen(
    file: Audit, proof: Path, tmp_path: Path
) -> None:
    shown = [file.run("checkpoint", "show", n).out for n in ("1", "2")]
    kept = tmp_path / "kept"
    for content in (
        shown[0] + shown[1].replace("\n2\n", "\n3\n"),
        shown[0] + "nonsense\n" + shown[1],
        shown[0].replace("— ", "") + shown[1],
        "",
    ):
        kept.write_text(content)
        assert file.run("verify", "--against", kept).status == 1, content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_no_file_of_checkpoints(file: Audit, proof: Path, tmp_path: Path) -> None:
    for device in ("/dev/full", "/dev/null"):
        result = file.run("ingest", tmp_path / "1.json", "--checkpoint-log", device)
        assert result.status == 4
        assert "not a regular file" in result.err
        assert "Traceback" not in result.err
    assert file.rows("SELECT count(*) FROM imports WHERE import_id > 2") == [(2,)]


def test_verify_says_what_it_did_not_check(file: Audit, proof: Path, tmp_path: Path) -> None:
    result = file.run("verify", "--since", "1")
    assert result.status == 0
    last = result.out.splitlines()[-1]
    assert last.startswith("Intact as far as it was checked. Not checked: ")
    assert "what checkpoint 1 covers" in last
    whole = file.run("verify", "--deep")
    assert whole.out.splitlines()[-1] == "Intact."
    assert json.loads(file.run("verify", "--deep", "--format", "json").out)["not_checked"] == []
