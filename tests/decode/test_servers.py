"""Bacalhau's own answers to odd specs, recorded from real programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meta_audit.decode import decode_json, decode_yaml
from meta_audit.decode.scalars import stored_text
from meta_audit.errors import RejectedError
from meta_audit.model import Scalar
from tests.decode.values import plainly

COERCING = "v1.1.6"
"""Stored what is not text as text; v1.6.5 refuses it."""


def probes(corpus: Path, version: str, kind: str) -> list[dict[str, Any]]:
    folder = corpus / "servers" / version / "probe"
    results = json.loads((folder / "results.json").read_text("utf-8"))
    return [
        result | {"content": (folder / result["file"]).read_bytes()}
        for result in results
        if result["kind"] == kind
    ]


def field(content: bytes, name: str) -> object:
    job = decode_yaml(content).value
    assert isinstance(job, dict)
    return job.get(name)


def stored(value: object) -> object:
    """What stands in the job that is made of a value in Meta."""
    if isinstance(value, bool | int | float | Scalar):
        return stored_text(value)
    return "" if value is None else value


def test_each_scalar_is_stored_as_the_older_versions_stored_it(corpus: Path) -> None:
    results = probes(corpus, COERCING, "yaml-dry-run")
    assert len(results) == 51
    refused = set()
    for result in results:
        if result["rc"]:
            refused.add(result["literal"])
            continue
        meta, printed = (field(c, "Meta") for c in (result["content"], result["out"].encode()))
        assert isinstance(meta, dict)
        assert {key: stored(value) for key, value in meta.items()} == printed, result["literal"]
    assert refused == {"[1]", "{a: b}", '"\\ud83d\\ude80"'}


def test_each_scalar_that_the_newer_versions_refuse_is_no_text(corpus: Path) -> None:
    results = probes(corpus, "v1.6.5", "yaml-dry-run")
    assert len(results) == 51
    for result in results:
        try:
            meta = field(result["content"], "Meta")
        except RejectedError:
            assert result["rc"], result["literal"]
            continue
        assert isinstance(meta, dict)
        taken = isinstance(meta["v"], str | None)
        assert taken is (result["rc"] == 0), result["literal"]


@pytest.mark.parametrize("version", [COERCING, "v1.6.5"])
def test_odd_specs_are_read_alike(corpus: Path, version: str) -> None:
    results = {r["literal"]: r for r in probes(corpus, version, "yaml-odd")}
    assert len(results) == 12
    for literal in ("dupkey", "case", "alias", "mergekey", "tabs"):
        job = decode_yaml(results[literal]["content"]).value
        assert isinstance(job, dict)
        meta = job.get("Meta") or job.get("meta")
        assert meta == field(results[literal]["out"].encode(), "Meta"), literal
    (duplicate,) = decode_yaml(results["dupkey"]["content"]).duplicates
    assert (duplicate.path, duplicate.line) == (("Meta", "v"), 6)
    with pytest.raises(RejectedError, match="Bacalhau refuses it as well") as caught:
        decode_yaml(results["intkey"]["content"])
    assert results["intkey"]["rc"]
    assert caught.value.reason == "yaml.key"


@pytest.mark.parametrize("version", [COERCING, "v1.6.5"])
def test_all_that_servers_give_out_is_decoded(corpus: Path, version: str) -> None:
    folder = corpus / "servers" / version
    files = [*(folder / "api").rglob("*.json"), *(folder / "submit").rglob("*.json")]
    files += (folder / "legacy").rglob("*.json")
    assert len(files) > 50
    for file in files:
        content = file.read_bytes()
        for line in content.splitlines() if file.suffix == ".ndjson" else [content]:
            assert not decode_json(line).duplicates, file.name


@pytest.mark.parametrize("version", [COERCING, "v1.6.5"])
def test_each_spec_is_decoded(corpus: Path, version: str) -> None:
    files = sorted((corpus / "servers" / version / "spec").iterdir())
    assert len(files) > 15
    for file in files:
        assert isinstance(decode_yaml(file.read_bytes()).value, dict), file.name
        if file.suffix == ".json":
            content = file.read_bytes()
            assert decode_yaml(content).value == decode_json(content).value


def test_nul_is_kept(corpus: Path) -> None:
    decoded = decode_json((corpus / "servers/minimal/nul.json").read_bytes())
    assert "\\u0000" in json.dumps(decoded.value)


@pytest.mark.parametrize("version", [COERCING, "v1.6.5"])
def test_what_is_described_as_yaml_equals_what_is_described_as_json(
    corpus: Path, version: str
) -> None:
    files = sorted((corpus / "servers" / version / "cli/describe").glob("*.yaml"))
    assert len(files) > 20
    failed = 0
    for file in files:
        as_yaml = file.read_bytes()
        if b"error converting JSON to YAML" in as_yaml:
            failed += 1
            continue
        as_json = file.with_suffix(".json").read_text("utf-8").replace("\x85", " ")
        printed = [decode_yaml(as_yaml).value, decode_json(as_json.encode()).value]
        assert specified(printed[0]) == specified(printed[1]), file.name
    assert failed < 3


def specified(value: object) -> object:
    """What does not change while a job runs."""
    assert isinstance(value, dict)
    job = value.get("Job", value)
    return plainly({name: job[name] for name in ("Name", "Meta", "Labels", "Tasks", "CreateTime")})
