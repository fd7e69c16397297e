"""`--metrics`: what Prometheus reads is true, whole and no fault of an import."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meta_audit.cli import metrics
from meta_audit.query.metrics import StoreMetrics
from meta_audit.render.exposition import ServerMetrics, exposition
from tests.conftest import Audit
from tests.ingest.documents import compact, job, ndjson

EMPTY = StoreMetrics({"new": 0}, {}, 0, 0, 0, 0, 0, None, None)


def samples(content: str) -> dict[tuple[str, ...], float]:
    """Read metrics as Prometheus does, by name and values of labels."""
    return {
        (sample.name.removeprefix("meta_audit_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(content)
        for sample in family.samples
    }


def test_an_import_and_what_is_open(audit: Audit, tmp_path: Path) -> None:
    documents = tmp_path / "jobs.ndjson"
    documents.write_bytes(ndjson(*[compact(job(n)) for n in range(5)], b'{"ID":"j","ID":"k"}'))
    file = tmp_path / "meta.prom"
    began = time.time()
    assert audit.ingest(documents, "--metrics", file).status == 1
    found = samples(file.read_text())
    assert found["documents_total", "new"] == 5
    assert found["documents_total", "rejected"] == 1
    assert found["imports_total", "complete"] == 1
    assert found["jobs",] == 5
    assert found["ledger_entries",] == found["ledger_entries_covered",] == 6
    assert found["open_rejections",] == found["last_run_exit_code",] == 1
    assert began - 1 < found["last_checkpoint_timestamp_seconds",] < time.time() + 1
    assert not file.stat().st_mode & 0o111
    assert os.listdir(tmp_path).count("meta.prom") == 1

    assert audit.run("rejections", "dismiss", "5", "--reason", "known").status == 0
    assert audit.ingest(documents, "--metrics", file).status == 0
    found = samples(file.read_text())
    assert found["open_rejections",] == found["last_run_exit_code",] == 0
    assert found["imports_total", "complete"] == 3
    assert [name for name in os.listdir(tmp_path) if name.startswith(".meta")] == []


def test_a_typo_makes_nothing(audit: Audit, tmp_path: Path) -> None:
    documents = tmp_path / "job.json"
    documents.write_bytes(compact(job()))
    result = audit.ingest(documents, "--metrics", tmp_path / "nowhere" / "meta.prom")
    assert result.status == 2
    assert "no directory" in result.err
    assert not (tmp_path / "nowhere").exists()


def test_metrics_that_cannot_be_written_lose_no_import(audit: Audit, tmp_path: Path) -> None:
    documents = tmp_path / "job.json"
    documents.write_bytes(compact(job()))
    taken = tmp_path / "meta.prom"
    taken.mkdir()
    result = audit.ingest(documents, "--metrics", taken)
    assert result.status == 74
    assert "cannot write metrics" in result.err
    assert result.summary["new"] == 1
    assert sorted(os.listdir(tmp_path)) == sorted({"job.json", "meta.prom", *os.listdir(tmp_path)})
    assert not list(tmp_path.glob(".meta.prom*"))


def test_they_are_written_while_an_import_runs(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "SECONDS", 0.0)
    documents = tmp_path / "job.json"
    documents.write_bytes(compact(job()))
    seen: list[bytes] = []
    replace = metrics._replace
    monkeypatch.setattr(metrics, "_replace", lambda path, content: seen.append(content))
    audit.ingest(documents, "--metrics", tmp_path / "meta.prom")
    first, *_, last = (samples(content.decode()) for content in seen)
    assert first["imports_unfinished",] == 1
    assert ("last_run_exit_code",) not in first
    assert last["imports_unfinished",] == last["last_run_exit_code",] == 0
    assert replace is not metrics._replace


@pytest.mark.parametrize("url", ["http://h:1/api", 'a"b\\c\nd', "ü\u202e"])
def test_labels_are_escaped(url: str) -> None:
    server = ServerMetrics(url, is_up=False, read_at=1_700_000_000_500_000_000)
    found = samples(exposition(EMPTY, None, server).decode())
    assert found["server_up", url] == 0
    assert found["server_read_timestamp_seconds", url] == 1_700_000_000.5
    assert ("last_checkpoint_timestamp_seconds",) not in found


def test_what_is_no_metrics_is_not_replaced(file: Audit, tmp_path: Path) -> None:
    """A store that is named by mistake would be lost."""
    documents = tmp_path / "job.json"
    documents.write_bytes(compact(job()))
    os.mkfifo(tmp_path / "pipe")
    kept = Path(file.db).read_bytes()
    for name in (file.db, tmp_path / "pipe", documents):
        result = file.ingest(documents, "--metrics", name)
        assert result.status == 2
        assert f"cannot write metrics to {name}: it exists" in result.err
    assert Path(file.db).read_bytes() == kept
    empty = tmp_path / "empty.prom"
    empty.touch()
    for _ in range(2):
        assert file.ingest(documents, "--metrics", empty).status == 0
    assert "meta_audit_jobs 1" in empty.read_text()
