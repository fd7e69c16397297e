"""Each format of an export says of each job what the store says."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import tarfile
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import zstandard

import meta_audit
from meta_audit.errors import UsageError
from meta_audit.ledger.merkle import inclusion_proof, nodes_of
from meta_audit.ledger.subtrees import LEVELS, block_nodes
from tests.conftest import ROOT, Audit


@pytest.fixture
def jobs(audit: Audit, tmp_path: Path) -> Audit:
    """A store with the examples, and jobs whose texts do harm."""
    documents = [
        {"ID": f"j-{number}", "Name": name, "Meta": meta, "CreateTime": 10**18 + number, **more}
        for number, name, meta, more in (
            (1, "=1+1", {"team": "a\u0000b", "k=1": "x"}, {"Tasks": [{"Name": "t"}]}),
            (2, "\x1b[31m", {"team": "ü\u202e"}, {"Tasks": [{"Name": "t", "Meta": {"step": "1"}}]}),
        )
    ]
    (tmp_path / "jobs.ndjson").write_text("".join(json.dumps(d) + "\n" for d in documents))
    assert audit.ingest(ROOT / "examples", tmp_path / "jobs.ndjson").status in (0, 1)
    return audit


def test_rows(jobs: Audit, tmp_path: Path) -> None:
    lines = jobs.run("export", "--to", "-", "--columns", "team,step,none")
    assert (lines.status, lines.err) == (0, "")
    rows = {row["job_id"]: row for row in map(json.loads, lines.out.splitlines())}
    assert len(rows) == jobs.rows("SELECT count(*) FROM v_jobs")[0][0]
    assert rows["j-1"]["name"] == "=1+1"
    assert rows["j-1"]["created_at"] == "2001-09-09T01:46:40.000000001Z"
    assert rows["j-1"]["team"] == "a\0b"
    assert (rows["j-2"]["step"], rows["j-2"]["none"]) == ("1", None)
    assert "job_key" not in rows["j-1"]

    file = tmp_path / "jobs.csv.zst"
    assert jobs.run("export", "--to", file, "--columns", "team,step,none").status == 0
    text = zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes()).decode()
    table = {row["job_id"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert table.keys() == rows.keys()
    assert table["j-1"]["name"] == "'=1+1"
    assert table["j-2"]["team"] == "ü\u202e"

    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "jobs.parquet"
    assert jobs.run("export", "--to", file, "--columns", "team,step,none").status == 0
    found = parquet.read_table(file)
    for name in ("created_at", "modified_at", "first_seen", "last_seen"):
        assert str(found.schema.field(name).type) == "timestamp[ns, tz=UTC]"
    plain = found.drop_columns(["created_at", "modified_at", "first_seen", "last_seen"])
    for row in plain.to_pylist():
        assert row == {name: rows[row["job_id"]][name] for name in row}
    times = found.column("created_at").cast("int64").to_pylist()
    assert times == found.column("created_ns").to_pylist()


def test_documents_and_proofs(jobs: Audit, tmp_path: Path, monkeypatch: Any) -> None:
    with meta_audit.open(str(jobs.db)) as store:
        (key,) = store.verifier_keys()
        number = store.export(str(tmp_path / "jobs.tar"), "team=ü\u202e")
        assert number == 1
        number = store.export(str(tmp_path / "all.tar"))
        newest = {store.document(job).content for job in ("j-0c4f5a1e", "j-1", "j-2")}
        proofs = io.BytesIO()
        assert store.export(proofs, format_="proofs") == number
    monkeypatch.chdir(tmp_path)
    with tarfile.open("all.tar") as tar:
        tar.extractall("all", filter="data")
    folder = tmp_path / "all"
    assert newest <= {file.read_bytes() for file in (folder / "documents").iterdir()}
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    named = [json.loads(line) for line in (folder / "jobs.ndjson").read_text().splitlines()]
    assert len(named) == number
    manifest = (folder / "proofs.json").read_bytes()
    for content in (manifest, proofs.getvalue()):
        checked = meta_audit.check_proof(content, keys=[key], folder=str(folder))
        assert len(checked.proofs) == number
        assert checked.valid
        assert not meta_audit.check_proof(content, folder=str(folder)).valid
    for wrong in (
        manifest.replace(b"documents/", b"../all/documents/", 1),
        manifest.replace(b'"index":', b'"index":1', 1),
        manifest.replace(b'"summary":{"kind', b'"more":1,"summary":{"kind', 1),
        manifest.replace(b'"file":', b'"index":1,"file":', 1),
        manifest[:-10],
    ):
        assert not meta_audit.check_proof(wrong, keys=[key], folder=str(folder)).valid
    file = folder / named[0]["file"]
    file.write_bytes(file.read_bytes() + b" ")
    checked = meta_audit.check_proof(manifest, keys=[key], folder=str(folder))
    assert [proof.verdict for proof in checked.proofs].count("failed") == 1

    found = jobs.run("prove", "--find", "team=ü\u202e", "--output", "found.json")
    assert (found.status, found.err) == (0, "1 proof written to found.json\n")
    assert meta_audit.check_proof(Path("found.json").read_bytes(), keys=[key]).valid
    assert jobs.run("prove").status == 2
    assert jobs.run("prove", "j-1", "--find", "team=a").status == 2


def test_provenance_and_lineage(jobs: Audit) -> None:
    prov = json.loads(jobs.run("export", "--to", "-", "--format", "prov").out)
    number = jobs.rows("SELECT count(*) FROM v_jobs")[0][0]
    assert len(prov["activity"]) == len(prov["entity"]) == number
    named = {*prov["activity"], *prov["entity"], *prov["agent"]}
    assert {name.partition(":")[0] for name in named} <= prov["prefix"].keys()
    clients = {value for (value,) in jobs.rows("SELECT DISTINCT client FROM v_jobs") if value}
    associated = prov["wasAssociatedWith"].values()
    agents = {one["prov:agent"] for one in associated if one["prov:role"] == "client"}
    assert {prov["agent"][agent]["ma:value"] for agent in agents} == clients
    assert all(one["ma:trust"] for one in associated)
    assert {one["prov:activity"] for one in associated} <= prov["activity"].keys()
    shown = prov["wasInfluencedBy"].values()
    assert {one["prov:influencee"] for one in shown} == prov["entity"].keys()

    out = jobs.run("export", "--to", "-", "--format", "openlineage").out
    events = [json.loads(line) for line in out.splitlines()]
    runs = {event["run"]["runId"]: event for event in events}
    assert "0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e" in runs
    assert {event["eventType"] for event in events} >= {"START", "COMPLETE"}
    for event in events:
        assert {"eventTime", "producer", "schemaURL", "inputs", "outputs"} <= event.keys()
        assert event["job"]["name"]
        assert event["job"]["namespace"] is not None
        assert event["run"]["facets"]["metaAudit"]["document"]


def test_what_has_no_time_is_left_out_of_lineage(jobs: Audit, tmp_path: Path) -> None:
    ((timeless,),) = jobs.rows(
        "SELECT count(*) FROM v_jobs WHERE created_at IS NULL AND modified_at IS NULL"
    )
    file = tmp_path / "events.ndjson"
    found = jobs.run("export", "--format", "openlineage", "--to", file)
    events = [json.loads(line) for line in file.read_text().splitlines()]
    told = {event["run"]["facets"]["metaAudit"]["job_id"] for event in events}
    assert timeless > 0
    assert found.err.startswith(f"{len(told)} jobs written")
    assert f"{timeless} jobs left out: no document says when" in found.err
    to_stdout = "--format", "openlineage", "--to", "-"
    none = jobs.run("export", "lacks(team)", "origin:spec", *to_stdout)
    assert (none.status, none.out, "left out" in none.err) == (0, "", True)


def test_files_appear_as_a_whole_or_not_at_all(jobs: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "jobs.csv"
    assert jobs.run("export", "no=such", "--to", file).status == 1
    assert jobs.run("export", "team=nobody", "--to", file).status == 1
    for wrong in (
        ("--to", folder / "jobs"),
        ("--to", folder),
        ("--to", folder / "none" / "jobs.csv"),
        ("--to", folder / ("x" * 251 + ".csv")),
        ("--to", file, "--format", "xml"),
        ("team and", "--to", file),
    ):
        assert jobs.run("export", *wrong).status == 2
    assert list(folder.iterdir()) == []
    assert jobs.run("export", "--to", file).status == 0
    before = file.read_bytes()
    again = jobs.run("export", "project=finance", "--to", file)
    assert (again.status, "--force" in again.err) == (2, True)
    assert file.read_bytes() == before
    assert jobs.run("export", "project=finance", "--to", file, "--force").status == 0
    assert len(file.read_bytes()) < len(before)
    assert list(folder.iterdir()) == [file]
    with meta_audit.open(str(jobs.db)) as store:
        calls = count()

        def stop(_: int) -> None:
            next(calls)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.export(str(folder / "other.csv"), progress=stop)
        with pytest.raises(UsageError, match="unknown format"):
            store.export(str(folder / "other.xml"), format_="xml")
    assert next(calls) == 1
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("size", [1, 2, (1 << LEVELS) - 1, 1 << LEVELS, (1 << LEVELS + 1) + 5])
def test_subtrees_give_the_same_proofs(size: int) -> None:
    leaves = [number.to_bytes(32, "big") for number in range(size)]
    asked: list[int] = []

    def read(begin: int, end: int) -> list[bytes]:
        asked.append(begin)
        return leaves[begin:end]

    nodes = block_nodes(read)
    for index in sorted({0, 1 % size, size // 2, size - 1}):
        assert inclusion_proof(nodes, index, size) == inclusion_proof(nodes_of(leaves), index, size)
    assert len(asked) == len(set(asked))


def test_lineage_names_what_is_read_and_written(audit: Audit, tmp_path: Path) -> None:
    def of(type_: str, **params: str) -> dict[str, Any]:
        return {"Type": type_, "Params": params}

    sources = [
        of("s3", Bucket="in", Key="a/*"),
        of("s3", Bucket="in", Key="a/*"),
        of("ipfs", CID="Qm1"),
        of("urlDownload", URL="https://example.org"),
        of("localDirectory", SourcePath="/data/x"),
        of("inline", URL="data:text/plain,x"),
    ]
    task = {
        "Name": "t",
        "InputSources": [{"Source": source, "Target": "/in"} for source in sources],
        "ResultPaths": [{"Name": "outputs", "Path": "/outputs"}],
        "Publisher": of("s3", Bucket="out", Key="{jobID}"),
    }
    state = {"State": {"StateType": "Completed"}, "Revision": 1}
    published = of("s3", Bucket="out", Key="j-1/b")
    documents = [
        *({"ID": i, "CreateTime": 10**18, "Tasks": [task], **state} for i in ("j-1", "j-2")),
        {"ID": "e-1", "JobID": "j-1", "ComputeState": {}, "PublishedResult": published},
    ]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(d) + "\n" for d in documents))
    assert audit.ingest(tmp_path / "in.ndjson").status == 0
    out = audit.run("export", "--to", "-", "--format", "openlineage").out
    ends = {
        event["job"]["name"]: event
        for event in map(json.loads, out.splitlines())
        if event["eventType"] == "COMPLETE"
    }
    assert ends["j-1"]["inputs"] == [
        {"namespace": "ipfs", "name": "Qm1"},
        {"namespace": "file", "name": "/data/x"},
        {"namespace": "s3://in", "name": "a/*"},
        {"namespace": "https://example.org", "name": "/"},
    ]
    assert ends["j-1"]["outputs"] == [{"namespace": "s3://out", "name": "j-1/b"}]
    assert ends["j-2"]["outputs"] == [{"namespace": "s3://out", "name": "{jobID}"}]
