"""The Python interface gives what the commands print."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import meta_audit
from meta_audit.errors import MetaAuditError, NotFoundError, StoreError, UsageError
from meta_audit.query.results import Candidates
from tests.conftest import ROOT, Audit

JOB = "j-0c4f5a1e"
FIRST_USE = """
import sys, threading, msgspec
from meta_audit.query.texts import exact

def at_once(number):
    fields = [(f"a{n}", "str | None") for n in range(12)]
    inner = [msgspec.defstruct(f"Inner{number}_{n}", fields) for n in range(6)]
    outer = msgspec.defstruct(f"Outer{number}", [(f"f{n}", c) for n, c in enumerate(inner)])
    value, start = outer(*[c(*["\uffff0"] * 12) for c in inner]), threading.Barrier(4)
    threads = [threading.Thread(target=lambda: (start.wait(), exact(value))) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

sys.setswitchinterval(1e-6)
for number in range(100):
    at_once(number)
"""
"""Read values of a new class in four threads at once."""


def test_methods_give_what_commands_print(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")

    def printed(*arguments: str) -> object:
        return json.loads(audit.run(*arguments, "--format", "json").out)

    with meta_audit.open(str(audit.db)) as store:
        assert store.trace(JOB).to_dict() == printed("trace", JOB)
        assert store.find("project=finance").to_dict() == printed("find", "project=finance")
        assert store.find(limit=2).to_dict() == printed("find", "--limit", "2")
        candidates = store.trace("j-")
        assert isinstance(candidates, Candidates)
        assert candidates.to_dict() == printed("trace", "j-")
        rejections = store.rejections(reason="meta")
        assert rejections.to_dict() == printed("rejections", "list", "--reason", "meta")
        number = rejections.rejections[0].rejection_id
        shown = store.rejection(number)
        assert shown.to_dict() == printed("rejections", "show", str(number))
        assert store.rejected_document(number).content == shown.content
        (checkpoint,) = store.checkpoints()
        assert [checkpoint.to_dict()] == printed("checkpoint", "list")
        assert store.checkpoint(1) == checkpoint.note
        proof = store.consistency(1, 1).to_dict()
        assert proof == printed("checkpoint", "consistency", "1", "1")

        document = store.document(JOB)
        assert store.document(document.sha256[:8]) == document
        assert document.content in (ROOT / "examples/v1.6-jobs.ndjson").read_bytes()

        (key,) = store.verifier_keys()
        report = store.verify(keys=[key])
        assert report.verdict == "intact"
        assert report.to_dict()["format"] == "meta-audit/verify/1"
        for every in (False, True):
            content = store.prove(JOB, every=every)
            assert isinstance(content, bytes)
            checked = meta_audit.check_proof(content, keys=[key], checkpoints=checkpoint.note)
            assert checked.valid
            assert checked.to_dict()["proofs"][0]["checkpoint_held"] is True
        assert not meta_audit.check_proof(content).valid


def test_a_snapshot_sees_one_state_and_a_call_the_newest(audit: Audit) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    with meta_audit.open(str(audit.db)) as store:
        with store.snapshot() as then:
            before = then.find()
            audit.ingest(ROOT / "examples")
            assert then.find() == before
            assert len(then.checkpoints()) == 1
            assert len(store.find().jobs) > len(before.jobs)
        assert len(store.checkpoints()) == 2


def test_verify_and_report_count_the_same_jobs(audit: Audit, tmp_path: Path) -> None:
    """Executions that name no namespace belong to the job of the same ID."""
    executions = tmp_path / "executions.json"
    executions.write_text(
        '{"Items": [{"ID": "e-1", "JobID": "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e",'
        ' "NodeID": "n-1", "ComputeState": {"StateType": 7}}], "NextToken": ""}'
    )
    audit.ingest(ROOT / "examples", executions)
    with meta_audit.open(str(audit.db)) as store:
        assert store.verify().jobs == store.report().totals.jobs


def test_threads_share_a_store(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    with meta_audit.open(str(audit.db)) as store, ThreadPoolExecutor(24) as pool:
        traces = list(pool.map(store.trace, [JOB] * 48))
    assert len(traces) == 48
    assert len({json.dumps(trace.to_dict()) for trace in traces}) == 1


def test_threads_may_be_the_first_to_use_a_result() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_number_that_no_store_can_hold_is_an_error(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    with meta_audit.open(str(audit.db)) as store:
        for ask in (store.import_, store.checkpoint, store.rejection):
            with pytest.raises(MetaAuditError):
                ask(1 << 64)
    for command in ("show", "list --limit", "list --import", "dismiss --reason x"):
        refused = audit.run("rejections", *command.split(), str(1 << 64))
        assert refused.status in (1, 2, 4)


def test_errors_say_what_to_do_and_nothing_is_made(audit: Audit, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(StoreError, match="there is no store") as error:
        meta_audit.open(str(missing))
    assert error.value.advice
    assert not missing.exists()
    with pytest.raises(UsageError):
        meta_audit.open("")
    audit.ingest(ROOT / "examples")
    with meta_audit.open(str(audit.db)) as store:
        with pytest.raises(NotFoundError, match="projct"):
            store.find("projct=finance")
        with pytest.raises(NotFoundError):
            store.trace("j-nothing")
        with pytest.raises(AttributeError):
            store.verify(since=1).verdict = "intact"  # type: ignore[misc]
        with pytest.raises(UsageError, match="not Unicode"):
            store.sql("SELECT '\udcff'")
        if isinstance(audit.db, Path):
            with pytest.raises(UsageError):
                store.sql("SELECT ?", 2**70)
    with pytest.raises(UsageError, match="closed"):
        store.find()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        meta_audit.nothing  # noqa: B018
